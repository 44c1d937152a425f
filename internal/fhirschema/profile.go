package fhirschema

import (
	"slices"
	"strings"

	"github.com/mockfhir/mockfhir/internal/fhir"
)

// The rules of the profiles.
const (
	RuleProfile        Rule = "profile"         // meta.profile names no public-data profile of the type
	RuleTooFew         Rule = "too-few"         // fewer values than the profile wants
	RuleTooMany        Rule = "too-many"        // more values than the profile allows
	RuleForbidden      Rule = "forbidden"       // an element or extension the profile prohibits
	RuleFixed          Rule = "fixed-value"     // another value than the only one allowed
	RuleClosed         Rule = "closed-slicing"  // an item the profile has no place for
	RuleUnlisted       Rule = "unlisted"        // an item the profile allows and nobody describes: a new system
	RuleExtensionURL   Rule = "extension-url"   // an extension of ANS where the profile has none such
	RuleExtensionValue Rule = "extension-value" // a value of another type than the extension's
)

// ValidateProfile checks a resource, or each resource of a Bundle, against
// the public-data profile it claims in meta.profile (in any version: the live
// service names none, ans-api.md §8 n°6). Types that have no such profile
// pass. A resource reduced by _elements, which its tag SUBSETTED tells, lacks
// nothing.
//
// It wants a resource that passes Validate, and says nothing that Validate
// says.
func ValidateProfile(n *fhir.Node) []Issue {
	var p profiler
	name := n.Get("resourceType").Str()
	if name != "Bundle" {
		p.resource(n, name)
		return p.issues
	}
	p.path = append(p.path, step{name: name, typ: name, index: -1})
	p.push("entry")
	entries := n.Get("entry")
	for i := range entries.Items() {
		p.path[len(p.path)-1].index = i
		if r := entries.Item(i).Get("resource"); r != nil {
			p.resource(r, "resource")
		}
	}
	return p.issues
}

// profiler walks one resource beside the constraints of its profile.
type profiler struct {
	trail
	partial  bool // reduced by _elements
	inactive bool
}

// resource checks a resource at the end of the path, in the element in.
func (p *profiler) resource(n *fhir.Node, in string) {
	typ := n.Get("resourceType").Str()
	candidates := profiles().byType[typ]
	if len(candidates) == 0 {
		return
	}
	p.path = append(p.path, step{name: in, typ: typ, index: -1})
	defer p.pop()
	p.inactive = n.Get("active").Raw() == "false" || n.Get("status").Str() == "inactive"
	p.partial = condition{[]string{"meta", "tag", "code"}, []string{"SUBSETTED"}}.holds(n)
	for _, url := range candidates {
		if (condition{[]string{"meta", "profile"}, []string{url}}).holds(n) {
			p.object(n, profiles().profiles[url])
			return
		}
	}
	if !p.partial {
		p.push("meta")
		p.reportAt("profile", RuleProfile, "names none of %s", strings.Join(candidates, ", "))
		p.pop()
	}
	if len(candidates) == 1 { // what it is leaves no doubt
		p.object(n, profiles().profiles[candidates[0]])
	}
}

func (p *profiler) object(n *fhir.Node, c *constraint) {
	for _, e := range c.elements {
		p.push(e.name)
		p.element(n.Get(e.name), n.Get(e.sibling), e)
		p.pop()
	}
}

// element checks the values of an element, and which slices they are in.
func (p *profiler) element(value, sibling *fhir.Node, c *constraint) {
	if value.Kind() != fhir.Array && sibling.Kind() != fhir.Array && (value != nil || sibling != nil) {
		p.count(1, c)
		p.value(value, sibling, c)
		return
	}
	count := max(value.Len(), sibling.Len())
	p.count(count, c)
	if c.max == 0 {
		return
	}
	here := len(p.path) - 1
	for i := range count {
		p.path[here].index = i
		p.value(value.Item(i), sibling.Item(i), c)
		p.stray(value.Item(i), c)
	}
	for _, s := range c.slices {
		belonging := 0
		for i := range value.Items() {
			if item := value.Item(i); s.holds(item) {
				belonging++
				p.path[here].index = i
				p.value(item, nil, s)
			}
		}
		p.path[here].index = -1
		p.count(belonging, s)
	}
	p.path[here].index = -1
}

// count reports on a number of values, or of items of a slice.
func (p *profiler) count(count int, c *constraint) {
	what := "values"
	if c.conditions != nil {
		what = c.name
	}
	switch {
	case count < c.min && !p.partial && !(c.onlyWhenActive && p.inactive):
		p.report(RuleTooFew, "%d %s, at least %d required", count, what, c.min)
	case c.max == 0 && count > 0:
		p.report(RuleForbidden, "the profile prohibits %s", c.name)
	case c.max != many && count > c.max:
		p.report(RuleTooMany, "%d %s, at most %d allowed", count, what, c.max)
	}
}

// stray reports an item that belongs to no slice.
func (p *profiler) stray(item *fhir.Node, c *constraint) {
	if len(c.slices) == 0 || slices.ContainsFunc(c.slices, func(s *constraint) bool { return s.holds(item) }) {
		return
	}
	switch {
	case c.name == "extension":
		// Extensions of others are welcome: the guide's slicing is open. Those
		// of the guide have their places, and so have the parts of its complex
		// extensions, whose URLs are relative.
		if url := item.Get("url").Str(); strings.HasPrefix(url, ansBase) || !strings.Contains(url, ":") {
			p.report(RuleExtensionURL, "the profile has no such extension here")
		}
	case c.closed:
		p.report(RuleClosed, "belongs to none of the slices %s", names(c.slices))
	case c.known:
		p.report(RuleUnlisted, "belongs to none of the slices %s", names(c.slices))
	}
}

func names(list []*constraint) string {
	var names []string
	for _, c := range list {
		names = append(names, c.name)
	}
	return strings.Join(names, ", ")
}

// value checks one value. What is below a primitive is in its sibling.
func (p *profiler) value(value, sibling *fhir.Node, c *constraint) {
	if c.max == 0 {
		return // that it is there has been reported
	}
	if text := value.Text(); text != "" && c.values != nil && !slices.Contains(c.values, text) {
		p.report(RuleFixed, "only %s allowed", strings.Join(c.values, " or "))
	}
	if c.code != "" && !c.coded(value) {
		p.report(RuleFixed, "the coding %s#%s is missing", c.system, c.code)
	}
	p.extensionValue(value, c)
	if value.Kind() != fhir.Object {
		value = sibling
	}
	if value != nil {
		p.object(value, c)
	}
}

// extensionValue checks that the value of an extension is of its type, and
// that an extension made of others has none.
func (p *profiler) extensionValue(n *fhir.Node, c *constraint) {
	switch {
	case c.valueMember != "":
		if n.Get(c.valueMember) == nil && n.Get("_"+c.valueMember) == nil {
			p.report(RuleExtensionValue, "%s is missing", c.valueMember)
		}
	case c.isComplexExtension() && n.Get("extension") == nil:
		p.report(RuleExtensionValue, "made of extensions, and has none")
	}
}
