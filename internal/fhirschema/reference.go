package fhirschema

import (
	"slices"
	"strings"

	"github.com/mockfhir/mockfhir/internal/fhir"
)

// localRefs tracks the references inside one resource and those it contains.
// Its maps are nil when the resource contains none, as in this directory.
type localRefs struct {
	contained *fhir.Node
	ids       map[string]bool // of the contained resources
	used      map[string]bool // ids that something refers to; "" is the container
}

func newLocalRefs(n *fhir.Node) localRefs {
	l := localRefs{contained: n.Get("contained")}
	if l.contained == nil {
		return l
	}
	l.ids, l.used = map[string]bool{}, map[string]bool{}
	l.contained.Each(func(r *fhir.Node) {
		if id := r.Get("id").Str(); id != "" {
			l.ids[id] = true
		}
	})
	return l
}

func (l *localRefs) use(id string) {
	if l.used != nil {
		l.used[id] = true
	}
}

// contained checks what dom-2, dom-4 and dom-5 ask of a contained resource.
func (v *validator) contained(n *fhir.Node) {
	if n.Get("id") == nil {
		v.report(RuleContained, "a contained resource needs an id to be referred to")
	}
	if n.Get("contained") != nil {
		v.reportAt("contained", RuleContained, "a contained resource cannot contain others")
	}
	for _, name := range [...]string{"versionId", "lastUpdated", "security"} {
		if n.Get("meta").Get(name) != nil {
			v.reportAt("meta."+name, RuleContained, "a contained resource has no %s of its own", name)
		}
	}
}

// unreferenced checks dom-3: what is contained is referred to, or refers to
// its container.
func (v *validator) unreferenced() {
	list := v.local.contained
	if list == nil || v.local.used[""] {
		return
	}
	v.push("contained")
	for i := range list.Items() {
		v.path[len(v.path)-1].index = i
		if id := list.Item(i).Get("id").Str(); id != "" && !v.local.used[id] {
			v.report(RuleContained, "nothing refers to this contained resource")
		}
	}
	v.pop()
}

// reference checks where a Reference points.
func (v *validator) reference(f *Field, n *fhir.Node) {
	if t := strings.TrimPrefix(n.Get("type").Str(), "http://hl7.org/fhir/StructureDefinition/"); t != "" && f.Targets != nil && !slices.Contains(f.Targets, t) {
		v.reportAt("type", RuleReference, "the type is none of %s", strings.Join(f.Targets, ", "))
	}
	ref := n.Get("reference").Str()
	if ref == "" {
		return
	}
	v.push("reference")
	defer v.pop()
	if id, ok := strings.CutPrefix(ref, "#"); ok {
		v.local.use(id)
		if id != "" && !v.local.ids[id] {
			v.report(RuleReference, "no contained resource has this id")
		}
		return
	}
	target, ok := target(ref)
	switch {
	case !ok:
		v.report(RuleReference, "not of the form Type/id, #id, a URL or a URN")
	case target != "" && f.Targets != nil && !slices.Contains(f.Targets, target):
		v.report(RuleReference, "points at a %s, only %s allowed", target, strings.Join(f.Targets, ", "))
	}
}

// target returns the resource type a reference names, "" when it does not
// say, and false when it is malformed.
func target(ref string) (string, bool) {
	if scheme, rest, ok := strings.Cut(ref, ":"); ok && !strings.ContainsAny(scheme, "/?") {
		if !strings.HasPrefix(rest, "//") {
			return "", true // urn:uuid:…
		}
		// The URL of a REST server ends in Type/id; of others nothing is known.
		ref, _, _ = strings.Cut(rest, "/_history/")
		parent := ref[:strings.LastIndexByte(ref, '/')]
		if name := parent[strings.LastIndexByte(parent, '/')+1:]; KnownResource(name) {
			return name, true
		}
		return "", true
	}
	if name, _, ok := strings.Cut(ref, "?"); ok { // a conditional reference of a transaction
		return name, KnownResource(name)
	}
	name, id, _ := strings.Cut(ref, "/")
	id, version, versioned := strings.Cut(id, "/_history/")
	return name, KnownResource(name) && isID(id) && (!versioned || isID(version))
}
