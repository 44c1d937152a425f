package search

import (
	"strings"

	"github.com/mockfhir/mockfhir/internal/fhir"
)

// narrowing is a tree of the members that _elements keeps: a MongoDB
// projection. A leaf, an empty tree, keeps all that is below.
type narrowing map[string]narrowing

// narrowing makes the projection of a query: what was asked for, what is
// always kept, and the elements of compulsory parameters (§2.11). It is nil
// when two paths collide or a path is malformed, which MongoDB refuses.
func (q *Query) narrowing() narrowing {
	keep := narrowing{"resourceType": {}, "id": {}, "meta": {}}
	paths := []string{}
	for _, p := range q.typ.Params {
		if p.Compulsory {
			paths = append(paths, p.Name)
		}
	}
	seen := map[string]bool{"resourceType": true, "id": true, "meta": true}
	for _, path := range append(paths, q.Elements...) {
		if !seen[path] && !keep.add(path) {
			return nil
		}
		seen[path] = true
	}
	return keep
}

func (n narrowing) add(path string) bool {
	steps := strings.Split(path, ".")
	for i, step := range steps {
		if step == "" || step[0] == '$' {
			return false
		}
		last := i == len(steps)-1
		below, known := n[step]
		if known && (last || len(below) == 0) {
			return false // one path would be the beginning of the other
		}
		if !known {
			below = narrowing{}
			n[step] = below
		}
		n = below
	}
	return true
}

// subsetted is the tag of a narrowed resource.
const subsetted = `[{"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED", "display": "Resource encoded in summary mode"}]`

// AppendNarrowed appends a resource, given in the dialect of searches, with
// only the elements the query asks for, tagged SUBSETTED.
func (q *Query) AppendNarrowed(dst []byte, resource *fhir.Node) []byte {
	dst = append(dst, '{')
	first, tagged := true, false
	for i := range resource.Members() {
		m := &resource.Members()[i]
		below, kept := q.keep[m.Name]
		if !kept || !projects(&m.Value, below) {
			continue
		}
		dst = appendName(dst, m.Name, &first)
		if m.Name == "meta" && m.Value.Kind() == fhir.Object {
			dst, tagged = appendTagged(dst, &m.Value), true
			continue
		}
		dst = appendProjected(dst, &m.Value, below)
	}
	if !tagged {
		dst = append(appendName(dst, "meta", &first), `{"tag": `+subsetted+`}`...)
	}
	return append(dst, '}')
}

func appendName(dst []byte, name string, first *bool) []byte {
	if !*first {
		dst = append(dst, ", "...)
	}
	*first = false
	return append(fhir.AppendSearchString(dst, name), ": "...)
}

// appendTagged appends meta with its tags replaced, in place or at the end.
func appendTagged(dst []byte, meta *fhir.Node) []byte {
	dst = append(dst, '{')
	first, tagged := true, false
	for i := range meta.Members() {
		m := &meta.Members()[i]
		dst = appendName(dst, m.Name, &first)
		if m.Name == "tag" {
			dst, tagged = append(dst, subsetted...), true
			continue
		}
		dst = fhir.AppendSearch(dst, &m.Value)
	}
	if !tagged {
		dst = append(appendName(dst, "tag", &first), subsetted...)
	}
	return append(dst, '}')
}

// projects reports whether anything of a value can be kept: a primitive has
// nothing below it.
func projects(n *fhir.Node, keep narrowing) bool {
	return len(keep) == 0 || n.Kind() == fhir.Object || n.Kind() == fhir.Array
}

func appendProjected(dst []byte, n *fhir.Node, keep narrowing) []byte {
	if len(keep) == 0 {
		return fhir.AppendSearch(dst, n)
	}
	first := true
	if n.Kind() == fhir.Array {
		dst = append(dst, '[')
		for i := range n.Items() {
			item := &n.Items()[i].Value
			if !projects(item, keep) {
				continue
			}
			if !first {
				dst = append(dst, ", "...)
			}
			first = false
			dst = appendProjected(dst, item, keep)
		}
		return append(dst, ']')
	}
	dst = append(dst, '{')
	for i := range n.Members() {
		m := &n.Members()[i]
		if below, kept := keep[m.Name]; kept && projects(&m.Value, below) {
			dst = appendProjected(appendName(dst, m.Name, &first), &m.Value, below)
		}
	}
	return append(dst, '}')
}
