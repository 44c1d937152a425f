package gateway

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Kind is the policy that counts calls (gravitee.md §2).
type Kind uint8

const (
	RateLimit   Kind = iota // short periods, seconds or minutes
	Quota                   // long periods, up to months
	SpikeArrest             // a rate cut into slices of at least 100 ms
)

// Unit is the unit of a period, as the messages spell it.
type Unit string

const (
	Seconds Unit = "seconds"
	Minutes Unit = "minutes"
	Hours   Unit = "hours"
	Days    Unit = "days"
	Weeks   Unit = "weeks"
	Months  Unit = "months"
)

// A Rate allows Limit calls per Period Units. The zero Rate allows any number.
type Rate struct {
	Kind   Kind
	Limit  int
	Period int
	Unit   Unit
}

const validRates = `17/1s, 1000/1m, quota:1000/1m, quota:50000/1d, spike:17/1s, or 0 for none; ` +
	`units are s, m (minutes), h, d, w and mo, the last four for quotas only`

var units = map[string]Unit{"s": Seconds, "m": Minutes, "h": Hours, "d": Days, "w": Weeks, "mo": Months}

// The bounds keep every product of limit and period far from overflow.
const (
	maxLimit  = 1_000_000_000
	maxPeriod = 1_000_000
)

// ParseRate reads "17/1s", "quota:1000/1m", "spike:17/1s", or "0" for none.
// The error says what would be valid.
func ParseRate(s string) (Rate, error) {
	if s == "0" {
		return Rate{}, nil
	}
	bad := func(why string) (Rate, error) {
		return Rate{}, fmt.Errorf("rate %q: %s; valid are %s", s, why, validRates)
	}
	var r Rate
	text := s
	if kind, rest, ok := strings.Cut(s, ":"); ok {
		text = rest
		switch kind {
		case "rate":
		case "quota":
			r.Kind = Quota
		case "spike":
			r.Kind = SpikeArrest
		default:
			return bad(fmt.Sprintf("%q is not a kind of limit", kind))
		}
	}
	limit, period, ok := strings.Cut(text, "/")
	if !ok {
		return bad("no period")
	}
	var err error
	if r.Limit, err = strconv.Atoi(limit); err != nil || r.Limit < 1 || r.Limit > maxLimit {
		return bad(fmt.Sprintf("the limit is a number from 1 to %d", maxLimit))
	}
	digits := strings.TrimRight(period, "abcdefghijklmnopqrstuvwxyz")
	if r.Period, err = strconv.Atoi(digits); err != nil || r.Period < 1 || r.Period > maxPeriod {
		return bad(fmt.Sprintf("the period is a number from 1 to %d and a unit", maxPeriod))
	}
	if r.Unit, ok = units[period[len(digits):]]; !ok {
		return bad(fmt.Sprintf("%q is not a unit", period[len(digits):]))
	}
	if r.Kind != Quota && r.Unit != Seconds && r.Unit != Minutes {
		return bad("this kind of limit counts in seconds or minutes")
	}
	return r, nil
}

// String prints what ParseRate reads.
func (r Rate) String() string {
	if r.Limit == 0 {
		return "0"
	}
	kind := ""
	switch r.Kind {
	case Quota:
		kind = "quota:"
	case SpikeArrest:
		kind = "spike:"
	}
	for short, unit := range units {
		if unit == r.Unit {
			return fmt.Sprintf("%s%d/%d%s", kind, r.Limit, r.Period, short)
		}
	}
	return fmt.Sprintf("%s%d/%d %s", kind, r.Limit, r.Period, r.Unit)
}

// end is the instant at which a window opened at start is over, in Unix
// milliseconds. Weeks and months follow the calendar of start's zone
// (ratelimit DateUtils.java:28-37).
func (r Rate) end(start time.Time) int64 {
	switch r.Unit {
	case Months:
		return addMonths(start, r.Period).UnixMilli()
	case Weeks:
		return start.AddDate(0, 0, 7*r.Period).UnixMilli()
	default:
		return start.UnixMilli() + r.fixed()
	}
}

// fixed is the period in milliseconds, for units that always last the same.
func (r Rate) fixed() int64 {
	n := int64(r.Period)
	switch r.Unit {
	case Days:
		return n * 24 * 3600_000
	case Hours:
		return n * 3600_000
	case Minutes:
		return n * 60_000
	default:
		return n * 1000
	}
}

// addMonths stops at the end of a shorter month, as java.util.Calendar does.
func addMonths(t time.Time, months int) time.Time {
	sum := t.AddDate(0, months, 0)
	if sum.Day() != t.Day() {
		return sum.AddDate(0, 0, -sum.Day())
	}
	return sum
}

// slice is how spike arrest cuts the period: limit calls per ms milliseconds,
// slices below 100 ms being merged (spike LimitUtils.java:28-51).
func (r Rate) slice() (limit int, ms int64) {
	each := float64(r.fixed()) / float64(r.Limit)
	n := 1.0
	if each < 100 {
		n = math.Round(100 / each)
	}
	return int(n), int64(n * each)
}

// message is the text of the 429 (gravitee.md §2.1).
func (r Rate) message(legacy bool) string {
	what := "Rate limit"
	switch r.Kind {
	case Quota:
		what = "Quota"
	case SpikeArrest:
		what = "Spike limit"
	}
	exceeded, reached := "exceeded!", "reached"
	if legacy {
		exceeded, reached = "exceeded !", "reach"
	}
	if r.Kind == SpikeArrest {
		limit, ms := r.slice()
		return fmt.Sprintf("%s %s You %s the limit of %d requests per %d ms.", what, exceeded, reached, limit, ms)
	}
	return fmt.Sprintf("%s %s You %s the limit of %d requests per %d %s", what, exceeded, reached, r.Limit, r.Period, r.Unit)
}
