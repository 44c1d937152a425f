// Package fhirschema knows the structure of FHIR R4: which elements a type
// has, in which order, how often, of which types. It checks resources against
// that structure (Validate) and against the profiles of the French health
// directory (ValidateProfile), and answers questions about it.
//
// The fixtures' linter and the contract need the checks, the contract's
// baselines the declared types, and package fhirxml the order of elements.
//
// The table is generated from HL7's definitions by gen. It covers the five
// resources of the directory, Person, Location, Bundle, OperationOutcome,
// CapabilityStatement, TestReport and every data type they lead to.
package fhirschema

import (
	"slices"
	"strings"

	"github.com/mockfhir/mockfhir/internal/fhir"
)

// Type is a primitive type, a data type, the type of a backbone element (its
// name is its path: "Bundle.entry") or a resource.
type Type struct {
	Name      string
	Primitive bool
	Resource  bool   // a resource, Resource and DomainResource included
	Abstract  bool   // Resource or DomainResource
	Regex     string // lexical form of a primitive's values, "" when HL7 gives none
	Fields    []Field

	base    string
	members map[string]Member
}

// Field is an element of a type.
type Field struct {
	Name    string   // "birthDate"; a choice keeps its mark: "value[x]"
	Types   []string // names of types, several for a choice
	Targets []string // resource types a Reference may name, nil for any
	Codes   []string // the only codes allowed, nil when any are
	Min     int      // 0 or 1
	Array   bool     // max is *
	Attr    bool     // an attribute in XML: Element.id and Extension.url
	Summary bool     // part of _summary=true
}

// Choice reports whether the JSON name of the element ends in its type.
func (f *Field) Choice() bool { return strings.HasSuffix(f.Name, choiceMark) }

const choiceMark = "[x]"

// Member says what a member of a JSON object is.
type Member struct {
	Index   int   // of the field in Type.Fields
	Type    *Type // the type of its value, or of each item
	Sibling bool  // `_name`: id and extensions of a primitive value
}

// TypeOf returns the type of that name ("HumanName", "Bundle.entry",
// "string"), nil when the table has none.
func TypeOf(name string) *Type { return table().types[name] }

// Fields returns the elements of a type in the order of its definition, nil
// when the table has no such type. The caller must not change them.
func Fields(name string) []Field {
	if t := TypeOf(name); t != nil {
		return t.Fields
	}
	return nil
}

// PrimitiveRegex returns the lexical form of a primitive type as HL7 writes
// it (to be matched against the whole value), "" when there is none.
func PrimitiveRegex(name string) string {
	if t := TypeOf(name); t != nil {
		return t.Regex
	}
	return ""
}

// ResourceTypes returns the names of the resources the table covers, sorted.
func ResourceTypes() []string { return slices.Clone(table().resources) }

// KnownResource reports whether R4 has a resource of that name, be it in the
// table or not.
func KnownResource(name string) bool { return table().known[name] }

// Member returns what the member of that name is in an object of the type.
func (t *Type) Member(name string) (Member, bool) {
	m, ok := t.members[name]
	return m, ok
}

// Kind returns how JSON writes a value of the type.
func (t *Type) Kind() fhir.Kind {
	switch {
	case !t.Primitive:
		return fhir.Object
	case t.Name == "boolean":
		return fhir.Bool
	case t.Name == "decimal", integers[t.Name]:
		return fhir.Number
	}
	return fhir.String
}

var integers = map[string]bool{"integer": true, "unsignedInt": true, "positiveInt": true}

// Declaration is what the definitions say of an element.
type Declaration struct {
	Field *Field
	Type  *Type // of the value, or of each item of the array
}

// Kind is the JSON type of a single value: that of an item for an array.
func (d Declaration) Kind() fhir.Kind { return d.Type.Kind() }

// Declared returns what R4 says of the element at a path of JSON names
// without indexes, "Practitioner.meta.versionId" or
// "Bundle.entry.resource" (what a resource holds starts a path of its own).
func Declared(path string) (Declaration, bool) {
	name, rest, _ := strings.Cut(path, ".")
	t := TypeOf(name)
	var d Declaration
	for rest != "" && t != nil {
		name, rest, _ = strings.Cut(rest, ".")
		m, ok := t.members[name]
		if !ok || m.Sibling {
			return Declaration{}, false
		}
		d = Declaration{Field: &t.Fields[m.Index], Type: m.Type}
		t = m.Type
		if t.Primitive { // what follows are the members of its sibling
			t = TypeOf("Element")
		}
	}
	return d, d.Field != nil
}
