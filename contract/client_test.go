package contract

import (
	"context"
	"io"
	"math"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// script answers requests in turn, the last answer for ever.
type script struct {
	mu      sync.Mutex
	clock   *steppedClock
	answers []scripted
	at      []time.Duration // when each request came
}

type scripted struct {
	status int
	header http.Header
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.answers[min(len(s.at), len(s.answers)-1)]
	s.at = append(s.at, s.clock.since)
	if a.header == nil {
		a.header = http.Header{}
	}
	return &http.Response{StatusCode: a.status, Header: a.header, Body: io.NopCloser(strings.NewReader(`{}`)), Request: r}, nil
}

// steppedClock is time that passes in Sleep alone.
type steppedClock struct{ since time.Duration }

func (c *steppedClock) Now() time.Time { return time.Unix(1e9, 0).Add(c.since) }

func (c *steppedClock) Sleep(ctx context.Context, d time.Duration) error {
	c.since += d
	return ctx.Err()
}

func scriptedClient(t *testing.T, opts Options, answers ...scripted) (*client, *script) {
	t.Helper()
	base, err := url.Parse("https://api.example/fhir/v2")
	if err != nil {
		t.Fatal(err)
	}
	clock := new(steppedClock)
	s := &script{clock: clock, answers: answers}
	opts.Client, opts.Clock, opts.Patience = s, clock, DefaultPatience
	if opts.Rate == 0 {
		opts.Rate = DefaultRate
	}
	if opts.Budget == 0 {
		opts.Budget = DefaultBudget
	}
	return newClient(base, "k", &opts), s
}

func TestLimiterKeepsTheRate(t *testing.T) {
	t.Parallel()
	c, s := scriptedClient(t, Options{}, scripted{status: 200})
	for range 25 {
		if _, err := c.do(t.Context(), &Request{Path: "metadata", Fresh: true}); err != nil {
			t.Fatal(err)
		}
	}
	for i, at := range s.at {
		if want := time.Duration(i) * time.Second / DefaultRate; at != want {
			t.Fatalf("request %d went at %v, want %v", i, at, want)
		}
	}
}

func TestRetries(t *testing.T) {
	t.Parallel()
	wait := func(v string) http.Header { return http.Header{"Retry-After": {v}} }
	date := time.Unix(1e9+20, 0).UTC().Format(http.TimeFormat)
	for _, c := range []struct {
		name    string
		answers []scripted
		status  int
		at      []time.Duration
	}{
		{"nothing to repeat", []scripted{{status: 500}}, 500, []time.Duration{0}},
		{"later, by itself", []scripted{{status: 429}, {status: 502}, {status: 200}}, 200, []time.Duration{0, time.Second, 3 * time.Second}},
		{"three times", []scripted{{status: 504}}, 504, []time.Duration{0, time.Second, 3 * time.Second}},
		{"as told in seconds", []scripted{{429, wait("7")}, {status: 200}}, 200, []time.Duration{0, 7 * time.Second}},
		{"as told by a date", []scripted{{503, wait(date)}, {status: 200}}, 200, []time.Duration{0, 20 * time.Second}},
		{"told too long", []scripted{{503, wait("3600")}, {status: 200}}, 503, []time.Duration{0}},
		{"told nonsense", []scripted{{503, wait("soon")}, {status: 200}}, 200, []time.Duration{0, time.Second}},
		{"told the past", []scripted{{503, wait("-5")}, {status: 200}}, 200, []time.Duration{0, time.Second / DefaultRate}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client, s := scriptedClient(t, Options{}, c.answers...)
			a, err := client.do(t.Context(), &Request{Path: "metadata"})
			if err != nil {
				t.Fatal(err)
			}
			if a.Status != c.status || len(s.at) != len(c.at) {
				t.Fatalf("status %d after %v, want %d after %v", a.Status, s.at, c.status, c.at)
			}
			for i := range c.at {
				if s.at[i] != c.at[i] {
					t.Errorf("tries at %v, want %v", s.at, c.at)
				}
			}
		})
	}
}

// A service that is down is not asked three times for each of a hundred
// questions.
func TestRetriesEndWhenTheyDoNotHelp(t *testing.T) {
	t.Parallel()
	c, s := scriptedClient(t, Options{}, scripted{status: 502})
	for range 10 {
		if _, err := c.do(t.Context(), &Request{Path: "metadata", Fresh: true}); err != nil {
			t.Fatal(err)
		}
	}
	if want := 3*maxTries + 7; len(s.at) != want {
		t.Errorf("%d requests, want %d", len(s.at), want)
	}
}

func TestBudgetIsNeverExceeded(t *testing.T) {
	t.Parallel()
	c, s := scriptedClient(t, Options{Budget: 5, Rate: Unlimited}, scripted{status: 200})
	var err error
	for range 9 {
		_, err = c.do(t.Context(), &Request{Path: "metadata", Fresh: true})
	}
	if len(s.at) != 5 || err == nil {
		t.Errorf("%d requests on a budget of 5, %v", len(s.at), err)
	}
}

func TestSameQuestionIsAskedOnce(t *testing.T) {
	t.Parallel()
	c, s := scriptedClient(t, Options{}, scripted{status: 200})
	for _, r := range []Request{
		{Path: "Device"}, {Path: "Device"}, {Path: "Device", Key: noKey}, {Path: "Device", Header: http.Header{"Accept": {"*/*"}}},
		{Path: "Device", Header: http.Header{"Accept": {"*/*"}}}, {Path: "Device", Root: true}, {Path: "Device", KeyIn: "X"},
		{Method: http.MethodPost, Path: "Device", Form: "a=b"}, {Method: http.MethodPost, Path: "Device", Form: "a=b"},
		{Method: http.MethodDelete, Path: "Device"}, {Method: http.MethodDelete, Path: "Device"},
	} {
		if _, err := c.do(t.Context(), &r); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.at) != 8 {
		t.Errorf("%d requests, want 8: six questions, and two writes that are never remembered", len(s.at))
	}
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	far, near := "https://gateway.example/fhir/v2", "http://localhost:8080/fhir/v2"
	for _, c := range []struct {
		name, url string
		opts      Options
		fine      bool
	}{
		{"the defaults", far, Options{}, true},
		{"as fast as allowed", far, Options{Rate: MaxRate}, true},
		{"faster", far, Options{Rate: MaxRate + 0.5}, false},
		{"without a limit", far, Options{Rate: Unlimited}, false},
		{"without a limit, here", near, Options{Rate: Unlimited}, true},
		{"without a limit, here in IPv6", "http://[::1]/fhir/v2", Options{Rate: Unlimited}, true},
		{"a host that only begins like here", "http://127.0.0.1.example/fhir/v2", Options{Rate: Unlimited}, false},
		{"backwards", near, Options{Rate: -1}, false},
		{"not a number", near, Options{Rate: math.NaN()}, false},
		{"no URL", "gateway", Options{}, false},
		{"no URL of HTTP", "ftp://gateway.example/", Options{}, false},
		{"a user", "https://k@gateway.example/fhir/v2", Options{}, false},
		{"a key in the URL", far + "?api-key=k", Options{}, false},
		{"no check", far, Options{Run: "^nothing$"}, false},
		{"no pattern", far, Options{Run: "("}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := newRun(Target{URL: c.url}, c.opts)
			if (err == nil) != c.fine {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestPublicForms(t *testing.T) {
	t.Parallel()
	base, err := url.Parse("https://api.example/fhir/v2")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		r    Request
		want string
	}{
		{Request{Path: "metadata"}, "https://api.example/fhir/v2/metadata"},
		{Request{Path: "metadata", KeyIn: "?api-key"}, "https://api.example/fhir/v2/metadata?api-key=<key>"},
		{Request{Path: "Practitioner/003-1-1"}, "https://api.example/fhir/v2/Practitioner/<id>"},
		{Request{Path: "Practitioner?family=DUPONT&_count=5"}, "https://api.example/fhir/v2/Practitioner?family=<family>&_count=5"},
		{Request{Path: "Practitioner?name%3Acontains=DUPONT"}, "https://api.example/fhir/v2/Practitioner?name%3Acontains=<name>"},
		{Request{Path: "Practitioner?identifier=10000000001&active=true"}, "https://api.example/fhir/v2/Practitioner?identifier=<identifier>&active=true"},
		{Request{Path: "Practitioner?_id=003-1&_total=none"}, "https://api.example/fhir/v2/Practitioner?_id=<_id>&_total=none"},
		{Request{Path: "Organization?type=SA33"}, "https://api.example/fhir/v2/Organization?type=SA33"},
		{Request{Path: "Organization?type=123456789"}, "https://api.example/fhir/v2/Organization?type=<type>"},
		{Request{Path: "_page?id=uABC"}, "https://api.example/fhir/v2/_page?id=<id>"},
		{Request{Path: "DUPONT/x?y=z"}, "https://api.example/fhir/v2/<path>"},
		{Request{Path: "Device?_count=1", Root: true}, "https://api.example/fhir/Device?_count=1"},
	} {
		if got := publicURL(base, &c.r); got != c.want {
			t.Errorf("%s\n\tis told as %s\n\twant       %s", c.r.Path, got, c.want)
		}
	}
	for _, r := range []Request{{Path: "metadata", KeyIn: "X-Other"}, {Path: "metadata", Key: "other-key"}, {Path: "Device/_search", Form: "identifier=12345678"}} {
		if line := curl(base, &r); strings.Contains(line, "other-key") || strings.Contains(line, "12345678") {
			t.Error(line)
		}
	}
}
