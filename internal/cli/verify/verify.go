// Package verify is the command of that name: flags, environment, wiring and
// exit codes around package contract. Nothing but cmd/verify needs it; every
// ambient thing is a field of Env, so that tests can replace it.
//
// Rules for what it prints: reports go to standard output or files, all else
// to standard error; an error is one line that begins with "verify: " and ends
// with what would be valid; nothing ever holds the key.
package verify

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/mockfhir/mockfhir/contract"
	"github.com/mockfhir/mockfhir/internal/build"
)

// Exit codes, part of the contract with CI jobs. 1 means drift and nothing
// else; whatever keeps verify from judging is 3.
const (
	exitHolds        = 0
	exitUsage        = 2
	exitInconclusive = 3
)

// Env is what the command takes from its surroundings.
type Env struct {
	Args           []string // without the name of the program
	LookupEnv      func(name string) (string, bool)
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Terminal       bool            // whether Stderr is one, for progress
	Transport      *http.Transport // how requests go out; -ca adds to its roots
	Clock          contract.Clock  // nil: the machine's
}

// System is the Env of the process.
func System() Env {
	return Env{
		Args:      os.Args[1:],
		LookupEnv: os.LookupEnv,
		Stdin:     os.Stdin,
		Stdout:    os.Stdout,
		Stderr:    os.Stderr,
		Terminal:  isTerminal(os.Stderr) && os.Getenv("CI") == "", // some CI systems fake one
		Transport: http.DefaultTransport.(*http.Transport),        // proxies from the environment
	}
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

// Run is main: it runs the command of this process.
func Run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait for the report
	return Main(ctx, System())
}

// Main runs the command and returns its exit code. Cancelling ctx ends the run
// early; what it had seen is still reported.
func Main(ctx context.Context, env Env) int {
	cfg, err := parse(env)
	if err != nil {
		return env.fail(exitUsage, err)
	}
	switch {
	case cfg.help:
		usage(env.Stdout)
		return exitHolds
	case cfg.version:
		if err := build.Print(env.Stdout, "verify"); err != nil {
			return env.fail(exitInconclusive, err)
		}
		return exitHolds
	case cfg.completion != "":
		if err := complete(env.Stdout, cfg.completion); err != nil {
			return env.fail(exitUsage, err)
		}
		return exitHolds
	}
	job, err := prepare(cfg, env)
	if err != nil {
		return env.fail(exitUsage, err)
	}
	if cfg.list {
		list(env.Stdout, job.options.Checks)
		return exitHolds
	}
	doc, err := job.look(ctx)
	if err != nil {
		return env.fail(exitUsage, err)
	}
	code := doc.Run.Verdict.ExitCode()
	if err := job.tell(doc); err != nil {
		if code == exitHolds {
			code = exitInconclusive // a green nobody can read is none
		}
		return env.fail(code, err)
	}
	return code
}

// fail prints an error on one line, joined ones included.
func (env Env) fail(code int, err error) int {
	say(env.Stderr, "verify: %s", strings.ReplaceAll(err.Error(), "\n", "; "))
	return code
}

// say prints a line. There is nobody to tell when that fails.
func say(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }
