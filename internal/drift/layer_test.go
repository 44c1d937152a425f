package drift_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mockfhir/mockfhir/internal/drift"
)

// service is a directory of three people and one structure: just enough for
// each kind of clause to have something to change.
func service(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/fhir+json;charset=UTF-8")
	refuse := func(status int, text string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"exception","diagnostics":%q}]}`, text)
	}
	query := r.URL.Query()
	if r.Method == http.MethodPost {
		body, _ := io.ReadAll(r.Body)
		query, _ = url.ParseQuery(string(body))
	}
	switch path := strings.TrimSuffix(r.URL.Path, "/_search"); {
	case r.Header.Get("ESANTE-API-KEY") != "k":
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"message":"Unauthorized","http_status_code":401}`)
	case path == "/fhir/v2/metadata":
		fmt.Fprint(w, `{"resourceType":"CapabilityStatement","format":["json"],"rest":[{"resource":[{"type":"Practitioner","searchParam":[{"name":"identifier","type":"token"}]}]}]}`)
	case path == "/fhir/v2/_page":
		bundle(w, r, 3, 4)
	case strings.HasPrefix(path, "/fhir/v2/Practitioner/"), strings.HasPrefix(path, "/fhir/v2/Organization/"):
		if id := path[strings.LastIndexByte(path, '/')+1:]; id == "9" {
			refuse(404, "Resource not found with id: 9")
		} else {
			fmt.Fprintf(w, `{"resourceType":"Organization","id":%q}`, id)
		}
	case query.Has("foo"):
		refuse(500, "Parameter foo not found for resource Practitioner")
	case query.Get("family") == "nobody":
		bundle(w, r, 1, 0)
	case query.Get("_count") == "2":
		bundle(w, r, 1, 2)
	case path == "/fhir/v2/Practitioner":
		bundle(w, r, 1, 3)
	default:
		refuse(500, "Resource type not supported")
	}
}

// bundle writes the entries from one number to another, and a next link after
// three; the last entry stands for an include when one is asked for.
func bundle(w io.Writer, r *http.Request, from, to int) {
	fmt.Fprintf(w, `{"resourceType": "Bundle","type": "searchset","id": "x","total":4,"entry": [`)
	for i := from; i <= to; i++ {
		if i > from {
			fmt.Fprint(w, ",")
		}
		fmt.Fprintf(w, "\n"+`{"fullUrl":"http://h/fhir/v2/Practitioner/003-%d","resource":{"resourceType": "Practitioner", "id": "003-%d", "meta": {"versionId": "1", "lastUpdated": "2026-03-01T10:00:00.000+01:00"}, "identifier": [{"system": "urn:a", "value": "081"}, {"type": {"coding": [{"code": "RPPS"}]}, "value": "7"}], "active": true, "name": [{"family": "DUVAL%d", "given": ["Zoé"]}], "telecom": [{"value": "a"}, {"value": "b"}]}}`, i, i, i)
	}
	if r.URL.Query().Has("_include") {
		fmt.Fprint(w, `,{"fullUrl":"http://h/fhir/v2/Organization/001-1","resource":{"resourceType": "Organization", "id": "001-1", "partOf": {"reference": "Organization/001-2"}, "address": [{"city": "BREST", "postalCode": "01200"}]}}`)
	}
	fmt.Fprint(w, `],"link": [ `)
	if to == 3 {
		fmt.Fprint(w, `{"relation": "next","url": "http://h/fhir/v2/_page?id=uabc=="}, `)
	}
	fmt.Fprintf(w, `{"relation": "self","url": "http://h%s"}]}`, r.URL.RequestURI())
}

// client asks a service in steps, and remembers the last answer.
type client struct {
	t         *testing.T
	transport http.RoundTripper
	status    int
	header    http.Header
	body      string
}

func (c *client) ask(step string) {
	c.t.Helper()
	method, target, _ := strings.Cut(step, " ")
	target, form, _ := strings.Cut(target, " ")
	req, err := http.NewRequestWithContext(context.Background(), method, "http://h"+target, strings.NewReader(form))
	if err != nil {
		c.t.Fatal(err)
	}
	if !strings.Contains(target, "nokey") {
		req.Header.Set("ESANTE-API-KEY", "k")
	}
	if strings.Contains(target, "packed") {
		req.Header.Set("Accept-Encoding", "gzip")
	}
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	c.status, c.header, c.body = resp.StatusCode, resp.Header, string(body)
}

const people = "GET /fhir/v2/Practitioner"

func TestMutations(t *testing.T) {
	t.Parallel()
	tests := []struct {
		layer, how string
		ask        []string
		status     int
		has, hasNo string // in the body
	}{
		{"http", "status 200->500", []string{people}, 500, "Unexpected error", "Bundle"},
		{"http", "status 200->500", []string{"GET /fhir/v2/metadata"}, 200, "CapabilityStatement", ""},
		{"http", `status 200->302; hdr set Location=https://portal/; body=""`, []string{people}, 302, "", "Bundle"},
		{"http", `on empty result: status 200->204; body=""`, []string{people + "?family=nobody"}, 204, "", "Bundle"},
		{"http", `on empty result: status 200->204; body=""`, []string{people}, 200, "Bundle", ""},
		{"http", "on GET /Practitioner/unknown: status 404->500", []string{people + "/9"}, 500, "not found", ""},
		{"http", "on bad parameter: status 500->400 (a note; another)", []string{people + "?foo=1"}, 400, "foo", ""},
		{"http", "on bad type: HAPI-1 -> HAPI-2", []string{"GET /fhir/v2/Foo"}, 500, "supported", ""},
		{"search", "on foo=bar: status 500->200 (400->200 on v1) with the unfiltered page", []string{people + "?foo=1"}, 200, "003-3", "exception"},
		{"search", "on active=true: json set /entry/0/resource/active=false", []string{people + "?active=true"}, 200, `"active": false`, ""},
		{"search", "on active=true: json set /entry/0/resource/active=false", []string{people}, 200, "", `"active": false`},
		{"search", "on identifier=a,b: empty Bundle", []string{people + "?identifier=1%2C2"}, 200, `"total":0`, "003-"},
		{"search", "on _include: drop included entries", []string{people + "?_include=x"}, 200, "003-1", "Organization"},
		{"search", "without _count: answer 2 entries", []string{people}, 200, "003-2", "003-3"},
		{"search", "without _count: answer 2 entries", []string{people + "?_count=3"}, 200, "003-3", ""},
		{"search", "on POST _search: drop the last criterion", []string{"POST /fhir/v2/Practitioner/_search _count=2&family=nobody"}, 200, "003-2", ""},
		{"paging", "on /_page: answer page 1 again", []string{people, "GET /fhir/v2/_page?id=uabc=="}, 200, "003-1", "003-4"},
		{"paging", "on last page: keep link next", []string{people, "GET /fhir/v2/_page?id=uabc=="}, 200, `"next"`, ""},
		{"paging", "on /_page after 5 s: status 200->500", []string{people, "GET /fhir/v2/_page?id=uabc=="}, 200, "003-4", ""},
		{"paging", "on /_page after 5 s: status 200->500", []string{people, "wait 6s", "GET /fhir/v2/_page?id=uabc=="}, 500, "Unexpected", ""},
		{"paging", "json map /link/[next]/url https://gateway.api -> http://inside:8080", []string{people}, 200, "http://inside:8080/fhir/v2/_page", "http://h/fhir/v2/_page"},
		{"paging", "json map /link/[next]/url id=another valid token of ours for the same page", []string{people}, 200, "_page?id=d", "uabc"},
		{"paging", "json map /link/[self]/url %7C <-> pipe, reorder", []string{people + "?a=1%7C2&b=3"}, 200, "?b=3&a=1|2", ""},
		{"paging", "json reverse /link", []string{people}, 200, `{"relation": "self","url": "http://h/fhir/v2/Practitioner"}, {"relation": "next"`, ""},
		{"bundle", "json map /total int->string", []string{people}, 200, `"total":"4"`, ""},
		{"bundle", "json set /total=len(/entry)", []string{people}, 200, `"total":3`, ""},
		{"bundle", "json set /total=total*0.4", []string{people}, 200, `"total":1`, ""},
		{"bundle", "json del /id", []string{people}, 200, `"type": "searchset","total":4`, ""},
		{"bundle", "json map /entry/*/fullUrl strip scheme+host", []string{people}, 200, `"fullUrl":"/fhir/v2/Practitioner/003-1"`, "http://h/fhir/v2/Practitioner/"},
		{"bundle", `json set /entry/<included>/search/mode="match"`, []string{people + "?_include=x"}, 200, `"search":{"mode":"match"}`, ""},
		{"resource", "json del /entry/*/resource/identifier/[type.code=RPPS]", []string{people}, 200, "081", "RPPS"},
		{"resource", "json map /entry/*/resource/identifier/*/value string->int", []string{people}, 200, `"value": 81`, ""},
		{"resource", `json map /entry/*/resource/name/0/family prefix "M"`, []string{people}, 200, "MDUVAL1", ""},
		{"resource", "json map /entry/*/resource/name/0/given/* utf8-as-latin1", []string{people}, 200, "ZoÃ©", "Zoé"},
		{"resource", "json move /entry/*/resource/name -> /entry/*/resource/names", []string{people}, 200, `"names": [{"family": "DUVAL1"`, ""},
		{"resource", "json map /entry/*/resource/meta/lastUpdated instant->epoch int", []string{people}, 200, `"lastUpdated": 1772355600000`, ""},
		{"resource", "json map /entry/*/resource/meta/lastUpdated strip offset", []string{people}, 200, `"2026-03-01T10:00:00.000"`, ""},
		{"resource", "json map /entry/*/resource/meta/lastUpdated to Z", []string{people}, 200, `"2026-03-01T09:00:00.000Z"`, ""},
		{"resource", "json map /entry/*/resource/meta/versionId +1 (string)", []string{people}, 200, `"versionId": "2"`, ""},
		{"resource", `json map /entry/*/resource/address/0/city = postalCode + " " + city`, []string{people + "?_include=x"}, 200, `"01200 BREST"`, ""},
		{"resource", "json map /entry/*/resource/address/0/postalCode strip leading 0", []string{people + "?_include=x"}, 200, `"1200"`, ""},
		{"resource", `json set /entry/*/resource/birthDate="1980-01-01"`, []string{people}, 200, `, "birthDate": "1980-01-01"}`, ""},
		{"resource", "json shuffle /entry/*/resource/name, identifier, telecom", []string{people}, 200, `"telecom": [{"value": "b"}, {"value": "a"}]`, ""},
		{"resource", "json del /entry/0/resource/telecom/0; json del /entry/0/resource/telecom/0", []string{people}, 200, `"DUVAL1", "given": ["Zoé"]}]}}`, ""},
		{"resource", `json append /entry/*/resource/telecom {"value":"c"}`, []string{people}, 200, `{"value": "b"}, {"value":"c"}]`, ""},
		{"capability", "json del /rest/0/resource/[Practitioner]/searchParam/[name=identifier]", []string{"GET /fhir/v2/metadata"}, 200, `"type":"Practitioner"`, "identifier"},
		{"capability", `json set /format=["xml"]`, []string{people}, 200, "Bundle", "xml"},
		{"auth", "on missing key: status 401->200 with data", []string{people + "?nokey=1"}, 200, "003-1", "Unauthorized"},
		{"auth", "on missing key: status 401->403", []string{people + "?nokey=1"}, 403, "Unauthorized", ""},
		{"auth", `on missing key: body={"error":"unauthorized"}`, []string{people + "?nokey=1"}, 401, `{"error":"unauthorized"}`, "message"},
		{"http", "every call 503; hdr set Retry-After=3600", []string{"GET /fhir/v2/metadata"}, 503, "Service Unavailable", ""},
		{"ratelimit", "first call 429, then nominal", []string{people, people}, 200, "Bundle", ""},
		{"ratelimit", "first call 429, then nominal", []string{people}, 429, "Too Many", ""},
		{"bundle", "body=indent(body)", []string{people}, 200, "{\n  \"resourceType\" : \"Bundle\",", ""},
		{"bundle", "body=ascii-escape(body)", []string{people}, 200, `\/Practitioner\/003-1`, "é"},
		{"resource", "make GET of the first referenced Organization answer 404", []string{people + "?_include=x", "GET /fhir/v2/Organization/001-2"}, 404, "001-2", ""},
		{"resource", "make GET of the first referenced Organization answer 404", []string{people + "?_include=x", "GET /fhir/v2/Organization/001-3"}, 200, "001-3", ""},
		{"resource", "series: same RPPS, other id than in the fixture", []string{people}, 200, `Practitioner/003-17","resource":{"resourceType": "Practitioner", "id": "003-17"`, `"003-1"`},
		{"performance", "pad every resource with text.div of 30 kB", []string{people}, 200, "Lorem ipsum", ""},
	}
	for _, tt := range tests {
		t.Run(tt.how, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m, err := drift.Parse(drift.Case{ID: "x", Layer: tt.layer, How: tt.how})
				if err != nil {
					t.Fatal(err)
				}
				c := &client{t: t, transport: drift.Transport(m.Layer(http.HandlerFunc(service), "k"))}
				for _, step := range tt.ask {
					if d, found := strings.CutPrefix(step, "wait "); found {
						pause, err := time.ParseDuration(d)
						if err != nil {
							t.Fatal(err)
						}
						time.Sleep(pause)
						continue
					}
					c.ask(step)
				}
				if c.status != tt.status || !strings.Contains(c.body, tt.has) || tt.hasNo != "" && strings.Contains(c.body, tt.hasNo) {
					t.Errorf("%v\n\tgot %d %s\n\twant %d with %s and no %s", tt.ask, c.status, c.body, tt.status, tt.has, tt.hasNo)
				}
			})
		})
	}
}

// TestScopeInTheDescription: a note of the description narrows the mutation.
func TestScopeInTheDescription(t *testing.T) {
	t.Parallel()
	m, err := drift.Parse(drift.Case{ID: "x", Layer: "bundle", How: "json map /total *1.5", Description: "total moves (default total only; the rest is breaking)"})
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, transport: drift.Transport(m.Layer(http.HandlerFunc(service), "k"))}
	c.ask(people)
	if !strings.Contains(c.body, `"total":6,`) {
		t.Errorf("the total is not changed: %s", c.body)
	}
	c.ask(people + "?_total=accurate")
	if !strings.Contains(c.body, `"total":4,`) {
		t.Errorf("the total asked for is changed: %s", c.body)
	}
}

// TestHeadersAndPace: what a mutation does beside the body.
func TestHeadersAndPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ask := func(how, target string) (*client, time.Duration) {
			m, err := drift.Parse(drift.Case{ID: "x", Layer: "headers", How: how})
			if err != nil {
				t.Fatal(err)
			}
			layer := m.Layer(http.HandlerFunc(service), "k")
			c := &client{t: t, transport: drift.Transport(layer)}
			start := time.Now()
			c.ask(target)
			if layer.Applied() == 0 {
				t.Errorf("%s: not applied", how)
			}
			return c, time.Since(start)
		}
		if c, _ := ask("hdr set Content-Type=application/fhir+json; charset=utf-8; hdr set Via=a", people); c.header.Get("Content-Type") != "application/fhir+json; charset=utf-8" || c.header.Get("Via") != "a" {
			t.Errorf("headers = %v", c.header)
		}
		if c, _ := ask("hdr del Content-Type (and suppress sniffing)", people); c.header["Content-Type"] != nil {
			t.Errorf("headers = %v", c.header)
		}
		if c, _ := ask("on Accept-Encoding: gzip: gzip(body)", people+"?packed=1"); c.header.Get("Content-Encoding") != "gzip" || !strings.HasPrefix(c.body, "\x1f\x8b") {
			t.Errorf("headers = %v, body = %q", c.header, c.body[:10])
		}
		if c, _ := ask("remove Content-Length, chunk", people); c.header.Get("Content-Length") != "" {
			t.Errorf("headers = %v", c.header)
		}
		if c, _ := ask("hdr set Date=now-7min", people); c.header.Get("Date") != time.Now().Add(-7*time.Minute).UTC().Format(http.TimeFormat) {
			t.Errorf("headers = %v", c.header)
		}
		if _, took := ask("delay 8s on every call", people); took < 8*time.Second {
			t.Errorf("it took %v", took)
		}
		if _, took := ask("body in 100-byte chunks, 200 ms apart", people); took < 2*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// TestTokensOfOurs: the other address of a page answers that page.
func TestTokensOfOurs(t *testing.T) {
	t.Parallel()
	m, err := drift.Parse(drift.Case{ID: "x", Layer: "paging", How: "json map /link/[next]/url id=another valid token of ours for the same page"})
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, transport: drift.Transport(m.Layer(http.HandlerFunc(service), "k"))}
	c.ask(people)
	_, next, found := strings.Cut(c.body, `"next","url": "http://h`)
	if !found {
		t.Fatal(c.body)
	}
	next, _, _ = strings.Cut(next, `"`)
	c.ask("GET " + next)
	if c.status != 200 || !strings.Contains(c.body, "003-4") {
		t.Errorf("%s answers %d %s", next, c.status, c.body)
	}
}

// TestNotUnderstood: what has no meaning is refused, not ignored.
func TestNotUnderstood(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"do something", "on nothing in particular!: status 200->500", "json frob /a", "json map /a sideways", "json set a=1", "status 2->3", "body=nonsense", "hdr set X"} {
		if _, err := drift.Parse(drift.Case{ID: "x", How: how}); err == nil {
			t.Errorf("%q is understood", how)
		}
	}
}
