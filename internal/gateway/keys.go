package gateway

import (
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mockfhir/mockfhir/internal/uuid"
)

// Keys is who may call: applications, their subscriptions to plans, and the
// keys of those, as the developer portal keeps them (gravitee.md §6). A gateway
// answers from a copy of the usable keys, refreshed as Gravitee refreshes its
// own: a change of the portal shows after the synchronisation delay.
//
// The registry is safe for concurrent use. What it returns are copies.
type Keys struct {
	now   func() time.Time
	delay time.Duration
	salt  [sha256.Size]byte // makes digests worthless outside of this process

	mu            sync.RWMutex
	apis          []API
	plans         []Plan
	applications  []*Application
	subscriptions []*subscription
	count         int // applications, subscriptions and keys, against maxAccounts

	// cache is what the gateway knows, by digest of the key: comparing digests
	// under a secret salt takes a time that tells nothing about the key.
	cache   map[digest]grant
	changed []*subscription     // not in the cache yet
	sync    time.Time           // when they get there
	known   map[digest]struct{} // every key there is, usable or not
}

// maxAccounts bounds what people can create through the portal.
const maxAccounts = 20_000

// renewedKeyLife is how long a key works once a newer one exists
// (ApiKeyServiceImpl.java:229-241).
const renewedKeyLife = 2 * time.Hour

type digest [sha256.Size]byte

// subscription is a Subscription with what only the registry sees.
type subscription struct {
	Subscription
	keys  []*key
	quota quota
}

type key struct {
	Key
	digest digest
}

// grant is what a key opens.
type grant struct {
	api, plan, application, subscription string

	quota              quota
	expire, start, end time.Time // zero is never, always, never
}

// quota is how a subscription is counted. All but the first are for demo keys.
type quota uint8

const (
	counted   quota = iota
	unlimited       // not counted
	exhausted       // every window is used up
	lastCall        // every window has one call left
)

// NewKeys returns a registry that knows the API, its plans and no key. A nil
// clock is time.Now.
func NewKeys(now func() time.Time, syncDelay time.Duration) *Keys {
	if now == nil {
		now = time.Now
	}
	k := &Keys{
		now: now, delay: syncDelay,
		apis: defaultAPIs(), plans: defaultPlans(),
		cache: map[digest]grant{}, known: map[digest]struct{}{},
	}
	_, _ = rand.Read(k.salt[:]) // never fails
	return k
}

// Accept makes keys known, each with an application and a subscription to the
// standard plan of its own, hence a quota of its own. It is configuration, not
// an act on the portal: the gateway knows at once.
func (k *Keys) Accept(keys ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	for _, key := range keys {
		if _, known := k.known[k.digest(key)]; known || strings.TrimSpace(key) == "" {
			continue
		}
		app := k.addApplication(uuid.New(), "Accepted by configuration", "", now)
		s := k.addSubscription(uuid.New(), app.ID, StandardPlan, now)
		s.accept(now)
		k.addKey(s, key, now)
		k.publish(s)
	}
}

// Now is the time on the registry's clock.
func (k *Keys) Now() time.Time { return k.now() }

func (k *Keys) digest(key string) digest {
	return sha256.Sum256(append(k.salt[:len(k.salt):len(k.salt)], key...))
}

// find looks a key up in the gateway's copy.
func (k *Keys) find(key string, now time.Time) (grant, digest, bool) {
	d := k.digest(key)
	k.mu.RLock()
	if due := len(k.changed) > 0 && !now.Before(k.sync); due {
		k.mu.RUnlock()
		k.mu.Lock()
		k.catchUp(now)
		k.mu.Unlock()
		k.mu.RLock()
	}
	to, ok := k.cache[d]
	k.mu.RUnlock()
	return to, d, ok
}

// catchUp brings the cache to the last synchronisation. It runs before each
// change, too, so that what it copies is what stood there at that moment.
func (k *Keys) catchUp(now time.Time) {
	if len(k.changed) == 0 || now.Before(k.sync) {
		return
	}
	for _, s := range k.changed {
		k.publish(s)
	}
	k.changed = nil
}

// touch notes a change for the next synchronisation, which comes one full
// delay after the first change it brings: the longest wait Gravitee's polling
// can cause, and the same on each run.
func (k *Keys) touch(s *subscription, now time.Time) {
	s.Updated = now
	if len(k.changed) == 0 {
		k.sync = now.Add(k.delay)
	}
	if !slices.Contains(k.changed, s) {
		k.changed = append(k.changed, s)
	}
}

// publish copies the usable keys of a subscription to the cache and drops the
// others, so that a revoked key is no more known than one that never was
// (ApiKeyMapper.java:30-48).
func (k *Keys) publish(s *subscription) {
	published := slices.ContainsFunc(k.plans, func(p Plan) bool { return p.ID == s.Plan && p.Status == Published })
	for _, key := range s.keys {
		if key.Paused || key.Revoked || s.Status != Accepted || !published {
			delete(k.cache, key.digest)
			continue
		}
		k.cache[key.digest] = grant{
			api: s.API, plan: s.Plan, application: s.Application, subscription: s.ID,
			quota: s.quota, expire: key.Expire, start: s.Start, end: s.End,
		}
	}
}

// newSecret is the value of a new key: a UUID, as Gravitee makes them.
func newSecret() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return uuid.Format(b)
}

// verdict is what the gateway makes of a key.
type verdict uint8

const (
	unknownKey verdict = iota // selects no plan
	expiredKey                // selects a plan, whose policy refuses it
	validKey
)

// lookup is the selection of a plan and its verdict (gravitee.md §1.2).
func (g *Gateway) lookup(key string) (grant, verdict) {
	if strings.TrimSpace(key) == "" {
		return grant{}, unknownKey
	}
	now := g.cfg.Now()
	to, d, ok := g.keys.find(key, now)
	if !ok {
		return g.lookupSpecial(key, d)
	}
	switch {
	case to.api != DirectoryAPI, now.Before(to.start), !to.end.IsZero() && !now.Before(to.end):
		return grant{}, unknownKey
	case !to.expire.IsZero() && !now.Before(to.expire):
		return grant{}, expiredKey
	}
	return to, validKey
}

// lookupSpecial knows the keys that are in no registry: those that name an
// incident, and any key at all when the configuration says so. Their
// subscription is named after the digest, which does not give the key away.
func (g *Gateway) lookupSpecial(key string, d digest) (grant, verdict) {
	to := grant{api: DirectoryAPI, plan: StandardPlan, application: demoID('c', 0), subscription: uuid.Format([16]byte(d[:16]))}
	if g.cfg.Accepts != nil && g.cfg.Accepts(key) || g.cfg.AnyKey && !g.keys.holds(d) {
		return to, validKey
	}
	return grant{}, unknownKey
}

// holds says whether a digest is that of a key of the registry, usable or not:
// accepting any key does not revive a revoked one.
func (k *Keys) holds(d digest) bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	_, ok := k.known[d]
	return ok
}
