package fhirschema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Rule names what an Issue breaks. Rules are for ever: ignore files name them.
type Rule string

// Issue is one defect of a resource.
type Issue struct {
	Path    string // where, with indexes: "Bundle.entry[0].resource.name[1].use"
	Element string // the same from the innermost resource on, without indexes: "Practitioner.name.use"
	Rule    Rule
	Detail  string // for people; never holds a value of the resource
}

func (i Issue) String() string { return fmt.Sprintf("%s: %s (%s)", i.Path, i.Detail, i.Rule) }

// Deviation is a way in which the live service is known to differ from R4.
type Deviation struct {
	Element string // as in Issue; a leading * stands for any resource type
	Rule    Rule
	Source  string
}

var deviations = []Deviation{
	{"Bundle.entry", RuleEmpty, "ans-server.md §4.1: an empty result is an empty array"},
	{"CapabilityStatement.date", RuleRequired, "ans-server.md §7: absent from metadata"},
	{"CapabilityStatement.kind", RuleRequired, "ans-server.md §7: absent from metadata"},
	{"CapabilityStatement.rest.mode", RuleRequired, "ans-server.md §7: absent from metadata"},
	{"*.meta.versionId", RuleKind, "ans-server.md §8.2, issue #359: a number after an update, until release 1.27"},
}

// Deviations returns the known deviations of the live service.
func Deviations() []Deviation { return slices.Clone(deviations) }

// Deviation returns the known deviation an issue is an instance of.
func (i Issue) Deviation() (Deviation, bool) {
	_, below, _ := strings.Cut(i.Element, ".")
	for _, d := range deviations {
		if d.Rule == i.Rule && (d.Element == i.Element || d.Element == "*."+below) {
			return d, true
		}
	}
	return Deviation{}, false
}

// MaxIssues is how many issues of one resource are told.
const MaxIssues = 1000

// trail collects issues along the way through a tree.
type trail struct {
	issues []Issue
	path   []step
}

// step is one level of the path: an element or, when typ is set, the start
// of a resource.
type step struct {
	name  string
	index int // -1 when single
	typ   string
}

func (t *trail) push(name string) {
	t.path = append(t.path, step{name: name, index: -1})
}

func (t *trail) pop() { t.path = t.path[:len(t.path)-1] }

func (t *trail) report(rule Rule, format string, args ...any) {
	if len(t.issues) == MaxIssues {
		return
	}
	var path, element strings.Builder
	for i, s := range t.path {
		if i > 0 {
			path.WriteByte('.')
			element.WriteByte('.')
		}
		path.WriteString(s.name)
		element.WriteString(s.name)
		if s.index >= 0 {
			path.WriteString("[" + strconv.Itoa(s.index) + "]")
		}
		if s.typ != "" {
			element.Reset()
			element.WriteString(s.typ)
		}
	}
	t.issues = append(t.issues, Issue{path.String(), element.String(), rule, fmt.Sprintf(format, args...)})
}

// reportAt reports on a member of the object at hand.
func (t *trail) reportAt(name string, rule Rule, format string, args ...any) {
	t.push(name)
	t.report(rule, format, args...)
	t.pop()
}
