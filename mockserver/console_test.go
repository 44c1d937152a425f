package mockserver_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/mockserver"
)

const someAsset = "/__mockfhir/console/app.js"

// TestConsoleRouting: the page is at the root for who sends no key, from this
// machine's own pages alone, and nothing else has changed its answer.
func TestConsoleRouting(t *testing.T) {
	t.Parallel()
	on := build(t, directory("Device/1"))
	token := build(t, directory("Device/1"), mockserver.WithControlToken("token-of-this-test"))
	off := build(t, directory("Device/1"), mockserver.WithoutControl())
	const page, script, lost, refused, none = "<!DOCTYPE html>", "// The shell", "No context-path matches the request URI.", `{"error":"control calls`, `{"error":"mockfhir has nothing here`
	for _, c := range []struct {
		server *mockserver.Server
		target string
		host   string
		header []string // beside no key
		status int
		want   string
	}{
		{on, "/", "localhost:8080", nil, 200, page},
		{on, "/", "127.0.0.1", []string{"Accept", "text/html"}, 200, page},
		{on, someAsset, "localhost", nil, 200, script},
		{token, "/", "localhost", nil, 200, page}, // a browser can send no token for it
		{token, someAsset, "localhost", nil, 200, script},

		{on, "/", "evil.example.org", nil, 403, refused},
		{on, someAsset, "evil.example.org", nil, 403, refused},
		{on, "/", "localhost", []string{"Sec-Fetch-Site", "cross-site"}, 403, refused},
		{on, "/", "localhost", []string{"Origin", "https://evil.example"}, 403, refused},
		{on, someAsset, "localhost", []string{"Sec-Fetch-Site", "same-site"}, 403, refused},

		{off, "/", "localhost", nil, 404, lost},
		{off, someAsset, "localhost", nil, 404, none},
		{on, "/", "localhost", []string{"ESANTE-API-KEY", "k"}, 404, lost},
		{on, "/?api-key=k", "localhost", nil, 404, lost},
		{on, "/?_type=Device", "localhost", nil, 404, lost},
		{on, "//", "localhost", nil, 404, lost},
		{on, "/index.html", "localhost", nil, 404, lost},
		{on, "/app.js", "localhost", nil, 404, lost},
		{on, "/favicon.ico", "localhost", nil, 404, lost},
		{on, "/__mockfhir/console/", "localhost", nil, 404, none},
		{on, "/__mockfhir/console/other.js", "localhost", nil, 404, none},
		{on, "/__mockfhir/console/../console/app.js", "localhost", nil, 404, none},
		{on, "/__mockfhir/console", "localhost", nil, 404, none},
		{on, "/fhir/v2/metadata", "localhost", nil, 401, ""},
	} {
		r := inProcess("GET", c.target, "", c.header...)
		r.Host = c.host
		if len(c.header) == 0 || c.header[0] != "ESANTE-API-KEY" {
			r.Header.Del("ESANTE-API-KEY")
		}
		w := answer(c.server, r)
		if w.Code != c.status || !strings.HasPrefix(w.Body.String(), c.want) {
			t.Errorf("%s of host %s with %v is answered with %d %.80q, want %d %q", c.target, c.host, c.header, w.Code, w.Body, c.status, c.want)
		}
		if html := w.Code == 200; html != strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s is answered with the policy %q", c.target, w.Header().Get("Content-Security-Policy"))
		}
	}
	r := inProcess("POST", "/", "")
	r.Host = "localhost"
	if w := answer(on, r); w.Code != 404 {
		t.Errorf("POST / is answered with %d", w.Code)
	}
}

// TestFormExamples: each parameter has an example that finds something, but
// for those whose element the profile forbids (ans-api.md §4.6).
func TestFormExamples(t *testing.T) {
	t.Parallel()
	s := build(t, fixtures.Default())
	r := inProcess("GET", "/__mockfhir/parameters", "")
	r.Host = "localhost"
	var types []struct {
		Type, ID string
		Params   []struct{ Name, Example string }
	}
	if err := json.Unmarshal(answer(s, r).Body.Bytes(), &types); err != nil || len(types) < 5 {
		t.Fatalf("%d types: %v", len(types), err)
	}
	var without []string
	for _, typ := range types {
		if w := answer(s, inProcess("GET", "/fhir/v2/"+typ.Type+"/"+typ.ID, "")); w.Code != 200 {
			t.Errorf("%s/%s is answered with %d", typ.Type, typ.ID, w.Code)
		}
		for _, p := range typ.Params {
			if p.Example == "" {
				without = append(without, typ.Type+"?"+p.Name)
				continue
			}
			target := "/fhir/v2/" + typ.Type + "?_count=1&" + p.Name + "=" + url.QueryEscape(p.Example)
			w := answer(s, inProcess("GET", target, ""))
			if b := decodeBundle(t, w.Body.String()); w.Code != 200 || len(b.Entry) != 1 {
				t.Errorf("%s is answered with %d and %d entries", target, w.Code, len(b.Entry))
			}
		}
	}
	if !slices.Equal(without, []string{"Device?model"}) {
		t.Errorf("without an example: %v", without)
	}
}

// TestQuotaOfASession: what keys used is told by session, and no key is.
func TestQuotaOfASession(t *testing.T) {
	t.Parallel()
	s := build(t, directory("Device/1"), mockserver.WithRate("3/1s"), mockserver.WithClock(clock), mockserver.WithKeys("a-key-of-this-test"))
	quotas := func() (list []struct {
		Subscription, Name string
		Used, Limit        int
		Open               bool
	}, text string) {
		r := inProcess("GET", "/__mockfhir/sessions/default/quota", "")
		r.Host = "localhost"
		w := answer(s, r)
		if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil {
			t.Fatalf("%v: %s", err, w.Body)
		}
		return list, w.Body.String()
	}
	if list, text := quotas(); len(list) != 0 {
		t.Errorf("before any call: %s", text)
	}
	for range 5 {
		answer(s, inProcess("GET", "/fhir/v2/metadata", "", "ESANTE-API-KEY", "a-key-of-this-test"))
	}
	answer(s, inProcess("GET", "/fhir/v2/metadata", ""))
	list, text := quotas()
	if len(list) != 2 || list[0].Used+list[1].Used != 4 || list[0].Limit != 3 || !list[0].Open || strings.Contains(text, "a-key-of") {
		t.Errorf("after five calls and one: %s", text)
	}
}
