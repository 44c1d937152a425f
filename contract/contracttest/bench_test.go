package contracttest_test

import (
	"testing"

	"github.com/mockfhir/mockfhir/contract"
	"github.com/mockfhir/mockfhir/contract/contracttest"
	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/mockserver"
)

// BenchmarkSuite shows what a run costs, whole and by check: requests, and
// time against a mock in process. A check alone pays for the preflight and
// for the first pages it takes its people from, which a whole run shares.
func BenchmarkSuite(b *testing.B) {
	mock := mockserver.New(fixtures.Default(), mockserver.WithKeys("k"), mockserver.WithRate("0"))
	inProcess := contracttest.InProcess(b, mock)
	suite := contract.Checks()
	b.Run("whole", func(b *testing.B) { benchmark(b, suite, inProcess) })
	for _, check := range suite {
		b.Run(check.ID, func(b *testing.B) { benchmark(b, []contract.Check{check}, inProcess) })
	}
}

func benchmark(b *testing.B, checks []contract.Check, inProcess contracttest.Option) {
	options := contract.Options{Checks: checks, Rate: contract.Unlimited}
	inProcess(&options)
	requests := 0
	for b.Loop() {
		report, err := contract.Run(b.Context(), contract.Target{URL: "http://localhost/fhir/v2", Key: "k"}, options)
		if err != nil {
			b.Fatal(err)
		}
		if report.Verdict == contract.Drifted {
			b.Fatal(report.Reason)
		}
		requests = report.Requests
	}
	b.ReportMetric(float64(requests), "requests/op")
}
