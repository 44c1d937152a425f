package rehearse

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/internal/gateway"
	"github.com/mockfhir/mockfhir/internal/store"
)

func newSessions(t *testing.T, begins ...Started) *Sessions {
	t.Helper()
	s, err := NewSessions(store.New(&fixtures.Set{Table: fixtures.DefaultTable()}, store.Options{}), time.Now, begins...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ids(entries []Entry) (list []int64) {
	for _, e := range entries {
		list = append(list, e.ID)
	}
	return list
}

// TestJournalBounds: the number of entries and their bytes are bounded, the
// newest ones stay, in order, and their numbers go on.
func TestJournalBounds(t *testing.T) {
	t.Parallel()
	j := &Journal{}
	for range 2500 {
		j.Add(Entry{Target: "/x"})
	}
	all := j.Entries(Filter{})
	if len(all) != maxEntries || all[0].ID != 1501 || all[maxEntries-1].ID != 2500 || !slices.IsSorted(ids(all)) {
		t.Errorf("of 2500 entries there are %d, from %d to %d", len(all), all[0].ID, all[len(all)-1].ID)
	}
	large := Entry{Answer: strings.Repeat("x", maxWeight/10), Request: Fields{{"Accept", "y"}}}
	for range 50 {
		j.Add(large)
	}
	if j.Len() != 9 || j.weight > maxWeight || ids(j.Entries(Filter{}))[8] != 2550 {
		t.Errorf("of large entries there are %d, weighing %d", j.Len(), j.weight)
	}
	for range 3000 {
		j.Add(Entry{})
	}
	if j.Len() != maxEntries || j.weight != maxEntries*entryWeight {
		t.Errorf("there are %d entries, weighing %d", j.Len(), j.weight)
	}
	j.Clear()
	j.Add(Entry{})
	if got := ids(j.Entries(Filter{})); !reflect.DeepEqual(got, []int64{5551}) {
		t.Errorf("after a clear there are %v", got)
	}
	j.Add(Entry{Answer: strings.Repeat("x", 2*maxWeight)})
	if got := ids(j.Entries(Filter{})); !reflect.DeepEqual(got, []int64{5552}) {
		t.Errorf("an entry beyond the bound leaves %v", got)
	}
}

// TestJournalShares: the more sessions there are, the less each journal holds.
func TestJournalShares(t *testing.T) {
	t.Parallel()
	sessions := newSessions(t)
	for i := range 99 {
		if _, err := sessions.Create(fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	weight := 0
	for _, s := range sessions.List() {
		for range 500 {
			s.Journal.Add(Entry{Answer: strings.Repeat("x", 2000)})
		}
		weight += s.Journal.weight
	}
	if weight > allJournals || weight < allJournals/2 {
		t.Errorf("a hundred journals weigh %d", weight)
	}
	for i := range 99 {
		sessions.Drop(fmt.Sprint(i))
	}
	if share := sessions.share.Load(); share != maxWeight {
		t.Errorf("the last session may keep %d", share)
	}
}

// TestBegins: what is on from the start is on in each session, can be turned
// off in one alone, and comes back with a reset.
func TestBegins(t *testing.T) {
	t.Parallel()
	sessions := newSessions(t, Started{"delay", "path=x"}, Started{"unavailable", ""})
	one, err := sessions.Create("one")
	if err != nil {
		t.Fatal(err)
	}
	one.Active.Stop("delay")
	if here, there := len(one.Active.List(Scope.String)), len(sessions.Get(Default).Active.List(Scope.String)); here != 1 || there != 2 {
		t.Errorf("%d are on here, %d in another session", here, there)
	}
	if err := one.Reset(); err != nil {
		t.Fatal(err)
	}
	if on := one.Active.List(Scope.String); len(on) != 2 || on[0].Scope != "path=x" {
		t.Errorf("after a reset %+v are on", on)
	}
	for _, wrong := range []Started{{"fire", ""}, {"delay", "share=9"}} {
		if _, err := NewSessions(sessions.base, time.Now, wrong); err == nil {
			t.Errorf("%v is possible", wrong)
		}
	}
}

func TestSessionBound(t *testing.T) {
	t.Parallel()
	sessions := newSessions(t)
	var err error
	for i := 0; err == nil; i++ {
		_, err = sessions.Create(fmt.Sprint(i))
	}
	if !errors.Is(err, ErrTooMany) || len(sessions.List()) != maxSessions {
		t.Errorf("after %d sessions: %v", len(sessions.List()), err)
	}
}

func TestFilter(t *testing.T) {
	t.Parallel()
	j := &Journal{}
	for _, e := range []Entry{
		{Method: "GET", Target: "/fhir/v2/Practitioner?name=a", Status: 200, Why: "a search"},
		{Method: "POST", Target: "/fhir/v2/Practitioner/_search", Body: "name=b", Status: 200},
		{Method: "GET", Target: "/fhir/v2/Device/1", Status: 404, Answer: "not found"},
		{Method: "GET", Target: "/fhir/v2/Device/2", Status: 503, Incidents: []string{"unavailable"}},
		{Method: "GET", Target: "/fhir/v2/metadata", Status: 0},
	} {
		j.Add(e)
	}
	for _, c := range []struct {
		f    Filter
		want []int64
	}{
		{Filter{}, []int64{1, 2, 3, 4, 5}},
		{Filter{Method: "get"}, []int64{1, 3, 4, 5}},
		{Filter{Path: "/fhir/v2/Practitioner"}, []int64{1, 2}},
		{Filter{Query: "name="}, []int64{1}},
		{Filter{Query: "Practitioner"}, nil},
		{Filter{Text: "name="}, []int64{1, 2}},
		{Filter{Text: "found"}, []int64{3}},
		{Filter{Text: "search"}, []int64{1, 2}},
		{Filter{Status: 404}, []int64{3}},
		{Filter{Status: 5}, []int64{4}},
		{Filter{Status: 2, Method: "POST"}, []int64{2}},
		{Filter{Incident: "unavailable"}, []int64{4}},
		{Filter{Since: 3}, []int64{4, 5}},
		{Filter{Limit: 2}, []int64{4, 5}},
		{Filter{Method: "GET", Limit: 1, Path: "/fhir/v2/Device"}, []int64{4}},
	} {
		if got := ids(j.Entries(c.f)); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%+v wants %v, got %v", c.f, c.want, got)
		}
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	j := &Journal{}
	for _, target := range []string{"/a", "/b?x=1", "/a", "/c"} {
		j.Add(Entry{Method: "GET", Target: target, Arrived: j.Begin()})
	}
	n := func(i int) *int { return &i }
	path := func(p string) Filter { return Filter{Path: p} }
	for _, c := range []struct {
		x       Expectation
		ok      bool
		message string
	}{
		{Expectation{Filter: path("/a")}, true, "called 2 times"},
		{Expectation{Filter: path("/d")}, false, "never called"},
		{Expectation{Filter: path("/b")}, true, "called once"},
		{Expectation{Filter: path("/a"), Times: n(2)}, true, "called 2 times"},
		{Expectation{Filter: path("/a"), Times: n(1)}, false, "called 2 times, expected once"},
		{Expectation{Filter: path("/a"), Times: n(0)}, false, "called 2 times, expected never"},
		{Expectation{Filter: path("/d"), Times: n(0)}, true, "called never"},
		{Expectation{Filter: path("/a"), AtMost: n(1)}, false, "called 2 times, expected at most once"},
		{Expectation{Filter: path("/a"), AtMost: n(2)}, true, "called 2 times"},
		{Expectation{Filter: path("/d"), AtMost: n(2)}, true, "called never"},
		{Expectation{Filter: path("/a"), AtLeast: n(3)}, false, "called 2 times, expected at least 3 times"},
		{Expectation{Filter: path("/a"), AtLeast: n(1), AtMost: n(2)}, true, "called 2 times"},
		{Expectation{Filter: path("/a"), Then: []Filter{path("/b"), path("/c")}}, true, "called 2 times"},
		{Expectation{Filter: path("/a"), Then: []Filter{path("/a"), path("/c")}}, true, "called 2 times"},
		{Expectation{Filter: path("/a"), Then: []Filter{path("/a"), path("/a")}}, false, "step 3 did not come after call 3"},
		{Expectation{Filter: path("/c"), Then: []Filter{path("/a")}}, false, "step 2 did not come after call 4"},
		{Expectation{Filter: Filter{Query: "x=1"}, Then: []Filter{path("/c")}}, true, "called once"},
	} {
		if v := j.Verify(c.x); v.OK != c.ok || v.Message != c.message {
			t.Errorf("%+v: %v %q, want %v %q", c.x, v.OK, v.Message, c.ok, c.message)
		}
	}
}

// TestOrderIsOfArrival: a call that came first and ended last is first, and who
// looks waits for it, though not for ever.
func TestOrderIsOfArrival(t *testing.T) {
	t.Parallel()
	j := &Journal{}
	slow, fast := j.Begin(), j.Begin()
	j.Add(Entry{Target: "/fast", Arrived: fast})
	began := time.Now()
	j.Settle(20 * time.Millisecond)
	if waited := time.Since(began); waited < 20*time.Millisecond {
		t.Errorf("it waits %v for a call under way", waited)
	}
	go func() {
		time.Sleep(5 * time.Millisecond)
		j.Add(Entry{Target: "/slow", Arrived: slow})
	}()
	j.Settle(time.Minute)
	if v := j.Verify(Expectation{Filter: Filter{Path: "/slow"}, Then: []Filter{{Path: "/fast"}}}); !v.OK {
		t.Errorf("slow, then fast: %s", v.Message)
	}
	if v := j.Verify(Expectation{Filter: Filter{Path: "/fast"}, Then: []Filter{{Path: "/slow"}}}); v.OK {
		t.Error("fast, then slow is met")
	}
}

// TestWatch: who looks on gets what comes, who does not keep up loses entries
// and nothing waits; dropping ends it.
func TestWatch(t *testing.T) {
	t.Parallel()
	j := &Journal{}
	j.Add(Entry{})
	entries, stop := j.Watch()
	for range 100 {
		j.Add(Entry{})
	}
	if e := <-entries; e.ID != 2 {
		t.Errorf("the first entry is %d", e.ID)
	}
	stop()
	other, stopOther := j.Watch()
	j.close()
	if _, open := <-other; open {
		t.Error("a watch outlives its journal")
	}
	stopOther()
	j.Add(Entry{})
	if late, _ := j.Watch(); j.Len() != 0 {
		t.Error("a closed journal takes an entry")
	} else if _, open := <-late; open {
		t.Error("a closed journal can be watched")
	}
}

func TestFieldsAsJSON(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]Fields{
		`{}`:                             {},
		`{"Accept":"a\"b","X":"\u003c"}`: {{"Accept", `a"b`}, {"X", "<"}},
	} {
		if got, err := json.Marshal(f); err != nil || string(got) != want {
			t.Errorf("%v is %s, %v", f, got, err)
		}
	}
}

func TestParseScope(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Scope{
		"":                              {},
		" ; , ":                         {},
		"share=0.25":                    {Share: 0.25},
		"share=1":                       {Share: 1},
		"path=/Practitioner/":           {Path: "Practitioner"},
		"page=2;count=200, query=a:b=c": {Page: 2, CountAbove: 200, Query: "a:b=c"},
		"after=3,for=1m30s":             {After: 3, For: 90 * time.Second},
	} {
		if got, err := ParseScope(Scope{}, text); err != nil || got != want {
			t.Errorf("%q is %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"share=0", "share=1.1", "share=-1", "share=NaN", "share=Inf", "share=", "share", "path=", "path=/", "query=", "page=1", "page=3", "page=x",
		"count=0", "count=-1", "count=99999999999999999999", "after=-1", "after=0", "for=0s", "for=-1s", "for=5", "for=x", "nonsense=1", "=", "repeated=x",
	} {
		if got, err := ParseScope(Scope{}, text); err == nil || !strings.Contains(err.Error(), validScope) {
			t.Errorf("%q is %+v, %v", text, got, err)
		}
	}
	changed, err := ParseScope(Scope{Share: 0.25, CountAbove: 200}, "share=1, after=2")
	if want := (Scope{Share: 1, CountAbove: 200, After: 2}); err != nil || changed != want {
		t.Errorf("a changed scope is %+v, %v", changed, err)
	}
	// What a scope prints is read again, for all that words can say.
	for _, text := range []string{"share=0.25, path=a, page=2, count=3, query=x, after=4, for=5s"} {
		s, err := ParseScope(Scope{}, text)
		if err != nil || s.String() != text {
			t.Errorf("%q prints as %q", text, s)
		}
	}
	if got := (Scope{Repeated: "a", Chained: true, Values: 3, Unversioned: true}).String(); got != "repeated a, chained, more than 3 values, unversioned" {
		t.Errorf("a scope of the table prints as %q", got)
	}
	if got := (Scope{Share: 1}).String(); got != "every call" {
		t.Errorf("all prints as %q", got)
	}
}

func TestCovers(t *testing.T) {
	t.Parallel()
	search := Call{Path: "Practitioner", Query: "name:contains=a&name:contains=b&_count=300", Count: 300, Names: []string{"name:contains", "name:contains", "_count"}, Values: 2}
	page := Call{Path: "_page", Began: "PractitionerRole", Query: "id=x", Page: true, Count: 50, Names: []string{"organization.identifier"}}
	for _, c := range []struct {
		scope        Scope
		search, page bool
	}{
		{Scope{}, true, true},
		{Scope{Path: "Practitioner"}, true, false},
		{Scope{Path: "PractitionerRole"}, false, true},
		{Scope{Path: "_page"}, false, true},
		{Scope{Path: "Practi"}, false, false},
		{Scope{Page: 2}, false, true},
		{Scope{CountAbove: 200}, true, false},
		{Scope{CountAbove: 300}, false, false},
		{Scope{Query: "contains="}, true, false},
		{Scope{Repeated: "name:contains"}, true, false},
		{Scope{Repeated: "_count"}, false, false},
		{Scope{Chained: true}, false, true},
		{Scope{Values: 1}, true, false},
		{Scope{Values: 2}, false, false},
		{Scope{Unversioned: true}, false, false},
		{Scope{Path: "Practitioner", Page: 2}, false, false},
	} {
		if got := [2]bool{c.scope.covers(search), c.scope.covers(page)}; got != [2]bool{c.search, c.page} {
			t.Errorf("%s covers %v", c.scope, got)
		}
	}
	for path, want := range map[string]bool{"Practitioner": true, "Practitioner/1": true, "PractitionerRole": false, "": false} {
		if got := (Scope{Path: "Practitioner"}).covers(Call{Path: path}); got != want {
			t.Errorf("path=Practitioner covers %q: %v", path, got)
		}
	}
}

// TestActive: after, for and share, under a clock that a test moves.
func TestActive(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	a := NewActive(func() time.Time { return now })
	start := func(name, scope string) {
		t.Helper()
		if err := a.Start(name, scope); err != nil {
			t.Fatal(err)
		}
	}
	touched := func() bool {
		_, names := a.Effect(Call{Path: "x"})
		return len(names) > 0
	}
	if a.Any() || touched() {
		t.Error("something is on from the start")
	}
	start("unavailable", "after=2")
	for i, want := range []bool{false, false, true, true} {
		if got := touched(); got != want {
			t.Errorf("after=2: call %d is touched: %v", i+1, got)
		}
	}
	if list := a.List(Scope.String); len(list) != 1 || list[0].Calls != 2 || list[0].Scope != "after=2" || !list[0].Since.Equal(now) {
		t.Errorf("what is on is %+v", list)
	}
	start("unavailable", "after=1") // anew
	for i, want := range []bool{false, true} {
		if got := touched(); got != want {
			t.Errorf("after=1: call %d is touched: %v", i+1, got)
		}
	}
	start("unavailable", "for=10s")
	for _, step := range []struct {
		pass time.Duration
		want bool
	}{{0, true}, {10*time.Second - 1, true}, {1, false}, {time.Hour, false}} {
		now = now.Add(step.pass)
		if got := touched(); got != step.want {
			t.Errorf("for=10s: after %v more a call is touched: %v", step.pass, got)
		}
	}
	start("unavailable", "share=0.25")
	hits := 0
	for range 10_000 {
		if touched() {
			hits++
		}
	}
	if math.Abs(float64(hits)-2500) > 300 { // seven standard deviations
		t.Errorf("share=0.25 touches %d of 10,000", hits)
	}
	start("delay", "path=y")
	if list := a.List(Scope.String); len(list) != 2 || list[0].Name != "delay" {
		t.Errorf("what is on is %+v", list)
	}
	if !a.Stop("unavailable") || a.Stop("unavailable") || touched() || !a.Any() {
		t.Error("turning off does not")
	}
	a.Clear()
	if a.Any() || len(a.List(Scope.String)) != 0 {
		t.Error("something stays on")
	}
	if err := a.Start("fire", ""); !errors.As(err, new(Unknown)) {
		t.Errorf("an unknown incident is %v", err)
	}
}

// TestEffectsAddUp: several incidents touch one call.
func TestEffectsAddUp(t *testing.T) {
	t.Parallel()
	a := NewActive(time.Now)
	for _, name := range []string{"delay", "2026-06-28-backend-away", "2025-08-02-numeric-version", "2025-09-04-no-telecom", "2024-08-06-no-total"} {
		if err := a.Start(name, ""); err != nil {
			t.Fatal(err)
		}
	}
	e, names := a.Effect(Call{Version: "v2"})
	if len(names) != 5 || e.Delay != 12100*time.Millisecond || e.Fault != gateway.FailoverExhausted || !e.Answer.NoTotal {
		t.Errorf("%v make %+v", names, e)
	}
	resource, err := fhir.ParseString(`{"meta":{"versionId":"2"},"telecom":[]}`)
	if err != nil {
		t.Fatal(err)
	}
	e.Answer.Resource(resource)
	if got := string(fhir.AppendRead(nil, resource)); got != `{"meta":{"versionId":2}}` {
		t.Errorf("both rewrite: %s", got)
	}
}

// TestEffectFieldsAddUp: no field is forgotten when effects are added.
func TestEffectFieldsAddUp(t *testing.T) {
	t.Parallel()
	var all func(v reflect.Value)
	all = func(v reflect.Value) {
		for i := range v.NumField() {
			switch f := v.Field(i); f.Kind() {
			case reflect.Bool:
				f.SetBool(true)
			case reflect.Int, reflect.Int64:
				f.SetInt(1)
			case reflect.String:
				f.SetString("x")
			case reflect.Map:
				f.Set(reflect.MakeMap(f.Type()))
			case reflect.Pointer:
				f.Set(reflect.New(f.Type().Elem()))
			case reflect.Func:
				f.Set(reflect.ValueOf(func(*fhir.Node) {}))
			case reflect.Struct:
				switch f.Interface().(type) {
				case gateway.Fault:
					f.Set(reflect.ValueOf(gateway.Unauthorized))
				case gateway.Rate:
					f.Set(reflect.ValueOf(gateway.Rate{Limit: 1}))
				default:
					all(f)
				}
			default:
				t.Fatalf("no value for %s", v.Type().Field(i).Name)
			}
		}
	}
	var full Effect
	all(reflect.ValueOf(&full).Elem())
	var whole func(name string, v reflect.Value)
	whole = func(name string, v reflect.Value) {
		for i := range v.NumField() {
			f, field := v.Field(i), v.Type().Field(i).Name
			if f.IsZero() {
				t.Errorf("%s%s is lost", name, field)
			}
			if field == "Answer" {
				whole("Answer.", f)
			}
		}
	}
	whole("", reflect.ValueOf(Effect{}.With(full)))
	whole("", reflect.ValueOf(full.With(Effect{})))
}

func TestOnce(t *testing.T) {
	t.Parallel()
	if _, _, err := Once("fire", "", Call{}); !errors.As(err, new(Unknown)) {
		t.Errorf("an unknown incident is %v", err)
	}
	for _, scope := range []string{"after=1", "for=1s"} {
		if _, _, err := Once("delay", scope, Call{}); err == nil || !strings.Contains(err.Error(), "control call") {
			t.Errorf("%s for one call is %v", scope, err)
		}
	}
	if _, touched, err := Once("delay", "path=a", Call{Path: "b"}); touched || err != nil {
		t.Errorf("another path is touched: %v, %v", touched, err)
	}
	if e, touched, err := Once("delay", "path=a", Call{Path: "a/1"}); !touched || err != nil || e.Delay == 0 {
		t.Errorf("the path is not touched: %+v %v, %v", e, touched, err)
	}
}

// TestAtOnce is for the race detector.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	sessions := newSessions(t)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 200 {
				name := fmt.Sprint(i, "-", n%3)
				_, _ = sessions.Create(name)
				for _, s := range []*Session{sessions.Get(name), sessions.Get(Default)} {
					if s == nil {
						continue
					}
					_ = s.Active.Start("delay", "")
					s.Active.Effect(Call{})
					s.Journal.Add(Entry{Target: name})
					s.Journal.Verify(Expectation{})
					s.Store.Apply(store.Change{Type: "Device", ID: name, JSON: `{"resourceType":"Device"}`})
					s.Active.Stop("delay")
				}
				if n%5 == 0 {
					sessions.Drop(name)
					_ = sessions.Get(Default).Reset()
				}
				sessions.List()
			}
		})
	}
	all.Wait()
}
