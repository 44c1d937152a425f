package drift

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/mockfhir/mockfhir/internal/fhir"
)

// keyHeader carries the key of a caller (gravitee.md §1.4).
const keyHeader = "ESANTE-API-KEY"

// Layer is a mutation at work on a handler's traffic. Each run of a verifier
// wants a Layer of its own: it remembers tokens, the first call and the like.
type Layer struct {
	mutation *Mutation
	next     http.Handler
	key      string

	mu      sync.Mutex
	applied int
	calls   int
	pages   map[string]page   // by the id of their next link
	alias   map[string]string // tokens of ours to tokens of the service
	firsts  map[string]string // first value seen, by what it is the first of
	window  time.Time         // when the second began that calls are counted in
	counted int
}

// page is where a next link came from.
type page struct {
	origin *request  // the search that began the crawl
	first  *response // its answer, as the service gave it
	issued time.Time
}

// Layer applies the mutation to a handler. The key is one the handler
// accepts: mutations that open a door need it to answer as if it were open.
func (m *Mutation) Layer(next http.Handler, key string) *Layer {
	return &Layer{
		mutation: m, next: next, key: key,
		pages: map[string]page{}, alias: map[string]string{}, firsts: map[string]string{},
	}
}

// Applied counts the answers that the mutation changed: a verdict on a
// mutation that was never applied says nothing.
func (l *Layer) Applied() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.applied
}

// ServeHTTP answers as the handler would after the mutation.
func (l *Layer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	c := &call{layer: l, context: r, asked: newRequest(r, body)}
	c.req = c.asked.clone()
	l.mu.Lock()
	l.calls++
	c.number = l.calls
	l.mu.Unlock()
	for _, rewrite := range l.mutation.requests {
		rewrite(c)
	}
	c.resolveAlias()
	c.resp = c.ask(c.req)
	l.mu.Lock()
	c.page = l.pages[c.asked.pageID()]
	l.mu.Unlock()
	c.remember()
	for _, act := range l.mutation.actions(c) {
		act(c)
	}
	c.flush()
	if c.changed {
		l.mu.Lock()
		l.applied++
		l.mu.Unlock()
	}
	c.write(w)
}

// first returns the first value that was offered under a name.
func (l *Layer) first(of, value string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.firsts[of] == "" {
		l.firsts[of] = value
	}
	return l.firsts[of]
}

// resolveAlias puts the service's token in the place of one of ours.
func (c *call) resolveAlias() {
	c.layer.mu.Lock()
	token, found := c.layer.alias[c.req.pageID()]
	c.layer.mu.Unlock()
	if found {
		c.req.setParam("id", token)
	}
}

// over counts a call, and reports whether it is one too many in its second.
func (l *Layer) over(calls int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); now.Sub(l.window) > time.Second {
		l.window, l.counted = now, 0
	}
	l.counted++
	return l.counted > calls
}

// call is one request on its way through a Layer.
type call struct {
	layer   *Layer
	context *http.Request
	asked   *request // as the client sent it
	req     *request // as the service got it
	resp    *response
	doc     *tree // the body, once something looked into it
	dirty   bool  // doc differs from the body
	page    page  // where the token of a _page request came from
	number  int
	changed bool

	delay    time.Duration
	chunk    int // bytes
	chunkGap time.Duration
	chunked  bool // without Content-Length
	cut      bool // without an answer
	ids      map[string]bool
}

// origin is the search a call belongs to: its own, or that of its token.
func (c *call) origin() *request {
	if c.page.origin != nil {
		return c.page.origin
	}
	return c.asked
}

// ask puts a request to the service.
func (c *call) ask(req *request) *response {
	r := c.context.Clone(c.context.Context())
	r.Method = req.method
	target := req.path
	if req.query != "" {
		target += "?" + req.query
	}
	u, err := url.ParseRequestURI(target)
	if err != nil { // the client's own odd target: nothing rewrote it
		u = c.context.URL
	}
	r.URL, r.RequestURI = u, target
	r.Header = req.header.Clone()
	r.Body = io.NopCloser(strings.NewReader(req.body))
	r.ContentLength = int64(len(req.body))
	rec := &recorder{header: http.Header{}}
	c.layer.next.ServeHTTP(rec, r)
	return &response{status: max(rec.status, 0), header: rec.header, body: rec.body.Bytes()}
}

// askAgain puts a changed request and takes its answer for this one's.
func (c *call) askAgain(change func(*request)) {
	req := c.req.clone()
	change(req)
	c.replace(c.ask(req))
}

func (c *call) replace(r *response) {
	c.resp, c.doc, c.dirty, c.changed = r, nil, false, true
	c.remember()
}

// recorder is the ResponseWriter of a handler asked from inside.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= 200 {
		r.status = status
	}
}

func (r *recorder) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(p)
}

// remember keeps what later calls are compared with: where the token of a next
// link came from, an accepted key, the first reference to each type.
func (c *call) remember() {
	if c.resp.status != http.StatusOK {
		return
	}
	l := c.layer
	text := string(c.resp.body)
	if l.mutation.references {
		for _, m := range reference.FindAllStringSubmatch(text, -1) {
			l.first("reference to "+m[1], m[2])
		}
	}
	links := text[max(0, strings.LastIndex(text, `"link"`)):]
	m := nextToken.FindStringSubmatch(links)
	if m == nil {
		return
	}
	p := page{origin: c.asked, first: c.resp.clone(), issued: time.Now()}
	if c.page.origin != nil {
		p.origin, p.first = c.page.origin, c.page.first
	}
	token := unescape(m[1])
	if l.mutation.aged {
		own := c.newToken(token)
		c.resp.body = []byte(strings.Replace(text, m[1], own, 1))
		c.resp.header.Del("Content-Length")
		l.mu.Lock()
		l.pages[own] = p
		l.mu.Unlock()
	}
	l.mu.Lock()
	l.pages[token] = p
	l.mu.Unlock()
}

// newToken returns another token for the page behind one of the service's, in
// the form the service keeps long ones (ans-server.md §6.2).
func (c *call) newToken(token string) string {
	l := c.layer
	l.mu.Lock()
	defer l.mu.Unlock()
	r := rand.New(rand.NewPCG(uint64(c.number), uint64(len(l.alias))))
	own := fmt.Sprintf("d%08x-%04x-4%03x-8%03x-%012x", r.Uint32(), r.Uint32()&0xffff, r.Uint32()&0xfff, r.Uint32()&0xfff, r.Uint64()&0xffffffffffff)
	l.alias[own] = token
	return own
}

var (
	reference = regexp.MustCompile(`"reference":\s*"([A-Za-z]+)/([^"/]+)"`)
	nextToken = regexp.MustCompile(`"next",\s*"url":\s*"[^"?]*/_page\?id=([^"&]+)"`)
)

// tree parses the body. It is nil when the body is not JSON.
func (c *call) tree() *tree {
	if c.doc == nil && len(c.resp.body) > 0 && c.resp.header.Get("Content-Encoding") == "" {
		if t, err := parseTree(string(c.resp.body)); err == nil {
			c.doc = t
		}
	}
	return c.doc
}

// touch says that the tree was changed.
func (c *call) touch() { c.dirty, c.changed = true, true }

// flush prints a changed tree into the body.
func (c *call) flush() {
	if c.dirty {
		c.setBody(c.doc.append(nil))
	}
}

func (c *call) setBody(body []byte) {
	c.resp.body, c.doc, c.dirty, c.changed = body, nil, false, true
	c.resp.header.Del("Content-Length")
}

func (c *call) isBundle() bool {
	return c.resp.status == http.StatusOK && c.asked.searched() != "" || c.asked.pageID() != ""
}

// isIncluded tells entries brought by _include or _revinclude from matches:
// by their type, or by what the same search finds without them.
func (c *call) isIncluded(entry *tree) bool {
	origin := c.origin()
	typ := entry.get("resource").get("resourceType").str()
	if typ != origin.searched() {
		return typ != ""
	}
	if c.page.origin != nil {
		return false
	}
	if c.ids == nil {
		c.ids = map[string]bool{}
		plain := c.req.clone()
		plain.setCriteria(plain.without(isInclude))
		if t, err := parseTree(string(c.ask(plain).body)); err == nil {
			for _, k := range t.get("entry").items() {
				c.ids[k.value.get("fullUrl").str()] = true
			}
		}
	}
	return !c.ids[entry.get("fullUrl").str()]
}

func isInclude(name string) bool {
	return strings.HasPrefix(name, "_include") || strings.HasPrefix(name, "_revinclude")
}

// write sends the answer, at the pace the mutation set.
func (c *call) write(w http.ResponseWriter) {
	if c.delay > 0 {
		if !sleep(c.context, c.delay) {
			return
		}
	}
	if c.cut {
		panic(http.ErrAbortHandler)
	}
	header := w.Header()
	maps.Copy(header, c.resp.header)
	body := c.resp.body
	if c.resp.status == http.StatusNoContent || c.resp.status == http.StatusNotModified {
		header.Del("Content-Type")
		body = nil
	}
	w.WriteHeader(c.resp.status)
	flusher, _ := w.(http.Flusher)
	if c.chunked && flusher != nil {
		flusher.Flush()
	}
	for c.chunk > 0 && len(body) > c.chunk {
		if _, err := w.Write(body[:c.chunk]); err != nil {
			return
		}
		if flusher != nil {
			flusher.Flush()
		}
		if !sleep(c.context, c.chunkGap) {
			return
		}
		body = body[c.chunk:]
	}
	_, _ = w.Write(body) // the client may have gone
}

func sleep(r *http.Request, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

func compress(body []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(body) // a bytes.Buffer takes everything
	_ = w.Close()
	return b.Bytes()
}

// outcome is an OperationOutcome in the server's words (ans-server.md §3.1).
func outcome(code, diagnostics string) []byte {
	b := []byte(`{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":`)
	b = fhir.AppendReadString(b, code)
	b = append(b, `,"diagnostics":`...)
	b = fhir.AppendReadString(b, diagnostics)
	return append(b, `}]}`...)
}
