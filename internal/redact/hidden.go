package redact

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf16"
)

// hidden holds keys and sessions in every form they may come back in.
type hidden struct {
	known    map[string]bool
	forms    []string
	replacer *strings.Replacer
}

// removed stands where a key or session was.
const removed = "removed"

// maxHidden bounds the values of a client that makes up cookies.
const maxHidden = 2000

// add notes a value. Short ones cannot be told from ordinary text.
func (h *hidden) add(value string) {
	if len(value) < MinKey || len(value) > 8192 || h.known[value] || len(h.known) >= maxHidden {
		return
	}
	if h.known == nil {
		h.known = map[string]bool{}
	}
	h.known[value] = true
	h.forms = append(h.forms, formsOf(value)...)
	h.replacer = nil
}

// remove takes the values out of a text.
func (h *hidden) remove(text string) string {
	if h.replacer == nil {
		var pairs []string
		for _, f := range h.forms {
			pairs = append(pairs, f, removed)
		}
		h.replacer = strings.NewReplacer(pairs...)
	}
	return h.replacer.Replace(text)
}

// formsOf lists the ways a value is written: as it is, in other case, for
// URLs, in base64 at each of the three alignments, in hexadecimal, as JSON
// escapes, in UTF-16.
func formsOf(value string) []string {
	var percent, percentLower, escapes strings.Builder
	for i := range len(value) {
		fmt.Fprintf(&percent, "%%%02X", value[i])
		fmt.Fprintf(&percentLower, "%%%02x", value[i])
	}
	units := utf16.Encode([]rune(value))
	var little, big []byte
	for _, u := range units {
		fmt.Fprintf(&escapes, `\u%04x`, u)
		little, big = binary.LittleEndian.AppendUint16(little, u), binary.BigEndian.AppendUint16(big, u)
	}
	forms := []string{
		value, strings.ToUpper(value), strings.ToLower(value),
		url.QueryEscape(value), url.PathEscape(value), percent.String(), percentLower.String(),
		hex.EncodeToString([]byte(value)), strings.ToUpper(hex.EncodeToString([]byte(value))),
		escapes.String(), strings.ToUpper(escapes.String()), string(little), string(big),
	}
	for shift := range 3 {
		// The characters in the middle do not depend on what is around.
		padded := append(make([]byte, shift), value...)
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			text := encoding.EncodeToString(padded)
			from, to := (shift*8+5)/6, len(padded)*8/6
			if to-from >= MinKey {
				forms = append(forms, text[from:to])
			}
		}
	}
	seen := map[string]bool{}
	var distinct []string
	for _, f := range forms {
		if !seen[f] {
			seen[f] = true
			distinct = append(distinct, f)
		}
	}
	return distinct
}
