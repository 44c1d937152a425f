package witness

import (
	"strconv"
	"strings"
	"unicode/utf16"
)

// piece is one `name:modifier=value,value` of a query, decoded.
type piece struct {
	name, modifier string
	values         []string
}

// tokenize takes a raw query apart (ans-server.md §2.1). Its only error is a
// malformed percent escape.
func tokenize(query string) (pieces []piece, ok bool) {
	for raw := range strings.SplitSeq(query, "&") {
		if raw == "" {
			continue
		}
		rawName, rawValue := raw, ""
		if i := strings.IndexByte(raw, '='); i > 0 {
			rawName, rawValue = raw[:i], raw[i+1:]
		}
		name, ok := decode(rawName)
		if !ok {
			return nil, false
		}
		value, ok := decode(rawValue)
		if !ok {
			return nil, false
		}
		p := piece{name: name}
		if i := strings.IndexByte(name, ':'); i > 0 {
			p.name, p.modifier = name[:i], name[i+1:]
		}
		for item := range strings.SplitSeq(value, ",") {
			if item != "" {
				p.values = append(p.values, item)
			}
		}
		pieces = append(pieces, p)
	}
	return pieces, true
}

// decode is Java's URLDecoder for UTF-8.
func decode(s string) (string, bool) {
	var b []byte
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '+':
			b = append(b, ' ')
		case '%':
			if i+3 > len(s) {
				return "", false
			}
			v, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				return "", false
			}
			b = append(b, byte(v))
			i += 2
		default:
			b = append(b, s[i])
		}
	}
	return strings.ToValidUTF8(string(b), "\uFFFD"), true
}

// validValue is the hygiene of string, token and reference values (§2.3).
func validValue(v string) bool {
	if len(utf16.Encode([]rune(v))) >= 1024 {
		return false
	}
	for _, r := range v {
		if r < 0x20 || r > 0xFFFF {
			return false
		}
	}
	return true
}

// trim is Java's String.trim.
func trim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
}

// parseCount reads `_count` as Integer.parseInt does (§2.9).
func parseCount(s string) (int, bool) {
	n, err := strconv.ParseInt(s, 10, 32)
	return int(n), err == nil && n <= 50_000_000
}

// isInclude checks the two parts of an include against the patterns of §2.3.
func isInclude(typ, param string) bool {
	letter := func(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }
	for _, r := range typ {
		if !letter(r) {
			return false
		}
	}
	for _, r := range param {
		if !letter(r) && !('0' <= r && r <= '9') && r != '-' {
			return false
		}
	}
	return true
}
