package record_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/mockfhir/mockfhir/contract"
	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/internal/record"
	"github.com/mockfhir/mockfhir/internal/redact"
	"github.com/mockfhir/mockfhir/internal/synth"
	"github.com/mockfhir/mockfhir/mockserver"
)

const (
	testKey    = "c0ffee00-1111-4222-8333-444455556666"
	testSecret = "a secret of the tests, long enough"
)

// generated is a directory of another seed than the embedded one.
func generated(t testing.TB, seed uint64) *fixtures.Set {
	t.Helper()
	return generatedOf(t, seed, synth.DefaultSize)
}

func generatedOf(t testing.TB, seed uint64, size synth.Size) *fixtures.Set {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "resources"), 0o755); err != nil {
		t.Fatal(err)
	}
	err := synth.Generate(synth.Options{Seed: seed, Size: size}, func(typ string) (io.WriteCloser, error) {
		return os.Create(filepath.Join(dir, "resources", typ+".ndjson"))
	})
	if err != nil {
		t.Fatal(err)
	}
	set, err := fixtures.Load(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func serve(t testing.TB, h http.Handler) (base string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL + "/fhir/v2"
}

func mock(set *fixtures.Set) http.Handler {
	return mockserver.New(set, mockserver.WithKeys(testKey), mockserver.WithRate("0"))
}

func target(t testing.TB, base string) record.Target {
	t.Helper()
	u, err := record.ParseTarget(base)
	if err != nil {
		t.Fatal(err)
	}
	return record.Target{Base: u, Key: testKey}
}

func walk(t testing.TB, base string) *redact.Set {
	t.Helper()
	set, err := record.Walk(context.Background(), record.Options{Target: target(t, base), Secret: []byte(testSecret)})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// load reads a set as a mock server does, without a disk.
func load(t testing.TB, set *redact.Set) *fixtures.Set {
	t.Helper()
	files := fstest.MapFS{}
	for name, data := range set.Files() {
		files[name] = &fstest.MapFile{Data: data}
	}
	loaded, err := fixtures.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

var pageMark = regexp.MustCompile(`\$\{page:[0-9a-z]+\}`)

// replayer asks a mock what a recording asked, with tokens of the mock where
// the recording has placeholders.
type replayer struct {
	base   string
	tokens map[string]string // by placeholder
}

func (p *replayer) ask(t *testing.T, x *fixtures.Exchange) (status int, header http.Header, body string) {
	t.Helper()
	fill := func(mark string) string {
		if p.tokens[mark] == "" {
			t.Errorf("%s is asked for before anything linked to it", mark)
		}
		return p.tokens[mark]
	}
	path := pageMark.ReplaceAllStringFunc(x.Request.Target, fill)
	req, err := http.NewRequest(x.Request.Method, strings.TrimSuffix(p.base, "/fhir/v2")+path, bytes.NewReader(x.Request.Body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range x.Request.Header {
		for _, v := range values {
			req.Header.Add(name, strings.ReplaceAll(v, fixtures.KeyPlaceholder, testKey))
		}
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, strings.ReplaceAll(string(text), strings.TrimSuffix(p.base, "/fhir/v2"), fixtures.OriginPlaceholder)
}

// compare reports whether an answer is the recorded body, and notes what
// stands for its placeholders.
func (p *replayer) compare(recorded, answer string) bool {
	var marks []string
	pattern := regexp.QuoteMeta(recorded)
	pattern = regexp.MustCompile(`\\\$\\\{page:([0-9a-z]+)\\\}`).ReplaceAllStringFunc(pattern, func(m string) string {
		marks = append(marks, strings.ReplaceAll(m, `\`, ""))
		return `(u[A-Za-z0-9_=-]+)`
	})
	found := regexp.MustCompile(`^(?s:` + pattern + `)$`).FindStringSubmatch(answer)
	for i, mark := range marks {
		if found != nil {
			p.tokens[mark] = found[i+1]
		}
	}
	return found != nil
}

func TestARecordingIsReplayedByteForByte(t *testing.T) {
	t.Parallel()
	set := load(t, walk(t, serve(t, mock(generated(t, 20260901)))))
	p := replayer{base: serve(t, mock(set)), tokens: map[string]string{}}
	asked, pages := 0, 0
	for _, s := range set.Scenarios {
		for i := range s.Exchanges {
			x := &s.Exchanges[i]
			status, header, body := p.ask(t, x)
			if status != x.Response.Status {
				t.Errorf("%s, exchange %d: answers %d, recorded %d", s.File, i+1, status, x.Response.Status)
			}
			if !p.compare(string(x.Response.Body), body) {
				t.Errorf("%s, exchange %d (%s): another body\n%.400s\nrecorded\n%.400s", s.File, i+1, x.Request.Target, body, x.Response.Body)
			}
			for _, f := range x.Response.Header {
				if got := header.Get(f.Name); got != f.Value && f.Name != "Connection" {
					t.Errorf("%s, exchange %d: %s is %q, recorded %q", s.File, i+1, f.Name, got, f.Value)
				}
			}
			asked++
			if strings.Contains(x.Request.Target, "${page:") {
				pages++
			}
		}
	}
	if asked < 100 || pages < 8 || len(set.Resources) < 200 {
		t.Errorf("%d exchanges, %d of them pages, %d resources: too few to tell anything", asked, pages, len(set.Resources))
	}
}

func TestARecordingSaysWhichGuideItFollows(t *testing.T) {
	t.Parallel()
	service := mock(generated(t, 77))
	telling := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner := httptest.NewRecorder()
		service.ServeHTTP(inner, r)
		inner.Header().Del("Content-Length")
		maps.Copy(w.Header(), inner.Header())
		w.WriteHeader(inner.Code)
		_, _ = io.WriteString(w, strings.Replace(inner.Body.String(), `"resourceType":"CapabilityStatement",`,
			`"resourceType":"CapabilityStatement","implementationGuide":["https://interop.esante.gouv.fr/ig/fhir/annuaire|1.2.0"],`, 1))
	})
	for want, h := range map[string]http.Handler{fixtures.Default().Manifest.IGVersion: service, "1.2.0": telling} {
		if got := load(t, walk(t, serve(t, h))).Manifest; got.IGVersion != want || got.APIVersion != "v2" {
			t.Errorf("guide %q, API %q; want %q, v2", got.IGVersion, got.APIVersion, want)
		}
	}
}

func TestVerifyPassesOnARecording(t *testing.T) {
	t.Parallel()
	national := func(n int) synth.Size { // the proportions of mockfhir generate
		return synth.Size{Practitioners: n, PractitionerRoles: n * 6 / 5, Organizations: n * 3 / 10, HealthcareServices: n / 15, Devices: max(n/200, 4)}
	}
	for seed, size := range map[uint64]synth.Size{77: synth.DefaultSize, 1: national(300), 3: national(1800), 13: national(1200), 22: national(300)} {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			verify(t, load(t, walk(t, serve(t, mock(generatedOf(t, seed, size))))))
		})
	}
}

// verify holds a set to the contract, and every reference to a resource of it.
func verify(t *testing.T, set *fixtures.Set) {
	t.Helper()
	held := map[string]bool{}
	for _, r := range set.Resources {
		held[r.Type+"/"+r.ID] = true
	}
	for _, r := range set.Resources {
		node, err := fhir.ParseString(r.JSON)
		if err != nil {
			t.Fatal(err)
		}
		for _, reference := range redact.References(node) {
			if !held[reference] {
				t.Errorf("%s/%s refers to %s, which is not in the set", r.Type, r.ID, reference)
			}
		}
	}
	report, err := contract.Run(context.Background(), contract.Target{URL: serve(t, mock(set)), Key: testKey}, contract.Options{Rate: contract.Unlimited})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Results {
		if r.Outcome != contract.Pass {
			t.Logf("%s: %s %s", r.ID, r.Outcome, r.Detail)
		}
		for _, f := range r.Findings {
			t.Errorf("%s: %s (%s: %s, now %s)", f.Check, f.Message, f.Path, f.Was, f.Now)
		}
	}
}

func TestParseTarget(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{
		"https://gateway.api.esante.gouv.fr/fhir/v2": true, "https://host/prefix/fhir/v2/": true, "http://127.0.0.1:8080/fhir/v2": true,
		"http://gateway.api.esante.gouv.fr/fhir/v2": false, "https://host/fhir": false, "https://user:pass@host/fhir/v2": false,
		"https://host/fhir/v2?api-key=x": false, "host/fhir/v2": false, "": false,
	} {
		if _, err := record.ParseTarget(address); (err == nil) != ok {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestADistantServiceIsAskedPolitely(t *testing.T) {
	t.Parallel()
	distant, _ := url.Parse("https://gateway.example/fhir/v2")
	for _, rate := range []float64{0, 8.5, -1} {
		_, err := record.Walk(context.Background(), record.Options{Target: record.Target{Base: distant, Key: testKey}, Secret: []byte(testSecret), Rate: rate})
		if err == nil || !strings.Contains(err.Error(), "rate") {
			t.Errorf("%v requests a second: %v", rate, err)
		}
	}
	if n, takes := record.PlanSize(record.MaxRate); n < 100 || n > record.MaxBudget || takes < 10*time.Second {
		t.Errorf("the plan has %d requests and takes %v", n, takes)
	}
}

var wordForm = regexp.MustCompile(`[\p{L}\p{M}]{4,}`)

// People are called Pages, Legal or Accept: what the recorder writes itself, and
// what it keeps because a specification lists it, is no leftover of them.
func TestPeopleCalledAsTheRecordersWords(t *testing.T) {
	t.Parallel()
	words := map[string]bool{}
	for name, text := range walk(t, serve(t, mock(generated(t, 21)))).Files() {
		for _, word := range wordForm.FindAllString(name+" "+string(text), -1) {
			if !strings.HasSuffix(strings.ToLower(word), "zx") {
				words[word] = true
			}
		}
	}
	if len(words) < 300 || !words["pages"] || !words["LEGAL"] {
		t.Fatalf("%d words: too few to tell anything", len(words))
	}
	family := strings.Join(slices.Sorted(maps.Keys(words)), " ")
	set := generated(t, 21)
	for i := range set.Resources {
		r := &set.Resources[i]
		r.JSON = regexp.MustCompile(`"family":"[^"]*"`).ReplaceAllString(r.JSON, `"family":"`+family+`"`)
	}
	walk(t, serve(t, mock(set)))
}
