package store

import "hash/maphash"

// interner numbers terms in the order they first come, from 0. It keeps them in
// one piece of memory, as a list: a large directory has tens of millions.
type interner struct {
	terms list
	slots []uint32 // open addressing: the number of a term plus one, 0 for none
}

var seed = maphash.MakeSeed()

// number of a term, which is copied when it is new.
func (in *interner) number(term []byte) uint32 {
	if 4*len(in.terms.ends) >= 3*len(in.slots) {
		in.grow()
	}
	slot := in.find(term)
	if *slot == 0 {
		in.terms.add(term)
		*slot = uint32(len(in.terms.ends))
	}
	return *slot - 1
}

// find returns the slot of a term, or the empty one where it belongs.
func (in *interner) find(term []byte) *uint32 {
	mask := uint64(len(in.slots) - 1)
	for at := maphash.Bytes(seed, term) & mask; ; at = (at + 1) & mask {
		if n := in.slots[at]; n == 0 || in.terms.at(int(n-1)) == string(term) {
			return &in.slots[at]
		}
	}
}

func (in *interner) grow() {
	in.slots = make([]uint32, max(16, 2*len(in.slots)))
	for n := range in.terms.ends {
		from, to := in.terms.span(n)
		*in.find(in.terms.bytes[from:to]) = uint32(n + 1)
	}
}
