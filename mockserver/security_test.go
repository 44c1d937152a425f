package mockserver_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/rehearse"
	"github.com/mockfhir/mockfhir/mockserver"
	"github.com/mockfhir/mockfhir/mockserver/control"
)

// canaries are a key as the real service makes them, and one that is a word.
var canaries = []string{"4f9d0c1e-7a3b-4c52-9d8e-b1a2c3d4e5f6", "Canary.Key-of/Somebody+else="}

// writtenAs are the ways a text may be written in what a client sends.
func writtenAs(key string) map[string]string {
	percent, twice, unicode := "", "", ""
	for _, c := range []byte(key) {
		percent += fmt.Sprintf("%%%02x", c)
		twice += fmt.Sprintf("%%25%02X", c)
		unicode += fmt.Sprintf(`\u%04x`, c)
	}
	return map[string]string{
		"plain": key, "upper": strings.ToUpper(key), "lower": strings.ToLower(key), "query": url.QueryEscape(key), "path": url.PathEscape(key),
		"percent": percent, "twice": twice, "unicode": unicode,
		"base64": base64.StdEncoding.EncodeToString([]byte(key)), "base64url": base64.RawURLEncoding.EncodeToString([]byte(key)),
		"basic": base64.StdEncoding.EncodeToString([]byte("a:" + key)), "hex": hex.EncodeToString([]byte(key)),
	}
}

// reveals finds the way in which a text tells a key.
func reveals(text, key string) string {
	low := strings.ToLower(text)
	for way, form := range writtenAs(key) {
		if way == "basic" || way == "base64" || way == "base64url" {
			// All but the ends, which depend on what stands beside.
			if form = strings.TrimRight(form, "="); strings.Contains(text, form[4:len(form)-4]) {
				return way
			}
			continue
		}
		if strings.Contains(low, strings.ToLower(form)) || strings.Contains(low, strings.ToLower(form[:len(form)/2])) {
			return way
		}
	}
	return ""
}

// TestCanaryKey sends a real key by mistake, in every place and every way of
// writing it, and looks for it in all that the mock keeps or prints.
func TestCanaryKey(t *testing.T) {
	t.Parallel()
	for _, canary := range canaries {
		var log bytes.Buffer
		server := build(t, fixtures.Default(), mockserver.WithLogger(slog.New(slog.NewJSONHandler(&log, nil))))
		mock := control.In(server)
		calls := 0
		send := func(method, target, body string, header ...string) {
			r := inProcess(method, target, body)
			for i := 0; i+1 < len(header); i += 2 {
				r.Header[http.CanonicalHeaderKey(header[i])] = append(r.Header[http.CanonicalHeaderKey(header[i])], header[i+1])
			}
			answer(server, r)
			calls++
		}
		for _, form := range writtenAs(canary) {
			if strings.ContainsAny(form, "\\") {
				form = url.QueryEscape(form)
			}
			in := []string{"ESANTE-API-KEY", canary}
			send("GET", "/fhir/v2/Practitioner?name=a&api-key="+form, "")
			send("GET", "/fhir/v2/Practitioner?name=a&%61pi%2Dkey="+form, "")
			send("GET", "/fhir/v2/Practitioner?ESANTE-API-KEY="+form+"&name=b", "")
			send("GET", "/fhir/v2/Practitioner?access_token="+form, "")
			send("GET", "/fhir/v2/Practitioner?name="+form, "", in...)
			send("GET", "/fhir/v2/Practitioner?name="+strings.Repeat("y", 1990)+form, "", in...) // cut in its middle
			send("GET", "/fhir/v2/Practitioner/"+form, "", in...)
			send("GET", "/fhir/v2/metadata", "", "ESANTE-API-KEY", form, "Authorization", "Bearer "+canary, "User-Agent", form, "Accept", form)
			send("GET", "/fhir/v2/metadata", "", "X-API-Key", canary, "User-Agent", form)
			send("GET", "/fhir/v2/metadata", "", "Cookie", "key="+canary, "Authorization", "Basic "+form)
			send("POST", "/fhir/v2/Practitioner/_search", "name=a&api-key="+form, "Content-Type", form)
			send("POST", "/fhir/v2/Practitioner/_search", "api-key="+form+"&name=a", "Content-Type", "application/x-www-form-urlencoded")
			send("POST", "/fhir/v2/Practitioner/_search", "name="+form, append(in, "Content-Type", "application/x-www-form-urlencoded")...)
			send("PUT", "/fhir/v2/Practitioner/1", `{"id":"`+form+`"}`, in...)
			send("GET", "/"+form, "", in...)
		}
		if canary == canaries[0] { // where nothing says that it is a key, its shape does
			send("GET", "/fhir/v2/Practitioner?name="+canary, "")
			send("GET", "/fhir/v2/Practitioner/"+canary, "")
			send("GET", "/fhir/v2/metadata", "", "User-Agent", "client "+canary)
			send("POST", "/fhir/v2/Practitioner/_search", "name="+canary, "Content-Type", "application/x-www-form-urlencoded")
		}
		send(strings.ReplaceAll(canary, "/", "")[:20], "/fhir/v2/metadata", "", "ESANTE-API-KEY", canary)
		send("GET", "/fhir/v2/Practitioner?name=a", "", mockserver.IncidentHeader, "bad-gateway", "ESANTE-API-KEY", canary)

		told := log.String()
		for _, path := range []string{"/metrics", "/sessions", "/sessions/default", "/sessions/default/journal", "/keys", "/incidents", "/version"} {
			status, body := fetch(t, mock.HTTP(), "http://localhost/__mockfhir"+path, "")
			if status != 200 {
				t.Fatalf("%s is answered with %d", path, status)
			}
			told += body
		}
		journal := must(mock.Default().Journal(t.Context(), control.Filter{}))(t)
		if len(journal) != calls {
			t.Errorf("%d of %d calls are in the journal", len(journal), calls)
		}
		hidden := 0
		for _, call := range journal {
			text := must(json.Marshal(call))(t)
			if way := reveals(string(text), canary); way != "" {
				t.Errorf("the journal tells the key, written as %s: %s", way, text)
			}
			hidden += bytes.Count(text, []byte("***"))
		}
		if hidden < calls/2 {
			t.Errorf("only %d keys were hidden in %d calls", hidden, calls)
		}
		if way := reveals(told, canary); way != "" {
			t.Errorf("log, metrics or another answer tells the key, written as %s", way)
		}
	}
}

// TestRedactionSpares: what is no key stays legible.
func TestRedactionSpares(t *testing.T) {
	t.Parallel()
	mock := control.In(build(t, fixtures.Default()))
	for _, target := range []string{
		"/fhir/v2/Practitioner?identifier=https%3A%2F%2Frpps.esante.gouv.fr%7C19000000018&_count=1",
		"/fhir/v2/PractitionerRole?_include=PractitionerRole:organization&_count=1",
		"/fhir/v2/Practitioner/003-40000001-40112648",
	} {
		fetch(t, mock.HTTP(), strings.TrimSuffix(mock.BaseURL(), "/fhir/v2")+target, "k")
		calls := must(mock.Default().Journal(t.Context(), control.Filter{Path: target}))(t)
		if len(calls) != 1 || strings.Contains(calls[0].Target+calls[0].Answer, "***") || len(calls[0].Answer) < 500 || calls[0].Why == "" {
			t.Errorf("%s is told as %+v", target, calls)
		}
	}
}

// TestPathTricks: with control off, nothing leads to what is off.
func TestPathTricks(t *testing.T) {
	t.Parallel()
	off := serve(t, directory("Device/1"), mockserver.WithoutControl())
	on := serve(t, directory("Device/1"))
	if answer := raw(t, on.Listener.Addr().String(), "GET /__mockfhir/sessions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); !strings.Contains(answer, `"name":"default"`) {
		t.Fatalf("with control on the sessions are answered with %s", answer)
	}
	for _, path := range []string{
		"/sessions", "/sessions/default", "/sessions/default/journal", "/sessions/default/journal/stream", "/metrics", "/keys", "/incidents", "/openapi.json", "/control.json",
	} {
		for _, target := range []string{
			"/__mockfhir" + path, "/__mockfhir/" + path, "//__mockfhir" + path, "/__mockfhir/." + path, "/__mockfhir/livez/.." + path,
			"/__mockfhir/livez" + path, "/__mockfhir/livez%2f.." + path, "/__mockfhir/%2e%2e/__mockfhir" + path, "/fhir/../__mockfhir" + path, "/fhir/v2/..%2f..%2f__mockfhir" + path,
			"/%5f%5fmockfhir" + path, "/__MOCKFHIR" + path, "/__mockfhir;x" + path, "/__mockfhir\\" + path, "/__mockfhir" + path + "/", "/__mockfhir" + path + "?x=/livez",
			"/__mockfhir" + path + "#/livez", "/__mockfhir%00" + path, "http://localhost/__mockfhir" + path, "http://localhost//__mockfhir" + path, "/portal/environments/DEFAULT/../../../__mockfhir" + path,
		} {
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "OPTIONS", "TRACE"} {
				answer := raw(t, off.Listener.Addr().String(), method+" "+target+" HTTP/1.1\r\nHost: localhost\r\nESANTE-API-KEY: k\r\nX-HTTP-Method-Override: GET\r\nX-Original-URL: /__mockfhir/sessions\r\nX-Rewrite-URL: /__mockfhir/sessions\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
				if strings.HasPrefix(answer, "HTTP/1.1 2") || strings.Contains(answer, "default") || strings.Contains(answer, "mockfhir_calls") || strings.Contains(answer, "openapi\"") {
					t.Errorf("%s %s is answered with %s", method, target, answer)
				}
			}
		}
	}
	if answer := raw(t, off.Listener.Addr().String(), "GET /portal/environments/DEFAULT/apis HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(answer, "HTTP/1.1 404 ") {
		t.Errorf("the portal is answered with %s", answer)
	}
}

// TestWhoMayControl: pages of other sites and names that somebody else may have
// pointed here are refused; so is who has no token, when there is one.
func TestWhoMayControl(t *testing.T) {
	t.Parallel()
	free := build(t, directory("Device/1"), mockserver.WithPublicURL("https://mock.example.org/prefix"))
	guarded := build(t, directory("Device/1"), mockserver.WithControlToken("token-of-this-test"))
	for _, c := range []struct {
		host   string
		header []string
		status int
	}{
		{"localhost:8080", nil, 200},
		{"localhost", nil, 200},
		{"LOCALHOST.", nil, 200},
		{"mock.localhost:1", nil, 200},
		{"127.0.0.1:8080", nil, 200},
		{"[::1]:8080", nil, 200},
		{"192.168.1.2", nil, 200},
		{"mockfhir:8080", nil, 200}, // a name of a container
		{"mock.example.org", nil, 200},
		{"MOCK.example.org:443", nil, 200},

		{"evil.example.org", nil, 403},
		{"mock.example.org.evil.com", nil, 403},
		{"127.0.0.1.nip.io", nil, 403},
		{"localhost.evil.com:8080", nil, 403},
		{"[::1].evil.com", nil, 403},

		{"localhost:8080", []string{"Origin", "http://localhost:8080"}, 200},
		{"localhost:8080", []string{"Origin", "http://localhost:3000"}, 403},
		{"localhost:8080", []string{"Origin", "https://evil.example.org"}, 403},
		{"localhost:8080", []string{"Origin", "null"}, 403},
		{"localhost:8080", []string{"Origin", "://"}, 403},
		{"localhost:8080", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		{"localhost:8080", []string{"Sec-Fetch-Site", "none"}, 200},
		{"localhost:8080", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"localhost:8080", []string{"Sec-Fetch-Site", "cross-site"}, 403},
	} {
		for _, target := range []string{"GET /__mockfhir/sessions", "POST /__mockfhir/sessions/default/reset", "GET /__mockfhir/metrics", "POST /portal/environments/DEFAULT/auth/login"} {
			method, path, _ := strings.Cut(target, " ")
			r := inProcess(method, path, "", c.header...)
			r.Host = c.host
			r.SetBasicAuth("somebody", "password")
			w := answer(free, r)
			if refused := w.Code == 403; refused != (c.status == 403) {
				t.Errorf("%s of host %s with %v is answered with %d %s", target, c.host, c.header, w.Code, w.Body)
			}
		}
	}
	for _, c := range []struct {
		header []string
		status int
	}{
		{nil, 401},
		{[]string{"Authorization", "Bearer token-of-this-test"}, 200},
		{[]string{"Authorization", "bearer token-of-this-test"}, 200},
		{[]string{"Authorization", "BEARER  token-of-this-test"}, 200},
		{[]string{"X-Mockfhir-Token", "token-of-this-test"}, 200},
		{[]string{"Authorization", "token-of-this-test"}, 401},
		{[]string{"Authorization", "Bearer token-of-this-tes"}, 401},
		{[]string{"Authorization", "Bearer "}, 401},
		{[]string{"Authorization", "bearer TOKEN-OF-THIS-TEST"}, 401},
		{[]string{"Authorization", "Basic token-of-this-test"}, 401},
		{[]string{"X-Mockfhir-Token", "other", "Authorization", "Bearer token-of-this-test"}, 401},
	} {
		for _, path := range []string{"/sessions", "/metrics", "/keys", "/sessions/default/journal"} {
			r := inProcess("GET", "/__mockfhir"+path, "", c.header...)
			r.Host = "localhost"
			if w := answer(guarded, r); w.Code != c.status {
				t.Errorf("%s with %v is answered with %d", path, c.header, w.Code)
			}
		}
		for _, path := range []string{"/livez", "/readyz", "/version"} {
			if w := answer(guarded, inProcess("GET", "/__mockfhir"+path, "", c.header...)); w.Code != 200 {
				t.Errorf("%s with %v is answered with %d", path, c.header, w.Code)
			}
		}
	}
	mock := control.In(guarded, control.WithToken("token-of-this-test"))
	if _, err := mock.Sessions(t.Context()); err != nil {
		t.Errorf("the client with the token: %v", err)
	}
	r := inProcess("POST", "/portal/environments/DEFAULT/auth/login", "", "X-Mockfhir-Token", "token-of-this-test")
	r.Host = "localhost"
	r.SetBasicAuth("somebody", "password")
	if w := answer(guarded, r); w.Code != 200 {
		t.Errorf("the portal with the token is answered with %d %s", w.Code, w.Body)
	}
}

// TestControlDocument: the document is valid, and every call it names is
// answered, and by nothing else than it says.
func TestControlDocument(t *testing.T) {
	t.Parallel()
	server := serve(t, directory("Device/1"))
	_, text := get(t, server.URL+"/__mockfhir/control.json")
	document, err := openapi3.NewLoader().LoadFromData([]byte(text))
	mustDo(t, err)
	mustDo(t, document.Validate(context.Background()))
	mock := control.New(server.URL)
	answered := 0
	for path, item := range document.Paths.Map() {
		for method, operation := range item.Operations() {
			made := must(mock.NewKey(t.Context(), path))(t)
			must(mock.NewSession(t.Context(), "s"))(t)
			mustDo(t, mock.Session("s").Put(t.Context(), device("d", "x")))
			body := map[string]string{
				"/sessions": `{"name":"new"}`, "/sessions/{session}": `{"strict":true}`, "/sessions/{session}/resources": device("d", "y"),
				"/sessions/{session}/verify": `{"path":"/fhir","atMost":3}`, "/keys": `{"name":"x"}`, "/sessions/{session}/incidents/{incident}": `{"scope":"share=0.5"}`,
			}[path]
			if method == "GET" || method == "DELETE" {
				body = ""
			}
			if (body != "") != (operation.RequestBody != nil) {
				t.Errorf("%s %s has a body: %v", method, path, operation.RequestBody != nil)
			}
			target := strings.NewReplacer("{session}", "s", "{incident}", "delay", "{type}", "Device", "{id}", "d", "{subscription}", made.ID, "{act}", "pause").Replace(path)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			request := must(http.NewRequestWithContext(ctx, method, server.URL+"/__mockfhir"+target, strings.NewReader(body)))(t)
			response, err := http.DefaultClient.Do(request)
			mustDo(t, err)
			if response.StatusCode/100 != 2 {
				told, _ := io.ReadAll(response.Body)
				t.Errorf("%s %s is answered with %d %s", method, target, response.StatusCode, told)
			}
			response.Body.Close()
			cancel()
			answered++
			_ = mock.Session("s").Drop(t.Context())
			_ = mock.Session("new").Drop(t.Context())
			_ = mock.ForgetKey(t.Context(), made.ID)
		}
	}
	if answered < 25 {
		t.Errorf("only %d calls are in the document", answered)
	}
	for _, refused := range []struct {
		request string
		status  int
		says    string
	}{
		{"GET /sessions/nobody", 404, "POST /__mockfhir/sessions creates one"},
		{"PUT /sessions/default/incidents/fire", 404, "there is no incident"},
		{"DELETE /sessions/default/incidents/fire", 404, "there is no incident"},
		{`PUT /sessions/default/incidents/delay {"scope":"share=x"}`, 400, "valid are share=0.25"},
		{`PUT /sessions/default/incidents/delay {"scop":"share=1"}`, 400, "unknown field"},
		{"POST /sessions nonsense", 400, "/__mockfhir/control.json"},
		{"GET /sessions/default/journal?limit=x", 400, "is no number"},
		{"GET /sessions/default/journal?statuss=500", 400, "there are method, path, query, text, incident, status, since, limit"},
		{"GET /sessions/default/journal?since=-1", 400, "is no number"},
		{"DELETE /sessions/default/resources/Device/none", 404, "no such resource"},
		{"DELETE /sessions/default", 404, "no session"},
		{"POST /keys/none/pause", 404, "cannot be found"},
		{"POST /keys/none/frobnicate", 400, "valid are accept"},
		{"DELETE /keys/none", 404, "cannot be found"},
		{"PATCH /keys", 404, "nothing here"},
	} {
		method, rest, _ := strings.Cut(refused.request, " ")
		target, body, _ := strings.Cut(rest, " ")
		response, told := do(t, method, server.URL+"/__mockfhir"+target, body)
		if response.StatusCode != refused.status || !strings.Contains(told, refused.says) || !strings.HasPrefix(told, `{"error":"`) {
			t.Errorf("%s is answered with %d %s", refused.request, response.StatusCode, told)
		}
	}
}

// TestMetrics counts by few labels, whatever is asked.
func TestMetrics(t *testing.T) {
	t.Parallel()
	server := serve(t, directory("Device/1"))
	for i := range 5 {
		get(t, server.URL+fmt.Sprintf("/fhir/v2/Device/%d", i))
	}
	do(t, "BREW", server.URL+"/fhir/v2/Device/1", "")
	_, text := get(t, server.URL+"/__mockfhir/metrics")
	for _, line := range []string{
		`mockfhir_calls_total{method="GET",status="200"} 1`, `mockfhir_calls_total{method="GET",status="404"} 4`, `mockfhir_calls_total{method="other",status="405"} 1`,
		"mockfhir_sessions 1", "mockfhir_journal_entries 6", "mockfhir_resources 1", "# TYPE mockfhir_calls_total counter",
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("%q is missing in\n%s", line, text)
		}
	}
}

// TestIncidentNames: what the mock lists is the table, with its keys.
func TestIncidentNames(t *testing.T) {
	t.Parallel()
	listed := must(control.In(build(t, directory("Device/1"))).Incidents(t.Context()))(t)
	if len(listed) != len(rehearse.Incidents()) {
		t.Fatalf("%d of %d incidents are listed", len(listed), len(rehearse.Incidents()))
	}
	for i, known := range rehearse.Incidents() {
		if l := listed[i]; l.Name != known.Name || l.Key != "mock-incident-"+known.Name || l.Happened == "" || l.Mistake == "" || l.Source == "" || l.Scope == "" {
			t.Errorf("%s is listed as %+v", known.Name, l)
		}
	}
}
