package search

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/store"
)

// directory loads resources, written as "Type/id members".
func directory(resources ...string) *store.Store {
	set := &fixtures.Set{Table: fixtures.DefaultTable()}
	for _, text := range resources {
		name, members, _ := strings.Cut(text, " ")
		typ, id, _ := strings.Cut(name, "/")
		if members != "" {
			members = "," + members
		}
		set.Resources = append(set.Resources, fixtures.Resource{Type: typ, ID: id, JSON: fmt.Sprintf(`{"resourceType":%q,"id":%q%s}`, typ, id, members)})
	}
	return store.New(set, store.Options{})
}

func owner(id string) string { return `"owner":{"reference":"Organization/` + id + `"}` }

func first(t testing.TB, snap *store.Snapshot, target string, r Rules) *Page {
	t.Helper()
	q, err := Parse(snap.Table(), target, r)
	if err != nil {
		t.Fatalf("%s: %v", target, err)
	}
	return First(snap, q, target)
}

// follow goes to the next page as a client does: through a token.
func follow(t testing.TB, s *store.Store, from *Cursor, r Rules) *Page {
	t.Helper()
	sealer := NewSealer("set")
	c, err := sealer.Open(sealer.Seal(*from))
	if err != nil || c != *from {
		t.Fatalf("the token of %+v: %+v, %v", *from, c, err)
	}
	snap, known := s.At(c.State)
	if !known {
		t.Fatalf("state %d is not known", c.State)
	}
	q, err := Parse(snap.Table(), c.Target, r)
	if err != nil {
		t.Fatal(err)
	}
	return Following(snap, q, c)
}

func names(docs []store.Doc) []string {
	list := []string{}
	for _, d := range docs {
		list = append(list, d.Type+"/"+d.ID())
	}
	return list
}

// written lists a page in the order of its entries.
func written(p *Page) string {
	var list []string
	at := 0
	for _, batch := range p.Included {
		list = append(list, names(p.Matches[at:batch.After])...)
		list, at = append(list, names(batch.Docs)...), batch.After
	}
	return strings.Join(append(list, names(p.Matches[at:])...), " ")
}

func TestFirst(t *testing.T) {
	t.Parallel()
	snap := directory("Device/a", "Device/b", "Device/c").Current()
	for query, want := range map[string]string{
		"":                     "3: Device/a Device/b Device/c",
		"_count=3":             "3: Device/a Device/b Device/c", // exactly full: no next page (§4.4)
		"_count=2":             "3: Device/a Device/b, next",
		"_count=1":             "3: Device/a, next",
		"_count=0":             "3: ", // the total without entries (§2.9)
		"_count=-1":            "3: ",
		"_total=none":          "-1: Device/a Device/b Device/c",
		"_total=none&_count=2": "-1: Device/a Device/b, next",
		"_id=z":                "0: ",
		"_id=c,a":              "2: Device/a Device/c",          // in load order (§2.5)
		"_lastUpdated=ne2000":  "3: Device/a Device/b Device/c", // no date meets ne alone (§8.1)
		"_lastUpdated=ge1900":  "0: ",
		"links.Device.model=x": "0: ",
	} {
		p := first(t, snap, "Device?"+query, rules(t))
		got := fmt.Sprintf("%d: %s", p.Total, written(p))
		if p.Next != nil {
			got += ", next"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}

// TestIncluded: matches, then what they refer to, by type and id, then what
// refers to them (§4.3).
func TestIncluded(t *testing.T) {
	t.Parallel()
	part := func(of string) string { return `"partOf":{"reference":"Organization/` + of + `"}` }
	snap := directory(
		"Organization/o2 "+part("o1"), "Organization/o1", "Organization/o3 "+part("gone"), "Organization/o4 "+part("o4"),
		"Practitioner/p1", "Practitioner/p2",
		`PractitionerRole/r1 "practitioner":{"reference":"Practitioner/p2"},"organization":{"reference":"Organization/o2"}`,
		`PractitionerRole/r2 "practitioner":{"reference":"Practitioner/p1"},"organization":{"reference":"Organization/o1"}`,
		`PractitionerRole/r3 "practitioner":{"reference":"Practitioner/p1"},"organization":{"reference":"Location/l"}`,
		"Device/d2 "+owner("o1"), "Device/d1 "+owner("o1"), "Device/d3 "+owner("o2"),
		`HealthcareService/h1 "providedBy":{"reference":"Organization/o1"}`,
	).Current()
	for target, want := range map[string]string{
		"PractitionerRole?_include=PractitionerRole:practitioner":                                        "PractitionerRole/r1 PractitionerRole/r2 PractitionerRole/r3 Practitioner/p1 Practitioner/p2",
		"PractitionerRole?_include=*":                                                                    "PractitionerRole/r1 PractitionerRole/r2 PractitionerRole/r3 Practitioner/p1 Practitioner/p2 Organization/o1 Organization/o2",
		"PractitionerRole?_id=r3&_include=PractitionerRole:organization":                                 "PractitionerRole/r3",
		"Organization?_include=Organization:partof":                                                      "Organization/o2 Organization/o1 Organization/o3 Organization/o4 Organization/o1 Organization/o4", // twice: as a match and as an include
		"Organization?_id=o1&_revinclude=Device:organization":                                            "Organization/o1 Device/d2 Device/d1",
		"Organization?_id=o1&_revinclude=Device:organization&_revinclude=HealthcareService:organization": "Organization/o1 Device/d2 Device/d1 HealthcareService/h1",
		"Organization?_id=o1&_revinclude=Device:organization,Device:organization":                        "Organization/o1 Device/d2 Device/d1 Device/d2 Device/d1",
		"Organization?_id=o2&_revinclude=Organization:partof&_include=Organization:partof":               "Organization/o2 Organization/o1",
		"Organization?_id=o1&_revinclude=Organization:partof&_include=Organization:partof":               "Organization/o1 Organization/o2",
		"Organization?_id=o1&_revinclude=Organization:name":                                              "Organization/o1",
		"Organization?_id=z&_revinclude=Device:organization":                                             "",
		"Organization?_count=0&_revinclude=Device:organization":                                          "",
		"Organization?_count=1&_revinclude=Device:organization":                                          "Organization/o2 Device/d3",           // those of this page alone
		"Device?_count=2&_include=*":                                                                     "Device/d2 Device/d1 Organization/o1", // once
		"Device?_include=Device:model":                                                                   "Device/d2 Device/d1 Device/d3",
	} {
		if got := written(first(t, snap, target, rules(t))); got != want {
			t.Errorf("%s\n got %s\nwant %s", target, got, want)
		}
	}
}

// TestFlush: after 1000 matches the resources that refer to them stand in the
// middle of a page (§4.3).
func TestFlush(t *testing.T) {
	t.Parallel()
	var resources []string
	for i := range 2100 {
		resources = append(resources, fmt.Sprintf("Organization/o%04d", i))
	}
	resources = append(resources, "Device/late "+owner("o2050"), "Device/first "+owner("o0999"), "Device/middle "+owner("o1000"))
	snap := directory(resources...).Current()
	for _, c := range []struct {
		count int
		want  string
	}{
		{999, "999:"},
		{1000, "1000:Device/first 1000:"},
		{1001, "1000:Device/first 1001:Device/middle"},
		{2100, "1000:Device/first 2000:Device/middle 2100:Device/late"},
	} {
		p := first(t, snap, fmt.Sprintf("Organization?_count=%d&_revinclude=Device:organization", c.count), rules(t))
		var got []string
		for _, b := range p.Included {
			got = append(got, fmt.Sprintf("%d:%s", b.After, strings.Join(names(b.Docs), ",")))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%d: %s, want %s", c.count, got, c.want)
		}
	}
}

// TestSnapshotOfPages: a page shows the directory as it was when the search
// began, includes too; a new search shows it as it is (§6.3).
func TestSnapshotOfPages(t *testing.T) {
	t.Parallel()
	s := directory(`Organization/o "name":"old"`, "Device/a", "Device/b "+owner("o"), "Device/c "+owner("o"))
	const target = "Device?_count=1&_include=Device:organization"
	p := first(t, s.Current(), target, rules(t))
	s.Apply(
		store.Change{Type: "Device", ID: "b", JSON: `{"resourceType":"Device","id":"b"}`},
		store.Change{Type: "Device", ID: "c"},
		store.Change{Type: "Device", ID: "d", JSON: `{"resourceType":"Device","id":"d"}`},
		store.Change{Type: "Organization", ID: "o"},
	)
	for _, want := range []string{"Device/b Organization/o", "Device/c Organization/o"} {
		next := follow(t, s, p.Next, rules(t))
		again := follow(t, s, p.Next, rules(t)) // replayed
		if written(next) != want || written(again) != want || next.Total != 3 || !cmp.Equal(next.Next, again.Next) {
			t.Errorf("a page is %q, then %q, want %q", written(next), written(again), want)
		}
		p = next
	}
	if p.Next != nil {
		t.Error("the last page has a next one")
	}
	if got := written(first(t, s.Current(), "Device?_include=Device:organization", rules(t))); got != "Device/a Device/b Device/d" {
		t.Errorf("a new search finds %q", got)
	}
}

// TestFragileFollowing: the second page of the source looks for something else
// (§6.5), that of production does not.
func TestFragileFollowing(t *testing.T) {
	t.Parallel()
	s := directory(`Device/a "type":{"text":"x"}`, `Device/b "type":{"text":"x"}`)
	for fragile, want := range map[bool]string{false: "Device/b", true: ""} {
		r := rules(t)
		r.FragilePages = fragile
		p := first(t, s.Current(), "Device?type=|&_count=1", r)
		if got := written(follow(t, s, p.Next, r)); got != want {
			t.Errorf("fragile %v: page 2 is %q, want %q", fragile, got, want)
		}
	}
}

// world is a random directory and the pieces of queries that find something
// in it.
func world(r *rand.Rand) (*store.Store, []string) {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	var resources []string
	for i := range 90 {
		var members []string
		if r.IntN(4) > 0 {
			members = append(members, fmt.Sprintf(`"name":%q`, pick("Étoile", "ETOILE DU NORD", "Zola", "zol", "Œuvre")))
		}
		if r.IntN(3) > 0 {
			members = append(members, fmt.Sprintf(`"active":%s`, pick("true", "false")))
		}
		if r.IntN(3) > 0 {
			members = append(members, fmt.Sprintf(`"type":[{"coding":[{"system":%q,"code":%q},{"code":%q}]}]`, pick("S", "T"), pick("A", "B"), pick("A", "C")))
		}
		if r.IntN(2) > 0 {
			members = append(members, fmt.Sprintf(`"partOf":{"reference":"Organization/%d"}`, r.IntN(100)))
		}
		if r.IntN(5) > 0 {
			members = append(members, fmt.Sprintf(`"meta":{"lastUpdated":"%d-%02d-%02dT10:00:00.000+02:00"}`, 2023+r.IntN(3), 1+r.IntN(12), 1+r.IntN(28)))
		}
		resources = append(resources, fmt.Sprintf("Organization/%d %s", i, strings.Join(members, ",")))
	}
	s := directory(resources...)
	for range 5 { // some writes, so that there is an overlay
		id := fmt.Sprint(r.IntN(95))
		change := store.Change{Type: "Organization", ID: id, JSON: fmt.Sprintf(`{"resourceType":"Organization","id":%q,"name":"Zola","active":true}`, id)}
		if r.IntN(3) == 0 {
			change.JSON = ""
		}
		s.Apply(change)
	}
	return s, []string{
		"name=etoile", "name=zo", "name=", "name:contains=o", "name:exact=Zola", "name:exact=zola", "name=nobody",
		"active=true", "active=false", "active:not=true", "type=A", "type=S|A", "type=S|", "type=|", "type=null|A", "type:not=A", "type:not=S|",
		"partof=7", "partof=Organization/7", "partof=Foo/7", "_id=1,2,3,40,89", "_id:not=1",
		"_lastUpdated=2024", "_lastUpdated=ge2024-06", "_lastUpdated=lt2024-06-15", "_lastUpdated=ne2024", "_lastUpdated=ap2024",
	}
}

// found is everything a search finds, by one page of any size.
func found(t testing.TB, snap *store.Snapshot, query string, r Rules) []string {
	p := first(t, snap, "Organization?_count=1000&"+query, r)
	if p.Total != len(p.Matches) {
		t.Errorf("%s: total %d, found %d", query, p.Total, len(p.Matches))
	}
	return names(p.Matches)
}

// TestLaws: a repeated parameter narrows to what both find, a comma widens to
// what either finds, always in the order of the directory (§2.1).
func TestLaws(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 25))
	s, pieces := world(r)
	snap, rules := s.Current(), rules(t)
	all := found(t, snap, "", rules)
	some := 0
	for _, a := range pieces {
		left := found(t, snap, a, rules)
		if len(left) > 0 && len(left) < len(all) {
			some++
		}
		for _, b := range pieces {
			right := found(t, snap, b, rules)
			both := slices.DeleteFunc(slices.Clone(all), func(id string) bool { return !slices.Contains(left, id) || !slices.Contains(right, id) })
			if diff := cmp.Diff(both, found(t, snap, a+"&"+b, rules)); diff != "" {
				t.Errorf("%s and %s (-want +got):\n%s", a, b, diff)
			}
			name, value, _ := strings.Cut(a, "=")
			other, second, _ := strings.Cut(b, "=")
			if name != other || value == "" || second == "" { // an empty value adds nothing to a list
				continue
			}
			either := slices.DeleteFunc(slices.Clone(all), func(id string) bool { return !slices.Contains(left, id) && !slices.Contains(right, id) })
			if diff := cmp.Diff(either, found(t, snap, a+","+second, rules)); diff != "" {
				t.Errorf("%s or %s (-want +got):\n%s", a, b, diff)
			}
		}
	}
	if some < len(pieces)*3/4 {
		t.Errorf("only %d of %d searches find some and not all", some, len(pieces))
	}
}

// TestPaging: pages of any size tell every match once, in order, and their sum
// is the total, while the directory changes.
func TestPaging(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(11, 7))
	s, pieces := world(r)
	rules := rules(t)
	for _, piece := range pieces {
		want := found(t, s.Current(), piece, rules)
		for _, count := range []int{1, 2, 3, 7, len(want) - 1, len(want), len(want) + 1, 89} {
			if count < 1 {
				continue
			}
			got, pages := []string{}, 0
			p := first(t, s.Current(), fmt.Sprintf("Organization?%s&_count=%d", piece, count), rules)
			before := s.Current()
			for ; ; p = follow(t, s, p.Next, rules) {
				pages++
				got = append(got, names(p.Matches)...)
				if p.Total != len(want) {
					t.Errorf("%s by %d: page %d says a total of %d, want %d", piece, count, pages, p.Total, len(want))
				}
				if p.Next == nil {
					break
				}
				if len(p.Matches) != count {
					t.Fatalf("%s by %d: page %d has %d matches and a next page", piece, count, pages, len(p.Matches))
				}
				if pages == 1 && count == 7 { // the world goes on
					s.Apply(store.Change{Type: "Organization", ID: "7"}, store.Change{Type: "Organization", ID: "new", JSON: `{"resourceType":"Organization","id":"new","name":"Zola"}`})
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s by %d (-want +got):\n%s", piece, count, diff)
			}
			if most := max(1, (len(want)+count-1)/count); pages != most {
				t.Errorf("%s by %d: %d pages, want %d", piece, count, pages, most)
			}
			if before != s.Current() {
				want = found(t, s.Current(), piece, rules)
			}
		}
	}
}

// Without being asked, a search is not counted that has more to look through
// than the budget; what an index answers is counted whatever it finds.
func TestCountBudget(t *testing.T) {
	t.Parallel()
	s := directory(
		`Practitioner/a "active":true,"name":[{"family":"MARTIN"}]`,
		`Practitioner/b "active":true,"name":[{"family":"MARTEL"}]`,
		`Practitioner/c "active":false,"name":[{"family":"MARTY"}]`)
	for _, tt := range []struct {
		query  string
		budget int
		want   int
	}{
		{"name:contains=art", 0, 3},
		{"name:contains=art", 3, 3},
		{"name:contains=art", 2, -1},
		{"name:contains=nobody", 2, -1},
		{"name:contains=art&_total=accurate", 2, 3},
		{"name:contains=art&_total=estimate", 2, 3},
		{"name:contains=art&_total=none", 3, -1},
		{"name:contains=art&active=true", 2, 2},
		{"name:contains=art&active=true", 1, -1},
		{"name:contains=art&name:contains=in&active=true", 2, 1},
		{"name:contains=", 1, 3},
		{"name=mart", 1, 3},
		{"name:exact=MARTIN", 1, 1},
		{"", 1, 3},
	} {
		page := first(t, s.Current(), "Practitioner?_count=1&"+tt.query, Rules{CountBudget: tt.budget})
		if page.Total != tt.want {
			t.Errorf("%s with a budget of %d: total %d, want %d", tt.query, tt.budget, page.Total, tt.want)
		}
		if page.Next != nil && follow(t, s, page.Next, Rules{CountBudget: tt.budget}).Total != tt.want {
			t.Errorf("%s: the second page has another total", tt.query)
		}
	}
}
