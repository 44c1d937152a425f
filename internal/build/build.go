// Package build says what a program was built from. Both commands print it,
// since a report about either is worth little without it.
package build

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/mockfhir/mockfhir/fixtures"
)

// Set by the linker in images and releases, which are built without a
// repository at hand.
var version, commit string

// Version is that of the module, "devel" in a working copy that has none.
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

// Commit is the one that was built, "unknown" where nobody told; a tree that
// had changes on top of it says so.
func Commit() string {
	if commit != "" {
		return commit
	}
	var revision, changes string
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				revision = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				changes = " with changes"
			}
		}
	}
	return cmp.Or(revision, "unknown") + changes
}

// Print writes what there is to know about a program, one fact a line.
func Print(w io.Writer, program string) error {
	m := fixtures.Default().Manifest
	facts := []string{
		program + " " + Version(),
		"commit " + Commit(),
		"fixtures of " + m.Captured + ", API " + m.APIVersion,
		"implementation guide " + m.IGVersion,
		runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH,
	}
	_, err := fmt.Fprintln(w, strings.Join(facts, "\n"))
	return err
}
