package drift

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mockfhir/mockfhir/internal/fhir"
)

// path is a compiled place in a document:
//
//	/entry/*/resource/name/0/given     members, items by number, every item
//	/link/[next]/url                   the item one of whose members is that text
//	/identifier/[type.code=RPPS]       the item with that text at that place
//	/entry/<included>/search           entries that are not of the type searched
type path []step

type step struct {
	kind  stepKind
	name  string   // member; or what a selector must find
	at    []string // where a selector looks; nil: in any member
	index int
}

type stepKind uint8

const (
	member stepKind = iota
	item
	every
	selector
	included
)

func parsePath(text string) (path, error) {
	if !strings.HasPrefix(text, "/") {
		return nil, fmt.Errorf("path %q does not start with /", text)
	}
	if text == "/" { // the document
		return nil, nil
	}
	var p path
	for _, part := range splitPath(text[1:]) {
		switch {
		case part == "":
			return nil, fmt.Errorf("path %q has an empty step", text)
		case part == "*":
			p = append(p, step{kind: every})
		case part == "<included>":
			p = append(p, step{kind: included})
		case part[0] == '[' && part[len(part)-1] == ']':
			s := step{kind: selector, name: part[1 : len(part)-1]}
			if at, equals, found := strings.Cut(s.name, "="); found {
				s.at, s.name = strings.Split(at, "."), equals
			}
			p = append(p, s)
		case strings.ContainsAny(part, "[]<> "):
			return nil, fmt.Errorf("path %q: step %q is not understood", text, part)
		default:
			if i, err := strconv.Atoi(part); err == nil {
				p = append(p, step{kind: item, index: i})
			} else {
				p = append(p, step{kind: member, name: part})
			}
		}
	}
	return p, nil
}

// splitPath cuts at slashes, but not at those inside a selector.
func splitPath(text string) []string {
	var parts []string
	depth, start := 0, 0
	for i, c := range []byte(text) {
		switch {
		case c == '[':
			depth++
		case c == ']':
			depth--
		case c == '/' && depth == 0:
			parts = append(parts, text[start:i])
			start = i + 1
		}
	}
	return append(parts, text[start:])
}

// place is a value and what holds it; parent is nil at the root.
type place struct{ parent, value *tree }

// find returns the places a path leads to. With grow, missing objects on the
// way are made: only for a member of an object that is a member itself, since
// nothing says what a missing list should hold.
func (p path) find(c *call, root *tree, grow bool) []place {
	places := []place{{nil, root}}
	for i, s := range p {
		var next []place
		for _, at := range places {
			next = append(next, s.from(c, at.value)...)
			if grow && s.kind == member && at.value.kind == fhir.Object && at.value.get(s.name) == nil &&
				(i == len(p)-1 || p[i+1].kind == member) {
				made := &tree{kind: fhir.Object}
				at.value.put(s.name, made)
				next = append(next, place{at.value, made})
			}
		}
		places = next
	}
	return places
}

func (s step) from(c *call, t *tree) []place {
	if s.kind == member {
		if v := t.get(s.name); v != nil {
			return []place{{t, v}}
		}
		return nil
	}
	if t.kind != fhir.Array {
		return nil
	}
	var found []place
	for i, k := range t.kids {
		if s.kind == every || s.kind == item && i == s.index ||
			s.kind == selector && s.selects(k.value) ||
			s.kind == included && c.isIncluded(k.value) {
			found = append(found, place{t, k.value})
		}
	}
	return found
}

func (s step) selects(t *tree) bool {
	if s.at != nil {
		return leadsTo(t, s.at, s.name)
	}
	for _, k := range t.kids {
		if k.value.kind == fhir.String && k.value.str() == s.name {
			return true
		}
	}
	return false
}

// leadsTo looks for a text at a dotted place, through lists and through the
// `coding` that a CodeableConcept puts in between: type.code is type.coding.code.
func leadsTo(t *tree, at []string, want string) bool {
	if t == nil {
		return false
	}
	if t.kind == fhir.Array {
		for _, k := range t.kids {
			if leadsTo(k.value, at, want) {
				return true
			}
		}
		return false
	}
	if len(at) == 0 {
		return t.kind != fhir.Object && t.str() == want
	}
	return leadsTo(t.get(at[0]), at[1:], want) || leadsTo(t.get("coding"), at, want)
}
