package control

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// SessionHeader names the session of a call, for clients that keep a key of
// their own.
const SessionHeader = "X-Mockfhir-Session"

// Session is a world of its own on a mock: its directory, its incidents, its
// journal, its quotas.
type Session struct {
	Name string
	// Key is accepted by the mock, and makes a call belong to the session. It
	// is "" in the default session, to which all other calls belong.
	Key string

	client *Client
}

// Default is the session of the calls that name none.
func (c *Client) Default() *Session { return &Session{Name: "default", client: c} }

// Session is one that exists already. No call is made.
func (c *Client) Session(name string) *Session {
	if name == "default" {
		return c.Default()
	}
	return &Session{Name: name, Key: "mock-session-" + name, client: c}
}

// NewSession makes a session that starts with the directory as it was loaded.
// The mock chooses a name when none is given.
func (c *Client) NewSession(ctx context.Context, name string) (*Session, error) {
	var made Info
	if err := c.call(ctx, http.MethodPost, []string{"sessions"}, nil, map[string]string{"name": name}, &made); err != nil {
		return nil, err
	}
	return &Session{made.Name, made.Key, c}, nil
}

// Info is what a mock tells of a session.
type Info struct {
	Name      string    `json:"name"`
	Key       string    `json:"key,omitempty"`
	Strict    bool      `json:"strict"` // recorded exchanges alone are answered
	Incidents []Running `json:"incidents"`
	Calls     int       `json:"calls"`    // in the journal
	Revision  int64     `json:"revision"` // changes of the directory
}

// Running is an incident that is on.
type Running struct {
	Name  string    `json:"name"`
	Scope string    `json:"scope"`
	Since time.Time `json:"since"`
	Calls int       `json:"calls"` // it touched so far
}

// Sessions lists the sessions of the mock.
func (c *Client) Sessions(ctx context.Context) (list []Info, err error) {
	return list, c.call(ctx, http.MethodGet, []string{"sessions"}, nil, nil, &list)
}

// HTTP is an http.Client whose calls belong to the session, whatever their key.
func (s *Session) HTTP() *http.Client {
	client := *s.client.http
	client.Transport = member{s.Name, client.Transport}
	return &client
}

// member marks calls as those of a session.
type member struct {
	session string
	next    http.RoundTripper
}

func (m member) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set(SessionHeader, m.session)
	next := m.next
	if next == nil {
		next = http.DefaultTransport
	}
	return next.RoundTrip(r)
}

func (s *Session) call(ctx context.Context, method string, path []string, query url.Values, in, out any) error {
	return s.client.call(ctx, method, append([]string{"sessions", s.Name}, path...), query, in, out)
}

// Info asks how the session stands.
func (s *Session) Info(ctx context.Context) (info Info, err error) {
	return info, s.call(ctx, http.MethodGet, nil, nil, nil, &info)
}

// Strict answers recorded exchanges alone, or everything again. What no
// exchange matches is then a 404 that names the nearest.
func (s *Session) Strict(ctx context.Context, strict bool) error {
	return s.call(ctx, http.MethodPatch, nil, nil, map[string]bool{"strict": strict}, nil)
}

// Reset takes the session back to its start: changes, incidents, journal and
// quota are forgotten.
func (s *Session) Reset(ctx context.Context) error {
	return s.call(ctx, http.MethodPost, []string{"reset"}, nil, nil, nil)
}

// Drop ends the session.
func (s *Session) Drop(ctx context.Context) error {
	return s.call(ctx, http.MethodDelete, nil, nil, nil, nil)
}

// Start turns an incident on, or anew. scope changes the calls it touches:
// "share=0.25, path=Practitioner, after=3, for=10s"; "" leaves its own.
func (s *Session) Start(ctx context.Context, incident, scope string) error {
	return s.call(ctx, http.MethodPut, []string{"incidents", incident}, nil, map[string]string{"scope": scope}, nil)
}

// Stop turns an incident off.
func (s *Session) Stop(ctx context.Context, incident string) error {
	return s.call(ctx, http.MethodDelete, []string{"incidents", incident}, nil, nil, nil)
}

// StopAll turns all incidents off.
func (s *Session) StopAll(ctx context.Context) error {
	return s.call(ctx, http.MethodDelete, []string{"incidents"}, nil, nil, nil)
}

// Incidents lists those that are on.
func (s *Session) Incidents(ctx context.Context) (list []Running, err error) {
	return list, s.call(ctx, http.MethodGet, []string{"incidents"}, nil, nil, &list)
}

// Put adds resources, or replaces those of the same type and id, all at once:
// each a FHIR resource as JSON.
func (s *Session) Put(ctx context.Context, resources ...string) error {
	if len(resources) == 1 {
		return s.call(ctx, http.MethodPut, []string{"resources"}, nil, resources[0], nil)
	}
	lines := make([]string, len(resources))
	for i, r := range resources {
		lines[i] = strings.NewReplacer("\r", " ", "\n", " ").Replace(r) // no string of JSON holds them
	}
	return s.call(ctx, http.MethodPut, []string{"resources"}, nil, strings.Join(lines, "\n"), nil)
}

// Remove takes a resource out of the directory.
func (s *Session) Remove(ctx context.Context, typ, id string) error {
	return s.call(ctx, http.MethodDelete, []string{"resources", typ, id}, nil, nil, nil)
}

// Call is one call in a journal. No key is ever in it.
type Call struct {
	ID        int64             `json:"id"`      // in the order in which calls ended
	Arrived   int64             `json:"arrived"` // in the order in which they came
	Time      time.Time         `json:"time"`
	Session   string            `json:"session"`
	Method    string            `json:"method"`
	Target    string            `json:"target"` // path and query as they were sent
	Request   map[string]string `json:"request,omitempty"`
	Body      string            `json:"body,omitempty"`
	Status    int               `json:"status"` // 0 when the connection was cut
	Took      time.Duration     `json:"took"`
	Response  map[string]string `json:"response,omitempty"`
	Answer    string            `json:"answer,omitempty"` // or its beginning
	Size      int64             `json:"size"`             // of the whole answer
	Why       string            `json:"why,omitempty"`    // what made the answer
	Incidents []string          `json:"incidents,omitempty"`
}

// Filter chooses calls. The zero Filter chooses all.
type Filter struct {
	Method   string `json:"method,omitempty"`
	Path     string `json:"path,omitempty"`     // beginning of the target
	Query    string `json:"query,omitempty"`    // text in the query
	Text     string `json:"text,omitempty"`     // text in target, bodies or why
	Incident string `json:"incident,omitempty"` // that touched the call
	Status   int    `json:"status,omitempty"`   // 404, or 4 for all of them
	Since    int64  `json:"since,omitempty"`    // calls after this id
}

// Journal returns the calls that a filter wants, oldest first.
func (s *Session) Journal(ctx context.Context, f Filter) (calls []Call, err error) {
	q := url.Values{}
	for name, value := range map[string]string{
		"method": f.Method, "path": f.Path, "query": f.Query, "text": f.Text, "incident": f.Incident,
		"status": number(int64(f.Status)), "since": number(f.Since),
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return calls, s.call(ctx, http.MethodGet, []string{"journal"}, q, nil, &calls)
}

func number(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// ClearJournal forgets the calls so far.
func (s *Session) ClearJournal(ctx context.Context) error {
	return s.call(ctx, http.MethodDelete, []string{"journal"}, nil, nil, nil)
}
