package search

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// pair is one piece of a query, decoded: name:modifier=value,value.
type pair struct {
	name     string
	modifier string
	values   []string
}

// pairs splits a raw query as FhirRequestParser does (ans-server.md §2.1):
// empty pieces vanish, the first '=' that is not at the start separates, the
// first ':' that is not at the start of the decoded name begins the modifier,
// and a decoded comma separates whatever stands before it. One piece that
// cannot be decoded spoils them all.
func pairs(query string) ([]pair, error) {
	var all []pair
	for piece := range strings.SplitSeq(query, "&") {
		if piece == "" {
			continue
		}
		rawName, rawValue := piece, ""
		if i := strings.IndexByte(piece, '='); i > 0 {
			rawName, rawValue = piece[:i], piece[i+1:]
		}
		name, ok := decode(rawName)
		value, ok2 := decode(rawValue)
		if !ok || !ok2 {
			return nil, refuse(UnknownError)
		}
		p := pair{name: name, values: items(value)}
		if i := strings.IndexByte(name, ':'); i > 0 {
			p.name, p.modifier = name[:i], name[i+1:]
		}
		all = append(all, p)
	}
	return all, nil
}

// items splits a value at its commas; empty items vanish, nothing escapes.
func items(value string) []string {
	if value == "" {
		return nil
	}
	var list []string
	for item := range strings.SplitSeq(value, ",") {
		if item != "" {
			list = append(list, item)
		}
	}
	return list
}

// decode is java.net.URLDecoder with UTF-8: '+' is a space, a malformed escape
// is an error, bytes that are no UTF-8 become U+FFFD. Like Java's it takes a
// sign for a hexadecimal digit: %+9 is a tab.
func decode(s string) (string, bool) {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return toUTF8(s), true
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '+':
			out = append(out, ' ')
		case '%':
			if i+2 >= len(s) {
				return "", false
			}
			high, low := hexDigit(s[i+1]), hexDigit(s[i+2])
			if s[i+1] == '+' {
				high = 0
			}
			if high < 0 || low < 0 {
				return "", false
			}
			out = append(out, byte(high<<4|low))
			i += 2
		default:
			out = append(out, s[i])
		}
	}
	return toUTF8(string(out)), true
}

func toUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// acceptable is the server's test on string, token and reference values: fewer
// than 1024 UTF-16 units, all from U+0020 to U+FFFF (ans-server.md §2.3).
func acceptable(value string) bool {
	units := 0
	for _, r := range value {
		if r < 0x20 || r > 0xFFFF {
			return false
		}
		units++
	}
	return units < 1024
}

// javaSplit is String.split: empty parts at the end are dropped.
func javaSplit(s, sep string) []string {
	parts := strings.Split(s, sep)
	for len(parts) > 0 && parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1]
	}
	return parts
}

// javaDigit is Character.digit of a char: a decimal digit of any script, as long
// as UTF-16 writes it in one unit.
func javaDigit(r rune) (int, bool) {
	for _, digits := range unicode.Nd.R16 { // each begins with a zero
		if lo, hi := rune(digits.Lo), rune(digits.Hi); lo <= r && r <= hi {
			return int(r-lo) % 10, true
		}
	}
	return 0, false
}

// javaInt is Integer.parseInt.
func javaInt(s string) (int, bool) {
	digits, negative := s, false
	if s != "" && (s[0] == '+' || s[0] == '-') {
		digits, negative = s[1:], s[0] == '-'
	}
	if digits == "" {
		return 0, false
	}
	n := 0
	for _, r := range digits {
		d, ok := javaDigit(r)
		if !ok {
			return 0, false
		}
		if n = n*10 + d; n > 1<<31 {
			return 0, false
		}
	}
	if negative {
		return -n, true
	}
	return n, n < 1<<31
}
