package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Engine is the generation of Gravitee's request handling (gravitee.md §0).
type Engine uint8

const (
	// V3 closes the connection after each of its own errors and adds no
	// X-Gravitee-* header to them. ANS most likely runs it (§0.1).
	V3 Engine = iota
	// V4 is the reactive engine, or the emulation of a v2 API on it.
	V4
)

func (e Engine) String() string {
	if e == V4 {
		return "v4"
	}
	return "v3"
}

// The versions of APIM whose texts differ (gravitee.md §1.3, §2.1).
const (
	APIM4   = "4.x"
	APIM320 = "3.20"
)

// Config says which gateway to imitate. The zero value of a field is what its
// comment says; [Default] is the gateway ANS most likely runs.
type Config struct {
	Engine Engine
	APIM   string // APIM4 (also ""), or APIM320

	ContextPath string // "" is "/fhir"
	KeyHeader   string // "" is "ESANTE-API-KEY"
	KeyParam    string // the query parameter that may carry the key; "" prohibits it

	Keyless      []string // paths below the context path that GET reaches without a key, such as "/v1/health"
	HealthPlan   bool     // a keyless plan serves GET /fhir/health, and refuses the rest with 403 (§1.5)
	MethodFilter bool     // only GET, HEAD and POST …/_search reach the backend
	CORS         *CORS

	Rate        Rate // the quota of a subscription; the zero Rate is none
	RateHeaders bool // X-Rate-Limit-* and the like on each counted response (§2.2)

	Keys      *Keys         // who may call; nil is NewKeys(Now, SyncDelay) with the demo keys
	AnyKey    bool          // any non-empty key is a subscription of its own, unless Keys knows better
	SyncDelay time.Duration // after what time the gateway learns what the portal did; for NewKeys

	// LineLimit and HeaderLimit are in bytes; 0 is 4096 and 8192 (§3.4).
	LineLimit, HeaderLimit int
	// LineLimitExempt names the raw paths that may exceed LineLimit; nil is the
	// pages of a search, whose tokens are self-contained and hence long.
	LineLimitExempt func(path string) bool

	// QuotaScope splits the counters: requests of one subscription with
	// different scopes do not share a quota. nil is one scope.
	QuotaScope func(*http.Request) string

	// Refusals are recorded answers to keys that open nothing. One of the same
	// kind stands for the answer the source would give.
	Refusals []SeenRefusal

	// Fault makes the gateway fail before it looks at path or key; nil and the
	// zero Fault let the request through.
	Fault func(*http.Request) Fault
	// Accepts says whether a key that is in no registry is accepted all the
	// same, such as one that names an incident; nil is never.
	Accepts func(key string) bool
	// RateFor is another quota for a request, which the zero Rate leaves at
	// Rate; nil is never.
	RateFor func(*http.Request) Rate
	// PassAborts hands a backend's http.ErrAbortHandler on to the server, which
	// closes the connection, instead of answering 502.
	PassAborts bool

	// Now is the clock of quotas and key expiry; nil is time.Now.
	Now func() time.Time
}

// SeenRefusal is how a gateway was seen to refuse a request without a key, or with
// one that opens nothing.
type SeenRefusal struct {
	Offered bool     // a key was offered
	Accept  []string // of the request
	Status  int
	Header  http.Header // of the answer, but its length and what speaks of one connection
	Body    []byte
}

// Default is the gateway of ANS as far as it is known: V3, APIM 4.x, 17 calls
// a second, methods filtered, key accepted in the query, no CORS.
func Default() Config {
	return Config{
		KeyParam:     "api-key",
		MethodFilter: true,
		Rate:         Rate{Kind: RateLimit, Limit: 17, Period: 1, Unit: Seconds},
	}
}

// CORS is the cross-origin configuration of the API (gravitee.md §4.2).
type CORS struct {
	Origins     []string // "*" is any
	Methods     []string // upper case
	Headers     []string // request headers a page may send; "*" is any
	Expose      []string // response headers a page may read
	MaxAge      int      // seconds; negative sends none
	Credentials bool
}

func corsFor(origin string) *CORS {
	return &CORS{
		Origins: []string{origin},
		Methods: []string{"GET", "POST"},
		Headers: []string{"ESANTE-API-KEY", "Content-Type"},
		MaxAge:  3600,
	}
}

const validSwitches = "v3, v4, apim=3.20, apim=4.x, health-plan, rate-headers, " +
	"query-key=off, method-filter=off, cors=ORIGINS, sync-delay=5s"

// ParseSwitches returns [Default] with the comma-separated switches of the
// command line's -gateway LIST applied, such as "v4,health-plan,sync-delay=5s".
// Several origins are separated by commas as well: "cors=https://a,https://b".
// The error says which word is wrong and what would be valid.
func ParseSwitches(list string) (Config, error) {
	c := Default()
	engine := ""
	for word := range strings.SplitSeq(list, ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		if word == "v3" || word == "v4" {
			if engine != "" && engine != word {
				return Config{}, fmt.Errorf("gateway switches %s and %s: an API runs on one engine, write one of them", engine, word)
			}
			engine = word
		}
		if err := c.apply(word); err != nil {
			return Config{}, err
		}
	}
	return c, nil
}

func (c *Config) apply(word string) error {
	name, value, assigned := strings.Cut(word, "=")
	on := !assigned || value == "on"
	if assigned && isToggle(name) && value != "on" && value != "off" {
		return fmt.Errorf("gateway switch %q: write %s=on or %s=off", word, name, name)
	}
	switch name {
	case "v3", "v4":
		if assigned {
			return fmt.Errorf("gateway switch %q: write %s alone", word, name)
		}
		c.Engine = V3
		if name == "v4" {
			c.Engine = V4
		}
	case "apim":
		if value != APIM320 && value != APIM4 {
			return fmt.Errorf("gateway switch %q: write apim=%s or apim=%s", word, APIM4, APIM320)
		}
		c.APIM = value
	case "health-plan":
		c.HealthPlan = on
	case "rate-headers":
		c.RateHeaders = on
	case "method-filter":
		c.MethodFilter = on
	case "query-key":
		c.KeyParam = ""
		if on {
			c.KeyParam = "api-key"
		}
	case "cors":
		if !validOrigin(value) {
			return fmt.Errorf("gateway switch %q: write an origin as in cors=https://app.example, or cors=*", word)
		}
		c.CORS = corsFor(value)
	case "sync-delay":
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 {
			return fmt.Errorf("gateway switch %q: write a duration as in sync-delay=5s", word)
		}
		c.SyncDelay = d
	default:
		if c.CORS != nil && validOrigin(word) {
			c.CORS.Origins = append(c.CORS.Origins, word)
			return nil
		}
		return fmt.Errorf("gateway switch %q is not known: valid are %s", word, validSwitches)
	}
	return nil
}

func isToggle(name string) bool {
	switch name {
	case "health-plan", "rate-headers", "method-filter", "query-key":
		return true
	}
	return false
}

// validOrigin accepts "*" and scheme://host[:port] without a path.
func validOrigin(s string) bool {
	if s == "*" {
		return true
	}
	scheme, host, ok := strings.Cut(s, "://")
	return ok && (scheme == "http" || scheme == "https") && host != "" && !strings.ContainsAny(host, "/ ?#")
}
