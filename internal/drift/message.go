package drift

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// request is what a client asks, as it was written.
type request struct {
	method, path, query string
	header              http.Header
	body                string
}

func newRequest(r *http.Request, body []byte) *request {
	header := r.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	return &request{method: r.Method, path: r.URL.EscapedPath(), query: r.URL.RawQuery, header: header, body: string(body)}
}

func (r *request) clone() *request {
	c := *r
	c.header = r.header.Clone()
	return &c
}

// rest is the path below the base, /fhir/v2 or the unversioned /fhir.
func (r *request) rest() string {
	return versionedBase.ReplaceAllString(r.path, "")
}

var versionedBase = regexp.MustCompile(`^/fhir(/v[0-9]+)?`)

// criteria are the parameters of the query, or of the body of a POST search,
// as they were written.
func (r *request) criteria() []string {
	text := r.query
	if r.isPostSearch() {
		text = r.body
	}
	return strings.FieldsFunc(text, func(c rune) bool { return c == '&' })
}

func (r *request) setCriteria(list []string) {
	if r.isPostSearch() {
		r.body = strings.Join(list, "&")
	} else {
		r.query = strings.Join(list, "&")
	}
}

func (r *request) isPostSearch() bool {
	return r.method == http.MethodPost && strings.HasSuffix(r.path, "/_search")
}

// split decodes a criterion.
func split(criterion string) (name, value string) {
	name, value, _ = strings.Cut(criterion, "=")
	return unescape(name), unescape(value)
}

func unescape(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}

// param returns the values of a parameter, whatever its modifier.
func (r *request) param(name string) (values []string, found bool) {
	for _, c := range r.criteria() {
		n, v := split(c)
		if bare, _, _ := strings.Cut(n, ":"); n == name || bare == name {
			values, found = append(values, v), true
		}
	}
	return values, found
}

// setParam replaces a parameter, or adds it.
func (r *request) setParam(name, value string) {
	kept := r.without(func(n string) bool { return n == name })
	r.setCriteria(append(kept, name+"="+value))
}

func (r *request) without(drop func(name string) bool) []string {
	var kept []string
	for _, c := range r.criteria() {
		if name, _ := split(c); !drop(name) {
			kept = append(kept, c)
		}
	}
	return kept
}

// types are the resources of the directory.
var types = []string{"Practitioner", "PractitionerRole", "Organization", "HealthcareService", "Device"}

// searched is the type a search is about, "" for anything else.
func (r *request) searched() string {
	name := strings.TrimSuffix(strings.TrimPrefix(r.rest(), "/"), "/_search")
	if strings.Contains(name, "/") || name == "metadata" || name == "_page" {
		return ""
	}
	return name
}

// readID are the type and id of a read.
func (r *request) readID() (typ, id string, ok bool) {
	parts := strings.Split(strings.Trim(r.rest(), "/"), "/")
	if len(parts) != 2 || strings.HasPrefix(parts[1], "_") || parts[0] == "metadata" {
		return "", "", false
	}
	return parts[0], parts[1], true
}

func (r *request) isMetadata() bool { return strings.HasPrefix(r.rest(), "/metadata") }

// pageID is the token of a request for a next page.
func (r *request) pageID() string {
	if !strings.HasPrefix(r.rest(), "/_page") {
		return ""
	}
	values, _ := r.param("id")
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// response is an answer, whole.
type response struct {
	status int
	header http.Header
	body   []byte
}

func (r *response) clone() *response {
	return &response{status: r.status, header: r.header.Clone(), body: r.body}
}
