package contract

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/fhir"
)

// parameterChecks: one check for each documented search parameter. It takes a
// value from a resource of the service's own first page and asks for it among
// some ids of that page: those that carry the value must come, the others must
// not.
func parameterChecks() []Check {
	pages := map[string]string{
		"Practitioner": "practitioner", "PractitionerRole": "practitioner-role", "Organization": "organization",
		"HealthcareService": "healthcare-service", "Device": "device",
	}
	var checks []Check
	for _, name := range types {
		typ := fixtures.DefaultTable().Type(name)
		if typ == nil {
			continue
		}
		for i := range typ.Params {
			param := &typ.Params[i]
			if param.Kind == fixtures.Date {
				continue // dates.go
			}
			checks = append(checks, Check{
				ID:     "search/" + name + "/" + param.Name,
				Title:  fmt.Sprintf("%s is found by its own %s", name, param.Name),
				Level:  Required,
				Source: guide + "resources/" + pages[name] + ".md",
				Why:    "A search that is refused, or finds other resources than those asked for, breaks every client that uses it.",
				Run:    func(ctx context.Context, p *Probe) error { return checkParameter(ctx, p, name, param) },
			})
		}
	}
	return checks
}

// probeValue is a value to search by.
type probeValue struct {
	owner   string // the id of the resource it was read from
	text    string // as asked: written differently where that must not count
	matches func(*fhir.Node) bool
}

func checkParameter(ctx context.Context, p *Probe, typ string, param *fixtures.Param) error {
	seeds, err := p.holders(ctx, typ, param)
	if err != nil {
		return err
	}
	picked := pick(seeds, param)
	if len(picked) == 0 {
		return p.accepts(ctx, typ, param)
	}
	return p.severally(len(picked), func(i int) error {
		asked, want := company(seeds, picked[i])
		criteria := query("_id", strings.Join(asked, ","), param.Name, picked[i].text)
		if param.Name == "_id" {
			criteria = query("_id", picked[i].text)
		}
		err := p.foundAmong(ctx, Request{Path: typ + "?" + criteria}, typ, asked, want,
			fmt.Sprintf("%s by %s does not find exactly the resources that carry the value.", typ, param.Name))
		if err == nil && len(want) == len(asked) && param.Name != "_id" {
			err = p.accepts(ctx, typ, param) // no resource lacks the value: ask for one that all lack
		}
		if err != nil || param.Name != "active" && param.Name != "status" {
			return err
		}
		return p.inThatState(ctx, typ, param, picked[i], criteria)
	})
}

// foundAmong is found, with one other resource more or less forgiven where
// that cannot hide a criterion that is ignored: it may have changed between
// two calls. The first one wanted must come.
func (p *Probe) foundAmong(ctx context.Context, r Request, typ string, asked, want []string, law string) error {
	a, err := p.search(ctx, r)
	if err != nil || a == nil {
		return err
	}
	got := idSet(a.Matches(typ))
	wrong, forgiven := 0, 0
	if len(asked)-len(want) > 1 {
		forgiven = 1
	}
	for _, id := range asked {
		if got[id] != slices.Contains(want, id) {
			wrong++
		}
	}
	if got[want[0]] && wrong <= forgiven {
		return nil
	}
	return p.found(ctx, r, typ, want, law)
}

// inThatState looks at what a search by state finds: whoever asks for who is
// active acts on the answer without looking again.
func (p *Probe) inThatState(ctx context.Context, typ string, param *fixtures.Param, v probeValue, criteria string) error {
	a, err := p.Get(ctx, typ+"?"+criteria)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(a.Matches(typ), func(e Entry) bool { return !v.matches(e.Resource) }) {
		p.Drift(Finding{Reason: Search, Path: typ + "?" + param.Name, Was: "resources in that state", Now: "others as well",
			Message: fmt.Sprintf("%s by %s finds resources in another state.", typ, param.Name)}, a)
	}
	return nil
}

// companySize bounds the ids a value is asked among.
const companySize = 20

// company returns the ids a value is asked among, its owner's first, and those
// that must be found.
func company(seeds []Entry, v probeValue) (asked, want []string) {
	asked, want = []string{v.owner}, []string{v.owner}
	for _, e := range seeds {
		if e.ID() == v.owner || len(asked) == companySize {
			continue
		}
		asked = append(asked, e.ID())
		if v.matches(e.Resource) {
			want = append(want, e.ID())
		}
	}
	return asked, want
}

// holders returns resources that may carry the parameter: the first page, or
// what has a value at all when nobody on that page has.
func (p *Probe) holders(ctx context.Context, typ string, param *fixtures.Param) ([]Entry, error) {
	seeds, err := p.seed(ctx, typ)
	if err != nil {
		return nil, err
	}
	if len(pick(seeds, param)) > 0 {
		return seeds, nil
	}
	more, err := p.pageTwo(ctx, typ)
	return append(seeds, more...), err
}

// pageTwo returns the page after the first.
func (p *Probe) pageTwo(ctx context.Context, typ string) ([]Entry, error) {
	a, err := p.ground(ctx, typ)
	if err != nil || a.Link("next") == "" {
		return nil, err
	}
	second, err := p.ground(ctx, p.nextPath(a.Link("next")))
	if err != nil {
		return nil, err
	}
	return second.Matches(typ), nil
}

// accepts asks by a value nobody has: a parameter without data to look for
// must be known all the same.
func (p *Probe) accepts(ctx context.Context, typ string, param *fixtures.Param) error {
	a, err := p.Search(ctx, typ+"?"+query(param.Name, nobody))
	if err != nil || a == nil {
		return err
	}
	if n := len(a.Matches(typ)); n > 0 {
		p.Drift(Finding{Reason: Search, Path: typ + "?" + param.Name, Was: "nothing", Now: plural(n, "resource"),
			Message: fmt.Sprintf("%s by a %s that nobody has finds resources.", typ, param.Name)}, a)
	}
	return nil
}

// probes is how many resources a question is asked about before its answer is
// believed to be wrong: any one of them may have left the directory.
const probes = 3

// pick chooses values to look resources up by, each of another resource, and
// of its values the one that fewest others have. Those that some other resource
// lacks come first, because they show that a search narrows; one value twice
// comes last.
func pick(seeds []Entry, param *fixtures.Param) []probeValue {
	held := map[string]int{}
	for _, e := range seeds {
		for _, v := range valuesOf(e.Resource, param) {
			held[v.text]++
		}
	}
	var sharp, blunt, same []probeValue
	for _, e := range seeds {
		values := valuesOf(e.Resource, param)
		if len(values) == 0 {
			continue
		}
		v := slices.MinFunc(values, func(a, b probeValue) int { return held[a.text] - held[b.text] })
		v.owner = e.ID()
		if slices.ContainsFunc(slices.Concat(sharp, blunt), func(o probeValue) bool { return o.text == v.text }) {
			same = append(same, v)
			continue
		}
		if slices.ContainsFunc(seeds, func(o Entry) bool { return !v.matches(o.Resource) }) {
			sharp = append(sharp, v)
		} else {
			blunt = append(blunt, v)
		}
		if len(sharp) == probes {
			break
		}
	}
	picked := slices.Concat(sharp, blunt, same)
	return picked[:min(len(picked), probes)]
}

// severally asks about up to three resources, and believes a difference when
// two of them show it, or the only one there is.
func (p *Probe) severally(n int, ask func(i int) error) error {
	start := len(p.findings)
	var told []Finding
	for i := range min(n, probes) {
		if err := ask(i); err != nil {
			return err
		}
		found := slices.Clone(p.findings[start:])
		p.findings = p.findings[:start]
		switch {
		case len(found) == 0 && i == 0:
			return nil
		case len(found) > 0 && told != nil:
			p.findings = append(p.findings, told...)
			return nil
		case len(found) > 0:
			told = found
		}
	}
	if n == 1 {
		p.findings = append(p.findings, told...)
	}
	return nil
}

// valuesOf returns the values of a resource that a parameter can be asked by.
func valuesOf(resource *fhir.Node, param *fixtures.Param) []probeValue {
	switch param.Kind {
	case fixtures.String:
		return stringValues(resource, param)
	case fixtures.URI:
		return textValues(urisOf, resource, param)
	case fixtures.Reference:
		return textValues(referencesOf, resource, param)
	}
	return tokenValues(resource, param)
}

// textValues asks by values as they are written.
func textValues(values func(*fixtures.Param, *fhir.Node) []string, resource *fhir.Node, param *fixtures.Param) []probeValue {
	var list []probeValue
	for _, v := range values(param, resource) {
		list = append(list, probeValue{text: v, matches: func(n *fhir.Node) bool { return slices.Contains(values(param, n), v) }})
	}
	return list
}

// stringValues asks by the beginning of a value, in another case.
func stringValues(resource *fhir.Node, param *fixtures.Param) []probeValue {
	for _, s := range stringsOf(param, resource) {
		if strings.ContainsAny(s, special) {
			continue
		}
		start := []rune(s)
		start = start[:(len(start)*2+2)/3]
		begins := fold(string(start))
		return []probeValue{{text: swapCase(string(start)), matches: func(n *fhir.Node) bool {
			return slices.ContainsFunc(stringsOf(param, n), func(s string) bool { return strings.HasPrefix(fold(s), begins) })
		}}}
	}
	return nil
}

// special characters mean something to the service's parser or to its page
// tokens (ans-server.md §2.1, §6.5), which is another subject.
const special = ",\\$%+"

// tokenValues asks by codes without their system.
func tokenValues(resource *fhir.Node, param *fixtures.Param) []probeValue {
	var list []probeValue
	for _, t := range tokensOf(param, resource) {
		list = append(list, probeValue{text: t.code, matches: func(n *fhir.Node) bool {
			return slices.ContainsFunc(tokensOf(param, n), func(o token) bool { return o.code == t.code })
		}})
	}
	return list
}
