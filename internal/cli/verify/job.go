package verify

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/mockfhir/mockfhir/contract"
	"github.com/mockfhir/mockfhir/contract/report"
	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/mockserver"
)

// job is a run about to begin: all its files are read, so nothing but the
// service can go wrong from here on.
type job struct {
	config  *config
	env     Env
	target  contract.Target
	options contract.Options
	move    *contract.Migration // nil unless the versions differ
}

func prepare(c *config, env Env) (*job, error) {
	j := &job{config: c, env: env}
	j.target = contract.Target{URL: c.url, Key: c.keyFor(c.url)}
	j.options = contract.Options{
		Rate: c.rate, Budget: c.budget, ProbeQuota: c.probeQuota,
		FailOn: c.failOn, MinCoverage: c.minCoverage, Clock: env.Clock,
	}
	for _, step := range []func() error{j.checks, j.ignore, j.baseline, j.connect} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return j, nil
}

// checks are the suite and the requests of the user's file, which the default
// budget makes room for.
func (j *job) checks() error {
	if j.config.migrates() {
		return j.migration()
	}
	checks := contract.ChecksFor(j.config.url)
	err := readFile(j.config.requests, func(r io.Reader) error {
		more, err := parseRequests(r)
		checks = append(checks, more...)
		if j.options.Budget == 0 {
			j.options.Budget = contract.DefaultBudget + len(more)
		}
		return err
	})
	if err == nil {
		j.options.Checks, err = contract.Select(checks, j.config.run)
	}
	return err
}

func (j *job) ignore() error {
	return readFile(j.config.ignore, func(r io.Reader) (err error) {
		j.options.Ignore, err = contract.ParseIgnore(r)
		return err
	})
}

func (j *job) connect() (err error) {
	j.options.Client, err = transport(j.env.Transport, j.config.ca)
	return err
}

// readFile opens a file that was asked for and lets parse read it.
func readFile(name string, parse func(io.Reader) error) error {
	if name == "" {
		return nil
	}
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("%s cannot be read: %w", name, errors.Unwrap(err))
	}
	defer func() { _ = f.Close() }()
	if err := parse(f); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// transport is the base one with the certificates of a file trusted as well.
func transport(base *http.Transport, ca string) (http.RoundTripper, error) {
	t := base.Clone()
	t.DisableCompression = true // the checks ask for gzip themselves
	t.MaxResponseHeaderBytes = 64 << 10
	if ca == "" {
		return t, nil
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	err = readFile(ca, func(r io.Reader) error {
		pem, err := io.ReadAll(io.LimitReader(r, 1<<20))
		if err == nil && !roots.AppendCertsFromPEM(pem) {
			err = errors.New("holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")
		}
		return err
	})
	if t.TLSClientConfig == nil {
		t.TLSClientConfig = &tls.Config{}
	}
	t.TLSClientConfig.RootCAs = roots
	return t, err
}

// keyFor is the key to send to an address. It belongs to the service it was
// made for: another host never gets it, and a mock on this machine that is
// given none wants the demo key.
func (c *config) keyFor(address string) string {
	switch {
	case c.key != "" && sameHost(address, c.url):
		return c.key
	case contract.Target{URL: address}.Local():
		return mockserver.DemoKey
	}
	return ""
}

func sameHost(a, b string) bool {
	ua, errA := url.Parse(a)
	ub, errB := url.Parse(b)
	return errA == nil && errB == nil && strings.EqualFold(ua.Scheme+"://"+ua.Host, ub.Scheme+"://"+ub.Host)
}

// list prints the checks.
func list(w io.Writer, checks []contract.Check) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range checks {
		say(t, "%s\t%s\t%s\t%s", c.ID, c.Level, c.Title, c.Source)
	}
	_ = t.Flush()
}

// mock is the word for the service that -against starts itself.
const mock = "mock"

// look runs the suite, and runs it on what it is to be compared with: a mock
// afterwards, another service before, because that one is the baseline.
func (j *job) look(ctx context.Context) (doc report.Document, err error) {
	doc.FailOn, doc.AgainstName = j.config.failOn, j.config.against
	if j.move != nil {
		return j.lookBoth(ctx, doc)
	}
	switch j.config.against {
	case "":
		doc.Run, err = j.run(ctx, j.target, j.options)
	case mock:
		if doc.Run, err = j.run(ctx, j.target, j.options); err == nil {
			doc.Against, err = j.runMock(ctx)
		}
	default:
		if doc.Against, err = j.runOther(ctx); err != nil {
			return doc, err
		}
		doc.AgainstName = hostOf(j.config.against)
		if j.config.baseline == "" && j.config.accept == "" && doc.Against.Verdict != contract.Undecided {
			j.options.Baseline = doc.Against.Learned
		}
		doc.Run, err = j.run(ctx, j.target, j.options)
	}
	return doc, err
}

func (j *job) run(ctx context.Context, target contract.Target, options contract.Options) (*contract.Report, error) {
	j.forSource(ctx, target, &options)
	p := newProgress(j.env, target.URL, options)
	options.Progress = p.show
	r, err := contract.Run(ctx, target, options)
	p.end()
	return r, err
}

// runOther runs the suite on the service to compare with.
func (j *job) runOther(ctx context.Context) (*contract.Report, error) {
	c := j.config
	return j.run(ctx, contract.Target{URL: c.against, Key: c.keyFor(c.against)}, j.aside())
}

// runMock runs the suite on a mock started for it.
func (j *job) runMock(ctx context.Context) (*contract.Report, error) {
	target, stop, err := startMock(versionOf(j.config.url))
	if err != nil {
		return nil, fmt.Errorf("the mock does not start: %w", err)
	}
	defer stop()
	options := j.aside()
	options.Rate, options.Client = contract.Unlimited, nil
	return j.run(ctx, target, options)
}

// aside are the options of a run that makes no verdict: it is compared with
// nothing.
func (j *job) aside() contract.Options {
	options := j.options
	options.Baseline, options.Ignore, options.MinCoverage = nil, nil, 0
	return options
}

func hostOf(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		return u.Host
	}
	return "other"
}

// startMock serves the default mock on a free port of this machine, in the
// version that is looked at, for a key of its own. It has no quota: nobody wants to wait for it.
func startMock(version string) (target contract.Target, stop func(), err error) {
	key := rand.Text()
	handler, err := mockserver.Build(fixtures.Default(), mockserver.WithKeys(key), mockserver.WithRate("0"))
	if err != nil {
		return target, nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return target, nil, err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	target = contract.Target{URL: "http://" + listener.Addr().String() + "/fhir/" + version, Key: key}
	return target, func() { _ = server.Close() }, nil
}

// tell writes the reports and, when asked, the new baseline.
func (j *job) tell(doc report.Document) error {
	err := j.writeReports(doc)
	if j.config.accept != "" {
		err = errors.Join(err, j.acceptBaseline(doc.Run))
	}
	return err
}
