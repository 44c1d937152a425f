package store

import (
	"bytes"
	"cmp"
	"slices"
	"sort"
	"time"
	"unsafe"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/fhir"
)

// segment is a run of resources of one type, indexed. It never changes. Its
// arrays are flat, so that they are the same in memory and in a packed file.
type segment struct {
	size    uint32
	texts   list     // the resources as they are printed
	names   list     // the id of each
	byName  []uint32 // the documents in the order of their ids
	indexes []*index // by parameter of the type

	// Of a packed file.
	check   func(from, to uint64)    // of texts, before they are read
	ahead   func(from, to uint64)    // check, soon
	rewrite func(text []byte) []byte // what the options change, nil for nothing
}

// list is many strings in one piece of memory.
type list struct {
	ends  []uint64 // where each ends in bytes
	bytes []byte
}

func (l *list) add(text []byte) {
	l.bytes = append(l.bytes, text...)
	l.ends = append(l.ends, uint64(len(l.bytes)))
}

func (l *list) span(i int) (from, to uint64) {
	if i > 0 {
		from = l.ends[i-1]
	}
	return from, l.ends[i]
}

// at returns a string that shares the memory of the list.
func (l *list) at(i int) string {
	from, to := l.span(i)
	if from == to {
		return ""
	}
	return unsafe.String(&l.bytes[from], to-from)
}

// search is where a string stands among sorted ones, or would stand.
func (l *list) search(text string) (int, bool) {
	i := sort.Search(len(l.ends), func(i int) bool { return l.at(i) >= text })
	return i, i < len(l.ends) && l.at(i) == text
}

// index is one search parameter over a segment.
type index struct {
	terms   list     // a Space and a text each, sorted
	ends    []uint32 // where the documents of each term end in docs
	docs    []uint32 // the documents of each term, sorted
	stamps  []stamp  // of a date: sorted by instant
	targets []uint32 // of a reference: the Target terms of each document, one after the other
	heads   []uint32 // where the targets of each document end
	ready   func()   // of a packed file, before anything else is read; nil in memory
}

// stamp is a date of a document.
type stamp struct {
	ms  int64 // since the epoch
	doc uint32
	_   uint32
}

// text of one document.
func (s *segment) doc(i uint32) []byte {
	from, to := s.texts.span(int(i))
	if s.check != nil {
		s.check(from, to)
	}
	text := s.texts.bytes[from:to:to]
	if s.rewrite != nil {
		return s.rewrite(text)
	}
	return text
}

// find returns the document of an id, the last one when it was written more
// than once.
func (s *segment) find(id string) (uint32, bool) {
	i := sort.Search(len(s.byName), func(i int) bool { return s.names.at(int(s.byName[i])) > id })
	if i == 0 || s.names.at(int(s.byName[i-1])) != id {
		return 0, false
	}
	return s.byName[i-1], true
}

// builder makes a segment, one resource after the other.
type builder struct {
	seg      *segment
	indexers []*indexer
	print    func([]byte, *fhir.Node) []byte
	rewrite  func(*fhir.Node)
	text     func(printed []byte) // takes the text of a resource, nil to keep it in the segment
	buf      []byte
}

func newBuilder(typ *fixtures.Type, o Options, rewrite func(*fhir.Node)) *builder {
	b := &builder{seg: &segment{}, print: o.Print, rewrite: rewrite}
	if typ != nil { // a type the table does not know has no index
		for i := range typ.Params {
			b.indexers = append(b.indexers, &indexer{
				extractor: newExtractor(&typ.Params[i], o.Fold),
				index:     &index{},
				zone:      o.zone(),
			})
		}
	}
	return b
}

// build prints and indexes resources.
func (s *Store) build(typ *fixtures.Type, resources []string, rewrite func(*fhir.Node)) *segment {
	b := newBuilder(typ, s.options, rewrite)
	total := 0
	for _, r := range resources {
		total += len(r)
	}
	b.seg.texts.bytes = make([]byte, 0, total+total/12) // the dialect adds a space after each ':' and ','
	for _, text := range resources {
		node, err := fhir.ParseString(text)
		if err != nil {
			panic("store: a fixture set must be checked before it is stored: " + err.Error())
		}
		b.add(node)
	}
	return b.finish()
}

func (b *builder) add(resource *fhir.Node) {
	b.rewrite(resource)
	seg, doc := b.seg, b.seg.size
	seg.size++
	if b.text == nil {
		seg.texts.bytes = b.print(seg.texts.bytes, resource)
		seg.texts.ends = append(seg.texts.ends, uint64(len(seg.texts.bytes)))
	} else {
		b.buf = b.print(b.buf[:0], resource)
		b.text(b.buf)
	}
	seg.names.add([]byte(resource.Get("id").Str()))
	for _, ix := range b.indexers {
		ix.add(doc, resource)
	}
}

func (b *builder) finish() *segment {
	seg := b.seg
	seg.byName = make([]uint32, seg.size)
	for i := range seg.byName {
		seg.byName[i] = uint32(i)
	}
	slices.SortStableFunc(seg.byName, func(a, b uint32) int { return cmp.Compare(seg.names.at(int(a)), seg.names.at(int(b))) })
	for i, ix := range b.indexers {
		seg.indexes = append(seg.indexes, ix.finish())
		b.indexers[i] = nil // it is as large as the index
	}
	return seg
}

// indexer builds one index.
type indexer struct {
	extractor
	known   interner // of terms, as they come
	last    []uint32 // by term: the document it was last seen in, plus one
	counts  []uint32 // by term: its documents
	pairs   []pair
	targets []uint32 // terms, by document
	heads   []uint32
	index   *index
	zone    *time.Location
}

// pair is a document that carries a term.
type pair struct{ term, doc uint32 }

func (ix *indexer) add(doc uint32, resource *fhir.Node) {
	if ix.param.Kind == fixtures.Date {
		ix.values(resource, func(n *fhir.Node) {
			if t, ok := instant(n.Str(), ix.zone); ok {
				ix.index.stamps = append(ix.index.stamps, stamp{ms: t.UnixMilli(), doc: doc})
			}
		})
		return
	}
	ix.terms(resource, func(space Space, text string) {
		var key [64]byte
		term := append(append(key[:0], byte(space)), text...)
		id := ix.known.number(term)
		if int(id) == len(ix.last) { // it is new
			ix.last, ix.counts = append(ix.last, 0), append(ix.counts, 0)
		}
		if ix.last[id] != doc+1 {
			ix.last[id] = doc + 1
			ix.counts[id]++
			ix.pairs = append(ix.pairs, pair{id, doc})
		}
		if space == Target {
			ix.targets = append(ix.targets, id)
		}
	})
	if ix.param.Kind == fixtures.Reference {
		ix.heads = append(ix.heads, uint32(len(ix.targets)))
	}
}

// finish sorts the terms, and deals the documents out to them.
func (ix *indexer) finish() *index {
	out := ix.index
	terms := &ix.known.terms
	order := make([]uint32, len(terms.ends))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int { return cmp.Compare(terms.at(int(a)), terms.at(int(b))) })
	rank := make([]uint32, len(order))
	next := make([]uint32, len(order)) // where the next document of a term goes
	out.terms.bytes, out.terms.ends = make([]byte, 0, len(terms.bytes)), make([]uint64, 0, len(order))
	out.ends = make([]uint32, len(order))
	total := uint32(0)
	for i, id := range order {
		from, to := terms.span(int(id))
		out.terms.add(terms.bytes[from:to])
		rank[id], next[i] = uint32(i), total
		total += ix.counts[id]
		out.ends[i] = total
	}
	out.docs = make([]uint32, total)
	for _, p := range ix.pairs {
		at := &next[rank[p.term]]
		out.docs[*at] = p.doc
		*at++
	}
	for _, id := range ix.targets {
		out.targets = append(out.targets, rank[id])
	}
	out.heads = ix.heads
	slices.SortStableFunc(out.stamps, func(a, b stamp) int { return cmp.Compare(a.ms, b.ms) })
	return out
}

// posting returns the documents of a term.
func (ix *index) posting(term int) []uint32 {
	from := uint32(0)
	if term > 0 {
		from = ix.ends[term-1]
	}
	return ix.docs[from:ix.ends[term]:ix.ends[term]]
}

// equal returns the documents of a term.
func (ix *index) equal(space Space, text string) []uint32 {
	if at, found := ix.terms.search(string(space) + text); found {
		return ix.posting(at)
	}
	return nil
}

// prefix returns the documents of the terms that begin with a text.
func (ix *index) prefix(size uint32, space Space, text string) set {
	from, _ := ix.terms.search(string(space) + text)
	to, _ := ix.terms.search(string(space) + text + "\xff") // no term has this byte
	return ix.unionOf(size, from, to)
}

// unionOf is the documents of a run of terms: theirs stand side by side.
func (ix *index) unionOf(size uint32, from, to int) set {
	if to <= from {
		return set{size: size}
	}
	if to == from+1 {
		return listSet(size, ix.posting(from))
	}
	start := uint32(0)
	if from > 0 {
		start = ix.ends[from-1]
	}
	b := newBits(size)
	setBits(b, ix.docs[start:ix.ends[to-1]])
	return set{size: size, bits: b}
}

// contains returns the documents of the terms that contain a text. It looks
// through the terms as one text, and then which term it found.
func (ix *index) contains(size uint32, space Space, text string) set {
	from, _ := ix.terms.search(string(space))
	to, _ := ix.terms.search(string(space + 1))
	if text == "" || from == to {
		return ix.unionOf(size, from, to)
	}
	b := newBits(size)
	sought := []byte(text)
	at, _ := ix.terms.span(from)
	_, end := ix.terms.span(to - 1)
	for at < end {
		i := bytes.Index(ix.terms.bytes[at:end], sought)
		if i < 0 {
			break
		}
		hit := at + uint64(i)
		term := from + sort.Search(to-from, func(i int) bool { return ix.terms.ends[from+i] > hit })
		start, stop := ix.terms.span(term)
		if hit == start || hit+uint64(len(sought)) > stop { // not within the text of one term
			at = hit + 1
			continue
		}
		setBits(b, ix.posting(term))
		at = stop
	}
	return set{size: size, bits: b}
}

// where returns the documents of the terms that a function likes.
func (ix *index) where(size uint32, space Space, like func(text string) bool) set {
	from, _ := ix.terms.search(string(space))
	to, _ := ix.terms.search(string(space + 1))
	b := newBits(size)
	for i := from; i < to; i++ {
		if like(ix.terms.at(i)[1:]) {
			setBits(b, ix.posting(i))
		}
	}
	return set{size: size, bits: b}
}
