package fhirschema

import (
	"slices"
	"strings"
	"sync"

	"github.com/mockfhir/mockfhir/internal/fhir"
)

// The rules of structure, from the R4 pages "JSON", "Data types",
// "References" and "Extensibility".
const (
	RuleResourceType Rule = "resource-type"   // resourceType is missing or not in the table
	RuleUnknown      Rule = "unknown-element" // the type has no such element
	RuleKind         Rule = "json-kind"       // wrong JSON type: a number for a string
	RuleArray        Rule = "array"           // an array for a single element, or the reverse
	RuleRequired     Rule = "required"        // a required element is missing
	RuleChoice       Rule = "choice"          // a choice element has two values
	RuleEmpty        Rule = "empty"           // an empty object, array or string
	RuleNull         Rule = "null"            // null that stands for nothing
	RuleSibling      Rule = "sibling"         // `_name` where it has no meaning
	RuleDuplicate    Rule = "duplicate"       // a member name twice in an object
	RuleLexical      Rule = "lexical"         // a value its primitive type does not allow
	RuleCode         Rule = "code"            // a code outside a required value set
	RuleReference    Rule = "reference"       // a reference that is malformed, dangling (#id) or to the wrong type
	RuleExtension    Rule = "extension"       // not exactly one of value and extensions
	RuleContained    Rule = "contained"       // a contained resource against dom-2 to dom-5
)

// Validate checks a resource, those it holds included, against the structure
// of R4. Nil means that it is sound. It does not check invariants (except of
// extensions and contained resources), terminology beyond required codes, nor
// profiles: see ValidateProfile.
//
// The live service deviates in known ways, which are told all the same: see
// Issue.Deviation.
func Validate(n *fhir.Node) []Issue {
	v := validators.Get().(*validator)
	v.resource(n, "")
	issues := v.issues
	clear(v.slots[:cap(v.slots)]) // let go of the tree
	*v = validator{trail: trail{path: v.path[:0]}, slots: v.slots[:0]}
	validators.Put(v)
	return issues
}

// validators are kept for their buffers: a sound resource costs no allocation.
var validators = sync.Pool{New: func() any { return new(validator) }}

// validator walks one tree.
type validator struct {
	trail
	slots []slot // of the objects being checked, innermost last
	local localRefs
}

// slot holds the members found for one field.
type slot struct {
	name           string // JSON name without `_`
	typ            *Type
	value, sibling *fhir.Node
}

// resource checks a resource: the whole tree, or the value of the element in.
func (v *validator) resource(n *fhir.Node, in string) {
	name := n.Get("resourceType").Str()
	t := TypeOf(name)
	if in == "" {
		v.push("Resource")
		defer v.pop()
	}
	switch {
	case n.Kind() != fhir.Object:
		v.report(RuleKind, "expected an object, found %s", article(n.Kind()))
		return
	case name == "":
		v.report(RuleResourceType, "a resource needs a resourceType")
		return
	case t == nil || !t.Resource || t.Abstract:
		v.report(RuleResourceType, "resourceType is none of %s", strings.Join(table().resources, ", "))
		return
	}
	here := &v.path[len(v.path)-1]
	here.typ = name
	if in == "" {
		here.name = name
	}
	if in == "contained" { // it shares the ids of its container
		v.contained(n)
		v.object(n, t)
		return
	}
	outer := v.local
	v.local = newLocalRefs(n)
	v.object(n, t)
	v.unreferenced()
	v.local = outer
}

// object checks the members of an object of a type.
func (v *validator) object(n *fhir.Node, t *Type) {
	if n.Len() == 0 {
		v.report(RuleEmpty, "an object must have members")
		return
	}
	base := len(v.slots)
	v.slots = slices.Grow(v.slots, len(t.Fields))[:base+len(t.Fields)]
	slots := v.slots[base:]
	clear(slots)
	v.sort(n, t, slots)
	for i := range slots {
		f, s := &t.Fields[i], &slots[i]
		if s.typ == nil {
			if f.Min > 0 {
				v.reportAt(f.Name, RuleRequired, "%s needs this element", t.Name)
			}
			continue
		}
		v.push(s.name)
		if f.Array {
			v.array(f, s)
		} else {
			v.single(f, s.typ, s.value, s.sibling)
		}
		v.pop()
	}
	v.slots = v.slots[:base]
	if t.Name == "Extension" {
		v.extension(t, slots)
	}
}

// sort puts the members of an object into the slots of their fields.
func (v *validator) sort(n *fhir.Node, t *Type, slots []slot) {
	members := n.Members()
	typed := !t.Resource
	for i := range members {
		name, value := members[i].Name, &members[i].Value
		m, ok := t.members[name]
		if !ok {
			if name == "resourceType" && t.Resource {
				if typed {
					v.reportAt(name, RuleDuplicate, "the member is there twice")
				}
				typed = true
				continue
			}
			v.unknown(name, t)
			continue
		}
		s := &slots[m.Index]
		plain, place := name, &s.value
		if m.Sibling {
			plain, place = name[1:], &s.sibling
		}
		switch {
		case s.typ == nil:
			*s = slot{name: plain, typ: m.Type}
			*place = value
		case s.typ != m.Type:
			v.reportAt(t.Fields[m.Index].Name, RuleChoice, "only one value is allowed")
		case *place != nil:
			v.reportAt(plain, RuleDuplicate, "the member is there twice")
		default:
			*place = value
		}
	}
}

func (v *validator) unknown(name string, t *Type) {
	if m, ok := t.members[strings.TrimPrefix(name, "_")]; ok {
		v.reportAt(name[1:], RuleSibling, "a member with a leading _ belongs to primitive types, this is a %s", m.Type.Name)
		return
	}
	v.reportAt(printable(name), RuleUnknown, "%s has no such element", t.Name)
}

// printable hides a member name that does not look like one: it may be a
// value gone astray.
func printable(name string) string {
	ok := len(name) > 0 && len(name) <= 64
	for i := 0; ok && i < len(name); i++ {
		c := name[i]
		ok = 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || i > 0 && '0' <= c && c <= '9'
	}
	if !ok {
		return "?"
	}
	return name
}

// array checks a repeating element, and its siblings item by item.
func (v *validator) array(f *Field, s *slot) {
	for _, list := range [...]*fhir.Node{s.value, s.sibling} {
		switch {
		case list == nil:
		case list.Kind() != fhir.Array:
			v.report(RuleArray, "expected an array, found %s", article(list.Kind()))
			return
		case list.Len() == 0:
			v.report(RuleEmpty, "an array must have items")
			return
		}
	}
	if s.value != nil && s.sibling.Len() > s.value.Len() {
		v.report(RuleSibling, "the array with a leading _ has more items than the array of values")
	}
	here := &v.path[len(v.path)-1]
	for i := range max(s.value.Len(), s.sibling.Len()) {
		here.index = i
		value, sibling := s.value.Item(i), s.sibling.Item(i)
		if s.typ.Primitive {
			// null holds the place of a value that has only extensions, or of
			// extensions a value does not have.
			value, sibling = notNull(value), notNull(sibling)
			if value == nil && sibling == nil {
				v.report(RuleNull, "null stands for nothing here")
				continue
			}
		}
		v.single(f, s.typ, value, sibling)
		here = &v.path[len(v.path)-1] // the walk may have moved the path
	}
	here.index = -1
}

func notNull(n *fhir.Node) *fhir.Node {
	if n.Kind() == fhir.Null {
		return nil
	}
	return n
}

// single checks one value, its sibling or both.
func (v *validator) single(f *Field, t *Type, value, sibling *fhir.Node) {
	if sibling != nil && v.kind(sibling, fhir.Object) {
		v.object(sibling, TypeOf("Element"))
		if value == nil {
			v.notOnlyID(sibling)
		}
	}
	if value == nil || !v.kind(value, t.Kind()) {
		return
	}
	switch {
	case t.Primitive:
		v.primitive(f, t, value)
	case t.Name == "Resource":
		v.resource(value, f.Name)
	case t.Name == "Reference":
		v.object(value, t)
		v.notOnlyID(value)
		v.reference(f, value)
	default:
		v.object(value, t)
		v.notOnlyID(value)
	}
}

// notOnlyID checks ele-1: an element has a value or children.
func (v *validator) notOnlyID(n *fhir.Node) {
	if n.Len() == 1 && n.Members()[0].Name == "id" {
		v.report(RuleEmpty, "an id alone is no content")
	}
}

// kind reports whether a value has the JSON type its element wants.
func (v *validator) kind(n *fhir.Node, want fhir.Kind) bool {
	switch n.Kind() {
	case want:
		return true
	case fhir.Null:
		v.report(RuleNull, "null is no value; leave the element out")
	case fhir.Array:
		v.report(RuleArray, "expected %s, found an array", article(want))
	default:
		v.report(RuleKind, "expected %s, found %s", article(want), article(n.Kind()))
	}
	return false
}

func article(k fhir.Kind) string {
	switch k {
	case fhir.Array, fhir.Object:
		return "an " + k.String()
	case fhir.Null, fhir.Missing:
		return k.String()
	}
	return "a " + k.String()
}

func (v *validator) primitive(f *Field, t *Type, n *fhir.Node) {
	text := n.Text()
	switch {
	case text == "":
		v.report(RuleEmpty, "a string must not be empty")
	case !lexical(t, text):
		v.report(RuleLexical, "not a valid %s", t.Name)
	case f.Codes != nil && !slices.Contains(f.Codes, text):
		v.report(RuleCode, "the code is none of those this element allows")
	case text[0] == '#' && (t.Name == "uri" || t.Name == "url" || t.Name == "canonical"):
		v.local.use(text[1:])
	}
}

// extension checks ext-1: a value or extensions, not both.
func (v *validator) extension(t *Type, slots []slot) {
	value := slots[t.members["valueString"].Index].typ != nil
	nested := slots[t.members["extension"].Index].typ != nil
	if value == nested {
		v.report(RuleExtension, "an extension has either a value or extensions, exactly one of them")
	}
}
