package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/mockfhir/mockfhir/contract"
)

// The words shared by the formats that people read.

var outcomeWords = map[contract.Outcome]string{
	contract.Pass:          "holds",
	contract.Drift:         "drift",
	contract.Vacuous:       "nothing to look at",
	contract.NotApplicable: "not applicable",
	contract.Waived:        "waived",
	contract.Inconclusive:  "inconclusive",
	contract.Failed:        "error of the check",
}

func outcomeWord(o contract.Outcome) string {
	if w, ok := outcomeWords[o]; ok {
		return w
	}
	return string(o)
}

var verdictWords = map[contract.Verdict]string{
	contract.Holds:     "the contract holds",
	contract.Drifted:   "the service has drifted",
	contract.Undecided: "no verdict",
}

func verdictWord(v contract.Verdict) string {
	if w, ok := verdictWords[v]; ok {
		return w
	}
	return string(v)
}

// advice is what the reader should do about a verdict.
func advice(v contract.Verdict) string {
	switch v {
	case contract.Holds:
		return "Nothing to do."
	case contract.Drifted:
		return "Check whether your client survives the differences below; then correct it, report them to ANS, or accept them into a new baseline."
	}
	return "This says nothing about the contract: the service could not be judged. Run it again later."
}

// change is "was → now", whichever of them is known.
func change(f contract.Finding) string {
	switch {
	case f.Was == "" && f.Now == "":
		return ""
	case f.Was == "":
		return "now " + f.Now
	case f.Now == "":
		return "was " + f.Was
	}
	return f.Was + " → " + f.Now
}

// where is the place of a finding and what changed there.
func where(f contract.Finding) string {
	switch c := change(f); {
	case f.Path == "":
		return c
	case c == "":
		return f.Path
	default:
		return f.Path + ": " + c
	}
}

// tally counts findings by class: "2 breaking, 1 additive".
func tally(findings []contract.Finding) string {
	var parts []string
	for _, class := range []contract.Class{contract.Breaking, contract.Additive, contract.Benign} {
		n := 0
		for _, f := range findings {
			if f.Class == class {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, class))
		}
	}
	return strings.Join(parts, ", ")
}

// Looked says how much a verdict rests on.
func (p *page) Looked() string {
	c := p.Coverage
	if c.Checks == 0 {
		return "no check was run"
	}
	s := fmt.Sprintf("%s, %d had something to look at (%.0f %% of those that apply)", count(c.Checks, "check"), c.Looked, 100*c.Ratio())
	for _, part := range []struct {
		n    int
		word string
	}{
		{c.Vacuous, "with nothing to look at"}, {c.NotApplicable, "not applicable"},
		{c.Waived, "waived"}, {c.Inconclusive, "inconclusive"},
	} {
		if part.n > 0 {
			s += fmt.Sprintf(", %d %s", part.n, part.word)
		}
	}
	return s
}

// Compared says what the run was compared with, "" when with nothing.
func (p *page) Compared() string {
	if p.BaselineAt == nil {
		return ""
	}
	return "compared with the baseline accepted on " + day(*p.BaselineAt)
}

// Spent says what the run cost the service.
func (p *page) Spent() string {
	s := count(p.Requests, "request")
	if p.Budget > 0 {
		s += fmt.Sprintf(" of %d", p.Budget)
	}
	return s + " in " + span(p.Ended.Sub(p.Started))
}

func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02") }

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// span is a duration as people say it.
func span(d time.Duration) string {
	switch {
	case d < 0:
		return "0 s"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
}

// subject is the part of an ID that checks share: "paging".
func subject(id string) string {
	s, _, _ := strings.Cut(id, "/")
	return s
}

// row is one line of the table promised, mock, service.
type row struct {
	contract.Check
	Other, Service string
	Differs        bool
}

// Rows are the checks of both runs, in the order of the suite. Two runs differ
// where both could judge and came to another answer.
func (p *page) Rows() []row {
	if p.Against == nil {
		return nil
	}
	other := map[string]contract.Outcome{}
	for _, r := range p.Against.Results {
		other[r.ID] = r.Outcome
	}
	const absent = "–"
	var rows []row
	for _, r := range p.Results {
		o, ran := other[r.ID]
		delete(other, r.ID)
		word := absent
		if ran {
			word = outcomeWord(o)
		}
		rows = append(rows, row{r.Check, word, outcomeWord(r.Outcome), judged(o) && judged(r.Outcome) && o != r.Outcome})
	}
	for _, r := range p.Against.Results {
		if _, left := other[r.ID]; left {
			rows = append(rows, row{r.Check, outcomeWord(r.Outcome), absent, false})
		}
	}
	return rows
}

func judged(o contract.Outcome) bool { return o == contract.Pass || o == contract.Drift }
