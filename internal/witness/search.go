package witness

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mockfhir/mockfhir/fixtures"
)

// Search is what a search must answer, all pages of it.
type Search struct {
	Total   int // -1 when the Bundle must not have one
	Matches []string
	// BadNext says why later pages are not to be followed: what the public
	// source does with them is a defect or unsettled (ans-server.md §6.5).
	BadNext string
	// Truncated: the body of the first page ends after its entries (§2.6).
	Truncated bool

	w          *Witness
	typ        string
	criteria   []criterion
	total      string
	count      int // of matches on a page
	elements   []string
	includes   []include // of both directions, in the order they were asked
	prefixless bool      // a date without a prefix is among the criteria
	matches    []*resource
}

type include struct {
	reverse    bool
	typ, param string
}

// Entry is one entry of a page: the resource's key, and its body as the page
// must show it.
type Entry struct {
	Key  string
	Body map[string]any
}

// Pages is how many pages the search has, at least one.
func (s *Search) Pages() int {
	if s.count <= 0 {
		return 1
	}
	return max(1, (len(s.matches)+s.count-1)/s.count)
}

// flushed is the number of matches after which the server writes the reverse
// includes it has gathered, in the middle of a page (§4.3).
const flushed = 1000

// Page lists the entries of page n, from 0: matches, then includes, then
// reverse includes (§4.3).
func (s *Search) Page(n int) (entries []Entry) {
	if s.count <= 0 {
		return nil
	}
	matches := s.matches[min(n*s.count, len(s.matches)):min((n+1)*s.count, len(s.matches))]
	add := func(found []*resource, body func(map[string]any) map[string]any) {
		for _, r := range found {
			entries = append(entries, Entry{r.key(), s.w.printed(body(r.body))})
		}
	}
	whole := func(body map[string]any) map[string]any { return body }
	rest := matches
	for s.reverses() && len(rest) >= flushed {
		add(rest[:flushed], s.narrow)
		add(s.revIncluded(rest[:flushed]), whole)
		rest = rest[flushed:]
	}
	add(rest, s.narrow)
	add(s.included(matches), whole)
	add(s.revIncluded(rest), whole)
	return entries
}

func (s *Search) reverses() bool {
	return slices.ContainsFunc(s.includes, func(i include) bool { return i.reverse })
}

// printed is a body as searches print it: the source has the number of an
// updated resource's version where production has text (§4.2, §13).
func (w *Witness) printed(body map[string]any) map[string]any {
	meta, _ := body["meta"].(map[string]any)
	version, _ := meta["versionId"].(string)
	n, ok := parseCount(version)
	if w.profile != Source || !ok || n < 2 {
		return body
	}
	meta = maps.Clone(meta)
	meta["versionId"] = float64(n)
	body = maps.Clone(body)
	body["meta"] = meta
	return body
}

// includeOrder is the order of the types among the includes (§4.3).
var includeOrder = []string{"Practitioner", "Organization", "Device", "HealthcareService", "PractitionerRole"}

func (s *Search) included(matches []*resource) (found []*resource) {
	seen := map[string]bool{}
	for _, match := range matches {
		for _, inc := range s.includes {
			if inc.reverse {
				continue
			}
			for _, v := range match.values[inc.param] {
				if r := s.w.byKey[v.text]; r != nil && s.w.isReference(inc) && !seen[v.text] {
					seen[v.text] = true
					found = append(found, r)
				}
			}
		}
	}
	slices.SortStableFunc(found, func(a, b *resource) int {
		return cmp.Or(cmp.Compare(slices.Index(includeOrder, a.typ), slices.Index(includeOrder, b.typ)), cmp.Compare(a.id, b.id))
	})
	return found
}

func (s *Search) revIncluded(matches []*resource) (found []*resource) {
	keys := map[string]bool{}
	for _, match := range matches {
		keys[match.key()] = true
	}
	for _, inc := range s.includes {
		if !inc.reverse || !s.w.isReference(inc) {
			continue
		}
		for _, r := range s.w.byType[inc.typ] {
			if slices.ContainsFunc(r.values[inc.param], func(v value) bool { return keys[v.text] }) {
				found = append(found, r)
			}
		}
	}
	return found
}

func (w *Witness) isReference(inc include) bool {
	return w.paramOf(inc.typ, inc.param).Kind == fixtures.Reference
}

// search parses and evaluates: parameters left to right, the first error
// wins, the type last (§2.1).
func (w *Witness) search(typ, query string) Answer {
	pieces, ok := tokenize(query)
	if !ok {
		return refuse(badSearch, unknownError)
	}
	s := &Search{w: w, typ: typ, count: 50}
	for _, p := range pieces {
		if why := s.unsettled(p); why != "" {
			return unspecified(why)
		}
		if problem := s.add(p); problem != "" {
			return refuse(badSearch, problem)
		}
	}
	if w.typeOf(typ) == nil {
		return refuse(badSearch, unknownType)
	}
	if why := s.oddElements(); why != "" {
		return unspecified(why)
	}
	s.run()
	return Answer{Status: 200, Search: s}
}

// unsettled says why the specification leaves open what a parameter does.
func (s *Search) unsettled(p piece) string {
	switch p.name {
	case "_total":
		if len(p.values) > 1 {
			return "a list of totals"
		}
	case "_include":
		if s.w.typeOf(s.typ) == nil && slices.Contains(p.values, "*") {
			return "all the references of an unknown type"
		}
	default:
		if param := s.w.paramOf(s.typ, p.name); param != nil && param.Kind == fixtures.Date && strings.Contains(strings.Join(p.values, ","), "%") {
			return "%now and %today read the clock"
		}
	}
	return ""
}

// add takes one parameter in, or returns the diagnostics of its refusal. The
// special ones ignore an empty value, and the last of several wins (§2.9–2.11).
func (s *Search) add(p piece) (problem string) {
	switch p.name {
	case "_pretty", "_format":
		return ""
	case "_include", "_revinclude":
		return s.addIncludes(p)
	case "_count", "_total", "_elements":
		if len(p.values) == 0 {
			return ""
		}
	default:
		return s.addCriterion(p)
	}
	switch first := p.values[0]; p.name {
	case "_count":
		var ok bool
		if s.count, ok = parseCount(first); !ok {
			return badCount
		}
	case "_total":
		if s.total = first; first != "accurate" && first != "estimate" && first != "none" {
			return badTotal
		}
	case "_elements":
		s.elements = p.values
	}
	return ""
}

func (s *Search) run() {
	if s.elements != nil {
		s.elements = slices.Concat(s.elements, s.compulsory())
	}
	for _, r := range s.w.byType[s.typ] {
		if !slices.ContainsFunc(s.criteria, func(c criterion) bool { return !c.holds(r) }) {
			s.matches = append(s.matches, r)
			s.Matches = append(s.Matches, r.key())
		}
	}
	s.Total = len(s.matches)
	if s.total == "none" {
		s.Total = -1
	}
	s.Truncated = s.prefixless && s.Pages() > 1
}

// compulsory are the elements that are never narrowed away.
func (s *Search) compulsory() (names []string) {
	for _, p := range s.w.typeOf(s.typ).Params {
		if p.Compulsory {
			names = append(names, p.Name)
		}
	}
	return names
}

// badSearch is the status of a search that cannot be processed.
const badSearch = 500

func (s *Search) addCriterion(p piece) (problem string) {
	param := s.w.paramOf(s.typ, p.name)
	if param == nil {
		return notFound(p.name, s.typ)
	}
	if param.Kind == fixtures.URI && s.w.profile == Source {
		return badSearchType
	}
	var c criterion
	for _, item := range p.values {
		t, problem := s.test(param, p.modifier, item)
		if problem != "" {
			return problem
		}
		c = append(c, t)
	}
	s.criteria = append(s.criteria, c)
	if breaksNext(p) {
		s.BadNext = "ans-server.md §6.5: " + p.name
	}
	return ""
}

// test is one item of a parameter's list.
func (s *Search) test(param *fixtures.Param, modifier, item string) (t test, problem string) {
	if param.Kind == fixtures.Date {
		d, problem := parseDate(item, s.w.zone)
		s.prefixless = s.prefixless || d.prefix == ""
		return dateTest(d, s.w.zone), problem
	}
	if !validValue(item) {
		return nil, badValue
	}
	switch param.Kind {
	case fixtures.String:
		return stringTest(param.Name, modifier, item), ""
	case fixtures.Token:
		return tokenTest(param.Name, modifier, item), ""
	case fixtures.URI:
		return uriTest(param.Name, item), ""
	}
	if t = referenceTest(param.Name, item); t == nil {
		return nil, unknownError
	}
	return t, ""
}

func notFound(name, typ string) string {
	return fmt.Sprintf("Parameter %s not found for resource %s", name, typ)
}

// breaksNext lists the values that the source's own page tokens do not
// survive (§6.5).
func breaksNext(p piece) bool {
	return len(p.values) == 0 || slices.ContainsFunc(p.values, func(item string) bool {
		noCode := strings.HasSuffix(trim(item), "|") && p.modifier == "not"
		return strings.ContainsAny(item, "%+$") || trim(strings.Trim(item, "|")) == "" || noCode
	})
}

// addIncludes checks `T:param` (§2.12). Java's split drops trailing empty
// parts: that of ":" is nothing at all, and indexing it fails.
func (s *Search) addIncludes(p piece) string {
	w, typ := s.w, s.typ
	reverse := p.name == "_revinclude"
	for _, item := range p.values {
		if item == "*" && !reverse {
			if t := w.typeOf(typ); t != nil {
				for _, param := range t.Params {
					if param.Kind == fixtures.Reference {
						s.includes = append(s.includes, include{typ: typ, param: param.Name})
					}
				}
			}
			continue
		}
		parts := strings.Split(strings.TrimRight(item, ":"), ":")
		if strings.Trim(item, ":") == "" {
			return unknownError
		}
		if len(parts) != 2 || !reverse && parts[0] != typ || w.paramOf(parts[0], parts[1]) == nil {
			return notFound(item, typ)
		}
		if !isInclude(parts[0], parts[1]) {
			return badInclude
		}
		s.includes = append(s.includes, include{reverse, parts[0], w.paramOf(parts[0], parts[1]).Name})
	}
	return ""
}

// oddElements says why the effect of an `_elements` list is not settled: paths
// that collide, and names MongoDB has its own ideas about (§2.11).
func (s *Search) oddElements() string {
	if s.elements == nil {
		return ""
	}
	all := slices.Concat([]string{"resourceType", "id", "meta"}, s.elements, s.compulsory())
	for _, a := range all {
		if strings.HasPrefix(a, ".") || strings.HasSuffix(a, ".") || strings.Contains(a, "..") || strings.ContainsAny(a, "$*") {
			return "no name of an element: " + a
		}
		for _, b := range all {
			if strings.HasPrefix(b, a+".") {
				return "colliding elements"
			}
		}
	}
	return ""
}

// narrow keeps the elements asked for, as an inclusion projection of MongoDB
// does, and says so in meta.tag (§2.11).
func (s *Search) narrow(body map[string]any) map[string]any {
	if s.elements == nil {
		return body
	}
	kept := project(body, append([]string{"resourceType", "id", "meta"}, s.elements...))
	if meta, ok := kept["meta"].(map[string]any); ok {
		meta = maps.Clone(meta)
		meta["tag"] = []any{map[string]any{
			"system":  "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
			"code":    "SUBSETTED",
			"display": "Resource encoded in summary mode",
		}}
		kept["meta"] = meta
	}
	return kept
}

func project(body map[string]any, paths []string) map[string]any {
	kept := map[string]any{}
	for name, v := range body {
		var below []string
		for _, path := range paths {
			if path == name {
				kept[name] = v
			}
			if rest, ok := strings.CutPrefix(path, name+"."); ok {
				below = append(below, rest)
			}
		}
		if below != nil {
			if v := projectValue(v, below); v != nil {
				kept[name] = v
			}
		}
	}
	return kept
}

// projectValue goes below a value: a scalar there is left out.
func projectValue(v any, paths []string) any {
	switch v := v.(type) {
	case map[string]any:
		return project(v, paths)
	case []any:
		kept := []any{}
		for _, item := range v {
			if item := projectValue(item, paths); item != nil {
				kept = append(kept, item)
			}
		}
		return kept
	}
	return nil
}
