package portal_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mockfhir/mockfhir/internal/gateway"
	"github.com/mockfhir/mockfhir/internal/portal"
)

// world is a portal, the gateway it governs, and somebody who is logged in.
type world struct {
	t             *testing.T
	portal        http.Handler
	gateway       http.Handler
	authorization string

	mu  sync.Mutex
	now time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, time.March, 9, 8, 0, 0, 0, time.UTC)}
	keys := gateway.NewKeys(w.clock, 0)
	w.portal = portal.New(keys)
	w.gateway = gateway.New(gateway.Config{Keys: keys, Now: w.clock}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	w.authorization = "Basic bWU6c2VjcmV0" // me:secret
	var session struct {
		Type  string `json:"token_type"`
		Token string
	}
	w.ask("POST", "/auth/login", "", 200, &session)
	if session.Type != "BEARER" {
		t.Fatalf("token type %q", session.Type)
	}
	w.authorization = "Bearer " + session.Token
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) do(method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, portal.Base+path, strings.NewReader(body))
	r.Header.Set("Authorization", w.authorization)
	r.Header.Set("Content-Type", "application/json")
	got := httptest.NewRecorder()
	w.portal.ServeHTTP(got, r)
	return got
}

// ask wants a status, and decodes the body.
func (w *world) ask(method, path, body string, status int, into any) {
	w.t.Helper()
	got := w.do(method, path, body)
	if got.Code != status {
		w.t.Fatalf("%s %s: status %d, want %d: %s", method, path, got.Code, status, got.Body)
	}
	if into == nil {
		if got.Body.Len() > 0 {
			w.t.Errorf("%s %s: body %q, want none", method, path, got.Body)
		}
		return
	}
	if err := json.Unmarshal(got.Body.Bytes(), into); err != nil || got.Header().Get("Content-Type") != "application/json" {
		w.t.Fatalf("%s %s: %v in %s %q", method, path, err, got.Header().Get("Content-Type"), got.Body)
	}
}

// opens says whether a key gets through the gateway.
func (w *world) opens(key string) bool {
	r := httptest.NewRequest("GET", "/fhir/v2/metadata", nil)
	r.Header.Set("ESANTE-API-KEY", key)
	got := httptest.NewRecorder()
	w.gateway.ServeHTTP(got, r)
	return got.Code == http.StatusOK
}

type (
	key struct {
		ID, Key, Hash            string
		Paused, Revoked, Expired bool
		Created                  time.Time `json:"created_at"`
		Expire                   time.Time `json:"expire_at"`
		Subscriptions            []struct{ ID string }
	}
	subscription struct {
		ID, API, Application, Plan, Status string
		By                                 string `json:"subscribed_by"`
		Keys                               []key
	}
	list struct {
		Data     []struct{ ID, Name, Status, Security string }
		Metadata struct {
			Data       struct{ Total int }
			Pagination struct{ Total, First, Last, Size int }
		}
		Links struct{ Self string }
	}
)

// TestKeyOfAnApplication goes the way a person goes on the portal, which knows
// the API by the name that ANS's guide tells to look for (ans-api.md §1.1).
func TestKeyOfAnApplication(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var apis, plans list
	w.ask("GET", "/apis", "", 200, &apis)
	w.ask("GET", "/apis/"+gateway.DirectoryAPI+"/plans", "", 200, &plans)
	if apis.Data[0].ID != gateway.DirectoryAPI || apis.Data[0].Name != "API Annuaire Santé en libre accès" || plans.Data[0].ID != gateway.StandardPlan || plans.Links.Self == "" {
		t.Fatalf("%+v %+v", apis, plans)
	}

	var app struct {
		ID   string
		Mode string `json:"api_key_mode"`
	}
	w.ask("POST", "/applications", `{"name":"client","description":"ours"}`, 201, &app)
	if app.Mode != "EXCLUSIVE" {
		t.Errorf("key mode %q", app.Mode)
	}
	ask := `{"application":"` + app.ID + `","plan":"` + gateway.StandardPlan + `","request":"please"}`
	var s subscription
	w.ask("POST", "/subscriptions", ask, 200, &s)
	if s.Status != "ACCEPTED" || len(s.Keys) != 1 || s.By != "me" || s.API != gateway.DirectoryAPI {
		t.Fatalf("%+v", s)
	}
	first := s.Keys[0]
	if !w.opens(first.Key) || len(first.Hash) != 32 || first.Subscriptions[0].ID != s.ID {
		t.Fatalf("the key of a new subscription: %+v", first)
	}
	var second key
	w.ask("POST", "/subscriptions/"+s.ID+"/keys/_renew", "", 201, &second)
	w.ask("GET", "/subscriptions/"+s.ID+"?include=keys", "", 200, &s)
	if len(s.Keys) != 2 || s.Keys[0].Key != second.Key || !s.Keys[1].Expire.Equal(second.Created.Add(2*time.Hour)) {
		t.Fatalf("after _renew: %+v", s.Keys)
	}
	if !w.opens(first.Key) || !w.opens(second.Key) {
		t.Error("both keys work for two hours")
	}
	w.advance(2 * time.Hour)
	if w.opens(first.Key) || !w.opens(second.Key) {
		t.Error("after two hours, only the new key works")
	}
	w.ask("GET", "/subscriptions/"+s.ID+"?include=keys", "", 200, &s)
	if !s.Keys[1].Expired || s.Keys[0].Expired {
		t.Errorf("expired: %+v", s.Keys)
	}
	w.ask("POST", "/subscriptions/"+s.ID+"/keys/"+second.Key+"/_revoke", "", 204, nil)
	if w.opens(second.Key) {
		t.Error("a revoked key works")
	}
	w.ask("POST", "/subscriptions/"+s.ID+"/_close", "", 204, nil)
	var found list
	w.ask("GET", "/subscriptions?applicationId="+app.ID+"&statuses=CLOSED,PAUSED", "", 200, &found)
	if len(found.Data) != 1 || found.Data[0].Status != "CLOSED" {
		t.Errorf("closed subscriptions: %+v", found)
	}
	w.ask("POST", "/subscriptions", ask, 200, &s) // the way is free again
	w.ask("PUT", "/applications/"+app.ID, `{"name":"renamed"}`, 200, &struct{}{})
	w.ask("DELETE", "/applications/"+app.ID, "", 204, nil)
	w.ask("GET", "/applications/"+app.ID, "", 404, &struct{}{})
	if w.opens(s.Keys[0].Key) {
		t.Error("the key of a deleted application works")
	}
}

// TestRefusals: status, code and words (gravitee.md §6).
func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tt := range []struct {
		method, path, body string
		status             int
		code, message      string
	}{
		{"GET", "/subscriptions/none", "", 404, "errors.subscription.notFound", "Subscription [none] cannot be found."},
		{"POST", "/subscriptions/none/_close", "", 404, "errors.subscription.notFound", "Subscription [none] cannot be found."},
		{"POST", "/subscriptions/none/keys/_renew", "", 404, "errors.subscription.notFound", "Subscription [none] cannot be found."},
		{"GET", "/applications/none", "", 404, "errors.application.notFound", "Application [none] cannot be found."},
		{"GET", "/apis/none", "", 404, "errors.api.notFound", "Api [none] cannot be found."},
		{"GET", "/apis/none/plans", "", 404, "errors.api.notFound", "Api [none] cannot be found."},
		{"GET", "/subscriptions", "", 400, "errors.validation", ""},
		{"GET", "/applications?page=0", "", 400, "errors.validation", ""},
		{"GET", "/applications?size=many", "", 400, "errors.validation", ""},
		{"POST", "/applications", `{}`, 400, "errors.validation", ""},
		{"POST", "/applications", `{"name":"` + strings.Repeat("x", 2000) + `"}`, 400, "errors.validation", ""},
		{"POST", "/applications", `[`, 400, "errors.validation", ""},
		{"POST", "/applications", strings.Repeat(" ", 100_000), 413, "errors.tooLarge", ""},
		{"POST", "/subscriptions", `{"application":"none","plan":"none"}`, 404, "errors.application.notFound", ""},
		{"GET", "/nothing", "", 404, "errors.notFound", ""},
		{"PATCH", "/applications", "", 404, "errors.notFound", ""},
	} {
		var got struct {
			Errors []struct{ Status, Message, Code string }
		}
		w.ask(tt.method, tt.path, tt.body, tt.status, &got)
		if len(got.Errors) != 1 || got.Errors[0].Code != tt.code || got.Errors[0].Message == "" ||
			tt.message != "" && got.Errors[0].Message != tt.message {
			t.Errorf("%s %s: %+v", tt.method, tt.path, got)
		}
	}
}

// TestNobody: everything but the login asks who is there.
func TestNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.authorization
	forged := token[:len(token)-1] + "A"
	if forged == token {
		forged = token[:len(token)-1] + "B"
	}
	for _, authorization := range []string{"", "Bearer", "Bearer x", "Bearer .", forged, strings.ToLower(token), "Basic bWU6c2VjcmV0"} {
		w.authorization = authorization
		for _, call := range []string{
			"GET /apis", "GET /applications", "POST /applications", "DELETE /applications/x", "GET /subscriptions/x",
			"POST /subscriptions", "POST /subscriptions/x/_close", "POST /subscriptions/x/keys/_renew", "POST /subscriptions/x/keys/y/_revoke",
		} {
			method, path, _ := strings.Cut(call, " ")
			got := w.do(method, path, "{}")
			if got.Code != 401 || !strings.Contains(got.Body.String(), `"You must be authenticated to access this resource"`) {
				t.Errorf("%s with %.10q: %d %s", call, authorization, got.Code, got.Body)
			}
		}
	}
	for _, authorization := range []string{"", "Basic", "Basic Og==", "Basic bWU6", token} { // nothing, no password, no login
		w.authorization = authorization
		if got := w.do("POST", "/auth/login", ""); got.Code != 401 || got.Header().Get("Set-Cookie") != "" {
			t.Errorf("login with %.10q: %d", authorization, got.Code)
		}
	}
	w.authorization = strings.Replace(token, "Bearer", "BEARER", 1) // as the login spells it
	if got := w.do("GET", "/apis", ""); got.Code != 200 {
		t.Errorf("BEARER: %d %s", got.Code, got.Body)
	}
	w.authorization = token
	w.advance(8 * 24 * time.Hour)
	if got := w.do("GET", "/apis", ""); got.Code != 401 {
		t.Errorf("with an old token: %d", got.Code)
	}
}

// TestCookie: what a browser has instead of a header.
func TestCookie(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.authorization = "Basic bWU6c2VjcmV0"
	login := w.do("POST", "/auth/login", "")
	sent, _, _ := strings.Cut(login.Header().Get("Set-Cookie"), ";")
	if !strings.HasPrefix(sent, "Auth-Graviteeio-APIM=Bearer%20") {
		t.Fatalf("cookie %q", sent)
	}
	r := httptest.NewRequest("GET", portal.Base+"/apis", nil)
	r.Header.Set("Cookie", sent)
	got := httptest.NewRecorder()
	w.portal.ServeHTTP(got, r)
	if got.Code != 200 {
		t.Errorf("status %d", got.Code)
	}
	// A page of another origin can post a form, but no JSON.
	r = httptest.NewRequest("POST", portal.Base+"/applications", strings.NewReader(`{"name":"x"}`))
	r.Header.Set("Cookie", sent)
	r.Header.Set("Content-Type", "text/plain")
	got = httptest.NewRecorder()
	w.portal.ServeHTTP(got, r)
	if got.Code != 415 {
		t.Errorf("form: status %d", got.Code)
	}
	if out := w.do("POST", "/auth/logout", ""); out.Code != 200 || !strings.Contains(out.Header().Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("logout: %d %v", out.Code, out.Header())
	}
}

// TestPages: size defaults to 10, -1 is all.
func TestPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 23 {
		w.ask("POST", "/applications", `{"name":"x"}`, 201, &struct{}{})
	}
	for _, tt := range []struct {
		query              string
		shown, first, last int
	}{{"", 10, 1, 10}, {"?page=3", 3, 21, 23}, {"?page=4", 0, 0, 0}, {"?size=-1", 23, 1, 23}, {"?size=5&page=2", 5, 6, 10}, {"?size=0", 0, 0, 0}, {"?size=9223372036854775807", 23, 1, 23}} {
		var got list
		w.ask("GET", "/applications"+tt.query, "", 200, &got)
		p := got.Metadata.Pagination
		if len(got.Data) != tt.shown || got.Metadata.Data.Total != tt.shown || p.First != tt.first || p.Last != tt.last {
			t.Errorf("%q: %d shown, %+v", tt.query, len(got.Data), got.Metadata)
		}
	}
}
