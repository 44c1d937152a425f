package search

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/mockfhir/mockfhir/internal/store"
)

// Page is what one answer holds of a search.
type Page struct {
	Query    *Query
	Total    int // -1 when it is not told
	Matches  []store.Doc
	Included []Batch // what follows the matches, or stands between them
	Next     *Cursor // nil on the last page
}

// String tells what was found.
func (p *Page) String() string {
	found := "a search of " + p.Query.Type + ": " + strconv.Itoa(len(p.Matches)) + " matches on this page"
	if p.Total >= 0 {
		found += ", " + strconv.Itoa(p.Total) + " in all"
	}
	if p.Query.Doubt != "" {
		found += "; " + p.Query.Doubt
	}
	return found
}

// Batch is resources that follow the match of that number: the includes of a
// page, or the resources that refer to its matches.
type Batch struct {
	After int // matches that come before the batch
	Docs  []store.Doc
}

// Cursor is where a search goes on. Its fields are what a page token carries.
type Cursor struct {
	Target string // type?query as it was received
	Total  int
	State  int64 // of the directory when the search began
	Asked  int64 // when that was, in milliseconds since 1970
	Seq    int64 // of the last match shown
}

// flushAt is the number of matches after which the resources that refer to
// them are written, in the middle of a page (ans-server.md §4.3).
const flushAt = 1000

// First answers the first page of a search.
func First(snap *store.Snapshot, q *Query, target string) *Page {
	criteria := q.criteria(snap)
	matches := snap.Search(q.Type, criteria)
	total := -1
	if q.counts(snap, criteria) {
		total = matches.Count()
	}
	start := Cursor{Target: target, Total: total, State: snap.State, Asked: q.rules.Now.UnixMilli(), Seq: -1}
	return page(snap, q, matches, start)
}

// counts tells whether the answer has a total. Unless it was asked for, the
// real server gives up after a second (ans-server.md §2.10), which a text that
// is looked for anywhere in a string needs at the size of the country: no index
// helps, so each resource the other criteria leave is looked through (§2.4).
// A budget of resources stands for the second, so that an answer does not
// depend on the machine.
func (q *Query) counts(snap *store.Snapshot, criteria []store.Criterion) bool {
	if q.Total == NotCounted || q.TotalAsked || q.rules.CountBudget == 0 {
		return q.Total != NotCounted
	}
	indexed := slices.DeleteFunc(slices.Clone(criteria), func(c store.Criterion) bool {
		return slices.ContainsFunc(c.Any, func(one store.Condition) bool { return one.Match == store.Contains })
	})
	return len(indexed) == len(criteria) || snap.Search(q.Type, indexed).Count() <= q.rules.CountBudget
}

// Following answers the page a cursor leads to.
func Following(snap *store.Snapshot, q *Query, from Cursor) *Page {
	if q.rules.FragilePages {
		q.decay()
	}
	return page(snap, q, snap.Search(q.Type, q.criteria(snap)), from)
}

func page(snap *store.Snapshot, q *Query, matches store.Matches, from Cursor) *Page {
	p := &Page{Query: q, Total: from.Total}
	if q.Count <= 0 {
		return p
	}
	p.Matches = matches.From(from.Seq+1, q.Count+1)
	if len(p.Matches) > q.Count {
		p.Matches = p.Matches[:q.Count]
		next := from
		next.Seq = p.Matches[q.Count-1].Seq
		p.Next = &next
	}
	written := 0
	for ; len(q.RevInclude) > 0 && written+flushAt <= len(p.Matches); written += flushAt {
		p.addReferring(snap, written, written+flushAt)
	}
	if len(q.Include) > 0 {
		p.Included = append(p.Included, Batch{len(p.Matches), included(snap, q, p.Matches)})
	}
	if len(q.RevInclude) > 0 {
		p.addReferring(snap, written, len(p.Matches))
	}
	return p
}

// addReferring adds the resources that refer to a run of the matches.
func (p *Page) addReferring(snap *store.Snapshot, from, to int) {
	p.Included = append(p.Included, Batch{to, referring(snap, p.Query, p.Matches[from:to])})
}

// includeOrder is the order of the types among the includes: that of a Java
// HashMap keyed by their names (ans-server.md §4.3).
var includeOrder = []string{"Practitioner", "Organization", "Device", "HealthcareService", "PractitionerRole"}

// included are the resources the matches refer to, each once: by type, then by
// id. A reference that leads nowhere yields nothing.
func included(snap *store.Snapshot, q *Query, matches []store.Doc) []store.Doc {
	type found struct {
		id  string
		doc store.Doc
	}
	var all []found
	seen := map[string]bool{}
	for _, m := range matches {
		for _, include := range q.Include {
			for _, target := range snap.Targets(m, include.Param) {
				if seen[target] {
					continue
				}
				seen[target] = true
				typ, id := cutReference(target)
				if doc, ok := snap.Get(typ, id); ok {
					all = append(all, found{id, doc})
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b found) int {
		if a.doc.Type != b.doc.Type {
			return cmp.Or(cmp.Compare(rank(a.doc.Type), rank(b.doc.Type)), cmp.Compare(a.doc.Type, b.doc.Type))
		}
		return cmp.Compare(a.id, b.id)
	})
	docs := make([]store.Doc, len(all))
	for i := range all {
		docs[i] = all[i].doc
	}
	return docs
}

func rank(typ string) int {
	if i := slices.Index(includeOrder, typ); i >= 0 {
		return i
	}
	return len(includeOrder)
}

// referring are the resources that refer to the matches, one expression after
// the other; an expression given twice answers twice.
func referring(snap *store.Snapshot, q *Query, matches []store.Doc) []store.Doc {
	targets := make([]string, len(matches))
	for i, m := range matches {
		targets[i] = q.Type + "/" + m.ID()
	}
	var docs []store.Doc
	for _, include := range q.RevInclude {
		docs = append(docs, snap.Referring(include.Type, include.Param, targets)...)
	}
	return docs
}

func cutReference(target string) (typ, id string) {
	for i := range len(target) {
		if target[i] == '/' {
			return target[:i], target[i+1:]
		}
	}
	return "", target
}
