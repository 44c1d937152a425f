package gateway

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// A Fault is an answer the gateway makes up itself: a status, a text, and the
// place in Gravitee that ends the request, which decides the headers and
// whether the connection stays open (gravitee.md §1.1, §3.3, §4.1). The zero
// Fault is none. A Fault is an error, so that a backend can panic with it.
type Fault struct {
	status  int
	message string
	chain   chain
	seen    *SeenRefusal // in a recording, in place of the message
	spent   bool         // the quota of the call, as if it were used up
}

// chain is the part of Gravitee's pipeline that an answer leaves by.
type chain uint8

const (
	onError     chain = iota // a failed policy: the error processors
	onConnector              // the same without a body; V4 then streams nothing, chunked
	onResponse               // as if the backend had answered
	onInvoker                // ended where no endpoint was found: V3 skips every processor
	onReactor                // before any API: routing
	onPreflight              // the end of a CORS preflight
	onParser                 // before Gravitee: the HTTP stack
)

// What the gateway says when the backend does not (gravitee.md §3.3).
var (
	// RequestTimeout is (a): the whole request took more than 30 seconds.
	RequestTimeout = Fault{status: http.StatusGatewayTimeout, message: "Request timeout"}
	// EndpointTimeout is (b): the backend did not accept within 5 seconds, or
	// did not answer within 10.
	EndpointTimeout = Fault{status: http.StatusGatewayTimeout, chain: onConnector}
	// EndpointFailure is (c): refused, reset, no TLS, no such host.
	EndpointFailure = Fault{status: http.StatusBadGateway, chain: onConnector}
	// FailoverExhausted is (d): every attempt failed, or the circuit is open.
	FailoverExhausted = Fault{status: http.StatusBadGateway, chain: onResponse}
	// NoEndpoint is (e): every backend is marked down.
	NoEndpoint = Fault{status: http.StatusServiceUnavailable, chain: onInvoker}
	// BadTarget is (f): the address of the backend cannot be parsed.
	BadTarget = Fault{status: http.StatusBadRequest, chain: onInvoker}
)

// What the gateway says before or instead of calling the backend.
var (
	// NoContextPath is the lost route of issue #353 (gravitee.md §3.1).
	NoContextPath = Fault{status: http.StatusNotFound, message: "No context-path matches the request URI.", chain: onReactor}
	// Unauthorized is any key that opens nothing, and none (§1.2).
	Unauthorized = Fault{status: http.StatusUnauthorized, message: "Unauthorized"}
	// NotAllowed is the keyless plan's answer to everything but its one path.
	NotAllowed = Fault{status: http.StatusForbidden, message: "You're not allowed to access this resource"}
	// MethodNotAllowed comes from a filter that knows the path, not the method.
	MethodNotAllowed = Fault{status: http.StatusMethodNotAllowed, message: "Method not allowed while accessing this resource"}
	// TooManyRequests is the 429 of the quota that the call is counted in.
	TooManyRequests = Fault{status: http.StatusTooManyRequests, spent: true}
	// PlanResolution is V4's answer when it cannot read its own plans (§1.2).
	PlanResolution = Fault{status: http.StatusServiceUnavailable, message: "Temporarily Unavailable"}

	uriTooLong     = Fault{status: http.StatusRequestURITooLong, chain: onParser}
	headerTooLarge = Fault{status: http.StatusRequestHeaderFieldsTooLarge, chain: onParser}
	preflightOK    = Fault{status: http.StatusOK, chain: onPreflight}
	preflightBad   = Fault{status: http.StatusBadRequest, chain: onPreflight}
	// expired320 is the policy's own text up to APIM 3.20 (§1.3).
	expired320 = Fault{status: http.StatusUnauthorized, message: "API Key is not valid or is expired / revoked."}
)

// PolicyFailure is the answer of a policy that refuses with a status and a
// text; an empty text is an answer without body (gravitee.md §1.1).
func PolicyFailure(status int, message string) Fault {
	return Fault{status: status, message: message}
}

func (r Rate) fault(legacy bool) Fault {
	return Fault{status: http.StatusTooManyRequests, message: r.message(legacy)}
}

// BeforeKeys says whether the fault comes before a key is looked at (§7): a route
// that is lost, and keys that are all refused.
func (f Fault) BeforeKeys() bool {
	return f.chain == onReactor || f.status == http.StatusUnauthorized
}

// Status is the status code the fault answers.
func (f Fault) Status() int { return f.status }

// Error is the text of the answer, or the reason phrase when it has none.
func (f Fault) Error() string {
	if f.message != "" {
		return "gateway: " + f.message
	}
	return "gateway: " + strconv.Itoa(f.status) + " " + http.StatusText(f.status)
}

// closes says whether the connection ends with the answer.
func (g *Gateway) closes(f Fault) bool {
	switch f.chain {
	case onParser:
		return true
	case onReactor: // §3.1: only the dispatcher of 3.x closes
		return g.legacy() && g.cfg.Engine == V3
	case onResponse, onPreflight:
		return false
	case onInvoker:
		return g.cfg.Engine == V4 && f.status/100 != 4
	default:
		return g.cfg.Engine == V3 || f.status/100 != 4
	}
}

// identifies says whether the answer carries the X-Gravitee ids (§4.1).
func (g *Gateway) identifies(f Fault) bool {
	switch f.chain {
	case onParser, onReactor:
		return false
	case onResponse:
		return true
	default:
		return g.cfg.Engine == V4
	}
}

// write is the one place where the gateway's own answers reach the wire.
func (g *Gateway) write(ex *exchange, r *http.Request, f Fault) {
	h := ex.ResponseWriter.Header()
	clear(h) // what a backend had prepared before it failed
	h["Date"] = nil
	if g.closes(f) && r.ProtoMajor == 1 {
		h["Connection"] = []string{"close"}
	}
	if g.identifies(f) {
		g.addIDs(ex, h)
	}
	ex.addRate(h)
	switch {
	case f.chain == onPreflight:
		g.cfg.CORS.preflight(g.cfg.Engine, r, f, h)
	case f.chain == onReactor || f.chain == onParser || f.chain == onInvoker && g.cfg.Engine == V3:
	default:
		g.cfg.CORS.simple(g.cfg.Engine, r, h)
	}

	ex.wrote = true
	if f.seen != nil {
		f.seen.write(ex.ResponseWriter, r)
		return
	}
	if f.message == "" {
		if f.chain == onConnector && g.cfg.Engine == V4 { // InvokerAdapter.java:107
			ex.ResponseWriter.WriteHeader(f.status)
			_ = http.NewResponseController(ex.ResponseWriter).Flush()
			return
		}
		h["Content-Length"] = []string{"0"}
		ex.ResponseWriter.WriteHeader(f.status)
		return
	}
	body, mediaType := []byte(f.message), "text/plain"
	if f.chain != onReactor && g.wantsJSON(r.Header["Accept"]) {
		body, mediaType = f.json(), "application/json"
	}
	h["Content-Type"] = []string{mediaType}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	ex.ResponseWriter.WriteHeader(f.status)
	if r.Method != http.MethodHead {
		_, _ = ex.ResponseWriter.Write(body)
	}
}

// refusal is the answer to a key that opens nothing: the recorded one of a
// request whose Accept says the same, or at least asks for the same body.
func (g *Gateway) refusal(r *http.Request, offered bool) Fault {
	f, accept := Unauthorized, r.Header["Accept"]
	for i := range g.cfg.Refusals {
		seen := &g.cfg.Refusals[i]
		if seen.Offered != offered || g.wantsJSON(seen.Accept) != g.wantsJSON(accept) {
			continue
		}
		if f.seen == nil || slices.Equal(seen.Accept, accept) {
			f.status, f.seen = seen.Status, seen
		}
	}
	return f
}

func (seen *SeenRefusal) write(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	maps.Copy(h, seen.Header.Clone())
	h["Content-Length"] = []string{strconv.Itoa(len(seen.Body))}
	w.WriteHeader(seen.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(seen.Body)
	}
}

// json is the failure as Jackson prints it: no space, this order.
func (f Fault) json() []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(struct {
		Message string `json:"message"`
		Status  int    `json:"http_status_code"`
	}{f.message, f.status})
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// wantsJSON decides between the two bodies of an error (gravitee.md §1.1).
func (g *Gateway) wantsJSON(accept []string) bool {
	for _, value := range accept {
		switch {
		case g.cfg.Engine == V3:
			for item := range strings.SplitSeq(value, ",") {
				mediaType, _, _ := strings.Cut(item, ";")
				mediaType = strings.TrimSpace(mediaType)
				if mediaType == "*/*" || strings.EqualFold(mediaType, "application/json") {
					return true
				}
			}
		case g.legacy(): // 3.20 with jupiter compares whole values
			if value == "application/json" || value == "*/*" {
				return true
			}
		default:
			if strings.Contains(value, "application/json") || strings.Contains(value, "*/*") {
				return true
			}
		}
	}
	return false
}
