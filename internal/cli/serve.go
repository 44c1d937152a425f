package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/atomicfile"
	"github.com/mockfhir/mockfhir/internal/rehearse"
	"github.com/mockfhir/mockfhir/mockserver"
)

// serveFlags are the flags of the server.
type serveFlags struct {
	addr, portFile              string
	fixtures                    list
	keys                        string
	anyKey                      toggle
	profile, gateway, rate      string
	version                     string
	now, tz                     string
	tlsCert, tlsKey             string
	tlsSelfSigned               toggle
	publicURL, proxies, control string
	controlToken, madeToken     string
	countBudget, badSearch      int
	incidents                   list
	demanding                   toggle
	log                         string
}

func (f *serveFlags) define(fs *flag.FlagSet) {
	fs.StringVar(&f.addr, "addr", "127.0.0.1:8080", "listen `address`; port 0 picks one")
	fs.StringVar(&f.portFile, "port-file", "", "write the chosen port to this `file` once ready")
	fs.Var(&f.fixtures, "fixtures", "fixture set: a directory, a packed set, a .ndjson or .ndjson.gz `path`, or default; may be repeated, later ones add or replace; in the environment parted as in PATH, with "+string(os.PathListSeparator)+" between")
	fs.StringVar(&f.keys, "keys", "", "accepted keys, a comma-separated `list` (default: the demo keys)")
	fs.Var(&f.anyKey, "any-key", "accept any key that is not empty")
	fs.StringVar(&f.profile, "profile", "production", "behaviour to imitate: production or source")
	fs.StringVar(&f.gateway, "gateway", "v3", "gateway switches, a comma-separated `list`: v3 or v4, apim=3.20, health-plan, rate-headers, query-key=off, method-filter=off, cors=ORIGINS, sync-delay=5s")
	fs.StringVar(&f.rate, "rate", "17/1s", "quota per key: 17/1s, quota:1000/1m, spike:17/1s, or 0 for none")
	fs.StringVar(&f.version, "default-version", "v2", "what /fhir without a version answers: v1, v2 or none")
	fs.IntVar(&f.countBudget, "count-budget", mockserver.DefaultCountBudget, "resources that a search with :contains may look through before its total is left out, as the real one is after a second; 0 counts always")
	fs.IntVar(&f.badSearch, "bad-search", http.StatusInternalServerError, "`status` of a search with a mistake: 500, as in ANS's source, or 400, as in its documentation")
	fs.StringVar(&f.now, "now", "", "the service's clock: real, a date, or shift, which moves lastUpdated so that the newest is of today (default: shift for the embedded set, else real)")
	fs.StringVar(&f.tz, "tz", "Europe/Paris", "`zone` of dates without an offset")
	fs.StringVar(&f.tlsCert, "tls-cert", "", "serve HTTPS with this certificate `file`")
	fs.StringVar(&f.tlsKey, "tls-key", "", "private key `file` of -tls-cert")
	fs.Var(&f.tlsSelfSigned, "tls-self-signed", "serve HTTPS with a certificate made at start, which no client trusts (incident D11)")
	fs.StringVar(&f.publicURL, "public-url", "", "fixed origin of links, as in `https://host/prefix` (default: the one the client used)")
	fs.StringVar(&f.proxies, "trusted-proxies", "", "address `ranges` whose X-Forwarded-* count (default: loopback and private)")
	fs.StringVar(&f.control, "control", "on", "what the mock says of itself under /__mockfhir/: on, or off for livez, readyz and version alone")
	fs.StringVar(&f.controlToken, "control-token", "", "`token` of control calls; needed beyond loopback, where one is made and printed at start when none is given")
	fs.Var(&f.incidents, "incident", "start with an incident on, by `name`, with a scope behind a semicolon if it is to be another than its own; may be repeated, in the environment with commas between; mockfhir incidents lists them")
	fs.Var(&f.demanding, "demanding", "be a demanding mock: small pages, odd but legal answers, a few 429 and 502")
	fs.StringVar(&f.log, "log", "text", "calls on standard error: text, json or off")
}

func serve(ctx context.Context, env Env, args []string) int {
	var f serveFlags
	fs := flag.NewFlagSet("serve", flag.ContinueOnError)
	f.define(fs)
	err := parse(fs, args, env.Getenv, env.Stdout)
	if errors.Is(err, errHelp) {
		return exitOK
	}
	var server *mockserver.Server
	var set *fixtures.Set
	if err == nil {
		server, set, err = f.build(env.Stderr)
	}
	if err != nil {
		fmt.Fprintf(env.Stderr, "mockfhir: %v\n", err)
		return exitUsage
	}
	if err := f.run(ctx, env, server, set); err != nil {
		fmt.Fprintf(env.Stderr, "mockfhir: %v\n", err)
		return exitFailure
	}
	return exitOK
}

// build makes the server that the flags describe. Its errors are those of the
// command line.
func (f *serveFlags) build(logTo io.Writer) (*mockserver.Server, *fixtures.Set, error) {
	opts, err := f.options(logTo)
	if err != nil {
		return nil, nil, err
	}
	set, err := f.load()
	if err != nil {
		return nil, nil, err
	}
	if f.now == "shift" || f.now == "" && f.embeddedOnly() {
		opts = append(opts, mockserver.WithFreshDates())
	}
	server, err := mockserver.Build(set, opts...)
	return server, set, err
}

func (f *serveFlags) embeddedOnly() bool {
	return len(f.fixtures) == 0 || len(f.fixtures) == 1 && f.fixtures[0] == "default"
}

// load reads the fixture sets and makes them one.
func (f *serveFlags) load() (*fixtures.Set, error) {
	if len(f.fixtures) == 0 {
		return fixtures.Default(), nil
	}
	var sets []*fixtures.Set
	var errs []error
	for _, path := range f.fixtures {
		set, err := fixtures.LoadFile(path)
		errs = append(errs, err)
		sets = append(sets, set)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return fixtures.Merge(sets...)
}

// options turns the flags into those of the server.
func (f *serveFlags) options(logTo io.Writer) ([]mockserver.Option, error) {
	opts := []mockserver.Option{
		mockserver.WithProfile(mockserver.Profile(f.profile)),
		mockserver.WithGateway(f.gateway),
		mockserver.WithRate(f.rate),
		mockserver.WithDefaultVersion(f.version),
		mockserver.WithCountBudget(f.countBudget),
		mockserver.WithBadSearch(f.badSearch),
		mockserver.WithVersion(Version()),
	}
	if f.keys != "" {
		var keys []string
		for key := range strings.SplitSeq(f.keys, ",") {
			keys = append(keys, strings.TrimSpace(key))
		}
		opts = append(opts, mockserver.WithKeys(keys...))
	}
	if f.anyKey {
		opts = append(opts, mockserver.WithAnyKey())
	}
	if f.publicURL != "" {
		opts = append(opts, mockserver.WithPublicURL(f.publicURL))
	}
	zone, err := time.LoadLocation(f.tz)
	if err != nil || f.tz == "" {
		return nil, fmt.Errorf("-tz %q is not a zone; write one as in Europe/Paris or UTC", f.tz)
	}
	opts = append(opts, mockserver.WithLocation(zone))
	switch f.now {
	case "", "real", "shift":
	default:
		start, err := parseClock(f.now, zone)
		if err != nil {
			return nil, err
		}
		began := time.Now()
		opts = append(opts, mockserver.WithClock(func() time.Time { return start.Add(time.Since(began)) }))
	}
	if f.proxies != "" {
		ranges, err := parseRanges(f.proxies)
		if err != nil {
			return nil, err
		}
		opts = append(opts, mockserver.WithTrustedProxies(ranges...))
	}
	opts = append(opts, mockserver.WithIncident(f.incidents...))
	if f.demanding {
		opts = append(opts, mockserver.WithIncident(rehearse.Demanding...))
	}
	switch f.control {
	case "on":
		token, err := f.token()
		if err != nil {
			return nil, err
		}
		opts = append(opts, mockserver.WithControlToken(token))
	case "off":
		if f.controlToken != "" {
			return nil, errors.New("-control-token is for -control on: leave out either")
		}
		opts = append(opts, mockserver.WithoutControl())
	default:
		return nil, fmt.Errorf("-control %q is not valid: write on or off", f.control)
	}
	switch f.log {
	case "text":
		opts = append(opts, mockserver.WithLogger(slog.New(slog.NewTextHandler(logTo, nil))))
	case "json":
		opts = append(opts, mockserver.WithLogger(slog.New(slog.NewJSONHandler(logTo, nil))))
	case "off":
	default:
		return nil, fmt.Errorf("-log %q is not valid: write text, json or off", f.log)
	}
	if (f.tlsCert == "") != (f.tlsKey == "") {
		return nil, errors.New("-tls-cert and -tls-key go together: give both, or -tls-self-signed")
	}
	if f.tlsCert != "" && f.tlsSelfSigned {
		return nil, errors.New("-tls-self-signed makes a certificate, -tls-cert brings one: give either")
	}
	return opts, nil
}

// token is what control calls must show: nothing on loopback unless it is
// asked for, else the given one or one made for this run, which announce
// prints.
func (f *serveFlags) token() (string, error) {
	switch {
	case f.controlToken != "" && (len(f.controlToken) < minToken || strings.ContainsFunc(f.controlToken, isNoTokenCharacter)):
		return "", fmt.Errorf("-control-token is not valid: write at least %d letters, digits or signs, without a space", minToken)
	case f.controlToken != "" || loopback(f.addr):
		return f.controlToken, nil
	}
	f.madeToken = rand.Text()
	return f.madeToken, nil
}

// minToken keeps tokens from being guessed.
const minToken = 8

func isNoTokenCharacter(r rune) bool { return r <= ' ' || r > '~' }

// loopback says whether nobody but this machine can reach an address to listen
// on. A name other than localhost may be anything.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func parseClock(text string, zone *time.Location) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("-now %q is not valid: write real, shift, or a date as in 2026-07-01 or 2026-07-01T10:00:00+02:00", text)
}

func parseRanges(text string) ([]netip.Prefix, error) {
	var ranges []netip.Prefix
	for item := range strings.SplitSeq(text, ",") {
		item = strings.TrimSpace(item)
		prefix, err := netip.ParsePrefix(item)
		if addr, addrErr := netip.ParseAddr(item); addrErr == nil {
			prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("-trusted-proxies: %q is no address range; write one as in 10.0.0.0/8", item)
		}
		ranges = append(ranges, prefix)
	}
	return ranges, nil
}

// run listens, says where, and serves until the context ends.
func (f *serveFlags) run(ctx context.Context, env Env, server *mockserver.Server, set *fixtures.Set) error {
	l, err := f.listen(server)
	if err != nil {
		return err
	}
	f.announce(env.Stdout, l, set)
	select {
	case err := <-l.ended:
		return err
	case <-ctx.Done():
	}
	return l.stop()
}

// listening is a server that answers.
type listening struct {
	addr   *net.TCPAddr
	scheme string
	server *http.Server
	ended  chan error // what Serve returned
}

// listen starts to serve, and writes the port file once it does.
func (f *serveFlags) listen(server *mockserver.Server) (*listening, error) {
	tlsConfig, err := f.tlsConfig()
	if err != nil {
		return nil, err
	}
	if f.portFile != "" {
		_ = os.Remove(f.portFile) // who waits for it must not read that of an earlier run
	}
	listener, err := net.Listen("tcp", f.addr)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w; write -addr as host:port, port 0 picks a free one", f.addr, err)
	}
	l := &listening{
		addr: listener.Addr().(*net.TCPAddr), scheme: f.scheme(),
		server: server.HTTPServer(), ended: make(chan error, 1),
	}
	go func() { l.ended <- l.server.Serve(mockserver.Listener(listener, tlsConfig)) }()
	if f.portFile != "" {
		if err := atomicfile.WriteBytes(f.portFile, []byte(strconv.Itoa(l.addr.Port)+"\n")); err != nil {
			_ = l.server.Close()
			return nil, fmt.Errorf("cannot write the port to %s: %w", f.portFile, err)
		}
	}
	return l, nil
}

// origin is where the server is reached from this machine.
func (l *listening) origin() string {
	host := l.addr.IP.String()
	if l.addr.IP.IsUnspecified() {
		host = "localhost"
	}
	return l.scheme + "://" + net.JoinHostPort(host, strconv.Itoa(l.addr.Port))
}

// stop lets calls under way end, within reason.
func (l *listening) stop() error {
	grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := l.server.Shutdown(grace); err != nil {
		_ = l.server.Close()
	}
	if err := <-l.ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// announce prints the base URL, the key and one curl line that works when it
// is pasted. Only the demo key and a token made for this run are ever printed.
func (f *serveFlags) announce(w io.Writer, l *listening, set *fixtures.Set) {
	base := l.origin() + "/fhir/v2"
	key, about := mockserver.DemoKey, mockserver.DemoKey
	switch {
	case bool(f.anyKey):
		about = "any"
	case f.keys != "":
		key, about = "YOUR-KEY", "one of those given with -keys"
	}
	insecure := ""
	if f.tlsSelfSigned {
		insecure = "-k "
	}
	what := "resources"
	if f.embeddedOnly() {
		what = "fictitious resources"
	}
	fmt.Fprintf(w, "mockfhir %s: %d %s at %s\n", Version(), set.Count(), what, base)
	fmt.Fprintf(w, "key (header ESANTE-API-KEY): %s\n", about)
	if f.madeToken != "" {
		fmt.Fprintf(w, "control token (header Authorization: Bearer …, for /__mockfhir/): %s\n", f.madeToken)
	}
	if f.control == "on" {
		fmt.Fprintf(w, "page: %s/\n", strings.TrimSuffix(base, "/fhir/v2"))
	}
	for _, unused := range set.Unused() {
		fmt.Fprintf(w, "note: %s\n", unused)
	}
	typ := "Practitioner"
	if set.Table.Type(typ) == nil { // a set with a table of its own
		typ = set.Table.Types[0].Type
	}
	fmt.Fprintf(w, "try: curl %s-H \"ESANTE-API-KEY: %s\" \"%s/%s?_count=1\"\n", insecure, key, base, typ)
}
