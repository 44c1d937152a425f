package redact

import (
	"regexp"
	"time"
)

var dateForm = regexp.MustCompile(`^[0-9]{4}(-[0-9]{2}(-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:[0-9]{2}| [0-9]{2}:[0-9]{2})?)?)?)?$`)

const dayLength = len("2006-01-02")

// date keeps the day. The time of the day is replaced: a search by the exact
// instant of an update would find the real resource again.
func (r *Redactor) date(v string) (string, bool) {
	if !dateForm.MatchString(v) {
		return "", false
	}
	if len(v) <= dayLength {
		return v, true
	}
	r.count(instant)
	b := []byte(v)
	if n := len(b); n > 6 && b[n-6] == ' ' { // the + of a query, decoded
		b[n-6] = '+'
	}
	x := r.keyed.text(instant.tweak(), string(b))
	if at, err := time.Parse(time.RFC3339Nano, string(b)); err == nil { // one instant, however written
		x = r.keyed.number(instant.tweak(), uint64(at.UnixMilli()))
	}
	const milliseconds = 24 * 60 * 60 * 1000
	clock := time.UnixMilli(int64(x % milliseconds)).UTC().Format("15:04:05.000000000")
	for i := dayLength + 1; i < len(b) && (b[i] >= '0' && b[i] <= '9' || b[i] == ':' || b[i] == '.'); i++ {
		b[i] = clock[i-dayLength-1]
	}
	return string(b), true
}
