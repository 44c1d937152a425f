package contract_test

import (
	"runtime"
	"testing"

	"github.com/mockfhir/mockfhir/contract"
	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/mockserver"
)

// A report does not hold the answers it is about: strings read from JSON share
// its memory, and one of them keeps a whole page alive.
func TestReportsLetGoOfTheAnswers(t *testing.T) {
	server := mockserver.New(fixtures.Default(), mockserver.WithKeys("k"), mockserver.WithRate("0"))
	run := func() *contract.Report {
		report, err := contract.Run(t.Context(), contract.Target{URL: base, Key: "k"}, contract.Options{Client: inProcess{server}, Rate: contract.Unlimited})
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	run() // what is built once
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	const runs = 5
	var reports [runs]*contract.Report
	for i := range reports {
		reports[i] = run()
	}
	each := (int64(heap()) - int64(before)) / runs
	if runtime.KeepAlive(reports); each > 3<<20 {
		t.Errorf("a report holds %d KiB", each>>10)
	}
	t.Logf("a report holds %d KiB", each>>10)
}
