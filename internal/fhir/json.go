// Package fhir reads and prints FHIR resources as JSON trees that keep what
// encoding/json loses: the order of members, repeated members, and numbers as
// they were written. Packages that index, print, compare or check resources
// need it; it knows JSON and the two dialects of the real server, not search.
package fhir

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Kind is the JSON type of a Node.
type Kind uint8

// The kinds. Missing is the kind of a nil Node: what Get returns for a member
// that is not there.
const (
	Missing Kind = iota
	Null
	Bool
	Number
	String
	Array
	Object
)

var kindNames = [...]string{"missing", "null", "boolean", "number", "string", "array", "object"}

// String names the kind as the JSON specification does.
func (k Kind) String() string { return kindNames[k] }

// Node is one JSON value. A nil *Node is valid and Missing, so that paths can
// be walked without checks: n.Get("meta").Get("versionId").Str().
type Node struct {
	kind Kind
	raw  string // the value as written
	kids []Member
}

// Member is a named value of an object. The items of an array are members
// without a name.
type Member struct {
	Name  string
	Value Node
}

// MaxDepth bounds the nesting Parse accepts. FHIR resources stay below 30.
const MaxDepth = 128

// SyntaxError says where a text stops being JSON.
type SyntaxError struct {
	Offset int // in bytes from the start of the text
	Msg    string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%s at byte %d", e.Msg, e.Offset) }

// Parse reads one JSON value (RFC 8259, strict, UTF-8 without a byte order
// mark, at most MaxDepth deep). Repeated members are kept: see Duplicate.
// Errors are *SyntaxError.
func Parse(text []byte) (*Node, error) { return ParseString(string(text)) }

// ParseString is Parse on a string, whose memory the tree shares.
func ParseString(text string) (*Node, error) {
	p := parser{s: text}
	var n Node
	p.space()
	if err := p.value(&n, 0); err != nil {
		return nil, err
	}
	p.space()
	if p.i != len(p.s) {
		return nil, p.fail("unexpected text after the value")
	}
	return &n, nil
}

// Kind returns the JSON type, Missing for nil.
func (n *Node) Kind() Kind {
	if n == nil {
		return Missing
	}
	return n.kind
}

// Raw returns the value as it was written, quotes and white space included.
func (n *Node) Raw() string {
	if n == nil {
		return ""
	}
	return n.raw
}

// Str returns the decoded text of a string, "" for anything else.
func (n *Node) Str() string {
	if n.Kind() != String {
		return ""
	}
	return unquote(n.raw)
}

// Text returns a string decoded, and a number or boolean as written; "" for
// null, arrays, objects and nothing.
func (n *Node) Text() string {
	switch n.Kind() {
	case String:
		return unquote(n.raw)
	case Number, Bool:
		return n.raw
	}
	return ""
}

// Bool reports whether the value is true.
func (n *Node) Bool() bool { return n.Kind() == Bool && n.raw == "true" }

// Replace gives a primitive another literal, written as JSON: `"2"`, `2`. What
// Raw returns of the containers around it stays as it was parsed; the printers
// print the new literal.
func (n *Node) Replace(literal string) {
	switch n.Kind() {
	case Bool, Number, String:
	default:
		return
	}
	n.raw, n.kind = literal, Number
	if literal[0] == '"' {
		n.kind = String
	}
}

// Set gives an object a member, in the place of the one of that name or at the
// end. The value is written as JSON; one that is no JSON panics.
func (n *Node) Set(name, value string) {
	parsed, err := ParseString(value)
	if err != nil {
		panic("fhir: Set: " + err.Error())
	}
	if member := n.Get(name); member != nil {
		*member = *parsed
	} else if n.Kind() == Object {
		n.kids = append(n.kids, Member{name, *parsed})
	}
}

// Remove takes the members of a name out of an object.
func (n *Node) Remove(name string) {
	if n.Kind() == Object {
		n.kids = slices.DeleteFunc(n.kids, func(m Member) bool { return m.Name == name })
	}
}

// Keep leaves in an array the items that are wanted.
func (n *Node) Keep(wanted func(*Node) bool) {
	if n.Kind() == Array {
		n.kids = slices.DeleteFunc(n.kids, func(m Member) bool { return !wanted(&m.Value) })
	}
}

// Walk calls f with each value directly inside an object or array.
func (n *Node) Walk(f func(*Node)) {
	if n != nil {
		for i := range n.kids {
			f(&n.kids[i].Value)
		}
	}
}

// Get returns the first member of that name, nil when there is none.
func (n *Node) Get(name string) *Node {
	if n.Kind() != Object {
		return nil
	}
	for i := range n.kids {
		if n.kids[i].Name == name {
			return &n.kids[i].Value
		}
	}
	return nil
}

// Path walks members by name, and arrays by taking their first item.
func (n *Node) Path(names ...string) *Node {
	for _, name := range names {
		if n.Kind() == Array {
			n = n.Item(0)
		}
		n = n.Get(name)
	}
	return n
}

// Members returns the members of an object in their order, nil otherwise.
func (n *Node) Members() []Member {
	if n.Kind() != Object {
		return nil
	}
	return n.kids
}

// Items returns the items of an array (their names are empty), nil otherwise.
func (n *Node) Items() []Member {
	if n.Kind() != Array {
		return nil
	}
	return n.kids
}

// Item returns the i-th item of an array, nil when there is none.
func (n *Node) Item(i int) *Node {
	if n.Kind() != Array || i < 0 || i >= len(n.kids) {
		return nil
	}
	return &n.kids[i].Value
}

// Len is the number of items or members.
func (n *Node) Len() int {
	if n == nil {
		return 0
	}
	return len(n.kids)
}

// Each calls f with the value, or with every item when it is an array: FHIR
// paths do not say which elements repeat.
func (n *Node) Each(f func(*Node)) {
	switch n.Kind() {
	case Missing:
	case Array:
		for i := range n.kids {
			f(&n.kids[i].Value)
		}
	default:
		f(n)
	}
}

// Duplicate returns the path (`a.b[2].c`) of the first repeated member name
// at or below n; RFC 8259 allows it, FHIR does not.
func (n *Node) Duplicate() (path string, found bool) {
	if n == nil {
		return "", false
	}
	for i := range n.kids {
		m := &n.kids[i]
		if n.kind == Object {
			for j := range i {
				if n.kids[j].Name == m.Name {
					return m.Name, true
				}
			}
		}
		if sub, found := m.Value.Duplicate(); found {
			if n.kind == Array {
				return "[" + strconv.Itoa(i) + "]" + join(sub), true
			}
			return m.Name + join(sub), true
		}
	}
	return "", false
}

func join(sub string) string {
	if strings.HasPrefix(sub, "[") {
		return sub
	}
	return "." + sub
}

type parser struct {
	s     string
	i     int
	stack []Member // members of the values being read, innermost last
}

func (p *parser) fail(msg string) error { return &SyntaxError{Offset: p.i, Msg: msg} }

func (p *parser) space() {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\n', '\t', '\r':
			p.i++
		default:
			return
		}
	}
}

func (p *parser) value(n *Node, depth int) error {
	if p.i >= len(p.s) {
		return p.fail("unexpected end of JSON")
	}
	start := p.i
	var err error
	switch c := p.s[p.i]; {
	case c == '{':
		n.kind, err = Object, p.container(n, '}', depth)
	case c == '[':
		n.kind, err = Array, p.container(n, ']', depth)
	case c == '"':
		n.kind, err = String, p.quoted()
	case c == '-' || '0' <= c && c <= '9':
		n.kind, err = Number, p.number()
	case strings.HasPrefix(p.s[p.i:], "true"):
		n.kind, p.i = Bool, p.i+4
	case strings.HasPrefix(p.s[p.i:], "false"):
		n.kind, p.i = Bool, p.i+5
	case strings.HasPrefix(p.s[p.i:], "null"):
		n.kind, p.i = Null, p.i+4
	default:
		return p.fail("no JSON value")
	}
	n.raw = p.s[start:p.i]
	return err
}

func (p *parser) container(n *Node, end byte, depth int) error {
	if depth >= MaxDepth {
		return p.fail("nested too deeply")
	}
	base := len(p.stack)
	p.i++
	p.space()
	if p.i < len(p.s) && p.s[p.i] == end {
		p.i++
		return nil
	}
	for {
		var m Member
		if end == '}' {
			if p.i >= len(p.s) || p.s[p.i] != '"' {
				return p.fail("expected a member name")
			}
			start := p.i
			if err := p.quoted(); err != nil {
				return err
			}
			m.Name = unquote(p.s[start:p.i])
			p.space()
			if p.i >= len(p.s) || p.s[p.i] != ':' {
				return p.fail("expected ':' after a member name")
			}
			p.i++
			p.space()
		}
		if err := p.value(&m.Value, depth+1); err != nil {
			return err
		}
		p.stack = append(p.stack, m)
		p.space()
		if p.i >= len(p.s) {
			return p.fail("unexpected end of JSON")
		}
		switch p.s[p.i] {
		case ',':
			p.i++
			p.space()
		case end:
			p.i++
			n.kids = append([]Member(nil), p.stack[base:]...)
			p.stack = p.stack[:base]
			return nil
		default:
			return p.fail("expected ',' or '" + string(end) + "'")
		}
	}
}

func (p *parser) quoted() error {
	start := p.i
	for p.i++; p.i < len(p.s); {
		c := p.s[p.i]
		switch {
		case c == '"':
			p.i++
			return nil
		case c == '\\':
			if err := p.escape(); err != nil {
				return err
			}
		case c < 0x20:
			return p.fail("control character in a string")
		case c < utf8.RuneSelf:
			p.i++
		default:
			r, size := utf8.DecodeRuneInString(p.s[p.i:])
			if r == utf8.RuneError && size == 1 {
				return p.fail("invalid UTF-8")
			}
			p.i += size
		}
	}
	p.i = start
	return p.fail("string without end")
}

func (p *parser) escape() error {
	if p.i+1 >= len(p.s) {
		return p.fail("unexpected end of JSON")
	}
	switch p.s[p.i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		p.i += 2
		return nil
	case 'u':
		if p.i+6 <= len(p.s) {
			if _, err := strconv.ParseUint(p.s[p.i+2:p.i+6], 16, 16); err == nil {
				p.i += 6
				return nil
			}
		}
	}
	return p.fail("invalid escape in a string")
}

func (p *parser) number() error {
	if p.s[p.i] == '-' {
		p.i++
	}
	switch {
	case p.i < len(p.s) && p.s[p.i] == '0':
		p.i++
	case !p.digits():
		return p.fail("invalid number")
	}
	if p.i < len(p.s) && p.s[p.i] == '.' {
		p.i++
		if !p.digits() {
			return p.fail("invalid number")
		}
	}
	if p.i < len(p.s) && p.s[p.i]|0x20 == 'e' {
		p.i++
		if p.i < len(p.s) && (p.s[p.i] == '+' || p.s[p.i] == '-') {
			p.i++
		}
		if !p.digits() {
			return p.fail("invalid number")
		}
	}
	return nil
}

func (p *parser) digits() bool {
	start := p.i
	for p.i < len(p.s) && '0' <= p.s[p.i] && p.s[p.i] <= '9' {
		p.i++
	}
	return p.i > start
}

// unquote decodes a checked string literal. Half a surrogate pair becomes
// U+FFFD, as in encoding/json.
func unquote(raw string) string {
	raw = raw[1 : len(raw)-1]
	slash := strings.IndexByte(raw, '\\')
	if slash < 0 {
		return raw
	}
	var b strings.Builder
	for ; slash >= 0; slash = strings.IndexByte(raw, '\\') {
		b.WriteString(raw[:slash])
		c := raw[slash+1]
		raw = raw[slash+2:]
		switch c {
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'u':
			r := hex4(raw)
			raw = raw[4:]
			if utf16.IsSurrogate(r) {
				pair := rune(utf8.RuneError)
				if strings.HasPrefix(raw, `\u`) {
					pair = utf16.DecodeRune(r, hex4(raw[2:]))
				}
				if pair != utf8.RuneError {
					raw = raw[6:]
				}
				r = pair
			}
			b.WriteRune(r)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteString(raw)
	return b.String()
}

func hex4(s string) rune {
	v, _ := strconv.ParseUint(s[:4], 16, 32)
	return rune(v)
}
