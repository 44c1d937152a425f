package contract_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mockfhir/mockfhir/contract"
	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/behaviour"
	"github.com/mockfhir/mockfhir/mockserver"
)

// inProcess hands requests to a handler without a socket.
type inProcess struct{ handler http.Handler }

func (h inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	in := httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), r.Body)
	in.Header = r.Header
	h.handler.ServeHTTP(w, in)
	return w.Result(), r.Context().Err()
}

// fakeClock moves when somebody sleeps: a polite run takes no time.
type fakeClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return ctx.Err()
}

func newFakeClock() *fakeClock {
	return &fakeClock{now: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)}
}

const base = "http://127.0.0.1/fhir/v2"

// tell logs what is not green, and fails on findings.
func tell(t *testing.T, report *contract.Report) {
	t.Helper()
	for _, r := range report.Results {
		if r.Outcome != contract.Pass {
			t.Logf("%s: %s: %s", r.ID, r.Outcome, r.Detail)
		}
	}
	for _, f := range report.Findings {
		t.Errorf("%s %s: %s\n\t%s: %s -> %s\n\t%s", f.Class, f.Check, f.Message, f.Path, f.Was, f.Now, f.Curl)
	}
}

// The suite at its default pace, against the mock with its default quota: no
// check fails, none is vacuous, and no call is refused but those of the burst.
func TestSuiteHoldsOnTheMock(t *testing.T) {
	t.Parallel()
	for name, as := range map[string]mockserver.Option{
		"production": mockserver.WithProfile(mockserver.Production),
		"source":     mockserver.WithProfile(mockserver.Source),
		"no totals":  mockserver.WithCountBudget(1), // of a large directory, where :contains is counted on demand alone
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := newFakeClock()
			server := mockserver.New(fixtures.Default(), mockserver.WithKeys("k"), mockserver.WithRate("17/1s"),
				as, mockserver.WithClock(clock.Now))
			opts := contract.Options{Client: inProcess{server}, Clock: clock, MinCoverage: 1, Baseline: contract.DefaultBaseline()}
			if name == "source" {
				opts.Baseline = nil // it is of production
				waivers := behaviour.Waivers()
				opts.Waive = func(id string) string { return waivers[id] }
			}
			report, err := contract.Run(t.Context(), contract.Target{URL: base, Key: "k"}, opts)
			if err != nil {
				t.Fatal(err)
			}
			tell(t, report)
			if report.Verdict != contract.Holds || report.Coverage.Vacuous > 0 || report.Coverage.NotApplicable > 0 {
				t.Errorf("%s: %s %+v", report.Verdict, report.Reason, report.Coverage)
			}
			if report.Requests > contract.DefaultBudget {
				t.Errorf("%d requests, the budget is %d", report.Requests, contract.DefaultBudget)
			}
			t.Logf("%d checks, %d requests", report.Coverage.Checks, report.Requests)
		})
	}
}

// A base without a version is answered with links of the version that answers;
// links of another, or of no API, are drift.
func TestUnversionedBase(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, was, now string
		want           []string
	}{
		{"links of version 2", "", "", nil},
		{"links without a version", "/fhir/v2/", "/fhir/", nil},
		{"links of version 1", "/fhir/v2/", "/fhir/v1/", []string{"shape/full-url", "paging/links"}},
		{"links below the version", "/fhir/v2/", "/fhir/v2/v2/", []string{"shape/full-url", "paging/links"}},
		{"links elsewhere", "/fhir/v2/", "/v2/", []string{"shape/full-url", "paging/links"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			clock := newFakeClock()
			server := mutant{
				mockserver.New(fixtures.Default(), mockserver.WithKeys("k"), mockserver.WithRate("0"), mockserver.WithClock(clock.Now)),
				func(_ *http.Request, _ http.Header, body string) string {
					return strings.ReplaceAll(body, "http://127.0.0.1"+tt.was, "http://127.0.0.1"+tt.now)
				},
			}
			report, err := contract.Run(t.Context(), contract.Target{URL: "http://127.0.0.1/fhir", Key: "k"},
				contract.Options{Run: "^(shape/full-url|paging/links)$", Client: inProcess{server}, Clock: clock})
			if err != nil {
				t.Fatal(err)
			}
			var drifted []string
			for _, r := range report.Results {
				if r.Outcome == contract.Drift {
					drifted = append(drifted, r.ID)
				}
			}
			if !slices.Equal(drifted, tt.want) {
				t.Errorf("drift in %v, want %v", drifted, tt.want)
			}
		})
	}
}

// Over a socket, with the limiter off, the suite ends in less than 3 seconds.
func TestSuiteOverASocket(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(mockserver.New(fixtures.Default(), mockserver.WithKeys("k"), mockserver.WithRate("0")))
	defer server.Close()
	report, err := contract.Run(t.Context(), contract.Target{URL: server.URL + "/fhir/v2", Key: "k"}, contract.Options{Rate: contract.Unlimited})
	if err != nil {
		t.Fatal(err)
	}
	tell(t, report)
	if report.Verdict != contract.Holds {
		t.Errorf("%s: %s", report.Verdict, report.Reason)
	}
	t.Logf("%d requests in %v", report.Requests, report.Ended.Sub(report.Started))
}

// Every check says what it promises, who promised it and what its break costs.
func TestChecksAreWhole(t *testing.T) {
	t.Parallel()
	id := regexp.MustCompile(`^[a-z]+(/[A-Za-z0-9:_*-]+)+$`)
	seen := map[string]bool{}
	for _, c := range contract.Checks() {
		if seen[c.ID] || !id.MatchString(c.ID) {
			t.Errorf("the ID %q is taken, or is none", c.ID)
		}
		seen[c.ID] = true
		if c.Title == "" || c.Why == "" || c.Run == nil || !strings.HasPrefix(c.Source, "https://") {
			t.Errorf("%s lacks a title, a reason, a source or its function", c.ID)
		}
		if c.Level != contract.Required && c.Level != contract.Observed {
			t.Errorf("%s has the level %q", c.ID, c.Level)
		}
	}
}
