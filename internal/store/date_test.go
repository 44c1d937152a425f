package store

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
)

// layouts print a wall clock cut to each precision, so that cut dates compare
// as texts do.
var layouts = map[Precision]string{
	Year: "2006", Month: "2006-01", Day: "2006-01-02",
	Minute: "2006-01-02T15:04", Second: "2006-01-02T15:04:05",
}

// meets is ans-server.md §2.6 word for word, one instant at a time.
func meets(d Date, stored time.Time) bool {
	if d.Relation == Approximate {
		ms, v := float64(d.Time.UnixMilli()), float64(stored.UnixMilli())
		return ms/1.1 < v && v < ms*1.1
	}
	c := cmp.Compare(stored.UnixMilli(), d.Time.UnixMilli())
	if d.Precision != Millisecond {
		layout := layouts[d.Precision]
		c = strings.Compare(stored.In(d.Time.Location()).Format(layout), d.Time.Format(layout))
	}
	switch d.Relation {
	case Equal:
		return c == 0
	case NotEqual:
		return c != 0
	case Greater:
		return c > 0
	case GreaterOrEqual:
		return c >= 0
	case Less:
		return c < 0
	}
	return c <= 0
}

var relationNames = []string{"eq", "ne", "gt", "ge", "lt", "le", "ap"}

// instants gathers moments where a comparison by instants goes wrong first:
// around the changes of clocks and the turns of year, month and day.
func instants(r *rand.Rand, zone *time.Location) []time.Time {
	var list []time.Time
	for _, centre := range []time.Time{
		time.Date(2025, 3, 30, 1, 0, 0, 0, time.UTC),  // spring forward in Paris
		time.Date(2025, 10, 26, 1, 0, 0, 0, time.UTC), // fall back in Paris
		time.Date(2025, 1, 1, 0, 0, 0, 0, zone),
		time.Date(2024, 2, 29, 0, 0, 0, 0, zone),
		time.Date(2025, 5, 27, 10, 16, 30, 21e6, zone),
		time.Date(2025, 11, 2, 6, 0, 0, 0, time.UTC), // fall back in New York
	} {
		for _, d := range []time.Duration{0, -1, 1, -time.Second, time.Minute, -time.Minute, time.Hour, -time.Hour, 2 * time.Hour, 24 * time.Hour} {
			if d == 1 || d == -1 {
				d *= time.Millisecond
			}
			list = append(list, centre.Add(d))
		}
		for range 30 {
			list = append(list, centre.Add(time.Duration(r.Int64N(int64(8*time.Hour))).Truncate(time.Millisecond)-4*time.Hour))
		}
	}
	for range 60 {
		list = append(list, time.UnixMilli(r.Int64N(4e12)-1e12))
	}
	return list
}

// TestDates compares the index with a look at every instant, for every
// relation and precision, in zones with and without changes of clocks.
func TestDates(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Europe/Paris", "UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			zone, err := time.LoadLocation(name)
			if err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(25, 5))
			stored := instants(r, zone)
			r.Shuffle(len(stored), func(i, j int) { stored[i], stored[j] = stored[j], stored[i] })
			size := uint32(len(stored) + 3) // the last three have no date
			ix := &index{}
			for doc, at := range stored {
				ix.stamps = append(ix.stamps, stamp{ms: at.UnixMilli(), doc: uint32(doc)})
			}
			slices.SortFunc(ix.stamps, func(a, b stamp) int { return cmp.Compare(a.ms, b.ms) })
			hits := 0
			for _, asked := range sample(r, instants(r, zone), 25) {
				for relation := Equal; relation <= Approximate; relation++ {
					for precision := Year; precision <= Millisecond; precision++ {
						d := Date{relation, precision, asked.In(zone)}
						got := ix.dates(size, d)
						hits += got.count()
						for doc := range size {
							want := relation == NotEqual // of a resource without a date (§8.1)
							if int(doc) < len(stored) {
								want = meets(d, stored[doc])
							}
							if got.has(doc) != want {
								t.Fatalf("%s %s at precision %d: document %d of %v is found: %v",
									relationNames[relation], d.Time, precision, doc, dateOf(stored, doc), got.has(doc))
							}
						}
					}
				}
			}
			if hits == 0 {
				t.Error("nothing was ever found")
			}
		})
	}
}

// sample draws n of a list.
func sample(r *rand.Rand, list []time.Time, n int) []time.Time {
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list[:n]
}

func dateOf(stored []time.Time, doc uint32) any {
	if int(doc) < len(stored) {
		return stored[doc].UTC()
	}
	return "no date"
}

// TestDatesOfTheSpecification are the examples of ans-server.md §2.6, in Paris.
func TestDatesOfTheSpecification(t *testing.T) {
	t.Parallel()
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string) time.Time {
		v, err := time.ParseInLocation("2006-01-02T15:04:05", text, paris)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []struct {
		relation  Relation
		precision Precision
		asked     string
		stored    string
		want      bool
	}{
		{Greater, Year, "2022-01-01T00:00:00", "2022-12-31T23:59:59", false},
		{Greater, Year, "2022-01-01T00:00:00", "2023-01-01T00:00:00", true},
		{GreaterOrEqual, Month, "2022-11-01T00:00:00", "2022-11-01T00:00:00", true},
		{GreaterOrEqual, Month, "2022-11-01T00:00:00", "2022-10-31T23:59:59", false},
		{LessOrEqual, Day, "2022-11-01T00:00:00", "2022-11-01T23:59:59", true},
		{LessOrEqual, Day, "2022-11-01T00:00:00", "2022-11-02T00:00:00", false},
		{Greater, Day, "2022-11-01T00:00:00", "2022-11-01T23:59:59", false},
		{Less, Minute, "2022-11-01T14:20:00", "2022-11-01T14:20:59", false},
		{Less, Minute, "2022-11-01T14:20:00", "2022-11-01T14:19:59", true},
		{Equal, Second, "2022-11-01T14:20:05", "2022-11-01T14:20:05", true},
		{Approximate, Day, "2022-11-01T00:00:00", "2019-01-01T00:00:00", true}, // decades wide
		{Approximate, Day, "2022-11-01T00:00:00", "2010-01-01T00:00:00", false},
	} {
		ix := &index{stamps: []stamp{{ms: at(c.stored).UnixMilli()}}}
		d := Date{c.relation, c.precision, at(c.asked)}
		if got := ix.dates(1, d).has(0); got != c.want {
			t.Errorf("%s %s: %s is found: %v", relationNames[c.relation], c.asked, c.stored, got)
		}
	}
}

// In the hour that comes twice two instants are one wall clock, and both are
// equal to it.
func TestHourThatComesTwice(t *testing.T) {
	t.Parallel()
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	summer := time.Date(2025, 10, 26, 0, 30, 0, 0, time.UTC) // 02:30 +02:00
	winter := summer.Add(time.Hour)                          // 02:30 +01:00
	ix := &index{stamps: []stamp{{ms: summer.UnixMilli()}, {ms: winter.UnixMilli(), doc: 1}}}
	for _, asked := range []time.Time{summer, winter} {
		for precision, want := range map[Precision]int{Day: 2, Minute: 2, Second: 2, Millisecond: 1} {
			if got := ix.dates(2, Date{Equal, precision, asked.In(paris)}).count(); got != want {
				t.Errorf("eq %s at precision %d finds %d, want %d", fmt.Sprint(asked), precision, got, want)
			}
		}
	}
}
