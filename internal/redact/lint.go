package redact

import (
	"fmt"
	"strings"

	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/internal/synth"
)

// LintResource looks for numbers of a resource that are outside of the
// fictitious ranges and may be somebody's, the few that ANS's guide prints
// apart. It tells their places.
func LintResource(n *fhir.Node) (places []string) {
	if printed(n.Get("resourceType").Str() + "/" + n.Get("id").Str()) {
		return nil
	}
	typ := n.Get("resourceType").Str()
	if id := n.Get("id").Str(); technicalForm.MatchString(id) && !isTechnical(id) {
		places = append(places, typ+".id: a technical id outside of the fictitious range")
	}
	r := &Redactor{met: map[synth.Kind]map[uint64]bool{}}
	for i, item := range n.Get("identifier").Items() {
		system, value := item.Value.Get("system").Str(), item.Value.Get("value").Str()
		if k := r.register(system, value, typ); system != "" && k != "" && !IsFictitious(value) {
			places = append(places, fmt.Sprintf("%s.identifier[%d].value: a number of the register %s outside of the fictitious range", typ, i, k))
		}
	}
	for _, path := range referencePaths {
		if _, id, found := strings.Cut(n.Get(path).Get("reference").Str(), "/"); found && technicalForm.MatchString(id) && !isTechnical(id) && !printed(n.Get(path).Get("reference").Str()) {
			places = append(places, typ+"."+path+".reference: a technical id outside of the fictitious range")
		}
	}
	return places
}

// printed reports whether a resource is there for a number that ANS's guide
// prints, which is in no range of ours.
func printed(reference string) bool {
	for _, probe := range synth.Probes() {
		if probe.Type+"/"+probe.ID == reference {
			return true
		}
	}
	return false
}

// referencePaths are the references of the five types.
var referencePaths = []string{"practitioner", "organization", "partOf", "providedBy", "owner"}

// References are the relative references of a resource, as Type/id.
func References(n *fhir.Node) (targets []string) {
	for _, path := range referencePaths {
		if reference := n.Get(path).Get("reference").Str(); reference != "" {
			targets = append(targets, reference)
		}
	}
	return targets
}
