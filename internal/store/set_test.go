package store

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// model is a set as one would write it without a thought for speed.
type model map[uint32]bool

// draw makes a random set of documents in one of its forms, and its model.
func draw(r *rand.Rand, size uint32) (set, model) {
	m := model{}
	switch r.IntN(6) {
	case 0: // none
	case 1:
		for d := range size {
			m[d] = true
		}
		return set{size: size, all: true}, m
	case 2: // about one in twenty
		for d := range size {
			if r.IntN(20) == 0 {
				m[d] = true
			}
		}
	default:
		for d := range size {
			if r.IntN(2) == 0 {
				m[d] = true
			}
		}
	}
	var list []uint32
	for d := range size {
		if m[d] {
			list = append(list, d)
		}
	}
	if r.IntN(2) == 0 {
		return listSet(size, list), m
	}
	b := newBits(size)
	setBits(b, list)
	return set{size: size, bits: b}, m
}

// agree holds a set against its model, through all of its readers.
func agree(t *testing.T, what string, got set, want model) {
	t.Helper()
	if got.count() != len(want) {
		t.Errorf("%s: count %d, want %d", what, got.count(), len(want))
	}
	walked := model{}
	for d := uint32(0); ; d++ {
		at, found := got.next(d)
		if !found {
			break
		}
		if at < d {
			t.Fatalf("%s: next(%d) went back to %d", what, d, at)
		}
		walked[at] = true
		d = at
	}
	if diff := cmp.Diff(want, walked); diff != "" {
		t.Errorf("%s: walked (-want +got):\n%s", what, diff)
	}
	for d := range got.size {
		if got.has(d) != want[d] {
			t.Errorf("%s: has(%d) = %v", what, d, got.has(d))
		}
	}
}

// TestSetAlgebra compares every operation, on sets of every form and of sizes
// around those of a word, with maps.
func TestSetAlgebra(t *testing.T) {
	t.Parallel()
	for _, size := range []uint32{0, 1, 2, 63, 64, 65, 127, 128, 129, 300} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(2025, uint64(size)))
			for range 60 {
				n := r.IntN(4)
				sets, models := make([]set, n), make([]model, n)
				for i := range sets {
					sets[i], models[i] = draw(r, size)
					agree(t, "itself", sets[i], models[i])
				}
				either, all := model{}, model{}
				for d := range size {
					all[d] = true
					for _, m := range models {
						if m[d] {
							either[d] = true
						} else {
							delete(all, d)
						}
					}
				}
				agree(t, "union", union(size, sets), either)
				agree(t, "intersect", intersect(size, sets), all)

				s, m := draw(r, size)
				dead, gone := draw(r, size)
				rest, other := model{}, model{}
				for d := range size {
					if !m[d] {
						other[d] = true
					} else if !gone[d] {
						rest[d] = true
					}
				}
				agree(t, "not", s.not(), other)
				agree(t, "not not", s.not().not(), m)
				agree(t, "without", s.without(dead.bitmap()), rest)
				agree(t, "without nothing", s.without(nil), m)
				for i := range sets { // an operation leaves its operands be
					agree(t, "operand", sets[i], models[i])
				}
				agree(t, "operand", s, m)
				agree(t, "operand", dead, gone)
			}
		})
	}
}

func TestNextBeyondTheEnd(t *testing.T) {
	t.Parallel()
	full := newBits(70)
	fill(full, 70)
	for _, s := range []set{{size: 70, all: true}, {size: 70, bits: full}, listSet(70, []uint32{69})} {
		if at, found := s.next(69); at != 69 || !found {
			t.Errorf("next(69) = %d, %v", at, found)
		}
		for _, beyond := range []uint32{70, 128, 1 << 31} {
			if at, found := s.next(beyond); found {
				t.Errorf("next(%d) found %d", beyond, at)
			}
		}
	}
}
