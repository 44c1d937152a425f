package drift

import (
	"net/http"
	"regexp"
	"strings"
)

// verb is an action said in words.
type verb struct {
	re *regexp.Regexp
	// natural is what the action is about when no scope is stated.
	natural func(*parser) condition
	// compile makes the action of the pattern's groups; nil when the verb is
	// about the server below HTTP.
	compile func(*parser, []string) func(*call)
}

// Natural scopes.
var (
	allCalls    = func(*parser) condition { return everywhere }
	nominal     = func(*parser) condition { return isNominalSearch }
	anySearch   = func(*parser) condition { return isSearch }
	lastPages   = func(*parser) condition { return isLastPage }
	ofDocuments = (*parser).document
)

// plain wraps an action without groups.
func plain(act func(*call)) func(*parser, []string) func(*call) {
	return func(*parser, []string) func(*call) { return act }
}

// serving wraps a change of the server below HTTP.
func serving(change func(s *Serving, m []string)) func(*parser, []string) func(*call) {
	return func(p *parser, m []string) func(*call) {
		change(&p.m.serving, m)
		return nil
	}
}

// verbs are tried in order.
var verbs []verb

func init() { // verbs lead to parse, which leads back here
	verbs = []verb{
		// The status line, and whole answers.
		{pattern(`status (\d{3}) ?-> ?(\d{3})(?: with (the unfiltered page|data))?`), allCalls, (*parser).statusChange},
		{pattern(`(?:answer|status) (\d{3})`), nominal, func(_ *parser, m []string) func(*call) {
			return func(c *call) { c.fail(atoi(m[0])) }
		}},
		{pattern(`every call (\d{3})`), allCalls, func(_ *parser, m []string) func(*call) {
			return func(c *call) { c.fail(atoi(m[0])) }
		}},
		{pattern(`first call (\d{3})(?:, then nominal)?`), allCalls, func(_ *parser, m []string) func(*call) {
			return func(c *call) {
				if c.number == 1 {
					c.fail(atoi(m[0]))
				}
			}
		}},
		{pattern(`answer 429 after (\d+) calls a second`), allCalls, func(_ *parser, m []string) func(*call) { return limit(atoi(m[0])) }},
		{pattern(`(?:close|reset|cut) (?:every |the )?connection|never answer`), allCalls, plain(func(c *call) { c.cut, c.changed = true, true })},

		// Which page is answered.
		{pattern(`answer (\d+) entries`), nominal, func(_ *parser, m []string) func(*call) { return answerEntries(m[0]) }},
		{pattern(`answer page 1 again`), anySearch, plain(answerFirstPage)},
		{pattern(`answer the v2 body`), allCalls, plain(answerV2)},
		{pattern(`answer identity`), allCalls, plain(answerIdentity)},
		{pattern(`(?:answer|with) the unfiltered page`), nominal, plain(func(c *call) {
			c.askAgain(func(r *request) { r.setCriteria(nil) })
		})},
		{pattern(`(?:answer an )?empty (?:Bundle|page)`), nominal, plain(emptyBundle)},
		{pattern(`drop (?:the )?(included entries|last criterion|first criterion|criterion|link [a-z]+|entry \d+|last entry)`), ofDocuments,
			func(_ *parser, m []string) func(*call) { return drop(m[0]) }},
		{pattern(`keep link next`), lastPages, plain(keepNext)},
		{pattern(`make GET of the first referenced ([A-Za-z]+) answer (\d{3})`), allCalls, func(p *parser, m []string) func(*call) {
			p.m.references = true
			return deadReference(m[0], atoi(m[1]))
		}},
		{pattern(`same ([A-Z]+), other id than in the fixture`), allCalls, func(p *parser, m []string) func(*call) { return p.renumber(m[0]) }},

		// The body.
		{pattern(`([A-Z][A-Z0-9-]+) ?-> ?([A-Z][A-Z0-9-]+)`), allCalls, func(_ *parser, m []string) func(*call) { return replaceText(m[0], m[1]) }},
		{pattern(`pad every resource with text\.div of (\d+) ?kB`), ofDocuments, func(_ *parser, m []string) func(*call) { return pad(atoi(m[0]) * 1000) }},
		{pattern(`(?:truncate|cut) (?:the )?body at (\d+) ?(%|bytes)`), nominal, func(_ *parser, m []string) func(*call) {
			return truncate(atoi(m[0]), m[1] == "%")
		}},
		{pattern(`gzip\(body\)`), allCalls, plain(compressBody)},
		{pattern(`remove Content-Length, chunk`), allCalls, plain(chunkBody)},

		// Time.
		{pattern(`delay \+?(\d+(?:\.\d+)?) ?(ms|s|min)(?: on every call)?`), allCalls, func(_ *parser, m []string) func(*call) {
			d := duration(m[0], strings.TrimSuffix(m[1], "in"))
			return func(c *call) { c.delay, c.changed = c.delay+d, true }
		}},
		{pattern(`body in (\d+)-byte chunks, (\d+) ?(ms|s) apart`), nominal, func(_ *parser, m []string) func(*call) {
			size, gap := atoi(m[0]), duration(m[1], m[2])
			return func(c *call) { c.chunk, c.chunkGap, c.changed = size, gap, true }
		}},

		// The server below HTTP.
		{pattern(`serve with an? (.+) certificate`), allCalls, serving(func(s *Serving, m []string) {
			for v := range strings.SplitSeq(m[0], "/") {
				s.Certificates = append(s.Certificates, strings.TrimSpace(v))
			}
		})},
		{pattern(`new leaf certificate, same CA`), allCalls, serving(func(s *Serving, _ []string) { s.Renewed = true })},
		{pattern(`serve over (?:h2|HTTP/2)`), allCalls, serving(func(s *Serving, _ []string) { s.HTTP2 = true })},
		{pattern(`total/_count changes`), allCalls, serving(func(s *Serving, _ []string) { s.Volume = 0.9 })},
	}
}

func pattern(text string) *regexp.Regexp { return regexp.MustCompile(`^(?:` + text + `)$`) }

// statusChange is "status A->B". Without a scope it is about nominal searches,
// or about whatever is refused with A, and so are the clauses after it.
func (p *parser) statusChange(m []string) func(*call) {
	from, to, with := atoi(m[0]), atoi(m[1]), m[2]
	if !p.scoped {
		p.scoped = true
		p.scope = []condition{func(c *call) bool {
			return c.resp.status == from && (from != http.StatusOK || isNominalSearch(c))
		}}
	}
	return func(c *call) {
		switch {
		case c.resp.status != from:
		case with != "" || to == http.StatusOK:
			c.allow(to)
		default:
			c.fail(to)
		}
	}
}
