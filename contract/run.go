package contract

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mockfhir/mockfhir/fixtures"
)

// Run looks at the target and reports. The report is whole and valid whatever
// happens, ctx cancelled included; an error means the options make no sense.
func Run(ctx context.Context, target Target, opts Options) (*Report, error) {
	r, err := newRun(target, opts)
	if err != nil {
		return nil, err
	}
	r.start()
	r.look(ctx)
	r.compare(ctx)
	r.judge()
	return r.report, nil
}

// run is the state of one Run.
type run struct {
	opts   Options
	client *client
	checks []Check
	local  bool
	report *Report

	obstacle string // why the run ended before its end
	learner  *learner
	learned  int   // answers already shown to the learner
	mute     []int // checks in a row that met nothing but failures
	gone     bool  // the service went away
	whole    bool  // every check was run
}

func newRun(target Target, opts Options) (*run, error) {
	base, err := parseBase(target.URL)
	if err != nil {
		return nil, err
	}
	target.URL = base.String()
	opts.Rate = cmp.Or(opts.Rate, DefaultRate)
	opts.Budget = cmp.Or(opts.Budget, DefaultBudget)
	opts.Patience = cmp.Or(opts.Patience, DefaultPatience)
	opts.FailOn = cmp.Or(opts.FailOn, Breaking)
	if opts.Checks == nil {
		opts.Checks = ChecksFor(target.URL)
	}
	checks, err := Select(opts.Checks, opts.Run)
	if err != nil {
		return nil, err
	}
	local := target.Local()
	if !(opts.Rate > 0) || opts.Rate > MaxRate && !local {
		return nil, fmt.Errorf("the rate must be above 0 and at most %v requests a second: ANS allows 17 (only a target on loopback may be asked faster)", MaxRate)
	}
	if opts.Budget < 1 {
		return nil, errors.New("the budget must be at least one request")
	}
	r := &run{
		opts: opts, checks: checks, local: local,
		client:  newClient(base, target.Key, &opts),
		learner: newLearner(target),
	}
	r.report = &Report{Target: target, Tool: "mockfhir-verify " + Version, Budget: opts.Budget}
	return r, nil
}

func newClient(base *url.URL, key string, opts *Options) *client {
	c := &client{
		base: base, key: key, http: opts.Client, clock: opts.Clock, patience: opts.Patience,
		budget: opts.Budget, cache: map[string]*Answer{},
	}
	if c.http == nil {
		c.http = newTransport(c.patience)
	}
	if c.clock == nil {
		c.clock = realClock{}
	}
	if !math.IsInf(opts.Rate, 1) {
		c.interval = time.Duration(float64(time.Second) / opts.Rate)
	}
	return c
}

// Select returns the checks whose ID matches the regular expression.
func Select(checks []Check, pattern string) ([]Check, error) {
	match, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("-run %q is not a regular expression", pattern)
	}
	var selected []Check
	for _, c := range checks {
		if match.MatchString(c.ID) {
			selected = append(selected, c)
		}
	}
	if len(selected) == 0 {
		return nil, fmt.Errorf("no check has an ID like %q; -list prints them", pattern)
	}
	return selected, nil
}

func (r *run) start() {
	r.report.Started = r.client.clock.Now()
	r.progress(nil)
}

func (r *run) progress(result *Result) {
	if r.opts.Progress == nil {
		return
	}
	r.opts.Progress(Progress{
		Done: len(r.report.Results), Total: len(r.checks),
		Requests: r.client.sent, Budget: r.client.budget, Result: result,
	})
}

// look runs the checks: all of them once, then those that found something
// again, from fresh answers, until a finding was met three times or is gone.
func (r *run) look(ctx context.Context) {
	r.obstacle = r.preflight(ctx)
	for i := range r.checks {
		r.report.Results = append(r.report.Results, r.one(ctx, &r.checks[i]))
		r.watch(ctx)
		r.progress(&r.report.Results[i])
	}
	if r.obstacle == "" {
		r.whole = true
		r.confirm(ctx)
	}
	r.learn()
}

func (r *run) preflight(ctx context.Context) string {
	obstacle, err := r.client.preflight(ctx)
	if err != nil {
		return interrupted
	}
	return obstacle
}

// watch notices a service that goes away during the run. When three checks in
// a row met nothing that speaks FHIR, the preflight decides whether that is
// drift or an outage; in an outage those checks have seen nothing.
func (r *run) watch(ctx context.Context) {
	const suspicious = 3
	last := len(r.report.Results) - 1
	switch result := &r.report.Results[last]; {
	case result.mute:
		r.mute = append(r.mute, last)
	case result.Requests > 0:
		r.mute = nil
	}
	if len(r.mute) < suspicious || r.obstacle != "" {
		return
	}
	r.away(r.preflight(ctx))
	if r.obstacle != "" {
		for _, i := range r.mute {
			result := &r.report.Results[i]
			result.Outcome, result.Detail, result.Findings = Inconclusive, r.obstacle, nil
		}
	}
	r.mute = nil
}

// away ends the run because the service cannot be judged any more.
func (r *run) away(obstacle string) {
	if obstacle == "" {
		return
	}
	r.gone = true
	r.obstacle = obstacle
	if obstacle != interrupted {
		r.obstacle = "The service went away during the run. " + obstacle
	}
}

// Obstacles that are no failure of the service to be there.
const (
	interrupted = "The run was interrupted."
	tooSlow     = "The service answers so slowly that the run was cut short."
)

// one runs a check, unless there is a reason not to.
func (r *run) one(ctx context.Context, check *Check) Result {
	result := Result{Check: *check, Outcome: Inconclusive, Detail: r.obstacle}
	if r.opts.Waive != nil {
		if why := r.opts.Waive(check.ID); why != "" {
			result.Outcome, result.Detail = Waived, why
			return result
		}
	}
	if r.obstacle != "" && !(check.afterwards && r.obstacle == tooSlow) {
		return result
	}
	p := &Probe{client: r.client, check: check, table: fixtures.DefaultTable(), opts: &r.opts, local: r.local}
	before, known, start := r.client.sent, len(r.client.answers), r.client.clock.Now()
	err := p.run(ctx)
	result.Requests = r.client.sent - before
	result.Duration = r.client.clock.Now().Sub(start)
	result.Saw, result.Findings, result.Exchanges = p.saw, p.findings, exchanges(p.asked)
	result.Outcome, result.Detail = p.outcome(err)
	result.mute = mute(r.client.answers[known:]) && !strings.HasPrefix(check.ID, "keys/") // those are refused on purpose
	if why := r.stop(ctx, err); why != "" {
		r.obstacle = why
	}
	return result
}

// run calls the check. A check that panics on what a service said is our
// mistake, and must not take the report with it.
func (p *Probe) run(ctx context.Context) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("the check cannot cope with what the service answers; please report it")
		}
	}()
	return p.check.Run(ctx, p)
}

// mute reports whether nothing that was asked got a resource.
func mute(answers []*Answer) bool {
	return len(answers) > 0 && !slices.ContainsFunc(answers, func(a *Answer) bool { return a.ResourceType() != "" })
}

func (p *Probe) outcome(err error) (Outcome, string) {
	var notHere errNotApplicable
	switch {
	case len(p.findings) > 0:
		return Drift, ""
	case errors.As(err, &notHere):
		return NotApplicable, notHere.why
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Inconclusive, interrupted
	case errors.Is(err, errInconclusive):
		return Inconclusive, err.Error()
	case err != nil:
		return Failed, err.Error()
	case p.saw == 0:
		return Vacuous, "the service has nothing this check could look at"
	}
	return Pass, ""
}

// stop says why no other check can be run after an error, "" when one can.
func (r *run) stop(ctx context.Context, err error) string {
	var down *outage
	switch {
	case ctx.Err() != nil:
		return interrupted
	case errors.Is(err, errBudget):
		return fmt.Sprintf("The budget of %d requests was spent.", r.client.budget)
	case errors.Is(err, errSlow):
		return tooSlow
	case errors.As(err, &down) && r.client.futile >= maxTries:
		r.gone = true
		return "The service went away during the run: " + down.sentence + "."
	}
	return ""
}

// maxExchanges of a check are told; the others add nothing.
const maxExchanges = 12

func exchanges(asked []*Answer) []Exchange {
	var list []Exchange
	for _, a := range asked[:min(len(asked), maxExchanges)] {
		list = append(list, a.Exchange())
	}
	return list
}

// confirmations of a finding before it is told.
const confirmations = 2

// confirm asks again about everything that was found, from fresh answers.
func (r *run) confirm(ctx context.Context) {
	if !r.found() {
		return
	}
	r.away(r.preflight(ctx))
	for range confirmations {
		clear(r.client.cache)
		for i := range r.report.Results {
			if result := &r.report.Results[i]; len(result.Findings) > 0 && r.obstacle == "" {
				r.reconsider(ctx, result)
			}
		}
	}
	if !r.gone && r.obstacle != interrupted {
		r.obstacle = "" // every check was run; not all could be run again
	}
}

func (r *run) found() bool {
	return slices.ContainsFunc(r.report.Results, func(x Result) bool { return len(x.Findings) > 0 })
}

// reconsider runs a check again and keeps the findings that come back. When
// it cannot be run to its end they all stay: silence is no acquittal.
func (r *run) reconsider(ctx context.Context, result *Result) {
	next := r.one(ctx, &result.Check)
	result.Requests += next.Requests
	result.Duration += next.Duration
	switch next.Outcome {
	case Inconclusive, Failed:
		return
	}
	var kept []Finding
	for _, f := range result.Findings {
		same := func(g Finding) bool { return g.key() == f.key() }
		if slices.ContainsFunc(next.Findings, same) {
			f.Seen++
			kept = append(kept, f)
		}
	}
	result.Findings = kept
	if len(kept) == 0 {
		result.Outcome = Pass
		result.Detail = "a difference was seen and did not come back"
	}
}

// learn shows the learner the answers it has not seen.
func (r *run) learn() {
	for _, a := range r.client.answers[r.learned:] {
		r.learner.see(a)
	}
	r.learned = len(r.client.answers)
	r.report.Learned = r.learner.baseline(r.report.Started)
}

// compare adds what differs from the baseline. Questions that were answered in
// another way are asked again first: one odd answer is no drift.
func (r *run) compare(ctx context.Context) {
	for _, x := range r.report.Results {
		r.report.Findings = append(r.report.Findings, x.Findings...)
	}
	if r.opts.Baseline == nil || !r.whole || r.gone {
		return
	}
	accepted := r.opts.Baseline.Accepted
	r.report.BaselineAt = &accepted
	differences := Compare(r.opts.Baseline, r.report.Learned)
	seen := 1
	for range confirmations {
		if !r.askAgain(ctx, differences) {
			break
		}
		r.learn()
		differences = Compare(r.opts.Baseline, r.report.Learned)
		seen++
	}
	for _, f := range differences {
		f.Seen = seen
		r.report.Findings = append(r.report.Findings, f)
	}
}

// askAgain sends the requests behind findings about a question once more,
// reporting whether there were any and all were answered.
func (r *run) askAgain(ctx context.Context, findings []Finding) bool {
	asked := map[string]bool{}
	for _, f := range findings {
		asked[f.Path] = true
	}
	sent := map[string]bool{}
	for _, a := range slices.Clone(r.client.answers) {
		id := a.Request.id()
		if !asked[question(a.Request)] || sent[id] {
			continue
		}
		sent[id] = true
		again := *a.Request
		again.Fresh = true
		if _, err := r.client.do(ctx, &again); err != nil {
			return false
		}
	}
	return len(sent) > 0
}

// judge ends the report with a verdict.
func (r *run) judge() {
	rep := r.report
	rep.Ended = r.client.clock.Now()
	rep.Requests = r.client.sent
	rep.Coverage = coverage(rep.Results)
	rep.Partial = r.obstacle == interrupted
	expired := r.opts.Ignore.apply(rep.Findings, rep.Ended)
	for i := range rep.Results {
		r.opts.Ignore.apply(rep.Results[i].Findings, rep.Ended)
	}
	rep.Findings = append(rep.Findings, expired...)
	slices.SortStableFunc(rep.Findings, func(a, b Finding) int { return cmp.Compare(b.Class.rank(), a.Class.rank()) })

	told := 0
	for _, f := range rep.Findings {
		if f.Ignored == "" && f.Class.AtLeast(r.opts.FailOn) {
			told++
		}
	}
	rep.Verdict, rep.Reason = r.verdict(told)
}

func (r *run) verdict(told int) (Verdict, string) {
	c := r.report.Coverage
	switch {
	case r.obstacle == interrupted:
		return Undecided, fmt.Sprintf("The run was interrupted after %d of %d checks.", c.Looked, c.Checks)
	case r.gone:
		return Undecided, r.obstacle
	case told > 0 && c.Looked > 0:
		return Drifted, fmt.Sprintf("The service differs from the contract: %s.", plural(told, "finding"))
	case r.obstacle != "":
		return Undecided, r.obstacle
	case told > 0:
		return Drifted, fmt.Sprintf("The service differs from the contract: %s.", plural(told, "finding"))
	case c.Inconclusive > 0:
		return Undecided, fmt.Sprintf("Nothing differs where the service let us look, and it did not for %s.", plural(c.Inconclusive, "check"))
	case c.Ratio() < r.opts.MinCoverage:
		return Undecided, fmt.Sprintf("Nothing differs, but only %.0f %% of the checks had something to look at; %.0f %% are wanted.",
			100*c.Ratio(), 100*r.opts.MinCoverage)
	}
	return Holds, fmt.Sprintf("The service keeps the contract: %s hold.", plural(c.Looked, "check"))
}

func plural(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "ch"):
		noun += "e"
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func coverage(results []Result) Coverage {
	c := Coverage{Checks: len(results)}
	for _, r := range results {
		switch r.Outcome {
		case Pass, Drift:
			c.Looked++
		case Vacuous:
			c.Vacuous++
		case NotApplicable:
			c.NotApplicable++
		case Waived:
			c.Waived++
		default:
			c.Inconclusive++
		}
	}
	return c
}
