package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/http"

	"github.com/mockfhir/mockfhir/internal/uuid"
)

// exchange is one request on its way, and the response writer the backend
// gets: it adds the gateway's headers when the response begins.
type exchange struct {
	http.ResponseWriter
	g      *Gateway
	r      *http.Request // as the client sent it
	caller Caller
	ids    [3]string // transaction, request and client, in header form
	usage  usage
	limits *limits  // the quota that the call is counted in
	rated  *limiter // what usage is of, nil when it is not to be printed
	wrote  bool     // the response has begun
}

// begin names the exchange (TransactionPreProcessor.java:50-66): the client may
// choose the transaction, in V3 by a query parameter as well.
func (ex *exchange) begin(query string) {
	request := uuid.New()
	transaction := request
	if sent := ex.r.Header["X-Gravitee-Transaction-Id"]; len(sent) > 0 {
		transaction = sent[0]
	} else if ex.g.cfg.Engine == V3 && query != "" {
		if sent, ok := param(query, "X-Gravitee-Transaction-Id"); ok && sent != "" {
			transaction = sent
		}
	}
	ex.ids[0], ex.ids[1] = transaction, request
	ex.caller.Transaction, ex.caller.Request = transaction, request
}

// addIDs sets the X-Gravitee headers of a response (gravitee.md §4.1).
func (g *Gateway) addIDs(ex *exchange, h http.Header) {
	h["X-Gravitee-Transaction-Id"] = ex.ids[0:1:1]
	h["X-Gravitee-Request-Id"] = ex.ids[1:2:2]
	if g.cfg.Engine == V3 || ex.caller.Plan == "" {
		return
	}
	ex.ids[2] = ex.caller.Subscription
	if sent := ex.r.Header["X-Gravitee-Client-Identifier"]; len(sent) > 0 {
		ex.ids[2] = sent[0]
	} else if ex.caller.Subscription == "" {
		ex.ids[2] = addressDigest(ex.r.RemoteAddr)
	}
	h["X-Gravitee-Client-Identifier"] = ex.ids[2:3:3]
}

// addressDigest stands for a caller without subscription
// (SubscriptionProcessor.java:156-180).
func addressDigest(remote string) string {
	if host, _, err := net.SplitHostPort(remote); err == nil {
		remote = host
	}
	sum := sha256.Sum256([]byte(remote))
	return hex.EncodeToString(sum[:])
}

func (ex *exchange) addRate(h http.Header) {
	if ex.rated != nil {
		ex.rated.header(ex.usage, h)
	}
}

// commit is the response chain, run once over the backend's headers.
func (ex *exchange) commit() {
	if ex.wrote {
		return
	}
	ex.wrote = true
	h := ex.ResponseWriter.Header()
	dropHopByHop(h)
	ex.g.addIDs(ex, h)
	ex.addRate(h)
	ex.g.cfg.CORS.simple(ex.g.cfg.Engine, ex.r, h)
}

func (ex *exchange) WriteHeader(status int) {
	if status >= 200 {
		ex.commit()
	}
	ex.ResponseWriter.WriteHeader(status)
}

func (ex *exchange) Write(p []byte) (int, error) {
	ex.commit()
	if len(p) > heldSize {
		if c, ok := ex.r.Context().Value(connKey{}).(*conn); ok {
			return c.together(func() (int, error) { return ex.ResponseWriter.Write(p) })
		}
	}
	return ex.ResponseWriter.Write(p)
}

// FlushError serves http.ResponseController, which looks no further then.
func (ex *exchange) FlushError() error {
	ex.commit()
	return http.NewResponseController(ex.ResponseWriter).Flush()
}

// Flush serves those who ask for an http.Flusher.
func (ex *exchange) Flush() { _ = ex.FlushError() }

// Unwrap gives http.ResponseController the rest: hijacking, deadlines.
func (ex *exchange) Unwrap() http.ResponseWriter { return ex.ResponseWriter }
