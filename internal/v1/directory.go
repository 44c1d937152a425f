package v1

import (
	"hash/maphash"
	"maps"
	"math"
	"strings"
	"sync"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/internal/store"
)

// directory keeps version 1's view of the directory beside version 2's. It is
// made when it is first asked for, and follows what is written to the other.
type directory struct {
	source *store.Store // version 2's

	mu     sync.Mutex
	views  map[*store.Snapshot]*store.Snapshot // of the source's that are kept
	store  *store.Store                        // of the views
	people people                              // of the last one
	sums   map[key]uint64                      // of its texts, to find what changed
}

type key struct{ typ, id string }

// current is the view of the source as it is now, and the source's state.
func (d *directory) current() (view *store.Snapshot, state int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	snap := d.source.Current()
	if d.views[snap] == nil {
		// What was loaded comes first: all sessions begin with it, so that a page
		// of it is the same in each.
		if loaded, known := d.source.At(0); known && d.views[loaded] == nil {
			d.views, d.store, d.sums = nil, nil, nil
			d.follow(loaded)
		}
		if d.views[snap] == nil {
			d.follow(snap)
		}
	}
	return d.views[snap], snap.State
}

// at is the view of the source in a state, false for one that this source never
// had, or has forgotten.
func (d *directory) at(state int64) (*store.Snapshot, bool) {
	d.current()
	snap, known := d.source.At(state)
	d.mu.Lock()
	defer d.mu.Unlock()
	view := d.views[snap]
	return view, known && view != nil
}

// follow maps the whole source, and writes what came out otherwise than
// before: the change of one Practitioner changes all his PractitionerRoles.
func (d *directory) follow(snap *store.Snapshot) {
	resources, people := view(snap, true)
	sums := make(map[key]uint64, len(resources))
	var changes []store.Change
	for _, r := range resources {
		k := key{r.Type, r.ID}
		sums[k] = maphash.String(seed, r.JSON)
		if before, known := d.sums[k]; !known || before != sums[k] {
			changes = append(changes, store.Change{Type: r.Type, ID: r.ID, JSON: r.JSON})
		}
	}
	for k := range d.sums {
		if _, still := sums[k]; !still {
			changes = append(changes, store.Change{Type: k.typ, ID: k.id})
		}
	}
	switch {
	case d.store == nil:
		set := &fixtures.Set{Table: Table(), Resources: resources}
		d.views = map[*store.Snapshot]*store.Snapshot{}
		d.store = store.New(set, store.Options{Fold: strings.ToLower, Print: appendUntraced})
	case len(changes) > 0:
		d.store.Apply(changes...)
	}
	maps.DeleteFunc(d.views, func(old, _ *store.Snapshot) bool {
		kept, known := d.source.At(old.State)
		return !known || kept != old
	})
	d.views[snap] = d.store.Current()
	d.sums, d.people = sums, people
}

// altered is a resource as it would be if version 2's were altered, which
// version 1's is made of.
func (d *directory) altered(doc store.Doc, alter func(*fhir.Node)) []byte {
	d.mu.Lock()
	p := d.people
	d.mu.Unlock()
	snap := d.source.Current()
	source := func(typ, id string) *fhir.Node {
		doc, found := snap.Get(typ, id)
		if !found {
			return nil
		}
		n := parsed(doc.Text())
		alter(n)
		return n
	}
	k := key{doc.Type, doc.ID()}
	if of, known := p.sources[k]; known {
		k = of
	}
	n := source(k.typ, k.id)
	switch {
	case n == nil: // it has gone since
		return doc.Text()
	case k.typ != doc.Type:
		_, text := p.exercise(n)
		return []byte(text)
	case k.typ == "PractitionerRole":
		_, id, _ := strings.Cut(n.Get("practitioner").Get("reference").Str(), "/")
		p.byID = map[string]*fhir.Node{}
		if who := source("Practitioner", id); inUse(who) {
			p.byID[id] = who
		}
	}
	return []byte(p.resource(n))
}

var seed = maphash.MakeSeed()

// order is that of a load: what others refer to comes first.
var order = []string{"Organization", "Practitioner", "PractitionerRole", "HealthcareService", "Device"}

// View maps a directory of version 2: the resources of version 1, in the order
// that its searches answer in.
func View(snap *store.Snapshot) []fixtures.Resource {
	resources, _ := view(snap, false)
	return resources
}

// trace is a member that is searched and never printed: where a resource comes
// from, which has no known place in version 1.
const trace = "trace"

func withTrace(text string, of *fhir.Node) string {
	of.Path("meta", "extension").Each(func(e *fhir.Node) {
		if e.Get("url").Str() == v2Trace && e.Get("extension") != nil {
			text = text[:len(text)-1] + `,"` + trace + `":` + string(fhir.AppendRead(nil, e.Get("extension"))) + "}"
		}
	})
	return text
}

func appendUntraced(dst []byte, resource *fhir.Node) []byte {
	w := writer{out: dst}
	w.open('{')
	for i := range resource.Members() {
		if m := &resource.Members()[i]; m.Name != trace {
			w.member(m.Name, &m.Value)
		}
	}
	w.close('}')
	return w.out
}

// view maps a directory, and adds a trace to each resource if it is wanted.
func view(snap *store.Snapshot, traced bool) ([]fixtures.Resource, people) {
	texts := map[string][]*fhir.Node{}
	for _, typ := range order {
		for _, doc := range snap.Search(typ, nil).From(0, math.MaxInt32) {
			n, err := fhir.Parse(doc.Text())
			if err != nil {
				panic(err) // it was printed by us
			}
			texts[typ] = append(texts[typ], n)
		}
	}
	p := peopleOf(texts["Practitioner"])
	busy, roles := map[string]bool{}, map[string]bool{}
	for _, role := range texts["PractitionerRole"] {
		if role.Get("active").Text() != "false" { // a stub tells nothing
			busy[role.Get("practitioner").Get("reference").Str()] = true
		}
		roles[role.Get("id").Str()] = true
	}
	var resources []fixtures.Resource
	add := func(typ, id, text string, of *fhir.Node) {
		if traced {
			text = withTrace(text, of)
		}
		resources = append(resources, fixtures.Resource{Type: typ, ID: id, JSON: text})
	}
	for _, typ := range order {
		for _, n := range texts[typ] {
			id := n.Get("id").Str()
			if typ == "Practitioner" {
				id = p.id(id)
			}
			add(typ, id, p.resource(n), n)
		}
		if typ != "PractitionerRole" {
			continue
		}
		for _, n := range texts["Practitioner"] {
			if id := n.Get("id").Str(); p.byID[id] != nil && !busy["Practitioner/"+id] {
				if role, text := p.exercise(n); !roles[role] {
					p.sources[key{typ, role}] = key{"Practitioner", id}
					add(typ, role, text, n)
				}
			}
		}
	}
	p.byID = nil // which is large
	return resources, p
}

// peopleOf gives each Practitioner an id that no other has: the short one to
// the first who claims it.
func peopleOf(practitioners []*fhir.Node) people {
	p := people{ids: map[string]string{}, sources: map[key]key{}, byID: map[string]*fhir.Node{}}
	taken := map[string]bool{}
	for _, n := range practitioners {
		id := n.Get("id").Str()
		short := shortID(id)
		if taken[short] {
			short = id
		}
		taken[short] = true
		p.ids[id], p.sources[key{"Practitioner", short}] = short, key{"Practitioner", id}
		if inUse(n) {
			p.byID[id] = n
		}
	}
	return p
}

func inUse(practitioner *fhir.Node) bool {
	return practitioner != nil && practitioner.Get("active").Text() != "false"
}
