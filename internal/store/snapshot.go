package store

import (
	"slices"

	"github.com/mockfhir/mockfhir/fixtures"
)

// Snapshot is the directory at one revision. It never changes.
type Snapshot struct {
	// Revision counts the writes since the set was loaded.
	Revision int64
	// State stands for what the directory holds: 0 as it was loaded, then a
	// digest of all writes. Sessions and replicas that were written alike share it,
	// so that a page token is followed where it leads to the same page.
	State int64

	store    *Store
	overlays map[string]*overlay
}

// Table is the table of search parameters of the directory.
func (s *Snapshot) Table() *fixtures.Table { return s.store.table }

// Doc is one resource of a snapshot.
type Doc struct {
	// Seq is the place in the order of the type: searches answer in this order.
	Seq  int64
	Type string
	seg  *segment
	n    uint32
}

// Text is the resource as the store prints it, in the dialect of v2's searches
// unless Options say otherwise. It must not be changed.
func (d Doc) Text() []byte { return d.seg.doc(d.n) }

// Ahead prepares what stands behind the last of some resources, as much as they
// are themselves: a reader who goes from page to page will want that next.
func Ahead(page []Doc) {
	if len(page) == 0 {
		return
	}
	first, last := page[0], page[len(page)-1]
	if first.seg != last.seg || last.seg.ahead == nil {
		return
	}
	from, _ := first.seg.texts.span(int(first.n))
	_, to := last.seg.texts.span(int(last.n))
	last.seg.ahead(to, to+(to-from))
}

// ID is the logical id of the resource.
func (d Doc) ID() string { return d.seg.names.at(int(d.n)) }

// part is a segment of a snapshot: where it starts in the order of its type,
// and which of its documents are not there any more.
type part struct {
	seg   *segment
	start int64
	dead  []uint64
}

func (s *Snapshot) parts(typ string) []part {
	var parts []part
	var start int64
	o := s.overlays[typ]
	if seg := s.store.segment(typ); seg != nil {
		p := part{seg: seg}
		if o != nil {
			p.dead = o.dead
		}
		parts = append(parts, p)
		start = int64(seg.size)
	}
	if o != nil {
		for _, l := range o.layers {
			seg := l.segment(s.store, s.store.table.Type(typ))
			parts = append(parts, part{seg, start, l.dead})
			start += int64(seg.size)
		}
	}
	return parts
}

// Get finds a resource by its id.
func (s *Snapshot) Get(typ, id string) (Doc, bool) {
	for _, p := range s.parts(typ) {
		if n, found := p.seg.find(id); found && (p.dead == nil || p.dead[n>>6]&(1<<(n&63)) == 0) {
			return Doc{p.start + int64(n), typ, p.seg, n}, true
		}
	}
	return Doc{}, false
}

// Condition is one test on the values of a parameter.
type Condition struct {
	Match Match
	Space Space             // of Exactly, Prefix and Contains
	Text  string            // of Exactly, Prefix and Contains
	Date  Date              // of On
	Like  func(string) bool // of Where
	Not   bool              // what does not meet the test
}

// Match is a kind of test.
type Match int

// The tests: a term that is, begins with or contains a text; a date; a term
// that a function likes; nothing at all.
const (
	Exactly Match = iota
	Prefix
	Contains
	On
	Where
	Never
)

// Criterion is met by a resource that meets any of its conditions. One
// without conditions is met by all.
type Criterion struct {
	Param string // name in the table
	Any   []Condition
}

// Matches is the answer to a search: resources of one type, in order.
type Matches struct {
	typ   string
	parts []part
	sets  []set
}

// Search returns the resources of a type that meet all the criteria.
func (s *Snapshot) Search(typ string, criteria []Criterion) Matches {
	m := Matches{typ: typ, parts: s.parts(typ)}
	described := s.store.table.Type(typ)
	for _, p := range m.parts {
		sets := make([]set, 0, len(criteria))
		for _, c := range criteria {
			if len(c.Any) > 0 {
				sets = append(sets, p.seg.meet(c, position(described, c.Param)))
			}
		}
		m.sets = append(m.sets, intersect(p.seg.size, sets).without(p.dead))
	}
	return m
}

// position of a parameter in its type, and so of its index in a segment.
func position(typ *fixtures.Type, param string) int {
	return slices.IndexFunc(typ.Params, func(p fixtures.Param) bool { return p.Name == param })
}

// index of a parameter, ready to be read.
func (s *segment) index(param int) *index {
	ix := s.indexes[param]
	if ix.ready != nil {
		ix.ready()
	}
	return ix
}

// meet returns what meets any condition of a criterion. Many conditions are
// gathered in one bitmap, because a query may hold hundreds of thousands.
func (s *segment) meet(c Criterion, param int) set {
	ix := s.index(param)
	if len(c.Any) == 1 {
		return ix.meet(s.size, c.Any[0])
	}
	b := newBits(s.size)
	for _, cond := range c.Any {
		ix.meet(s.size, cond).addTo(b)
	}
	return set{size: s.size, bits: b}
}

func (ix *index) meet(size uint32, cond Condition) set {
	var hits set
	switch cond.Match {
	case Exactly:
		hits = listSet(size, ix.equal(cond.Space, cond.Text))
	case Prefix:
		hits = ix.prefix(size, cond.Space, cond.Text)
	case Contains:
		hits = ix.contains(size, cond.Space, cond.Text)
	case On:
		hits = ix.dates(size, cond.Date)
	case Where:
		hits = ix.where(size, cond.Space, cond.Like)
	case Never:
		hits = set{size: size}
	}
	if cond.Not {
		return hits.not()
	}
	return hits
}

// Count is how many resources match.
func (m Matches) Count() int {
	n := 0
	for _, s := range m.sets {
		n += s.count()
	}
	return n
}

// From returns up to limit matches whose Seq is at least seq.
func (m Matches) From(seq int64, limit int) []Doc {
	room := 0
	for _, s := range m.sets {
		room += s.atMost()
	}
	docs := make([]Doc, 0, min(room, limit, 256))
	for i, p := range m.parts {
		at := max(0, seq-p.start)
		for len(docs) < limit && at < int64(p.seg.size) {
			n, found := m.sets[i].next(uint32(at))
			if !found {
				break
			}
			docs = append(docs, Doc{p.start + int64(n), m.typ, p.seg, n})
			at = int64(n) + 1
		}
	}
	return docs
}

// Targets returns the references of a resource under a parameter, as
// "Type/id", in document order.
func (s *Snapshot) Targets(d Doc, param string) []string {
	ix := d.seg.index(position(s.store.table.Type(d.Type), param))
	if ix.heads == nil {
		return nil
	}
	from := uint32(0)
	if d.n > 0 {
		from = ix.heads[d.n-1]
	}
	var targets []string
	for _, term := range ix.targets[from:ix.heads[d.n]] {
		targets = append(targets, ix.terms.at(int(term))[1:])
	}
	return targets
}

// Referring returns the resources of a type that refer, under a parameter, to
// any of the targets ("Type/id"), in order.
func (s *Snapshot) Referring(typ, param string, targets []string) []Doc {
	c := Criterion{Param: param}
	for _, t := range targets {
		c.Any = append(c.Any, Condition{Match: Exactly, Space: Target, Text: t})
	}
	if len(c.Any) == 0 {
		return nil
	}
	m := s.Search(typ, []Criterion{c})
	return m.From(0, m.Count())
}
