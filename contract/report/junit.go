package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/mockfhir/mockfhir/contract"
)

// The JUnit XML that GitLab, Jenkins and GitHub's reporters read. There is no
// schema everyone follows; these are the parts all of them know.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name      string      `xml:"name,attr"`
		Tests     int         `xml:"tests,attr"`
		Failures  int         `xml:"failures,attr"`
		Errors    int         `xml:"errors,attr"`
		Skipped   int         `xml:"skipped,attr"`
		Time      string      `xml:"time,attr"`
		Timestamp string      `xml:"timestamp,attr"`
		Cases     []junitCase `xml:"testcase"`
		elapsed   time.Duration
	}
	junitCase struct {
		Class   string     `xml:"classname,attr"`
		Name    string     `xml:"name,attr"`
		Time    string     `xml:"time,attr"`
		Failure *junitNote `xml:"failure"`
		Error   *junitNote `xml:"error"`
		Skipped *junitNote `xml:"skipped"`
		Out     string     `xml:"system-out,omitempty"`
	}
	junitNote struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
)

// writeJUnit makes a suite of each subject and a case of each check. What
// failed says something of the service, an error does not.
func writeJUnit(w io.Writer, p *page) error {
	all := junitSuites{Name: "verify " + p.Target.URL, Time: seconds(p.Ended.Sub(p.Started))}
	index := map[string]int{}
	add := func(id string, c junitCase, d time.Duration) {
		name := subject(id)
		i, ok := index[name]
		if !ok {
			i = len(all.Suites)
			index[name] = i
			all.Suites = append(all.Suites, junitSuite{Name: name, Timestamp: p.Started.UTC().Format("2006-01-02T15:04:05")})
		}
		c.Class, c.Name, c.Time = "verify."+name, id, seconds(d)
		all.Suites[i].add(c, d)
	}
	for _, r := range p.Results {
		add(r.ID, p.junitResult(r), r.Duration)
	}
	for id, findings := range groupByCheck(p.compared()) {
		add(id, p.junitFindings(findings), 0)
	}
	add("verdict", p.junitVerdict(), 0)
	for i := range all.Suites {
		s := &all.Suites[i]
		s.Time = seconds(s.elapsed)
		all.Tests += s.Tests
		all.Failures += s.Failures
		all.Errors += s.Errors
		all.Skipped += s.Skipped
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (s *junitSuite) add(c junitCase, d time.Duration) {
	s.Cases = append(s.Cases, c)
	s.Tests++
	s.elapsed += d
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
}

func (p *page) junitResult(r contract.Result) junitCase {
	switch r.Outcome {
	case contract.Vacuous, contract.NotApplicable, contract.Waived:
		return junitCase{Skipped: &junitNote{Message: outcomeWord(r.Outcome) + sentence(r.Detail)}}
	case contract.Inconclusive, contract.Failed:
		return junitCase{Error: &junitNote{Message: outcomeWord(r.Outcome) + sentence(r.Detail), Type: string(r.Outcome)}}
	}
	return p.junitFindings(r.Findings)
}

// junitFindings fails a case for the findings that make the verdict, and only
// mentions the others.
func (p *page) junitFindings(findings []contract.Finding) junitCase {
	var failing, other []contract.Finding
	for _, f := range findings {
		if p.fails(f) {
			failing = append(failing, f)
		} else {
			other = append(other, f)
		}
	}
	c := junitCase{Out: p.plain(other)}
	if len(failing) > 0 {
		first := failing[0]
		c.Failure = &junitNote{Message: first.Message, Type: fmt.Sprintf("%s/%s", first.Class, first.Reason), Text: p.plain(failing)}
	}
	return c
}

// junitVerdict keeps a report without cases from being green: an unreachable
// service leaves none.
func (p *page) junitVerdict() junitCase {
	if p.Verdict == contract.Undecided {
		return junitCase{Error: &junitNote{Message: verdictWord(p.Verdict) + sentence(p.Reason), Type: string(p.Verdict)}}
	}
	return junitCase{Out: p.Reason}
}

// plain is a list of findings as the text report tells them.
func (p *page) plain(findings []contract.Finding) string {
	t := &texter{}
	for _, f := range findings {
		t.finding(f, p.Since(f))
		if f.Ignored != "" {
			t.field("ignored", f.Ignored)
		}
	}
	return t.b.String()
}

// groupByCheck yields the findings of each check, in the order met.
func groupByCheck(findings []contract.Finding) iter.Seq2[string, []contract.Finding] {
	var ids []string
	by := map[string][]contract.Finding{}
	for _, f := range findings {
		if by[f.Check] == nil {
			ids = append(ids, f.Check)
		}
		by[f.Check] = append(by[f.Check], f)
	}
	return func(yield func(string, []contract.Finding) bool) {
		for _, id := range ids {
			if !yield(id, by[id]) {
				return
			}
		}
	}
}

func sentence(detail string) string {
	if detail == "" {
		return ""
	}
	return ": " + strings.TrimSpace(detail)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", max(d, 0).Seconds()) }
