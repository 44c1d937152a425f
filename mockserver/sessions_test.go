package mockserver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/mockserver"
	"github.com/mockfhir/mockfhir/mockserver/control"
)

// hands is a clock that a test moves.
type hands struct {
	mu  sync.Mutex
	now time.Time
}

func newHands() *hands { return &hands{now: noon} }

func (h *hands) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *hands) Advance(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

// fetch makes a call and returns its status and body.
func fetch(t testing.TB, client *http.Client, url, key string) (int, string) {
	t.Helper()
	request, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("ESANTE-API-KEY", key)
	response, err := client.Do(request)
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	return response.StatusCode, string(body)
}

// must is for what cannot fail on a good day.
func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func mustDo(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func device(id, name string) string {
	return fmt.Sprintf(`{"resourceType":"Device","id":%q,"meta":{"versionId":"1"},"manufacturer":%q}`, id, name)
}

// TestParallelSessions: sixteen clients on one server, each in a session of its
// own, half of them by key and half by header. None sees another's resources,
// incidents, journal or quota.
func TestParallelSessions(t *testing.T) {
	t.Parallel()
	clock := newHands() // stands still: a quota is never refilled
	server := serve(t, fixtures.Default(), mockserver.WithRate("17/1s"), mockserver.WithClock(clock.Now))
	mock := control.New(server.URL)
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			name := fmt.Sprintf("client-%d", i)
			session, err := mock.NewSession(t.Context(), name)
			if err != nil {
				t.Error(err)
				return
			}
			client, key := session.HTTP(), "k"
			if i%2 == 0 {
				client, key = http.DefaultClient, session.Key
			}
			if err := rehearseAlone(t.Context(), session, client, key, server.URL, i); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	all.Wait()
	if calls := must(mock.Default().Journal(t.Context(), control.Filter{}))(t); len(calls) != 0 {
		t.Errorf("the default session saw %d calls", len(calls))
	}
	if total := must(mock.Sessions(t.Context()))(t); len(total) != 17 {
		t.Errorf("there are %d sessions", len(total))
	}
}

// rehearseAlone is one client of TestParallelSessions.
func rehearseAlone(ctx context.Context, session *control.Session, client *http.Client, key, url string, i int) error {
	get := func(path string) (int, string) {
		request, err := http.NewRequestWithContext(ctx, "GET", url+path, nil)
		if err != nil {
			return 0, err.Error()
		}
		request.Header.Set("ESANTE-API-KEY", key)
		response, err := client.Do(request)
		if err != nil {
			return 0, err.Error()
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		return response.StatusCode, string(body)
	}
	mine := fmt.Sprintf("mine-%d", i)
	if err := session.Put(ctx, device("shared", mine), device(mine, mine)); err != nil {
		return err
	}
	if status, body := get("/fhir/v2/Device/shared"); status != 200 || !strings.Contains(body, mine) {
		return fmt.Errorf("the own resource is answered with %d %s", status, body)
	}
	if status, _ := get(fmt.Sprintf("/fhir/v2/Device/mine-%d", (i+1)%16)); status != 404 {
		return fmt.Errorf("a neighbour's resource is answered with %d", status)
	}
	incident := []string{"unavailable", "bad-gateway", "html-page", "unauthorized"}[i%4]
	if err := session.Start(ctx, incident, "path=metadata"); err != nil {
		return err
	}
	want := []int{503, 502, 200, 401}[i%4]
	if status, body := get("/fhir/v2/metadata"); status != want {
		return fmt.Errorf("%s is answered with %d %s", incident, status, body)
	}
	if err := session.Stop(ctx, incident); err != nil {
		return err
	}
	// Three calls so far, all counted but one whose key was refused.
	calls, counted := 18, 3
	if incident == "unauthorized" {
		calls, counted = 19, 2
	}
	for n := counted + 1; n <= 17; n++ {
		if status, _ := get("/fhir/v2/Device/shared"); status != 200 {
			return fmt.Errorf("call %d of the quota is answered with %d", n, status)
		}
	}
	if status, _ := get("/fhir/v2/Device/shared"); status != 429 {
		return fmt.Errorf("the call after the quota is answered with %d", status)
	}
	if err := session.Expect(ctx, control.CalledWith(control.Filter{}).Times(calls)); err != nil {
		return err
	}
	if err := session.Expect(ctx, control.CalledWith(control.Filter{Status: 429}).Times(1)); err != nil {
		return err
	}
	info, err := session.Info(ctx)
	if err == nil && (len(info.Incidents) != 0 || info.Calls != calls || info.Revision != 1) {
		err = fmt.Errorf("the session is %+v", info)
	}
	return err
}

// TestNoControlCallCrossesSessions makes every control call there is on one
// session, and looks whether another one is as it was.
func TestNoControlCallCrossesSessions(t *testing.T) {
	t.Parallel()
	server := serve(t, fixtures.Default())
	mock := control.New(server.URL)
	acted := must(mock.NewSession(t.Context(), "acted-on"))(t)
	kept := must(mock.NewSession(t.Context(), "kept"))(t)
	for _, s := range []*control.Session{acted, kept, mock.Default()} {
		mustDo(t, s.Put(t.Context(), device("d", s.Name)))
		mustDo(t, s.Start(t.Context(), "delay", "path=nowhere"))
		fetch(t, s.HTTP(), server.URL+"/fhir/v2/Device/d", "k")
	}
	state := func(s *control.Session) string {
		_, body := fetch(t, s.HTTP(), server.URL+"/fhir/v2/Device/d", "k")
		info := must(s.Info(t.Context()))(t)
		info.Calls = 0
		calls := must(s.Journal(t.Context(), control.Filter{}))(t)
		return fmt.Sprintf("%s %+v first call %d", body, info, calls[0].ID)
	}
	before := [2]string{state(kept), state(mock.Default())}
	ctx := t.Context()
	for _, act := range []func() error{
		func() error { return acted.Put(ctx, device("d", "other")) },
		func() error { return acted.Remove(ctx, "Device", "d") },
		func() error { return acted.Start(ctx, "unavailable", "") },
		func() error { return acted.Stop(ctx, "delay") },
		func() error { return acted.StopAll(ctx) },
		func() error { return acted.Strict(ctx, true) },
		func() error { _, err := acted.Verify(ctx, control.Called("GET", "/")); return err },
		func() error { return acted.ClearJournal(ctx) },
		func() error { return acted.Reset(ctx) },
		func() error { return acted.Drop(ctx) },
	} {
		mustDo(t, act())
		if diff := cmp.Diff(before, [2]string{state(kept), state(mock.Default())}); diff != "" {
			t.Errorf("a control call crossed sessions: %s", diff)
		}
	}
	if err := mock.Default().Drop(ctx); !control.IsNotFound(err) {
		t.Errorf("the default session was dropped: %v", err)
	}
}

// TestSessionLife: a session has its own directory and pages, starts as the
// set was loaded, is reset to that, and is gone when it is dropped.
func TestSessionLife(t *testing.T) {
	t.Parallel()
	server := serve(t, directory("Device/1", "Device/2", "Device/3"))
	mock, ctx := control.New(server.URL), t.Context()
	mustDo(t, mock.Default().Put(ctx, device("of-default", "x")))
	session := must(mock.NewSession(ctx, ""))(t)
	count := func() int {
		_, body := fetch(t, session.HTTP(), server.URL+"/fhir/v2/Device", "k")
		return len(decodeBundle(t, body).Entry)
	}
	if n := count(); n != 3 {
		t.Errorf("a new session has %d devices", n)
	}
	for key, status := range map[string]int{session.Key: 200, "mock-session-default": 401} { // nobody made that one
		if got, _ := fetch(t, http.DefaultClient, server.URL+"/fhir/v2/Device", key); got != status {
			t.Errorf("%s: %d", key, got)
		}
	}

	_, first := fetch(t, session.HTTP(), server.URL+"/fhir/v2/Device?_count=2", "k")
	mustDo(t, session.Put(ctx, device("4", "x"), device("5", "x")))
	mustDo(t, session.Remove(ctx, "Device", "3"))
	_, second := fetch(t, session.HTTP(), decodeBundle(t, first).link("next"), "k")
	if page := decodeBundle(t, second); len(page.Entry) != 1 || page.Entry[0].Resource.ID != "3" || page.link("next") != "" {
		t.Errorf("a search that had begun sees the change: %s", second)
	}
	if n := count(); n != 4 {
		t.Errorf("after three changes there are %d devices", n)
	}
	if err := session.Remove(ctx, "Device", "3"); !control.IsNotFound(err) {
		t.Errorf("what is gone is removed again: %v", err)
	}
	mustDo(t, session.Reset(ctx))
	if n := count(); n != 3 {
		t.Errorf("after a reset there are %d devices", n)
	}

	var refused *control.Error
	if _, err := mock.NewSession(ctx, session.Name); !errors.As(err, &refused) || refused.Status != 409 {
		t.Errorf("the same name again: %v", err)
	}
	for _, name := range []string{"a b", "a/b", "é", strings.Repeat("x", 65)} {
		if _, err := mock.NewSession(ctx, name); !errors.As(err, &refused) || refused.Status != 400 {
			t.Errorf("name %q: %v", name, err)
		}
	}
	mustDo(t, session.Drop(ctx))
	if status, body := fetch(t, session.HTTP(), server.URL+"/fhir/v2/Device", "k"); status != 400 || !strings.Contains(body, "POST /__mockfhir/sessions") {
		t.Errorf("the header of a dropped session is answered with %d %s", status, body)
	}
	if status, _ := fetch(t, http.DefaultClient, server.URL+"/fhir/v2/Device", session.Key); status != 401 {
		t.Errorf("the key of a dropped session is answered with %d", status)
	}
	if err := session.Drop(ctx); !control.IsNotFound(err) {
		t.Errorf("it is dropped again: %v", err)
	}
}

// TestPutResources: all or none, with each mistake named by its line.
func TestPutResources(t *testing.T) {
	t.Parallel()
	mock := control.In(build(t, directory("Device/1")))
	ctx, session := t.Context(), mock.Default()
	for _, bad := range []struct{ body, want string }{
		{"", "no resource"},
		{"{}", `resourceType "" is not served`},
		{`{"resourceType":"Patient","id":"1"}`, `resourceType "Patient" is not served`},
		{`{"resourceType":"Device","id":"a b"}`, "an id is"},
		{device("ok", "x") + "\nnonsense\n" + `{"resourceType":"Device"}`, "line 2: "},
		{device("ok", "x") + "\n\n" + `{"resourceType":"Device"}`, "line 3: "},
	} {
		err := session.Put(ctx, bad.body)
		if err == nil || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("%q is refused with %v", bad.body, err)
		}
	}
	if info := must(session.Info(ctx))(t); info.Revision != 0 {
		t.Errorf("something was written: %+v", info)
	}
	mustDo(t, session.Put(ctx, "\n"+device("pretty", "x")+"\n"))
	mustDo(t, session.Put(ctx, "{\n \"resourceType\": \"Device\",\n \"id\": \"a\"\n}", device("b", "x")))
	if status, _ := fetch(t, mock.HTTP(), mock.BaseURL()+"/Device/a", "k"); status != 200 {
		t.Errorf("a resource on several lines is answered with %d", status)
	}
}

// TestNaiveLoop: a client that calls on and on gets exactly the refusals that
// are documented, and none once it waits as it should.
func TestNaiveLoop(t *testing.T) {
	t.Parallel()
	clock := newHands()
	server := serve(t, directory("Device/1"), mockserver.WithRate("17/1s"), mockserver.WithGateway("rate-headers"), mockserver.WithClock(clock.Now))
	call := func() *http.Response {
		response, _ := get(t, server.URL+"/fhir/v2/Device/1")
		clock.Advance(20 * time.Millisecond) // fifty calls a second
		return response
	}
	refused := 0
	for i := range 100 {
		response := call()
		want := 200
		if i%50 >= 17 { // the window is opened by its first call and lasts a second
			want = 429
			refused++
		}
		if response.StatusCode != want {
			t.Errorf("call %d is answered with %d, want %d", i, response.StatusCode, want)
		}
	}
	if refused != 66 {
		t.Fatalf("%d refusals are expected, which is not 2 × 33", refused)
	}

	for i := range 100 { // the same, waiting for the reset when nothing remains
		response := call()
		if response.StatusCode != 200 {
			t.Errorf("with backoff call %d is answered with %d", i, response.StatusCode)
		}
		if response.Header.Get("X-Rate-Limit-Remaining") == "0" {
			reset, err := strconv.ParseInt(response.Header.Get("X-Rate-Limit-Reset"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			clock.Advance(time.UnixMilli(reset).Sub(clock.Now()))
		}
	}

	clock.Advance(time.Second) // and the same without headers, at 17 a second
	for i := range 100 {
		if response := call(); response.StatusCode != 200 {
			t.Errorf("at the documented pace call %d is answered with %d", i, response.StatusCode)
		}
		clock.Advance(time.Second/17 - 20*time.Millisecond + time.Millisecond)
	}
}

// TestQuotasAreSeparate: one key in two sessions has two quotas; dropping or
// resetting a session fills its own alone.
func TestQuotasAreSeparate(t *testing.T) {
	t.Parallel()
	clock := newHands()
	server := serve(t, directory("Device/1"), mockserver.WithRate("2/1s"), mockserver.WithClock(clock.Now))
	mock, ctx := control.New(server.URL), t.Context()
	a, b := must(mock.NewSession(ctx, "a"))(t), must(mock.NewSession(ctx, "b"))(t)
	spend := func(s *control.Session) (passed int) {
		for range 4 {
			if status, _ := fetch(t, s.HTTP(), server.URL+"/fhir/v2/Device/1", "k"); status == 200 {
				passed++
			}
		}
		return passed
	}
	for i, want := range []int{2, 2, 2} {
		if passed := spend([]*control.Session{a, b, mock.Default()}[i]); passed != want {
			t.Errorf("session %d: %d calls pass", i, passed)
		}
	}
	mustDo(t, a.Reset(ctx))
	if passed := [2]int{spend(a), spend(b)}; passed != [2]int{2, 0} {
		t.Errorf("after a reset of a, %v pass", passed)
	}
}

// TestDroppedSessionsLeaveNothing makes and drops ten thousand sessions, each
// with a call, a resource, an incident and a quota.
func TestDroppedSessionsLeaveNothing(t *testing.T) {
	mock := control.In(build(t, directory("Device/1"), mockserver.WithRate("17/1s")))
	ctx := t.Context()
	live := func(n int) {
		for range n {
			s, err := mock.NewSession(ctx, "")
			mustDo(t, err)
			mustDo(t, s.Put(ctx, device("own", strings.Repeat("x", 1000))))
			mustDo(t, s.Start(ctx, "delay", "path=nowhere"))
			if status, _ := fetch(t, mock.HTTP(), mock.BaseURL()+"/Device/own", s.Key); status != 200 {
				t.Fatalf("a call is answered with %d", status)
			}
			mustDo(t, s.Drop(ctx))
		}
	}
	live(200) // pools and maps find their size
	before := heap()
	live(10_000)
	if grown := heap() - before; grown > 1<<20 {
		t.Errorf("10,000 sessions left %d bytes", grown)
	}
	if all := must(mock.Sessions(ctx))(t); len(all) != 1 {
		t.Errorf("%d sessions are left", len(all))
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestJournalIsBounded: however many calls there were, a journal holds a
// thousand and some megabytes. MOCKFHIR_JOURNAL says how many to make; with a
// million the whole process must stay below 64 MB (make journal).
func TestJournalIsBounded(t *testing.T) {
	calls := 5000
	heavy := os.Getenv("MOCKFHIR_JOURNAL")
	if heavy != "" {
		var err error
		if calls, err = strconv.Atoi(heavy); err != nil {
			t.Fatalf("MOCKFHIR_JOURNAL is a number of calls: %v", err)
		}
	}
	server := build(t, fixtures.Default())
	mock := control.In(server)
	ask := func(i int) {
		r := inProcess("GET", fmt.Sprintf("/fhir/v2/Practitioner?_count=5&name=a%d&_format=%s", i%10, strings.Repeat("y", 1000)), "")
		w := &discard{header: http.Header{}}
		server.ServeHTTP(w, r)
	}
	for i := range 1000 {
		ask(i)
	}
	before := heap()
	for i := range calls {
		ask(i)
	}
	if grown := heap() - before; grown > 4<<20 {
		t.Errorf("%d calls left %d bytes", calls, grown)
	}
	kept := must(mock.Default().Journal(t.Context(), control.Filter{}))(t)
	if len(kept) != 1000 || kept[999].ID != int64(calls+1000) {
		t.Errorf("the journal holds %d calls, the last is %d", len(kept), kept[len(kept)-1].ID)
	}
	if heavy == "" {
		return
	}
	debug.FreeOSMemory()
	rss := resident(t)
	t.Logf("after %d calls the process has %d MB", calls, rss>>20)
	if rss > 64<<20 {
		t.Errorf("the process has %d MB", rss>>20)
	}
}

// resident is how much memory the process has of the machine.
func resident(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("the memory of a process is told on Linux only")
	}
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	var kb int64
	if _, err := fmt.Sscan(after, &kb); err != nil {
		t.Fatal(err)
	}
	return kb << 10
}

// discard is a response nobody reads.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

// TestStrict: what no recorded exchange matches is a 404 that names the nearest
// and says in what each differs.
// A PATCH changes what it names, and nothing else.
func TestPatchOfNothing(t *testing.T) {
	t.Parallel()
	server := serve(t, directory("Device/1"))
	for _, step := range []struct {
		body   string
		strict bool
	}{{"{}", false}, {`{"strict":true}`, true}, {"{}", true}, {"", true}, {`{"strict":false}`, false}} {
		status, told := do(t, "PATCH", server.URL+"/__mockfhir/sessions/default", step.body)
		if want := fmt.Sprintf(`"strict":%t`, step.strict); status.StatusCode != 200 || !strings.Contains(told, want) {
			t.Errorf("%s is answered with %d %s", step.body, status.StatusCode, told)
		}
	}
}

func TestStrict(t *testing.T) {
	t.Parallel()
	set := directory("Device/1")
	for file, target := range map[string]string{
		"near": "/fhir/v2/Device?_count=1", "less": "/fhir/v2/Device?_count=0&_total=none", "much": "/fhir/v2/Device?_id=a&status=active", "far": "/fhir/v2/Organization/9",
	} {
		set.Scenarios = append(set.Scenarios, &fixtures.Scenario{File: file + ".txtar", Exchanges: []fixtures.Exchange{{
			Request:  fixtures.Request{Method: "GET", Target: target, Header: http.Header{"Esante-Api-Key": {fixtures.KeyPlaceholder}}},
			Response: fixtures.Response{Status: 200, Body: []byte(file)},
		}}})
	}
	mock := control.In(build(t, set))
	session := must(mock.NewSession(t.Context(), ""))(t)
	mustDo(t, session.Strict(t.Context(), true))
	if status, body := fetch(t, session.HTTP(), mock.BaseURL()+"/Device?_count=1", "k"); status != 200 || body != "near" {
		t.Errorf("a recorded exchange is answered with %d %s", status, body)
	}
	status, body := fetch(t, session.HTTP(), mock.BaseURL()+"/Device?_count=2", "k")
	var outcome struct {
		ResourceType string
		Issue        []struct{ Diagnostics string }
	}
	if err := json.Unmarshal([]byte(body), &outcome); err != nil || status != 404 || outcome.ResourceType != "OperationOutcome" {
		t.Fatalf("what was not recorded is answered with %d %s", status, body)
	}
	want := "No recorded exchange matches. The nearest are: " +
		"GET /fhir/v2/Device?_count=1 (near.txtar): it has _count=1, it has no _count=2; " +
		"GET /fhir/v2/Device?_count=0&_total=none (less.txtar): it has _count=0 and _total=none, it has no _count=2; " +
		"GET /fhir/v2/Device?_id=a&status=active (much.txtar): it has _id=a and status=active, it has no _count=2."
	if outcome.Issue[0].Diagnostics != want {
		t.Errorf("got  %s\nwant %s", outcome.Issue[0].Diagnostics, want)
	}
	if status, _ := fetch(t, mock.HTTP(), mock.BaseURL()+"/Device?_count=2", "k"); status != 200 {
		t.Errorf("another session is strict: %d", status)
	}
	mustDo(t, session.Strict(t.Context(), false))
	if status, _ := fetch(t, session.HTTP(), mock.BaseURL()+"/Device?_count=2", "k"); status != 200 {
		t.Errorf("the session stays strict: %d", status)
	}
}

// TestJournalStream: calls come as they happen, until the session is dropped.
func TestJournalStream(t *testing.T) {
	t.Parallel()
	clock := newHands()
	server := serve(t, directory("Device/1"), mockserver.WithClock(clock.Now))
	mock := control.New(server.URL)
	session := must(mock.NewSession(t.Context(), "watched"))(t)
	stream, err := http.Get(server.URL + "/__mockfhir/sessions/watched/journal/stream")
	mustDo(t, err)
	defer stream.Body.Close()
	if stream.StatusCode != 200 || stream.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("the stream is answered with %s %v", stream.Status, stream.Header)
	}
	fetch(t, mock.HTTP(), server.URL+"/fhir/v2/Device/of-another-session", "k")
	fetch(t, session.HTTP(), server.URL+"/fhir/v2/Device/1", "k")
	mustDo(t, session.Drop(t.Context()))
	all, err := io.ReadAll(stream.Body)
	mustDo(t, err)
	var call control.Call
	data, found := bytes.CutPrefix(bytes.TrimSpace(all), []byte("data: "))
	if !found || json.Unmarshal(data, &call) != nil || call.Target != "/fhir/v2/Device/1" || call.Status != 200 {
		t.Errorf("the stream is %q", all)
	}
}

// TestDemoKeys: each key that is fixed answers what it says, each incident has
// one, and a key of one's own replaces the lot but for those of incidents.
func TestDemoKeys(t *testing.T) {
	t.Parallel()
	mock := control.In(mockserver.New(directory("Device/1"), mockserver.WithTimeScale(0)))
	demo, subscriptions, err := mock.Keys(t.Context())
	mustDo(t, err)
	if len(demo) < 15 || len(subscriptions) < 15 {
		t.Errorf("there are %d demo keys in %d subscriptions", len(demo), len(subscriptions))
	}
	documented, err := os.ReadFile("../docs/rehearsal.md")
	mustDo(t, err)
	states := map[int]int{}
	for _, d := range demo {
		if status, _ := fetch(t, mock.HTTP(), mock.BaseURL()+"/Device/1", d.Key); status != d.Status || d.Meaning == "" {
			t.Errorf("%s (%s) is answered with %d, want %d", d.Key, d.Meaning, status, d.Status)
		}
		states[d.Status]++
		if !bytes.Contains(documented, []byte("`"+d.Key+"`")) {
			t.Errorf("docs/rehearsal.md does not know %s", d.Key)
		}
	}
	if states[200] == 0 || states[401] == 0 || states[429] == 0 {
		t.Errorf("the states of the demo keys are %v", states)
	}
	for _, i := range must(mock.Incidents(t.Context()))(t) {
		request := must(http.NewRequest("GET", mock.BaseURL()+"/metadata", nil))(t)
		request.Header.Set("ESANTE-API-KEY", i.Key)
		if response, err := mock.HTTP().Do(request); err == nil {
			response.Body.Close()
		}
		call := must(mock.Default().Journal(t.Context(), control.Filter{}))(t)
		last := call[len(call)-1]
		if i.Scope == "every call" && !reflect.DeepEqual(last.Incidents, []string{i.Name}) {
			t.Errorf("the key %s brings %v", i.Key, last.Incidents)
		}
		if last.Status == 401 && i.Name != "unauthorized" && i.Name != "2023-12-20-maintenance" {
			t.Errorf("the key %s is not accepted", i.Key)
		}
	}
	if status, _ := fetch(t, mock.HTTP(), mock.BaseURL()+"/metadata", "mock-incident-nothing"); status != 401 {
		t.Errorf("the key of no incident is answered with %d", status)
	}
}

// TestInProcess: what a client sees of a cut connection without a socket.
func TestInProcess(t *testing.T) {
	t.Parallel()
	mock := control.In(build(t, directory("Device/1"), mockserver.WithTimeScale(0)))
	for incident, want := range map[string]error{"reset": io.EOF, "empty-reply": io.EOF, "no-answer": io.EOF} {
		request := must(http.NewRequest("GET", mock.BaseURL()+"/metadata", nil))(t)
		request.Header.Set("ESANTE-API-KEY", "mock-incident-"+incident)
		if _, err := mock.HTTP().Do(request); !errors.Is(err, want) {
			t.Errorf("%s is %v", incident, err)
		}
	}
	request := must(http.NewRequest("GET", mock.BaseURL()+"/metadata", nil))(t)
	request.Header.Set("ESANTE-API-KEY", "mock-incident-truncated-body")
	response := must(mock.HTTP().Do(request))(t)
	if body, err := io.ReadAll(response.Body); !errors.Is(err, io.ErrUnexpectedEOF) || len(body) == 0 {
		t.Errorf("a truncated body has %d bytes and ends with %v", len(body), err)
	}
	slow := must(mock.NewSession(t.Context(), ""))(t)
	patient, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := slow.Info(patient); !errors.Is(err, context.Canceled) {
		t.Errorf("a call that was given up is %v", err)
	}
}
