package gateway

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// isPreflight is Gravitee's definition: OPTIONS with both headers (§4.2).
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" &&
		r.Header.Get("Access-Control-Request-Method") != ""
}

func (c *CORS) allows(origin string) bool {
	return slices.Contains(c.Origins, "*") || slices.Contains(c.Origins, origin)
}

// answer is the end of a preflight: allowed, or refused without a word.
func (c *CORS) answer(r *http.Request) Fault {
	if !c.allows(r.Header.Get("Origin")) || !slices.Contains(c.Methods, r.Header.Get("Access-Control-Request-Method")) {
		return preflightBad
	}
	for _, line := range r.Header["Access-Control-Request-Headers"] {
		for name := range strings.SplitSeq(line, ",") {
			name = strings.TrimSpace(name)
			known := func(h string) bool { return h == "*" || strings.EqualFold(h, name) }
			if name != "" && !slices.ContainsFunc(c.Headers, known) {
				return preflightBad
			}
		}
	}
	return preflightOK
}

// preflight adds the headers of an allowed preflight.
func (c *CORS) preflight(e Engine, r *http.Request, f Fault, h http.Header) {
	if c == nil || f != preflightOK {
		return
	}
	c.allow(e, r.Header.Get("Origin"), h)
	h["Access-Control-Allow-Methods"] = []string{strings.Join(c.Methods, ", ")}
	if len(c.Headers) > 0 {
		h["Access-Control-Allow-Headers"] = []string{strings.Join(c.Headers, ", ")}
	}
	if c.MaxAge > -1 {
		h["Access-Control-Max-Age"] = []string{strconv.Itoa(c.MaxAge)}
	}
}

// simple makes the headers of any other response the gateway's: the backend's
// own are dropped, and an allowed origin gets ours.
func (c *CORS) simple(e Engine, r *http.Request, h http.Header) {
	if c == nil {
		return
	}
	for name := range h {
		if strings.HasPrefix(name, "Access-Control-") {
			delete(h, name)
		}
	}
	origin := r.Header.Get("Origin")
	if origin == "" || !c.allows(origin) {
		return
	}
	c.allow(e, origin, h)
	if len(c.Expose) > 0 {
		h["Access-Control-Expose-Headers"] = []string{strings.Join(c.Expose, ", ")}
	}
}

// allow names the origin: V3 says "*" unless credentials are at stake.
func (c *CORS) allow(e Engine, origin string, h http.Header) {
	if e == V3 && !c.Credentials {
		origin = "*"
	}
	h["Access-Control-Allow-Origin"] = []string{origin}
	if c.Credentials {
		h["Access-Control-Allow-Credentials"] = []string{"true"}
	}
}
