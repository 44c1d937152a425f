package cli

import (
	"context"
	"flag"
	"fmt"
	"strings"

	"github.com/mockfhir/mockfhir/internal/completion"
)

// choices are the flags whose values are words to choose from.
var choices = map[string][]string{
	"profile":         {"production", "source"},
	"gateway":         {"v3", "v4", "apim=3.20", "health-plan", "rate-headers", "query-key=off", "method-filter=off"},
	"rate":            {"17/1s", "0"},
	"default-version": {"v1", "v2", "none"},
	"now":             {"real", "shift"},
	"control":         {"on", "off"},
	"log":             {"text", "json", "off"},
}

func completionShells() []string { return completion.Shells() }

// complete prints the completions of this program for a shell.
func complete(_ context.Context, env Env, args []string) int {
	if len(args) != 1 {
		fmt.Fprintf(env.Stderr, "mockfhir: for which shell? mockfhir completion %s\n", strings.Join(completionShells(), "|"))
		return exitUsage
	}
	program := completion.Program{Name: "mockfhir"}
	for _, c := range commands() {
		var flags []completion.Flag
		if c.flags != nil {
			fs := flag.NewFlagSet(c.name, flag.ContinueOnError)
			c.flags(fs)
			flags = completion.Of(fs, choices)
		}
		if c.name == "serve" {
			program.Flags = flags
		}
		program.Commands = append(program.Commands, completion.Command{Name: c.name, Text: c.text, Words: c.words, Flags: flags})
	}
	if err := completion.Write(env.Stdout, args[0], program); err != nil {
		fmt.Fprintf(env.Stderr, "mockfhir: %v\n", err)
		return exitUsage
	}
	return exitOK
}
