package mockserver

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mockfhir/mockfhir/internal/behaviour"
	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/internal/gateway"
	"github.com/mockfhir/mockfhir/internal/pack"
	"github.com/mockfhir/mockfhir/internal/rehearse"
	"github.com/mockfhir/mockfhir/internal/search"
	"github.com/mockfhir/mockfhir/internal/store"
)

// service is the FHIR server behind the gateway. Like the real one it routes
// on the raw path and answers nearly every mistake with a 500
// (ans-server.md §1, §3).
type service struct {
	is           behaviour.Switches
	sealer       *search.Sealer
	zone         *time.Location
	countBudget  int
	badSearch    int  // status
	searchesOnly bool // the gateway lets no write through
	healthPlan   bool // the gateway has a plan for /health
	now          func() time.Time
	links        linker
	log          *slog.Logger
	version      string // what /fhir without a version means
	capability   []byte
	replies      replies
	digest       string     // of the fixture set, which seals the pages of version 1
	writes       sync.Mutex // from finding a resource's version to storing the next
}

// call is one request on its way through the service.
type call struct {
	*service
	w http.ResponseWriter
	r *http.Request

	store  *store.Store // of the session
	differ rehearse.Answer
	state  *rehearsed

	path  string // below /fhir/v2/, raw
	query string // raw
	asked bool   // there was a question mark
	base  string // of links: https://host/fhir/v2

	sent string // the body, once read
	read bool
}

const contextPath = "/fhir"

// maxBody bounds what is read of a request's body.
const maxBody = 1 << 20

// errBodyTooLarge is what a gateway with a limit on bodies says
// (gravitee.md §3.4).
var errBodyTooLarge = gateway.PolicyFailure(http.StatusRequestEntityTooLarge,
	"The request is larger than the server is willing or able to process.")

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target := requestTarget(r)
	defer func() {
		switch cause := recover().(type) {
		case nil:
		case *pack.DamagedError: // in the words a person needs, and a gateway's for the client
			s.log.Error(cause.Error())
			panic(gateway.EndpointFailure)
		default:
			panic(cause)
		}
	}()
	state := rehearsedOf(r.Context())
	if s.replay(w, r, target, state.session.Store) {
		state.why = "a recorded exchange"
		return
	}
	c := &call{
		service: s, w: w, r: r, base: s.links.origin(r) + contextPath + "/v2",
		store: state.session.Store, differ: state.effect.Answer, state: state,
	}
	if state.session.Strict() {
		state.why = "no recorded exchange"
		c.outcome(http.StatusNotFound, s.replies.nearest(r.Method, target))
		return
	}
	path, query, asked := strings.Cut(target, "?")
	c.query, c.asked = query, asked
	if c.route(path) {
		c.serve()
	}
}

// route finds the path below the version, and answers what lies elsewhere.
func (c *call) route(path string) bool {
	rest := strings.TrimPrefix(path, contextPath)
	first, _, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	switch {
	case first == "v2":
		c.path = strings.TrimPrefix(strings.TrimPrefix(rest, "/v2"), "/")
		return true
	case first == "v1":
		c.path = strings.TrimPrefix(strings.TrimPrefix(rest, "/v1"), "/")
		c.versionOne()
		return false
	case isVersion(first):
		c.bootError(http.StatusNotFound, path)
		return false
	}
	c.path = strings.TrimPrefix(rest, "/")
	version := c.version
	if other, found := otherVersion[version]; found && c.differ.OtherVersion {
		version = other
	}
	if version == "v1" || c.path == "health" && c.healthPlan { // whose plan opens it (gravitee.md §1.5)
		c.versionOne()
		return false
	}
	if version != "v2" || !c.is(behaviour.AnyUnversionedPath) && !c.serves(first) {
		c.w.WriteHeader(http.StatusNotFound) // the tenant filter's answer (§1.1)
		return false
	}
	return true
}

// otherVersion is what /fhir becomes overnight (incident D49).
var otherVersion = map[string]string{"v1": "v2", "v2": "v1"}

// isVersion reports whether a path segment is v and digits.
func isVersion(segment string) bool {
	digits, ok := strings.CutPrefix(segment, "v")
	return ok && digits != "" && strings.Trim(digits, "0123456789") == ""
}

// serves reports whether a first path segment leads to something.
func (c *call) serves(segment string) bool {
	return segment == "metadata" || segment == "_page" || c.store.Current().Table().Type(segment) != nil
}

// pass is what stands before any servlet: Tomcat, which refuses some
// characters, and the front that adds headers of its own.
func (c *call) pass() bool {
	if !passesTomcat(c.path) || !passesTomcat(c.query) || strings.Contains(c.path, "|") {
		c.tomcatBadRequest()
		return false
	}
	if c.is(behaviour.FrontHeaders) {
		h := c.w.Header()
		h["Server"] = []string{"Apache"}
		if _, err := c.r.Cookie("JSESSIONID"); err != nil {
			h["Set-Cookie"] = []string{"JSESSIONID=" + newSession() + "; Path=/; HttpOnly"}
		}
	}
	return true
}

// passesTomcat reports whether a text is of ASCII characters that leave a mark
// and need no encoding.
func passesTomcat(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c <= ' ', c >= 0x7f:
			return false
		case c == '"', c == '<', c == '>', c == '\\', c == '^', c == '`', c == '{', c == '}':
			return false
		}
	}
	return true
}

// serve dispatches on the method (§1.2–§1.4).
func (c *call) serve() {
	if !c.pass() {
		return
	}
	h := c.w.Header()
	switch c.r.Method {
	case http.MethodGet, http.MethodHead:
		h["Content-Type"] = []string{fhirJSON}
		c.get(c.body())
	case http.MethodPost:
		h["Content-Type"] = []string{fhirJSON}
		c.post()
	case http.MethodOptions:
		h.Set("Allow", "GET, HEAD, POST, PUT, DELETE, OPTIONS")
		c.w.WriteHeader(http.StatusOK)
	case http.MethodPut, http.MethodDelete:
		h["Content-Type"] = []string{fhirJSON}
		c.write()
	case http.MethodTrace:
		c.w.WriteHeader(http.StatusMethodNotAllowed)
	default:
		c.bootError(http.StatusNotImplemented, contextPath+"/v2/"+c.path)
	}
}

// fhirJSON has no space before charset (§4.5).
const fhirJSON = "application/fhir+json;charset=UTF-8"

// body is what the client sent along, within bounds.
func (c *call) body() string {
	if c.read || c.r.Body == nil || c.r.Body == http.NoBody {
		return c.sent
	}
	c.read = true
	text, err := io.ReadAll(http.MaxBytesReader(nil, c.r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		panic(errBodyTooLarge)
	case err != nil:
		panic(http.ErrAbortHandler)
	}
	c.sent = string(text)
	return c.sent
}

// get makes the tests of FhirResourceServlet in its order (§1.2). A body is
// appended to a search behind one more question mark, and closes the
// connection of anything else (§1.3).
func (c *call) get(body string) {
	parts := strings.Split(strings.TrimRight(c.path, "/"), "/") // Java's split drops empty parts at the end
	isRead := len(parts) == 2 && !strings.HasPrefix(parts[1], "_")
	switch {
	case strings.HasPrefix(c.path, "_page"):
		c.page()
	case strings.HasPrefix(c.path, "metadata"):
		c.refuseBody(body)
		c.metadata()
	case strings.HasPrefix(c.path, "$"):
		c.operation()
	case isRead:
		c.refuseBody(body)
		c.readOne(parts[0], parts[1])
	default:
		target := c.path
		if c.asked {
			target += "?" + c.query
		}
		if body != "" {
			target += "?" + body
		}
		c.search(target)
	}
}

func (c *call) refuseBody(body string) {
	if body != "" {
		panic(http.ErrAbortHandler)
	}
}

// post searches by a form; any other body would be a write (§1.3).
func (c *call) post() {
	body := c.body()
	contentType := c.r.Header.Get("Content-Type")
	form := contentType == "application/x-www-form-urlencoded"
	if typ, found := strings.CutSuffix(c.path, "/_search"); found && c.is(behaviour.SearchSuffix) {
		mediaType, _, _ := strings.Cut(contentType, ";")
		form = strings.EqualFold(strings.TrimSpace(mediaType), "application/x-www-form-urlencoded") || contentType == "" && body == ""
		if form {
			c.path = typ
		}
	}
	if !form {
		c.write()
		return
	}
	switch parts := strings.Split(strings.TrimRight(c.path, "/"), "/"); {
	case strings.HasPrefix(c.path, "_page"), strings.HasPrefix(c.path, "metadata"), strings.HasPrefix(c.path, "$"),
		len(parts) == 2 && !strings.HasPrefix(parts[1], "_"):
		c.getByPost(body)
	default:
		target := c.path
		if body != "" {
			target += "?" + body
		}
		c.search(target)
	}
}

// getByPost answers a form on a path that is no search: the id of a page is
// not looked for in the body, anything else takes no body (§1.3).
func (c *call) getByPost(body string) {
	if !strings.HasPrefix(c.path, "_page") {
		c.refuseBody(body)
	}
	c.get("")
}

func (c *call) metadata() {
	c.state.why = "the table of search parameters"
	if c.differ.Metadata == nil {
		c.send(c.capability)
		return
	}
	statement, err := fhir.Parse(c.capability)
	if err != nil {
		panic(err) // it was printed by us
	}
	c.differ.Metadata(statement)
	c.send(fhir.AppendRead(nil, statement))
}

func (c *call) search(target string) {
	now := c.now()
	if c.differ.NewIDs {
		target = oldIDs(target)
	}
	q, err := search.Parse(c.store.Current().Table(), target, c.rules(now))
	if err != nil {
		c.fail(err, c.badSearch)
		return
	}
	if q.Doubt != "" {
		c.log.Warn(q.Doubt)
	}
	if _, query, _ := strings.Cut(target, "?"); c.differ.CountTimesOut && search.FirstValue(query, "_count") != "" {
		reply(c.w, rehearse.Empty504)
		return
	}
	c.bundle(search.First(c.store.Current(), q, target))
}

func (c *call) rules(now time.Time) search.Rules {
	return search.Rules{
		Zone:         c.zone,
		Now:          now,
		URISearch:    c.is(behaviour.URISearch),
		FragilePages: c.is(behaviour.FragilePages),
		CountBudget:  c.countBudget,
		DefaultCount: c.differ.DefaultCount,
		MaxCount:     c.differ.MaxCount,
		Accents:      c.differ.Accents,
		Chained:      c.differ.Chained,
		DeltaWindow:  c.differ.DeltaWindow,
		Reloaded:     c.reloaded(now),
	}
}

// page follows a token (§6). A token that is corrupted, or a search that the
// source loses on its way, closes the connection; the gateway makes that a 502.
func (c *call) page() {
	token := search.FirstValue(c.query, "id")
	cursor, err := c.sealer.Open(token)
	if errors.Is(err, search.ErrCorrupt) || c.differ.BrokenPages {
		panic(http.ErrAbortHandler)
	}
	if err != nil {
		c.fail(err, http.StatusInternalServerError)
		return
	}
	snapshot, known := c.store.At(cursor.State)
	q, err := search.Parse(c.store.Current().Table(), cursor.Target, c.rules(time.UnixMilli(cursor.Asked)))
	switch {
	case !known:
		c.fail(search.ErrTooOld, http.StatusInternalServerError)
	case err != nil || q.BreaksPage2 && c.is(behaviour.FragilePages):
		panic(http.ErrAbortHandler)
	default:
		p := search.Following(snapshot, q, cursor)
		if c.differ.EmptyPages {
			p.Matches, p.Included, p.Next = nil, nil, nil
		}
		c.bundle(p)
	}
}

func (c *call) readOne(typ, id string) {
	if c.store.Current().Table().Type(typ) == nil {
		c.outcome(http.StatusNotFound, search.UnsupportedType)
		return
	}
	stored := id
	if c.differ.NewIDs {
		stored = oldID(id)
	}
	doc, found := c.store.Current().Get(typ, stored)
	c.state.why = "a read"
	if !found {
		c.outcome(http.StatusNotFound, "Resource not found with id: "+id)
		return
	}
	text := doc.Text()
	if c.rewrites() {
		text = fhir.AppendSearch(nil, c.rewritten(text))
	}
	c.send(fhir.AppendReadOf(make([]byte, 0, len(text)), text))
}

// operation answers what is known of $index and $index-status (§10).
func (c *call) operation() {
	name, _, _ := strings.Cut(c.path, "?")
	if known := name == "$index" || name == "$index-status"; known && c.is(behaviour.HiddenOperations) {
		panic(gateway.NotAllowed)
	}
	switch name {
	case "$index-status":
		c.send(fhir.AppendOutcome(nil, "information", "value", "Not running"))
	case "$index": // the stream is closed before the error is written
		c.w.WriteHeader(http.StatusOK)
	default:
		c.outcome(http.StatusBadRequest, search.UnknownError)
	}
}

// fail tells a *search.Error; those of status 500 with the status given.
func (c *call) fail(err error, status int) {
	refusal := &search.Error{Status: http.StatusInternalServerError, Text: search.UnknownError}
	errors.As(err, &refusal)
	if refusal.Status != http.StatusInternalServerError {
		status = refusal.Status
	}
	c.outcome(status, refusal.Text)
}

// outcome writes the one issue the server ever tells (§3.1).
func (c *call) outcome(status int, diagnostics string) {
	if c.state.why == "" {
		c.state.why = "refused: " + diagnostics
	}
	c.w.Header()["Content-Type"] = []string{fhirJSON}
	body := fhir.AppendOutcome(nil, "error", "exception", diagnostics)
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body)
}

// bufferSize is Tomcat's: what fits has a Content-Length, what does not is
// chunked (§4.5).
const bufferSize = 8192

// send writes a whole body with 200.
func (c *call) send(body []byte) {
	if len(body) <= bufferSize {
		c.w.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	_, _ = c.w.Write(body)
}
