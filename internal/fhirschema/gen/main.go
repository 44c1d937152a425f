// Command gen writes the table of R4 structure that package fhirschema reads,
// from HL7's definitions (FHIR R4 4.0.1, CC0) in the shared material:
//
//	go run ./internal/fhirschema/gen -shared ../shared
//
// Person is not in the subset of the definitions; it comes from the guide's
// profile of it, whose snapshot says what the base type allows.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	shared := flag.String("shared", "../shared", "`directory` of the shared material")
	out := flag.String("out", "internal/fhirschema/r4.txt", "`file` to write")
	flag.Parse()
	if err := run(*shared, *out); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(shared, out string) error {
	table, err := generate(shared)
	if err != nil {
		return err
	}
	return os.WriteFile(out, table, 0o644)
}

// roots are the resources the project reads or writes.
var roots = []string{
	"Practitioner", "PractitionerRole", "Organization", "HealthcareService", "Device",
	"Person", "Location", "Bundle", "OperationOutcome", "CapabilityStatement", "TestReport", "Parameters",
}

// generate returns the table for the roots and every type they lead to.
func generate(shared string) ([]byte, error) {
	d := definitions{}
	if err := d.read(filepath.Join(shared, "data/fhir-r4/hl7.fhir.r4.core-4.0.1-subset.tgz")); err != nil {
		return nil, err
	}
	guide := definitions{}
	if err := guide.read(filepath.Join(shared, "data/ig/ans.fhir.fr.annuaire-1.2.0-snapshot-2.tgz")); err != nil {
		return nil, err
	}
	person, ok := guide[ansBase+"as-person"]
	if !ok {
		return nil, fmt.Errorf("the guide has no profile as-person any more: Person has no source")
	}
	d[hl7Base+"Person"] = person
	w := writer{defs: d, done: map[string][]string{}, codes: map[string][]string{}}
	for _, root := range roots {
		if err := w.add(root); err != nil {
			return nil, err
		}
	}
	return w.bytes(), nil
}
