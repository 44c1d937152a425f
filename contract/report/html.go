package report

import (
	_ "embed"
	"fmt"
	"html"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/mockfhir/mockfhir/contract"
)

//go:embed report.css
var stylesheet string

// writeHTML writes one self-contained file: no script, nothing fetched. The
// verdict comes first, in words that need no knowledge of FHIR.
//
// It does without html/template: a program that links that package keeps every
// exported method of every type it has, half a megabyte of the image.
func writeHTML(w io.Writer, p *page) error {
	h := &htmlPage{page: p}
	h.head()
	if len(p.Failing) > 0 {
		h.put("<h2>What broke: %s</h2>\n", tally(p.Failing))
		h.put("<p>Breaking: a program that worked may stop working. Additive: something new, which programs can ignore.</p>\n")
		h.findings(p.Failing)
	}
	if len(p.News) > 0 {
		h.put("<h2>News, which clients can ignore: %s</h2>\n", tally(p.News))
		h.findings(p.News)
	}
	h.ignored()
	h.against()
	h.put("<h2>What was looked at</h2>\n<p>%s. %s.</p>\n", p.Looked(), p.Spent())
	for _, g := range p.groups() {
		h.group(g)
	}
	h.put("<footer>%s. Keys, cookies and personal values are left out on purpose: &lt;identifier&gt; stands for one.</footer>\n</body>\n</html>\n", p.Tool)
	_, err := io.WriteString(w, h.b.String())
	return err
}

type htmlPage struct {
	*page
	b strings.Builder
}

// put writes markup whose arguments are text: whatever the service said, it
// stays text, between tags and between quotes.
func (h *htmlPage) put(markup string, text ...any) {
	for i, t := range text {
		if _, number := t.(int); !number {
			text[i] = html.EscapeString(fmt.Sprint(t))
		}
	}
	fmt.Fprintf(&h.b, markup, text...)
}

func (h *htmlPage) head() {
	title := capital(verdictWord(h.Verdict))
	h.put(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<title>%s: %s</title>
<style>
`, title, h.Target.URL)
	h.b.WriteString(stylesheet)
	h.put("</style>\n</head>\n<body>\n<header class=\"verdict %s\">\n<h1>%s</h1>\n", h.Verdict, title)
	h.put("<p><strong>%s</strong></p>\n<p>%s", h.Reason, advice(h.Verdict))
	if h.Partial {
		h.put(" The run was cut short: this is what it had seen.")
	}
	h.put("</p>\n<p><code>%s</code>, %s", h.Target.URL, minute(h.Started))
	if compared := h.Compared(); compared != "" {
		h.put(", %s", compared)
	}
	h.put("</p>\n</header>\n")
}

func (h *htmlPage) findings(findings []contract.Finding) {
	for _, f := range findings {
		h.put("<section class=\"finding %s\">\n<h3>%s</h3>\n<dl>\n", f.Class, f.Message)
		h.put("<dt>what</dt><dd>%s, %s, found by <code>%s</code></dd>\n", f.Class, f.Reason, f.Check)
		h.item("where", "<code>%s</code>", where(f))
		h.item("since", "%s", h.Since(f))
		h.item("why it matters", "%s", f.Why)
		if strings.HasPrefix(f.Source, "https://") || strings.HasPrefix(f.Source, "http://") {
			h.item("who promised it", `<a href="%[1]s" rel="noreferrer">%[1]s</a>`, f.Source)
		} else {
			h.item("who promised it", "%s", f.Source)
		}
		h.item("see it", "<pre>%s</pre>", f.Curl)
		h.put("</dl>\n</section>\n")
	}
}

func (h *htmlPage) item(label, markup, text string) {
	if text != "" {
		h.put("<dt>"+label+"</dt><dd>"+markup+"</dd>\n", text)
	}
}

func (h *htmlPage) ignored() {
	if len(h.Ignored) == 0 {
		return
	}
	h.put("<h2>Ignored on request</h2>\n<table>\n<tr><th>check</th><th>path</th><th>reason</th></tr>\n")
	for _, f := range h.Ignored {
		h.put("<tr><td><code>%s</code></td><td><code>%s</code></td><td>%s</td></tr>\n", f.Check, f.Path, f.Ignored)
	}
	h.put("</table>\n")
}

func (h *htmlPage) against() {
	if h.Against == nil {
		return
	}
	h.put("<h2>Promised, %[1]s, service</h2>\n<table>\n<tr><th>promised</th><th>%[1]s</th><th>service</th></tr>\n", h.AgainstName)
	for _, r := range h.Rows() {
		class := ""
		if r.Differs {
			class = ` class="differs"`
		}
		h.put("<tr"+class+"><td>%s<br><code>%s</code></td><td>%s</td><td>%s</td></tr>\n", r.Title, r.ID, r.Other, r.Service)
	}
	h.put("</table>\n")
}

func (h *htmlPage) group(g group) {
	open := ""
	if g.troubled() {
		open = " open"
	}
	h.put("<details"+open+">\n<summary>%s: %d of %d hold</summary>\n<table>\n", g.subject, g.holding(), len(g.results))
	h.put("<tr><th>promise</th><th>outcome</th><th>looked at</th></tr>\n")
	for _, r := range g.results {
		h.put("<tr><td>%s<br><code>%s</code> (%s)</td>", r.Title, r.ID, r.Level)
		h.put(`<td><span class="%s">%s</span>`, r.Outcome, outcomeWord(r.Outcome))
		if r.Detail != "" {
			h.put("<br>%s", r.Detail)
		}
		h.put("</td><td>%d", r.Saw)
		if len(r.Exchanges) > 0 {
			h.put("<details><summary>%d exchanges</summary>", len(r.Exchanges))
			for _, x := range r.Exchanges {
				h.exchange(x)
			}
			h.put("</details>")
		}
		h.put("</td></tr>\n")
	}
	h.put("</table>\n</details>\n")
}

func (h *htmlPage) exchange(x contract.Exchange) {
	h.put("<pre>%s %s\n", x.Method, x.URL)
	if x.Status != 0 {
		h.put("%d %s, %d bytes, %s\n", x.Status, x.Content, x.Size, span(x.Duration))
	} else {
		h.put("%s\n", x.Error)
	}
	for _, name := range slices.Sorted(maps.Keys(x.Header)) {
		for _, value := range x.Header[name] {
			h.put("%s: %s\n", name, value)
		}
	}
	h.put("</pre>")
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// group is the results of one subject.
type group struct {
	subject string
	results []contract.Result
}

// troubled tells whether a reader should open the group.
func (g group) troubled() bool {
	for _, r := range g.results {
		if r.Outcome == contract.Drift || r.Outcome == contract.Failed || r.Outcome == contract.Inconclusive {
			return true
		}
	}
	return false
}

// holding counts the checks that hold.
func (g group) holding() int {
	n := 0
	for _, r := range g.results {
		if r.Outcome == contract.Pass {
			n++
		}
	}
	return n
}

// groups are the results by subject, in the order of the suite.
func (p *page) groups() []group {
	var groups []group
	index := map[string]int{}
	for _, r := range p.Results {
		s := subject(r.ID)
		i, ok := index[s]
		if !ok {
			i = len(groups)
			index[s] = i
			groups = append(groups, group{subject: s})
		}
		groups[i].results = append(groups[i].results, r)
	}
	return groups
}
