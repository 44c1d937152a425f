package drift

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Mutation is a compiled `how`.
type Mutation struct {
	requests []func(*call) // change what the service is asked
	rules    []*rule       // change what it answers
	serving  Serving
	start    Start
	scope    string // the layer, for rules without a condition
	aged     bool   // the age of tokens matters: each that is issued is one of its own
	// references: which resource was referred to first matters
	references bool
}

// Serving says what a mutation wants of the server below HTTP.
type Serving struct {
	HTTP2        bool
	Certificates []string // variants, each to be served on its own: expired, self-signed, other-host
	Renewed      bool     // another leaf certificate of the same authority
	Volume       float64  // share of the directory that is left; 0: all of it
}

// Start says what a service must already do for the mutation to be visible.
type Start struct {
	Gateway []string // switches of mockfhir -gateway
	Rate    string   // mockfhir -rate
	Before  string   // a mutation that is in force before and after
}

// Socket reports whether the mutation can only be seen on a connection.
func (s Serving) Socket() bool { return s.HTTP2 || s.Renewed || len(s.Certificates) > 0 }

// Serving returns what the mutation wants of the server below HTTP.
func (m *Mutation) Serving() Serving { return m.serving }

// Start returns how the service must be set up before the mutation.
func (m *Mutation) Start() Start { return m.start }

// InTraffic reports whether the mutation changes exchanges, or only Serving.
func (m *Mutation) InTraffic() bool { return len(m.rules)+len(m.requests) > 0 }

// rule is one clause: a place in the traffic and what happens there.
type rule struct {
	when []condition
	act  func(*call)
}

func (r *rule) applies(c *call) bool {
	return !slices.ContainsFunc(r.when, func(cond condition) bool { return !cond(c) })
}

// actions are those whose conditions hold for the service's own answer: what
// one action does to it is nothing to the conditions of the next.
func (m *Mutation) actions(c *call) []func(*call) {
	var list []func(*call)
	for _, r := range m.rules {
		if r.applies(c) {
			list = append(list, r.act)
		}
	}
	return list
}

// Parse compiles the mutation of a case.
func Parse(c Case) (*Mutation, error) {
	m := &Mutation{scope: c.Layer}
	p := &parser{m: m}
	for _, note := range notes(c.Description) {
		for _, part := range strings.FieldsFunc(note, func(r rune) bool { return r == ';' || r == ',' }) {
			if cond := phrases[strings.TrimPrefix(strings.TrimSpace(part), "on ")]; cond != nil {
				p.always = append(p.always, cond)
			}
		}
	}
	list := clauses(c.How)
	p.replaces = slices.ContainsFunc(list, func(clause string) bool {
		return strings.Contains(clause, "body=") || strings.Contains(clause, "status ") || strings.Contains(clause, "call ")
	})
	for _, clause := range list {
		if err := p.clause(clause); err != nil {
			return nil, fmt.Errorf("%s: %w", c.ID, err)
		}
	}
	return m, nil
}

type parser struct {
	m      *Mutation
	always []condition // from the description
	scope  []condition // of the clauses that follow
	scoped bool
	// replaces: some clause gives other answers, for which the header is set;
	// else a Content-Type is about answers in FHIR.
	replaces bool
	header   *string // the value a hdr set clause may go on with after a ";"
}

// noteText is a remark in parentheses: not the argument of a function.
var noteText = regexp.MustCompile(`(^|\s)\(([^()]*)\)`)

func notes(text string) []string {
	var list []string
	for _, m := range noteText.FindAllStringSubmatch(text, -1) {
		list = append(list, m[2])
	}
	return list
}

// clauses cuts at semicolons outside JSON, quotes and notes, and drops notes.
func clauses(how string) []string {
	var list []string
	var b strings.Builder
	depth, quote := 0, false
	for i := 0; i < len(how); i++ {
		c := how[i]
		switch {
		case c == '"':
			quote = !quote
		case quote:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		case c == '(' && depth == 0 && i > 0 && how[i-1] == ' ':
			end := strings.IndexByte(how[i:], ')')
			if end < 0 {
				break
			}
			i += end
			kept := strings.TrimRight(b.String(), " ")
			b.Reset()
			b.WriteString(kept)
			continue
		case c == ';' && depth == 0:
			list = append(list, strings.TrimSpace(b.String()))
			b.Reset()
			continue
		}
		b.WriteByte(c)
	}
	return append(list, strings.TrimSpace(b.String()))
}

// remarks repeat what is so anyway.
var remarks = regexp.MustCompile(`^(persist over all retries|the other probes match|then nominal|persistent)$`)

func (p *parser) clause(text string) error {
	text = strings.TrimSpace(text)
	if text == "" || remarks.MatchString(text) {
		return nil
	}
	done, err := p.action(text)
	if done || err != nil {
		return err
	}
	// "on Accept-Encoding: gzip: answer identity": any colon may end the scope.
	for i := 0; i < len(text); i++ {
		if text[i] != ':' {
			continue
		}
		scope, rest := strings.TrimSpace(text[:i]), strings.TrimSpace(text[i+1:])
		cond, ok := parseScope(scope)
		if !ok {
			continue
		}
		kept := *p
		p.scope, p.scoped = cond, true
		p.needs(scope, rest)
		p.m.aged = p.m.aged || pathAfter.MatchString(strings.TrimPrefix(scope, "on "))
		if done, err := p.action(rest); done || err != nil {
			return err
		}
		*p = kept
	}
	if p.header != nil { // hdr set Content-Type=a/b; charset=c
		*p.header += "; " + text
		return nil
	}
	return fmt.Errorf("%q is not understood", text)
}

func parseScope(text string) ([]condition, bool) {
	switch {
	case text == "series":
		return nil, true
	case strings.HasPrefix(text, "on "):
		text = text[3:]
	case !strings.HasPrefix(text, "without "):
		return nil, false
	}
	var all []condition
	for _, part := range strings.Split(text, " and ") {
		cond, ok := parseCondition(part)
		if !ok {
			return nil, false
		}
		all = append(all, cond)
	}
	return all, true
}

// needs derives what must be so before a scoped mutation can be seen.
func (p *parser) needs(scope, action string) {
	scope = strings.TrimPrefix(scope, "on ")
	start := &p.m.start
	switch {
	case scope == "overflow":
		start.Rate = "17/1s"
	case scope == "Accept-Encoding: gzip" && strings.Contains(action, "identity"):
		start.Before = "on Accept-Encoding: gzip: body=gzip(body)"
	case strings.HasPrefix(scope, "?"):
		start.Gateway = append(start.Gateway, "query-key=off")
	case strings.HasPrefix(scope, "/fhir/") && strings.Contains(action, "v2 body"):
		start.Before = "on " + scope + ": json map /link/[next]/url _page?id= -> ?_getpages="
	case chained.MatchString(scope) && strings.HasPrefix(action, "status 200->"):
		start.Before = "on " + scope + ": status 500->200 with the unfiltered page"
	}
	if m := textChange.FindStringSubmatch(action); m != nil {
		start.Before = "on " + scope + ": body=OperationOutcome processing \"" + m[1] + ": refused\""
	}
}

var (
	chained    = regexp.MustCompile(`^[a-z]+\.[a-z-]+=`)
	textChange = regexp.MustCompile(`^([A-Z][A-Z0-9-]+)\s*->\s*([A-Z][A-Z0-9-]+)$`)
)

// add appends a rule in the scope in force. Without a stated scope it is about
// what the clause is about by nature.
func (p *parser) add(natural condition, act func(*call)) {
	r := &rule{when: slices.Clone(p.always), act: act}
	if p.scoped {
		r.when = append(r.when, p.scope...)
	} else if natural != nil {
		r.when = append(r.when, natural)
	}
	p.m.rules = append(p.m.rules, r)
}

// document is the natural scope of a JSON clause: the capability statement, or
// the answers to searches.
func (p *parser) document() condition {
	if p.m.scope == "capability" {
		return func(c *call) bool { return c.asked.isMetadata() && c.resp.status == 200 }
	}
	return func(c *call) bool { return c.isBundle() && c.resp.status == 200 }
}

func inFHIR(c *call) bool {
	return strings.HasPrefix(c.resp.header.Get("Content-Type"), "application/fhir+json")
}

// everywhere is the natural scope of headers and literal bodies: all answers.
func everywhere(*call) bool { return true }

var (
	hdrAction  = regexp.MustCompile(`^hdr (set|del|map|add) (.+)$`)
	jsonAction = regexp.MustCompile(`^json (set|del|map|move|append|shuffle|reverse|dup|rename) (/.*)$`)
)

// action compiles one action, reporting whether it is one.
func (p *parser) action(text string) (bool, error) {
	header := p.header
	p.header = nil
	switch {
	case strings.HasPrefix(text, "body="):
		text, _, _ = strings.Cut(text, " although ")
		return p.body(strings.TrimPrefix(text, "body="))
	case hdrAction.MatchString(text):
		m := hdrAction.FindStringSubmatch(text)
		return p.headers(m[1], m[2])
	case jsonAction.MatchString(text):
		m := jsonAction.FindStringSubmatch(text)
		return true, p.json(m[1], m[2])
	}
	for _, v := range verbs {
		if m := v.re.FindStringSubmatch(text); m != nil {
			if act := v.compile(p, m[1:]); act != nil {
				p.add(v.natural(p), act)
			}
			return true, nil
		}
	}
	p.header = header
	return false, nil
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s) // the pattern has only digits
	return n
}
