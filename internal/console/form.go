package console

import (
	"strings"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/fhir"
)

// Type is what can be asked of a resource type, as a form offers it.
type Type struct {
	Type        string   `json:"type"`
	ID          string   `json:"id,omitempty"` // of a resource there is
	Includes    []string `json:"includes,omitempty"`
	RevIncludes []string `json:"revIncludes,omitempty"`
	Params      []Param  `json:"params"`
}

// Param is a search parameter, with a value that finds something.
type Param struct {
	Name      string   `json:"name"`
	Kind      string   `json:"kind"`
	About     string   `json:"about,omitempty"`
	Modifiers []string `json:"modifiers,omitempty"`
	Targets   []string `json:"targets,omitempty"`
	Example   string   `json:"example,omitempty"`
}

// modifiers are those that change something (ans-server.md §2.4, §2.5).
var modifiers = map[fixtures.Kind][]string{
	fixtures.String: {"contains", "exact"},
	fixtures.Token:  {"not"},
}

// Form describes the searches of a set, in French where its table does. An
// example is looked for in the first resources of a type only: a directory may
// have millions.
func Form(set *fixtures.Set, french bool) []Type {
	types := make([]Type, 0, len(set.Table.Types))
	for i := range set.Table.Types {
		t := &set.Table.Types[i]
		resources := first(set, t.Type)
		made := Type{Type: t.Type, Includes: t.Includes, RevIncludes: t.RevIncludes, Params: []Param{}}
		if len(resources) > 0 {
			made.ID = resources[0].Get("id").Str()
		}
		for _, p := range t.Params {
			about := p.Documentation
			if french && p.French != "" {
				about = p.French
			}
			made.Params = append(made.Params, Param{
				Name: p.Name, Kind: string(p.Kind), About: about,
				Modifiers: modifiers[p.Kind], Targets: p.Targets, Example: example(p, resources),
			})
		}
		types = append(types, made)
	}
	return types
}

// first are resources of a type to look for examples in.
func first(set *fixtures.Set, typ string) (resources []*fhir.Node) {
	const looked = 300
	for r := range set.Of(typ) {
		if node, err := fhir.ParseString(r.JSON); err == nil {
			resources = append(resources, node)
		}
		if len(resources) == looked {
			break
		}
	}
	return resources
}

// maxExample keeps a value out of the form that nobody would type.
const maxExample = 200

// example is the first value of a parameter in some resources.
func example(p fixtures.Param, resources []*fhir.Node) (found string) {
	for _, text := range p.Paths {
		path, err := fhir.ParsePath(text)
		if err != nil {
			continue // a set is checked when it is loaded
		}
		for _, resource := range resources {
			path.Each(resource, func(n *fhir.Node) {
				if v := written(p.Kind, n); found == "" && v != "" && len(v) <= maxExample {
					found = v
				}
			})
			if found != "" {
				return found
			}
		}
	}
	return p.Default
}

// separators of a search value are written with a backslash in front.
var separators = strings.NewReplacer(`\`, `\\`, ",", `\,`, "$", `\$`, "|", `\|`)

// written is a value as a search asks for it.
func written(kind fixtures.Kind, n *fhir.Node) string {
	switch kind {
	case fixtures.Token:
		return token(n)
	case fixtures.Date:
		if day, _, _ := strings.Cut(n.Str(), "T"); day != "" {
			return "ge" + day
		}
		return ""
	case fixtures.Reference:
		return n.Get("reference").Str()
	case fixtures.String:
		return separators.Replace(n.Str())
	}
	return n.Str()
}

func token(n *fhir.Node) string {
	switch {
	case n.Kind() == fhir.Bool:
		return n.Raw()
	case n.Kind() != fhir.Object:
		return separators.Replace(n.Str())
	}
	if coding := n.Get("coding").Items(); len(coding) > 0 {
		n = &coding[0].Value
	}
	code := n.Get("code").Str()
	if code == "" {
		code = n.Get("value").Str()
	}
	if system := n.Get("system").Str(); system != "" && code != "" {
		return separators.Replace(system) + "|" + separators.Replace(code)
	}
	return separators.Replace(code)
}
