// Package docs writes docs/directory.md, the page on which people choose their
// test people, from the tables that package synth makes the directory of. It
// is a package of tests alone: go test ./internal/docs -update.
package docs

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/internal/synth"
	"github.com/mockfhir/mockfhir/mockserver"
)

var update = flag.Bool("update", false, "write docs/directory.md")

const page = "../../docs/directory.md"

func TestDirectoryPage(t *testing.T) {
	t.Parallel()
	want := directory()
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/directory.md is not what the tables say; run go test ./internal/docs -update")
	}
}

// What the page names is there, and what it says to ask finds it.
func TestThePageIsTrue(t *testing.T) {
	t.Parallel()
	server := mockserver.New(fixtures.Default(), mockserver.WithAnyKey(), mockserver.WithRate("0"))
	ask := func(request string) (int, string) {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/fhir/v2/"+strings.ReplaceAll(request, "|", "%7C"), nil)
		r.Header.Set("ESANTE-API-KEY", "k")
		server.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	finds := func(request, id string) {
		t.Helper()
		status, body := ask(request)
		if status != http.StatusOK || !strings.Contains(body, `"`+id+`"`) {
			t.Errorf("%s does not find %s: %d", request, id, status)
		}
	}
	personas, probes, oddities := synth.Personas(), synth.Probes(), synth.Oddities()
	if len(personas) == 0 || len(probes) == 0 || len(oddities) == 0 {
		t.Fatal("the page is empty")
	}
	for _, p := range personas {
		finds("Practitioner?identifier="+p.RPPS, p.ID)
		for _, id := range p.Roles {
			finds("PractitionerRole?practitioner="+p.ID+"&_count=200", id)
		}
		for _, id := range p.Organizations {
			finds("Organization/"+id, id)
		}
	}
	for _, o := range oddities {
		finds(o.Type+"/"+o.ID, o.ID)
	}
	for _, p := range probes {
		finds(p.Request, p.ID)
	}
	all := census(fixtures.Default())
	for request, codes := range map[string]tally{
		"Practitioner?active=true&qualification-code=" + professions + "|": all.professions,
		"Practitioner?active=true&qualification-code=" + specialties + "|": all.specialties,
		"Organization?active=true&type=" + sectors + "|":                   all.sectors,
		"Organization?active=true&address-postalcode=":                     all.departements,
	} {
		if len(codes) == 0 {
			t.Errorf("%s is counted nowhere", request)
		}
		for code, found := range codes {
			status, body := ask(request + code)
			if status != http.StatusOK || !strings.Contains(body, fmt.Sprintf(`"total":%d,`, found)) {
				t.Errorf("%s%s finds another number than %d: %.120s", request, code, found, body)
			}
		}
	}
}

// The code systems people search by.
const (
	nos         = "https://mos.esante.gouv.fr/NOS/"
	professions = nos + "TRE_G15-ProfessionSante/FHIR/TRE-G15-ProfessionSante"
	specialties = nos + "TRE_R38-SpecialiteOrdinale/FHIR/TRE-R38-SpecialiteOrdinale"
	sectors     = nos + "TRE_R02-SecteurActivite/FHIR/TRE-R02-SecteurActivite"
)

func directory() string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }

	say("# Who is in the directory\n")
	say("This page is generated from the tables in `internal/synth`; edit those. Nobody on it exists: the identifiers come from")
	say("ranges that no register uses, the names from lists of ours.\n")
	say("`mockfhir` moves all dates by the same number of days, so that the newest resource is of today and the others keep their")
	say("distance; `-now real` leaves them as they are in the files.\n")
	say("## Personas\n")
	say("People your tests may rely on: key, name, ids and situation stay as they are from one version to the next. Look one up by")
	say("RPPS number, `Practitioner?identifier=%s`; the IDNPS is 8 and the RPPS number.\n", synth.Personas()[0].RPPS)
	say("| persona | name | what a test can show | RPPS | Practitioner | PractitionerRole | Organization |")
	say("|---|---|---|---|---|---|---|")
	for _, p := range synth.Personas() {
		say("| `%s` | %s | %s | `%s` | `%s` | %s | %s |", p.Key, cmp.Or(p.Name, "–"), p.For, p.RPPS, p.ID, codes(p.Roles), codes(p.Organizations))
	}

	say("\n## Awkward resources\n")
	say("What a client must survive, because the live service has it.\n")
	say("| resource | what is awkward | seen in |")
	say("|---|---|---|")
	for _, o := range synth.Oddities() {
		say("| `%s/%s` | %s | %s |", o.Type, o.ID, cell(o.What), o.Source)
	}

	say("\n## Guide probes\n")
	say("ANS's guide prints requests with identifiers and names of its own. So that they find something here, these invented")
	say("resources carry the printed value and nothing else that is printed. They alone are outside the ranges below.\n")
	say("| printed in the guide | the request | finds |")
	say("|---|---|---|")
	for _, p := range synth.Probes() {
		say("| %s | `%s` | `%s/%s` |", cell(p.Printed), cell(p.Request), p.Type, p.ID)
	}

	say("\n## What else there is\n")
	say("| type | resources | inactive |")
	say("|---|---|---|")
	all := census(fixtures.Default())
	for _, typ := range synth.Types {
		say("| %s | %d | %d |", typ, all.total[typ], all.inactive[typ])
	}
	say("\nHow many of the active ones each code finds. Some codes are in several systems: `qualification-code=SYSTEM|80` finds a")
	say("profession, `qualification-code=80` whatever has that code.\n")
	say("| search | system | code × found |")
	say("|---|---|---|")
	say("| `Practitioner?qualification-code=` | professions, `%s` | %s |", professions, all.professions)
	say("| `Practitioner?qualification-code=` | specialties, `%s` | %s |", specialties, all.specialties)
	say("| `Organization?type=` | sectors, `%s` | %s |", sectors, all.sectors)
	say("| `Organization?address-postalcode=` | begins with the département | %s |", all.departements)

	say("\n## Ranges of identifiers\n")
	say("Check digits are valid: a client that verifies them accepts every one.\n")
	say("| identifier | looks like | values | check digit | why no real one looks so |")
	say("|---|---|---|---|---|")
	for _, r := range synth.Ranges {
		say("| %s | %s, as `%s` | %d | %s | %s |", r.Kind, cell(r.Pattern), r.Value(synth.Handmade), r.Size, cmp.Or(r.Check, "–"), cell(r.Why))
	}
	say("\nPhone numbers begin with %s:", codes(synth.PhoneBlocks[:]))
	say("the blocks that ARCEP keeps for works of fiction. Mailboxes and e-mails end in `%s`, which RFC 2606 keeps for", synth.ReservedDomain)
	say("examples; one guide probe ends in `apycript.org`, as the guide's request does.")
	return b.String()
}

// cell keeps a bar from ending its cell of a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

func codes(values []string) string {
	if len(values) == 0 {
		return "–"
	}
	return "`" + strings.Join(values, "`, `") + "`"
}

// tally counts by code.
type tally map[string]int

func (t tally) String() string {
	var parts []string
	for _, code := range slices.Sorted(maps.Keys(t)) {
		parts = append(parts, fmt.Sprintf("%s × %d", code, t[code]))
	}
	return strings.Join(parts, ", ")
}

type counts struct {
	total, inactive                                 tally
	professions, specialties, sectors, departements tally
}

func census(set *fixtures.Set) counts {
	c := counts{tally{}, tally{}, tally{}, tally{}, tally{}, tally{}}
	for _, r := range set.Resources {
		n, err := fhir.ParseString(r.JSON)
		if err != nil {
			panic(err) // the embedded set is JSON
		}
		c.total[r.Type]++
		if n.Get("active").Raw() == "false" || n.Get("status").Str() == "inactive" {
			c.inactive[r.Type]++
			continue
		}
		switch r.Type {
		case "Practitioner":
			n.Get("qualification").Each(func(q *fhir.Node) {
				c.professions.add(q.Get("code"), professions)
				c.specialties.add(q.Get("code"), specialties)
			})
		case "Organization":
			n.Get("type").Each(func(concept *fhir.Node) { c.sectors.add(concept, sectors) })
			if postcode := n.Path("address", "postalCode").Str(); len(postcode) == 5 {
				c.departements[postcode[:2]]++
			}
		}
	}
	return c
}

// add counts the codes of a concept that come from one code system.
func (t tally) add(concept *fhir.Node, system string) {
	concept.Get("coding").Each(func(coding *fhir.Node) {
		if coding.Get("system").Str() == system {
			t[coding.Get("code").Str()]++
		}
	})
}
