// Command allinone is mockfhir and verify in one program, for the image: the
// two share most of their code, and the name it is called by tells which of
// them is meant.
package main

import (
	"os"
	"path/filepath"

	"github.com/mockfhir/mockfhir/internal/cli"
	"github.com/mockfhir/mockfhir/internal/cli/verify"
)

func main() {
	if filepath.Base(os.Args[0]) == "verify" {
		os.Exit(verify.Run())
	}
	os.Exit(cli.Run())
}
