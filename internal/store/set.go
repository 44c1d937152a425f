package store

import (
	"math/bits"
	"slices"
)

// set is the documents of one segment that meet a condition, in one of three
// forms: all of them, a sorted list, or a bitmap. Lists are shared with the
// index: sets are never changed in place once returned.
type set struct {
	size uint32 // documents of the segment
	list []uint32
	bits []uint64 // when not nil, list is unused
	all  bool
}

func listSet(size uint32, list []uint32) set { return set{size: size, list: list} }

func newBits(size uint32) []uint64 { return make([]uint64, (size+63)/64) }

func setBits(b []uint64, list []uint32) {
	for _, d := range list {
		b[d>>6] |= 1 << (d & 63)
	}
}

func (s set) has(doc uint32) bool {
	switch {
	case s.all:
		return true
	case s.bits != nil:
		return s.bits[doc>>6]&(1<<(doc&63)) != 0
	}
	_, found := slices.BinarySearch(s.list, doc)
	return found
}

// atMost bounds the count without counting.
func (s set) atMost() int {
	if s.all || s.bits != nil {
		return int(s.size)
	}
	return len(s.list)
}

func (s set) count() int {
	switch {
	case s.all:
		return int(s.size)
	case s.bits != nil:
		n := 0
		for _, w := range s.bits {
			n += bits.OnesCount64(w)
		}
		return n
	}
	return len(s.list)
}

// next returns the first document of the set at or after doc.
func (s set) next(doc uint32) (uint32, bool) {
	switch {
	case doc >= s.size:
		return 0, false
	case s.all:
		return doc, true
	case s.bits != nil:
		word := s.bits[doc>>6] &^ (1<<(doc&63) - 1)
		for i := doc >> 6; ; word = s.bits[i] {
			if word != 0 {
				return i<<6 + uint32(bits.TrailingZeros64(word)), true
			}
			if i++; int(i) == len(s.bits) {
				return 0, false
			}
		}
	}
	i, _ := slices.BinarySearch(s.list, doc)
	if i == len(s.list) {
		return 0, false
	}
	return s.list[i], true
}

// bitmap returns the set as a bitmap the caller may change.
func (s set) bitmap() []uint64 {
	b := newBits(s.size)
	s.addTo(b)
	return b
}

// addTo adds the set to a bitmap of the same size.
func (s set) addTo(b []uint64) {
	switch {
	case s.all:
		fill(b, s.size)
	case s.bits != nil:
		for i, w := range s.bits {
			b[i] |= w
		}
	default:
		setBits(b, s.list)
	}
}

func fill(b []uint64, size uint32) {
	for i := range b {
		b[i] = ^uint64(0)
	}
	if rest := size & 63; rest != 0 {
		b[len(b)-1] = 1<<rest - 1
	}
}

func (s set) not() set {
	if s.all {
		return set{size: s.size}
	}
	b := s.bitmap()
	full := newBits(s.size)
	fill(full, s.size)
	for i := range b {
		b[i] = full[i] &^ b[i]
	}
	return set{size: s.size, bits: b}
}

func union(size uint32, sets []set) set {
	switch len(sets) {
	case 0:
		return set{size: size}
	case 1:
		return sets[0]
	}
	b := newBits(size)
	for _, s := range sets {
		s.addTo(b)
	}
	return set{size: size, bits: b}
}

// intersect keeps what is in all of the sets. The smallest list, when there is
// one, leads and asks the others.
func intersect(size uint32, sets []set) set {
	sets = slices.DeleteFunc(slices.Clone(sets), func(s set) bool { return s.all })
	if len(sets) == 0 {
		return set{size: size, all: true}
	}
	if len(sets) == 1 {
		return sets[0]
	}
	lead := -1
	for i, s := range sets {
		if s.bits == nil && (lead < 0 || len(s.list) < len(sets[lead].list)) {
			lead = i
		}
	}
	if lead < 0 {
		b := sets[0].bitmap()
		for _, s := range sets[1:] {
			for i, w := range s.bits {
				b[i] &= w
			}
		}
		return set{size: size, bits: b}
	}
	var kept []uint32
	for _, doc := range sets[lead].list {
		if !slices.ContainsFunc(sets, func(s set) bool { return !s.has(doc) }) {
			kept = append(kept, doc)
		}
	}
	return listSet(size, kept)
}

// without drops the documents of a bitmap, nil being none.
func (s set) without(dead []uint64) set {
	if dead == nil {
		return s
	}
	b := s.bitmap()
	for i := range b {
		b[i] &^= dead[i]
	}
	return set{size: s.size, bits: b}
}
