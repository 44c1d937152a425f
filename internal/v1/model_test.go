package v1_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/internal/fhirschema"
	"github.com/mockfhir/mockfhir/internal/shared"
	"github.com/mockfhir/mockfhir/internal/store"
	"github.com/mockfhir/mockfhir/internal/v1"
)

// view maps the resources of version 2 that are given.
func view(resources ...fixtures.Resource) []fixtures.Resource {
	set := &fixtures.Set{Table: fixtures.DefaultTable(), Resources: resources}
	return v1.View(store.New(set, store.Options{}).Current())
}

func resource(t testing.TB, text string) fixtures.Resource {
	t.Helper()
	n, err := fhir.ParseString(text)
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return fixtures.Resource{Type: n.Get("resourceType").Str(), ID: n.Get("id").Str(), JSON: text}
}

// The parts that people and structures of version 2 are made of.
const (
	nos    = "https://mos.esante.gouv.fr/NOS/"
	meta   = `"meta":{"versionId":"1","lastUpdated":"2023-03-04T03:08:08.070+01:00","source":"https://annuaire.sante.fr","profile":["urn:p"]},"language":"fr"`
	idType = `"type":{"coding":[{"system":"https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203","code":"%s"}]}`
)

func identifier(code, system, value string) string {
	return fmt.Sprintf(`{"use":"official",`+idType+`,"system":%q,"value":%q}`, code, system, value)
}

func coding(table, code string) string {
	return fmt.Sprintf(`{"system":"%sTRE_%s/FHIR/TRE-%s","code":%q}`, nos, table, table, code)
}

func mailbox(address string, digitization bool) string {
	return fmt.Sprintf(`{"extension":[{"url":"https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-contact-point-email-type","valueCoding":{"code":"MSSANTE"}},`+
		`{"url":"https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-ext-mailbox-mss-metadata","extension":[`+
		`{"url":"type","valueCodeableConcept":{"coding":[%s]}},{"url":"digitization","valueBoolean":%v}]}],"system":"email","value":%q}`,
		coding("R257-TypeBAL", "PER"), digitization, address)
}

var (
	person = `{"resourceType":"Practitioner","id":"003-990001-5",` + meta +
		`,"extension":[{"url":"https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-ext-smartcard","extension":[` +
		`{"url":"type","valueCodeableConcept":{"coding":[` + coding("R87-TypeCarte", "CPS") + `]}},{"url":"number","valueString":"99"}]}]` +
		`,"identifier":[` + identifier("IDNPS", "urn:oid:1.2.250.1.71.4.2.1", "819000000018") + `,` + identifier("RPPS", "https://rpps.esante.gouv.fr", "19000000018") + `]` +
		`,"active":true,"name":[{"text":"NOM PRENOM","family":"NOM","given":["PRENOM"],"prefix":["M"],"suffix":["DR"]}]` +
		`,"telecom":[` + mailbox("a@x.example", false) + `,` + mailbox("b@x.example", true) + `]` +
		`,"qualification":[{"code":{"coding":[` + coding("R14-TypeDiplome", "DE") + `,` + coding("R48-DiplomeEtatFrancais", "DE05") + `]}},` +
		`{"code":{"coding":[` + coding("R09-CategorieProfessionnelle", "C") + `,` + coding("G15-ProfessionSante", "10") + `]}},` +
		`{"code":{"coding":[` + coding("R04-TypeSavoirFaire", "S") + `,` + coding("R38-SpecialiteOrdinale", "SM41") + `]}}]}`
	role = `{"resourceType":"PractitionerRole","id":"005-1-2",` + meta +
		`,"identifier":[{"use":"official","system":"https://rpps.esante.gouv.fr","value":"1900000001"}],"active":true` +
		`,"practitioner":{"reference":"Practitioner/003-990001-5"},"organization":{"reference":"Organization/001-01-1"}` +
		`,"code":[{"coding":[` + coding("R22-GenreActivite", "GENR01") + `]},{"coding":[` + coding("R23-ModeExercice", "L") + `]},{"coding":[` + coding("R21-Fonction", "FON-01") + `]}]` +
		`,"telecom":[` + mailbox("c@x.example", false) + `]}`
	structureOf = func(telecom string) string {
		return `{"resourceType":"Organization","id":"001-01-1",` + meta +
			`,"identifier":[` + identifier("IDNST", "urn:oid:1.2.250.1.71.4.2.2", "1960000016") + `,` + identifier("FINEG", "https://finess.esante.gouv.fr", "960000016") + `]` +
			`,"active":true,"type":[{"extension":[{"url":"https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-ext-organization-types","valueCode":"organizationType"}],` +
			`"coding":[{"system":"https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-3307","code":"GEOGRAPHICAL-ENTITY"}]},` +
			`{"coding":[` + coding("R02-SecteurActivite", "SA41") + `]},{"coding":[` + coding("R66-CategorieEtablissement", "460") + `]},` +
			`{"coding":[{"system":"https://interop.esante.gouv.fr/ig/fhir/annuaire/CodeSystem/as-cs-type-etablissement","code":"P"}]},{"coding":[` + coding("R75-InseeNAFrev2Niveau5", "88.10A") + `]}]` +
			`,"name":"SARL FICTIVE","telecom":[` + telecom + `]` +
			`,"address":[{"extension":[{"url":"https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-address-insee-code","valueCoding":{"system":"https://mos.esante.gouv.fr/NOS/TRE_R13-Commune/FHIR/TRE-R13-Commune","code":"99999"}}],` +
			`"_line":[{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/iso21090-ADXP-houseNumber","valueString":"12"},{"url":"http://hl7.org/fhir/StructureDefinition/iso21090-ADXP-streetNameType","valueString":"R"},` +
			`{"url":"http://hl7.org/fhir/StructureDefinition/iso21090-ADXP-streetNameBase","valueString":"DES TILLEULS"}]}],"city":"VILLE","postalCode":"99990"}]` +
			`,"partOf":{"reference":"Organization/001-02-1"}}`
	}
)

// What was somewhere else in version 1 is there.
func TestMapping(t *testing.T) {
	t.Parallel()
	v1base := "https://annuaire.sante.gouv.fr/fhir/StructureDefinition/"
	got := map[string]string{}
	for _, r := range view(resource(t, person), resource(t, role), resource(t, structureOf(mailbox("o@x.example", true)))) {
		got[r.Type+"/"+r.ID] = r.JSON
	}
	for key, parts := range map[string][]string{
		"Practitioner/003-990001": {
			`"lastUpdated":"2023-03-04T02:08:08.070+00:00"`, `"name":[{"prefix":["M"]}]`, `"system":"http://rpps.fr","value":"19000000018"`,
			`"system":"http://interopsante.org/CodeSystem/v2-0203","code":"IDNPS"`, `"url":"` + v1base + `MailboxMSS","extension":[{"url":"value","valueString":"a@x.example"}`,
			`"qualification":[{"code":{"coding":[` + coding("R48-DiplomeEtatFrancais", "DE05") + `,` + coding("R14-TypeDiplome", "DE") + `]}}]`,
			`-!"NOM"`, `-!telecom`, `-!SmartCard`, `-!"SM41"`,
		},
		"PractitionerRole/005-1-2": {
			`{"url":"` + v1base + `PractitionerRole-Name","valueHumanName":{"family":"NOM","given":["PRENOM"],"suffix":["DR"]}}`,
			`{"url":"` + v1base + `PractitionerRole-SmartCard","extension":[`, `"valueString":"c@x.example"`,
			`"practitioner":{"reference":"Practitioner/003-990001"}`,
			`"code":[{"coding":[` + strings.Join([]string{
				coding("R21-Fonction", "FON-01"), coding("G15-ProfessionSante", "10"), coding("R09-CategorieProfessionnelle", "C"),
				coding("R22-GenreActivite", "GENR01"), coding("R23-ModeExercice", "L"),
			}, ",") + `]}]`,
			`"specialty":[{"coding":[` + coding("R38-SpecialiteOrdinale", "SM41") + `,` + coding("R04-TypeSavoirFaire", "S") + `]}]`, `-!identifier`,
		},
		"Organization/001-01-1": {
			`"system":"http://finess.sante.gouv.fr","value":"960000016"`, `"code":"INTRN"}]},"system":"https://annuaire.sante.fr","value":"F960000016"`,
			`"system":"http://interopsante.org/CodeSystem/fr-v2-0203","code":"FINEG"`, `"system":"http://interopsante.org/fhir/CodeSystem/fr-v2-3307"`,
			`"line":[null],"_line":[{`, `"city":"99990 VILLE","postalCode":"99990"`, `"valueString":"o@x.example"`, `-!type-etablissement`, `-!organization-types`,
		},
	} {
		if got[key] == "" {
			t.Errorf("no %s among %d", key, len(got))
		}
		for _, part := range parts {
			unwanted, isUnwanted := strings.CutPrefix(part, "-!")
			if found := strings.Contains(got[key], strings.TrimPrefix(part, "-!")); found == isUnwanted {
				t.Errorf("%s: %s found: %v\n%s", key, unwanted, found, got[key])
			}
		}
	}
}

// What extends a primitive goes with it, wherever it is kept, and in XML no
// element is empty.
func TestWhatExtendsPrimitivesIsKept(t *testing.T) {
	t.Parallel()
	const x = `{"extension":[{"url":"urn:x","valueCode":"unknown"}]}`
	with := func(typ, members string) string {
		return `{"resourceType":"` + typ + `","id":"1",` + meta + `,"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"},` + members + `}`
	}
	narrative := `"language":"fr","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"}`
	for _, tt := range []struct {
		in    string
		wants []string
	}{
		{with("Organization", `"_active":`+x+`,"_name":`+x+`,"alias":["a",null],"_alias":[null,`+x+`],"address":[{"line":[null,"b"],"_line":[`+x+`,null],"city":"C","_city":`+x+`,"_postalCode":`+x+`}]`),
			[]string{narrative, `"_active":` + x, `"_name":` + x, `"alias":["a",null],"_alias":[null,` + x + `]`, `"line":[null,"b"],"_line":[` + x + `,null]`, `"_city":` + x, `"_postalCode":` + x}},
		{with("Organization", `"_alias":[`+x+`]`), []string{`"alias":[null],"_alias":[` + x + `]`}},
		{with("Practitioner", `"active":true,"_active":`+x+`,"name":[{"_family":`+x+`,"given":["A",null],"_given":[null,`+x+`],"prefix":[null],"_prefix":[`+x+`]}]`),
			[]string{narrative, `"active":true,"_active":` + x, `"name":[{"prefix":[null],"_prefix":[` + x + `]}]`}},
		{with("PractitionerRole", `"_active":`+x), []string{narrative, `"_active":` + x}},
		{with("HealthcareService", `"_active":`+x+`,"identifier":[{"_value":`+x+`}]`), []string{narrative, `"_active":` + x, `"identifier":[{"_value":` + x + `}]`}},
		{with("Device", `"status":"active","_status":`+x+`,"_manufacturer":`+x+`,"_serialNumber":`+x), []string{narrative, `"_status":` + x, `"_manufacturer":` + x, `"_serialNumber":` + x}},
	} {
		s := newServer(resource(t, tt.in))
		typ := resource(t, tt.in).Type
		_, json := ask(t, s, typ+"/1", nil)
		for _, want := range tt.wants {
			if !bytes.Contains(json, []byte(want)) {
				t.Errorf("%s is not in %s", want, json)
			}
		}
		_, xml := ask(t, s, typ+"/1?_format=xml", nil)
		if empty := regexp.MustCompile(`<[A-Za-z]+/>`).Find(xml); empty != nil || !bytes.Contains(xml, []byte(`<div xmlns="http://www.w3.org/1999/xhtml">x</div>`)) {
			t.Errorf("%s in %s", empty, xml)
		}
	}
	_, role := ask(t, newServer(resource(t, with("Practitioner", `"name":[{"_family":`+x+`,"family":"F","given":["A",null],"_given":[null,`+x+`]}]`))), "PractitionerRole/005-1", nil)
	if want := `"valueHumanName":{"family":"F","_family":` + x + `,"given":["A",null],"_given":[null,` + x + `]}`; !bytes.Contains(role, []byte(want)) {
		t.Errorf("%s is not in %s", want, role)
	}
}

// Out of use, a resource is its id, its meta and the word for it.
func TestStubs(t *testing.T) {
	t.Parallel()
	stub := `"meta":{"versionId":"1","lastUpdated":"2023-03-04T02:08:08.070+00:00","source":"https://annuaire.sante.fr","profile":["http://interop.esante.gouv.fr/ig/fhir/annuaire-donnee-publique/StructureDefinition/`
	for _, tt := range []struct{ in, want string }{
		{strings.Replace(person, `"active":true`, `"active":false`, 1), `{"resourceType":"Practitioner","id":"003-990001",` + stub + `as-practitioner"]},"active":false}`},
		{strings.Replace(role, `"active":true`, `"active":false`, 1), `{"resourceType":"PractitionerRole","id":"005-1-2",` + stub + `as-practitionerrole"]},"active":false}`},
		{strings.Replace(structureOf(""), `"active":true`, `"active":false`, 1), `{"resourceType":"Organization","id":"001-01-1",` + stub + `as-organization"]},"active":false}`},
		{`{"resourceType":"Device","id":"002-1",` + meta + `,"identifier":[{"value":"1"}],"status":"inactive"}`, `{"resourceType":"Device","id":"002-1",` + stub + `as-device"]},"status":"inactive"}`},
		{`{"resourceType":"HealthcareService","id":"004-1",` + meta + `,"identifier":[{"value":"1"}],"active":false}`, `{"resourceType":"HealthcareService","id":"004-1",` + stub + `as-healthcareservice-healthcare-activity"]},"active":false}`},
	} {
		got := view(resource(t, tt.in))
		if len(got) != 1 || got[0].JSON != tt.want {
			t.Errorf("got %+v\nwant %s", got, tt.want)
		}
	}
}

// Both versions know the same people: everybody is in both, whoever is at work
// has a PractitionerRole that says as what, and every reference leads to the
// same one.
func TestTheSamePeople(t *testing.T) {
	t.Parallel()
	set := fixtures.Default()
	got := map[string]*fhir.Node{}
	named := map[string]bool{}
	for _, r := range view(set.Resources...) {
		n, err := fhir.ParseString(r.JSON)
		if err != nil {
			t.Fatal(err)
		}
		if got[r.Type+"/"+r.ID] != nil {
			t.Errorf("%s/%s twice", r.Type, r.ID)
		}
		got[r.Type+"/"+r.ID] = n
		if r.Type == "PractitionerRole" && strings.Contains(r.JSON, "PractitionerRole-Name") {
			named[n.Get("practitioner").Get("reference").Str()] = true
		}
		for _, issue := range fhirschema.Validate(n) {
			t.Errorf("%s/%s: %v", r.Type, r.ID, issue)
		}
	}
	short := func(id string) string { return strings.Join(strings.Split(id, "-")[:2], "-") }
	for _, r := range set.Resources {
		key := r.Type + "/" + r.ID
		n, err := fhir.ParseString(r.JSON)
		if err != nil {
			t.Fatal(err)
		}
		if r.Type == "Practitioner" {
			key = r.Type + "/" + short(r.ID)
			if n.Get("active").Bool() && n.Get("name").Len() > 0 && n.Path("name", "family") != nil && !named[key] {
				t.Errorf("nothing in version 1 tells the name of %s", key)
			}
		}
		if got[key] == nil {
			t.Errorf("%s is not in version 1", key)
		}
		if target := n.Get("practitioner").Get("reference").Str(); target != "" && n.Get("active").Bool() {
			if want := "Practitioner/" + short(strings.TrimPrefix(target, "Practitioner/")); got[key].Get("practitioner").Get("reference").Str() != want {
				t.Errorf("%s refers to %s, want %s", key, got[key].Get("practitioner").Raw(), want)
			}
		}
	}
}

// Two ids that would be one keep apart.
func TestShortIDsStayUnique(t *testing.T) {
	t.Parallel()
	var ids []string
	for _, r := range view(
		resource(t, `{"resourceType":"Practitioner","id":"003-1-1","active":false}`),
		resource(t, `{"resourceType":"Practitioner","id":"003-1-2","active":false}`),
		resource(t, `{"resourceType":"Practitioner","id":"mine","active":false}`),
	) {
		ids = append(ids, r.ID)
	}
	if diff := cmp.Diff([]string{"003-1", "003-1-2", "mine"}, ids); diff != "" {
		t.Error(diff)
	}
}

// paths lists the paths of a document, each once, in the order they come.
func paths(t testing.TB, text []byte) (all []string) {
	t.Helper()
	seen := map[string]bool{}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var walk func(path string)
	walk = func(path string) {
		token, err := decoder.Token()
		if err != nil {
			t.Fatal(err)
		}
		if !seen[path] {
			seen[path] = true
			all = append(all, path)
		}
		switch token {
		case json.Delim('{'):
			for decoder.More() {
				name, _ := decoder.Token()
				walk(path + "." + name.(string))
			}
			_, _ = decoder.Token()
		case json.Delim('['):
			for decoder.More() {
				walk(path + "[]")
			}
			_, _ = decoder.Token()
		}
	}
	walk("")
	return all
}

// Bodies that the service really sent have the shape of ours, path by path and
// in the same order. Each is held against the answer for somebody of the same
// kind.
func TestShapesOfRecordedBodies(t *testing.T) {
	t.Parallel()
	inactive := strings.Replace(person, `"active":true`, `"active":false`, 1)
	for _, tt := range []struct {
		recorded, target string
		resources        []string
	}{
		{"v1-practitioner-pseudonymised.2023-10-04.json", "Practitioner?_format=json&_pretty=true&identifier=19000000018", []string{person}},
		{"v1-organization-pseudonymised.2023-10-04.json", "Organization?identifier=960000016",
			[]string{structureOf(`{"system":"phone","value":"0199000000","rank":1},{"system":"email","value":"c@x.example"}`)}},
		{"v1-practitioner-inactive-003-118475.2023-11-02.json", "Practitioner?_id=003-990001&active=false", []string{inactive}},
		{"v1-capabilitystatement.2023-09-06.json", "metadata", nil},
		{"v1-operationoutcome-hapi-0389.2025-04-07.json", "PractitionerRole?identifier=1", nil},
		{"operationoutcome-hapi-0302.docs.json", "PractitiXXXner", nil},
	} {
		t.Run(tt.recorded, func(t *testing.T) {
			t.Parallel()
			want, err := os.ReadFile(shared.Path(t, "data", "recorded", tt.recorded))
			if err != nil {
				t.Fatal(err)
			}
			var resources []fixtures.Resource
			for _, text := range tt.resources {
				resources = append(resources, resource(t, text))
			}
			_, got := ask(t, newServer(resources...), tt.target, nil)
			if diff := cmp.Diff(paths(t, want), paths(t, got)); diff != "" {
				t.Errorf("(-recorded +ours)\n%s\n%s", diff, got)
			}
		})
	}
}

// Errors that were recorded are ours to the letter, and the CapabilityStatement
// announces the same types, interactions, parameters and includes.
func TestRecordedFacts(t *testing.T) {
	t.Parallel()
	recorded := func(name string) map[string]any { return decoded(t, read(t, name)) }
	s := newServer()
	for name, target := range map[string]string{
		"v1-operationoutcome-hapi-0389.2025-04-07.json": "PractitionerRole?identifier=1",
		"operationoutcome-hapi-0302.docs.json":          "PractitiXXXner",
	} {
		_, got := ask(t, s, target, nil)
		if diff := cmp.Diff(recorded(name), decoded(t, got)); diff != "" {
			t.Errorf("%s (-recorded +ours)\n%s", target, diff)
		}
	}
	_, got := ask(t, s, "metadata", nil)
	want, ours := recorded("v1-capabilitystatement.2023-09-06.json"), decoded(t, got)
	for _, c := range []map[string]any{want, ours} {
		delete(c, "id")
		delete(c, "date")
		delete(c, "implementation")
		for _, r := range c["rest"].([]any)[0].(map[string]any)["resource"].([]any) {
			params, _ := r.(map[string]any)["searchParam"].([]any)
			for _, p := range params {
				if _, documented := p.(map[string]any)["documentation"]; documented {
					p.(map[string]any)["documentation"] = "in our words"
				}
			}
			operations, _ := r.(map[string]any)["operation"].([]any)
			for _, o := range operations {
				o := o.(map[string]any)
				o["definition"] = o["definition"].(string)[strings.Index(o["definition"].(string), "/OperationDefinition"):]
			}
		}
	}
	if diff := cmp.Diff(want, ours); diff != "" {
		t.Errorf("(-recorded +ours)\n%s", diff)
	}
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(shared.Path(t, "data", "recorded", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func decoded(t testing.TB, text []byte) (tree map[string]any) {
	t.Helper()
	if err := json.Unmarshal(text, &tree); err != nil {
		t.Fatalf("%v in %.200s", err, text)
	}
	return tree
}

// The directory follows what is written to version 2's: what changes for one
// Practitioner changes for all that speak of him, and a search under way still
// sees what was there.
func TestTheDirectoryFollows(t *testing.T) {
	t.Parallel()
	set := &fixtures.Set{Table: fixtures.DefaultTable(), Resources: []fixtures.Resource{resource(t, person), resource(t, role)}}
	source := store.New(set, store.Options{})
	s := v1.New(source, "digest", time.Now)
	names := func(target string) []string { return families(t, s, target) }
	if got := names("PractitionerRole"); !slices.Equal(got, []string{"NOM"}) {
		t.Fatalf("names %v", got)
	}
	_, first := ask(t, s, "PractitionerRole?_count=1&_include=*", nil)
	source.Apply(store.Change{Type: "Practitioner", ID: "003-990001-5", JSON: strings.Replace(person, `"family":"NOM"`, `"family":"AUTRE"`, 1)})
	if got := names("PractitionerRole?family=autre"); !slices.Equal(got, []string{"AUTRE"}) {
		t.Errorf("names %v after a change, before: %.100s", got, first)
	}
	source.Apply(store.Change{Type: "PractitionerRole", ID: "005-1-2"})
	if got := names("PractitionerRole"); !slices.Equal(got, []string{"AUTRE"}) {
		t.Errorf("names %v without a PractitionerRole: the exercise is lost", got)
	}
	source.Apply(store.Change{Type: "Practitioner", ID: "003-990001-5"})
	if got := names("PractitionerRole"); len(got) != 0 {
		t.Errorf("names %v of nobody", got)
	}
}

func families(t testing.TB, s *v1.Server, target string) (names []string) {
	t.Helper()
	_, body := ask(t, s, target, nil)
	n, err := fhir.Parse(body)
	if err != nil {
		t.Fatal(err)
	}
	n.Get("entry").Each(func(e *fhir.Node) {
		e.Get("resource").Get("extension").Each(func(x *fhir.Node) {
			if family := x.Get("valueHumanName").Get("family").Str(); family != "" {
				names = append(names, family)
			}
		})
	})
	return names
}
