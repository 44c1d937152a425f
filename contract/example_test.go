package contract_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	"github.com/mockfhir/mockfhir/contract"
	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/mockserver"
)

// The suite against a local copy of the service, as fast as it answers. A
// distant one is asked ten times a second: leave Rate out.
func ExampleRun() {
	server := httptest.NewServer(mockserver.New(fixtures.Default(), mockserver.WithKeys("k"), mockserver.WithRate("0")))
	defer server.Close()

	target := contract.Target{URL: server.URL + "/fhir/v2", Key: "k"}
	report, err := contract.Run(context.Background(), target, contract.Options{Rate: contract.Unlimited})
	if err != nil {
		fmt.Println(err) // the options make no sense
		return
	}
	for _, f := range report.Findings {
		fmt.Println(f.Class, f.Check, f.Message)
	}
	fmt.Println(report.Verdict, report.Verdict.ExitCode())
	// Output: holds 0
}
