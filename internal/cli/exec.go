package cli

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/mockfhir/mockfhir/mockserver"
)

// Exit codes of a command that could not be started, those of a shell.
const (
	exitNotStarted = 126
	exitNotFound   = 127
	exitSignalled  = 128 // and the signal's number
)

// execute serves on a free port while a command runs that finds the server in
// its environment, and ends as the command did.
func execute(_ context.Context, env Env, args []string) int {
	fail := func(code int, err error) int {
		fmt.Fprintf(env.Stderr, "mockfhir: %v\n", err)
		return code
	}
	var f serveFlags
	fs := flag.NewFlagSet("exec", flag.ContinueOnError)
	f.define(fs)
	// Not the defaults of serve: no port that something else may hold, and
	// standard error is the command's.
	f.addr, f.log = "127.0.0.1:0", "off"
	fs.Lookup("addr").DefValue, fs.Lookup("log").DefValue = f.addr, f.log
	args, command := cut(args)
	err := parse(fs, args, env.Getenv, env.Stdout)
	switch {
	case errors.Is(err, errHelp):
		return exitOK
	case err != nil:
		return fail(exitUsage, err)
	case len(command) == 0:
		return fail(exitUsage, errors.New("exec what? mockfhir exec [flags] -- COMMAND, as in mockfhir exec -- npm test"))
	}
	server, _, err := f.build(env.Stderr)
	if err != nil {
		return fail(exitUsage, err)
	}
	l, err := f.listen(server)
	if err != nil {
		return fail(exitFailure, err)
	}
	code, err := run(env, command, f.variables(l))
	if err != nil {
		fmt.Fprintf(env.Stderr, "mockfhir: %v\n", err)
	}
	if err := l.stop(); err != nil {
		return fail(cmp.Or(code, exitFailure), err)
	}
	return code
}

// cut separates the flags from the command behind the first "--".
func cut(args []string) (flags, command []string) {
	if i := slices.Index(args, "--"); i >= 0 {
		return args[:i], args[i+1:]
	}
	return args, nil
}

// variables tell a client where the server is, under the names that clients of
// this API and of FHIR servers look for.
func (f *serveFlags) variables(l *listening) []string {
	key, _, _ := strings.Cut(cmp.Or(f.keys, mockserver.DemoKey), ",")
	base := l.origin() + "/fhir/v2"
	return []string{
		"ESANTE_API_URL=" + base,
		"ESANTE_API_KEY=" + strings.TrimSpace(key),
		"FHIR_BASE_URL=" + base,
		"FHIR_SERVER_URL=" + base,
		"MOCKFHIR_URL=" + l.origin(),
	}
}

// run starts a command, passes on the signals that reach this process, and
// waits for its end.
func run(env Env, command, variables []string) (code int, err error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(slices.Clone(env.Environ), variables...) // of a name given twice, the last counts
	cmd.Stdin, cmd.Stdout, cmd.Stderr = env.Stdin, env.Stdout, env.Stderr

	signals := make(chan os.Signal, 8)
	signal.Notify(signals, passedOn...)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
			return exitNotFound, err
		}
		return exitNotStarted, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			if !fromTerminal(s) {
				_ = cmd.Process.Signal(s) // it may have ended meanwhile
			}
		case err := <-ended:
			return exitCode(cmd, err)
		}
	}
}

func exitCode(cmd *exec.Cmd, err error) (int, error) {
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		return exitFailure, err
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return exitSignalled + int(status.Signal()), nil
	}
	return cmd.ProcessState.ExitCode(), nil
}
