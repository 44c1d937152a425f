package gateway

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/mockfhir/mockfhir/internal/uuid"
)

// API is what the portal publishes.
type API struct{ ID, Name, Description, Version string }

// Plan is a way to use an API.
type Plan struct {
	ID, API, Name, Description string

	Security   string // "API_KEY" or "KEY_LESS"
	Validation string // "AUTO" or "MANUAL"
	Status     Status // Staging, Published or Closed
}

// Application is what a subscription belongs to.
type Application struct {
	ID, Name, Description string
	Created, Updated      time.Time
}

// Status is the state of a plan or a subscription, in the portal's spelling.
type Status string

const (
	Staging   Status = "STAGING"
	Published Status = "PUBLISHED"

	Pending  Status = "PENDING"
	Accepted Status = "ACCEPTED"
	Paused   Status = "PAUSED"
	Rejected Status = "REJECTED"
	Closed   Status = "CLOSED" // of plans as well
)

// Subscription is an application's right to use a plan.
type Subscription struct {
	ID, API, Application, Plan string

	Status          Status
	Request, Reason string
	By              string // the user who asked

	Created, Updated, Processed time.Time
	Start, End                  time.Time // zero is open
	PausedAt, ClosedAt          time.Time
}

// live says whether the subscription stands in the way of another one.
func (s Subscription) live() bool { return s.Status != Closed && s.Status != Rejected }

// Key is an API key. Printing it does not print its value.
type Key struct {
	ID           string
	Value        string `json:"-"`
	Application  string
	Subscription string

	Paused, Revoked    bool
	Created, RevokedAt time.Time
	Expire             time.Time // zero is never
}

func (k Key) String() string   { return "key " + k.ID }
func (k Key) GoString() string { return k.String() }

// Refusal is why the portal does not do what it was asked, in its own words
// and with its own codes (gravitee.md §6).
type Refusal struct {
	Status        int
	Message, Code string
}

func (r *Refusal) Error() string { return r.Message }

func refuse(status int, code, format string, args ...any) *Refusal {
	return &Refusal{Status: status, Code: "errors." + code, Message: fmt.Sprintf(format, args...)}
}

func notFound(kind, what, id string) *Refusal {
	return refuse(http.StatusNotFound, kind+".notFound", "%s [%s] cannot be found.", what, id)
}

var errFull = refuse(http.StatusServiceUnavailable, "technical", "Too many applications, subscriptions or keys.")

// APIs lists what the portal publishes.
func (k *Keys) APIs() []API {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return slices.Clone(k.apis)
}

// Plans lists the published plans of an API.
func (k *Keys) Plans(api string) []Plan {
	k.mu.RLock()
	defer k.mu.RUnlock()
	var plans []Plan
	for _, p := range k.plans {
		if p.API == api && p.Status == Published {
			plans = append(plans, p)
		}
	}
	return plans
}

// Applications lists the applications, oldest first.
func (k *Keys) Applications() []Application {
	k.mu.RLock()
	defer k.mu.RUnlock()
	apps := make([]Application, len(k.applications))
	for i, app := range k.applications {
		apps[i] = *app
	}
	return apps
}

// Application finds an application.
func (k *Keys) Application(id string) (Application, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	app, err := k.application(id)
	if err != nil {
		return Application{}, err
	}
	return *app, nil
}

// Subscriptions lists the subscriptions that keep holds for, oldest first.
func (k *Keys) Subscriptions(keep func(Subscription) bool) []Subscription {
	k.mu.RLock()
	defer k.mu.RUnlock()
	var found []Subscription
	for _, s := range k.subscriptions {
		if keep(s.Subscription) {
			found = append(found, s.Subscription)
		}
	}
	return found
}

// Subscription finds a subscription and its keys, newest first.
func (k *Keys) Subscription(id string) (Subscription, []Key, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	s, err := k.subscription(id)
	if err != nil {
		return Subscription{}, nil, err
	}
	var keys []Key
	for _, key := range slices.Backward(s.keys) {
		keys = append(keys, key.Key)
	}
	return s.Subscription, keys, nil
}

// CreateApplication makes an application.
func (k *Keys) CreateApplication(name, description string) (Application, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.count >= maxAccounts {
		return Application{}, errFull
	}
	return *k.addApplication(uuid.New(), name, description, k.now()), nil
}

// UpdateApplication renames an application.
func (k *Keys) UpdateApplication(id, name, description string) (Application, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	app, err := k.application(id)
	if err != nil {
		return Application{}, err
	}
	app.Name, app.Description, app.Updated = name, description, k.now()
	return *app, nil
}

// DeleteApplication closes the subscriptions of an application and forgets it.
func (k *Keys) DeleteApplication(id string) error {
	return k.change(func(now time.Time) error {
		app, err := k.application(id)
		if err != nil {
			return err
		}
		for _, s := range k.subscriptions {
			if s.Application == id && s.live() {
				k.close(s, now)
			}
		}
		k.applications = slices.DeleteFunc(k.applications, func(a *Application) bool { return a == app })
		return nil
	})
}

// Forget takes the application of a subscription out of the registry, and with
// it all its subscriptions and keys: they were never there, and their places
// are free. The portal has no such act.
func (k *Keys) Forget(id string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	one, err := k.subscription(id)
	if err != nil {
		return err
	}
	gone := func(s *subscription) bool { return s.Application == one.Application }
	for _, s := range k.subscriptions {
		if !gone(s) {
			continue
		}
		for _, key := range s.keys {
			delete(k.cache, key.digest)
			delete(k.known, key.digest)
		}
		k.count -= 1 + len(s.keys)
	}
	k.count--
	k.subscriptions = slices.DeleteFunc(k.subscriptions, gone)
	k.changed = slices.DeleteFunc(k.changed, gone)
	k.applications = slices.DeleteFunc(k.applications, func(a *Application) bool { return a.ID == one.Application })
	return nil
}

// Subscribe asks for a subscription. A plan with automatic validation accepts
// at once and makes a key.
func (k *Keys) Subscribe(application, plan, request, by string) (made Subscription, err error) {
	err = k.change(func(now time.Time) error {
		if _, err := k.application(application); err != nil {
			return err
		}
		p, err := k.subscribable(plan)
		if err != nil {
			return err
		}
		for _, s := range k.subscriptions {
			if s.Application == application && s.Plan == plan && s.live() {
				return refuse(http.StatusBadRequest, "plan.subscribed", "There is already a PENDING or ACCEPTED subscription for this plan.")
			}
		}
		if k.count+2 > maxAccounts {
			return errFull
		}
		s := k.addSubscription(uuid.New(), application, plan, now)
		s.Request, s.By = request, by
		if p.Validation == "AUTO" {
			s.accept(now)
			k.addKey(s, newSecret(), now)
			k.touch(s, now)
		}
		made = s.Subscription
		return nil
	})
	return made, err
}

// subscribable finds a plan that takes subscriptions.
func (k *Keys) subscribable(id string) (Plan, error) {
	i := slices.IndexFunc(k.plans, func(p Plan) bool { return p.ID == id })
	if i < 0 {
		return Plan{}, notFound("plan", "Plan", id)
	}
	switch p := k.plans[i]; {
	case p.Security == "KEY_LESS":
		return p, refuse(http.StatusBadRequest, "plan.notSubscribable", "A keyless plan is not subscribable!")
	case p.Status == Closed:
		return p, refuse(http.StatusBadRequest, "plan.alreadyClosed", "Plan %s is already closed !", id)
	case p.Status == Staging:
		return p, refuse(http.StatusBadRequest, "plan.notYetPublished", "Plan %s is not yet published !", id)
	default:
		return p, nil
	}
}

// AcceptSubscription and RejectSubscription process a pending subscription, as
// the publisher of the API does. Accepting makes a key.
func (k *Keys) AcceptSubscription(id string) error {
	return k.process(id, Pending, func(s *subscription, now time.Time) {
		s.accept(now)
		if len(s.keys) == 0 {
			k.addKey(s, newSecret(), now)
		}
	})
}

// RejectSubscription refuses a pending subscription.
func (k *Keys) RejectSubscription(id, reason string) error {
	return k.process(id, Pending, func(s *subscription, now time.Time) { s.reject(reason, now) })
}

// Pause makes the keys of an accepted subscription unusable, until Resume.
func (k *Keys) Pause(id string) error {
	return k.process(id, Accepted, func(s *subscription, now time.Time) { s.pause(now) })
}

// Resume ends a pause.
func (k *Keys) Resume(id string) error {
	return k.process(id, Paused, func(s *subscription, now time.Time) { s.resume() })
}

// Close ends a subscription and revokes its keys; a pending one is rejected.
func (k *Keys) Close(id string) error {
	return k.change(func(now time.Time) error {
		s, err := k.subscription(id)
		if err != nil {
			return err
		}
		if !s.live() {
			return notProcessable(s)
		}
		k.close(s, now)
		return nil
	})
}

// Renew makes a new key for a subscription. The others live two hours more.
func (k *Keys) Renew(id string) (Key, error) {
	var made Key
	err := k.process(id, Accepted, func(s *subscription, now time.Time) {
		made = k.renew(s, newSecret(), now)
	})
	return made, err
}

// Revoke ends a key for good. The key is named by its value or its id.
func (k *Keys) Revoke(id, value string) error {
	return k.change(func(now time.Time) error {
		s, err := k.subscription(id)
		if err != nil {
			return err
		}
		d := k.digest(value)
		i := slices.IndexFunc(s.keys, func(key *key) bool { return key.digest == d || key.ID == value })
		if i < 0 {
			return refuse(http.StatusNotFound, "apiKey.notFound", "No API Key can be found.")
		}
		key := s.keys[i]
		if key.Revoked || !key.Expire.IsZero() && !now.Before(key.Expire) {
			return refuse(http.StatusBadRequest, "apiKey.expired", "API Key is already expired")
		}
		key.revoke(now)
		k.touch(s, now)
		return nil
	})
}

// RevokeAll revokes every key of a subscription.
func (k *Keys) RevokeAll(id string) error {
	return k.eachKey(id, func(key *key, now time.Time) { key.revoke(now) })
}

// Expire lets every key of a subscription expire now.
func (k *Keys) Expire(id string) error {
	return k.eachKey(id, func(key *key, now time.Time) { key.Expire = now })
}

func (k *Keys) eachKey(id string, act func(*key, time.Time)) error {
	return k.change(func(now time.Time) error {
		s, err := k.subscription(id)
		if err != nil {
			return err
		}
		for _, key := range s.keys {
			act(key, now)
		}
		k.touch(s, now)
		return nil
	})
}

// change runs one act of the portal, on a cache that is up to date until then.
func (k *Keys) change(act func(now time.Time) error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	k.catchUp(now)
	return act(now)
}

// process changes a subscription that is in a state which allows it.
func (k *Keys) process(id string, from Status, act func(*subscription, time.Time)) error {
	return k.change(func(now time.Time) error {
		s, err := k.subscription(id)
		switch {
		case err != nil:
			return err
		case s.Status != from:
			return notProcessable(s)
		case k.count >= maxAccounts:
			return errFull
		}
		act(s, now)
		k.touch(s, now)
		return nil
	})
}

func notProcessable(s *subscription) error {
	return refuse(http.StatusBadRequest, "subscription.notProcessable", "Subscription [%s] is %s.", s.ID, s.Status)
}

func (k *Keys) application(id string) (*Application, error) {
	for _, app := range k.applications {
		if app.ID == id {
			return app, nil
		}
	}
	return nil, notFound("application", "Application", id)
}

func (k *Keys) subscription(id string) (*subscription, error) {
	for _, s := range k.subscriptions {
		if s.ID == id {
			return s, nil
		}
	}
	return nil, notFound("subscription", "Subscription", id)
}

func (k *Keys) addApplication(id, name, description string, now time.Time) *Application {
	app := &Application{ID: id, Name: name, Description: description, Created: now, Updated: now}
	k.applications = append(k.applications, app)
	k.count++
	return app
}

func (k *Keys) addSubscription(id, application, plan string, now time.Time) *subscription {
	s := &subscription{Subscription: Subscription{
		ID: id, Application: application, Plan: plan, Status: Pending, Created: now, Updated: now,
	}}
	for _, p := range k.plans {
		if p.ID == plan {
			s.API = p.API
		}
	}
	k.subscriptions = append(k.subscriptions, s)
	k.count++
	return s
}

func (k *Keys) addKey(s *subscription, value string, now time.Time) *key {
	made := &key{
		Key:    Key{ID: uuid.New(), Value: value, Application: s.Application, Subscription: s.ID, Created: now, Expire: s.End},
		digest: k.digest(value),
	}
	s.keys = append(s.keys, made)
	k.known[made.digest] = struct{}{}
	k.count++
	return made
}

// renew adds a key and gives the other live ones two hours from now, or less when
// the subscription ends before (gravitee.md §6).
func (k *Keys) renew(s *subscription, value string, now time.Time) Key {
	last := earliest(now.Add(renewedKeyLife), s.End)
	for _, old := range s.keys {
		if live := old.Expire.IsZero() || now.Before(old.Expire); live && !old.Revoked {
			old.Expire = last
		}
	}
	return k.addKey(s, value, now).Key
}

// earliest takes the zero time for never.
func earliest(a, b time.Time) time.Time {
	if b.IsZero() || a.Before(b) {
		return a
	}
	return b
}

func (k *Keys) close(s *subscription, now time.Time) {
	if s.Status == Pending {
		s.reject("Subscription has been closed.", now)
	} else {
		s.Status, s.ClosedAt = Closed, now
	}
	for _, key := range s.keys {
		key.revoke(now)
	}
	k.touch(s, now)
}

func (s *subscription) accept(now time.Time) {
	s.Status, s.Processed, s.Start = Accepted, now, now
}

func (s *subscription) reject(reason string, now time.Time) {
	s.Status, s.Reason, s.Processed, s.ClosedAt = Rejected, reason, now, now
}

func (s *subscription) pause(now time.Time) {
	s.Status, s.PausedAt = Paused, now
	for _, key := range s.keys {
		key.Paused = true
	}
}

func (s *subscription) resume() {
	s.Status, s.PausedAt = Accepted, time.Time{}
	for _, key := range s.keys {
		key.Paused = false
	}
}

func (k *key) revoke(now time.Time) {
	if !k.Revoked {
		k.Revoked, k.RevokedAt = true, now
	}
}
