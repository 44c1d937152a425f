package cases

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/shared"
	"github.com/mockfhir/mockfhir/internal/witness"
	"github.com/mockfhir/mockfhir/mockserver"
)

// key is what the tests' mocks accept.
const key = "k"

// server is a mock at the other end of a socket.
type server struct {
	set    *fixtures.Set
	host   string // http://host:port
	base   string // path of the API: /fhir/v2 or /fhir
	client *http.Client
}

func start(t *testing.T, set *fixtures.Set, profile mockserver.Profile) *server {
	t.Helper()
	ts := httptest.NewServer(mockserver.New(set, mockserver.WithKeys(key), mockserver.WithProfile(profile), mockserver.WithRate("0")))
	t.Cleanup(ts.Close)
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	noRedirect := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &server{set, ts.URL, "/fhir/v2", &http.Client{Transport: transport, CheckRedirect: noRedirect, Timeout: 20 * time.Second}}
}

// send sends a target byte for byte; a connection closed without an answer is
// a result.
func (s *server) send(method, target, body string, header http.Header) (*Result, error) {
	req, err := http.NewRequest(method, s.host, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	path, query, hasQuery := strings.Cut(target, "?")
	req.URL = &url.URL{Scheme: "http", Host: req.Host, Opaque: s.base + path, RawQuery: query, ForceQuery: hasQuery}
	req.Header = header.Clone()
	req.Header.Set("ESANTE-API-KEY", key)
	resp, err := s.client.Do(req)
	if errors.Is(err, io.EOF) {
		return &Result{Target: target}, nil
	}
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	return &Result{target, resp.StatusCode, resp.Header, resp.ContentLength, slices.Contains(resp.TransferEncoding, "chunked"), text, nil}, nil
}

func (s *server) get(target string) (*Result, error) { return s.send("GET", target, "", http.Header{}) }

// run sends what a row asks for, and first the search whose next page or
// token it needs.
func (s *server) run(r Request, header http.Header) (*Result, error) {
	if r.Form {
		header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if r.Of == "" {
		return s.send(r.Method, r.Target, r.Body, header)
	}
	before, err := s.get(r.Of)
	if err != nil {
		return nil, err
	}
	token := before.Bundle().Token()
	if token == "" {
		return nil, fmt.Errorf("%s has no next page: status %d, %.200s", r.Of, before.Status, before.Body)
	}
	if r.Between {
		typ, _, _ := strings.Cut(strings.TrimPrefix(r.Of, "/"), "?")
		if err := s.store(true, func(stored fixtures.Resource) bool { return stored.Type == typ }); err != nil {
			return nil, err
		}
	}
	target := r.Target
	if target == "" {
		target = "/_page?id={token}"
	}
	result, err := s.send(r.Method, Fill(target, token), Fill(r.Body, token), header)
	if result != nil {
		result.Before = before
	}
	return result, err
}

// store puts some resources of the set again, changed or not.
func (s *server) store(change bool, which func(fixtures.Resource) bool) error {
	for _, r := range s.set.Resources {
		if !which(r) {
			continue
		}
		body := r.JSON
		if change {
			body = strings.TrimSuffix(strings.TrimSpace(body), "}") + `, "implicitRules": "urn:changed"}`
		}
		header := http.Header{"Content-Type": {"application/fhir+json"}}
		if result, err := s.send("PUT", "/"+r.Type+"/"+r.ID, body, header); err != nil || result.Status != http.StatusOK {
			return fmt.Errorf("storing %s/%s again: %v, %v", r.Type, r.ID, result, err)
		}
	}
	return nil
}

// tally counts rows and prints the sum. byStatus are those passed whose
// observation is all comment; anyway are those waived that would have passed.
type tally struct{ passed, failed, waived, byStatus, anyway int }

func (n *tally) log(t *testing.T, file string) {
	t.Logf("%s: %d passed (%d by their status alone), %d failed, %d waived (%d would pass)",
		file, n.passed, n.byStatus, n.failed, n.waived, n.anyway)
}

// TestFHIRServer runs every row of the case file that is about the FHIR server.
func TestFHIRServer(t *testing.T) {
	t.Parallel()
	rows, err := Read(shared.Path(t, "cases", "fhir-server-cases.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	waivers := NewWaivers("fhir-server-cases")
	running := map[string]*server{}
	var n tally
	for _, row := range rows {
		understood, problems := runRow(t, running, row)
		if reason := waivers.Reason(row); reason != "" {
			n.waived++
			if len(problems) == 0 {
				n.anyway++
			}
			t.Logf("%s waived: %s", row.ID, reason)
			continue
		}
		switch {
		case len(problems) > 0:
			n.failed++
			t.Errorf("%s %s %s:\n\t%v\n\trow: %s %s", row.ID, row.Col("method"), row.Col("path+query"), errors.Join(problems...),
				row.Col("expected_status"), row.Col("expected_observation"))
		default:
			n.passed++
			if understood == 0 {
				n.byStatus++
				t.Logf("%s passed by its status alone: %s", row.ID, row.Col("expected_observation"))
			}
		}
	}
	for _, unused := range waivers.Unused() {
		t.Errorf("waiver %s applies to no row", unused)
	}
	n.log(t, "fhir-server-cases")
}

// firstPage is the search whose token rows mean that name none: the smallest
// with a second page.
const firstPage = "/Device?_count=1"

// runRow sends a row to a server of its set: a shared one, unless the row
// writes.
func runRow(t *testing.T, running map[string]*server, row Row) (understood int, problems []error) {
	t.Helper()
	if row.Col("method") == "UNIT" {
		return 1, runUnit(t, row)
	}
	setting := ParseSetting(row.Col("precondition/data"))
	request := ParseRequest(row.Col("method"), row.Col("path+query"), firstPage)
	if setting.Unknown != nil || setting.Set == "" || request.Unknown != "" {
		return 0, []error{fmt.Errorf("neither waived nor understood: %q %q", setting.Unknown, request.Unknown)}
	}
	name := setting.Profile + " " + setting.Set + Build(setting.Set, request.Target)
	s := running[name]
	reads := slices.Contains([]string{"GET", "HEAD", "OPTIONS"}, request.Method) && setting.Updated == nil && !setting.Again && !request.Between
	if s == nil || !reads {
		s = start(t, Load(t, setting.Set, request.Target), mockserver.Profile(setting.Profile))
	}
	if reads {
		running[name] = s
	}
	again := func(r fixtures.Resource) bool { return setting.Again || slices.Contains(setting.Updated, r.ID) }
	if err := s.store(!setting.Again, again); err != nil {
		return 0, []error{err}
	}
	result, err := s.run(request, Header(setting.Headers))
	if err != nil {
		return 0, []error{err}
	}
	status := strconv.Itoa(result.Status)
	if result.Status == 0 {
		status = "no response"
	}
	if status != row.Col("expected_status") {
		problems = append(problems, fmt.Errorf("status %s, want %s; body %.300s", status, row.Col("expected_status"), result.Body))
	}
	o := Observer{Base: s.host + s.base, Get: s.get, Set: s.set}
	understood, wrong := o.Judge(row.Col("expected_observation"), result)
	return understood, append(problems, wrong...)
}

var unitCall = regexp.MustCompile(`^(\w+)\("(.*)"\)$`)

// units are the functions that UNIT rows call, each by a search that shows it.
var units = map[string]func(t *testing.T, argument, want string) error{
	// A name is found by its normal form, and a normal form has none but itself.
	"normalise": func(t *testing.T, argument, want string) error {
		set := load(t, "RX", fmt.Sprintf(`{"resourceType": "Organization", "id": "1", "meta": {"versionId": "1"}, "name": %q}`, "a"+argument+"z"))
		s := start(t, set, mockserver.Source)
		for _, search := range []string{"a" + want + "z", "a" + argument + "z"} {
			result, err := s.get("/Organization?name=" + url.QueryEscape(search))
			if err != nil {
				return err
			}
			if got := result.Bundle().Keys(); len(got) != 1 {
				return fmt.Errorf("%q does not find %q", search, argument)
			}
		}
		return nil
	},
}

func runUnit(t *testing.T, row Row) []error {
	t.Helper()
	call := unitCall.FindStringSubmatch(row.Col("path+query"))
	if call == nil || units[call[1]] == nil {
		return []error{fmt.Errorf("no such unit: %s", row.Col("path+query"))}
	}
	want, _, _ := strings.Cut(row.Col("expected_observation"), " (")
	want = strings.Trim(want, `"`)
	if err := units[call[1]](t, call[2], want); err != nil {
		return []error{err}
	}
	return nil
}

// TestDocumentedRequests sends every v2 request that ANS's guide and samples
// print. It must find something, be what the witness says, and be what the
// guide says.
func TestDocumentedRequests(t *testing.T) {
	t.Parallel()
	rows, err := Read(shared.Path(t, "cases", "documented-requests.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	zone, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	w, err := witness.New(fixtures.Default(), witness.Production, zone)
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, fixtures.Default(), mockserver.Production)
	waivers := NewWaivers("documented-requests")
	var n tally
	for _, row := range rows {
		if row.Col("version") != "v2" {
			continue
		}
		if reason := waivers.Reason(row); reason != "" {
			n.waived++
			t.Logf("%s waived: %s", row.ID, reason)
			continue
		}
		at := *s
		if base := row.Col("base"); strings.HasPrefix(base, "/") {
			at.base = base
		}
		if problems := runDocumented(&at, w, row); len(problems) > 0 {
			n.failed++
			t.Errorf("%s %s %.200s:\n\t%v\n\tthe guide: %s", row.ID, row.Col("method"), row.Col("request"), errors.Join(problems...), row.Col("expected"))
			continue
		}
		n.passed++
	}
	for _, unused := range waivers.Unused() {
		t.Errorf("waiver %s applies to no row", unused)
	}
	n.log(t, "documented-requests")
}

// maxLine is the longest request line the gateway takes (gravitee.md §3.4).
const maxLine = 4096

func runDocumented(s *server, w *witness.Witness, row Row) (problems []error) {
	request := ParseRequest(row.Col("method"), row.Col("request"), "")
	if request.Method == "GET" && len(request.Target) > maxLine {
		result, err := s.run(request, http.Header{})
		if err != nil || result.Status != http.StatusRequestURITooLong {
			return []error{fmt.Errorf("a line of %d characters: %v, %v", len(request.Target), result, err)}
		}
		path, query, _ := strings.Cut(request.Target, "?")
		request = Request{Method: "POST", Target: path + "/_search", Body: query} // as the guide advises
	}
	request.Form = request.Method == "POST"
	result, err := s.run(request, http.Header{})
	if err != nil {
		return []error{err}
	}
	expected, answer := row.Col("expected"), w.Answer(witness.Request{Method: request.Method, Target: request.Target, Form: request.Body})
	if want := promisedStatus(expected, answer); result.Status != want {
		return []error{fmt.Errorf("status %d, want %d; body %.300s", result.Status, want, result.Body)}
	}
	o := Observer{Base: s.host + s.base, Get: s.get, Set: fixtures.Default()}
	if err := o.always(result); err != nil {
		problems = append(problems, err)
	}
	switch {
	case strings.Contains(expected, "CapabilityStatement"):
		_, wrong := o.Judge(strings.TrimPrefix(expected, "200 "), result)
		problems = append(problems, wrong...)
	case answer.Search != nil:
		var keys []string
		for _, e := range answer.Search.Page(0) {
			keys = append(keys, e.Key)
		}
		problems = append(problems, promises(expected, result.Bundle(), answer.Search)...)
		problems = append(problems, same("entries", result.Bundle().Keys(), keys))
	case answer.Resource != nil:
		problems = append(problems, sameMembers(result.Body, o.stored(strings.Trim(request.Target, "/"))))
	default:
		_, wrong := o.Judge("diagnostics = `"+answer.Diagnostics+"`", result)
		problems = append(problems, wrong...)
	}
	return slices.DeleteFunc(problems, func(err error) bool { return err == nil })
}

// promisedStatus is the status the guide expects; where the file expects an
// error, which one is the server's business.
func promisedStatus(expected string, answer witness.Answer) int {
	first, _, _ := strings.Cut(expected, " ")
	if status, err := strconv.Atoi(first); err == nil {
		return status
	}
	return max(answer.Status, http.StatusBadRequest)
}

var (
	matchesOf = regexp.MustCompile(`^200 searchset(?:, all| of) (\w+)`)
	plus      = regexp.MustCompile(`plus (?:included (?:parent )?)?(\w+) entries( pointing at the matches)?`)
	pageOf    = regexp.MustCompile(`first page of (\d+)|at most (\d+) matches per page`)
	reducedTo = regexp.MustCompile(`reduced to (\w+)`)
)

// promises holds a Bundle against what the guide says it finds.
func promises(expected string, b Bundle, search *witness.Search) (problems []error) {
	check := func(ok bool, format string, args ...any) { problems = append(problems, unless(ok, format, args...)) }
	check(len(search.Matches) > 0, "finds nothing")
	matches := min(len(search.Matches), len(b.Entry))
	if m := pageOf.FindStringSubmatch(expected); m != nil {
		size, _ := strconv.Atoi(m[1] + m[2])
		matches = min(matches, size)
		check((b.Relation("next") != "") == (len(search.Matches) > size), "a next link: %q", b.Relation("next"))
		check(!strings.Contains(expected, "next link") || b.Relation("next") != "", "no next link")
	}
	if m := matchesOf.FindStringSubmatch(expected); m != nil {
		for _, k := range b.Keys()[:min(matches, 50)] {
			check(strings.HasPrefix(k, m[1]+"/"), "a match is %s, not a %s", k, m[1])
		}
	}
	if m := plus.FindStringSubmatch(expected); m != nil {
		more := b.Keys()[min(matches, 50):]
		found := slices.ContainsFunc(more, func(k string) bool { return strings.HasPrefix(k, m[1]+"/") })
		check(found, "no %s beside the matches, only %v", m[1], more)
	}
	if strings.Contains(expected, "every resource referenced") {
		check(len(b.Entry) > min(matches, 50), "nothing beside the matches")
	}
	if strings.Contains(expected, "total present") {
		check(b.Total != nil && *b.Total == len(search.Matches), "total %s, want %d", show(b.Total), len(search.Matches))
	}
	if m := reducedTo.FindStringSubmatch(expected); m != nil && len(b.Entry) > 0 {
		text := string(b.Entry[0].Resource)
		check(strings.Contains(text, `"SUBSETTED"`), "not tagged SUBSETTED")
		check(slices.Contains(members(b.Entry[0].Resource), m[1]), "no %s in %.200s", m[1], text)
	}
	return problems
}
