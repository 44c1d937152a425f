package record_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/record"
)

// proxied runs a recording proxy in front of a service, and returns its
// address and what stops it and seals.
func proxied(t testing.TB, base string) (address string, stop func() *fixtures.Set) {
	t.Helper()
	proxy, err := record.NewProxy(record.Options{Target: target(t, base), Secret: []byte(testSecret)})
	if err != nil {
		t.Fatal(err)
	}
	l, err := record.ListenLoopback("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- proxy.Serve(ctx, l) }()
	t.Cleanup(cancel)
	return "http://" + l.Addr().String(), func() *fixtures.Set {
		cancel()
		if err := <-served; err != nil {
			t.Fatal(err)
		}
		set, err := proxy.Seal()
		if err != nil {
			t.Fatal(err)
		}
		return load(t, set)
	}
}

func get(t testing.TB, address string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestAClientStaysOnTheProxy(t *testing.T) {
	t.Parallel()
	upstream := serve(t, mock(generated(t, 5)))
	address, stop := proxied(t, upstream)
	next, pages := address+"/fhir/v2/Practitioner?_count=7", 0
	for ; next != "" && pages < 4; pages++ {
		status, body := get(t, next) // without a key
		if status != http.StatusOK || strings.Contains(body, strings.TrimSuffix(upstream, "/fhir/v2")) {
			t.Fatalf("%d, or a link past the proxy:\n%.300s", status, body)
		}
		if next = ""; strings.Contains(body, `"relation": "next"`) {
			_, next, _ = strings.Cut(body, `"relation": "next","url": "`)
			next, _, _ = strings.Cut(next, `"`)
		}
		if !strings.HasPrefix(next, address+"/fhir/v2/_page?id=") {
			t.Fatalf("the next link is %.60q", next)
		}
	}
	if status, _ := get(t, address+"/fhir/v2/metadata", "ESANTE-API-KEY", ""); status != http.StatusUnauthorized {
		t.Errorf("an empty key is answered with %d", status)
	}
	res, err := http.PostForm(address+"/fhir/v2/Organization/_search", map[string][]string{"active": {"true"}, "_count": {"3"}})
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("a search by POST: %v, %v", res, err)
	}
	_ = res.Body.Close()

	set := stop()
	if len(set.Scenarios) != pages+2 {
		t.Errorf("%d files of exchanges for %d requests", len(set.Scenarios), pages+2)
	}
	// The recorded walk can be walked on a mock of the recording.
	p := replayer{base: serve(t, mock(set)), tokens: map[string]string{}}
	for _, s := range set.Scenarios {
		x := &s.Exchanges[0]
		if status, _, body := p.ask(t, x); status != x.Response.Status || !p.compare(string(x.Response.Body), body) {
			t.Errorf("%s: %d, another body than the recorded one\n%.300s", s.File, status, body)
		}
	}
}

func TestTheProxyLendsItsKeyToNobodyElse(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"0.0.0.0:0", ":8081", "192.0.2.1:80", "[::]:0", "8081"} {
		if l, err := record.ListenLoopback(address); err == nil {
			_ = l.Close()
			t.Errorf("it listens on %s", address)
		}
	}
	address, _ := proxied(t, serve(t, mock(generated(t, 5))))
	conn, err := net.Dial("tcp", strings.TrimPrefix(address, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// A page of another site that resolves its name to this machine.
	_, _ = io.WriteString(conn, "GET /fhir/v2/Practitioner HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
	answer, _ := io.ReadAll(conn)
	if !strings.HasPrefix(string(answer), "HTTP/1.1 404") || strings.Contains(string(answer), "Bundle") {
		t.Errorf("a foreign host is answered\n%.200s", answer)
	}
}

// dying answers so many requests and then no more.
type dying struct {
	next  http.Handler
	after int
	how   func(w http.ResponseWriter)
	seen  atomic.Int64
}

func (d *dying) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if d.seen.Add(1) > int64(d.after) {
		d.how(w)
		return
	}
	d.next.ServeHTTP(w, r)
}

func TestATargetThatDiesHalfway(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		how  func(w http.ResponseWriter)
		want string
	}{
		"it hangs up":          {func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, "closes the connection"},
		"it is in maintenance": {func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) }, "503 service unavailable"},
		"it refuses the key":   {func(w http.ResponseWriter) { w.WriteHeader(http.StatusUnauthorized) }, "refuses the key"},
		"it throttles":         {func(w http.ResponseWriter) { w.WriteHeader(http.StatusTooManyRequests) }, "429 too many requests"},
		"its answers break off": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"resourceType":`)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, "breaks off"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := serve(t, &dying{next: mock(fixtures.Default()), after: 50, how: tt.how})
			set, err := record.Walk(context.Background(), record.Options{Target: target(t, base), Secret: []byte(testSecret)})
			if set != nil || err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "nothing was saved") {
				t.Errorf("%v; want %q", err, tt.want)
			}
			if err != nil && (strings.Contains(err.Error(), testKey) || strings.Contains(err.Error(), "Practitioner?")) {
				t.Errorf("%q tells too much", err)
			}
		})
	}
}

func TestAWalkIsInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	base := serve(t, &dying{next: mock(fixtures.Default()), after: 20, how: func(http.ResponseWriter) {
		cancel()
		time.Sleep(50 * time.Millisecond)
		panic(http.ErrAbortHandler)
	}})
	_, err := record.Walk(ctx, record.Options{Target: target(t, base), Secret: []byte(testSecret)})
	if err == nil || !strings.Contains(err.Error(), "it was interrupted; nothing was saved") {
		t.Error(err)
	}
}

func TestAWalkIsPaced(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	base := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) == 6 {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	began := time.Now()
	_, err := record.Walk(context.Background(), record.Options{Target: target(t, base), Secret: []byte(testSecret), Rate: 20})
	if err == nil || asked.Load() != 6 {
		t.Fatalf("%v after %d requests", err, asked.Load())
	}
	if took := time.Since(began); took < 240*time.Millisecond { // five gaps; a busy machine makes it more
		t.Errorf("six requests at 20 a second take %v", took)
	}
}
