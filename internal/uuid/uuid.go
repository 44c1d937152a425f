// Package uuid makes the random names that the service and its gateway give:
// of Bundles, transactions, subscriptions. They are no secrets. For packages
// mockserver, internal/v1 and internal/gateway.
package uuid

import (
	"encoding/hex"
	"math/rand/v2"
)

// New is a random UUID, of version 4.
func New() string {
	var b [16]byte
	hi, lo := rand.Uint64(), rand.Uint64()
	for i := range 8 {
		b[i], b[8+i] = byte(hi>>(8*i)), byte(lo>>(8*i))
	}
	return Format(b)
}

// Format marks the bytes as a UUID of version 4 and prints them.
func Format(b [16]byte) string {
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	var s [36]byte
	hex.Encode(s[0:8], b[0:4])
	hex.Encode(s[9:13], b[4:6])
	hex.Encode(s[14:18], b[6:8])
	hex.Encode(s[19:23], b[8:10])
	hex.Encode(s[24:36], b[10:16])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}
