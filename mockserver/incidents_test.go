package mockserver_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/rehearse"
	"github.com/mockfhir/mockfhir/mockserver"
	"github.com/mockfhir/mockfhir/mockserver/control"
)

// timeScale makes thirty seconds 150 milliseconds.
const timeScale = 0.005

// noon is the time of these tests: the embedded set is of the weeks before.
var noon = time.Date(2026, 5, 20, 10, 0, 0, 0, time.UTC)

// expectation is what a client sees of an incident on the wire. Before it and
// after it the same calls are answered as on a good day, which none of this
// may be true of.
type expectation struct {
	target  string        // of a GET, or "POST target body"
	scope   string        // in the place of the incident's own
	literal string        // the whole answer, or
	says    []string      // texts that are in it,
	hides   []string      // and that are not
	spares  string        // a target that is answered as ever
	wait    time.Duration // before the end of the answer, unscaled
	ends    error         // how reading ends instead of at the end of an answer
	check   func(*testing.T, *rehearsing)
}

const (
	lostRoute    = "HTTP/1.1 404 Not Found\r\nContent-Length: 40\r\nContent-Type: text/plain\r\n\r\nNo context-path matches the request URI."
	unauthorized = "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 12\r\nContent-Type: text/plain\r\n\r\nUnauthorized"
	emptyFailure = "Connection: close\r\nContent-Length: 0\r\n\r\n"
	tooMany      = "HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nContent-Length: 71\r\nContent-Type: text/plain\r\n\r\n" +
		"Rate limit exceeded! You reached the limit of 17 requests per 1 seconds"
	chainedRoles = "/fhir/v2/PractitionerRole?organization.identifier=1960000016"
	someRole     = "/fhir/v2/PractitionerRole?_count=1&_include=PractitionerRole:organization"
)

// expectations are one for each incident there is.
var expectations = map[string]expectation{
	"2025-01-24-no-context-path":  {target: "/fhir/v2/Practitioner", literal: lostRoute},
	"2025-07-05-unversioned-lost": {target: "/fhir/metadata", literal: lostRoute, spares: "/fhir/v2/metadata"},
	"2026-05-05-invalid-url-format": {
		target:  "/fhir/v2/Practitioner?_count=1&_revinclude=PractitionerRole:practitioner",
		literal: "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain\r\nContent-Length: 34\r\n\r\nRequest Failed: Invalid URL format",
		spares:  "/fhir/v2/Practitioner?_count=1&_revinclude=PractitionerRole%3Apractitioner",
	},
	"2026-06-28-backend-away": {target: "/fhir/v2/metadata", literal: "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nX-Gravitee-Request-Id: UUID\r\nX-Gravitee-Transaction-Id: UUID\r\n\r\n", wait: 10100 * time.Millisecond},
	"2025-05-06-two-contains": {
		target:  "/fhir/v2/Practitioner?name:contains=a&name:contains=b",
		literal: "HTTP/1.1 504 Gateway Timeout\r\nConnection: close\r\nContent-Length: 15\r\nContent-Type: text/plain\r\n\r\nRequest timeout",
		spares:  "/fhir/v2/Practitioner?name:contains=ab", wait: 30 * time.Second,
		check: func(t *testing.T, r *rehearsing) {
			if answer := r.ask("POST /fhir/v2/Practitioner/_search name%3Acontains=a&name:contains=b"); !strings.HasPrefix(answer.text, "HTTP/1.1 504 ") {
				t.Errorf("the same search by POST is answered with %s", short(answer.text))
			}
		},
	},
	"2025-05-06-slow-contains": {target: "/fhir/v2/Practitioner?name:contains=ab&_count=1", wait: 2 * time.Second, spares: "/fhir/v2/Practitioner?_count=1"},
	"2026-07-09-empty-504":     {target: "/fhir/v2/Practitioner", literal: "HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\nDate: DATE\r\n\r\n"},
	"2025-10-17-large-page-502": {
		target: "/fhir/v2/Device?_count=20000", scope: "share=1", literal: "HTTP/1.1 502 Bad Gateway\r\n" + emptyFailure,
		spares: "/fhir/v2/Device?_count=200",
	},
	"2024-06-12-refused":         {target: "/fhir/v2/metadata", ends: syscall.ECONNRESET},
	"2024-07-17-connect-timeout": {target: "/fhir/v2/metadata", ends: io.EOF, wait: time.Minute},
	"2024-01-26-nine-of-ten":     {target: "/fhir/v2/metadata", scope: "share=1", ends: io.EOF, wait: time.Minute},
	"2023-12-20-maintenance":     {target: "/fhir/v2/metadata", literal: unauthorized},
	"2026-06-27-quota-per-minute": {check: func(t *testing.T, r *rehearsing) {
		r.exhaust(1000, "Rate limit exceeded! You reached the limit of 1000 requests per 1 minutes")
	}},
	"2026-06-30-quota-per-second": {check: func(t *testing.T, r *rehearsing) {
		r.exhaust(17, "Rate limit exceeded! You reached the limit of 17 requests per 1 seconds")
	}},
	"2026-03-09-internal-next-link": {target: "/fhir/v2/Practitioner", says: []string{`{"relation": "next","url": "http://10.0.66.99:8080/fhir/v2/_page?id=TOKEN"}`}},
	"2023-10-02-next-unusable": {spares: "/fhir/v2/Practitioner", check: func(t *testing.T, r *rehearsing) {
		if second := r.follow("/fhir/v2/Practitioner"); second.text != "HTTP/1.1 502 Bad Gateway\r\n"+emptyFailure {
			t.Errorf("next is answered with %s", short(second.text))
		}
	}},
	"2026-07-09-empty-second-page": {target: chainedRoles, says: []string{`"total":130,`}, spares: "/fhir/v2/PractitionerRole", check: func(t *testing.T, r *rehearsing) {
		if first := r.ask(chainedRoles); strings.Count(first.text, `"fullUrl"`) != 100 {
			t.Errorf("the first page has %d rows", strings.Count(first.text, `"fullUrl"`))
		}
		second := r.follow(chainedRoles)
		if !strings.HasPrefix(second.text, "HTTP/1.1 200 OK\r\n") || !strings.Contains(second.text, `"total":130,"entry": [],"link": [ {"relation": "self"`) {
			t.Errorf("the second page is %s", short(second.text))
		}
	}},
	"2026-07-09-chained-count": {
		target: chainedRoles + "&_count=100", literal: "HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\nDate: DATE\r\n\r\n", spares: "/fhir/v2/PractitionerRole?_count=10",
		check: func(t *testing.T, r *rehearsing) {
			if rows := strings.Count(r.ask(chainedRoles).text, `"fullUrl"`); rows != 100 {
				t.Errorf("without _count there are %d rows", rows)
			}
		},
	},
	"d16-page-of-100": {check: func(t *testing.T, r *rehearsing) {
		if rows := strings.Count(r.ask("/fhir/v2/Practitioner").text, `"fullUrl"`); rows != 100 {
			t.Errorf("a page has %d rows", rows)
		}
	}},
	"2025-08-02-numeric-version": {
		target: "/fhir/v2/Practitioner?_id=003-40000001-40112648", says: []string{`"versionId": 3,`}, hides: []string{`"versionId": "3"`},
		spares: "/fhir/v2/Practitioner/003-40000001-40112648", // a read always prints a string (ans-server.md §5)
	},
	"d22-mixed-version":   {target: "/fhir/v2/Organization?_count=200", says: []string{`"versionId": 2,`}, check: says("/fhir/v2/Organization?_count=200", `"versionId": "1"`)},
	"2024-08-06-no-total": {target: "/fhir/v2/Practitioner?_count=1", hides: []string{`"total":`}, spares: "/fhir/v2/Practitioner?_count=1&_total=accurate"},
	"d24-null-line":       {target: "/fhir/v2/Organization?_id=001-02-40000001", says: []string{`"line": [null]`}, check: says("/fhir/v2/Organization?_count=200", `"line": [null]`)},
	"2023-08-24-postcode-in-city": {target: "/fhir/v2/Organization?_count=200", check: func(t *testing.T, r *rehearsing) {
		doubled := regexp.MustCompile(`"city": "(\d{5}) [^"]+",\s*"postalCode": "(\d{5})"`)
		match := doubled.FindStringSubmatch(r.ask("/fhir/v2/Organization?_count=200").text)
		if match == nil || match[1] != match[2] {
			t.Errorf("no city has its postcode: %q", match)
		}
	}},
	"d27-repeated-include": {check: func(t *testing.T, r *rehearsing) {
		if rows := strings.Count(r.ask(someRole).text, `"fullUrl"`); rows != 3 {
			t.Errorf("a role and its organization are %d entries", rows)
		}
	}},
	"2024-10-04-dangling-organizations": {target: someRole, says: []string{`"organization": {"reference": "Organization/001-01-99999999"}`}, check: func(t *testing.T, r *rehearsing) {
		if answer := r.ask("/fhir/v2/Organization/001-01-99999999"); !strings.HasPrefix(answer.text, "HTTP/1.1 404 ") {
			t.Errorf("the organization can be read: %s", short(answer.text))
		}
	}},
	"2023-10-04-wrong-parent":  {target: "/fhir/v2/Organization?_id=001-01-40000002", says: []string{`"partOf": {"reference": "Organization/001-01-40000002"}`}},
	"d30-other-full-url":       {target: "/fhir/v2/Practitioner?_count=1", says: []string{`"fullUrl":"https://gateway.api.esante.gouv.fr/fhir/v2/Practitioner/`}, check: says("/fhir/v2/Practitioner?_count=1", `{"relation": "self","url": "http://mock/fhir/v2/`)},
	"2025-04-28-profiles-move": {target: "/fhir/v2/Practitioner/003-40000001-40112648", says: []string{`"profile":["http://interop.esante.gouv.fr/ig/fhir/annuaire-donnee-publique/StructureDefinition/as-practitioner"]`}, hides: []string{"interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-dp-practitioner"}},
	"2023-10-04-wrong-system":  {target: "/fhir/v2/Practitioner/003-40000001-40112648", says: []string{`"https://mos.esante.gouv.fr/NOS/TRE_R17-TypeAutorisation/FHIR/TRE-G15-ProfessionSante"`}, hides: []string{"TRE_G15-ProfessionSante/"}},
	"2025-09-04-no-telecom":    {target: "/fhir/v2/Practitioner/003-40000001-40112648", hides: []string{"telecom"}, spares: "/fhir/v2/metadata"},
	"d34-poorer-metadata":      {target: "/fhir/v2/metadata", hides: []string{`"mailbox-mss"`, `"searchInclude"`}, spares: "/fhir/v2/Practitioner?_count=1"},
	"2024-01-10-new-ids": {target: "/fhir/v2/Practitioner/003-40000001-40112648", says: []string{"HTTP/1.1 404 "}, check: func(t *testing.T, r *rehearsing) {
		for _, target := range []string{"/fhir/v2/Practitioner/003-40000001-40112648-2", "/fhir/v2/PractitionerRole?practitioner=Practitioner/003-40000001-40112648-2"} {
			if answer := r.ask(target); !strings.HasPrefix(answer.text, "HTTP/1.1 200 ") || !strings.Contains(answer.text, `003-40000001-40112648-2"`) {
				t.Errorf("%s is answered with %s", target, short(answer.text))
			}
		}
	}},
	"2024-01-10-full-reload": {target: "/fhir/v2/Practitioner/003-40000001-40112648", says: []string{`"lastUpdated":"2026-05-20T00:00:00.000+02:00"`}, check: func(t *testing.T, r *rehearsing) {
		for query, want := range map[string]bool{"ge2026-05-20": true, "lt2026-05-20": false, "eq2026-05-20": true, "gt2026-05-20T00:00:00Z": false} {
			all, delta := r.total("/fhir/v2/Practitioner?"), r.total("/fhir/v2/Practitioner?_lastUpdated="+query)
			if want && delta != all || !want && delta != 0 {
				t.Errorf("a delta by %s is %d of %d", query, delta, all)
			}
		}
	}},
	"d37-delta-window": {
		target: "/fhir/v2/Practitioner?_lastUpdated=ge2025-01-01", says: []string{`"total":0,`}, spares: "/fhir/v2/Practitioner?_lastUpdated=ge2026-04-20",
	},
	"2026-05-28-stale-active": {target: "/fhir/v2/PractitionerRole?active=false&_count=1", says: []string{`"active": true`}, hides: []string{`"active": false`}},
	"2024-09-02-accents":      {target: "/fhir/v2/Practitioner?name=zoequinette", says: []string{`"total":0,`}, spares: "/fhir/v2/Practitioner?name=zo%C3%A9quinette"},
	"2025-04-07-hapi-0389": {
		target: "/fhir/v2/PractitionerRole?identifier=x",
		literal: "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/fhir+json;charset=UTF-8\r\nX-Gravitee-Request-Id: UUID\r\nX-Gravitee-Transaction-Id: UUID\r\nDate: DATE\r\nContent-Length: 302\r\n\r\n" +
			`{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"processing","diagnostics":"HAPI-0389: Failed to call access method: ` +
			`fr.ans.afas.fhirserver.search.exception.BadConfigurationException: Search not supported on path: FhirSearchPath{resource='PractitionerRole',path='identifier'}"}]}`,
		spares: "/fhir/v2/Practitioner?identifier=x",
	},
	"d44-chained-search":  {target: chainedRoles, says: []string{`"total":130,`}},
	"2025-10-17-many-ids": {target: "/fhir/v2/Practitioner?_id=" + strings.Repeat("x,", 50) + "x", literal: "HTTP/1.1 502 Bad Gateway\r\n" + emptyFailure, spares: "/fhir/v2/Practitioner?_id=" + strings.Repeat("x,", 49) + "x"},
	"d48-two-cards":       {target: "/fhir/v2/Practitioner/003-40000001-40112648", says: []string{`"valueString":"9900000002"`}, check: says("/fhir/v2/Practitioner/003-40000001-40112648", `"valueString":"9900000001"`)},
	"d49-version-changes": {target: "/fhir/metadata", says: []string{`"software"`}, spares: "/fhir/v2/metadata"},
	"v1-end-announced": {
		target: "/fhir/v1/metadata", says: []string{"\r\nDeprecation: @1767225600\r\n", "\r\nSunset: Fri, 31 Jul 2026 22:00:00 GMT\r\n"},
		spares: "/fhir/v2/metadata",
	},
	"v1-gone":          {target: "/fhir/v1/metadata", says: []string{"HTTP/1.1 410 Gone\r\n", "This version has ended. Use /fhir/v2."}, spares: "/fhir/v2/metadata"},
	"v1-route-removed": {target: "/fhir/v1/metadata", literal: lostRoute, spares: "/fhir/v2/metadata"},

	"delay": {target: "/fhir/v2/metadata", wait: 2 * time.Second},
	"delay-random": {check: func(t *testing.T, r *rehearsing) {
		slowest := time.Duration(0)
		for range 20 {
			slowest = max(slowest, r.ask("/fhir/v2/metadata").took)
		}
		if slowest < 2*time.Millisecond {
			t.Errorf("the slowest of 20 calls took %v", slowest)
		}
	}},
	"slow-drip": {check: func(t *testing.T, r *rehearsing) {
		const target = "/fhir/v2/Practitioner"
		first, whole, took := r.drip(target)
		if want := r.normal(target).body; !strings.HasSuffix(normalized(whole), want[len(want)-50:]) {
			t.Errorf("what dripped is not the answer: …%s", whole[max(0, len(whole)-100):])
		}
		if _, small, took := r.drip("/elsewhere"); took < scaled(20*time.Millisecond)*20 {
			t.Errorf("%d bytes came in %v", len(small), took)
		}
		if least := scaled(20*time.Millisecond) * time.Duration(len(whole)/256); took < least || first > len(whole)/10 {
			t.Errorf("%d bytes came in %v, at first %d; a drop is 256", len(whole), took, first)
		}
	}},
	"reset":       {target: "/fhir/v2/metadata", ends: syscall.ECONNRESET},
	"empty-reply": {target: "/fhir/v2/metadata", ends: io.EOF},
	"no-answer":   {target: "/fhir/v2/metadata", ends: io.EOF, wait: time.Minute},
	"truncated-body": {target: "/fhir/v2/metadata", says: []string{"HTTP/1.1 200 OK\r\n"}, ends: io.ErrUnexpectedEOF, check: func(t *testing.T, r *rehearsing) {
		for _, target := range []string{"/fhir/v2/metadata", "/fhir/v1/metadata", "/fhir/v2/Practitioner", "/fhir/v2/Practitioner/none", "/fhir/v1/Practitioner/none", "/elsewhere"} {
			whole, cut := r.normal(target).body, r.ask(target)
			if !errors.Is(cut.err, io.ErrUnexpectedEOF) || len(cut.body) == 0 || len(cut.body) > len(whole)*3/5 { // a token has a length of its own
				t.Errorf("%s: %d bytes of %d, %v", target, len(cut.body), len(whole), cut.err)
			}
		}
	}},
	"malformed-body":    {target: "/fhir/v2/metadata", says: []string{"\r\n\r\n" + `{"resourceType": "Bundle", oops`}, hides: []string{"CapabilityStatement"}},
	"too-many-requests": {target: "/fhir/v2/metadata", scope: "share=1", literal: tooMany},
	"unauthorized":      {target: "/fhir/v2/metadata", literal: unauthorized},
	"server-error": {target: "/fhir/v2/Practitioner", literal: "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/fhir+json;charset=UTF-8\r\nX-Gravitee-Request-Id: UUID\r\nX-Gravitee-Transaction-Id: UUID\r\nDate: DATE\r\nContent-Length: 118\r\n\r\n" +
		`{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"exception","diagnostics":"Unexpected error"}]}`},
	"bad-gateway":     {target: "/fhir/v2/Practitioner", literal: "HTTP/1.1 502 Bad Gateway\r\n" + emptyFailure},
	"unavailable":     {target: "/fhir/v2/Practitioner", literal: "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"},
	"gateway-timeout": {target: "/fhir/v2/Practitioner", literal: "HTTP/1.1 504 Gateway Timeout\r\nConnection: close\r\nContent-Length: 15\r\nContent-Type: text/plain\r\n\r\nRequest timeout", wait: 30 * time.Second},
	"html-page":       {target: "/fhir/v2/Practitioner", literal: "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nDate: DATE\r\nContent-Length: 37\r\n\r\n<html><body>Maintenance</body></html>"},
	"demanding":       {target: "/fhir/v2/Device", says: []string{"/_page?id=%75"}, hides: []string{`"total":`}, check: func(_ *testing.T, r *rehearsing) { r.demand() }},
	"demanding-429":   {target: "/fhir/v2/metadata", scope: "share=1", literal: tooMany},
	"demanding-502":   {target: "/fhir/v2/metadata", scope: "share=1", literal: "HTTP/1.1 502 Bad Gateway\r\n" + emptyFailure},
}

// says is a check that an answer still has a text.
func says(target, text string) func(*testing.T, *rehearsing) {
	return func(t *testing.T, r *rehearsing) {
		if answer := r.ask(target); !strings.Contains(answer.text, text) {
			t.Errorf("%s does not say %s: %s", target, text, short(answer.text))
		}
	}
}

func scaled(d time.Duration) time.Duration { return time.Duration(float64(d) * timeScale) }

// TestEachIncident turns each incident on over a socket, in a session of its
// own, sees its literal bytes and its timing, and turns it off, which heals.
func TestEachIncident(t *testing.T) {
	t.Parallel()
	server := serve(t, fixtures.Default(), mockserver.WithTimeScale(timeScale), mockserver.WithClock(func() time.Time { return noon }))
	for _, incident := range rehearse.Incidents() {
		want, known := expectations[incident.Name]
		if !known {
			t.Errorf("%s has no expectation", incident.Name)
			continue
		}
		t.Run(incident.Name, func(t *testing.T) {
			t.Parallel()
			r := newRehearsing(t, control.New(server.URL), server.Listener.Addr().String())
			r.put()
			for _, target := range []string{want.target, want.spares} {
				if target != "" {
					r.normal(target)
				}
			}
			if err := r.session.Start(t.Context(), incident.Name, want.scope); err != nil {
				t.Fatal(err)
			}
			want.seen(t, r)
			if err := r.session.Stop(t.Context(), incident.Name); err != nil {
				t.Fatal(err)
			}
			r.healed()
		})
	}
	for name := range expectations {
		if _, exists := rehearse.Lookup(name); !exists {
			t.Errorf("%s is expected, and there is no such incident", name)
		}
	}
}

// TestWaitsOutlastTheServer: the patience of the server with slow requests does
// not cut an incident short.
func TestWaitsOutlastTheServer(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(build(t, directory("Device/1"), mockserver.WithTimeScale(0.01), mockserver.WithIncident("no-answer")))
	server.Config.ReadTimeout = 50 * time.Millisecond
	server.Start()
	defer server.Close()
	began := time.Now()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	mustDo(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET /fhir/v2/Device HTTP/1.1\r\nHost: mock\r\n\r\n")
	mustDo(t, err)
	if answer, err := io.ReadAll(conn); len(answer) > 0 || err != nil {
		t.Errorf("no answer is %q, %v", answer, err)
	}
	if took := time.Since(began); took < 600*time.Millisecond {
		t.Errorf("a minute took %v of 600ms", took)
	}
}

// seen holds what happens against the expectation, and sees to it that a good
// day would not pass.
func (x expectation) seen(t *testing.T, r *rehearsing) {
	if x.target == "" && x.check == nil {
		t.Fatal("nothing is expected")
	}
	if x.target != "" {
		good, got := r.normal(x.target), r.ask(x.target)
		if x.literal != "" {
			if diff := cmp.Diff(x.literal, got.text); diff != "" {
				t.Errorf("literal answer (-want +got):\n%s", short(diff))
			}
		}
		for _, text := range x.says {
			if !strings.Contains(got.text, text) || strings.Contains(good.text, text) && !strings.HasPrefix(text, "HTTP/1.1 200") {
				t.Errorf("%q must come with the incident alone; with it: %s", text, short(got.text))
			}
		}
		for _, text := range x.hides {
			if strings.Contains(got.text, text) || !strings.Contains(good.text, text) {
				t.Errorf("%q must vanish; there is: %s", text, short(got.text))
			}
		}
		if !errors.Is(got.err, x.ends) {
			t.Errorf("reading ends with %v, want %v", got.err, x.ends)
		}
		if got.text == good.text && x.wait == 0 && x.check == nil {
			t.Error("nothing happened")
		}
		if least := scaled(x.wait); got.took < least || got.took > least+slow {
			t.Errorf("it took %v, want %v", got.took, least)
		}
		if x.wait > 0 && good.took >= scaled(x.wait)+slow {
			t.Errorf("a good day took %v", good.took)
		}
	}
	if x.spares != "" {
		if diff := cmp.Diff(r.normal(x.spares).text, r.ask(x.spares).text); diff != "" {
			t.Errorf("%s is touched: %s", x.spares, short(diff))
		}
	}
	if x.check != nil {
		x.check(t, r)
	}
}

// slow is how late an answer may be on a busy machine.
const slow = 20 * time.Second

// rehearsing is a session on a server, and its good day.
type rehearsing struct {
	t       *testing.T
	session *control.Session
	address string
	good    map[string]seen
}

// seen is an answer, without what differs from call to call.
type seen struct {
	text string // status line, headers and body
	body string
	next string // target of the next page
	err  error  // that reading ended with
	took time.Duration
}

func newRehearsing(t *testing.T, mock *control.Client, address string) *rehearsing {
	t.Helper()
	session, err := mock.NewSession(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Drop(context.Background()) })
	return &rehearsing{t, session, address, map[string]seen{}}
}

// put adds what the embedded set does not have: a structure with 130 roles, and
// somebody with an accent in the name.
func (r *rehearsing) put() {
	r.t.Helper()
	resources := []string{`{"resourceType":"Practitioner","id":"zoe","meta":{"versionId":"1"},"name":[{"text":"ZOÉQUINETTE"}]}`}
	for i := range 130 {
		resources = append(resources, fmt.Sprintf(`{"resourceType":"PractitionerRole","id":"role-%d","meta":{"versionId":"1"},"organization":{"reference":"Organization/001-02-40000001"}}`, i))
	}
	if err := r.session.Put(r.t.Context(), resources...); err != nil {
		r.t.Fatal(err)
	}
}

// normal is the answer on a good day, which is the first time it is asked for.
func (r *rehearsing) normal(target string) seen {
	r.t.Helper()
	if _, known := r.good[target]; !known {
		if running, err := r.session.Incidents(r.t.Context()); err != nil {
			r.t.Fatal(err)
		} else if len(running) > 0 {
			restore := running[0]
			if err := r.session.StopAll(r.t.Context()); err != nil {
				r.t.Fatal(err)
			}
			defer func() { _ = r.session.Start(r.t.Context(), restore.Name, "") }()
		}
		r.good[target] = r.ask(target)
	}
	return r.good[target]
}

// healed asks everything again.
func (r *rehearsing) healed() {
	r.t.Helper()
	for target, good := range r.good {
		again := r.ask(target)
		if again.text != good.text || again.err != nil {
			r.t.Errorf("%s is not healed: %s", target, short(cmp.Diff(good.text, again.text)))
		}
	}
	if answer := r.ask("/fhir/v2/Device?_count=1"); !strings.HasPrefix(answer.text, "HTTP/1.1 200 OK\r\n") {
		r.t.Errorf("nothing is healed: %s", short(answer.text))
	}
}

func (r *rehearsing) request(target string) string {
	method, body := "GET", ""
	if rest, post := strings.CutPrefix(target, "POST "); post {
		method = "POST"
		target, body, _ = strings.Cut(rest, " ")
	}
	request := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: mock\r\nESANTE-API-KEY: k\r\n%s: %s\r\n", method, target, mockserver.SessionHeader, r.session.Name)
	if method == "POST" {
		request += fmt.Sprintf("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n", len(body))
	}
	return request + "\r\n" + body
}

func (r *rehearsing) dial(target string) net.Conn {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.address)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := io.WriteString(conn, r.request(target)); err != nil {
		r.t.Fatal(err)
	}
	return conn
}

// ask reads an answer to its end on a connection of its own.
func (r *rehearsing) ask(target string) seen {
	r.t.Helper()
	began := time.Now()
	conn := r.dial(target)
	defer conn.Close()
	var raw bytes.Buffer
	response, err := http.ReadResponse(bufio.NewReader(io.TeeReader(conn, &raw)), nil)
	if err != nil {
		if raw.Len() == 0 && errors.Is(err, io.ErrUnexpectedEOF) {
			err = io.EOF
		}
		return seen{err: err, took: time.Since(began)}
	}
	head, _, _ := strings.Cut(raw.String(), "\r\n\r\n")
	body, err := io.ReadAll(response.Body)
	s := seen{body: string(body), err: err, took: time.Since(began)}
	if next := nextLink.FindStringSubmatch(s.body); next != nil {
		_, path, _ := strings.Cut(next[1], "/fhir/")
		s.next = "/fhir/" + path
	}
	s.body = normalized(s.body)
	s.text = normalized(head) + "\r\n\r\n" + s.body
	return s
}

// short is what a person reads of a failure.
func short(text string) string { return text[:min(len(text), 1200)] }

var (
	nextLink = regexp.MustCompile(`"relation": "next","url": "([^"]+)"`)
	varies   = []struct {
		pattern *regexp.Regexp
		fixed   string
	}{
		{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`), "UUID"},
		{regexp.MustCompile(`_page\?id=(%75|u)[^"]*`), "_page?id=${1}TOKEN"},
		{regexp.MustCompile(`JSESSIONID=[0-9A-F]{32}`), "JSESSIONID=ID"},
		{regexp.MustCompile(`Date: [^\r]*`), "Date: DATE"},
		{regexp.MustCompile(`Content-Length: (4[0-9]{3}|[5-9][0-9]{3})\b`), "Content-Length: N"},
	}
)

func normalized(text string) string {
	for _, v := range varies {
		text = v.pattern.ReplaceAllString(text, v.fixed)
	}
	return strings.ReplaceAll(text, "id=uTOKEN", "id=TOKEN")
}

// follow asks for the second page of a search.
func (r *rehearsing) follow(target string) seen {
	r.t.Helper()
	first := r.ask(target)
	if first.next == "" {
		r.t.Fatalf("%s has no next page: %s", target, short(first.text))
	}
	return r.ask(first.next)
}

func (r *rehearsing) total(target string) int {
	r.t.Helper()
	var total int
	_, after, found := strings.Cut(r.ask(target+"&_count=1").text, `"total":`)
	if _, err := fmt.Sscanf(after, "%d", &total); !found || err != nil {
		r.t.Fatalf("%s tells no total", target)
	}
	return total
}

// exhaust spends a quota: the last call of it passes, the next does not.
func (r *rehearsing) exhaust(limit int, refusal string) {
	r.t.Helper()
	client := r.session.HTTP()
	get := func() (int, string) {
		request, err := http.NewRequest("GET", "http://"+r.address+"/fhir/v2/Device?_count=0", nil)
		if err != nil {
			r.t.Fatal(err)
		}
		request.Header.Set("ESANTE-API-KEY", "k")
		response, err := client.Do(request)
		if err != nil {
			r.t.Fatal(err)
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		return response.StatusCode, string(body)
	}
	for i := range limit {
		if status, _ := get(); status != 200 {
			r.t.Fatalf("call %d of %d is answered with %d", i+1, limit, status)
		}
	}
	if status, body := get(); status != 429 || body != refusal {
		r.t.Errorf("call %d is answered with %d %s", limit+1, status, body)
	}
}

// drip reads an answer piece by piece.
func (r *rehearsing) drip(target string) (first int, whole string, took time.Duration) {
	r.t.Helper()
	began := time.Now()
	conn := r.dial(target)
	defer conn.Close()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	piece := make([]byte, 64<<10)
	first, err = response.Body.Read(piece)
	if err != nil {
		r.t.Fatal(err)
	}
	rest, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Errorf("what dripped ends with %v", err)
	}
	return first, string(piece[:first]) + string(rest), time.Since(began)
}

// devices walks all pages.
func (r *rehearsing) devices() (ids []string) {
	id := regexp.MustCompile(`"fullUrl":"[^"]*/Device/([^"]+)"`)
	for target := "/fhir/v2/Device"; target != ""; {
		page := r.ask(target)
		for _, match := range id.FindAllStringSubmatch(page.text, -1) {
			ids = append(ids, match[1])
		}
		if rows := strings.Count(page.text, `"fullUrl"`); rows > 5 {
			r.t.Errorf("a page has %d rows", rows)
		}
		target = page.next
	}
	return ids
}

// demand: the pages are small, in another order, and complete.
func (r *rehearsing) demand() {
	want := r.total("/fhir/v2/Device?_total=accurate")
	ids := r.devices()
	once := map[string]bool{}
	for _, id := range ids {
		once[id] = true
	}
	if len(once) != want || len(ids) != want {
		r.t.Errorf("the pages hold %d devices, %d of them once; there are %d", len(ids), len(once), want)
	}
	if len(ids) > 5 && ids[0] < ids[4] && ids[0] == "002-40010000" {
		r.t.Error("the order is that of every day")
	}
	if rows := strings.Count(r.ask("/fhir/v2/Device?_count=100").text, `"fullUrl"`); rows != 7 {
		r.t.Errorf("_count=100 gives %d rows", rows)
	}
}

// TestFailuresBehindTheKey: what fails behind the gateway fails for those whom
// it lets through, and is counted (gravitee.md §2.3, §7).
func TestFailuresBehindTheKey(t *testing.T) {
	t.Parallel()
	for _, incident := range []string{"bad-gateway", "server-error", "2026-07-09-empty-504", "html-page", "too-many-requests; share=1"} {
		s := build(t, directory("Device/a"), mockserver.WithIncident(incident), mockserver.WithRate("2/1s"))
		statuses := []int{}
		for _, key := range []string{"", "wrong", "k", "k", "k"} {
			r := inProcess("GET", "/fhir/v2/Device", "")
			r.Header.Del("ESANTE-API-KEY")
			if key != "" {
				r.Header.Set("ESANTE-API-KEY", key)
			}
			statuses = append(statuses, answer(s, r).Code)
		}
		if statuses[0] != 401 || statuses[1] != 401 || statuses[2] == 401 || statuses[3] != statuses[2] || statuses[4] != 429 {
			t.Errorf("%s: no key, a wrong one and three calls of a quota of two are answered %v", incident, statuses)
		}
	}
	s := build(t, directory("Device/a"), mockserver.WithIncident("2025-01-24-no-context-path"))
	r := inProcess("GET", "/fhir/v2/Device", "")
	r.Header.Del("ESANTE-API-KEY")
	if got := answer(s, r); got.Code != 404 {
		t.Errorf("a lost route without a key: %d", got.Code)
	}
}

// TestVersionOvernight: /fhir becomes the other version, whichever it was, and the
// end of version 1 is met where version 1 answers without its name.
func TestVersionOvernight(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{"v1": "v2", "v2": "v1"} {
		s := build(t, directory("Device/a"), mockserver.WithDefaultVersion(version))
		before := answer(s, inProcess("GET", "/fhir/metadata", "")).Body.String()
		after := answer(s, inProcess("GET", "/fhir/metadata", "", mockserver.IncidentHeader, "d49-version-changes")).Body.String()
		other := answer(s, inProcess("GET", "/fhir/"+want+"/metadata", "")).Body.String()
		if before == after || after[:200] != other[:200] {
			t.Errorf("from %s: %.200s", version, after)
		}
		gone := answer(s, inProcess("GET", "/fhir/metadata", "", mockserver.IncidentHeader, "v1-gone"))
		if (gone.Code == 410) != (version == "v1") {
			t.Errorf("/fhir is %s: the end of version 1 answers %d", version, gone.Code)
		}
	}
}

// TestHealthOfThePlan: the keyless plan opens /fhir/health (gravitee.md §1.5).
func TestHealthOfThePlan(t *testing.T) {
	t.Parallel()
	for gateway, want := range map[string]int{"health-plan": 200, "v3": 401} {
		s := build(t, directory("Device/a"), mockserver.WithGateway(gateway))
		r := inProcess("GET", "/fhir/health", "")
		r.Header.Del("ESANTE-API-KEY")
		if got := answer(s, r); got.Code != want {
			t.Errorf("%s: %d %s", gateway, got.Code, got.Body)
		}
	}
}
