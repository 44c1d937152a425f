package store

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/fhir"
)

// Options say how the resources of a set are told. The zero Options tell them
// as they were loaded.
type Options struct {
	// Shift is added to every meta.lastUpdated of the set, in days, so that a
	// directory made once still has changed yesterday.
	Shift int
	// Zone is that of the server: dates without an offset are read in it, and dates
	// that are shifted are printed in it. nil is Paris.
	Zone *time.Location
	// NumericVersions prints meta.versionId as a number from version 2 on, in
	// searches: profile source, and production until March 2026 (issue #359).
	NumericVersions bool
	// Fold folds strings for searches that are not exact; nil is Normalize.
	Fold func(string) string
	// Print prints a resource; nil is the dialect of v2's searches.
	Print func(dst []byte, resource *fhir.Node) []byte
}

// zone is where dates without an offset are read.
func (o Options) zone() *time.Location {
	return cmp.Or(o.Zone, paris(), time.UTC)
}

// complete fills in what nil stands for.
func (o Options) complete() Options {
	if o.Fold == nil {
		o.Fold = Normalize
	}
	if o.Print == nil {
		o.Print = fhir.AppendSearch
	}
	return o
}

// Store is a directory and its history.
type Store struct {
	table   *fixtures.Table
	options Options
	base    map[string]*lazy
	added   []Change // to a packed set, by sets that were loaded beside it

	mu        sync.Mutex
	current   *Snapshot
	snapshots map[int64]*Snapshot // by state
	states    []int64             // of those, in order
}

// lazy is a segment built when it is first asked for. One that cannot be built,
// of a damaged file, panics each time.
type lazy struct {
	texts   []string
	segment func() *segment
}

// New stores a set. The resources are printed and indexed later, type by type.
func New(set *fixtures.Set, o Options) *Store {
	s := &Store{table: set.Table, options: o.complete(), base: map[string]*lazy{}}
	newLazy := func(typ *fixtures.Type) *lazy {
		l := &lazy{}
		l.segment = sync.OnceValue(func() *segment {
			if set.Packed() != nil && typ != nil {
				return openSegment(set.Packed(), typ, s.rewriteText())
			}
			defer func() { l.texts = nil }()
			return s.build(typ, l.texts, s.rewriteLoaded)
		})
		return l
	}
	for i := range set.Table.Types {
		s.base[set.Table.Types[i].Type] = newLazy(&set.Table.Types[i])
	}
	for _, r := range set.Resources {
		l := s.base[r.Type]
		if l == nil { // not searchable, but a reference may lead there
			l = newLazy(nil)
			s.base[r.Type] = l
		}
		if set.Packed() != nil {
			s.added = append(s.added, Change{r.Type, r.ID, r.JSON})
		} else {
			l.texts = append(l.texts, r.JSON)
		}
	}
	s.Reset()
	return s
}

// rewriteText is rewriteLoaded for a text that was printed already, nil when
// the options change nothing.
func (s *Store) rewriteText() func([]byte) []byte {
	if s.options.Shift == 0 && !s.options.NumericVersions {
		return nil
	}
	return func(text []byte) []byte {
		resource, err := fhir.Parse(text)
		if err != nil {
			panic(err) // it was printed by us
		}
		s.rewriteLoaded(resource)
		return s.options.Print(nil, resource)
	}
}

// segment is that of a type as it was loaded, nil for one that was not.
func (s *Store) segment(typ string) *segment {
	if l := s.base[typ]; l != nil {
		return l.segment()
	}
	return nil
}

// rewriteLoaded applies the options to a resource of the set before it is
// printed.
func (s *Store) rewriteLoaded(resource *fhir.Node) {
	if s.options.Shift != 0 {
		updated := resource.Path("meta", "lastUpdated")
		if text, ok := s.options.moved(updated.Str()); ok {
			updated.Replace(`"` + text + `"`)
		}
	}
	s.rewriteWritten(resource)
}

// rewriteWritten applies them to a resource that was written since, whose date
// is of now already.
func (s *Store) rewriteWritten(resource *fhir.Node) {
	if version := resource.Path("meta", "versionId"); s.options.NumericVersions && version.Kind() == fhir.String {
		if n, err := strconv.Atoi(version.Str()); err == nil && n > 1 {
			version.Replace(strconv.Itoa(n))
		}
	}
}

// moved is a lastUpdated as it is printed when it is shifted.
func (o Options) moved(text string) (string, bool) {
	text, ok := shiftDays(text, o.Shift)
	if !ok || o.Zone == nil {
		return text, ok
	}
	t, layout, ok := instantWithDigits(text)
	return t.In(o.Zone).Format(layout + "-07:00"), ok
}

// instantWithDigits reads an instant, and the layout that prints as many digits.
func instantWithDigits(text string) (t time.Time, layout string, ok bool) {
	t, err := time.Parse(time.RFC3339Nano, text)
	layout = "2006-01-02T15:04:05"
	if _, rest, found := strings.Cut(text, "."); found && err == nil {
		layout += "." + strings.Repeat("0", strings.IndexAny(rest, "Z+-"))
	}
	return t, layout, err == nil
}

// shiftDays moves an instant by whole days of the calendar: the hour and the
// way it is written stay, the offset follows the season in Paris when it was
// an offset of Paris.
func shiftDays(text string, days int) (string, bool) {
	t, layout, ok := instantWithDigits(text)
	if !ok {
		return "", false
	}
	moved := t.AddDate(0, 0, days)
	if paris := paris(); paris != nil && sameOffset(t, t.In(paris)) {
		y, mo, d := moved.Date()
		h, mi, sec := moved.Clock()
		moved = time.Date(y, mo, d, h, mi, sec, moved.Nanosecond(), paris)
	}
	return moved.Format(layout + "Z07:00"), true
}

// paris is the directory's time zone, nil where the machine knows none; it is
// read from a file.
var paris = sync.OnceValue(func() *time.Location {
	zone, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		return nil
	}
	return zone
})

func sameOffset(a, b time.Time) bool {
	_, x := a.Zone()
	_, y := b.Zone()
	return x == y
}

// Fork returns a store with the directory as it was loaded and a history of its
// own: what is changed in one is not seen in the other.
func (s *Store) Fork() *Store {
	fork := &Store{table: s.table, options: s.options, base: s.base, added: s.added}
	fork.Reset()
	return fork
}

// Reset forgets all changes.
func (s *Store) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = &Snapshot{store: s, overlays: s.overlaid(nil, s.added)}
	s.snapshots, s.states = map[int64]*Snapshot{0: s.current}, []int64{0}
}

// Current returns the directory as it is now.
func (s *Store) Current() *Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// At returns the directory in a state, false for one this store never had, or
// has forgotten.
func (s *Store) At(state int64) (*Snapshot, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	snap, ok := s.snapshots[state]
	return snap, ok
}

// Change is one write: a resource to add or to replace, or the deletion of one.
type Change struct {
	Type, ID string
	JSON     string // "" deletes
}

// history is how many revisions are kept. The real server forgets old ones as
// well, by their age (ans-server.md §6.3).
const history = 1000

// Apply makes the changes, all at once, and returns the directory that has
// them. A resource that is replaced moves to the end of its type, as in the
// real server (ans-server.md §4.3).
func (s *Store) Apply(changes ...Change) *Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := &Snapshot{
		Revision: s.current.Revision + 1,
		State:    s.current.after(changes),
		store:    s,
		overlays: s.overlaid(s.current.overlays, changes),
	}
	s.current = next
	s.snapshots[next.State] = next
	s.states = append(s.states, next.State)
	if len(s.states) > history {
		delete(s.snapshots, s.states[0])
		s.states = s.states[1:]
	}
	return next
}

// after is the state that some changes lead to.
func (s *Snapshot) after(changes []Change) int64 {
	digest := sha256.New()
	fmt.Fprintf(digest, "%d", s.State)
	for _, c := range changes {
		fmt.Fprintf(digest, "%q", []string{c.Type, c.ID, c.JSON})
	}
	return int64(binary.BigEndian.Uint64(digest.Sum(nil)))
}

// overlaid returns overlays with more changes in them.
func (s *Store) overlaid(overlays map[string]*overlay, changes []Change) map[string]*overlay {
	next := map[string]*overlay{}
	maps.Copy(next, overlays)
	byType := map[string][]Change{}
	for _, c := range changes {
		byType[c.Type] = append(byType[c.Type], c)
	}
	for typ, list := range byType {
		next[typ] = next[typ].with(list, s.segment(typ))
	}
	return next
}

// overlay is what changed of one type since the set was loaded. Like a
// snapshot it never changes.
type overlay struct {
	dead   []uint64 // documents of the base that were replaced or deleted
	layers []layer  // what was written, in order
}

// layer is a run of writes, and those that were replaced or deleted since.
type layer struct {
	*run
	dead []uint64
}

// run is resources that were written one after the other.
type run struct {
	ids   []string
	texts []string
	last  map[string]uint32 // by id
	once  sync.Once
	seg   *segment
}

func newRun() *run { return &run{last: map[string]uint32{}} }

func (r *run) add(id, text string) {
	r.last[id] = uint32(len(r.ids))
	r.ids, r.texts = append(r.ids, id), append(r.texts, text)
}

func (r *run) segment(s *Store, typ *fixtures.Type) *segment {
	r.once.Do(func() { r.seg = s.build(typ, r.texts, s.rewriteWritten) })
	return r.seg
}

// with returns the overlay with more changes.
func (o *overlay) with(changes []Change, base *segment) *overlay {
	next := &overlay{}
	if o != nil {
		next.dead = slices.Clone(o.dead)
		for _, l := range o.layers {
			next.layers = append(next.layers, layer{l.run, slices.Clone(l.dead)})
		}
	}
	written := layer{run: newRun()}
	for _, c := range changes {
		if base != nil {
			if doc, found := base.find(c.ID); found {
				next.dead = bury(next.dead, doc, base.size)
			}
		}
		for i := range next.layers {
			l := &next.layers[i]
			if doc, found := l.last[c.ID]; found {
				l.dead = bury(l.dead, doc, uint32(len(l.ids)))
			}
		}
		if doc, found := written.last[c.ID]; found {
			written.dead = bury(written.dead, doc, uint32(len(changes)))
		}
		if c.JSON != "" {
			written.add(c.ID, c.JSON)
		}
	}
	next.push(written)
	return next
}

// bury marks a document as dead.
func bury(dead []uint64, doc, size uint32) []uint64 {
	if dead == nil {
		dead = newBits(size)
	}
	setBits(dead, []uint32{doc})
	return dead
}

// push adds a layer. It joins those before it that are not twice as large, so
// that there are few however many writes there were.
func (o *overlay) push(l layer) {
	if len(l.ids) == 0 {
		return
	}
	for n := len(o.layers); n > 0 && len(o.layers[n-1].ids) < 2*len(l.ids); n-- {
		joined := newRun()
		o.layers[n-1].each(joined.add)
		l.each(joined.add)
		o.layers, l = o.layers[:n-1], layer{run: joined}
	}
	o.layers = append(o.layers, l)
}

// each calls f with what still stands.
func (l layer) each(f func(id, text string)) {
	for i, id := range l.ids {
		if l.dead == nil || l.dead[i>>6]&(1<<(i&63)) == 0 {
			f(id, l.texts[i])
		}
	}
}
