package fhir

import (
	"bytes"
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// AppendSearch appends the value as the real server prints resources inside
// searches: what the MongoDB driver makes of the stored document, one line
// with ": " and ", " (ans-server.md §4.2).
func AppendSearch(dst []byte, n *Node) []byte {
	return appendNode(dst, n, searchDialect)
}

// AppendRead appends the value as the real server prints a read, the
// capability statement and errors: HAPI's compact form (ans-server.md §5).
func AppendRead(dst []byte, n *Node) []byte {
	return appendNode(dst, n, readDialect)
}

// AppendReadOf appends what AppendSearch printed as AppendRead prints it, without
// building its tree in between: reads are the most frequent call. The number of
// a versionId becomes a string, because a read always prints one
// (ans-server.md §5).
func AppendReadOf(dst, search []byte) []byte {
	var last []byte // string seen
	for i := 0; i < len(search); {
		from := i
		switch c := search[i]; {
		case c == '"':
			i = endOfString(search, i)
			last = search[from:i]
			dst = appendReadLiteral(dst, last)
		case c == '-' || '0' <= c && c <= '9':
			for i < len(search) && strings.IndexByte(",]} ", search[i]) < 0 {
				i++
			}
			if string(last) == `"versionId"` {
				dst = append(append(append(dst, '"'), search[from:i]...), '"')
			} else {
				dst = appendDecimal(dst, string(search[from:i]))
			}
		default: // punctuation, and the letters of null, true and false
			if i++; c != ' ' {
				dst = append(dst, c)
			}
		}
	}
	return dst
}

// endOfString is the end of the string literal that begins at i.
func endOfString(text []byte, i int) int {
	for i++; text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// appendReadLiteral appends a string literal of a search. What it does not
// escape by number, a read prints as it stands.
func appendReadLiteral(dst, literal []byte) []byte {
	if !bytes.Contains(literal, []byte(`\u`)) {
		return append(dst, literal...)
	}
	return AppendReadString(dst, unquote(string(literal)))
}

// AppendSearchString appends one JSON string in the dialect of searches.
func AppendSearchString(dst []byte, s string) []byte { return appendString(dst, s, searchDialect) }

// AppendReadString appends one JSON string in the dialect of reads.
func AppendReadString(dst []byte, s string) []byte { return appendString(dst, s, readDialect) }

// AppendOutcome appends an OperationOutcome with one issue, as the real server
// prints them (ans-server.md §3.1).
func AppendOutcome(dst []byte, severity, code, diagnostics string) []byte {
	dst = append(dst, `{"resourceType":"OperationOutcome","issue":[{"severity":"`...)
	dst = append(append(append(dst, severity...), `","code":"`...), code...)
	dst = append(dst, `","diagnostics":`...)
	return append(AppendReadString(dst, diagnostics), `}]}`...)
}

// dialect is what differs between the server's two JSON printers.
type dialect struct {
	colon, comma string
	escape       func(rune) bool // beside the escapes of JSON itself
	number       func(dst []byte, literal string) []byte
}

var (
	searchDialect = &dialect{": ", ", ", mongoEscapes, appendDouble}
	readDialect   = &dialect{":", ",", func(r rune) bool { return r < 0x20 || r == 0x2028 || r == 0x2029 }, appendDecimal}
)

func appendNode(dst []byte, n *Node, d *dialect) []byte {
	switch n.Kind() {
	case Object:
		dst = append(dst, '{')
		for i := range n.kids {
			if i > 0 {
				dst = append(dst, d.comma...)
			}
			dst = appendString(dst, n.kids[i].Name, d)
			dst = append(dst, d.colon...)
			dst = appendNode(dst, &n.kids[i].Value, d)
		}
		return append(dst, '}')
	case Array:
		dst = append(dst, '[')
		for i := range n.kids {
			if i > 0 {
				dst = append(dst, d.comma...)
			}
			dst = appendNode(dst, &n.kids[i].Value, d)
		}
		return append(dst, ']')
	case String:
		return appendString(dst, unquote(n.raw), d)
	case Number:
		return d.number(dst, n.raw)
	}
	return append(dst, n.Raw()...)
}

func appendString(dst []byte, s string, d *dialect) []byte {
	dst = append(dst, '"')
	for {
		n := plain(s)
		dst, s = append(dst, s[:n]...), s[n:]
		if s == "" {
			return append(dst, '"')
		}
		r, size := utf8.DecodeRuneInString(s)
		s = s[size:]
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\b':
			dst = append(dst, `\b`...)
		case r == '\f':
			dst = append(dst, `\f`...)
		case r == '\n':
			dst = append(dst, `\n`...)
		case r == '\r':
			dst = append(dst, `\r`...)
		case r == '\t':
			dst = append(dst, `\t`...)
		case d.escape(r):
			dst = appendUnits(dst, r)
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
}

// plain is how many bytes at the beginning of s every dialect prints as they
// are.
func plain(s string) int {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			return i
		}
	}
	return len(s)
}

func appendUnits(dst []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	for _, u := range utf16.Encode([]rune{r}) {
		dst = append(dst, '\\', 'u', hex[u>>12], hex[u>>8&15], hex[u>>4&15], hex[u&15])
	}
	return dst
}

// mongoEscapes reports what StrictCharacterStreamJsonWriter writes as \uXXXX:
// all but letters, numbers, spaces, punctuation and symbols, UTF-16 unit by
// unit, so that everything outside the basic plane is escaped too.
func mongoEscapes(r rune) bool {
	return r > 0xFFFF || unicode.Is(unicode.Lm, r) ||
		!unicode.In(r, unicode.L, unicode.N, unicode.Zs, unicode.P, unicode.S)
}

// appendDouble prints whole numbers as digits and all others as Java's
// Double.toString: the stored document holds a double, not the literal.
func appendDouble(dst []byte, literal string) []byte {
	if !strings.ContainsAny(literal, ".eE") {
		return append(dst, literal...)
	}
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil {
		return append(dst, literal...)
	}
	return append(dst, javaDouble(f)...)
}

// javaDouble is Double.toString: decimal notation from 1e-3 up to 1e7 with at
// least one digit after the point, else one digit, a fraction and an exponent.
func javaDouble(f float64) string {
	abs := f
	if abs < 0 {
		abs = -abs
	}
	if abs == 0 || 1e-3 <= abs && abs < 1e7 {
		s := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	exp, _ := strconv.Atoi(exponent)
	return mantissa + "E" + strconv.Itoa(exp)
}

// appendDecimal prints what HAPI reads back from the stored double: plain
// digits, never an exponent.
func appendDecimal(dst []byte, literal string) []byte {
	double := appendDouble(nil, literal)
	if !strings.ContainsRune(string(double), 'E') {
		return append(dst, double...)
	}
	mantissa, exponent, _ := strings.Cut(string(double), "E")
	exp, _ := strconv.Atoi(exponent)
	_, fraction, _ := strings.Cut(mantissa, ".")
	r, ok := new(big.Rat).SetString(string(double))
	if !ok {
		return append(dst, literal...)
	}
	return append(dst, r.FloatString(max(0, len(fraction)-exp))...)
}
