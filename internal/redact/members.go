package redact

import (
	"strings"
	"sync"

	"github.com/mockfhir/mockfhir/internal/fhirschema"
)

// members are the names a member may have: those of R4, and of the errors of
// gateways and servers. An object with keys of its own making may be keyed by
// people.
var members = sync.OnceValue(func() map[string]bool {
	m := words("message http_status_code timestamp status error path")
	seen := map[string]bool{}
	var add func(typ string)
	add = func(typ string) {
		if seen[typ] {
			return
		}
		seen[typ] = true
		for _, f := range fhirschema.Fields(typ) {
			for _, t := range f.Types {
				name, choice := strings.CutSuffix(f.Name, "[x]")
				if choice {
					name += strings.ToUpper(t[:1]) + t[1:]
				}
				m[name], m["_"+name] = true, true
				add(t)
			}
		}
	}
	for _, typ := range fhirschema.ResourceTypes() {
		m["resourceType"] = true
		add(typ)
	}
	return m
})
