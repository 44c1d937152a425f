// Package portal is the small part of Gravitee's developer portal API that
// people script against: applications, subscriptions and keys
// (gravitee.md §6). It is for those who want to rehearse the renewal or the
// revocation of a key: what is done here shows at the gateway.
//
// # Simplifications
//
// There is one account, and everybody's: any user name with any password logs
// in and sees everything. Keys are exclusive to a subscription, as on ANS's
// portal; the shared mode is left out, and so is registering a user.
package portal

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/mockfhir/mockfhir/internal/gateway"
)

// Base is the path everything lies under.
const Base = "/portal/environments/DEFAULT"

const (
	maxBody = 64 << 10
	maxText = 1024 // of a name, a description, a request
)

type portal struct {
	keys   *gateway.Keys
	tokens tokens
}

// New returns the portal of a registry of keys.
func New(keys *gateway.Keys) http.Handler {
	p := &portal{keys: keys, tokens: newTokens(keys.Now)}
	mux := http.NewServeMux()
	for pattern, h := range map[string]handler{
		"POST /auth/login":                                      p.login,
		"POST /auth/logout":                                     p.logout,
		"GET /apis":                                             p.member(p.listAPIs),
		"GET /apis/{api}":                                       p.member(p.getAPI),
		"GET /apis/{api}/plans":                                 p.member(p.listPlans),
		"GET /applications":                                     p.member(p.listApplications),
		"POST /applications":                                    p.member(p.createApplication),
		"GET /applications/{application}":                       p.member(p.getApplication),
		"PUT /applications/{application}":                       p.member(p.updateApplication),
		"DELETE /applications/{application}":                    p.member(p.deleteApplication),
		"GET /subscriptions":                                    p.member(p.listSubscriptions),
		"POST /subscriptions":                                   p.member(p.subscribe),
		"GET /subscriptions/{subscription}":                     p.member(p.getSubscription),
		"POST /subscriptions/{subscription}/_close":             p.member(p.closeSubscription),
		"POST /subscriptions/{subscription}/keys/_renew":        p.member(p.renew),
		"POST /subscriptions/{subscription}/keys/{key}/_revoke": p.member(p.revoke),

		// What a client may change of a subscription is the configuration of
		// a push plan, and this API has no such plan.
		"PUT /subscriptions/{subscription}": p.member(p.getSubscription),
	} {
		method, path, _ := strings.Cut(pattern, " ")
		mux.Handle(method+" "+Base+path, h)
	}
	mux.Handle("/", handler(func(*http.Request, http.Header) (int, any, error) {
		return 0, nil, refuse(http.StatusNotFound, "notFound", "Not Found")
	}))
	return mux
}

// handler answers with a status and a body, nil for none, or with an error.
type handler func(*http.Request, http.Header) (status int, body any, err error)

// ServeHTTP is the one place where the portal writes.
func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	status, body, err := h(r, w.Header())
	if err != nil {
		var why *gateway.Refusal
		if !errors.As(err, &why) {
			why = refuse(http.StatusInternalServerError, "unexpected", "Internal Server Error")
		}
		status, body = why.Status, errorsOf(why)
	}
	w.Header().Set("Cache-Control", "no-store") // there are keys in it
	if body == nil {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(body)
}

// member lets only those in who have logged in.
func (p *portal) member(h handler) handler {
	return func(r *http.Request, out http.Header) (int, any, error) {
		if _, ok := p.tokens.user(r); !ok {
			return 0, nil, errUnauthenticated
		}
		return h(r, out)
	}
}

var errUnauthenticated = refuse(http.StatusUnauthorized, "unauthorized", "You must be authenticated to access this resource")

func refuse(status int, code, message string) *gateway.Refusal {
	return &gateway.Refusal{Status: status, Code: "errors." + code, Message: message}
}

// read decodes the body of a request. Asking for JSON by name keeps web pages
// of other origins from posting forms here.
func read(r *http.Request, into any) error {
	if mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); mediaType != "application/json" {
		return refuse(http.StatusUnsupportedMediaType, "unsupportedMediaType", "HTTP 415 Unsupported Media Type")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return refuse(http.StatusRequestEntityTooLarge, "tooLarge", "The request is larger than the server is willing or able to process.")
	}
	if json.Unmarshal(body, into) != nil {
		return refuse(http.StatusBadRequest, "validation", "The body is not the JSON object that is expected.")
	}
	return nil
}

func (p *portal) login(r *http.Request, out http.Header) (int, any, error) {
	user, password, ok := r.BasicAuth()
	if !ok || user == "" || password == "" || len(user) > maxText {
		return 0, nil, errUnauthenticated
	}
	token := p.tokens.issue(user)
	out.Add("Set-Cookie", cookie("Bearer%20"+token, tokenLife))
	return http.StatusOK, map[string]string{"token_type": "BEARER", "token": token}, nil
}

func (p *portal) logout(_ *http.Request, out http.Header) (int, any, error) {
	out.Add("Set-Cookie", cookie("", 0))
	return http.StatusOK, nil, nil
}

func (p *portal) listAPIs(r *http.Request, _ http.Header) (int, any, error) {
	return listOf(r, each(p.keys.APIs(), apiOf))
}

func (p *portal) getAPI(r *http.Request, _ http.Header) (int, any, error) {
	a, err := p.api(r)
	return http.StatusOK, apiOf(a), err
}

func (p *portal) listPlans(r *http.Request, _ http.Header) (int, any, error) {
	a, err := p.api(r)
	if err != nil {
		return 0, nil, err
	}
	return listOf(r, each(p.keys.Plans(a.ID), planOf))
}

func (p *portal) api(r *http.Request) (gateway.API, error) {
	for _, a := range p.keys.APIs() {
		if a.ID == r.PathValue("api") {
			return a, nil
		}
	}
	return gateway.API{}, refuse(http.StatusNotFound, "api.notFound", "Api ["+r.PathValue("api")+"] cannot be found.")
}

func (p *portal) listApplications(r *http.Request, _ http.Header) (int, any, error) {
	return listOf(r, each(p.keys.Applications(), applicationOf))
}

func (p *portal) getApplication(r *http.Request, _ http.Header) (int, any, error) {
	app, err := p.keys.Application(r.PathValue("application"))
	return http.StatusOK, applicationOf(app), err
}

// applicationInput is what a client says of an application.
type applicationInput struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

func readApplication(r *http.Request) (in applicationInput, err error) {
	if err := read(r, &in); err != nil {
		return in, err
	}
	if in.Name == "" || len(in.Name) > maxText || len(in.Description) > maxText {
		return in, refuse(http.StatusBadRequest, "validation", "An application has a name, of at most "+strconv.Itoa(maxText)+" bytes like its description.")
	}
	return in, nil
}

func (p *portal) createApplication(r *http.Request, _ http.Header) (int, any, error) {
	in, err := readApplication(r)
	if err != nil {
		return 0, nil, err
	}
	app, err := p.keys.CreateApplication(in.Name, in.Description)
	return http.StatusCreated, applicationOf(app), err
}

func (p *portal) updateApplication(r *http.Request, _ http.Header) (int, any, error) {
	in, err := readApplication(r)
	if err != nil {
		return 0, nil, err
	}
	app, err := p.keys.UpdateApplication(r.PathValue("application"), in.Name, in.Description)
	return http.StatusOK, applicationOf(app), err
}

func (p *portal) deleteApplication(r *http.Request, _ http.Header) (int, any, error) {
	return http.StatusNoContent, nil, p.keys.DeleteApplication(r.PathValue("application"))
}

func (p *portal) listSubscriptions(r *http.Request, _ http.Header) (int, any, error) {
	q := r.URL.Query()
	api, application := q.Get("apiId"), q.Get("applicationId")
	if api == "" && application == "" {
		return 0, nil, refuse(http.StatusBadRequest, "validation", "At least an api or an application must be specified.")
	}
	var statuses []string
	for _, value := range q["statuses"] {
		statuses = append(statuses, strings.Split(value, ",")...)
	}
	found := p.keys.Subscriptions(func(s gateway.Subscription) bool {
		return (api == "" || s.API == api) &&
			(application == "" || s.Application == application) &&
			(len(statuses) == 0 || slices.Contains(statuses, string(s.Status)))
	})
	return listOf(r, each(found, func(s gateway.Subscription) subscriptionJSON { return subscriptionOf(s, nil) }))
}

func (p *portal) subscribe(r *http.Request, _ http.Header) (int, any, error) {
	var in struct {
		Application string `json:"application"`
		Plan        string `json:"plan"`
		Request     string `json:"request"`
	}
	if err := read(r, &in); err != nil {
		return 0, nil, err
	}
	if len(in.Request) > maxText {
		return 0, nil, refuse(http.StatusBadRequest, "validation", "The request is longer than "+strconv.Itoa(maxText)+" bytes.")
	}
	user, _ := p.tokens.user(r)
	made, err := p.keys.Subscribe(in.Application, in.Plan, in.Request, user)
	if err != nil {
		return 0, nil, err
	}
	return p.subscription(made.ID, true)
}

func (p *portal) getSubscription(r *http.Request, _ http.Header) (int, any, error) {
	withKeys := slices.Contains(strings.Split(strings.Join(r.URL.Query()["include"], ","), ","), "keys")
	return p.subscription(r.PathValue("subscription"), withKeys)
}

func (p *portal) subscription(id string, withKeys bool) (int, any, error) {
	s, keys, err := p.keys.Subscription(id)
	if err != nil {
		return 0, nil, err
	}
	if !withKeys {
		keys = nil
	}
	return http.StatusOK, subscriptionOf(s, each(keys, p.keyOf)), nil
}

func (p *portal) closeSubscription(r *http.Request, _ http.Header) (int, any, error) {
	return http.StatusNoContent, nil, p.keys.Close(r.PathValue("subscription"))
}

func (p *portal) renew(r *http.Request, _ http.Header) (int, any, error) {
	key, err := p.keys.Renew(r.PathValue("subscription"))
	return http.StatusCreated, p.keyOf(key), err
}

func (p *portal) revoke(r *http.Request, _ http.Header) (int, any, error) {
	return http.StatusNoContent, nil, p.keys.Revoke(r.PathValue("subscription"), r.PathValue("key"))
}
