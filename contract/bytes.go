package contract

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mockfhir/mockfhir/internal/fhir"
)

// byteChecks: what the bytes of an answer are before they are JSON, and what
// JSON parsers of different makes would not agree on.
func byteChecks() []Check {
	const source = fhirR4 + "json.html"
	onSamples := func(look func(p *Probe, where string, a *Answer)) func(context.Context, *Probe) error {
		return func(ctx context.Context, p *Probe) error { return p.everyAnswer(ctx, look) }
	}
	return []Check{
		{
			ID: "bytes/complete", Title: "Answers are whole and as long as they say", Level: Required, Source: "https://www.rfc-editor.org/rfc/rfc9112#section-8",
			Why: "A page cut in the middle is data lost when the client is lenient, and a crash when it is not.", Run: onSamples(checkComplete),
		},
		{
			ID: "bytes/json", Title: "Answers are JSON", Level: Required, Source: source,
			Why: "Nothing can be read from an answer that does not parse.", Run: onSamples(checkJSON),
		},
		{
			ID: "bytes/utf-8", Title: "Answers are UTF-8 without a byte order mark", Level: Required, Source: source,
			Why: "Strict parsers refuse the mark, lenient ones break the names.", Run: onSamples(checkUTF8),
		},
		{
			ID: "bytes/duplicates", Title: "No member is repeated in an object", Level: Required, Source: source,
			Why: "Of two members of one name, parsers keep the first or the last.", Run: onSamples(checkDuplicates),
		},
		{
			ID: "bytes/null", Title: "No member is null", Level: Required, Source: source,
			Why: "FHIR leaves out what has no value; typed clients fail on a null.", Run: onSamples(checkNull),
		},
		{
			ID: "bytes/numbers", Title: "Whole numbers are written as such", Level: Required, Source: source,
			Why: "12.0 or 1e1 is no integer for typed clients.", Run: onSamples(checkNumbers),
		},
	}
}

// everyAnswer calls look with one answer of each kind the service gives.
func (p *Probe) everyAnswer(ctx context.Context, look func(p *Probe, where string, a *Answer)) error {
	paths := []string{"metadata", "Practitioner?" + unknownCriterion, "Practitioner/" + nobody, "Practitioner?" + nothing}
	for _, path := range append(paths, types...) {
		a, err := p.Get(ctx, path)
		if err != nil {
			return err
		}
		p.Saw()
		look(p, publicPath(path), a)
		if path != "Organization" || !a.IsBundle() {
			continue
		}
		if matches := a.Matches(path); len(matches) > 0 {
			read, err := p.Get(ctx, path+"/"+matches[0].ID())
			if err != nil {
				return err
			}
			look(p, path+"/id", read)
		}
	}
	return nil
}

// Searches that fail, and that find nothing.
const (
	unknownCriterion = "foo=bar"
	nothing          = "identifier=" + nobody
)

func checkComplete(p *Probe, where string, a *Answer) {
	if a.Broken != "" {
		p.Drift(Finding{Reason: Protocol, Path: where, Was: "a whole answer", Now: "one that " + a.Broken,
			Message: fmt.Sprintf("The answer to %s %s.", where, a.Broken)}, a)
		return
	}
	if n, err := strconv.Atoi(a.Header.Get("Content-Length")); err == nil && n != a.wire {
		p.Drift(Finding{Reason: Protocol, Path: where, Was: "Content-Length bytes", Now: "another length",
			Message: fmt.Sprintf("The answer to %s is not as long as it says.", where)}, a)
	}
}

func checkJSON(p *Probe, where string, a *Answer) {
	if a.Broken != "" || !utf8.Valid(a.Body) {
		return // told by the checks of their own
	}
	if a.JSON() == nil {
		p.Drift(Finding{Reason: Protocol, Path: where, Was: "JSON", Now: a.summary(),
			Message: fmt.Sprintf("The answer to %s is not JSON: %v.", where, a.syntax)}, a)
	}
}

func checkUTF8(p *Probe, where string, a *Answer) {
	switch {
	case strings.HasPrefix(string(a.Body), bom):
		p.Drift(Finding{Reason: Protocol, Path: where, Was: "JSON from the first byte", Now: "a byte order mark",
			Message: fmt.Sprintf("The answer to %s begins with a byte order mark.", where)}, a)
	case a.Broken == "" && !utf8.Valid(a.Body):
		p.Drift(Finding{Reason: Protocol, Path: where, Was: "UTF-8", Now: "another encoding",
			Message: fmt.Sprintf("The answer to %s is not UTF-8.", where)}, a)
	}
}

func checkDuplicates(p *Probe, where string, a *Answer) {
	if path, found := a.JSON().Duplicate(); found {
		path = safeMembers(path)
		p.Drift(Finding{Reason: Shape, Path: path, Was: "once", Now: "twice",
			Message: fmt.Sprintf("The answer to %s has the member %s twice.", where, path)}, a)
	}
}

var index = regexp.MustCompile(`\[[0-9]+\]`)

// safeMembers is a path without indexes and without what is no element's name.
func safeMembers(path string) string {
	names := strings.Split(index.ReplaceAllString(path, ""), ".")
	for i := range names {
		names[i] = safeName(names[i])
	}
	return strings.Join(names, ".")
}

// checkNull looks at members, and at the items of lists: there null stands
// beside what extends the primitive in that place (R4, json.html#null).
func checkNull(p *Probe, where string, a *Answer) {
	var look func(path string, n *fhir.Node)
	look = func(path string, n *fhir.Node) {
		for i := range n.Items() {
			look(path, n.Item(i))
		}
		for i := range n.Members() {
			m := &n.Members()[i]
			below := path + "." + safeName(m.Name)
			other := n.Get("_" + m.Name)
			if name, extends := strings.CutPrefix(m.Name, "_"); extends {
				other = n.Get(name)
			}
			if m.Value.Kind() == fhir.Null || nullAlone(&m.Value, other) {
				p.Drift(Finding{Reason: Type, Path: below, Was: "a value, or no member", Now: "null",
					Message: fmt.Sprintf("In the answer to %s the member %s is null.", where, below)}, a)
			}
			look(below, &m.Value)
		}
	}
	look(a.ResourceType(), a.JSON())
}

// nullAlone reports a list with a null for which the list beside it has nothing.
func nullAlone(list, beside *fhir.Node) bool {
	for i := range list.Items() {
		if list.Item(i).Kind() == fhir.Null && (i >= beside.Len() || beside.Item(i).Kind() == fhir.Null) {
			return true
		}
	}
	return false
}

// checkNumbers looks where R4 has integers: of the numbers the service writes
// only coordinates may have a fraction.
func checkNumbers(p *Probe, where string, a *Answer) {
	if a.Status != http.StatusOK {
		return
	}
	visit(a.JSON(), a.ResourceType(), func(path string, n *fhir.Node) {
		n.Each(func(n *fhir.Node) {
			if n.Kind() == fhir.Number && strings.ContainsAny(n.Raw(), ".eE") && !strings.Contains(path, "Decimal") && !strings.Contains(path, "position") && !strings.Contains(path, "Quantity") && !strings.Contains(path, "Range") {
				p.Drift(Finding{Reason: Type, Path: path, Was: "a whole number", Now: "a number with a fraction or exponent",
					Message: fmt.Sprintf("The number at %s is not written as a whole one.", path)}, a)
			}
		})
	})
}
