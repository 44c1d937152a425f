package fhirschema

import (
	_ "embed"
	"slices"
	"strings"
	"sync"

	"github.com/mockfhir/mockfhir/internal/fhir"
)

// A constraint is a line of the table dp.txt: what the profile says of an
// element or, when it has conditions, of the items of the element above that
// meet them (a slice). A line reads
//
//	ID MIN..MAX WORD…
//
// where ID is the id the guide gives to the element, without the name of the
// type, and a WORD one of
//
//	PATH=A|B     a condition: the value at PATH is one of those ($this: the item)
//	=A|B         the only values allowed
//	coding=S#C   a coding that must be among those of the value
//	value=TYPE   type of the value of an extension
//	closed       an item must be in a slice
//	known        the guide lets others be; none is described
//	active       MIN does not hold for inactive resources
//	live         not in the guide; the live service has it
//
// Lines without words for an extension of ANS take those of its block, which
// says how it is made. A URL may begin with an alias.
type constraint struct {
	name, sibling  string // name of the element in JSON, or of the slice
	min, max       int    // max is many for *
	conditions     []condition
	values         []string
	system, code   string // of a required coding
	valueMember    string // "valueString"
	closed, known  bool
	onlyWhenActive bool // min
	elements       []*constraint
	slices         []*constraint
}

const many = -1

// condition decides whether an item belongs to a slice.
type condition struct {
	path   []string // of members; none for the item itself, a canonical
	values []string
}

//go:embed dp.txt
var dp string

type profileTable struct {
	aliases    map[string]string      // name → URL with a star
	extensions map[string][]string    // lines of each block by the extension's URL
	profiles   map[string]*constraint // by canonical URL
	byType     map[string][]string    // canonical URLs
}

const ansBase = "https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/"

var profiles = sync.OnceValue(func() *profileTable {
	t := &profileTable{map[string]string{}, map[string][]string{}, map[string]*constraint{}, map[string][]string{}}
	var profile *constraint // the block being read, nil for that of an extension
	var url string
	for line := range strings.Lines(dp) {
		line = strings.TrimSpace(line)
		keyword, rest, _ := strings.Cut(line, " ")
		name, rest, _ := strings.Cut(rest, " ")
		switch {
		case line == "" || line[0] == '#':
		case keyword == "alias":
			t.aliases[name] = rest
		case keyword == "extension":
			profile, url = nil, ansBase+name
			t.extensions[url] = nil
			if rest != "" {
				t.extensions[url] = []string{rest}
			}
		case keyword == "profile":
			profile, url = &constraint{max: many}, ansBase+name
			t.profiles[url] = profile
			t.byType[rest] = append(t.byType[rest], url)
		case profile == nil:
			t.extensions[url] = append(t.extensions[url], line)
		default:
			t.add(profile, line)
		}
	}
	return t
})

// add reads a line of the table into the tree of constraints.
func (t *profileTable) add(root *constraint, line string) {
	words := strings.Fields(line)
	c, isNew := root.at(words[0])
	low, high, _ := strings.Cut(words[1], "..")
	c.min, c.max = int(low[0]-'0'), many
	if high != "*" {
		c.max = int(high[0] - '0')
	}
	t.words(c, words[2:])
	path := words[0][strings.LastIndexByte(words[0], '.')+1:]
	slice, isExtension := strings.CutPrefix(path, "extension:")
	if !isNew || !isExtension {
		return
	}
	if c.conditions == nil { // a part of a complex extension, named by its relative URL
		c.conditions = []condition{{path: []string{"url"}, values: []string{slice}}}
	}
	for _, line := range t.extensions[c.conditions[0].values[0]] {
		if strings.Contains(line, "..") {
			t.add(c, line)
		} else {
			t.words(c, strings.Fields(line))
		}
	}
}

// at returns the constraint at an id, with those that lead to it.
func (c *constraint) at(id string) (found *constraint, isNew bool) {
	for part := range strings.SplitSeq(id, ".") {
		name, slice, sliced := strings.Cut(part, ":")
		c, isNew = child(&c.elements, name)
		if sliced {
			c, isNew = child(&c.slices, slice)
		}
	}
	return c, isNew
}

func child(list *[]*constraint, name string) (found *constraint, isNew bool) {
	for _, c := range *list {
		if c.name == name {
			return c, false
		}
	}
	c := &constraint{name: name, sibling: "_" + name, max: many}
	*list = append(*list, c)
	return c, true
}

func (t *profileTable) words(c *constraint, words []string) {
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "":
			c.values = t.expand(value)
		case "coding":
			system, code, _ := strings.Cut(value, "#")
			c.system, c.code = t.expand(system)[0], code
		case "value":
			c.valueMember = "value" + strings.ToUpper(value[:1]) + value[1:]
		case "closed":
			c.closed = true
		case "known":
			c.known = true
		case "active":
			c.onlyWhenActive = true
		case "live": // for the test
		case "$this":
			c.conditions = append(c.conditions, condition{values: t.expand(value)})
		default:
			c.conditions = append(c.conditions, condition{strings.Split(key, "."), t.expand(value)})
		}
	}
}

func (t *profileTable) expand(value string) []string {
	values := strings.Split(value, "|")
	for i, v := range values {
		if alias, rest, ok := strings.Cut(v, ":"); ok && t.aliases[alias] != "" {
			values[i] = strings.ReplaceAll(t.aliases[alias], "*", rest)
		}
	}
	return values
}

// holds reports whether an item belongs to the slice.
func (c *constraint) holds(item *fhir.Node) bool {
	for _, cond := range c.conditions {
		if !cond.holds(item) {
			return false
		}
	}
	return true
}

func (c condition) holds(n *fhir.Node) bool {
	if n.Kind() == fhir.Array {
		for i := range n.Items() {
			if c.holds(n.Item(i)) {
				return true
			}
		}
		return false
	}
	if len(c.path) > 0 {
		return condition{c.path[1:], c.values}.holds(n.Get(c.path[0]))
	}
	text, _, _ := strings.Cut(n.Text(), "|") // a canonical may name a version
	return slices.Contains(c.values, text)
}

// coded reports whether a Coding, or one of a CodeableConcept, is the
// required one.
func (c *constraint) coded(n *fhir.Node) bool {
	if list := n.Get("coding"); list != nil {
		for i := range list.Items() {
			if c.coded(list.Item(i)) {
				return true
			}
		}
		return false
	}
	return n.Get("system").Str() == c.system && n.Get("code").Str() == c.code
}

func (c *constraint) isComplexExtension() bool {
	return len(c.conditions) > 0 && c.conditions[0].path != nil && c.conditions[0].path[0] == "url" &&
		len(c.elements) > 0 && c.elements[0].name == "extension"
}
