package contract

import (
	"bufio"
	"fmt"
	"io"
	"path"
	"strings"
	"time"
)

// Ignore is the list of findings a team knows and accepts until a date.
type Ignore struct{ Lines []IgnoreLine }

// IgnoreLine accepts the findings of a check, or at a path, for a while.
type IgnoreLine struct {
	Number  int    // in the file, from 1
	Pattern string // a check ID or a finding's path; * stands for any part of a segment
	Until   time.Time
	Reason  string
}

// ParseIgnore reads an ignore file: one acceptance a line, three fields, and
// comments from # at the start of a line.
//
//	# check or path           until       reason
//	shape/Practitioner        2026-03-31  versionId is a number until 1.27, issue #359
//	Organization.address.city 2026-06-30  postal code in the city, issue #26
func ParseIgnore(r io.Reader) (*Ignore, error) {
	list := new(Ignore)
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		line, err := parseIgnoreLine(text)
		if err != nil {
			return nil, fmt.Errorf("ignore file, line %d: %w", n, err)
		}
		line.Number = n
		list.Lines = append(list.Lines, line)
	}
	return list, lines.Err()
}

func parseIgnoreLine(text string) (IgnoreLine, error) {
	pattern, rest := cutField(text)
	date, reason := cutField(rest)
	until, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return IgnoreLine{}, fmt.Errorf("after %q comes the last day it holds for, as 2026-03-31", pattern)
	}
	if reason == "" {
		return IgnoreLine{}, fmt.Errorf("%q is ignored for no reason; say why after the date", pattern)
	}
	if _, err := path.Match(pattern, ""); err != nil {
		return IgnoreLine{}, fmt.Errorf("%q is no pattern", pattern)
	}
	return IgnoreLine{Pattern: pattern, Until: until, Reason: reason}, nil
}

func cutField(text string) (field, rest string) {
	end := strings.IndexAny(text, " \t")
	if end < 0 {
		return text, ""
	}
	return text[:end], strings.TrimSpace(text[end:])
}

// Expired reports whether the last day is over.
func (l IgnoreLine) Expired(now time.Time) bool {
	return !now.Before(l.Until.AddDate(0, 0, 1))
}

func (l IgnoreLine) covers(f *Finding) bool {
	for _, name := range []string{f.Check, f.Path} {
		if matched, _ := path.Match(l.Pattern, name); matched && name != "" {
			return true
		}
	}
	return false
}

// apply marks the findings that are ignored, and returns one finding for each
// line that holds no longer: an acceptance nobody renews is not for ever.
func (i *Ignore) apply(findings []Finding, now time.Time) []Finding {
	if i == nil {
		return nil
	}
	var expired []Finding
	for _, line := range i.Lines {
		if line.Expired(now) {
			expired = append(expired, Finding{
				Check: "ignore/expired", Class: Breaking, Reason: Protocol, Path: line.Pattern,
				Was: "until " + line.Until.Format(time.DateOnly), Now: now.Format(time.DateOnly),
				Message: fmt.Sprintf("Line %d of the ignore file expired on %s: remove it, or renew it with a reason.",
					line.Number, line.Until.Format(time.DateOnly)),
				Why:    "An acceptance without end hides the next change at the same place.",
				Source: "the ignore file",
			})
			continue
		}
		for j := range findings {
			if f := &findings[j]; f.Ignored == "" && line.covers(f) {
				f.Ignored = line.Reason + " (until " + line.Until.Format(time.DateOnly) + ")"
			}
		}
	}
	return expired
}
