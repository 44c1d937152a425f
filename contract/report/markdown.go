package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mockfhir/mockfhir/contract"
)

// writeMarkdown writes GitHub-flavoured Markdown, for an issue, a wiki or a
// step summary. What the service said never becomes markup.
func writeMarkdown(w io.Writer, p *page) error {
	m := &marker{}
	m.line("# %s: %s", mdText(p.Target.URL), mdText(verdictWord(p.Verdict)))
	m.line("\n%s %s", mdText(p.Reason), mdText(advice(p.Verdict)))
	if p.Partial {
		m.line("\nThe run was cut short: this is what it had seen.")
	}
	m.findings("What broke", p.Failing, p)
	m.findings("News", p.News, p)
	m.rows(p)
	m.untold(p)
	m.ignored(p.Ignored)
	about := []string{p.Looked(), p.Spent(), p.Compared(), p.Tool, minute(p.Started)}
	about = slices.DeleteFunc(about, func(s string) bool { return s == "" })
	m.line("\n%s.", mdText(strings.Join(about, "; ")))
	_, err := io.WriteString(w, m.b.String())
	return err
}

type marker struct{ b strings.Builder }

func (m *marker) line(format string, args ...any) { fmt.Fprintf(&m.b, format+"\n", args...) }

func (m *marker) item(label, value string) {
	if value != "" {
		m.line("- **%s** %s", label, value)
	}
}

func (m *marker) findings(title string, findings []contract.Finding, p *page) {
	if len(findings) == 0 {
		return
	}
	m.line("\n## %s: %s", title, tally(findings))
	for _, f := range findings {
		m.line("\n### %s\n", mdText(f.Message))
		m.item("what", fmt.Sprintf("%s, %s (%s)", f.Class, f.Reason, mdCode(f.Check)))
		m.item("where", mdCode(where(f)))
		m.item("since", mdText(p.Since(f)))
		m.item("why", mdText(f.Why))
		m.item("source", mdLink(f.Source))
		m.item("see", mdCode(f.Curl))
	}
}

func (m *marker) rows(p *page) {
	rows := p.Rows()
	if rows == nil {
		return
	}
	m.line("\n## Promised, %s, service\n", mdText(p.AgainstName))
	m.line("| promised | %s | service |\n|---|---|---|", mdText(p.AgainstName))
	for _, r := range rows {
		service := mdText(r.Service)
		if r.Differs {
			service = "**" + service + "**"
		}
		m.line("| %s %s | %s | %s |", mdText(r.Title), mdCode(r.ID), mdText(r.Other), service)
	}
}

func (m *marker) untold(p *page) {
	list := p.Untold()
	if len(list) == 0 {
		return
	}
	m.line("\n## Not judged\n\n| checks | outcome | detail |\n|---|---|---|")
	for _, u := range list {
		m.line("| %s | %s | %s |", mdText(u.Who()), mdText(outcomeWord(u.Outcome)), mdText(u.Detail))
	}
}

func (m *marker) ignored(findings []contract.Finding) {
	if len(findings) == 0 {
		return
	}
	m.line("\n## Ignored on request\n\n| check | path | reason |\n|---|---|---|")
	for _, f := range findings {
		m.line("| %s | %s | %s |", mdCode(f.Check), mdCode(f.Path), mdText(f.Ignored))
	}
}

// mdSpecial are the characters that make markup, references (#1) or mentions
// (@someone) of plain text.
var mdSpecial = strings.NewReplacer(
	`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", "&lt;", ">", "&gt;", "&", "&amp;",
	"|", `\|`, "~", `\~`, "#", `\#`, "@", "&#64;", "!", `\!`,
)

func mdText(s string) string { return mdSpecial.Replace(s) }

// mdCode is code as an element, not between backticks: those cannot be
// escaped inside, and a bar between them ends the cell of a table.
func mdCode(s string) string {
	if s == "" {
		return ""
	}
	return "<code>" + mdSpecial.Replace(s) + "</code>"
}

// mdLink links to a source, when it is an address.
func mdLink(s string) string {
	if !strings.HasPrefix(s, "https://") && !strings.HasPrefix(s, "http://") || strings.ContainsAny(s, " <>\"()") {
		return mdText(s)
	}
	return "<" + s + ">"
}
