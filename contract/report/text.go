package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/mockfhir/mockfhir/contract"
)

// writeText writes what a person at a terminal needs, the worst first: what
// broke, where, since when, why it matters, who promised it, how to see it.
func writeText(w io.Writer, p *page) error {
	t := &texter{}
	t.line("%s: %s", p.Target.URL, verdictWord(p.Verdict))
	t.line("%s", p.Reason)
	if p.Partial {
		t.line("The run was cut short: this is what it had seen.")
	}
	for _, f := range p.Failing {
		t.finding(f, p.Since(f))
	}
	for _, f := range p.News {
		if f.Class != contract.Benign {
			t.finding(f, p.Since(f))
		}
	}
	t.rows(p)
	t.untold(p)
	t.ignored(p.Ignored)
	t.line("")
	t.line("%s", p.Looked())
	if c := p.Compared(); c != "" {
		t.line("%s", c)
	}
	t.line("%s", p.Spent())
	_, err := io.WriteString(w, t.b.String())
	return err
}

type texter struct{ b strings.Builder }

func (t *texter) line(format string, args ...any) { fmt.Fprintf(&t.b, format+"\n", args...) }

// field is one labelled line of a finding; an empty one is left out.
func (t *texter) field(label, value string) {
	if value != "" {
		t.line("  %-7s %s", label, value)
	}
}

func (t *texter) finding(f contract.Finding, since string) {
	t.line("")
	t.line("%s %s  %s", strings.ToUpper(string(f.Class)), f.Reason, f.Check)
	t.field("what", f.Message)
	t.field("where", where(f))
	t.field("since", since)
	t.field("why", f.Why)
	t.field("source", f.Source)
	t.field("see", f.Curl)
}

// rows prints the three columns of verify -against.
func (t *texter) rows(p *page) {
	rows := p.Rows()
	if rows == nil {
		return
	}
	heads := [3]string{"promised", p.AgainstName, "service"}
	var wide [2]int
	cells := make([][3]string, len(rows))
	for i, r := range rows {
		cells[i] = [3]string{fmt.Sprintf("%s (%s)", r.Title, r.ID), r.Other, r.Service}
		if r.Differs {
			cells[i][2] += "  <- differs"
		}
	}
	for i := range wide {
		wide[i] = utf8.RuneCountInString(heads[i])
		for _, c := range cells {
			wide[i] = max(wide[i], utf8.RuneCountInString(c[i]))
		}
	}
	t.line("")
	for _, c := range append([][3]string{heads}, cells...) {
		t.line("%-*s  %-*s  %s", wide[0], c[0], wide[1], c[1], c[2])
	}
}

func (t *texter) untold(p *page) {
	list := p.Untold()
	if len(list) == 0 {
		return
	}
	t.line("")
	t.line("Not judged")
	for _, u := range list {
		t.line("  %s: %s%s", u.Who(), outcomeWord(u.Outcome), sentence(u.Detail))
	}
}

func (t *texter) ignored(findings []contract.Finding) {
	if len(findings) == 0 {
		return
	}
	t.line("")
	t.line("Ignored on request")
	for _, f := range findings {
		t.line("  %s %s: %s", f.Check, f.Path, f.Ignored)
	}
}
