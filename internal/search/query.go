package search

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/store"
)

// Rules are what a search is read by: the zone and the clock of the service,
// and the points where production differs from the public source
// (ans-server.md §13).
type Rules struct {
	Zone *time.Location // of dates without an offset, and of their comparison
	Now  time.Time      // of %now and %today

	// URISearch compares parameters of kind uri exactly; the source refuses them.
	URISearch bool
	// FragilePages loses searches between their first and second page as the
	// source does (§6.5).
	FragilePages bool
	// CountBudget is how many resources a search may look through before the
	// service stops counting its matches, 0 meaning any number.
	CountBudget int

	// What an incident changes; the zero value is the service on a good day.
	DefaultCount int           // of matches on a page, 0 meaning 50
	MaxCount     int           // larger pages are cut to this, 0 meaning never
	Accents      bool          // accents count in searches by the beginning of a string
	Chained      bool          // reference.parameter is a parameter
	DeltaWindow  time.Duration // a lower bound older than this finds nothing, 0 meaning all is kept
	Reloaded     time.Time     // when every _lastUpdated is of, zero meaning its own
}

// Limits of _count (§2.9).
const (
	DefaultCount = 50
	maxCount     = 50_000_000
)

// Total is what a search asks to be counted.
type Total int

// The values of _total. The real server counts exactly for both accurate and
// estimate; when none is given it gives up after a second (see
// Rules.CountBudget).
const (
	Counted Total = iota
	NotCounted
)

// Include is one _include or _revinclude.
type Include struct{ Type, Param string }

// Query is a search that was understood.
type Query struct {
	Type       string
	Criteria   []store.Criterion
	Count      int // of matches on a page; 0 or less shows none
	Total      Total
	TotalAsked bool     // by _total=accurate or estimate
	Elements   []string // nil is all
	Include    []Include
	RevInclude []Include
	Doubt      string // what the client may not have meant, "" for nothing

	chains []chain

	// UnprefixedDate breaks the search at the end of its first page, and
	// BreaksPage2 at the beginning of its second, when pages are fragile.
	UnprefixedDate bool
	BreaksPage2    bool

	rules Rules
	table *fixtures.Table
	typ   *fixtures.Type // nil when the table does not know it
	keep  narrowing      // of Elements
}

// Parse reads "Practitioner?name=a&_count=5": a resource type and what follows
// the question mark, both as received. A piece that cannot be decoded is told
// first, then the first mistake from the left, and at the end that the type is
// unknown. Errors are of type *Error.
func Parse(table *fixtures.Table, target string, rules Rules) (*Query, error) {
	typ, query, _ := strings.Cut(target, "?")
	q := &Query{Type: typ, Count: cmp.Or(rules.DefaultCount, DefaultCount), rules: rules, table: table, typ: table.Type(typ)}
	read, err := pairs(query)
	if err != nil {
		return nil, err
	}
	for _, p := range read {
		if err := q.add(p); err != nil {
			return nil, err
		}
	}
	if q.typ == nil {
		return nil, refuse(UnsupportedType)
	}
	if rules.MaxCount > 0 {
		q.Count = min(q.Count, rules.MaxCount)
	}
	if last := len(q.Criteria) - 1; last >= 0 {
		q.fragile(len(q.Criteria[last].Any) == 0)
	}
	if q.Elements != nil {
		if q.keep = q.narrowing(); q.keep == nil {
			return nil, refuse(UnknownError)
		}
	}
	return q, nil
}

func (q *Query) add(p pair) error {
	switch p.name {
	case "_pretty", "_format":
		return nil
	case "_count":
		return q.addCount(p.values)
	case "_total":
		return q.addTotal(p.values)
	case "_elements":
		return q.addElements(p.values)
	case "_include":
		return q.addIncludes(p.values, false)
	case "_revinclude":
		return q.addIncludes(p.values, true)
	}
	param := q.typ.Param(p.name)
	if param == nil {
		if added, err := q.addChain(p); added {
			return err
		}
		return q.addLink(p)
	}
	if param.Kind == fixtures.URI && !q.rules.URISearch { // whatever its value
		return refuse(badKind)
	}
	c, err := q.criterion(param, p)
	q.Criteria = append(q.Criteria, c)
	return err
}

func (q *Query) criterion(param *fixtures.Param, p pair) (store.Criterion, error) {
	c := store.Criterion{Param: param.Name}
	for _, value := range p.values {
		cond, err := q.condition(param, p.modifier, value)
		if err != nil {
			return c, err
		}
		c.Any = append(c.Any, cond)
	}
	if param.Kind == fixtures.Token && p.modifier == "not" && len(c.Any) > 1 {
		q.Doubt = param.Name + ":not with several codes leaves out only what has all of them (ans-server.md §13); send it once for each code"
	}
	return c, nil
}

// condition reads one value of a parameter.
func (q *Query) condition(param *fixtures.Param, modifier, value string) (store.Condition, error) {
	if param.Kind == fixtures.Date {
		date, prefixed, err := parseDate(value, q.rules.Zone, q.rules.Now)
		q.UnprefixedDate = q.UnprefixedDate || !prefixed
		if told, changed := q.rules.Retell(param.Name, date); changed {
			return told, err
		}
		return store.Condition{Match: store.On, Date: date}, err
	}
	if !acceptable(value) {
		return store.Condition{}, refuse(badValue)
	}
	switch param.Kind {
	case fixtures.String:
		q.fragile(strings.ContainsAny(value, "%$"))
		if q.rules.Accents && modifier != "exact" && modifier != "contains" {
			return accentedCondition(value), nil
		}
		return StringCondition(modifier, value, store.Normalize), nil
	case fixtures.Token:
		q.fragile(strings.ContainsAny(value, "%$"))
		return TokenCondition(modifier, value), nil
	case fixtures.Reference:
		q.fragile(len(param.Targets) == 0)
		return ReferenceCondition(value)
	}
	return store.Condition{Match: store.Exactly, Space: store.URI, Text: value}, nil
}

// decay turns the criteria into what the source reads back from its token on
// the second page (§6.5): "+" has become a space, "|" looks for an empty code,
// a bare id has got the type its parameter points to.
func (q *Query) decay() {
	for i := range q.Criteria {
		c := &q.Criteria[i]
		for j := range c.Any {
			cond := &c.Any[j]
			switch cond.Space {
			case store.NoCode:
				cond.Space = store.Code
			case store.TargetID:
				if targets := q.typ.Param(c.Param).Targets; len(targets) > 0 {
					cond.Space, cond.Text = store.Target, targets[0]+"/"+cond.Text
				}
			}
			cond.Text = strings.ReplaceAll(cond.Text, "+", " ")
		}
	}
}

func (q *Query) fragile(yes bool) { q.BreaksPage2 = q.BreaksPage2 || yes }

// StringCondition reads a string: it begins with the value, whatever the
// modifier, but for contains and exact (§2.4).
func StringCondition(modifier, value string, fold func(string) string) store.Condition {
	switch modifier {
	case "exact":
		return store.Condition{Match: store.Exactly, Space: store.Raw, Text: value}
	case "contains":
		return store.Condition{Match: store.Contains, Space: store.Folded, Text: fold(value)}
	}
	return store.Condition{Match: store.Prefix, Space: store.Folded, Text: fold(value)}
}

// TokenCondition reads code, system|code and system| (§2.5). "not" looks at the
// code alone; all other modifiers are ignored.
func TokenCondition(modifier, value string) store.Condition {
	system, code, found := strings.Cut(value, "|")
	if !found {
		system, code = "", value
	}
	system, code = strings.Trim(system, " "), strings.Trim(code, " ")
	not := modifier == "not"
	switch {
	case code == "" && (system == "" || not):
		return store.Condition{Match: store.Exactly, Space: store.NoCode, Not: not}
	case code == "":
		return store.Condition{Match: store.Exactly, Space: store.System, Text: system}
	case system == "" || not:
		return store.Condition{Match: store.Exactly, Space: store.Code, Text: code, Not: not}
	}
	return store.Condition{Match: store.Exactly, Space: store.SystemCode, Text: system + "|" + code}
}

// ReferenceCondition reads Type/id, id and /id; a version, a base URL or an
// empty id is an error (§2.7).
func ReferenceCondition(value string) (store.Condition, error) {
	typ, id, found := strings.Cut(value, "/")
	if !found {
		typ, id = "", value
	}
	if strings.TrimSpace(id) == "" || strings.Contains(id, "/") {
		return store.Condition{}, refuse(UnknownError)
	}
	if typ == "" {
		return store.Condition{Match: store.Exactly, Space: store.TargetID, Text: id}, nil
	}
	return store.Condition{Match: store.Exactly, Space: store.Target, Text: value}, nil
}

// addLink knows the names links.Type.param, which the server looks up in the
// configuration of another type and in data that has no such field (§2.2).
func (q *Query) addLink(p pair) error {
	parts := strings.Split(p.name, ".")
	if len(parts) != 3 || parts[0] != "links" {
		return unknownParam(p.name, q.Type)
	}
	other := q.table.Type(parts[1])
	if other == nil {
		return refuse(UnknownError)
	}
	if other.Param(parts[2]) == nil || q.typ == nil {
		return unknownParam(p.name, q.Type)
	}
	if len(p.values) > 0 {
		nothing := store.Condition{Match: store.Never}
		q.Criteria = append(q.Criteria, store.Criterion{Param: q.typ.Params[0].Name, Any: []store.Condition{nothing}})
	}
	return nil
}

func (q *Query) addCount(values []string) error {
	if len(values) == 0 {
		return nil
	}
	n, ok := javaInt(values[0])
	if !ok || n > maxCount {
		return refuse(badCount)
	}
	q.Count = n
	return nil
}

func (q *Query) addTotal(values []string) error {
	if len(values) == 0 {
		return nil
	}
	switch values[0] {
	case "accurate", "estimate":
		q.Total, q.TotalAsked = Counted, true
	case "none":
		q.Total = NotCounted
	default:
		return refuse(badTotal)
	}
	return nil
}

func (q *Query) addElements(values []string) error {
	if len(values) == 0 {
		return nil
	}
	q.Elements = values
	q.fragile(slices.ContainsFunc(values, func(e string) bool { return strings.Contains(e, "_") }))
	return nil
}

// addIncludes reads the values of _include or _revinclude (§2.12). "*" is for
// _include alone.
func (q *Query) addIncludes(values []string, reverse bool) error {
	for _, value := range values {
		if value == "*" && !reverse && q.typ != nil {
			for _, p := range q.typ.Params {
				if p.Kind == fixtures.Reference {
					q.include(Include{q.Type, p.Name})
				}
			}
			continue
		}
		parts := javaSplit(value, ":")
		if len(parts) == 0 { // only colons: the source takes the first of no parts
			return refuse(UnknownError)
		}
		if len(parts) != 2 || !reverse && parts[0] != q.Type {
			return unknownParam(value, q.Type)
		}
		param := q.table.Type(parts[0]).Param(parts[1])
		if param == nil {
			return unknownParam(value, q.Type)
		}
		if strings.Trim(parts[1], letters+"-0123456789") != "" {
			return refuse(badInclude)
		}
		include := Include{parts[0], param.Name}
		if !reverse {
			q.include(include)
			continue
		}
		if q.RevInclude = append(q.RevInclude, include); len(q.RevInclude) > maxRevIncludes {
			return refuse(badInclude)
		}
	}
	return nil
}

// maxRevIncludes bounds an answer: each _revinclude answers anew, even one that
// is repeated. The real server has no such bound.
const maxRevIncludes = 100

// include adds an _include. One that is repeated changes nothing (§2.12).
func (q *Query) include(i Include) {
	if !slices.Contains(q.Include, i) {
		q.Include = append(q.Include, i)
	}
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
