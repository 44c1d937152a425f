package contract

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/mockfhir/mockfhir/internal/fhir"
)

// pagingChecks: whatever is asked, following next gives everything once.
func pagingChecks() []Check {
	const (
		source = guide + "advanced/modifying-search-results.md"
		lost   = "A client that follows next believes it has everything; a page lost or repeated is data lost or doubled without an error."
	)
	checks := []Check{
		{
			ID: "paging/links", Title: "next and self stay on the host, scheme and base of the call", Level: Required,
			Source: issues + "393", Why: "An internal address in next cannot be followed from outside, and may take the key elsewhere.",
			Run: checkLinks,
		},
		{
			ID: "paging/next-followable", Title: "A next link is opaque: it works as it is, re-encoded, again and with parameters added", Level: Observed,
			Source: server + "fhir-mongodb-storage", Why: "HTTP libraries re-encode addresses, and crawlers ask again after a failure.",
			Run: checkToken,
		},
	}
	for _, typ := range types {
		checks = append(checks, Check{
			ID: "paging/" + typ, Title: "All of " + typ + " page by page: no loss, no duplicate, an end", Level: Required,
			Source: source, Why: lost,
			Run: func(ctx context.Context, p *Probe) error { return checkWholeType(ctx, p, typ) },
		})
	}
	for _, s := range shapes {
		checks = append(checks, Check{
			ID: "paging/by-" + s.name, Title: "A search by " + s.name + " can be followed to its end", Level: Required,
			Source: issues + "59", Why: lost,
			Run: func(ctx context.Context, p *Probe) error { return checkShape(ctx, p, s) },
		})
	}
	return checks
}

// nextPath is a next link as the path of a request. A link that leads to
// another host is followed at the target all the same, so that the key stays
// there and one finding does not become ten.
func (p *Probe) nextPath(next string) string {
	if rest, ok := strings.CutPrefix(next, p.client.base.String()+"/"); ok {
		return rest
	}
	if query, ok := strings.CutPrefix(next, p.client.base.String()+"?"); ok { // version 1's pages
		return "?" + query
	}
	u, err := url.Parse(next)
	if err != nil {
		return "_page"
	}
	segments := strings.Split(u.Path, "/")
	return segments[len(segments)-1] + "?" + u.RawQuery
}

// walk follows next from a first answer, at most limit pages, and returns all
// pages. A page that is no Bundle ends it, reported.
func (p *Probe) walk(ctx context.Context, first *Answer, limit int) ([]*Answer, error) {
	pages := []*Answer{first}
	seen := map[string]bool{}
	for len(pages) < limit {
		last := pages[len(pages)-1]
		next := last.Link("next")
		if next == "" {
			break
		}
		if seen[next] {
			p.Drift(Finding{Reason: Link, Path: "Bundle.link(next)", Was: "another page", Now: "a page already seen",
				Message: "Following next comes back to a page already seen."}, last)
			break
		}
		seen[next] = true
		page, err := p.Do(ctx, Request{Path: p.nextPath(next)})
		if err != nil {
			return pages, err
		}
		p.Saw()
		if !page.IsBundle() {
			p.Drift(Finding{Reason: Link, Path: "_page", Was: "200 Bundle", Now: page.summary(),
				Message: fmt.Sprintf("Page %d of %s answers %s.", len(pages)+1, publicPath(first.Request.Path), page.summary())}, first)
			break
		}
		pages = append(pages, page)
	}
	return pages, nil
}

// checkPages judges the pages of one search. want is the set of ids that must
// come out, nil when it is not known; whole says that the last page is there.
func (p *Probe) checkPages(typ string, pages []*Answer, want map[string]bool, whole bool) {
	first := pages[0]
	where := publicPath(first.Request.Path)
	seen := map[string]bool{}
	total, counted := first.Total()
	for i, page := range pages {
		matches := page.Matches(typ)
		if len(matches) == 0 && len(pages) > 1 {
			p.Drift(Finding{Reason: Link, Path: "Bundle.entry", Was: "the rest of the matches", Now: "an empty page",
				Message: fmt.Sprintf("Page %d of %s is empty.", i+1, where)}, first)
		}
		for _, e := range matches {
			if seen[e.ID()] {
				p.Drift(Finding{Reason: Link, Path: "Bundle.entry.resource.id", Was: "once", Now: "twice",
					Message: fmt.Sprintf("A resource comes twice in the pages of %s.", where)}, first)
			}
			seen[e.ID()] = true
			if want != nil && !want[e.ID()] {
				p.Drift(Finding{Reason: Search, Path: "Bundle.entry", Was: "matches only", Now: "others",
					Message: fmt.Sprintf("The pages of %s hold resources that were not asked for.", where)}, first)
			}
		}
		if n, ok := page.Total(); ok != counted || n != total {
			p.Drift(Finding{Reason: Search, Path: "Bundle.total", Was: "the same on every page", Now: "another on page " + itoa(i+1),
				Message: fmt.Sprintf("The pages of %s do not agree on the total.", where)}, first)
		}
	}
	if !whole {
		return
	}
	if last := pages[len(pages)-1]; last.Link("next") != "" {
		p.Drift(Finding{Reason: Link, Path: "Bundle.link(next)", Was: "absent on the last page", Now: "present",
			Message: fmt.Sprintf("Following next from %s does not end.", where)}, first)
	}
	if want != nil && len(seen) < len(want) {
		p.Drift(Finding{Reason: Link, Path: "Bundle.entry", Was: plural(len(want), "match"), Now: itoa(len(seen)),
			Message: fmt.Sprintf("The pages of %s do not hold all that was asked for.", where)}, first)
	}
	if counted && total != len(seen) {
		p.Drift(Finding{Reason: Search, Path: "Bundle.total", Was: "the sum of the pages", Now: "another number",
			Message: fmt.Sprintf("The pages of %s hold another number of resources than the total says.", where)}, first)
	}
}

const (
	// pagesOfType and maxPage bound what a whole type costs: a directory of
	// up to 600 is read to its end, of a larger one the first pages are.
	pagesOfType = 3
	maxPage     = 200 // entries; ANS advises no more (issue #372)
)

func checkWholeType(ctx context.Context, p *Probe, typ string) error {
	total, ok, err := p.total(ctx, typ, "")
	if err != nil || !ok {
		return err
	}
	size := min(max((total+pagesOfType-1)/pagesOfType, 1), maxPage)
	if total > size*pagesOfType {
		size = 20
	}
	first, err := p.Search(ctx, typ+"?"+query("_count", itoa(size), "_total", "accurate"))
	if err != nil || first == nil {
		return err
	}
	pages, err := p.walk(ctx, first, pagesOfType)
	if err != nil {
		return err
	}
	p.checkPages(typ, pages, nil, total <= size*pagesOfType)
	return nil
}

// shape is a form of search: those whose later pages have failed on their own
// while page one was right.
type shape struct {
	name, typ    string
	param, value string // the criterion; without a value, the references of the seeds
	rest         string // result parameters
	bare         bool   // references as ids without their type
	post         bool
}

var shapes = []shape{
	{name: "ids", typ: "Practitioner"},
	{name: "string", typ: "Practitioner", param: "name:contains", value: "a"},
	{name: "token", typ: "Organization", param: "active", value: "true"},
	{name: "reference", typ: "PractitionerRole", param: "organization"},
	{name: "bare-reference", typ: "HealthcareService", param: "organization", bare: true},
	{name: "date", typ: "Organization", param: "_lastUpdated", value: "ge2000"},
	{name: "include", typ: "PractitionerRole", rest: "_include=PractitionerRole:organization"},
	{name: "revinclude", typ: "Organization", rest: "_revinclude=PractitionerRole:organization"},
	{name: "elements", typ: "Organization", rest: "_elements=name"},
	{name: "post", typ: "Device", post: true},
}

// criterion returns the value of the criterion: a fixed one, or all the references
// of the seeds.
func (s *shape) criterion(p *Probe, seeds []Entry) string {
	if s.value != "" || s.param == "" {
		return s.value
	}
	var refs []string
	for _, e := range seeds {
		for _, ref := range referencesOf(p.table.Type(s.typ).Param(s.param), e.Resource) {
			if s.bare {
				_, ref, _ = strings.Cut(ref, "/")
			}
			refs = append(refs, ref)
		}
	}
	slices.Sort(refs)
	return strings.Join(slices.Compact(refs), ",")
}

// Shapes are asked within the ids of the first page, so that each has an end
// on a directory of any size.
const (
	shapeSize  = 12 // resources asked about
	shapePages = 2
)

// checkShape asks for everything in one page, then for the same in two.
func checkShape(ctx context.Context, p *Probe, s shape) error {
	seeds, err := p.seed(ctx, s.typ)
	if err != nil {
		return err
	}
	seeds = seeds[:min(len(seeds), shapeSize)]
	criteria := query("_id", strings.Join(ids(seeds), ","))
	if s.param != "" {
		criteria += "&" + query(s.param, s.criterion(p, seeds))
	}
	wanted := criteria
	if s.rest != "" {
		wanted += "&" + s.rest
	}
	whole, err := p.Search(ctx, s.typ+"?"+wanted)
	if err != nil || whole == nil {
		return err
	}
	matches := whole.Matches(s.typ)
	if len(matches) < 2 {
		p.saw = 0 // one page says nothing about paging
		return nil
	}
	form := query("_count", itoa((len(matches)+shapePages-1)/shapePages), "_total", "accurate") + "&" + criteria
	if s.rest != "" {
		form = s.rest + "&" + form
	}
	r := Request{Path: s.typ + "?" + form}
	if s.post {
		r = Request{Method: http.MethodPost, Path: s.typ + "/_search", Form: form}
	}
	first, err := p.search(ctx, r)
	if err != nil || first == nil {
		return err
	}
	pages, err := p.walk(ctx, first, len(matches)+1)
	if err != nil {
		return err
	}
	p.checkPages(s.typ, pages, idSet(matches), true)
	p.checkIncludes(s, whole, pages)
	return nil
}

// checkIncludes looks for what includes bring on each page: all that refers to
// its matches, or that they refer to, of what the answer in one page holds.
func (p *Probe) checkIncludes(s shape, whole *Answer, pages []*Answer) {
	for _, page := range pages {
		there := map[string]bool{}
		for _, e := range page.Entries() {
			there[e.Ref()] = true
		}
		for _, include := range whole.Entries() {
			if include.Type() == s.typ || there[include.Ref()] {
				continue
			}
			if slices.ContainsFunc(page.Matches(s.typ), func(e Entry) bool { return refersTo(e, include) || refersTo(include, e) }) {
				p.Drift(Finding{Reason: Search, Path: "Bundle.entry", Was: "included resources on each page", Now: "left out",
					Message: fmt.Sprintf("The pages of %s lack resources that %s brings.", s.typ, s.rest)}, page)
			}
		}
	}
}

// refersTo reports whether one resource has a reference to another.
func refersTo(from, to Entry) bool {
	found := false
	visit(from.Resource, "", func(path string, n *fhir.Node) {
		found = found || strings.HasSuffix(path, ".reference") && n.Str() == to.Ref()
	})
	return found
}

// checkLinks reads the links of first pages and of a second one.
func checkLinks(ctx context.Context, p *Probe) error {
	for _, typ := range types {
		a, err := p.Search(ctx, typ+"?_count=1")
		if err != nil {
			return err
		}
		if a == nil {
			continue
		}
		p.checkLink(a, "self", typ+"?_count=1")
		next := a.Link("next")
		if next == "" {
			continue
		}
		p.checkLink(a, "next", "")
		second, err := p.Search(ctx, p.nextPath(next))
		if err != nil {
			return err
		}
		if second != nil && second.Link("next") != "" {
			p.checkLink(second, "next", "")
		}
	}
	return nil
}

// checkLink judges one link: its place and, for self, what it repeats.
func (p *Probe) checkLink(a *Answer, relation, asked string) {
	path := "Bundle.link(" + relation + ").url"
	link, err := url.Parse(a.Link(relation))
	if err != nil || link.Host == "" {
		p.Drift(Finding{Reason: Link, Path: path, Was: "an absolute URL", Now: "none",
			Message: "The link " + relation + " is missing or not an absolute URL."}, a)
		return
	}
	base := p.client.base
	if !sameOrigin(link, base) {
		p.Drift(Finding{Reason: Link, Path: path, Was: base.Scheme + "://" + base.Host, Now: safe(link.Scheme + "://" + link.Host),
			Message: "The link " + relation + " leads to another host, scheme or port than the call."}, a)
		return
	}
	want := "_page"
	if relation == "self" {
		want, _, _ = strings.Cut(asked, "?")
	}
	if !p.isAt(link, want) {
		p.Drift(Finding{Reason: Link, Path: path, Was: base.Path + "/" + want, Now: safe(link.Path),
			Message: "The link " + relation + " leaves the base path of the call."}, a)
		return
	}
	if _, q, _ := strings.Cut(asked, "?"); relation == "self" && !sameQuery(link.RawQuery, q) {
		p.Drift(Finding{Reason: Link, Path: path, Was: "the query of the call", Now: "another query",
			Message: "The link self does not repeat the query it answers."}, a)
	}
}

// isAt reports whether a link leads to a path below the base. A base without a
// version is answered by version 2, whose links say so (ans-api.md §1.1).
func (p *Probe) isAt(link *url.URL, path string) bool {
	base := p.client.base
	return link.Path == base.Path+"/"+path || !namesVersion(base) && link.Path == base.Path+"/v2/"+path
}

var version = regexp.MustCompile(`/v[0-9]+$`)

func namesVersion(base *url.URL) bool { return version.MatchString(base.Path) }

func sameOrigin(a, b *url.URL) bool {
	return strings.EqualFold(a.Scheme, b.Scheme) && strings.EqualFold(hostPort(a), hostPort(b))
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[strings.ToLower(u.Scheme)]
	}
	return u.Hostname() + ":" + port
}

// sameQuery compares what queries say, not how they are written: order and
// percent-encoding are the gateway's affair.
func sameQuery(a, b string) bool {
	x, errX := url.ParseQuery(a)
	y, errY := url.ParseQuery(b)
	return errX == nil && errY == nil && x.Encode() == y.Encode()
}

// checkToken follows one link in the ways libraries write it.
func checkToken(ctx context.Context, p *Probe) error {
	first, err := p.Search(ctx, "Organization?_count=2")
	if err != nil || first == nil || first.Link("next") == "" {
		return err
	}
	next := p.nextPath(first.Link("next"))
	page, token, _ := strings.Cut(next, "?id=")
	plain, err := p.Search(ctx, next)
	if err != nil || plain == nil {
		return err
	}
	want := ids(plain.Matches("Organization"))
	for _, form := range []struct{ name, path string }{
		{"again", next},
		{"with its token percent-encoded", page + "?id=" + percentEncoded(token)},
		{"with a parameter added", next + "&_count=1"},
	} {
		a, err := p.search(ctx, Request{Path: form.path, Fresh: true})
		if err != nil {
			return err
		}
		if a != nil && !slices.Equal(ids(a.Matches("Organization")), want) {
			p.Drift(Finding{Reason: Link, Path: "_page", Was: "the same page", Now: "another",
				Message: "A next link followed " + form.name + " gives another page."}, first)
		}
	}
	return nil
}

// percentEncoded writes the first character of a token, and its padding, in the
// way a zealous library does.
func percentEncoded(token string) string {
	if token == "" || token[0] == '%' {
		return token
	}
	return fmt.Sprintf("%%%02X", token[0]) + strings.ReplaceAll(token[1:], "=", "%3D")
}
