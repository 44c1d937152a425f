package synth

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/internal/fhirschema"
)

// An entry is a resource with the line it came from.
type entry struct {
	typ, key, line string
	body           *fhir.Node
}

// entries parses a whole directory.
func entries(t testing.TB, d *Directory) (list []entry) {
	t.Helper()
	for _, typ := range Types {
		for i := range d.Len(typ) {
			line := string(d.Append(nil, typ, i))
			body, err := fhir.ParseString(line)
			if err != nil {
				t.Fatalf("%s %d: %v\n%s", typ, i, err, line)
			}
			list = append(list, entry{typ, typ + "/" + body.Get("id").Str(), line, body})
		}
	}
	return list
}

// wide is a directory of another seed, large enough for every branch and for
// the rarest profession.
func wide(t testing.TB) *Directory { return bare(t, 7) }

func bare(t testing.TB, seed uint64) *Directory {
	t.Helper()
	size := Size{Practitioners: 3600, PractitionerRoles: 3700, Organizations: 600, HealthcareServices: 300, Devices: 300}
	d, err := New(Options{Seed: seed, Size: size, Bare: true})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func directories(t *testing.T) map[string]*Directory {
	return map[string]*Directory{"embedded": embedded(t), "wide": wide(t)}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	d := embedded(t)
	for typ, want := range map[string]int{"Practitioner": 300, "PractitionerRole": 400, "Organization": 150, "HealthcareService": 120, "Device": 510} {
		if got := d.Len(typ); got != want {
			t.Errorf("%d %s, want %d", got, typ, want)
		}
	}
	for name, o := range map[string]Options{
		"below the hand-made part": {Size: Size{Practitioners: 1}},
		"beyond the ranges":        {Size: Scaled(90_000_000), Bare: true},
		"roles of nobody":          {Size: Size{PractitionerRoles: 1}, Bare: true},
		"negative":                 {Size: Size{Devices: -1}, Bare: true},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A directory too small for every kind of structure has a place for everyone
// all the same, as the real one has.
func TestFewStructuresHoldEveryone(t *testing.T) {
	t.Parallel()
	for structures := 2; structures < 2*cycle; structures += 5 {
		d, err := New(Options{Seed: 3, Size: Size{Practitioners: 200, PractitionerRoles: 300, Organizations: structures}, Bare: true})
		if err != nil {
			t.Fatal(err)
		}
		roles, placed := 0, 0
		for i := range d.Len("PractitionerRole") {
			if role := d.activity(i); !role.inactive {
				roles++
				if role.organization != "" {
					placed++
				}
			}
		}
		if placed < roles*95/100 {
			t.Errorf("%d structures: %d of %d roles have one", structures, placed, roles)
		}
	}
}

func TestResourcesAreSound(t *testing.T) {
	t.Parallel()
	for name, d := range directories(t) {
		seen := map[string]bool{}
		for _, e := range entries(t, d) {
			if !strings.HasPrefix(e.line, `{"resourceType":"`+e.typ+`","id":"`+e.body.Get("id").Str()+`",`) {
				t.Errorf("%s: the line does not begin with type and id: %.80s", name, e.line)
			}
			if seen[e.key] {
				t.Errorf("%s: %s comes twice", name, e.key)
			}
			seen[e.key] = true
			if strings.ContainsAny(e.line, "\n\r\t") || strings.Contains(e.line, `": `) {
				t.Errorf("%s: %s is not compact", name, e.key)
			}
			for _, issue := range append(fhirschema.Validate(e.body), fhirschema.ValidateProfile(e.body)...) {
				t.Errorf("%s: %s: %v", name, e.key, issue)
			}
		}
	}
}

// Nothing but the type of a mailbox has a display (ans-api.md §4).
func TestOnlyMailboxesHaveADisplay(t *testing.T) {
	t.Parallel()
	for _, e := range entries(t, embedded(t)) {
		if got, want := strings.Count(e.line, `"display":`), strings.Count(e.line, `"code":"MSSANTE","display":"MSSANTE"}`); got != want {
			t.Errorf("%s: %d displays, %d of mailboxes", e.key, got, want)
		}
	}
}

func TestReferencesResolve(t *testing.T) {
	t.Parallel()
	odd := map[string]bool{}
	for _, o := range Oddities() {
		if strings.Contains(o.What, "does not exist") {
			odd[o.Type+"/"+o.ID] = true
		}
	}
	if len(odd) != 1 {
		t.Errorf("%d dangling references are listed, want 1", len(odd))
	}
	for name, d := range directories(t) {
		list := entries(t, d)
		known := map[string]*fhir.Node{}
		for _, e := range list {
			known[e.key] = e.body
		}
		for _, e := range list {
			for _, target := range references(e.body) {
				body := known[target]
				switch {
				case body == nil && !odd[e.key]:
					t.Errorf("%s: %s refers to %s, which does not exist", name, e.key, target)
				case body != nil && odd[e.key] && strings.HasPrefix(target, "Organization/"):
					t.Errorf("%s: %s is listed as dangling, and %s exists", name, e.key, target)
				case active(e.body) && body != nil && !active(body):
					t.Errorf("%s: %s is active and refers to %s, which is not", name, e.key, target)
				}
			}
		}
	}
}

func active(n *fhir.Node) bool {
	return n.Get("active").Raw() == "true" || n.Get("status").Str() != "" && n.Get("status").Str() != "inactive"
}

func references(n *fhir.Node) (list []string) {
	for _, name := range []string{"practitioner", "organization", "partOf", "providedBy", "owner"} {
		if target := n.Get(name).Get("reference").Str(); target != "" {
			list = append(list, target)
		}
	}
	return list
}

// An inactive resource keeps exactly this (ans-api.md §4.2–4.6).
func TestInactiveResourcesAreStubs(t *testing.T) {
	t.Parallel()
	keeps := map[string]string{
		"Practitioner":      "resourceType id meta identifier active",
		"PractitionerRole":  "resourceType id meta identifier active practitioner",
		"Organization":      "resourceType id meta identifier active name",
		"HealthcareService": "resourceType id meta identifier active",
		"Device":            "resourceType id meta language identifier status",
	}
	for name, d := range directories(t) {
		stubs := map[string]int{}
		for _, e := range entries(t, d) {
			if active(e.body) {
				continue
			}
			want := keeps[e.typ]
			if strings.Contains(e.line, "social-equipment") {
				want = "resourceType id meta active" // its profile prohibits identifiers
			}
			var got []string
			for _, m := range e.body.Members() {
				got = append(got, m.Name)
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%s: %s keeps %v, want %s", name, e.key, got, want)
			}
			stubs[e.typ]++
		}
		for typ := range keeps {
			if stubs[typ] == 0 {
				t.Errorf("%s: no inactive %s", name, typ)
			}
		}
	}
}

func TestTheNewestResourceIsThatOfTheDay(t *testing.T) {
	t.Parallel()
	var dates []string
	for _, e := range entries(t, embedded(t)) {
		meta := e.body.Get("meta")
		if meta.Get("versionId").Kind() != fhir.String {
			t.Errorf("%s: versionId is no string", e.key)
		}
		dates = append(dates, meta.Get("lastUpdated").Str()[:10])
	}
	slices.Sort(dates)
	if first, last := dates[0], dates[len(dates)-1]; first > "2024-07-31" || last != "2026-06-30" {
		t.Errorf("lastUpdated from %s to %s", first, last)
	}
	recent := len(dates) - slices.IndexFunc(dates, func(d string) bool { return d >= "2026-05-31" })
	if share := 100 * recent / len(dates); share < 12 || share > 40 {
		t.Errorf("%d %% of the resources changed in the last thirty days", share)
	}
}

// A resource depends on seed, size and index alone: not on what was asked
// before, nor by whom.
func TestResourcesArePureFunctions(t *testing.T) {
	t.Parallel()
	d, again := wide(t), wide(t)
	for _, typ := range Types {
		t.Run(typ, func(t *testing.T) {
			t.Parallel()
			for i := d.Len(typ) - 1; i >= 0; i -= 37 {
				if first, second := string(d.Append(nil, typ, i)), string(again.Append([]byte("x"), typ, i)); "x"+first != second {
					t.Fatalf("%s %d differs:\n%s\n%s", typ, i, first, second)
				}
			}
		})
	}
	if string(bare(t, 8).Append(nil, "Practitioner", 5)) == string(d.Append(nil, "Practitioner", 5)) {
		t.Error("the seed makes no difference")
	}
}

// Every profession, sector and kind of structure of the tables appears in the
// embedded directory or, for the rarest professions, in a larger one.
func TestVariety(t *testing.T) {
	t.Parallel()
	var small, large strings.Builder
	for _, typ := range Types {
		if err := embedded(t).Write(&small, typ); err != nil {
			t.Fatal(err)
		}
		if err := wide(t).Write(&large, typ); err != nil {
			t.Fatal(err)
		}
	}
	for _, block := range blocks {
		for _, p := range block {
			if p.sector != "" && !strings.Contains(small.String(), `"code":"`+p.sector+`"`) {
				t.Errorf("no structure of sector %s", p.sector)
			}
		}
	}
	for _, trade := range trades.items {
		text := small.String()
		if trade.share < 66 {
			text = large.String()
		}
		if !strings.Contains(text, `"system":"`+trade.code.system+`","code":"`+trade.code.code+`"`) {
			t.Errorf("nobody has the profession %v", trade.code)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	d, err := New(Options{Seed: 1, Size: Scaled(150_000), Bare: true})
	if err != nil {
		b.Fatal(err)
	}
	for _, typ := range Types {
		b.Run(typ, func(b *testing.B) {
			counter := new(count)
			b.ReportAllocs()
			for b.Loop() {
				if err := d.Write(io.MultiWriter(counter), typ); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(*counter) / int64(b.N))
			b.ReportMetric(float64(b.N*d.Len(typ))/b.Elapsed().Seconds(), "resources/s")
		})
	}
}

type count int

func (c *count) Write(p []byte) (int, error) { *c += count(len(p)); return len(p), nil }
