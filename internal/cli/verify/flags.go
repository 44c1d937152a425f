package verify

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/mockfhir/mockfhir/contract"
	"github.com/mockfhir/mockfhir/contract/report"
)

// config is a parsed command line.
type config struct {
	url string
	key string // from the environment alone

	baseline, accept, reason string
	against                  string
	ignore, requests, ca     string
	run                      string
	rate                     float64
	budget                   int // 0: the default
	minCoverage              float64
	probeQuota               bool
	failOn                   contract.Class
	reports                  []sink

	list, version, help bool
	completion          string // the shell
}

// option is one flag: what it is called on the command line and in the
// environment, and what people are told about it.
type option struct {
	name, arg, env, text string
	value                flag.Value
}

// options are the flags, in the order of the usage.
func (c *config) options() []option {
	return []option{
		{"baseline", "FILE", "MOCKFHIR_BASELINE", "what the service looked like when it was last accepted\n(default: what the mock looks like)", text{&c.baseline}},
		{"accept", "FILE", "", "write what the service looks like now as a new baseline; needs -reason", text{&c.accept}},
		{"reason", "TEXT", "", "why the new baseline is accepted", text{&c.reason}},
		{"against", "URL|mock", "MOCKFHIR_AGAINST", "run the suite on this as well, and show both; mock starts one\nof another version: what changes for -requests between v1 and v2", text{&c.against}},
		{"fail-on", "CLASS", "MOCKFHIR_FAIL_ON", "from which class a difference is drift: breaking (default) or additive", class{&c.failOn}},
		{"min-coverage", "SHARE", "MOCKFHIR_MIN_COVERAGE", "the share of checks that must have something to look at, as 90%", share{&c.minCoverage}},
		{"ignore", "FILE", "MOCKFHIR_IGNORE", "differences known and accepted until a date", text{&c.ignore}},
		{"requests", "FILE", "MOCKFHIR_REQUESTS", "more requests to hold to the general promises, one a line", text{&c.requests}},
		{"run", "PATTERN", "MOCKFHIR_RUN", "only the checks whose ID matches the regular expression", text{&c.run}},
		{"list", "", "", "print the checks and stop", boolean{&c.list}},
		{"rate", "N/DURATION", envRate, "requests at most (default 10/1s); 0 lifts the limit, on loopback only", rate{&c.rate}},
		{"budget", "N", "MOCKFHIR_BUDGET", "requests in all (default " + strconv.Itoa(contract.DefaultBudget) + ")", positive{&c.budget}},
		{"probe-quota", "", "MOCKFHIR_PROBE_QUOTA", "one burst over the quota; without it quotas are probed on loopback only", boolean{&c.probeQuota}},
		{"ca", "FILE", "MOCKFHIR_CA", "PEM certificates to trust beside the system's", text{&c.ca}},
		{"report", "FORMAT[=FILE]", "MOCKFHIR_REPORT", "write a report; repeatable (default text)\nformats: " + formats(), sinks{&c.reports}},
		{"version", "", "", "print version, commit, fixture date and guide version, and stop", boolean{&c.version}},
		{"completion", "SHELL", "", "print completions for bash, zsh or fish, and stop", text{&c.completion}},
	}
}

// envRate is not MOCKFHIR_RATE: that is the quota of the mock, and a job that
// runs both sets it for the mock.
const envRate = "MOCKFHIR_VERIFY_RATE"

// envKey is where the key comes from, and nowhere else: a flag would show it
// to every user of the machine.
const envKey = "ESANTE_API_KEY"

// parse reads the command line over the environment.
func parse(env Env) (*config, error) {
	c := &config{rate: contract.DefaultRate, failOn: contract.Breaking}
	set := flag.NewFlagSet("verify", flag.ContinueOnError)
	set.SetOutput(io.Discard) // errors are one line, printed by Main
	set.BoolVar(&c.help, "h", false, "")
	set.BoolVar(&c.help, "help", false, "")
	for _, o := range c.options() {
		if value, _ := env.LookupEnv(o.env); value != "" {
			if err := o.value.Set(value); err != nil {
				return nil, fmt.Errorf("invalid value in %s: %w", o.env, err)
			}
		}
		set.Var(fresh(o.value), o.name, o.text)
	}
	if err := c.positional(set, env.Args); err != nil {
		return nil, err
	}
	key, _ := env.LookupEnv(envKey)
	c.key = strings.TrimSpace(key)
	if c.help || c.version || c.completion != "" {
		return c, nil
	}
	return c, c.check()
}

// positional takes the URL wherever it stands among the flags.
func (c *config) positional(set *flag.FlagSet, args []string) error {
	for len(args) > 0 {
		if err := set.Parse(args); err != nil {
			return flagError(err)
		}
		if args = set.Args(); len(args) == 0 {
			break
		}
		if c.url != "" {
			return errors.New("more than one URL; verify looks at one service, and -against takes another to compare with")
		}
		c.url, args = args[0], args[1:]
	}
	return nil
}

// flagError makes a person's sentence of package flag's.
func flagError(err error) error {
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: "); ok {
		return fmt.Errorf("there is no flag %s; verify -h lists them", name)
	}
	return errors.New(text)
}

// check refuses what cannot be meant together.
func (c *config) check() error {
	switch {
	case c.url == "" && !c.list:
		return errors.New("which service? verify [flags] URL, as in verify https://gateway.api.esante.gouv.fr/fhir/v2; verify -h tells more")
	case c.accept != "" && c.reason == "":
		return errors.New(`-accept needs -reason "why this is the new normal"`)
	case c.accept == "" && c.reason != "":
		return errors.New("-reason goes with -accept FILE")
	case c.accept != "" && c.run != "":
		return errors.New("-accept needs the whole suite; leave -run out")
	case strings.ContainsFunc(c.key, func(r rune) bool { return r < '!' || r > '~' }):
		return fmt.Errorf("the key in %s has characters that no header can carry; copy it again from the portal", envKey)
	}
	return errors.Join(checkSinks(c.reports), writable(c.accept))
}

func formats() string {
	var names []string
	for _, f := range report.Formats() {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

func usage(w io.Writer) {
	say(w, `verify says whether a service keeps the contract of the Annuaire Santé FHIR API.

  verify [flags] URL

The key comes from the environment variable %s.
Exit status: 0 the contract holds, 1 drift, 2 wrong usage, 3 no verdict.

Flags, and the environment variables that set them:`, envKey)
	for _, o := range new(config).options() {
		say(w, "  -%s", strings.TrimSpace(o.name+" "+o.arg))
		for line := range strings.SplitSeq(o.text, "\n") {
			say(w, "        %s", line)
		}
		if o.env != "" {
			say(w, "        %s", o.env)
		}
	}
}

// The kinds of flag values. Each error says what would be valid.

type text struct{ v *string }

func (t text) String() string     { return "" }
func (t text) Set(s string) error { *t.v = s; return nil }

type boolean struct{ v *bool }

func (b boolean) String() string   { return "" }
func (b boolean) IsBoolFlag() bool { return true }
func (b boolean) Set(s string) error {
	v, err := strconv.ParseBool(s)
	if err != nil {
		return errors.New("use true or false")
	}
	*b.v = v
	return nil
}

type positive struct{ v *int }

func (p positive) String() string { return "" }
func (p positive) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return errors.New("use a number of requests, as 400")
	}
	*p.v = n
	return nil
}

type class struct{ v *contract.Class }

func (c class) String() string { return "" }
func (c class) Set(s string) error {
	switch v := contract.Class(s); v {
	case contract.Breaking, contract.Additive:
		*c.v = v
		return nil
	}
	return fmt.Errorf("use %s or %s", contract.Breaking, contract.Additive)
}

type share struct{ v *float64 }

func (p share) String() string { return "" }
func (p share) Set(s string) error {
	number, percent := strings.CutSuffix(s, "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if percent || v > 1 {
		v /= 100
	}
	if err != nil || !(v >= 0 && v <= 1) {
		return errors.New("use a share, as 90% or 0.9")
	}
	*p.v = v
	return nil
}

type rate struct{ v *float64 }

func (r rate) String() string { return "" }
func (r rate) Set(s string) error {
	valid := errors.New("use requests and a duration, as 10/1s; 0 lifts the limit on loopback")
	number, per, _ := strings.Cut(s, "/")
	n, err := strconv.ParseFloat(number, 64)
	d, perr := time.ParseDuration(cmp.Or(per, "1s"))
	switch {
	case err != nil || perr != nil || !(n >= 0 && n <= 1e6) || d <= 0:
		return valid
	case n == 0:
		*r.v = contract.Unlimited
	default:
		*r.v = n / d.Seconds()
	}
	return nil
}

// sinks gathers -report flags. The environment may name several, by commas.
type sinks struct{ v *[]sink }

func (l sinks) String() string { return "" }
func (l sinks) Set(s string) error {
	for part := range strings.SplitSeq(s, ",") {
		one, err := parseSink(part)
		if err != nil {
			return err
		}
		*l.v = append(*l.v, one)
	}
	return nil
}

// fresh makes a flag that gathers forget what the environment gave, the first
// time the command line sets it.
func fresh(v flag.Value) flag.Value {
	if l, ok := v.(sinks); ok {
		return &freshSinks{sinks: l}
	}
	return v
}

type freshSinks struct {
	sinks
	set bool
}

func (f *freshSinks) Set(s string) error {
	if !f.set {
		f.set, *f.v = true, nil
	}
	return f.sinks.Set(s)
}
