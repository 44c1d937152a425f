package search

import (
	"errors"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/mockfhir/mockfhir/internal/store"
)

func paris(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// now is the clock of these tests: 17:30 in Paris.
var now = time.Date(2025, 6, 10, 15, 30, 0, 5e6, time.UTC)

func TestParseDate(t *testing.T) {
	t.Parallel()
	zone := paris(t)
	for _, c := range []struct {
		text      string
		relation  store.Relation
		precision store.Precision
		want      string // in Paris
	}{
		{"2022", store.Equal, store.Year, "2022-01-01T00:00:00+01:00"},
		{"2022-11", store.Equal, store.Month, "2022-11-01T00:00:00+01:00"},
		{"2022-11-01", store.Equal, store.Day, "2022-11-01T00:00:00+01:00"},
		{"2022-11-01T14:20", store.Equal, store.Minute, "2022-11-01T14:20:00+01:00"},
		{"2022-11-01T14:20:05", store.Equal, store.Second, "2022-11-01T14:20:05+01:00"},
		{"2022-11-01T14:20:05.1", store.Equal, store.Millisecond, "2022-11-01T14:20:05.1+01:00"},
		{"2022-11-01T14:20:05.12", store.Equal, store.Millisecond, "2022-11-01T14:20:05.12+01:00"},
		{"2022-11-01T14:20:05.123456789", store.Equal, store.Millisecond, "2022-11-01T14:20:05.123+01:00"},
		{"2022-11-01T14:20Z", store.Equal, store.Minute, "2022-11-01T15:20:00+01:00"},
		{"2022-11-01T14:20:05Z", store.Equal, store.Second, "2022-11-01T15:20:05+01:00"},
		{"2022-11-01T14:20:05.5Z", store.Equal, store.Millisecond, "2022-11-01T15:20:05.5+01:00"},
		{"2022-11-01T14:20:05+02:00", store.Equal, store.Second, "2022-11-01T13:20:05+01:00"},
		{"2022-11-01T14:20:05-04:30", store.Equal, store.Second, "2022-11-01T19:50:05+01:00"},
		{"2022-07-01T14:20", store.Equal, store.Minute, "2022-07-01T14:20:00+02:00"},
		{"2022-12-31T23:59:60", store.Equal, store.Second, "2023-01-01T00:00:00+01:00"}, // 60 is let in
		{"2024-02-29", store.Equal, store.Day, "2024-02-29T00:00:00+01:00"},

		{"eq2022", store.Equal, store.Year, "2022-01-01T00:00:00+01:00"},
		{"ne2022", store.NotEqual, store.Year, "2022-01-01T00:00:00+01:00"},
		{"gt2022", store.Greater, store.Year, "2022-01-01T00:00:00+01:00"},
		{"sa2022", store.Greater, store.Year, "2022-01-01T00:00:00+01:00"},
		{"ge2022", store.GreaterOrEqual, store.Year, "2022-01-01T00:00:00+01:00"},
		{"lt2022", store.Less, store.Year, "2022-01-01T00:00:00+01:00"},
		{"eb2022", store.Less, store.Year, "2022-01-01T00:00:00+01:00"},
		{"le2022", store.LessOrEqual, store.Year, "2022-01-01T00:00:00+01:00"},
		{"ap2022", store.Approximate, store.Year, "2022-01-01T00:00:00+01:00"},
		{">2022", store.Greater, store.Year, "2022-01-01T00:00:00+01:00"},
		{">=2022", store.GreaterOrEqual, store.Year, "2022-01-01T00:00:00+01:00"},
		{"<2022", store.Less, store.Year, "2022-01-01T00:00:00+01:00"},
		{"<=2022", store.LessOrEqual, store.Year, "2022-01-01T00:00:00+01:00"},
		{"=2022", store.Equal, store.Year, "2022-01-01T00:00:00+01:00"},
		{"~2022", store.Approximate, store.Year, "2022-01-01T00:00:00+01:00"},
		{" 2022", store.Equal, store.Year, "2022-01-01T00:00:00+01:00"}, // a blank prefix is none

		{"%now", store.Equal, store.Millisecond, "2025-06-10T17:30:00.005+02:00"},
		{"ge%NOW", store.GreaterOrEqual, store.Millisecond, "2025-06-10T17:30:00.005+02:00"},
		{"lt%today", store.Less, store.Day, "2025-06-10T17:30:00.005+02:00"},
	} {
		d, prefixed, err := parseDate(c.text, zone, now)
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		if d.Relation != c.relation || d.Precision != c.precision || d.Time.Format(time.RFC3339Nano) != c.want || d.Time.Location() != zone {
			t.Errorf("%q = relation %d, precision %d, %s; want %d, %d, %s", c.text, d.Relation, d.Precision, d.Time.Format(time.RFC3339Nano), c.relation, c.precision, c.want)
		}
		if want := !('0' <= c.text[0] && c.text[0] <= '9' || c.text[0] == ' ' || c.text[0] == '%'); prefixed != want {
			t.Errorf("%q: prefixed %v", c.text, prefixed)
		}
	}
}

// TestParseDateErrors holds the words of HAPI (ans-server.md §2.6).
func TestParseDateErrors(t *testing.T) {
	t.Parallel()
	bad := func(text string) string { return `HAPI-1882: Invalid date/time format: "` + text + `"` }
	worse := func(text, why string) string { return `HAPI-1883: Invalid date/time format: "` + text + `": ` + why }
	const offset = `Timezone offset must be in the form "Z", "-HH:mm", or "+HH:mm"`
	for text, want := range map[string]string{
		"":                           "Unknown error",
		" ":                          "Unknown error",
		"ge":                         `HAPI-1940: Invalid date/time/quantity format: "ge"`,
		"abc":                        `HAPI-1940: Invalid date/time/quantity format: "abc"`,
		"abc2020":                    `HAPI-1941: Invalid prefix: "abc"`,
		"ge 2022":                    `HAPI-1941: Invalid prefix: "ge "`,
		"GE2022":                     `HAPI-1941: Invalid prefix: "GE"`,
		"22":                         bad("22"),
		"ge22":                       bad("22"), // without the prefix
		"2022-1":                     bad("2022-1"),
		"2022-13":                    bad("2022-13"),
		"2022-00":                    bad("2022-00"),
		"2022-02-30":                 bad("2022-02-30"),
		"2023-02-29":                 bad("2023-02-29"),
		"2022-04-31":                 bad("2022-04-31"),
		"2022-11-00":                 bad("2022-11-00"),
		"2022-11-1":                  bad("2022-11-1"),
		"2022-11-01T14":              bad("2022-11-01T14"),
		"2022-11-01T":                bad("2022-11-01T"),
		"2022-11-01T24:00":           bad("2022-11-01T24:00"),
		"2022-11-01T14:60":           bad("2022-11-01T14:60"),
		"2022-11-01T14:20:61":        bad("2022-11-01T14:20:61"),
		"2022-11-01T14:20:":          bad("2022-11-01T14:20:"),
		"2022-11-01T14:20:05.":       bad("2022-11-01T14:20:05."),
		"2022-11-01T14:20:05.x":      bad("2022-11-01T14:20:05.x"),
		"-2022":                      bad("-2022"),
		"%tomorrow":                  bad("%tomorrow"),
		"20222":                      worse("20222", "Expected character '-' at index 4 but found 2"),
		"2022/11/01":                 worse("2022/11/01", "Expected character '-' at index 4 but found /"),
		"2022-11/01":                 worse("2022-11/01", "Expected character '-' at index 7 but found /"),
		"2022-11-01t10:00:00Z":       worse("2022-11-01t10:00:00Z", "Expected character 'T' at index 10 but found t"),
		"2022-11-01 10:00:00":        worse("2022-11-01 10:00:00", "Expected character 'T' at index 10 but found  "),
		"2022-11-01T10h00":           worse("2022-11-01T10h00", "Expected character ':' at index 13 but found h"),
		"2022-11-01T10:00x00":        worse("2022-11-01T10:00x00", "Expected character ':' at index 16 but found x"),
		"2022-11-01T10:00:00+0200":   worse("2022-11-01T10:00:00+0200", offset),
		"2022-11-01T10:00:00+02":     worse("2022-11-01T10:00:00+02", offset),
		"2022-11-01T10:00:00-2:00":   worse("2022-11-01T10:00:00-2:00", offset),
		"2022-11-01T10:00:00 02:00":  worse("2022-11-01T10:00:00 02:00", "Expected character '.' at index 19 but found  "),
		"2022-11-01T10:00:00+24:00":  bad("2022-11-01T10:00:00+24:00"),
		"2022-11-01T10:00:00+02:60":  bad("2022-11-01T10:00:00+02:60"),
		"2022-11-01T10:00:00Z+02:00": bad("2022-11-01T10:00:00Z+02:00"),
		"2022 ":                      bad("2022 "),
		"2022é":                      worse("2022é", "Expected character '-' at index 4 but found é"),
	} {
		_, _, err := parseDate(text, paris(t), now)
		var refusal *Error
		if !errors.As(err, &refusal) || refusal.Text != want || refusal.Status != 500 {
			t.Errorf("%q: %v\nwant %s", text, err, want)
		}
	}
}
