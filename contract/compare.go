package contract

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-cmp/cmp"
)

// Compare tells what has changed between two baselines of one service. Counts
// are compared with the size of their samples, so that what one run happens
// not to meet is no difference; sets are compared as sets.
func Compare(was, now *Baseline) []Finding {
	c := &comparison{was: was, now: now}
	c.questions()
	c.headers()
	c.elements()
	c.metadata()
	c.pages()
	c.unversioned()
	c.speed()
	c.weight()
	c.reload()
	c.identities()
	return c.findings
}

// comparison gathers the findings of one Compare.
type comparison struct {
	was, now *Baseline
	findings []Finding
}

// elsewhere: the baseline is of another directory, as the embedded one, which
// has no target, always is.
func (c *comparison) elsewhere() bool { return c.was.Target != c.now.Target }

func (c *comparison) tell(subject string, f Finding) {
	f.Check = "baseline/" + subject
	if f.Source == "" {
		f.Source = "the baseline accepted on " + c.was.Accepted.Format("2006-01-02")
	}
	if f.Why == "" {
		f.Why = "It was otherwise when the baseline was accepted, and clients were written against that."
	}
	c.findings = append(c.findings, f)
}

// both calls f with what two maps have in common, in order.
func both[V any](was, now map[string]V, f func(name string, was, now V)) {
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if n, ok := now[name]; ok {
			f(name, was[name], n)
		}
	}
}

func (c *comparison) questions() {
	both(c.was.Questions, c.now.Questions, func(name string, was, now *Question) {
		c.answers(name, was, now)
		if was.Packed == was.Asked && was.Packed > 0 && now.Packed == 0 {
			c.tell("compression", Finding{Class: Breaking, Reason: Speed, Path: name, Was: "gzip", Now: "not compressed",
				Message: "Answers are no longer compressed when the client asks for it."})
		}
		if was.Total != nil && now.Total != nil {
			c.volume(name, *was.Total, *now.Total)
		}
	})
}

// answers compares the kinds of answer to a question. Only what was always so
// and no longer ever is counts: a service in trouble answers this and that.
func (c *comparison) answers(name string, was, now *Question) {
	if strings.HasPrefix(name, "GET ../") {
		return // see unversioned
	}
	c.limit(name, was, now)
	old, always := only(was.Answers)
	if !always || now.Answers[old] > 0 {
		return
	}
	met := most(now.Answers)
	if strings.HasPrefix(old, "429 ") || strings.HasPrefix(met, "429 ") {
		return // see limit
	}
	f := Finding{Class: Breaking, Reason: Protocol, Path: name, Was: old, Now: met,
		Message: fmt.Sprintf("%s answers %s; it was %s.", name, met, old)}
	oldStatus, status := old[:1], met[:1]
	switch {
	case keyless.MatchString(name) && !strings.Contains(name, "api-key=") && oldStatus == "4" && status == "2":
		f.Reason = Security
	case oldStatus > "3" && status == "2":
		f.Class = Additive
		f.Message = fmt.Sprintf("%s is answered now (%s); it was refused.", name, met)
	case old[:3] == met[:3] && kindOnly(old) == kindOnly(met):
		f.Class, f.Reason = Additive, Meaning
	}
	c.tell("answers", f)
}

// limit: a quota is met where none was, as in June 2026 (incidents.md D10). It
// is documented since, and one that is lower than documented is for the checks
// to tell; the absence of one hurts nobody.
func (c *comparison) limit(name string, was, now *Question) {
	if !limited(was.Answers) && limited(now.Answers) {
		c.tell("limit", Finding{Class: Additive, Reason: Limit, Path: name, Was: "no limit met", Now: "429",
			Message: "A limit of calls is met that was not there before."})
	}
}

func limited(answers map[string]int) bool {
	for kind := range answers {
		if strings.HasPrefix(kind, "429 ") {
			return true
		}
	}
	return false
}

// keyless questions must not be answered, except one that carries the key in
// its address: Gravitee reads it there when it is told to.
var keyless = regexp.MustCompile(` (without a|with an empty|with an unknown) key`)

// kindOnly is an answer without the code of its issue.
func kindOnly(answer string) string {
	words := strings.Fields(answer)
	return strings.Join(words[:min(2, len(words))], " ")
}

// only returns the key of a count that has no other.
func only(counts map[string]int) (string, bool) {
	for k := range counts {
		return k, len(counts) == 1
	}
	return "", false
}

func most(counts map[string]int) string {
	best := ""
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		if best == "" || counts[k] > counts[best] {
			best = k
		}
	}
	return best
}

// collapse is the share of a volume whose loss is breaking: much above what a
// month of registrations and retirements does.
const collapse = 0.3

// volume compares totals. Small ones move by chance: the change must also be
// four times the spread that two such counts have.
func (c *comparison) volume(name string, was, now int) {
	if c.elsewhere() {
		return
	}
	change := float64(now - was)
	if was == now || math.Abs(change) < 4*math.Sqrt(float64(was+now)) || math.Abs(change) < collapse*float64(was) {
		return
	}
	f := Finding{Class: Breaking, Reason: Volume, Path: name, Was: strconv.Itoa(was), Now: strconv.Itoa(now),
		Message: fmt.Sprintf("%s finds %.0f %% less than it did.", name, -100*change/float64(was))}
	if change > 0 {
		f.Class = Additive
		f.Message = fmt.Sprintf("%s finds much more than it did.", name)
	}
	c.tell("volume", f)
}

func (c *comparison) headers() {
	both(c.was.Headers, c.now.Headers, func(kind string, was, now *Headers) {
		for _, name := range slices.Sorted(maps.Keys(was.With)) {
			if was.With[name] == was.Of && now.With[name] == 0 {
				c.goneHeader(kind, name)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(now.With)) {
			if was.With[name] == 0 && 2*now.With[name] >= now.Of {
				c.tell("headers", Finding{Class: Additive, Reason: Protocol, Path: kind + ": " + name, Was: "absent", Now: "present",
					Message: fmt.Sprintf("Answers of the kind %s have a new header %s.", kind, name)})
			}
		}
		both(was.Forms, now.Forms, func(name string, was, now map[string]int) { c.headerForms(kind, name, was, now) })
	})
}

func (c *comparison) goneHeader(kind, name string) {
	f := Finding{Class: Additive, Reason: Protocol, Path: kind + ": " + name, Was: "present", Now: "absent",
		Message: fmt.Sprintf("Answers of the kind %s lost the header %s.", kind, name)}
	switch {
	case isLimit(name):
		f.Class, f.Reason = Breaking, Limit
	case name == "Content-Type" || name == "Location" || name == "Allow":
		f.Class = Breaking
	}
	c.tell("headers", f)
}

func isLimit(header string) bool {
	return strings.HasPrefix(header, "X-Rate-Limit-") || strings.HasPrefix(header, "X-Quota-") || strings.HasPrefix(header, "X-Spike-") ||
		strings.HasPrefix(header, "Ratelimit")
}

// headerForms compares what clients calculate with: media types and limits.
func (c *comparison) headerForms(kind, name string, was, now map[string]int) {
	old, always := only(was)
	met := most(now)
	if !always || now[old] > 0 || name != "Content-Type" && !isLimit(name) {
		return
	}
	f := Finding{Class: Breaking, Reason: Protocol, Path: kind + ": " + name, Was: old, Now: met,
		Message: fmt.Sprintf("The header %s of answers of the kind %s is %s; it was %s.", name, kind, met, old)}
	if isLimit(name) {
		f.Reason = Limit
		before, err1 := strconv.Atoi(old)
		after, err2 := strconv.Atoi(met)
		if err1 == nil && err2 == nil && after > before {
			f.Class = Additive
		}
	}
	c.tell("headers", f)
}

func (c *comparison) metadata() {
	if len(c.was.Metadata) == 0 || len(c.now.Metadata) == 0 {
		return // one of them never saw it: for the checks to tell
	}
	facts := &factReporter{c: c}
	cmp.Equal(c.was.Metadata, c.now.Metadata, cmp.Reporter(facts))
}

// factReporter tells the differences go-cmp finds between two statements.
type factReporter struct {
	c    *comparison
	path cmp.Path
}

// PushStep, PopStep and Report implement the interface of cmp.Reporter.
func (r *factReporter) PushStep(s cmp.PathStep) { r.path = append(r.path, s) }
func (r *factReporter) PopStep()                { r.path = r.path[:len(r.path)-1] }
func (r *factReporter) Report(result cmp.Result) {
	step, ok := r.path.Last().(cmp.MapIndex)
	if !ok || result.Equal() {
		return
	}
	fact := step.Key().String()
	was, now := r.c.was.Metadata[fact], r.c.now.Metadata[fact]
	f := Finding{Class: Additive, Reason: Search, Path: "CapabilityStatement." + fact, Was: was, Now: now}
	_, before := r.c.was.Metadata[fact]
	_, after := r.c.now.Metadata[fact]
	switch {
	case !before:
		f.Was, f.Message = "absent", "The capability statement says something new: "+fact+"."
	case !after:
		f.Class, f.Now, f.Message = goneFact(fact), "absent", "The capability statement no longer says "+fact+"."
	default:
		f.Class, f.Message = changedFact(fact), "The capability statement says otherwise about "+fact+"."
	}
	r.c.tell("metadata", f)
}

// goneFact: what a client may rely on is a capability; the rest is about the
// document.
func goneFact(fact string) Class {
	if strings.Contains(fact, "searchParam(") || strings.Contains(fact, "nclude(") || strings.Contains(fact, "interaction(") ||
		strings.HasPrefix(fact, "format(") || !strings.ContainsAny(fact, ".(") && strings.ToUpper(fact[:1]) == fact[:1] {
		return Breaking
	}
	return Additive
}

func changedFact(fact string) Class {
	if strings.Contains(fact, "searchParam(") || fact == "fhirVersion" || fact == "resourceType" {
		return Breaking
	}
	return Additive
}

func (c *comparison) pages() {
	both(c.was.Pages, c.now.Pages, func(asked string, was, now int) {
		if was == now {
			return
		}
		f := Finding{Class: Breaking, Reason: Search, Path: "Bundle.entry (_count " + asked + ")", Was: strconv.Itoa(was), Now: strconv.Itoa(now),
			Message: fmt.Sprintf("A full page (_count %s) holds %d resources; it was %d.", asked, now, was)}
		if now > was {
			f.Class = Additive
		}
		c.tell("pages", f)
	})
}

func (c *comparison) unversioned() {
	was, now := c.was.Unversioned, c.now.Unversioned
	if was != "" && now != "" && was != now {
		c.tell("unversioned", Finding{Class: Breaking, Reason: Shape, Path: "/fhir", Was: was, Now: now,
			Message: fmt.Sprintf("The base without a version answers as %s; it was %s.", now, was),
			Source:  issues + "348"})
	}
}

// slow is the time below which an answer is quick enough, however quick it was.
const slow = 2000 // milliseconds

func (c *comparison) speed() {
	both(c.was.Speed, c.now.Speed, func(kind string, was, now Timing) {
		if now.P95 > slow && now.P95 > 10*max(was.P95, 1) && now.Median > 2*max(was.Median, 1) {
			c.tell("speed", Finding{Class: Breaking, Reason: Speed, Path: kind, Was: fmt.Sprintf("%d ms", was.P95), Now: fmt.Sprintf("%d ms", now.P95),
				Message: fmt.Sprintf("19 of 20 answers of the kind %s came within %d ms; now it takes %d ms.", kind, was.P95, now.P95)})
		}
	})
}

// heavier is how many times a resource may grow before clients notice.
const heavier = 5

func (c *comparison) weight() {
	both(c.was.Weight, c.now.Weight, func(typ string, was, now int) {
		if now > heavier*was {
			c.tell("weight", Finding{Class: Breaking, Reason: Speed, Path: typ, Was: fmt.Sprintf("%d bytes", was), Now: fmt.Sprintf("%d bytes", now),
				Message: fmt.Sprintf("A %s takes %d bytes in a search; it was %d.", typ, now, was)})
		}
	})
}

// reload: nearly everything changed on one day, as in January 2024. A delta
// call then answers the whole directory (issue #150).
func (c *comparison) reload() {
	both(c.was.Reload, c.now.Reload, func(typ string, was, now int) {
		if was <= 50 && now >= 90 {
			c.tell("reload", Finding{Class: Breaking, Reason: Volume, Path: typ + ".meta.lastUpdated",
				Was: fmt.Sprintf("%d %% of one day", was), Now: fmt.Sprintf("%d %% of one day", now),
				Message: fmt.Sprintf("%d %% of the resources of %s changed on one day: a delta call answers the whole directory.", now, typ),
				Source:  issues + "150"})
		}
	})
}

func (c *comparison) identities() {
	const strangers = 5 // identifiers that two directories may have in common by chance
	both(c.was.Identities, c.now.Identities, func(typ string, was, now map[string]string) {
		known, moved := 0, 0
		both(was, now, func(_ string, was, now string) {
			if was == ambiguous || now == ambiguous {
				return
			}
			known++
			if was != now {
				moved++
			}
		})
		if chance := c.elsewhere() && known < strangers; moved > 0 && !chance {
			c.tell("identities", Finding{Class: Breaking, Reason: Meaning, Path: typ + ".id",
				Was: "the id it had", Now: fmt.Sprintf("another one for %d of %d", moved, known),
				Message: fmt.Sprintf("%d of %d identifiers met again belong to a %s with another technical id.", moved, known, typ),
				Source:  issues + "150"})
		}
	})
}
