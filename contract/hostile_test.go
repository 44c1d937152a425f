package contract_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mockfhir/mockfhir/contract"
	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/mockserver"
)

// Whatever answers that is not the service, the run ends soon, says so in a
// sentence and is neither green nor drift.
func TestNoVerdictOnWhatIsNotTheService(t *testing.T) {
	t.Parallel()
	answer := func(status int, contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	zipped := func(body string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = io.WriteString(z, body)
		_ = z.Close()
		return b.String()
	}
	with := func(name, value string, next http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set(name, value)
			next(w, r)
		}
	}
	const html = "<!DOCTYPE html><html><body>Maintenance en cours</body></html>"
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		says    string
	}{
		{"hangs", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "did not answer within"},
		{"resets", func(w http.ResponseWriter, _ *http.Request) {
			c, _, _ := w.(http.Hijacker).Hijack()
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
		}, "closes the connection"},
		{"answers HTML", answer(200, "text/html", html), "HTML page"},
		{"answers HTML, packed", with("Content-Encoding", "gzip", answer(200, "text/html", zipped(html))), "HTML page"},
		{"says gzip and is not", with("Content-Encoding", "gzip", answer(200, "application/fhir+json", "plain")), "does not finish"},
		{"answers a bomb", with("Content-Encoding", "gzip", answer(200, "application/fhir+json", zipped(strings.Repeat(" ", 64<<20)))), "does not finish"},
		{"redirects", with("Location", "https://portal.example.org/login?k=secret", answer(302, "text/html", "")), "redirected to https://portal.example.org"},
		{"redirects in a circle", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
		}, "redirected"},
		{"answers 100 MB", func(w http.ResponseWriter, _ *http.Request) {
			chunk := bytes.Repeat([]byte("x"), 1<<20)
			for range 100 {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}, "larger than"},
		{"breaks off", with("Content-Length", "1000", answer(200, "application/fhir+json", `{"resourceType":"Bun`)), "broke off"},
		{"is closed", with("Retry-After", "3600", answer(503, "text/plain", "closed")), "come back in 1h0m0s"},
		{"fails", answer(502, "", ""), "an outage"},
		{"lost its route", answer(404, "text/plain", "No context-path matches the request URI."), "route is lost"},
		{"refuses the key", answer(401, "text/plain", "Unauthorized"), "key is refused (401)"},
		{"throttles", answer(429, "text/plain", "Rate limit exceeded!"), "429"},
		{"is something else", answer(200, "text/plain", "hello"), "no FHIR server"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewUnstartedServer(c.handler)
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.Start()
			defer server.Close()
			opts := contract.Options{}
			if c.name == "hangs" {
				opts.Patience = 200 * time.Millisecond
			}
			inconclusive(t, server.URL+"/fhir/v2", c.says, opts)
		})
	}
}

func inconclusive(t *testing.T, url, says string, opts contract.Options) {
	t.Helper()
	opts.Clock = impatient{}
	if opts.Rate == 0 {
		opts.Rate = contract.Unlimited
	}
	report, err := contract.Run(t.Context(), contract.Target{URL: url, Key: "s3cret"}, opts)
	if err != nil {
		t.Fatal(err)
	}
	if report.Verdict != contract.Undecided || report.Verdict.ExitCode() != 3 || !strings.Contains(report.Reason, says) {
		t.Errorf("%s: %q, want inconclusive and a sentence with %q", report.Verdict, report.Reason, says)
	}
	if strings.Contains(report.Reason, "s3cret") || len(report.Findings) > 0 || len(report.Results) != len(contract.Checks()) {
		t.Errorf("%q, %d findings, %d results", report.Reason, len(report.Findings), len(report.Results))
	}
	if took := report.Ended.Sub(report.Started); report.Requests > 12 || took > 30*time.Second {
		t.Errorf("it took %d requests and %v to see that", report.Requests, took)
	}
}

// impatient waits for nothing but answers.
type impatient struct{}

func (impatient) Now() time.Time                                   { return time.Now() }
func (impatient) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

func TestNoVerdictWithoutTrustOrConnection(t *testing.T) {
	t.Parallel()
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	trusting := untrusted.Client().Transport.(*http.Transport).Clone()
	trusting.TLSClientConfig.ServerName = "annuaire.invalid"

	inconclusive(t, untrusted.URL+"/fhir/v2", "authority this machine does not trust", contract.Options{})
	inconclusive(t, untrusted.URL+"/fhir/v2", "for another host", contract.Options{Client: trusting})
	inconclusive(t, closed.URL+"/fhir/v2", "refused", contract.Options{})
	inconclusive(t, strings.Replace(closed.URL, "http:", "https:", 1)+"/fhir/v2", "refused", contract.Options{})
	inconclusive(t, "http://annuaire.invalid/fhir/v2", "cannot be reached", contract.Options{Client: deaf{}, Rate: contract.MaxRate})

	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	inconclusive(t, strings.Replace(plain.URL, "http:", "https:", 1)+"/fhir/v2", "TLS", contract.Options{Client: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}})
}

// deaf is a network without the host.
type deaf struct{}

func (deaf) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, &net.DNSError{Err: "no such host", Name: "annuaire.invalid", IsNotFound: true}
}

// An outage in the middle of a run is none of the contract's affair either.
func TestOutageDuringTheRun(t *testing.T) {
	t.Parallel()
	server := mockserver.New(fixtures.Default(), mockserver.WithKeys("k"), mockserver.WithRate("0"))
	for name, down := range map[string]http.HandlerFunc{
		"502": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		"cut": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"route": func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, "No context-path matches the request URI.", 404)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int64
			flaky := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if calls.Add(1) > 60 {
					down(w, r)
					return
				}
				server.ServeHTTP(w, r)
			})
			target := httptest.NewUnstartedServer(flaky)
			target.Config.ErrorLog = log.New(io.Discard, "", 0)
			target.Start()
			defer target.Close()
			report, err := contract.Run(t.Context(), contract.Target{URL: target.URL + "/fhir/v2", Key: "k"}, contract.Options{Rate: contract.Unlimited, Clock: impatient{}})
			if err != nil {
				t.Fatal(err)
			}
			if report.Verdict != contract.Undecided {
				t.Errorf("%s: %s", report.Verdict, report.Reason)
			}
			t.Log(report.Requests, report.Reason)
		})
	}
}

// An interrupted run leaves a report with a line for every check.
func TestInterruptedRun(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	server := mockserver.New(fixtures.Default(), mockserver.WithKeys("k"), mockserver.WithRate("0"))
	report, err := contract.Run(ctx, contract.Target{URL: base, Key: "k"}, contract.Options{
		Client: inProcess{server}, Clock: newFakeClock(),
		Progress: func(p contract.Progress) {
			if p.Done == 20 {
				interrupt()
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !report.Partial || report.Verdict != contract.Undecided || !strings.Contains(report.Reason, "interrupted after 2") {
		t.Errorf("%+v", fmt.Sprint(report.Partial, report.Verdict, report.Reason))
	}
	if len(report.Results) != len(contract.Checks()) || report.Ended.IsZero() {
		t.Errorf("%d results, ended %v", len(report.Results), report.Ended)
	}
}
