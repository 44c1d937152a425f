package search

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/mockfhir/mockfhir/internal/store"
)

var relations = map[string]store.Relation{
	"eq": store.Equal, "ne": store.NotEqual, "ap": store.Approximate,
	"gt": store.Greater, "ge": store.GreaterOrEqual, "sa": store.Greater,
	"lt": store.Less, "le": store.LessOrEqual, "eb": store.Less,
	// The prefixes of earlier FHIR, which HAPI still takes.
	"=": store.Equal, "~": store.Approximate,
	">": store.Greater, ">=": store.GreaterOrEqual,
	"<": store.Less, "<=": store.LessOrEqual,
}

// parseDate reads a date with its prefix as HAPI's DateParam does
// (ans-server.md §2.6). prefixed is false when none was written.
func parseDate(text string, zone *time.Location, now time.Time) (d store.Date, prefixed bool, err error) {
	if strings.TrimSpace(text) == "" {
		return d, false, refuse(UnknownError)
	}
	start := strings.IndexFunc(text, func(r rune) bool { return r == '-' || r == '%' || unicode.IsDigit(r) })
	if start < 0 {
		return d, false, refuse(fmt.Sprintf(`HAPI-1940: Invalid date/time/quantity format: "%s"`, text))
	}
	prefix := text[:start]
	if prefixed = strings.TrimSpace(prefix) != ""; prefixed {
		relation, known := relations[prefix]
		if !known {
			return d, true, refuse(fmt.Sprintf(`HAPI-1941: Invalid prefix: "%s"`, prefix))
		}
		d.Relation = relation
	}
	p := dateParser{text: text[start:], zone: zone, now: now}
	d.Time, d.Precision, err = p.parse()
	d.Time = d.Time.In(zone)
	return d, prefixed, err
}

// DateCondition reads a date with its prefix.
func DateCondition(value string, zone *time.Location, now time.Time) (store.Condition, error) {
	date, _, err := parseDate(value, zone, now)
	return store.Condition{Match: store.On, Date: date}, err
}

// dateParser is HAPI's BaseDateTimeDt.parse, with its messages. Indexes count
// characters, as the messages do.
type dateParser struct {
	text  string
	chars []rune
	zone  *time.Location
	now   time.Time
	err   error
}

func (p *dateParser) parse() (time.Time, store.Precision, error) {
	switch strings.ToLower(p.text) {
	case "%now":
		return p.now, store.Millisecond, nil
	case "%today":
		return p.now.In(p.zone), store.Day, nil
	}
	p.chars = []rune(p.text)
	if last := p.chars[len(p.chars)-1]; unicode.IsSpace(last) {
		p.bad("")
	}
	zone, precision := p.zone, store.Year
	month, day, hour, minute, second, nanos := 1, 1, 0, 0, 0, 0
	p.atLeast(4)
	year := p.number(0, 4, 0, 9999)
	if len(p.chars) > 4 {
		p.expect(4, '-')
		p.atLeast(7)
		month, precision = p.number(5, 7, 1, 12), store.Month
	}
	if len(p.chars) > 7 {
		p.expect(7, '-')
		p.atLeast(10)
		day, precision = p.number(8, 10, 1, time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()), store.Day
	}
	if len(p.chars) > 10 {
		p.atLeast(16)
		p.expect(10, 'T')
		end := p.offset()
		zone = p.offsetZone(end)
		p.expect(13, ':')
		hour, minute, precision = p.number(11, 13, 0, 23), p.number(14, 16, 0, 59), store.Minute
		if end > 16 {
			p.atLeast(19)
			p.expect(16, ':')
			second, precision = p.number(17, 19, 0, 60), store.Second
		}
		if end > 19 {
			p.expect(19, '.')
			p.atLeast(20)
			cut := min(end, 23)
			nanos, precision = p.number(20, cut, 0, 999)*1e6, store.Millisecond
			for range 23 - cut {
				nanos *= 10
			}
		}
	}
	if p.err != nil {
		return time.Time{}, 0, p.err
	}
	return time.Date(year, time.Month(month), day, hour, minute, second, nanos, zone), precision, nil
}

// bad keeps the first mistake; what is read after it does not matter.
func (p *dateParser) bad(why string) {
	if p.err != nil {
		return
	}
	if why == "" {
		p.err = refuse(fmt.Sprintf(`HAPI-1882: Invalid date/time format: "%s"`, p.text))
		return
	}
	p.err = refuse(fmt.Sprintf(`HAPI-1883: Invalid date/time format: "%s": %s`, p.text, why))
}

func (p *dateParser) atLeast(n int) {
	if len(p.chars) < n {
		p.bad("")
	}
}

func (p *dateParser) expect(at int, want rune) {
	if p.err == nil && p.chars[at] != want {
		p.bad(fmt.Sprintf("Expected character '%c' at index %d but found %c", want, at, p.chars[at]))
	}
}

func (p *dateParser) number(from, to, least, most int) int {
	if p.err != nil {
		return least
	}
	n, ok := javaInt(string(p.chars[from:to]))
	if !ok || n < least || n > most {
		p.bad("")
		return least
	}
	return n
}

// offset is where the zone offset begins, the end when there is none. Two
// signs are a mistake.
func (p *dateParser) offset() int {
	if p.err != nil {
		return len(p.chars)
	}
	at := len(p.chars)
	for _, sign := range "+-Z" {
		for i := 16; i < len(p.chars); i++ {
			if p.chars[i] == sign {
				if at < len(p.chars) {
					p.bad("")
				}
				at = i
				break
			}
		}
	}
	return at
}

func (p *dateParser) offsetZone(at int) *time.Location {
	if p.err != nil || at == len(p.chars) {
		return p.zone
	}
	if p.chars[at] == 'Z' {
		return time.UTC
	}
	if len(p.chars)-at != 6 || p.chars[at+3] != ':' {
		p.bad(`Timezone offset must be in the form "Z", "-HH:mm", or "+HH:mm"`)
		return p.zone
	}
	seconds := p.number(at+1, at+3, 0, 23)*3600 + p.number(at+4, at+6, 0, 59)*60
	if p.chars[at] == '-' {
		seconds = -seconds
	}
	return time.FixedZone("", seconds)
}
