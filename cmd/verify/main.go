// Command verify says whether a copy of the Annuaire Santé FHIR API keeps the
// contract that the mock, and so its users' tests, believe in.
package main

import (
	"os"

	"github.com/mockfhir/mockfhir/internal/cli/verify"
)

func main() { os.Exit(verify.Run()) }
