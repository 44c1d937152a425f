package gateway_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mockfhir/mockfhir/internal/gateway"
)

// serve puts a handler on a socket the way the command does.
func serve(t testing.TB, h http.Handler) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := gateway.Server(h)
	go func() { _ = s.Serve(gateway.Listener(l)) }()
	t.Cleanup(func() { _ = s.Close() })
	return l.Addr().String()
}

// reply is a response as it was on the wire.
type reply struct {
	line    string // "HTTP/1.1 200 OK"
	status  int
	header  http.Header // all of it, framing included
	body    string
	chunked bool
	closed  bool // the server ended the connection
}

// send writes raw bytes on a new connection and reads the response.
func send(t testing.TB, addr, raw string) reply {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.WriteString(c, raw) // the server may stop reading before the end
	in := bufio.NewReader(c)
	got := receive(t, in, raw)
	if got.header.Get("Connection") == "close" {
		_, err := in.ReadByte()
		got.closed = err == io.EOF
	}
	return got
}

// receive reads the response to a request. The head is read twice, because
// net/http hides the headers that frame a message.
func receive(t testing.TB, in *bufio.Reader, raw string) reply {
	t.Helper()
	var head bytes.Buffer
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatalf("%.60q: %v after %q", raw, err, head.String())
		}
		head.WriteString(line)
		if line == "\r\n" {
			break
		}
	}
	fields := textproto.NewReader(bufio.NewReader(bytes.NewReader(head.Bytes())))
	line, _ := fields.ReadLine()
	header, err := fields.ReadMIMEHeader()
	if err != nil {
		t.Fatalf("%.60q: %v in %q", raw, err, head.String())
	}
	method, _, _ := strings.Cut(raw, " ")
	resp, err := http.ReadResponse(bufio.NewReader(io.MultiReader(&head, in)), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%.60q: %v", raw, err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%.60q: %v", raw, err)
	}
	return reply{
		line: line, status: resp.StatusCode, header: http.Header(header), body: string(body),
		chunked: len(resp.TransferEncoding) > 0,
	}
}

// request is the bytes of a request with the demo key.
func request(method, target string, headers ...string) string {
	lines := append([]string{method + " " + target + " HTTP/1.1", "Host: gateway.example"}, headers...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

const withKey = "ESANTE-API-KEY: " + gateway.DemoKey

// clock is a time that passes when told.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock {
	return &clock{now: time.Date(2026, time.June, 30, 12, 0, 0, 123e6, time.UTC)}
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// standIn is a backend that says little and remembers what it was asked.
type standIn struct {
	status int
	body   string
	panics any

	mu   sync.Mutex
	last *http.Request
}

func newStandIn() *standIn {
	return &standIn{status: http.StatusOK, body: `{"resourceType":"Fiction"}`}
}

func (b *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	b.last = r
	b.mu.Unlock()
	w.Header().Set("Content-Type", "application/fhir+json")
	if b.panics != nil {
		panic(b.panics)
	}
	w.WriteHeader(b.status)
	_, _ = io.WriteString(w, b.body)
}

func (b *standIn) seen() *http.Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last
}

// start serves a gateway before a stand-in.
func start(t testing.TB, cfg gateway.Config) (addr string, behind *standIn) {
	t.Helper()
	behind = newStandIn()
	return serve(t, gateway.New(cfg, behind)), behind
}

// switches is a configuration from the words of the command line.
func switches(t testing.TB, list, rate string) gateway.Config {
	t.Helper()
	cfg, err := gateway.ParseSwitches(list)
	if err != nil {
		t.Fatal(err)
	}
	if rate != "" {
		if cfg.Rate, err = gateway.ParseRate(rate); err != nil {
			t.Fatal(err)
		}
	}
	return cfg
}
