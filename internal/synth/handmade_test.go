package synth

import (
	"strings"
	"testing"

	"github.com/mockfhir/mockfhir/internal/fhir"
)

// Personas are promises: keys, names and ids must not change once released.
func TestPersonasAreStable(t *testing.T) {
	t.Parallel()
	var got []string
	for _, p := range Personas() {
		if p.For == "" {
			t.Errorf("%s: not said what for", p.Key)
		}
		got = append(got, strings.Join([]string{p.Key, p.Name, p.RPPS, p.ID}, " · "))
	}
	want := []string{
		"two-sites · BERGERE HELENE · 19000000018 · 003-40000001-40112648",
		"homonym-nurse · LIBELLULE CLAIRE · 19000000026 · 003-40000002-40120567",
		"homonym-doctor · LIBELLULE CLAIRE · 19000000034 · 003-40000003-40128486",
		"no-mailbox · CHARDON YVES · 19000000042 · 003-40000004-40136405",
		"left-last-week · MARELLE NOEMIE · 19000000059 · 003-40000005-40144324",
		"newly-registered · CORMORAN BASILE · 19000000067 · 003-40000006-40152243",
		"inactive ·  · 19000000075 · 003-40000007-40160162",
		"two-cards · CASTOR GAEL · 19000000083 · 003-40000008-40168081",
		"pharmacy-owner · VERGER JUDITH · 19000000091 · 003-40000009-40176000",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the personas are\n%s\nand were\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestPersonasAreWhatTheyStandFor(t *testing.T) {
	t.Parallel()
	known := map[string]*fhir.Node{}
	for _, e := range entries(t, embedded(t)) {
		known[e.key] = e.body
	}
	people := map[string]*fhir.Node{}
	for _, p := range Personas() {
		people[p.Key] = known["Practitioner/"+p.ID]
		for _, id := range p.Roles {
			if a := known["PractitionerRole/"+id]; a.Get("practitioner").Get("reference").Str() != "Practitioner/"+p.ID {
				t.Errorf("%s: role %s is somebody else's", p.Key, id)
			}
		}
		for _, id := range p.Organizations {
			if known["Organization/"+id] == nil {
				t.Errorf("%s: no Organization %s", p.Key, id)
			}
		}
	}
	newestDay := "2026-06-30"
	for _, c := range []struct {
		what string
		ok   bool
	}{
		{"two sites", len(Personas()[0].Organizations) == 2},
		{"homonyms share a name", people["homonym-nurse"].Get("name").Item(0).Get("text").Str() == people["homonym-doctor"].Get("name").Item(0).Get("text").Str()},
		{"homonyms differ in profession", people["homonym-nurse"].Get("qualification").Raw() != people["homonym-doctor"].Get("qualification").Raw()},
		{"no mailbox", people["no-mailbox"].Get("telecom") == nil && known["PractitionerRole/"+Personas()[3].Roles[0]].Get("telecom") == nil},
		{"left last week", known["PractitionerRole/"+Personas()[4].Roles[0]].Get("active").Raw() == "false" && people["left-last-week"].Get("active").Raw() == "true"},
		{"newly registered", strings.HasPrefix(people["newly-registered"].Get("meta").Get("lastUpdated").Str(), newestDay) && people["newly-registered"].Get("meta").Get("versionId").Str() == "1"},
		{"inactive", people["inactive"].Get("active").Raw() == "false" && people["inactive"].Get("name") == nil},
		{"two cards", people["two-cards"].Get("extension").Len() == 2},
	} {
		if !c.ok {
			t.Errorf("not so: %s", c.what)
		}
	}
}

func TestOdditiesAreThere(t *testing.T) {
	t.Parallel()
	known := map[string]string{}
	for _, e := range entries(t, embedded(t)) {
		known[e.key] = e.line
	}
	text := ""
	for _, o := range Oddities() {
		line := known[o.Type+"/"+o.ID]
		if line == "" || o.What == "" || o.Source == "" {
			t.Errorf("%s/%s: missing, or not said why", o.Type, o.ID)
		}
		text += line + "\n"
	}
	for _, want := range []string{`"line":[null],"_line":[{`, `"city":"06500 MENTON","postalCode":"06500"`, "CŒUR", "Lætitia-Cœur", "’"} {
		if !strings.Contains(text, want) {
			t.Errorf("no oddity has %s", want)
		}
	}
}
