package contract

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mockfhir/mockfhir/internal/fhir"
)

// learner gathers a Baseline from the answers of a run.
type learner struct {
	target    Target
	questions map[string]*Question
	headers   map[string]*Headers
	kinds     map[string]*element // by resource type, "Bundle" for what is around them
	metadata  map[string]string
	pages     map[string]int
	speed     map[string][]time.Duration
	bytes     map[string][2]int         // by type: bytes, resources
	days      map[string]map[string]int // by type: resources by the day they changed
	ids       map[string]map[string]string
	root      string

	hash maphash.Seed
	seen map[uint64]bool // resources already counted, by their text

	safes map[string]string
}

func newLearner(target Target) *learner {
	return &learner{
		target: target, questions: map[string]*Question{}, headers: map[string]*Headers{},
		kinds: map[string]*element{}, metadata: map[string]string{}, pages: map[string]int{},
		speed: map[string][]time.Duration{}, bytes: map[string][2]int{}, days: map[string]map[string]int{}, ids: map[string]map[string]string{},
		hash: maphash.MakeSeed(), seen: map[uint64]bool{}, safes: map[string]string{},
	}
}

// see takes one answer in.
func (l *learner) see(a *Answer) {
	l.seeQuestion(a)
	l.seeHeaders(a)
	if a.Broken == "" {
		l.speed[speedClass(a)] = append(l.speed[speedClass(a)], a.Duration)
	}
	switch {
	case a.ResourceType() == "OperationOutcome" && a.Broken == "":
		l.kind("OperationOutcome").object(a.JSON(), "")
	case a.Status != http.StatusOK || a.Broken != "":
	case a.Request.Root:
		l.root = cmp.Or(generation(a), l.root)
	case a.ResourceType() == "CapabilityStatement":
		maps.Copy(l.metadata, statementFacts(a.JSON()))
	case a.ResourceType() == "Bundle":
		l.seeBundle(a)
	}
}

// question is a request without the values of its data, so that the same
// question has the same name on every directory.
func question(r *Request) string {
	name := r.method() + " "
	if r.Root {
		name += "../"
	}
	name += publicPath(r.Path)
	if r.Form != "" {
		typ, _, _ := strings.Cut(r.Path, "/")
		name += " " + publicQuery(typ, r.Form)
	}
	if r.KeyIn != "" {
		name += " with the key in " + r.KeyIn
	}
	switch r.Key {
	case "":
	case noKey:
		name += " without a key"
	case emptyKey:
		name += " with an empty key"
	default:
		name += " with an unknown key"
	}
	for _, h := range slices.Sorted(maps.Keys(r.Header)) {
		if values := r.Header[h]; len(values) > 0 && headerText.MatchString(values[0]) {
			name += fmt.Sprintf(" %s: %s", h, values[0])
		}
	}
	return name
}

func (l *learner) seeQuestion(a *Answer) {
	name := question(a.Request)
	q := l.questions[name]
	if q == nil {
		q = &Question{Answers: map[string]int{}}
		l.questions[name] = q
	}
	q.Asked++
	q.Answers[answerKind(a)]++
	if a.gzipped {
		q.Packed++
	}
	if total, ok := a.Total(); ok && a.IsBundle() && !strings.Contains(name, "<") {
		q.Total = &total
	}
}

// answerKind is the answer as clients tell answers apart. Texts for people are
// not part of it: they change with every release.
func answerKind(a *Answer) string {
	kind := fmt.Sprintf("%d %s", a.Status, a.Content())
	doc := a.JSON()
	switch {
	case a.Broken != "":
		return kind + ", broken"
	case a.ResourceType() == "OperationOutcome":
		return kind + " " + safe(doc.Path("issue", "severity").Str()) + "/" + safe(doc.Path("issue", "code").Str())
	case doc.Kind() == fhir.Object && a.ResourceType() == "":
		var names []string
		for _, m := range doc.Members() {
			names = append(names, safe(m.Name))
		}
		slices.Sort(names)
		return kind + " {" + strings.Join(slices.Compact(names), ",") + "}"
	}
	return kind
}

// Headers that are not the service's own words: they belong to one hop, to the
// framing of one message, or to whoever passes it on (RFC 9110 §7.6, §6.6.1,
// §8.6), and may differ from call to call.
var hopHeaders = regexp.MustCompile(`^(Connection|Keep-Alive|Proxy-.*|Te|Trailer|Transfer-Encoding|Upgrade|Date|Content-Length|Content-Encoding|` +
	`Via|Server|Age|Vary|Forwarded|Set-Cookie|X-Forwarded-.*|X-Cache.*|X-Envoy-.*|X-Served-By|X-Varnish|X-Timer|X-Gravitee-.*|` +
	`X-Request-Id|X-Correlation-Id|X-Trace.*|Traceparent|Tracestate|X-B3-.*|X-Amz.*|Cf-.*|X-Powered-By|X-Runtime|X-Response-Time|Server-Timing)$`)

func (l *learner) seeHeaders(a *Answer) {
	kind := answerKind(a)
	h := l.headers[kind]
	if h == nil {
		h = &Headers{With: map[string]int{}, Forms: map[string]map[string]int{}}
		l.headers[kind] = h
	}
	h.Of++
	for name, values := range a.Header {
		if len(values) == 0 || hopHeaders.MatchString(name) || len(name) > 60 || !isSafe(name) {
			continue
		}
		h.With[name]++
		if h.Forms[name] == nil {
			h.Forms[name] = map[string]int{}
		}
		h.Forms[name][headerForm(a, name, values[0])]++
	}
}

var digits = regexp.MustCompile(`^[0-9]+$`)

var mediaForm = regexp.MustCompile(`^(application|text)/[a-z.+-]{1,40}( in another charset)?$`)

// headerForm is the value of a media type or of a limit, and else its form.
func headerForm(a *Answer, name, value string) string {
	switch {
	case name == "Content-Type":
		form := a.mediaType()
		if _, charset, found := strings.Cut(strings.ToLower(value), "charset="); found && !strings.HasPrefix(strings.Trim(charset, `" `), "utf-8") {
			form += " in another charset"
		}
		return mediaForm.FindString(form)
	case !digits.MatchString(value):
		return "text"
	case strings.HasSuffix(name, "-Limit") && len(value) < 7:
		return value
	case len(value) >= 13:
		return "epoch in milliseconds"
	case len(value) >= 10:
		return "epoch in seconds"
	}
	return "number"
}

// speedClass groups questions that cost the service about the same.
func speedClass(a *Answer) string {
	path, query, _ := strings.Cut(a.Request.Path, "?")
	switch {
	case a.Status >= 400:
		return "refusal"
	case path == "metadata":
		return "metadata"
	case path == "_page":
		return "next page"
	case strings.Contains(path, "/") && !strings.HasSuffix(path, "/_search"):
		return "read"
	case strings.Contains(query, "identifier="):
		return "search by identifier"
	case strings.Contains(query, "nclude="):
		return "search with includes"
	}
	return "search"
}

// generation tells the two shapes of the API apart by their paging.
func generation(a *Answer) string {
	next := a.Link("next")
	switch {
	case strings.Contains(next, "_getpages="):
		return "v1"
	case strings.Contains(next, "/_page?"):
		return "v2"
	}
	return ""
}

// seeBundle takes in a page of search results, its resources included.
// Answers cut down with _elements say nothing about what resources hold.
func (l *learner) seeBundle(a *Answer) {
	path, query, _ := strings.Cut(a.Request.Path, "?")
	asked, _ := url.ParseQuery(cmp.Or(a.Request.Form, query))
	l.kind("Bundle").object(a.JSON(), "entry")
	for _, e := range a.JSON().Get("entry").Items() {
		l.kind("Bundle.entry").object(&e.Value, "resource")
	}
	if asked.Get("_elements") == "" {
		for _, e := range a.Entries() {
			l.seeResource(&e)
		}
	}
	if size := pageSizeAsked(asked); size != "" && path != "_page" && a.Link("next") != "" {
		l.pages[size] = max(l.pages[size], len(a.Matches(strings.TrimSuffix(path, "/_search"))))
	}
}

func (l *learner) kind(name string) *element {
	e := l.kinds[name]
	if e == nil {
		e = l.newElement(name)
		l.kinds[name] = e
	}
	return e
}

// seeResource counts a resource once, however often it is answered; another
// version of it counts again.
func (l *learner) seeResource(e *Entry) {
	typ := e.Type()
	if !slices.Contains(types, typ) {
		return
	}
	raw := e.Resource.Raw()
	size := l.bytes[typ]
	l.bytes[typ] = [2]int{size[0] + len(raw), size[1] + 1}
	sum := maphash.String(l.hash, raw)
	if l.seen[sum] {
		return
	}
	l.seen[sum] = true
	l.kind(typ).object(e.Resource, "")
	if l.days[typ] == nil {
		l.days[typ] = map[string]int{}
	}
	if at := e.Resource.Path("meta", "lastUpdated").Str(); len(at) >= len(time.DateOnly) && len(l.days[typ]) < maxKnown {
		l.days[typ][at[:len(time.DateOnly)]]++
	}
	l.seeIdentity(e)
}

// seeIdentity keeps the identities of people and structures. Those of their
// activities come and go (issue #386).
func (l *learner) seeIdentity(e *Entry) {
	typ := e.Type()
	n, id, ok := identity(e)
	if !ok || typ != "Practitioner" && typ != "Organization" {
		return
	}
	if l.ids[typ] == nil {
		l.ids[typ] = map[string]string{}
	}
	if known, met := l.ids[typ][n]; met && known != id {
		id = ambiguous
	}
	l.ids[typ][n] = id
}

// ambiguous stands for the id of a number that two resources have, or whose
// hash they share.
const ambiguous = "several"

// identity tells one business identifier and the technical id it has, each as
// 18 bits of a hash: enough to see that ids have changed (issue #150), and so
// few that each fits several of the 1.4 million people in the directory.
func identity(e *Entry) (number, id string, ok bool) {
	for _, i := range e.Resource.Get("identifier").Items() {
		if v := i.Value.Get("value").Text(); v != "" && e.ID() != "" {
			return short(v), short(e.ID()), true
		}
	}
	return "", "", false
}

func short(text string) string {
	sum := sha256.Sum256([]byte(text))
	return fmt.Sprintf("%05x", binary.BigEndian.Uint32(sum[:])>>14)
}

// statementFacts is a capability statement as facts with a key each, so that
// order means nothing.
func statementFacts(doc *fhir.Node) map[string]string {
	facts := map[string]string{}
	state := func(value string, key ...string) { facts[strings.Clone(strings.Join(key, ""))] = safe(value) }
	for _, m := range doc.Members() {
		switch m.Name {
		case "rest", "text":
		case "date", "publisher", "contact", "description", "copyright", "title":
			state("present", m.Name)
		case "format", "patchFormat", "implementationGuide", "instantiates":
			m.Value.Each(func(n *fhir.Node) { state("listed", m.Name, "(", safe(n.Str()), ")") })
		case "software", "implementation":
			for _, s := range m.Value.Members() {
				state(s.Value.Text(), m.Name, ".", s.Name)
			}
		default:
			state(m.Value.Text(), m.Name)
		}
	}
	for _, rest := range doc.Get("rest").Items() {
		for _, r := range rest.Value.Get("resource").Items() {
			typ := safe(r.Value.Get("type").Str())
			state("listed", typ)
			state(r.Value.Get("profile").Str(), typ, ".profile")
			for _, p := range r.Value.Get("searchParam").Items() {
				state(p.Value.Get("type").Str(), typ, ".searchParam(", safe(p.Value.Get("name").Str()), ")")
			}
			for _, i := range r.Value.Get("interaction").Items() {
				state("listed", typ, ".interaction(", safe(i.Value.Get("code").Str()), ")")
			}
			for _, list := range []string{"searchInclude", "searchRevInclude"} {
				r.Value.Get(list).Each(func(n *fhir.Node) { state("listed", typ, ".", list, "(", safe(n.Str()), ")") })
			}
		}
	}
	return facts
}

// fewDays is how many resources may well have changed on the same day by chance.
const fewDays = 20

// baseline returns what was learned so far.
func (l *learner) baseline(at time.Time) *Baseline {
	b := &Baseline{
		Format: baselineFormat, Accepted: at.UTC().Truncate(time.Second), Target: l.target.URL,
		Questions: map[string]*Question{}, Headers: map[string]*Headers{}, Elements: map[string]*Element{},
		Metadata: maps.Clone(l.metadata), Pages: maps.Clone(l.pages), Unversioned: l.root,
		Speed: map[string]Timing{}, Weight: map[string]int{}, Reload: map[string]int{}, Identities: map[string]map[string]string{},
	}
	for name, q := range l.questions {
		c := *q
		c.Answers = maps.Clone(q.Answers)
		b.Questions[name] = &c
	}
	for name, h := range l.headers {
		c := &Headers{Of: h.Of, With: maps.Clone(h.With), Forms: map[string]map[string]int{}}
		for k, f := range h.Forms {
			c.Forms[k] = maps.Clone(f)
		}
		b.Headers[name] = c
	}
	for name, e := range l.kinds {
		e.export(b.Elements, name)
	}
	for name, took := range l.speed {
		b.Speed[name] = speedOf(slices.Clone(took))
	}
	for typ, size := range l.bytes {
		b.Weight[typ] = roughly(float64(size[0]) / float64(size[1]))
	}
	for typ, days := range l.days {
		most := 0
		for _, n := range days {
			most = max(most, n)
		}
		if all := total(days); all >= fewDays {
			b.Reload[typ] = 100 * most / all
		}
	}
	for typ, ids := range l.ids {
		own := make(map[string]string, len(ids))
		for n, id := range ids {
			own[strings.Clone(n)] = strings.Clone(id)
		}
		b.Identities[typ] = own
	}
	return b.withoutKey(l.target.Key)
}
