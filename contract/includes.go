package contract

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/mockfhir/mockfhir/fixtures"
)

// includeChecks: one check for each documented _include and _revinclude.
func includeChecks() []Check {
	const why = "Clients take one call for a person and the structures; what is missing there costs a call each, or is taken for absent."
	var checks []Check
	for _, typ := range fixtures.DefaultTable().Types {
		for _, include := range typ.Includes {
			if include == "*" {
				continue
			}
			checks = append(checks, Check{
				ID: "include/" + include, Title: typ.Type + " brings what " + include + " refers to", Level: Required,
				Source: guide + "advanced/modifying-search-results.md", Why: why,
				Run: func(ctx context.Context, p *Probe) error { return checkInclude(ctx, p, typ.Type, include) },
			})
		}
		for _, include := range typ.RevIncludes {
			checks = append(checks, Check{
				ID: "revinclude/" + include, Title: typ.Type + " brings the " + include + " that refer to it", Level: Required,
				Source: guide + "advanced/modifying-search-results.md", Why: why,
				Run: func(ctx context.Context, p *Probe) error { return checkRevInclude(ctx, p, typ.Type, include) },
			})
		}
	}
	return append(checks,
		Check{ID: "include/all", Title: "_include=* brings all references", Level: Required, Source: guide + "resources/practitioner-role.md", Why: why, Run: checkIncludeAll},
		Check{ID: "include/references", Title: "References lead to resources that can be read", Level: Observed, Source: issues + "246",
			Why: "A role whose structure cannot be read is shown without address.", Run: checkReferences},
		Check{ID: "include/legal-entity", Title: "Structures are part of a legal entity", Level: Observed, Source: issues + "62",
			Why: "Clients climb partOf to find who signs.", Run: checkLegalEntity},
	)
}

// includesAsked is how many resources an include is asked for.
const includesAsked = 5

// referrers returns seeds that have a reference by the parameter.
func (p *Probe) referrers(ctx context.Context, typ, name string) ([]Entry, *fixtures.Param, error) {
	seeds, err := p.seed(ctx, typ)
	if err != nil {
		return nil, nil, err
	}
	param := p.table.Type(typ).Param(name)
	var holders []Entry
	for _, e := range seeds {
		if param != nil && len(referencesOf(param, e.Resource)) > 0 {
			holders = append(holders, e)
		}
	}
	return holders[:min(len(holders), includesAsked)], param, nil
}

func checkInclude(ctx context.Context, p *Probe, typ, include string) error {
	_, name, _ := strings.Cut(include, ":")
	holders, param, err := p.referrers(ctx, typ, name)
	if err != nil || len(holders) == 0 {
		return err
	}
	a, err := p.Search(ctx, typ+"?_include="+include+"&"+query("_id", strings.Join(ids(holders), ","), "_count", itoa(includesAsked), "_total", "accurate"))
	if err != nil || a == nil {
		return err
	}
	var wanted []string
	for _, e := range holders {
		wanted = append(wanted, referencesOf(param, e.Resource)...)
	}
	included := p.bundleParts(a, typ, ids(holders), include)
	for _, ref := range included {
		if !slices.Contains(wanted, ref) {
			p.Drift(Finding{Reason: Search, Path: typ + "?_include=" + include, Was: "what is referred to", Now: "something else",
				Message: "_include=" + include + " brings resources nothing refers to."}, a)
		}
	}
	return p.missing(ctx, a, typ+"?_include="+include, wanted, included)
}

// bundleParts splits an answer with includes into its matches, which must be
// those asked for and alone counted, and the included references, which must
// not repeat.
func (p *Probe) bundleParts(a *Answer, typ string, asked []string, include string) []string {
	var included, matches []string
	for _, e := range a.Entries() {
		switch {
		case e.Type() == typ && slices.Contains(asked, e.ID()) && !slices.Contains(matches, e.ID()):
			matches = append(matches, e.ID())
			if e.Mode != "" && e.Mode != "match" {
				p.badMode(a)
			}
		case slices.Contains(included, e.Ref()):
			p.Drift(Finding{Reason: Shape, Path: "Bundle.entry.fullUrl", Was: "once", Now: "twice",
				Message: include + " brings a resource twice in one page."}, a)
		default:
			included = append(included, e.Ref())
			if e.Mode != "" && e.Mode != "include" {
				p.badMode(a)
			}
		}
	}
	if len(matches) != len(asked) {
		p.Drift(Finding{Reason: Search, Path: "Bundle.entry", Was: plural(len(asked), "match"), Now: itoa(len(matches)),
			Message: "With " + include + " a search finds other matches than without."}, a)
	}
	if n, ok := a.Total(); !ok || n != len(asked) {
		p.Drift(Finding{Reason: Search, Path: "Bundle.total", Was: "the matches", Now: "another number",
			Message: "The total of a search with " + include + " does not count its matches alone."}, a)
	}
	return included
}

func (p *Probe) badMode(a *Answer) {
	p.Drift(Finding{Reason: Meaning, Path: "Bundle.entry.search.mode", Was: "match for matches, include for the others", Now: "mixed up",
		Message: "search.mode tells an include for a match, or the reverse."}, a)
}

// missing judges references that were not brought: one that can be read should
// have been there; one that cannot leads nowhere, which is the data's affair.
func (p *Probe) missing(ctx context.Context, evidence *Answer, where string, wanted, included []string) error {
	looked := 0
	for _, ref := range wanted {
		if slices.Contains(included, ref) || looked == 2 {
			continue
		}
		looked++
		a, err := p.Get(ctx, ref)
		if err != nil {
			return err
		}
		if a.Status == http.StatusOK {
			p.Drift(Finding{Reason: Search, Path: where, Was: "what is referred to", Now: "left out",
				Message: "An include leaves out a resource that exists."}, evidence)
		}
	}
	return nil
}

func checkRevInclude(ctx context.Context, p *Probe, typ, include string) error {
	child, name, _ := strings.Cut(include, ":")
	holders, param, err := p.referrers(ctx, child, name)
	if err != nil || len(holders) == 0 {
		return err
	}
	var targets, wanted []string
	for _, e := range holders {
		for _, ref := range referencesOf(param, e.Resource) {
			if id, ok := strings.CutPrefix(ref, typ+"/"); ok {
				wanted = append(wanted, e.Ref())
				if !slices.Contains(targets, id) {
					targets = append(targets, id)
				}
			}
		}
	}
	asked := query("_id", strings.Join(targets, ","))
	plain, err := p.ground(ctx, typ+"?"+asked)
	if err != nil {
		return err
	}
	present := ids(plain.Matches(typ)) // a reference may lead nowhere
	if len(present) == 0 {
		return nil
	}
	a, err := p.Search(ctx, typ+"?_revinclude="+include+"&"+asked+"&_total=accurate")
	if err != nil || a == nil {
		return err
	}
	included := p.bundleParts(a, typ, present, include)
	for _, ref := range included {
		if !strings.HasPrefix(ref, child+"/") {
			p.Drift(Finding{Reason: Search, Path: typ + "?_revinclude=" + include, Was: child, Now: "something else",
				Message: "_revinclude=" + include + " brings resources of another type."}, a)
		}
	}
	if len(included) == 0 || len(present) == len(targets) && !slices.Contains(included, wanted[0]) {
		p.Drift(Finding{Reason: Search, Path: typ + "?_revinclude=" + include, Was: "the resources that refer to it", Now: "not brought",
			Message: "_revinclude=" + include + " leaves out resources that refer to the matches."}, a)
	}
	return nil
}

func checkIncludeAll(ctx context.Context, p *Probe) error {
	holders, _, err := p.referrers(ctx, "PractitionerRole", "organization")
	if err != nil || len(holders) == 0 {
		return err
	}
	asked := query("_id", strings.Join(ids(holders), ","))
	each, err := p.Search(ctx, "PractitionerRole?_include=PractitionerRole:organization&_include=PractitionerRole:practitioner&"+asked)
	if err != nil || each == nil {
		return err
	}
	all, err := p.Search(ctx, "PractitionerRole?_include=*&"+asked)
	if err == nil && all != nil && !sameEntries(each, all) {
		p.Drift(Finding{Reason: Search, Path: "PractitionerRole?_include=*", Was: "all references", Now: "others",
			Message: "_include=* does not bring what each include brings."}, all)
	}
	return err
}

// checkReferences reads what the first resources of each type refer to. Some
// references of the real directory lead nowhere, neither by a read nor by an
// include (issue #246): that is data, unless most of them do.
func checkReferences(ctx context.Context, p *Probe) error {
	for _, s := range []struct{ typ, name string }{
		{"PractitionerRole", "organization"}, {"PractitionerRole", "practitioner"}, {"Organization", "partof"},
		{"HealthcareService", "organization"}, {"Device", "organization"},
	} {
		holders, param, err := p.referrers(ctx, s.typ, s.name)
		if err != nil {
			return err
		}
		holders = holders[:min(len(holders), 2)]
		if err := p.references(ctx, s.typ, s.name, param, holders); err != nil {
			return err
		}
	}
	return nil
}

func (p *Probe) references(ctx context.Context, typ, name string, param *fixtures.Param, holders []Entry) error {
	var lost *Answer
	dangling, there := 0, false
	for _, e := range holders {
		ref := referencesOf(param, e.Resource)[0]
		a, err := p.Get(ctx, ref)
		if err != nil {
			return err
		}
		p.Saw()
		if a.Status == http.StatusOK {
			continue
		}
		lost = a
		dangling++
		include, err := p.ground(ctx, typ+"?_include="+typ+":"+name+"&"+query("_id", e.ID()))
		if err != nil {
			return err
		}
		there = there || slices.ContainsFunc(include.Entries(), func(e Entry) bool { return e.Ref() == ref })
	}
	if there || dangling > 0 && dangling == len(holders) {
		p.Drift(Finding{Reason: Link, Path: typ + "." + param.Paths[0] + ".reference", Was: "a resource that can be read", Now: lost.summary(),
			Message: fmt.Sprintf("What %s of %s refers to cannot be read.", name, typ)}, lost)
	}
	return nil
}

const kindsOfStructure = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-3307"

// checkLegalEntity looks at the parents of structures: a few wrong ones are
// data (issue #62), most of them are a change.
func checkLegalEntity(ctx context.Context, p *Probe) error {
	holders, param, err := p.referrers(ctx, "Organization", "partof")
	if err != nil || len(holders) == 0 {
		return err
	}
	var parents []string
	for _, e := range holders {
		parents = append(parents, strings.TrimPrefix(referencesOf(param, e.Resource)[0], "Organization/"))
	}
	a, err := p.Search(ctx, "Organization?"+query("_id", strings.Join(parents, ",")))
	if err != nil || a == nil {
		return err
	}
	wrong, known := 0, 0
	for _, e := range a.Matches("Organization") {
		for _, t := range tokensOf(p.table.Type("Organization").Param("type"), e.Resource) {
			if t.system == kindsOfStructure {
				known++
				if t.code != "LEGAL-ENTITY" {
					wrong++
				}
			}
		}
	}
	if wrong*2 > known {
		p.Drift(Finding{Reason: Meaning, Path: "Organization.partOf", Was: "LEGAL-ENTITY", Now: "GEOGRAPHICAL-ENTITY",
			Message: "Structures are part of other structures instead of legal entities."}, a)
	}
	return nil
}
