package cases

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/shared"
	"github.com/mockfhir/mockfhir/internal/store"
	"github.com/mockfhir/mockfhir/internal/v1"
	"github.com/mockfhir/mockfhir/internal/witness"
	"github.com/mockfhir/mockfhir/internal/xmlwitness"
	"github.com/mockfhir/mockfhir/mockserver"
)

// TestDocumentedRequestsOfVersionOne sends every v1 request that ANS's guide
// and samples print, in JSON and in XML. The witness says what a search must
// find: it reads version 1's directory, and shares no code with the searches.
func TestDocumentedRequestsOfVersionOne(t *testing.T) {
	t.Parallel()
	rows, err := Read(shared.Path(t, "cases", "documented-requests.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	set := withProbes(t)
	view := &fixtures.Set{Table: v1.Table(), Resources: v1.View(store.New(set, store.Options{}).Current())}
	w, err := witness.New(view, witness.Production, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewServer(mockserver.New(set, mockserver.WithKeys(key), mockserver.WithRate("0"), mockserver.WithDefaultVersion("v1")))
	t.Cleanup(ts.Close)
	s := start(t, set, mockserver.Production)
	s.host = ts.URL
	var n tally
	for _, row := range rows {
		if row.Col("version") != "v1" {
			continue
		}
		at := *s
		at.base = row.Col("base")
		r := v1Row{Row: row, server: &at, witness: w, view: view}
		if problems := r.run(); len(problems) > 0 {
			n.failed++
			t.Errorf("%s %s %.200s:\n\t%v\n\tthe guide: %s", row.ID, row.Col("method"), row.Col("request"), errors.Join(problems...), row.Col("expected"))
			continue
		}
		n.passed++
	}
	n.log(t, "documented-requests, v1")
}

// v1Row is one documented request on its way.
type v1Row struct {
	Row
	server  *server
	witness *witness.Witness
	view    *fixtures.Set
}

func (r *v1Row) run() []error {
	expected, target := r.Col("expected"), r.target()
	switch {
	case strings.Contains(expected, "without key"):
		return one(r.keyless(target))
	case strings.Contains(expected, "out of scope"):
		return one(r.status(Request{Method: r.Col("method"), Target: "/", Body: "{}"}, http.StatusMethodNotAllowed))
	case strings.Contains(expected, "next slice"):
		return one(r.nextSlice(target))
	case strings.Contains(expected, "unknown-parameter error"):
		return one(r.refused(target, http.StatusBadRequest, "HAPI-0524: Unknown search parameter"))
	case strings.Contains(expected, "unknown path: error"):
		return one(r.refused(target, http.StatusNotFound, "HAPI-0302: Unknown resource type 'Organizationt'"))
	case strings.Contains(expected, "include error"):
		return one(r.refused(target, http.StatusBadRequest, "HAPI-0442: Invalid _include parameter"))
	case strings.Contains(expected, "malformed percent escape"):
		return one(r.refused(target, http.StatusInternalServerError, "URLDecoder: Illegal hex characters"))
	}
	return r.both(ParseRequest(r.Col("method"), target, ""))
}

func one(err error) []error {
	if err == nil {
		return nil
	}
	return []error{err}
}

// target fills in what the row leaves open: somebody of the directory.
func (r *v1Row) target() string {
	target := strings.ReplaceAll(r.Col("request"), " EURL", "%20EURL")
	for _, resource := range r.view.Resources {
		_, number, found := strings.Cut(resource.JSON, `"http://rpps.fr","value":"`)
		if resource.Type == "Practitioner" && found {
			return strings.NewReplacer("<rpps>", number[:strings.IndexByte(number, '"')], "<practitioner id>", resource.ID).Replace(target)
		}
	}
	return target
}

// keyless asks without a key.
func (r *v1Row) keyless(target string) error {
	resp, err := http.Get(r.server.host + r.server.base + target)
	if err != nil {
		return err
	}
	resp.Body.Close()
	return same("status", resp.StatusCode, 200)
}

func (r *v1Row) status(request Request, want int) error {
	result, err := r.server.run(request, http.Header{})
	if err != nil {
		return err
	}
	return same("status", result.Status, want)
}

// nextSlice follows the link of a search that the row could be the next page
// of: its address has the same parameters in the same order.
func (r *v1Row) nextSlice(template string) error {
	before := "/PractitionerRole?_count=10"
	if strings.Contains(template, "_pretty") {
		before = "/Practitioner?_format=json&_pretty=true"
	}
	first, err := r.server.get(before)
	if err != nil {
		return err
	}
	next := strings.TrimPrefix(first.Bundle().Relation("next"), r.server.host+r.server.base)
	if err := same("parameters", parameters(next), parameters(template)); err != nil {
		return err
	}
	second, err := r.server.get(next)
	if err != nil {
		return err
	}
	if len(second.Bundle().Entry) == 0 || slices.Equal(second.Bundle().Keys(), first.Bundle().Keys()) {
		return fmt.Errorf("the next slice is %v", second.Bundle().Keys())
	}
	return same("status", second.Status, 200)
}

var parameterName = regexp.MustCompile(`[?&](\w+)=`)

func parameters(target string) (names []string) {
	for _, m := range parameterName.FindAllStringSubmatch(target, -1) {
		names = append(names, m[1])
	}
	return names
}

// refused expects an OperationOutcome.
func (r *v1Row) refused(target string, status int, text string) error {
	result, err := r.server.get(target)
	if err != nil {
		return err
	}
	v, err := xmlwitness.FromJSON(result.Body)
	if err != nil {
		return err
	}
	got := v["OperationOutcome.issue[0].diagnostics[0]"]
	return unless(result.Status == status && strings.HasPrefix(got, text), "%d %s, want %d %s", result.Status, got, status, text)
}

// both sends a request for JSON and for XML, and holds one against the other
// and both against the guide and the witness.
func (r *v1Row) both(request Request) (problems []error) {
	if request.Method == "GET" && len(request.Target) > maxLine {
		if err := r.status(request, http.StatusRequestURITooLong); err != nil {
			return one(err)
		}
		path, query, _ := strings.Cut(request.Target, "?")
		request = Request{Method: "POST", Target: path + "/_search", Body: query} // as the guide advises
	}
	request.Form = request.Method == "POST"
	json, err := r.server.run(request, http.Header{})
	if err != nil {
		return one(err)
	}
	expected := r.Col("expected")
	switch {
	case strings.Contains(expected, "CapabilityStatement"):
		problems = r.capability(json)
	case strings.Contains(expected, "single"):
		problems = one(unless(json.Status == 200 && strings.Contains(string(json.Body), `"id":"`+request.Target[strings.LastIndexByte(request.Target, '/')+1:]), "%d %.200s", json.Status, json.Body))
	default:
		problems = r.search(request, json)
	}
	request.Target = strings.Replace(request.Target, "_format=json", "_format=xml", 1)
	xml, err := r.server.run(request, http.Header{"Accept": {"application/fhir+xml"}})
	if err != nil {
		return append(problems, err)
	}
	return append(problems, inBoth(json, xml)...)
}

func (r *v1Row) capability(result *Result) []error {
	v, err := xmlwitness.FromJSON(result.Body)
	if err != nil {
		return one(err)
	}
	return one(unless(result.Status == 200 && v["resourceType"] == "CapabilityStatement" && v["CapabilityStatement.fhirVersion[0]"] == "4.0.1", "%d %.200s", result.Status, result.Body))
}

// search holds a Bundle against what the witness finds. Its matches come in
// load order; of what comes with them only the presence is promised.
func (r *v1Row) search(request Request, result *Result) (problems []error) {
	b := result.Bundle()
	if result.Status != 200 || result.Header.Get("Content-Type") != "application/fhir+json;charset=UTF-8" {
		return []error{fmt.Errorf("%d %s %.300s", result.Status, result.Header.Get("Content-Type"), result.Body)}
	}
	asked := witness.Request{Method: request.Method, Target: expand(request.Target, r.view.Table), Form: expand(request.Body, r.view.Table)}
	answer := r.witness.Answer(asked)
	if answer.Search == nil {
		return []error{fmt.Errorf("the witness does not understand %v: %s %s", asked, answer.Unspecified, answer.Diagnostics)}
	}
	var matches, more []string
	for _, e := range answer.Search.Page(0) {
		if len(matches) < min(len(answer.Search.Matches), pageSize(request)) {
			matches = append(matches, e.Key)
		} else {
			more = append(more, e.Key)
		}
	}
	got := b.Keys()
	at := min(len(matches), len(got))
	problems = append(problems, same("matches", strings.Join(got[:at], " "), strings.Join(matches, " ")))
	problems = append(problems, same("what comes with them", sorted(got[at:]), sorted(more)))
	if b.Total != nil {
		problems = append(problems, same("total", *b.Total, len(answer.Search.Matches)))
	}
	problems = append(problems, unless((b.Total == nil) == strings.Contains(request.Target, "_total=none"), "total %s", show(b.Total)))
	for _, e := range b.Entry {
		problems = append(problems, unless(strings.HasPrefix(e.FullURL, r.server.host+"/fhir/v1/"), "fullUrl %s", e.FullURL))
	}
	problems = append(problems, r.promised(b, answer.Search)...)
	return slices.DeleteFunc(problems, func(err error) bool { return err == nil })
}

// promised is what the guide says, but for a reverse include that can bring
// nothing, as the row itself notes.
func (r *v1Row) promised(b Bundle, search *witness.Search) []error {
	expected := r.Col("expected")
	if strings.Contains(r.Col("notes"), "so no extra entry can appear") {
		expected, _, _ = strings.Cut(expected, ";")
	}
	return promises(expected, b, search)
}

func pageSize(request Request) int {
	if m := regexp.MustCompile(`_count=(\d+)`).FindStringSubmatch(request.Target + "?" + request.Body); m != nil {
		n := 0
		_, _ = fmt.Sscan(m[1], &n)
		return n
	}
	return 50
}

// expand writes out the reverse includes of all the references of a type,
// which version 2, whose rules the witness knows, has no word for.
func expand(target string, table *fixtures.Table) string {
	for _, typ := range table.Types {
		var all []string
		for _, p := range typ.Params {
			if p.Kind == fixtures.Reference {
				all = append(all, "_revinclude="+typ.Type+":"+p.Name)
			}
		}
		target = strings.ReplaceAll(target, "_revinclude="+typ.Type+":*", strings.Join(all, "&"))
	}
	return target
}

func sorted(keys []string) []string { return slices.Sorted(slices.Values(keys)) }

// inBoth holds the answers in both formats against each other, but for what is
// new on each answer.
func inBoth(json, xml *Result) []error {
	want, err := xmlwitness.FromJSON(json.Body)
	if err != nil {
		return one(err)
	}
	root, err := xmlwitness.Parse(xml.Body)
	if err != nil {
		return one(fmt.Errorf("%w in %.200s", err, xml.Body))
	}
	got := root.Values()
	for _, v := range []xmlwitness.Values{want, got} {
		maps.DeleteFunc(v, func(path, _ string) bool {
			return path == "Bundle.id[0]" || strings.HasPrefix(path, "Bundle.meta[0].lastUpdated") || strings.HasPrefix(path, "Bundle.link")
		})
	}
	if !maps.Equal(want, got) {
		return one(fmt.Errorf("XML says otherwise (-json +xml): %.800s", cmp.Diff(want, got)))
	}
	return one(same("status in XML", xml.Status, json.Status))
}
