package redact

import (
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/synth"
)

// Options of a Redactor.
type Options struct {
	Secret []byte   // keys the pseudonyms; at least MinSecret bytes
	Target *url.URL // the base of the recorded service: https://host/fhir/v2
	Keys   []string // accepted API keys, none of which may be found again
}

// Bounds on secrets: a shorter one can be guessed, and a shorter API key
// cannot be told from ordinary text.
const (
	MinSecret = 16
	MinKey    = 8
)

// Redactor maps what a service answered to what may be kept. It is not safe
// for concurrent use; a Draft is.
type Redactor struct {
	keyed      *keyed
	host       string
	keys       []string
	hidden     *hidden
	originals  originals
	counts     counts
	seed       maphash.Seed
	cache      map[string]string
	canonicals map[string]bool
	met        map[synth.Kind]map[uint64]bool
	codes      map[uint64]bool // that were kept in an answer
	tape       tape
}

// New returns a Redactor.
func New(o Options) (*Redactor, error) {
	if len(o.Secret) < MinSecret {
		return nil, fmt.Errorf("the secret of the pseudonyms has %d bytes; it needs at least %d", len(o.Secret), MinSecret)
	}
	for _, k := range o.Keys {
		if len(k) < MinKey {
			return nil, fmt.Errorf("the API key has fewer than %d characters and could not be told from ordinary text: nothing can be recorded with it", MinKey)
		}
	}
	r := &Redactor{
		keyed: newKeyed(o.Secret), keys: o.Keys, seed: maphash.MakeSeed(), hidden: new(hidden),
		cache: map[string]string{}, canonicals: map[string]bool{}, met: map[synth.Kind]map[uint64]bool{}, codes: map[uint64]bool{},
	}
	if o.Target != nil {
		r.host = o.Target.Host
	}
	r.originals = newOriginals(r.seed)
	for _, k := range o.Keys {
		r.hidden.add(k)
	}
	return r, nil
}

func (r *Redactor) fingerprint(s string) uint64 { return maphash.String(r.seed, s) }

// Raw is one request and its answer as they were on the wire. It lives in
// memory only, and prints as nothing.
type Raw struct {
	Method         string
	Target         string // raw path and query, from /fhir on
	Header         http.Header
	Body           []byte
	Status         int
	ResponseHeader http.Header
	ResponseBody   []byte
}

// String and Format keep the content of an exchange out of logs and panics.
func (Raw) String() string { return "(an exchange that is not redacted)" }

// Format implements fmt.Formatter, for every verb.
func (x Raw) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(x.String())) }

// KeyHeader carries the key of a request.
const KeyHeader = "ESANTE-API-KEY"

// UnknownKey stands for a key the service refuses, in requests and fixtures.
const UnknownKey = uuidPrefix + "00000000dead"

// exchange maps an exchange. The answer comes first: it may show what a bare
// number in the request is.
func (r *Redactor) exchange(raw Raw) fixtures.Exchange {
	r.hideSessions(raw)
	var x fixtures.Exchange
	x.Response.Status = raw.Status
	x.Response.Body = r.body(raw.ResponseBody, raw.ResponseHeader.Get("Content-Type"))
	x.Response.Header = r.responseHeader(raw.ResponseHeader)
	x.Request.Method = raw.Method
	x.Request.Target = r.target(r.hidden.remove(raw.Target))
	x.Request.Header = r.requestHeader(raw)
	if form := string(raw.Body); form != "" {
		path, _, _ := strings.Cut(raw.Target, "?")
		typ := strings.TrimSuffix(path, "/_search")
		x.Request.Body = []byte(r.query(typ[strings.LastIndexByte(typ, '/')+1:], r.hidden.remove(form), false))
	}
	return x
}

// hideSessions notes the cookies of an exchange, and the keys a client tried,
// as values that must not be found again.
func (r *Redactor) hideSessions(raw Raw) {
	cookies := append(readCookies(raw.Header, "Cookie"), readCookies(raw.ResponseHeader, "Set-Cookie")...)
	for _, cookie := range cookies {
		if len(cookie) >= 2*MinKey || strings.ContainsAny(cookie, "0123456789") { // not a language or a theme
			r.hidden.add(cookie)
		}
	}
	for _, tried := range raw.Header.Values(KeyHeader) {
		if tried != UnknownKey {
			r.hidden.add(tried)
		}
	}
	_, query, _ := strings.Cut(raw.Target, "?")
	for piece := range strings.SplitSeq(query+"&"+string(raw.Body), "&") {
		if name, value, _ := strings.Cut(piece, "="); keyNames[strings.ToLower(Unescape(name))] {
			r.hidden.add(Unescape(value))
		}
	}
	for _, name := range []string{"Authorization", "Proxy-Authorization"} {
		for _, part := range strings.Fields(raw.Header.Get(name)) {
			r.hidden.add(part)
		}
	}
}

func readCookies(h http.Header, name string) (values []string) {
	for _, line := range h.Values(name) {
		for i, pair := range strings.Split(line, ";") {
			if name == "Set-Cookie" && i > 0 {
				break // attributes
			}
			_, value, _ := strings.Cut(pair, "=")
			values = append(values, strings.Trim(strings.TrimSpace(value), `"`))
		}
	}
	return values
}

func (r *Redactor) requestHeader(raw Raw) http.Header {
	h := http.Header{}
	for _, name := range []string{"Accept", "Content-Type"} {
		for _, v := range raw.Header.Values(name) {
			types := slices.DeleteFunc(strings.Split(v, ","), func(item string) bool { return !isMediaType(item) })
			if len(types) > 0 {
				h.Add(name, strings.TrimSpace(strings.Join(types, ",")))
			}
		}
	}
	given := false
	for _, v := range raw.Header.Values(KeyHeader) {
		given = true
		switch {
		case slices.Contains(r.keys, v):
			h.Add(KeyHeader, fixtures.KeyPlaceholder)
		case strings.TrimSpace(v) == "":
			h.Add(KeyHeader, "")
		default:
			h.Add(KeyHeader, UnknownKey)
		}
		r.count(secret)
	}
	if !given && r.keyInQuery(raw.Target) {
		h.Set(KeyHeader, fixtures.KeyPlaceholder) // where it was does not change the answer
	}
	return h
}

// keyInQuery reports whether an accepted key came as a parameter.
func (r *Redactor) keyInQuery(target string) bool {
	_, query, _ := strings.Cut(target, "?")
	for piece := range strings.SplitSeq(query, "&") {
		if name, value, _ := strings.Cut(piece, "="); keyNames[strings.ToLower(Unescape(name))] && slices.Contains(r.keys, Unescape(value)) {
			return true
		}
	}
	return false
}

// answerHeaders are the response headers that are kept when their values
// follow headerRules. Lengths and framing
// belong to a body that has changed; a date, a session or what is left of a
// quota belong to the day.
var answerHeaders = []string{
	"Allow", "Connection", "Content-Type", "Location", "Retry-After", "Server", "Vary", "WWW-Authenticate",
	"X-Quota-Limit", "X-Rate-Limit-Limit", "X-Spike-Arrest-Limit",
}

func (r *Redactor) responseHeader(h http.Header) (fields []fixtures.Field) {
	for _, name := range answerHeaders {
		for _, v := range h.Values(name) {
			ok := false
			if name == "Location" {
				v, ok = r.link(r.hidden.remove(v))
			} else {
				ok = headerRules[name](v)
			}
			if ok {
				fields = append(fields, fixtures.Field{Name: name, Value: v})
			} else {
				r.counts.Headers++
			}
		}
	}
	for name := range h {
		if !slices.ContainsFunc(answerHeaders, func(kept string) bool { return strings.EqualFold(kept, name) }) {
			r.counts.Headers++
		}
	}
	return fields
}

// maxMessage bounds a body that is a text for people.
const maxMessage = 4 << 10

// body maps JSON and short plain texts. An HTML page, a picture or an archive
// is left out: nobody can say what is in it.
func (r *Redactor) body(body []byte, contentType string) []byte {
	if len(body) == 0 {
		return nil
	}
	text := r.hidden.remove(string(body))
	if mapped, ok := r.json(text); ok {
		return []byte(mapped)
	}
	if strings.HasPrefix(contentType, "text/plain") && len(text) <= maxMessage && isPrintable(text) {
		return []byte(r.message(text))
	}
	r.counts.Dropped.add("body")
	return nil
}

func isPrintable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' && c != '\n' && c != '\t' })
}

// counts say what was replaced and what was left out, never what it was.
type counts struct {
	Pseudonyms tally `json:"pseudonyms,omitempty"` // occurrences by kind
	Dropped    tally `json:"dropped,omitempty"`    // by place
	Headers    int   `json:"headers,omitempty"`    // response headers left out
}

type tally map[string]int

// maxPlaces bounds the report against a service that makes up members.
const maxPlaces = 500

func (t *tally) add(name string) {
	if *t == nil {
		*t = tally{}
	}
	if _, known := (*t)[name]; !known && len(*t) >= maxPlaces {
		name = "(elsewhere)"
	}
	(*t)[name]++
}

func (r *Redactor) count(k kind) { r.counts.Pseudonyms.add(string(k)) }

var errNothing = errors.New("nothing was recorded")
