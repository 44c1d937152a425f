package fhirschema

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mockfhir/mockfhir/internal/fhir"
)

// sound are resources without a defect: the mutants below start from them.
var sound = map[string]string{
	"practitioner": `{"resourceType":"Practitioner","id":"003-1-1",
		"meta":{"versionId":"1","lastUpdated":"2026-01-31T08:00:00.003+01:00","profile":["https://example.org/p"]},
		"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">A &amp; <b>B</b></div>"},
		"extension":[{"url":"https://example.org/x","extension":[{"url":"number","valueString":"1"}]},{"url":"https://example.org/y","_valueCode":{"extension":[{"url":"https://example.org/z","valueInteger":-3}]}}],
		"identifier":[{"use":"official","system":"urn:oid:1.2.3","value":"1","period":{"start":"2026-01","end":"2026-02-28T23:59:60Z"}}],
		"active":true,
		"name":[{"family":"Exemple","given":["Zoé",null,"Ana"],"_given":[null,{"extension":[{"url":"https://example.org/x","valueBoolean":false}]},null]}],
		"birthDate":"1980-02-29","_birthDate":{"id":"b"},
		"photo":[{"contentType":"image/png","size":12,"data":"AAAA"}],
		"qualification":[{"code":{"coding":[{"system":"https://example.org/s","code":"10 a"}]},"issuer":{"reference":"Organization/1","type":"Organization"}}]}`,
	"role":         `{"resourceType":"PractitionerRole","practitioner":{"reference":"#p"},"organization":{"reference":"https://example.org/fhir/Organization/1/_history/2"},"contained":[{"resourceType":"Practitioner","id":"p"}]}`,
	"organization": `{"resourceType":"Organization","name":"A","address":[{"_line":[{"extension":[{"url":"https://example.org/n","valueString":"96"}]}],"city":"X"},{"line":[null,"b"],"_line":[{"extension":[{"url":"https://example.org/n","valueString":"1"}]},null]}],"partOf":{"reference":"urn:uuid:00000000-0000-0000-0000-000000000000"}}`,
	"device":       `{"resourceType":"Device","status":"active","type":{"text":"scanner"},"owner":{"reference":"Organization?identifier=1"}}`,
	"service":      `{"resourceType":"HealthcareService","active":false,"availableTime":[{"daysOfWeek":["mon"],"availableStartTime":"08:00:00"}]}`,
	"bundle": `{"resourceType":"Bundle","type":"searchset","id":"a","total":1,
		"entry":[{"fullUrl":"https://example.org/fhir/Device/1","resource":{"resourceType":"Device","id":"1"},"search":{"mode":"match","score":0.50}}],
		"link":[{"relation":"self","url":"https://example.org/fhir/Device"}]}`,
	"outcome":    `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"exception","diagnostics":"no"}]}`,
	"capability": `{"resourceType":"CapabilityStatement","status":"active","date":"2026","kind":"instance","fhirVersion":"4.0.1","format":["json"],"rest":[{"mode":"server","resource":[{"type":"Device","interaction":[{"code":"read"}],"searchParam":[{"name":"_id","type":"token"}]}]}]}`,
	"report":     `{"resourceType":"TestReport","status":"completed","testScript":{"reference":"TestScript/1"},"result":"pass","setup":{"action":[{"assert":{"result":"pass"}}]}}`,
	"parameters": `{"resourceType":"Parameters","parameter":[{"name":"a","part":[{"name":"b","valueQuantity":{"value":1e-3,"comparator":"<="}}]},{"name":"c","resource":{"resourceType":"Device"}}]}`,
}

// mutants each have one defect: the first occurrence of old becomes new.
var mutants = []struct {
	base, old, new string
	rule           Rule
	path           string
}{
	{"device", `"resourceType":"Device",`, ``, RuleResourceType, "Resource"},
	{"device", `"Device"`, `"Patient"`, RuleResourceType, "Resource"},
	{"device", `"Device"`, `"DomainResource"`, RuleResourceType, "Resource"},
	{"device", `"Device"`, `"HumanName"`, RuleResourceType, "Resource"},
	{"device", `"Device"`, `7`, RuleResourceType, "Resource"},
	{"bundle", `"resourceType":"Device",`, ``, RuleResourceType, "Bundle.entry[0].resource"},

	{"practitioner", `"active"`, `"actif"`, RuleUnknown, "Practitioner.actif"},
	{"practitioner", `"family"`, `"Family"`, RuleUnknown, "Practitioner.name[0].Family"},
	{"practitioner", `"family"`, `"M. Dupont"`, RuleUnknown, "Practitioner.name[0].?"},
	{"practitioner", `"valueString"`, `"value"`, RuleUnknown, "Practitioner.extension[0].extension[0].value"},
	{"practitioner", `"valueString"`, `"valueCountry"`, RuleUnknown, "Practitioner.extension[0].extension[0].valueCountry"},
	{"practitioner", `"_birthDate":{`, `"_birthDate":{"value":"1",`, RuleUnknown, "Practitioner.birthDate.value"},
	{"bundle", `"mode"`, `"kind"`, RuleUnknown, "Bundle.entry[0].search.kind"},
	{"role", `"practitioner":{`, `"practitioner":{"resourceType":"Reference",`, RuleUnknown, "PractitionerRole.practitioner.resourceType"},

	{"practitioner", `"versionId":"1"`, `"versionId":1`, RuleKind, "Practitioner.meta.versionId"},
	{"practitioner", `"active":true`, `"active":"true"`, RuleKind, "Practitioner.active"},
	{"practitioner", `"valueInteger":-3`, `"valueInteger":"-3"`, RuleKind, "Practitioner.extension[1].valueCode.extension[0].valueInteger"},
	{"bundle", `"total":1`, `"total":"1"`, RuleKind, "Bundle.total"},
	{"bundle", `0.50`, `"0.50"`, RuleKind, "Bundle.entry[0].search.score"},
	{"practitioner", `{"start":"2026-01","end":"2026-02-28T23:59:60Z"}`, `"2026"`, RuleKind, "Practitioner.identifier[0].period"},
	{"practitioner", `{"family"`, `true,{"family"`, RuleKind, "Practitioner.name[0]"},
	{"practitioner", `"_birthDate":{"id":"b"}`, `"_birthDate":"b"`, RuleKind, "Practitioner.birthDate"},
	{"bundle", `{"resourceType":"Device","id":"1"}`, `"Device"`, RuleKind, "Bundle.entry[0].resource"},

	{"device", `{"text":"scanner"}`, `[{"text":"scanner"}]`, RuleArray, "Device.type"},
	{"practitioner", `[{"contentType":"image/png","size":12,"data":"AAAA"}]`, `{"contentType":"image/png"}`, RuleArray, "Practitioner.photo"},
	{"practitioner", `"family":"Exemple"`, `"family":["Exemple"]`, RuleArray, "Practitioner.name[0].family"},
	{"capability", `["json"]`, `"json"`, RuleArray, "CapabilityStatement.format"},
	{"organization", `[{"extension":[{"url":"https://example.org/n","valueString":"96"}]}]`, `{"id":"l"}`, RuleArray, "Organization.address[0].line"},

	{"bundle", `"type":"searchset",`, ``, RuleRequired, "Bundle.type"},
	{"practitioner", `"code":{"coding":[{"system":"https://example.org/s","code":"10 a"}]},`, ``, RuleRequired, "Practitioner.qualification[0].code"},
	{"practitioner", `"url":"number",`, ``, RuleRequired, "Practitioner.extension[0].extension[0].url"},
	{"outcome", `"code":"exception",`, ``, RuleRequired, "OperationOutcome.issue[0].code"},
	{"capability", `"mode":"server",`, ``, RuleRequired, "CapabilityStatement.rest[0].mode"},
	{"bundle", `"relation":"self",`, ``, RuleRequired, "Bundle.link[0].relation"},

	{"practitioner", `"valueString":"1"`, `"valueString":"1","valueCode":"a"`, RuleChoice, "Practitioner.extension[0].extension[0].value[x]"},
	{"practitioner", `"_valueCode"`, `"valueString":"a","_valueCode"`, RuleChoice, "Practitioner.extension[1].value[x]"},
	{"parameters", `"valueQuantity"`, `"valueBoolean":true,"valueQuantity"`, RuleChoice, "Parameters.parameter[0].part[0].value[x]"},

	{"bundle", `{"relation":"self","url":"https://example.org/fhir/Device"}`, ``, RuleEmpty, "Bundle.link"},
	{"device", `{"text":"scanner"}`, `{}`, RuleEmpty, "Device.type"},
	{"device", `{"text":"scanner"}`, `{"id":"a"}`, RuleEmpty, "Device.type"},
	{"device", `{"reference":"Organization?identifier=1"}`, `{"id":"a"}`, RuleEmpty, "Device.owner"},
	{"device", `"scanner"`, `""`, RuleEmpty, "Device.type.text"},
	{"practitioner", `"birthDate":"1980-02-29",`, ``, RuleEmpty, "Practitioner.birthDate"},

	{"practitioner", `"active":true`, `"active":null`, RuleNull, "Practitioner.active"},
	{"practitioner", `"given":["Zoé"`, `"given":[null`, RuleNull, "Practitioner.name[0].given[0]"},
	{"organization", `"_line"`, `"line":[null,null],"_line"`, RuleNull, "Organization.address[0].line[1]"},
	{"organization", `"_line":[{"extension":[{"url":"https://example.org/n","valueString":"96"}]}]`, `"line":[null]`, RuleNull, "Organization.address[0].line[0]"},
	{"practitioner", `[{"family"`, `[null,{"family"`, RuleNull, "Practitioner.name[0]"},
	{"practitioner", `"_birthDate":{"id":"b"}`, `"_birthDate":null`, RuleNull, "Practitioner.birthDate"},

	{"practitioner", `"photo"`, `"_photo"`, RuleSibling, "Practitioner.photo"},
	{"practitioner", `false}]},null]`, `false}]},null,{"extension":[{"url":"a","valueCode":"b"}]}]`, RuleSibling, "Practitioner.name[0].given"},

	{"practitioner", `"active":true`, `"active":true,"active":true`, RuleDuplicate, "Practitioner.active"},
	{"practitioner", `"resourceType"`, `"resourceType":"Practitioner","resourceType"`, RuleDuplicate, "Practitioner.resourceType"},
	{"practitioner", `"_birthDate":{"id":"b"}`, `"_birthDate":{"id":"b"},"_birthDate":{"id":"b"}`, RuleDuplicate, "Practitioner.birthDate"},

	{"practitioner", `"003-1-1"`, `"003_1_1"`, RuleLexical, "Practitioner.id"},
	{"practitioner", `"1980-02-29"`, `"1981-02-29"`, RuleLexical, "Practitioner.birthDate"},
	{"practitioner", `"1980-02-29"`, `"29/02/1980"`, RuleLexical, "Practitioner.birthDate"},
	{"practitioner", `.003+01:00`, `.003`, RuleLexical, "Practitioner.meta.lastUpdated"},
	{"practitioner", `T08:00:00.003`, `T08:00`, RuleLexical, "Practitioner.meta.lastUpdated"},
	{"practitioner", `"2026-01"`, `"2026-13"`, RuleLexical, "Practitioner.identifier[0].period.start"},
	{"practitioner", `"10 a"`, `"10  a"`, RuleLexical, "Practitioner.qualification[0].code.coding[0].code"},
	{"practitioner", `"urn:oid:1.2.3"`, `"urn:oid: 1"`, RuleLexical, "Practitioner.identifier[0].system"},
	{"practitioner", `"AAAA"`, `"AAA"`, RuleLexical, "Practitioner.photo[0].data"},
	{"practitioner", `"size":12`, `"size":-12`, RuleLexical, "Practitioner.photo[0].size"},
	{"practitioner", `"size":12`, `"size":12.0`, RuleLexical, "Practitioner.photo[0].size"},
	{"practitioner", `"valueInteger":-3`, `"valueInteger":-3000000000`, RuleLexical, "Practitioner.extension[1].valueCode.extension[0].valueInteger"},
	{"practitioner", `"Zoé"`, `"Zo\u0007"`, RuleLexical, "Practitioner.name[0].given[0]"},
	{"practitioner", `<b>B</b>`, `<b>B`, RuleLexical, "Practitioner.text.div"},
	{"practitioner", `&amp;`, `&nbsp;`, RuleLexical, "Practitioner.text.div"},
	{"practitioner", `<div xmlns=\"http://www.w3.org/1999/xhtml\">`, `<div>`, RuleLexical, "Practitioner.text.div"},
	{"service", `"08:00:00"`, `"08:00"`, RuleLexical, "HealthcareService.availableTime[0].availableStartTime"},

	{"practitioner", `"official"`, `"officiel"`, RuleCode, "Practitioner.identifier[0].use"},
	{"device", `"active"`, `"on"`, RuleCode, "Device.status"},
	{"bundle", `"match"`, `"hit"`, RuleCode, "Bundle.entry[0].search.mode"},
	{"outcome", `"exception"`, `"oops"`, RuleCode, "OperationOutcome.issue[0].code"},
	{"service", `"mon"`, `"lun"`, RuleCode, "HealthcareService.availableTime[0].daysOfWeek[0]"},
	{"capability", `"token"`, `"jeton"`, RuleCode, "CapabilityStatement.rest[0].resource[0].searchParam[0].type"},
	{"report", `"completed"`, `"done"`, RuleCode, "TestReport.status"},

	{"role", `"#p"`, `"Organization/1"`, RuleReference, "PractitionerRole.practitioner.reference"},
	{"role", `Organization/1/_history`, `Device/1/_history`, RuleReference, "PractitionerRole.organization.reference"},
	{"role", `"contained"`, `"location":[{"reference":"#q"}],"contained"`, RuleReference, "PractitionerRole.location[0].reference"},
	{"practitioner", `"Organization/1"`, `"Structure/1"`, RuleReference, "Practitioner.qualification[0].issuer.reference"},
	{"practitioner", `"Organization/1"`, `"Organization/1/2"`, RuleReference, "Practitioner.qualification[0].issuer.reference"},
	{"practitioner", `"Organization/1"`, `"Organization"`, RuleReference, "Practitioner.qualification[0].issuer.reference"},
	{"practitioner", `"type":"Organization"`, `"type":"Device"`, RuleReference, "Practitioner.qualification[0].issuer.type"},
	{"device", `"Organization?identifier=1"`, `"Device?identifier=1"`, RuleReference, "Device.owner.reference"},

	{"practitioner", `"valueString":"1"`, `"id":"a"`, RuleExtension, "Practitioner.extension[0].extension[0]"},
	{"practitioner", `"extension":[{"url":"number"`, `"valueCode":"a","extension":[{"url":"number"`, RuleExtension, "Practitioner.extension[0]"},

	{"role", `"id":"p"`, `"id":"p","meta":{"versionId":"1"}`, RuleContained, "PractitionerRole.contained[0].meta.versionId"},
	{"role", `"id":"p"`, `"id":"p","contained":[{"resourceType":"Device","id":"d"}]`, RuleContained, "PractitionerRole.contained[0].contained"},
	{"role", `"#p"`, `"Practitioner/p"`, RuleContained, "PractitionerRole.contained[0]"},
}

func TestSoundResources(t *testing.T) {
	t.Parallel()
	for name, text := range sound {
		for _, issue := range Validate(parse(t, text)) {
			t.Errorf("%s: %v", name, issue)
		}
	}
}

// Each mutant is told once, at its place and by its rule.
func TestMutants(t *testing.T) {
	t.Parallel()
	tripped := map[Rule]bool{}
	for _, m := range mutants {
		text := strings.Replace(sound[m.base], m.old, m.new, 1)
		if text == sound[m.base] {
			t.Fatalf("%s: %s is not there", m.base, m.old)
		}
		var got []string
		for _, issue := range Validate(parse(t, text)) {
			if issue.Rule == m.rule || !follows(m.rule) {
				got = append(got, issue.Path+" "+string(issue.Rule))
			}
			tripped[issue.Rule] = true
		}
		if diff := cmp.Diff([]string{m.path + " " + string(m.rule)}, got); diff != "" {
			t.Errorf("%s with %s (-want +got):\n%s", m.base, m.new, diff)
		}
	}
	for _, rule := range declaredRules(t, "validate.go") {
		if !tripped[rule] {
			t.Errorf("no mutant trips %q", rule)
		}
	}
}

// follows reports whether a defect under that rule entails others: a
// reference lost leaves a contained resource alone.
func follows(rule Rule) bool {
	return rule == RuleReference || rule == RuleUnknown || rule == RuleContained
}

// declaredRules reads the constants of type Rule in a source file, so that
// none is forgotten.
func declaredRules(t *testing.T, file string) []Rule {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var rules []Rule
	ast.Inspect(tree, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == "Rule" {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			rules = append(rules, Rule(text))
		}
		return true
	})
	if len(rules) == 0 {
		t.Fatalf("%s declares no rules", file)
	}
	return rules
}

func TestIssueNamesInnermostResource(t *testing.T) {
	t.Parallel()
	text := strings.Replace(sound["bundle"], `"id":"1"`, `"status":"on"`, 1)
	want := []Issue{{
		Path:    "Bundle.entry[0].resource.status",
		Element: "Device.status",
		Rule:    RuleCode,
		Detail:  "the code is none of those this element allows",
	}}
	if diff := cmp.Diff(want, Validate(parse(t, text))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// What the live service sends against R4 is told, and known.
func TestDeviations(t *testing.T) {
	t.Parallel()
	met := map[Deviation]bool{}
	for _, text := range []string{
		`{"resourceType":"CapabilityStatement","status":"active","fhirVersion":"4.0.1","format":["application/fhir+json","json"],"rest":[{"resource":[{"type":"Device","interaction":[{"code":"read"}]}]}]}`,
		`{"resourceType":"Bundle","type":"searchset","total":0,"entry":[],"link":[{"relation":"self","url":"a"}]}`,
		`{"resourceType":"Bundle","type":"searchset","entry":[{"resource":{"resourceType":"Practitioner","meta":{"versionId":2}}}]}`,
	} {
		issues := Validate(parse(t, text))
		if len(issues) == 0 {
			t.Errorf("%s: no issue", text)
		}
		for _, issue := range issues {
			d, ok := issue.Deviation()
			if !ok {
				t.Errorf("%v is not known", issue)
			}
			met[d] = true
		}
	}
	for _, d := range Deviations() {
		if !met[d] {
			t.Errorf("%v was not met", d)
		}
	}
	if d, ok := (Issue{Element: "Practitioner.meta.versionId", Rule: RuleLexical}).Deviation(); ok {
		t.Errorf("another rule is taken for %v", d)
	}
}

func TestIssuesAreBounded(t *testing.T) {
	t.Parallel()
	text := `{"resourceType":"Device","note":[` + strings.Repeat(`{"x":1},`, 2*MaxIssues) + `{}]}`
	if got := len(Validate(parse(t, text))); got != MaxIssues {
		t.Errorf("%d issues, want %d", got, MaxIssues)
	}
}

// A detail is for reports: no value of the resource may be in it.
func TestIssuesHideValues(t *testing.T) {
	t.Parallel()
	const canary = "Canari 99"
	for _, text := range []string{
		`{"resourceType":"` + canary + `"}`,
		`{"resourceType":"Device","` + canary + `":1}`,
		`{"resourceType":"Device","id":"` + canary + `","status":"` + canary + `","owner":{"reference":"` + canary + `","type":"` + canary + `"}}`,
		`{"resourceType":"Device","manufactureDate":"` + canary + `","note":"` + canary + `"}`,
	} {
		issues := Validate(parse(t, text))
		if len(issues) == 0 {
			t.Errorf("%s: no issue", text)
		}
		for _, issue := range issues {
			if strings.Contains(issue.String(), canary) {
				t.Errorf("%v", issue)
			}
		}
	}
}

// The race detector empties pools at random, hence the validator of its own.
func TestSoundResourceCostsNoAllocation(t *testing.T) {
	n := parse(t, sound["bundle"])
	var v validator
	if got := testing.AllocsPerRun(100, func() { v.resource(n, "") }); got != 0 || v.issues != nil {
		t.Errorf("%v allocations, issues %v", got, v.issues)
	}
}

// FuzzValidate holds whatever is JSON against both validators: they end,
// within bounds, and say the same again.
func FuzzValidate(f *testing.F) {
	for _, seeds := range []map[string]string{sound, public} {
		for _, text := range seeds {
			f.Add(text)
		}
	}
	for _, m := range mutants {
		f.Add(strings.Replace(sound[m.base], m.old, m.new, 1))
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := fhir.ParseString(text)
		if err != nil {
			return
		}
		for name, validate := range map[string]func(*fhir.Node) []Issue{"Validate": Validate, "ValidateProfile": ValidateProfile} {
			first := validate(n)
			if len(first) > MaxIssues {
				t.Fatalf("%s: %d issues", name, len(first))
			}
			if diff := cmp.Diff(first, validate(n)); diff != "" {
				t.Fatalf("%s: the second time differs:\n%s", name, diff)
			}
		}
		if _, found := n.Duplicate(); found && Validate(n) == nil {
			t.Fatal("a member is there twice, and nothing is said")
		}
	})
}

// The yardstick is json.Valid on the same text. The resources are those of
// the directory, which have no narrative: its XML is what costs most.
func BenchmarkValidate(b *testing.B) {
	entry := `{"fullUrl":"https://example.org/fhir/Practitioner/1","resource":` + public["practitioner"] + `}`
	text := `{"resourceType":"Bundle","type":"searchset","entry":[` + strings.Repeat(entry+",", 49) + entry + `]}`
	n := parse(b, text)
	for name, validate := range map[string]func(*fhir.Node) []Issue{"Validate": Validate, "ValidateProfile": ValidateProfile} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if issues := validate(n); issues != nil {
					b.Fatal(issues)
				}
			}
		})
	}
	b.Run("json.Valid", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			if !json.Valid([]byte(text)) {
				b.Fatal("not JSON")
			}
		}
	})
}

func parse(t testing.TB, text string) *fhir.Node {
	t.Helper()
	n, err := fhir.ParseString(text)
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return n
}
