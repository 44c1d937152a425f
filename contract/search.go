package contract

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/mockfhir/mockfhir/fixtures"
)

// searchChecks: the laws that hold between searches, whatever the data.
func searchChecks() []Check {
	const (
		rules = guide + "advanced/common-search-params.md"
		why   = "Clients combine criteria; one that is dropped or read otherwise gives them other people."
	)
	return []Check{
		{ID: "search/first-page", Title: "Each type answers a search without criteria", Level: Required, Source: guide + "getting-started/api-basics.md",
			Why: "Every synchronisation begins with it.", Run: checkFirstPage},
		{ID: "search/or", Title: "A comma is a union", Level: Required, Source: rules, Why: why, Run: checkOr},
		{ID: "search/and", Title: "A repeated parameter is an intersection", Level: Required, Source: rules, Why: why, Run: checkAnd},
		{ID: "search/contains", Title: ":contains finds a text inside a value, a plain search does not", Level: Required, Source: rules, Why: why, Run: checkContains},
		{ID: "search/exact", Title: ":exact finds the value as written and nothing else", Level: Required, Source: rules, Why: why, Run: checkExact},
		{ID: "search/accents", Title: "Accents do not count in a plain search", Level: Observed, Source: issues + "239",
			Why: "Half of the answers vanish for a client that types names without accents.", Run: checkAccents},
		{ID: "search/token", Title: "code, |code, system|code and system| find a token; another system or case does not", Level: Required, Source: rules, Why: why, Run: checkTokens},
		{ID: "search/not", Title: ":not excludes a code", Level: Observed, Source: guide + "use-case/uc-segur.md", Why: why, Run: checkNot},
		{ID: "search/active", Title: "active=true and active=false together are everything", Level: Required, Source: issues + "418",
			Why: "Clients drop who left with active=true; a resource in neither half is lost, one in both is counted twice.", Run: checkActive},
		{ID: "search/post", Title: "POST _search finds what GET finds", Level: Required, Source: guide + "getting-started/api-basics.md",
			Why: "Long searches only fit in a POST.", Run: checkPost},
		{ID: "search/colon", Title: "A colon and %3A mean the same", Level: Required, Source: issues + "396",
			Why: "Libraries differ in what they encode; for two days one of the two forms answered 502.", Run: checkColon},
		{ID: "search/modifier", Title: "An unknown modifier is ignored: name:family is name", Level: Observed, Source: issues + "398",
			Why: "The guide itself uses name:family, and clients copied it.", Run: checkModifier},
		{ID: "search/nothing", Title: "A search without match answers an empty Bundle", Level: Required, Source: fhirR4 + "http.html#search",
			Why: "Clients take anything but an empty Bundle for a failure.", Run: checkNothing},
		{ID: "search/empty-value", Title: "A parameter without value sets no condition", Level: Observed, Source: server + "fhir-domain",
			Why: "Forms send the fields nobody filled.", Run: checkEmptyValue},
		{ID: "search/many-ids", Title: "Fifty ids in one request are answered", Level: Observed, Source: issues + "372",
			Why: "Clients refresh what they know in batches.", Run: checkManyIDs},
		{ID: "search/chained", Title: "A chained parameter is refused, or answered to the last page", Level: Observed, Source: issues + "414",
			Why: "For weeks its second page was empty, and its answers a hundred long.", Run: checkChained},
	}
}

func checkFirstPage(ctx context.Context, p *Probe) error {
	for _, typ := range types {
		if _, err := p.Search(ctx, typ); err != nil {
			return err
		}
	}
	return nil
}

// found compares the ids a search finds with those it must find.
func (p *Probe) found(ctx context.Context, r Request, typ string, want []string, law string) error {
	a, err := p.search(ctx, r)
	if err != nil || a == nil {
		return err
	}
	got := ids(a.Matches(typ))
	slices.Sort(got)
	want = slices.Clone(want)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		where, _, _ := strings.Cut(publicPath(r.Path), "=<")
		p.Drift(Finding{Reason: Search, Path: where, Was: plural(len(want), "resource"), Now: itoa(len(got)) + differently(got, want), Message: law}, a)
	}
	return nil
}

func differently(got, want []string) string {
	if len(got) == len(want) {
		return ", others"
	}
	return ""
}

// own returns the identifiers that only one of the seeds has, by seed.
func own(seeds []Entry, param *fixtures.Param) (holders []Entry, values []token) {
	count := map[string]int{}
	for _, e := range seeds {
		for _, t := range tokensOf(param, e.Resource) {
			count[t.code]++
		}
	}
	for _, e := range seeds {
		for _, t := range tokensOf(param, e.Resource) {
			if count[t.code] == 1 && t.system != "" {
				holders, values = append(holders, e), append(values, t)
				break
			}
		}
	}
	return holders, values
}

func checkOr(ctx context.Context, p *Probe) error {
	for _, typ := range types {
		seeds, err := p.seed(ctx, typ)
		if err != nil {
			return err
		}
		holders, values := own(seeds, p.table.Type(typ).Param("identifier"))
		n := len(holders) / 2
		err = p.severally(n, func(i int) error {
			a, b := values[2*i], values[2*i+1]
			asked := query("_id", strings.Join(ids(seeds), ","), "identifier", a.String()+","+b.code)
			return p.found(ctx, Request{Path: typ + "?" + asked}, typ, ids(holders[2*i:2*i+2]),
				"identifier=a,b does not find the resources of a and of b.")
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func checkAnd(ctx context.Context, p *Probe) error {
	seeds, err := p.seed(ctx, "Practitioner")
	if err != nil {
		return err
	}
	param := p.table.Type("Practitioner").Param("identifier")
	holders, values := own(seeds, param)
	if len(holders) < 2 {
		return nil
	}
	err = p.severally(len(holders), func(i int) error {
		all := tokensOf(param, holders[i].Resource)
		asked := query("identifier", all[0].code, "identifier", all[min(1, len(all)-1)].code)
		return p.found(ctx, Request{Path: "Practitioner?" + asked}, "Practitioner", []string{holders[i].ID()},
			"Two identifiers of one person, each a criterion, do not find that person alone.")
	})
	if err != nil {
		return err
	}
	asked := query("identifier", values[0].code, "identifier", values[1].code)
	return p.found(ctx, Request{Path: "Practitioner?" + asked}, "Practitioner", nil,
		"Identifiers of two persons, each a criterion, find somebody.")
}

// stringParams are asked about modifiers: one short, one with punctuation, one
// of each kind of resource that has names.
var stringParams = []struct{ typ, name string }{
	{"Practitioner", "family"}, {"Practitioner", "mailbox-mss"}, {"Organization", "name"}, {"Organization", "address-city"},
}

// eachString asks with values of a string parameter, some long enough to have
// an inside.
func (p *Probe) eachString(ctx context.Context, usable func(string) bool, ask func(typ, param string, e Entry, value string, all []string) error) error {
	for _, s := range stringParams {
		seeds, err := p.seed(ctx, s.typ)
		if err != nil {
			return err
		}
		param := p.table.Type(s.typ).Param(s.name)
		var holders []Entry
		var values []string
		for _, e := range seeds {
			all := stringsOf(param, e.Resource)
			if i := slices.IndexFunc(all, func(v string) bool { return !strings.ContainsAny(v, special) && usable(v) }); i >= 0 {
				holders, values = append(holders, e), append(values, all[i])
			}
		}
		err = p.severally(len(holders), func(i int) error {
			return ask(s.typ, s.name, holders[i], values[i], stringsOf(param, holders[i].Resource))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func checkContains(ctx context.Context, p *Probe) error {
	long := func(v string) bool { return len([]rune(v)) >= 4 }
	return p.eachString(ctx, long, func(typ, param string, e Entry, value string, all []string) error {
		runes := []rune(value)
		inside := swapCase(string(runes[1 : len(runes)-1]))
		asked := query("_id", e.ID(), param+":contains", inside)
		if err := p.found(ctx, Request{Path: typ + "?" + asked}, typ, []string{e.ID()}, param+":contains does not find a value by what is inside it."); err != nil {
			return err
		}
		var want []string
		if slices.ContainsFunc(all, func(v string) bool { return strings.HasPrefix(fold(v), fold(inside)) }) {
			want = []string{e.ID()}
		}
		asked = query("_id", e.ID(), param, inside)
		return p.found(ctx, Request{Path: typ + "?" + asked}, typ, want, param+" without modifier finds a value by what is inside it, not by its beginning.")
	})
}

func checkExact(ctx context.Context, p *Probe) error {
	letters := func(v string) bool { return swapCase(v) != v && len([]rune(v)) > 1 }
	return p.eachString(ctx, letters, func(typ, param string, e Entry, value string, all []string) error {
		asked := query("_id", e.ID(), param+":exact", value)
		if err := p.found(ctx, Request{Path: typ + "?" + asked}, typ, []string{e.ID()}, param+":exact does not find a value as it is written."); err != nil {
			return err
		}
		runes := []rune(value)
		others := []string{swapCase(value), string(runes[:len(runes)-1])}
		if slices.ContainsFunc(others, func(o string) bool { return slices.Contains(all, o) }) {
			return nil
		}
		asked = query("_id", e.ID(), param+":exact", strings.Join(others, ","))
		return p.found(ctx, Request{Path: typ + "?" + asked}, typ, nil, param+":exact finds a value written in another case, or by its beginning.")
	})
}

func checkAccents(ctx context.Context, p *Probe) error {
	return p.eachString(ctx, hasAccent, func(typ, param string, e Entry, value string, _ []string) error {
		asked := query("_id", e.ID(), param, fold(value))
		return p.found(ctx, Request{Path: typ + "?" + asked}, typ, []string{e.ID()}, "A value with accents is not found without them.")
	})
}

// checkTokens writes one token in its four forms, then wrongly in two.
func checkTokens(ctx context.Context, p *Probe) error {
	for _, s := range []struct{ typ, name string }{{"Practitioner", "identifier"}, {"Organization", "type"}} {
		seeds, err := p.seed(ctx, s.typ)
		if err != nil {
			return err
		}
		param := p.table.Type(s.typ).Param(s.name)
		seeds = slices.DeleteFunc(slices.Clone(seeds), func(e Entry) bool { return len(withSystem(tokensOf(param, e.Resource))) == 0 })
		err = p.severally(len(seeds), func(i int) error { return p.tokenForms(ctx, s.typ, param, seeds[i]) })
		if err != nil {
			return err
		}
	}
	return nil
}

func withSystem(list []token) []token {
	return slices.DeleteFunc(list, func(t token) bool { return t.system == "" })
}

func (p *Probe) tokenForms(ctx context.Context, typ string, param *fixtures.Param, e Entry) error {
	all := withSystem(tokensOf(param, e.Resource))
	t := all[0]
	asked := query("_id", e.ID(), param.Name, t.code, param.Name, "|"+t.code, param.Name, t.String(), param.Name, t.system+"|")
	err := p.found(ctx, Request{Path: typ + "?" + asked}, typ, []string{e.ID()}, "A token is not found in one of the forms code, |code, system|code, system|.")
	if err != nil {
		return err
	}
	wrong := []string{t.system + "x|" + t.code, "http://example.org/none|"}
	for _, o := range all {
		if c := swapCase(o.code); c != o.code && !slices.ContainsFunc(all, func(t token) bool { return t.code == c }) {
			wrong = append(wrong, c)
			break
		}
	}
	asked = query("_id", e.ID(), param.Name, strings.Join(wrong, ","))
	return p.found(ctx, Request{Path: typ + "?" + asked}, typ, nil, "A token is found under another system, or in another case.")
}

func checkNot(ctx context.Context, p *Probe) error {
	for _, s := range []struct{ typ, name string }{{"Organization", "type"}, {"Practitioner", "qualification-code"}} {
		seeds, err := p.seed(ctx, s.typ)
		if err != nil {
			return err
		}
		param := p.table.Type(s.typ).Param(s.name)
		picked := pick(seeds, param)
		err = p.severally(len(picked), func(i int) error {
			var others []string
			for _, e := range seeds {
				if !picked[i].matches(e.Resource) {
					others = append(others, e.ID())
				}
			}
			asked := query("_id", strings.Join(ids(seeds), ","), param.Name+":not", picked[i].text)
			return p.found(ctx, Request{Path: s.typ + "?" + asked}, s.typ, others, param.Name+":not does not leave exactly the resources without the code.")
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func checkActive(ctx context.Context, p *Probe) error {
	for _, typ := range types {
		if p.table.Type(typ).Param("active") == nil {
			continue
		}
		var counts [3]int
		for i, criteria := range []string{"", "active=true", "active=false"} {
			n, ok, err := p.total(ctx, typ, criteria)
			if err != nil || !ok {
				return err
			}
			counts[i] = n
		}
		if !addUp(counts) {
			a, _ := p.Get(ctx, typ+"?active=true&_count=0&_total=accurate")
			p.Drift(Finding{Reason: Search, Path: typ + "?active", Was: "two halves", Now: "an overlap or a gap",
				Message: fmt.Sprintf("active=true and active=false of %s do not add up to all of them.", typ)}, a)
		}
	}
	return nil
}

// addUp reports whether two halves make a whole, counted in three calls: of a
// large directory some resources move between them.
func addUp(counts [3]int) bool {
	gap := counts[1] + counts[2] - counts[0]
	return max(gap, -gap)*1000 <= counts[0]
}

func checkPost(ctx context.Context, p *Probe) error {
	for _, typ := range types {
		seeds, err := p.seed(ctx, typ)
		if err != nil {
			return err
		}
		if len(seeds) < 2 {
			continue
		}
		form := query("_lastUpdated", "ge2000", "_id", seeds[0].ID()+","+seeds[1].ID(), "_id", seeds[1].ID())
		err = p.found(ctx, Request{Method: http.MethodPost, Path: typ + "/_search", Form: form}, typ, []string{seeds[1].ID()},
			fmt.Sprintf("%s by POST does not find what its criteria say.", typ))
		if err != nil {
			return err
		}
	}
	return nil
}

func checkColon(ctx context.Context, p *Probe) error {
	for _, s := range []struct{ typ, raw string }{
		{"Organization", "name:contains=a&_count=5"},
		{"Practitioner", "_revinclude=PractitionerRole:practitioner&_count=5"},
	} {
		raw, err := p.Search(ctx, s.typ+"?"+s.raw)
		if err != nil {
			return err
		}
		encoded, err := p.Search(ctx, s.typ+"?"+strings.ReplaceAll(s.raw, ":", "%3A"))
		if err != nil {
			return err
		}
		if raw != nil && encoded != nil && !sameEntries(raw, encoded) {
			p.Drift(Finding{Reason: Search, Path: s.typ + "?" + paramName(s.raw), Was: "the same answer", Now: "another",
				Message: "A search written with %3A for the colon answers something else."}, encoded)
		}
	}
	return nil
}

// sameEntries compares what two answers hold, as sets.
func sameEntries(a, b *Answer) bool {
	refs := func(a *Answer) []string {
		var list []string
		for _, e := range a.Entries() {
			list = append(list, e.Ref())
		}
		slices.Sort(list)
		return list
	}
	return slices.Equal(refs(a), refs(b))
}

func checkModifier(ctx context.Context, p *Probe) error {
	seeds, err := p.seed(ctx, "Practitioner")
	if err != nil {
		return err
	}
	picked := pick(seeds, p.table.Type("Practitioner").Param("family"))
	if len(picked) == 0 {
		return nil
	}
	value := url.QueryEscape(picked[0].text)
	plain, err := p.Search(ctx, "Practitioner?name="+value+"&_count=20")
	if err != nil || plain == nil {
		return err
	}
	odd, err := p.Search(ctx, "Practitioner?name:family="+value+"&_count=20")
	if err == nil && odd != nil && !sameEntries(plain, odd) {
		p.Drift(Finding{Reason: Search, Path: "Practitioner?name:family", Was: "as name", Now: "another answer",
			Message: "name:family no longer finds what name finds."}, odd)
	}
	return err
}

func checkNothing(ctx context.Context, p *Probe) error {
	for _, path := range []string{"Practitioner?" + nothing, "Organization?" + nothing, "Practitioner?family=" + nobody} {
		a, err := p.Search(ctx, path)
		if err != nil {
			return err
		}
		if a == nil {
			continue
		}
		if n := len(a.Entries()); n > 0 || a.Link("next") != "" {
			p.Drift(Finding{Reason: Search, Path: publicPath(path), Was: "nothing", Now: plural(n, "resource"),
				Message: "A search for what nobody has finds something."}, a)
		}
		if total, ok := a.Total(); ok && total != 0 {
			p.Drift(Finding{Reason: Search, Path: "Bundle.total", Was: "0", Now: "more",
				Message: "A search for what nobody has counts something."}, a)
		}
	}
	return nil
}

func checkEmptyValue(ctx context.Context, p *Probe) error {
	all, ok, err := p.total(ctx, "Organization", "")
	if err != nil || !ok {
		return err
	}
	a, err := p.Search(ctx, "Organization?name=&_count=0&_total=accurate")
	if err != nil || a == nil {
		return err
	}
	if n, ok := a.Total(); !ok || n != all {
		p.Drift(Finding{Reason: Search, Path: "Organization?name=", Was: "everything", Now: "a part",
			Message: "A parameter without value sets a condition."}, a)
	}
	return nil
}

func checkManyIDs(ctx context.Context, p *Probe) error {
	seeds, err := p.seed(ctx, "PractitionerRole")
	if err != nil || len(seeds) == 0 {
		return err
	}
	seeds = seeds[:min(len(seeds), 50)]
	asked := query("_id", strings.Join(ids(seeds), ","), "_count", "50") + "&_include=PractitionerRole:organization"
	return p.found(ctx, Request{Path: "PractitionerRole?" + asked}, "PractitionerRole", ids(seeds), "A search by fifty ids does not find them all.")
}

// checkChained takes either answer, since the service has given both: a
// baseline remembers which it was.
func checkChained(ctx context.Context, p *Probe) error {
	chains := []string{"organization.address-city=P", "organization.active=true"}
	seeds, err := p.seed(ctx, "Organization")
	if err != nil {
		return err
	}
	if _, values := own(seeds, p.table.Type("Organization").Param("identifier")); len(values) > 0 {
		chains = append(chains, query("organization.identifier", values[0].String()))
	}
	for _, chain := range chains {
		a, err := p.Get(ctx, "PractitionerRole?"+chain+"&_total=accurate")
		if err != nil {
			return err
		}
		p.Saw()
		if !a.IsBundle() {
			continue
		}
		pages, err := p.walk(ctx, a, 2)
		if err != nil {
			return err
		}
		p.checkPages("PractitionerRole", pages, nil, pages[len(pages)-1].Link("next") == "")
	}
	return nil
}
