package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mockfhir/mockfhir/internal/record"
	"github.com/mockfhir/mockfhir/internal/redact"
)

// Environment of a recording. Neither has a flag: command lines are seen by
// everybody on a machine.
const (
	keyVariable    = "ESANTE_API_KEY"
	secretVariable = "MOCKFHIR_RECORD_SECRET"
)

type recordFlags struct {
	target, out, listen, rate string
}

// recordCommand refreshes a fixture set from a running service.
func recordCommand(ctx context.Context, env Env, args []string) int {
	var f recordFlags
	fs := flag.NewFlagSet("record", flag.ContinueOnError)
	fs.StringVar(&f.target, "target", "", "base `URL` of the API, as in https://gateway.api.esante.gouv.fr/fhir/v2")
	fs.StringVar(&f.out, "out", "", "`directory` of the fixture set; one that is there is replaced when the new one is complete")
	fs.StringVar(&f.listen, "listen", "", "record the traffic of a client instead of the plan: listen on this loopback `address`, as on 127.0.0.1:8081, until interrupted")
	fs.StringVar(&f.rate, "rate", "8/1s", "requests a second, at most 8/1s; 0 lifts the limit for a target on loopback")
	if code, done := parseOnly(fs, args, env); done {
		return code
	}
	options, err := f.options(env)
	if err == nil && f.out == "" {
		err = errors.New("-out DIR is missing: where the fixture set goes")
	}
	if err != nil {
		return usageError(env, "record", err)
	}
	err = record.Ready(f.out)
	if err == nil {
		var set *redact.Set
		if f.listen != "" {
			set, err = f.proxy(ctx, env, options)
		} else {
			set, err = f.walk(ctx, env, options)
		}
		if err == nil {
			err = record.Save(f.out, set)
		}
	}
	if err != nil {
		fmt.Fprintf(env.Stderr, "mockfhir record: %v\n", err)
		if redact.IsLeak(err) {
			fmt.Fprintf(env.Stderr, "nothing was saved; %s is as it was\n", f.out)
		}
		return exitFailure
	}
	fmt.Fprintf(env.Stdout, "saved to %s; serve it with: mockfhir -fixtures %s\n", f.out, f.out)
	return exitOK
}

// parseOnly parses the flags of a command that the environment does not set.
func parseOnly(fs *flag.FlagSet, args []string, env Env) (code int, done bool) {
	switch err := parse(fs, args, nil, env.Stdout); {
	case errors.Is(err, errHelp):
		return exitOK, true
	case err != nil:
		return usageError(env, fs.Name(), err), true
	}
	return 0, false
}

func usageError(env Env, command string, err error) int {
	fmt.Fprintf(env.Stderr, "mockfhir %s: %v\n", command, err)
	return exitUsage
}

func (f *recordFlags) options(env Env) (record.Options, error) {
	base, err := record.ParseTarget(f.target)
	if err != nil {
		return record.Options{}, fmt.Errorf("-target %w", err)
	}
	key := env.Getenv(keyVariable)
	if key == "" {
		return record.Options{}, fmt.Errorf("no key: set %s in the environment", keyVariable)
	}
	rate, err := parseRate(f.rate)
	if err != nil {
		return record.Options{}, err
	}
	if local := record.IsLoopback(base.Hostname()); rate > record.MaxRate && !local || rate == 0 && !local {
		return record.Options{}, fmt.Errorf("-rate %s is too much for a service that others use: write at most 8/1s", f.rate)
	}
	secret, err := secretOf(env)
	return record.Options{Target: record.Target{Base: base, Key: key}, Secret: secret, Rate: rate, Version: Version()}, err
}

// secretOf is the key of the pseudonyms: that of the environment, or one for
// this run alone. It is never written.
func secretOf(env Env) ([]byte, error) {
	if given := env.Getenv(secretVariable); given != "" {
		if len(given) < redact.MinSecret {
			return nil, fmt.Errorf("%s is too short to keep pseudonyms secret: give at least %d characters, drawn at random", secretVariable, redact.MinSecret)
		}
		return []byte(given), nil
	}
	fmt.Fprintf(env.Stderr, "pseudonyms are of this run alone; set %s to get the same ones next time\n", secretVariable)
	secret := make([]byte, 32)
	rand.Read(secret)
	return secret, nil
}

// parseRate reads "8/1s", as verify does, or "0".
func parseRate(text string) (float64, error) {
	if text == "0" {
		return 0, nil
	}
	number, period, _ := strings.Cut(text, "/")
	n, err := strconv.ParseFloat(number, 64)
	d, perr := time.ParseDuration(period)
	if err != nil || perr != nil || !(n > 0) || d <= 0 {
		return 0, fmt.Errorf("-rate %q is not valid: write it as in 8/1s, or 0 for a target on loopback", text)
	}
	return n / d.Seconds(), nil
}

func (f *recordFlags) walk(ctx context.Context, env Env, o record.Options) (*redact.Set, error) {
	requests, takes := record.PlanSize(o.Rate)
	fmt.Fprintf(env.Stdout, "record: at most %d requests of %s", requests, o.Target.Base.Host)
	if takes > 0 {
		fmt.Fprintf(env.Stdout, ", %s, about %v", f.rate, takes)
	}
	fmt.Fprintln(env.Stdout)
	o.Progress = func(done, total int) {
		if done > 0 && done%25 == 0 {
			fmt.Fprintf(env.Stderr, "%d of %d\n", done, total)
		}
	}
	return record.Walk(ctx, o)
}

func (f *recordFlags) proxy(ctx context.Context, env Env, o record.Options) (*redact.Set, error) {
	proxy, err := record.NewProxy(o)
	if err != nil {
		return nil, err
	}
	l, err := record.ListenLoopback(f.listen)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(env.Stdout, "record: point the client at http://%s/fhir/v2; it needs no key. Interrupt to save.\n", l.Addr())
	if err := proxy.Serve(ctx, l); err != nil {
		return nil, err
	}
	recorded, passed := proxy.Counts()
	fmt.Fprintf(env.Stdout, "%d exchanges recorded, %d passed on without\n", recorded, passed)
	return proxy.Seal()
}
