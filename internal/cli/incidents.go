package cli

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/mockfhir/mockfhir/internal/rehearse"
)

// incidents prints what can go wrong on purpose.
func incidents(env Env, args []string) int {
	var asJSON toggle
	fs := flag.NewFlagSet("incidents", flag.ContinueOnError)
	fs.Var(&asJSON, "json", "print JSON")
	switch err := parse(fs, args, nil, env.Stdout); {
	case errors.Is(err, errHelp):
		return exitOK
	case err != nil:
		fmt.Fprintf(env.Stderr, "mockfhir: %v\n", err)
		return exitUsage
	}
	output := printIncidents
	if asJSON {
		output = printIncidentsJSON
	}
	if err := output(env.Stdout); err != nil {
		fmt.Fprintf(env.Stderr, "mockfhir: %v\n", err)
		return exitFailure
	}
	return exitOK
}

func printIncidents(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "INCIDENT\tTOUCHES\tWHAT HAPPENS")
	for _, i := range rehearse.Incidents() {
		fmt.Fprintf(table, "%s\t%s\t%s\n", i.Name, i.Scope, i.Happened)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, "\nTurn one on with -incident NAME, the key mock-incident-NAME, the header X-Mockfhir-Incident or a control call; docs/incidents.md tells the stories.")
	return err
}

func printIncidentsJSON(w io.Writer) error {
	type incident struct {
		Name     string `json:"name"`
		Event    string `json:"event,omitempty"`
		Happened string `json:"happened"`
		Mistake  string `json:"mistake"`
		Source   string `json:"source"`
		Scope    string `json:"scope"`
	}
	var list []incident
	for _, i := range rehearse.Incidents() {
		list = append(list, incident{i.Name, i.Event, i.Happened, i.Mistake, i.Source, i.Scope.String()})
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(list)
}
