package drift_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mockfhir/mockfhir/contract"
	"github.com/mockfhir/mockfhir/internal/drift"
	"github.com/mockfhir/mockfhir/internal/synth"
)

// An incident is one that happened, and who tells it when it happens again.
type incident struct {
	drift.Case
	caughtBy string // a check, preflight, or "-" for nobody
	reason   string // why nothing can be told
}

func incidents(t *testing.T) []incident {
	t.Helper()
	text, err := os.ReadFile("testdata/incidents.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var list []incident
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		switch {
		case strings.HasPrefix(line, "#") || f[0] == "id":
		case len(f) == 6 && f[1] == "" && f[4] == "" && f[5] != "":
			list = append(list, incident{Case: drift.Case{ID: f[0]}, reason: f[5]})
		case len(f) == 6:
			list = append(list, incident{Case: drift.Case{ID: f[0], Class: f[1], Layer: f[2], Description: f[3], How: f[4], Needs: "single"}, caughtBy: f[5]})
		default:
			t.Fatalf("%q has %d fields", line, len(f))
		}
	}
	return list
}

// TestIncidents repeats what happened to the API between 2022 and 2026. Each
// incident is told by the check that the table names, with its class.
func TestIncidents(t *testing.T) {
	t.Parallel()
	d := newDirectory(t, 1, synth.DefaultSize)
	told := map[string]bool{}
	for i, x := range incidents(t) {
		told[x.ID] = true
		if x.reason != "" {
			continue
		}
		m, err := drift.Parse(x.Case)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(fmt.Sprintf("%s-%d", x.ID, i), func(t *testing.T) {
			t.Parallel()
			r := d.try(t, x.Case, m)
			if !r.ok() {
				t.Errorf("%s: %s, not %s (applied %d times, %s)%s", x.Description, r.got, x.Class, r.applied, r.report.Verdict, tell(r))
			}
			if !isTold(r.report, x) {
				t.Errorf("%s: not told by %s%s", x.Description, x.caughtBy, tell(r))
			}
		})
	}
	for n := 1; n <= 49; n++ {
		if id := fmt.Sprintf("D%02d", n); !told[id] {
			t.Errorf("%s is not in the table", id)
		}
	}
}

func isTold(r *contract.Report, x incident) bool {
	switch x.caughtBy {
	case "-":
		return true
	case "preflight":
		return r.Verdict == contract.Undecided && r.Reason != ""
	}
	return slices.ContainsFunc(r.Findings, func(f contract.Finding) bool {
		return f.Check == x.caughtBy && string(f.Class) == x.Class
	})
}
