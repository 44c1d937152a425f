package search

import (
	"net/url"
	"strings"
	"time"

	"github.com/mockfhir/mockfhir/internal/store"
)

// chain is a search by a parameter of what a reference leads to, which the
// real service accepted for some references in July 2026 (issue #414) and
// refuses by its public source.
type chain struct {
	param  string // the reference
	typ    string // what it leads to
	target store.Criterion
}

// addChain reads reference.parameter. added is false when it is no such name,
// or when chains are refused.
func (q *Query) addChain(p pair) (added bool, err error) {
	reference, name, dotted := strings.Cut(p.name, ".")
	param := q.typ.Param(reference)
	if !q.rules.Chained || !dotted || param == nil || len(param.Targets) == 0 {
		return false, nil
	}
	target := q.table.Type(param.Targets[0]).Param(name)
	if target == nil {
		return false, nil
	}
	c, err := q.criterion(target, p)
	q.chains = append(q.chains, chain{param.Name, param.Targets[0], c})
	return true, err
}

// criteria are those of the query, its chains resolved.
func (q *Query) criteria(snap *store.Snapshot) []store.Criterion {
	all := q.Criteria
	for _, c := range q.chains {
		found := snap.Search(c.typ, []store.Criterion{c.target})
		led := store.Criterion{Param: c.param, Any: []store.Condition{{Match: store.Never}}}
		for _, doc := range found.From(0, found.Count()) {
			led.Any = append(led.Any, store.Condition{Match: store.Exactly, Space: store.Target, Text: c.typ + "/" + doc.ID()})
		}
		all = append(all[:len(all):len(all)], led)
	}
	return all
}

// accentedCondition is a string that begins with the value, accents included,
// as in version 1 (issue #239).
func accentedCondition(value string) store.Condition {
	lower := strings.ToLower(value)
	return store.Condition{Match: store.Where, Space: store.Raw, Like: func(text string) bool {
		return strings.HasPrefix(strings.ToLower(text), lower)
	}}
}

// Retell is what an incident makes of a date that is looked for.
func (r Rules) Retell(param string, d store.Date) (c store.Condition, changed bool) {
	lower := d.Relation == store.Greater || d.Relation == store.GreaterOrEqual
	switch {
	case param != "_lastUpdated":
	case r.DeltaWindow > 0 && lower && r.Now.Sub(d.Time) > r.DeltaWindow+24*time.Hour: // the whole day of the mark is kept
		return store.Condition{Match: store.Never}, true
	case !r.Reloaded.IsZero():
		return store.Condition{Match: store.Never, Not: d.Holds(r.Reloaded)}, true
	}
	return store.Condition{}, false
}

// Outline reads of a raw query what the scopes of incidents look at: the
// decoded names of its parameters with their modifiers, the most values in one
// of them, and how many matches a page of it holds.
func Outline(query string) (names []string, values, count int) {
	count = DefaultCount
	all, err := pairs(query)
	if err != nil {
		return nil, 0, count
	}
	for _, p := range all {
		name := p.name
		if p.modifier != "" {
			name += ":" + p.modifier
		}
		names, values = append(names, name), max(values, len(p.values))
		if n := 0; p.name == "_count" && len(p.values) > 0 {
			if n, _ = javaInt(p.values[0]); n > 0 {
				count = n
			}
		}
	}
	return names, values, count
}

// MapValues changes the values of a search, which is read and written again
// piece by piece; what cannot be decoded stays as it is.
func MapValues(target string, f func(name, value string) string) string {
	typ, query, asked := strings.Cut(target, "?")
	if !asked {
		return target
	}
	pieces := strings.Split(query, "&")
	for i, piece := range pieces {
		rawName, rawValue, _ := strings.Cut(piece, "=")
		name, ok := decode(rawName)
		value, ok2 := decode(rawValue)
		if !ok || !ok2 || value == "" {
			continue
		}
		name, _, _ = strings.Cut(name, ":")
		list := items(value)
		for j := range list {
			list[j] = f(name, list[j])
		}
		if mapped := strings.Join(list, ","); mapped != value {
			pieces[i] = rawName + "=" + url.QueryEscape(mapped)
		}
	}
	return typ + "?" + strings.Join(pieces, "&")
}
