package synth

import (
	"testing"
	"time"
	_ "time/tzdata" // for Europe/Paris, here and in the guide's test
)

// The clock agrees with the zone database, on both sides of every change.
func TestInstantsArePrintedInParis(t *testing.T) {
	t.Parallel()
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	for year := 2020; year < 2040; year++ {
		for _, month := range []time.Month{time.March, time.October} {
			change := lastSunday(year, month)
			for _, step := range []time.Duration{-time.Millisecond, 0, time.Hour, -90 * 24 * time.Hour} {
				at := change.Add(step)
				got, want := string(instant(at.UnixMilli()).append(nil)), at.In(paris).Format("2006-01-02T15:04:05.000-07:00")
				if got != want {
					t.Errorf("%v prints %s, want %s", at, got, want)
				}
				if got := string(instant(at.UnixMilli()).day().append(nil)); got != want[:10] {
					t.Errorf("%v is the day %s, want %s", at, got, want[:10])
				}
			}
		}
	}
}
