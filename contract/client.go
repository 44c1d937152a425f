package contract

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// KeyHeader is where the gateway looks for the key.
const KeyHeader = "ESANTE-API-KEY"

// Bounds on what a peer can make a run hold or wait for.
const (
	maxBody    = 8 << 20   // of one answer; a page of 200 people is under 2 MiB
	maxBodies  = 192 << 20 // of a run
	maxHeaders = 64 << 10
	maxTries   = 3
	maxWait    = 30 * time.Second // that Retry-After may ask for
	// DefaultPatience is the time after which ANS's own servers give up a
	// request (guide, "api-basics"); nothing is waited for any longer.
	DefaultPatience = 30 * time.Second
)

// Request is what a check asks for.
type Request struct {
	Method string // "" is GET
	// Path is relative to the base, with its query as it goes on the wire:
	// "Practitioner?_count=1".
	Path   string
	Form   string      // body of a POST, form-encoded
	Header http.Header // beside Accept, Accept-Encoding and the key
	// Key replaces the key of the target; "-" sends none.
	Key string
	// KeyIn is the header the target's key goes in, KeyHeader when empty, or
	// "?name" for a parameter of the query.
	KeyIn string
	// Fresh asks the service even when the same request was answered before.
	Fresh bool
	// Root makes Path relative to the parent of the base: /fhir of /fhir/v2.
	Root bool
}

func (r *Request) method() string { return cmp.Or(r.Method, http.MethodGet) }

// id tells requests apart; keys are compared, not printed.
func (r *Request) id() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n%v\n%s\n%s\n%s\n", r.method(), r.Path, r.Root, r.Form, r.Key, r.KeyIn)
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		fmt.Fprintf(&b, "%s: %q\n", name, r.Header[name])
	}
	return b.String()
}

// client is the one way to the service: throttled, budgeted, bounded and
// recorded. All checks of a run share it.
type client struct {
	base     *url.URL // without a trailing slash
	key      string
	http     http.RoundTripper
	clock    Clock
	patience time.Duration

	mu       sync.Mutex
	interval time.Duration // between requests
	next     time.Time     // when the limiter lets the next one go
	sent     int
	budget   int
	held     int // bytes of bodies kept
	cache    map[string]*Answer
	answers  []*Answer
	futile   int           // retries in a row that did not help
	waited   time.Duration // for answers
}

// errBudget stops a check, then the run, when the requests are spent.
var errBudget = fmt.Errorf("%w: the request budget is spent", errInconclusive)

// errSlow ends a run that would take hours.
var errSlow = fmt.Errorf("%w: its answers take too long", errInconclusive)

// maxPatience is the time a run waits for answers, in Options.Patience.
const maxPatience = 20

// outage is a request that got no answer.
type outage struct {
	sentence string
	timeout  bool
}

func (o *outage) Error() string        { return o.sentence }
func (o *outage) Is(target error) bool { return target == errInconclusive }

// do answers a request from what is known or from the service. Statuses that
// say "later" are tried again; an error means there was no answer at all.
func (c *client) do(ctx context.Context, r *Request) (*Answer, error) {
	id := r.id()
	if !r.Fresh {
		c.mu.Lock()
		known := c.cache[id]
		c.mu.Unlock()
		if known != nil {
			return known, nil
		}
	}
	a, err := c.try(ctx, r)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.method() == http.MethodGet || r.Form != "" { // a search by POST is as safe
		c.cache[id] = a
	}
	c.answers = append(c.answers, a)
	return a, nil
}

func (c *client) try(ctx context.Context, r *Request) (*Answer, error) {
	for attempt := 1; ; attempt++ {
		a, err := c.once(ctx, r)
		wait, again := c.retry(ctx, a, err, attempt)
		if !again {
			return a, err
		}
		if err := c.clock.Sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// retry says whether to ask again and after how long. Three questions in a
// row that stay unanswered end the patience with a service that is down.
func (c *client) retry(ctx context.Context, a *Answer, err error, attempt int) (time.Duration, bool) {
	wait := time.Second << (attempt - 1)
	var down *outage
	switch {
	case ctx.Err() != nil || err != nil && !errors.As(err, &down):
		return 0, false
	case err == nil && !a.temporary():
		c.futile = 0
		return 0, false
	case attempt >= maxTries, down != nil && down.timeout && attempt > 1:
		c.futile++
		return 0, false
	case c.futile >= maxTries:
		return 0, false
	}
	if err == nil {
		if told, ok := retryAfter(a.Header, c.clock.Now()); ok {
			return told, told <= maxWait
		}
	}
	return wait, true
}

// temporary reports whether the answer is the gateway's way of saying later.
func (a *Answer) temporary() bool {
	switch a.Status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

func retryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	v := h.Get("Retry-After")
	if v == "" {
		return 0, false
	}
	if n, err := strconv.Atoi(v); err == nil {
		return time.Duration(min(max(n, 0), 1<<30)) * time.Second, true
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(t.Sub(now), 0), true
	}
	return 0, false
}

// take waits for the limiter and pays from the budget.
func (c *client) take(ctx context.Context) error {
	c.mu.Lock()
	switch {
	case c.sent >= c.budget:
		c.mu.Unlock()
		return errBudget
	case c.waited > maxPatience*c.patience:
		c.mu.Unlock()
		return errSlow
	}
	c.sent++
	now := c.clock.Now()
	at := now
	if c.next.After(now) {
		at = c.next
	}
	c.next = at.Add(c.interval)
	c.mu.Unlock()
	if wait := at.Sub(now); wait > 0 {
		return c.clock.Sleep(ctx, wait)
	}
	return ctx.Err()
}

// spend pays for requests sent past the limiter.
func (c *client) spend(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent += n
}

// once sends one request.
func (c *client) once(ctx context.Context, r *Request) (*Answer, error) {
	if err := c.take(ctx); err != nil {
		return nil, err
	}
	return c.send(ctx, r)
}

func (c *client) send(ctx context.Context, r *Request) (*Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	req, err := c.request(ctx, r)
	if err != nil {
		return nil, err
	}
	start := c.clock.Now()
	resp, err := c.http.RoundTrip(req)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.DeadlineExceeded) {
			return nil, cause
		}
		c.wait(c.clock.Now().Sub(start))
		return nil, &outage{sentence(err, c.patience), isTimeout(err)}
	}
	defer func() { _ = resp.Body.Close() }()
	a := &Answer{Request: r, Status: resp.StatusCode, Header: resp.Header, base: c.base}
	a.FirstByte = c.clock.Now().Sub(start)
	a.read(resp, c.patience)
	a.Duration = c.clock.Now().Sub(start)
	c.wait(a.Duration)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held += len(a.Body); c.held > maxBodies {
		return nil, fmt.Errorf("%w: its answers are larger than %d MiB in all", errInconclusive, maxBodies>>20)
	}
	return a, nil
}

func (c *client) wait(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waited += d
}

func (c *client) request(ctx context.Context, r *Request) (*http.Request, error) {
	base := c.base.String()
	if r.Root {
		base = base[:strings.LastIndexByte(base, '/')]
	}
	address := base + "/" + strings.TrimPrefix(r.Path, "/")
	var body io.Reader
	if r.method() == http.MethodPost {
		body = strings.NewReader(r.Form)
	}
	req, err := http.NewRequestWithContext(ctx, r.method(), address, body)
	if err != nil {
		return nil, errors.New("the address of a request cannot be parsed")
	}
	req.Header.Set("Accept", "application/fhir+json")
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", userAgent())
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	c.identify(req, r)
	for name, values := range r.Header {
		req.Header[name] = values // a nil value takes the header away
	}
	return req, nil
}

// identify puts the key where the request says. It is in no Request, so that
// what is told of one cannot tell the key.
func (c *client) identify(req *http.Request, r *Request) {
	switch parameter, inQuery := strings.CutPrefix(r.KeyIn, "?"); {
	case r.Key == noKey:
	case r.Key == emptyKey:
		req.Header.Set(KeyHeader, "")
	case r.Key != "":
		req.Header.Set(KeyHeader, r.Key)
	case inQuery:
		req.URL.RawQuery = parameter + "=" + url.QueryEscape(c.key)
	default:
		req.Header.Set(cmp.Or(r.KeyIn, KeyHeader), c.key)
	}
}

// Keys a Request can carry in place of the target's.
const (
	noKey    = "-"
	emptyKey = "(empty)"
)

func userAgent() string {
	return "mockfhir-verify/" + Version + " (+https://github.com/mockfhir/mockfhir)"
}

// read takes the body in, within bounds. What goes wrong on the way is a
// fact about the answer, not an error.
func (a *Answer) read(resp *http.Response, patience time.Duration) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case len(body) > maxBody:
		a.Broken, body = fmt.Sprintf("is larger than %d MiB", maxBody>>20), nil
		a.tooLarge = true
	case err != nil && isTimeout(err):
		a.Broken = fmt.Sprintf("was not complete after %v", patience)
		a.tooSlow = true
	case err != nil:
		a.Broken = fmt.Sprintf("broke off after %d bytes", len(body))
	}
	a.wire = len(body)
	if strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip") && len(body) > 0 {
		a.gzipped = true
		if body, err = gunzip(body); err != nil {
			a.Broken = "says gzip and is not, or unpacks to more than it should"
		}
	}
	a.Body = body
}

func gunzip(body []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(io.LimitReader(z, maxBody+1))
	if len(plain) > maxBody {
		return nil, errors.New("too large")
	}
	return plain, err
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}

// newTransport is how requests go out when the caller brings no way of its own.
func newTransport(patience time.Duration) http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableCompression = true // the checks ask for gzip themselves
	t.MaxResponseHeaderBytes = maxHeaders
	t.MaxIdleConnsPerHost = 32
	t.TLSHandshakeTimeout = min(10*time.Second, patience)
	return t
}

// realClock is the machine's.
type realClock struct{}

func (realClock) Now() time.Time { return time.Now() }

func (realClock) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
