package redact

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// keyed makes pseudorandom numbers and permutations from a secret. It is not
// safe for concurrent use.
type keyed struct {
	block   cipher.Block
	in, out [aes.BlockSize]byte
}

func newKeyed(secret []byte) *keyed {
	key := sha256.Sum256(append([]byte("mockfhir pseudonyms 1\x00"), secret...))
	block, err := aes.NewCipher(key[:16])
	if err != nil {
		panic(err) // a key of 16 bytes is always good
	}
	return &keyed{block: block}
}

// number is a pseudorandom function of a small tuple.
func (k *keyed) number(tweak, x uint64) uint64 {
	binary.LittleEndian.PutUint64(k.in[:8], tweak)
	binary.LittleEndian.PutUint64(k.in[8:], x)
	k.block.Encrypt(k.out[:], k.in[:])
	return binary.LittleEndian.Uint64(k.out[:8])
}

// text is a pseudorandom function of a text: CBC-MAC behind its length.
func (k *keyed) text(tweak uint64, s string) uint64 {
	mac := k.number(tweak^0x7465787400000000, uint64(len(s)))
	for len(s) > 0 {
		var piece [8]byte
		s = s[copy(piece[:], s):]
		mac = k.number(mac, binary.LittleEndian.Uint64(piece[:]))
	}
	return mac
}

// rounds of the Feistel network. Four make a pseudorandom permutation of a
// large domain; ours are as small as a vowel.
const rounds = 8

// permute is a bijection of [0, n) on itself: a Feistel network on the bits of
// n, walked until it comes back below n. Each tweak has a permutation of its own.
func (k *keyed) permute(n, tweak, x uint64) uint64 {
	if n < 2 {
		return x
	}
	width := bits.Len64(n - 1)
	low := width / 2
	maskL, maskR := uint64(1)<<low-1, uint64(1)<<(width-low)-1
	for {
		l, r := x&maskL, x>>low
		for i := range uint64(rounds) {
			if i%2 == 0 {
				r ^= k.number(tweak, i<<56|l) & maskR
			} else {
				l ^= k.number(tweak, i<<56|r) & maskL
			}
		}
		if x = r<<low | l; x < n {
			return x
		}
	}
}
