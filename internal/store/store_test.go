package store

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mockfhir/mockfhir/fixtures"
)

// directory is a set of resources with a small table; each is written as
// "Type/id member…".
func directory(resources ...string) *fixtures.Set {
	set := &fixtures.Set{Table: &fixtures.Table{Types: []fixtures.Type{
		{Type: "Organization", Params: []fixtures.Param{
			{Name: "name", Kind: fixtures.String, Paths: []string{"name"}},
			{Name: "active", Kind: fixtures.Token, Paths: []string{"active"}, Default: "false"},
			{Name: "partof", Kind: fixtures.Reference, Paths: []string{"partOf"}},
			{Name: "_lastUpdated", Kind: fixtures.Date, Paths: []string{"meta.lastUpdated"}},
		}},
		{Type: "Device", Params: []fixtures.Param{
			{Name: "organization", Kind: fixtures.Reference, Paths: []string{"owner"}},
		}},
	}}}
	for _, text := range resources {
		name, members, _ := strings.Cut(text, " ")
		typ, id, _ := strings.Cut(name, "/")
		set.Resources = append(set.Resources, fixtures.Resource{Type: typ, ID: id, JSON: resource(typ, id, members)})
	}
	return set
}

func resource(typ, id, members string) string {
	if members != "" {
		members = "," + members
	}
	return fmt.Sprintf(`{"resourceType":%q,"id":%q%s}`, typ, id, members)
}

func organization(id, members string) Change {
	return Change{Type: "Organization", ID: id, JSON: resource("Organization", id, members)}
}

func ids(docs []Doc) string {
	var list []string
	for _, d := range docs {
		list = append(list, d.ID())
	}
	return strings.Join(list, " ")
}

// all lists the ids of a type, in the order searches answer.
func all(snap *Snapshot, typ string) string {
	m := snap.Search(typ, nil)
	return ids(m.From(0, m.Count()+1))
}

func named(text string) []Criterion {
	return []Criterion{{Param: "name", Any: []Condition{{Match: Prefix, Space: Folded, Text: text}}}}
}

// TestApply follows writes one by one: what is replaced moves to the end
// (ans-server.md §4.3), and every earlier revision stays as it was (§6.3).
func TestApply(t *testing.T) {
	t.Parallel()
	s := New(directory(`Organization/a "name":"A"`, `Organization/b "name":"B"`, `Organization/c "name":"C"`), Options{})
	steps := []struct {
		changes []Change
		want    string
		named   string // those whose name begins with x
	}{
		{nil, "a b c", ""},
		{[]Change{organization("b", `"name":"X1"`)}, "a c b", "b"},
		{[]Change{organization("d", `"name":"X2"`)}, "a c b d", "b d"},
		{[]Change{organization("b", `"name":"X3"`)}, "a c d b", "d b"}, // replaced once more
		{[]Change{{Type: "Organization", ID: "a"}}, "c d b", "d b"},    // deleted of the base
		{[]Change{{Type: "Organization", ID: "d"}}, "c b", "b"},        // deleted of what was added
		{[]Change{{Type: "Organization", ID: "z"}}, "c b", "b"},        // never there
		{[]Change{organization("a", `"name":"A"`)}, "c b a", "b"},      // back again
		{[]Change{organization("c", `"name":"X4"`), organization("e", `"name":"X5"`), {Type: "Organization", ID: "b"}}, "a c e", "c e"},
	}
	var states []int64
	for i, step := range steps {
		if len(step.changes) > 0 {
			if got := s.Apply(step.changes...); got != s.Current() {
				t.Fatalf("step %d: Apply does not return the directory as it is now", i)
			}
		}
		if got := s.Current().Revision; got != int64(i) {
			t.Fatalf("step %d: revision %d", i, got)
		}
		states = append(states, s.Current().State)
	}
	for i, step := range steps {
		snap, known := s.At(states[i])
		if !known {
			t.Fatalf("revision %d is not known", i)
		}
		if got := all(snap, "Organization"); got != step.want {
			t.Errorf("revision %d: %q, want %q", i, got, step.want)
		}
		m := snap.Search("Organization", named("x"))
		if got := ids(m.From(0, 9)); got != step.named || m.Count() != len(strings.Fields(step.named)) {
			t.Errorf("revision %d: %d named x: %q, want %q", i, m.Count(), got, step.named)
		}
		for _, id := range strings.Fields("a b c d e z") {
			doc, found := snap.Get("Organization", id)
			if want := strings.Contains(step.want, id); found != want {
				t.Errorf("revision %d: %s is found: %v", i, id, found)
			} else if found && doc.ID() != id {
				t.Errorf("revision %d: %s reads as %s", i, id, doc.ID())
			}
		}
	}
	for _, never := range []int64{-1, int64(len(steps)), 1 << 40} {
		if _, known := s.At(never); known {
			t.Errorf("state %d is known", never)
		}
	}
}

// TestManyWrites compares hundreds of random writes, some of them many at
// once, with a list that is kept by hand, at every revision.
func TestManyWrites(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(4, 3))
	s := New(directory("Organization/0", "Organization/1", "Organization/2", "Organization/3"), Options{})
	model := []string{"0", "1", "2", "3"}
	want, states := []string{strings.Join(model, " ")}, []int64{0}
	for range 400 {
		var changes []Change
		for range 1 + r.IntN(4) {
			c := organization(fmt.Sprint(r.IntN(60)), "")
			model = slices.DeleteFunc(model, func(id string) bool { return id == c.ID })
			if r.IntN(3) == 0 {
				c.JSON = ""
			} else {
				model = append(model, c.ID)
			}
			changes = append(changes, c)
		}
		s.Apply(changes...)
		want, states = append(want, strings.Join(model, " ")), append(states, s.Current().State)
		if n := len(s.Current().overlays["Organization"].layers); n > 12 {
			t.Fatalf("%d layers after %d writes", n, len(want))
		}
	}
	for revision := range want {
		snap, _ := s.At(states[revision])
		last := int64(-1)
		for _, doc := range snap.Search("Organization", nil).From(0, 99) {
			if doc.Seq <= last {
				t.Fatalf("revision %d: %s stands at %d, behind %d", revision, doc.ID(), doc.Seq, last)
			}
			last = doc.Seq
		}
		if got := all(snap, "Organization"); got != want[revision] {
			t.Fatalf("revision %d\n got %q\nwant %q", revision, got, want[revision])
		}
		for id := range 60 {
			if _, found := snap.Get("Organization", fmt.Sprint(id)); found != slices.Contains(strings.Fields(want[revision]), fmt.Sprint(id)) {
				t.Fatalf("revision %d: %d is found: %v", revision, id, found)
			}
		}
	}
}

// TestState: stores that were written alike are in the same state, and no other
// two are, however many writes it took.
func TestState(t *testing.T) {
	t.Parallel()
	loaded := New(directory("Organization/a"), Options{})
	one, two := loaded.Fork(), loaded.Fork()
	if one.Current().State != 0 || two.Current().State != 0 {
		t.Error("a fork begins in another state than what was loaded")
	}
	one.Apply(organization("a", `"name":"x"`))
	two.Apply(organization("a", `"name":"y"`))
	if _, known := two.At(one.Current().State); known {
		t.Error("other writes, the same state")
	}
	two.Reset()
	if two.Apply(organization("a", `"name":"x"`)).State != one.Current().State {
		t.Error("the same write, another state")
	}
	if before := one.Current().State; one.Apply(organization("a", `"name":"x"`)).State == before {
		t.Error("a write that changes the order of the directory leaves its state")
	}
}

// TestHistoryIsBounded: who writes without end is not remembered without end.
func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	s := New(directory("Organization/a"), Options{})
	states := []int64{0}
	for range history + 5 {
		states = append(states, s.Apply(organization("a", "")).State)
	}
	if len(s.snapshots) != history {
		t.Errorf("%d revisions are kept", len(s.snapshots))
	}
	for revision, want := range map[int]bool{0: false, 5: false, 6: true, history + 5: true} {
		if _, known := s.At(states[revision]); known != want {
			t.Errorf("revision %d is known: %v", revision, known)
		}
	}
	if got := all(s.Current(), "Organization"); got != "a" {
		t.Errorf("left is %q", got)
	}
}

// TestGetAgreesWithSearch: a resource has one place in the order of its type,
// whichever way it is found.
func TestGetAgreesWithSearch(t *testing.T) {
	t.Parallel()
	s := New(directory("Organization/a", "Organization/b", "Organization/c"), Options{})
	snap := s.Apply(organization("a", ""), organization("d", ""))
	last := int64(-1)
	for _, doc := range snap.Search("Organization", nil).From(0, 9) {
		got, found := snap.Get("Organization", doc.ID())
		if !found || got.Seq != doc.Seq || string(got.Text()) != string(doc.Text()) || got.Type != "Organization" {
			t.Errorf("%s: Get %+v, Search %+v", doc.ID(), got, doc)
		}
		if doc.Seq <= last {
			t.Errorf("%s comes at %d, after %d", doc.ID(), doc.Seq, last)
		}
		last = doc.Seq
	}
	for _, typ := range []string{"Device", "Location", ""} {
		if _, found := snap.Get(typ, "a"); found {
			t.Errorf("%s/a is found", typ)
		}
	}
}

// TestFrom pages through a base and its overlay from every place, with every
// size of page.
func TestFrom(t *testing.T) {
	t.Parallel()
	s := New(directory("Organization/a", "Organization/b", "Organization/c", "Organization/d"), Options{})
	m := s.Apply(organization("b", ""), organization("e", "")).Search("Organization", nil)
	for limit := 1; limit < 8; limit++ {
		var got []Doc
		for from := int64(0); ; from = got[len(got)-1].Seq + 1 {
			docs := m.From(from, limit)
			if len(docs) > limit {
				t.Fatalf("%d documents for a limit of %d", len(docs), limit)
			}
			if got = append(got, docs...); len(docs) == 0 {
				break
			}
		}
		if ids(got) != "a c d b e" {
			t.Errorf("by %d: %q", limit, ids(got))
		}
	}
	if docs := m.From(0, 0); len(docs) != 0 {
		t.Errorf("a limit of 0 gives %q", ids(docs))
	}
}

func TestCriteria(t *testing.T) {
	t.Parallel()
	snap := New(directory(
		`Organization/a "name":"Étoile","active":true`,
		`Organization/b "name":"ETOILE du Nord","active":false`,
		`Organization/c "name":["Zed","étoile"]`,
		`Organization/d "active":true`,
		`Organization/e "name":["Twin","TWIN","Twin"],"active":true`, // one term, three times
	), Options{}).Current()
	text := func(m Match, space Space, text string, not bool) Condition {
		return Condition{Match: m, Space: space, Text: text, Not: not}
	}
	for _, c := range []struct {
		name string
		all  []Criterion
		want string
	}{
		{"none", nil, "a b c d e"},
		{"a criterion without conditions", []Criterion{{Param: "name"}}, "a b c d e"},
		{"prefix", named("etoile"), "a b c"},
		{"prefix, empty: whoever has one", named(""), "a b c e"},
		{"prefix of nothing", named("toile"), ""},
		{"contains", []Criterion{{"name", []Condition{text(Contains, Folded, "du n", false)}}}, "b"},
		{"contains, empty", []Criterion{{"name", []Condition{text(Contains, Folded, "", false)}}}, "a b c e"},
		{"the same term twice", named("twin"), "e"},
		{"the same term twice, exactly", []Criterion{{"name", []Condition{text(Exactly, Raw, "Twin", false)}}}, "e"},
		{"contains looks into its own space", []Criterion{{"name", []Condition{text(Contains, Folded, "E", false)}}}, ""},
		{"exactly", []Criterion{{"name", []Condition{text(Exactly, Raw, "étoile", false)}}}, "c"},
		{"not", []Criterion{{"active", []Condition{text(Exactly, Code, "true", true)}}}, "b c"},
		{"any", []Criterion{{"name", []Condition{text(Exactly, Raw, "étoile", false), text(Exactly, Raw, "Étoile", false)}}}, "a c"},
		{"all", append(named("etoile"), Criterion{"active", []Condition{text(Exactly, Code, "false", false)}}), "b c"},
		{"two strings of one resource", append(named("zed"), named("etoile")...), "c"},
		{"any of two nots is nearly all", []Criterion{{"active", []Condition{text(Exactly, Code, "true", true), text(Exactly, Code, "false", true)}}}, "a b c d e"},
	} {
		m := snap.Search("Organization", c.all)
		if got := ids(m.From(0, 9)); got != c.want || m.Count() != len(strings.Fields(c.want)) {
			t.Errorf("%s: %d found: %q, want %q", c.name, m.Count(), got, c.want)
		}
	}
}

func TestReferences(t *testing.T) {
	t.Parallel()
	s := New(directory(
		`Organization/a "partOf":{"reference":"Organization/gone"}`,
		`Organization/b "partOf":{"reference":"Organization/a"}`,
		`Device/x "owner":{"reference":"Organization/a"}`,
		`Device/y "owner":[{"reference":"Organization/b"},{"reference":"Organization/a"},{"reference":"#no"}]`,
		`Device/z`,
	), Options{})
	check := func(snap *Snapshot, targets, referring string) {
		t.Helper()
		y, _ := snap.Get("Device", "y")
		if got := strings.Join(snap.Targets(y, "organization"), " "); got != targets {
			t.Errorf("y refers to %q, want %q", got, targets)
		}
		if got := ids(snap.Referring("Device", "organization", []string{"Organization/a"})); got != referring {
			t.Errorf("%q refer to a, want %q", got, referring)
		}
	}
	before := s.Current()
	check(before, "Organization/b Organization/a", "x y")
	check(s.Apply(Change{"Device", "y", resource("Device", "y", `"owner":{"reference":"Organization/gone"}`)}), "Organization/gone", "x")
	check(before, "Organization/b Organization/a", "x y")
	if z, _ := before.Get("Device", "z"); len(before.Targets(z, "organization")) != 0 {
		t.Error("z refers to something")
	}
	a, _ := before.Get("Organization", "a")
	if got := before.Targets(a, "name"); len(got) != 0 {
		t.Errorf("a name refers to %q", got)
	}
	if got := ids(before.Referring("Device", "organization", nil)); got != "" {
		t.Errorf("%q refer to nothing", got)
	}
	if got := ids(before.Referring("Device", "organization", []string{"Organization/b", "Organization/a"})); got != "x y" {
		t.Errorf("%q refer to either", got)
	}
}

// TestTypeOutsideTheTable: what cannot be searched can still be referred to.
func TestTypeOutsideTheTable(t *testing.T) {
	t.Parallel()
	s := New(directory("Location/l"), Options{})
	if doc, found := s.Current().Get("Location", "l"); !found || string(doc.Text()) != `{"resourceType": "Location", "id": "l"}` {
		t.Errorf("Location/l: %s", doc.Text())
	}
	snap := s.Apply(Change{"Patient", "p", resource("Patient", "p", "")}, Change{"Location", "l", ""})
	if _, found := snap.Get("Location", "l"); found {
		t.Error("Location/l is still there")
	}
	if _, found := snap.Get("Patient", "p"); !found {
		t.Error("Patient/p is not there")
	}
}

// TestNumericVersions: from the second version on, and only in what is a
// number (ans-server.md §4.2).
func TestNumericVersions(t *testing.T) {
	t.Parallel()
	s := New(directory(
		`Organization/1 "meta":{"versionId":"1"}`, `Organization/2 "meta":{"versionId":"2"}`,
		`Organization/x "meta":{"versionId":"x"}`, `Organization/none "meta":{}`, `Organization/bare`,
	), Options{NumericVersions: true})
	snap := s.Apply(organization("new", `"meta":{"versionId":"3"}`))
	for id, want := range map[string]string{
		"1": `"versionId": "1"`, "2": `"versionId": 2}`, "x": `"versionId": "x"`, "none": `"meta": {}`, "bare": `"id": "bare"}`, "new": `"versionId": 3}`,
	} {
		if doc, _ := snap.Get("Organization", id); !strings.Contains(string(doc.Text()), want) {
			t.Errorf("%s has no %s", doc.Text(), want)
		}
	}
}

// TestShift: the resources of the set move, those that are written later are
// of now already.
func TestShift(t *testing.T) {
	t.Parallel()
	s := New(directory(`Organization/a "meta":{"lastUpdated":"2025-05-27T10:00:00.000+02:00"}`, "Organization/b"), Options{Shift: 3})
	snap := s.Apply(organization("c", `"meta":{"lastUpdated":"2025-05-30T10:00:00.000+02:00"}`))
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	on := Date{Equal, Day, time.Date(2025, 5, 30, 0, 0, 0, 0, paris)}
	m := snap.Search("Organization", []Criterion{{"_lastUpdated", []Condition{{Match: On, Date: on}}}})
	if got := ids(m.From(0, 9)); got != "a c" {
		t.Errorf("%q are of the 30th, want a and c", got)
	}
	for _, id := range []string{"a", "c"} {
		if doc, _ := snap.Get("Organization", id); !strings.Contains(string(doc.Text()), `"lastUpdated": "2025-05-30T10:00:00.000+02:00"`) {
			t.Errorf("printed as %s", doc.Text())
		}
	}
}

// TestPartialDates: a stored date is found by as much of it as a search asks
// for; what it does not say is the beginning of what it says (ans-server.md §2.6).
func TestPartialDates(t *testing.T) {
	t.Parallel()
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	var resources []string
	for i, date := range []string{
		"2024-02-03T10:00:00+01:00", "2024-02-03", "2024-02", "2024", "2024-02-03T10:00:00", "2024-02-03T10:00Z", "2024-02-02T23:30:00Z", "soon",
	} {
		resources = append(resources, fmt.Sprintf(`Organization/%d "meta":{"lastUpdated":%q}`, i, date))
	}
	for _, c := range []struct {
		relation   Relation
		precision  Precision
		text, want string
		zone       *time.Location
	}{
		{Equal, Year, "2024-01-01T00:00:00", "0 1 2 3 4 5 6", nil},
		{Equal, Month, "2024-02-01T00:00:00", "0 1 2 4 5 6", nil},
		{Equal, Day, "2024-02-03T00:00:00", "0 1 4 5 6", nil},
		{GreaterOrEqual, Day, "2024-02-03T00:00:00", "0 1 4 5 6", nil},
		{Less, Day, "2024-02-03T00:00:00", "2 3", nil},
		{Equal, Minute, "2024-02-03T10:00:00", "0 4", nil},
		{NotEqual, Year, "2024-01-01T00:00:00", "7", nil},
		{Equal, Minute, "2024-02-03T10:00:00", "4 5", time.UTC},
	} {
		zone := paris
		if c.zone != nil {
			zone = c.zone
		}
		at, err := time.ParseInLocation("2006-01-02T15:04:05", c.text, zone)
		if err != nil {
			t.Fatal(err)
		}
		s := New(directory(resources...), Options{Zone: c.zone})
		m := s.Current().Search("Organization", []Criterion{{"_lastUpdated", []Condition{{Match: On, Date: Date{c.relation, c.precision, at}}}}})
		if got := ids(m.From(0, 9)); got != c.want {
			t.Errorf("relation %d to %s at precision %d in %s finds %q, want %q", c.relation, c.text, c.precision, zone, got, c.want)
		}
	}
}

func TestShiftDays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		days int
		want string
	}{
		{"2025-05-27T10:16:30.021+02:00", 1, "2025-05-28T10:16:30.021+02:00"},
		{"2025-05-27T10:16:30.021+02:00", 200, "2025-12-13T10:16:30.021+01:00"}, // the offset follows the season
		{"2025-12-13T10:16:30.021+01:00", -200, "2025-05-27T10:16:30.021+02:00"},
		{"2025-05-27T10:16:30+02:00", 1, "2025-05-28T10:16:30+02:00"}, // as many digits as before
		{"2025-05-27T10:16:30.1+02:00", 1, "2025-05-28T10:16:30.1+02:00"},
		{"2025-05-27T10:16:30.100+02:00", 1, "2025-05-28T10:16:30.100+02:00"},
		{"2025-05-27T10:16:30.120000+02:00", 1, "2025-05-28T10:16:30.120000+02:00"},
		{"2025-05-27T10:16:30.5Z", 200, "2025-12-13T10:16:30.5Z"}, // no offset of Paris
		{"2025-05-27T10:16:30+01:00", 200, "2025-12-13T10:16:30+01:00"},
		{"2025-05-27T10:16:30-04:00", 200, "2025-12-13T10:16:30-04:00"},
		{"2024-02-29T23:59:59.999+01:00", 365, "2025-02-28T23:59:59.999+01:00"},
		{"2025-12-31T23:30:00.000+01:00", 1, "2026-01-01T23:30:00.000+01:00"},
		{"2025-05-27T10:16:30.021+02:00", 0, "2025-05-27T10:16:30.021+02:00"},
		{"2025-05-27", 1, ""},
		{"2025-05-27T10:16:30", 1, ""},
		{"yesterday", 1, ""},
		{"", 1, ""},
	} {
		got, ok := shiftDays(c.text, c.days)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("shiftDays(%q, %d) = %q, %v, want %q", c.text, c.days, got, ok, c.want)
		}
	}
}

// TestConcurrently reads snapshots while the directory changes: what a reader
// holds does not move. The race detector watches.
func TestConcurrently(t *testing.T) {
	t.Parallel()
	s := New(directory(`Organization/a "name":"X"`, `Organization/b "name":"X"`), Options{})
	const writers, readers, rounds = 2, 4, 25
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range rounds {
				s.Apply(organization(fmt.Sprintf("%d-%d", w, i), `"name":"X"`), organization("a", fmt.Sprintf(`"name":"X%d"`, i)))
			}
		})
	}
	for range readers {
		wg.Go(func() {
			for range rounds {
				snap := s.Current()
				want := 2 + int(snap.Revision) // every write adds one
				m := snap.Search("Organization", named("x"))
				if got := len(m.From(0, 1000)); got != want || m.Count() != want {
					t.Errorf("revision %d holds %d, counts %d, want %d", snap.Revision, got, m.Count(), want)
					return
				}
				if again, known := s.At(snap.State); !known || again != snap {
					t.Errorf("revision %d is another snapshot", snap.Revision)
				}
				if _, found := snap.Get("Organization", "a"); !found {
					t.Errorf("revision %d has lost a", snap.Revision)
				}
			}
		})
	}
	wg.Wait()
	if got := s.Current().Revision; got != writers*rounds {
		t.Errorf("%d revisions", got)
	}
}

// A directory is equal to itself however often it is asked.
func TestSegmentsAreBuiltOnce(t *testing.T) {
	t.Parallel()
	s := New(directory("Organization/a"), Options{})
	first, _ := s.Current().Get("Organization", "a")
	again, _ := s.Current().Get("Organization", "a")
	if &first.Text()[0] != &again.Text()[0] {
		t.Error("the text was printed twice")
	}
	if diff := cmp.Diff([]string{"Organization", "Device"}, []string{s.Current().Table().Types[0].Type, s.Current().Table().Types[1].Type}); diff != "" {
		t.Error(diff)
	}
}
