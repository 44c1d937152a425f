package search

import "net/http"

// Error is a refusal the server states in an OperationOutcome.
type Error struct {
	Status int
	Text   string // the diagnostics
}

func (e *Error) Error() string { return e.Text }

func refuse(text string) error { return &Error{http.StatusInternalServerError, text} }

// The texts of the server (ans-server.md §1.2, §2, §3).
const (
	UnsupportedType = "Can't process the request. Resource type not supported. Server knows how to handle: [Device, HealthcareService, Organization, Practitioner, PractitionerRole]"
	UnknownError    = "Unknown error"
	badValue        = "Bad parameter value."
	badInclude      = "Bad include parameter."
	badKind         = "Search type not supported"
	badCount        = `The _count parameter must be in the FHIR format with an integer value : "_count=30"`
	badTotal        = "Bad value for the _total parameter. Allowed values are : accurate, none, estimate"
	badPage         = "The url can't be processed. Maybe it is too old or corrupted."
	noPage          = "Parameter id required to fetch the next page"
)

func unknownParam(name, typ string) error {
	return refuse("Parameter " + name + " not found for resource " + typ)
}
