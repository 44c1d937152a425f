package search

import (
	"bytes"
	"compress/flate"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
)

// Sealer makes page tokens and reads them back. A token is self-contained: it
// carries the search and where it stands, compressed and sealed with a key
// that follows from the fixture set, so that every replica of a set answers
// the tokens of every other, any number of times (ans-server.md §6.2).
type Sealer struct{ aead cipher.AEAD }

// NewSealer makes the sealer of a fixture set.
func NewSealer(digest string) *Sealer {
	key := sha256.Sum256([]byte("mockfhir page token " + digest))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // a key of 32 bytes is always good
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return &Sealer{aead}
}

// compressors are kept, because making one costs more than the rest of a page.
var compressors = sync.Pool{New: func() any {
	w, err := flate.NewWriter(io.Discard, flate.BestSpeed)
	if err != nil {
		panic(err) // the level is a good one
	}
	return w
}}

// maxTarget bounds what a token may inflate to: a search is no longer than
// what the gateway lets in as a POST.
const maxTarget = 2 << 20

// Seal returns a token: "u" and base64url with its padding, as the real
// server's look.
func (s *Sealer) Seal(c Cursor) string {
	plain := binary.AppendVarint(nil, int64(c.Total))
	plain = binary.AppendVarint(plain, c.State)
	plain = binary.AppendVarint(plain, c.Asked)
	plain = binary.AppendVarint(plain, c.Seq)
	packed := bytes.NewBuffer(plain)
	w := compressors.Get().(*flate.Writer)
	w.Reset(packed)
	_, err := io.WriteString(w, c.Target)
	if err = errors.Join(err, w.Close()); err != nil {
		panic(err) // a buffer takes everything
	}
	compressors.Put(w)
	nonce := make([]byte, s.aead.NonceSize(), s.aead.NonceSize()+packed.Len()+s.aead.Overhead())
	rand.Read(nonce)
	return "u" + base64.URLEncoding.EncodeToString(s.aead.Seal(nonce, nonce, packed.Bytes(), nil))
}

// ErrCorrupt is what Open returns for a token that begins like ours and is not
// one of ours. The real server closes the connection then, and its gateway
// answers 502 (ans-server.md §6.4).
var ErrCorrupt = &Error{http.StatusBadGateway, "page token corrupted, or of another fixture set"}

// ErrTooOld is the answer to a token whose directory is gone: it was made in
// the middle of changes that only the process that made it knew.
var ErrTooOld = &Error{http.StatusInternalServerError, badPage}

// FirstValue is the first value of a parameter in a raw query, decoded; ""
// when there is none, as Java's getParameter does but for null.
func FirstValue(query, name string) string {
	for piece := range strings.SplitSeq(query, "&") {
		rawName, rawValue, _ := strings.Cut(piece, "=")
		key, ok := decode(rawName)
		if !ok || key != name {
			continue
		}
		if value, ok := decode(rawValue); ok {
			return value
		}
	}
	return ""
}

// Open reads a token. Its errors are of type *Error: 400 for none, 500 for one
// that looks like no token, ErrCorrupt.
func (s *Sealer) Open(token string) (Cursor, error) {
	if strings.TrimSpace(token) == "" {
		return Cursor{}, &Error{http.StatusBadRequest, noPage}
	}
	if token[0] != 'u' { // "d" tokens are kept by the real server; this one makes none
		return Cursor{}, refuse(badPage)
	}
	sealed, err := base64.URLEncoding.Strict().DecodeString(token[1:])
	if err != nil {
		sealed, err = base64.RawURLEncoding.Strict().DecodeString(token[1:])
	}
	lineBreak := strings.ContainsAny(token, "\r\n") // Go's decoder skips them
	if n := s.aead.NonceSize(); err != nil || lineBreak || len(sealed) < n {
		return Cursor{}, ErrCorrupt
	}
	nonce, sealed := sealed[:s.aead.NonceSize()], sealed[s.aead.NonceSize():]
	plain, err := s.aead.Open(nil, nonce, sealed, nil)
	if err != nil {
		return Cursor{}, ErrCorrupt
	}
	return unpack(plain)
}

func unpack(plain []byte) (Cursor, error) {
	var c Cursor
	var numbers [4]int64
	for i := range numbers {
		v, n := binary.Varint(plain)
		if n <= 0 {
			return Cursor{}, ErrCorrupt
		}
		numbers[i], plain = v, plain[n:]
	}
	c.Total, c.State, c.Asked, c.Seq = int(numbers[0]), numbers[1], numbers[2], numbers[3]
	target, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(plain)), maxTarget+1))
	if err != nil || len(target) > maxTarget {
		return Cursor{}, ErrCorrupt
	}
	c.Target = string(target)
	return c, nil
}
