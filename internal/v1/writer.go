package v1

import (
	"bytes"

	"github.com/mockfhir/mockfhir/internal/fhir"
)

// writer prints compact JSON as HAPI does, and renames on its way what has
// another name in version 1.
type writer struct {
	out   []byte
	comma bool
	types string // what the code system of identifier types becomes
}

func (w *writer) separate() {
	if w.comma {
		w.out = append(w.out, ',')
	}
	w.comma = false
}

func (w *writer) open(bracket byte) {
	w.separate()
	w.out = append(w.out, bracket)
}

func (w *writer) close(bracket byte) { w.out, w.comma = append(w.out, bracket), true }

func (w *writer) key(name string) {
	w.separate()
	w.out = append(fhir.AppendReadString(w.out, name), ':')
}

func (w *writer) raw(json string) {
	w.separate()
	w.out, w.comma = append(w.out, json...), true
}

func (w *writer) value(text string) {
	w.separate()
	w.out, w.comma = fhir.AppendReadString(w.out, text), true
}

func (w *writer) text(name, text string) {
	w.key(name)
	w.value(text)
}

// member copies a member, when there is one.
func (w *writer) member(name string, n *fhir.Node) {
	if n != nil {
		w.key(name)
		w.out, w.comma = fhir.AppendRead(w.out, n), true
	}
}

// list writes an array of what items writes, and nothing when it writes
// nothing.
func (w *writer) list(name string, items func()) {
	start, comma := len(w.out), w.comma
	w.key(name)
	w.open('[')
	empty := len(w.out)
	items()
	w.close(']')
	if bytes.Equal(w.out[empty:], []byte{']'}) {
		w.out, w.comma = w.out[:start], comma
	}
}

// renaming writes with a name for the code system of identifier types.
func (w *writer) renaming(types string, write func()) {
	w.types = types
	write()
	w.types = ""
}

// mapped copies a member and renames what is in it.
func (w *writer) mapped(name string, n *fhir.Node) {
	if n != nil {
		w.key(name)
		w.copy(n)
	}
}

// members copies members of a value, renames what is in them, and keeps what
// extends them: of an array that is extended and nothing else, HAPI prints a
// null for each (recorded in 2023).
func (w *writer) members(of *fhir.Node, names ...string) {
	for _, name := range names {
		value, extended := of.Get(name), of.Get("_"+name)
		if value == nil && extended.Kind() == fhir.Array {
			w.list(name, func() {
				for range extended.Len() {
					w.raw("null")
				}
			})
		}
		w.mapped(name, value)
		w.mapped("_"+name, extended)
	}
}

// copy copies a value and renames what is in it.
func (w *writer) copy(n *fhir.Node) {
	switch n.Kind() {
	case fhir.Object:
		w.open('{')
		for i := range n.Members() {
			m := &n.Members()[i]
			w.key(m.Name)
			w.copy(&m.Value)
		}
		w.close('}')
	case fhir.Array:
		w.open('[')
		for i := range n.Items() {
			w.copy(&n.Items()[i].Value)
		}
		w.close(']')
	case fhir.String:
		text := n.Str()
		if name, known := renamed[text]; known {
			text = name
		} else if w.types != "" && text == identifierTypes {
			text = w.types
		}
		w.value(text)
	default:
		w.separate()
		w.out, w.comma = fhir.AppendRead(w.out, n), true
	}
}

// concept writes codings as one CodeableConcept.
func (w *writer) concept(all []*fhir.Node) {
	w.open('{')
	w.key("coding")
	w.open('[')
	for _, c := range all {
		w.copy(c)
	}
	w.close(']')
	w.close('}')
}
