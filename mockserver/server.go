package mockserver

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/behaviour"
	"github.com/mockfhir/mockfhir/internal/gateway"
	"github.com/mockfhir/mockfhir/internal/portal"
	"github.com/mockfhir/mockfhir/internal/rehearse"
	"github.com/mockfhir/mockfhir/internal/search"
	"github.com/mockfhir/mockfhir/internal/store"
	"github.com/mockfhir/mockfhir/internal/v1"
)

// Server is the whole API as an http.Handler, safe for concurrent use.
//
//	/fhir/v2/…       the FHIR API, behind the gateway
//	/fhir/v1/…       its predecessor, on the same directory
//	/fhir/…          one of the two, without a version
//	/                the demonstrator, for who sends no key
//	/__mockfhir/…    what the mock says about itself, and how it is controlled
//	/portal/…        the part of Gravitee's portal where keys come from
//
// It reads the request line as the client typed it (http.Request.RequestURI),
// because the real server does: middleware in front of it must leave that be.
type Server struct {
	handler  http.Handler
	sessions *rehearse.Sessions
	gateway  *gateway.Gateway
}

// New makes a server of a fixture set. It panics when an option is not valid,
// which is a mistake of the program; see Build.
func New(set *fixtures.Set, opts ...Option) *Server {
	s, err := Build(set, opts...)
	if err != nil {
		panic("mockserver: " + err.Error())
	}
	return s
}

// Build is New for options that come from a person: it returns an error that
// says which one is wrong and what would be right.
func Build(set *fixtures.Set, opts ...Option) (*Server, error) {
	if set == nil || set.Table == nil {
		return nil, errors.New("no fixture set: fixtures.Default() is the embedded one")
	}
	c := defaults()
	for _, opt := range opts {
		if err := opt(&c); err != nil {
			return nil, err
		}
	}
	zone := c.zone // nil is the directory's own
	if zone == nil {
		paris, err := time.LoadLocation("Europe/Paris")
		if err != nil {
			return nil, err
		}
		c.zone = paris
	}
	is := behaviour.Of(string(c.profile))
	stored := store.Options{NumericVersions: is(behaviour.NumericVersionID), Zone: zone}
	if c.fresh && set.Packed() != nil {
		return nil, errors.New("fresh dates need a set in memory; a packed one keeps its dates (-now real)")
	}
	if c.fresh {
		stored.Shift = daysSinceNewest(set, c.now().In(c.zone))
	}
	begins := make([]rehearse.Started, len(c.incidents))
	for i, spec := range c.incidents {
		name, scope, _ := strings.Cut(spec, ";")
		begins[i] = rehearse.Started{Name: strings.TrimSpace(name), Scope: scope}
	}
	sessions, err := rehearse.NewSessions(store.New(set, stored), c.now, begins...)
	if err != nil {
		return nil, err
	}
	s := &Server{sessions: sessions}
	service := &service{
		is:          is,
		sealer:      search.NewSealer(set.Digest()),
		zone:        c.zone,
		countBudget: c.countBudget,
		badSearch:   c.badSearch,
		now:         c.now,
		log:         c.log,
		links:       linker{publicURL: c.publicURL, trusted: c.trusted},
		version:     c.defaultVersion,
		replies:     newReplies(set),
		digest:      set.Digest(),
	}
	service.capability = capabilityStatement(set.Table)
	front := &rehearsal{sessions: s.sessions, sealer: service.sealer, sealerV1: v1.NewSealer(set.Digest()), now: c.now, scale: c.scale, version: c.defaultVersion, counts: newMetrics()}
	behind := c.gatewayConfig(is, front)
	behind.Refusals = refusals(set)
	service.searchesOnly, service.healthPlan = behind.MethodFilter, behind.HealthPlan
	s.gateway = gateway.New(behind, front.backend(service))
	front.next = s.gateway
	s.handler = route(c, &control{config: c, set: set, sessions: s.sessions, gateway: s.gateway, counts: front.counts}, front)
	return s, nil
}

// gatewayConfig completes the configuration of the gateway.
func (c *config) gatewayConfig(is behaviour.Switches, front *rehearsal) gateway.Config {
	cfg := c.gateway
	cfg.Now = c.now
	cfg.Accepts = front.accepts
	cfg.Fault = func(r *http.Request) gateway.Fault {
		if f := rehearsedOf(r.Context()).effect.Fault; f.BeforeKeys() {
			return f
		}
		return gateway.Fault{}
	}
	cfg.RateFor = func(r *http.Request) gateway.Rate { return rehearsedOf(r.Context()).effect.Quota }
	cfg.QuotaScope = func(r *http.Request) string { return rehearsedOf(r.Context()).session.Name }
	if is(behaviour.BareGateway) {
		cfg.MethodFilter, cfg.PassAborts = false, true
	}
	cfg.Keys = gateway.NewKeys(c.now, cfg.SyncDelay)
	if len(c.keys) == 0 && !cfg.AnyKey {
		cfg.Keys.AddDemo()
	}
	cfg.Keys.Accept(c.keys...)
	cfg.Keyless = []string{"/v1/health"}
	if c.defaultVersion == "v1" {
		cfg.Keyless = append(cfg.Keyless, "/health")
	}
	return cfg
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// route sends the mock's own paths to the mock, the portal's to the portal, and
// everything else on to the gateway with its path as the client typed it.
func route(c config, own *control, front http.Handler) http.Handler {
	router := mux.NewRouter().SkipClean(true).UseEncodedPath()
	own.add(router)
	if c.control {
		router.Path("/").Methods(http.MethodGet, http.MethodHead).Handler(own.console(front))
		router.PathPrefix(portal.Base + "/").Handler(own.guarded(portal.New(own.gateway.Keys()).ServeHTTP))
	}
	router.NotFoundHandler, router.MethodNotAllowedHandler = front, front
	if c.log == nil {
		return router
	}
	return logged(router, c, own.set.Table)
}

// Put adds resources to the directory, or replaces those of the same type and
// id, all at once: a search that has begun still sees what was there before.
func (s *Server) Put(resources ...fixtures.Resource) {
	changes := make([]store.Change, len(resources))
	for i, r := range resources {
		changes[i] = store.Change{Type: r.Type, ID: r.ID, JSON: r.JSON}
	}
	s.sessions.Get(rehearse.Default).Store.Apply(changes...)
}

// Remove takes a resource out of the directory.
func (s *Server) Remove(typ, id string) {
	s.sessions.Get(rehearse.Default).Store.Apply(store.Change{Type: typ, ID: id})
}

// daysSinceNewest is how many days ago the newest resource of a set changed.
func daysSinceNewest(set *fixtures.Set, now time.Time) int {
	newest := ""
	for _, r := range set.Resources {
		if _, after, found := strings.Cut(r.JSON, `"lastUpdated"`); found {
			after = strings.TrimLeft(after, ": \t\"")
			newest = max(newest, after[:min(len(after), len(time.DateOnly))])
		}
	}
	day, err := time.Parse(time.DateOnly, newest)
	if err != nil {
		return 0
	}
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	return int(today.Sub(day).Hours() / 24)
}

// HTTPServer returns a server for the API with limits on slow and large
// requests. Serve it on a [Listener].
func (s *Server) HTTPServer() *http.Server { return gateway.Server(s) }

// Listener makes what net/http answers by itself, before any handler runs, the
// bytes of Gravitee's HTTP stack (gravitee.md §3.4). A nil config is plain HTTP.
func Listener(l net.Listener, config *tls.Config) net.Listener {
	if config != nil {
		l = tls.NewListener(l, config)
	}
	return gateway.Listener(l)
}
