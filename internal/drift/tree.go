package drift

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/mockfhir/mockfhir/internal/fhir"
)

// tree is a JSON value that can be changed and printed again with every byte
// outside the change as it was: a mutation must not be noticed by its spacing.
type tree struct {
	kind fhir.Kind
	raw  string // scalars, as written
	kids []kid
	tail string // white space before the closing bracket
}

// kid is an item of an array or a member of an object.
type kid struct {
	lead  string // white space before it
	name  string // as written, quotes included; "" in arrays
	colon string // between name and value
	value *tree
	after string // white space before the comma that follows
}

func parseTree(text string) (*tree, error) {
	if !json.Valid([]byte(text)) {
		return nil, errors.New("no JSON")
	}
	s := scanner{text: text}
	s.space()
	return s.value(), nil
}

// literal makes a tree of JSON text known to be good.
func literal(text string) *tree {
	s := scanner{text: text}
	return s.value()
}

func quoted(s string) *tree {
	return &tree{kind: fhir.String, raw: string(fhir.AppendReadString(nil, s))}
}

// scanner reads JSON known to be valid.
type scanner struct {
	text string
	i    int
}

func (s *scanner) space() string {
	start := s.i
	for s.i < len(s.text) && strings.IndexByte(" \t\r\n", s.text[s.i]) >= 0 {
		s.i++
	}
	return s.text[start:s.i]
}

func (s *scanner) value() *tree {
	start := s.i
	switch c := s.text[s.i]; c {
	case '{':
		return s.container(fhir.Object, '}')
	case '[':
		return s.container(fhir.Array, ']')
	case '"':
		return &tree{kind: fhir.String, raw: s.str()}
	default:
		for s.i < len(s.text) && strings.IndexByte(" \t\r\n,]}", s.text[s.i]) < 0 {
			s.i++
		}
		kind := fhir.Number
		switch c {
		case 't', 'f':
			kind = fhir.Bool
		case 'n':
			kind = fhir.Null
		}
		return &tree{kind: kind, raw: s.text[start:s.i]}
	}
}

func (s *scanner) str() string {
	start := s.i
	for s.i++; s.text[s.i] != '"'; s.i++ {
		if s.text[s.i] == '\\' {
			s.i++
		}
	}
	s.i++
	return s.text[start:s.i]
}

func (s *scanner) container(kind fhir.Kind, end byte) *tree {
	t := &tree{kind: kind}
	s.i++
	lead := s.space()
	if s.text[s.i] == end {
		s.i++
		t.tail = lead
		return t
	}
	for {
		k := kid{lead: lead}
		if kind == fhir.Object {
			k.name = s.str()
			before := s.space()
			s.i++
			k.colon = before + ":" + s.space()
		}
		k.value = s.value()
		k.after = s.space()
		t.kids = append(t.kids, k)
		s.i++
		if s.text[s.i-1] == end {
			last := &t.kids[len(t.kids)-1]
			t.tail, last.after = last.after, ""
			return t
		}
		lead = s.space()
	}
}

func (t *tree) append(dst []byte) []byte {
	open, end := byte('{'), byte('}')
	switch t.kind {
	case fhir.Object:
	case fhir.Array:
		open, end = '[', ']'
	default:
		return append(dst, t.raw...)
	}
	dst = append(dst, open)
	for i := range t.kids {
		k := &t.kids[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, k.lead...), k.name...), k.colon...)
		dst = append(k.value.append(dst), k.after...)
	}
	return append(append(dst, t.tail...), end)
}

// String is the JSON text.
func (t *tree) String() string { return string(t.append(nil)) }

// str is the decoded text of a string, the literal of a number or boolean.
func (t *tree) str() string {
	switch {
	case t == nil:
		return ""
	case t.kind == fhir.String:
		n, err := fhir.ParseString(t.raw)
		if err != nil {
			return ""
		}
		return n.Str()
	}
	return t.raw
}

func (t *tree) get(name string) *tree {
	if t == nil || t.kind != fhir.Object {
		return nil
	}
	quotedName := strconv.Quote(name)
	for i := range t.kids {
		if t.kids[i].name == quotedName {
			return t.kids[i].value
		}
	}
	return nil
}

func (t *tree) items() []kid {
	if t == nil || t.kind != fhir.Array {
		return nil
	}
	return t.kids
}

// put sets a member, or adds it after the others in their spacing.
func (t *tree) put(name string, value *tree) {
	if old := t.get(name); old != nil {
		*old = *value
		return
	}
	k := kid{name: strconv.Quote(name), colon: ":", value: value}
	if n := len(t.kids); n > 0 {
		k.colon = t.kids[n-1].colon
		k.lead = t.kids[n-1].lead
	}
	t.kids = append(t.kids, k)
}

// add appends an item to an array.
func (t *tree) add(value *tree) {
	k := kid{value: value}
	if n := len(t.kids); n > 0 {
		k.lead = t.kids[n-1].lead
	}
	t.kids = append(t.kids, k)
}

// remove takes a value out, reporting whether it was there.
func (t *tree) remove(value *tree) bool {
	for i := range t.kids {
		if t.kids[i].value == value {
			lead := t.kids[0].lead
			t.kids = append(t.kids[:i:i], t.kids[i+1:]...)
			if i == 0 && len(t.kids) > 0 {
				t.kids[0].lead = lead
			}
			return true
		}
	}
	return false
}

// keep leaves only the items f accepts.
func (t *tree) keep(f func(*tree) bool) (changed bool) {
	if t == nil {
		return false
	}
	kept := t.kids[:0:0]
	for _, k := range t.kids {
		if f(k.value) {
			kept = append(kept, k)
		}
	}
	changed = len(kept) != len(t.kids)
	t.kids = kept
	return changed
}

func (t *tree) clone() *tree {
	c := *t
	c.kids = make([]kid, len(t.kids))
	for i, k := range t.kids {
		c.kids[i] = k
		c.kids[i].value = k.value.clone()
	}
	return &c
}
