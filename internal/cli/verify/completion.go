package verify

import (
	"io"
	"strings"

	"github.com/mockfhir/mockfhir/contract"
	"github.com/mockfhir/mockfhir/contract/report"
	"github.com/mockfhir/mockfhir/internal/completion"
)

// complete prints the completions of this program for a shell.
func complete(w io.Writer, shell string) error {
	var reports []string
	for _, f := range report.Formats() {
		reports = append(reports, string(f))
	}
	choices := map[string][]string{
		"against":    {"mock"},
		"fail-on":    {string(contract.Breaking), string(contract.Additive)},
		"rate":       {"10/1s", "0"},
		"report":     reports,
		"completion": completion.Shells(),
	}
	program := completion.Program{Name: "verify"}
	for _, o := range new(config).options() {
		_, isSwitch := o.value.(boolean)
		text, _, _ := strings.Cut(o.text, "\n")
		program.Flags = append(program.Flags, completion.Flag{
			Name: o.name, Text: text, Switch: isSwitch, File: o.arg == "FILE", Values: choices[o.name],
		})
	}
	return completion.Write(w, shell, program)
}
