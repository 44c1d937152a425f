package record

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mockfhir/mockfhir/internal/redact"
)

// maxTraffic bounds what a proxy keeps in memory; later traffic passes
// unrecorded, and is counted.
const (
	maxTraffic     = 5000
	maxTrafficSize = 512 << 20
)

// Proxy records a client's own traffic: an http.Handler that passes requests
// on to the service, with the key of whoever runs it, and makes the links of
// the answers lead back to itself.
type Proxy struct {
	options  Options
	draft    *redact.Draft
	pace     *pacer
	reverse  *httputil.ReverseProxy
	size     atomic.Int64
	skipped  atomic.Int64
	recorded atomic.Int64
}

// NewProxy makes one for a target.
func NewProxy(o Options) (*Proxy, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	draft, err := o.draft()
	if err != nil {
		return nil, err
	}
	p := &Proxy{options: o, draft: draft, pace: newPacer(o.Rate)}
	p.reverse = &httputil.ReverseProxy{
		Rewrite: p.rewrite, ModifyResponse: p.record, Transport: o.Client,
		ErrorHandler: p.fail, ErrorLog: log.New(io.Discard, "", 0), // its messages hold addresses
	}
	return p, nil
}

// ListenLoopback listens for a client of a Proxy. Who reaches it uses the key
// of whoever runs it: only this machine may.
func ListenLoopback(address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil || !IsLoopback(host) {
		return nil, fmt.Errorf("-listen %q is not valid: the proxy lends your key to who reaches it, so it listens on this machine alone, as on 127.0.0.1:8081", address)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: choose another address with -listen, port 0 picks a free one", address)
	}
	return l, nil
}

// ServeHTTP passes one request on.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	if !IsLoopback(strings.Trim(host, "[]")) || !strings.HasPrefix(r.URL.EscapedPath(), "/fhir") {
		// A page in a browser must not borrow the key by a name of its own.
		w.WriteHeader(http.StatusNotFound)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	if err := p.pace.wait(r.Context()); err != nil {
		return
	}
	t := &traffic{client: r.Host, raw: redact.Raw{
		Method: r.Method, Target: r.RequestURI, Header: r.Header.Clone(), Body: body,
	}}
	r.Body = io.NopCloser(bytes.NewReader(body))
	p.reverse.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), trafficKey{}, t)))
}

// traffic is one exchange on its way.
type traffic struct {
	client string // the host the client used
	raw    redact.Raw
}

type trafficKey struct{}

func (p *Proxy) rewrite(r *httputil.ProxyRequest) {
	base := p.options.Target.Base
	prefix := strings.TrimSuffix(base.EscapedPath(), "/fhir/v2")
	path, query, _ := strings.Cut(r.In.RequestURI, "?")
	if u, err := url.Parse(prefix + path); err == nil {
		r.Out.URL = u
	}
	r.Out.URL.Scheme, r.Out.URL.Host, r.Out.URL.RawQuery = base.Scheme, base.Host, query
	r.Out.Host = base.Host
	r.Out.Header.Set("Accept-Encoding", "identity") // links are looked for in what comes back
	r.Out.Header.Del("Cookie")
	if t := p.traffic(r.In.Context()); !t.anonymous() {
		r.Out.Header.Set(redact.KeyHeader, p.options.Target.Key)
	}
}

func (p *Proxy) traffic(ctx context.Context) *traffic {
	t, _ := ctx.Value(trafficKey{}).(*traffic)
	return t
}

// anonymous reports whether the client tries how a wrong key is refused; any
// other request gets the real one, so that the client needs none.
func (t *traffic) anonymous() bool {
	values, given := t.raw.Header[http.CanonicalHeaderKey(redact.KeyHeader)]
	return given && (len(values) == 0 || values[0] == "" || values[0] == redact.UnknownKey)
}

// record keeps an exchange and makes its links lead to the proxy.
func (p *Proxy) record(answer *http.Response) error {
	t := p.traffic(answer.Request.Context())
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxBody+1))
	if cerr := answer.Body.Close(); err != nil || cerr != nil || len(body) > maxBody {
		return errors.New("the answer breaks off or is too large")
	}
	if !t.anonymous() {
		t.raw.Header.Set(redact.KeyHeader, p.options.Target.Key)
	}
	t.raw.Status, t.raw.ResponseHeader, t.raw.ResponseBody = answer.StatusCode, answer.Header.Clone(), body
	t.raw.Target = p.cleanTarget(t.raw.Target)
	p.keep(t)
	here := "http://" + t.client
	body = []byte(relink(string(body), p.options.Target.origin(), here))
	if location := answer.Header.Get("Location"); location != "" {
		answer.Header.Set("Location", relink(location, p.options.Target.origin(), here))
	}
	answer.Header.Set("Content-Length", strconv.Itoa(len(body)))
	answer.ContentLength = int64(len(body))
	answer.TransferEncoding = nil
	answer.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

// cleanTarget is the path as the service's own links have it.
func (p *Proxy) cleanTarget(target string) string {
	if u, err := url.Parse(target); err == nil && u.IsAbs() {
		return u.RequestURI()
	}
	return target
}

func (p *Proxy) keep(t *traffic) {
	size := p.size.Add(int64(len(t.raw.ResponseBody)))
	form := t.raw.Method == http.MethodPost && strings.HasPrefix(t.raw.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
	if t.raw.Method != http.MethodGet && !form || p.draft.Len() >= maxTraffic || size > maxTrafficSize {
		p.skipped.Add(1)
		return
	}
	n := p.recorded.Add(1)
	file := fmt.Sprintf("traffic/%04d", n)
	p.draft.Add(file, "Request "+strconv.FormatInt(n, 10)+" of a client.", p.options.facts(), t.raw)
}

// relink replaces an origin, as JSON may write it too.
func relink(text, from, to string) string {
	escaped := strings.NewReplacer("/", `\/`)
	return strings.NewReplacer(from+"/", to+"/", escaped.Replace(from+"/"), escaped.Replace(to+"/")).Replace(text)
}

// fail answers for a service that did not.
func (p *Proxy) fail(w http.ResponseWriter, r *http.Request, err error) {
	p.skipped.Add(1)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusBadGateway)
	_, _ = io.WriteString(w, "mockfhir record: no answer of the target: "+told(err).Error()+"\n")
}

// Counts are the exchanges that were recorded, and those that passed without.
func (p *Proxy) Counts() (recorded, passed int) {
	return p.draft.Len(), int(p.skipped.Load())
}

// Seal makes the set of what was recorded so far.
func (p *Proxy) Seal() (*redact.Set, error) { return p.options.seal(p.draft) }

// Serve serves the proxy until ctx ends, and then what is on its way.
func (p *Proxy) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0), MaxHeaderBytes: 64 << 10}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err := server.Shutdown(grace)
	return cmp.Or(err, ignoreClosed(<-failed))
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
