package v1

import (
	"slices"
	"strings"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/internal/fhirschema"
)

// subset is which elements of a resource an answer keeps. The zero subset
// keeps all of them.
type subset struct {
	summary  string              // of _summary: true, text, data, count
	elements map[string][]string // by resource type, "*" for all: dotted paths
	exclude  map[string][]string
}

// readSubset reads _summary and _elements, which exclude each other. typ is
// what an element without a type is of.
func readSubset(p params, typ string) (subset, error) {
	var s subset
	for _, pair := range p {
		switch pair.name {
		case "_summary":
			switch value := strings.ToLower(pair.value); value {
			case "true", "text", "data", "count":
				s.summary = value
			case "false", "":
			default:
				return s, invalid("Unknown _summary value: %s", pair.value)
			}
		case "_elements":
			s.elements = addElements(s.elements, pair.value, typ)
		case "_elements:exclude":
			s.exclude = addElements(s.exclude, pair.value, typ)
		}
	}
	if s.summary != "" && s.elements != nil {
		return s, invalid("HAPI-0304: Cannot combine the _summary and _elements parameters")
	}
	if count, given := p.first("_count"); given && count == "0" {
		s.summary = "count"
	}
	return s, nil
}

func addElements(to map[string][]string, list, typ string) map[string][]string {
	for _, item := range items(list) {
		item = strings.TrimSpace(item)
		of, path := typ, item
		if first, rest, dotted := strings.Cut(item, "."); dotted && (first == "*" || fhirschema.KnownResource(first)) {
			of, path = first, rest
		}
		if to == nil {
			to = map[string][]string{}
		}
		to[of] = append(to[of], path)
	}
	return to
}

// whole reports whether resources of a type are kept as they are.
func (s subset) whole(typ string) bool {
	return s.summary == "" && s.paths(s.elements, typ) == nil && s.paths(s.exclude, typ) == nil
}

func (s subset) paths(of map[string][]string, typ string) []string {
	return append(slices.Clip(of[typ]), of["*"]...)
}

// subsetted is the tag of a resource that is not whole.
const subsetted = `{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED","display":"Resource encoded in summary mode"}`

// append appends what the subset keeps of a resource, and the tag that
// says so.
func (s subset) append(dst []byte, resource *fhir.Node) []byte {
	name := resource.Get("resourceType").Str()
	n := narrower{
		writer: writer{out: dst}, typ: name, summary: s.summary,
		elements: s.paths(s.elements, name), exclude: s.paths(s.exclude, name),
	}
	n.resource(resource, fhirschema.TypeOf(name))
	return n.out
}

type narrower struct {
	writer
	typ, summary      string
	elements, exclude []string
}

func (n *narrower) resource(resource *fhir.Node, t *fhirschema.Type) {
	n.open('{')
	tagged := resource.Get("meta") != nil
	for i := range resource.Members() {
		m := &resource.Members()[i]
		switch {
		case m.Name == "resourceType" || m.Name == "id":
			n.member(m.Name, &m.Value)
		case m.Name == "meta":
			n.key(m.Name)
			n.tagged(&m.Value)
		default:
			n.element(m, t, "")
		}
		if m.Name == "id" && !tagged {
			n.raw(`"meta":{"tag":[` + subsetted + `]}`)
		}
	}
	n.close('}')
}

func (n *narrower) tagged(meta *fhir.Node) {
	n.open('{')
	for i := range meta.Members() {
		if m := &meta.Members()[i]; m.Name != "tag" {
			n.member(m.Name, &m.Value)
		}
	}
	n.raw(`"tag":[` + subsetted + `]`)
	n.close('}')
}

// element writes a member when it is kept; in is the path of what holds it.
func (n *narrower) element(m *fhir.Member, t *fhirschema.Type, in string) {
	known, ok := t.Member(m.Name)
	if !ok {
		return
	}
	path := in + strings.TrimPrefix(m.Name, "_")
	whole, below := n.keeps(path, &t.Fields[known.Index], in == "")
	switch {
	case whole:
		n.member(m.Name, &m.Value)
	case below && !known.Type.Primitive:
		n.key(m.Name)
		n.below(&m.Value, known.Type, path+".")
	}
}

// keeps reports whether an element is kept whole, or may keep something below.
func (n *narrower) keeps(path string, f *fhirschema.Field, top bool) (whole, below bool) {
	if slices.Contains(n.exclude, path) {
		return false, false
	}
	holds := func(list []string) bool {
		return slices.ContainsFunc(list, func(e string) bool { return strings.HasPrefix(e, path+".") })
	}
	mandatory := f.Min > 0
	switch {
	case n.summary == "true":
		keep := f.Summary || mandatory
		return keep && isPrimitive(f), keep
	case n.summary == "text":
		return top && (path == "text" || mandatory), false
	case n.summary == "data":
		return path != "text", false
	case n.elements != nil:
		if slices.Contains(n.elements, path) || top && (mandatory || n.profiled(path)) {
			return !holds(n.exclude), true
		}
		inside := slices.ContainsFunc(n.elements, func(e string) bool { return strings.HasPrefix(path, e+".") })
		return inside && !holds(n.exclude), inside || holds(n.elements)
	}
	return !holds(n.exclude), true
}

// profiled reports whether the profile of a resource demands an element, which
// the answer then keeps, as those of ANS's guide keep identifier and active
// (ans-api.md §10, row 10).
func (n *narrower) profiled(path string) bool {
	p := fixtures.DefaultTable().Type(n.typ).Param(path)
	return p != nil && p.Compulsory
}

func isPrimitive(f *fhirschema.Field) bool {
	t := fhirschema.TypeOf(f.Types[0])
	return t != nil && t.Primitive
}

func (n *narrower) below(value *fhir.Node, t *fhirschema.Type, in string) {
	switch value.Kind() {
	case fhir.Array:
		n.open('[')
		for i := range value.Items() {
			n.below(&value.Items()[i].Value, t, in)
		}
		n.close(']')
	case fhir.Object:
		n.open('{')
		for i := range value.Members() {
			n.element(&value.Members()[i], t, in)
		}
		n.close('}')
	default:
		n.separate()
		n.out, n.comma = fhir.AppendRead(n.out, value), true
	}
}
