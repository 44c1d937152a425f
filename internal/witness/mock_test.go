package witness

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/cases"
	"github.com/mockfhir/mockfhir/mockserver"
)

// TestMockAgrees asks the mock what the generator invents, and expects what
// the witness says, page after page. The seeds are fixed: a failure repeats.
func TestMockAgrees(t *testing.T) {
	t.Parallel()
	for _, profile := range []Profile{Production, Source} {
		for _, test := range []struct {
			set      string
			zone     string
			seed     uint64
			requests int
		}{
			{"default", paris, 1, 3000},
			{"RX", paris, 2, 3000},
			{"FX", paris, 3, 2000},
			{"RX", "UTC", 4, 1000},
			{"FX", "America/New_York", 5, 1000},
		} {
			t.Run(string(profile)+" "+test.set+" "+test.zone, func(t *testing.T) {
				t.Parallel()
				set := fixtures.Default()
				if test.set != "default" {
					set = cases.Load(t, test.set, "")
				}
				w := newWitness(t, set, profile, test.zone)
				m := newMock(t, w, set)
				g := NewGenerator(w, test.seed)
				asked, failures := 0, 0
				start := time.Now()
				for range test.requests {
					r := g.Next()
					answer := w.Answer(r)
					if answer.Unspecified != "" {
						continue
					}
					asked++
					if err := m.compare(r, answer); err != nil {
						if failures++; failures <= 10 {
							r, err = m.shrink(w, r, err)
							t.Errorf("%v\n\t%v", r, err)
						}
					}
				}
				if failures > 10 {
					t.Errorf("and %d more", failures-10)
				}
				t.Logf("%d of %d requests disagree, %v", failures, asked, time.Since(start).Round(time.Millisecond))
			})
		}
	}
}

// mock is the server under test, at the other end of a socket.
type mock struct {
	base    string
	profile Profile
	client  *http.Client
}

// newMock serves a set in the profile and zone of a witness.
func newMock(t *testing.T, w *Witness, set *fixtures.Set) *mock {
	t.Helper()
	ts := httptest.NewServer(mockserver.New(set, mockserver.WithKeys("k"), mockserver.WithRate("0"),
		mockserver.WithProfile(mockserver.Profile(w.profile)), mockserver.WithLocation(w.zone)))
	t.Cleanup(ts.Close)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &mock{ts.URL + "/fhir/v2", w.profile, &http.Client{Transport: transport, Timeout: 20 * time.Second}}
}

// send returns the status and the body. The target goes out byte for byte.
func (m *mock) send(r Request) (int, []byte, error) {
	req, err := http.NewRequest(r.Method, m.base, strings.NewReader(r.Form))
	if err != nil {
		return 0, nil, err
	}
	path, query, asked := strings.Cut(r.Target, "?")
	req.URL = &url.URL{Scheme: "http", Host: req.Host, Opaque: "/fhir/v2" + path, RawQuery: query, ForceQuery: asked}
	req.Header.Set("ESANTE-API-KEY", "k")
	if r.Method == "POST" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := m.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}

// compare sends a request and says where the answer differs.
func (m *mock) compare(r Request, want Answer) error {
	status, body, err := m.send(r)
	if err != nil {
		return err
	}
	if status != want.Status {
		return fmt.Errorf("status %d, want %d %s; body %.200s", status, want.Status, want.Diagnostics, body)
	}
	switch {
	case want.Search != nil:
		return m.compareSearch(r, body, want.Search)
	case want.Resource != nil:
		var got any
		if err := json.Unmarshal(body, &got); err != nil {
			return err
		}
		return diff("resource", got, want.Resource)
	}
	var outcome struct {
		Issue []struct{ Diagnostics string }
	}
	if err := json.Unmarshal(body, &outcome); err != nil || len(outcome.Issue) != 1 {
		return fmt.Errorf("not an error of one issue: %.200s", body)
	}
	return diff("diagnostics", outcome.Issue[0].Diagnostics, want.Diagnostics)
}

// bundle is a page as a client reads it.
type bundle struct {
	Total *int
	Entry []struct {
		FullURL  string `json:"fullUrl"`
		Resource map[string]any
	}
	Link []struct{ Relation, URL string }
}

// followed bounds the pages followed of one search.
const followed = 3

func (m *mock) compareSearch(r Request, body []byte, want *Search) error {
	if want.Truncated && m.profile == Source { // §2.6: the body ends after the entries
		body = append(body, `],"link": []}`...)
		return m.comparePage(body, want, 0, "", false)
	}
	self := r.Target
	if m.profile == Production && r.Method == "POST" {
		self = "" // how production gets rid of /_search is not known (§1.3)
	}
	if m.profile == Production && strings.Contains(self, "?") { // §13
		path, query, _ := strings.Cut(self, "?")
		self = path + "?" + strings.NewReplacer(":", "%3A", "/", "%2F", "|", "%7C").Replace(query)
	}
	for n := range min(want.Pages(), followed) {
		if err := m.comparePage(body, want, n, self, n+1 < want.Pages()); err != nil {
			return fmt.Errorf("page %d: %w", n+1, err)
		}
		if n+1 == min(want.Pages(), followed) || want.BadNext != "" && m.profile == Source {
			return nil
		}
		var page bundle
		if err := json.Unmarshal(body, &page); err != nil {
			return err
		}
		self = strings.TrimPrefix(page.Link[0].URL, m.base)
		var status int
		var err error
		if status, body, err = m.send(Request{Method: "GET", Target: self}); err != nil || status != 200 {
			return fmt.Errorf("page %d: status %d, %w, body %.200s", n+2, status, err, body)
		}
	}
	return nil
}

func (m *mock) comparePage(body []byte, want *Search, n int, self string, more bool) error {
	var page bundle
	if err := json.Unmarshal(body, &page); err != nil {
		return fmt.Errorf("%w: %.200s", err, body)
	}
	total := -1
	if page.Total != nil {
		total = *page.Total
	}
	if err := diff("total", total, want.Total); err != nil {
		return err
	}
	entries := want.Page(n)
	var got, keys []string
	for _, e := range page.Entry {
		got = append(got, strings.TrimPrefix(e.FullURL, m.base+"/"))
	}
	for _, e := range entries {
		keys = append(keys, e.Key)
	}
	if err := diffLists(got, keys); err != nil {
		return err
	}
	for i, e := range entries {
		if err := diff(e.Key, page.Entry[i].Resource, e.Body); err != nil {
			return err
		}
	}
	if self == "" {
		return nil
	}
	var relations []string
	for _, l := range page.Link {
		relations = append(relations, l.Relation)
	}
	if err := diff("links", relations, map[bool][]string{true: {"next", "self"}, false: {"self"}}[more]); err != nil {
		return err
	}
	return diff("self", page.Link[len(page.Link)-1].URL, m.base+self)
}

func diff(what string, got, want any) error {
	if reflect.DeepEqual(got, want) {
		return nil
	}
	if got, ok := got.(map[string]any); ok { // name the member
		want := want.(map[string]any)
		for name := range want {
			if err := diff(what+"."+name, got[name], want[name]); err != nil {
				return err
			}
		}
		for name := range got {
			if _, ok := want[name]; !ok {
				return fmt.Errorf("%s has a member %s", what, name)
			}
		}
	}
	return fmt.Errorf("%s is %v, want %v", what, got, want)
}

// diffLists shows the first place where two lists part.
func diffLists(got, want []string) error {
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			show := func(list []string) []string { return list[min(i, len(list)):min(i+3, len(list))] }
			return fmt.Errorf("%d entries, want %d; from entry %d %v, want %v", len(got), len(want), i, show(got), show(want))
		}
	}
	return nil
}

// shrink drops what a failing request can do without.
func (m *mock) shrink(w *Witness, r Request, failure error) (Request, error) {
	for again := true; again; {
		again = false
		path, query, _ := strings.Cut(r.Target, "?")
		if r.Method == "POST" {
			query = r.Form
		}
		pieces := strings.Split(query, "&")
		for i := range pieces {
			smaller := r
			if rest := strings.Join(slices.Delete(slices.Clone(pieces), i, i+1), "&"); r.Method == "POST" {
				smaller.Form = rest
			} else {
				smaller.Target = path + "?" + rest
			}
			answer := w.Answer(smaller)
			if query == "" || answer.Unspecified != "" {
				continue
			}
			if err := m.compare(smaller, answer); err != nil {
				r, failure, again = smaller, err, true
				break
			}
		}
	}
	return r, failure
}

// TestLongPage: on a page of more than a thousand matches, reverse includes
// stand between them.
func TestLongPage(t *testing.T) {
	t.Parallel()
	var lines strings.Builder
	for i := range 2100 {
		fmt.Fprintf(&lines, `{"resourceType": "Organization", "id": "o%d", "meta": {"versionId": "1"}, "partOf": {"reference": "Organization/o%d"}}`+"\n", i, i/100)
	}
	for i := range 30 {
		fmt.Fprintf(&lines, `{"resourceType": "Device", "id": "d%d", "meta": {"versionId": "1"}, "owner": {"reference": "Organization/o%d"}}`+"\n", i, i*100)
	}
	file := filepath.Join(t.TempDir(), "long.ndjson")
	if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := fixtures.LoadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w := newWitness(t, set, Production, paris)
	m := newMock(t, w, set)
	for _, count := range []int{999, 1000, 1001, 1500, 2000, 5000} {
		for _, includes := range []string{"_revinclude=Device:organization", "_include=*&_revinclude=Organization:partof", "_include=*",
			"_include=Organization:partof&_revinclude=Device:organization&_revinclude=Organization:partof"} {
			r := Request{Method: "GET", Target: fmt.Sprintf("/Organization?_count=%d&%s", count, includes)}
			if err := m.compare(r, w.Answer(r)); err != nil {
				t.Errorf("%v: %v", r, err)
			}
		}
	}
}

// TestCompareNotices: a comparison that never fails would prove nothing.
func TestCompareNotices(t *testing.T) {
	t.Parallel()
	set := cases.Load(t, "RX", "")
	w := newWitness(t, set, Production, paris)
	m := newMock(t, w, set)
	for _, test := range []struct{ ask, judge string }{
		{"/Practitioner", "/Practitioner?active=true"},
		{"/Practitioner?_total=none", "/Practitioner"},
		{"/Practitioner?_count=1", "/Practitioner?_count=2"},
		{"/Practitioner?_elements=name", "/Practitioner?_elements=active"},
		{"/Practitioner?foo=1", "/Practitioner?bar=1"},
		{"/Practitioner/003-1-1", "/Practitioner/003-2-2"},
		{"/PractitionerRole?_include=*", "/PractitionerRole"},
		{"/Practitioner?_count=a", "/Practitioner"},
	} {
		ask := Request{Method: "GET", Target: test.ask}
		if err := m.compare(ask, w.Answer(ask)); err != nil {
			t.Errorf("%s: %v", test.ask, err)
		}
		if err := m.compare(ask, w.Answer(Request{Method: "GET", Target: test.judge})); err == nil {
			t.Errorf("the answer to %s passes for that to %s", test.ask, test.judge)
		}
	}
	if err := m.compare(Request{Method: "GET", Target: "/\x00"}, Answer{Status: 200}); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a target that cannot be sent: %v", err)
	}
}
