package rehearse

import (
	"cmp"
	"fmt"
	"slices"
)

// Expectation is what a test says of the calls its client should have made.
// Without a number, one call or more.
type Expectation struct {
	Filter
	Times   *int     `json:"times,omitempty"` // exactly; 0 is never
	AtLeast *int     `json:"atLeast,omitempty"`
	AtMost  *int     `json:"atMost,omitempty"`
	Then    []Filter `json:"then,omitempty"` // and afterwards, in this order
}

// Verdict is whether an expectation was met.
type Verdict struct {
	OK      bool    `json:"ok"`
	Message string  `json:"message"`
	Calls   []Entry `json:"calls"` // those that were looked for
}

// Verify holds the journal against an expectation.
func (j *Journal) Verify(x Expectation) Verdict {
	all := j.Entries(Filter{})
	slices.SortStableFunc(all, func(a, b Entry) int { return cmp.Compare(a.Arrived, b.Arrived) })
	found := choose(all, x.Filter)
	message, ok := x.count(len(found))
	if ok && len(x.Then) > 0 && len(found) > 0 {
		if step, last, met := inOrder(all, found[0].ID, x.Then); !met {
			message, ok = fmt.Sprintf("step %d did not come after call %d", step, last), false
		}
	}
	return Verdict{ok, message, found}
}

// count judges how many calls there were.
func (x *Expectation) count(n int) (message string, ok bool) {
	switch {
	case x.Times != nil && n != *x.Times:
		return fmt.Sprintf("called %s, expected %s", times(n), times(*x.Times)), false
	case x.AtMost != nil && n > *x.AtMost:
		return fmt.Sprintf("called %s, expected at most %s", times(n), times(*x.AtMost)), false
	case x.AtLeast != nil && n < *x.AtLeast:
		return fmt.Sprintf("called %s, expected at least %s", times(n), times(*x.AtLeast)), false
	case x.Times == nil && x.AtMost == nil && x.AtLeast == nil && n == 0:
		return "never called", false
	}
	return "called " + times(n), true
}

func times(n int) string {
	switch n {
	case 0:
		return "never"
	case 1:
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// inOrder says whether, after a first call, there is one for each step, each
// later than the one before. If not, it names the step, counted from the first
// call, and the last call that was found.
func inOrder(all []Entry, first int64, steps []Filter) (step int, last int64, met bool) {
	at := slices.IndexFunc(all, func(e Entry) bool { return e.ID == first })
	for i, f := range steps {
		next := slices.IndexFunc(all[at+1:], func(e Entry) bool { return f.wants(&e) })
		if next < 0 {
			return i + 2, all[at].ID, false
		}
		at += 1 + next
	}
	return 0, all[at].ID, true
}

// choose is Entries on a list, so that one expectation sees one journal.
func choose(all []Entry, f Filter) []Entry {
	list := []Entry{}
	for i := range all {
		if f.wants(&all[i]) {
			list = append(list, all[i])
		}
	}
	return f.last(list)
}
