package store

import (
	"strings"
	"time"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/fhir"
)

// A Space is the first byte of a term: which aspect of a value it is. The real
// server has a field for each (ans-server.md §2.4, §2.5, §2.7).
type Space byte

// The spaces of terms.
const (
	Raw        Space = 'r' // a string as it is
	Folded     Space = 'n' // a string after Options.Fold
	Code       Space = 'v' // the code of a token
	System     Space = 's' // the system of a token
	SystemCode Space = 'p' // "system|code" of a token
	NoCode     Space = 'm' // no token has a code; the term has no text
	Target     Space = 't' // "Type/id" of a reference
	TargetID   Space = 'i' // the id alone of a reference
	URI        Space = 'u' // a uri as it is
)

// booleanSystem is the system under which the real server indexes booleans.
const booleanSystem = "http://hl7.org/fhir/ValueSet/special-values"

// noSystem is what it indexes for a token without a system: Java's null
// written as text (ans-server.md §2.5).
const noSystem = "null"

// extractor finds the terms of one parameter in a resource.
type extractor struct {
	param *fixtures.Param
	paths []fhir.Path
	fold  func(string) string
}

func newExtractor(p *fixtures.Param, fold func(string) string) extractor {
	e := extractor{param: p, fold: fold}
	for _, text := range p.Paths {
		path, err := fhir.ParsePath(text)
		if err != nil {
			panic("store: a table of search parameters must be checked before it is used: " + err.Error())
		}
		e.paths = append(e.paths, path)
	}
	return e
}

// values calls f with each value of the parameter in the resource.
func (e *extractor) values(resource *fhir.Node, f func(*fhir.Node)) {
	for _, p := range e.paths {
		p.Each(resource, f)
	}
}

// terms calls emit with each term of a string, token, reference or uri.
func (e *extractor) terms(resource *fhir.Node, emit func(Space, string)) {
	switch e.param.Kind {
	case fixtures.String:
		e.values(resource, func(n *fhir.Node) {
			if text, ok := scalar(n); ok {
				emit(Raw, text)
				emit(Folded, e.fold(text))
			}
		})
	case fixtures.Token:
		e.tokens(resource, emit)
	case fixtures.Reference:
		e.values(resource, func(n *fhir.Node) {
			if target, id, ok := reference(n); ok {
				emit(Target, target)
				emit(TargetID, id)
			}
		})
	case fixtures.URI:
		e.values(resource, func(n *fhir.Node) {
			if text, ok := scalar(n); ok {
				emit(URI, text)
			}
		})
	}
}

func (e *extractor) tokens(resource *fhir.Node, emit func(Space, string)) {
	found := false
	coding := func(system, code *fhir.Node) {
		sys := noSystem
		if system.Kind() == fhir.String {
			sys = system.Str()
		}
		emit(System, sys)
		if text, ok := scalar(code); ok {
			found = true
			emit(Code, text)
			emit(SystemCode, sys+"|"+text)
		}
	}
	boolean := func(text string) {
		found = true
		emit(System, booleanSystem)
		emit(Code, text)
		emit(SystemCode, booleanSystem+"|"+text)
	}
	e.values(resource, func(n *fhir.Node) {
		switch {
		case n.Kind() == fhir.Bool:
			boolean(n.Raw())
		case n.Kind() != fhir.Object:
			if text, ok := scalar(n); ok { // a code has no system here
				found = true
				emit(Code, text)
			}
		case n.Get("coding").Kind() == fhir.Array: // every coding of a CodeableConcept counts
			n.Get("coding").Each(func(c *fhir.Node) {
				if c.Kind() == fhir.Object {
					coding(c.Get("system"), c.Get("code"))
				}
			})
		case n.Get("code").Kind() == fhir.String:
			coding(n.Get("system"), n.Get("code"))
		case n.Get("value").Kind() != fhir.Missing || n.Get("system").Kind() != fhir.Missing:
			coding(n.Get("system"), n.Get("value"))
		}
	})
	if !found && e.param.Default != "" {
		boolean(e.param.Default)
	}
	if !found {
		emit(NoCode, "")
	}
}

// scalar is the text of a primitive, false for null and containers.
func scalar(n *fhir.Node) (string, bool) {
	switch n.Kind() {
	case fhir.String, fhir.Number, fhir.Bool:
		return n.Text(), true
	}
	return "", false
}

// reference reads a Reference, or a bare string, of the form Type/id. The real
// server skips all other forms (ans-server.md §2.7).
func reference(n *fhir.Node) (target, id string, ok bool) {
	if n.Kind() == fhir.Object {
		n = n.Get("reference")
	}
	target = n.Str()
	typ, id, found := strings.Cut(target, "/")
	if !found || typ == "" || id == "" || strings.Contains(id, "/") {
		return "", "", false
	}
	return target, id, true
}

// instant reads a FHIR instant, dateTime or date. One that says less than an
// instant is the first of what it means, in the zone of the server: stored and
// asked dates are cut to the precision of what is asked (ans-server.md §2.6).
func instant(text string, zone *time.Location) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, true
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04:05", "2006-01", "2006", "2006-01-02T15:04Z07:00", "2006-01-02T15:04"} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
