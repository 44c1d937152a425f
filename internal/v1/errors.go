package v1

import (
	"fmt"
	"net/http"
	"strings"
)

// refusal is what HAPI says in an OperationOutcome.
type refusal struct {
	status int
	code   string // of the issue
	text   string
}

func (r *refusal) Error() string { return r.text }

func refuse(status int, format string, args ...any) error {
	return &refusal{status, "processing", fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) error {
	return refuse(http.StatusBadRequest, format, args...)
}

// failure is an exception that HAPI did not expect.
func failure(format string, args ...any) error {
	return refuse(http.StatusInternalServerError, format, args...)
}

// The messages of HAPI 7, which carry its numbers (ans-server.md §14).

func unknownType(name string) error {
	return refuse(http.StatusNotFound, "HAPI-0302: Unknown resource type '%s' - Server knows how to handle: "+
		"[Practitioner, PractitionerRole, Device, Organization, HealthcareService]", name)
}

func unknownResource(typ, id string) error {
	return refuse(http.StatusNotFound, "HAPI-0436: Resource %s/%s is not known", typ, id)
}

func unknownParam(name, typ string, valid []string) error {
	return invalid("HAPI-0524: Unknown search parameter \"%s\" for resource type \"%s\". Valid search parameters for this search are: [%s]",
		name, typ, strings.Join(valid, ", "))
}

// unknownOperation has a code of its own, and no number in its text.
func unknownOperation(method, path string, p params) error {
	var names []string
	for _, pair := range p {
		names = append(names, pair.name)
	}
	return &refusal{http.StatusBadRequest, "not-supported", fmt.Sprintf(
		"Invalid request: The FHIR endpoint on this server does not know how to handle %s operation[%s] with parameters [[%s]]",
		method, path, strings.Join(names, ", "))}
}

func badInclude(value string, valid []string, name string) error {
	return invalid("HAPI-0442: Invalid %s parameter value: \"%s\". Valid values are: [%s]", name, value, strings.Join(valid, ", "))
}

// notConfigured is the 500 of a parameter that was announced and never wired
// (issue #306).
func notConfigured(typ, path string) error {
	return accessFailure("fr.ans.afas.fhirserver.search.exception.BadConfigurationException: "+
		"Search not supported on path: FhirSearchPath{resource='%s',path='%s'}", typ, path)
}

func accessFailure(format string, args ...any) error {
	return failure("HAPI-0389: Failed to call access method: "+format, args...)
}

func rootRequest() error {
	return invalid("HAPI-0287: This is the base URL of FHIR server. Unable to handle this request, as it does not contain a resource type or operation name.")
}

func unknownSearch(id string) error {
	return refuse(http.StatusGone, "HAPI-0417: Search ID \"%s\" does not exist and may have expired", id)
}
