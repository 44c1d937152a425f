// Command mockfhir serves a mock of the French health directory API.
package main

import (
	"os"

	"github.com/mockfhir/mockfhir/internal/cli"
)

func main() { os.Exit(cli.Run()) }
