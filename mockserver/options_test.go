package mockserver_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/mockserver"
)

// TestBuildErrors: an option that is wrong says which, and what would be right.
func TestBuildErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		option mockserver.Option
		says   []string
	}{
		"empty key":        {mockserver.WithKeys("a", " "), []string{"key is empty", "accept any key"}},
		"profile":          {mockserver.WithProfile("prod"), []string{`"prod"`, `"production"`, `"source"`}},
		"rate":             {mockserver.WithRate("fast"), []string{`"fast"`, "17/1s"}},
		"gateway":          {mockserver.WithGateway("v5"), []string{`"v5"`, "v3, v4", "cors=ORIGINS"}},
		"gateway's value":  {mockserver.WithGateway("sync-delay=soon"), []string{"sync-delay=soon", "sync-delay=5s"}},
		"counting budget":  {mockserver.WithCountBudget(-1), []string{"-1", "use 0 to count always"}},
		"version":          {mockserver.WithDefaultVersion("v3"), []string{`"v3"`, "v2 or none"}},
		"public URL":       {mockserver.WithPublicURL("api.example"), []string{`"api.example"`, "http(s)://host"}},
		"its scheme":       {mockserver.WithPublicURL("ftp://api.example"), []string{"http(s)://host"}},
		"its query":        {mockserver.WithPublicURL("https://api.example?a=b"), []string{"http(s)://host"}},
		"its empty query":  {mockserver.WithPublicURL("https://api.example?"), []string{"http(s)://host"}},
		"its fragment":     {mockserver.WithPublicURL("https://api.example#a"), []string{"http(s)://host"}},
		"its user":         {mockserver.WithPublicURL("https://me@api.example"), []string{"http(s)://host"}},
		"its missing host": {mockserver.WithPublicURL("https:///x"), []string{"http(s)://host"}},
		"its space":        {mockserver.WithPublicURL("https://api.example/a b"), []string{"http(s)://host"}},
		"its quote":        {mockserver.WithPublicURL(`https://api.example/a"b`), []string{"http(s)://host"}},
	} {
		s, err := mockserver.Build(persons, c.option)
		if err == nil || s != nil {
			t.Errorf("%s: %v, %v", name, s, err)
			continue
		}
		for _, word := range c.says {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %q does not say %s", name, err, word)
			}
		}
		func() {
			defer func() {
				if cause := recover(); cause != "mockserver: "+err.Error() {
					t.Errorf("%s: New panics with %v", name, cause)
				}
			}()
			mockserver.New(persons, c.option)
		}()
	}
}

// TestKeys: the demo key is there until another is named; any key is any that
// is not empty.
func TestKeys(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		opts []mockserver.Option
		keys map[string]int
	}{
		"none given": {nil, map[string]int{mockserver.DemoKey: 200, "k": 401, "": 401}},
		"given":      {[]mockserver.Option{mockserver.WithKeys("k", "l"), mockserver.WithKeys("m")}, map[string]int{"k": 200, "l": 200, "m": 200, "K": 401, mockserver.DemoKey: 401}},
		"any":        {[]mockserver.Option{mockserver.WithAnyKey()}, map[string]int{"x": 200, mockserver.DemoKey: 200, "": 401}},
	} {
		s, err := mockserver.Build(persons, c.opts...)
		if err != nil {
			t.Fatal(err)
		}
		for key, want := range c.keys {
			if w := answer(s, inProcess("GET", "/fhir/v2/metadata", "", "ESANTE-API-KEY", key)); w.Code != want {
				t.Errorf("%s: key %q is answered with %d, want %d", name, key, w.Code, want)
			}
		}
	}
}

// TestRate: each key has its 17 calls a second, in whatever order the options
// come.
func TestRate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		opts  []mockserver.Option
		calls int
	}{
		"default": {nil, 17},
		"set":     {[]mockserver.Option{mockserver.WithRate("3/1s"), mockserver.WithGateway("v4,rate-headers")}, 3},
		"after":   {[]mockserver.Option{mockserver.WithGateway("v4,rate-headers"), mockserver.WithRate("3/1s")}, 3},
		"off":     {[]mockserver.Option{mockserver.WithRate("0")}, 100},
	} {
		s, err := mockserver.Build(persons, append(c.opts, mockserver.WithKeys("k", "l"), mockserver.WithClock(clock))...)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"k", "l"} {
			let := 0
			for range 100 {
				if w := answer(s, inProcess("GET", "/fhir/v2/Device/x", "", "ESANTE-API-KEY", key)); w.Code == 404 {
					let++
				} else if w.Code != 429 {
					t.Fatalf("%s: %d", name, w.Code)
				}
			}
			if let != c.calls {
				t.Errorf("%s: key %s is let in %d times, want %d", name, key, let, c.calls)
			}
		}
	}
}

// TestControl: what the mock says of itself, without a key (DESIGN.md).
func TestControl(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]mockserver.Option{
		"on":  {mockserver.WithVersion("v1.2.3")},
		"off": {mockserver.WithVersion("v1.2.3"), mockserver.WithoutControl()},
	} {
		s := build(t, persons, opts...)
		hint := map[string]string{"on": "see /__mockfhir/control.json", "off": "it was started with -control off"}[name]
		for request, want := range map[string]string{
			"GET /__mockfhir/livez":   "200 {\"status\":\"ok\"}\n",
			"HEAD /__mockfhir/readyz": "200 {\"status\":\"ok\"}\n",
			"GET /__mockfhir/readyz":  "200 {\"status\":\"ok\"}\n",
			"GET /__mockfhir/version": "200 {\"digest\":\"" + persons.Digest() + "\",\"profile\":\"production\",\"set\":\"\",\"version\":\"v1.2.3\"}\n",
			"POST /__mockfhir/livez":  "404 {\"error\":\"mockfhir has nothing here; " + hint + "\"}\n",
			"GET /__mockfhir/":        "404 {\"error\":\"mockfhir has nothing here; " + hint + "\"}\n",
			"GET /__mockfhir/nope/x":  "404 {\"error\":\"mockfhir has nothing here; " + hint + "\"}\n",
		} {
			method, target, _ := strings.Cut(request, " ")
			r := inProcess(method, target, "")
			r.Header.Del("ESANTE-API-KEY")
			w := answer(s, r)
			if got := fmt.Sprintf("%d %s", w.Code, w.Body); got != want || w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%s, %s: %s %v", name, request, got, w.Header())
			}
		}
		w := answer(s, inProcess("GET", "/__mockfhir/openapi.json", ""))
		if document := strings.Contains(w.Body.String(), `"openapi"`); document != (name == "on") || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s: openapi.json is answered with %d", name, w.Code)
		}
	}
}

// TestLog: one line a call, with method, path, status, size and duration, and
// nothing in it that could be a person's or a secret.
func TestLog(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := build(t, persons, mockserver.WithKeys("SECRETKEY"), mockserver.WithLogger(slog.New(slog.NewJSONHandler(&log, nil))))
	for _, c := range []struct {
		request, path string
		status        int
	}{
		{"GET /fhir/v2/Practitioner?family=SECRETNAME", "/fhir/v2/Practitioner", 200},
		{"GET /fhir/v2/Practitioner/SECRETID", "/fhir/v2/Practitioner/{id}", 404},
		{"GET /fhir/v2/Practitioner/003-SECRETID-1", "/fhir/v2/Practitioner/{id}", 404},
		{"GET /fhir/Practitioner/SECRETID/_history/SECRETID", "/fhir/Practitioner/{id}/_history/{id}", 500},
		{"GET /fhir/v2/Practitioner/%53ECRETID", "/fhir/v2/Practitioner/{id}", 404},
		{"GET /fhir/v2/_page?id=uSECRETTOKEN", "/fhir/v2/_page", 502},
		{"GET /fhir/v2/metadata?api-key=SECRETKEY", "/fhir/v2/metadata", 200},
		{"GET /fhir/v2/metadata?api-key=SECRETWRONG", "/fhir/v2/metadata", 401},
		{"POST /fhir/v2/Practitioner/_search family=SECRETNAME", "/fhir/v2/Practitioner/_search", 200},
		{"GET /fhir/v2/$SECRET-op", "/fhir/v2/{id}", 400},
		{"GET /__mockfhir/livez", "/__mockfhir/livez", 200},
		{"GET /SECRETPATH/1/", "", 404},
	} {
		log.Reset()
		method, rest, _ := strings.Cut(c.request, " ")
		target, body, _ := strings.Cut(rest, " ")
		r := inProcess(method, target, body, "Content-Type", form, "ESANTE-API-KEY", "SECRETKEY", "Cookie", "JSESSIONID=SECRETCOOKIE")
		if strings.Contains(target, "api-key") {
			r.Header.Del("ESANTE-API-KEY")
		}
		w := answer(s, r)
		var line struct {
			Msg, Method, Path string
			Status            int
			Bytes, Took       int64
		}
		if err := json.Unmarshal(log.Bytes(), &line); err != nil {
			t.Fatalf("%s is logged as %q: %v", c.request, log.String(), err)
		}
		if line.Msg != "call" || line.Method != method || line.Status != c.status || w.Code != c.status || line.Bytes != int64(w.Body.Len()) || c.path != "" && line.Path != c.path {
			t.Errorf("%s is logged as %s", c.request, log.String())
		}
		if strings.Contains(log.String(), "SECRET") && c.path != "" {
			t.Errorf("%s is told: %s", c.request, log.String())
		}
	}
	log.Reset()
	answer(s, inProcess(strings.Repeat("M", 4000), "/"+strings.Repeat("a", 3000), ""))
	if log.Len() > 1000 {
		t.Errorf("a long request makes a line of %d bytes", log.Len())
	}
}

// TestFreshDates: the newest resource is of today in the zone of the service,
// the others keep their distance, and a write stays where it is.
func TestFreshDates(t *testing.T) {
	t.Parallel()
	updated := func(id, at string) string { return fmt.Sprintf(`Device/%s "meta":{"lastUpdated":%q}`, id, at) }
	set := directory(updated("old", "2025-01-10T08:00:00.000+01:00"), updated("new", "2025-01-15T23:30:00.000+01:00"), "Device/none")
	for now, want := range map[string][2]string{
		"2025-01-15T12:00:00Z": {"2025-01-10T08:00:00.000+01:00", "2025-01-15T23:30:00.000+01:00"},
		"2025-06-10T15:30:00Z": {"2025-06-05T08:00:00.000+02:00", "2025-06-10T23:30:00.000+02:00"},
		"2025-06-10T22:30:00Z": {"2025-06-06T08:00:00.000+02:00", "2025-06-11T23:30:00.000+02:00"}, // tomorrow in Paris
		"2024-12-31T22:59:00Z": {"2024-12-26T08:00:00.000+01:00", "2024-12-31T23:30:00.000+01:00"}, // back in time
	} {
		at, err := time.Parse(time.RFC3339, now)
		if err != nil {
			t.Fatal(err)
		}
		s := build(t, set, mockserver.WithFreshDates(), mockserver.WithClock(func() time.Time { return at }))
		s.Put(fixtures.Resource{Type: "Device", ID: "put", JSON: `{"resourceType":"Device","id":"put","meta":{"lastUpdated":"2025-03-03T03:03:03.000+01:00"}}`})
		body := answer(s, inProcess("GET", "/fhir/v2/Device", "")).Body.String()
		for _, date := range append(want[:], "2025-03-03T03:03:03.000+01:00") {
			if !strings.Contains(body, `"lastUpdated": "`+date+`"`) {
				t.Errorf("at %s no device is of %s: %s", now, date, body)
			}
		}
		today := answer(s, inProcess("GET", "/fhir/v2/Device?_lastUpdated=eq%25today", "")).Body.String()
		if b := decodeBundle(t, today); len(b.Entry) != 1 || b.Entry[0].Resource.ID != "new" {
			t.Errorf("at %s of today are %s", now, today)
		}
	}
}

// Fresh dates are printed in the zone of the service.
func TestFreshDatesElsewhere(t *testing.T) {
	t.Parallel()
	set := directory(`Device/a "meta":{"lastUpdated":"2025-01-15T23:30:00.000+01:00"}`)
	at := time.Date(2025, 6, 10, 15, 30, 0, 0, time.UTC)
	s := build(t, set, mockserver.WithFreshDates(), mockserver.WithClock(func() time.Time { return at }), mockserver.WithLocation(time.UTC))
	if body := answer(s, inProcess("GET", "/fhir/v2/Device", "")).Body.String(); !strings.Contains(body, `"lastUpdated": "2025-06-10T21:30:00.000+00:00"`) {
		t.Error(body)
	}
}

// A server of nothing says what is missing.
func TestNoSet(t *testing.T) {
	t.Parallel()
	for _, set := range []*fixtures.Set{nil, {}} {
		if _, err := mockserver.Build(set); err == nil || !strings.Contains(err.Error(), "fixtures.Default()") {
			t.Errorf("%v", err)
		}
	}
}

// TestLocation: dates without an offset are read, and dates are cut, in the
// zone of the service.
func TestLocation(t *testing.T) {
	t.Parallel()
	set := directory(`Device/a "meta":{"lastUpdated":"2025-05-27T23:30:00.000Z"}`)
	for zone, day := range map[string]string{"": "2025-05-28", "UTC": "2025-05-27"} {
		var opts []mockserver.Option
		if zone == "UTC" {
			opts = append(opts, mockserver.WithLocation(time.UTC))
		}
		got := kind(answer(build(t, set, opts...), inProcess("GET", "/fhir/v2/Device?_lastUpdated=eq"+day, "")))
		if got != "200 searchset of 1" {
			t.Errorf("in %q: %s", zone, got)
		}
	}
}
