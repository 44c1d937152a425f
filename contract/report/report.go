// Package report writes what a run of the contract found, for whoever has to
// act on it: a terminal, a manager, a CI system, a FHIR test harness.
//
// Every format is written from a scrubbed copy of the run (scrub.go), so no
// writer can leak a key, a cookie or what a search was about, whatever a check
// put in its findings.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mockfhir/mockfhir/contract"
)

// Format is a way to write a report.
type Format string

// The formats.
const (
	Text       Format = "text"       // for a person at a terminal
	JSON       Format = "json"       // everything, for programs
	JUnit      Format = "junit"      // for CI systems
	HTML       Format = "html"       // one file, without scripts, for a browser
	Markdown   Format = "markdown"   // for an issue or a wiki
	GitHub     Format = "github"     // workflow commands; the step summary is Markdown
	TestReport Format = "testreport" // a FHIR R4 TestReport
)

var writers = map[Format]func(io.Writer, *page) error{
	Text:       writeText,
	JSON:       writeJSON,
	JUnit:      writeJUnit,
	HTML:       writeHTML,
	Markdown:   writeMarkdown,
	GitHub:     writeGitHub,
	TestReport: writeTestReport,
}

// Formats are the formats Write knows, in the order of their documentation.
func Formats() []Format {
	return []Format{Text, JSON, JUnit, HTML, Markdown, GitHub, TestReport}
}

// Document is what a report tells.
type Document struct {
	Run    *contract.Report
	FailOn contract.Class // from which class a finding is a failure; empty: Breaking
	// Against is the same suite run on something else, shown beside Run;
	// nil when there was no second run.
	Against     *contract.Report
	AgainstName string // its column: "mock"
}

// Write writes the document in a format.
func Write(w io.Writer, format Format, doc Document) error {
	write, ok := writers[format]
	if !ok {
		return fmt.Errorf("no report format %q: the formats are %s", format, join(Formats()))
	}
	p, err := newPage(doc)
	if err != nil {
		return err
	}
	return write(w, p)
}

func join(formats []Format) string {
	var names []string
	for _, f := range formats {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

// page is a document ready to be written: scrubbed, its findings sorted by
// what one must act on first.
type page struct {
	*contract.Report
	Against     *contract.Report
	AgainstName string
	FailOn      contract.Class

	Failing []contract.Finding // make the verdict
	News    []contract.Finding // below FailOn
	Ignored []contract.Finding // known and accepted
}

func newPage(doc Document) (*page, error) {
	run, err := scrub(doc.Run)
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	p := &page{Report: run, AgainstName: doc.AgainstName, FailOn: doc.FailOn}
	if doc.Against != nil {
		if p.Against, err = scrub(doc.Against); err != nil {
			return nil, fmt.Errorf("report: %w", err)
		}
	}
	if p.FailOn == "" {
		p.FailOn = contract.Breaking
	}
	p.sortFindings()
	return p, nil
}

// sortFindings keeps the order of the run within a class: checks that belong
// together stay together.
func (p *page) sortFindings() {
	for _, class := range []contract.Class{contract.Breaking, contract.Additive, contract.Benign} {
		for _, f := range p.Findings {
			switch {
			case f.Class != class:
			case f.Ignored != "":
				p.Ignored = append(p.Ignored, f)
			case p.fails(f):
				p.Failing = append(p.Failing, f)
			default:
				p.News = append(p.News, f)
			}
		}
	}
}

func (p *page) fails(f contract.Finding) bool {
	return f.Ignored == "" && f.Class.AtLeast(p.FailOn)
}

// untold is why some checks were not judged.
type untold struct {
	Outcome contract.Outcome
	Detail  string // "" when the verdict's reason says it
	IDs     []string
}

// Untold are the results a green light says nothing about, those with one
// reason together: a service that is down has eighty.
func (p *page) Untold() []untold {
	var list []untold
	for _, r := range p.Results {
		if judged(r.Outcome) {
			continue
		}
		detail := r.Detail
		if detail == p.Reason {
			detail = ""
		}
		i := slices.IndexFunc(list, func(u untold) bool { return u.Outcome == r.Outcome && u.Detail == detail })
		if i < 0 {
			i = len(list)
			list = append(list, untold{Outcome: r.Outcome, Detail: detail})
		}
		list[i].IDs = append(list[i].IDs, r.ID)
	}
	return list
}

// Who names the checks, or counts them when they are many.
func (u untold) Who() string {
	const many = 8
	if len(u.IDs) > many {
		return count(len(u.IDs), "check")
	}
	return strings.Join(u.IDs, ", ")
}

// compared are the findings that no check of the run made: they come from the
// comparison with the baseline.
func (p *page) compared() []contract.Finding {
	return slices.DeleteFunc(slices.Clone(p.Findings), func(f contract.Finding) bool { return p.checked(f.Check) })
}

func (p *page) checked(id string) bool {
	return slices.ContainsFunc(p.Results, func(r contract.Result) bool { return r.ID == id })
}

// Since says when a finding began, as far as the run can tell: a check that
// fails may have failed for long, a difference from the baseline began after
// it was accepted.
func (p *page) Since(f contract.Finding) string {
	seen := day(p.Started)
	if p.BaselineAt == nil || p.checked(f.Check) || subject(f.Check) == "ignore" {
		return seen + " at the latest"
	}
	return "between " + day(*p.BaselineAt) + ", when the baseline was accepted, and " + seen
}

func writeJSON(w io.Writer, p *page) error {
	out := struct {
		*contract.Report
		FailOn  contract.Class   `json:"failOn"`
		Against *contract.Report `json:"against,omitempty"`
	}{p.Report, p.FailOn, p.Against}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}
