package synth

import (
	"math/bits"
	"math/rand/v2"
)

// A source of randomness for one resource: the same (seed, kind, index) draws
// the same numbers on every machine.
type source struct{ pcg rand.PCG }

func newSource(seed uint64, kind string, i int) *source {
	s := new(source)
	s.pcg.Seed(mix(seed^hash(kind)), mix(uint64(i)+0x9e3779b97f4a7c15))
	return s
}

// below draws an integer in [0, n). The bias is n/2^64.
func (s *source) below(n int) int {
	hi, _ := bits.Mul64(s.pcg.Uint64(), uint64(n))
	return int(hi)
}

// between draws an integer in [low, high].
func (s *source) between(low, high int) int { return low + s.below(high-low+1) }

// percent is true p times in a hundred.
func (s *source) percent(p int) bool { return s.below(100) < p }

// permille is true p times in a thousand.
func (s *source) permille(p int) bool { return s.below(1000) < p }

func pick[T any](s *source, list []T) T { return list[s.below(len(list))] }

// A weighted choice; total is computed once by weigh.
type weighted[T any] struct {
	items   []T
	weights []int
	total   int
}

type share[T any] struct {
	item   T
	weight int
}

func weigh[T any](shares ...share[T]) weighted[T] {
	var w weighted[T]
	for _, s := range shares {
		w.items, w.weights, w.total = append(w.items, s.item), append(w.weights, s.weight), w.total+s.weight
	}
	return w
}

func (w *weighted[T]) draw(s *source) T { return w.at(s.below(w.total)) }

// at returns the item that covers the position n of the total.
func (w *weighted[T]) at(n int) T {
	for i, weight := range w.weights {
		if n -= weight; n < 0 {
			return w.items[i]
		}
	}
	return w.items[len(w.items)-1]
}

// mix is the finaliser of splitmix64: it makes neighbouring seeds unrelated.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// hash is FNV-1a.
func hash(s string) uint64 {
	h := uint64(0xcbf29ce484222325)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 0x100000001b3
	}
	return h
}

// An affine permutation of [0, n): a bijection that needs no table, so that
// indexes can be shuffled at any size.
type affine struct{ n, a, b uint64 }

func newAffine(n int, seed uint64) affine {
	m := uint64(max(n, 1))
	a := m*618/1000 | 1 // near the golden section: neighbours end far apart
	for gcd(a, m) != 1 {
		a += 2
	}
	return affine{n: m, a: a % m, b: mix(seed) % m}
}

func (p affine) at(i int) int { return int((p.mul(p.a, uint64(i)) + p.b) % p.n) }

func (p affine) mul(x, y uint64) uint64 {
	hi, lo := bits.Mul64(x, y%p.n)
	_, rem := bits.Div64(hi, lo, p.n)
	return rem
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
