package redact

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/synth"
)

// An address of somebody's host stays nowhere: not in a message, a text, a
// search, a path or a statement.
func TestAddressesOfOtherHostsAreReplaced(t *testing.T) {
	t.Parallel()
	outcome := func(text string) string {
		return `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"exception","diagnostics":"` + text + `"}]}`
	}
	for name, raw := range map[string]Raw{
		"a call inside":     {ResponseBody: []byte(outcome("Failed to call http://es-qanari.local:9200/praticiens/QANARI-MARIE for this request"))},
		"who may enter":     {ResponseBody: []byte(outcome("Invalid value https://qanari:qanaripass@intranet/QANARI"))},
		"in capitals":       {ResponseBody: []byte(outcome("Invalid value HTTPS://QANARI.FR/QANARI?x=qanari#qanari"))},
		"no path":           {ResponseBody: []byte(outcome("see https://qanari.fr?x=qanari"))},
		"a publisher's":     {ResponseBody: []byte(outcome("see https://interop.esante.gouv.fr/QANARI and https://qanari.esante.gouv.fr/ig"))},
		"a publisher's key": {ResponseBody: []byte(outcome("see https://qanari:qanari@interop.esante.gouv.fr/ig/fhir"))},
		"a plain text":      {ResponseBody: []byte("service unavailable http://srv-qanari.local:8080/admin/X"), ResponseHeader: http.Header{"Content-Type": {"text/plain"}}},
		"a statement":       {ResponseBody: []byte(`{"resourceType":"CapabilityStatement","software":{"name":"x https://qanari.fr/QANARI y"},"implementation":{"url":"http://srv.qanari/api"}}`)},
		"a system":          {Target: "/fhir/v2/PractitionerRole?role=https%3A%2F%2Fqanari.fr%2FQANARI%7CX1"},
		"an identifier's":   {Target: "/fhir/v2/Practitioner?identifier=https://qanari.fr/QANARI%7C12"},
		"a nomenclature":    {Target: "/fhir/v2/Practitioner?qualification-code=https://mos.esante.gouv.fr/NOS/QANARI/FHIR/X%7C12"},
		"a reference":       {Target: "/fhir/v2/PractitionerRole?practitioner=https://qanari.fr/QANARI"},
		"a parameter":       {Target: "/fhir/v2/Practitioner?callback=https%3A%2F%2Fqanari.fr%2FQANARI"},
		"a path":            {Target: "/fhir/v2/https%3A%2F%2Fqanari.fr%2FQANARI"},
		"a profile":         {ResponseBody: []byte(`{"resourceType":"Device","meta":{"profile":["https://interop.esante.gouv.fr/QANARI"]},"status":"active"}`)},
		"an extension":      {ResponseBody: []byte(`{"resourceType":"Device","extension":[{"url":"https://interop.esante.gouv.fr/QANARI","valueCode":"A"}],"status":"active"}`)},
	} {
		r := newRedactor(t, testSecret)
		x := r.exchange(raw)
		kept := Unescape(x.Request.Target) + "\n" + string(x.Response.Body)
		if strings.Contains(strings.ToLower(kept), "qanari") {
			t.Errorf("%s is kept as %s", name, kept)
		}
		if err := r.scan(map[string][]byte{"x.txtar": []byte(kept)}, nil); err != nil {
			t.Errorf("%s becomes %s: %v", name, kept, err)
		}
	}
	r := newRedactor(t, testSecret)
	if got := r.message("GET https://gateway.example/fhir/v2/Device and https://other.fr/fhir/v2/Device"); got != "GET ${origin}/fhir/v2/Device and ${origin}/fhir/v2/Device" {
		t.Errorf("the service's links become %q", got)
	}
}

// What the embedded directory and its table refer to is published, or a
// recording would lose it.
func TestPublishedAddressesAreKept(t *testing.T) {
	t.Parallel()
	r := newRedactor(t, testSecret)
	address := regexp.MustCompile(`https?://[^"' ]+`)
	seen := map[string]bool{}
	for _, resource := range fixtures.Default().Resources {
		for _, found := range address.FindAllString(resource.JSON, -1) {
			seen[found] = true
		}
	}
	for system := range synth.CodeSystems() {
		seen[system] = true
	}
	for _, known := range []string{
		"https://annuaire.sante.gouv.fr/fhir/StructureDefinition/AS-Device", "http://interopsante.org/CodeSystem/v2-0203", "http://hl7.org/fhir/SearchParameter/individual-family",
		"https://interop.esante.gouv.fr/ig/fhir/annuaire/SearchParameter/as-sp-mailbox-mss", "https://smt.esante.gouv.fr/fhir/CodeSystem/tre-r394-competence-metier",
	} {
		seen[known] = true
	}
	for found := range seen {
		if !r.isCanonical(found) {
			t.Errorf("%s is not kept", found)
		}
	}
	if len(seen) < 100 {
		t.Errorf("%d addresses: too few to tell anything", len(seen))
	}
}

// A number is one, whatever stands between its digits.
func TestNumbersInGroupsAreReplaced(t *testing.T) {
	t.Parallel()
	r := newRedactor(t, testSecret)
	phone := r.phoneNumber("0144556677")
	for _, text := range []string{
		"01 44 55 66 77", "01\u00a044\u00a055\u00a066\u00a077", "01\u202f44\u202f55\u202f66\u202f77", "01/44/55/66/77", "01_44_55_66_77", "01:44:55:66:77", "01.44.55.66.77", "01-44-55-66-77",
		"(01) 44 55 66 77", "01 - 44 - 55 - 66 - 77", "+33 1 44 55 66 77", "+33 (0)1 44 55 66 77", "+33144556677", "0033144556677", "0144556677", "01+44+55+66+77", "0144 556677", "01445 56677",
	} {
		got := r.message("call " + text + " now")
		digits := onlyDigits(got)
		if digits = strings.TrimPrefix(strings.TrimPrefix(digits, "00"), "33"); !strings.HasSuffix(digits, phone[1:]) {
			t.Errorf("%q becomes %q; the phone is %s", text, got, phone)
		}
		if err := r.scan(map[string][]byte{"x": []byte(got)}, nil); err != nil {
			t.Errorf("%q becomes %q: %v", text, got, err)
		}
	}
	rpps := r.rpps("10001234567")
	for _, text := range []string{"10\u202f001\u202f234\u202f567", "1000 1234 567", "10.001.234.567", "10001234567"} {
		if got := r.message("id " + text + " bad"); squeeze(got) != "ID"+rpps+"BAD" {
			t.Errorf("%q becomes %q; the RPPS is %s", text, got, rpps)
		}
	}
	for _, text := range []string{"né 12/03/1971", "né 12 03 71", "n° 1203-93-178571", "n° 1 71 03 75 116 001 23", "\uff10\uff11\uff14\uff14\uff15\uff15\uff16\uff16"} {
		if got := r.message(text); strings.Contains(got, "03") && strings.Contains(got, "71") || strings.Contains(got, "\uff14") {
			t.Errorf("%q becomes %q", text, got)
		}
	}
	for _, text := range []string{"version 6.4.1", "429", "line 12, limit 200", "on 2026-01-02."} {
		if got := onlyDigits(r.message(text)); got != onlyDigits(text) {
			t.Errorf("%q becomes %q", text, r.message(text))
		}
	}
}

// A search follows the resource, and an answer that quotes a value its request.
func TestOneValueHasOnePseudonym(t *testing.T) {
	t.Parallel()
	r := newRedactor(t, testSecret)
	phone := r.phoneNumber("01 44 55 66 77")
	for value, want := range map[string]string{
		"01+44+55+66+77": phone, "01%2044%2055%2066%2077": phone, "0144556677": onlyDigits(phone), "01.44.55.66.77": strings.ReplaceAll(phone, " ", "."),
		"%2B33144556677": "+33" + onlyDigits(phone)[1:], "01%C2%A044%C2%A055%C2%A066%C2%A077": strings.ReplaceAll(phone, " ", "\u00a0"),
	} {
		if _, got, _ := strings.Cut(r.target("/fhir/v2/Organization?mailbox-mss="+value), "="); Unescape(got) != want {
			t.Errorf("mailbox-mss=%s is kept as %s; the resource has %s", value, got, phone)
		}
	}
	for _, value := range []string{"unknown", "un2026-01-02", "geSomebody", "Somebody", "ge12/03/1971"} {
		_, got, _ := strings.Cut(r.target("/fhir/v2/Practitioner?_lastUpdated="+url.QueryEscape(value)), "=")
		if answer := r.message("Invalid date " + value); !strings.HasSuffix(answer, " "+Unescape(got)) {
			t.Errorf("_lastUpdated=%s is kept as %s, and quoted as %q", value, got, answer)
		}
	}
	for value, want := range map[string]string{"unknown": "unknown", "ge2026-01-02": "ge2026-01-02", "ap2026": "ap2026", "un2026": "*"} {
		if _, got, _ := strings.Cut(r.target("/fhir/v2/Practitioner?_lastUpdated="+value), "="); got != want && want != "*" {
			t.Errorf("_lastUpdated=%s is kept as %s", value, got)
		}
	}
}

// Whatever a value looks like, its pseudonym passes the last scan, which knows
// the original: odd values do not lose a recording.
func TestTheScanPassesWhatTheRulesMake(t *testing.T) {
	t.Parallel()
	atoms := []string{
		"a@x.fr", "contact@qanari.fr", "@", "01 44 55 66 77", "01.44.55.66.77", "0612345678", "+33 6 12 34 56 78", "387c9b7f-ee25-4735-a699-4e9397b98044", "TEL", "QANARI", "Éloïse", "12", "75001",
		"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MGFiY2RlZmdoaWprbG1ub3A5", "https://qanari.fr/QANARI", "http://u:p@h:80", "003-1234567-2345678",
		"10999888771", "10 999 888 771", "93-93-178570", "2A0636363", "12/03/1971", "2025-04-28T18:05:07.123456+02:00", "CENTRE HOSPITALIER", "\u202f", "\u00a0", "é", "%", "\uff10\uff11\uff14", "a@b@c.fr",
	}
	glue := []string{" ", "", ";", ", ", "-", "/", ".", ":", "_", "\u00a0", "' ", "|", "&", "="}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 3000 {
		var b strings.Builder
		for n := random.IntN(4); n >= 0; n-- {
			b.WriteString(atoms[random.IntN(len(atoms))] + glue[random.IntN(len(glue))])
		}
		v := b.String()
		quoted, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		body := strings.ReplaceAll(`{"resourceType":"Organization","id":V,"name":V,"alias":[V],"address":[{"line":[V],"city":V,"postalCode":V,"district":V}],`+
			`"telecom":[{"system":"email","value":V},{"system":"phone","value":V}],"identifier":[{"system":"https://finess.esante.gouv.fr","value":V},{"system":V,"value":V}],`+
			`"type":[{"coding":[{"system":V,"display":V}]}],"extension":[{"url":"phone","valueString":V}],"partOf":{"reference":V},"meta":{"lastUpdated":V,"profile":[V]}}`, "V", string(quoted))
		if i%3 == 1 {
			body = `{"resourceType":"OperationOutcome","issue":[{"diagnostics":` + string(quoted) + `}]}`
		} else if i%3 == 2 {
			body = `{"resourceType":"CapabilityStatement","software":{"name":` + string(quoted) + `}}`
		}
		raw := answered(body)
		if i%3 != 2 { // a statement's words stay, those of a request do not
			q := url.QueryEscape(v)
			raw.Target = fmt.Sprintf("/fhir/v%d/Organization/%s?name=%s&mailbox-mss=%s&identifier=%s&_id=%s&type=%s&address=%s&partof=%s&_lastUpdated=%s&_getpages=%s&%s=%s", 1+i%2, url.PathEscape(v), q, q, q, q, q, q, q, q, q, q, q)
		}
		d := NewDraft(newRedactor(t, testSecret))
		d.Add("x", "", nil, raw)
		set, err := d.Seal(fixtures.Manifest{})
		if err != nil {
			t.Errorf("%q: %v\n%s", v, err, d.files()["exchanges/x.txtar"])
			continue
		}
		for name, text := range set.Files() {
			if i%3 != 2 && strings.Contains(strings.ToLower(plainView(string(text))), "qanari") {
				t.Fatalf("%q: %s holds it\n%s", v, name, text)
			}
		}
	}
}
