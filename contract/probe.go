package contract

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/fhir"
)

// Probe is how one check looks at the service. Checks share the client behind
// it, with its limiter, budget and memory of what was answered; findings,
// evidence and exchanges are the check's own.
type Probe struct {
	client *client
	check  *Check
	table  *fixtures.Table
	opts   *Options
	local  bool // the target is on loopback

	saw      int
	findings []Finding
	asked    []*Answer
}

// Table returns the search parameters the contract is about.
func (p *Probe) Table() *fixtures.Table { return p.table }

// Saw counts one more thing the check looked at. A check that saw nothing is
// vacuous, whatever it returns.
func (p *Probe) Saw() { p.saw++ }

// Do sends a request, or answers it from what this run has seen.
func (p *Probe) Do(ctx context.Context, r Request) (*Answer, error) {
	a, err := p.client.do(ctx, &r)
	if err == nil {
		p.asked = append(p.asked, a)
	}
	return a, err
}

// Get asks for a path of the API: "Practitioner?_count=1".
func (p *Probe) Get(ctx context.Context, path string) (*Answer, error) {
	return p.Do(ctx, Request{Path: path})
}

// Search asks for a path that must answer a Bundle. Another answer is drift,
// reported here, and comes back as nil.
func (p *Probe) Search(ctx context.Context, path string) (*Answer, error) {
	return p.search(ctx, Request{Path: path})
}

func (p *Probe) search(ctx context.Context, r Request) (*Answer, error) {
	a, err := p.Do(ctx, r)
	if err != nil {
		return nil, err
	}
	p.Saw()
	if a.IsBundle() {
		return a, nil
	}
	where, _, _ := strings.Cut(publicPath(r.Path), "=<")
	p.Drift(Finding{
		Reason: Protocol, Path: where, Was: "200 Bundle", Now: a.summary(),
		Message: fmt.Sprintf("The search %s %s answers %s.", r.method(), publicPath(r.Path), a.summary()),
	}, a)
	return nil, nil
}

// ground asks for what a check rests on. When it is not there the check cannot
// say anything: search/first-page tells what is wrong.
func (p *Probe) ground(ctx context.Context, path string) (*Answer, error) {
	a, err := p.Do(ctx, Request{Path: path})
	if err == nil && !a.IsBundle() {
		return nil, fmt.Errorf("%w: it rests on %s, which answers %s", errInconclusive, publicPath(path), a.summary())
	}
	return a, err
}

// summary is the answer in a few words without content.
func (a *Answer) summary() string {
	s := fmt.Sprintf("%d %s", a.Status, a.Content())
	if a.Broken != "" {
		s += " that " + a.Broken
	}
	return s
}

// Drift reports a difference. Check, why and source are the check's, class
// Breaking unless told otherwise, and the command line is that of the answer.
func (p *Probe) Drift(f Finding, evidence *Answer) {
	f.Check, f.Source, f.Seen = p.check.ID, p.check.Source, 1
	// What was read from an answer is a piece of its body, which must not live
	// as long as the report.
	f.Path, f.Was, f.Now = strings.Clone(f.Path), strings.Clone(f.Was), strings.Clone(f.Now)
	if f.Class == "" {
		f.Class = Breaking
	}
	if f.Why == "" {
		f.Why = p.check.Why
	}
	if evidence != nil && f.Curl == "" {
		f.Curl = curl(evidence.base, evidence.Request)
	}
	for i := range p.findings {
		if p.findings[i].key() == f.key() {
			return // once is enough
		}
	}
	p.findings = append(p.findings, f)
}

// NotApplicable is what a check returns where it must not run.
func (p *Probe) NotApplicable(why string) error { return errNotApplicable{why} }

// sentence says for a person why there was no answer. The error's own text is
// left out: it holds addresses, and may hold the key.
func sentence(err error, patience fmt.Stringer) string {
	var (
		dns  *net.DNSError
		op   *net.OpError
		urlE *url.Error
	)
	if errors.As(err, &urlE) {
		err = urlE.Err
	}
	if text := untrusted(err); text != "" {
		return text
	}
	switch {
	case errors.As(err, &dns):
		return "its host name is not known: check the address and the network"
	case isTimeout(err):
		return fmt.Sprintf("it did not answer within %v", patience)
	case errors.As(err, &op) && op.Op == "dial":
		return "the connection is refused: the service is down, or a proxy is needed (HTTPS_PROXY)"
	}
	return "it closes the connection without an answer"
}

// parseBase checks the address of a target.
func parseBase(address string) (*url.URL, error) {
	base, err := url.Parse(strings.TrimRight(address, "/"))
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, errors.New("the target must be a URL such as https://gateway.api.esante.gouv.fr/fhir/v2")
	}
	if base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("the target must be the base of the API, without user, query or fragment; the key comes from the environment")
	}
	return base, nil
}

// integer returns a JSON number that is a whole one, written as such.
func integer(n *fhir.Node) (int, bool) {
	if n.Kind() != fhir.Number {
		return 0, false
	}
	v, err := strconv.Atoi(n.Raw())
	return v, err == nil
}
