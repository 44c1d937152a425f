package mockserver

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
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
	"time"

	"github.com/gorilla/mux"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/behaviour"
	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/internal/gateway"
	"github.com/mockfhir/mockfhir/internal/openapi"
	"github.com/mockfhir/mockfhir/internal/rehearse"
	"github.com/mockfhir/mockfhir/internal/store"
)

// controlPrefix is where the mock speaks of itself. No path of the real
// service begins so.
const controlPrefix = "/__mockfhir"

// control is what people and tests ask of the mock itself.
type control struct {
	config
	set      *fixtures.Set
	sessions *rehearse.Sessions
	gateway  *gateway.Gateway
	counts   *metrics
}

// answer is what a control call gives back: a status and a value that is
// written as JSON, or an error.
type answer func(*http.Request, map[string]string) (status int, value any, err error)

// routes are the calls of the control API. The OpenAPI document is made of the
// same list.
func (c *control) routes() []openapi.ControlRoute[answer] {
	type route = openapi.ControlRoute[answer]
	return []route{
		{Method: "GET", Path: "/livez", About: "Say that the process lives", Open: true},
		{Method: "GET", Path: "/readyz", About: "Say that it answers", Open: true},
		{Method: "GET", Path: "/version", About: "Tell version, profile, fixture set and its digest", Open: true},
		{Method: "GET", Path: "/openapi.json", About: "Describe the API of the directory", Open: true},
		{Method: "GET", Path: "/control.json", About: "Describe this API", Open: true},
		{Method: "GET", Path: "/metrics", About: "Count calls, sessions and journal entries, as Prometheus text", Gives: "text/plain"},
		{Method: "GET", Path: "/sessions", About: "List the sessions", Do: c.listSessions},
		{Method: "POST", Path: "/sessions", About: "Create a session; its calls carry its key, or the header " + SessionHeader, Body: "name", Do: c.createSession},
		{Method: "GET", Path: "/sessions/{session}", About: "Show a session", Do: c.getSession},
		{Method: "PATCH", Path: "/sessions/{session}", About: "Answer recorded exchanges only, or everything again", Body: "strict", Do: c.changeSession},
		{Method: "DELETE", Path: "/sessions/{session}", About: "Drop a session and all it holds", Do: c.dropSession},
		{Method: "POST", Path: "/sessions/{session}/reset", About: "Take a session back to its start: no changes, no journal, a full quota", Do: c.resetSession},
		{Method: "GET", Path: "/sessions/{session}/incidents", About: "List the incidents that are on", French: true, Do: c.listActive},
		{Method: "DELETE", Path: "/sessions/{session}/incidents", About: "Turn all incidents off", Do: c.stopIncidents},
		{Method: "PUT", Path: "/sessions/{session}/incidents/{incident}", About: "Turn an incident on", Body: "scope", French: true, Do: c.startIncident},
		{Method: "DELETE", Path: "/sessions/{session}/incidents/{incident}", About: "Turn an incident off", Do: c.stopIncident},
		{Method: "PUT", Path: "/sessions/{session}/resources", About: "Add or replace resources: one, or one a line", Body: "resources", Do: c.putResources},
		{Method: "DELETE", Path: "/sessions/{session}/resources/{type}/{id}", About: "Take a resource out of the directory", Do: c.deleteResource},
		{Method: "GET", Path: "/sessions/{session}/journal", About: "Search the journal", Query: journalQuery, Do: c.readJournal},
		{Method: "DELETE", Path: "/sessions/{session}/journal", About: "Empty the journal", Do: c.clearJournal},
		{Method: "GET", Path: "/sessions/{session}/journal/stream", About: "Send calls as they happen, as server-sent events", Gives: "text/event-stream"},
		{Method: "POST", Path: "/sessions/{session}/verify", About: "Hold the journal against an expectation", Body: "expectation", Do: c.verify},
		{Method: "GET", Path: "/sessions/{session}/quota", About: "Tell what the keys that called have used of their quota", Do: c.listQuotas},
		{Method: "GET", Path: "/parameters", About: "List types and search parameters, with an example of each", French: true, Do: c.form()},
		{Method: "GET", Path: "/incidents", About: "List all incidents there are", French: true, Do: c.listIncidents},
		{Method: "GET", Path: "/keys", About: "List the demo keys and the subscriptions, without other keys", French: true, Do: c.listKeys},
		{Method: "POST", Path: "/keys", About: "Make an application with an accepted subscription and a key", Body: "name", Do: c.createKey},
		{Method: "POST", Path: "/keys/{subscription}/{act}", About: "accept, reject, pause, resume, close, renew, revoke or expire", Do: c.actOnKey},
		{Method: "DELETE", Path: "/keys/{subscription}", About: "Forget the application of a subscription, its keys with it", Do: c.deleteKey},
	}
}

// journalQuery are the parameters of a search in a journal.
var journalQuery = []openapi.ControlParam{
	{Name: "method"}, {Name: "path", About: "beginning of the target"}, {Name: "query", About: "text in the query"},
	{Name: "text", About: "text in target, bodies or why"}, {Name: "incident", About: "that touched the call"},
	{Name: "status", About: "404, or 4 for all of them", Number: true},
	{Name: "since", About: "entries after this id", Number: true}, {Name: "limit", About: "the last ones", Number: true},
}

// describe is the OpenAPI document of what this server answers.
func (c *control) describe() []byte {
	is := behaviour.Of(string(c.profile))
	return openapi.Document(c.set.Table, openapi.Server{SearchSuffix: is(behaviour.SearchSuffix), URISearch: is(behaviour.URISearch)})
}

func (c *control) add(router *mux.Router) {
	own := router.PathPrefix(controlPrefix).Subrouter()
	read := []string{http.MethodGet, http.MethodHead}
	alive := func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	}
	own.HandleFunc("/livez", alive).Methods(read...)
	own.HandleFunc("/readyz", alive).Methods(read...)
	own.HandleFunc("/version", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{
			"version": c.version, "profile": string(c.profile), "set": c.set.Manifest.Name, "digest": c.set.Digest(),
		})
	}).Methods(read...)
	nothing := c.nothing()
	if c.control {
		own.PathPrefix("/console/").Methods(read...).Handler(c.console(nothing))
		own.HandleFunc("/openapi.json", document(c.describe)).Methods(read...)
		own.HandleFunc("/control.json", document(func() []byte { return openapi.Control(controlPrefix, c.routes()) })).Methods(read...)
		own.HandleFunc("/metrics", c.guarded(c.metrics)).Methods(read...)
		own.HandleFunc("/sessions/{session}/journal/stream", c.guarded(c.streamJournal)).Methods(read...)
		for _, route := range c.routes() {
			if route.Do == nil {
				continue // answered above
			}
			own.HandleFunc(route.Path, c.guarded(func(w http.ResponseWriter, r *http.Request) {
				if route.French {
					w.Header().Set("Vary", "Accept-Language")
				}
				r.Body = http.MaxBytesReader(w, r.Body, maxControlBody)
				status, value, err := route.Do(r, mux.Vars(r))
				if err != nil {
					refuseControl(w, statusOf(err), err)
					return
				}
				writeJSON(w, status, value)
			})).Methods(route.Method)
		}
	}
	own.PathPrefix("/").Handler(nothing)
}

// nothing answers what the mock has nothing for.
func (c *control) nothing() http.HandlerFunc {
	hint := "it was started with -control off"
	if c.control {
		hint = "see " + controlPrefix + "/control.json"
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		refuseControl(w, http.StatusNotFound, errors.New("mockfhir has nothing here; "+hint))
	}
}

// guarded lets in who may control.
func (c *control) guarded(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if status, err := c.mayControl(r); err != nil {
			refuseControl(w, status, err)
			return
		}
		h(w, r)
	}
}

// tokenHeader carries the token of control calls where Authorization is taken,
// as on the portal.
const tokenHeader = "X-Mockfhir-Token"

const maxControlBody = 16 << 20

func document(make func() []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(make())
	}
}

// mayControl keeps away pages of others, and who has no token when there is
// one.
func (c *control) mayControl(r *http.Request) (int, error) {
	if err := c.ownPage(r); err != nil {
		return http.StatusForbidden, err
	}
	if c.controlToken == "" {
		return 0, nil
	}
	token := r.Header.Get(tokenHeader)
	// A scheme has no case (RFC 9110 §11.1), and one space or more after it (§11.4).
	if scheme, bearer, _ := strings.Cut(r.Header.Get("Authorization"), " "); token == "" && strings.EqualFold(scheme, "Bearer") {
		token = strings.TrimLeft(bearer, " ")
	}
	sent, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(c.controlToken))
	if subtle.ConstantTimeCompare(sent[:], want[:]) != 1 {
		return http.StatusUnauthorized, errors.New("control calls need the header Authorization: Bearer TOKEN, or " + tokenHeader +
			": TOKEN, with the token that was printed at the start or given by -control-token")
	}
	return 0, nil
}

// ownPage refuses what web pages of others send: a page that found a name for
// our address, or that posts across sites.
func (c *control) ownPage(r *http.Request) error {
	if !c.ownHost(r.Host) {
		return errors.New("control calls are answered under localhost, an address or a plain name; this name may be somebody else's")
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
		return errors.New("control calls from pages of other sites are refused")
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		if u, err := url.Parse(origin); err != nil || u.Host != r.Host {
			return errors.New("control calls from pages of other origins are refused")
		}
	}
	return nil
}

// ownHost says whether a Host can be this server's without a name that
// somebody else might have pointed here.
func (c *control) ownHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.Trim(strings.TrimSuffix(name, "."), "[]")
	if u, err := url.Parse(c.publicURL); err == nil && c.publicURL != "" && strings.EqualFold(u.Hostname(), name) {
		return true
	}
	return !strings.Contains(name, ".") || strings.HasSuffix(strings.ToLower(name), ".localhost") || net.ParseIP(name) != nil
}

// statusOf tells the mistakes of a caller apart.
func statusOf(err error) int {
	var refusal *gateway.Refusal
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, errNoSession), errors.Is(err, errNoResource), errors.As(err, new(rehearse.Unknown)):
		return http.StatusNotFound
	case errors.Is(err, rehearse.ErrSessionExists):
		return http.StatusConflict
	case errors.Is(err, rehearse.ErrTooMany):
		return http.StatusTooManyRequests
	case errors.As(err, &refusal):
		return refusal.Status
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusBadRequest
}

// refuseControl says what happened and what to do.
func refuseControl(w http.ResponseWriter, status int, err error) {
	writeJSON(w, status, map[string]string{"error": err.Error()})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	if v == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
}

// readJSON reads the body of a control call; none is the zero value.
func readJSON(r *http.Request, v any) error {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the body is not what %s/control.json says: %w", controlPrefix, err)
	}
	return nil
}

var (
	errNoSession  = errors.New("there is no session of that name; POST " + controlPrefix + "/sessions creates one")
	errNoResource = errors.New("there is no such resource in the session")
)

func (c *control) session(vars map[string]string) (*rehearse.Session, error) {
	if s := c.sessions.Get(vars["session"]); s != nil {
		return s, nil
	}
	return nil, errNoSession
}

// sessionView is a session as JSON.
type sessionView struct {
	Name      string             `json:"name"`
	Key       string             `json:"key,omitempty"` // whose calls belong to it
	Strict    bool               `json:"strict"`
	Incidents []rehearse.Running `json:"incidents"`
	Calls     int                `json:"calls"` // in the journal
	Revision  int64              `json:"revision"`
}

func view(s *rehearse.Session) sessionView {
	v := sessionView{
		Name: s.Name, Strict: s.Strict(), Incidents: s.Active.List(rehearse.Scope.String),
		Calls: s.Journal.Len(), Revision: s.Store.Current().Revision,
	}
	if s.Name != rehearse.Default {
		v.Key = sessionKey + s.Name
	}
	return v
}

func (c *control) listSessions(*http.Request, map[string]string) (int, any, error) {
	views := []sessionView{}
	for _, s := range c.sessions.List() {
		views = append(views, view(s))
	}
	return http.StatusOK, views, nil
}

func (c *control) createSession(r *http.Request, _ map[string]string) (int, any, error) {
	var body struct {
		Name string `json:"name"`
	}
	if err := readJSON(r, &body); err != nil {
		return 0, nil, err
	}
	if body.Name == "" {
		body.Name = "s-" + strings.ToLower(newSession()[:12]) // no UUID, which a journal takes for a key
	}
	s, err := c.sessions.Create(body.Name)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusCreated, view(s), nil
}

func (c *control) getSession(_ *http.Request, vars map[string]string) (int, any, error) {
	s, err := c.session(vars)
	if err != nil {
		return 0, nil, err
	}
	s.Journal.Settle(patience)
	return http.StatusOK, view(s), nil
}

func (c *control) changeSession(r *http.Request, vars map[string]string) (int, any, error) {
	s, err := c.session(vars)
	if err != nil {
		return 0, nil, err
	}
	var body struct {
		Strict *bool `json:"strict"`
	}
	if err := readJSON(r, &body); err != nil {
		return 0, nil, err
	}
	if body.Strict != nil { // what a PATCH does not name stays
		s.SetStrict(*body.Strict)
	}
	return http.StatusOK, view(s), nil
}

func (c *control) dropSession(_ *http.Request, vars map[string]string) (int, any, error) {
	if !c.sessions.Drop(vars["session"]) {
		return 0, nil, errNoSession
	}
	c.gateway.ResetQuota(vars["session"])
	return 0, nil, nil
}

func (c *control) resetSession(_ *http.Request, vars map[string]string) (int, any, error) {
	s, err := c.session(vars)
	if err == nil {
		s.Journal.Settle(patience)
		err = s.Reset()
		c.gateway.ResetQuota(s.Name)
	}
	return 0, nil, err
}

func (c *control) listActive(r *http.Request, vars map[string]string) (int, any, error) {
	s, err := c.session(vars)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, s.Active.List(scopeWords(r)), nil
}

func (c *control) startIncident(r *http.Request, vars map[string]string) (int, any, error) {
	s, err := c.session(vars)
	if err != nil {
		return 0, nil, err
	}
	var body struct {
		Scope string `json:"scope"`
	}
	if err := readJSON(r, &body); err != nil {
		return 0, nil, err
	}
	if err := s.Active.Start(vars["incident"], body.Scope); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, s.Active.List(scopeWords(r)), nil
}

func (c *control) stopIncident(_ *http.Request, vars map[string]string) (int, any, error) {
	s, err := c.session(vars)
	if err != nil {
		return 0, nil, err
	}
	name := vars["incident"]
	if _, known := rehearse.Lookup(name); !known {
		return 0, nil, rehearse.Unknown{Name: name}
	}
	s.Active.Stop(name)
	return 0, nil, nil
}

// putResources checks all resources before it takes the first.
func (c *control) putResources(r *http.Request, vars map[string]string) (int, any, error) {
	s, err := c.session(vars)
	if err != nil {
		return 0, nil, err
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return 0, nil, err
	}
	changes, err := c.changes(string(text))
	if err != nil {
		return 0, nil, err
	}
	s.Store.Apply(changes...)
	return http.StatusOK, map[string]any{"resources": len(changes), "revision": s.Store.Current().Revision}, nil
}

func (c *control) changes(text string) ([]store.Change, error) {
	if node, err := fhir.ParseString(text); err == nil && node.Kind() == fhir.Object {
		change, err := c.change(node, text)
		return []store.Change{change}, err
	}
	var changes []store.Change
	var errs []error
	line := 0
	for text := range strings.Lines(text) {
		line++
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		node, err := fhir.ParseString(text)
		var change store.Change
		if err == nil {
			change, err = c.change(node, text)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("line %d: %w", line, err))
			continue
		}
		changes = append(changes, change)
	}
	if len(changes) == 0 && len(errs) == 0 {
		errs = append(errs, errors.New("the body has no resource"))
	}
	return changes, errors.Join(errs...)
}

func (c *control) change(resource *fhir.Node, text string) (store.Change, error) {
	typ, id := resource.Get("resourceType").Str(), resource.Get("id").Str()
	switch {
	case c.set.Table.Type(typ) == nil:
		return store.Change{}, fmt.Errorf("resourceType %q is not served", typ)
	case id == "" || len(id) > 64 || strings.Trim(id, unreserved) != "":
		return store.Change{}, errors.New("an id is 1 to 64 letters, digits, dots, dashes and underscores")
	}
	return store.Change{Type: typ, ID: id, JSON: text}, nil
}

func (c *control) deleteResource(_ *http.Request, vars map[string]string) (int, any, error) {
	s, err := c.session(vars)
	if err != nil {
		return 0, nil, err
	}
	if _, found := s.Store.Current().Get(vars["type"], vars["id"]); !found {
		return 0, nil, errNoResource
	}
	s.Store.Apply(store.Change{Type: vars["type"], ID: vars["id"]})
	return 0, nil, nil
}

func (c *control) readJournal(r *http.Request, vars map[string]string) (int, any, error) {
	s, err := c.session(vars)
	if err != nil {
		return 0, nil, err
	}
	filter, err := journalFilter(r.URL.Query())
	if err != nil {
		return 0, nil, err
	}
	s.Journal.Settle(patience)
	return http.StatusOK, s.Journal.Entries(filter), nil
}

func journalFilter(q url.Values) (rehearse.Filter, error) {
	names := make([]string, len(journalQuery))
	for i, p := range journalQuery {
		names[i] = p.Name
	}
	for _, name := range slices.Sorted(maps.Keys(q)) {
		if !slices.Contains(names, name) {
			return rehearse.Filter{}, fmt.Errorf("a journal has no filter %q; there are %s", name, strings.Join(names, ", "))
		}
	}
	f := rehearse.Filter{
		Method: q.Get("method"), Path: q.Get("path"), Query: q.Get("query"), Text: q.Get("text"), Incident: q.Get("incident"),
	}
	var errs [3]error
	number := func(i int, name string) (n int64) {
		if text := q.Get(name); text != "" {
			if n, errs[i] = strconv.ParseInt(text, 10, 64); errs[i] != nil || n < 0 {
				errs[i] = fmt.Errorf("%s=%q is no number from 0", name, text)
			}
		}
		return n
	}
	f.Status, f.Since, f.Limit = int(number(0, "status")), number(1, "since"), int(number(2, "limit"))
	return f, errors.Join(errs[:]...)
}

// patience is how long a look at the journal waits for calls under way. More
// would not do for those that an incident keeps waiting.
const patience = 200 * time.Millisecond

func (c *control) clearJournal(_ *http.Request, vars map[string]string) (int, any, error) {
	s, err := c.session(vars)
	if err == nil {
		s.Journal.Settle(patience)
		s.Journal.Clear()
	}
	return 0, nil, err
}

func (c *control) verify(r *http.Request, vars map[string]string) (int, any, error) {
	s, err := c.session(vars)
	if err != nil {
		return 0, nil, err
	}
	var expected rehearse.Expectation
	if err := readJSON(r, &expected); err != nil {
		return 0, nil, err
	}
	if expected.Limit != 0 {
		return 0, nil, errors.New("an expectation counts all calls: leave out limit")
	}
	s.Journal.Settle(patience)
	return http.StatusOK, s.Journal.Verify(expected), nil
}

// streamJournal sends the calls of a session as they happen, as server-sent
// events.
func (c *control) streamJournal(w http.ResponseWriter, r *http.Request) {
	s, err := c.session(mux.Vars(r))
	if err != nil {
		refuseControl(w, statusOf(err), err)
		return
	}
	entries, stop := s.Journal.Watch()
	defer stop()
	flush := http.NewResponseController(w)
	_ = flush.SetWriteDeadline(time.Time{}) // as long as somebody looks
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	_ = flush.Flush()
	for {
		select {
		case <-r.Context().Done():
			return
		case e, more := <-entries:
			if !more {
				return // the session was dropped
			}
			text, err := json.Marshal(e)
			if err != nil {
				return
			}
			if _, err := fmt.Fprintf(w, "data: %s\n\n", text); err != nil {
				return
			}
			if flush.Flush() != nil {
				return
			}
		}
	}
}

func (c *control) stopIncidents(_ *http.Request, vars map[string]string) (int, any, error) {
	s, err := c.session(vars)
	if err == nil {
		s.Active.Clear()
	}
	return 0, nil, err
}

// incidentView is an incident as JSON.
type incidentView struct {
	Name     string `json:"name"`
	Event    string `json:"event,omitempty"`
	Happened string `json:"happened"`
	Mistake  string `json:"mistake"`
	Source   string `json:"source"`
	Scope    string `json:"scope"`
	Key      string `json:"key"`
}

func (c *control) listIncidents(r *http.Request, _ map[string]string) (int, any, error) {
	views := []incidentView{}
	for _, i := range rehearse.Incidents() {
		story := i.English()
		if french(r) {
			story = i.French
		}
		views = append(views, incidentView{i.Name, i.Event, story.Happened, story.Mistake, story.Source, scopeWords(r)(i.Scope), incidentKey + i.Name})
	}
	return http.StatusOK, views, nil
}
