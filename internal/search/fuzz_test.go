package search

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"testing"

	"github.com/mockfhir/mockfhir/fixtures"
)

// documented are the diagnostics of ans-server.md §1.2, §2 and §3.2. Nothing
// else is ever told.
var documented = regexp.MustCompile(`(?s)^(?:` +
	`Can't process the request\. Resource type not supported\. Server knows how to handle: \[Device, HealthcareService, Organization, Practitioner, PractitionerRole\]` +
	`|Parameter .* not found for resource .*` +
	`|Search type not supported` +
	`|Bad parameter value\.` +
	`|Bad include parameter\.` +
	`|Unknown error` +
	`|The _count parameter must be in the FHIR format with an integer value : "_count=30"` +
	`|Bad value for the _total parameter\. Allowed values are : accurate, none, estimate` +
	`|HAPI-1940: Invalid date/time/quantity format: ".*"` +
	`|HAPI-1941: Invalid prefix: ".*"` +
	`|HAPI-1882: Invalid date/time format: ".*"` +
	`|HAPI-1883: Invalid date/time format: ".*": (?:Expected character '.' at index \d+ but found .|Timezone offset must be in the form "Z", "-HH:mm", or "\+HH:mm")` +
	`)$`)

// FuzzParse reads anything as a search. The laws: a refusal is an *Error with
// a documented text; what is understood is answered, and its pages tell every
// match once. The seeds are in testdata/fuzz.
func FuzzParse(f *testing.F) {
	zone := paris(f)
	s := directory(
		`Organization/o1 "name":"Étoile","active":true,"meta":{"lastUpdated":"2025-05-27T10:16:30.021+02:00"}`,
		`Organization/o2 "name":"ETOILE","partOf":{"reference":"Organization/o1"}`,
		"Device/d1 "+owner("o1"), "Device/d2",
	)
	f.Fuzz(func(t *testing.T, target string, source bool) {
		r := Rules{Zone: zone, Now: now, URISearch: !source, FragilePages: source}
		q, err := Parse(fixtures.DefaultTable(), target, r)
		if err != nil {
			var refusal *Error
			if !errors.As(err, &refusal) || refusal.Status != http.StatusInternalServerError || !documented.MatchString(refusal.Text) {
				t.Fatalf("%q: %#v", target, err)
			}
			return
		}
		p := First(s.Current(), q, target)
		seen := names(p.Matches)
		for pages := 1; p.Next != nil && !source; pages++ {
			if pages > 2 {
				t.Fatalf("%q: two resources on more than two pages", target)
			}
			p = follow(t, s, p.Next, r)
			for _, name := range names(p.Matches) {
				if slices.Contains(seen, name) {
					t.Errorf("%q: %s twice", target, name)
				}
				seen = append(seen, name)
			}
		}
		if p.Total >= 0 && q.Count > 0 && !source && p.Total != len(seen) {
			t.Errorf("%q: total %d, found %q", target, p.Total, seen)
		}
	})
}

// FuzzOpen reads anything as a page token, and as the inside of one that was
// sealed. The laws: a refusal is one of the three of §6.4; what is accepted is
// within bounds and survives another sealing. The seeds are in testdata/fuzz.
func FuzzOpen(f *testing.F) {
	s := NewSealer("set")
	f.Fuzz(func(t *testing.T, token string, plain []byte) {
		for _, candidate := range []string{token, "u" + token, sealed(s, plain)} {
			c, err := s.Open(candidate)
			if err != nil {
				var refusal *Error
				if !errors.As(err, &refusal) || refusal != ErrCorrupt && *refusal != (Error{400, noPage}) && *refusal != (Error{500, badPage}) {
					t.Fatalf("%q: %#v", candidate, err)
				}
				continue
			}
			if len(c.Target) > maxTarget {
				t.Errorf("a target of %d bytes", len(c.Target))
			}
			if again, err := s.Open(s.Seal(c)); err != nil || again != c {
				t.Errorf("%+v became %+v, %v", c, again, err)
			}
		}
	})
}
