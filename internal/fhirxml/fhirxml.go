// Package fhirxml writes resources as FHIR XML from their JSON. Version 1 of
// the API needs it: it answers both, and many clients ask for XML first.
//
// The rules are those of the R4 page "XML": elements in the order of their
// definition, which the table of package fhirschema knows, a primitive's value
// in an attribute, Element.id and Extension.url as attributes, extensions of a
// primitive inside its element, the narrative as it is. Like HAPI, which v1
// runs on, it declares the namespace on every resource, those in a Bundle
// included, and drops members that R4 does not know.
package fhirxml

import (
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/internal/fhirschema"
)

// Namespace is that of every FHIR element.
const Namespace = "http://hl7.org/fhir"

// Append appends a resource in one line, without an XML declaration, as HAPI
// writes it.
func Append(dst []byte, resource *fhir.Node) ([]byte, error) {
	w := writer{out: dst, start: len(dst)}
	return w.finish(resource)
}

// AppendPretty appends a resource with each element on a line of its own.
func AppendPretty(dst []byte, resource *fhir.Node) ([]byte, error) {
	w := writer{out: dst, start: len(dst), pretty: true}
	return w.finish(resource)
}

// writer writes one document.
type writer struct {
	out    []byte
	start  int // of the document in out
	pretty bool
	depth  int
	slots  []slot // of the objects being written, innermost last
	err    error
}

// slot holds the members found for one element.
type slot struct {
	name           string // in XML
	typ            *fhirschema.Type
	value, sibling *fhir.Node
}

func (w *writer) finish(resource *fhir.Node) ([]byte, error) {
	w.resource(resource)
	return w.out, w.err
}

func (w *writer) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

func (w *writer) resource(n *fhir.Node) {
	name := n.Get("resourceType").Str()
	t := fhirschema.TypeOf(name)
	if t == nil || !t.Resource || t.Abstract {
		w.fail("fhirxml: no resource that the table knows")
		return
	}
	w.line()
	w.print("<", name, ` xmlns="`, Namespace, `"`)
	w.content(n, t, name)
}

// content writes the attributes and children of an object, and the end of its
// element, whose start tag is still open.
func (w *writer) content(n *fhir.Node, t *fhirschema.Type, name string) {
	base := len(w.slots)
	w.slots = slices.Grow(w.slots, len(t.Fields))[:base+len(t.Fields)]
	clear(w.slots[base:])
	w.sort(n, t, w.slots[base:])
	for i := range t.Fields {
		if s := &w.slots[base+i]; t.Fields[i].Attr && s.value != nil {
			w.attribute(s.name, s.value)
		}
	}
	inside := false
	for i := range t.Fields {
		s := w.slots[base+i] // a copy: what is written below may move the slots
		if s.typ == nil || t.Fields[i].Attr {
			continue
		}
		if !inside {
			w.print(">")
			inside = true
			w.depth++
		}
		w.field(s)
	}
	w.slots = w.slots[:base]
	w.end(name, inside)
}

// sort puts the members of an object into the slots of their fields.
func (w *writer) sort(n *fhir.Node, t *fhirschema.Type, slots []slot) {
	members := n.Members()
	for i := range members {
		name, value := members[i].Name, &members[i].Value
		m, known := t.Member(name)
		if !known {
			continue
		}
		s := &slots[m.Index]
		if s.typ != nil && s.typ != m.Type {
			continue // a choice has one value
		}
		s.typ = m.Type
		if m.Sibling {
			s.name, s.sibling = name[1:], value
		} else {
			s.name, s.value = name, value
		}
	}
}

// field writes an element as often as it repeats. A null among the values
// holds the place of one that has extensions only.
func (w *writer) field(s slot) {
	if s.value.Kind() != fhir.Array && s.sibling.Kind() != fhir.Array {
		w.element(s.name, s.typ, s.value, s.sibling)
		return
	}
	for i := range max(s.value.Len(), s.sibling.Len()) {
		w.element(s.name, s.typ, s.value.Item(i), s.sibling.Item(i))
	}
}

func (w *writer) element(name string, t *fhirschema.Type, value, sibling *fhir.Node) {
	switch {
	case t.Name == "Narrative" && !readable(value):
		// XML cannot hold it, and what it says stands in the other elements.
	case t.Name == "xhtml":
		div, _ := oneDiv(value.Str())
		w.line()
		w.print(div)
	case t.Name == "Resource" && name == "contained" && fhirschema.TypeOf(value.Get("resourceType").Str()) == nil:
		// Nobody knows the order of its members.
	case t.Name == "Resource":
		w.line()
		w.print("<", name, ">")
		w.depth++
		w.resource(value)
		w.end(name, true)
	case t.Primitive:
		w.line()
		w.print("<", name)
		if id := sibling.Get("id"); id != nil {
			w.attribute("id", id)
		}
		if value != nil && value.Kind() != fhir.Null {
			w.attribute("value", value)
		}
		w.extensions(sibling.Get("extension"), name)
	default:
		w.line()
		w.print("<", name)
		w.content(value, t, name)
	}
}

// extensions ends the element of a primitive, with what it carries.
func (w *writer) extensions(list *fhir.Node, name string) {
	inside := list.Len() > 0
	if inside {
		w.print(">")
		w.depth++
		t := fhirschema.TypeOf("Extension")
		for i := range list.Items() {
			w.element("extension", t, &list.Items()[i].Value, nil)
		}
	}
	w.end(name, inside)
}

// end closes an element: with a tag of its own when something is inside.
func (w *writer) end(name string, inside bool) {
	if !inside {
		w.print("/>")
		return
	}
	w.depth--
	w.line()
	w.print("</", name, ">")
}

// readable tells whether a narrative has a div that can stand in a document, or
// none at all.
func readable(narrative *fhir.Node) bool {
	div := narrative.Get("div")
	_, ok := oneDiv(div.Str())
	return ok || div == nil
}

const xhtml = "http://www.w3.org/1999/xhtml"

var namedEntity = regexp.MustCompile(`&[A-Za-z][A-Za-z0-9]*;`)

// oneDiv is the div of a narrative as it stands in a document: one element, in
// the namespace of XHTML; entities that XML does not know are the characters they
// stand for. What is not one well-formed div would spoil the document.
func oneDiv(text string) (string, bool) {
	text = namedEntity.ReplaceAllStringFunc(text, func(entity string) string {
		switch name := entity[1 : len(entity)-1]; name {
		case "amp", "lt", "gt", "quot", "apos":
			return entity
		default:
			return cmp.Or(xml.HTMLEntity[name], entity)
		}
	})
	text = strings.TrimSpace(text)
	decoder := xml.NewDecoder(strings.NewReader(text))
	depth, space := 0, ""
	for seen := false; ; {
		token, err := decoder.Token()
		if err != nil {
			if !errors.Is(err, io.EOF) || !seen {
				return "", false
			}
			break
		}
		switch t := token.(type) {
		case xml.StartElement:
			if depth == 0 && (seen || t.Name.Local != "div") {
				return "", false
			}
			if depth == 0 {
				space = t.Name.Space
			}
			seen = true
			depth++
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth == 0 {
				return "", false
			}
		case xml.Directive, xml.ProcInst:
			return "", false
		}
	}
	if rest, bare := strings.CutPrefix(text, "<div"); bare && space == "" {
		return `<div xmlns="` + xhtml + `"` + rest, true
	}
	return text, space == xhtml
}

// line begins a new line in a pretty document: three spaces a level, as HAPI.
func (w *writer) line() {
	if !w.pretty || len(w.out) == w.start {
		return
	}
	w.out = append(w.out, '\n')
	for range w.depth {
		w.out = append(w.out, "   "...)
	}
}

func (w *writer) print(parts ...string) {
	for _, p := range parts {
		w.out = append(w.out, p...)
	}
}

func (w *writer) attribute(name string, value *fhir.Node) {
	w.print(" ", name, `="`)
	w.out = appendValue(w.out, value)
	w.out = append(w.out, '"')
}

// appendValue appends a primitive between quotes. Most strings stand in JSON
// as they will in XML.
func appendValue(dst []byte, n *fhir.Node) []byte {
	if n.Kind() != fhir.String {
		return append(dst, n.Text()...)
	}
	literal := n.Raw()[1 : len(n.Raw())-1]
	for i := range len(literal) {
		if special[literal[i]] {
			return AppendEscaped(dst, n.Str())
		}
	}
	return append(dst, literal...)
}

// special are the bytes that cannot stand in an attribute, or begin what may
// not: a JSON escape, a noncharacter (U+FFFE).
var special = func() (set [256]bool) {
	for c := range 0x20 {
		set[c] = true
	}
	for _, c := range []byte("\"&<\\\xEF") {
		set[c] = true
	}
	return set
}()

// AppendEscaped appends a text as an attribute's value. Line breaks and tabs
// are written as references, because a reader makes spaces of them otherwise;
// what XML 1.0 has no way to write becomes U+FFFD.
func AppendEscaped(dst []byte, text string) []byte {
	for _, r := range text {
		switch {
		case r == '"':
			dst = append(dst, "&quot;"...)
		case r == '&':
			dst = append(dst, "&amp;"...)
		case r == '<':
			dst = append(dst, "&lt;"...)
		case r == '\t':
			dst = append(dst, "&#x9;"...)
		case r == '\n':
			dst = append(dst, "&#xa;"...)
		case r == '\r':
			dst = append(dst, "&#xd;"...)
		case r < 0x20 || r == 0xFFFE || r == 0xFFFF:
			dst = utf8.AppendRune(dst, utf8.RuneError)
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}
