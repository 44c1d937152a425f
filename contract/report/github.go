package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/mockfhir/mockfhir/contract"
)

// shown is how many annotations of a level GitHub shows for a step; those
// beyond are dropped without a word, so the last one says where the rest is.
const shown = 10

// writeGitHub writes workflow commands, which GitHub shows as annotations:
// https://docs.github.com/actions/reference/workflow-commands-for-github-actions
func writeGitHub(w io.Writer, p *page) error {
	var b strings.Builder
	if p.Verdict == contract.Undecided {
		command(&b, "warning", "verify: no verdict", p.Reason)
	}
	annotate(&b, "error", p.Failing, p)
	var news []contract.Finding
	for _, f := range p.News {
		if f.Class != contract.Benign {
			news = append(news, f)
		}
	}
	annotate(&b, "notice", news, p)
	if p.Verdict == contract.Holds && len(news) == 0 {
		command(&b, "notice", "verify: "+verdictWord(p.Verdict), p.Reason)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func annotate(b *strings.Builder, level string, findings []contract.Finding, p *page) {
	for i, f := range findings {
		if left := len(findings) - i; i == shown-1 && left > 1 {
			command(b, level, fmt.Sprintf("verify: %d more", left), "The step summary has them all.")
			return
		}
		lines := []string{f.Message}
		for _, l := range [][2]string{{"where: ", where(f)}, {"since: ", p.Since(f)}, {"why: ", f.Why}, {"source: ", f.Source}, {"see: ", f.Curl}} {
			if l[1] != "" {
				lines = append(lines, l[0]+l[1])
			}
		}
		command(b, level, fmt.Sprintf("%s %s: %s", f.Class, f.Reason, f.Check), strings.Join(lines, "\n"))
	}
}

// command writes one workflow command. Values are escaped as the runner's
// ActionCommand.cs undoes them.
func command(b *strings.Builder, level, title, message string) {
	fmt.Fprintf(b, "::%s title=%s::%s\n", level, ghProperty.Replace(title), ghData.Replace(message))
}

var (
	ghData     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	ghProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)
