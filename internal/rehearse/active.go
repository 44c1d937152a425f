package rehearse

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Active is the incidents that are on. It is safe for concurrent use.
type Active struct {
	now func() time.Time
	any atomic.Bool // something is on: what each call looks at

	mu sync.Mutex
	on []*running
}

type running struct {
	Incident
	since   time.Time
	seen    int // calls its scope covers, those that are let through included
	touched int
}

// Running is an incident that is on, for people to see.
type Running struct {
	Name  string    `json:"name"`
	Scope string    `json:"scope"`
	Since time.Time `json:"since"`
	Calls int       `json:"calls"` // it touched so far
}

// NewActive returns a set with nothing on.
func NewActive(now func() time.Time) *Active { return &Active{now: now} }

// Unknown says that there is no incident of a name.
type Unknown struct{ Name string }

func (e Unknown) Error() string {
	return fmt.Sprintf("there is no incident %q; mockfhir incidents lists them", e.Name)
}

// Start turns an incident on, or anew when it is on already. scope changes its
// own in the words of ParseScope.
func (a *Active) Start(name, scope string) error {
	incident, found := Lookup(name)
	if !found {
		return Unknown{name}
	}
	var err error
	if incident.Scope, err = ParseScope(incident.Scope, scope); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.drop(name)
	a.on = append(a.on, &running{Incident: incident, since: a.now()})
	slices.SortFunc(a.on, func(x, y *running) int { return strings.Compare(x.Name, y.Name) })
	a.any.Store(true)
	return nil
}

// Stop turns an incident off. It reports whether it was on.
func (a *Active) Stop(name string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.drop(name)
}

func (a *Active) drop(name string) bool {
	before := len(a.on)
	a.on = slices.DeleteFunc(a.on, func(r *running) bool { return r.Name == name })
	a.any.Store(len(a.on) > 0)
	return len(a.on) < before
}

// Clear turns everything off.
func (a *Active) Clear() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.on = nil
	a.any.Store(false)
}

// Any says whether anything is on.
func (a *Active) Any() bool { return a.any.Load() }

// List tells what is on, by name, with the scope in the words of Scope.String
// or Scope.French.
func (a *Active) List(words func(Scope) string) []Running {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := []Running{}
	for _, r := range a.on {
		list = append(list, Running{r.Name, words(r.Scope), r.since, r.touched})
	}
	return list
}

// Effect is what happens to a call: the sum of the incidents that touch it,
// and their names.
func (a *Active) Effect(c Call) (e Effect, names []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.on {
		if !r.Scope.covers(c) || r.Scope.For > 0 && a.now().Sub(r.since) >= r.Scope.For {
			continue
		}
		r.seen++
		if r.seen <= r.Scope.After || !r.Scope.chosen() {
			continue
		}
		r.touched++
		e, names = e.With(r.Incident.Effect), append(names, r.Name)
	}
	return e, names
}

// Once is what an incident does to one call that asks for it by itself. A scope
// that counts calls or time says nothing of one call, and is refused.
func Once(name, scope string, c Call) (e Effect, touched bool, err error) {
	incident, found := Lookup(name)
	if !found {
		return Effect{}, false, Unknown{name}
	}
	s, err := ParseScope(incident.Scope, scope)
	if err != nil {
		return Effect{}, false, err
	}
	if s.After > 0 || s.For > 0 {
		return Effect{}, false, fmt.Errorf("a call cannot ask for after= or for=; turn %s on by a control call", name)
	}
	if !s.covers(c) || !s.chosen() {
		return Effect{}, false, nil
	}
	return incident.Effect, true, nil
}
