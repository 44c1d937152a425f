package mockserver_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/mockserver"
)

// serve puts a server of a set on a socket, with the listener of the command.
func serve(t testing.TB, set *fixtures.Set, opts ...mockserver.Option) *httptest.Server {
	t.Helper()
	return listen(t, mockserver.New(set, append([]mockserver.Option{mockserver.WithKeys("k"), mockserver.WithRate("0")}, opts...)...))
}

func listen(t testing.TB, mock *mockserver.Server) *httptest.Server {
	t.Helper()
	ts := httptest.NewUnstartedServer(mock)
	ts.Listener = mockserver.Listener(ts.Listener, nil)
	ts.Start()
	t.Cleanup(ts.Close)
	return ts
}

// get asks with the key and returns the answer with its body.
func get(t testing.TB, url string, header ...string) (*http.Response, string) {
	t.Helper()
	return do(t, "GET", url, "", header...)
}

func do(t testing.TB, method, url, body string, header ...string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("ESANTE-API-KEY", "k")
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(text)
}

// raw sends bytes and returns what comes back until the connection is closed.
func raw(t testing.TB, address, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(bufio.NewReader(conn))
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

// TestKeyRejections holds the computed answers of the gateway to the exchanges
// stored in fixtures, byte for byte.
func TestKeyRejections(t *testing.T) {
	t.Parallel()
	server := serve(t, fixtures.Default())
	address := server.Listener.Addr().String()
	seen := 0
	for _, scenario := range fixtures.Default().Scenarios {
		if !strings.Contains(scenario.File, "key-rejections/") {
			continue
		}
		for i, e := range scenario.Exchanges {
			seen++
			t.Run(fmt.Sprintf("%s/%d", scenario.File, i), func(t *testing.T) {
				var request strings.Builder
				fmt.Fprintf(&request, "%s %s HTTP/1.1\r\nHost: %s\r\n", e.Request.Method, e.Request.Target, address)
				for name, values := range e.Request.Header {
					for _, v := range values {
						fmt.Fprintf(&request, "%s: %s\r\n", name, strings.ReplaceAll(v, fixtures.KeyPlaceholder, "k"))
					}
				}
				request.WriteString("\r\n")
				var want strings.Builder
				fmt.Fprintf(&want, "HTTP/1.1 %d %s\r\n", e.Response.Status, http.StatusText(e.Response.Status))
				for _, f := range e.Response.Header {
					fmt.Fprintf(&want, "%s: %s\r\n", f.Name, f.Value)
				}
				want.WriteString("\r\n" + string(e.Response.Body))
				if diff := cmp.Diff(want.String(), raw(t, address, request.String())); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
	if seen < 6 {
		t.Errorf("only %d exchanges of key rejections are stored", seen)
	}
}

// TestReplay: an exchange that matches exactly is answered as it was recorded,
// with the origin of this client; anything else is computed.
func TestReplay(t *testing.T) {
	t.Parallel()
	scenario, err := fixtures.ParseScenario("a.txtar", []byte("A recorded page.\n"+
		"-- request --\nGET /fhir/v2/Device?identifier=a%7Cb\nESANTE-API-KEY: ${key}\n"+
		"-- response --\n200 OK\nContent-Type: application/fhir+json;charset=UTF-8\nX-Seen: once\n"+
		"-- body --\n{\"self\":\"${origin}/fhir/v2/Device\"}\n"))
	if err != nil {
		t.Fatal(err)
	}
	set := *fixtures.Default()
	set.Scenarios = []*fixtures.Scenario{scenario}
	server := serve(t, &set)
	for _, target := range []string{"/fhir/v2/Device?identifier=a%7Cb", "/fhir/v2/Device?identifier=a|b"} {
		response, body := get(t, server.URL+target)
		if body != `{"self":"`+server.URL+`/fhir/v2/Device"}` || response.Header.Get("X-Seen") != "once" {
			t.Errorf("%s was not replayed: %s", target, body)
		}
	}
	if _, body := get(t, server.URL+"/fhir/v2/Device?identifier=a%7Cc"); !strings.Contains(body, `"total":0`) {
		t.Errorf("another request was replayed: %s", body)
	}
	if response, err := http.Get(server.URL + "/fhir/v2/Device?identifier=a%7Cb"); err != nil || response.StatusCode != 401 {
		t.Errorf("a recording was given without a key: %v %v", response.StatusCode, err)
	}
}

// TestReplayIsExact: what is not the recorded request is computed, however like
// it looks; and nothing is answered that was not recorded.
func TestReplayIsExact(t *testing.T) {
	t.Parallel()
	exchange := func(request, header, status, name string) string {
		return "-- request --\n" + request + "\nESANTE-API-KEY: ${key}\n" + header + "-- response --\n" + status + "\n-- body --\n" + name + "\n"
	}
	scenario, err := fixtures.ParseScenario("a.txtar", []byte("Recorded.\n"+
		exchange("GET /fhir/v2/Device?identifier=a&status=active", "", "200 OK", "two criteria")+
		exchange("GET /fhir/v2/metadata", "Accept: application/fhir+xml\n", "406 Not Acceptable", "no XML")+
		exchange("GET /fhir/v2/metadata", "Accept: application/fhir+json\n", "200 OK", "JSON")+
		exchange("GET /fhir/v2/Device/d1", "If-None-Match: W/\"1\"\n", "304 Not Modified", "")))
	if err != nil {
		t.Fatal(err)
	}
	set := *fixtures.Default()
	set.Scenarios = []*fixtures.Scenario{scenario}
	server := serve(t, &set)
	for _, tt := range []struct{ target, header, value, want string }{
		{"/fhir/v2/Device?identifier=a&status=active", "", "", "two criteria"},
		{"/fhir/v2/Device?%69dentifier=%61&status=active", "", "", "two criteria"},
		{"/fhir/v2/Device?identifier=a%26status=active", "", "", ""},
		{"/fhir/v2/Device?identifier=a%26status%3Dactive", "", "", ""},
		{"/fhir/v2/Device%3Fidentifier=a&status=active", "", "", ""},
		{"/fhir/v2/%44evice?identifier=a&status=active", "", "", ""},
		{"/fhir/v2/metadata", "", "", "JSON"},
		{"/fhir/v2/metadata", "Accept", "application/fhir+json", "JSON"},
		{"/fhir/v2/metadata", "Accept", "application/json, text/plain", "JSON"},
		{"/fhir/v2/metadata", "Accept", "*/*", "JSON"},
		{"/fhir/v2/metadata", "Accept", "application/fhir+xml", "no XML"},
		{"/fhir/v2/metadata", "Accept", "text/xml;q=1, */*", "no XML"},
		{"/fhir/v2/metadata", "Accept", "text/html", ""},
		{"/fhir/v2/Device/d1", "If-None-Match", `W/"1"`, "304"},
		{"/fhir/v2/Device/d1", "If-None-Match", `W/"2"`, ""},
		{"/fhir/v2/Device/d1", "", "", ""},
	} {
		request, err := http.NewRequest(http.MethodGet, server.URL+tt.target, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("ESANTE-API-KEY", "k")
		if tt.header != "" {
			request.Header.Set(tt.header, tt.value)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		mediaType, typed := response.Header["Content-Type"]
		switch {
		case tt.want == "": // computed
			if !typed || len(body) < 100 {
				t.Errorf("%s, %s %s was replayed: %d %s", tt.target, tt.header, tt.value, response.StatusCode, body)
			}
		case tt.want == "304" && response.StatusCode == 304, string(body) == tt.want:
			if typed {
				t.Errorf("%s has the type %q, which nobody recorded", tt.target, mediaType)
			}
		default:
			t.Errorf("%s, %s %s: %d %s, want %s", tt.target, tt.header, tt.value, response.StatusCode, body, tt.want)
		}
	}
}

// A gateway that was seen to refuse in words of its own refuses so everywhere;
// what nobody saw is refused as the source does.
func TestReplayOfRefusals(t *testing.T) {
	t.Parallel()
	scenario, err := fixtures.ParseScenario("a.txtar", []byte("Refused keys.\n\nevidence: observed\n"+
		"-- request --\nGET /fhir/v2/metadata\nAccept: application/json\n"+
		"-- response --\n401 Unauthorized\nContent-Type: application/json;charset=UTF-8\nWWW-Authenticate: Key\nContent-Length: 99\n"+
		"-- body --\n{\"why\":\"no key\"}\n"+
		"-- request --\nGET /fhir/v2/metadata\nESANTE-API-KEY: 00000000-0000-4000-8000-00000000dead\n"+
		"-- response --\n403 Forbidden\nContent-Type: text/plain\n"+
		"-- body --\nunknown key\n"))
	if err != nil {
		t.Fatal(err)
	}
	set := *fixtures.Default()
	set.Scenarios = []*fixtures.Scenario{scenario}
	server := serve(t, &set)
	for _, tt := range []struct {
		key, accept, path string
		status            int
		mediaType, body   string
	}{
		{"", "application/json", "/fhir/v2/metadata", 401, "application/json;charset=UTF-8", `{"why":"no key"}`},
		{"", "text/html, application/json", "/fhir/v2/Device?status=active", 401, "application/json;charset=UTF-8", `{"why":"no key"}`},
		{"", "text/html", "/fhir/v2/metadata", 401, "text/plain", "Unauthorized"},
		{"nobody", "", "/fhir/v1/Practitioner", 403, "text/plain", "unknown key"},
		{"nobody", "application/json", "/fhir/v2/metadata", 401, "application/json", `{"message":"Unauthorized","http_status_code":401}`},
		{"k", "application/json", "/fhir/v2/Device?_count=0&_total=none", 200, "application/fhir+json;charset=UTF-8", ""},
	} {
		request, err := http.NewRequest(http.MethodGet, server.URL+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if tt.key != "" {
			request.Header.Set("ESANTE-API-KEY", tt.key)
		}
		request.Header.Set("Accept", tt.accept)
		if tt.accept == "" {
			request.Header.Del("Accept")
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != tt.status || response.Header.Get("Content-Type") != tt.mediaType || tt.body != "" && string(body) != tt.body {
			t.Errorf("key %q, Accept %q, %s: %s %s %s", tt.key, tt.accept, tt.path, response.Status, response.Header.Get("Content-Type"), body)
		}
		if refused := tt.mediaType == "application/json;charset=UTF-8"; refused != (response.Header.Get("WWW-Authenticate") == "Key") {
			t.Errorf("key %q, Accept %q: WWW-Authenticate is %q", tt.key, tt.accept, response.Header.Get("WWW-Authenticate"))
		}
	}
}

// bundle is what a client reads of an answer.
type bundle struct {
	Total *int
	Entry []struct {
		FullURL  string `json:"fullUrl"`
		Resource struct {
			ResourceType, ID string
		}
	}
	Link []struct{ Relation, URL string }
}

func (b *bundle) link(relation string) string {
	for _, l := range b.Link {
		if l.Relation == relation {
			return l.URL
		}
	}
	return ""
}

func decodeBundle(t testing.TB, text string) *bundle {
	t.Helper()
	var b bundle
	if err := json.Unmarshal([]byte(text), &b); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return &b
}

// shapes are searches of every kind that have more than one page.
var shapes = []string{
	"Practitioner?_count=7",
	"Practitioner?active=true&_count=50",
	"Practitioner?name%3Acontains=a&_count=11",
	"PractitionerRole?_count=120&_include=PractitionerRole:practitioner&_include=PractitionerRole:organization",
	"Organization?_count=40&_revinclude=Device:organization&_elements=name",
	"Device?status=active,inactive&_count=100&_total=none",
	"Device?_lastUpdated=ge2000&_count=200",
	"HealthcareService?active:not=xyz&_count=33",
}

// TestPagingThroughAProxy pages through everything as a client does, on a
// random port and behind a proxy with a name and a prefix of its own: no link
// leaves the origin that the client used, nothing is lost or told twice.
func TestPagingThroughAProxy(t *testing.T) {
	t.Parallel()
	server := serve(t, fixtures.Default())
	target, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.SetURL(target)
		p.Out.URL.Path = strings.TrimPrefix(p.Out.URL.Path, "/annuaire")
		p.Out.URL.RawPath = ""
		p.SetXForwarded()
		p.Out.Header.Set("X-Forwarded-Host", "sante.example")
		p.Out.Header.Set("X-Forwarded-Proto", "https")
		p.Out.Header.Set("X-Forwarded-Port", "8443")
		p.Out.Header.Set("X-Forwarded-Prefix", "/annuaire")
	}})
	t.Cleanup(proxy.Close)
	for _, front := range []struct{ name, connect, origin string }{
		{"direct", server.URL, server.URL},
		{"proxy", proxy.URL + "/annuaire", "https://sante.example:8443/annuaire"},
	} {
		for _, shape := range shapes {
			t.Run(front.name+"/"+shape, func(t *testing.T) {
				t.Parallel()
				typ, _, _ := strings.Cut(shape, "?")
				seen, pages := map[string]bool{}, 0
				total := -1
				for next := front.origin + "/fhir/v2/" + shape; next != ""; pages++ {
					rest, ok := strings.CutPrefix(next, front.origin+"/fhir/v2/")
					if !ok {
						t.Fatalf("a link leaves the origin: %s", next)
					}
					_, text := get(t, front.connect+"/fhir/v2/"+rest)
					b := decodeBundle(t, text)
					if b.Total != nil {
						total = *b.Total
					}
					for _, e := range b.Entry {
						if !strings.HasPrefix(e.FullURL, front.origin+"/fhir/v2/") {
							t.Fatalf("a fullUrl leaves the origin: %s", e.FullURL)
						}
						id := e.Resource.ResourceType + "/" + e.Resource.ID
						if e.Resource.ResourceType != typ {
							continue // an include, which may come again on another page
						}
						if seen[id] {
							t.Errorf("%s twice", id)
						}
						seen[id] = true
					}
					if !strings.HasPrefix(b.link("self"), front.origin+"/fhir/v2/") {
						t.Fatalf("self leaves the origin: %s", b.link("self"))
					}
					next = b.link("next")
				}
				if pages < 2 {
					t.Errorf("only %d page: this shape shows nothing", pages)
				}
				if strings.Contains(shape, "_total=none") != (total < 0) || total >= 0 && total != len(seen) {
					t.Errorf("total %d, paged through %d", total, len(seen))
				}
			})
		}
	}
}

// TestSnapshot: the pages of a search show the directory as it was when the
// search began (ans-server.md §6.3), and a token can be used again.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	mock := mockserver.New(fixtures.Default(), mockserver.WithKeys("k"), mockserver.WithRate("0"))
	server := httptest.NewServer(mock)
	t.Cleanup(server.Close)
	_, text := get(t, server.URL+"/fhir/v2/Device?_count=2")
	first := decodeBundle(t, text)
	_, text = get(t, first.link("next"))
	before := decodeBundle(t, text)

	changed := before.Entry[0].Resource.ID
	mock.Put(fixtures.Resource{Type: "Device", ID: changed, JSON: `{"resourceType":"Device","id":"` + changed + `","meta":{"versionId":"9"},"status":"inactive"}`})
	mock.Remove("Device", before.Entry[1].Resource.ID)

	_, text = get(t, first.link("next"))
	if after := decodeBundle(t, text); !cmp.Equal(before.Entry, after.Entry) {
		t.Errorf("the second page moved: %s", cmp.Diff(before.Entry, after.Entry))
	}
	if _, text := get(t, server.URL+"/fhir/v2/Device/"+changed); !strings.Contains(text, `"versionId":"9"`) {
		t.Errorf("a read shows the old version: %s", text)
	}
	if response, _ := get(t, server.URL+"/fhir/v2/Device/"+before.Entry[1].Resource.ID); response.StatusCode != 404 {
		t.Errorf("what was removed is read with %d", response.StatusCode)
	}
	_, text = get(t, server.URL+"/fhir/v2/Device?_count=1000")
	all := decodeBundle(t, text)
	if last := all.Entry[len(all.Entry)-1].Resource.ID; last != changed {
		t.Errorf("what was updated stands at %s, not at the end", last)
	}
	if len(all.Entry) != *before.Total-1 || *all.Total != *before.Total-1 {
		t.Errorf("%d devices after one was removed of %d", len(all.Entry), *before.Total)
	}
}

// TestReplicas: a token of one server is answered by another of the same set,
// and not by one of another set.
func TestReplicas(t *testing.T) {
	t.Parallel()
	one, two := serve(t, fixtures.Default()), serve(t, fixtures.Default())
	_, text := get(t, one.URL+"/fhir/v2/Practitioner?_count=3&name:contains=e")
	next := decodeBundle(t, text).link("next")
	_, text = get(t, strings.Replace(next, one.URL, two.URL, 1))
	_, same := get(t, next)
	if !cmp.Equal(decodeBundle(t, text).Entry[0].Resource, decodeBundle(t, same).Entry[0].Resource) {
		t.Error("a replica answers another page")
	}
	other := serve(t, must(fixtures.Merge(fixtures.Default(), &fixtures.Set{Table: fixtures.DefaultTable()}))(t))
	if response, _ := get(t, strings.Replace(next, one.URL, other.URL, 1)); response.StatusCode != http.StatusBadGateway {
		t.Errorf("another set answers the token with %d", response.StatusCode)
	}
}
