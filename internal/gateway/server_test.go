package gateway_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mockfhir/mockfhir/internal/gateway"
)

// TestHTTPStack is about what comes before Gravitee (gravitee.md §3.4).
func TestHTTPStack(t *testing.T) {
	t.Parallel()
	addr, _ := start(t, gateway.Default())
	line := func(n int) string { // a request line of n bytes
		const empty = "GET /fhir/?q= HTTP/1.1"
		return request("GET", "/fhir/?q="+strings.Repeat("x", n-len(empty)), withKey)
	}
	headers := func(n int) string { // headers of n bytes
		const rest = len("Host: gateway.example" + withKey + "X-Fill: ")
		return request("GET", "/fhir/", withKey, "X-Fill: "+strings.Repeat("x", n-rest))
	}
	for _, tt := range []struct{ name, raw, status string }{
		{"line at the limit", line(4096), "200 OK"},
		{"line above the limit", line(4097), "414 Request-URI Too Long"},
		{"line beyond reading", line(512 << 10), "414 Request-URI Too Long"},
		{"page tokens are exempt", strings.Replace(line(5000), "/fhir/?", "/fhir/v2/_page?", 1), "200 OK"},
		{"headers at the limit", headers(8192), "200 OK"},
		{"headers above the limit", headers(8193), "431 Request Header Fields Too Large"},
		{"headers beyond reading", headers(512 << 10), "431 Request Header Fields Too Large"},
		{"not HTTP", "hello\r\n\r\n", "400 Bad Request"},
		{"bad header name", "GET /fhir/ HTTP/1.1\r\nHost: x\r\nBad Name: x\r\n\r\n", "400 Bad Request"},
		{"bad header name, and more to come", "GET /fhir/ HTTP/1.1\r\nHost: x\r\nBad Name: x\r\n" + headers(64<<10), "400 Bad Request"},
		{"bad escape", request("GET", "/fhir/%zz"), "400 Bad Request"},
		{"NUL in a header", request("GET", "/fhir/", "A: \x00"), "400 Bad Request"},
		{"two hosts", request("GET", "/fhir/", "Host: y"), "400 Bad Request"},
		{"two lengths", request("POST", "/fhir/", "Content-Length: 1", "Content-Length: 2"), "400 Bad Request"},
		{"no host", "GET /fhir/ HTTP/1.1\r\n\r\n", "400 Bad Request"},
		{"unknown version", "GET /fhir/ HTTP/3.0\r\nHost: x\r\n\r\n", "400 Bad Request"},
		{"unknown expectation", request("GET", "/fhir/", withKey, "Expect: wonders"), "400 Bad Request"},
		{"strange framing", request("POST", "/fhir/", "Transfer-Encoding: gzip"), "400 Bad Request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := send(t, addr, tt.raw)
			if got.line != "HTTP/1.1 "+tt.status {
				t.Fatalf("%q, want %q", got.line, tt.status)
			}
			if tt.status == "200 OK" {
				return
			}
			if got.body != "" || !got.closed || got.header.Get("Content-Length") != "0" || len(got.header) != 2 {
				t.Errorf("want an empty answer and the end of the connection: %+v", got)
			}
		})
	}
}

// TestBackendMaySayIt: only net/http's own replies are changed, not a response
// that looks like one.
func TestBackendMaySayIt(t *testing.T) {
	t.Parallel()
	const own = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n400 Bad Request"
	addr, behind := start(t, gateway.Default())
	behind.body = strings.Repeat(own, 1000)
	for _, status := range []int{http.StatusRequestURITooLong, http.StatusExpectationFailed, http.StatusBadRequest} {
		behind.status = status
		got := send(t, addr, request("GET", "/fhir/", withKey))
		if got.status != status || got.body != behind.body {
			t.Errorf("%s: %d bytes, want %d", got.line, len(got.body), len(behind.body))
		}
	}
}

// TestSlowClients are cut off, and nobody waits for them.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	s := gateway.Server(gateway.New(gateway.Default(), newStandIn()))
	for name, d := range map[string]time.Duration{
		"ReadHeaderTimeout": s.ReadHeaderTimeout, "ReadTimeout": s.ReadTimeout,
		"WriteTimeout": s.WriteTimeout, "IdleTimeout": s.IdleTimeout,
	} {
		if d <= 0 || d > 5*time.Minute {
			t.Errorf("%s is %v", name, d)
		}
	}
	s.ReadHeaderTimeout, s.ReadTimeout, s.IdleTimeout = 100*time.Millisecond, 200*time.Millisecond, 100*time.Millisecond
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve(gateway.Listener(l)) }()
	t.Cleanup(func() { _ = s.Close() })
	addr := l.Addr().String()

	var slow []net.Conn
	for _, begin := range []string{
		"", "G", "GET /fhir/ HTTP/1.1\r\nHost: x\r\n", // never end their head
		request("POST", "/fhir/v2/Practitioner/_search", withKey, "Content-Length: 10"), // never send their body
		request("GET", "/fhir/", withKey),                                               // stay connected
	} {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = io.WriteString(c, begin)
		slow = append(slow, c)
	}
	if got := send(t, addr, request("GET", "/fhir/", withKey)); got.status != 200 {
		t.Errorf("among slow clients: status %d", got.status)
	}
	for i, c := range slow {
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Errorf("slow client %d is still connected", i)
		}
	}
}

// TestNoGoroutineStays. It is not parallel: it counts.
func TestNoGoroutineStays(t *testing.T) {
	before := runtime.NumGoroutine()
	cfg := gateway.Default()
	cfg.Rate = gateway.Rate{}
	s := gateway.Server(gateway.New(cfg, newStandIn()))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- s.Serve(gateway.Listener(l)) }()
	for _, raw := range []string{
		request("GET", "/fhir/", withKey), request("GET", "/fhir/"), request("GET", "/"),
		request("POST", "/fhir/x/_search", withKey, "Content-Length: 1000"), // without its body
		"GET /fhir/ HTTP/1.1\r\nHost", "\x00\x01\x02\r\n\r\n", "", strings.Repeat("x", 10_000),
	} {
		for range 20 {
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(c, raw)
			_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
			_, _ = c.Read(make([]byte, 1))
			_ = c.Close()
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	<-done
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// TestTLS: the same bytes over TLS, and the handler knows that it is TLS.
func TestTLS(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	secure := make(chan bool, 1)
	s := gateway.Server(gateway.New(gateway.Default(), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		secure <- r.TLS != nil && r.TLS.HandshakeComplete
	})))
	l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate(t)}})
	go func() { _ = s.Serve(gateway.Listener(l)) }()
	t.Cleanup(func() { _ = s.Close() })

	ask := func(raw string) reply {
		t.Helper()
		c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true}) // a certificate made a moment ago
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = io.WriteString(c, raw)
		return receive(t, bufio.NewReader(c), raw)
	}
	if got := ask(request("GET", "/fhir/", withKey)); got.status != 200 || !<-secure {
		t.Errorf("status %d, or a handler that does not know", got.status)
	}
	if got := ask("hello\r\n\r\n"); got.line != "HTTP/1.1 400 Bad Request" || got.body != "" {
		t.Errorf("%+v", got)
	}
}

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestLargeBodies arrive whole, whatever their size and however often a backend
// writes, and none of what was written waits for what is not.
func TestLargeBodies(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("0123456789abcdef", 8<<10)
	proceed := make(chan struct{})
	backend := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, query, _ := strings.Cut(r.RequestURI, "?")
		for part := range strings.SplitSeq(query, ",") {
			switch part {
			case "wait":
				<-proceed
			case "abort":
				panic(http.ErrAbortHandler)
			default:
				n, _ := strconv.Atoi(part)
				if wrote, err := io.WriteString(w, text[:n]); wrote != n || err != nil {
					t.Errorf("%s: wrote %d of %d: %v", query, wrote, n, err)
				}
			}
		}
	})
	cfg := gateway.Default()
	cfg.Rate = gateway.Rate{}
	addr := serve(t, gateway.New(cfg, backend))

	for n := 3000; n < 10_000; n += 97 { // around what net/http gathers, with and without headers
		if got := send(t, addr, request("GET", "/fhir/?"+strconv.Itoa(n), withKey)); got.body != text[:n] {
			t.Fatalf("%d bytes became %d", n, len(got.body))
		}
	}
	if got := send(t, addr, request("GET", "/fhir/?5000,20,9000,4096,4097,131072,1", withKey)); got.body != text[:5000]+text[:20]+text[:9000]+text[:4096]+text[:4097]+text+text[:1] {
		t.Errorf("several writes became %d bytes", len(got.body))
	}
	for _, end := range []string{"wait", "abort"} {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		_, _ = io.WriteString(c, request("GET", "/fhir/?100000,"+end, withKey))
		if _, err := io.ReadFull(c, make([]byte, 100_000)); err != nil {
			t.Errorf("%s: what was written before does not arrive: %v", end, err)
		}
		if end == "wait" {
			close(proceed)
		}
	}
}
