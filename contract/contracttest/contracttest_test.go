package contracttest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/mockfhir/mockfhir/contract"
	"github.com/mockfhir/mockfhir/contract/contracttest"
	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/mockserver"
)

// tiny answers what the preflight asks, and a page whose size tells how it was
// reached.
func tiny() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/fhir+json")
		kind := "Bundle"
		if strings.HasSuffix(r.URL.Path, "/metadata") {
			kind = "CapabilityStatement"
		}
		w.Header().Set("X-Remote", r.RemoteAddr)
		_, _ = fmt.Fprintf(w, `{"resourceType":%q}`, kind)
	})
}

func check(id string, run func(context.Context, *contract.Probe) error) contract.Check {
	return contract.Check{ID: id, Title: id, Level: contract.Required, Source: "this test", Run: run}
}

func passing(ctx context.Context, p *contract.Probe) error {
	a, err := p.Get(ctx, "Device?_count=1")
	if err != nil {
		return err
	}
	p.Saw()
	if a.ResourceType() != "Bundle" {
		p.Drift(contract.Finding{Message: "no Bundle", Reason: contract.Protocol}, a)
	}
	return nil
}

func TestRunOverASocket(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(tiny())
	defer server.Close()
	report := contracttest.Run(t, contract.Target{URL: server.URL + "/fhir/v2", Key: "k"}, []contract.Check{check("tiny/bundle", passing)})
	if report.Verdict != contract.Holds || report.Results[0].Outcome != contract.Pass {
		t.Errorf("verdict %s, outcome %s; want holds, pass", report.Verdict, report.Results[0].Outcome)
	}
}

func TestRunInProcess(t *testing.T) {
	t.Parallel()
	remote := check("tiny/remote", func(ctx context.Context, p *contract.Probe) error {
		a, err := p.Get(ctx, "Device?_count=1")
		if err != nil {
			return err
		}
		p.Saw()
		if got := a.Header.Get("X-Remote"); got != "127.0.0.1:0" {
			p.Drift(contract.Finding{Message: "came from " + got, Reason: contract.Protocol}, a)
		}
		return nil
	})
	target := contract.Target{URL: "http://localhost/fhir/v2", Key: "k"}
	contracttest.Run(t, target, []contract.Check{check("tiny/bundle", passing), remote}, contracttest.InProcess(t, tiny()))
}

// TestTheMockKeepsTheContract runs the suite both ways on the default mock.
func TestTheMockKeepsTheContract(t *testing.T) {
	t.Parallel()
	mock := mockserver.New(fixtures.Default(), mockserver.WithKeys("k"), mockserver.WithRate("0"))
	server := httptest.NewServer(mock)
	t.Cleanup(server.Close)
	for _, tt := range []struct {
		name, url string
		options   []contracttest.Option
	}{
		{"in process", "http://localhost/fhir/v2", []contracttest.Option{contracttest.InProcess(t, mock)}},
		{"over a socket", server.URL + "/fhir/v2", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			report := contracttest.Run(t, contract.Target{URL: tt.url, Key: "k"}, contract.Checks(), tt.options...)
			if report.Verdict != contract.Holds || report.Coverage.Vacuous > 0 {
				t.Errorf("verdict %s, %d vacuous: %s", report.Verdict, report.Coverage.Vacuous, report.Reason)
			}
		})
	}
}

// TestOutcomesAreTold runs this test binary again on a target that fails in
// every way, and looks at what go test would print.
func TestOutcomesAreTold(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0], "-test.run=^TestEveryOutcome$", "-test.v")
	cmd.Env = append(os.Environ(), everyOutcome+"=1")
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Error("a breaking finding did not fail the test")
	}
	for _, want := range []string{
		"--- PASS: TestEveryOutcome/some/pass", "--- FAIL: TestEveryOutcome/some/drift", "--- SKIP: TestEveryOutcome/some/vacuous",
		"--- SKIP: TestEveryOutcome/some/elsewhere", "--- FAIL: TestEveryOutcome/some/mistake", "--- PASS: TestEveryOutcome/some/news",
		"breaking shape: it broke", "source: this test", "additive shape: it grew",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("go test does not print %q:\n%s", want, out)
		}
	}
}

const everyOutcome = "CONTRACTTEST_EVERY_OUTCOME"

func TestEveryOutcome(t *testing.T) {
	if os.Getenv(everyOutcome) == "" {
		return // only TestOutcomesAreTold wants it, and expects it to fail
	}
	finds := func(class contract.Class, message string) func(context.Context, *contract.Probe) error {
		return func(ctx context.Context, p *contract.Probe) error {
			p.Saw()
			p.Drift(contract.Finding{Class: class, Reason: contract.Shape, Message: message}, nil)
			return nil
		}
	}
	contracttest.Run(t, contract.Target{URL: "http://localhost/fhir/v2"}, []contract.Check{
		check("some/pass", passing),
		check("some/drift", finds(contract.Breaking, "it broke")),
		check("some/news", finds(contract.Additive, "it grew")),
		check("some/vacuous", func(context.Context, *contract.Probe) error { return nil }),
		check("some/elsewhere", func(_ context.Context, p *contract.Probe) error { return p.NotApplicable("not here") }),
		check("some/mistake", func(context.Context, *contract.Probe) error { return io.ErrUnexpectedEOF }),
	}, contracttest.InProcess(t, tiny()))
}
