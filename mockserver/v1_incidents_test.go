package mockserver_test

import (
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/rehearse"
	"github.com/mockfhir/mockfhir/mockserver"
	"github.com/mockfhir/mockfhir/mockserver/control"
)

// ofOneAnswer is what two answers to the same question differ in.
var ofOneAnswer = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}|_pageId=[^"&]*|"meta":{"lastUpdated":"[^"]*"`)

// TestIncidentsReachVersionOne: what an incident changes in the FHIR server's words
// it changes in version 1 as well, or its scope says that it does not.
func TestIncidentsReachVersionOne(t *testing.T) {
	t.Parallel()
	s := build(t, fixtures.Default())
	ask := func(target, incident string) string {
		r := inProcess("GET", target, "")
		if incident != "" {
			r.Header.Set(mockserver.IncidentHeader, incident)
		}
		w := answer(s, r)
		return strings.Join(append(ofOneAnswer.Split(w.Body.String(), -1), w.Result().Status), "…")
	}
	next := regexp.MustCompile(`"relation":"next","url":"http://mock\.example([^"]*)"`)
	second := answer(s, inProcess("GET", "/fhir/v1/PractitionerRole?_count=5", "")).Body.String()
	targets := []string{
		"/fhir/v1/Practitioner", "/fhir/v1/PractitionerRole", "/fhir/v1/Organization?_count=150", "/fhir/v1/HealthcareService", "/fhir/v1/Device",
		"/fhir/v1/PractitionerRole?_include=*&_count=1", "/fhir/v1/Device?_lastUpdated=ge2020-01-01", "/fhir/v1/metadata", "/fhir/v1/Organization?_total=accurate&_count=1", next.FindStringSubmatch(second)[1],
	}
	plain := map[string]string{}
	for _, target := range targets {
		if plain[target] = ask(target, ""); plain[target] != ask(target, "") {
			t.Fatalf("%s is answered in two ways", target)
		}
	}
	for _, incident := range rehearse.Incidents() {
		answers := incident.Effect.Answer
		incident.Effect.Answer = rehearse.Answer{}
		if !reflect.DeepEqual(incident.Effect, rehearse.Effect{}) || answers.OtherVersion {
			continue // it fails for all versions, or changes /fhir
		}
		reaches := false
		for _, target := range targets {
			reaches = reaches || ask(target, incident.Name) != plain[target]
		}
		if promised := incident.Scope.Version != "v2"; promised != reaches {
			t.Errorf("%s: reaches version 1: %v, of scope %+v", incident.Name, reaches, incident.Scope)
		}
	}
}

// TestVersionOneInIncidents: what changes is what would have if version 2's
// resources were so.
func TestVersionOneInIncidents(t *testing.T) {
	t.Parallel()
	s := build(t, fixtures.Default(), mockserver.WithClock(func() time.Time { return noon }))
	for _, tt := range []struct{ incident, target, says, hides string }{
		{"d48-two-cards", "PractitionerRole?practitioner=003-40000001", `"valueString":"9900000002"`, ""},
		{"d48-two-cards", "PractitionerRole?practitioner=003-40000001&_format=xml", `<valueString value="9900000002"/>`, ""},
		{"2025-09-04-no-telecom", "PractitionerRole?_count=200", `"resourceType":"PractitionerRole"`, `MailboxMSS`},
		{"2026-05-28-stale-active", "PractitionerRole?active=false&_count=1", `"code":[{"coding":[`, `"active":false`},
		{"2024-01-10-new-ids", "Practitioner/003-40000001", "HAPI-0436", ""},
		{"2024-01-10-new-ids", "Practitioner/003-40000001-2", `"id":"003-40000001-2"`, ""},
		{"2024-01-10-new-ids", "Practitioner?_id=003-40000001-2,x", `/fhir/v1/Practitioner/003-40000001-2","resource":{"resourceType":"Practitioner","id":"003-40000001-2"`, ""},
		{"2024-01-10-new-ids", "Practitioner?_id=003-40000001", `"total":0`, ""},
		{"2024-01-10-new-ids", "PractitionerRole?practitioner=Practitioner/003-40000001-2", `"practitioner":{"reference":"Practitioner/003-40000001-2"}`, ""},
		{"2024-01-10-full-reload", "Practitioner/003-40000001", `"lastUpdated":"2026-05-19T22:00:00.000+00:00"`, ""},
		{"2024-01-10-full-reload", "Practitioner?_since=2026-05-20&_count=1", `"total":0`, ""}, // version 1 reads it in UTC
		{"2024-01-10-full-reload", "Device?_lastUpdated=ge2026-05-19&_count=1", `"total":510`, ""},
		{"d37-delta-window", "Device?_lastUpdated=ge2025-01-01", `"total":0`, ""},
		{"d37-delta-window", "Device?_lastUpdated=ge2026-05-01", `"total"`, `"total":0`},
		{"d34-poorer-metadata", "metadata", `"searchParam"`, `"mailbox-mss"`},
		{"demanding", "Device", "&_pageId=%30", `"total"`},
	} {
		got := answer(s, inProcess("GET", "/fhir/v1/"+tt.target, "", mockserver.IncidentHeader, tt.incident)).Body.String()
		if !strings.Contains(got, tt.says) || tt.hides != "" && strings.Contains(got, tt.hides) {
			t.Errorf("%s, %s: %s", tt.incident, tt.target, short(got))
		}
	}
}

// TestPagesOfVersionOneInIncidents: a scope finds the page of a search by the
// path that the search had.
func TestPagesOfVersionOneInIncidents(t *testing.T) {
	t.Parallel()
	s := build(t, fixtures.Default())
	for scope, want := range map[string]int{"": 502, ";path=Device": 502, ";path=Practitioner": 200} {
		next := nextOfVersionOne.FindStringSubmatch(answer(s, inProcess("GET", "/fhir/v1/Device", "")).Body.String())[1]
		next = strings.TrimPrefix(next, "http://mock.example")
		if got := answer(s, inProcess("GET", next, "", mockserver.IncidentHeader, "2023-10-02-next-unusable"+scope)).Code; got != want {
			t.Errorf("with the scope %q: %d", scope, got)
		}
	}
}

var nextOfVersionOne = regexp.MustCompile(`"relation":"next","url":"([^"]*)"`)

// TestPagesOfVersionOneStayInTheirSession: a page of what a session has put is
// gone for every other; one of the directory as it was loaded is the same in all.
func TestPagesOfVersionOneStayInTheirSession(t *testing.T) {
	t.Parallel()
	server := build(t, directory("Organization/o1", "Organization/o2", "Organization/o3"))
	mock := control.In(server)
	a, b := must(mock.NewSession(t.Context(), "a"))(t), must(mock.NewSession(t.Context(), "b"))(t)
	page := func(s *control.Session) string {
		_, body := fetch(t, s.HTTP(), strings.TrimSuffix(mock.BaseURL(), "/v2")+"/v1/Organization?_count=2", "k")
		return nextOfVersionOne.FindStringSubmatch(body)[1]
	}
	if status, body := fetch(t, b.HTTP(), page(a), "k"); status != 200 || !strings.Contains(body, "o3") {
		t.Errorf("a page of what all have is answered with %d %s", status, body)
	}
	for _, id := range []string{"o4", "o5"} {
		mustDo(t, a.Put(t.Context(), `{"resourceType":"Organization","id":"`+id+`"}`))
	}
	mustDo(t, b.Put(t.Context(), `{"resourceType":"Organization","id":"o6"}`)) // another revision 1
	page(b)
	if status, body := fetch(t, b.HTTP(), page(a), "k"); status != 410 {
		t.Errorf("a page of another session is answered with %d %s", status, body)
	}
	if status, _ := fetch(t, a.HTTP(), page(a), "k"); status != 200 {
		t.Errorf("its own page is answered with %d", status)
	}
	before := page(b)
	mustDo(t, b.Reset(t.Context()))
	if status, body := fetch(t, b.HTTP(), before, "k"); status != 410 {
		t.Errorf("a page from before a reset is answered with %d %s", status, body)
	}
	if status, body := fetch(t, b.HTTP(), page(b), "k"); status != 200 || !strings.Contains(body, "o3") {
		t.Errorf("a page since is answered with %d %s", status, body)
	}
}

// TestVersionOneSaysWhy: the journal says of version 1 what it says of version 2.
func TestVersionOneSaysWhy(t *testing.T) {
	t.Parallel()
	s := build(t, directory("Organization/o1"))
	for target, want := range map[string]string{
		"Organization": "a search of Organization: 1 matches on this page, 1 in all", "Organization/o1": "a read",
		"Organization/o2": "refused: ", "Organization?foo=bar": "refused: ", "metadata": "the table of search parameters",
	} {
		answer(s, inProcess("GET", "/fhir/v1/"+target, ""))
		journal := must(control.In(s).Default().Journal(t.Context(), control.Filter{}))(t)
		if why := journal[len(journal)-1].Why; !strings.HasPrefix(why, want) {
			t.Errorf("%s: %s", target, why)
		}
	}
}

// TestEndOfVersionOneInXML: who reads XML is told in XML.
func TestEndOfVersionOneInXML(t *testing.T) {
	t.Parallel()
	s := build(t, directory("Organization/o1"))
	for target, xml := range map[string]bool{
		"/fhir/v1/metadata?_format=xml": true, "POST /fhir/v1/Organization/_search?_format=xml": true, "/fhir/v1/metadata": false, "/fhir/v1/metadata?_format=json": false, "/fhir/v2/metadata?_format=xml": false,
	} {
		method, target, body := "GET", target, ""
		if rest, found := strings.CutPrefix(target, "POST "); found {
			method, target, body = "POST", rest, "name=a"
		}
		w := answer(s, inProcess(method, target, body, mockserver.IncidentHeader, "server-error", "Content-Type", "application/x-www-form-urlencoded"))
		if got := strings.HasPrefix(w.Body.String(), `<OperationOutcome xmlns="http://hl7.org/fhir">`); w.Code != 500 || got != xml || strings.Contains(w.Header().Get("Content-Type"), "xml") != xml {
			t.Errorf("%s: %d %s %s", target, w.Code, w.Header().Get("Content-Type"), w.Body)
		}
	}
}
