package cases

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/mockfhir/mockfhir/fixtures"
)

// Result is what came back.
type Result struct {
	Target  string // as sent, below the base
	Status  int    // 0: the connection closed without an answer
	Header  http.Header
	Length  int64 // Content-Length, -1 when absent
	Chunked bool
	Body    []byte
	Before  *Result // the page whose next link this is, or whose token was used
}

// Bundle is what the runners read of a searchset.
type Bundle struct {
	ID    string
	Total *int
	Entry []struct {
		FullURL  string `json:"fullUrl"`
		Resource json.RawMessage
	}
	Links []struct{ Relation, URL string } `json:"link"`
}

// Bundle reads the body as a searchset; it is empty when the body is none.
func (r *Result) Bundle() (b Bundle) {
	if json.Unmarshal(r.Body, &b) != nil {
		return Bundle{}
	}
	return b
}

// Relation is the URL of a link, "" when there is none.
func (b Bundle) Relation(relation string) string {
	for _, l := range b.Links {
		if l.Relation == relation {
			return l.URL
		}
	}
	return ""
}

// Keys are the `Type/id`s of the entries.
func (b Bundle) Keys() []string {
	keys := []string{}
	for _, e := range b.Entry {
		var r struct{ ResourceType, ID string }
		_ = json.Unmarshal(e.Resource, &r) // a broken one has no key
		keys = append(keys, r.ResourceType+"/"+r.ID)
	}
	return keys
}

// Token is the page token of the next link.
func (b Bundle) Token() string {
	_, token, _ := strings.Cut(b.Relation("next"), "?id=")
	return token
}

// Observer judges results by what a row says of them.
type Observer struct {
	Base string                               // of the API, as the client wrote it
	Get  func(target string) (*Result, error) // another request of the same server
	Set  *fixtures.Set
}

// Judge holds a result against an observation, phrase by phrase, and against
// what is true of every answer. Prose that is no known phrase is comment:
// understood counts the phrases that were judged.
func (o Observer) Judge(observation string, r *Result) (understood int, problems []error) {
	add := func(err error) {
		if err != nil {
			problems = append(problems, err)
		}
	}
	if r.Status != 0 {
		add(o.always(r))
	}
	for _, p := range phrases {
		for _, m := range p.form.FindAllStringSubmatch(observation, -1) {
			understood++
			add(p.holds(o, r, m[1:]))
		}
	}
	return understood, problems
}

var (
	uuid     = `[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`
	skeleton = regexp.MustCompile(`^\{"resourceType": "Bundle","type": "searchset","id": "` + uuid + `",("total":\d+,)?"entry": \[` +
		`(\n\{"fullUrl":"[^"]+","resource":\{.*\}\}(,\n\{"fullUrl":"[^"]+","resource":\{.*\}\})*)?` +
		`\],"link": \[ (\{"relation": "next","url": "[^"]+"\}, )?\{"relation": "self","url": "[^"]+"\}\]\}$`)
	outcome = regexp.MustCompile(`^\{"resourceType":"OperationOutcome","issue":\[\{"severity":"error","code":"exception","diagnostics":"([^"\\]|\\.)*"\}\]\}$`)
)

// always is the layout of Bundles and errors (ans-server.md §3.1, §4.1).
func (o Observer) always(r *Result) error {
	switch {
	case bytes.Contains(r.Body, []byte(`"OperationOutcome"`)):
		if !outcome.Match(r.Body) {
			return fmt.Errorf("not the layout of an error (§3.1): %.300s", r.Body)
		}
	case bytes.HasPrefix(r.Body, []byte(`{"resourceType": "Bundle"`)):
		if !skeleton.Match(r.Body) {
			return fmt.Errorf("not the layout of a Bundle (§4.1): %.300s", r.Body)
		}
		for _, e := range r.Bundle().Entry {
			if !strings.HasPrefix(e.FullURL, o.Base+"/") {
				return fmt.Errorf("fullUrl %s is not below %s", e.FullURL, o.Base)
			}
		}
	default:
		return nil
	}
	if got := r.Header.Get("Content-Type"); got != "application/fhir+json;charset=UTF-8" {
		return fmt.Errorf("Content-Type %q", got)
	}
	return nil
}

// phrase is one thing observations say, and whether a result holds it.
type phrase struct {
	form  *regexp.Regexp
	holds func(o Observer, r *Result, words []string) error
}

func say(form string, holds func(o Observer, r *Result, words []string) error) phrase {
	return phrase{regexp.MustCompile(form), holds}
}

var phrases = []phrase{
	// Searches.
	say(`\btotal=(\d+)( on both)?`, func(_ Observer, r *Result, words []string) error {
		for _, page := range pages(r, words[1] != "") {
			if got := page.Bundle().Total; got == nil || strconv.Itoa(*got) != words[0] {
				return fmt.Errorf("total %s, want %s", show(got), words[0])
			}
		}
		return nil
	}),
	say(`\btotal absent|\bno "total" member`, func(_ Observer, r *Result, _ []string) error {
		return unless(r.Bundle().Total == nil, "there is a total: %s", show(r.Bundle().Total))
	}),
	say(`\btotal present`, func(_ Observer, r *Result, _ []string) error {
		return unless(r.Bundle().Total != nil, "there is no total")
	}),
	say(`\bentries=\[([^\]]*)\]`, func(_ Observer, r *Result, words []string) error {
		want, _ := Entries("entries=[" + words[0] + "]")
		return same("entries", r.Bundle().Keys(), want)
	}),
	say(`\(matches (\d+), includes (\d+), revincludes (\d+)\)`, func(_ Observer, r *Result, words []string) error {
		sum := 0
		for _, w := range words {
			n, _ := strconv.Atoi(w)
			sum += n
		}
		return same("number of entries", len(r.Bundle().Entry), sum)
	}),
	say(`\bnext (?:link )?(present|absent)`, func(_ Observer, r *Result, words []string) error {
		return same("next link", map[bool]string{true: "present", false: "absent"}[r.Bundle().Relation("next") != ""], words[0])
	}),
	say(`^(\d+) entries\b`, func(_ Observer, r *Result, words []string) error {
		return same("number of entries", strconv.Itoa(len(r.Bundle().Entry)), words[0])
	}),
	say(`^(\d+) then (\d+) entries`, func(_ Observer, r *Result, words []string) error {
		return same("entries of both pages", []string{strconv.Itoa(len(r.Before.Bundle().Entry)), strconv.Itoa(len(r.Bundle().Entry))}, words)
	}),
	say(`^order: ([\w-]+(?:, [\w-]+)*)`, func(_ Observer, r *Result, words []string) error {
		return same("order", strings.Join(ids(r), ", "), words[0])
	}),
	say(`^match (\S+) \+ (?:include|revinclude) (\S+)`, func(_ Observer, r *Result, words []string) error {
		return same("entries", ids(r), []string{path.Base(words[0]), path.Base(words[1])})
	}),
	say(`page size of the first request is kept|^same page\b`, func(o Observer, r *Result, _ []string) error {
		page, err := o.Get("/_page?id=" + r.Before.Bundle().Token())
		if err != nil {
			return err
		}
		return same("entries", r.Bundle().Keys(), page.Bundle().Keys())
	}),

	// Errors and other bodies.
	say("diagnostics = `([^`]*)`", func(_ Observer, r *Result, words []string) error {
		var got struct {
			Issue []struct{ Severity, Code, Diagnostics string }
		}
		if err := json.Unmarshal(r.Body, &got); err != nil || len(got.Issue) != 1 {
			return fmt.Errorf("not an OperationOutcome of one issue: %.200s", r.Body)
		}
		return same("diagnostics", got.Issue[0].Diagnostics, words[0])
	}),
	say(`exact body: (\{.*\})`, func(o Observer, r *Result, words []string) error {
		want := regexp.QuoteMeta(o.fill(words[0], r))
		want = strings.ReplaceAll(want, regexp.QuoteMeta("<uuid>"), uuid)
		return unless(regexp.MustCompile("^"+want+"$").Match(r.Body), "body %.300s\nwant %s", r.Body, words[0])
	}),
	say(`\bsame bytes as (/\S*?)(?:,|$)`, func(o Observer, r *Result, words []string) error {
		other, err := o.Get(words[0])
		if err != nil {
			return err
		}
		return same("body", string(r.Body), string(other.Body))
	}),
	say(`^as (/[^\s;]+|without trailing slash)`, func(o Observer, r *Result, words []string) error {
		target := words[0]
		if target == "without trailing slash" {
			target = strings.TrimRight(r.Target, "/")
		}
		other, err := o.Get(target)
		if err != nil {
			return err
		}
		if other.Status != r.Status {
			return fmt.Errorf("status %d, that of %s is %d", r.Status, target, other.Status)
		}
		if b := r.Bundle(); len(b.Links) > 0 { // a Bundle has its own id and self
			return same("entries", b.Keys(), other.Bundle().Keys())
		}
		return same("body", string(r.Body), string(other.Body))
	}),
	say(`\bempty body|^empty$`, func(_ Observer, r *Result, _ []string) error {
		return unless(len(r.Body) == 0, "body %.100q", r.Body)
	}),
	say(`^OperationOutcome code (\w+)`, func(_ Observer, r *Result, words []string) error {
		return unless(bytes.Contains(r.Body, []byte(`"code":"`+words[0]+`"`)), "body %.200s", r.Body)
	}),
	say(`^(HAPI-\d+)… text`, func(_ Observer, r *Result, words []string) error {
		return unless(bytes.Contains(r.Body, []byte(`"diagnostics":"`+words[0]+": ")), "body %.200s", r.Body)
	}),
	say(`^Bundle without type`, func(_ Observer, r *Result, _ []string) error {
		if err := same("resourceType", member(r, "resourceType"), "Bundle"); err != nil {
			return err
		}
		return same("type", member(r, "type"), nil)
	}),
	say(`^meta.lastUpdated unchanged|^page 2 shows the old version of \S+`, func(o Observer, r *Result, _ []string) error {
		got := r.Body
		if first := firstResource(r); first != nil {
			got = first
		}
		var resource struct {
			ResourceType, ID string
			Meta             any
		}
		if err := json.Unmarshal(got, &resource); err != nil {
			return err
		}
		var stored struct{ Meta any }
		if err := json.Unmarshal(o.stored(resource.ResourceType+"/"+resource.ID), &stored); err != nil {
			return err
		}
		return same("meta", resource.Meta, stored.Meta)
	}),
	say(`^text: (.*)$`, func(_ Observer, r *Result, words []string) error {
		return same("body", strings.TrimSpace(string(r.Body)), words[0])
	}),
	say(`\bcompact JSON`, func(_ Observer, r *Result, _ []string) error {
		var compact bytes.Buffer
		if err := json.Compact(&compact, r.Body); err != nil {
			return err
		}
		return same("body", string(r.Body), compact.String())
	}),
	say(`^(?:JSON|full resource|unknown parameter ignored)$`, func(o Observer, r *Result, _ []string) error {
		target, _, _ := strings.Cut(r.Target, "?")
		return sameMembers(r.Body, o.stored(strings.Trim(target, "/")))
	}),
	say(`^resource ([A-Z]\w+) ([\w-]+)`, func(_ Observer, r *Result, words []string) error {
		var got struct{ ResourceType, ID string }
		if err := json.Unmarshal(r.Body, &got); err != nil {
			return err
		}
		return same("resource", got.ResourceType+" "+got.ID, words[0]+" "+words[1])
	}),
	say(`printed with ": " and ", "`, func(_ Observer, r *Result, _ []string) error {
		return unless(bytes.Contains(r.Body, []byte(`"resource":{"resourceType": "`)), "body %.300s", r.Body)
	}),
	say(`^printed as (\S+) in search`, func(_ Observer, r *Result, words []string) error {
		return unless(bytes.Contains(r.Body, []byte(words[0])), "no %s in %.300s", words[0], r.Body)
	}),

	// Narrowed resources.
	say(`^(?:resource )?members: (\w+(?:, \w+)*)`, func(_ Observer, r *Result, words []string) error {
		return same("members", strings.Join(members(firstResource(r)), ", "), words[0])
	}),
	say(`^\+ (\w+(?:, \w+)*), in stored order`, func(o Observer, r *Result, words []string) error {
		got := members(firstResource(r))
		for want := range strings.SplitSeq(words[0], ", ") {
			if !slices.Contains(got, want) {
				return fmt.Errorf("members %v, want %s among them", got, want)
			}
		}
		kept := slices.DeleteFunc(members(o.stored(r.Bundle().Keys()[0])), func(m string) bool { return !slices.Contains(got, m) })
		return same("order of members", got, kept)
	}),
	say(`^(\w+): (\[.*\])$`, func(_ Observer, r *Result, words []string) error {
		var resource map[string]any
		if err := json.Unmarshal(firstResource(r), &resource); err != nil {
			return err
		}
		var want any
		if err := json.Unmarshal([]byte(words[1]), &want); err != nil {
			return err
		}
		return unless(reflect.DeepEqual(resource[words[0]], want), "%s is %v", words[0], resource[words[0]])
	}),
	say(`meta\.tag = 1 tag SUBSETTED|subsetted and tagged`, func(_ Observer, r *Result, _ []string) error {
		var resource struct {
			Meta struct{ Tag []struct{ Code string } }
		}
		if err := json.Unmarshal(firstResource(r), &resource); err != nil {
			return err
		}
		return unless(len(resource.Meta.Tag) == 1 && resource.Meta.Tag[0].Code == "SUBSETTED", "tags %v", resource.Meta.Tag)
	}),
	say(`\bno SUBSETTED`, func(_ Observer, r *Result, _ []string) error {
		return unless(!bytes.Contains(r.Body, []byte("SUBSETTED")), "tagged SUBSETTED")
	}),

	// Links and tokens.
	say(`self link ends with "([^"]*)"`, func(_ Observer, r *Result, words []string) error {
		self := r.Bundle().Relation("self")
		return unless(strings.HasSuffix(self, words[0]), "self %s", self)
	}),
	say(`\bself = (<.*?>\S*(?: token>)?)`, func(o Observer, r *Result, words []string) error {
		return same("self", r.Bundle().Relation("self"), o.fill(words[0], r))
	}),
	say(`new Bundle id`, func(_ Observer, r *Result, _ []string) error {
		return unless(r.Bundle().ID != r.Before.Bundle().ID, "the id of the page before")
	}),
	say(`no relation other than next/self`, func(_ Observer, r *Result, _ []string) error {
		for _, l := range r.Bundle().Links {
			if l.Relation != "next" && l.Relation != "self" {
				return fmt.Errorf("relation %s", l.Relation)
			}
		}
		return nil
	}),
	say(`^token starts with (\w), base64url with padding`, func(_ Observer, r *Result, words []string) error {
		token := r.Bundle().Token()
		text := strings.TrimPrefix(token, words[0])
		return unless(text != token && regexp.MustCompile(`^[A-Za-z0-9_-]+=*$`).MatchString(text) && len(text)%4 == 0, "token %s", token)
	}),
	say(`^token is d \+ UUID`, func(_ Observer, r *Result, _ []string) error {
		token := r.Bundle().Token()
		return unless(regexp.MustCompile("^d"+uuid+"$").MatchString(token), "token %s", token)
	}),

	// Headers.
	say(`^Content-Type: (\S+) exactly|^Content-Type still (\S+)`, func(_ Observer, r *Result, words []string) error {
		return same("Content-Type", r.Header.Get("Content-Type"), words[0]+words[1])
	}),
	say(`\bno ((?:no )?[A-Z][A-Za-z]*(?:-[A-Za-z*]+)*(?:, (?:no )?[A-Z][A-Za-z]*(?:-[A-Za-z*]+)*)*)`, func(_ Observer, r *Result, words []string) error {
		for name := range strings.SplitSeq(words[0], ", ") {
			if err := noHeader(r, strings.TrimPrefix(name, "no ")); err != nil {
				return err
			}
		}
		return nil
	}),
	say(`^no CORS header`, func(_ Observer, r *Result, _ []string) error { return noHeader(r, "Access-Control-*") }),
	say(`^not compressed`, func(_ Observer, r *Result, _ []string) error { return noHeader(r, "Content-Encoding") }),
	say(`^Allow: ([^;]*)`, func(_ Observer, r *Result, words []string) error {
		return same("Allow", r.Header.Get("Allow"), words[0])
	}),
	say(`Content-Length present, not chunked`, func(_ Observer, r *Result, _ []string) error {
		return unless(r.Length == int64(len(r.Body)) && !r.Chunked, "Content-Length %d, chunked %v", r.Length, r.Chunked)
	}),
	say(`Transfer-Encoding: chunked, no Content-Length`, func(_ Observer, r *Result, _ []string) error {
		return unless(r.Length < 0 && r.Chunked, "Content-Length %d, chunked %v", r.Length, r.Chunked)
	}),

	// The capability statement.
	say(`^CapabilityStatement`, func(_ Observer, r *Result, _ []string) error {
		return same("resourceType", member(r, "resourceType"), "CapabilityStatement")
	}),
	say(`\bfhirVersion ([\d.]+\d)`, func(_ Observer, r *Result, words []string) error {
		return same("fhirVersion", member(r, "fhirVersion"), words[0])
	}),
	say(`; status (\w+)`, func(_ Observer, r *Result, words []string) error {
		return same("status", member(r, "status"), words[0])
	}),
	say(`\bformat (\[[^\]]*\])`, func(_ Observer, r *Result, words []string) error {
		return unless(bytes.Contains(r.Body, []byte(`"format":`+words[0])), "format %v, want %s", member(r, "format"), words[0])
	}),
	say(`^exactly one rest, without mode`, func(_ Observer, r *Result, _ []string) error {
		rest, _ := member(r, "rest").([]any)
		return unless(len(rest) == 1 && rest[0].(map[string]any)["mode"] == nil, "rest %v", rest)
	}),
	say(`rest\.resource\[\] in configuration order`, func(o Observer, r *Result, _ []string) error {
		var statement struct {
			Rest []struct{ Resource []struct{ Type string } }
		}
		if err := json.Unmarshal(r.Body, &statement); err != nil || len(statement.Rest) == 0 {
			return fmt.Errorf("no rest in %.100s", r.Body)
		}
		var got, want []string
		for _, t := range statement.Rest[0].Resource {
			got = append(got, t.Type)
		}
		for _, t := range o.Set.Table.Types {
			want = append(want, t.Type)
		}
		return same("types", got, want)
	}),
	say(`^no ([a-z]+(?:, [a-z]+)+)$`, func(_ Observer, r *Result, words []string) error {
		for name := range strings.SplitSeq(words[0], ", ") {
			if member(r, name) != nil {
				return fmt.Errorf("there is a member %s", name)
			}
		}
		return nil
	}),
}

// fill puts this run's addresses in a template.
func (o Observer) fill(template string, r *Result) string {
	token := ""
	if r.Before != nil {
		token = r.Before.Bundle().Token()
	}
	host, _, _ := strings.Cut(o.Base, "/fhir")
	return strings.NewReplacer("<base>", o.Base, "<publicUrl>", host, "<same token>", token).Replace(template)
}

// stored is a resource as the set has it.
func (o Observer) stored(key string) []byte {
	for _, r := range o.Set.Resources {
		if r.Type+"/"+r.ID == key {
			return []byte(r.JSON)
		}
	}
	return nil
}

func pages(r *Result, both bool) []*Result {
	if both {
		return []*Result{r.Before, r}
	}
	return []*Result{r}
}

func ids(r *Result) (ids []string) {
	for _, key := range r.Bundle().Keys() {
		ids = append(ids, path.Base(key))
	}
	return ids
}

func firstResource(r *Result) []byte {
	if b := r.Bundle(); len(b.Entry) > 0 {
		return b.Entry[0].Resource
	}
	return nil
}

// members are the names of an object's members, in order.
func members(object []byte) (names []string) {
	dec := json.NewDecoder(bytes.NewReader(object))
	_, _ = dec.Token() // the opening brace; what is no object has no members
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return names
		}
		text, _ := name.(string)
		names = append(names, text)
		var skipped json.RawMessage
		if dec.Decode(&skipped) != nil {
			return names
		}
	}
	return names
}

func sameMembers(got, want []byte) error {
	if want == nil {
		return fmt.Errorf("no such resource in the set")
	}
	return same("members", members(got), members(want))
}

func member(r *Result, name string) any {
	var object map[string]any
	_ = json.Unmarshal(r.Body, &object) // what is no object has no members
	return object[name]
}

// noHeader refuses a header, or with a final * those that start so.
func noHeader(r *Result, name string) error {
	start, isPattern := strings.CutSuffix(name, "*")
	for got := range maps.Keys(r.Header) {
		if got == http.CanonicalHeaderKey(name) || isPattern && strings.HasPrefix(got, start) {
			return fmt.Errorf("there is a header %s", got)
		}
	}
	return nil
}

func same(what string, got, want any) error {
	return unless(reflect.DeepEqual(got, want), "%s %v\n\twant %v", what, got, want)
}

func unless(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}

func show(n *int) string {
	if n == nil {
		return "absent"
	}
	return strconv.Itoa(*n)
}
