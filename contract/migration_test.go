package contract_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mockfhir/mockfhir/contract"
	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/mockserver"
)

// bothVersions is one mock for all migrations.
var bothVersions = sync.OnceValue(func() http.Handler {
	return mockserver.New(fixtures.Default(), mockserver.WithKeys("k"), mockserver.WithRate("0"))
})

// migrate sends requests to both versions of a mock.
func migrate(t *testing.T, requests ...contract.Request) *contract.Report {
	t.Helper()
	clock, server := newFakeClock(), bothVersions()
	m := contract.NewMigration(requests)
	var last *contract.Report
	for _, step := range []struct {
		url    string
		checks []contract.Check
	}{{baseOne, m.Before()}, {base, m.After()}} {
		report, err := contract.Run(t.Context(), contract.Target{URL: step.url, Key: "k"}, contract.Options{Checks: step.checks, Client: inProcess{server}, Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		if report.Coverage.Looked != len(requests) {
			t.Fatalf("%s: %+v, %s", step.url, report.Coverage, report.Reason)
		}
		last = report
	}
	return last
}

// Each request is told what changes for it, by where and into what.
func TestMigration(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		request contract.Request
		want    []string // "class path: was -> now", some of the findings
	}{
		{contract.Request{Path: "PractitionerRole?specialty=SM41"}, []string{"breaking PractitionerRole?specialty: PractitionerRole?specialty -> Practitioner?qualification-code", "breaking PractitionerRole?specialty: 200 Bundle -> 500 OperationOutcome"}},
		{contract.Request{Path: "PractitionerRole?family:exact=BERGERE"}, []string{"breaking PractitionerRole?family: PractitionerRole?family -> Practitioner?family"}},
		{contract.Request{Path: "PractitionerRole?role=10"}, []string{"breaking PractitionerRole?role: PractitionerRole?role -> Practitioner?qualification-code", "breaking PractitionerRole?role: Bundle.total: 90 matches -> none"}},
		{contract.Request{Path: "PractitionerRole?role=https://mos.esante.gouv.fr/NOS/TRE_G15-ProfessionSante/FHIR/TRE-G15-ProfessionSante%7C10"}, []string{"breaking PractitionerRole?role: PractitionerRole?role -> Practitioner?qualification-code"}},
		{contract.Request{Path: "Practitioner?identifier=http%3A%2F%2Frpps.fr%7C"}, []string{"breaking Practitioner?identifier: http://rpps.fr -> https://rpps.esante.gouv.fr"}},
		{contract.Request{Path: "Organization?_count=50"}, []string{
			"breaking Organization.extension(MailboxMSS): present -> absent", "additive Organization.extension(as-ext-organization-pricing-model): absent -> present",
			"breaking Organization with the system http://finess.sante.gouv.fr: http://finess.sante.gouv.fr -> https://finess.esante.gouv.fr", "additive Bundle.link(next): _getpages -> _page",
		}},
		{contract.Request{Path: "Practitioner?_count=50"}, []string{"breaking Practitioner.id: ids of version 1 -> ids of version 2", "additive Practitioner.name.family: absent -> present"}},
		{contract.Request{Path: "PractitionerRole?_count=50"}, []string{
			"breaking PractitionerRole.specialty: present -> absent", "breaking PractitionerRole.extension(PractitionerRole-Name): present -> absent", "additive PractitionerRole.identifier: absent -> present",
		}},
		{contract.Request{Path: "PractitionerRole?practitioner=003-40000001"}, []string{"breaking PractitionerRole?practitioner: 003-NNN -> 003-NNN-MMM"}},
		{contract.Request{Path: "Practitioner/003-40000001"}, []string{"breaking Practitioner/<id>: 003-NNN -> 003-NNN-MMM", "breaking Practitioner/<id>: 200 Practitioner -> 404 OperationOutcome"}},
		{contract.Request{Path: "Device?_format=xml"}, []string{"breaking Device?_format: XML -> JSON"}},
		{contract.Request{Path: "Device?number-authorization-arhgos=9"}, []string{"breaking Device?number-authorization-arhgos: Device?number-authorization-arhgos -> Device?identifier"}},
		{contract.Request{Path: "Device?_summary=count"}, []string{"breaking Device?_summary: _summary -> _elements, or _count=0 with _total=accurate"}},
		{contract.Request{Path: "PractitionerRole?identifier=1"}, []string{"additive PractitionerRole?identifier: 500 OperationOutcome -> 200 Bundle"}},
		{contract.Request{Method: http.MethodPost, Path: "PractitionerRole/_search", Form: "specialty=SM41"}, []string{"breaking PractitionerRole?specialty: PractitionerRole?specialty -> Practitioner?qualification-code"}},
	} {
		t.Run(tt.request.Path, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, f := range migrate(t, tt.request).Findings {
				got = append(got, string(f.Class)+" "+f.Path+": "+f.Was+" -> "+f.Now)
			}
			for _, want := range tt.want {
				if !slices.Contains(got, want) {
					t.Errorf("nothing says %q, only\n\t%s", want, strings.Join(got, "\n\t"))
				}
			}
		})
	}
}

// A request that moves as it is breaks nothing.
func TestMigrationOfWhatStays(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"metadata", "Device?_count=0", "Organization?active=true&_count=0", "Organization?name=centre&_count=0&_total=accurate", "HealthcareService?active=false"} {
		if report := migrate(t, contract.Request{Path: path}); report.Verdict != contract.Holds {
			t.Errorf("%s: %+v", path, report.Findings)
		}
	}
}

// What a client asks about somebody stays with the client.
func TestMigrationIsSilentAboutPeople(t *testing.T) {
	t.Parallel()
	report := migrate(t,
		contract.Request{Path: "PractitionerRole?family=CANARYNAME&given=CANARYNAME"},
		contract.Request{Path: "Practitioner?identifier=http%3A%2F%2Frpps.fr%7C19000000018"},
		contract.Request{Method: http.MethodPost, Path: "PractitionerRole/_search", Form: "name=CANARYNAME"},
	)
	text, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"CANARYNAME", "19000000018", "BERGERE", "bergere"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the report tells %s", secret)
		}
	}
	if len(report.Findings) == 0 {
		t.Error("nothing was found: this test shows nothing")
	}
}
