package gateway

import (
	"context"
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"time"
)

// Gateway stands in front of a backend. It is an http.Handler, safe for
// concurrent use.
type Gateway struct {
	cfg     Config
	backend http.Handler
	keys    *Keys
	limits  limits   // the quota, and that of the demo keys without one
	others  sync.Map // *limits by Rate, of Config.RateFor
	header  string   // canonical form of KeyHeader

	expired Fault
}

// New puts a gateway in front of a backend.
func New(cfg Config, backend http.Handler) *Gateway {
	if cfg.ContextPath == "" {
		cfg.ContextPath = "/fhir"
	}
	if cfg.KeyHeader == "" {
		cfg.KeyHeader = "ESANTE-API-KEY"
	}
	if cfg.LineLimit == 0 {
		cfg.LineLimit = 4096
	}
	if cfg.HeaderLimit == 0 {
		cfg.HeaderLimit = 8192
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Keys == nil {
		cfg.Keys = NewKeys(cfg.Now, cfg.SyncDelay)
		cfg.Keys.AddDemo()
	}
	g := &Gateway{cfg: cfg, backend: backend, keys: cfg.Keys, header: textproto.CanonicalMIMEHeaderKey(cfg.KeyHeader)}
	if g.cfg.LineLimitExempt == nil {
		g.cfg.LineLimitExempt = g.isPage
	}
	rate := cfg.Rate
	if rate.Limit == 0 { // the demo keys of the quota still speak of one
		rate = Default().Rate
	}
	g.limits = g.newLimits(rate)
	g.expired = Unauthorized
	if g.legacy() {
		g.expired = expired320
	}
	return g
}

func (g *Gateway) legacy() bool { return g.cfg.APIM == APIM320 }

// Keys is the registry of who may call.
func (g *Gateway) Keys() *Keys { return g.keys }

// ResetQuota opens new windows for everything counted in a scope.
func (g *Gateway) ResetQuota(scope string) {
	g.limits.forget(scope)
	g.others.Range(func(_, l any) bool { l.(*limits).forget(scope); return true })
}

// ServeHTTP follows the order of gravitee.md §7.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ex := &exchange{ResponseWriter: w, g: g, r: r, limits: &g.limits}
	target := rawTarget(r)
	path, query := split(target)

	if lineLength(r) > g.cfg.LineLimit && !g.cfg.LineLimitExempt(path) {
		g.write(ex, r, uriTooLong)
		return
	}
	if headerLength(r) > g.cfg.HeaderLimit {
		g.write(ex, r, headerTooLarge)
		return
	}
	if g.cfg.Fault != nil {
		if f := g.cfg.Fault(r); f.status != 0 {
			ex.begin(query)
			g.write(ex, r, f)
			return
		}
	}
	if !g.matches(path) {
		g.write(ex, r, NoContextPath)
		return
	}
	ex.begin(query)
	if f := g.admit(ex, path, query); f.status != 0 {
		g.write(ex, r, f)
		return
	}
	g.proxy(ex, target)
}

// admit runs steps 3 to 7: everything that refuses a request.
func (g *Gateway) admit(ex *exchange, path, query string) Fault {
	r := ex.r
	if g.cfg.CORS != nil && isPreflight(r) {
		return g.cfg.CORS.answer(r)
	}
	key, present := g.key(r, query)
	if !present {
		if !g.cfg.HealthPlan && (r.Method != http.MethodGet || !g.keyless(path)) {
			return g.refusal(r, false)
		}
		ex.caller.Plan = KeylessPlan
		return g.filterKeyless(r.Method, path)
	}
	grant, state := g.lookup(key)
	switch state {
	case unknownKey:
		return g.refusal(r, true)
	case expiredKey:
		return g.expired
	}
	ex.caller.Plan, ex.caller.Application, ex.caller.Subscription = grant.plan, grant.application, grant.subscription
	if f := g.count(ex, grant); f.status != 0 {
		return f
	}
	if g.cfg.MethodFilter && !g.passesFilter(r.Method, path) {
		return MethodNotAllowed
	}
	return Fault{}
}

// key finds what the client offers as a key: the header's first value, else
// the parameter's; present says whether one was offered at all (§1.4).
func (g *Gateway) key(r *http.Request, query string) (key string, present bool) {
	if values := r.Header[g.header]; len(values) > 0 && (values[0] != "" || !g.legacy()) {
		return values[0], true
	}
	if g.cfg.KeyParam == "" || query == "" {
		return "", false
	}
	key, present = param(query, g.cfg.KeyParam)
	return key, present && (key != "" || !g.legacy())
}

// keyless reports whether a path is open to those without a key.
func (g *Gateway) keyless(path string) bool {
	below, ok := strings.CutPrefix(path, g.cfg.ContextPath)
	return ok && slices.Contains(g.cfg.Keyless, below)
}

// filterKeyless is the resource filtering of the health plan: its whitelist
// holds GET /health (§1.5, §3.2), and the paths that are open without it.
func (g *Gateway) filterKeyless(method, path string) Fault {
	switch {
	case path != g.cfg.ContextPath+"/health" && !g.keyless(path):
		return NotAllowed
	case method != http.MethodGet:
		return MethodNotAllowed
	}
	return Fault{}
}

// count takes one call from the subscription's quota, and refuses it when
// there is none left.
func (g *Gateway) count(ex *exchange, to grant) Fault {
	spent := 0
	limits := ex.limits
	if g.cfg.RateFor != nil {
		if rate := g.cfg.RateFor(ex.r); rate.Limit != 0 {
			limits = g.limitsFor(rate)
			ex.limits = limits
		}
	}
	switch to.quota {
	case unlimited:
		return Fault{}
	case exhausted:
		spent = limits.limit
	case lastCall:
		spent = limits.limit - 1
	default:
		if g.cfg.Rate.Limit == 0 && limits == &g.limits {
			return Fault{}
		}
	}
	c := counter{subscription: to.subscription}
	if g.cfg.QuotaScope != nil {
		c.scope = g.cfg.QuotaScope(ex.r)
	}
	ex.usage = limits.take(c, spent, g.cfg.Now())
	if g.cfg.RateHeaders {
		ex.rated = limits.limiter
	}
	if ex.usage.allowed {
		return Fault{}
	}
	return limits.refusal
}

// limits is a quota: what counts it and what it says when it is used up.
type limits struct {
	*limiter
	refusal Fault
}

func (g *Gateway) newLimits(r Rate) limits { return limits{newLimiter(r), r.fault(g.legacy())} }

// limitsFor is the quota of a rate other than the configured one.
func (g *Gateway) limitsFor(r Rate) *limits {
	if known, found := g.others.Load(r); found {
		return known.(*limits)
	}
	made := g.newLimits(r)
	kept, _ := g.others.LoadOrStore(r, &made)
	return kept.(*limits)
}

// proxy calls the backend, and speaks in its place when it does not answer.
func (g *Gateway) proxy(ex *exchange, target string) {
	defer func() {
		switch cause := recover().(type) {
		case nil:
		case Fault:
			g.fail(ex, cause)
		default:
			if cause == http.ErrAbortHandler && !g.cfg.PassAborts {
				g.fail(ex, EndpointFailure)
				return
			}
			panic(cause)
		}
	}()
	g.backend.ServeHTTP(ex, g.outgoing(ex, target))
	ex.commit() // a backend may answer 200 without a word
}

// fail ends an exchange whose backend is gone. Once the response has begun,
// only the connection can tell.
func (g *Gateway) fail(ex *exchange, f Fault) {
	if ex.wrote {
		panic(http.ErrAbortHandler)
	}
	if f.spent {
		f, ex.usage.remaining = ex.limits.refusal, 0
	}
	g.write(ex, ex.r, f)
}

// dropHopByHop removes the headers that speak of one connection only.
func dropHopByHop(h http.Header) {
	for _, name := range hopByHop {
		delete(h, name)
	}
}

var hopByHop = []string{
	"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// outgoing is the request the backend sees: named, and without the key.
func (g *Gateway) outgoing(ex *exchange, target string) *http.Request {
	r := ex.r.WithContext(context.WithValue(ex.r.Context(), callerKey{}, ex))
	r.Header = maps.Clone(ex.r.Header)
	if r.Header == nil {
		r.Header = http.Header{}
	}
	delete(r.Header, g.header)
	delete(r.Header, "Accept-Encoding") // propagateClientAcceptEncoding is false (§4.1)
	dropHopByHop(r.Header)
	r.Header["X-Gravitee-Transaction-Id"] = ex.ids[0:1:1]
	r.Header["X-Gravitee-Request-Id"] = ex.ids[1:2:2]
	if target = g.forward(target); target != r.RequestURI {
		retarget(r, target)
	}
	return r
}
