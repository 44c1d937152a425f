// Package hostile attacks the mock server over sockets with requests that no
// client in good faith sends. It has nothing but tests.
package hostile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/internal/fhirschema"
	"github.com/mockfhir/mockfhir/mockserver"
)

// hostileEnv says how many hostile requests are sent; `make hostile` sends
// 100,000.
const hostileEnv = "MOCKFHIR_HOSTILE"

const hostileKey = "key-of-the-hostile-test"

// A shot is one hostile request: its bytes, and the manners they come with.
type shot struct {
	raw     string
	pieces  int           // sent in so many parts, with a pause between them
	pause   time.Duration //
	fresh   bool          // on a connection of its own
	done    bool          // the client closes its side behind the last byte
	hangUp  bool          // the client leaves without reading the answer
	answers int           // for requests sent in one go; 0 is one
}

// A hostility is a family of hostile requests, with the statuses that the
// documentation of the service and of its gateway allow for it. noAnswer is
// a connection closed without a word.
type hostility struct {
	name     string
	statuses []int
	shot     func(*rand.Rand) shot
}

const noAnswer = 0

// TestHostileRequests sends every family to a server as the command runs it
// and holds that nothing panics, hangs, grows or answers off the documented
// statuses (issue #2, "Bad input").
func TestHostileRequests(t *testing.T) {
	count := 3000
	if text := os.Getenv(hostileEnv); text != "" {
		var err error
		if count, err = strconv.Atoi(text); err != nil || count < 1 {
			t.Fatalf("%s=%q: write a number of requests, 100000", hostileEnv, text)
		}
	}
	t.Run("production", func(t *testing.T) { storm(t, mockserver.Production, count) })
	// The source takes writes (ans-server.md §9), and closes the connection
	// where production says 502.
	t.Run("source", func(t *testing.T) {
		storm(t, mockserver.Source, count/4+1, noAnswer, 200, 201, 204, 400, 404, 405, 422, 500, 501)
	})
}

// maxGrowth is the noise of the heap after garbage collection. One leaked
// kilobyte in twenty requests would exceed it in a full run.
const maxGrowth = 4 << 20

func storm(t *testing.T, profile mockserver.Profile, count int, also ...int) {
	target := startTarget(t, profile)
	families := hostilities(realToken(t, target.addr))

	target.attack(t, families, max(count/5, 20*len(families)), 1, also) // fills pools and caches
	goroutines, heap := settled(t, 0)
	began := time.Now()
	statuses := target.attack(t, families, count, 2, also)
	took := time.Since(began)
	_, heapAfter := settled(t, goroutines)

	t.Logf("%d requests of %d families in %v: %v", count, len(families), took.Round(time.Millisecond), statuses)
	t.Logf("heap %d KiB before, %d KiB after", heap>>10, heapAfter>>10)
	if heapAfter > heap+maxGrowth {
		t.Errorf("the heap grew from %d to %d KiB", heap>>10, heapAfter>>10)
	}
}

// settled waits for goroutines to end, at most until their number is that of
// before (0: whatever it is), and returns it with the size of the live heap.
func settled(t *testing.T, before int) (goroutines int, heap uint64) {
	t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for {
		runtime.GC()
		now := runtime.NumGoroutine()
		if before > 0 && now <= before || before == 0 && now == goroutines {
			goroutines = now
			break
		}
		goroutines = now
		if time.Now().After(deadline) {
			var stacks bytes.Buffer
			_ = pprof.Lookup("goroutine").WriteTo(&stacks, 1)
			t.Errorf("%d goroutines before, %d after:\n%.4000s", before, now, stacks.String())
			break
		}
		time.Sleep(700 * time.Millisecond) // longer than a refused connection lingers
	}
	runtime.GC() // a second one empties pools
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	return goroutines, mem.HeapAlloc
}

// target is a server under attack.
type target struct {
	addr       string
	production bool

	mu     sync.Mutex
	panics []string
}

// startTarget serves the embedded directory the way the command does.
func startTarget(t *testing.T, profile mockserver.Profile, adjust ...func(*http.Server)) *target {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tg := &target{addr: listener.Addr().String(), production: profile == mockserver.Production}
	server := mockserver.New(fixtures.Default(), mockserver.WithKeys(hostileKey), mockserver.WithRate("0"), mockserver.WithProfile(profile)).HTTPServer()
	handler := server.Handler
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if cause != http.ErrAbortHandler {
				tg.panicked(fmt.Sprintf("%v\n%s", cause, debug.Stack()))
			}
			panic(cause)
		}()
		handler.ServeHTTP(w, r)
	})
	server.ErrorLog = log.New(io.Discard, "", 0)
	for _, f := range adjust {
		f(server)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(mockserver.Listener(listener, nil)) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("the server ended: %v", err)
		}
	})
	return tg
}

func (tg *target) panicked(what string) {
	tg.mu.Lock()
	defer tg.mu.Unlock()
	tg.panics = append(tg.panics, what)
}

// attack fires shots from a few connections at once and judges the answers.
// The same seed fires the same shots.
func (tg *target) attack(t *testing.T, families []hostility, count int, seed uint64, also []int) map[int]int {
	t.Helper()
	var (
		next, failures atomic.Int64
		workers        sync.WaitGroup
		mu             sync.Mutex
		statuses       = map[int]int{}
	)
	for range 8 {
		workers.Go(func() {
			c := &attacker{addr: tg.addr}
			defer c.hangUp()
			for {
				i := int(next.Add(1)) - 1
				if i >= count || failures.Load() > 10 {
					return
				}
				family := families[i%len(families)]
				s := family.shot(rand.New(rand.NewPCG(seed, uint64(i))))
				for _, a := range c.fire(s) {
					mu.Lock()
					statuses[a.status]++
					mu.Unlock()
					if problem := tg.judge(family, a, also); problem != "" {
						failures.Add(1)
						t.Errorf("%s, shot %d of seed %d: %s, to %.200q", family.name, i, seed, problem, s.raw)
					}
				}
			}
		})
	}
	workers.Wait()
	tg.mu.Lock()
	defer tg.mu.Unlock()
	for _, p := range tg.panics[:min(len(tg.panics), 3)] {
		t.Errorf("panic: %.3000s", p)
	}
	tg.panics = nil
	return statuses
}

// judge says what is wrong with an answer.
func (tg *target) judge(family hostility, a answer, also []int) string {
	switch {
	case a.err != nil:
		return a.err.Error()
	case !slices.Contains(family.statuses, a.status) && !slices.Contains(also, a.status):
		return fmt.Sprintf("status %d, documented are %v", a.status, family.statuses)
	case bytes.Contains(a.body, []byte(hostileKey)):
		return "the answer tells the key"
	case tg.production && strings.Contains(a.contentType, "json") && len(a.body) > 0:
		return unsound(a)
	}
	return ""
}

// unsound says what is wrong with a body of JSON.
func unsound(a answer) string {
	n, err := fhir.Parse(a.body)
	if err != nil {
		return fmt.Sprintf("%v in the body: %.200q", err, a.body)
	}
	if !strings.HasPrefix(a.contentType, "application/fhir+json") {
		return "" // the words of the gateway
	}
	for _, issue := range fhirschema.Validate(n) {
		_, known := issue.Deviation()
		echo := issue.Element == "OperationOutcome.issue.diagnostics" && issue.Rule == fhirschema.RuleLexical // repeats what it was given (ans-server.md §2.2)
		if !known && !echo {
			return fmt.Sprintf("%v in the body: %.200q", issue, a.body)
		}
	}
	return ""
}

// answer is what came back; err is set when it was cut or never came.
type answer struct {
	status      int
	contentType string
	body        []byte
	err         error
}

const (
	// patience is how long an answer may take before it counts as never. It is
	// for the race detector on a busy machine.
	patience = time.Minute
	// maxAnswer is the size above which a request was worth too much.
	maxAnswer = 64 << 20
)

// attacker is a client with one connection, and no manners.
type attacker struct {
	addr string
	conn net.Conn
	in   *bufio.Reader
}

func (c *attacker) hangUp() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

func (c *attacker) fire(s shot) []answer {
	if s.fresh || s.hangUp || s.done {
		c.hangUp()
		defer c.hangUp()
	}
	if c.conn == nil {
		conn, err := net.Dial("tcp", c.addr)
		if err != nil {
			return []answer{{err: err}}
		}
		c.conn, c.in = conn, bufio.NewReader(conn)
	}
	_ = c.conn.SetDeadline(time.Now().Add(patience))
	var sending sync.WaitGroup
	sending.Go(func() { send(c.conn, s) })
	if s.hangUp {
		sending.Wait()
		return nil
	}
	method, _, _ := strings.Cut(s.raw, " ")
	var answers []answer
	for range max(1, s.answers) {
		a, closed := receive(c.in, method)
		answers = append(answers, a)
		if closed {
			defer c.hangUp()
			break
		}
	}
	if c.conn != nil && len(s.raw) > 1<<16 { // the server may not want the rest
		c.hangUp()
	}
	sending.Wait()
	return answers
}

// send writes a request in its pieces. Errors do not matter: the server may
// have answered and closed before the end.
func send(conn net.Conn, s shot) {
	size := len(s.raw)
	if s.pieces > 1 {
		size = max(1, len(s.raw)/s.pieces)
	}
	for rest := s.raw; rest != ""; {
		n := min(size, len(rest))
		if _, err := io.WriteString(conn, rest[:n]); err != nil {
			return
		}
		if rest = rest[n:]; s.pause > 0 {
			time.Sleep(s.pause)
		}
	}
	if tcp, ok := conn.(*net.TCPConn); ok && s.done {
		_ = tcp.CloseWrite()
	}
}

// receive reads one final response. closed says that no other will follow.
func receive(in *bufio.Reader, method string) (a answer, closed bool) {
	for {
		if _, err := in.Peek(1); err != nil {
			var late net.Error
			if errors.As(err, &late) && late.Timeout() {
				return answer{err: fmt.Errorf("no answer in %v", patience)}, true
			}
			return answer{status: noAnswer}, true // closed or reset
		}
		resp, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return answer{err: fmt.Errorf("no HTTP: %w", err)}, true
		}
		if resp.StatusCode < 200 {
			continue
		}
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
		switch {
		case len(body) > maxAnswer:
			return answer{err: fmt.Errorf("%d, with more than %d MiB", resp.StatusCode, maxAnswer>>20)}, true
		case err != nil:
			err = fmt.Errorf("%d, cut after %d bytes: %w", resp.StatusCode, len(body), err)
		}
		return answer{resp.StatusCode, resp.Header.Get("Content-Type"), body, err}, resp.Close
	}
}

// TestPatienceEnds holds that clients who stall, at any point of a request or
// of its answer, lose their connection when the server's patience ends.
func TestPatienceEnds(t *testing.T) {
	const patience = 200 * time.Millisecond
	target := startTarget(t, mockserver.Production, func(server *http.Server) {
		for name, limit := range map[string]*time.Duration{
			"ReadHeaderTimeout": &server.ReadHeaderTimeout, "ReadTimeout": &server.ReadTimeout,
			"WriteTimeout": &server.WriteTimeout, "IdleTimeout": &server.IdleTimeout,
		} {
			if *limit <= 0 || *limit > 5*time.Minute {
				t.Errorf("%s is %v: the server waits too long", name, *limit)
			}
			*limit = patience
		}
	})
	goroutines, _ := settled(t, 0)
	page := get("/fhir/v2/Device?_count=500")
	var clients sync.WaitGroup
	for name, s := range map[string]shot{
		"says nothing":            {raw: ""},
		"stops in the first line": {raw: "GET /fhir"},
		"stops in the headers":    {raw: page.raw[:len(page.raw)-2]},
		"trickles the headers":    {raw: page.raw[:len(page.raw)-1], pieces: len(page.raw), pause: patience / 4},
		"stops in the body":       {raw: strings.Replace(post("/fhir/v2/Device/_search", "name=a").raw, "Length: 6", "Length: 600", 1)},
		"trickles the body":       {raw: strings.Replace(post("/fhir/v2/Device/_search", strings.Repeat("name=a&", 100)).raw, "Length: 700", "Length: 900", 1), pieces: 300, pause: patience / 4},
		"stays after the answer":  {raw: get("/fhir/v2/metadata").raw},
		"does not read":           {raw: strings.Repeat(page.raw, 100)},
	} {
		clients.Go(func() {
			conn, err := net.Dial("tcp", target.addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(50 * patience))
			send(conn, s)
			if name == "does not read" {
				time.Sleep(5 * patience)
			}
			var late net.Error
			if _, err := io.Copy(io.Discard, conn); errors.As(err, &late) && late.Timeout() {
				t.Errorf("a client who %s keeps the connection", name)
			}
		})
	}
	clients.Wait()
	settled(t, goroutines)
	for _, p := range target.panics {
		t.Errorf("panic: %.3000s", p)
	}
}

// realToken asks for a first page and takes its next link's token.
func realToken(t *testing.T, addr string) string {
	t.Helper()
	c := &attacker{addr: addr}
	defer c.hangUp()
	a := c.fire(get("/fhir/v2/Practitioner?_count=1"))[0]
	_, rest, found := strings.Cut(string(a.body), "/_page?id=")
	token, _, ended := strings.Cut(rest, `"`)
	if a.err != nil || !found || !ended {
		t.Fatalf("no token in the first page: %d %v %.300s", a.status, a.err, a.body)
	}
	return token
}
