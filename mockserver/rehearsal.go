package mockserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mockfhir/mockfhir/internal/rehearse"
	"github.com/mockfhir/mockfhir/internal/search"
	"github.com/mockfhir/mockfhir/internal/v1"
)

// Headers and keys by which a client chooses what it meets.
const (
	// SessionHeader names the session of a call.
	SessionHeader = "X-Mockfhir-Session"
	// IncidentHeader turns incidents on for one call: names, each with a scope
	// behind a semicolon, separated by commas.
	IncidentHeader = "X-Mockfhir-Incident"

	incidentKey = "mock-incident-" // begins the keys that turn an incident on
	sessionKey  = "mock-session-"  // begins the keys that belong to a session
)

// rehearsal stands in front of the gateway: it finds the session of a call and
// what is to go wrong with it, and keeps the journal.
type rehearsal struct {
	next     http.Handler
	sessions *rehearse.Sessions
	sealer   *search.Sealer
	sealerV1 *search.Sealer
	now      func() time.Time
	scale    float64 // of every wait, 1 in real life
	version  string  // what /fhir without a version answers: v1, v2, none
	counts   *metrics
}

// rehearsed is what is known of one call, in its context.
type rehearsed struct {
	session   *rehearse.Session
	effect    rehearse.Effect
	incidents []string
	why       string
}

type rehearsedKey struct{}

// rehearsedOf is the state of a call that came through a rehearsal, as all do
// that reach the gateway.
func rehearsedOf(ctx context.Context) *rehearsed {
	state, _ := ctx.Value(rehearsedKey{}).(*rehearsed)
	return state
}

func (h *rehearsal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := h.now()
	l := &line{ResponseWriter: w, pause: h.pause, ctx: r.Context()}
	if err := h.prepare(&l.rehearsed, r); err != nil {
		refuseControl(w, http.StatusBadRequest, err)
		return
	}
	arrived := l.session.Journal.Begin()
	r = r.WithContext(context.WithValue(r.Context(), rehearsedKey{}, &l.rehearsed))
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &overheard{ReadCloser: r.Body, heard: &l.body}
	}
	defer func() {
		h.counts.add(r.Method, l.status)
		e := l.entry(r, began, h.now())
		e.Arrived = arrived
		l.session.Journal.Add(e)
	}()
	h.play(l, r)
}

// prepare finds the session of a call and what happens to it.
func (h *rehearsal) prepare(state *rehearsed, r *http.Request) error {
	key := sentKey(r)
	name := r.Header.Get(SessionHeader)
	if bound, found := strings.CutPrefix(key, sessionKey); found && name == "" && h.sessions.Get(bound) != nil {
		name = bound
	}
	if name == "" {
		name = rehearse.Default
	}
	if state.session = h.sessions.Get(name); state.session == nil {
		return fmt.Errorf("there is no session of the name in %s; create it first: POST %s/sessions", SessionHeader, controlPrefix)
	}
	asked, incident := r.Header[IncidentHeader], strings.HasPrefix(key, incidentKey)
	if !incident && len(asked) == 0 && !state.session.Active.Any() {
		return nil // the usual case looks no further
	}
	call := h.facts(r)
	state.effect, state.incidents = state.session.Active.Effect(call)
	if incident {
		err := state.add(strings.TrimPrefix(key, incidentKey), call)
		if err != nil && !errors.As(err, new(rehearse.Unknown)) { // the gateway refuses a key of no incident
			return err
		}
	}
	for spec := range strings.SplitSeq(strings.Join(asked, ","), ",") {
		if spec = strings.TrimSpace(spec); spec != "" {
			if err := state.add(spec, call); err != nil {
				return fmt.Errorf("%s: %w", IncidentHeader, err)
			}
		}
	}
	return nil
}

// add turns an incident on for this call alone.
func (state *rehearsed) add(spec string, call rehearse.Call) error {
	name, scope, _ := strings.Cut(spec, ";")
	name = strings.TrimSpace(name)
	effect, touched, err := rehearse.Once(name, scope, call)
	if touched {
		state.effect, state.incidents = state.effect.With(effect), append(state.incidents, strings.Clone(name))
	}
	return err
}

// accepts says whether a key is one of those that stand for an incident or for
// a session.
func (h *rehearsal) accepts(key string) bool {
	if name, found := strings.CutPrefix(key, incidentKey); found {
		_, known := rehearse.Lookup(name)
		return known
	}
	name, found := strings.CutPrefix(key, sessionKey)
	return found && name != rehearse.Default && h.sessions.Get(name) != nil // somebody made it
}

// sentKey is the key of a request, wherever it was put.
func sentKey(r *http.Request) string {
	if key := r.Header.Get(keyHeader); key != "" {
		return key
	}
	_, query, _ := strings.Cut(requestTarget(r), "?")
	return search.FirstValue(query, "api-key")
}

// requestTarget is what the client asked for, as it was typed.
func requestTarget(r *http.Request) string {
	if r.RequestURI != "" {
		return r.RequestURI
	}
	return r.URL.RequestURI()
}

// facts are what the scopes of incidents look at.
func (h *rehearsal) facts(r *http.Request) rehearse.Call {
	target := requestTarget(r)
	if _, rest, absolute := strings.Cut(target, "://"); absolute && target[0] != '/' {
		_, target, _ = strings.Cut(rest, "/")
		target = "/" + target
	}
	path, query, _ := strings.Cut(target, "?")
	path = strings.TrimPrefix(strings.TrimPrefix(path, contextPath), "/")
	first, rest, _ := strings.Cut(path, "/")
	call := rehearse.Call{Path: path, Query: query, Version: h.version, Unversioned: true}
	if isVersion(first) {
		call.Path, call.Version, call.Unversioned = rest, first, false
	}
	if r.Method == http.MethodPost {
		query = form(r)
		call.Query = query
	}
	sealer, token := h.sealer, search.FirstValue(query, "id")
	call.Page = strings.HasPrefix(call.Path, "_page")
	if call.Version == "v1" {
		sealer, token = h.sealerV1, v1.Token(query)
		call.Page = call.Path == "" && search.FirstValue(query, "_getpages") != ""
	}
	if call.Page {
		if cursor, err := sealer.Open(token); err == nil {
			call.Began, query, _ = strings.Cut(cursor.Target, "?")
		}
	}
	call.Names, call.Values, call.Count = search.Outline(query)
	return call
}

// form reads the body of a search by POST, and puts it back. What is too large
// to be read at once is read by nobody else either.
func form(r *http.Request) string {
	if r.Body == nil {
		return ""
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	var rest io.Reader = r.Body
	if err != nil {
		rest = failing{err}
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(strings.NewReader(string(text)), rest), r.Body}
	return string(text)
}

// failing gives a reader's error to whoever reads next.
type failing struct{ error }

func (f failing) Read([]byte) (int, error) { return 0, f.error }

// readPatience is what is left, after a wait, for a body to arrive.
const readPatience = 30 * time.Second

func (h *rehearsal) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) * h.scale)
}

// pause waits for a scaled time, or until the client has gone.
func (h *rehearsal) pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(h.scaled(d))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// play lets a call happen, or its connection end, as its incidents want it.
func (h *rehearsal) play(l *line, r *http.Request) {
	if l.effect.Line == rehearse.Open {
		h.next.ServeHTTP(l, r)
		return
	}
	h.wait(l, r)
	if l.effect.Line == rehearse.Reset {
		reset(l.ResponseWriter)
	}
	panic(http.ErrAbortHandler)
}

// backend stands in front of the FHIR server, and waits or fails in its place
// for those whom the gateway lets through: keys, quota and methods come first
// (gravitee.md §7).
func (h *rehearsal) backend(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.wait(w, r)
		switch e := &rehearsedOf(r.Context()).effect; {
		case e.Reply != nil:
			h.reply(w, r, *e.Reply)
		case e.Fault.Status() != 0:
			panic(e.Fault)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// reply writes a literal answer, an OperationOutcome of version 1 in the format that
// was asked for.
func (h *rehearsal) reply(w http.ResponseWriter, r *http.Request, answer rehearse.Reply) {
	if asked := h.facts(r); asked.Version == "v1" && answer.Header.Get("Content-Type") == fhirJSON {
		_, query, _ := strings.Cut(requestTarget(r), "?")
		contentType, body := v1.Outcome(query+"&"+asked.Query, r.Header, []byte(answer.Body))
		answer.Header, answer.Body = http.Header{"Content-Type": {contentType}}, string(body)
	}
	reply(w, &answer)
}

// wait is the time that an answer takes in an incident.
func (h *rehearsal) wait(w http.ResponseWriter, r *http.Request) {
	e := &rehearsedOf(r.Context()).effect
	wait := e.Delay
	if e.Jitter > 0 {
		wait += rand.N(e.Jitter)
	}
	if wait > 0 {
		// The time a server gives a request to arrive ends its context as well.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(h.scaled(wait) + readPatience))
	}
	h.pause(r.Context(), wait)
}

// reply writes a literal answer.
func reply(w http.ResponseWriter, answer *rehearse.Reply) {
	if gateway, ok := w.(interface{ Unwrap() http.ResponseWriter }); ok && answer.Bare {
		w = gateway.Unwrap()
	}
	header := w.Header()
	clear(header)
	header["Content-Type"] = nil // unless the reply has one
	maps.Copy(header, answer.Header)
	w.WriteHeader(answer.Status)
	_, _ = io.WriteString(w, answer.Body)
}

// reset closes a connection in the way of a machine that crashed.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return // no connection of its own: it will be closed
	}
	for inner := conn; ; {
		if tcp, ok := inner.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
			_ = tcp.Close()
			break
		}
		wrapper, ok := inner.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		inner = wrapper.NetConn()
	}
	_ = conn.Close()
}

// line is a call on its way: what is known of it, and the response with what
// incidents do to it. What passes is overheard for the journal.
type line struct {
	rehearsed
	http.ResponseWriter
	pause    func(context.Context, time.Duration)
	ctx      context.Context
	status   int
	size     int64
	body     beginning // of the request
	answer   beginning
	response rehearse.Fields
}

// Unwrap gives http.ResponseController the rest.
func (l *line) Unwrap() http.ResponseWriter { return l.ResponseWriter }

func (l *line) WriteHeader(status int) {
	if status >= 200 && l.status == 0 {
		l.status = status
		if l.effect.Garbage {
			l.Header().Del("Content-Length")
		}
		maps.Copy(l.Header(), l.effect.Header)
		l.response = shown(l.Header(), responseHeaders)
	}
	l.ResponseWriter.WriteHeader(status)
}

// garbage is a body that no parser reads to its end.
const garbage = `{"resourceType": "Bundle", oops`

func (l *line) Write(p []byte) (int, error) {
	if l.status == 0 {
		l.WriteHeader(http.StatusOK)
	}
	switch e := &l.effect; {
	case e.Garbage && l.size > 0:
		return len(p), nil
	case e.Garbage:
		_, err := l.send([]byte(garbage))
		return len(p), err
	case e.Truncate:
		return l.truncate(p)
	case e.Drip > 0:
		return l.drip(p)
	}
	return l.send(p)
}

// length is that of the body, as its header says; of a stream, whose header
// says none, that of the piece at hand.
func (l *line) length(piece []byte) int64 {
	if n, err := strconv.ParseInt(l.Header().Get("Content-Length"), 10, 64); err == nil && n > 0 {
		return n
	}
	return int64(len(piece))
}

// truncate lets the first half of a body pass, of a stream half of its first
// piece, and cuts the connection.
func (l *line) truncate(p []byte) (int, error) {
	left := l.length(p)/2 - l.size
	if int64(len(p)) <= left || len(p) == 0 {
		return l.send(p)
	}
	_, _ = l.send(p[:max(0, left)])
	_ = http.NewResponseController(l.ResponseWriter).Flush()
	panic(http.ErrAbortHandler)
}

// A dripping body comes in drops of at most dropSize, and a small one in as
// many as leastDrops, so that it is slow as well.
const (
	dropSize   = 256
	leastDrops = 20
)

func (l *line) drip(p []byte) (n int, err error) {
	size := int(min(dropSize, max(1, l.length(p)/leastDrops)))
	for len(p) > 0 && err == nil && l.ctx.Err() == nil {
		drop := p[:min(size, len(p))]
		var sent int
		sent, err = l.send(drop)
		n, p = n+sent, p[len(drop):]
		_ = http.NewResponseController(l.ResponseWriter).Flush()
		l.pause(l.ctx, l.effect.Drip)
	}
	return n, err
}

func (l *line) send(p []byte) (int, error) {
	l.answer.hear(p)
	l.size += int64(len(p))
	return l.ResponseWriter.Write(p)
}

// kept is how much a journal keeps of a target or a body.
const kept = 2 << 10

// beginning keeps that much of what passes.
type beginning struct{ strings.Builder }

func (b *beginning) hear(p []byte) {
	if p = p[:min(len(p), kept-b.Len())]; len(p) > 0 {
		b.Write(p)
	}
}

// overheard is a body that is read by somebody else.
type overheard struct {
	io.ReadCloser
	heard *beginning
}

func (o *overheard) Read(p []byte) (int, error) {
	n, err := o.ReadCloser.Read(p)
	o.heard.hear(p[:n])
	return n, err
}

// The headers that a journal shows. Whatever is not here, keys and cookies
// above all, never gets there.
var (
	requestHeaders  = []string{"Accept", "Content-Type", "User-Agent", IncidentHeader}
	responseHeaders = []string{"Content-Type", "Content-Length", "Location", "Retry-After"}
)

// entry is what the journal keeps of a call. It shares no memory with the
// request, whose buffers hold the key.
func (l *line) entry(r *http.Request, began, now time.Time) rehearse.Entry {
	target, body := cut(requestTarget(r), kept), l.body.String()
	hide := secretsOf(r.Header, target).withNamed(body).withUUIDs(body)
	request := shown(r.Header, requestHeaders)
	for _, f := range request {
		hide = hide.withUUIDs(f.Value)
	}
	e := rehearse.Entry{
		Time: began, Session: l.session.Name, Method: hide.hide(methodOf(r)), Target: hide.target(target),
		Request: hide.fields(request), Body: hide.hide(body),
		Status: l.status, Took: now.Sub(began),
		Response: hide.fields(l.response), Answer: hide.hide(l.answer.String()), Size: l.size,
		Why: hide.hide(l.why), Incidents: l.incidents,
	}
	if body != "" && body[0] != '{' { // a form
		e.Body = hide.hide(hideNamed(body))
	}
	if e.Why == "" && l.status >= 400 {
		e.Why = "the gateway refused it"
	}
	return e
}

// methodOf is the method of a request, the usual ones without a copy.
func methodOf(r *http.Request) string {
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodHead} {
		if r.Method == m {
			return m
		}
	}
	return cut(r.Method, 20)
}

// cut returns the beginning of a text, in memory of its own.
func cut(text string, length int) string { return strings.Clone(text[:min(len(text), length)]) }

// shown are those of the headers that are there, in memory of their own.
func shown(h http.Header, names []string) rehearse.Fields {
	fields := make(rehearse.Fields, 0, len(names))
	for _, name := range names {
		if values := h[name]; len(values) > 0 && values[0] != "" {
			fields = append(fields, rehearse.Field{Name: name, Value: cut(values[0], 200)})
		}
	}
	return fields
}

func (s secrets) fields(fields rehearse.Fields) rehearse.Fields {
	for i := range fields {
		fields[i].Value = s.hide(fields[i].Value)
	}
	return fields
}
