package store

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/fhir"
)

// TestTerms holds the terms of each shape of a value against ans-server.md
// §2.4, §2.5 and §2.7. A term is its space and its text.
func TestTerms(t *testing.T) {
	t.Parallel()
	const special = "http://hl7.org/fhir/ValueSet/special-values"
	token := fixtures.Param{Kind: fixtures.Token, Paths: []string{"x"}}
	withDefault := fixtures.Param{Kind: fixtures.Token, Paths: []string{"x"}, Default: "false"}
	text := fixtures.Param{Kind: fixtures.String, Paths: []string{"x", "y.z"}}
	ref := fixtures.Param{Kind: fixtures.Reference, Paths: []string{"x"}}
	for _, c := range []struct {
		name     string
		param    fixtures.Param
		resource string
		want     string // terms, separated by spaces
	}{
		{"an Identifier", token, `{"x":{"system":"S","value":"1"}}`, "sS v1 pS|1"},
		{"an Identifier without system", token, `{"x":{"value":"1"}}`, "snull v1 pnull|1"},
		{"an Identifier whose system is null", token, `{"x":{"system":null,"value":"1"}}`, "snull v1 pnull|1"},
		{"an Identifier without value", token, `{"x":{"system":"S"}}`, "sS m"},
		{"an Identifier with a type", token, `{"x":{"type":{"coding":[{"code":"T"}]},"system":"S","value":"1"}}`, "sS v1 pS|1"},
		{"several Identifiers", token, `{"x":[{"system":"S","value":"1"},{"system":"T","value":"2"}]}`, "sS v1 pS|1 sT v2 pT|2"},
		{"a Coding", token, `{"x":{"system":"S","code":"C"}}`, "sS vC pS|C"},
		{"a Coding with a value beside it", token, `{"x":{"code":"C","value":"V"}}`, "snull vC pnull|C"},
		{"a Coding without system", token, `{"x":{"code":"C","display":"D"}}`, "snull vC pnull|C"},
		{"a CodeableConcept", token, `{"x":{"coding":[{"system":"S","code":"A"},{"system":"S","code":"B"}],"text":"T"}}`, "sS vA pS|A sS vB pS|B"},
		{"CodeableConcepts", token, `{"x":[{"coding":[{"system":"S","code":"A"}]},{"coding":[{"code":"B"}]}]}`, "sS vA pS|A snull vB pnull|B"},
		{"a coding without code", token, `{"x":{"coding":[{"system":"S"}]}}`, "sS m"},
		{"a CodeableConcept of text alone", token, `{"x":{"text":"T"}}`, "m"},
		{"an empty CodeableConcept", token, `{"x":{"coding":[]}}`, "m"},
		{"a code with a bar", token, `{"x":{"system":"S","code":"a|b"}}`, "sS va|b pS|a|b"},
		{"a code", token, `{"x":"C"}`, "vC"},
		{"codes", token, `{"x":["C","D"]}`, "vC vD"},
		{"a number", token, `{"x":12}`, "v12"},
		{"true", token, `{"x":true}`, "s" + special + " vtrue p" + special + "|true"},
		{"false", withDefault, `{"x":false}`, "s" + special + " vfalse p" + special + "|false"},
		{"absent", token, `{"a":1}`, "m"},
		{"absent, with a default", withDefault, `{"a":1}`, "s" + special + " vfalse p" + special + "|false"},
		{"null, with a default", withDefault, `{"x":null}`, "s" + special + " vfalse p" + special + "|false"},
		{"a null item", token, `{"x":[null,{"system":"S","value":"1"},null]}`, "sS v1 pS|1"},
		{"null codings", token, `{"x":{"coding":[null,{"system":"S","code":"A"}]}}`, "sS vA pS|A"},
		{"only null items", token, `{"x":[null]}`, "m"},

		{"strings", text, `{"x":["Élodie","Zoé"],"y":[{"z":"B"},{}]}`, "rÉlodie nelodie rZoé nzoe rB nb"},
		{"a string and null", text, `{"x":[null,"A"]}`, "rA na"},
		{"an empty string", text, `{"x":""}`, "r n"},
		{"no string", text, `{"y":{}}`, ""},
		{"an object for a string", text, `{"x":{"z":"A"}}`, ""},

		{"a Reference", ref, `{"x":{"reference":"Organization/001-1","display":"O"}}`, "tOrganization/001-1 i001-1"},
		{"References", ref, `{"x":[{"reference":"Organization/1"},{"reference":"Device/2"}]}`, "tOrganization/1 i1 tDevice/2 i2"},
		{"a bare reference", ref, `{"x":"Organization/001-1"}`, "tOrganization/001-1 i001-1"},
		{"a reference with a version", ref, `{"x":{"reference":"Organization/1/_history/2"}}`, ""},
		{"an absolute reference", ref, `{"x":{"reference":"http://h/fhir/Organization/1"}}`, ""},
		{"a urn", ref, `{"x":{"reference":"urn:uuid:1"}}`, ""},
		{"a contained resource", ref, `{"x":{"reference":"#o"}}`, ""},
		{"a reference without id", ref, `{"x":{"reference":"Organization/"}}`, ""},
		{"a reference without type", ref, `{"x":{"reference":"/1"}}`, ""},
		{"a Reference of display alone", ref, `{"x":{"display":"O"}}`, ""},

		{"a uri", fixtures.Param{Kind: fixtures.URI, Paths: []string{"x"}}, `{"x":["http://A/é"]}`, "uhttp://A/é"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			node, err := fhir.ParseString(c.resource)
			if err != nil {
				t.Fatal(err)
			}
			e := newExtractor(&c.param, Normalize)
			var got []string
			e.terms(node, func(space Space, text string) { got = append(got, string(space)+text) })
			if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A space inside an id counts (ans-server.md §2.7): the term has it.
func TestReferenceWithASpace(t *testing.T) {
	t.Parallel()
	node, _ := fhir.ParseString(`{"reference":"Organization/org 2"}`)
	target, id, ok := reference(node)
	if target != "Organization/org 2" || id != "org 2" || !ok {
		t.Errorf("reference = %q, %q, %v", target, id, ok)
	}
}

func TestBadPathPanics(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("a path that does not compile was taken")
		}
	}()
	newExtractor(&fixtures.Param{Paths: []string{"a..b"}}, Normalize)
}
