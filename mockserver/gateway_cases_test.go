package mockserver_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mockfhir/mockfhir/internal/shared"
	"github.com/mockfhir/mockfhir/mockserver"
	"github.com/mockfhir/mockfhir/mockserver/control"
)

// TestGatewayCases runs the rows of gateway-cases.tsv through the whole mock:
// rehearsal, gateway and FHIR server over a socket. internal/gateway runs all
// of them with a backend that it can look into; here that backend is the FHIR
// server, and a request that reaches it is known by the gateway's ids. The
// rows of the portal are TestGuide's.
func TestGatewayCases(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(shared.Path(t, "cases", "gateway-cases.tsv"))
	mustDo(t, err)
	ran := 0
	for line := range strings.Lines(string(text)) {
		row := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if row[0] == "id" || row[6] == "portal" {
			continue
		}
		engines, switches, rate := caseProfile(row[6])
		for _, engine := range engines {
			ran++
			t.Run(row[0]+"/"+engine, func(t *testing.T) {
				c := newGatewayCase(t, engine+","+switches, rate)
				c.run(row[1])
				c.check(row[2], row[3], row[4])
			})
		}
	}
	if ran < 60 {
		t.Errorf("only %d rows ran", ran)
	}
}

// caseProfile reads the last column.
func caseProfile(profile string) (engines []string, switches, rate string) {
	first, rest, _ := strings.Cut(profile, " ")
	rate = "0"
	if name, found := strings.CutSuffix(first, "+hc"); found {
		first, switches = name, "health-plan,"
	}
	switch first = strings.TrimSuffix(first, "-hc"); first {
	case "both":
		engines = []string{"v3", "v4"}
	case "3.20":
		engines, switches = []string{"v3"}, switches+"apim=3.20,"
	default:
		engines = []string{first}
	}
	switch {
	case strings.HasPrefix(rest, "rl17"):
		rate = "17/1s"
	case strings.HasPrefix(rest, "spike "):
		rate = "spike:17/1s"
	case rest == "cors":
		switches += "cors=https://app.example,"
	}
	if rest == "rl17h" || strings.HasSuffix(rest, "addHeaders") {
		switches += "rate-headers,"
	}
	return engines, switches, rate
}

type gatewayCase struct {
	t      *testing.T
	addr   string
	clock  *hands
	mock   *control.Client
	all    []*http.Response
	bodies []string
}

func newGatewayCase(t *testing.T, switches, rate string) *gatewayCase {
	t.Helper()
	clock := newHands()
	server := mockserver.New(directory("Practitioner/1"), mockserver.WithGateway(switches), mockserver.WithRate(rate), mockserver.WithClock(clock.Now))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	mustDo(t, err)
	http := server.HTTPServer()
	go http.Serve(mockserver.Listener(l, nil))
	t.Cleanup(func() { http.Close() })
	return &gatewayCase{t: t, addr: l.Addr().String(), clock: clock, mock: control.In(server)}
}

// caseKeys are the keys that the rows speak of.
var caseKeys = map[string]string{
	"K1": "mock-key", "K2": "mock-key-2", "KX": "99999999-0000-4000-8000-00000000dead",
	"KR": "mock-revoked", "KP": "mock-paused", "KC": "mock-closed", "KE": "mock-expired", "KO": "mock-other-api",
}

var (
	caseKey = regexp.MustCompile(`\bK\w\b`)
	remarks = strings.NewReplacer("K1 in upper case (key contains a-f)", "MOCK-KEY", "(empty)", "", " (after sync)", "", " (duplicate)", "")
)

func fillCase(text string) string {
	return caseKey.ReplaceAllStringFunc(remarks.Replace(text), func(name string) string { return caseKeys[name] })
}

var (
	nthCall     = regexp.MustCompile(`^(\d+)(?:st|nd|rd|th) request of (\w+) within (\d+ m?s)(.*)$`)
	renewedCall = regexp.MustCompile(`^after _renew, old K1 (within|after) 2 h: (.*)$`)
)

// run does what the second column says.
func (c *gatewayCase) run(text string) {
	const plain = "GET /fhir/v2/metadata; ESANTE-API-KEY: K1"
	if m := nthCall.FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[1])
		within, err := time.ParseDuration(strings.ReplaceAll(m[3], " ", ""))
		mustDo(c.t, err)
		for range n {
			c.ask("GET /fhir/v2/metadata; ESANTE-API-KEY: " + m[2] + m[4])
			c.clock.Advance(within / time.Duration(n))
		}
		return
	}
	if m := renewedCall.FindStringSubmatch(text); m != nil {
		_, all, err := c.mock.Keys(c.t.Context())
		mustDo(c.t, err)
		for _, s := range all {
			if s.Name == mockserver.DemoKey {
				must(c.mock.Act(c.t.Context(), s.ID, control.Renew))(c.t)
			}
		}
		c.clock.Advance(2 * time.Hour)
		if m[1] == "within" {
			c.clock.Advance(-time.Millisecond)
		}
		c.ask(m[2])
		return
	}
	switch backend, rest, _ := strings.Cut(text, "; "); {
	case text == "17 requests just before the reset and 17 just after":
		c.ask(plain)
		c.clock.Advance(time.Second - time.Millisecond)
		for range 33 {
			if len(c.all) == 17 {
				c.clock.Advance(time.Millisecond)
			}
			c.ask(plain)
		}
	case text == "100 requests without key, then 17 with K1":
		for range 100 {
			c.ask("GET /fhir/v2/metadata")
		}
		for range 17 {
			c.ask(plain)
		}
	case backend == "backend refuses TCP":
		mustDo(c.t, c.mock.Default().Start(c.t.Context(), "bad-gateway", ""))
		c.ask("GET /fhir/v2/metadata; " + rest)
	case backend == "backend answers 404 OperationOutcome":
		c.ask("GET /fhir/v2/Practitioner/none; " + rest)
	default:
		c.ask(text)
	}
}

// ask sends "GET /path HTTP/1.1; Name: value; no Accept".
func (c *gatewayCase) ask(text string) {
	c.t.Helper()
	parts := strings.Split(fillCase(text), "; ")
	method, target, _ := strings.Cut(strings.TrimSuffix(parts[0], " HTTP/1.1"), " ")
	request := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: mock\r\n", method, target)
	for _, part := range parts[1:] {
		for field := range strings.SplitSeq(part, " then ") {
			if strings.Contains(field, ":") {
				request += field + "\r\n"
			}
		}
	}
	if method != "GET" && method != "OPTIONS" {
		request += "Content-Length: 0\r\n"
	}
	conn, err := net.Dial("tcp", c.addr)
	mustDo(c.t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, request+"\r\n")
	mustDo(c.t, err)
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	mustDo(c.t, err)
	body, err := io.ReadAll(response.Body)
	mustDo(c.t, err)
	if response.Close { // which net/http takes out of the headers
		response.Header.Set("Connection", "close")
	}
	if response.ContentLength >= 0 {
		response.Header.Set("Content-Length", strconv.FormatInt(response.ContentLength, 10))
	}
	c.all, c.bodies = append(c.all, response), append(c.bodies, string(body))
}

func (c *gatewayCase) check(status, headers, body string) {
	c.t.Helper()
	last, got := c.all[len(c.all)-1], c.bodies[len(c.bodies)-1]
	if strings.HasPrefix(headers, "(backend") || strings.HasPrefix(headers, "backend request has") {
		if last.Header.Get("X-Gravitee-Transaction-Id") == "" || last.StatusCode == 401 || last.StatusCode == 403 || last.StatusCode == 429 {
			c.t.Errorf("the FHIR server was not reached: %s", last.Status)
		}
		return
	}
	if strconv.Itoa(last.StatusCode) != status {
		c.t.Errorf("status %d, want %s: %s", last.StatusCode, status, got)
	}
	if strings.Contains(headers, "accepted") {
		for i, response := range c.all[max(0, len(c.all)-34):] {
			if accepted := response.StatusCode == 200; !accepted && (len(c.all) == 34 || i >= 17) {
				c.t.Errorf("a call is answered with %d", response.StatusCode)
			}
		}
		return
	}
	for item := range strings.SplitSeq(headers, " | ") {
		c.checkHeader(last.Header, item)
	}
	switch {
	case strings.HasPrefix(body, "(backend)"):
	case body == "(empty)" && got != "", body != "(empty)" && got != body:
		c.t.Errorf("body %q, want %q", got, body)
	}
}

func (c *gatewayCase) checkHeader(h http.Header, want string) {
	c.t.Helper()
	if strings.HasSuffix(want, "?") {
		return
	}
	if name, absent := strings.CutPrefix(want, "!"); absent {
		if h.Values(name) != nil {
			c.t.Errorf("%s: %q, want none", name, h.Values(name))
		}
		return
	}
	if name, pattern, matched := strings.Cut(want, "~"); matched {
		if !regexp.MustCompile(pattern).MatchString(h.Get(name)) {
			c.t.Errorf("%s: %q, want %s", name, h.Get(name), pattern)
		}
		return
	}
	name, value, _ := strings.Cut(want, ": ")
	if got, _, _ := strings.Cut(h.Get(name), ";"); got != value { // the type of the FHIR server has a charset
		c.t.Errorf("%s: %q, want %q", name, h.Get(name), value)
	}
}
