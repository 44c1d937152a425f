package gateway

import (
	"net/http"
	"net/url"
	"strings"
)

// rawTarget is the request target as the client typed it, in origin form: an
// absolute target loses its scheme and authority (Vert.x HttpUtils.parsePath).
func rawTarget(r *http.Request) string {
	target := r.RequestURI
	if target == "" { // a request that was not read from a connection
		target = r.URL.RequestURI()
	}
	if strings.HasPrefix(target, "/") {
		return target
	}
	_, rest, ok := strings.Cut(target, "://")
	if !ok {
		return target
	}
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[i:]
	}
	return "/"
}

// split cuts a target at its first question mark.
func split(target string) (path, query string) {
	path, query, _ = strings.Cut(target, "?")
	return path, query
}

// matches says whether the path belongs to the API: case-sensitive, nothing
// decoded (gravitee.md §3.1).
func (g *Gateway) matches(path string) bool {
	rest, ok := strings.CutPrefix(path, g.cfg.ContextPath)
	return ok && (rest == "" || rest[0] == '/')
}

// lineLength is that of "GET /fhir HTTP/1.1", without its line break.
func lineLength(r *http.Request) int {
	return len(r.Method) + len(r.RequestURI) + len(r.Proto) + 2
}

// headerLength adds up the lines "Name: value", without their line breaks.
func headerLength(r *http.Request) int {
	n := 0
	if r.Host != "" {
		n += len("Host: ") + len(r.Host)
	}
	for name, values := range r.Header {
		for _, value := range values {
			n += len(name) + 2 + len(value)
		}
	}
	return n
}

// isPage recognises the pages of a search: /_page as the last segment, or as
// the one after the version; in version 1, the base itself.
func (g *Gateway) isPage(path string) bool {
	if strings.HasSuffix(path, "/_page") {
		return true
	}
	rest, ok := strings.CutPrefix(path, g.cfg.ContextPath)
	if rest == "/v1" {
		return ok
	}
	return ok && strings.HasPrefix(afterVersion(rest), "/_page")
}

// afterVersion drops a first segment "/v" with at most two digits, as the
// path pattern published by ANS does (ans-server.md §1.4).
func afterVersion(path string) string {
	rest, ok := strings.CutPrefix(path, "/v")
	if !ok {
		return path
	}
	for n := 0; n < 2 && rest != "" && '0' <= rest[0] && rest[0] <= '9'; n++ {
		rest = rest[1:]
	}
	if strings.HasPrefix(rest, "/") {
		return rest
	}
	return path
}

// passesFilter is the published whitelist of methods and paths, matched as
// prefixes: GET (and HEAD) \/fhir\/(v[0-9]{0,2}\/)?[a-zA-Z]{0,30}, POST the
// same followed by \/_search (ans-server.md §1.4).
func (g *Gateway) passesFilter(method, path string) bool {
	switch method {
	case http.MethodGet, http.MethodHead:
		return true
	case http.MethodPost:
		rest := strings.TrimPrefix(path, g.cfg.ContextPath)
		return searches(rest) || searches(afterVersion(rest))
	}
	return false
}

// searches matches ^\/[a-zA-Z]{0,30}\/_search.
func searches(path string) bool {
	rest, ok := strings.CutPrefix(path, "/")
	if !ok {
		return false
	}
	letters := strings.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	return len(rest)-len(letters) <= 30 && strings.HasPrefix(letters, "/_search")
}

// param is the first value of a query parameter. Gravitee separates pieces by
// & and ;, decodes nothing and minds the case (common URIUtils.java).
func param(query, name string) (value string, found bool) {
	for piece := range pieces(query) {
		if key, value, _ := strings.Cut(piece, "="); key == name {
			return value, true
		}
	}
	return "", false
}

// pieces yields the parts of a query between separators.
func pieces(query string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for query != "" {
			piece := query
			if i := strings.IndexAny(query, "&;"); i >= 0 {
				piece, query = query[:i], query[i+1:]
			} else {
				query = ""
			}
			if !yield(piece) {
				return
			}
		}
	}
}

// without removes every piece of that name, and touches no other byte.
func without(query, name string) string {
	kept, first := make([]byte, 0, len(query)), true
	for start := 0; ; {
		end := len(query)
		if i := strings.IndexAny(query[start:], "&;"); i >= 0 {
			end = start + i
		}
		if key, _, _ := strings.Cut(query[start:end], "="); key != name {
			if !first {
				kept = append(kept, query[start-1])
			}
			kept, first = append(kept, query[start:end]...), false
		}
		if end == len(query) {
			return string(kept)
		}
		start = end + 1
	}
}

// forward is the request target without the key.
func (g *Gateway) forward(target string) string {
	path, query, found := strings.Cut(target, "?")
	if !found || g.cfg.KeyParam == "" {
		return target
	}
	if _, found := param(query, g.cfg.KeyParam); !found {
		return target
	}
	if query = without(query, g.cfg.KeyParam); query == "" {
		return path
	}
	return path + "?" + query
}

// retarget changes what a copied request asks for, in origin form.
func retarget(r *http.Request, target string) {
	r.RequestURI = target
	u := new(url.URL)
	*u = *r.URL
	u.Scheme, u.Host = "", ""
	_, u.RawQuery = split(target)
	r.URL = u
	r.Form, r.PostForm = nil, nil
}
