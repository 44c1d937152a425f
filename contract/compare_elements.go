package contract

import (
	"bufio"
	_ "embed"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Chances below which a difference between two samples is none of chance. A
// run compares about a thousand counts, so that breaking means a false alarm
// in a hundred runs at most.
const (
	noChance     = 1e-5
	hardlyChance = 1e-3 // for news, which wakes nobody
)

func (c *comparison) elements() {
	for _, path := range slices.Sorted(maps.Keys(c.was.Elements)) {
		was, now := c.was.Elements[path], c.now.Elements[path]
		if now == nil {
			now = &Element{Of: c.sample(path)}
		}
		c.presence(path, was, now)
		c.kinds(path, was, now)
		c.forms(path, was, now)
		c.values(path, was, now)
	}
	for _, path := range slices.Sorted(maps.Keys(c.now.Elements)) {
		if c.was.Elements[path] == nil {
			c.newElement(path, c.now.Elements[path])
		}
	}
}

// sample is the number of objects seen now that could have had an element.
func (c *comparison) sample(path string) int { return sampleOf(c.now.Elements, path) }

func sampleOf(elements map[string]*Element, path string) int {
	parent := around(path)
	for at, e := range elements {
		if around(at) == parent {
			return e.Of
		}
	}
	return 0
}

// resources is the number of resources seen of the type a path begins with.
func resources(elements map[string]*Element, path string) int {
	typ, _, _ := strings.Cut(path, ".")
	if e := elements[typ+".resourceType"]; e != nil {
		return e.Of
	}
	return sampleOf(elements, typ+".")
}

// around is the path of the element a path is in.
func around(path string) string {
	depth := 0
	for i := len(path) - 1; i >= 0; i-- {
		switch path[i] {
		case ']':
			depth++
		case '[':
			depth--
		case '.':
			if depth == 0 {
				return path[:i]
			}
		}
	}
	return ""
}

// presence: an element that is gone, or from most of the places it was in.
func (c *comparison) presence(path string, was, now *Element) {
	if now.Of == 0 || !c.rarer(was, now) || fewer(was.With, was.Of, now.With, now.Of) > noChance {
		return
	}
	// Where items of another make joined the list, as many as before may still
	// have the element: what is new is told, and nothing is lost.
	before, after := resources(c.was.Elements, path), resources(c.now.Elements, path)
	if joined := share(now.Of, after) > 1.05*share(was.Of, before); joined && share(now.With, after) > share(was.With, before)*3/4 {
		return
	}
	if path == "Bundle.total" {
		return // given when it is asked for, which is a check, and else when it costs little (issue #237)
	}
	if path == "Bundle.link[next]" && c.elsewhere() {
		return // a smaller directory has fewer pages
	}
	f := Finding{Class: Breaking, Reason: Shape, Path: path, Was: rate(was), Now: rate(now),
		Message: fmt.Sprintf("%s is in %s; it was in %s.", path, rate(now), rate(was))}
	if informational(path) {
		f.Class = Additive
	}
	c.tell("presence", f)
}

// rarer says whether an element has become as rare as chance or another
// directory does not make it: in half of its places, or, of what nearly all
// had, missing three times as often. Of a small directory the odd cases, which
// have little, are a large part.
func (c *comparison) rarer(was, now *Element) bool {
	before, after := share(was.With, was.Of), share(now.With, now.Of)
	nearly, some := before >= 0.9, 0.05
	if c.elsewhere() {
		nearly, some = nearly && 2*now.Of >= was.Of, 0.2
	}
	return after <= before/2 || nearly && 1-after > max(some, 3*(1-before))
}

// informational elements are optional in FHIR and carry no data of the
// directory.
func informational(path string) bool {
	switch path {
	case "Bundle.id", "Bundle.timestamp":
		return true
	}
	return strings.HasPrefix(path, "Bundle.meta") || strings.HasPrefix(path, "Bundle.entry.search") || forPeople(path)
}

// forPeople are free words, which nobody parses.
func forPeople(path string) bool {
	return strings.Contains(path, ".text") || strings.HasSuffix(path, ".display") ||
		strings.HasSuffix(path, ".issue.diagnostics") || // what a check reads of them, it says itself
		strings.Contains(path, ".extension[description]") // of a mailbox
}

// opaque elements mean something to the service alone: Bundle.id, and versions
// that are told apart and not counted (R4, resource.html#Meta).
func opaque(path string) bool {
	return path == "Bundle.id" || strings.HasSuffix(path, ".meta.versionId")
}

func rate(e *Element) string { return fmt.Sprintf("%d of %d", e.With, e.Of) }

func share(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// newElement: additive, unless the public directory must not show it.
func (c *comparison) newElement(path string, now *Element) {
	of := sampleOf(c.was.Elements, path)
	if restricted(path) {
		c.tell("presence", Finding{Class: Breaking, Reason: Security, Path: path, Was: "absent", Now: rate(now),
			Message: fmt.Sprintf("%s appears, which the public profile forbids.", path)})
		return
	}
	if n := now.Kinds["null"]; n > 0 {
		c.tell("types", Finding{Class: Breaking, Reason: Type, Path: path, Was: "absent", Now: "null",
			Message: fmt.Sprintf("%s is null in %d of %d places; FHIR leaves out what has no value.", path, n, total(now.Kinds))})
		return
	}
	if of == 0 || fewer(now.With, now.Of, 0, of) > hardlyChance {
		return
	}
	c.tell("presence", Finding{Class: Additive, Reason: Shape, Path: path, Was: "absent", Now: rate(now),
		Message: fmt.Sprintf("%s is new: it is in %s.", path, rate(now))})
}

// restrictedElements are what a person's entry must not show to the public
// (IG, as-dp-practitioner: 0..0).
var restrictedElements = []string{"birthDate", "gender", "photo", "address", "communication", "deceasedBoolean", "deceasedDateTime", "maritalStatus"}

func restricted(path string) bool {
	name, found := strings.CutPrefix(path, "Practitioner.")
	return found && slices.Contains(restrictedElements, strings.TrimPrefix(name, "_"))
}

// kinds: a JSON type that was never there breaks the clients of typed
// languages at the first value (issue #359).
func (c *comparison) kinds(path string, was, now *Element) {
	if len(was.Kinds) == 0 {
		return
	}
	for _, kind := range slices.Sorted(maps.Keys(now.Kinds)) {
		if was.Kinds[kind] == 0 && kind != "null item" && was.Kinds["null item"] != total(was.Kinds) {
			c.tell("types", Finding{Class: Breaking, Reason: Type, Path: path, Was: most(was.Kinds), Now: kind,
				Message: fmt.Sprintf("%s is a JSON %s in %d of %d places; it was a %s.", path, kind, now.Kinds[kind], total(now.Kinds), most(was.Kinds))})
		}
	}
}

func total(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

func (c *comparison) forms(path string, was, now *Element) {
	if opaque(path) {
		return
	}
	before, after := total(was.Forms), total(now.Forms)
	if !forPeople(path) && lostAccents(was.Forms, now.Forms) {
		c.tell("forms", Finding{Class: Breaking, Reason: Type, Path: path, Was: "text with accents", Now: "no accents",
			Message: fmt.Sprintf("The values of %s have lost their accents.", path)})
	}
	for _, form := range slices.Sorted(maps.Keys(now.Forms)) {
		old, met := was.Forms[form], now.Forms[form]
		f := Finding{Class: Breaking, Reason: Type, Path: path, Was: fmt.Sprintf("%s in %d of %d", form, old, before),
			Now: fmt.Sprintf("%s in %d of %d", form, met, after), Message: fmt.Sprintf("The values of %s have another form: %s.", path, form)}
		switch {
		case form == versioned:
			if old == 0 {
				f.Class, f.Was, f.Message = Additive, "without a version", fmt.Sprintf("%s carries a version now.", path)
				c.tell("forms", f)
			}
		case before == 0:
		case oneLetter(form, was.Forms):
		case forPeople(path) && !damaged(form):
		case damaged(form) && old == 0,
			lostZero(form, was.Forms, now.Forms),
			fewer(met, after, old, before) < noChance && share(met, after) > share(old, before)+1.0/3,
			old == 0 && fewer(met, after, old, before) < noChance:
			c.tell("forms", f)
		}
	}
}

// oneLetter: a number has a letter where others of its length have none.
func oneLetter(form string, was map[string]int) bool {
	n, found := strings.CutSuffix(form, withLetter)
	return found && was[n+" digits"]+was[n+" digits from 0"] > 0
}

// lostAccents: texts with accents are in the directory, and none was met.
func lostAccents(was, now map[string]int) bool {
	with := func(forms map[string]int) (n int) {
		for form, count := range forms {
			if strings.HasSuffix(form, " with accents") {
				n += count
			}
		}
		return n
	}
	return with(now) == 0 && total(now) > 0 && fewer(with(was), total(was), 0, total(now)) < noChance
}

// damaged forms never come by chance.
func damaged(form string) bool {
	return form == "broken characters" || form == "escaped text" || form == "markup"
}

// lostZero: values shorter by one digit appear where those that start with a
// zero were, and none of these is left.
func lostZero(form string, was, now map[string]int) bool {
	n, isDigits := strings.CutSuffix(form, " digits")
	if !isDigits || was[form] > 0 {
		return false
	}
	length, err := strconv.Atoi(n)
	zero := fmt.Sprintf("%d digits from 0", length+1)
	return err == nil && was[zero] > 0 && now[zero] == 0
}

// values compares closed sets. Codes are many and a sample meets only some:
// one that the nomenclature has is no news.
func (c *comparison) values(path string, was, now *Element) {
	if len(was.Values) == 0 {
		return
	}
	if systemOf(path) != "" {
		c.codes(path, was, now)
		return
	}
	before, after := total(was.Values), total(now.Values)
	for _, v := range slices.Sorted(maps.Keys(was.Values)) {
		if now.Values[v] == 0 && after > 0 && fewer(was.Values[v], before, 0, after) < noChance {
			f := Finding{Class: Breaking, Reason: Meaning, Path: path, Was: v, Now: most(now.Values),
				Message: fmt.Sprintf("%s is no longer %s anywhere.", path, v)}
			if strings.HasSuffix(path, "meta.source") {
				f.Class = Additive // where data came from, not what it means
			}
			c.tell("values", f)
		}
	}
	for _, v := range slices.Sorted(maps.Keys(now.Values)) {
		if was.Values[v] == 0 && fewer(now.Values[v], after, 0, before) < hardlyChance {
			c.tell("values", Finding{Class: Additive, Reason: Meaning, Path: path, Was: "not used", Now: v,
				Message: fmt.Sprintf("%s has a new value %s.", path, v)})
		}
	}
}

func (c *comparison) codes(path string, was, now *Element) {
	system := systemOf(path)
	unknown, seen := []string{}, 0
	for _, code := range slices.Sorted(maps.Keys(now.Values)) {
		if was.Values[code] == 0 && !nomenclature(system, code) {
			unknown = append(unknown, code)
			seen += now.Values[code]
		}
	}
	if len(unknown) == 0 {
		return
	}
	f := Finding{Class: Additive, Reason: Meaning, Path: path, Was: "not used", Now: strings.Join(unknown[:min(len(unknown), 5)], ", "),
		Message: fmt.Sprintf("%s has %s that the nomenclature does not have.", path, plural(len(unknown), "code"))}
	if all := total(now.Values); 2*seen > all && seen >= 5 {
		f.Class = Breaking
		f.Message = fmt.Sprintf("Most codes of %s (%d of %d) are none of the nomenclature: they were rewritten.", path, seen, all)
	} else if !listed(system) && fewer(seen, all, 0, total(was.Values)) > hardlyChance {
		return
	}
	c.tell("codes", f)
}

// systemOf is the last part of the code system in "….coding[TRE-G15-…].code".
func systemOf(path string) string {
	coding, found := strings.CutSuffix(path, "].code")
	open := strings.LastIndex(coding, ".coding[")
	if !found || open < 0 {
		return ""
	}
	return coding[open+len(".coding["):]
}

// nosCodes are the codes in force of the French nomenclatures, a line each:
// the last part of the system's address and the codes.
//
//go:embed nos.txt
var nosCodes string

var nosLists = sync.OnceValue(func() map[string][]string {
	lists := map[string][]string{}
	for lines := bufio.NewScanner(strings.NewReader(nosCodes)); lines.Scan(); {
		if words := strings.Fields(lines.Text()); len(words) > 0 && words[0] != "#" {
			lists[words[0]] = words[1:]
		}
	}
	return lists
})

func listed(system string) bool { return nosLists()[system] != nil }

func nomenclature(system, code string) bool { return slices.Contains(nosLists()[system], code) }

// fewer is the chance to find at most k2 of n2 when the n1+n2 objects, k1+k2 of
// which have the thing, are dealt out at random: Fisher's exact test, one side.
func fewer(k1, n1, k2, n2 int) float64 {
	all, with := n1+n2, k1+k2
	lo, hi := max(0, with-n1), min(n2, with)
	if k2 >= hi {
		return 1
	}
	base := choose(all, n2)
	p := 0.0
	for k := lo; k <= k2; k++ {
		p += math.Exp(choose(with, k) + choose(all-with, n2-k) - base)
	}
	return min(p, 1)
}

// choose is the logarithm of the binomial coefficient.
func choose(n, k int) float64 {
	lg := func(n int) float64 {
		v, _ := math.Lgamma(float64(n + 1))
		return v
	}
	return lg(n) - lg(k) - lg(n-k)
}
