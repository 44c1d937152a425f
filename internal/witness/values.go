package witness

import (
	"strings"

	"github.com/mockfhir/mockfhir/fixtures"
)

// value is one indexed value. Strings, references and URIs use text; tokens
// use system and text, and only text when bare (ans-server.md §2.5: `code`
// elements and plain strings have no system at all).
type value struct {
	system, text string
	bare         bool
}

// systemOfBooleans is the system under which true and false are indexed.
const systemOfBooleans = "http://hl7.org/fhir/ValueSet/special-values"

// valuesOf is what a parameter finds in a resource.
func valuesOf(body map[string]any, p fixtures.Param) (found []value) {
	for _, path := range p.Paths {
		walk(body, splitPath(path), func(v any) { found = append(found, index(v, p.Kind)...) })
	}
	if found == nil && p.Default != "" {
		return index(p.Default == "true", p.Kind) // a flag without a value reads as false (§2.5)
	}
	return found
}

// index turns one JSON value into what the server stores for a parameter of
// that kind; null and what does not fit the kind are nothing.
func index(v any, kind fixtures.Kind) (found []value) {
	switch v := v.(type) {
	case string:
		return []value{{text: v, bare: true}}
	case bool:
		if kind == fixtures.Token && v {
			return []value{{system: systemOfBooleans, text: "true"}}
		}
		if kind == fixtures.Token {
			return []value{{system: systemOfBooleans, text: "false"}}
		}
	case map[string]any:
		switch kind {
		case fixtures.Reference:
			// Only `Type/id` is kept (§2.7).
			text, _ := v["reference"].(string)
			if typ, id, ok := strings.Cut(text, "/"); ok && typ != "" && id != "" && !strings.Contains(id, "/") {
				return []value{{text: text}}
			}
		case fixtures.Token:
			if codings, ok := v["coding"].([]any); ok {
				for _, c := range codings {
					found = append(found, index(c, kind)...)
				}
				return found
			}
			for _, member := range []string{"code", "value"} {
				if text, ok := v[member].(string); ok {
					system, ok := v["system"].(string)
					if !ok {
						system = "null" // the string, §2.5
					}
					return []value{{system: system, text: text}}
				}
			}
		}
	}
	return found
}

// splitPath cuts a dotted path, leaving the dots of where('…') alone.
func splitPath(path string) (steps []string) {
	quoted, start := false, 0
	for i, c := range path {
		switch {
		case c == '\'':
			quoted = !quoted
		case c == '.' && !quoted:
			steps = append(steps, path[start:i])
			start = i + 1
		}
	}
	return append(steps, path[start:])
}

// walk calls f with every value at the path, through arrays.
func walk(v any, steps []string, f func(any)) {
	if items, ok := v.([]any); ok {
		for _, item := range items {
			walk(item, steps, f)
		}
		return
	}
	if len(steps) == 0 {
		f(v)
		return
	}
	object, ok := v.(map[string]any)
	if !ok {
		return
	}
	if where, ok := strings.CutPrefix(steps[0], "where("); ok {
		member, text, _ := strings.Cut(strings.TrimSuffix(where, "')"), "='")
		if object[member] == text {
			walk(object, steps[1:], f)
		}
		return
	}
	for name, item := range object {
		if name == steps[0] || steps[0] == "value" && isChoice(name) {
			walk(item, steps[1:], f)
		}
	}
}

// isChoice tells valueCode, valueString… from value.
func isChoice(name string) bool {
	rest, ok := strings.CutPrefix(name, "value")
	return ok && rest != "" && 'A' <= rest[0] && rest[0] <= 'Z'
}
