// Package cli is the command mockfhir: flags, environment, wiring and exit
// codes. Everything ambient reaches it as a parameter, so that its tests run a
// whole command without a process.
package cli

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/mockfhir/mockfhir/internal/build"
)

// Env is what a command has around it.
type Env struct {
	Args    []string // without the program's name
	Getenv  func(string) string
	Environ []string // what exec hands on
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
}

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// Run is main: it runs the command of this process until it ends or is
// interrupted.
func Run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait for calls under way
	return Main(ctx, Env{
		Args: os.Args[1:], Getenv: os.Getenv, Environ: os.Environ(),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	})
}

// command is one word that may follow the program's name.
type command struct {
	name  string
	usage string // what follows the name
	text  string
	words []string               // arguments to offer at a prompt
	flags func(fs *flag.FlagSet) // nil: none
	run   func(ctx context.Context, env Env, args []string) int
}

// commands are all of them, in the order of the usage.
func commands() []command {
	serving := func(fs *flag.FlagSet) { new(serveFlags).define(fs) }
	return []command{
		{"serve", "[flags]", "serve until interrupted; flags: mockfhir serve -h", nil, serving, serve},
		{"exec", "[flags] -- CMD", "serve on a free port while CMD runs, which finds it in its environment", nil, serving, execute},
		{"incidents", "[-json]", "list what can go wrong on purpose", []string{"-json"}, nil, func(_ context.Context, env Env, args []string) int { return incidents(env, args) }},
		{"generate", "-out DIR", "write a fictitious directory of any size; flags: mockfhir generate -h", nil, func(fs *flag.FlagSet) { new(generation).define(fs) }, generate},
		{"record", "[flags]", "record a fixture set from a running service; flags: mockfhir record -h", nil, nil, recordCommand},
		{"fixtures", "COMMAND", "lint, diff, import, export and pack fixture sets", []string{"lint", "diff", "import", "export", "pack"}, nil, fixturesCommand},
		{"healthcheck", "[flags]", "say whether the server that these flags start is ready", nil, serving, healthcheck},
		{"completion", "SHELL", "print completions for bash, zsh or fish", completionShells(), nil, complete},
		{"version", "", "print version, commit, fixture date and guide version", nil, nil, printVersion},
		{"help", "", "print this", nil, nil, help},
	}
}

// Main runs one command and returns its exit code: 0 for success, 1 for a
// failure, 2 for a command line that is not valid.
func Main(ctx context.Context, env Env) int {
	name, args := "serve", env.Args
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		name, args = args[0], args[1:]
	}
	var valid []string
	for _, c := range commands() {
		if c.name == name {
			return c.run(ctx, env, args)
		}
		valid = append(valid, c.name)
	}
	fmt.Fprintf(env.Stderr, "mockfhir: no command %q; valid are %s\n", name, strings.Join(valid, ", "))
	return exitUsage
}

func help(_ context.Context, env Env, _ []string) int {
	fmt.Fprint(env.Stdout, "mockfhir serves the French health directory API (Annuaire Santé, FHIR R4) on fictitious people.\n\nUsage:\n")
	for _, c := range commands() {
		fmt.Fprintf(env.Stdout, "  mockfhir %-24s%s\n", strings.TrimSpace(c.name+" "+c.usage), c.text)
	}
	fmt.Fprint(env.Stdout, "\nWithout a command it serves: http://127.0.0.1:8080/fhir/v2 on the embedded directory.\n")
	return exitOK
}

func printVersion(_ context.Context, env Env, _ []string) int {
	if err := build.Print(env.Stdout, "mockfhir"); err != nil {
		return exitFailure
	}
	return exitOK
}

// Version is that of the module this program was built from.
func Version() string { return build.Version() }
