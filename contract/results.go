package contract

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/mockfhir/mockfhir/internal/fhir"
)

// resultChecks: the parameters that say how results come, not which.
func resultChecks() []Check {
	const source = guide + "advanced/modifying-search-results.md"
	return []Check{
		{ID: "results/default-page", Title: "A page has 50 entries unless asked otherwise", Level: Required, Source: guide + "getting-started/api-basics.md",
			Why: "Clients that never page take the first page for everything, and plan their calls by its size.", Run: checkDefaultPage},
		{ID: "results/count", Title: "_count is the size of a page", Level: Required, Source: source,
			Why: "Clients ask for pages of 100 or 200 to stay under the quota.", Run: checkCount},
		{ID: "results/count-zero", Title: "_count=0 gives the total and no entry", Level: Observed, Source: issues + "286",
			Why: "Monitors count that way.", Run: checkCountZero},
		{ID: "results/total", Title: "_total=accurate and estimate give a total, none gives none", Level: Required, Source: issues + "237",
			Why: "The total comes and goes unless it is asked for; clients that need it ask.", Run: checkTotal},
		{ID: "results/elements", Title: "_elements narrows resources and says so with a tag", Level: Required, Source: source,
			Why: "Clients that fetch names only rely on the rest staying away, and on the tag not to store a half resource.", Run: checkElements},
		{ID: "results/format", Title: "_format and _pretty change nothing", Level: Observed, Source: server + "fhir-domain",
			Why: "FHIR libraries add them by themselves.", Run: checkFormat},
	}
}

const defaultPage = 50

func checkDefaultPage(ctx context.Context, p *Probe) error {
	for _, typ := range types {
		total, ok, err := p.total(ctx, typ, "")
		if err != nil {
			return err
		}
		a, err := p.Search(ctx, typ)
		if err != nil {
			return err
		}
		if a == nil || !ok || total <= defaultPage {
			continue
		}
		if n := len(a.Matches(typ)); n != defaultPage {
			p.Drift(Finding{Reason: Search, Path: "Bundle.entry", Was: itoa(defaultPage), Now: itoa(n),
				Message: "A page without _count has another size."}, a)
		}
	}
	return nil
}

func checkCount(ctx context.Context, p *Probe) error {
	typ, most := "", 0
	for _, t := range types {
		n, ok, err := p.total(ctx, t, "")
		if err != nil {
			return err
		}
		if ok && n > most {
			typ, most = t, n
		}
	}
	if typ == "" {
		return nil
	}
	for _, size := range []int{1, 7, 100} {
		a, err := p.Search(ctx, typ+"?_count="+itoa(size))
		if err != nil {
			return err
		}
		if a == nil {
			continue
		}
		want := min(size, most)
		if n := len(a.Matches(typ)); n != want {
			p.Drift(Finding{Reason: Search, Path: "Bundle.entry(_count=" + itoa(size) + ")", Was: itoa(want), Now: itoa(n),
				Message: fmt.Sprintf("_count=%d gives a page of %d.", size, n)}, a)
		}
		if next := a.Link("next") != ""; next != (most > size) {
			p.Drift(Finding{Reason: Link, Path: "Bundle.link(next)", Was: "as the total says", Now: "otherwise",
				Message: "There is a next page where none is due, or none where one is."}, a)
		}
	}
	return nil
}

func checkCountZero(ctx context.Context, p *Probe) error {
	a, err := p.Search(ctx, "Practitioner?_count=0&_total=accurate")
	if err != nil || a == nil {
		return err
	}
	if n := len(a.Entries()); n > 0 {
		p.Drift(Finding{Reason: Search, Path: "Bundle.entry(_count=0)", Was: "0", Now: itoa(n), Message: "_count=0 gives entries."}, a)
	}
	return nil
}

func checkTotal(ctx context.Context, p *Probe) error {
	accurate, ok, err := p.total(ctx, "Practitioner", "active=true")
	if err != nil || !ok {
		return err
	}
	estimate, err := p.Search(ctx, "Practitioner?active=true&_count=0&_total=estimate")
	if err != nil {
		return err
	}
	if n, ok := estimate.total(); estimate != nil && (!ok || n*2 < accurate || n > accurate*2) {
		p.Drift(Finding{Reason: Search, Path: "Bundle.total(_total=estimate)", Was: "about the accurate one", Now: "absent or far from it",
			Message: "_total=estimate gives no total, or one far from the accurate one."}, estimate)
	}
	none, err := p.Search(ctx, "Practitioner?active=true&_count=0&_total=none")
	if err != nil {
		return err
	}
	if _, ok := none.total(); none != nil && ok {
		p.Drift(Finding{Reason: Search, Path: "Bundle.total(_total=none)", Was: "absent", Now: "present", Class: Additive,
			Message: "_total=none gives a total."}, none)
	}
	return nil
}

// total is Total for an answer that may be nil.
func (a *Answer) total() (int, bool) {
	if a == nil {
		return 0, false
	}
	return a.Total()
}

func checkElements(ctx context.Context, p *Probe) error {
	for _, typ := range []string{"Practitioner", "Organization"} {
		a, err := p.Search(ctx, typ+"?_elements=name&_count=20")
		if err != nil {
			return err
		}
		if a == nil {
			continue
		}
		allowed := []string{"resourceType", "id", "meta", "name", "_name"}
		for _, param := range p.table.Type(typ).Params {
			if param.Compulsory {
				allowed = append(allowed, param.Name)
			}
		}
		named, left := 0, map[string]bool{}
		for _, e := range a.Matches(typ) {
			if e.Resource.Get("name") != nil {
				named++
			}
			for _, m := range e.Resource.Members() {
				if !slices.Contains(allowed, m.Name) {
					left[safeName(m.Name)] = true
				}
			}
			if !slices.ContainsFunc(e.Resource.Path("meta").Get("tag").Items(), func(m fhir.Member) bool { return m.Value.Get("code").Str() == "SUBSETTED" }) {
				p.Drift(Finding{Reason: Shape, Path: typ + ".meta.tag", Was: "SUBSETTED", Now: "absent",
					Message: "A resource narrowed by _elements is not tagged SUBSETTED."}, a)
			}
		}
		class := Breaking
		if len(left) == 1 { // an element the service counts among those always given
			class = Additive
		}
		for _, name := range slices.Sorted(maps.Keys(left)) {
			p.Drift(Finding{Class: class, Reason: Search, Path: typ + "." + name, Was: "left out by _elements=name", Now: "present",
				Message: fmt.Sprintf("_elements=name leaves %s in %s.", name, typ)}, a)
		}
		if len(a.Matches(typ)) > 0 && named == 0 {
			p.Drift(Finding{Reason: Search, Path: typ + ".name", Was: "kept by _elements=name", Now: "absent",
				Message: "_elements=name gives no name."}, a)
		}
	}
	return nil
}

func checkFormat(ctx context.Context, p *Probe) error {
	plain, err := p.Search(ctx, "Practitioner?_count=3")
	if err != nil || plain == nil {
		return err
	}
	a, err := p.Search(ctx, "Practitioner?_format=xml&_pretty=true&_count=3")
	if err == nil && a != nil && !sameEntries(plain, a) {
		p.Drift(Finding{Reason: Search, Path: "Practitioner?_format&_pretty", Was: "ignored", Now: "another answer",
			Message: "_format or _pretty changes what is found."}, a)
	}
	return err
}
