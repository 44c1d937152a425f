// Package contracttest runs the contract inside a Go test. Whoever maintains a
// server of the API, a mock or a proxy of it needs it; programs that are no
// tests use package contract.
//
//	func TestContract(t *testing.T) {
//		target := contract.Target{URL: "http://localhost/fhir/v2", Key: "k"}
//		contracttest.Run(t, target, contract.Checks(), contracttest.InProcess(t, handler))
//	}
package contracttest

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mockfhir/mockfhir/contract"
)

// Option changes how the suite runs: its budget, baseline or ignore list.
type Option func(*contract.Options)

// Run runs checks against a target, each as a subtest named after its ID, and
// returns the report for tests that want to know more. A breaking finding
// fails its subtest; what is additive, or on the ignore list, is logged. A
// check that had nothing to look at, or must not run on this target, is
// skipped.
//
// The limiter is off for a target on loopback and polite for any other.
func Run(t *testing.T, target contract.Target, checks []contract.Check, options ...Option) *contract.Report {
	t.Helper()
	opts := contract.Options{Checks: checks, FailOn: contract.Breaking}
	if target.Local() {
		opts.Rate = contract.Unlimited
	}
	for _, option := range options {
		option(&opts)
	}
	report, err := contract.Run(t.Context(), target, opts)
	if err != nil {
		t.Fatalf("contract: %v", err)
	}
	for _, result := range report.Results {
		t.Run(result.ID, func(t *testing.T) { tell(t, &result, opts.FailOn) })
	}
	for _, f := range report.Findings {
		if !hasCheck(report, f.Check) {
			t.Run(f.Check, func(t *testing.T) { tellFinding(t, &f, opts.FailOn) })
		}
	}
	if report.Verdict == contract.Undecided {
		t.Errorf("no verdict: %s", report.Reason)
	}
	return report
}

func tell(t *testing.T, r *contract.Result, failOn contract.Class) {
	switch r.Outcome {
	case contract.Vacuous, contract.NotApplicable, contract.Waived:
		t.Skipf("%s: %s", r.Outcome, r.Detail)
	case contract.Inconclusive, contract.Failed:
		t.Errorf("%s: %s", r.Outcome, r.Detail)
	}
	for i := range r.Findings {
		tellFinding(t, &r.Findings[i], failOn)
	}
}

func tellFinding(t *testing.T, f *contract.Finding, failOn contract.Class) {
	report := t.Errorf
	if f.Ignored != "" || !f.Class.AtLeast(failOn) {
		report = t.Logf
	}
	var b strings.Builder
	for _, field := range [][2]string{
		{"where", f.Path}, {"was", f.Was}, {"now", f.Now}, {"why", f.Why}, {"source", f.Source}, {"see", f.Curl}, {"ignored", f.Ignored},
	} {
		if field[1] != "" {
			b.WriteString("\n  " + field[0] + ": " + field[1])
		}
	}
	report("%s %s: %s%s", f.Class, f.Reason, f.Message, b.String())
}

func hasCheck(r *contract.Report, id string) bool {
	for i := range r.Results {
		if r.Results[i].ID == id {
			return true
		}
	}
	return false
}

// InProcess sends the requests to a handler instead of the network, whatever
// the target's URL. They still go through net/http on both sides, because a
// good part of the contract is about what HTTP carries; no port is opened.
func InProcess(t testing.TB, handler http.Handler) Option {
	t.Helper()
	pipes := newPipeListener()
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(pipes) }()
	transport := &http.Transport{
		DialContext:        pipes.dial,
		DisableCompression: true, // the checks ask for gzip themselves
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
	})
	return func(o *contract.Options) { o.Client = transport }
}
