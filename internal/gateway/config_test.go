package gateway_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mockfhir/mockfhir/internal/gateway"
)

func TestParseSwitches(t *testing.T) {
	t.Parallel()
	cfg, err := gateway.ParseSwitches(" v4, apim=3.20,health-plan,rate-headers ,query-key=off,method-filter=off,cors=https://a.example,https://b.example:8443,sync-delay=5s,")
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Engine != gateway.V4 || cfg.APIM != gateway.APIM320 || !cfg.HealthPlan || !cfg.RateHeaders ||
		cfg.KeyParam != "" || cfg.MethodFilter || cfg.SyncDelay != 5*time.Second ||
		cfg.CORS == nil || strings.Join(cfg.CORS.Origins, " ") != "https://a.example https://b.example:8443" {
		t.Errorf("%+v", cfg)
	}
	cfg, err = gateway.ParseSwitches("")
	if err != nil || cfg.Engine != gateway.V3 || cfg.HealthPlan || cfg.RateHeaders || cfg.KeyParam != "api-key" ||
		!cfg.MethodFilter || cfg.CORS != nil || cfg.Rate.String() != "17/1s" {
		t.Errorf("default: %+v, %v", cfg, err)
	}
	for _, list := range []string{
		"v5", "v3=on", "apim=4.8", "apim", "health-plan=yes", "cors", "cors=a.example", "cors=https://a/b",
		"v3,v4", "v4,v3", "https://a.example", "sync-delay", "sync-delay=5", "sync-delay=-1s", "V4", "query-key=", "rate=1/1s",
	} {
		_, err := gateway.ParseSwitches(list)
		if err == nil || !strings.Contains(err.Error(), strings.ReplaceAll(list, ",", " and ")) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", list, err)
		}
	}
}

func TestParseRate(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"0", "17/1s", "1000/1m", "quota:1000/1m", "quota:50000/1d", "quota:1/12mo", "quota:1/2w", "spike:17/1s"} {
		rate, err := gateway.ParseRate(text)
		if err != nil || rate.String() != text {
			t.Errorf("%s became %s, %v", text, rate, err)
		}
	}
	if rate, err := gateway.ParseRate("rate:17/1s"); err != nil || rate.String() != "17/1s" {
		t.Errorf("rate:17/1s became %s, %v", rate, err)
	}
	for _, text := range []string{
		"", "17", "17/s", "17/1", "0/1s", "-1/1s", "17/0s", "17/1h", "17/1x", "spike:17/1d", "burst:17/1s",
		"1e3/1s", "99999999999999999999/1s", "17/99999999999999999999s", "17/1S", "quota:0",
	} {
		rate, err := gateway.ParseRate(text)
		if err == nil || !strings.Contains(err.Error(), "valid are") {
			t.Errorf("%q became %s, %v", text, rate, err)
		}
	}
}

// TestCORS is gravitee.md §4.2.
func TestCORS(t *testing.T) {
	t.Parallel()
	const (
		ours   = "Origin: https://app.example"
		theirs = "Origin: https://other.example"
		get    = "Access-Control-Request-Method: GET"
	)
	tests := []struct {
		name    string
		headers []string
		status  int
		allow   string // Access-Control-Allow-Origin; "=" is the origin in V4, * in V3
	}{
		{"preflight", []string{ours, get, "Access-Control-Request-Headers: esante-api-key, content-type"}, 200, "="},
		{"preflight of another origin", []string{theirs, get}, 400, ""},
		{"preflight of another method", []string{ours, "Access-Control-Request-Method: PUT"}, 400, ""},
		{"preflight with another header", []string{ours, get, "Access-Control-Request-Headers: X-Other"}, 400, ""},
		{"no preflight: no key", []string{ours}, 401, "="},
		{"no preflight: no origin", []string{get}, 401, ""},
	}
	for _, engine := range []string{"v3", "v4"} {
		addr, _ := start(t, switches(t, engine+",cors=https://app.example", "0"))
		for _, tt := range tests {
			got := send(t, addr, request("OPTIONS", "/fhir/v2/metadata", tt.headers...))
			want := tt.allow
			if want == "=" {
				want = "*"
				if engine == "v4" {
					want = "https://app.example"
				}
			}
			if got.status != tt.status || got.header.Get("Access-Control-Allow-Origin") != want {
				t.Errorf("%s %s: %d %v", engine, tt.name, got.status, got.header)
			}
			allowed := got.header.Get("Access-Control-Allow-Methods") == "GET, POST" &&
				got.header.Get("Access-Control-Allow-Headers") == "ESANTE-API-KEY, Content-Type" &&
				got.header.Get("Access-Control-Max-Age") == "3600"
			if allowed != (tt.status == 200) {
				t.Errorf("%s %s: %v", engine, tt.name, got.header)
			}
		}
		if got := send(t, addr, request("GET", "/fhir/", withKey, ours)); got.status != 200 || got.header.Get("Access-Control-Allow-Origin") == "" {
			t.Errorf("%s: %+v", engine, got)
		}
		if got := send(t, addr, request("GET", "/fhirx", ours)); got.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: CORS before any API: %+v", engine, got)
		}
	}
}

// TestCORSOfTheBackend: the gateway's word is the only one, and credentials
// need a named origin.
func TestCORSOfTheBackend(t *testing.T) {
	t.Parallel()
	cfg := gateway.Default()
	cfg.CORS = &gateway.CORS{Origins: []string{"https://app.example"}, Expose: []string{"ETag"}, MaxAge: -1, Credentials: true}
	addr := serve(t, gateway.New(cfg, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "https://evil.example")
	})))
	for origin, want := range map[string]string{"https://app.example": "https://app.example", "https://evil.example": ""} {
		got := send(t, addr, request("GET", "/fhir/", withKey, "Origin: "+origin)).header
		if got.Get("Access-Control-Allow-Origin") != want ||
			(want != "") != (got.Get("Access-Control-Allow-Credentials") == "true" && got.Get("Access-Control-Expose-Headers") == "ETag") {
			t.Errorf("%s: %v", origin, got)
		}
	}
}
