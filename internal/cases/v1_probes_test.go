package cases

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mockfhir/mockfhir/fixtures"
)

// withProbes is the embedded directory and, in version 2's model, somebody for
// each value that only version 1's pages print: invented people and places
// that carry the value and nothing else that is printed. With them every
// request of version 1 finds something.
func withProbes(t testing.TB) *fixtures.Set {
	t.Helper()
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	const meta = `"meta":{"versionId":"1","lastUpdated":%q,"source":"https://annuaire.sante.fr"},"language":"fr"`
	const now = "2025-09-01T10:00:00.000+02:00"
	const nos = "https://mos.esante.gouv.fr/NOS/TRE_"
	coding := func(list, code string) string {
		return fmt.Sprintf(`{"system":"%s%s/FHIR/TRE-%s","code":%q}`, nos, list, list, code)
	}
	place := func(id, system, number, name, typ string) {
		add(`{"resourceType":"Organization","id":%q,`+meta+`,"identifier":[{"use":"official","system":%q,"value":%q}],"active":true,"type":[{"coding":[%s]}],"name":%q}`,
			id, now, system, number, typ, name)
	}
	clinic := coding("R02-SecteurActivite", "SA04")
	finess := "https://finess.esante.gouv.fr"
	for i, number := range []string{"060016219", "030782866", "010000602", "010000628", "010000735", "010780914"} {
		place(fmt.Sprintf("001-01-4990000%d", i), finess, number, "CLINIQUE DU TEST "+string(rune('A'+i)), clinic)
	}
	for i, id := range []string{"001-01-519022", "001-01-147", "001-01-1102727", "001-01-1267408"} {
		place(id, finess, fmt.Sprintf("96999990%d", i), "CLINIQUE DE L'ESSAI "+string(rune('A'+i)), clinic)
	}
	place("001-02-49900010", finess, "010000347", "GROUPE DU TEST", coding("R72-FinessStatutJuridique", "14"))
	add(`{"resourceType":"Organization","id":"001-01-49900011",`+meta+`,"active":true,"name":"SITE DU TEST","partOf":{"reference":"Organization/001-02-49900010"}}`, now)
	place("001-01-49900012", "urn:oid:1.2.250.1.71.4.2.2", "01604103000", "SOCIETE DU TEST", coding("R75-InseeNAFrev2Niveau5", "82.19Z"))
	place("001-01-49900013", finess, "969999913", "Gautier EURL", clinic)
	place("001-01-49900014", finess, "969999914", "Renardet et filles", clinic)

	exercise := func(category, profession, specialty string) string {
		q := fmt.Sprintf(`{"code":{"coding":[%s,%s]}}`, coding("R09-CategorieProfessionnelle", category), coding("G15-ProfessionSante", profession))
		if specialty != "" {
			q += fmt.Sprintf(`,{"code":{"coding":[%s,%s]}}`, coding("R04-TypeSavoirFaire", "S"), coding("R38-SpecialiteOrdinale", specialty))
		}
		return q
	}
	people := 0
	person := func(id, number, family, given, qualification, structure string) {
		people++
		add(`{"resourceType":"Practitioner","id":%q,`+meta+`,"identifier":[{"use":"official","system":"https://rpps.esante.gouv.fr","value":%q}],"active":true,`+
			`"name":[{"family":%q,"given":[%q],"prefix":["MME"]}],"qualification":[%s]}`, id, now, number, family, given, qualification)
		add(`{"resourceType":"PractitionerRole","id":"005-499%05d-1",`+meta+`,"active":true,"practitioner":{"reference":"Practitioner/%s"},"organization":{"reference":"Organization/%s"},"code":[{"coding":[%s]}]}`,
			people, now, id, structure, coding("R22-GenreActivite", "GENR01"))
	}
	doctor := exercise("C", "10", "")
	person("003-131111-1", "19999900001", "TEST", "UNE", doctor, "001-01-147")
	person("003-131112-1", "19999900002", "TEST", "DEUX", doctor, "001-01-1102727")
	person("003-138020-1", "19999900003", "TEST", "TROIS", doctor, "001-01-1267408")
	person("003-49900004-1", "10000001111", "TEST", "QUATRE", doctor, "001-01-147")
	person("003-49900005-1", "10000001112", "TEST", "CINQ", doctor, "001-01-147")
	person("003-49900006-1", "349101808", "TEST", "SIX", doctor, "001-01-147")
	person("003-49900007-1", "19999900007", "TEST", "SEPT", exercise("E", "40", ""), "001-01-147")
	person("003-49900008-1", "19999900008", "ROBERT", "CHRISTIANNE", doctor, "001-01-147")
	for i := range 12 {
		person(fmt.Sprintf("003-4990010%d-1", i), fmt.Sprintf("199999001%02d", i), "TEST", "HUIT", exercise("C", "10", "SM02"), "001-01-147")
	}
	for i, updated := range []string{"2021-06-01T10:00:00.000+02:00", "2022-06-01T10:00:00.000+02:00"} {
		add(`{"resourceType":"Device","id":"002-4990000%d",`+meta+`,"identifier":[{"system":"https://arhgos.ars.sante.fr","value":"00-00-4990000%d"}],"status":"active"}`, i, updated, i)
	}
	set, err := fixtures.Merge(fixtures.Default(), load(t, "probes", strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return set
}
