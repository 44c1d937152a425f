package witness

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// precision is how much of a date was written.
type precision int

const (
	year precision = iota
	month
	day
	minute
	second
	milli
)

// dateValue is one parsed item of a date parameter.
type dateValue struct {
	prefix  string // "" when none was written, which means eq
	instant time.Time
	written precision
}

var datePrefixes = map[string]string{
	"eq": "eq", "ne": "ne", "gt": "gt", "ge": "ge", "lt": "lt", "le": "le", "sa": "gt", "eb": "lt", "ap": "ap",
	">": "gt", ">=": "ge", "<": "lt", "<=": "le", "=": "eq", "~": "ap",
}

// parseDate reads a date as HAPI's DateParam does; problem is the diagnostics
// of a refused one (ans-server.md §2.6).
func parseDate(item string, zone *time.Location) (d dateValue, problem string) {
	if strings.TrimSpace(item) == "" {
		return d, unknownError
	}
	start := strings.IndexFunc(item, func(r rune) bool { return r == '-' || r == '%' || unicode.IsDigit(r) })
	if start < 0 {
		return d, fmt.Sprintf(`HAPI-1940: Invalid date/time/quantity format: "%s"`, item)
	}
	if written := item[:start]; written != "" {
		prefix, known := datePrefixes[written]
		if !known {
			return d, fmt.Sprintf(`HAPI-1941: Invalid prefix: "%s"`, written)
		}
		d.prefix = prefix
	}
	value := item[start:]
	p := dateParser{text: value, zone: zone}
	defer func() {
		if r := recover(); r != nil {
			refused, ours := r.(badDate)
			if !ours {
				panic(r)
			}
			problem = string(refused)
		}
	}()
	d.instant, d.written = p.parse()
	return d, ""
}

// badDate is the diagnostics a dateParser gives up with.
type badDate string

// dateParser walks yyyy-MM-ddThh:mm:ss.SSS+hh:mm left to right, checking each
// part as it reaches it.
type dateParser struct {
	text string
	zone *time.Location
}

func (p *dateParser) parse() (time.Time, precision) {
	s := p.text
	p.atLeast(4)
	y, mo, d, h, mi, sec, ms := p.number(0, 4, 0, 9999), 1, 1, 0, 0, 0, 0
	written := year
	instant := func() (time.Time, precision) {
		return time.Date(y, time.Month(mo), d, h, mi, sec, ms*1e6, p.zone), written
	}
	if len(s) == 4 {
		return instant()
	}
	p.expect(4, '-')
	p.atLeast(7)
	mo, written = p.number(5, 7, 1, 12), month
	if len(s) == 7 {
		return instant()
	}
	p.expect(7, '-')
	p.atLeast(10)
	last := time.Date(y, time.Month(mo)+1, 0, 0, 0, 0, 0, time.UTC).Day()
	d, written = p.number(8, 10, 1, last), day
	if len(s) == 10 {
		return instant()
	}
	p.atLeast(16)
	p.expect(10, 'T')
	end := len(s) // of the time, before the offset
	if i := p.offsetIndex(); i >= 0 {
		p.zone, end = p.offset(s[i:]), i
	}
	p.expect(13, ':')
	h, mi, written = p.number(11, 13, 0, 23), p.number(14, 16, 0, 59), minute
	if end == 16 {
		return instant()
	}
	p.atLeast(19)
	p.expect(16, ':')
	sec, written = p.number(17, 19, 0, 60), second
	if end <= 19 {
		return instant()
	}
	p.expect(19, '.')
	p.atLeast(20)
	digits := s[20:min(end, 23)]
	ms, written = p.number(20, 20+len(digits), 0, 999), milli
	for range 3 - len(digits) {
		ms *= 10
	}
	return instant()
}

func (p *dateParser) refuse() {
	panic(badDate(fmt.Sprintf(`HAPI-1882: Invalid date/time format: "%s"`, p.text)))
}

func (p *dateParser) refuseBecause(why string) {
	panic(badDate(fmt.Sprintf(`HAPI-1883: Invalid date/time format: "%s": %s`, p.text, why)))
}

func (p *dateParser) atLeast(n int) {
	if len(p.text) < n {
		p.refuse()
	}
}

func (p *dateParser) expect(i int, c byte) {
	if p.text[i] != c {
		p.refuseBecause(fmt.Sprintf("Expected character '%c' at index %d but found %c", c, i, p.text[i]))
	}
}

func (p *dateParser) number(from, to, low, high int) int {
	n, err := strconv.Atoi(p.text[from:to])
	if err != nil || n < low || n > high {
		p.refuse()
	}
	return n
}

// offsetIndex finds the only '+', '-' or 'Z' after the minutes.
func (p *dateParser) offsetIndex() int {
	found := -1
	for i := 16; i < len(p.text); i++ {
		if strings.IndexByte("+-Z", p.text[i]) >= 0 {
			if found >= 0 {
				p.refuse()
			}
			found = i
		}
	}
	return found
}

func (p *dateParser) offset(s string) *time.Location {
	if s[0] == 'Z' {
		return time.UTC
	}
	if len(s) != 6 || s[3] != ':' {
		p.refuseBecause(`Timezone offset must be in the form "Z", "-HH:mm", or "+HH:mm"`)
	}
	at := len(p.text) - len(s)
	seconds := 3600*p.number(at+1, at+3, 0, 23) + 60*p.number(at+4, at+6, 0, 59)
	if s[0] == '-' {
		seconds = -seconds
	}
	return time.FixedZone("", seconds)
}

// dateTest compares `_lastUpdated`, both sides cut to the written precision on
// the server's wall clock; ap ignores precision (§2.6).
func dateTest(d dateValue, zone *time.Location) test {
	query := wall(d.instant, zone, d.written)
	return func(r *resource) bool {
		if r.updated.IsZero() {
			return d.prefix == "ne"
		}
		stored := wall(r.updated, zone, d.written)
		switch d.prefix {
		case "ne":
			return !stored.Equal(query)
		case "gt":
			return stored.After(query)
		case "ge":
			return !stored.Before(query)
		case "lt":
			return stored.Before(query)
		case "le":
			return !stored.After(query)
		case "ap":
			at, ms := float64(r.updated.UnixMilli()), float64(d.instant.UnixMilli())
			return ms/1.1 < at && at < ms*1.1
		}
		return stored.Equal(query)
	}
}

// wall is what a clock in the zone shows, cut to the precision.
func wall(t time.Time, zone *time.Location, cut precision) time.Time {
	t = t.In(zone)
	y, mo, d := t.Date()
	h, mi, sec, ms := t.Hour(), t.Minute(), t.Second(), t.Nanosecond()/1e6
	switch cut {
	case year:
		mo, d, h, mi, sec, ms = 1, 1, 0, 0, 0, 0
	case month:
		d, h, mi, sec, ms = 1, 0, 0, 0, 0
	case day:
		h, mi, sec, ms = 0, 0, 0, 0
	case minute:
		sec, ms = 0, 0
	case second:
		ms = 0
	}
	return time.Date(y, mo, d, h, mi, sec, ms*1e6, time.UTC)
}
