package report

import (
	"net/http"
	"strings"
	"testing"

	"github.com/mockfhir/mockfhir/contract"
)

// Values that must not be in any report.
const (
	canaryKey    = "3f0e7a52-c0de-4a2e-8f0e-7a52c0de4a2e"
	canaryCookie = "s%3Acanary.session"
	canaryName   = "Zanzibarœ"
	canaryID     = "003-7654321-8765432"
	canaryRPPS   = "10987654321"
	canaryMail   = "canari.jaune@medecin.mssante.example"
	canaryToken  = "uCanaryTokenAAAA"
)

// canaries are the parts of them that no format escapes.
var canaries = []string{"c0de4a2e", "canary.session", "Zanzibar", "7654321", "10987654321", "canari.jaune", "CanaryToken"}

// planted is a run of careless checks: every field that takes text holds
// what it must not.
func planted() *contract.Report {
	run := drifted()
	target := "https://user:" + canaryKey + "@gateway.example/fhir/v2"
	loose := strings.Join([]string{
		canaryKey, canaryCookie, canaryName, canaryID, canaryRPPS, canaryMail,
		target + "/Practitioner?name=" + canaryName + "&api-key=" + canaryKey + "&identifier=https://rpps.esante.gouv.fr%7C" + canaryRPPS,
		"Practitioner/" + canaryID, "_page?id=" + canaryToken,
	}, " and ")
	run.Target.URL = target
	run.Tool, run.Reason = loose, loose
	exchange := contract.Exchange{
		Method: "POST", Status: 200, Content: loose, Error: loose,
		URL:  target + "/Practitioner/_search?family=" + canaryName + "&api-key=" + canaryKey,
		Curl: "curl -H 'ESANTE-API-KEY: " + canaryKey + "' -d 'given=" + canaryName + "&_count=2' '" + target + "/" + canaryID + "'",
		Header: http.Header{
			"Set-Cookie": {"sid=" + canaryCookie + "; Path=/; HttpOnly"}, "Cookie": {"sid=" + canaryCookie},
			"Esante-Api-Key": {canaryKey}, "Authorization": {"Bearer " + canaryKey}, "X-Patient": {canaryName},
			"Content-Type": {"text/plain; name=" + canaryMail}, "Location": {target + "/_page?id=" + canaryToken},
		},
	}
	for i := range run.Results {
		r := &run.Results[i]
		r.Title, r.Why, r.Source, r.Detail = loose, loose, loose, loose
		r.Exchanges = []contract.Exchange{exchange}
	}
	for i := range run.Findings {
		f := &run.Findings[i]
		f.Path, f.Was, f.Now, f.Message, f.Why, f.Source, f.Curl = loose, loose, loose, loose, loose, loose, exchange.Curl
	}
	return run
}

// TestCanaries plants a key, a cookie and a person in the target, the
// exchanges and the findings: no format tells any of them.
func TestCanaries(t *testing.T) {
	t.Parallel()
	for _, format := range Formats() {
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			out := string(render(t, format, Document{Run: planted(), Against: planted(), AgainstName: "mock"}))
			for _, canary := range canaries {
				if strings.Contains(out, canary) {
					t.Errorf("%q is in the report:\n%s", canary, around(out, canary))
				}
			}
			if !strings.Contains(out, "key") {
				t.Errorf("no placeholder either: the test is vacuous\n%s", out)
			}
		})
	}
}

func around(text, part string) string {
	i := strings.Index(text, part)
	return text[max(0, i-80):min(len(text), i+80)]
}

func TestScrubText(t *testing.T) {
	t.Parallel()
	s := newScrubber(&contract.Report{
		Target: contract.Target{Key: "k"},
		Results: []contract.Result{{Exchanges: []contract.Exchange{{
			URL: "https://h.example/fhir/v2/Practitioner?family=O%27Brien&given=<given>&active=true&practitioner=Practitioner/<id>",
		}}}},
	})
	for _, tt := range []struct{ name, in, want string }{
		{"a short key is a word", "k is checked: key=k, \"k\"", "<key> is checked: key=<key>, \"<key>\""},
		{"a key in other letters", "K is refused: X-K, Kay", "<key> is refused: X-<key>, Kay"},
		{"what a search asked for", "no O'Brien is found", "no <family> is found"},
		{"a person's parameter", "Practitioner?name:exact=Anne&_count=5", "Practitioner?name:exact=<name>&_count=5"},
		{"a chained one", "?organization.identifier=42", "?organization.identifier=<identifier>"},
		{"codes stay", "?active=true&role=70&qualification-code=G15_10", "?active=true&role=70&qualification-code=G15_10"},
		{"placeholders stay", "?identifier=https://rpps.esante.gouv.fr|<identifier>&_id=<id>,<id>", "?identifier=https://rpps.esante.gouv.fr|<identifier>&_id=<id>,<id>"},
		{"a form", `curl -d 'given=Anne&_count=1' 'https://h.example'`, `curl -d 'given=<given>&_count=1' 'https://h.example'`},
		{"a read", "GET Practitioner/003-12 answers 404", "GET Practitioner/<id> answers 404"},
		{"a type is no id", "Practitioner/PractitionerRole/_search", "Practitioner/PractitionerRole/_search"},
		{"a number of somebody", "81000000001 and 1234567", "<number> and 1234567"},
		{"a date", "2026-11-25", "2026-11-25"},
		{"an instant with an offset", "2026-11-25T02:23:00.123456789+01:00", "2026-11-25T02:23:00.123456789+01:00"},
		{"lines", "a\r\nb\x1b[0m\u2028c\u202ed", "a  b [0m c d"},
		{"broken UTF-8", "a\xffb", "a\uFFFDb"},
		{"a host and an address", "10.0.66.99:8080 is not gateway.example", "10.0.66.99:8080 is not gateway.example"},
		{"an address with a password", "https://a:b@h.example/x", "https://h.example/x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := s.text(tt.in); got != tt.want {
				t.Errorf("text(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

// TestScrubKeepsTheRun: what is shown is a copy.
func TestScrubKeepsTheRun(t *testing.T) {
	t.Parallel()
	run := planted()
	if _, err := scrub(run); err != nil {
		t.Fatal(err)
	}
	if run.Target.Key != canaryKey || !strings.Contains(run.Reason, canaryName) {
		t.Error("scrubbing a report changed the run itself")
	}
}
