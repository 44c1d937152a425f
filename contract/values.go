package contract

import (
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/fhir"
)

// token is one value a token parameter can find: a coding, an identifier, a
// boolean, a code.
type token struct{ system, code string }

func (t token) String() string { return t.system + "|" + t.code }

// each calls f with every value of a parameter in a resource.
func each(p *fixtures.Param, resource *fhir.Node, f func(*fhir.Node)) {
	for _, text := range p.Paths {
		path, err := fhir.ParsePath(text)
		if err != nil {
			continue // the table was checked when it was loaded
		}
		path.Each(resource, f)
	}
}

// tokensOf returns the values a token parameter finds a resource by.
func tokensOf(p *fixtures.Param, resource *fhir.Node) []token {
	var list []token
	add := func(system, code string) {
		if code != "" {
			list = append(list, token{system, code})
		}
	}
	each(p, resource, func(n *fhir.Node) {
		switch {
		case n.Kind() != fhir.Object:
			add("", n.Text())
		case n.Get("coding") != nil:
			n.Get("coding").Each(func(c *fhir.Node) { add(c.Get("system").Str(), c.Get("code").Text()) })
		case n.Get("code") != nil:
			add(n.Get("system").Str(), n.Get("code").Text())
		default:
			add(n.Get("system").Str(), n.Get("value").Text())
		}
	})
	if len(list) == 0 {
		add("", p.Default)
	}
	return list
}

// urisOf returns the values a uri parameter finds a resource by. Profiles may
// name their version, searches need not.
func urisOf(p *fixtures.Param, resource *fhir.Node) []string {
	list := stringsOf(p, resource)
	for i := range list {
		list[i], _, _ = strings.Cut(list[i], "|")
	}
	return list
}

// stringsOf returns the values a string parameter finds a resource by.
func stringsOf(p *fixtures.Param, resource *fhir.Node) []string {
	var list []string
	each(p, resource, func(n *fhir.Node) {
		if s := n.Str(); s != "" {
			list = append(list, s)
		}
	})
	return list
}

// referencesOf returns the references a parameter finds a resource by.
func referencesOf(p *fixtures.Param, resource *fhir.Node) []string {
	var list []string
	each(p, resource, func(n *fhir.Node) {
		if s := n.Get("reference").Str(); s != "" {
			list = append(list, s)
		}
	})
	return list
}

// fold is how the service compares strings: without case and without the
// marks that decomposition brings out (ans-server.md §2.4).
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if 0x300 <= r && r <= 0x36f {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFD.String(s))
}

// hasAccent reports whether folding changes more than the case.
func hasAccent(s string) bool { return fold(s) != strings.ToLower(s) }

// swapCase writes a value in another case, so that a match shows that case
// does not count.
func swapCase(s string) string {
	if upper := strings.ToUpper(s); upper != s {
		return upper
	}
	return strings.ToLower(s)
}

// lastUpdated returns when a resource changed; ok is false when it does not
// say it as an instant.
func lastUpdated(resource *fhir.Node) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339Nano, resource.Path("meta", "lastUpdated").Str())
	return t, err == nil
}
