package gateway

import (
	"fmt"
	"time"
)

// The ids of what exists before anybody touches the portal.
const (
	DirectoryAPI = "00000000-0000-4000-8000-0000000a0001"
	otherAPI     = "00000000-0000-4000-8000-0000000a0002"

	StandardPlan = "00000000-0000-4000-8000-0000000b0001"
	KeylessPlan  = "00000000-0000-4000-8000-0000000b0002"
	manualPlan   = "00000000-0000-4000-8000-0000000b0003"
	closedPlan   = "00000000-0000-4000-8000-0000000b0004"
	stagingPlan  = "00000000-0000-4000-8000-0000000b0005"
	otherPlan    = "00000000-0000-4000-8000-0000000b0006"
)

func defaultAPIs() []API {
	return []API{
		{ID: DirectoryAPI, Name: "API Annuaire Santé en libre accès", Version: "v2", Description: "Mock of the health directory API"},
		{ID: otherAPI, Name: "Other API", Version: "v1", Description: "An API whose keys open nothing here"},
	}
}

func defaultPlans() []Plan {
	return []Plan{
		{ID: StandardPlan, API: DirectoryAPI, Name: "Standard", Security: "API_KEY", Validation: "AUTO", Status: Published},
		{ID: KeylessPlan, API: DirectoryAPI, Name: "Plan-HealthCheck", Security: "KEY_LESS", Validation: "AUTO", Status: Published},
		{ID: manualPlan, API: DirectoryAPI, Name: "On request", Security: "API_KEY", Validation: "MANUAL", Status: Published},
		{ID: closedPlan, API: DirectoryAPI, Name: "Former", Security: "API_KEY", Validation: "AUTO", Status: Closed},
		{ID: stagingPlan, API: DirectoryAPI, Name: "Next", Security: "API_KEY", Validation: "AUTO", Status: Staging},
		{ID: otherPlan, API: otherAPI, Name: "Standard", Security: "API_KEY", Validation: "AUTO", Status: Published},
	}
}

// DemoKey is the key that works out of the box.
const DemoKey = "mock-key"

// A Demo is a fixed key whose state a person can remember by its name.
type Demo struct {
	Key     string
	Status  int    // what a call with it answers
	Meaning string // one line for people
	French  string // the same in French
}

// demo is a Demo and how the registry comes to have it. The act gets an
// accepted subscription to the standard plan with the key in it.
type demo struct {
	Demo
	act func(*Keys, *subscription, time.Time)
}

var demos = []demo{
	{Demo{DemoKey, 200, "accepted", "acceptée"}, nil},
	{Demo{"mock-key-2", 200, "accepted, of another application, with a quota of its own", "acceptée, d’une autre application, avec son propre quota"}, nil},
	{Demo{"mock-resumed", 200, "accepted: the subscription was paused and resumed", "acceptée : la souscription a été suspendue puis reprise"},
		func(_ *Keys, s *subscription, now time.Time) { s.pause(now); s.resume() }},
	{Demo{"mock-renewed-old", 200, "accepted until two hours after the start: it was renewed then", "acceptée jusqu’à deux heures après le démarrage : elle a été renouvelée à ce moment-là"},
		func(k *Keys, s *subscription, now time.Time) { k.renew(s, "mock-renewed", now) }},
	{Demo{"mock-renewed", 200, "accepted: made by renewing mock-renewed-old, whose quota it shares", "acceptée : issue du renouvellement de mock-renewed-old, dont elle partage le quota"}, nil},

	{Demo{"mock-pending", 401, "the subscription waits for its acceptance", "la souscription attend d’être acceptée"},
		func(_ *Keys, s *subscription, _ time.Time) {
			s.Status, s.Processed, s.Start = Pending, time.Time{}, time.Time{}
		}},
	{Demo{"mock-paused", 401, "the subscription is paused", "la souscription est suspendue"},
		func(_ *Keys, s *subscription, now time.Time) { s.pause(now) }},
	{Demo{"mock-closed", 401, "the subscription is closed", "la souscription est close"},
		func(k *Keys, s *subscription, now time.Time) { k.close(s, now) }},
	{Demo{"mock-rejected", 401, "the subscription was refused", "la souscription a été refusée"},
		func(_ *Keys, s *subscription, now time.Time) { s.reject("", now) }},
	{Demo{"mock-ended", 401, "the subscription ended yesterday", "la souscription a pris fin hier"},
		func(_ *Keys, s *subscription, now time.Time) { s.End = now.AddDate(0, 0, -1) }},
	{Demo{"mock-not-started", 401, "the subscription starts in a year", "la souscription commence dans un an"},
		func(_ *Keys, s *subscription, now time.Time) { s.Start = now.AddDate(1, 0, 0) }},
	{Demo{"mock-revoked", 401, "the key is revoked", "la clé est révoquée"},
		func(_ *Keys, s *subscription, now time.Time) { s.keys[0].revoke(now) }},
	{Demo{"mock-expired", 401, "the key expired yesterday", "la clé a expiré hier"},
		func(_ *Keys, s *subscription, now time.Time) { s.keys[0].Expire = now.AddDate(0, 0, -1) }},
	{Demo{"mock-other-api", 401, "the key is for another API", "la clé est celle d’une autre API"},
		func(_ *Keys, s *subscription, _ time.Time) { s.API, s.Plan = otherAPI, otherPlan }},
	{Demo{"mock-closed-plan", 401, "the key is for a plan that is closed", "la clé est celle d’un plan fermé"},
		func(_ *Keys, s *subscription, _ time.Time) { s.Plan = closedPlan }},

	{Demo{"mock-quota-unlimited", 200, "accepted and never counted", "acceptée et jamais décomptée"},
		func(_ *Keys, s *subscription, _ time.Time) { s.quota = unlimited }},
	{Demo{"mock-quota-last-call", 200, "accepted once in each period, then 429", "acceptée une fois par période, puis erreur 429"},
		func(_ *Keys, s *subscription, _ time.Time) { s.quota = lastCall }},
	{Demo{"mock-quota-exhausted", 429, "the quota is always used up", "le quota est toujours épuisé"},
		func(_ *Keys, s *subscription, _ time.Time) { s.quota = exhausted }},
}

// AddDemo makes the fixed keys known, each with an application of its own.
// Their ids never change, so that what prints them can be replayed.
func (k *Keys) AddDemo() {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	for i, d := range demos {
		if _, known := k.known[k.digest(d.Key)]; known {
			continue // renewing its predecessor made it
		}
		app := k.addApplication(demoID('c', i), d.Key, d.Meaning, now)
		s := k.addSubscription(demoID('d', i), app.ID, StandardPlan, now)
		s.accept(now)
		k.addKey(s, d.Key, now)
		if d.act != nil {
			d.act(k, s, now)
		}
		k.publish(s)
	}
}

// demoID is a fixed id in the style of those above.
func demoID(kind byte, i int) string {
	return fmt.Sprintf("00000000-0000-4000-8000-0000000%c%04d", kind, i+1)
}

// DemoKeys lists the fixed keys, the one that works out of the box first.
func DemoKeys() []Demo {
	list := make([]Demo, len(demos))
	for i, d := range demos {
		list[i] = d.Demo
	}
	return list
}
