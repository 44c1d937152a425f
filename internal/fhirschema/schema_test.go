package fhirschema

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mockfhir/mockfhir/internal/fhir"
)

func TestFieldsKeepTheOrderOfTheDefinition(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Device":       "id meta implicitRules language text contained extension modifierExtension identifier definition udiCarrier status",
		"Bundle.entry": "id extension modifierExtension link fullUrl resource search request response",
		"Extension":    "id extension url value[x]",
		"Age":          "id extension value comparator unit system code",
		"NoSuchType":   "",
	} {
		var names []string
		for _, f := range Fields(name) {
			names = append(names, f.Name)
		}
		got := strings.Join(names, " ")
		if want == "" && got != "" || !strings.HasPrefix(got+" ", want+" ") {
			t.Errorf("%s: %s, want %s…", name, got, want)
		}
	}
}

func TestFieldSaysWhatTheDefinitionSays(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]Field{
		"Practitioner.qualification.code": {Name: "code", Types: []string{"CodeableConcept"}, Min: 1},
		"Practitioner.identifier":         {Name: "identifier", Types: []string{"Identifier"}, Array: true, Summary: true},
		"Practitioner.id":                 {Name: "id", Types: []string{"id"}, Summary: true},
		"Extension.url":                   {Name: "url", Types: []string{"uri"}, Min: 1, Attr: true},
		"Bundle.link.relation":            {Name: "relation", Types: []string{"string"}, Min: 1, Summary: true},
		"PractitionerRole.organization":   {Name: "organization", Types: []string{"Reference"}, Targets: []string{"Organization"}, Summary: true},
		"Address.type":                    {Name: "type", Types: []string{"code"}, Codes: []string{"postal", "physical", "both"}, Summary: true},
	} {
		got, ok := Declared(path)
		if !ok {
			t.Errorf("%s is not declared", path)
			continue
		}
		if diff := cmp.Diff(want, *got.Field); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

func TestDeclaredKinds(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]fhir.Kind{
		"Practitioner.meta.versionId":               fhir.String,
		"Practitioner.active":                       fhir.Bool,
		"Practitioner.name.given":                   fhir.String,
		"Practitioner.birthDate.extension":          fhir.Object,
		"Practitioner.extension.valueInteger":       fhir.Number,
		"Bundle.total":                              fhir.Number,
		"Bundle.entry.search.score":                 fhir.Number,
		"HealthcareService.availableTime.allDay":    fhir.Bool,
		"Parameters.parameter.part.part.part.name":  fhir.String,
		"CapabilityStatement.rest.resource.profile": fhir.String,
	} {
		if d, ok := Declared(path); !ok || d.Kind() != want {
			t.Errorf("%s: %v %v, want %v", path, d, ok, want)
		}
	}
	for _, path := range []string{"", "Practitioner", "Practitioner.", "Practitioner.actif", "Practitioner._birthDate", "Practitioner.extension.value", "Nothing.at.all", "Practitioner.name..given"} {
		if d, ok := Declared(path); ok {
			t.Errorf("%q is declared: %v", path, d)
		}
	}
}

func TestResourceTypes(t *testing.T) {
	t.Parallel()
	want := []string{
		"Bundle", "CapabilityStatement", "Device", "HealthcareService", "Location", "OperationOutcome",
		"Organization", "Parameters", "Person", "Practitioner", "PractitionerRole", "TestReport",
	}
	if diff := cmp.Diff(want, ResourceTypes()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !KnownResource("Patient") || KnownResource("Structure") || KnownResource("") {
		t.Error("KnownResource is wrong about Patient, Structure or the empty name")
	}
}

// lexicalForms are the values that decide between near misses, by type.
var lexicalForms = map[string]struct{ good, bad []string }{
	"date":         {good: []string{"2026", "2026-12", "2024-02-29"}, bad: []string{"26", "2026-2", "2026-00", "2025-02-29", "2026-02-31", "2026-12-01T00:00:00Z", "0000", " 2026"}},
	"dateTime":     {good: []string{"2026", "2026-12-01", "2026-12-01T00:00:00Z", "2026-12-01T23:59:60.123456+14:00"}, bad: []string{"2026-12-01T00:00Z", "2026-12-01T00:00:00", "2026-12-01T24:00:00Z", "2026-12-01 00:00:00Z", "2026-02-30T00:00:00Z", "2026-12-01T00:00:00+0100"}},
	"instant":      {good: []string{"2026-12-01T00:00:00.003+01:00", "2026-12-01T00:00:00Z"}, bad: []string{"2026-12-01", "2026-12-01T00:00:00", "2026-11-31T00:00:00Z"}},
	"time":         {good: []string{"08:00:00", "08:00:00.5"}, bad: []string{"08:00", "24:00:00", "08:00:00Z"}},
	"id":           {good: []string{"a", "003-1-2", "A.b", strings.Repeat("a", 64)}, bad: []string{strings.Repeat("a", 65), "a b", "a_b", "é", "a/b"}},
	"code":         {good: []string{"a", "a b", "é-1"}, bad: []string{" a", "a ", "a  b", "a\nb\n"}},
	"uri":          {good: []string{"a", "urn:oid:1.2", "https://example.org/?q=é"}, bad: []string{"a b", "a\n"}},
	"url":          {good: []string{"https://example.org"}, bad: []string{"https://example.org/a b"}},
	"canonical":    {good: []string{"https://example.org|1.0", "#a"}, bad: []string{"a b"}},
	"oid":          {good: []string{"urn:oid:1.2.250"}, bad: []string{"1.2.250", "urn:oid:1.02", "urn:oid:3.1"}},
	"uuid":         {good: []string{"urn:uuid:c757873d-ec9a-4326-a141-556f43239520"}, bad: []string{"c757873d-ec9a-4326-a141-556f43239520", "urn:uuid:C757873D-ec9a-4326-a141-556f43239520"}},
	"integer":      {good: []string{"0", "-1", "2147483647", "-2147483648"}, bad: []string{"2147483648", "1.0", "1e2", "01"}},
	"unsignedInt":  {good: []string{"0", "12"}, bad: []string{"-1", "2147483648"}},
	"positiveInt":  {good: []string{"1"}, bad: []string{"0", "-1"}},
	"base64Binary": {good: []string{"AAAA", "AA==", "AAAA\nAAAA"}, bad: []string{"AAA", "A*AA", "é"}},
	"string":       {good: []string{"a", " a\t\r\n", "é😀"}, bad: []string{"a\x00", "\x1b[0m", "a\vb"}},
	"markdown":     {good: []string{"# a\n\nb"}, bad: []string{"\x07"}},
	"xhtml": {
		good: []string{`<div xmlns="http://www.w3.org/1999/xhtml">a</div>`, `<h:div xmlns:h="http://www.w3.org/1999/xhtml"><h:br/></h:div>`, " <div xmlns=\"http://www.w3.org/1999/xhtml\">&lt;&#233;</div><!-- c -->\n"},
		bad:  []string{"a", "<div>a</div>", `<p xmlns="http://www.w3.org/1999/xhtml">a</p>`, `<div xmlns="http://www.w3.org/1999/xhtml">a`, `<div xmlns="http://www.w3.org/1999/xhtml"/>b`, `<?xml version="1.0"?><div xmlns="http://www.w3.org/1999/xhtml"/>`, `<div xmlns="http://www.w3.org/1999/xhtml">&eacute;</div>`, `<div xmlns="http://www.w3.org/1999/xhtml"/><div xmlns="http://www.w3.org/1999/xhtml"/>`},
	},
}

func TestLexicalForms(t *testing.T) {
	t.Parallel()
	for name, forms := range lexicalForms {
		for _, text := range forms.good {
			if !lexical(TypeOf(name), text) {
				t.Errorf("%s: %q is refused", name, text)
			}
		}
		for _, text := range forms.bad {
			if lexical(TypeOf(name), text) {
				t.Errorf("%s: %q is accepted", name, text)
			}
		}
	}
	for name, typ := range table().types {
		if _, ok := lexicalForms[name]; typ.Primitive && !ok && name != "boolean" && name != "decimal" {
			t.Errorf("no values for %s", name)
		}
	}
}

// What lexical accepts, HL7's expression accepts. The reverse need not hold:
// the text of R4 forbids more than its expressions (days that do not exist,
// integers of 64 bits, control characters).
func TestLexicalFormsAreNoWiderThanHL7s(t *testing.T) {
	t.Parallel()
	var texts []string
	for _, forms := range lexicalForms {
		texts = append(texts, slices.Concat(forms.good, forms.bad)...)
	}
	for name := range lexicalForms {
		expr := PrimitiveRegex(name)
		if expr == "" {
			if name != "xhtml" {
				t.Errorf("no expression for %s", name)
			}
			continue
		}
		hl7 := regexp.MustCompile(`^(?:` + expr + `)$`)
		for _, text := range texts {
			if lexical(TypeOf(name), text) && !hl7.MatchString(text) {
				t.Errorf("%s: %q is accepted, HL7 refuses it", name, text)
			}
		}
	}
}
