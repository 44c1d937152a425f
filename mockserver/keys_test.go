package mockserver_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mockfhir/mockfhir/mockserver"
	"github.com/mockfhir/mockfhir/mockserver/control"
)

// TestKeyByControl walks the life of a key under a clock that stands still,
// through control calls: each state shows at the gateway once it has
// synchronised, and not before.
func TestKeyByControl(t *testing.T) {
	t.Parallel()
	clock := newHands()
	mock := control.In(mockserver.New(directory("Device/1"), mockserver.WithRate("0"), mockserver.WithClock(clock.Now), mockserver.WithGateway("sync-delay=5s")))
	ctx := t.Context()
	status := func(key string) int {
		got, _ := fetch(t, mock.HTTP(), mock.BaseURL()+"/Device/1", key)
		return got
	}
	made := must(mock.NewKey(ctx, "an application"))(t)
	if made.Key == "" || made.Status != "ACCEPTED" || made.Name != "an application" {
		t.Fatalf("a new key is %+v", made)
	}
	key := made.Key
	if got := status(key); got != 401 {
		t.Errorf("before the gateway knows it the key is answered with %d", got)
	}
	clock.Advance(5 * time.Second)
	if got := status(key); got != 200 {
		t.Errorf("a new key is answered with %d", got)
	}
	for _, step := range []struct {
		act         control.Act
		state       string
		before, now int // at once, and after the synchronisation
	}{
		{control.Pause, "PAUSED", 200, 401},
		{control.Resume, "ACCEPTED", 401, 200},
		{control.Expire, "ACCEPTED", 200, 401},
		{control.Renew, "ACCEPTED", 401, 401},
		{control.Close, "CLOSED", 401, 401},
	} {
		after, err := mock.Act(ctx, made.ID, step.act)
		mustDo(t, err)
		if after.Status != step.state || (after.Key != "") != (step.act == control.Renew) {
			t.Errorf("after %s it is %+v", step.act, after)
		}
		if got := status(key); got != step.before {
			t.Errorf("at once after %s the key is answered with %d, want %d", step.act, got, step.before)
		}
		clock.Advance(5 * time.Second)
		if got := status(key); got != step.now {
			t.Errorf("after %s the key is answered with %d, want %d", step.act, got, step.now)
		}
		if step.act == control.Renew && status(after.Key) != 200 {
			t.Errorf("the renewed key is answered with %d", status(after.Key))
		}
	}
	for _, wrong := range []control.Act{control.Pause, control.Resume, control.Accept, control.Reject, control.Renew, control.Close} {
		if _, err := mock.Act(ctx, made.ID, wrong); err == nil {
			t.Errorf("%s is possible on a closed subscription", wrong)
		}
	}
	_, all, err := mock.Keys(ctx)
	mustDo(t, err)
	for _, s := range all {
		if s.Key != "" {
			t.Errorf("the list tells a key: %+v", s)
		}
	}
}

// TestRenewedKey: the old key lives two hours, to the millisecond.
func TestRenewedKey(t *testing.T) {
	t.Parallel()
	clock := newHands()
	mock := control.In(build(t, directory("Device/1"), mockserver.WithClock(clock.Now)))
	ctx := t.Context()
	old := must(mock.NewKey(ctx, ""))(t)
	renewed := must(mock.Act(ctx, old.ID, control.Renew))(t)
	if renewed.Key == "" || renewed.Key == old.Key || len(renewed.Keys) != 2 || !strings.HasPrefix(renewed.Keys[1], "accepted until ") {
		t.Fatalf("renewed is %+v", renewed)
	}
	check := func(when string, want ...int) {
		t.Helper()
		for i, key := range []string{old.Key, renewed.Key} {
			if status, _ := fetch(t, mock.HTTP(), mock.BaseURL()+"/Device/1", key); status != want[i] {
				t.Errorf("%s key %d is answered with %d, want %d", when, i, status, want[i])
			}
		}
	}
	check("at once", 200, 200)
	clock.Advance(2*time.Hour - time.Millisecond)
	check("a millisecond before two hours", 200, 200)
	clock.Advance(time.Millisecond)
	check("after two hours", 401, 200)
	must(mock.Act(ctx, old.ID, control.Revoke))(t)
	check("once revoked", 401, 401)
	mustDo(t, mock.ForgetKey(ctx, old.ID))
	if _, err := mock.Act(ctx, old.ID, control.Close); !control.IsNotFound(err) {
		t.Errorf("what was forgotten is acted on: %v", err)
	}
}

// TestKeysAreForgotten: a long-lived mock does not fill up with the keys of
// tests that forget theirs.
func TestKeysAreForgotten(t *testing.T) {
	t.Parallel()
	mock := control.In(build(t, directory("Device/1")))
	for range 7000 { // more than the registry holds
		made, err := mock.NewKey(t.Context(), "")
		mustDo(t, err)
		mustDo(t, mock.ForgetKey(t.Context(), made.ID))
	}
}

// TestGuide automates the steps of ANS's guide "Obtenir une clé API" on the
// portal: log in, find API and plan, make an application, subscribe, take the
// key, call, renew, revoke, close.
func TestGuide(t *testing.T) {
	t.Parallel()
	clock := newHands()
	server := serve(t, directory("Device/1"), mockserver.WithClock(clock.Now))
	token := ""
	portal := func(method, path, body string, want int) map[string]any {
		t.Helper()
		request := must(http.NewRequest(method, server.URL+"/portal/environments/DEFAULT"+path, strings.NewReader(body)))(t)
		if request.Header.Set("Content-Type", "application/json"); token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		} else {
			request.SetBasicAuth("somebody", "anything")
		}
		response := must(http.DefaultClient.Do(request))(t)
		defer response.Body.Close()
		if response.StatusCode != want {
			t.Fatalf("%s %s is answered with %d, want %d", method, path, response.StatusCode, want)
		}
		var told map[string]any
		if want != http.StatusNoContent {
			mustDo(t, json.NewDecoder(response.Body).Decode(&told))
		}
		return told
	}
	first := func(told map[string]any, member string) string {
		return told["data"].([]any)[0].(map[string]any)[member].(string)
	}
	call := func(key string, want int) {
		t.Helper()
		if status, _ := fetch(t, http.DefaultClient, server.URL+"/fhir/v2/Device/1", key); status != want {
			t.Errorf("the key is answered with %d, want %d", status, want)
		}
	}
	portal("GET", "/apis", "", 401)
	token = portal("POST", "/auth/login", "", 200)["token"].(string)
	api := first(portal("GET", "/apis", "", 200), "id")
	plan := first(portal("GET", "/apis/"+api+"/plans", "", 200), "id")
	application := portal("POST", "/applications", `{"name":"mon application","description":"essai"}`, 201)["id"].(string)
	subscribed := portal("POST", "/subscriptions", `{"application":"`+application+`","plan":"`+plan+`"}`, 200)
	subscription := subscribed["id"].(string)
	key := subscribed["keys"].([]any)[0].(map[string]any)["key"].(string)
	call(key, 200)
	portal("POST", "/subscriptions", `{"application":"`+application+`","plan":"`+plan+`"}`, 400)
	renewed := portal("POST", "/subscriptions/"+subscription+"/keys/_renew", "", 201)["key"].(string)
	call(key, 200)
	call(renewed, 200)
	clock.Advance(2 * time.Hour)
	call(key, 401)
	call(renewed, 200)
	portal("POST", "/subscriptions/"+subscription+"/keys/"+renewed+"/_revoke", "", 204)
	call(renewed, 401)
	last := portal("POST", "/subscriptions/"+subscription+"/keys/_renew", "", 201)["key"].(string)
	call(last, 200)
	portal("POST", "/subscriptions/"+subscription+"/_close", "", 204)
	call(last, 401)
	portal("GET", "/subscriptions/"+subscription+"?include=keys", "", 200)

	// A plan with manual validation keeps its subscriptions waiting until the
	// publisher of the API decides, which is a control call.
	mock, manual := control.New(server.URL), ""
	for _, p := range portal("GET", "/apis/"+api+"/plans?size=-1", "", 200)["data"].([]any) {
		if p := p.(map[string]any); p["validation"] == "MANUAL" {
			manual = p["id"].(string)
		}
	}
	for act, want := range map[control.Act]string{control.Accept: "ACCEPTED", control.Reject: "REJECTED"} {
		application := portal("POST", "/applications", `{"name":"en attente"}`, 201)["id"].(string)
		waiting := portal("POST", "/subscriptions", `{"application":"`+application+`","plan":"`+manual+`"}`, 200)
		id := waiting["id"].(string)
		if waiting["status"] != "PENDING" || waiting["keys"] != nil {
			t.Errorf("a subscription that waits is %v", waiting)
		}
		if after := must(mock.Act(t.Context(), id, act))(t); after.Status != want {
			t.Errorf("after %s it is %+v", act, after)
		}
		decided := portal("GET", "/subscriptions/"+id+"?include=keys", "", 200)
		keys, _ := decided["keys"].([]any)
		if decided["status"] != want || (len(keys) == 1) != (act == control.Accept) {
			t.Errorf("after %s the portal tells %v", act, decided)
		}
		if act == control.Accept {
			call(keys[0].(map[string]any)["key"].(string), 200)
		}
	}
}
