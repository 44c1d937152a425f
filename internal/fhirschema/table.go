package fhirschema

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

//go:generate go run ./gen -shared ../../../shared -out r4.txt

// r4 is the table, one definition a line:
//
//	codes NAME CODE…                 a value set that a required binding names
//	primitive NAME REGEX
//	type NAME : BASE                 a data type or a backbone element
//	resource NAME : BASE
//	abstract NAME : BASE
//	⇥NAME MIN..MAX TYPE|TYPE ->TARGET,TARGET =CODES Σ
//
// Indented lines are the elements of the type above, after those of its base.
// A leading @ marks an attribute in XML, Σ an element of summaries.
//
//go:embed r4.txt
var r4 string

type schema struct {
	types     map[string]*Type
	resources []string        // concrete ones, sorted
	known     map[string]bool // all resources of R4
}

// table reads the embedded text when it is first needed: a server that only
// serves never does.
var table = sync.OnceValue(func() *schema {
	s := &schema{types: map[string]*Type{}, known: map[string]bool{}}
	codes := map[string][]string{}
	var last *Type
	for line := range strings.Lines(r4) {
		line = strings.TrimSuffix(line, "\n")
		word, rest, _ := strings.Cut(line, " ")
		name, rest, _ := strings.Cut(rest, " ")
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "\t"):
			last.Fields = append(last.Fields, parseField(line, codes))
		case word == "codes":
			codes[name] = strings.Fields(rest)
		default:
			last = &Type{
				Name:      name,
				Primitive: word == "primitive",
				Resource:  word == "resource" || word == "abstract",
				Abstract:  word == "abstract",
			}
			if last.Primitive {
				last.Regex = rest
			} else {
				last.base = strings.TrimPrefix(rest, ": ")
			}
			s.types[name] = last
		}
	}
	for _, code := range codes["resource-types"] {
		s.known[code] = true
	}
	for _, name := range slices.Sorted(maps.Keys(s.types)) {
		t := s.types[name]
		s.inherit(t)
		s.link(t)
		if t.Resource && !t.Abstract {
			s.resources = append(s.resources, name)
		}
	}
	return s
})

func parseField(line string, codes map[string][]string) Field {
	words := strings.Fields(line)
	name, attr := strings.CutPrefix(words[0], "@")
	f := Field{
		Name:  name,
		Attr:  attr,
		Types: strings.Split(words[2], "|"),
		Array: strings.HasSuffix(words[1], "*"),
	}
	if words[1][0] == '1' {
		f.Min = 1
	}
	for _, word := range words[3:] {
		switch {
		case strings.HasPrefix(word, "->"):
			f.Targets = strings.Split(word[2:], ",")
		case strings.HasPrefix(word, "="):
			f.Codes = codes[word[1:]]
		case word == "Σ":
			f.Summary = true
		}
	}
	return f
}

// inherit puts the fields of the base types before the type's own.
func (s *schema) inherit(t *Type) {
	if t.base == "" {
		return
	}
	base := s.types[t.base]
	s.inherit(base)
	t.Fields = append(slices.Clip(base.Fields), t.Fields...)
	t.base = ""
}

// link indexes the fields by the names their values have in JSON.
func (s *schema) link(t *Type) {
	t.members = map[string]Member{}
	for i := range t.Fields {
		f := &t.Fields[i]
		name, choice := strings.CutSuffix(f.Name, choiceMark)
		for _, typeName := range f.Types {
			to := s.types[typeName]
			if to == nil {
				panic(fmt.Sprintf("r4.txt: %s.%s is of the unknown type %s; run go generate", t.Name, f.Name, typeName))
			}
			member := name
			if choice {
				member += strings.ToUpper(typeName[:1]) + typeName[1:]
			}
			t.members[member] = Member{Index: i, Type: to}
			// An attribute of XML and XHTML have no room for extensions.
			if to.Primitive && !f.Attr && typeName != "xhtml" {
				t.members["_"+member] = Member{Index: i, Type: to, Sibling: true}
			}
		}
	}
}
