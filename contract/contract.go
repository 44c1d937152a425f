// Package contract is what integrators believe about the Annuaire Santé FHIR
// API, written as checks that run against any copy of it: the mock, a replica,
// or the real gateway. Run says whether the belief still holds.
//
// The command verify needs it, and whoever wants the suite inside a program
// (package contracttest runs it in a Go test). A check knows nothing of what
// serves it and brings no data: it finds the people and structures it asks
// about on the service's own first pages, so it runs unchanged on fictitious
// and on real data. What those pages hold stays in memory: findings and
// exchanges carry paths, kinds and codes, never a key nor a personal value.
package contract

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Version is the version of the suite: reports and the user agent carry it.
// The linker sets it in a release.
var Version = "dev"

// Target is the service to look at.
type Target struct {
	// URL is the base of the API, as in https://gateway.api.esante.gouv.fr/fhir/v2.
	URL string `json:"url"`
	// Key goes in the header ESANTE-API-KEY of requests to URL and nowhere else.
	Key string `json:"-"`
}

// Local reports whether requests stay on this machine, where quotas can be tried
// and no limit is owed to anybody.
func (t Target) Local() bool {
	u, err := url.Parse(t.URL)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return strings.EqualFold(u.Hostname(), "localhost") || ip != nil && ip.IsLoopback()
}

// String, Format and LogValue leave the key out, however a Target is printed.
func (t Target) String() string { return t.URL }

// Format implements fmt.Formatter, for %v, %+v and %#v alike.
func (t Target) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, t.URL) }

// LogValue implements slog.LogValuer.
func (t Target) LogValue() slog.Value { return slog.StringValue(t.URL) }

// Level says who made a promise.
type Level string

// The levels of a Check.
const (
	Required Level = "required" // ANS or the FHIR specification promised it
	Observed Level = "observed" // seen, not promised: its change is news
)

// Check is one promise of the contract.
type Check struct {
	ID     string `json:"id"` // "paging/next-followable"; for ever
	Title  string `json:"title"`
	Level  Level  `json:"level"`
	Source string `json:"source"` // URL of the guide, IG element or issue that says so
	Why    string `json:"why"`    // what an integrator loses when it breaks
	// Run looks at the service through the probe. It reports what it finds
	// with Probe.Drift and counts what it looked at with Probe.Saw: a check
	// that saw nothing is vacuous. An error is about the run, not the service:
	// NotApplicable, or an exchange that could not take place.
	Run func(ctx context.Context, p *Probe) error `json:"-"`

	afterwards bool // asks nothing: judges what the run has seen
}

// Class says what a difference does to clients.
type Class string

// The classes, worst first.
const (
	Breaking Class = "breaking" // a client that worked may stop
	Additive Class = "additive" // something new that clients can ignore
	Benign   Class = "benign"   // noise, told only when asked
)

// AtLeast reports whether c is as bad as limit, or worse.
func (c Class) AtLeast(limit Class) bool { return c.rank() >= limit.rank() }

func (c Class) rank() int {
	switch c {
	case Breaking:
		return 2
	case Additive:
		return 1
	}
	return 0
}

// Reason says what kind of thing differs.
type Reason string

// The reasons.
const (
	Protocol Reason = "protocol" // status, headers, framing
	Shape    Reason = "shape"    // an element appears, goes or repeats
	Type     Reason = "type"     // JSON type or lexical form
	Meaning  Reason = "meaning"  // system, code or place of a value
	Link     Reason = "link"     // addresses in answers
	Search   Reason = "search"   // what a search finds
	Volume   Reason = "volume"   // how much there is
	Security Reason = "security" // keys, restricted data
	Limit    Reason = "limit"    // quotas
	Speed    Reason = "speed"    // time and size
)

// Finding is one difference between the contract, or a baseline, and the
// service. It holds no personal value.
type Finding struct {
	Check   string `json:"check"` // the ID of the check that found it
	Class   Class  `json:"class"`
	Reason  Reason `json:"reason"`
	Path    string `json:"path,omitempty"` // "Practitioner.meta.versionId"
	Was     string `json:"was,omitempty"`  // expected: a kind, code or count
	Now     string `json:"now,omitempty"`  // met
	Message string `json:"message"`        // one sentence
	Why     string `json:"why,omitempty"`
	Source  string `json:"source,omitempty"`
	Curl    string `json:"curl,omitempty"` // a command line that shows it
	Seen    int    `json:"seen,omitempty"` // times in a row it was found
	// Ignored is the reason the ignore file gives; such a finding does not
	// count in the verdict.
	Ignored string `json:"ignored,omitempty"`
}

// key tells whether two findings of different rounds are the same one.
func (f *Finding) key() string {
	return f.Check + "\x00" + string(f.Class) + "\x00" + string(f.Reason) + "\x00" + f.Path
}

// Exchange is one request and its answer, redacted: values that came from the
// service's resources stand as <family>, <id>, <token>.
type Exchange struct {
	Method   string        `json:"method"`
	URL      string        `json:"url"`
	Status   int           `json:"status,omitempty"` // 0: no answer
	Header   http.Header   `json:"header,omitempty"` // those that say nothing of a person or session
	Size     int           `json:"size"`
	Content  string        `json:"content,omitempty"` // "Bundle", "OperationOutcome", "HTML page", "nothing"…
	Duration time.Duration `json:"duration"`
	Error    string        `json:"error,omitempty"`
	Curl     string        `json:"curl,omitempty"`
}

// Outcome is how a check ended.
type Outcome string

// The outcomes.
const (
	Pass          Outcome = "pass"
	Drift         Outcome = "drift"          // the promise does not hold
	Vacuous       Outcome = "vacuous"        // nothing to look at
	NotApplicable Outcome = "not-applicable" // not to be run on this target
	Waived        Outcome = "waived"         // known not to hold on this target
	Inconclusive  Outcome = "inconclusive"   // the service did not let us see
	Failed        Outcome = "error"          // the check itself went wrong
)

// Result is what became of one check.
type Result struct {
	Check
	Outcome   Outcome       `json:"outcome"`
	Detail    string        `json:"detail,omitempty"` // why it is not Pass, when there is no finding
	Saw       int           `json:"saw"`              // things looked at
	Findings  []Finding     `json:"findings,omitempty"`
	Exchanges []Exchange    `json:"exchanges,omitempty"`
	Requests  int           `json:"requests"` // sent on the wire for it; cached answers are free
	Duration  time.Duration `json:"duration"`

	mute bool // nothing it asked got an answer in JSON
}

// Verdict is the answer of a run.
type Verdict string

// The verdicts.
const (
	Holds     Verdict = "holds"
	Drifted   Verdict = "drift"
	Undecided Verdict = "inconclusive"
)

// ExitCode is what verify returns for a verdict. 2 is left to wrong usage.
func (v Verdict) ExitCode() int {
	switch v {
	case Holds:
		return 0
	case Drifted:
		return 1
	}
	return 3
}

// Coverage counts the checks by outcome.
type Coverage struct {
	Checks        int `json:"checks"`
	Looked        int `json:"looked"` // ended in pass or drift
	Vacuous       int `json:"vacuous"`
	NotApplicable int `json:"notApplicable"`
	Waived        int `json:"waived"`
	Inconclusive  int `json:"inconclusive"` // errors included
}

// Ratio is the share of the applicable checks that had something to look at,
// from 0 to 1.
func (c Coverage) Ratio() float64 {
	applicable := c.Checks - c.NotApplicable - c.Waived
	if applicable <= 0 {
		return 0
	}
	return float64(c.Looked) / float64(applicable)
}

// Report is the whole of a run, and is valid even when the run was cut short.
type Report struct {
	Target   Target    `json:"target"`
	Tool     string    `json:"tool"` // "mockfhir-verify 1.2.3"
	Started  time.Time `json:"started"`
	Ended    time.Time `json:"ended"`
	Verdict  Verdict   `json:"verdict"`
	Reason   string    `json:"reason"` // the verdict in a sentence
	Partial  bool      `json:"partial,omitempty"`
	Results  []Result  `json:"results"`
	Findings []Finding `json:"findings"` // of the checks and of the comparison, ignored ones included
	Requests int       `json:"requests"` // sent on the wire
	Budget   int       `json:"budget"`
	Coverage Coverage  `json:"coverage"`
	// BaselineAt says when the baseline compared with was accepted.
	BaselineAt *time.Time `json:"baselineAt,omitempty"`
	// Learned is what the service looked like in this run.
	Learned *Baseline `json:"-"`
}

// Limits of a run.
const (
	DefaultRate   = 10.0 // requests a second
	MaxRate       = 16.0 // ANS allows 17 a second and key; some are left to the owner of the key
	DefaultBudget = 400  // requests
)

// Unlimited is the Rate without a limit, for loopback targets only.
var Unlimited = math.Inf(1)

// Options say how to run. The zero value is the suite against a distant
// service, politely.
type Options struct {
	Checks []Check // nil: Checks()
	Run    string  // regular expression on check IDs; empty: all

	Rate   float64 // requests a second, 0: DefaultRate
	Budget int     // requests, 0: DefaultBudget
	// Patience is how long an answer is waited for, 0: DefaultPatience. The
	// latency checks are shares of it.
	Patience time.Duration
	// ProbeQuota allows one burst over the quota of a target that is not on
	// loopback.
	ProbeQuota bool

	Baseline *Baseline // to compare with; nil: checks only
	Ignore   *Ignore   // findings known and accepted for a while
	// Waive says why a check is known not to hold on this target, "" otherwise.
	Waive       func(checkID string) string
	FailOn      Class   // the class from which a finding is drift; empty: Breaking
	MinCoverage float64 // of Coverage.Ratio, below which a green is inconclusive

	Progress func(Progress)    // called after each check; may be nil
	Client   http.RoundTripper // nil: a transport of its own
	Clock    Clock             // nil: the machine's
}

// Progress is where a run is.
type Progress struct {
	Done, Total      int
	Requests, Budget int
	Result           *Result // nil at the start
}

// Clock is time, for tests that cannot wait.
type Clock interface {
	Now() time.Time
	Sleep(ctx context.Context, d time.Duration) error
}

// errNotApplicable is what a check returns where it must not run.
type errNotApplicable struct{ why string }

func (e errNotApplicable) Error() string { return e.why }

// errInconclusive is what stops a run or a check that the service does not
// let see.
var errInconclusive = errors.New("the service cannot be judged now")
