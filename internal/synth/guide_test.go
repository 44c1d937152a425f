package synth_test

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/shared"
	"github.com/mockfhir/mockfhir/internal/synth"
	"github.com/mockfhir/mockfhir/internal/witness"
)

// Every request of ANS's v2 guide finds something in the embedded directory,
// and in one of the same size from any other seed. The evaluator is the
// witness, which shares no code with the mock: the mock's own run is elsewhere.
func TestTheGuideFindsWhatItSays(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]*fixtures.Set{"embedded": fixtures.Default(), "seed 1": drawn(t, 1), "seed 2": drawn(t, 2), "seed 3": drawn(t, 3)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			askTheGuide(t, newWitness(t, set))
		})
	}
}

// drawn is a set of the embedded size from another seed.
func drawn(t *testing.T, seed uint64) *fixtures.Set {
	t.Helper()
	files := fstest.MapFS{}
	err := synth.Generate(synth.Options{Seed: seed, Size: synth.DefaultSize}, func(typ string) (io.WriteCloser, error) {
		return &memory{keep: func(data []byte) { files["resources/"+typ+".ndjson"] = &fstest.MapFile{Data: data} }}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	set, err := fixtures.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// memory is a file that is kept when it is closed.
type memory struct {
	bytes.Buffer
	keep func([]byte)
}

func (m *memory) Close() error { m.keep(m.Bytes()); return nil }

func askTheGuide(t *testing.T, judge *witness.Witness) {
	asked := 0
	for _, row := range guideRows(t) {
		if !strings.HasPrefix(row.expected, "200 s") { // searchset, single
			continue
		}
		if strings.HasPrefix(row.target, "/_page") {
			continue // the token of an answer long gone
		}
		asked++
		t.Run(row.id, func(t *testing.T) {
			t.Parallel()
			answer := judge.Answer(row.request())
			if answer.Status != 200 {
				t.Fatalf("%s %s: %d %s%s", row.method, row.target, answer.Status, answer.Diagnostics, answer.Unspecified)
			}
			if search := answer.Search; search != nil {
				row.check(t, search)
			}
		})
	}
	if asked < 140 {
		t.Errorf("only %d requests were asked", asked)
	}
}

// check looks for matches, for the resources that were to come with them, and
// for a second page where the guide follows the link to it.
func (r guideRow) check(t *testing.T, search *witness.Search) {
	if len(search.Matches) == 0 {
		t.Errorf("%s finds nothing; the guide: %s", r.target, r.expected)
	}
	if strings.Contains(r.expected, "next link") && search.Pages() < 2 {
		t.Errorf("%s has one page; the guide: %s", r.target, r.expected)
	}
	if strings.Contains(r.expected, "; plus ") && !brings(search) {
		t.Errorf("%s brings no other resource; the guide: %s", r.target, r.expected)
	}
}

// brings tells whether any page has more entries than matches.
func brings(search *witness.Search) bool {
	entries := 0
	for i := range search.Pages() {
		entries += len(search.Page(i))
	}
	return entries > len(search.Matches)
}

func newWitness(t *testing.T, set *fixtures.Set) *witness.Witness {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	judge, err := witness.New(set, witness.Production, zone)
	if err != nil {
		t.Fatal(err)
	}
	return judge
}

type guideRow struct{ id, method, target, expected string }

// request is the row as a request. A query that no request line can hold goes
// as a form, as the guide says (uc-segur.md).
func (r guideRow) request() witness.Request {
	target, form, isForm := strings.Cut(r.target, " body: ")
	if path, query, _ := strings.Cut(target, "?"); !isForm && len(target) > 4096 {
		return witness.Request{Method: "POST", Target: path + "/_search", Form: query}
	}
	return witness.Request{Method: r.method, Target: target, Form: form}
}

func guideRows(t *testing.T) (rows []guideRow) {
	t.Helper()
	file, err := os.Open(shared.Path(t, "cases", "documented-requests.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		f := strings.Split(lines.Text(), "\t")
		if len(f) > 7 && f[1] == "v2" {
			rows = append(rows, guideRow{id: f[0], method: f[2], target: f[3], expected: f[7]})
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return rows
}

// The requests that the probes are listed with must find those very probes.
func TestProbesAnswerTheirRequests(t *testing.T) {
	t.Parallel()
	judge := newWitness(t, fixtures.Default())
	for _, probe := range synth.Probes() {
		answer := judge.Answer(witness.Request{Method: "GET", Target: "/" + probe.Request})
		key, found := probe.Type+"/"+probe.ID, false
		if answer.Search == nil {
			found = answer.Status == 200
		} else {
			for _, match := range answer.Search.Matches {
				found = found || match == key
			}
		}
		if !found {
			t.Errorf("%s (%d %s) does not find %s", probe.Request, answer.Status, answer.Diagnostics, key)
		}
	}
}

// Two oddities are of searches, not of resources.
func TestOddSearches(t *testing.T) {
	t.Parallel()
	judge := newWitness(t, fixtures.Default())
	search := func(target string) *witness.Search {
		answer := judge.Answer(witness.Request{Method: "GET", Target: target})
		if answer.Search == nil {
			t.Fatalf("%s: %d %s", target, answer.Status, answer.Diagnostics)
		}
		return answer.Search
	}
	times := func(page []witness.Entry, key string) (n int) {
		for _, e := range page {
			if e.Key == key {
				n++
			}
		}
		return n
	}
	group := "Organization/" + synth.Value(synth.LegalID, 201)
	if got := times(search("/Organization?name=SYNDICAT%20HOSPITALIER&_include=Organization:partof").Page(0), group); got != 2 {
		t.Errorf("%s comes %d times, want twice", group, got)
	}
	roles := search("/PractitionerRole?_include=PractitionerRole:organization")
	ward := "Organization/" + synth.Value(synth.GeographicalID, 2)
	for _, page := range []int{0, roles.Pages() - 1} {
		if got := times(roles.Page(page), ward); got != 1 {
			t.Errorf("page %d includes %s %d times, want once", page, ward, got)
		}
	}
}
