package report

import (
	_ "embed"
	"html/template"
	"io"
	"strings"

	"github.com/mockfhir/mockfhir/contract"
)

//go:embed report.html.tmpl
var htmlText string

var htmlTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"advice":  advice,
	"capital": capital,
	"minute":  minute,
	"outcome": outcomeWord,
	"span":    span,
	"tally":   tally,
	"verdict": verdictWord,
	"where":   where,
	"isLink": func(s string) bool {
		return strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://")
	},
}).Parse(htmlText))

// writeHTML writes one self-contained file: no script, nothing fetched. The
// verdict comes first, in words that need no knowledge of FHIR.
func writeHTML(w io.Writer, p *page) error { return htmlTemplate.Execute(w, p) }

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// group is the results of one subject.
type group struct {
	Subject string
	Results []contract.Result
}

// Troubled tells whether a reader should open the group.
func (g group) Troubled() bool {
	for _, r := range g.Results {
		if r.Outcome == contract.Drift || r.Outcome == contract.Failed || r.Outcome == contract.Inconclusive {
			return true
		}
	}
	return false
}

// Holding counts the checks that hold.
func (g group) Holding() int {
	n := 0
	for _, r := range g.Results {
		if r.Outcome == contract.Pass {
			n++
		}
	}
	return n
}

// Groups are the results by subject, in the order of the suite.
func (p *page) Groups() []group {
	var groups []group
	index := map[string]int{}
	for _, r := range p.Results {
		s := subject(r.ID)
		i, ok := index[s]
		if !ok {
			i = len(groups)
			index[s] = i
			groups = append(groups, group{Subject: s})
		}
		groups[i].Results = append(groups[i].Results, r)
	}
	return groups
}

// told is a finding with what only the run knows of it.
type told struct {
	F     contract.Finding
	Since string
}

// Tell prepares a finding for the template.
func (p *page) Tell(f contract.Finding) told { return told{f, p.Since(f)} }
