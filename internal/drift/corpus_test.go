package drift_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"text/tabwriter"
	"time"

	"github.com/mockfhir/mockfhir/contract"
	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/drift"
	"github.com/mockfhir/mockfhir/internal/shared"
	"github.com/mockfhir/mockfhir/internal/synth"
	"github.com/mockfhir/mockfhir/mockserver"
)

const (
	key    = "corpus-key"
	target = "http://127.0.0.1:8080/fhir/v2"
)

// directory is a generated set and the mocks that serve it.
type directory struct {
	seed uint64
	size synth.Size

	mu    sync.Mutex
	set   *fixtures.Set
	mocks map[string]http.Handler
	bases map[string]*contract.Report
}

func newDirectory(t testing.TB, seed uint64, size synth.Size) *directory {
	t.Helper()
	files := fstest.MapFS{}
	err := synth.Generate(synth.Options{Seed: seed, Size: size}, func(typ string) (io.WriteCloser, error) {
		return &memory{keep: func(data []byte) { files["resources/"+typ+".ndjson"] = &fstest.MapFile{Data: data} }}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	set, err := fixtures.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	return &directory{seed: seed, size: size, set: set, mocks: map[string]http.Handler{}, bases: map[string]*contract.Report{}}
}

// memory is a file that is kept when it is closed.
type memory struct {
	bytes.Buffer
	keep func([]byte)
}

func (m *memory) Close() error { m.keep(m.Bytes()); return nil }

// mock returns the server for a start. Quotas count time, and time starts
// anew in each bubble: servers with a quota are not shared.
func (d *directory) mock(t testing.TB, start drift.Start) http.Handler {
	t.Helper()
	name := fmt.Sprint(start.Gateway)
	d.mu.Lock()
	defer d.mu.Unlock()
	if h := d.mocks[name]; h != nil && start.Rate == "" {
		return h
	}
	opts := []mockserver.Option{mockserver.WithKeys(key), mockserver.WithRate("0")}
	if len(start.Gateway) > 0 {
		opts = append(opts, mockserver.WithGateway(strings.Join(start.Gateway, ",")))
	}
	if start.Rate != "" {
		opts = append(opts, mockserver.WithRate(start.Rate))
	}
	server, err := mockserver.Build(d.set, opts...)
	if err != nil {
		t.Fatal(err)
	}
	if start.Rate == "" {
		d.mocks[name] = server
	}
	return server
}

// service is the mock with what is so before the mutation.
func (d *directory) service(t testing.TB, start drift.Start) http.Handler {
	t.Helper()
	h := d.mock(t, start)
	if start.Before != "" {
		before, err := drift.Parse(drift.Case{ID: "before", How: start.Before})
		if err != nil {
			t.Fatal(err)
		}
		h = before.Layer(h, key)
	}
	return h
}

// run is one run of the suite in a bubble of its own time, years from now: a
// key is not accepted before the moment it was given out.
func run(t *testing.T, h http.Handler, baseline *contract.Baseline) *contract.Report {
	t.Helper()
	var report *contract.Report
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2040, 1, 2, 9, 0, 0, 0, time.UTC)))
		var err error
		report, err = contract.Run(t.Context(), contract.Target{URL: target, Key: key}, contract.Options{
			Baseline: baseline, Client: drift.Transport(h),
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	return report
}

// before is the report on the service before the mutation. On the mock as it
// is nothing may be found; a start of its own may be told.
func (d *directory) before(t *testing.T, start drift.Start) *contract.Report {
	t.Helper()
	name := fmt.Sprint(start)
	d.mu.Lock()
	known := d.bases[name]
	d.mu.Unlock()
	if known != nil {
		return known
	}
	report := run(t, d.service(t, start), nil)
	for _, f := range report.Findings {
		if start.Before == "" {
			t.Errorf("seed %d, before the mutation (%v): %s", d.seed, start, sentence(f))
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.bases[name] = report
	return report
}

func sentence(f contract.Finding) string {
	return fmt.Sprintf("%s %s %s: %s -> %s: %s", f.Class, f.Check, f.Path, f.Was, f.Now, f.Message)
}

// class is what a report says in one word of the corpus, beyond what was so
// before.
func class(r, before *contract.Report) string {
	known := func(f contract.Finding) bool {
		return slices.ContainsFunc(before.Findings, func(g contract.Finding) bool {
			return f.Check == g.Check && f.Path == g.Path && f.Now == g.Now
		})
	}
	worst := "benign"
	for _, f := range r.Findings {
		switch {
		case known(f), f.Class == contract.Benign:
		case f.Class == contract.Breaking:
			return "breaking"
		default:
			worst = "additive"
		}
	}
	if r.Verdict == contract.Undecided {
		return "inconclusive"
	}
	return worst
}

// result is what became of a case on a directory.
type result struct {
	drift.Case
	seed    uint64
	got     string
	applied int
	report  *contract.Report
}

func (r *result) ok() bool { return r.got == r.Class && r.applied > 0 }

// try runs the suite against a mutated service.
func (d *directory) try(t *testing.T, c drift.Case, m *drift.Mutation) *result {
	t.Helper()
	if m.Serving().Socket() {
		return d.serve(t, c, m)
	}
	before := d.before(t, m.Start())
	service := d.service(t, m.Start())
	if m.Serving().Volume > 0 {
		service = d.thinned(t, m.Serving().Volume)
	}
	layer := m.Layer(service, key)
	report := run(t, layer, before.Learned)
	applied := layer.Applied()
	if !m.InTraffic() {
		applied = 1
	}
	report.Learned, report.Results = nil, inconclusive(report.Results) // the rest is large, and of no use any more
	return &result{Case: c, seed: d.seed, got: class(report, before), applied: applied, report: report}
}

// inconclusive keeps what a failure of the test tells.
func inconclusive(results []contract.Result) []contract.Result {
	return slices.DeleteFunc(results, func(r contract.Result) bool { return r.Outcome != contract.Inconclusive })
}

// thinned is a mock of the directory some time later: fewer of what nothing
// refers to.
func (d *directory) thinned(t testing.TB, left float64) http.Handler {
	t.Helper()
	seen, kept := map[string]int{}, &fixtures.Set{Manifest: d.set.Manifest, Table: d.set.Table}
	for _, r := range d.set.Resources {
		seen[r.Type]++
		leaf := r.Type == "Device" || r.Type == "PractitionerRole" || r.Type == "HealthcareService"
		if every := int(1 / (1 - left)); leaf && seen[r.Type] > 100 && seen[r.Type]%every == 0 {
			continue
		}
		kept.Resources = append(kept.Resources, r)
	}
	return mockserver.New(kept, mockserver.WithKeys(key), mockserver.WithRate("0"))
}

// cases reads the corpus that issue #3 names.
func cases(t testing.TB) []drift.Case {
	t.Helper()
	return casesIn(t, shared.Path(t, "cases", "drift-corpus.tsv"))
}

func casesIn(t testing.TB, file string) []drift.Case {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	list, err := drift.ReadCases(f)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// seeds are 2 directories, or as many as MOCKFHIR_CORPUS_SEEDS says.
func seeds(t testing.TB) int {
	text := os.Getenv("MOCKFHIR_CORPUS_SEEDS")
	if text == "" {
		return 2
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("MOCKFHIR_CORPUS_SEEDS=%s is not a number of directories", text)
	}
	return n
}

// TestCorpus applies every mutation to the traffic of mocks with differently
// generated directories and asks the suite, with a baseline learned before,
// what happened. MOCKFHIR_CORPUS_SEEDS=20 asks on more directories.
func TestCorpus(t *testing.T) { corpus(t, cases(t), seeds(t)) }

// TestMore does the same with mutations of our own.
func TestMore(t *testing.T) { corpus(t, casesIn(t, "testdata/more.tsv"), max(1, seeds(t)/2)) }

func corpus(t *testing.T, list []drift.Case, seeds int) {
	mutations := understood(t, list)
	var mu sync.Mutex
	var results []*result
	t.Run("run", func(t *testing.T) {
		for i := range seeds {
			d := newDirectory(t, uint64(i+1), synth.DefaultSize)
			for _, c := range list {
				m := mutations[c.ID]
				if m == nil {
					continue
				}
				t.Run(fmt.Sprintf("%s/seed %d", c.ID, d.seed), func(t *testing.T) {
					t.Parallel()
					r := d.try(t, c, m)
					if r.ok() {
						r.report = nil // with its exchanges, too large to keep thousands of
					}
					mu.Lock()
					defer mu.Unlock()
					results = append(results, r)
				})
			}
		}
	})
	judge(t, results, len(results) == len(mutations)*seeds)
}

// understood compiles the mutations. One that cannot be expressed must be
// listed with its reason, and one that is listed must not be expressible.
func understood(t *testing.T, list []drift.Case) map[string]*drift.Mutation {
	t.Helper()
	text, err := os.ReadFile("testdata/unexpressed.tsv")
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if id, reason, found := strings.Cut(strings.TrimSpace(line), "\t"); found {
			reasons[id] = reason
		}
	}
	mutations := map[string]*drift.Mutation{}
	for _, c := range list {
		m, err := drift.Parse(c)
		switch reason := reasons[c.ID]; {
		case err == nil && reason == "":
			mutations[c.ID] = m
		case err == nil:
			t.Errorf("%s is listed as not expressible (%s) and is", c.ID, reason)
		case reason == "":
			t.Errorf("%v: express it, or list it with the reason", err)
		default:
			t.Logf("%s is not expressed: %s", c.ID, reason)
		}
	}
	return mutations
}

// bar is what issue #3 asks for.
var bars = []struct {
	class string
	needs []string
	share float64
}{
	{"breaking", []string{"single"}, 0.98},
	{"breaking", []string{"multi", "series"}, 0.90},
	{"additive", nil, 0.95},
	{"inconclusive", nil, 1},
	{"benign", nil, 1},
}

// judge prints the table and fails below the bars, when all cases were run.
func judge(t *testing.T, results []*result, all bool) {
	t.Helper()
	slices.SortFunc(results, func(a, b *result) int {
		return strings.Compare(a.ID+fmt.Sprintf("%04d", a.seed), b.ID+fmt.Sprintf("%04d", b.seed))
	})
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "class\tneeds\tright\tof\tshare\twanted")
	for _, bar := range bars {
		right, of := 0, 0
		for _, r := range results {
			if r.Class != bar.class || bar.needs != nil && !slices.Contains(bar.needs, r.Needs) {
				continue
			}
			of++
			if r.ok() {
				right++
			}
		}
		needs := strings.Join(bar.needs, ", ")
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%.1f %%\t%.0f %%\n", bar.class, needs, right, of, 100*float64(right)/float64(max(of, 1)), 100*bar.share)
		if all && float64(right) < bar.share*float64(of) {
			t.Errorf("%s %s: %d of %d, wanted %.0f %%", bar.class, needs, right, of, 100*bar.share)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d runs\n%s", len(results), table.String())
	for _, r := range results {
		if !r.ok() {
			t.Logf("%s seed %d: %s, not %s (applied %d times, %s): %s\n\t%s%s", r.ID, r.seed, r.got, r.Class, r.applied, r.report.Verdict, r.Description, r.How, tell(r))
		}
	}
}

func tell(r *result) string {
	var b strings.Builder
	for i, f := range r.report.Findings {
		if i == 6 {
			fmt.Fprintf(&b, "\n\t… %d more", len(r.report.Findings)-i)
			break
		}
		fmt.Fprintf(&b, "\n\t  %s", sentence(f))
	}
	if r.got == "inconclusive" {
		fmt.Fprintf(&b, "\n\t  %s", r.report.Reason)
		for _, x := range r.report.Results {
			fmt.Fprintf(&b, "\n\t    %s: %s", x.ID, x.Detail)
		}
	}
	return b.String()
}

// TestOtherDirectories: a service with other people in it is not another
// service. No directory differs from the embedded baseline, nor from the
// baseline of another directory.
func TestOtherDirectories(t *testing.T) {
	t.Parallel()
	baselines := map[string]*contract.Baseline{"the embedded baseline": contract.DefaultBaseline()}
	for seed := range uint64(max(3, seeds(t))) {
		d := newDirectory(t, 1000+seed, synth.DefaultSize)
		report := run(t, d.service(t, drift.Start{}), nil)
		for name, b := range baselines {
			for _, f := range contract.Compare(b, report.Learned) {
				t.Errorf("seed %d and %s: %s", d.seed, name, sentence(f))
			}
		}
		baselines[fmt.Sprintf("the baseline of seed %d", d.seed)] = report.Learned
	}
}
