package witness

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/cases"
	"github.com/mockfhir/mockfhir/internal/shared"
)

// paris is the zone of the service.
const paris = "Europe/Paris"

func newWitness(t testing.TB, set *fixtures.Set, profile Profile, zone string) *Witness {
	t.Helper()
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	w, err := New(set, profile, location)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestCases: before it judges the mock, the witness is judged by the rows of
// the case file that say what one search or read finds.
func TestCases(t *testing.T) {
	t.Parallel()
	rows, err := cases.Read(shared.Path(t, "cases", "fhir-server-cases.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	judged := 0
	for _, row := range rows {
		setting := cases.ParseSetting(row.Col("precondition/data"))
		request := cases.ParseRequest(row.Col("method"), row.Col("path+query"), "/Device?_count=1")
		observation := row.Col("expected_observation")
		diagnostics, isError := cases.Diagnostics(observation)
		entries, isSearch := cases.Entries(observation)
		if setting.Set != "RX" && setting.Set != "FX" || setting.Unknown != nil || request.Of != "" || request.Unknown != "" ||
			!isError && !isSearch || (request.Method != "GET" && request.Method != "POST") || strings.Contains(observation, "(?)") {
			continue
		}
		w := newWitness(t, cases.Load(t, setting.Set, request.Target), Profile(setting.Profile), paris)
		answer := w.Answer(Request{Method: request.Method, Target: request.Target, Form: request.Body})
		if answer.Unspecified != "" {
			continue
		}
		judged++
		if got := strconv.Itoa(answer.Status); got != row.Col("expected_status") {
			t.Errorf("%s: status %s, want %s", row.ID, got, row.Col("expected_status"))
			continue
		}
		if isError {
			if answer.Diagnostics != diagnostics {
				t.Errorf("%s: diagnostics %q, want %q", row.ID, answer.Diagnostics, diagnostics)
			}
			continue
		}
		var keys []string
		for _, e := range answer.Search.Page(0) {
			keys = append(keys, e.Key)
		}
		if !slices.Equal(keys, entries) {
			t.Errorf("%s: entries %v, want %v", row.ID, keys, entries)
		}
		if total, ok := cases.Total(observation); ok && total != answer.Search.Total {
			t.Errorf("%s: total %d, want %d", row.ID, answer.Search.Total, total)
		}
	}
	if judged < 150 {
		t.Errorf("only %d rows could be judged", judged)
	}
	t.Logf("%d rows judged", judged)
}

// TestGeneratorCovers: the requests invented reach every parameter, kind of
// answer and special, and half of the searches find something.
func TestGeneratorCovers(t *testing.T) {
	t.Parallel()
	w := newWitness(t, cases.Load(t, "RX", ""), Production, paris)
	g := NewGenerator(w, 1)
	seen := map[string]int{}
	const n = 10_000
	start := time.Now()
	for range n {
		r := g.Next()
		a := w.Answer(r)
		switch {
		case a.Unspecified != "":
			seen["unspecified"]++
		case a.Status != 200:
			seen["refused: "+strings.Fields(a.Diagnostics)[0]]++
		case a.Search == nil:
			seen["read"]++
		default:
			seen["search"]++
			if len(a.Search.Matches) > 0 {
				seen["found"]++
			}
			if len(a.Search.included(a.Search.matches)) > 0 {
				seen["included"]++
			}
			if a.Search.elements != nil {
				seen["narrowed"]++
			}
			if a.Search.Pages() > 1 {
				seen["pages"]++
			}
		}
		pieces, _ := tokenize(r.Target[strings.IndexByte(r.Target+"?", '?'):] + "&" + r.Form)
		for _, p := range pieces {
			seen[strings.TrimPrefix(p.name, "?")]++
		}
	}
	for _, typ := range w.table.Types {
		for _, p := range typ.Params {
			if seen[p.Name] == 0 {
				t.Errorf("no request uses %s", p.Name)
			}
		}
	}
	for _, what := range []string{"read", "included", "narrowed", "pages", "_count", "_total", "_elements", "_include", "_revinclude", "_pretty",
		"refused: Can't", "refused: Parameter", "refused: Bad", "refused: The", "refused: Unknown", "refused: Resource", "refused: HAPI-1882:",
		"refused: HAPI-1883:", "refused: HAPI-1940:", "refused: HAPI-1941:"} {
		if seen[what] == 0 {
			t.Errorf("no request is %s", what)
		}
	}
	if seen["found"]*4 < seen["search"] || seen["search"]*2 < n || seen["unspecified"]*10 > n {
		t.Errorf("the mix is poor: %d searches of %d requests, %d find something, %d unspecified", seen["search"], n, seen["found"], seen["unspecified"])
	}
	t.Logf("%d requests in %v: %d searches, %d of them find something", n, time.Since(start), seen["search"], seen["found"])
}
