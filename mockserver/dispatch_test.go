package mockserver_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/mockserver"
	"github.com/mockfhir/mockfhir/mockserver/control"
)

// directory is a small set; each resource is written as "Type/id members".
func directory(resources ...string) *fixtures.Set {
	set := &fixtures.Set{Table: fixtures.DefaultTable()}
	for _, text := range resources {
		name, members, _ := strings.Cut(text, " ")
		typ, id, _ := strings.Cut(name, "/")
		if members != "" {
			members = "," + members
		}
		set.Resources = append(set.Resources, fixtures.Resource{Type: typ, ID: id, JSON: fmt.Sprintf(`{"resourceType":%q,"id":%q%s}`, typ, id, members)})
	}
	return set
}

// build makes a server of a set that accepts the key "k" and counts nothing.
func build(t testing.TB, set *fixtures.Set, opts ...mockserver.Option) *mockserver.Server {
	t.Helper()
	s, err := mockserver.Build(set, append([]mockserver.Option{mockserver.WithKeys("k"), mockserver.WithRate("0")}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// inProcess is a request as net/http hands it to a handler, its target as raw
// as the client wrote it.
func inProcess(method, target, body string, header ...string) *http.Request {
	r := httptest.NewRequest(method, "/", nil)
	if body != "" {
		r = httptest.NewRequest(method, "/", strings.NewReader(body))
	}
	r.Host, r.RequestURI = "mock.example", target
	if u, err := url.ParseRequestURI(target); err == nil {
		r.URL = u
	}
	r.Header.Set("ESANTE-API-KEY", "k")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// answer asks a handler. A connection that it closes is a code of 0.
func answer(h http.Handler, r *http.Request) (w *httptest.ResponseRecorder) {
	w = httptest.NewRecorder()
	defer func() {
		if cause := recover(); cause == http.ErrAbortHandler {
			w = httptest.NewRecorder()
			w.Code = 0
		} else if cause != nil {
			panic(cause)
		}
	}()
	h.ServeHTTP(w, r)
	return w
}

// outcome is the body of an error, byte for byte (ans-server.md §3.1).
func outcome(diagnostics string) string {
	return `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"exception","diagnostics":"` + diagnostics + `"}]}`
}

// The texts of ans-server.md §1.2 and §3.2.
const (
	literalL1 = "Can't process the request. Resource type not supported. Server knows how to handle: [Device, HealthcareService, Organization, Practitioner, PractitionerRole]"
	tooOld    = "The url can't be processed. Maybe it is too old or corrupted."
	noPage    = "Parameter id required to fetch the next page"
	fhirJSON  = "application/fhir+json;charset=UTF-8"
	form      = "application/x-www-form-urlencoded"
)

// kind is an answer in few words: its status, and its body when that is not
// a searchset or a capability statement.
func kind(w *httptest.ResponseRecorder) string {
	body := w.Body.String()
	switch {
	case w.Code == 0:
		return "closed"
	case strings.HasPrefix(body, `{"resourceType": "Bundle","type": "searchset"`):
		return fmt.Sprintf("%d searchset of %d", w.Code, strings.Count(body, `"fullUrl":`))
	case strings.HasPrefix(body, `{"resourceType":"CapabilityStatement","status":"active",`):
		return fmt.Sprintf("%d metadata", w.Code)
	case strings.HasPrefix(body, "<!doctype html>"):
		return fmt.Sprintf("%d %s", w.Code, w.Header().Get("Content-Type"))
	case strings.HasPrefix(body, `{"timestamp":"2025-06-10T15:30:00.000+00:00",`):
		return fmt.Sprintf("%d boot %s", w.Code, strings.TrimPrefix(body, `{"timestamp":"2025-06-10T15:30:00.000+00:00",`))
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", w.Code, body))
}

func oo(status int, diagnostics string) string {
	return fmt.Sprintf("%d %s", status, outcome(diagnostics))
}

var persons = directory(`Practitioner/p1 "name":[{"family":"A"}]`, `Practitioner/p2 "name":[{"family":"A?B"}]`, "Device/$x")

// TestDispatch is ans-server.md §1.2–§1.4: each row is a request to
// /fhir/v2 and its answer in both profiles; where one answer stands, it is
// that of both.
func TestDispatch(t *testing.T) {
	t.Parallel()
	const read = `200 {"resourceType":"Practitioner","id":"p1","name":[{"family":"A"}]}`
	const notAllowed = "403 You're not allowed to access this resource"
	const wrongMethod = "405 Method not allowed while accessing this resource"
	notFound := func(name, typ string) string { return oo(500, "Parameter "+name+" not found for resource "+typ) }
	noJSON := func(first string) string {
		return oo(422, "HAPI-1861: Failed to parse JSON encoded FHIR content: HAPI-1859: Content does not appear to be FHIR JSON, first non-whitespace character was: '"+first+"' (must be '{')")
	}
	for _, c := range []struct {
		request    string // METHOD target[ body]
		mediaType  string
		production string
		source     string // "" is as in production
	}{
		{"GET /Practitioner", "", "200 searchset of 2", ""},
		{"GET /Practitioner?", "", "200 searchset of 2", ""},
		{"GET /Practitioner?family=A", "", "200 searchset of 2", ""},
		{"GET /Practitioner?family=a%3F", "", "200 searchset of 1", ""},
		{"GET /Practitioner/p1", "", read, ""},
		{"GET /Practitioner/p1/", "", read, ""},
		{"GET /Practitioner/p1//", "", read, ""},
		{"GET /Practitioner/p1?_format=xml&_pretty=true&_elements=id", "", read, ""},
		{"GET /Practitioner/p%31", "", oo(404, "Resource not found with id: p%31"), ""},
		{"GET /Practitioner/nope", "", oo(404, "Resource not found with id: nope"), ""},
		{"GET /Practitioner/$everything", "", oo(404, "Resource not found with id: $everything"), ""},
		{"GET /Device/$x", "", `200 {"resourceType":"Device","id":"$x"}`, ""},
		{"GET /Practitioner/", "", oo(500, literalL1), ""},
		{"GET ", "", oo(500, literalL1), ""},
		{"GET /", "", oo(500, literalL1), ""},
		{"GET ?", "", oo(500, literalL1), ""},
		{"GET /Foo", "", oo(500, literalL1), ""},
		{"GET /Foo?name=x", "", notFound("name", "Foo"), ""},
		{"GET /Foo?_count=5", "", oo(500, literalL1), ""},
		{"GET /Foo/1", "", oo(404, literalL1), ""},
		{"GET /practitioner", "", oo(500, literalL1), ""},
		{"GET //Practitioner", "", oo(404, literalL1), ""},
		{"GET /Practitioner/_history", "", oo(500, literalL1), ""},
		{"GET /Practitioner/1/_history", "", oo(500, literalL1), ""},
		{"GET /Practitioner/1/_history/1", "", oo(500, literalL1), ""},
		{"GET /Practitioner/_search?name=a", "", notFound("name", "Practitioner/_search"), ""},
		{"GET /Practitioner/1/PractitionerRole", "", oo(500, literalL1), ""},
		{"GET /Practitioner;v=1", "", oo(500, literalL1), ""},
		{"GET /Pr%61ctitioner", "", oo(500, literalL1), ""},
		{"GET /Practitioner?na%22me=x", "", notFound(`na\"me`, "Practitioner"), ""},

		{"GET /metadata", "", "200 metadata", ""},
		{"GET /metadata/foo", "", "200 metadata", ""},
		{"GET /metadataXYZ?a=b", "", "200 metadata", ""},

		{"GET /$meta", "", oo(400, "Unknown error"), ""},
		{"GET /$index-status/x", "", oo(400, "Unknown error"), ""},
		{"GET /$index", "", notAllowed, "200"},
		{"GET /$index-status", "", notAllowed, `200 {"resourceType":"OperationOutcome","issue":[{"severity":"information","code":"value","diagnostics":"Not running"}]}`},

		{"GET /_page", "", oo(400, noPage), ""},
		{"GET /_page?id=", "", oo(400, noPage), ""},
		{"GET /_page?id=%20", "", oo(400, noPage), ""},
		{"GET /_page?ID=x", "", oo(400, noPage), ""},
		{"GET /_page?id=x", "", oo(500, tooOld), ""},
		{"GET /_pageXYZ?id=d0a4b2ee", "", oo(500, tooOld), ""},
		{"GET /_page?id=uAAAA", "", "502", "closed"},
		{"GET /_page?id=u", "", "502", "closed"},

		// what Tomcat refuses (§1.5); a raw | is let in behind the ?
		{`GET /Practitioner?name="`, "", "400 text/html;charset=utf-8", ""},
		{`GET /Practitioner?name=<`, "", "400 text/html;charset=utf-8", ""},
		{`GET /Practitioner?name=\`, "", "400 text/html;charset=utf-8", ""},
		{`GET /Practitioner?name={}`, "", "400 text/html;charset=utf-8", ""},
		{"GET /Practitioner?name=`", "", "400 text/html;charset=utf-8", ""},
		{"GET /Practitioner?name=^", "", "400 text/html;charset=utf-8", ""},
		{"GET /Practitioner?name=é", "", "400 text/html;charset=utf-8", ""},
		{"GET /Pract|itioner", "", "400 text/html;charset=utf-8", ""},
		{"GET /Practitioner?identifier=a|b", "", "200 searchset of 0", ""},

		// a body on a GET (§1.3): behind a search, with one more question mark
		{"GET /Practitioner?family=A B", "", "200 searchset of 1", ""},
		{"GET /Practitioner family=A", "", "200 searchset of 2", ""},
		{"GET /Practitioner/p1 x", "", "502", "closed"},
		{"GET /metadata x", "", "502", "closed"},

		// POST (§1.3)
		{"POST /Practitioner family=A?B", form, wrongMethod, "200 searchset of 1"},
		{"POST /Practitioner?family=zzz family=A", form, wrongMethod, "200 searchset of 2"}, // the query is ignored
		{"POST /Practitioner", form, wrongMethod, "200 searchset of 2"},
		{"POST /Practitioner foo=bar", form, wrongMethod, notFound("foo", "Practitioner")},
		{"POST /Practitioner family=A", form + "; charset=UTF-8", wrongMethod, noJSON("f")},
		{"POST /Practitioner", "", wrongMethod, oo(400, "Unknown error")},
		{"POST /Practitioner/_search family=A?B", form, "200 searchset of 1", notFound("family", "Practitioner/_search")},
		{"POST /Practitioner/_search?family=zzz family=A", form, "200 searchset of 2", notFound("family", "Practitioner/_search")},
		{"POST /Practitioner/_search _count=1", form, "200 searchset of 1", oo(500, literalL1)},
		{"POST /Practitioner/_search", form, "200 searchset of 2", oo(500, literalL1)},
		{"POST /Practitioner/_search", "", "200 searchset of 2", oo(400, "Unknown error")},
		{"POST /Practitioner/_search family=A?B", form + "; charset=UTF-8", "200 searchset of 1", noJSON("f")},
		{"POST /Practitioner/_search family=A?B", "Application/X-WWW-Form-Urlencoded", "200 searchset of 1", noJSON("f")},
		{"POST /Practitioner/_search family=%zz", form, oo(500, "Unknown error"), ""},
		{"POST /Practitioner/_search family=A", "text/plain", noJSON("f"), noJSON("f")},
		{"POST /Practitioner/_search family=A", "", noJSON("f"), noJSON("f")},
		{"POST /Foo/_search", form, oo(500, literalL1), ""},
		{"POST /_page?id=x", form, wrongMethod, oo(500, tooOld)},
		{"POST /_page id=x", form, wrongMethod, oo(400, noPage)},
		{"POST /metadata", form, wrongMethod, "200 metadata"},
		{"POST /metadata a=b", form, wrongMethod, "closed"},
		{"POST /Practitioner/p1", form, wrongMethod, read},
		{"POST /Practitioner/p1 a=b", form, wrongMethod, "closed"},
		{"POST /$meta", form, wrongMethod, oo(400, "Unknown error")},

		// other methods (§1.4)
		{"OPTIONS /Practitioner", "", wrongMethod, "200"},
		{"TRACE /Practitioner", "", wrongMethod, "405"},
		{"PATCH /Practitioner/p1 {}", "", wrongMethod, `501 boot "status":501,"error":"Not Implemented","path":"/fhir/v2/Practitioner/p1"}`},
		{`PUT /Practitioner/p1 {"resourceType":"Practitioner"}`, "", wrongMethod, oo(400, "Id provided in URL: p1. Id provided in resource: ")},
		{"PUT /Practitioner {}", "", wrongMethod, oo(404, "The path must be of the form: PUT <type>/<id>")},
		{"DELETE /Practitioner", "", wrongMethod, oo(404, "The path must be of the form: DELETE <type>/<id>")},
	} {
		for profile, want := range map[mockserver.Profile]string{mockserver.Production: c.production, mockserver.Source: c.source} {
			if want == "" {
				want = c.production
			}
			t.Run(fmt.Sprintf("%s/%s %s", profile, c.request, c.mediaType), func(t *testing.T) {
				t.Parallel()
				s := build(t, persons, mockserver.WithProfile(profile), mockserver.WithClock(clock))
				method, rest, _ := strings.Cut(c.request, " ")
				target, body, _ := strings.Cut(rest, " ")
				r := inProcess(method, "/fhir/v2"+target, body)
				if c.mediaType != "" {
					r.Header.Set("Content-Type", c.mediaType)
				}
				w := answer(s, r)
				if diff := cmp.Diff(want, kind(w)); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// TestUnversioned: /fhir alone is v2, and its links say so (§13).
func TestUnversioned(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ target, production, source, none string }{
		{"/fhir/v2/Practitioner", "200 searchset of 2", "", ""},
		{"/fhir/Practitioner", "200 searchset of 2", "", "404"},
		{"/fhir/metadata", "200 metadata", "", "404"},
		{"/fhir/_page?id=x", oo(500, tooOld), "", "404"},
		{"/fhir/Foo", oo(500, literalL1), "404", "404"},
		{"/fhir", oo(500, literalL1), "404", "404"},
		{"/fhir/", oo(500, literalL1), "404", "404"},
		{"/fhir/v3/Practitioner", `404 boot "status":404,"error":"Not Found","path":"/fhir/v3/Practitioner"}`, "", ""},
		{"/fhir/v3", `404 boot "status":404,"error":"Not Found","path":"/fhir/v3"}`, "", ""},
		{"/fhirx/Practitioner", "404 No context-path matches the request URI.", "", ""},
		{"/other", "404 No context-path matches the request URI.", "", ""},
		{"/", "404 No context-path matches the request URI.", "", ""},
	} {
		for name, opts := range map[string][]mockserver.Option{
			"production": {mockserver.WithDefaultVersion("v2")},
			"source":     {mockserver.WithProfile(mockserver.Source)},
			"none":       {mockserver.WithDefaultVersion("none")},
		} {
			want := map[string]string{"production": "", "source": c.source, "none": c.none}[name]
			if want == "" {
				want = c.production
			}
			s := build(t, persons, append(opts, mockserver.WithClock(clock))...)
			if got := kind(answer(s, inProcess("GET", c.target, ""))); got != want {
				t.Errorf("%s %s: %s, want %s", name, c.target, got, want)
			}
		}
	}
	w := answer(build(t, persons), inProcess("GET", "/fhir/Practitioner?_count=1", ""))
	if b := decodeBundle(t, w.Body.String()); b.Entry[0].FullURL != "http://mock.example/fhir/v2/Practitioner/p1" ||
		b.link("self") != "http://mock.example/fhir/v2/Practitioner?_count=1" || !strings.HasPrefix(b.link("next"), "http://mock.example/fhir/v2/_page?id=u") {
		t.Errorf("the links of an unversioned path: %+v", b)
	}
}

// TestHead: the headers of a GET, without its body (§1.4).
func TestHead(t *testing.T) {
	t.Parallel()
	server := serve(t, fixtures.Default())
	for target, sized := range map[string]bool{"Practitioner?_count=0": true, "Practitioner?_count=50": false, "Practitioner/nope": true, "metadata": false} {
		got, _ := get(t, server.URL+"/fhir/v2/"+target)
		head, body := do(t, "HEAD", server.URL+"/fhir/v2/"+target, "")
		if head.StatusCode != got.StatusCode || head.Header.Get("Content-Type") != fhirJSON || body != "" {
			t.Errorf("%s: %s %v, body %q", target, head.Status, head.Header, body)
		}
		if (got.ContentLength >= 0) != sized {
			t.Errorf("%s: a length of %d", target, got.ContentLength)
		}
		if sized && target != "Practitioner/nope" && head.Header.Get("Content-Length") == "" {
			t.Errorf("%s: HEAD without a length: %v", target, head.Header)
		}
	}
}

// TestLimits: what is too long is refused by the gateway (gravitee.md §3.4).
func TestLimits(t *testing.T) {
	t.Parallel()
	s := build(t, persons)
	const tooLarge = "413 The request is larger than the server is willing or able to process."
	ampersands := strings.Repeat("&", 1<<20)
	for _, c := range []struct {
		name string
		r    *http.Request
		want string
	}{
		{"a body of 1 MiB", inProcess("POST", "/fhir/v2/Practitioner/_search", ampersands, "Content-Type", form), "200 searchset of 2"},
		{"a body of 1 MiB and one", inProcess("POST", "/fhir/v2/Practitioner/_search", ampersands+"&", "Content-Type", form), tooLarge},
		{"a body without end", func() *http.Request {
			r := inProcess("POST", "/fhir/v2/Practitioner/_search", "x", "Content-Type", form)
			r.Body, r.ContentLength = io.NopCloser(endless{}), -1
			return r
		}(), tooLarge},
		{"a large body on a GET", inProcess("GET", "/fhir/v2/Practitioner", ampersands+"&"), tooLarge},
		{"a line of 4096", inProcess("GET", "/fhir/v2/Practitioner?"+strings.Repeat("&", 4096-len("GET /fhir/v2/Practitioner? HTTP/1.1")), ""), "200 searchset of 2"},
		{"a line of 4097", inProcess("GET", "/fhir/v2/Practitioner?"+strings.Repeat("&", 4097-len("GET /fhir/v2/Practitioner? HTTP/1.1")), ""), "414"},
		{"a long page", inProcess("GET", "/fhir/v2/_page?id=d"+strings.Repeat("x", 9000), ""), oo(500, tooOld)},
		{"headers above 8192", inProcess("GET", "/fhir/v2/Practitioner", "", "X-Long", strings.Repeat("x", 8192)), "431"},
		{"a value of 1023", inProcess("POST", "/fhir/v2/Practitioner/_search", "name="+strings.Repeat("x", 1023), "Content-Type", form), "200 searchset of 0"},
		{"a value of 1024", inProcess("POST", "/fhir/v2/Practitioner/_search", "name="+strings.Repeat("x", 1024), "Content-Type", form), oo(500, "Bad parameter value.")},
	} {
		if got := kind(answer(s, c.r)); got != c.want {
			t.Errorf("%s: %.200s, want %.200s", c.name, got, c.want)
		}
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '&'
	}
	return len(p), nil
}

// TestProductionNeverWrites: no request changes the directory of production,
// whose gateway lets searches alone through (§9).
func TestProductionNeverWrites(t *testing.T) {
	t.Parallel()
	s := build(t, persons)
	everything := func() string {
		body := answer(s, inProcess("GET", "/fhir/v2/Practitioner", "")).Body.String()
		_, entries, _ := strings.Cut(body, `"total":`)
		return entries
	}
	before := everything()
	if !strings.HasPrefix(before, "2,") {
		t.Fatalf("the directory is %s", before)
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH"} {
		for _, target := range []string{
			"/fhir/v2/Practitioner", "/fhir/v2/Practitioner/p1", "/fhir/v2/Practitioner/_search", "/fhir/v2/_search", "/fhir/v2//_search",
			"/fhir/Practitioner/_search", "/fhir/v2/Practitioner/_search/p1", "/fhir/v2/Practitioner/_searchp1", "/fhir/v2/",
		} {
			for _, mediaType := range []string{"application/fhir+json", "", "text/plain", form} {
				for _, body := range []string{
					`{"resourceType":"Practitioner","id":"p1","active":true}`,
					`{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Practitioner","id":"p9"}}]}`,
				} {
					r := inProcess(method, target, body)
					if mediaType != "" {
						r.Header.Set("Content-Type", mediaType)
					}
					answer(s, r)
					if diff := cmp.Diff(before, everything()); diff != "" {
						t.Fatalf("%s %s of %q %s wrote: %s", method, target, mediaType, body, diff)
					}
				}
			}
		}
	}
}

// clock stands still at 17:30 in Paris.
func clock() time.Time { return time.Date(2025, 6, 10, 15, 30, 0, 0, time.UTC) }

// TestBadSearch: one option gives a search with a mistake the status that ANS
// documents, and leaves alone what is no search (ans-server.md §3.2, §13).
func TestBadSearch(t *testing.T) {
	t.Parallel()
	s := build(t, directory("Practitioner/p1"), mockserver.WithBadSearch(http.StatusBadRequest))
	for target, want := range map[string]int{
		"/fhir/v2/Practitioner?foo=bar": 400, "/fhir/v2/Practitioner?_count=x": 400, "/fhir/v2/Foo?name=a": 400,
		"/fhir/v2/Practitioner?name=%zz": 400, "/fhir/v2/Practitioner?name=a": 200,
		"/fhir/v2/_page": 400, "/fhir/v2/_page?id=x": 500, "/fhir/v2/Practitioner/none": 404,
	} {
		if got := answer(s, inProcess("GET", target, "")); got.Code != want {
			t.Errorf("%s: %d, want %d: %s", target, got.Code, want, got.Body)
		}
	}
	if _, err := mockserver.Build(directory("Practitioner/p1"), mockserver.WithBadSearch(http.StatusTeapot)); err == nil {
		t.Error("418 is accepted")
	}
}

// TestDoubtfulSearch: what a client may not have meant is told where clients
// look, and answered as it was written (ans-server.md §13).
func TestDoubtfulSearch(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := build(t, directory("Organization/o1"), mockserver.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	for target, doubtful := range map[string]bool{
		"/fhir/v2/Organization?type:not=159,165": true, "/fhir/v2/Organization?type:not=159&type:not=165": false,
		"/fhir/v2/Organization?type=159,165": false,
	} {
		log.Reset()
		answer(s, inProcess("GET", target, ""))
		if told := strings.Contains(log.String(), "level=WARN msg=\"type:not with several codes"); told != doubtful || strings.Contains(log.String(), "165") {
			t.Errorf("%s: the log says %s", target, log.String())
		}
		journal := must(control.In(s).Default().Journal(t.Context(), control.Filter{}))(t)
		why := journal[len(journal)-1].Why
		if told := strings.Contains(why, "type:not with several codes"); told != doubtful {
			t.Errorf("%s: the journal says %s", target, why)
		}
	}
}
