package mockserver_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/mockserver"
)

var (
	uuid4 = regexp.MustCompile(`"id": "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"`)
	token = regexp.MustCompile(`_page\?id=u[A-Za-z0-9_-]+={0,2}`)
)

// bytesOf is a searchset with its id and its tokens replaced by UUID and
// TOKEN, which hold nothing to compare.
func bytesOf(body string) string {
	body = strings.Replace(body, uuid4.FindString(body), `"id": "UUID"`, 1)
	return token.ReplaceAllString(body, "_page?id=TOKEN")
}

// TestBundleBytes is ans-server.md §4.1, byte for byte: the odd spaces, the
// newline before each entry, next before self, nothing at the end.
func TestBundleBytes(t *testing.T) {
	t.Parallel()
	set := directory(`Organization/o1 "name":"A"`, `Organization/o2`, `Device/d1 "owner":{"reference":"Organization/o1"}`, "Practitioner/œ")
	const base = "http://mock.example/fhir/v2"
	for _, c := range []struct{ method, target, body, want string }{
		{"GET", "/fhir/v2/Device?_id=z", "",
			`{"resourceType": "Bundle","type": "searchset","id": "UUID","total":0,"entry": [],"link": [ {"relation": "self","url": "` + base + `/Device?_id=z"}]}`},
		{"GET", "/fhir/v2/Device", "",
			`{"resourceType": "Bundle","type": "searchset","id": "UUID","total":1,"entry": [` + "\n" +
				`{"fullUrl":"` + base + `/Device/d1","resource":{"resourceType": "Device", "id": "d1", "owner": {"reference": "Organization/o1"}}}` +
				`],"link": [ {"relation": "self","url": "` + base + `/Device"}]}`},
		{"GET", "/fhir/v2/Organization?_count=1", "",
			`{"resourceType": "Bundle","type": "searchset","id": "UUID","total":2,"entry": [` + "\n" +
				`{"fullUrl":"` + base + `/Organization/o1","resource":{"resourceType": "Organization", "id": "o1", "name": "A"}}` +
				`],"link": [ {"relation": "next","url": "` + base + `/_page?id=TOKEN"}, {"relation": "self","url": "` + base + `/Organization?_count=1"}]}`},
		{"GET", "/fhir/v2/Device?_include=*&_total=none&", "",
			`{"resourceType": "Bundle","type": "searchset","id": "UUID","entry": [` + "\n" +
				`{"fullUrl":"` + base + `/Device/d1","resource":{"resourceType": "Device", "id": "d1", "owner": {"reference": "Organization/o1"}}},` + "\n" +
				`{"fullUrl":"` + base + `/Organization/o1","resource":{"resourceType": "Organization", "id": "o1", "name": "A"}}` +
				`],"link": [ {"relation": "self","url": "` + base + `/Device?_include=*&_total=none&"}]}`},
		{"GET", "/fhir/v2/Device?_count=0", "",
			`{"resourceType": "Bundle","type": "searchset","id": "UUID","total":1,"entry": [],"link": [ {"relation": "self","url": "` + base + `/Device?_count=0"}]}`},
		{"GET", "/fhir/v2/Organization?_elements=name&_id=o1", "",
			`{"resourceType": "Bundle","type": "searchset","id": "UUID","total":1,"entry": [` + "\n" +
				`{"fullUrl":"` + base + `/Organization/o1","resource":{"resourceType": "Organization", "id": "o1", "name": "A", "meta": {"tag": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED", "display": "Resource encoded in summary mode"}]}}}` +
				`],"link": [ {"relation": "self","url": "` + base + `/Organization?_elements=name&_id=o1"}]}`},
		{"GET", "/fhir/v2/Device?_elements=type&_include=*", "", // includes are whole (§2.11)
			`{"resourceType": "Bundle","type": "searchset","id": "UUID","total":1,"entry": [` + "\n" +
				`{"fullUrl":"` + base + `/Device/d1","resource":{"resourceType": "Device", "id": "d1", "meta": {"tag": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED", "display": "Resource encoded in summary mode"}]}}},` + "\n" +
				`{"fullUrl":"` + base + `/Organization/o1","resource":{"resourceType": "Organization", "id": "o1", "name": "A"}}` +
				`],"link": [ {"relation": "self","url": "` + base + `/Device?_elements=type&_include=*"}]}`},
		{"GET", "/fhir/v2/Practitioner", "",
			`{"resourceType": "Bundle","type": "searchset","id": "UUID","total":1,"entry": [` + "\n" +
				`{"fullUrl":"` + base + `/Practitioner/œ","resource":{"resourceType": "Practitioner", "id": "œ"}}` +
				`],"link": [ {"relation": "self","url": "` + base + `/Practitioner"}]}`},
		{"POST", "/fhir/v2/Device/_search", "_id=z&_count=1", // neither the body nor /_search are in self (§1.3)
			`{"resourceType": "Bundle","type": "searchset","id": "UUID","total":0,"entry": [],"link": [ {"relation": "self","url": "` + base + `/Device"}]}`},
	} {
		w := answer(build(t, set), inProcess(c.method, c.target, c.body, "Content-Type", form))
		if diff := cmp.Diff(c.want, bytesOf(w.Body.String())); w.Code != http.StatusOK || diff != "" {
			t.Errorf("%s %s: %d\n%s", c.method, c.target, w.Code, diff)
		}
	}
}

// TestFollowingPage: a page looks like the first one, with an id of its own, the same
// total, and itself for self; what a client adds to the link is echoed and
// changes nothing (§6.1, §6.3).
func TestFollowingPage(t *testing.T) {
	t.Parallel()
	s := build(t, directory("Device/a", "Device/b", "Device/c"))
	ask := func(target string) (string, *bundle) {
		w := answer(s, inProcess("GET", target, ""))
		return w.Body.String(), decodeBundle(t, w.Body.String())
	}
	firstText, first := ask("/fhir/v2/Device?_count=1")
	next := strings.TrimPrefix(first.link("next"), "http://mock.example")
	text, page := ask(next + "&_count=50&_elements=id")
	if page.Entry[0].Resource.ID != "b" || len(page.Entry) != 1 || *page.Total != 3 || page.link("next") == first.link("next") {
		t.Errorf("page 2: %s", text)
	}
	if want := first.link("next") + "&_count=50&_elements=id"; page.link("self") != want {
		t.Errorf("self is %s, want %s", page.link("self"), want)
	}
	if uuid4.FindString(text) == "" || uuid4.FindString(text) == uuid4.FindString(firstText) {
		t.Error("two pages have one id")
	}
	path, id, _ := strings.Cut(next, "id=")
	if _, encoded := ask(path + "x=1&id=" + strings.ReplaceAll(id, "=", "%3D") + "&id=zzz"); encoded.Entry[0].Resource.ID != "b" {
		t.Error("encoded padding was not read")
	}
}

// TestSelf: the raw query, encoded on its way in production (§4.4, §13).
func TestSelf(t *testing.T) {
	t.Parallel()
	for query, want := range map[string][2]string{
		"":                               {"", ""},
		"?":                              {"?", "?"},
		"?_count=1&&_total=none":         {"?_count=1&&_total=none", "?_count=1&&_total=none"},
		"?identifier=urn:x|1":            {"?identifier=urn%3Ax%7C1", "?identifier=urn:x|1"},
		"?identifier=urn%3Ax%7C1":        {"?identifier=urn%3Ax%7C1", "?identifier=urn%3Ax%7C1"},
		"?identifier=http://x/y|a+b%20c": {"?identifier=http%3A%2F%2Fx%2Fy%7Ca+b%20c", "?identifier=http://x/y|a+b%20c"},
		"?model:exact=a?b":               {"?model%3Aexact=a?b", "?model:exact=a?b"},
	} {
		for i, profile := range []mockserver.Profile{mockserver.Production, mockserver.Source} {
			w := answer(build(t, directory("Device/a"), mockserver.WithProfile(profile)), inProcess("GET", "/fhir/v2/Device"+query, ""))
			if got := decodeBundle(t, w.Body.String()).link("self"); got != "http://mock.example/fhir/v2/Device"+want[i] {
				t.Errorf("%s %s: self is %s", profile, query, got)
			}
		}
	}
	// the key of a query is the gateway's: it never comes back
	r := inProcess("GET", "/fhir/v2/Device?_count=1&api-key=k&_total=none", "")
	r.Header.Del("ESANTE-API-KEY")
	if got := decodeBundle(t, answer(build(t, directory("Device/a")), r).Body.String()).link("self"); got != "http://mock.example/fhir/v2/Device?_count=1&_total=none" {
		t.Errorf("self is %s", got)
	}
}

// TestDialects: a search prints as MongoDB does, a read as HAPI does (§4.2,
// §5), and a version is a number in the searches of the source alone (§8.2).
func TestDialects(t *testing.T) {
	t.Parallel()
	set := directory(`Device/d "meta":{"versionId":"2","lastUpdated":"2025-05-27T10:16:30.021+02:00"},"a":[1,48.850,true,null],` +
		`"b":{},"c":[],"e":"é’ \u00e9 e\u0301 \ud83d\ude00 \u200b \/ \" \\ \n <&>'"`)
	const members = `"lastUpdated": "2025-05-27T10:16:30.021+02:00"}, "a": [1, 48.85, true, null], "b": {}, "c": [], ` +
		`"e": "é’ é e\u0301 \ud83d\ude00 \u200b / \" \\ \n <&>'"}`
	const read = `{"resourceType":"Device","id":"d","meta":{"versionId":"2","lastUpdated":"2025-05-27T10:16:30.021+02:00"},`
	for profile, version := range map[mockserver.Profile]string{mockserver.Production: `"2"`, mockserver.Source: "2"} {
		s := build(t, set, mockserver.WithProfile(profile))
		got := answer(s, inProcess("GET", "/fhir/v2/Device", "")).Body.String()
		if want := `{"resourceType": "Device", "id": "d", "meta": {"versionId": ` + version + `, ` + members; !strings.Contains(got, want) {
			t.Errorf("%s: a search prints\n%s\nwant\n%s", profile, got, want)
		}
		got = answer(s, inProcess("GET", "/fhir/v2/Device/d", "")).Body.String()
		if !strings.HasPrefix(got, read) || strings.Contains(got, ": ") || !strings.Contains(got, `"a":[1,48.8`) {
			t.Errorf("%s: a read prints %s", profile, got)
		}
	}
}

// TestHeaders is ans-server.md §4.5 and §13: the headers of the backend, and
// those of what stands in front of it.
func TestHeaders(t *testing.T) {
	t.Parallel()
	big := directory("Device/a", fmt.Sprintf(`Device/b "x":%q`, strings.Repeat("x", 9000)))
	for profile, fronted := range map[mockserver.Profile]bool{mockserver.Production: true, mockserver.Source: false} {
		server := serve(t, big, mockserver.WithProfile(profile))
		for target, want := range map[string]struct{ status, length int }{
			"Device?_id=a":   {200, 1},
			"Device?_id=a,b": {200, -1}, // more than Tomcat's buffer
			"Device/a":       {200, 1},
			"Device/b":       {200, -1},
			"Device/c":       {404, 0}, // either way (§3.1)
			"Foo":            {500, 0},
			"_page?id=x":     {500, 0},
			"metadata":       {200, -1},
		} {
			response, body := get(t, server.URL+"/fhir/v2/"+target)
			h := response.Header
			if response.StatusCode != want.status || h.Get("Content-Type") != fhirJSON || h.Get("Date") == "" {
				t.Errorf("%s %s: %s %v", profile, target, response.Status, h)
			}
			if want.length > 0 && response.ContentLength != int64(len(body)) || want.length < 0 && (response.ContentLength != -1 || len(response.TransferEncoding) != 1) {
				t.Errorf("%s %s: length %d of %d, %v", profile, target, response.ContentLength, len(body), response.TransferEncoding)
			}
			for _, name := range []string{"Etag", "Last-Modified", "Cache-Control", "Access-Control-Allow-Origin", "Content-Encoding", "Vary", "X-Powered-By", "Location"} {
				if h.Get(name) != "" {
					t.Errorf("%s %s: %s: %s", profile, target, name, h.Get(name))
				}
			}
			session := regexp.MustCompile(`^JSESSIONID=[0-9A-F]{32}; Path=/; HttpOnly$`).MatchString(h.Get("Set-Cookie"))
			if session != fronted || (h.Get("Server") == "Apache") != fronted || !fronted && (h.Get("Server") != "" || h.Get("Set-Cookie") != "") {
				t.Errorf("%s %s: Server %q, Set-Cookie %q", profile, target, h.Get("Server"), h.Get("Set-Cookie"))
			}
		}
		response, _ := get(t, server.URL+"/fhir/v2/Device/a", "Cookie", "JSESSIONID=0123", "Accept", "application/xml", "If-None-Match", `W/"1"`, "Prefer", "return=minimal", "Accept-Encoding", "gzip")
		if response.StatusCode != 200 || response.Header.Get("Set-Cookie") != "" || response.Header.Get("Content-Type") != fhirJSON || response.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: a client with a session and wishes gets %s %v", profile, response.Status, response.Header)
		}
	}
}

// TestTruncated: the source cannot seal a date without a prefix, and its body
// ends behind the last entry (§2.6); production goes on.
func TestTruncated(t *testing.T) {
	t.Parallel()
	const meta = ` "meta":{"lastUpdated":"2025-05-27T10:16:30.021+02:00"}`
	set := directory("Device/a"+meta, "Device/b"+meta)
	for _, c := range []struct {
		profile mockserver.Profile
		query   string
		ends    string
	}{
		{mockserver.Production, "_lastUpdated=2025&_count=1", `"}]}`},
		{mockserver.Source, "_lastUpdated=2025&_count=1", `021+02:00"}}}`},
		{mockserver.Source, "_lastUpdated=eq2025&_count=1", `"}]}`},
		{mockserver.Source, "_lastUpdated=2025&_count=2", `"}]}`}, // no second page
	} {
		w := answer(build(t, set, mockserver.WithProfile(c.profile)), inProcess("GET", "/fhir/v2/Device?"+c.query, ""))
		if body := w.Body.String(); w.Code != 200 || !strings.HasSuffix(body, c.ends) {
			t.Errorf("%s %s: %d …%s", c.profile, c.query, w.Code, body[max(0, len(body)-60):])
		}
	}
}

// TestFragilePages: the source loses a search between its pages (§6.5), and
// production does not.
func TestFragilePages(t *testing.T) {
	t.Parallel()
	set := directory(`Device/a "model":"x"`, `Device/b "model":"x"`)
	for query, source := range map[string]string{
		"manufacturer=":       "closed", // as the last criterion
		"identifier=|":        "200 searchset of 0",
		"_elements=a_b":       "closed",
		"_lastUpdated=ne2000": "200 searchset of 1",
	} {
		for profile, want := range map[mockserver.Profile]string{mockserver.Production: "200 searchset of 1", mockserver.Source: source} {
			s := build(t, set, mockserver.WithProfile(profile))
			next := decodeBundle(t, answer(s, inProcess("GET", "/fhir/v2/Device?_count=1&"+query, "")).Body.String()).link("next")
			if got := kind(answer(s, inProcess("GET", strings.TrimPrefix(next, "http://mock.example"), ""))); got != want {
				t.Errorf("%s %s: page 2 is %s, want %s", profile, query, got, want)
			}
		}
	}
}

// TestMetadataBytes: the members of ans-server.md §7, and no other.
func TestMetadataBytes(t *testing.T) {
	t.Parallel()
	set := &fixtures.Set{Table: &fixtures.Table{
		Copyright: `A "C"`, ImplementationGuides: []string{"http://ig"},
		Types: []fixtures.Type{
			{Type: "Device", Profile: "http://p", Interactions: []string{"read", "search-type"}, Includes: []string{"*"}, RevIncludes: []string{"A:b"},
				Params: []fixtures.Param{{Name: "_id", Kind: fixtures.Token, Paths: []string{"id"}, Definition: "http://d", Documentation: "é"}, {Name: "x", Kind: fixtures.String, Paths: []string{"x"}, Aliases: []string{"y"}}}},
			{Type: "Organization", Interactions: []string{"read"}, Params: []fixtures.Param{{Name: "_id", Kind: fixtures.Token, Paths: []string{"id"}}}},
			{Type: "Zed", Interactions: []string{"update", "delete"}},
		},
	}}
	const want = `{"resourceType":"CapabilityStatement","status":"active","copyright":"A \"C\"","fhirVersion":"4.0.1","format":["application/fhir+json","json"],` +
		`"implementationGuide":["http://ig"],"rest":[{"resource":[` +
		`{"type":"Device","profile":"http://p","interaction":[{"code":"search-type"},{"code":"read"}],"searchInclude":["*"],"searchRevInclude":["A:b"],` +
		`"searchParam":[{"name":"_id","definition":"http://d","type":"token","documentation":"é"},{"name":"x","type":"string"}]},` +
		`{"type":"Organization","interaction":[{"code":"read"}],"searchParam":[{"name":"_id","type":"token"}]},` +
		`{"type":"Zed","interaction":[{"code":"delete"},{"code":"update"}]}]}]}`
	if diff := cmp.Diff(want, answer(build(t, set), inProcess("GET", "/fhir/v2/metadata", "")).Body.String()); diff != "" {
		t.Error(diff)
	}
}
