package mockserver_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mockfhir/mockfhir/mockserver"
)

// Writes are those of profile source (ans-server.md §8.2, §9): its gateway
// lets all methods through.

const written = "2025-06-10T17:30:00.000+02:00" // what clock says, as the server prints it

func writable(t testing.TB) *mockserver.Server {
	t.Helper()
	return build(t, directory(`Device/a "meta":{"versionId":"1","lastUpdated":"2025-01-01T00:00:00.000+01:00","profile":["P"]},"model":"M"`, "Device/b"),
		mockserver.WithProfile(mockserver.Source), mockserver.WithClock(clock))
}

// contents are the devices a search finds, in order, as it prints them.
func contents(t testing.TB, s *mockserver.Server) string {
	t.Helper()
	body := answer(s, inProcess("GET", "/fhir/v2/Device?_count=100", "")).Body.String()
	var list []string
	for _, entry := range strings.Split(body, "\n")[1:] {
		_, resource, _ := strings.Cut(entry, `"resource":{"resourceType": "Device", `)
		resource, _, _ = strings.Cut(resource, `],"link": [`)
		list = append(list, strings.TrimRight(resource, "},")+"}")
	}
	return strings.Join(list, "\n")
}

func TestCreate(t *testing.T) {
	t.Parallel()
	s := writable(t)
	r := inProcess("POST", "/fhir/v2/Device", ` {"model":"N","resourceType":"Device","id":"mine","meta":{"versionId":"7","tag":[]}}`, "Content-Type", "application/fhir+json")
	w := answer(s, r)
	h := w.Header()
	location := regexp.MustCompile(`^http://mock\.examplev2/Device/([0-9a-f-]{36})$`).FindStringSubmatch(h.Get("Location"))
	if w.Code != 201 || w.Body.Len() != 0 || location == nil || h.Get("ETag") != "1" || h.Get("Last-Modified") != "Tue, 10 Jun 2025 15:30:00 GMT" {
		t.Fatalf("%d %q %v", w.Code, w.Body, h)
	}
	want := `200 {"resourceType":"Device","id":"` + location[1] + `","meta":{"versionId":"1","lastUpdated":"` + written + `","tag":[]},"model":"N"}`
	if got := kind(answer(s, inProcess("GET", "/fhir/v2/Device/"+location[1], ""))); got != want {
		t.Errorf("what was created reads\n%s\nwant\n%s", got, want)
	}
	if got := kind(answer(s, inProcess("GET", "/fhir/v2/Device/mine", ""))); !strings.HasPrefix(got, "404") {
		t.Errorf("the client's id was kept: %s", got)
	}
	// stored under the type of the body, and told under that of the path
	w = answer(s, inProcess("POST", "/fhir/v2/Organization", `{"resourceType":"Device"}`))
	_, id, _ := strings.Cut(w.Header().Get("Location"), "v2/Organization/")
	if got := answer(s, inProcess("GET", "/fhir/v2/Device/"+id, "")); w.Code != 201 || got.Code != 200 {
		t.Errorf("a type of its own: %d %v, read with %d", w.Code, w.Header(), got.Code)
	}
}

func TestPut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, target, body, want string }{
		{"new", "/fhir/v2/Device/c", `{"resourceType":"Device","id":"c"}`,
			"\"id\": \"c\", \"meta\": {\"versionId\": \"1\", \"lastUpdated\": \"" + written + "\"}"},
		{"changed: a number, at the end", "/fhir/v2/Device/a", `{"resourceType":"Device","id":"a","model":"N"}`,
			"\"id\": \"a\", \"meta\": {\"versionId\": 2, \"lastUpdated\": \"" + written + "\"}, \"model\": \"N\"}"},
		{"a date of its own", "/fhir/v2/Device/a", `{"resourceType":"Device","id":"a","meta":{"lastUpdated":"2025-05-05T05:05:05+02:00"}}`,
			"\"id\": \"a\", \"meta\": {\"versionId\": 2, \"lastUpdated\": \"2025-05-05T05:05:05+02:00\""},
		{"what stands before and behind the version", "/fhir/v2/Device/c", `{"resourceType":"Device","id":"c","meta":{"profile":["P"],"extension":[{"url":"U"}],"source":"S"}}`,
			`"meta": {"versionId": "1", "lastUpdated": "` + written + `", "profile": ["P"], "extension": [{"url": "U"}], "source": "S"`},
		{"an extension first", "/fhir/v2/Device/c", `{"resourceType":"Device","id":"c","meta":{"extension":[{"url":"U"}],"profile":["P"]}}`,
			`"meta": {"extension": [{"url": "U"}], "versionId": "1", "lastUpdated": "` + written + `", "profile": ["P"]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := writable(t)
			w := answer(s, inProcess("PUT", c.target, c.body))
			if w.Code != 200 || w.Header().Get("Location") != "http://mock.examplev2"+strings.TrimPrefix(c.target, "/fhir/v2") ||
				w.Header().Get("Last-Modified") != "Tue, 10 Jun 2025 15:30:00 GMT" || w.Header().Get("ETag") != "" {
				t.Errorf("%d %v", w.Code, w.Header())
			}
			lines := strings.Split(contents(t, s), "\n")
			if last := lines[len(lines)-1]; !strings.Contains(last, c.want) {
				t.Errorf("stored at the end is\n%s\nwant\n%s", last, c.want)
			}
		})
	}
}

// TestPutSame: what is stored already does not move, in place or in time
// (§8.2), whatever its version and date say.
func TestPutSame(t *testing.T) {
	t.Parallel()
	s := writable(t)
	before := contents(t, s)
	for _, meta := range []string{`{"profile":["P"]}`, `{"versionId":"9","lastUpdated":"2026-01-01T00:00:00Z","profile":["P"]}`} {
		if w := answer(s, inProcess("PUT", "/fhir/v2/Device/a", `{"resourceType":"Device","id":"a","meta":`+meta+`,"model":"M"}`)); w.Code != 200 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if diff := cmp.Diff(before, contents(t, s)); diff != "" {
			t.Errorf("%s moved it:\n%s", meta, diff)
		}
	}
	for i := 2; i < 5; i++ { // one version after the other
		answer(s, inProcess("PUT", "/fhir/v2/Device/a", fmt.Sprintf(`{"resourceType":"Device","id":"a","model":"M%d"}`, i)))
		if got := answer(s, inProcess("GET", "/fhir/v2/Device/a", "")).Body.String(); !strings.Contains(got, fmt.Sprintf(`"versionId":"%d"`, i)) {
			t.Errorf("version %d reads %s", i, got)
		}
		// What came without a version was the first.
		answer(s, inProcess("PUT", "/fhir/v2/Device/b", fmt.Sprintf(`{"resourceType":"Device","id":"b","model":"M%d"}`, i)))
		if got := answer(s, inProcess("GET", "/fhir/v2/Device/b", "")).Body.String(); !strings.Contains(got, fmt.Sprintf(`"versionId":"%d"`, i)) {
			t.Errorf("version %d reads %s", i, got)
		}
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	s := writable(t)
	for _, target := range []string{"/fhir/v2/Device/a", "/fhir/v2/Device/a", "/fhir/v2/Device/never", "/fhir/v2/Foo/x"} {
		if w := answer(s, inProcess("DELETE", target, "")); w.Code != 204 || w.Body.Len() != 0 {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
	if got := kind(answer(s, inProcess("GET", "/fhir/v2/Device/a", ""))); got != oo(404, "Resource not found with id: a") {
		t.Errorf("what was deleted reads %s", got)
	}
	if got := contents(t, s); got != `"id": "b"}` {
		t.Errorf("left is %s", got)
	}
	answer(s, inProcess("PUT", "/fhir/v2/Device/a", `{"resourceType":"Device","id":"a"}`))
	if got := answer(s, inProcess("GET", "/fhir/v2/Device/a", "")); got.Code != 200 {
		t.Errorf("what came back reads %d", got.Code)
	}
}

func TestTransaction(t *testing.T) {
	t.Parallel()
	s := writable(t)
	w := answer(s, inProcess("POST", "/fhir/v2/", `{"resourceType":"Bundle","type":"transaction","entry":[
		{"resource":{"resourceType":"Device","id":"a","model":"N"},"request":{"method":"PUT","url":"Device/a"}},
		{"resource":{"resourceType":"Device","id":"c"}},
		{"resource":{"resourceType":"Device"}},
		{"resource":{"resourceType":"Foo","id":"x"}},
		{}]}`))
	if w.Code != 200 || w.Header().Get("Location") != "http://mock.examplev2/" || w.Header().Get("Content-Type") != fhirJSON {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	got := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`).ReplaceAllString(w.Body.String(), "UUID")
	const want = `{"resourceType":"Bundle","total":3,"entry":[{"response":{"status":"200 OK","location":"Device/a"}},` +
		`{"response":{"status":"201 Created","location":"Device/c"}},{"response":{"status":"201 Created","location":"Device/UUID"}}]}`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if lines := strings.Split(contents(t, s), "\n"); len(lines) != 4 || !strings.HasPrefix(lines[1], `"id": "a"`) {
		t.Errorf("stored are\n%s", strings.Join(lines, "\n"))
	}
	if got := kind(answer(s, inProcess("POST", "/fhir/v2/", `{"resourceType":"Bundle"}`))); got != `200 {"resourceType":"Bundle","total":0}` {
		t.Errorf("an empty transaction: %s", got)
	}
}

func TestRefusedWrites(t *testing.T) {
	t.Parallel()
	const hapi = "HAPI-1861: Failed to parse JSON encoded FHIR content: "
	noJSON := func(c string) string {
		return hapi + "HAPI-1859: Content does not appear to be FHIR JSON, first non-whitespace character was: '" + c + "' (must be '{')"
	}
	const noSuchType = "Error converting the FHIR resource to a MongoDb Document."
	s := writable(t)
	before := contents(t, s)
	for _, c := range []struct {
		request string
		want    string
	}{
		{"POST /Device", oo(400, "Unknown error")},
		{"POST /Device  x", oo(422, noJSON("x"))},
		{"POST /Device xx", oo(422, noJSON("x"))}, // the same character twice
		{"POST /Device [1]", oo(422, noJSON("["))},
		{"POST /Device é", oo(422, noJSON("é"))},
		{`POST /Device "{}"`, oo(422, noJSON(`\"`))},
		{`POST /Device {"resourceType":"Foo"}`, oo(404, noSuchType)},
		{"POST /Device {}", oo(404, noSuchType)},
		{`POST /Device {"resourceType":["Device"]}`, oo(404, noSuchType)},
		{"PUT /Device/a", oo(400, "Unknown error")},
		{"PUT /Device/a x", oo(500, noJSON("x"))},
		{`PUT /Device/a {"resourceType":"Device","id":"b"}`, oo(400, "Id provided in URL: a. Id provided in resource: b")},
		{`PUT /Device/a {"resourceType":"Foo","id":"a"}`, oo(404, noSuchType)},
		{`PUT /Device {"resourceType":"Device","id":"a"}`, oo(404, "The path must be of the form: PUT <type>/<id>")},
		{`PUT /Device/a/b {"resourceType":"Device","id":"a"}`, oo(404, "The path must be of the form: PUT <type>/<id>")},
		{"DELETE /Device", oo(404, "The path must be of the form: DELETE <type>/<id>")},
		{"POST / x", oo(422, noJSON("x"))},
		{"POST /", oo(400, "Unknown error")},
	} {
		method, rest, _ := strings.Cut(c.request, " ")
		target, body, _ := strings.Cut(rest, " ")
		w := answer(s, inProcess(method, "/fhir/v2"+target, body))
		if got := kind(w); got != c.want || w.Header().Get("Location") != "" {
			t.Errorf("%s\n got %s %v\nwant %s", c.request, got, w.Header(), c.want)
		}
	}
	for _, body := range []string{`{"resourceType":"Device"`, `{"a":}`, `{"resourceType":"Device","id":"a"} x`, "{\"a\":\"\x01\"}"} {
		for method, status := range map[string]int{"POST": 422, "PUT": 500} {
			w := answer(s, inProcess(method, map[string]string{"POST": "/fhir/v2/Device", "PUT": "/fhir/v2/Device/a"}[method], body))
			if w.Code != status || !strings.HasPrefix(w.Body.String(), strings.TrimSuffix(outcome(hapi), `"}]}`)) || !json.Valid(w.Body.Bytes()) {
				t.Errorf("%s %q: %d %s", method, body, w.Code, w.Body)
			}
		}
	}
	if w := answer(s, inProcess("POST", "/fhir/v2/Device", strings.Repeat(" ", 1<<20+1))); w.Code != 413 {
		t.Errorf("a body too large: %d", w.Code)
	}
	if diff := cmp.Diff(before, contents(t, s)); diff != "" {
		t.Errorf("something was written:\n%s", diff)
	}
}

// TestWritesAtOnce: each of many writers gets a version of its own.
func TestWritesAtOnce(t *testing.T) {
	t.Parallel()
	s := writable(t)
	var wg sync.WaitGroup
	const writers = 20
	for i := range writers {
		wg.Go(func() {
			answer(s, inProcess("PUT", "/fhir/v2/Device/a", fmt.Sprintf(`{"resourceType":"Device","id":"a","model":"W%d"}`, i)))
			answer(s, inProcess("GET", "/fhir/v2/Device", ""))
		})
	}
	wg.Wait()
	if got := answer(s, inProcess("GET", "/fhir/v2/Device/a", "")).Body.String(); !strings.Contains(got, fmt.Sprintf(`"versionId":"%d"`, writers+1)) {
		t.Errorf("after %d writes: %s", writers, got)
	}
}

// TestWritesWithoutMethodFilter: where the gateway does not look at methods, the
// FHIR server of production writes as well (gravitee.md §3.2).
func TestWritesWithoutMethodFilter(t *testing.T) {
	t.Parallel()
	for gateway, want := range map[string]int{"method-filter=off": 200, "v3": 405} {
		s := build(t, directory("Device/a"), mockserver.WithGateway(gateway))
		if got := answer(s, inProcess("PUT", "/fhir/v2/Device/b", `{"resourceType":"Device","id":"b"}`)); got.Code != want {
			t.Errorf("%s: PUT is answered with %d", gateway, got.Code)
		}
	}
}
