package gateway_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mockfhir/mockfhir/internal/gateway"
)

// call is one request in process.
func call(g http.Handler, key string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "/fhir/v2/metadata", nil)
	r.Header.Set("ESANTE-API-KEY", key)
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return w
}

// limited is a gateway with a rate and a clock, keys "0" to "9".
func limited(t testing.TB, list, rate string) (*gateway.Gateway, *clock) {
	cfg := switches(t, list, rate)
	c := newClock()
	cfg.Now = c.Now
	cfg.Keys = gateway.NewKeys(c.Now, 0)
	for i := range 10 {
		cfg.Keys.Accept(strconv.Itoa(i))
	}
	cfg.Keys.AddDemo()
	return gateway.New(cfg, newStandIn()), c
}

// TestQuotaModel sends a random traffic and compares each answer with a model
// of gravitee.md §2.3 written in another way: the list of all calls so far.
func TestQuotaModel(t *testing.T) {
	t.Parallel()
	const limit, window = 17, time.Second
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		g, clock := limited(t, "rate-headers", "17/1s")
		opened := map[string]time.Time{}
		calls := map[string][]time.Time{}
		refused := 0
		for range 500 {
			clock.Advance(time.Duration(random.IntN(40)) * time.Millisecond)
			key := strconv.Itoa(random.IntN(2)) // so that windows fill up
			now := clock.Now()
			if start, ok := opened[key]; !ok || now.Sub(start) >= window {
				opened[key] = now
			}
			calls[key] = append(calls[key], now)
			n := 0 // calls in the window, refused ones included
			for _, at := range calls[key] {
				if !at.Before(opened[key]) {
					n++
				}
			}
			want := http.StatusOK
			if n > limit {
				want = http.StatusTooManyRequests
				refused++
			}
			got := call(g, key)
			if got.Code != want {
				t.Fatalf("seed %d: call %d of a window: %d, want %d", seed, n, got.Code, want)
			}
			checkRate(t, got.Header(), limit, max(0, limit-n), opened[key].Add(window))
		}
		if refused == 0 {
			t.Fatalf("seed %d refused no call", seed)
		}
	}
}

func checkRate(t *testing.T, h http.Header, limit, remaining int, reset time.Time) {
	t.Helper()
	for name, want := range map[string]string{
		"X-Rate-Limit-Limit":     strconv.Itoa(limit),
		"X-Rate-Limit-Remaining": strconv.Itoa(remaining),
		"X-Rate-Limit-Reset":     strconv.FormatInt(reset.UnixMilli(), 10),
	} {
		if h.Get(name) != want {
			t.Fatalf("%s: %q, want %s", name, h.Get(name), want)
		}
	}
	if h.Get("Retry-After") != "" {
		t.Fatal("Gravitee sends no Retry-After")
	}
}

// TestEighteenthCall: the first refusal is that of the 18th call, under any
// concurrency, and for each subscription on its own.
func TestEighteenthCall(t *testing.T) {
	t.Parallel()
	g, clock := limited(t, "", "17/1s")
	for range 3 { // windows
		var wg sync.WaitGroup
		var passed [10]atomic.Int32
		for i := range 10 * 40 {
			wg.Go(func() {
				if call(g, strconv.Itoa(i%10)).Code == http.StatusOK {
					passed[i%10].Add(1)
				}
			})
		}
		wg.Wait()
		for key := range passed {
			if n := passed[key].Load(); n != 17 {
				t.Errorf("key %d: %d calls passed, want 17", key, n)
			}
		}
		clock.Advance(time.Second)
	}
}

// TestWhatCounts: a call counts once its key is known, whatever becomes of it.
func TestWhatCounts(t *testing.T) {
	t.Parallel()
	g, clock := limited(t, "", "2/1s")
	for range 50 {
		call(g, "nobodys")
	}
	r := httptest.NewRequest("PUT", "/fhir/v2/Practitioner/1", nil)
	r.Header.Set("ESANTE-API-KEY", "0")
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	if w.Code != http.StatusMethodNotAllowed {
		t.Fatal(w.Code)
	}
	for _, want := range []int{200, 429, 429} {
		if got := call(g, "0").Code; got != want {
			t.Errorf("after a refused method: %d, want %d", got, want)
		}
	}

	// The keys of one subscription share its quota.
	if got := call(g, "mock-renewed-old").Code; got != 200 {
		t.Fatal(got)
	}
	if got := call(g, "mock-renewed").Code; got != 200 {
		t.Fatal(got)
	}
	if got := call(g, "mock-renewed-old").Code; got != 429 {
		t.Errorf("third call of the two keys: %d", got)
	}

	for range 2 {
		for _, want := range []int{200, 429} {
			if got := call(g, "mock-quota-last-call").Code; got != want {
				t.Errorf("last call: %d, want %d", got, want)
			}
		}
		clock.Advance(time.Second)
	}
}

// TestScopes: a test that has a quota of its own, and starts it afresh.
func TestScopes(t *testing.T) {
	t.Parallel()
	cfg := switches(t, "", "1/1s")
	cfg.Now = newClock().Now
	scope := "a"
	cfg.QuotaScope = func(*http.Request) string { return scope }
	g := gateway.New(cfg, newStandIn())
	want := func(status int) {
		t.Helper()
		if got := call(g, gateway.DemoKey).Code; got != status {
			t.Errorf("scope %s: %d, want %d", scope, got, status)
		}
	}
	want(200)
	want(429)
	scope = "b"
	want(200)
	want(429)
	g.ResetQuota("b")
	want(200)
	scope = "a"
	want(429)
}

// An incident that uses a quota up speaks of the quota that is configured, and
// in the words of the version.
func TestTooManyRequestsSpeaksOfTheQuota(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ list, rate, message, header string }{
		{"rate-headers", "17/1s", "Rate limit exceeded! You reached the limit of 17 requests per 1 seconds", "X-Rate-Limit-Remaining"},
		{"rate-headers", "quota:10/1m", "Quota exceeded! You reached the limit of 10 requests per 1 minutes", "X-Quota-Remaining"},
		{"rate-headers,apim=3.20", "5/2m", "Rate limit exceeded ! You reach the limit of 5 requests per 2 minutes", "X-Rate-Limit-Remaining"},
		{"", "0", "Rate limit exceeded! You reached the limit of 17 requests per 1 seconds", ""},
	} {
		t.Run(tt.list+" "+tt.rate, func(t *testing.T) {
			t.Parallel()
			cfg := switches(t, tt.list, tt.rate)
			cfg.Keys = gateway.NewKeys(time.Now, 0)
			cfg.Keys.Accept("0")
			got := call(gateway.New(cfg, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(gateway.TooManyRequests) })), "0")
			if got.Code != http.StatusTooManyRequests || got.Body.String() != tt.message {
				t.Errorf("%d %q, want %q", got.Code, got.Body, tt.message)
			}
			if tt.header != "" && got.Header().Get(tt.header) != "0" {
				t.Errorf("headers %v", got.Header())
			}
		})
	}
}

// TestRates are the texts and headers of each kind (gravitee.md §2.1, §2.2).
func TestRates(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, tt := range []struct {
		rate    string
		passes  int
		window  time.Duration
		message string
		headers string
	}{
		{"17/1s", 17, time.Second, "Rate limit exceeded! You reached the limit of 17 requests per 1 seconds", "X-Rate-Limit-Limit=17 X-Rate-Limit-Remaining=0"},
		{"rate:5/2m", 5, 2 * time.Minute, "Rate limit exceeded! You reached the limit of 5 requests per 2 minutes", "X-Rate-Limit-Limit=5"},
		{"quota:10/1m", 10, time.Minute, "Quota exceeded! You reached the limit of 10 requests per 1 minutes", "X-Quota-Limit=10 X-Quota-Remaining=0"},
		{"quota:3/1h", 3, time.Hour, "Quota exceeded! You reached the limit of 3 requests per 1 hours", ""},
		{"quota:3/1d", 3, day, "Quota exceeded! You reached the limit of 3 requests per 1 days", ""},
		{"quota:3/1w", 3, 7 * day, "Quota exceeded! You reached the limit of 3 requests per 1 weeks", ""},
		{"quota:3/1mo", 3, 30 * day, "Quota exceeded! You reached the limit of 3 requests per 1 months", ""}, // June 30 to July 30
		{"spike:17/1s", 2, 117 * time.Millisecond, "Spike limit exceeded! You reached the limit of 2 requests per 117 ms.", "X-Spike-Arrest-Limit=2 X-Spike-Arrest-Slice-Period=117ms"},
		{"spike:1000/1m", 2, 120 * time.Millisecond, "Spike limit exceeded! You reached the limit of 2 requests per 120 ms.", "X-Spike-Arrest-Slice-Period=120ms"},
		{"spike:2/1s", 1, 500 * time.Millisecond, "Spike limit exceeded! You reached the limit of 1 requests per 500 ms.", ""},
	} {
		t.Run(tt.rate, func(t *testing.T) {
			t.Parallel()
			g, clock := limited(t, "rate-headers", tt.rate)
			for range 2 {
				for i := range tt.passes {
					if got := call(g, "0").Code; got != 200 {
						t.Fatalf("call %d: %d", i+1, got)
					}
				}
				clock.Advance(tt.window - time.Millisecond)
				got := call(g, "0")
				if got.Code != 429 || got.Body.String() != tt.message {
					t.Fatalf("%d %q, want %q", got.Code, got.Body, tt.message)
				}
				for field := range strings.FieldsSeq(tt.headers) {
					name, value, _ := strings.Cut(field, "=")
					if got.Header().Get(name) != value {
						t.Errorf("%s: %q, want %q", name, got.Header().Get(name), value)
					}
				}
				clock.Advance(time.Millisecond)
			}
		})
	}
}

// TestMonths: a month that begins on the 31st ends where the next one does.
func TestMonths(t *testing.T) {
	t.Parallel()
	g, clock := limited(t, "", "quota:1/1mo")
	clock.Advance(time.Date(2027, time.January, 31, 12, 0, 0, 0, time.UTC).Sub(clock.Now()))
	for _, tt := range []struct {
		at     time.Time
		status int
	}{
		{time.Date(2027, time.January, 31, 12, 0, 0, 0, time.UTC), 200},
		{time.Date(2027, time.February, 28, 11, 59, 59, 999e6, time.UTC), 429},
		{time.Date(2027, time.February, 28, 12, 0, 0, 0, time.UTC), 200},
	} {
		clock.Advance(tt.at.Sub(clock.Now()))
		if got := call(g, "0").Code; got != tt.status {
			t.Errorf("%v: %d, want %d", tt.at, got, tt.status)
		}
	}
}

// TestNoRate: 0 is no limit.
func TestNoRate(t *testing.T) {
	t.Parallel()
	g, _ := limited(t, "rate-headers", "0")
	for range 1000 {
		got := call(g, "0")
		if got.Code != 200 || got.Header().Get("X-Rate-Limit-Limit") != "" {
			t.Fatal(got.Code, got.Header())
		}
	}
}

// TestCountersAreBounded: keys without number do not fill the memory.
func TestCountersAreBounded(t *testing.T) {
	t.Parallel()
	cfg := switches(t, "", "1/1s")
	cfg.AnyKey, cfg.Now = true, newClock().Now
	g := gateway.New(cfg, newStandIn())
	for i := range 80_000 {
		if got := call(g, fmt.Sprint("key ", i)).Code; got != 200 {
			t.Fatal(i, got)
		}
	}
	if n := gateway.Counters(g); n == 0 || n > 1<<16 {
		t.Errorf("%d counters", n)
	}
}

// BenchmarkGateway is what the gateway costs a request.
func BenchmarkGateway(b *testing.B) {
	cfg := switches(b, "", "0")
	cfg.Keys = gateway.NewKeys(nil, 0)
	cfg.Keys.AddDemo()
	g := gateway.New(cfg, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for _, key := range []string{gateway.DemoKey, "nobodys"} {
		b.Run(key, func(b *testing.B) {
			r := httptest.NewRequest("GET", "/fhir/v2/metadata", nil)
			r.Header.Set("ESANTE-API-KEY", key)
			w := discard{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				g.ServeHTTP(w, r)
			}
		})
	}
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}
