package record

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mockfhir/mockfhir/internal/redact"
)

// Limits of a recording.
const (
	MaxRate   = 8.0 // requests a second of a distant service; ANS allows 17 to the owner of the key
	MaxBudget = 250 // requests of the plan
	// maxBody bounds an answer: a page of a thousand resources has 3 MB.
	maxBody = 32 << 20
)

// Target is the service to record.
type Target struct {
	Base *url.URL // https://host/fhir/v2
	Key  string
}

// String and Format leave the key out.
func (t Target) String() string { return t.Base.String() }

// Format implements fmt.Formatter, for every verb.
func (t Target) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, t.Base.String()) }

// ParseTarget checks the address of a service.
func ParseTarget(address string) (*url.URL, error) {
	base, err := url.Parse(strings.TrimRight(address, "/"))
	switch {
	case err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https",
		base.User != nil || base.RawQuery != "" || base.Fragment != "", !strings.HasSuffix(base.Path, "/fhir/v2"):
		return nil, errors.New("the target must be the base of the API, as in https://gateway.api.esante.gouv.fr/fhir/v2; the key comes from the environment")
	case base.Scheme == "http" && !IsLoopback(base.Hostname()):
		return nil, errors.New("the target must be https: a key does not travel in the clear (http is for loopback)")
	}
	return base, nil
}

// IsLoopback reports whether a host is this machine.
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// origin is the scheme, host and prefix in front of /fhir.
func (t Target) origin() string { return strings.TrimSuffix(t.Base.String(), "/fhir/v2") }

// pacer lets requests through one at a time, an interval apart.
type pacer struct {
	mu       sync.Mutex
	next     time.Time
	interval time.Duration
}

func newPacer(rate float64) *pacer {
	p := &pacer{}
	if rate > 0 {
		p.interval = time.Duration(float64(time.Second) / rate)
	}
	return p
}

func (p *pacer) wait(ctx context.Context) error {
	p.mu.Lock()
	now := time.Now()
	at := p.next
	if at.Before(now) {
		at = now
	}
	p.next = at.Add(p.interval)
	p.mu.Unlock()
	return sleep(ctx, at.Sub(now))
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// client asks the service, politely and once at a time.
type client struct {
	target Target
	http   http.RoundTripper
	pace   *pacer
	agent  string
	budget int
	sent   int
}

// newTransport is one connection, kept. Redirects are answers like others: a
// RoundTripper does not follow them.
func newTransport() http.RoundTripper {
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, MaxConnsPerHost: 2, TLSHandshakeTimeout: 15 * time.Second,
		ResponseHeaderTimeout: time.Minute, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 1 << 20,
	}
}

// request is one of the plan.
type request struct {
	method string
	target string // from /fhir on
	header http.Header
	form   string
	anon   bool // without the key
	fails  bool // an outage is the expected answer: a bad page token
}

var (
	errBudget = errors.New("the budget of requests is used up")
	errKey    = errors.New("the service refuses the key: set ESANTE_API_KEY to one it accepts")
)

// ask sends a request. A service that throttles is waited for, one in trouble
// is asked once more; then the recording ends.
func (c *client) ask(ctx context.Context, r request) (redact.Raw, error) {
	const attempts = 3
	for attempt := 1; ; attempt++ {
		raw, err := c.once(ctx, r)
		switch {
		case errors.Is(err, errBudget) || ctx.Err() != nil:
			return raw, errors.Join(err, ctx.Err())
		case err == nil && !r.anon && raw.Status == http.StatusUnauthorized:
			return raw, errKey
		case err == nil && (r.fails || !inTrouble(raw.Status)):
			return raw, nil
		case attempt == attempts && err == nil:
			return raw, fmt.Errorf("it answers %d %s", raw.Status, strings.ToLower(http.StatusText(raw.Status)))
		case attempt == attempts:
			return raw, err
		}
		if err := sleep(ctx, c.patience(raw, attempt)); err != nil {
			return raw, err
		}
	}
}

// patience is how long to wait before asking again.
func (c *client) patience(raw redact.Raw, attempt int) time.Duration {
	const longest = 30 * time.Second
	if seconds, err := strconv.Atoi(raw.ResponseHeader.Get("Retry-After")); err == nil && seconds >= 0 {
		return min(time.Duration(seconds)*time.Second, longest)
	}
	if c.pace.interval == 0 {
		return 10 * time.Millisecond // a test on loopback
	}
	return time.Duration(attempt) * 2 * time.Second
}

func inTrouble(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

func (c *client) once(ctx context.Context, r request) (redact.Raw, error) {
	raw := redact.Raw{Method: r.method, Target: r.target, Header: r.header.Clone(), Body: []byte(r.form)}
	if c.sent >= c.budget {
		return raw, errBudget
	}
	if err := c.pace.wait(ctx); err != nil {
		return raw, err
	}
	c.sent++
	if raw.Header == nil {
		raw.Header = http.Header{}
	}
	if raw.Header.Get("Accept") == "" {
		raw.Header.Set("Accept", "application/fhir+json")
	}
	if r.form != "" {
		raw.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if !r.anon {
		raw.Header.Set(redact.KeyHeader, c.target.Key)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, c.target.origin()+r.target, strings.NewReader(r.form))
	if err != nil {
		return raw, errors.New("its address cannot be asked for")
	}
	if r.form == "" {
		req.Body, req.ContentLength = http.NoBody, 0
	}
	req.Header = raw.Header.Clone()
	req.Header.Set("User-Agent", c.agent)
	answer, err := c.http.RoundTrip(req)
	if err != nil {
		return raw, told(err)
	}
	defer answer.Body.Close()
	raw.Status, raw.ResponseHeader = answer.StatusCode, answer.Header
	raw.ResponseBody, err = io.ReadAll(io.LimitReader(answer.Body, maxBody+1))
	switch {
	case err != nil:
		return raw, errors.New("its answer breaks off")
	case len(raw.ResponseBody) > maxBody:
		return raw, fmt.Errorf("its answer is larger than %d MiB", maxBody>>20)
	}
	return raw, nil
}

// told says what went wrong without the text of the error, which holds
// addresses, and with them what was asked for.
func told(err error) error {
	var (
		dns     *net.DNSError
		op      *net.OpError
		timeout interface{ Timeout() bool }
	)
	switch {
	case errors.As(err, &dns):
		return errors.New("its host name is not known")
	case errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("it does not answer in time")
	case errors.As(err, &op) && op.Op == "dial":
		return errors.New("it refuses the connection")
	case strings.Contains(err.Error(), "certificate") || strings.Contains(err.Error(), "tls:"):
		return errors.New("its certificate cannot be trusted")
	}
	return errors.New("it closes the connection without an answer")
}
