package contract

import (
	"cmp"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/mockfhir/mockfhir/internal/fhir"
)

// element counts what is at one place of a resource type.
type element struct {
	learner *learner
	name    string // without the slice
	objects int    // values that are objects
	with    int    // objects around it that have it
	kinds   map[string]int
	forms   map[string]int
	values  map[string]int
	kids    map[string]*element
	met     bool // in the object at hand
}

func (l *learner) newElement(name string) *element {
	return &element{learner: l, name: name, kids: map[string]*element{}}
}

// Bounds on what a peer can make a baseline hold.
const (
	maxKids   = 150
	maxValues = 500
	maxDepth  = 12
)

// child returns the place of a member, marked as met in the object at hand.
func (e *element) child(name, slice string) *element {
	at := safeName(name) + slice
	if e.kids[at] == nil && len(e.kids) >= maxKids {
		at = "…"
	}
	k := e.kids[at]
	if k == nil {
		k = e.learner.newElement(strings.Clone(name)) // see safe
		e.kids[strings.Clone(at)] = k
	}
	k.met = true
	return k
}

// object counts the members of an object but one.
func (e *element) object(n *fhir.Node, without string) { e.objectAt(n, without, 0) }

func (e *element) objectAt(n *fhir.Node, without string, depth int) {
	e.objects++
	if depth > maxDepth {
		return
	}
	for i := range n.Members() {
		m := &n.Members()[i]
		switch {
		case m.Name == without:
		case m.Value.Kind() == fhir.Array && m.Value.Len() > 0:
			for j := range m.Value.Items() {
				item := m.Value.Item(j)
				e.child(m.Name, e.learner.slice(m.Name, item)).take(item, e.name, true, depth)
			}
		default:
			e.child(m.Name, "").take(&m.Value, e.name, false, depth)
		}
	}
	for _, k := range e.kids {
		if k.met {
			k.with++
			k.met = false
		}
	}
}

// take counts one value; in is the name of the element around it.
func (e *element) take(n *fhir.Node, in string, listed bool, depth int) {
	kind := n.Kind().String()
	if listed && n.Kind() == fhir.Null {
		kind = "null item" // has its say in _name: incidents.md D24
	}
	add(&e.kinds, kind)
	switch n.Kind() {
	case fhir.Object:
		e.objectAt(n, "", depth+1)
	case fhir.String, fhir.Number:
		text := n.Text()
		if !closed(in, e.name) {
			if n.Kind() == fhir.String { // a number that grows is no other number
				add(&e.forms, e.learner.form(text))
			}
			return
		}
		value, version, _ := strings.Cut(text, "|")
		if version != "" {
			add(&e.forms, versioned)
		}
		if value = e.learner.safe(value); e.values[value] > 0 || len(e.values) < maxValues {
			add(&e.values, value)
		}
	}
}

// versioned is the form of a canonical address with a version: https://…|1.2.0.
const versioned = "with a version"

func add(counts *map[string]int, name string) {
	if *counts == nil {
		*counts = map[string]int{}
	}
	(*counts)[name]++
}

// slice names the kind of a list item, as profiles do: an identifier by its
// type, an extension by its URL, a coding by its system.
func (l *learner) slice(name string, item *fhir.Node) string {
	var by string
	switch name {
	case "identifier":
		by = cmp.Or(item.Path("type", "coding", "code").Str(), lastPart(item.Get("system").Str()))
	case "extension":
		by = lastPart(item.Get("url").Str())
	case "coding":
		by = lastPart(item.Get("system").Str())
	case "telecom":
		by = item.Get("system").Str()
	case "link":
		by = item.Get("relation").Str()
	}
	if by == "" {
		return ""
	}
	return "[" + l.safe(by) + "]"
}

// inSlice is the slice in the name of an element.
var inSlice = regexp.MustCompile(`\[[^]]*\]`)

func lastPart(u string) string { return u[strings.LastIndexAny(u, "/")+1:] }

// closed reports elements whose values are codes or canonical addresses: they
// say nothing about a person, and their set is part of the contract.
func closed(in, name string) bool {
	switch name {
	case "system", "use", "status", "resourceType", "language", "valueCode":
		return true
	case "code":
		return in == "coding" || in == "valueCoding" || in == "tag" || in == "security"
	case "url":
		return in == "extension" || in == "modifierExtension"
	case "profile", "source":
		return in == "meta"
	case "relation":
		return in == "link"
	case "mode":
		return in == "search"
	case "type":
		return in == "Bundle"
	}
	return false
}

// textForms are tried in order on texts that have one of the marks.
var textForms = []struct {
	name, marks string
	re          *regexp.Regexp
}{
	{"instant", "T", regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`)},
	{"instant without zone", "T", regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?$`)},
	{"https address", ":", regexp.MustCompile(`^https://`)},
	{"http address", ":", regexp.MustCompile(`^http://`)},
	{"address of another kind", ":", regexp.MustCompile(`^[a-z][a-z0-9+.-]*:[^ ]+$`)},
	{"path", "/", regexp.MustCompile(`^/`)},
	{"reference", "/", regexp.MustCompile(`^[A-Z][A-Za-z]+/[A-Za-z0-9.-]+$`)},
	{"mailbox", "@", regexp.MustCompile(`^[^@ ]+@[^@ ]+$`)},
	{"date", "-", regexp.MustCompile(`^\d{4}-\d\d-\d\d$`)},
	{"month", "-", regexp.MustCompile(`^\d{4}-\d\d$`)},
	{"UUID", "-", regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)},
	{"broken characters", "\u00c2\u00c3\u00e2\u00c5\ufffd&", mojibake},
	{"escaped text", "%\\", regexp.MustCompile(`%[0-9A-F]{2}|\\u[0-9a-f]{4}`)},
	{"markup", "<", regexp.MustCompile(`</?[a-z]+[ />]`)},
	{"padded text", " \t\n\r", regexp.MustCompile(`^\s|\s$`)},
	{"number and text", " ", regexp.MustCompile(`^\d{5} `)},
}

// form is form, but for addresses of the service itself: they follow the
// client, whose base may be another one tomorrow.
func (l *learner) form(text string) string {
	if base := l.target.URL; base != "" && strings.HasPrefix(text, base+"/") {
		return "address below the base"
	}
	return form(text)
}

// maxKnown bounds what is remembered to save time.
const maxKnown = 4096

// safe is safe, remembered: the same few codes come thousands of times.
func (l *learner) safe(text string) string {
	s, known := l.safes[text]
	if !known {
		if s = safe(text); len(l.safes) < maxKnown {
			l.safes[text] = s
		}
	}
	return s
}

// lettered are numbers of a register with one letter: those of Corsica in FINESS,
// and most pseudonyms of a recording.
var lettered = regexp.MustCompile(`^[0-9]{0,3}[A-Z][0-9]{7,16}$`)

const withLetter = " digits with a letter"

// form is the lexical form of a text: what clients parse by, and nothing of
// what it says.
func form(text string) string {
	if lettered.MatchString(text) {
		return strconv.Itoa(len(text)) + withLetter
	}
	if digits.MatchString(text) {
		switch n := len(text); {
		case n <= 3:
			return "small number"
		case n <= 20 && text[0] == '0':
			return strconv.Itoa(n) + " digits from 0"
		case n <= 20:
			return strconv.Itoa(n) + " digits"
		}
	}
	for _, f := range textForms {
		if strings.ContainsAny(text, f.marks) && f.re.MatchString(text) {
			return f.name
		}
	}
	switch upper, lower, accents := letters(text); {
	case text == "":
		return "empty"
	case upper && !lower && accents:
		return "capitals with accents"
	case upper && !lower:
		return "capitals"
	case lower && !upper:
		return "small letters"
	case accents:
		return "text with accents"
	}
	return "text"
}

// letters tells what a text is written in. Names in other letters, or without
// their accents, match nothing in the client's own files.
func letters(text string) (upper, lower, accents bool) {
	for _, r := range text {
		upper = upper || unicode.IsUpper(r)
		lower = lower || unicode.IsLower(r)
		accents = accents || r >= 0x80 && unicode.IsLetter(r)
	}
	return upper, lower, accents
}

// owned copies a count with its keys, which are pieces of the bodies they were
// read from: a baseline outlives those.
func owned(counts map[string]int) map[string]int {
	if counts == nil {
		return nil
	}
	own := make(map[string]int, len(counts))
	for k, n := range counts {
		own[strings.Clone(k)] = n
	}
	return own
}

// export writes the elements below e under their paths.
func (e *element) export(to map[string]*Element, path string) {
	for name, k := range e.kids {
		at := path + "." + name
		to[at] = &Element{
			Of: e.objects, With: k.with,
			Kinds: maps.Clone(k.kinds), Forms: maps.Clone(k.forms), Values: owned(k.values),
		}
		k.export(to, at)
	}
}

var elementName = regexp.MustCompile(`^_?[a-z][A-Za-z]{0,40}$`)

// safeName keeps names of elements, and nothing else that may stand there.
func safeName(name string) string {
	if elementName.MatchString(name) {
		return name
	}
	return "…"
}
