package search

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"testing"
)

var cursors = []Cursor{
	{Target: "Practitioner?name=a", Total: 123, State: 4, Asked: 1749569400005, Seq: 49},
	{Target: "Practitioner?name=a", Total: 123, State: 4, Asked: 1749569400005, Seq: 490},
	{Target: "Organization", Total: -1, Seq: -1},
	{Target: "Organization?name=" + strings.Repeat("É%20+é", 3000), Total: 1 << 40, State: 1 << 50, Asked: -1, Seq: 1<<63 - 1},
	{},
}

// TestToken: what is sealed is read back, as often as one likes, with or
// without padding; each token is new, and looks like the real server's (§6.2).
func TestToken(t *testing.T) {
	t.Parallel()
	for _, c := range cursors {
		token, again := NewSealer("set").Seal(c), NewSealer("set").Seal(c)
		if token == again {
			t.Errorf("the same token twice: %s", token)
		}
		if strings.Trim(token, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=") != "" ||
			token[0] != 'u' || len(token)%4 != 1 {
			t.Errorf("does not look like a token: %s", token)
		}
		reader := NewSealer("set") // a replica's
		for _, form := range []string{token, again, token, strings.TrimRight(token, "=")} {
			if got, err := reader.Open(form); err != nil || got != c {
				t.Errorf("Open(%.30s…) = %+.60v, %v", form, got, err)
			}
		}
		if _, err := NewSealer("other").Open(token); !errors.Is(err, ErrCorrupt) {
			t.Errorf("another set opens the token: %v", err)
		}
	}
}

// TestTampered changes, drops and adds every character of a token.
func TestTampered(t *testing.T) {
	t.Parallel()
	s := NewSealer("set")
	// One token for each length of padding: a changed last character must not
	// slip through either.
	for _, target := range []string{"Device?a=1", "Device?a=12345", "Device?a=1234567890z", "Device?b=()*,;"} {
		token := s.Seal(Cursor{Target: target})
		for i := range token {
			for _, b := range []byte("AQgwu-=\n %") {
				if token[i] == b {
					continue
				}
				forged := token[:i] + string(b) + token[i+1:]
				if c, err := s.Open(forged); err == nil {
					t.Errorf("byte %d of %d is %q: opened as %+v", i, len(token), b, c)
				} else if i > 0 && !errors.Is(err, ErrCorrupt) {
					t.Errorf("byte %d of %d is %q: %v", i, len(token), b, err)
				}
			}
			if token[i] == '=' { // without its padding it is still whole
				continue
			}
			if _, err := s.Open(token[:i] + token[i+1:]); err == nil {
				t.Errorf("byte %d of %d is missing: opened", i, len(token))
			}
			if _, err := s.Open(token[:i] + "\n" + token[i:]); err == nil {
				t.Errorf("a line break before byte %d of %d: opened", i, len(token))
			}
			if _, err := s.Open(token[:i]); i > 0 && !errors.Is(err, ErrCorrupt) {
				t.Errorf("cut at %d of %d: %v", i, len(token), err)
			}
		}
	}
}

// TestNoToken is the two families of ans-server.md §6.4.
func TestNoToken(t *testing.T) {
	t.Parallel()
	const tooOld = "The url can't be processed. Maybe it is too old or corrupted."
	for token, want := range map[string]Error{
		"":                                     {400, "Parameter id required to fetch the next page"},
		" ":                                    {400, "Parameter id required to fetch the next page"},
		"\t\n":                                 {400, "Parameter id required to fetch the next page"},
		"d":                                    {500, tooOld},
		"d0a4b2ee-6a4f-4b4c-9f2e-000000000000": {500, tooOld},
		"x":                                    {500, tooOld},
		"U" + strings.Repeat("A", 80):          {500, tooOld},
		" u":                                   {500, tooOld},
		"é":                                    {500, tooOld},
	} {
		_, err := NewSealer("set").Open(token)
		var refusal *Error
		if !errors.As(err, &refusal) || *refusal != want {
			t.Errorf("Open(%q): %v, want %v", token, err, want)
		}
	}
	for _, token := range []string{"u", "u=", "u====", "uAAAA", "u" + strings.Repeat("A", 80), "u" + strings.Repeat("A", 1<<16), "u!", "ué"} {
		if _, err := NewSealer("set").Open(token); !errors.Is(err, ErrCorrupt) {
			t.Errorf("Open(%.20q): %v", token, err)
		}
	}
}

// sealed seals bytes that Seal would never write.
func sealed(s *Sealer, plain []byte) string {
	nonce := make([]byte, s.aead.NonceSize())
	return "u" + base64.URLEncoding.EncodeToString(s.aead.Seal(nonce, nonce, plain, nil))
}

func packed(t testing.TB, numbers int, target []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	for range numbers {
		b.Write(binary.AppendVarint(nil, 1))
	}
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(target); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestSealedNonsense: even what carries our seal is read within bounds.
func TestSealedNonsense(t *testing.T) {
	t.Parallel()
	s := NewSealer("set")
	if c, err := s.Open(sealed(s, packed(t, 4, make([]byte, maxTarget)))); err != nil || len(c.Target) != maxTarget {
		t.Errorf("the longest target: %d bytes, %v", len(c.Target), err)
	}
	whole := packed(t, 4, []byte("Device"))
	for name, plain := range map[string][]byte{
		"nothing":            {},
		"two numbers":        whole[:2],
		"no target":          whole[:4],
		"half a target":      whole[:len(whole)-2],
		"a number too large": append(bytes.Repeat([]byte{0xff}, 11), whole...),
		"no deflate":         {2, 2, 2, 2, 0xff, 0xff},
		"a target too long":  packed(t, 4, make([]byte, maxTarget+1)),
	} {
		if c, err := s.Open(sealed(s, plain)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: opened as %.40v, %v", name, c, err)
		}
	}
}

// TestInflationIsBounded: a bomb costs no more than the longest honest token.
// It counts allocations, so it does not run beside others.
func TestInflationIsBounded(t *testing.T) {
	s := NewSealer("set")
	bomb := sealed(s, packed(t, 4, make([]byte, 16<<20)))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _ = s.Open(bomb)
	runtime.ReadMemStats(&after)
	if spent := after.TotalAlloc - before.TotalAlloc; spent > 32<<20 {
		t.Errorf("a token of %d bytes costs %d", len(bomb), spent)
	}
}

func TestFirstValue(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"":               "",
		"id=a":           "a",
		"id=a&id=b":      "a",
		"x=1&id=a%3D%3D": "a==",
		"id=a==":         "a==",
		"%69d=a":         "a",
		"id=%20":         " ",
		"id":             "",
		"id=&id=b":       "",
		"ID=a":           "",
		"idx=a":          "",
		"id=%zz&id=b":    "b", // what cannot be decoded is not there
	} {
		if got := FirstValue(query, "id"); got != want {
			t.Errorf("FirstValue(%q) = %q, want %q", query, got, want)
		}
	}
}
