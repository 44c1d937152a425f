package fhirschema

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// public are resources as the live service gives them, with invented
// contents; each satisfies its profile.
var public = map[string]string{
	"practitioner": `{"resourceType":"Practitioner","id":"003-1-1","meta":{"versionId":"1","source":"https://annuaire.sante.fr","profile":["https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-practitioner","https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-dp-practitioner"]},
		"extension":[{"url":"https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-ext-smartcard","extension":[{"url":"type","valueCodeableConcept":{"coding":[{"system":"https://mos.esante.gouv.fr/NOS/TRE_R87-TypeCarte/FHIR/TRE-R87-TypeCarte","code":"CPS"}]}},{"url":"number","valueString":"1"},{"url":"period","valuePeriod":{"start":"2026-01-01"}}]},{"url":"https://example.org/other","valueCode":"a"}],
		"identifier":[{"type":{"coding":[{"system":"https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203","code":"IDNPS"}]},"system":"urn:oid:1.2.250.1.71.4.2.1","value":"1"},{"type":{"coding":[{"system":"https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203","code":"RPPS"}]},"system":"https://rpps.esante.gouv.fr","value":"2"}],
		"active":true,"name":[{"text":"Exemple Zoé","family":"Exemple","given":["Zoé"],"prefix":["MME"]}],
		"telecom":[{"extension":[{"url":"https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-contact-point-email-type","valueCoding":{"system":"https://mos.esante.gouv.fr/NOS/TRE_R256-TypeMessagerie/FHIR/TRE-R256-TypeMessagerie","code":"MSSANTE"}},{"url":"https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-ext-mailbox-mss-metadata","extension":[{"url":"type","valueCodeableConcept":{"coding":[{"system":"https://mos.esante.gouv.fr/NOS/TRE_R257-TypeBAL/FHIR/TRE-R257-TypeBAL","code":"PER"}]}},{"url":"digitization","valueBoolean":false}]}],"system":"email","value":"z@example.org"}],
		"qualification":[{"code":{"coding":[{"system":"https://mos.esante.gouv.fr/NOS/TRE_R14-TypeDiplome/FHIR/TRE-R14-TypeDiplome","code":"DE"},{"system":"https://mos.esante.gouv.fr/NOS/TRE_R48-DiplomeEtatFrancais/FHIR/TRE-R48-DiplomeEtatFrancais","code":"DE11"}]}},{"code":{"coding":[{"system":"https://mos.esante.gouv.fr/NOS/TRE_R09-CategorieProfessionnelle/FHIR/TRE-R09-CategorieProfessionnelle","code":"C"},{"system":"https://mos.esante.gouv.fr/NOS/TRE_G15-ProfessionSante/FHIR/TRE-G15-ProfessionSante","code":"10"}]}},{"code":{"coding":[{"system":"https://mos.esante.gouv.fr/NOS/TRE_R04-TypeSavoirFaire/FHIR/TRE-R04-TypeSavoirFaire","code":"S"},{"system":"https://mos.esante.gouv.fr/NOS/TRE_R38-SpecialiteOrdinale/FHIR/TRE-R38-SpecialiteOrdinale","code":"SM41"}]}}]}`,
	"role": `{"resourceType":"PractitionerRole","meta":{"profile":["https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-practitioner-role|2.2.0","https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-dp-practitionerrole|1.2.0-snapshot-2"]},
		"identifier":[{"system":"https://rpps.esante.gouv.fr","value":"1"}],"active":true,"practitioner":{"reference":"Practitioner/003-1-1"},
		"code":[{"coding":[{"system":"https://mos.esante.gouv.fr/NOS/TRE_R23-ModeExercice/FHIR/TRE-R23-ModeExercice","code":"L"}]},{"coding":[{"system":"https://mos.esante.gouv.fr/NOS/TRE_R21-Fonction/FHIR/TRE-R21-Fonction","code":"FON-05"}]}]}`,
	"inactive role": `{"resourceType":"PractitionerRole","meta":{"profile":["https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-practitioner-role","https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-dp-practitionerrole"]},"identifier":[{"system":"https://rpps.esante.gouv.fr","value":"1"}],"active":false}`,
	"organization": `{"resourceType":"Organization","meta":{"extension":[{"url":"https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-ext-data-trace","extension":[{"url":"systeme-information","valueCode":"FINESS"}]}],"profile":["https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-organization","https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-dp-organization"]},
		"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/organization-period","valuePeriod":{"start":"2026"}},{"url":"https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-ext-organization-pharmacy-licence","valueString":"1"},{"url":"https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-ext-organization-closing-type","valueCodeableConcept":{"coding":[{"system":"https://mos.esante.gouv.fr/NOS/TRE_R286-TypeFermeture/FHIR/TRE-R286-TypeFermeture","code":"1"}]}}],
		"identifier":[{"use":"official","type":{"coding":[{"system":"https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203","code":"IDNST"}]},"system":"urn:oid:1.2.250.1.71.4.2.2","value":"1"},{"type":{"coding":[{"system":"https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203","code":"SIREN"}]},"system":"https://sirene.fr","value":"2"},{"type":{"coding":[{"system":"https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203","code":"FINEG"}]},"system":"https://finess.esante.gouv.fr","value":"3"}],
		"active":true,"name":"A",
		"type":[{"extension":[{"url":"https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-ext-organization-types","valueCode":"organizationType"}],"coding":[{"system":"https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-3307","code":"LEGAL-ENTITY"}]},{"coding":[{"system":"https://mos.esante.gouv.fr/NOS/TRE_R66-CategorieEtablissement/FHIR/TRE-R66-CategorieEtablissement","code":"124"}]},{"extension":[{"url":"https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-ext-organization-types","valueCode":"activiteINSEE"}],"coding":[{"system":"https://mos.esante.gouv.fr/NOS/TRE_R75-InseeNAFrev2Niveau5/FHIR/TRE-R75-InseeNAFrev2Niveau5","code":"86.23Z"}]}],
		"telecom":[{"system":"phone","value":"1"},{"extension":[{"url":"https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-contact-point-email-type","valueCoding":{"system":"https://mos.esante.gouv.fr/NOS/TRE_R256-TypeMessagerie/FHIR/TRE-R256-TypeMessagerie","code":"MSSANTE"}},{"url":"https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-ext-mailbox-mss-metadata","extension":[{"url":"listeRouge","valueBoolean":false},{"url":"description","valueString":"A"}]}],"system":"email","value":"a@example.org"}],
		"address":[{"_line":[{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/iso21090-ADXP-houseNumber","valueString":"9"}]}],"city":"X"}]}`,
	"activity": `{"resourceType":"HealthcareService","meta":{"profile":["https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-dp-healthcareservice-healthcare-activity"]},
		"extension":[{"url":"https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-ext-authorization","extension":[{"url":"dateAuthorization","valueDate":"2026-01-01"},{"url":"deletedAuthorization","valueBoolean":false}]}],
		"identifier":[{"system":"https://arhgos.ars.sante.fr","value":"1"}],"active":true,
		"category":[{"coding":[{"system":"https://mos.esante.gouv.fr/NOS/TRE_R275-ModaliteActivite/FHIR/TRE-R275-ModaliteActivite","code":"00"}]}],
		"type":[{"coding":[{"system":"https://mos.esante.gouv.fr/NOS/TRE_R274-ActiviteSanitaireRegulee/FHIR/TRE-R274-ActiviteSanitaireRegulee","code":"01"}]}]}`,
	"social": `{"resourceType":"HealthcareService","meta":{"profile":["https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-dp-healthcareservice-social-equipment"]},
		"extension":[{"url":"https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-ext-supported-capacity","extension":[{"url":"capacityAvailable","valueInteger":4}]}],
		"active":true,"type":[{"coding":[{"system":"https://mos.esante.gouv.fr/NOS/TRE_R280-DisciplineEquipementSocial/FHIR/TRE-R280-DisciplineEquipementSocial","code":"508"}]}],
		"eligibility":[{"code":{"coding":[{"system":"https://mos.esante.gouv.fr/NOS/TRE_R279-Clientele/FHIR/TRE-R279-Clientele","code":"850"}]}}]}`,
	"device": `{"resourceType":"Device","meta":{"profile":["https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-dp-device"]},
		"identifier":[{"system":"https://arhgos.ars.sante.fr","value":"1"}],"status":"active","manufacturer":"A",
		"type":{"coding":[{"system":"https://mos.esante.gouv.fr/NOS/TRE_R272-EquipementMaterielLourd/FHIR/TRE-R272-EquipementMaterielLourd","code":"05602"}]},"owner":{"reference":"Organization/1"}}`,
	"reduced": `{"resourceType":"Practitioner","id":"003-1-1","meta":{"tag":[{"code":"SUBSETTED"}],"profile":["https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-dp-practitioner"]},"name":[{"family":"Exemple"}]}`,
	"person":  `{"resourceType":"Person","gender":"unknown"}`,
	"bundle":  `{"resourceType":"Bundle","type":"searchset","link":[{"relation":"self","url":"a"}]}`,
}

// publicMutants each break one rule: the first occurrence of old becomes new.
var publicMutants = []struct {
	base, old, new string
	rule           Rule
	path           string
}{
	{"device", `annuaire/StructureDefinition/as-dp-device`, `annuaire/StructureDefinition/as-device`, RuleProfile, "Device.meta.profile"},
	{"activity", `"meta":{"profile":["https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-dp-healthcareservice-healthcare-activity"]},`, ``, RuleProfile, "HealthcareService.meta.profile"},
	{"practitioner", `"https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-practitioner",`, ``, RuleTooFew, "Practitioner.meta.profile"},
	{"practitioner", `fr-core-practitioner"`, `fr-core-practitioner-role"`, RuleTooFew, "Practitioner.meta.profile"},

	{"practitioner", `"active":true,`, ``, RuleTooFew, "Practitioner.active"},
	{"practitioner", `"https://rpps.esante.gouv.fr"`, `"http://rpps.fr"`, RuleTooFew, "Practitioner.identifier"},
	{"practitioner", `,"value":"2"`, ``, RuleTooFew, "Practitioner.identifier[1].value"},
	{"practitioner", `,"value":"z@example.org"`, ``, RuleTooFew, "Practitioner.telecom[0].value"},
	{"role", `,"practitioner":{"reference":"Practitioner/003-1-1"}`, ``, RuleTooFew, "PractitionerRole.practitioner"},
	{"role", `"identifier":[{"system":"https://rpps.esante.gouv.fr","value":"1"}],`, ``, RuleTooFew, "PractitionerRole.identifier"},
	{"inactive role", `"identifier":[{"system":"https://rpps.esante.gouv.fr","value":"1"}],`, ``, RuleTooFew, "PractitionerRole.identifier"},
	{"organization", `"use":"official",`, ``, RuleTooFew, "Organization.identifier[0].use"},
	{"organization", `{"url":"https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-ext-organization-types","valueCode":"organizationType"}`, `{"url":"https://example.org","valueCode":"organizationType"}`, RuleTooFew, "Organization.type[0].extension"},
	{"organization", `"system":"phone",`, ``, RuleTooFew, "Organization.telecom[0].system"},
	{"activity", `https://arhgos.ars.sante.fr`, `https://arhgos.ars.sante.fr/`, RuleTooFew, "HealthcareService.identifier"},
	{"social", `"active":true,`, ``, RuleTooFew, "HealthcareService.active"},
	{"device", `"status":"active",`, ``, RuleTooFew, "Device.status"},

	{"practitioner", `"name":[`, `"name":[{"family":"B"},`, RuleTooMany, "Practitioner.name"},
	{"practitioner", `["MME"]`, `["MME","M"]`, RuleTooMany, "Practitioner.name[0].prefix"},
	{"practitioner", `{"url":"number","valueString":"1"}`, `{"url":"number","valueString":"1"},{"url":"number","valueString":"2"}`, RuleTooMany, "Practitioner.extension[0].extension"},
	{"role", `"system":"https://rpps.esante.gouv.fr","value":"1"}`, `"system":"https://rpps.esante.gouv.fr"},{"system":"https://rpps.esante.gouv.fr"}`, RuleTooMany, "PractitionerRole.identifier"},
	{"role", `R21-Fonction/FHIR/TRE-R21-Fonction`, `R23-ModeExercice/FHIR/TRE-R23-ModeExercice`, RuleTooMany, "PractitionerRole.code"},
	{"organization", `_line":[{"extension":[`, `_line":[{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/iso21090-ADXP-houseNumber","valueString":"9"},`, RuleTooMany, "Organization.address[0].line[0].extension"},

	{"practitioner", `"active"`, `"gender":"female","active"`, RuleForbidden, "Practitioner.gender"},
	{"practitioner", `"active"`, `"_birthDate":{"extension":[{"url":"a:b","valueCode":"c"}]},"active"`, RuleForbidden, "Practitioner.birthDate"},
	{"practitioner", `"active"`, `"address":[{"city":"X"}],"active"`, RuleForbidden, "Practitioner.address"},
	{"practitioner", `"value":"1"`, `"value":"1","period":{"start":"2026"}`, RuleForbidden, "Practitioner.identifier[0].period"},
	{"practitioner", `{"code":{"coding"`, `{"issuer":{"display":"X"},"code":{"coding"`, RuleForbidden, "Practitioner.qualification[0].issuer"},
	{"practitioner", `{"url":"number","valueString":"1"}`, `{"url":"oppositionDate","valueDateTime":"2026"}`, RuleForbidden, "Practitioner.extension[0].extension"},
	{"practitioner", `{"url":"digitization","valueBoolean":false}`, `{"url":"listeRouge","valueBoolean":false}`, RuleForbidden, "Practitioner.telecom[0].extension[1].extension"},
	{"practitioner", `as-ext-smartcard`, `as-ext-registration`, RuleForbidden, "Practitioner.extension"},
	{"role", `"active"`, `"period":{"start":"2026"},"active"`, RuleForbidden, "PractitionerRole.period"},
	{"organization", `"system":"phone"`, `"period":{"start":"2026"},"system":"phone"`, RuleForbidden, "Organization.telecom[0].period"},
	{"activity", `"active"`, `"eligibility":[{"comment":"a"}],"active"`, RuleForbidden, "HealthcareService.eligibility"},
	{"social", `"active"`, `"identifier":[{"value":"a"}],"active"`, RuleForbidden, "HealthcareService.identifier"},
	{"social", `{"code":{"coding"`, `{"comment":"a","code":{"coding"`, RuleForbidden, "HealthcareService.eligibility[0].comment"},
	{"device", `"status"`, `"lotNumber":"1","status"`, RuleForbidden, "Device.lotNumber"},
	{"reduced", `"name"`, `"birthDate":"2026","name"`, RuleForbidden, "Practitioner.birthDate"},

	{"practitioner", `https://annuaire.sante.fr`, `http://10.0.66.99`, RuleFixed, "Practitioner.meta.source"},
	{"practitioner", `"IDNPS"`, `"ADELI"`, RuleFixed, "Practitioner.identifier[0].type"},
	{"practitioner", `"MSSANTE"`, `"APICRYPT"`, RuleFixed, "Practitioner.telecom[0].extension[0].valueCoding"},
	{"practitioner", `TRE_R257-TypeBAL/FHIR/TRE-R257-TypeBAL`, `TRE_R256-TypeMessagerie/FHIR/TRE-R256-TypeMessagerie`, RuleFixed, "Practitioner.telecom[0].extension[1].extension[0].valueCodeableConcept.coding[0].system"},
	{"organization", `"official"`, `"usual"`, RuleFixed, "Organization.identifier[0].use"},
	{"organization", `"valueCode":"organizationType"`, `"valueCode":"typeEtablissement"`, RuleFixed, "Organization.type[0].extension[0].valueCode"},
	{"device", `TRE_R272-EquipementMaterielLourd/FHIR`, `TRE_R272/FHIR`, RuleFixed, "Device.type.coding[0].system"},
	{"activity", `TRE_R275-ModaliteActivite/FHIR`, `TRE_R275/FHIR`, RuleFixed, "HealthcareService.category[0].coding[0].system"},

	{"practitioner", `"system":"email"`, `"system":"phone"`, RuleClosed, "Practitioner.telecom[0]"},
	{"practitioner", `fr-core-contact-point-email-type`, `fr-core-contact-point-type`, RuleClosed, "Practitioner.telecom[0]"},
	{"practitioner", `"https://mos.esante.gouv.fr/NOS/TRE_G15-ProfessionSante/FHIR/TRE-G15-ProfessionSante"`, `"https://example.org/professions"`, RuleClosed, "Practitioner.qualification[1].code.coding[1]"},

	{"role", `R21-Fonction/FHIR/TRE-R21-Fonction`, `R2-F/FHIR/TRE-R2-F`, RuleUnlisted, "PractitionerRole.code[1]"},
	{"organization", `https://finess.esante.gouv.fr`, `http://finess.sante.gouv.fr`, RuleUnlisted, "Organization.identifier[2]"},
	{"organization", `TRE_R66-CategorieEtablissement/FHIR`, `TRE_R66/FHIR`, RuleUnlisted, "Organization.type[1]"},

	{"practitioner", `as-ext-smartcard`, `as-ext-smartcards`, RuleExtensionURL, "Practitioner.extension[0]"},
	{"practitioner", `"url":"number"`, `"url":"numero"`, RuleExtensionURL, "Practitioner.extension[0].extension[1]"},
	{"organization", `as-ext-data-trace`, `as-ext-smartcard`, RuleExtensionURL, "Organization.meta.extension[0]"},

	{"practitioner", `{"url":"number","valueString":"1"}`, `{"url":"number","valueCode":"1"}`, RuleExtensionValue, "Practitioner.extension[0].extension[1]"},
	{"organization", `"valuePeriod":{"start":"2026"}`, `"valueDate":"2026"`, RuleExtensionValue, "Organization.extension[0]"},
	{"organization", `as-ext-organization-pharmacy-licence","valueString"`, `as-ext-organization-pharmacy-licence","valueMarkdown"`, RuleExtensionValue, "Organization.extension[1]"},
	{"organization", `"extension":[{"url":"systeme-information","valueCode":"FINESS"}]`, `"valueCode":"FINESS"`, RuleExtensionValue, "Organization.meta.extension[0]"},
	{"social", `"valueInteger":4`, `"valueDecimal":4`, RuleExtensionValue, "HealthcareService.extension[0].extension[0]"},
}

func TestPublicResourcesSatisfyTheirProfiles(t *testing.T) {
	t.Parallel()
	for name, text := range public {
		n := parse(t, text)
		for _, issue := range slices.Concat(Validate(n), ValidateProfile(n)) {
			t.Errorf("%s: %v", name, issue)
		}
	}
}

// Each mutant is still sound R4, and told once, alone and in a Bundle.
func TestPublicMutants(t *testing.T) {
	t.Parallel()
	tripped := map[Rule]bool{}
	for _, m := range publicMutants {
		text := strings.Replace(public[m.base], m.old, m.new, 1)
		if text == public[m.base] {
			t.Fatalf("%s: %s is not there", m.base, m.old)
		}
		for _, issue := range Validate(parse(t, text)) {
			t.Errorf("%s with %s: %v", m.base, m.new, issue)
		}
		want := []string{m.path + " " + string(m.rule)}
		if diff := cmp.Diff(want, places(ValidateProfile(parse(t, text)), "")); diff != "" {
			t.Errorf("%s with %s (-want +got):\n%s", m.base, m.new, diff)
		}
		bundle := `{"resourceType":"Bundle","type":"searchset","entry":[{"resource":{"resourceType":"OperationOutcome"}},{"resource":` + text + `}]}`
		typ, _, _ := strings.Cut(m.path, ".")
		if diff := cmp.Diff(want, places(ValidateProfile(parse(t, bundle)), "Bundle.entry[1].resource="+typ)); diff != "" {
			t.Errorf("%s with %s, in a Bundle (-want +got):\n%s", m.base, m.new, diff)
		}
		tripped[m.rule] = true
	}
	for _, rule := range declaredRules(t, "profile.go") {
		if !tripped[rule] {
			t.Errorf("no mutant trips %q", rule)
		}
	}
}

// places lists path and rule of issues; "A=B" replaces the prefix A by B.
func places(issues []Issue, replace string) []string {
	from, to, _ := strings.Cut(replace, "=")
	var list []string
	for _, i := range issues {
		list = append(list, strings.Replace(i.Path, from, to, 1)+" "+string(i.Rule))
	}
	return list
}

func TestLiveBodiesAndExamplesSatisfyTheirProfiles(t *testing.T) {
	t.Parallel()
	checked := 0
	for _, corpus := range []map[string]string{recorded(t), examples(t)} {
		for name, text := range corpus {
			if !strings.Contains(text, "/StructureDefinition/as-dp-") {
				continue // an example of the complete profiles
			}
			checked++
			for _, issue := range ValidateProfile(parse(t, text)) {
				t.Errorf("%s: %v", name, issue)
			}
		}
	}
	if checked < 11 {
		t.Errorf("%d resources checked, there should be 11", checked)
	}
}

// The table against the guide, both ways: TestGuideIsInTheTable finds what
// the table lacks, TestTableIsInTheGuide what it invents.

// leftOut are constraints of the guide that the table does not have, by id.
var leftOut = map[string]string{
	"meta.profile":                 "follows from its slices",
	"meta.profile:as-dp-canonical": "that a profile is named is checked when it is chosen",
	"extension:openReason":         "the guide gives two names to one extension",
	"extension:closureReason":      "the guide gives two names to one extension",
	"telecom.extension:emailType":  "a telecom of e-mail that has it is a mailbox, where it is required",
	"extension:usePeriod.value[x]": "stated as the type of the value",
}

func TestGuideIsInTheTable(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for id, snapshot := range guide(t) {
		root := profiles().profiles[ansBase+id]
		if root == nil {
			if strings.HasPrefix(id, "as-dp-") {
				t.Errorf("the guide has %s, the table has not", id)
			}
			continue
		}
		for path, e := range snapshot {
			if !e.constrains() || prohibitedAbove(root, path) {
				continue
			}
			problem := compare(root, path, e)
			switch {
			case problem == "" || explained(root, path, e):
			case leftOut[path] != "":
				used[path] = true
			default:
				t.Errorf("%s: %s: %s", id, path, problem)
			}
		}
	}
	for path := range leftOut {
		if !used[path] {
			t.Errorf("%s is not left out any more", path)
		}
	}
}

// constrains reports whether a profile says more of an element than R4.
func (e guideElement) constrains() bool {
	last := e.ID[strings.LastIndexByte(e.ID, '.')+1:]
	switch {
	case last == "url", last == "extension", !strings.Contains(e.ID, "."):
		return false // part of what an extension is
	case strings.HasSuffix(e.ID, ".value[x]") && e.Max == "0":
		return false // every complex extension is without a value
	}
	return strings.Contains(last, ":") || e.Min != e.Base.Min || e.Max != e.Base.Max || e.pattern() != "" ||
		e.Slicing != nil && e.Slicing.Rules == "closed"
}

// pattern is the fixed value: a text, or system#code.
func (e guideElement) pattern() string {
	switch {
	case e.PatternCoding != nil:
		return e.PatternCoding.System + "#" + e.PatternCoding.Code
	case e.PatternConcept != nil:
		return e.PatternConcept.Coding[0].System + "#" + e.PatternConcept.Coding[0].Code
	}
	version, _, _ := strings.Cut(e.PatternURI+e.PatternCode+e.PatternCanonical, "|")
	return version
}

func prohibitedAbove(root *constraint, path string) bool {
	for i := range path {
		if path[i] != '.' && path[i] != ':' {
			continue
		}
		if c := find(root, path[:i]); c != nil && c.max == 0 {
			return true
		}
	}
	return false
}

func compare(root *constraint, path string, e guideElement) string {
	c := find(root, path)
	if c == nil {
		return "missing"
	}
	least := 0
	for _, s := range c.slices {
		least += s.min
	}
	high := "*"
	if c.max != many {
		high = fmt.Sprint(c.max)
	}
	if low := fmt.Sprint(c.min, "..", high); low != fmt.Sprint(e.Min, "..", e.Max) && !(c.min == 0 && least >= e.Min && high == e.Max) {
		return "the guide says " + e.cardinality()
	}
	if p := e.pattern(); p != "" && !slices.Contains(c.values, p) && c.system+"#"+c.code != p &&
		!slices.ContainsFunc(c.conditions, func(cond condition) bool { return slices.Contains(cond.values, p) }) {
		return "the guide wants " + p
	}
	// The lists of diplomas are not all known: the coding of a degree stays open.
	if e.Slicing != nil && e.Slicing.Rules == "closed" && !c.closed && path != "qualification:degree.code.coding" {
		return "the guide closes the slicing"
	}
	return ""
}

func explained(root *constraint, path string, e guideElement) bool {
	parent := find(root, path[:max(strings.LastIndexByte(path, '.'), 0)])
	if parent != nil && slices.ContainsFunc(parent.conditions, func(c condition) bool {
		return e.pattern() != "" && slices.Contains(c.values, e.pattern())
	}) {
		return true // a slice's condition says it
	}
	// What is said of every item is said of those of a slice.
	if slice := strings.LastIndexByte(path, ':'); slice > 0 && strings.Contains(path[slice:], ".") {
		all := path[:slice] + path[slice+strings.IndexByte(path[slice:], '.'):]
		if c := find(root, all); c != nil && fmt.Sprint(c.min, "..", c.max) == e.cardinality() {
			return true
		}
	}
	return false
}

// find returns the constraint at an id, nil when there is none.
func find(c *constraint, id string) *constraint {
	for part := range strings.SplitSeq(id, ".") {
		name, slice, sliced := strings.Cut(part, ":")
		if c = named(c.elements, name); c != nil && sliced {
			c = named(c.slices, slice)
		}
		if c == nil {
			return nil
		}
	}
	return c
}

func named(list []*constraint, name string) *constraint {
	for _, c := range list {
		if c.name == name || name == "value[x]" && strings.HasPrefix(c.name, "value") {
			return c
		}
	}
	return nil
}

func TestTableIsInTheGuide(t *testing.T) {
	t.Parallel()
	all := guide(t)
	var snapshot map[string]guideElement
	var block string
	for line := range strings.Lines(dp) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || words[0] == "#" || words[0] == "alias":
			continue
		case words[0] == "profile" || words[0] == "extension":
			block = words[1]
			if snapshot = all[block]; snapshot == nil {
				t.Fatalf("the guide has no %s", block)
			}
			sameValue(t, block, "value[x]", words, snapshot)
			continue
		case slices.Contains(words, "live"):
			if _, ok := snapshot[words[0]]; ok {
				t.Errorf("%s: %s is marked live and is in the guide", block, words[0])
			}
			continue
		}
		id := words[0]
		e, ok := snapshot[id]
		if rest, inAddress := strings.CutPrefix(id, "address."); inAddress {
			e, ok = all["as-address-extended"][rest]
		}
		switch {
		case strings.HasSuffix(id, ".coding.system") && strings.HasPrefix(words[len(words)-1], "="):
			continue // follows from the value set bound to it (the lists of the NOS)
		case strings.HasSuffix(id, ".valueCode") || strings.HasSuffix(id, ".valueCoding"):
			continue // compared by TestGuideIsInTheTable
		case !ok:
			t.Errorf("%s: %s is not in the guide", block, id)
		case words[1] != e.cardinality():
			t.Errorf("%s: %s is %s, in the guide %s", block, id, words[1], e.cardinality())
		}
		sameValue(t, block, id+".value[x]", words, snapshot)
	}
}

// sameValue compares the type of an extension's value.
func sameValue(t *testing.T, block, id string, words []string, snapshot map[string]guideElement) {
	t.Helper()
	e, ok := snapshot[id]
	if !ok || strings.HasPrefix(block, "as-dp-") {
		return
	}
	want := ""
	if e.Max != "0" {
		want = e.Type[0].Code
	}
	got, _ := strings.CutPrefix(words[len(words)-1], "value=")
	if !strings.HasPrefix(words[len(words)-1], "value=") {
		got = ""
	}
	if got != want {
		t.Errorf("%s: %s is %q, in the guide %q", block, id, got, want)
	}
}

// Every extension of ANS that a profile allows is described.
func TestExtensionsHaveBlocks(t *testing.T) {
	t.Parallel()
	var walk func(where string, c *constraint)
	walk = func(where string, c *constraint) {
		for _, e := range slices.Concat(c.elements, c.slices) {
			walk(where+" "+e.name, e)
		}
		if len(c.conditions) == 0 || c.max == 0 {
			return
		}
		url := c.conditions[0].values[0]
		if _, ok := profiles().extensions[url]; strings.HasPrefix(url, ansBase) && !ok {
			t.Errorf("%s: no block for %s", where, url)
		}
	}
	for url, root := range profiles().profiles {
		walk(url, root)
	}
}

// guideElement is what a snapshot of the guide says of an element.
type guideElement struct {
	ID   string
	Min  int
	Max  string
	Base struct {
		Min int
		Max string
	}
	Slicing          *struct{ Rules string }
	PatternURI       string
	PatternCode      string
	PatternCanonical string
	PatternCoding    *struct{ System, Code string }
	PatternConcept   *struct {
		Coding []struct{ System, Code string }
	} `json:"patternCodeableConcept"`
	Type []struct{ Code string }
}

func (e guideElement) cardinality() string { return fmt.Sprintf("%d..%s", e.Min, e.Max) }

// guide returns the snapshots of the guide: profile, path below the type,
// element.
func guide(t *testing.T) map[string]map[string]guideElement {
	t.Helper()
	all := map[string]map[string]guideElement{}
	for _, text := range packageFiles(t, "package/StructureDefinition-*.json") {
		var def struct {
			ID, Type string
			Snapshot struct{ Element []guideElement }
		}
		if err := json.Unmarshal([]byte(text), &def); err != nil {
			t.Fatal(err)
		}
		all[def.ID] = map[string]guideElement{}
		for _, e := range def.Snapshot.Element {
			all[def.ID][strings.TrimPrefix(strings.TrimPrefix(e.ID, def.Type), ".")] = e
		}
	}
	return all
}
