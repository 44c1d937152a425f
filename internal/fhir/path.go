package fhir

import (
	"fmt"
	"strings"
)

// Path is a compiled location in a resource: the part of FHIRPath behind the
// directory's search parameters (libraries.md B6). It is dotted member names,
// `where(member='text')` filters, and `value` for whichever value[x] is there:
//
//	identifier.type.coding.code
//	extension.where(url='https://…').extension.where(url='number').value
//
// Arrays are walked through: every item counts.
type Path []step

type step struct {
	member string
	choice bool   // value: any member value[x]
	filter string // where(filter='equals')
	equals string
}

// ParsePath compiles a path. The resource type is not part of it.
func ParsePath(text string) (Path, error) {
	var path Path
	rest := text
	for rest != "" {
		if where, found := strings.CutPrefix(rest, "where("); found {
			member, after, ok := strings.Cut(where, "='")
			equals, after, ok2 := strings.Cut(after, "')")
			if !ok || !ok2 || !isName(member) {
				return nil, fmt.Errorf("path %q: a filter is written where(member='text')", text)
			}
			path = append(path, step{filter: member, equals: equals})
			rest = after
		} else {
			end := strings.IndexByte(rest, '.')
			if end < 0 {
				end = len(rest)
			}
			if !isName(rest[:end]) {
				return nil, fmt.Errorf("path %q: %q is no member name", text, rest[:end])
			}
			path = append(path, step{member: rest[:end], choice: rest[:end] == "value"})
			rest = rest[end:]
		}
		if rest == "" {
			return path, nil
		}
		var dotted bool
		if rest, dotted = strings.CutPrefix(rest, "."); !dotted || rest == "" {
			return nil, fmt.Errorf("path %q: expected '.' and a member name before %q", text, rest)
		}
	}
	return nil, fmt.Errorf("empty path")
}

func isName(s string) bool {
	for _, c := range []byte(s) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-') {
			return false
		}
	}
	return s != ""
}

// Each calls f with every value the path leads to, in document order.
func (p Path) Each(n *Node, f func(*Node)) {
	if len(p) == 0 {
		n.Each(f)
		return
	}
	s := &p[0]
	n.Each(func(n *Node) {
		if s.filter != "" {
			if n.Get(s.filter).Str() == s.equals {
				p[1:].Each(n, f)
			}
			return
		}
		for i := range n.Members() {
			m := &n.kids[i]
			if m.Name == s.member || s.choice && isChoice(m.Name) {
				p[1:].Each(&m.Value, f)
			}
		}
	})
}

// isChoice reports whether a member is some value[x]: valueString, valueCode….
func isChoice(name string) bool {
	return len(name) > 5 && name[:5] == "value" && 'A' <= name[5] && name[5] <= 'Z'
}
