package gateway_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mockfhir/mockfhir/internal/gateway"
)

// TestErrorBody is the table of gravitee.md §1.1: who gets JSON.
func TestErrorBody(t *testing.T) {
	t.Parallel()
	const (
		none = "\x00" // no Accept at all
		text = false
		json = true
	)
	tests := []struct {
		accept         string
		v3, v4, legacy bool
	}{
		{none, text, text, text},
		{"", text, text, text},
		{"*/*", json, json, json},
		{"*/*;q=0", json, json, text},
		{"application/json", json, json, json},
		{"application/json, text/plain, */*", json, json, text},
		{"application/json;q=0.9", json, json, text},
		{"application/fhir+json", text, text, text},
		{"application/json+fhir", text, json, text},
		{"application/fhir+json, application/json;q=0.9", json, json, text},
		{"application/fhir+xml", text, text, text},
		{"text/html", text, text, text},
		{"application/*", text, text, text},
		{"APPLICATION/JSON", json, text, text},
	}
	for _, engine := range []string{"v3", "v4", "v4,apim=3.20"} {
		addr, _ := start(t, switches(t, engine, ""))
		for _, tt := range tests {
			t.Run(engine+"/"+tt.accept, func(t *testing.T) {
				t.Parallel()
				var headers []string
				if tt.accept != none {
					headers = []string{"Accept: " + tt.accept}
				}
				got := send(t, addr, request("GET", "/fhir/v2/metadata", headers...))
				wantBody, wantType := "Unauthorized", "text/plain"
				if (engine == "v3" && tt.v3) || (engine == "v4" && tt.v4) || (engine == "v4,apim=3.20" && tt.legacy) {
					wantBody, wantType = `{"message":"Unauthorized","http_status_code":401}`, "application/json"
				}
				if got.body != wantBody || got.header.Get("Content-Type") != wantType ||
					got.header.Get("Content-Length") != strconv.Itoa(len(wantBody)) {
					t.Errorf("%v %q, want %q", got.header, got.body, wantBody)
				}
			})
		}
	}
}

// TestHeaderSets is the table of gravitee.md §4.1 and those of §1.1 and §3.3
// about the connection: which headers there are, and no other.
func TestHeaderSets(t *testing.T) {
	t.Parallel()
	const (
		ids    = " X-Gravitee-Request-Id X-Gravitee-Transaction-Id"
		client = " X-Gravitee-Client-Identifier"
		length = " Content-Length"
		text   = length + " Content-Type"
		ends   = " Connection"
	)
	tests := []struct {
		name   string
		panics any
		list   string // switches
		raw    string
		status int
		v3, v4 string
	}{
		{"success", nil, "", request("GET", "/fhir/", withKey), 200, text + " Date" + ids, text + " Date" + ids + client},
		{"no key", nil, "", request("GET", "/fhir/"), 401, text + ends, text + ids},
		{"bad key", nil, "", request("GET", "/fhir/", "ESANTE-API-KEY: x"), 401, text + ends, text + ids},
		{"expired key", nil, "", request("GET", "/fhir/", "ESANTE-API-KEY: mock-expired"), 401, text + ends, text + ids},
		{"keyless plan", nil, "health-plan", request("GET", "/fhir/"), 403, text + ends, text + ids + client},
		{"method", nil, "", request("DELETE", "/fhir/v2/Practitioner/1", withKey), 405, text + ends, text + ids + client},
		{"quota", nil, "", request("GET", "/fhir/", "ESANTE-API-KEY: mock-quota-exhausted"), 429, text + ends, text + ids + client},
		{"no context path", nil, "", request("GET", "/", withKey), 404, text, text},
		{"preflight", nil, "cors=*", request("OPTIONS", "/fhir/", "Origin: null", "Access-Control-Request-Method: PUT"), 400, length, length + ids},

		{"request timeout", gateway.RequestTimeout, "", request("GET", "/fhir/", withKey), 504, text + ends, text + ends + ids + client},
		{"endpoint timeout", gateway.EndpointTimeout, "", request("GET", "/fhir/", withKey), 504, length + ends, ends + ids + client + " Transfer-Encoding"},
		{"endpoint failure", gateway.EndpointFailure, "", request("GET", "/fhir/", withKey), 502, length + ends, ends + ids + client + " Transfer-Encoding"},
		{"connection closed", http.ErrAbortHandler, "", request("GET", "/fhir/", withKey), 502, length + ends, ends + ids + client + " Transfer-Encoding"},
		{"failover", gateway.FailoverExhausted, "", request("GET", "/fhir/", withKey), 502, length + ids, length + ids + client},
		{"no endpoint", gateway.NoEndpoint, "", request("GET", "/fhir/", withKey), 503, length, length + ends + ids + client},
		{"policy", gateway.PolicyFailure(413, "too large"), "", request("GET", "/fhir/", withKey), 413, text + ends, text + ids + client},
		{"quota of an incident", gateway.TooManyRequests, "", request("GET", "/fhir/", withKey), 429, text + ends, text + ids + client},
		{"plan resolution", gateway.PlanResolution, "", request("GET", "/fhir/", withKey), 503, text + ends, text + ends + ids + client},
		{"bad target", gateway.BadTarget, "", request("GET", "/fhir/", withKey), 400, length, length + ids + client},
	}
	for _, engine := range []string{"v3", "v4"} {
		for _, tt := range tests {
			t.Run(engine+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				addr, behind := start(t, switches(t, engine+","+tt.list, ""))
				behind.panics = tt.panics
				got := send(t, addr, tt.raw)
				want := strings.Fields(tt.v3)
				if engine == "v4" {
					want = strings.Fields(tt.v4)
				}
				slices.Sort(want)
				if names := slices.Sorted(maps.Keys(got.header)); !slices.Equal(names, want) {
					t.Errorf("headers %v, want %v", names, want)
				}
				if got.status != tt.status {
					t.Errorf("status %d, want %d", got.status, tt.status)
				}
				if has := slices.Contains(want, "Content-Type"); has == (got.body == "") {
					t.Errorf("body %q under Content-Type %q", got.body, got.header.Get("Content-Type"))
				}
				if got.closed != slices.Contains(want, "Connection") {
					t.Errorf("connection closed: %v", got.closed)
				}
			})
		}
	}
}

// TestLegacyTexts: APIM 3.20 has longer ones (gravitee.md §1.3, §2.1).
func TestLegacyTexts(t *testing.T) {
	t.Parallel()
	addr, _ := start(t, switches(t, "apim=3.20", ""))
	for key, want := range map[string]string{
		"x":                    "Unauthorized",
		"mock-revoked":         "Unauthorized",
		"mock-expired":         "API Key is not valid or is expired / revoked.",
		"mock-quota-exhausted": "Rate limit exceeded ! You reach the limit of 17 requests per 1 seconds",
	} {
		if got := send(t, addr, request("GET", "/fhir/", "ESANTE-API-KEY: "+key)); got.body != want {
			t.Errorf("%s: %q, want %q", key, got.body, want)
		}
	}
	got := send(t, addr, request("GET", "/fhirx"))
	if got.status != 404 || !got.closed {
		t.Errorf("the dispatcher of 3.x closes: %+v", got)
	}
}

// TestKeepAlive: two requests on one connection, the first of them refused
// without an end to it.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	addr, _ := start(t, switches(t, "v4", ""))
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	in := bufio.NewReader(c)
	for _, tt := range []struct {
		raw    string
		status int
	}{
		{request("GET", "/fhir/"), 401},
		{request("HEAD", "/fhir/"), 401},
		{request("GET", "/nowhere"), 404},
		{request("GET", "/fhir/", withKey), 200},
	} {
		_, _ = io.WriteString(c, tt.raw)
		if got := receive(t, in, tt.raw); got.status != tt.status {
			t.Fatalf("%.20q: status %d, want %d", tt.raw, got.status, tt.status)
		}
	}
}

// TestHead: a refusal has the length of the body it does not send.
func TestHead(t *testing.T) {
	t.Parallel()
	addr, _ := start(t, gateway.Default())
	got := send(t, addr, request("HEAD", "/fhir/", "Accept: */*"))
	if got.status != 401 || got.body != "" || got.header.Get("Content-Length") != "49" {
		t.Errorf("%+v", got)
	}
	r := httptest.NewRequest("HEAD", "/fhir/", nil)
	w := httptest.NewRecorder()
	gateway.New(gateway.Default(), newStandIn()).ServeHTTP(w, r)
	if w.Code != 401 || w.Body.Len() > 0 {
		t.Errorf("without net/http's help: %d %q", w.Code, w.Body)
	}
}

// TestBrokenResponse: once the response has begun, only the connection can
// tell that the backend failed.
func TestBrokenResponse(t *testing.T) {
	t.Parallel()
	addr := serve(t, gateway.New(gateway.Default(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "half of ")
		_ = http.NewResponseController(w).Flush()
		panic(gateway.EndpointFailure)
	})))
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, request("GET", "/fhir/", withKey))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("a broken response ended well")
	}
}

// TestBackendHeaders: what the backend says of its own connection stays there,
// and its ids give way to the gateway's (gravitee.md §4.1).
func TestBackendHeaders(t *testing.T) {
	t.Parallel()
	addr := serve(t, gateway.New(gateway.Default(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		w.Header().Set("X-Gravitee-Request-Id", "the backend's")
		w.Header().Set("Server", "the backend's")
		w.WriteHeader(http.StatusNotFound)
	})))
	got := send(t, addr, request("GET", "/fhir/?X-Gravitee-Transaction-Id=abc", withKey))
	if got.status != 404 || got.header.Get("Connection") != "" || got.header.Get("Server") != "the backend's" {
		t.Errorf("%+v", got)
	}
	if got.header.Get("X-Gravitee-Request-Id") == "the backend's" || got.header.Get("X-Gravitee-Transaction-Id") != "abc" {
		t.Errorf("ids: %v", got.header)
	}
}

// TestStreaming: a backend may flush what it has, the old way and the new.
func TestStreaming(t *testing.T) {
	t.Parallel()
	addr := serve(t, gateway.New(gateway.Default(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		_, _ = io.WriteString(w, "streamed")
		c := http.NewResponseController(w)
		if err := errors.Join(c.Flush(), c.SetWriteDeadline(time.Now().Add(time.Minute))); err != nil {
			t.Error(err)
		}
	})))
	got := send(t, addr, request("GET", "/fhir/", withKey))
	if got.body != "streamed" || !got.chunked || got.header.Get("X-Gravitee-Request-Id") == "" {
		t.Errorf("%+v", got)
	}
}

// TestForeignPanic: a bug behind the gateway stays a bug.
func TestForeignPanic(t *testing.T) {
	t.Parallel()
	g := gateway.New(gateway.Default(), http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("bug") }))
	defer func() {
		if cause := recover(); cause != "bug" {
			t.Errorf("recovered %v", cause)
		}
	}()
	r := httptest.NewRequest("GET", "/fhir/", nil)
	r.Header.Set("ESANTE-API-KEY", gateway.DemoKey)
	g.ServeHTTP(httptest.NewRecorder(), r)
}

// TestIncidents: a configured fault comes before the key is read, and a key
// may be accepted without being in the registry.
func TestIncidents(t *testing.T) {
	t.Parallel()
	cfg := gateway.Default()
	cfg.Fault = func(r *http.Request) gateway.Fault {
		if r.Header.Get("X-Lost") != "" {
			return gateway.NoContextPath
		}
		return gateway.Fault{}
	}
	cfg.Accepts = func(key string) bool { return key == "mock-incident-slow" }
	addr := serve(t, gateway.New(cfg, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := gateway.CallerFrom(r.Context()); !ok {
			t.Error("no caller in the context")
		}
	})))
	if got := send(t, addr, request("GET", "/fhir/", withKey, "X-Lost: 1")); got.status != 404 {
		t.Errorf("fault: status %d", got.status)
	}
	if got := send(t, addr, request("GET", "/fhir/", "ESANTE-API-KEY: mock-incident-slow")); got.status != 200 {
		t.Errorf("incident key: status %d", got.status)
	}
	if got := send(t, addr, request("GET", "/fhir/", "ESANTE-API-KEY: mock-incident-other")); got.status != 401 {
		t.Errorf("unknown incident: status %d", got.status)
	}
}

// TestErrorsHideKeys: what a Fault or a Key prints as is not a secret.
func TestErrorsHideKeys(t *testing.T) {
	t.Parallel()
	keys := gateway.NewKeys(nil, 0)
	keys.Accept("canary-key")
	s := keys.Subscriptions(func(gateway.Subscription) bool { return true })
	_, held, err := keys.Subscription(s[0].ID)
	if err != nil || len(held) != 1 || held[0].Value != "canary-key" {
		t.Fatalf("%v %v", held, err)
	}
	for _, text := range []string{
		fmt.Sprintf("%v %+v %#v %s", held, held, held, held[0]),
		fmt.Sprint(keys.Revoke(s[0].ID, "canary-key-2")),
		gateway.Unauthorized.Error(), gateway.NoEndpoint.Error(),
	} {
		if strings.Contains(text, "canary") {
			t.Errorf("%q shows the key", text)
		}
	}
}
