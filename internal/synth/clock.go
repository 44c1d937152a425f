package synth

import "time"

// An instant is a moment in milliseconds of Unix time, printed in the service's
// zone, Europe/Paris.
type instant int64

// newest is when the last resource of a directory changed. The hour is early
// for the sake of servers that shift the set to today: what they print is then
// seldom in the future.
var newest = instant(time.Date(2026, time.June, 30, 0, 17, 5, 250e6, summer).UnixMilli())

var winter, summer = time.FixedZone("", 3600), time.FixedZone("", 7200)

func (t instant) local() time.Time {
	utc := time.UnixMilli(int64(t)).UTC()
	year := utc.Year()
	if lastSunday(year, time.March).After(utc) || !lastSunday(year, time.October).After(utc) {
		return utc.In(winter)
	}
	return utc.In(summer)
}

// lastSunday returns the hour at which the clocks of the European Union
// change: one o'clock, universal time, on the last Sunday of a month of 31
// days. It is computed here because a zone database may be absent, and its
// edition would decide bytes that must not vary.
func lastSunday(year int, month time.Month) time.Time {
	last := time.Date(year, month, 31, 1, 0, 0, 0, time.UTC)
	return last.AddDate(0, 0, -int(last.Weekday()))
}

func (t instant) append(b []byte) []byte {
	return t.local().AppendFormat(b, "2006-01-02T15:04:05.000-07:00")
}

// ago is the moment so many days before the newest.
func ago(days int) instant { return newest - instant(days)*86_400_000 }

// day returns the date of a moment.
func (t instant) day() day {
	_, offset := t.local().Zone()
	return day((int64(t)/1000 + int64(offset)) / 86_400)
}

// A day is a date, in days of Unix time; 0 is none.
type day int32

func (d day) append(b []byte) []byte {
	return time.Unix(int64(d)*86_400, 0).UTC().AppendFormat(b, time.DateOnly)
}

// A period; an end of 0 is open.
type period struct{ start, end day }

// lately draws when a resource last changed, and how often it has: two years
// back, and one resource in seven in the thirty days a delta reaches
// (ans-api.md §1.5).
func lately(s *source) (instant, int) {
	span := 730
	if s.percent(14) {
		span = 30
	}
	updated := ago(1) - instant(s.below(span*86_400))*1000 - instant(s.below(1000))
	if s.percent(60) {
		return updated, 1
	}
	return updated, s.between(2, 6)
}

// removed draws when a resource became inactive: the service drops inactive
// ones after a month (issue #418).
func removed(s *source) (instant, int) {
	return ago(1) - instant(s.below(28*86_400))*1000 - instant(s.below(1000)), s.between(2, 6)
}
