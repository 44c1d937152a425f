package gateway

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// FuzzTarget sends any request target through a gateway. The laws: nothing
// panics, the backend never sees the key parameter, and of the rest of the
// target it sees every byte.
func FuzzTarget(f *testing.F) {
	for _, target := range []string{
		"/fhir/v2/Practitioner?name=a&api-key=mock-key",
		"/fhir?api-key=mock-key",
		"/fhir/?api-key=mock-key;x=1",
		"/fhir/?a;api-key;;&b=%zz&api-key=2&",
		"/fhir/?api%2Dkey=mock-key",
		"/fhir/v2//_search?", "/fhir/v22/x/_search", "/fhir/v222/_page",
		"http://h/fhir/?api-key=mock-key", "http://h", "://", "*", "?", "/fhir/%zz", "/fhir/?\x7f|",
		"/fhir/?X-Gravitee-Transaction-Id=1&api-key=mock-key",
	} {
		f.Add("GET", target)
		f.Add("POST", target)
	}
	f.Fuzz(func(t *testing.T, method, target string) {
		checkWithout(t, target)
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(method + " " + target + " HTTP/1.1\r\nHost: x\r\n\r\n")))
		if err != nil {
			return
		}
		var seen *http.Request
		cfg := Default()
		cfg.Rate = Rate{}
		w := httptest.NewRecorder()
		New(cfg, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r })).ServeHTTP(w, r)
		switch w.Code {
		case 200, 401, 404, 405, 414, 431:
		default:
			t.Errorf("status %d", w.Code)
		}
		if (w.Code == 200) != (seen != nil) {
			t.Fatalf("status %d, backend asked: %v", w.Code, seen != nil)
		}
		if seen == nil {
			return
		}
		path, query := split(rawTarget(r))
		seenPath, seenQuery := split(seen.RequestURI)
		if seenPath != path || seenQuery != without(query, cfg.KeyParam) || seen.URL.RawQuery != seenQuery {
			t.Errorf("%q became %q and %q", target, seen.RequestURI, seen.URL)
		}
		if _, found := param(seenQuery, cfg.KeyParam); found {
			t.Errorf("%q shows the key", seen.RequestURI)
		}
	})
}

// checkWithout: taking a parameter out leaves the other pieces in their order.
func checkWithout(t *testing.T, query string) {
	t.Helper()
	const name = "api-key"
	isName := func(piece string) bool { key, _, _ := strings.Cut(piece, "="); return key == name }
	filled := func(query string) []string {
		return slices.DeleteFunc(slices.Collect(pieces(query)), func(piece string) bool { return piece == "" })
	}
	got := without(query, name)
	want := slices.DeleteFunc(filled(query), isName)
	if !slices.Equal(filled(got), want) {
		t.Errorf("%q without %s is %q, want the pieces %q", query, name, got, want)
	}
	if !slices.ContainsFunc(slices.Collect(pieces(query)), isName) && got != query {
		t.Errorf("%q became %q for no reason", query, got)
	}
}
