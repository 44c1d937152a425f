package contract_test

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mockfhir/mockfhir/contract"
	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/mockserver"
)

const baseOne = "http://127.0.0.1/fhir/v1"

func runOne(t *testing.T, opts contract.Options, change func(*http.Request, http.Header, string) string) *contract.Report {
	t.Helper()
	clock := newFakeClock()
	server := mockserver.New(fixtures.Default(), mockserver.WithKeys("k"), mockserver.WithRate("17/1s"), mockserver.WithClock(clock.Now))
	opts.Client, opts.Clock = inProcess{mutant{server, change}}, clock
	report, err := contract.Run(t.Context(), contract.Target{URL: baseOne, Key: "k"}, opts)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// Version 1's suite holds on the mock's version 1, and nothing in it is idle.
func TestSuiteOfVersionOneHoldsOnTheMock(t *testing.T) {
	t.Parallel()
	report := runOne(t, contract.Options{MinCoverage: 1}, nil)
	tell(t, report)
	if report.Verdict != contract.Holds || report.Coverage.Vacuous > 0 || report.Coverage.NotApplicable > 0 {
		t.Errorf("%s: %s %+v", report.Verdict, report.Reason, report.Coverage)
	}
	if report.Requests > contract.DefaultBudget {
		t.Errorf("%d requests, the budget is %d", report.Requests, contract.DefaultBudget)
	}
	t.Logf("%d checks, %d requests", report.Coverage.Checks, report.Requests)
}

// Neither version passes for the other.
func TestVersionsAreToldApart(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	server := mockserver.New(fixtures.Default(), mockserver.WithKeys("k"), mockserver.WithRate("0"), mockserver.WithClock(clock.Now))
	other := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RequestURI = strings.Replace(r.RequestURI, "/fhir/v1", "/fhir/v2", 1)
		server.ServeHTTP(w, r)
	})
	report, err := contract.Run(t.Context(), contract.Target{URL: baseOne, Key: "k"}, contract.Options{Run: "^v1/", Client: inProcess{other}, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Results {
		if r.Outcome != contract.Drift {
			t.Errorf("%s: %s on version 2", r.ID, r.Outcome)
		}
	}
}

// mutants are what each check of version 1 alone must notice: a change of the
// bodies or headers that the mock sends.
var mutantsOne = map[string]func(r *http.Request, h http.Header, body string) string{
	"v1/statement": func(_ *http.Request, _ http.Header, body string) string {
		return strings.Replace(body, `"xml",`, "", 1)
	},
	"v1/parameters": func(_ *http.Request, _ http.Header, body string) string {
		return strings.Replace(body, `"name":"specialty"`, `"name":"speciality"`, 1)
	},
	"v1/formats": func(r *http.Request, h http.Header, body string) string {
		if strings.HasPrefix(body, "<") {
			h.Set("Content-Type", "text/xml")
		}
		return body
	},
	"v1/pretty": func(_ *http.Request, _ http.Header, body string) string { return strings.ReplaceAll(body, "\n  ", "") },
	"v1/bundle": func(_ *http.Request, _ http.Header, body string) string {
		return regexp.MustCompile(`"id":"([^"]*)","meta":(\{[^}]*\}),"type":"searchset"`).ReplaceAllString(body, `"type":"searchset","id":"$1","meta":$2`)
	},
	"v1/links": func(_ *http.Request, _ http.Header, body string) string {
		return strings.ReplaceAll(body, "&_bundletype=searchset", "")
	},
	"v1/read": func(_ *http.Request, h http.Header, body string) string { h.Del("ETag"); return body },
	"v1/subsets": func(_ *http.Request, _ http.Header, body string) string {
		return strings.ReplaceAll(body, "SUBSETTED", "SUBSET")
	},
	"v1/errors": func(_ *http.Request, _ http.Header, body string) string {
		return strings.Replace(body, `"code":"processing"`, `"code":"exception"`, 1)
	},
	"v1/people": func(_ *http.Request, _ http.Header, body string) string {
		return strings.ReplaceAll(body, "http://rpps.fr", "https://rpps.esante.gouv.fr")
	},
	"v1/structures": func(_ *http.Request, _ http.Header, body string) string {
		return strings.ReplaceAll(body, "http://finess.sante.gouv.fr", "https://finess.esante.gouv.fr")
	},
	"v1/health": func(r *http.Request, h http.Header, body string) string {
		if strings.HasSuffix(r.URL.Path, "/health") {
			h.Set("Mutant-Status", "401")
		}
		return body
	},
}

// mutant changes what a handler answers.
type mutant struct {
	handler http.Handler
	change  func(*http.Request, http.Header, string) string
}

func (m mutant) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := &buffer{header: http.Header{}, status: 200}
	m.handler.ServeHTTP(rec, r)
	body := rec.body.String()
	if m.change != nil {
		body = m.change(r, rec.header, body)
	}
	if rec.header.Get("Mutant-Status") != "" {
		rec.status = http.StatusUnauthorized
	}
	rec.header.Del("Content-Length")
	for name, values := range rec.header {
		w.Header()[name] = values
	}
	w.WriteHeader(rec.status)
	_, _ = io.WriteString(w, body)
}

type buffer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (b *buffer) Header() http.Header         { return b.header }
func (b *buffer) WriteHeader(status int)      { b.status = status }
func (b *buffer) Write(p []byte) (int, error) { return b.body.Write(p) }

// Each check of version 1 notices its mutant, and no other of them does.
func TestMutantsOfVersionOne(t *testing.T) {
	t.Parallel()
	var ids []string
	for _, c := range contract.ChecksOfVersionOne() {
		if strings.HasPrefix(c.ID, "v1/") {
			ids = append(ids, c.ID)
		}
	}
	for _, id := range ids {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			if mutantsOne[id] == nil {
				t.Fatal("no mutant trips this check")
			}
			report := runOne(t, contract.Options{Run: "^v1/"}, mutantsOne[id])
			var drifted []string
			for _, r := range report.Results {
				if r.Outcome == contract.Drift {
					drifted = append(drifted, r.ID)
				}
			}
			if !slices.Equal(drifted, []string{id}) {
				t.Errorf("noticed by %v", drifted)
			}
		})
	}
}

// The suite of version 2 is what it was for every other address.
func TestChecksFor(t *testing.T) {
	t.Parallel()
	name := func(checks []contract.Check) (ids []string) {
		for _, c := range checks {
			ids = append(ids, c.ID)
		}
		return ids
	}
	for _, base := range []string{"https://x/fhir/v2", "https://x/fhir", "https://x/fhir/v11", ""} {
		if got := name(contract.ChecksFor(base)); !slices.Equal(got, name(contract.Checks())) {
			t.Errorf("%s: %v", base, got)
		}
	}
	for _, base := range []string{"https://x/fhir/v1", "https://x/fhir/v1/"} {
		if got := name(contract.ChecksFor(base)); !slices.Contains(got, "v1/people") || slices.Contains(got, "profile/Practitioner") {
			t.Errorf("%s: %v", base, got)
		}
	}
}
