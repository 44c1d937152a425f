package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mockfhir/mockfhir/contract"
	"github.com/mockfhir/mockfhir/contract/report"
	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/build"
	"github.com/mockfhir/mockfhir/mockserver"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// testKey is the key of the services below; no output may hold it.
const testKey = "0d9c1f3e-key-of-the-tests"

// service is the API as it should be, without a quota.
func service(t testing.TB) http.Handler {
	t.Helper()
	return mockserver.New(fixtures.Default(), mockserver.WithKeys(testKey), mockserver.WithRate("0"))
}

// serve listens on loopback and returns the base of the API.
func serve(t testing.TB, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL + "/fhir/v2"
}

type outcome struct {
	code     int
	out, err string
}

// command is one call of Main.
type command struct {
	args      []string
	env       map[string]string
	terminal  bool
	transport *http.Transport
	ctx       context.Context
}

func (c command) run(t testing.TB) outcome {
	t.Helper()
	var out, errs bytes.Buffer
	env := Env{
		Args:      c.args,
		LookupEnv: func(name string) (string, bool) { v, ok := c.env[name]; return v, ok },
		Stdin:     strings.NewReader(""), Stdout: &out, Stderr: &errs,
		Terminal:  c.terminal,
		Clock:     &patientClock{now: time.Date(2026, 11, 25, 2, 23, 0, 0, time.UTC)},
		Transport: c.transport,
	}
	if env.Transport == nil {
		env.Transport = &http.Transport{}
	}
	ctx := c.ctx
	if ctx == nil {
		ctx = t.Context()
	}
	code := Main(ctx, env)
	if strings.Contains(out.String()+errs.String(), testKey) {
		t.Errorf("the key is in the output:\n%s\n%s", out.String(), errs.String())
	}
	return outcome{code, out.String(), errs.String()}
}

// patientClock moves when somebody sleeps, so that nothing is waited for.
type patientClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *patientClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *patientClock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return ctx.Err()
}

func withKey(args ...string) command {
	return command{args: args, env: map[string]string{envKey: testKey}}
}

func TestWrongUsageIsOneLineThatSaysWhatIsRight(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	junk := filepath.Join(dir, "junk")
	if err := os.WriteFile(junk, []byte("no such thing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const target = "http://127.0.0.1:1/fhir/v2"
	for _, tt := range []struct {
		name string
		args []string
		env  map[string]string
		want string
	}{
		{"no URL", nil, nil, "verify [flags] URL"},
		{"two URLs", []string{target, target}, nil, "-against"},
		{"no URL but a word", []string{"gateway"}, nil, "https://gateway.api.esante.gouv.fr/fhir/v2"},
		{"a key in the URL", []string{"https://h.example/fhir/v2?api-key=" + testKey}, nil, "environment"},
		{"a password in the URL", []string{"https://u:" + testKey + "@h.example/fhir/v2"}, nil, "environment"},
		{"unknown flag", []string{"-key=" + testKey, target}, nil, "-h lists them"},
		{"format", []string{"-report", "pdf", target}, nil, "text, json, junit, html, markdown, github, testreport"},
		{"format without file", []string{"-report", "html=", target}, nil, "file name"},
		{"two on standard output", []string{"-report", "json", "-report", "text", target}, nil, "html=drift.html"},
		{"two in one file", []string{"-report", "json=x", "-report", "text=x", target}, nil, "its own"},
		{"no directory", []string{"-report", "json=" + dir + "/none/x", target}, nil, "create it first"},
		{"a directory", []string{"-report", "json=" + dir, target}, nil, "name a file in it"},
		{"class", []string{"-fail-on", "benign", target}, nil, "breaking or additive"},
		{"class in the environment", []string{target}, map[string]string{"MOCKFHIR_FAIL_ON": "all"}, "breaking or additive"},
		{"share", []string{"-min-coverage", "120%", target}, nil, "90%"},
		{"rate", []string{"-rate", "fast", target}, nil, "10/1s"},
		{"negative rate", []string{"-rate", "-1/1s", target}, nil, "10/1s"},
		{"rate above ANS's", []string{"-rate", "17/1s", "https://h.example/fhir/v2"}, nil, "at most 16"},
		{"no limit on a distant service", []string{"-rate", "0", "https://h.example/fhir/v2"}, nil, "loopback"},
		{"budget", []string{"-budget", "0", target}, nil, "400"},
		{"boolean", []string{"-probe-quota=maybe", target}, nil, "true or false"},
		{"accept without a reason", []string{"-accept", "b.json", target}, nil, "-reason"},
		{"reason without accept", []string{"-reason", "why", target}, nil, "-accept"},
		{"accept of a part", []string{"-accept", "b.json", "-reason", "why", "-run", "paging", target}, nil, "-run"},
		{"accept nowhere", []string{"-accept", dir + "/none/b.json", "-reason", "why", target}, nil, "create it first"},
		{"no such baseline", []string{"-baseline", dir + "/none", target}, nil, "no such file"},
		{"no baseline", []string{"-baseline", junk, target}, nil, "baseline"},
		{"no such ignore file", []string{"-ignore", dir + "/none", target}, nil, "no such file"},
		{"no ignore file", []string{"-ignore", junk, target}, nil, "line 1"},
		{"no certificate", []string{"-ca", junk, target}, nil, "BEGIN CERTIFICATE"},
		{"no request", []string{"-requests", junk, target}, nil, "[GET] PATH"},
		{"pattern", []string{"-run", "(", target}, nil, "regular expression"},
		{"pattern of nothing", []string{"-run", "nothing-like-it", target}, nil, "-list"},
		{"a key no header carries", []string{target}, map[string]string{envKey: "a\x01b"}, envKey},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := command{args: tt.args, env: tt.env}.run(t)
			if got.code != exitUsage || got.out != "" {
				t.Errorf("exit %d, output %q; want 2 and none\n%s", got.code, got.out, got.err)
			}
			if !strings.HasPrefix(got.err, "verify: ") || strings.Count(got.err, "\n") != 1 || !strings.Contains(got.err, tt.want) {
				t.Errorf("error %q; want one line with %q", got.err, tt.want)
			}
		})
	}
}

func TestHelpAndVersion(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"-h", "-help", "--help"} {
		got := command{args: []string{flag}}.run(t)
		if got.code != exitHolds || got.err != "" {
			t.Errorf("%s: exit %d, error %q", flag, got.code, got.err)
		}
		golden(t, filepath.Join("testdata", "usage.txt"), got.out)
	}
	got := command{args: []string{"-version"}}.run(t)
	if want := "verify " + build.Version() + "\ncommit "; got.code != exitHolds || !strings.HasPrefix(got.out, want) {
		t.Errorf("-version: exit %d, %q; want 0, %q", got.code, got.out, want)
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update accepts):\n%s", file, diff)
	}
}

// TestList: the IDs are for ever, and each check names its source.
func TestList(t *testing.T) {
	t.Parallel()
	got := command{args: []string{"-list", "-run", "^keys/"}}.run(t)
	lines := strings.Split(strings.TrimSpace(got.out), "\n")
	if got.code != exitHolds || len(lines) < 3 {
		t.Fatalf("exit %d, %d lines\n%s", got.code, len(lines), got.err)
	}
	for _, line := range lines {
		if !regexp.MustCompile(`^keys/\S+ +(required|observed) +\S.* \S+$`).MatchString(line) {
			t.Errorf("line %q is not ID, level, title, source", line)
		}
	}
}

func TestFlagsWinOverEnvironment(t *testing.T) {
	t.Parallel()
	env := map[string]string{
		"MOCKFHIR_FAIL_ON": "additive", "MOCKFHIR_REPORT": "json,html=env.html", envRate: "5/1s", "MOCKFHIR_BUDGET": "7",
		"MOCKFHIR_RATE": "17/1s", // the mock's, not ours
		envKey:          " " + testKey + "\n",
	}
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	c, err := parse(Env{Args: []string{"http://127.0.0.1/fhir/v2", "-budget", "9", "-report", "text=flag.txt", "-report", "junit=flag.xml"}, LookupEnv: lookup})
	if err != nil {
		t.Fatal(err)
	}
	if c.failOn != contract.Additive || c.rate != 5 || c.budget != 9 || c.key != testKey {
		t.Errorf("fail-on %s, rate %v, budget %d; want additive, 5, 9, and the key without blanks", c.failOn, c.rate, c.budget)
	}
	want := []sink{{report.Text, "flag.txt"}, {report.JUnit, "flag.xml"}}
	if diff := cmp.Diff(want, c.reports, cmp.AllowUnexported(sink{})); diff != "" {
		t.Errorf("reports (-want +got):\n%s", diff)
	}
	if c, err = parse(Env{Args: []string{"http://127.0.0.1/fhir/v2"}, LookupEnv: lookup}); err != nil {
		t.Fatal(err)
	}
	if len(c.reports) != 2 || c.reports[1].file != "env.html" {
		t.Errorf("reports of the environment: %v", c.reports)
	}
}

func TestFlagValues(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]float64{"10/1s": 10, "600/1m": 10, "5": 5, "1/2s": 0.5, "0": contract.Unlimited, "0/1s": contract.Unlimited} {
		var got float64
		if err := (rate{&got}).Set(in); err != nil || got != want {
			t.Errorf("-rate %s = %v, %v; want %v", in, got, err, want)
		}
	}
	for in, want := range map[string]float64{"90%": 0.9, "90": 0.9, "0.9": 0.9, "1": 1, "100%": 1, "1%": 0.01, "0": 0} {
		var got float64
		if err := (share{&got}).Set(in); err != nil || got != want {
			t.Errorf("-min-coverage %s = %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "NaN", "Inf", "1/0s", "1/-1s", "1/x", "1e9"} {
		var got float64
		if err := (rate{&got}).Set(in); err == nil {
			t.Errorf("-rate %q = %v, want an error", in, got)
		}
	}
}

// TestTheKeyStaysWithItsService: a second service gets no key of the first.
func TestTheKeyStaysWithItsService(t *testing.T) {
	t.Parallel()
	c := &config{url: "https://gateway.example/fhir/v2", key: testKey}
	for address, want := range map[string]string{
		"https://gateway.example/fhir/v2": testKey, "https://GATEWAY.example/fhir": testKey,
		"https://other.example/fhir/v2": "", "http://gateway.example/fhir/v2": "",
		"http://127.0.0.1:8080/fhir/v2": mockserver.DemoKey, "http://localhost:8080/fhir/v2": mockserver.DemoKey, "http://[::1]/fhir/v2": mockserver.DemoKey,
	} {
		if got := c.keyFor(address); got != want {
			t.Errorf("keyFor(%s) = %q, want %q", address, got, want)
		}
	}
}

func TestTheContractHolds(t *testing.T) {
	t.Parallel()
	base := serve(t, service(t))
	got := withKey("-rate", "0", "-run", "^(keys|metadata)/", base).run(t)
	if got.code != exitHolds || !strings.Contains(got.out, "the contract holds") {
		t.Fatalf("exit %d\n%s%s", got.code, got.out, got.err)
	}
	if lines := strings.Count(got.err, "\n"); lines != 1 || !strings.Contains(got.err, "at most 400 requests") {
		t.Errorf("standard error in CI:\n%swant the one line that announces the budget", got.err)
	}
}

func TestProgressOnATerminal(t *testing.T) {
	t.Parallel()
	c := withKey("-rate", "0", "-run", "^keys/", serve(t, service(t)))
	c.terminal = true
	got := c.run(t)
	if !strings.Contains(got.err, "\r\x1b[K") || !strings.HasSuffix(got.err, "\r\x1b[K") {
		t.Errorf("standard error %q: want a line written over and wiped", got.err)
	}
	if strings.Contains(got.out, "\x1b") {
		t.Error("the report holds control sequences")
	}
}

// internalNext is the incident of March 2026 (issue #393).
func internalNext(next http.Handler) http.Handler {
	return rewrite(next, func(r *http.Request, body []byte) []byte {
		return regexp.MustCompile(`"relation": ?"next", ?"url": ?"http://[^/]+`).ReplaceAll(body, []byte(`"relation": "next","url": "http://10.0.66.99:8080`))
	})
}

// rewrite changes the bodies of another handler.
func rewrite(next http.Handler, change func(r *http.Request, body []byte) []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		for name, values := range rec.Header() {
			if name != "Content-Length" {
				w.Header()[name] = values
			}
		}
		w.WriteHeader(rec.Code)
		_, _ = w.Write(change(r, rec.Body.Bytes()))
	})
}

func TestDrift(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	page, summary := filepath.Join(dir, "drift.html"), filepath.Join(dir, "summary.md")
	c := withKey("-rate", "0", "-run", "^(keys|paging)/", "-report", "github", "-report", "html="+page, serve(t, internalNext(service(t))))
	c.env["GITHUB_STEP_SUMMARY"] = summary
	if err := os.WriteFile(summary, []byte("before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := c.run(t)
	if got.code != 1 || !strings.Contains(got.out, "::error title=breaking link%3A") {
		t.Fatalf("exit %d\n%s%s", got.code, got.out, got.err)
	}
	for file, want := range map[string]string{page: "The service has drifted", summary: "## What broke"} {
		if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s, %v: want %q", file, err, want)
		}
	}
	if text, _ := os.ReadFile(summary); !strings.HasPrefix(string(text), "before\n") {
		t.Error("the step summary of other commands is gone")
	}
}

// TestNoVerdict: whatever keeps verify from judging is exit 3 and a sentence,
// never drift and never green.
func TestNoVerdict(t *testing.T) {
	t.Parallel()
	html := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<html><body>Maintenance</body></html>")
	})
	closed := httptest.NewServer(html)
	closed.Close()
	untrusted := httptest.NewTLSServer(service(t))
	untrusted.Config.ErrorLog = nil
	t.Cleanup(untrusted.Close)
	reset := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	redirect := http.RedirectHandler("https://login.example/", http.StatusFound)
	garbage := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = io.WriteString(w, "not gzip")
	})
	huge := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for chunk := make([]byte, 1<<20); ; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	for _, tt := range []struct{ name, url, key, want string }{
		{"reset", serve(t, reset), testKey, "closes the connection"},
		{"redirects", serve(t, redirect), testKey, "redirected to https://login.example"},
		{"no gzip", serve(t, garbage), testKey, "gzip"},
		{"without end", serve(t, huge), testKey, "larger than"},
		{"refused", closed.URL + "/fhir/v2", testKey, "refused"},
		{"maintenance", serve(t, html), testKey, "HTML page"},
		{"another key", serve(t, service(t)), "another", envKey},
		{"certificate", untrusted.URL + "/fhir/v2", testKey, "certificate"},
		{"route lost", strings.TrimSuffix(serve(t, service(t)), "/fhir/v2") + "/elsewhere", testKey, "404"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := command{args: []string{"-rate", "0", tt.url}, env: map[string]string{envKey: tt.key}}.run(t)
			if got.code != exitInconclusive || !strings.Contains(got.out, "no verdict") || !strings.Contains(got.out, tt.want) {
				t.Errorf("exit %d, want 3 and %q\n%s%s", got.code, tt.want, got.out, got.err)
			}
		})
	}
}

func TestCertificatesOfAFile(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(service(t))
	t.Cleanup(server.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	got := withKey("-rate", "0", "-ca", ca, "-run", "^keys/missing$", server.URL+"/fhir/v2").run(t)
	if got.code != exitHolds {
		t.Errorf("exit %d\n%s%s", got.code, got.out, got.err)
	}
}

func TestProxy(t *testing.T) {
	t.Parallel()
	handler := service(t)
	var asked atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		r.RequestURI = r.URL.RequestURI() // from absolute to origin form, as a proxy forwards it
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	where, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := withKey("-rate", "16/1s", "-run", "^keys/missing$", "http://gateway.example/fhir/v2")
	c.transport = &http.Transport{Proxy: http.ProxyURL(where)}
	if got := c.run(t); got.code != exitHolds || asked.Load() == 0 {
		t.Errorf("exit %d after %d requests through the proxy\n%s%s", got.code, asked.Load(), got.out, got.err)
	}
}

// TestInterruption: Ctrl-C ends the run, and what it saw is a valid report.
func TestInterruption(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var asked atomic.Int32
	handler := service(t)
	base := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 30 {
			stop()
		}
		handler.ServeHTTP(w, r)
	}))
	file := filepath.Join(t.TempDir(), "partial.json")
	c := withKey("-rate", "0", "-report", "json="+file, base)
	c.ctx = ctx
	if got := c.run(t); got.code != exitInconclusive || !strings.Contains(got.out, "cut short") {
		t.Errorf("exit %d\n%s%s", got.code, got.out, got.err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r contract.Report
	if err := json.Unmarshal(text, &r); err != nil || !r.Partial || r.Verdict != contract.Undecided {
		t.Errorf("partial %v, verdict %q, %v; want a partial report without verdict", r.Partial, r.Verdict, err)
	}
}

// TestAccept writes what the service looks like, and never an outage. The
// comparison with it is in testdata/script/verify_baseline.txtar.
func TestAccept(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "baseline.json")
	got := withKey("-rate", "0", "-accept", file, "-reason", "first look", serve(t, service(t))).run(t)
	if got.code != exitHolds {
		t.Fatalf("exit %d\n%s%s", got.code, got.out, got.err)
	}
	text, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(text), "first look") || !strings.Contains(string(text), "2026-11-25T02:23:") {
		t.Fatalf("the baseline lacks its reason or date: %v", err)
	}
	if got = withKey("-accept", file, "-reason", "never", "http://127.0.0.1:1/fhir/v2").run(t); got.code != exitInconclusive {
		t.Errorf("accepting an outage: exit %d\n%s%s", got.code, got.out, got.err)
	}
	if after, _ := os.ReadFile(file); !bytes.Equal(text, after) {
		t.Error("an outage was accepted as the new normal")
	}
}

func TestAgainstMock(t *testing.T) {
	t.Parallel()
	got := withKey("-rate", "0", "-run", "^(keys|paging)/", "-against", "mock", serve(t, internalNext(service(t)))).run(t)
	if got.code != 1 || !regexp.MustCompile(`(?m)^promised +mock +service$`).MatchString(got.out) {
		t.Fatalf("exit %d\n%s%s", got.code, got.out, got.err)
	}
	if !regexp.MustCompile(`(?m)^.*\(paging/\S+\) +holds +drift +<- differs$`).MatchString(got.out) {
		t.Errorf("no row where the mock holds and the service drifted:\n%s", got.out)
	}
}

func TestAgainstURL(t *testing.T) {
	t.Parallel()
	other := serve(t, mockserver.New(fixtures.Default(), mockserver.WithRate("0"))) // accepts the demo key alone
	got := withKey("-rate", "0", "-run", "^keys/", "-against", other, serve(t, service(t))).run(t)
	host := strings.TrimSuffix(strings.TrimPrefix(other, "http://"), "/fhir/v2")
	if got.code != exitHolds || !strings.Contains(got.out, host) {
		t.Errorf("exit %d\n%s%s", got.code, got.out, got.err)
	}
}

func TestRequestsOfAFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "requests")
	text := "# ours\nPractitioner?active=true&_count=5\nmetadata\nPOST PractitionerRole/_search active=true&_count=5\nPractitioner?family=Zanzibar&nonsense=1\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got := withKey("-rate", "0", "-requests", file, "-run", "^requests/", serve(t, service(t))).run(t)
	if got.code != 1 || strings.Count(got.out, "BREAKING") != 1 || !strings.Contains(got.out, "requests/line-5") {
		t.Errorf("exit %d: want drift for line 5 alone, which the service refuses\n%s%s", got.code, got.out, got.err)
	}
	if strings.Contains(got.out, "Zanzibar") {
		t.Errorf("the report tells whom the request is about:\n%s", got.out)
	}
}

// Version 1 answers XML where it is asked for, and only there.
func TestRequestsInXML(t *testing.T) {
	t.Parallel()
	const requests = "Device?status=active&_format=xml\nDevice?status=active&_format=application/fhir%2Bxml\nmetadata?_format=xml\nPOST Organization/_search active=true&_format=text/xml\n" +
		"Organization/001-02-40000001?_format=application/fhir+xml\nDevice?_format=json&_format=xml\nDevice?_format=none\n"
	file := filepath.Join(t.TempDir(), "requests")
	if err := os.WriteFile(file, []byte(requests), 0o600); err != nil {
		t.Fatal(err)
	}
	api := service(t)
	one := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RequestURI = strings.Replace(r.RequestURI, "/fhir/v2", "/fhir/v1", 1)
		api.ServeHTTP(w, r)
	})
	asVersionOne := func(h http.Handler) string { return strings.TrimSuffix(serve(t, h), "/v2") + "/v1" }
	change := func(was, now string) http.Handler {
		return rewrite(api, func(_ *http.Request, body []byte) []byte {
			return regexp.MustCompile(was).ReplaceAll(body, []byte(now))
		})
	}
	for _, tt := range []struct {
		name, target string
		drifts       int
		tells        string
	}{
		{"as asked", asVersionOne(api), 0, "the contract holds"},
		{"cut off", asVersionOne(change("</Bundle>", "")), 3, "200 broken XML instead of a Bundle in XML"},
		{"of another vocabulary", asVersionOne(change(`<Bundle xmlns="[^"]*"`, `<Bundle`)), 3, "200 XML that is no resource instead"},
		{"unasked", serve(t, one), 5, "200 Bundle in XML instead of a Bundle"},
		{"JSON instead", asVersionOne(change("(?s)^<Bundle.*", `{"resourceType":"Bundle","type":"searchset"}`)), 3, "200 Bundle instead of a Bundle in XML"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := withKey("-rate", "0", "-requests", file, "-run", "^requests/", tt.target).run(t)
			if strings.Count(got.out, "BREAKING") != tt.drifts || (got.code == exitHolds) != (tt.drifts == 0) || !strings.Contains(got.out, tt.tells) {
				t.Errorf("exit %d: want %d drifts and %q\n%s%s", got.code, tt.drifts, tt.tells, got.out, got.err)
			}
		})
	}
}

func TestParseRequests(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"", "# nothing", "https://h.example/Practitioner", "//h.example/x", "Practitioner?a=b c", "POST Practitioner/_search", "DELETE Practitioner/1",
		"../v1/Practitioner", "GET", "POST", "Practitioner#x", "Practitioner?a=%zz\x7f", strings.Repeat("Device\n", maxRequests+1), strings.Repeat("x", 70000),
	} {
		if checks, err := parseRequests(strings.NewReader(bad)); err == nil {
			t.Errorf("%.40q gives %d checks, want an error", bad, len(checks))
		}
	}
	checks, err := parseRequests(strings.NewReader("Device\n\n# x\nGET /Organization/1\n"))
	if err != nil || len(checks) != 2 || checks[1].ID != "requests/line-4" {
		t.Errorf("%d checks, %v; want 2, the second of line 4", len(checks), err)
	}
}

// TestReportsThatCannotBeWritten: a green nobody can read is no green.
func TestReportsThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	blocked := filepath.Join(dir, "summary", "is", "not", "there")
	c := withKey("-rate", "0", "-run", "^keys/missing$", "-report", "github", serve(t, service(t)))
	c.env["GITHUB_STEP_SUMMARY"] = blocked
	if got := c.run(t); got.code != exitInconclusive || !strings.Contains(got.err, "step summary") {
		t.Errorf("exit %d, %q; want 3 and a word on the step summary", got.code, got.err)
	}
}

func TestSummaryFits(t *testing.T) {
	t.Parallel()
	text := bytes.Repeat([]byte("a line of it\n"), 1000)
	got := shorten(text, 500)
	if len(got) > 500 || !bytes.HasSuffix(got, []byte("the other reports have it.\n")) || !bytes.HasPrefix(got, []byte("a line of it\n")) {
		t.Errorf("%d bytes: %q", len(got), got)
	}
	if got := shorten(text, len(text)); !bytes.Equal(got, text) {
		t.Error("what fits is cut")
	}
}
