package redact

import (
	"net/http"
	"strings"
	"testing"
)

// A header is kept as far as its grammar goes.
func TestHeadersAreKeptByTheirGrammar(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, value, want string }{
		{"Vary", "Origin, Accept-Encoding", "Origin, Accept-Encoding"}, {"Vary", "Origin, Firmenoude", ""},
		{"Allow", "GET, POST", "GET, POST"}, {"Allow", "GET, Sulpicette", ""},
		{"Retry-After", "30", "30"}, {"Retry-After", "Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:28:00 GMT"}, {"Retry-After", "Mirlafouque", ""},
		{"X-Rate-Limit-Limit", "17", "17"}, {"X-Rate-Limit-Limit", "17 Dorvanche", ""}, {"X-Quota-Limit", "1099988", ""},
		{"Content-Type", "application/fhir+json;charset=UTF-8", "application/fhir+json;charset=UTF-8"},
		{"Content-Type", "text/plain; user=Zirconnelle", ""}, {"Content-Type", "text/Zirconnelle", ""}, {"Content-Type", "text/plain; charset=Zirconnelle", ""},
		{"Connection", "keep-alive", "keep-alive"}, {"Connection", "Zirconnelle", ""},
		{"Server", "Apache", "Apache"}, {"Server", "Zirconnelle", ""}, {"WWW-Authenticate", `Basic realm="Zirconnelle"`, ""}, {"WWW-Authenticate", "Key", "Key"},
	} {
		r := newRedactor(t, testSecret)
		got := ""
		for _, f := range r.responseHeader(http.Header{http.CanonicalHeaderKey(tt.name): {tt.value}}) {
			got = f.Value
		}
		if got != tt.want {
			t.Errorf("%s: %s is kept as %q; want %q", tt.name, tt.value, got, tt.want)
		}
		if dropped := r.counts.Headers == 1; dropped != (tt.want == "") {
			t.Errorf("%s: %s counts %d headers left out", tt.name, tt.value, r.counts.Headers)
		}
	}
	for value, want := range map[string]string{
		"application/fhir+json": "application/fhir+json", "application/json;q=0.9, */*; q=0.1": "application/json;q=0.9, */*; q=0.1",
		"text/Acceptbird": "", "application/json, text/Acceptbird": "application/json", "application/json; user=Acceptbird": "",
	} {
		if got := newRedactor(t, testSecret).requestHeader(Raw{Header: http.Header{"Accept": {value}}}).Get("Accept"); got != want {
			t.Errorf("Accept: %s is kept as %q; want %q", value, got, want)
		}
	}
}

// A code stays where somebody published it, or an answer shows it.
func TestCodesAreKeptWhenTheyAreKnown(t *testing.T) {
	t.Parallel()
	const system = "https://mos.esante.gouv.fr/NOS/TRE_R38-SpecialiteOrdinale/FHIR/TRE-R38-SpecialiteOrdinale"
	for query, want := range map[string]string{
		"Practitioner?active=true": "", "Practitioner?active=Boolbird": "*", "Organization?type=LEGAL-ENTITY": "",
		"Practitioner?qualification-code=" + system + "|SM26": "", "Practitioner?qualification-code=Codebird": "*",
		"Practitioner?qualification-code=" + system + "|Shownbird": "", "Practitioner?qualification-code=" + system + "|Codebird": "*",
		"Practitioner?identifier-type=Typebird": "*", "Practitioner?identifier-type=RPPS": "", "Device?status=active": "",
	} {
		r := newRedactor(t, testSecret)
		r.body([]byte(`{"resourceType":"Practitioner","qualification":[{"code":{"coding":[{"system":"`+system+`","code":"Shownbird"}]}}]}`), "")
		if got := r.target("/fhir/v2/" + query); (got == "/fhir/v2/"+query) != (want == "") || strings.Contains(strings.ToLower(got), "codebird") {
			t.Errorf("%s is kept as %s", query, got)
		}
	}
	for text, want := range map[string]string{
		`"meta":{"tag":[{"system":"https://unpublished.example/x","code":"Tagbird"}]}`:   "",
		`"meta":{"tag":[{"system":"https://unpublished.example/x","code":"SUBSETTED"}]}`: `"meta":{"tag":[{"code":"SUBSETTED"}]}`,
		`"language":"fr"`: `"language":"fr"`, `"language":"fr-FR"`: `"language":"fr-FR"`, `"language":"fr-Langbird"`: "", `"language":"Langbird"`: "",
		`"status":"active"`: `"status":"active"`, `"status":"Statebird"`: "",
	} {
		if want != "" {
			want = "," + want
		}
		got := string(newRedactor(t, testSecret).body([]byte(`{"resourceType":"Device",`+text+`}`), ""))
		if got != `{"resourceType":"Device"`+want+`}` {
			t.Errorf("%s is kept as %s", text, got)
		}
	}
}
