package gateway_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mockfhir/mockfhir/internal/gateway"
)

// TestWhereTheKeyIs is gravitee.md §1.4 and §1.5.
func TestWhereTheKeyIs(t *testing.T) {
	t.Parallel()
	const (
		good  = "ESANTE-API-KEY: " + gateway.DemoKey
		bad   = "ESANTE-API-KEY: nobodys"
		empty = "ESANTE-API-KEY:"
		q     = "?api-key=" + gateway.DemoKey
	)
	tests := []struct {
		name, list, target string
		headers            []string
		status             int
	}{
		{"header", "", "", []string{good}, 200},
		{"header in lower case", "", "", []string{strings.ToLower(good)}, 200},
		{"white space around it", "", "", []string{"ESANTE-API-KEY: \t " + gateway.DemoKey + " \t"}, 200},
		{"key in upper case", "", "", []string{"ESANTE-API-KEY: " + strings.ToUpper(gateway.DemoKey)}, 401},
		{"first of two", "", "", []string{good, bad}, 200},
		{"second of two", "", "", []string{bad, good}, 401},
		{"joined by a comma", "", "", []string{good + ", " + gateway.DemoKey}, 401},
		{"Gravitee's own header", "", "", []string{"X-Gravitee-Api-Key: " + gateway.DemoKey}, 401},
		{"bearer", "", "", []string{"Authorization: Bearer " + gateway.DemoKey}, 401},

		{"parameter", "", q, nil, 200},
		{"parameter after others", "", "?a=1&b" + strings.Replace(q, "?", "&", 1), nil, 200},
		{"parameter after a semicolon", "", "?a=1" + strings.Replace(q, "?", ";", 1), nil, 200},
		{"parameter in upper case", "", strings.ToUpper(q), nil, 401},
		{"first parameter of two", "", q + "&api-key=nobodys", nil, 200},
		{"second parameter of two", "", "?api-key=nobodys&api-key=" + gateway.DemoKey, nil, 401},
		{"parameter switched off", "query-key=off", q, nil, 401},
		{"header before parameter", "", q, []string{bad}, 401},
		{"empty header before parameter", "", q, []string{empty}, 401},
		{"empty header is none in 3.20", "apim=3.20", q, []string{empty}, 200},

		{"no key and a keyless plan", "health-plan", "", nil, 403},
		{"empty header and a keyless plan", "health-plan", "", []string{empty}, 401},
		{"empty header and a keyless plan in 3.20", "health-plan,apim=3.20", "", []string{empty}, 403},
		{"empty parameter and a keyless plan", "health-plan", "?api-key=", nil, 401},
		{"bare parameter and a keyless plan", "health-plan", "?api-key", nil, 401},
		{"bad key and a keyless plan", "health-plan", "", []string{bad}, 401},
		{"good key and a keyless plan", "health-plan", "", []string{good}, 200},
	}
	for _, engine := range []string{"v3", "v4"} {
		for _, tt := range tests {
			t.Run(engine+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				addr, behind := start(t, switches(t, engine+","+tt.list, ""))
				got := send(t, addr, request("GET", "/fhir/v2/metadata"+tt.target, tt.headers...))
				if got.status != tt.status {
					t.Fatalf("status %d, want %d", got.status, tt.status)
				}
				if tt.status != 200 {
					if behind.seen() != nil {
						t.Error("the backend saw a refused request")
					}
					return
				}
				seen := behind.seen()
				if strings.Contains(seen.RequestURI+seen.URL.String(), "api-key") || seen.Header["Esante-Api-Key"] != nil {
					t.Errorf("the backend sees the key: %s", seen.RequestURI)
				}
			})
		}
	}
}

// TestBackendRequest is what reaches the backend (gravitee.md §1.4, §4.1).
func TestBackendRequest(t *testing.T) {
	t.Parallel()
	addr, behind := start(t, gateway.Default())
	got := send(t, addr, request("GET", "/fhir/v2/Practitioner?name=%C3%A9&api-key="+gateway.DemoKey+"&x=|",
		"Accept-Encoding: gzip", "Keep-Alive: 5", "Accept: a/b", "X-Gravitee-Transaction-Id: abc"))
	if got.status != 200 {
		t.Fatal(got)
	}
	seen := behind.seen()
	if want := "/fhir/v2/Practitioner?name=%C3%A9&x=|"; seen.RequestURI != want || seen.URL.String() != want {
		t.Errorf("target %q, URL %q, want %q", seen.RequestURI, seen.URL, want)
	}
	for name, want := range map[string]string{
		"Accept": "a/b", "Accept-Encoding": "", "Keep-Alive": "", "X-Gravitee-Transaction-Id": "abc",
	} {
		if seen.Header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, seen.Header.Get(name), want)
		}
	}
	if id := seen.Header.Get("X-Gravitee-Request-Id"); id == "" || id != got.header.Get("X-Gravitee-Request-Id") {
		t.Errorf("the backend and the client know different requests: %q", id)
	}
	if seen.Host != "gateway.example" {
		t.Errorf("Host %q", seen.Host)
	}

	got = send(t, addr, request("GET", "http://gateway.example/fhir/v2/metadata", withKey))
	if seen := behind.seen(); got.status != 200 || seen.RequestURI != "/fhir/v2/metadata" {
		t.Errorf("absolute target: %d %q", got.status, seen.RequestURI)
	}
}

// TestRouting is gravitee.md §3.1 and the methods ANS publishes.
func TestRouting(t *testing.T) {
	t.Parallel()
	addr, _ := start(t, gateway.Default())
	for _, tt := range []struct {
		method, target string
		status         int
	}{
		{"GET", "/fhir", 200},
		{"GET", "/fhir/", 200},
		{"GET", "/fhir?x", 200},
		{"GET", "/fhir/v2/Nothing/known", 200}, // the backend's business
		{"GET", "/fhir//v2", 200},
		{"GET", "/fhirx", 404},
		{"GET", "/FHIR/v2", 404},
		{"GET", "/%66hir/v2", 404},
		{"GET", "//fhir/v2", 404},
		{"GET", "/", 404},
		{"OPTIONS", "*", 404},
		{"HEAD", "/fhir/v2/metadata", 200},
		{"POST", "/fhir/v2/Practitioner/_search", 200},
		{"POST", "/fhir/Practitioner/_search", 200},
		{"POST", "/fhir/v2/_search", 405}, // no type, and the published pattern wants its slash
		{"POST", "/fhir/v22/" + strings.Repeat("x", 30) + "/_search", 200},
		{"POST", "/fhir/v2/" + strings.Repeat("x", 31) + "/_search", 405},
		{"POST", "/fhir/v222/Practitioner/_search", 405},
		{"POST", "/fhir/v2/Practitioner2/_search", 405},
		{"POST", "/fhir/v2/Practitioner", 405},
		{"POST", "/fhir/v2", 405},
		{"PUT", "/fhir/v2/Practitioner/1", 405},
		{"PATCH", "/fhir/v2/Practitioner/1", 405},
		{"DELETE", "/fhir/v2/Practitioner/_search", 405},
		{"OPTIONS", "/fhir/v2/metadata", 405},
	} {
		got := send(t, addr, request(tt.method, tt.target, "ESANTE-API-KEY: mock-quota-unlimited", "Content-Length: 0"))
		if got.status != tt.status || got.header.Get("Allow") != "" {
			t.Errorf("%s %s: status %d, want %d; Allow %q", tt.method, tt.target, got.status, tt.status, got.header.Get("Allow"))
		}
	}
	free, _ := start(t, switches(t, "method-filter=off", ""))
	if got := send(t, free, request("DELETE", "/fhir/v2/Practitioner/1", withKey)); got.status != 200 {
		t.Errorf("without the filter: status %d", got.status)
	}
}

// life is one subscription that things happen to.
type life struct {
	t            *testing.T
	clock        *clock
	keys         *gateway.Keys
	subscription string
	addr         string
}

func newLife(t *testing.T, plan string, delay time.Duration) *life {
	clock := newClock()
	keys := gateway.NewKeys(clock.Now, delay)
	app, err := keys.CreateApplication("a", "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := keys.Subscribe(app.ID, plan, "please", "me")
	if err != nil {
		t.Fatal(err)
	}
	cfg := gateway.Default()
	cfg.Keys, cfg.Now, cfg.Rate = keys, clock.Now, gateway.Rate{}
	addr, _ := start(t, cfg)
	return &life{t, clock, keys, s.ID, addr}
}

// key is the newest key, or the one before.
func (l *life) key(back int) string {
	l.t.Helper()
	_, keys, err := l.keys.Subscription(l.subscription)
	if err != nil || len(keys) <= back {
		l.t.Fatalf("%d keys, %v", len(keys), err)
	}
	return keys[back].Value
}

func (l *life) expect(key string, status int) {
	l.t.Helper()
	if got := send(l.t, l.addr, request("GET", "/fhir/", "ESANTE-API-KEY: "+key)); got.status != status {
		l.t.Errorf("status %d, want %d", got.status, status)
	}
}

func (l *life) do(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// TestLifeOfASubscription is gravitee.md §6, Lifecycle.
func TestLifeOfASubscription(t *testing.T) {
	t.Parallel()
	l := newLife(t, gateway.StandardPlan, 0)
	first := l.key(0)
	l.expect(first, 200)
	l.do(l.keys.Pause(l.subscription))
	l.expect(first, 401)
	l.do(l.keys.Resume(l.subscription))
	l.expect(first, 200)

	renewed, err := l.keys.Renew(l.subscription)
	l.do(err)
	l.expect(first, 200)
	l.expect(renewed.Value, 200)
	l.clock.Advance(2*time.Hour - time.Millisecond)
	l.expect(first, 200)
	l.clock.Advance(time.Millisecond)
	l.expect(first, 401)
	l.expect(renewed.Value, 200)

	// A second renewal does not give the expired key a new life.
	newest, err := l.keys.Renew(l.subscription)
	l.do(err)
	l.expect(first, 401)
	l.expect(renewed.Value, 200)
	l.do(l.keys.Revoke(l.subscription, newest.Value))
	l.expect(newest.Value, 401)
	l.expect(renewed.Value, 200)

	l.do(l.keys.Close(l.subscription))
	l.expect(renewed.Value, 401)
	if _, err := l.keys.Renew(l.subscription); err == nil {
		t.Error("a closed subscription gets a new key")
	}
	if s, _, _ := l.keys.Subscription(l.subscription); s.Status != gateway.Closed || s.ClosedAt.IsZero() {
		t.Errorf("closed: %+v", s)
	}
}

// TestRenewTwice: each renewal gives all the keys that still live two hours.
func TestRenewTwice(t *testing.T) {
	t.Parallel()
	l := newLife(t, gateway.StandardPlan, 0)
	first := l.key(0)
	second, err := l.keys.Renew(l.subscription)
	l.do(err)
	l.clock.Advance(time.Hour)
	_, err = l.keys.Renew(l.subscription)
	l.do(err)
	l.clock.Advance(2*time.Hour - time.Millisecond)
	l.expect(first, 200)
	l.expect(second.Value, 200)
	l.clock.Advance(time.Millisecond)
	l.expect(first, 401)
	l.expect(second.Value, 401)
}

// TestManualPlan: the publisher decides.
func TestManualPlan(t *testing.T) {
	t.Parallel()
	var manual string
	for _, p := range gateway.NewKeys(nil, 0).Plans(gateway.DirectoryAPI) {
		if p.Validation == "MANUAL" {
			manual = p.ID
		}
	}
	for _, tt := range []struct {
		name string
		act  func(*life) error
		want gateway.Status
		keys int
	}{
		{"accept", func(l *life) error { return l.keys.AcceptSubscription(l.subscription) }, gateway.Accepted, 1},
		{"reject", func(l *life) error { return l.keys.RejectSubscription(l.subscription, "no") }, gateway.Rejected, 0},
		{"close", func(l *life) error { return l.keys.Close(l.subscription) }, gateway.Rejected, 0},
		{"wait", func(*life) error { return nil }, gateway.Pending, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t, manual, 0)
			l.do(tt.act(l))
			s, keys, err := l.keys.Subscription(l.subscription)
			if err != nil || s.Status != tt.want || len(keys) != tt.keys {
				t.Fatalf("%s with %d keys, %v", s.Status, len(keys), err)
			}
			if tt.keys > 0 {
				l.expect(keys[0].Value, 200)
			}
			if tt.name == "close" && s.Reason != "Subscription has been closed." {
				t.Errorf("reason %q", s.Reason)
			}
			if s.Status == gateway.Rejected && l.keys.AcceptSubscription(s.ID) == nil {
				t.Error("a rejected subscription was accepted")
			}
		})
	}
}

// TestSyncDelay: the gateway lags behind the portal, but knows by itself when
// a key expires (gravitee.md §1.2).
func TestSyncDelay(t *testing.T) {
	t.Parallel()
	const delay = 5 * time.Second
	l := newLife(t, gateway.StandardPlan, delay)
	key := l.key(0)
	l.expect(key, 401)
	l.clock.Advance(delay - time.Millisecond)
	l.expect(key, 401)
	l.clock.Advance(time.Millisecond)
	l.expect(key, 200)

	l.do(l.keys.Revoke(l.subscription, key))
	l.expect(key, 200)
	l.clock.Advance(delay)
	// A change after the synchronisation does not hide what it brought.
	renewed, err := l.keys.Renew(l.subscription)
	l.do(err)
	l.expect(key, 401)
	l.expect(renewed.Value, 401)
	l.clock.Advance(delay)
	l.expect(renewed.Value, 200)

	newest, err := l.keys.Renew(l.subscription)
	l.do(err)
	l.clock.Advance(2 * time.Hour) // one synchronisation, then the expiry
	l.expect(renewed.Value, 401)
	l.expect(newest.Value, 200)
}

// TestRefusals are the portal's own words (gravitee.md §6).
func TestRefusals(t *testing.T) {
	t.Parallel()
	keys := gateway.NewKeys(nil, 0)
	app, _ := keys.CreateApplication("a", "")
	s, err := keys.Subscribe(app.ID, gateway.StandardPlan, "", "")
	if err != nil {
		t.Fatal(err)
	}
	_, held, _ := keys.Subscription(s.ID)
	again := func() error { _, err := keys.Subscribe(app.ID, gateway.StandardPlan, "", ""); return err }
	keyless := func() error { _, err := keys.Subscribe(app.ID, gateway.KeylessPlan, "", ""); return err }
	stranger := func() error { _, err := keys.Subscribe("nobody", gateway.StandardPlan, "", ""); return err }
	revokeTwice := func() error {
		if err := keys.Revoke(s.ID, held[0].Value); err != nil {
			t.Fatal(err)
		}
		return keys.Revoke(s.ID, held[0].Value)
	}
	for _, tt := range []struct {
		act           func() error
		status        int
		code, message string
	}{
		{again, 400, "errors.plan.subscribed", "There is already a PENDING or ACCEPTED subscription for this plan."},
		{keyless, 400, "errors.plan.notSubscribable", "A keyless plan is not subscribable!"},
		{stranger, 404, "errors.application.notFound", "Application [nobody] cannot be found."},
		{func() error { return keys.Close("nothing") }, 404, "errors.subscription.notFound", "Subscription [nothing] cannot be found."},
		{func() error { return keys.Revoke(s.ID, "x") }, 404, "errors.apiKey.notFound", "No API Key can be found."},
		{revokeTwice, 400, "errors.apiKey.expired", "API Key is already expired"},
	} {
		var got *gateway.Refusal
		if err := tt.act(); !errors.As(err, &got) {
			t.Errorf("%s: %v", tt.message, err)
		} else if got.Status != tt.status || got.Code != tt.code || got.Message != tt.message {
			t.Errorf("%+v, want %d %s %q", got, tt.status, tt.code, tt.message)
		}
	}
}

// TestPlansThatTakeNobody: a plan that is closed, not published yet, or not there.
func TestPlansThatTakeNobody(t *testing.T) {
	t.Parallel()
	keys := gateway.NewKeys(nil, 0)
	app, _ := keys.CreateApplication("a", "")
	for plan, want := range map[string]string{
		gateway.ClosedPlan:  "Plan " + gateway.ClosedPlan + " is already closed !",
		gateway.StagingPlan: "Plan " + gateway.StagingPlan + " is not yet published !",
		"none":              "Plan [none] cannot be found.",
	} {
		if _, err := keys.Subscribe(app.ID, plan, "", ""); err == nil || err.Error() != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for _, p := range keys.Plans(gateway.DirectoryAPI) {
		if p.Status != gateway.Published {
			t.Errorf("plan %s is offered", p.Name)
		}
	}
}

// TestAccountsAreBounded: the portal cannot fill the memory.
func TestAccountsAreBounded(t *testing.T) {
	t.Parallel()
	keys := gateway.NewKeys(nil, 0)
	first, err := keys.CreateApplication("a", "")
	for range 30_000 {
		if err == nil {
			_, err = keys.CreateApplication("a", "")
		}
	}
	var full *gateway.Refusal
	if !errors.As(err, &full) || full.Status != http.StatusServiceUnavailable {
		t.Fatalf("30000 applications: %v", err)
	}
	if _, err := keys.Subscribe(first.ID, gateway.StandardPlan, "", ""); !errors.As(err, &full) {
		t.Errorf("a subscription more: %v", err)
	}
}

// TestDeletedApplication: its keys go with it.
func TestDeletedApplication(t *testing.T) {
	t.Parallel()
	l := newLife(t, gateway.StandardPlan, 0)
	key := l.key(0)
	l.do(l.keys.DeleteApplication(l.keys.Applications()[0].ID))
	l.expect(key, 401)
	if len(l.keys.Applications()) != 0 {
		t.Error("the application is still there")
	}
}

// TestAnyKey: any key works and has a quota of its own, unless it is known to
// be of no use.
func TestAnyKey(t *testing.T) {
	t.Parallel()
	cfg := gateway.Default()
	cfg.AnyKey, cfg.Now = true, newClock().Now
	cfg.Rate = gateway.Rate{Limit: 1, Period: 1, Unit: gateway.Seconds}
	addr, behind := start(t, cfg)
	for _, tt := range []struct {
		key    string
		status int
	}{{"one", 200}, {"one", 429}, {"two", 200}, {"", 401}, {"mock-revoked", 401}} {
		if got := send(t, addr, request("GET", "/fhir/", "ESANTE-API-KEY: "+tt.key)); got.status != tt.status {
			t.Errorf("%q: status %d, want %d", tt.key, got.status, tt.status)
		}
	}
	caller, _ := gateway.CallerFrom(behind.seen().Context())
	if caller.Subscription == "" || strings.Contains(caller.Subscription, "two") {
		t.Errorf("caller %+v", caller)
	}
}

// TestAccept: configured keys are known at once, whatever the delay.
func TestAccept(t *testing.T) {
	t.Parallel()
	keys := gateway.NewKeys(nil, time.Hour)
	keys.Accept("k1", "k2", "k1", " ")
	if n := len(keys.Applications()); n != 2 {
		t.Errorf("%d applications, want one for each key", n)
	}
	cfg := gateway.Default()
	cfg.Keys = keys
	addr, _ := start(t, cfg)
	for key, status := range map[string]int{"k1": 200, "k2": 200, gateway.DemoKey: 401} {
		if got := send(t, addr, request("GET", "/fhir/", "ESANTE-API-KEY: "+key)); got.status != status {
			t.Errorf("%s: status %d, want %d", key, got.status, status)
		}
	}
	if _, ok := gateway.CallerFrom(new(http.Request).Context()); ok {
		t.Error("a request that came through no gateway has a caller")
	}
}
