package mockserver

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
	_ "time/tzdata" // the zone of the service must be known on any machine

	"github.com/mockfhir/mockfhir/internal/gateway"
)

// Profile says which observed behaviour is imitated.
type Profile string

// The profiles.
const (
	// Production is the service as its users meet it.
	Production Profile = "production"
	// Source is the public source code of July 2025, with a gateway that only
	// knows keys and quotas.
	Source Profile = "source"
)

// DemoKey is the key a server accepts when it is given none.
const DemoKey = gateway.DemoKey

// config is what the options build.
type config struct {
	profile        Profile
	gateway        gateway.Config
	keys           []string
	zone           *time.Location
	now            func() time.Time
	fresh          bool
	publicURL      string
	trusted        []netip.Prefix
	defaultVersion string
	countBudget    int
	badSearch      int
	control        bool
	controlToken   string
	scale          float64
	incidents      []string
	log            *slog.Logger
	version        string
}

func defaults() config {
	return config{
		profile:        Production,
		gateway:        gateway.Default(),
		now:            time.Now,
		defaultVersion: "v2",
		countBudget:    DefaultCountBudget,
		badSearch:      http.StatusInternalServerError,
		control:        true,
		scale:          1,
		log:            slog.New(slog.DiscardHandler),
		trusted:        privateRanges(),
		version:        "devel",
	}
}

// Option changes how a server behaves. Options that are not valid make Build
// return an error, and New panic.
type Option func(*config) error

// WithKeys replaces the keys that are accepted. Each has an application and a
// quota of its own.
func WithKeys(keys ...string) Option {
	return func(c *config) error {
		for _, k := range keys {
			if strings.TrimSpace(k) == "" {
				return errors.New("an accepted key is empty; give keys of at least one character, or accept any key")
			}
		}
		c.keys = append(c.keys, keys...)
		return nil
	}
}

// WithAnyKey accepts any key that is not empty.
func WithAnyKey() Option {
	return func(c *config) error { c.gateway.AnyKey = true; return nil }
}

// WithProfile chooses the behaviour that is imitated: Production (the
// default) or Source.
func WithProfile(p Profile) Option {
	return func(c *config) error {
		if p != Production && p != Source {
			return fmt.Errorf("profile %q is not known: use %q or %q", p, Production, Source)
		}
		c.profile = p
		return nil
	}
}

// WithGateway sets switches of the gateway, in the words of the command line:
// "v4,health-plan,rate-headers,query-key=off,method-filter=off,cors=*,sync-delay=5s".
func WithGateway(switches string) Option {
	return func(c *config) error {
		parsed, err := gateway.ParseSwitches(switches)
		if err != nil {
			return err
		}
		parsed.Rate, parsed.AnyKey = c.gateway.Rate, c.gateway.AnyKey
		c.gateway = parsed
		return nil
	}
}

// WithRate sets the quota of each key: "17/1s" (the default),
// "quota:1000/1m", "spike:17/1s", or "0" for none.
func WithRate(rate string) Option {
	return func(c *config) error {
		parsed, err := gateway.ParseRate(rate)
		c.gateway.Rate = parsed
		return err
	}
}

// WithClock sets the clock of the service: of %now in searches, of quotas and
// of the expiry of keys. The default is time.Now.
func WithClock(now func() time.Time) Option {
	return func(c *config) error {
		if now == nil {
			return errors.New("the clock is nil; leave the option out for time.Now")
		}
		c.now = now
		return nil
	}
}

// WithFreshDates moves every meta.lastUpdated by the same number of days, so
// that the newest one is of today: a client that asks for what changed since
// yesterday finds something.
func WithFreshDates() Option {
	return func(c *config) error { c.fresh = true; return nil }
}

// WithLocation sets the zone of the server: dates without an offset are read in
// it, dates are compared in it, and fresh and written dates are printed in it. The
// default is Europe/Paris.
func WithLocation(zone *time.Location) Option {
	return func(c *config) error { c.zone = zone; return nil }
}

// WithPublicURL fixes the origin of all links, "https://host" or
// "https://host/prefix"; without it they carry the one the client used.
func WithPublicURL(origin string) Option {
	return func(c *config) error {
		u, err := url.Parse(origin)
		plain := strings.Trim(origin, unreserved+":/[]") == "" // no user, query or fragment, and nothing to escape
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || !plain {
			return fmt.Errorf("public URL %q: write http(s)://host[:port][/prefix]", origin)
		}
		c.publicURL = strings.TrimSuffix(origin, "/")
		return nil
	}
}

// WithTrustedProxies says whose X-Forwarded-* and Forwarded headers count. The
// default is the loopback and private ranges.
func WithTrustedProxies(ranges ...netip.Prefix) Option {
	return func(c *config) error { c.trusted = ranges; return nil }
}

// WithDefaultVersion says what /fhir without a version answers: "v2" (the
// default), "v1" as until December 2025, or "none".
func WithDefaultVersion(version string) Option {
	return func(c *config) error {
		if version != "v1" && version != "v2" && version != "none" {
			return fmt.Errorf("default version %q is not served: use v1, v2 or none", version)
		}
		c.defaultVersion = version
		return nil
	}
}

// DefaultCountBudget is the number of resources that stands for the second of
// counting after which the real service leaves the total out.
const DefaultCountBudget = 1_000_000

// WithCountBudget says how many resources a search with :contains may look
// through before the total is left out; 0 counts always. The default is
// DefaultCountBudget, which only a directory of the size of the country meets.
func WithCountBudget(resources int) Option {
	return func(c *config) error {
		if resources < 0 {
			return fmt.Errorf("a counting budget of %d resources makes no sense: use 0 to count always", resources)
		}
		c.countBudget = resources
		return nil
	}
}

// WithBadSearch says with which status a search with a mistake is answered: 500,
// the default, as the source has it, or 400, as ANS documents it.
func WithBadSearch(status int) Option {
	return func(c *config) error {
		if status != http.StatusBadRequest && status != http.StatusInternalServerError {
			return fmt.Errorf("a bad search with status %d: use 500, as in the source, or 400, as documented", status)
		}
		c.badSearch = status
		return nil
	}
}

// WithoutControl leaves /__mockfhir/ with livez, readyz and version only.
func WithoutControl() Option {
	return func(c *config) error { c.control = false; return nil }
}

// WithControlToken makes all of /__mockfhir/ but livez, readyz and version ask
// for a token, as a server that others can reach should.
func WithControlToken(token string) Option {
	return func(c *config) error { c.controlToken = token; return nil }
}

// WithIncident starts with an incident on, in each session, by its name, with its scope behind
// a semicolon if it is to be another than its own:
// "2025-10-17-large-page-502; share=0.5". See docs/incidents.md.
func WithIncident(specs ...string) Option {
	return func(c *config) error { c.incidents = append(c.incidents, specs...); return nil }
}

// WithTimeScale multiplies every wait of an incident: 0.001 makes the thirty
// seconds before a 504 thirty milliseconds.
func WithTimeScale(scale float64) Option {
	return func(c *config) error {
		if !(scale >= 0 && scale <= 1000) {
			return fmt.Errorf("time scale %v: use a number from 0 to 1000", scale)
		}
		c.scale = scale
		return nil
	}
}

// WithLogger logs each call: method, path without query, status, duration. The
// default is silence.
func WithLogger(log *slog.Logger) Option {
	return func(c *config) error { c.log = log; return nil }
}

// WithVersion is what /__mockfhir/version answers.
func WithVersion(version string) Option {
	return func(c *config) error { c.version = version; return nil }
}

func privateRanges() []netip.Prefix {
	var list []netip.Prefix
	for _, s := range []string{"127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10"} {
		list = append(list, netip.MustParsePrefix(s))
	}
	return list
}
