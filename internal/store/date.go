package store

import (
	"sort"
	"time"
)

// Precision is how much of a date was written. It decides what a comparison
// looks at: both dates are cut to it (ans-server.md §2.6).
type Precision int

// From the coarsest to the finest.
const (
	Year Precision = iota
	Month
	Day
	Minute
	Second
	Millisecond
)

// Relation is how a stored date must stand to the one of a query.
type Relation int

// The relations of the prefixes eq, ne, gt (and sa), ge, lt (and eb), le, ap.
const (
	Equal Relation = iota
	NotEqual
	Greater
	GreaterOrEqual
	Less
	LessOrEqual
	Approximate
)

// Date is a condition on a date. Its location is the zone dates are cut in.
type Date struct {
	Relation  Relation
	Precision Precision
	Time      time.Time
}

// slack covers what a change of clocks can move a wall clock time by.
const slack = 3 * time.Hour

// dates returns the documents whose date meets the condition. A document
// without a date meets only NotEqual.
func (ix *index) dates(size uint32, d Date) set {
	if d.Relation == NotEqual {
		d.Relation = Equal
		return ix.dates(size, d).not()
	}
	hits := newBits(size)
	take := func(from, to int) {
		for _, s := range ix.stamps[from:max(from, to)] {
			hits[s.doc>>6] |= 1 << (s.doc & 63)
		}
	}
	at := func(ms int64) int {
		return sort.Search(len(ix.stamps), func(i int) bool { return ix.stamps[i].ms >= ms })
	}
	if d.Relation == Approximate { // ten percent of the time since 1970, strictly (§2.6)
		ms := float64(d.Time.UnixMilli())
		for i, s := range ix.stamps {
			if v := float64(s.ms); ms/1.1 < v && v < ms*1.1 {
				take(i, i+1)
			}
		}
		return set{size: size, bits: hits}
	}
	// Instants and wall clocks are in the same order but for the hours around a
	// change of clocks: far from the ends of the period an instant decides,
	// near them the wall clock is worked out.
	start, end := d.period()
	before, inside := at(start.Add(-slack).UnixMilli()), at(start.Add(slack).UnixMilli())
	leaving, after := at(end.Add(-slack).UnixMilli()), at(end.Add(slack).UnixMilli())
	inside, leaving = min(inside, after), max(leaving, inside)
	less, equal, greater := d.wants()
	exactly := func(from, to int) {
		for i := from; i < to; i++ {
			switch c := d.compare(ix.stamps[i].ms); {
			case c < 0 && less, c == 0 && equal, c > 0 && greater:
				take(i, i+1)
			}
		}
	}
	if less {
		take(0, before)
	}
	exactly(before, inside)
	if equal {
		take(inside, leaving)
	}
	exactly(max(inside, leaving), after)
	if greater {
		take(after, len(ix.stamps))
	}
	return set{size: size, bits: hits}
}

// Holds says whether an instant meets the condition.
func (d Date) Holds(t time.Time) bool {
	ms := t.UnixMilli()
	switch d.Relation {
	case NotEqual:
		return d.compare(ms) != 0
	case Approximate:
		asked, v := float64(d.Time.UnixMilli()), float64(ms)
		return asked/1.1 < v && v < asked*1.1
	}
	less, equal, greater := d.wants()
	c := d.compare(ms)
	return c < 0 && less || c == 0 && equal || c > 0 && greater
}

func (d Date) wants() (less, equal, greater bool) {
	switch d.Relation {
	case Greater:
		return false, false, true
	case GreaterOrEqual:
		return false, true, true
	case Less:
		return true, false, false
	case LessOrEqual:
		return true, true, false
	}
	return false, true, false
}

// period is the stretch of time that the date, cut to its precision, names.
func (d Date) period() (start, end time.Time) {
	t := d.Time
	y, mo, day := t.Date()
	h, mi, s := t.Clock()
	date := func(y int, mo time.Month, day, h, mi, s int) time.Time {
		return time.Date(y, mo, day, h, mi, s, 0, t.Location())
	}
	switch d.Precision {
	case Year:
		return date(y, 1, 1, 0, 0, 0), date(y+1, 1, 1, 0, 0, 0)
	case Month:
		return date(y, mo, 1, 0, 0, 0), date(y, mo+1, 1, 0, 0, 0)
	case Day:
		return date(y, mo, day, 0, 0, 0), date(y, mo, day+1, 0, 0, 0)
	case Minute:
		return date(y, mo, day, h, mi, 0), date(y, mo, day, h, mi+1, 0)
	case Second:
		return date(y, mo, day, h, mi, s), date(y, mo, day, h, mi, s+1)
	}
	return t, t.Add(time.Millisecond)
}

// compare tells whether a stored instant, cut as the query is, comes before
// (-1), with (0) or after (1) it.
func (d Date) compare(ms int64) int {
	if d.Precision == Millisecond {
		return sign(ms - d.Time.UnixMilli())
	}
	return sign(d.cut(time.UnixMilli(ms).In(d.Time.Location())) - d.cut(d.Time))
}

// cut is the wall clock as one number, without what is below the precision.
func (d Date) cut(t time.Time) int64 {
	y, mo, day := t.Date()
	h, mi, s := t.Clock()
	parts := [...]int{y, int(mo), day, h*60 + mi, s}
	radix := [...]int64{1, 13, 32, 24 * 60, 60}
	n := int64(0)
	for i := range parts {
		n *= radix[i]
		if i <= int(d.Precision) {
			n += int64(parts[i])
		}
	}
	return n
}

func sign(n int64) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}
