package contract

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // the zone of the service must be known on any machine
)

// dateChecks: _lastUpdated, on which every delta call rests.
func dateChecks() []Check {
	const (
		source = guide + "advanced/common-search-params.md"
		why    = "A delta call that misses a change, or never ends, is how copies of the directory go stale."
	)
	var checks []Check
	for _, precision := range precisions {
		checks = append(checks, Check{
			ID: "dates/" + precision.name, Title: "A change is found by its " + precision.name + ", with each prefix", Level: Required, Source: source, Why: why,
			Run: func(ctx context.Context, p *Probe) error {
				return p.eachInstant(ctx, func(e Entry, at time.Time) error {
					if precision.name == "millisecond" && at.Nanosecond() == 0 {
						return nil // printed without them, which says nothing about what is stored
					}
					return p.prefixes(ctx, e, at.Format(precision.layout))
				})
			},
		})
	}
	return append(checks,
		Check{ID: "dates/zones", Title: "An instant is the same in every zone", Level: Required, Source: source, Why: why, Run: checkZones},
		Check{ID: "dates/halves", Title: "Before a day and from that day on are everything", Level: Required, Source: source, Why: why, Run: checkHalves},
		Check{ID: "dates/delta", Title: "A delta call holds changes since its date only", Level: Required, Source: guide + "use-case/uc-call-type.md", Why: why, Run: checkDelta},
	)
}

// precisions are the ways to write a date, coarse to fine. From the minute on
// the instant is written in UTC; before, in the zone the service prints.
var precisions = []struct{ name, layout string }{
	{"year", "2006"}, {"month", "2006-01"}, {"day", "2006-01-02"},
	{"second", "2006-01-02T15:04:05Z07:00"}, {"millisecond", "2006-01-02T15:04:05.000Z07:00"},
}

// paris is where the service lives: dates without zone are read there.
var paris = func() *time.Location {
	zone, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		panic(err) // the database is linked in
	}
	return zone
}()

// eachInstant asks with the dates of three organizations that changed at an
// hour when UTC and Paris are in the same day.
func (p *Probe) eachInstant(ctx context.Context, ask func(Entry, time.Time) error) error {
	seeds, err := p.seed(ctx, "Organization")
	if err != nil {
		return err
	}
	var holders []Entry
	var instants []time.Time
	for _, e := range seeds {
		if at, ok := lastUpdated(e.Resource); ok && at.UTC().Hour() < 22 {
			holders, instants = append(holders, e), append(instants, at.In(paris))
		}
	}
	return p.severally(len(holders), func(i int) error { return ask(holders[i], instants[i]) })
}

// prefixes asks for one resource by its own date: with those prefixes that
// must find it, all at once, then with those that must not.
func (p *Probe) prefixes(ctx context.Context, e Entry, date string) error {
	asked := query("_id", e.ID(), "_lastUpdated", "eq"+date, "_lastUpdated", "ge"+date, "_lastUpdated", "le"+date, "_lastUpdated", date)
	err := p.found(ctx, Request{Path: "Organization?" + asked}, "Organization", []string{e.ID()},
		"A resource is not found by its own _lastUpdated with eq, ge, le or no prefix.")
	if err != nil {
		return err
	}
	none := []string{"gt" + date, "lt" + date, "ne" + date, "sa" + date, "eb" + date}
	asked = query("_id", e.ID(), "_lastUpdated", strings.Join(none, ","))
	return p.found(ctx, Request{Path: "Organization?" + asked}, "Organization", nil,
		"A resource is found by gt, lt, ne, sa or eb of its own _lastUpdated.")
}

func checkZones(ctx context.Context, p *Probe) error {
	return p.eachInstant(ctx, func(e Entry, at time.Time) error {
		layout := "2006-01-02T15:04:05.000Z07:00"
		if at.Nanosecond() == 0 {
			layout = time.RFC3339
		}
		pairs := []string{"_id", e.ID()}
		for _, zone := range []*time.Location{time.UTC, time.FixedZone("", 2*3600), time.FixedZone("", -5*3600)} {
			pairs = append(pairs, "_lastUpdated", "eq"+at.In(zone).Format(layout))
		}
		return p.found(ctx, Request{Path: "Organization?" + query(pairs...)}, "Organization", []string{e.ID()},
			"An instant written in another zone is not the same instant.")
	})
}

func checkHalves(ctx context.Context, p *Probe) error {
	for _, typ := range []string{"Organization", "PractitionerRole"} {
		seeds, err := p.seed(ctx, typ)
		if err != nil || len(seeds) == 0 {
			return err
		}
		at, ok := lastUpdated(seeds[len(seeds)/2].Resource)
		if !ok {
			continue // shape tells it
		}
		day := at.In(paris).Format(time.DateOnly)
		var counts [3]int
		for i, criteria := range []string{"", "_lastUpdated=lt" + day, "_lastUpdated=ge" + day} {
			n, ok, err := p.total(ctx, typ, criteria)
			if err != nil || !ok {
				return err
			}
			counts[i] = n
		}
		if !addUp(counts) {
			a, _ := p.Get(ctx, typ+"?_lastUpdated=ge"+day+"&_count=0&_total=accurate")
			p.Drift(Finding{Reason: Search, Path: typ + "?_lastUpdated", Was: "two halves", Now: "an overlap or a gap",
				Message: fmt.Sprintf("%s changed before a day and since that day do not add up to all of them.", typ)}, a)
		}
	}
	return nil
}

func checkDelta(ctx context.Context, p *Probe) error {
	for _, typ := range types {
		seeds, err := p.seed(ctx, typ)
		if err != nil {
			return err
		}
		since, ok := newest(seeds)
		if !ok {
			continue
		}
		day := since.In(paris).Format(time.DateOnly)
		a, err := p.Search(ctx, typ+"?_lastUpdated=ge"+day+"&_count=20")
		if err != nil {
			return err
		}
		if a == nil {
			continue
		}
		matches := a.Matches(typ)
		if len(matches) == 0 {
			p.Drift(Finding{Reason: Search, Path: typ + "?_lastUpdated", Was: "the changes since a day", Now: "nothing",
				Message: fmt.Sprintf("A delta call of %s finds nothing though something changed.", typ)}, a)
		}
		for _, e := range matches {
			if at, ok := lastUpdated(e.Resource); ok && at.In(paris).Format(time.DateOnly) < day {
				p.Drift(Finding{Reason: Search, Path: typ + "?_lastUpdated", Was: "changes since a day", Now: "older ones as well",
					Message: fmt.Sprintf("A delta call of %s holds resources that changed before its date.", typ)}, a)
			}
		}
	}
	return nil
}

// newest returns a moment since which several of the seeds changed, as late as
// can be: one alone may have changed again.
func newest(seeds []Entry) (moment time.Time, ok bool) {
	var all []time.Time
	for _, e := range seeds {
		if at, dated := lastUpdated(e.Resource); dated {
			all = append(all, at)
		}
	}
	if len(all) == 0 {
		return moment, false
	}
	slices.SortFunc(all, func(a, b time.Time) int { return b.Compare(a) })
	return all[min(len(all), probes)-1], true
}
