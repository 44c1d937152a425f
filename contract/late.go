package contract

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// lateChecks need the run behind them: its time, and what it has seen.
func lateChecks() []Check {
	return []Check{
		{ID: "paging/token-lives", Title: "A next link of the beginning of the run still works at its end", Level: Required, Source: server + "fhir-mongodb-storage",
			Why: "A crawl of the directory takes hours; its links must outlive a page.", Run: checkTokenLives},
		{ID: "base/unversioned", Title: "The unversioned base answers as this version does", Level: Observed, Source: issues + "348",
			Why: "Old clients call /fhir without a version and get whatever it stands for.", Run: checkUnversioned},
		{ID: "speed/repeated", Title: "A text criterion given twice is answered in time", Level: Observed, Source: issues + "331",
			Why: "Two contains criteria took 30 seconds and ended in 504.", Run: checkRepeated},
		{ID: "speed/answers", Title: "Small questions are answered quickly", Level: Observed, Source: guide + "getting-started/api-basics.md",
			Why: "Forms wait for a read or a search by identifier; the gateway cuts at 30 seconds.", Run: checkSpeed, afterwards: true},
	}
}

// checkTokenLives follows the oldest next link of the run, also when it is
// asked again: a new link would be young.
func checkTokenLives(ctx context.Context, p *Probe) error {
	oldest := slices.IndexFunc(p.client.answers, func(a *Answer) bool { return a.IsBundle() && a.Link("next") != "" })
	if oldest < 0 {
		return nil
	}
	first := p.client.answers[oldest]
	a, err := p.Do(ctx, Request{Path: p.nextPath(first.Link("next")), Fresh: true})
	if err != nil {
		return err
	}
	p.Saw()
	if !a.IsBundle() {
		p.Drift(Finding{Reason: Link, Path: "_page", Was: "200 Bundle", Now: a.summary(),
			Message: "A next link of the beginning of the run is answered " + a.summary() + " at its end."}, first)
	}
	return nil
}

// checkUnversioned asks the parent of the base, which ANS routes to one of the
// versions. They differ in their pager.
func checkUnversioned(ctx context.Context, p *Probe) error {
	if !namesVersion(p.client.base) {
		return p.NotApplicable("the target's URL names no version")
	}
	here, err := p.ground(ctx, "Practitioner?_count=1")
	if err != nil {
		return err
	}
	a, err := p.Do(ctx, Request{Path: "Practitioner?_count=1", Root: true})
	if err != nil {
		return err
	}
	p.Saw()
	if !a.IsBundle() {
		p.Drift(Finding{Reason: Protocol, Path: "the unversioned base", Was: "200 Bundle", Now: a.summary(),
			Message: "The unversioned base answers " + a.summary() + "."}, a)
		return nil
	}
	if was, now := generation(here), generation(a); was != now {
		p.Drift(Finding{Reason: Meaning, Path: "the unversioned base", Was: was, Now: now,
			Message: "The unversioned base answers as another version of the API."}, a)
	}
	return nil
}

func checkRepeated(ctx context.Context, p *Probe) error {
	a, err := p.Search(ctx, "Organization?name:contains=a&name:contains=e&_count=1")
	if err != nil || a == nil {
		return err
	}
	if budget := p.opts.Patience / 3; a.Duration > budget {
		p.slow(a, "Organization?name:contains&name:contains", a.Duration, budget)
	}
	return nil
}

// checkSpeed judges the answers of the whole run to small questions: half of
// them within a sixth of what the gateway waits. The slowest say nothing, the
// middle does.
func checkSpeed(_ context.Context, p *Probe) error {
	kinds := []struct {
		name  string
		small func(r *Request) bool
	}{
		{"metadata", func(r *Request) bool { return r.Path == "metadata" }},
		{"read", func(r *Request) bool { return strings.Count(r.Path, "/") == 1 && !strings.Contains(r.Path, "_search") }},
		{"search", func(r *Request) bool { return strings.Contains(r.Path, "?_id=") }},
	}
	p.checkTransfers()
	budget := p.opts.Patience / 6
	for _, k := range kinds {
		var times []time.Duration
		var slowest *Answer
		for _, a := range p.client.answers {
			if r := a.Request; r.method() != http.MethodGet || !k.small(r) {
				continue
			}
			times = append(times, a.Duration)
			if slowest == nil || a.Duration > slowest.Duration {
				slowest = a
			}
		}
		if len(times) == 0 {
			continue
		}
		p.Saw()
		slices.Sort(times)
		if middle := times[len(times)/2]; middle > budget {
			p.slow(slowest, k.name, middle, budget)
		}
	}
	return nil
}

// checkTransfers counts answers that began and did not end in time.
func (p *Probe) checkTransfers() {
	var endless []*Answer
	for _, a := range p.client.answers {
		if a.tooSlow {
			endless = append(endless, a)
		}
	}
	if len(endless) >= probes {
		p.Drift(Finding{Reason: Speed, Path: "transfer", Was: "within " + p.opts.Patience.String(), Now: "longer",
			Message: plural(len(endless), "answer") + " began and did not end in time."}, endless[0])
	}
}

func (p *Probe) slow(a *Answer, what string, took, budget time.Duration) {
	p.Drift(Finding{Reason: Speed, Path: what, Was: "within " + budget.String(), Now: took.Round(100 * time.Millisecond).String(),
		Message: fmt.Sprintf("%s takes %v.", capital(what), took.Round(100*time.Millisecond))}, a)
}
