package gateway_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mockfhir/mockfhir/internal/gateway"
	"github.com/mockfhir/mockfhir/internal/portal"
	"github.com/mockfhir/mockfhir/internal/shared"
)

// TestCases runs every row of gateway-cases.tsv over a socket. It reads the
// notation of gravitee.md §9, and knows no row: one it cannot read fails.
func TestCases(t *testing.T) {
	t.Parallel()
	rows := readTSV(t, shared.Path(t, "cases", "gateway-cases.tsv"))
	waived := map[string]string{}
	for _, w := range readTSV(t, "testdata/waivers.tsv") {
		waived[w["id"]] = w["reason"]
	}
	var passed, failed, skipped int
	world := newPortalWorld(t)
	for _, row := range rows {
		id := row["id"]
		if reason := waived[id]; reason != "" {
			t.Logf("%s waived: %s", id, reason)
			skipped++
			delete(waived, id)
			continue
		}
		if t.Run(id, func(t *testing.T) { runRow(t, row, world) }) {
			passed++
		} else {
			failed++
		}
	}
	for id := range waived {
		t.Errorf("waiver for %s, which is no case", id)
	}
	t.Logf("%s: %d passed, %d failed, %d waived", "gateway-cases.tsv", passed, failed, skipped)
	if passed+failed == 0 {
		t.Error("no case ran")
	}
}

func runRow(t *testing.T, row map[string]string, world *portalWorld) {
	engines, list, rate, err := parseProfile(row["profile"])
	if err != nil {
		t.Fatal(err)
	}
	if engines == nil {
		world.run(t, row)
		return
	}
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			c := newCase(t, switches(t, engine+","+list, rate))
			if err := c.run(row["request"]); err != nil {
				t.Fatal(err)
			}
			c.checkStatus(row["status"])
			c.checkHeaders(row["headers"])
			c.checkBody(row["body"])
		})
	}
}

// readTSV reads a file of tab-separated columns under a line of names.
func readTSV(t *testing.T, file string) (rows []map[string]string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	names := strings.Split(lines[0], "\t")
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, cell := range strings.Split(line, "\t") {
			row[names[i]] = cell
		}
		rows = append(rows, row)
	}
	return rows
}

var spikeProfile = regexp.MustCompile(`^spike (\d+)/(\d+) SECONDS addHeaders$`)

// parseProfile reads the last column: the engines to try (none for the
// portal), the gateway's switches and its rate.
func parseProfile(profile string) (engines []string, list, rate string, err error) {
	first, rest, _ := strings.Cut(profile, " ")
	var words []string
	if name, ok := strings.CutSuffix(first, "+hc"); ok {
		first, words = name, append(words, "health-plan")
	}
	switch first = strings.TrimSuffix(first, "-hc"); first {
	case "portal":
		return nil, "", "", nil
	case "both":
		engines = []string{"v3", "v4"}
	case "v3", "v4":
		engines = []string{first}
	case "3.20":
		engines, words = []string{"v3"}, append(words, "apim=3.20")
	default:
		return nil, "", "", fmt.Errorf("no engine in %q", profile)
	}
	switch m := spikeProfile.FindStringSubmatch(rest); {
	case m != nil:
		rate, words = "spike:"+m[1]+"/"+m[2]+"s", append(words, "rate-headers")
	case rest == "", rest == "jupiter off": // V3 is what "off" means
	case rest == "rl17":
		rate = "17/1s"
	case rest == "rl17h":
		rate, words = "17/1s", append(words, "rate-headers")
	case rest == "cors":
		words = append(words, "cors=https://app.example")
	case rest == "method-filter":
		words = append(words, "method-filter=on")
	case rest == "(switch query-param on)":
		words = append(words, "query-key=on")
	default:
		return nil, "", "", fmt.Errorf("no switch known for %q", rest)
	}
	return engines, strings.Join(words, ","), rate, nil
}

// placeholders are the keys the rows speak of.
var placeholders = map[string]string{
	"K1": gateway.DemoKey, "K2": "mock-key-2", "KX": "99999999-0000-4000-8000-00000000dead",
	"KR": "mock-revoked", "KP": "mock-paused", "KC": "mock-closed", "KE": "mock-expired", "KO": "mock-other-api",
}

// oneCase is one gateway with what is needed to ask it things.
type oneCase struct {
	t      *testing.T
	addr   string
	clock  *clock
	keys   *gateway.Keys
	rate   gateway.Rate
	behind *standIn
	all    []reply // of the requests the row counts
}

func newCase(t *testing.T, cfg gateway.Config) *oneCase {
	c := &oneCase{t: t, clock: newClock(), rate: cfg.Rate}
	cfg.Now = c.clock.Now
	c.keys = gateway.NewKeys(c.clock.Now, 0)
	c.keys.AddDemo()
	cfg.Keys = c.keys
	c.addr, c.behind = start(t, cfg)
	return c
}

func (c *oneCase) ask(raw string) reply {
	got := send(c.t, c.addr, raw)
	c.all = append(c.all, got)
	return got
}

func (c *oneCase) last() reply { return c.all[len(c.all)-1] }

// The sentences a row may begin with or consist of.
var (
	nthRequest     = regexp.MustCompile(`^(\d+)(?:st|nd|rd|th) request of (\w+) within (\d+) (m?s)$`)
	aroundReset    = regexp.MustCompile(`^(\d+) requests just before the reset and (\d+) just after$`)
	keylessThen    = regexp.MustCompile(`^(\d+) requests without key, then (\d+) with (\w+)$`)
	afterRenew     = regexp.MustCompile(`^after _renew, old (\w+) (within|after) (\d+) h: (.*)$`)
	backendAnswers = regexp.MustCompile(`^backend answers (\d+) (\w+)$`)
	backendFails   = regexp.MustCompile(`^backend (refuses TCP|does not answer|is marked down)$`)
)

var failures = map[string]gateway.Fault{
	"refuses TCP":     gateway.EndpointFailure,
	"does not answer": gateway.EndpointTimeout,
	"is marked down":  gateway.NoEndpoint,
}

// run does what the second column says.
func (c *oneCase) run(text string) error {
	first, rest, _ := strings.Cut(text, "; ")
	if m := nthRequest.FindStringSubmatch(first); m != nil {
		within, _ := time.ParseDuration(m[3] + m[4])
		return c.repeat(number(m[1]), "GET /fhir/v2/metadata; ESANTE-API-KEY: "+m[2]+"; "+rest, within)
	}
	if m := aroundReset.FindStringSubmatch(text); m != nil {
		window := time.Duration(c.rate.Period) * time.Second
		const plain = "GET /fhir/v2/metadata; ESANTE-API-KEY: K1"
		if err := c.repeat(1, plain, 0); err != nil {
			return err
		}
		c.clock.Advance(window - time.Millisecond)
		if err := c.repeat(number(m[1])-1, plain, 0); err != nil {
			return err
		}
		c.clock.Advance(time.Millisecond)
		return c.repeat(number(m[2]), plain, 0)
	}
	if m := keylessThen.FindStringSubmatch(text); m != nil {
		if err := c.repeat(number(m[1]), "GET /fhir/v2/metadata; no key", 0); err != nil {
			return err
		}
		return c.repeat(number(m[2]), "GET /fhir/v2/metadata; ESANTE-API-KEY: "+m[3], 0)
	}
	if m := afterRenew.FindStringSubmatch(text); m != nil {
		return c.renewThen(m[1], m[2], number(m[3]), m[4])
	}
	if m := backendAnswers.FindStringSubmatch(first); m != nil {
		c.behind.status, c.behind.body = number(m[1]), `{"resourceType":"`+m[2]+`"}`
		text = "GET /fhir/v2/metadata; " + rest
	}
	if m := backendFails.FindStringSubmatch(first); m != nil {
		c.behind.panics = failures[m[1]]
		text = "GET /fhir/v2/metadata; " + rest
	}
	return c.repeat(1, text, 0)
}

// repeat sends a request n times, spread over a duration.
func (c *oneCase) repeat(n int, text string, within time.Duration) error {
	raw, err := rawRequest(text)
	if err != nil {
		return err
	}
	for range n {
		c.ask(raw)
		c.clock.Advance(within / time.Duration(n))
	}
	return nil
}

func (c *oneCase) renewThen(key, when string, hours int, text string) error {
	app := c.keys.Applications()[slices.IndexFunc(c.keys.Applications(), func(a gateway.Application) bool {
		return a.Name == placeholders[key]
	})]
	held := c.keys.Subscriptions(func(s gateway.Subscription) bool { return s.Application == app.ID })
	if _, err := c.keys.Renew(held[0].ID); err != nil {
		return err
	}
	c.clock.Advance(time.Duration(hours) * time.Hour)
	if when == "within" {
		c.clock.Advance(-time.Millisecond)
	}
	return c.repeat(1, text, 0)
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

var (
	requestLine = regexp.MustCompile(`^([A-Z]+) (/\S*)(?: HTTP/1\.1)?$`)
	headerLine  = regexp.MustCompile(`^([A-Za-z-]+): (.*)$`)
	remark      = regexp.MustCompile(` \((?:after sync|duplicate|key contains a-f)\)$`)
)

// rawRequest writes the bytes of "GET /path HTTP/1.1; Name: value; no Accept".
func rawRequest(text string) (string, error) {
	parts := strings.Split(text, "; ")
	m := requestLine.FindStringSubmatch(parts[0])
	if m == nil {
		return "", fmt.Errorf("no request in %q", text)
	}
	var headers []string
	for _, part := range parts[1:] {
		if part == "inspect backend request" || strings.HasPrefix(part, "no ") {
			continue
		}
		for line := range strings.SplitSeq(part, " then ") {
			h := headerLine.FindStringSubmatch(remark.ReplaceAllString(line, ""))
			if h == nil {
				return "", fmt.Errorf("no header in %q", line)
			}
			headers = append(headers, h[1]+": "+headerValue(h[2]))
		}
	}
	if m[1] != http.MethodGet && m[1] != http.MethodOptions {
		headers = append(headers, "Content-Length: 0")
	}
	return request(m[1], fillKeys(m[2]), headers...), nil
}

func headerValue(s string) string {
	if s == "(empty)" {
		return ""
	}
	value, upper := strings.CutSuffix(s, " in upper case")
	if key, ok := placeholders[value]; ok {
		value = key
	}
	if upper {
		value = strings.ToUpper(value)
	}
	return value
}

var queryKey = regexp.MustCompile(`(?i)(api-key=)(K\w)`)

// fillKeys puts the keys into a request target.
func fillKeys(target string) string {
	return queryKey.ReplaceAllStringFunc(target, func(s string) string {
		name, key, _ := strings.Cut(s, "=")
		return name + "=" + placeholders[key]
	})
}

func (c *oneCase) checkStatus(want string) {
	c.t.Helper()
	if got := c.last(); strconv.Itoa(got.status) != want {
		c.t.Errorf("status %d, want %s", got.status, want)
	}
}

var allAccepted = regexp.MustCompile(`^(?:all|last) (\d+)(?: all)? accepted$`)

func (c *oneCase) checkHeaders(want string) {
	c.t.Helper()
	if m := allAccepted.FindStringSubmatch(want); m != nil {
		n := number(m[1])
		if n > len(c.all) {
			c.t.Fatalf("%d requests, want %d", len(c.all), n)
		}
		for i, got := range c.all[len(c.all)-n:] {
			if got.status != http.StatusOK {
				c.t.Errorf("request %d of the last %d: status %d", i+1, n, got.status)
			}
		}
		return
	}
	if rest, ok := strings.CutPrefix(want, "backend request has "); ok {
		for item := range strings.SplitSeq(rest, " and ") {
			item = strings.TrimPrefix(item, "has ")
			if _, absent := strings.CutPrefix(item, "!"); !absent {
				item += "~."
			}
			checkHeader(c.t, c.behind.seen().Header, item)
		}
		return
	}
	for item := range strings.SplitSeq(want, " | ") {
		checkHeader(c.t, c.last().header, item)
	}
}

// checkHeader reads one item of the fourth column.
func checkHeader(t *testing.T, h http.Header, want string) {
	t.Helper()
	if want == "" || strings.HasPrefix(want, "(") {
		return
	}
	if name, ok := strings.CutPrefix(want, "!"); ok {
		if h.Values(name) != nil {
			t.Errorf("%s: %q, want none", name, h.Values(name))
		}
		return
	}
	if _, optional := strings.CutSuffix(want, "?"); optional {
		return
	}
	if name, pattern, ok := strings.Cut(want, "~"); ok {
		if !regexp.MustCompile(pattern).MatchString(h.Get(name)) {
			t.Errorf("%s: %q, want %s", name, h.Get(name), pattern)
		}
		return
	}
	name, value, ok := strings.Cut(want, ": ")
	if !ok {
		t.Fatalf("no header in %q", want)
	}
	if got := h.Get(name); got != value {
		t.Errorf("%s: %q, want %q", name, got, value)
	}
}

func (c *oneCase) checkBody(want string) {
	c.t.Helper()
	switch got := c.last().body; {
	case strings.HasPrefix(want, "(any)"), strings.HasPrefix(want, "(json)"):
	case want == "(empty)" && got != "":
		c.t.Errorf("body %q, want none", got)
	case want == "(empty)":
	case want == "(backend)":
		if got != c.behind.body {
			c.t.Errorf("body %q is not the backend's", got)
		}
	case got != want:
		c.t.Errorf("body %q, want %q", got, want)
	}
}

// portalWorld is the portal that the portal rows follow one another on.
type portalWorld struct {
	addr, token string
	keys        *gateway.Keys
	application string // A
	previous    string // the last request
	current     reply
}

func newPortalWorld(t *testing.T) *portalWorld {
	t.Helper()
	keys := gateway.NewKeys(newClock().Now, 0)
	app, err := keys.CreateApplication("A", "")
	if err != nil {
		t.Fatal(err)
	}
	w := &portalWorld{addr: serve(t, portal.New(keys)), keys: keys, application: app.ID}
	login := send(t, w.addr, request("POST", portal.Base+"/auth/login", basic, "Content-Length: 0"))
	var session struct{ Token string }
	if err := json.Unmarshal([]byte(login.body), &session); err != nil {
		t.Fatal(err)
	}
	w.token = session.Token
	return w
}

const basic = "Authorization: Basic ZGVtbzpkZW1v" // demo:demo

var portalRequest = regexp.MustCompile(`^([A-Z]+) (\S+)(?: (\{.*\}))?(?:; (.*))?$`)

func (w *portalWorld) run(t *testing.T, row map[string]string) {
	raw := w.previous
	if row["request"] != "same POST again" {
		m := portalRequest.FindStringSubmatch(row["request"])
		if m == nil {
			t.Fatalf("no request in %q", row["request"])
		}
		authorization := "Authorization: Bearer " + w.token
		if m[4] == "Authorization: Basic" {
			authorization = basic
		}
		body := strings.NewReplacer(":A", `:"`+w.application+`"`, ":P", `:"`+gateway.StandardPlan+`"`).Replace(m[3])
		raw = request(m[1], w.fill(t, m[2]), authorization,
			"Content-Type: application/json", "Content-Length: "+strconv.Itoa(len(body))) + body
	}
	w.previous, w.current = raw, send(t, w.addr, raw)
	if got := strconv.Itoa(w.current.status); got != row["status"] {
		t.Fatalf("status %s, want %s: %s", got, row["status"], w.current.body)
	}
	for item := range strings.SplitSeq(row["headers"], " | ") {
		checkHeader(t, w.current.header, item)
	}
	w.checkBody(t, row["body"])
}

// subscription is S: the newest of application A.
func (w *portalWorld) subscription(t *testing.T) gateway.Subscription {
	t.Helper()
	held := w.keys.Subscriptions(func(s gateway.Subscription) bool { return s.Application == w.application })
	if len(held) == 0 {
		t.Fatal("no row has made a subscription")
	}
	return held[len(held)-1]
}

func (w *portalWorld) fill(t *testing.T, path string) string {
	steps := strings.Split(path, "/")
	for i, step := range steps {
		switch step {
		case "S":
			steps[i] = w.subscription(t).ID
		case "K1": // the oldest key
			_, keys, err := w.keys.Subscription(w.subscription(t).ID)
			if err != nil {
				t.Fatal(err)
			}
			steps[i] = keys[len(keys)-1].Value
		}
	}
	return strings.Join(steps, "/")
}

var (
	jsonStatus  = regexp.MustCompile(`^\(json\) status (\w+) with one key`)
	jsonMessage = regexp.MustCompile(`^\(json\) errors\[0\]\.message = (.*)$`)
	jsonRenewed = regexp.MustCompile(`^\(json\) new Key; old key expire_at = new created_at \+ (\d+)h$`)
	jsonObject  = regexp.MustCompile(`^(\{.*\}) \(json, key order free\)$`)
)

// checkBody reads what the fifth column says of JSON.
func (w *portalWorld) checkBody(t *testing.T, want string) {
	t.Helper()
	if want == "(empty)" {
		if w.current.body != "" {
			t.Errorf("body %q, want none", w.current.body)
		}
		return
	}
	var got struct {
		Status  string
		Keys    []struct{ Key string }
		Created time.Time `json:"created_at"`
		Errors  []struct{ Message string }
	}
	if err := json.Unmarshal([]byte(w.current.body), &got); err != nil {
		t.Fatal(err)
	}
	if m := jsonStatus.FindStringSubmatch(want); m != nil {
		if got.Status != m[1] || len(got.Keys) != 1 || got.Keys[0].Key == "" {
			t.Errorf("body %s, want status %s and one key", w.current.body, m[1])
		}
	} else if m := jsonMessage.FindStringSubmatch(want); m != nil {
		if len(got.Errors) == 0 || got.Errors[0].Message != m[1] {
			t.Errorf("body %s, want the message %q", w.current.body, m[1])
		}
	} else if m := jsonRenewed.FindStringSubmatch(want); m != nil {
		_, keys, err := w.keys.Subscription(w.subscription(t).ID)
		if err != nil {
			t.Fatal(err)
		}
		if last := got.Created.Add(time.Duration(number(m[1])) * time.Hour); !keys[1].Expire.Equal(last) {
			t.Errorf("the old key expires at %v, want %v", keys[1].Expire, last)
		}
	} else if m := jsonObject.FindStringSubmatch(want); m != nil {
		compareObjects(t, w.current.body, m[1])
	} else {
		t.Fatalf("no expectation in %q", want)
	}
}

// compareObjects wants the same members; a value in <angle brackets> is free.
func compareObjects(t *testing.T, got, want string) {
	t.Helper()
	var g, w map[string]string
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	if len(g) != len(w) {
		t.Errorf("body %s, want %s", got, want)
	}
	for name, value := range w {
		if g[name] == "" || g[name] != value && !strings.HasPrefix(value, "<") {
			t.Errorf("%s is %q, want %q", name, g[name], value)
		}
	}
}
