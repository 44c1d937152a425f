package contract

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// errorChecks: what the service refuses, with which status and words. None of
// it is promised; clients that tell a typing mistake from an outage rely on it.
func errorChecks() []Check {
	const (
		parser = server + "fhir-domain/src/main/java/fr/ans/afas/fhirserver/http/FhirRequestParser.java"
		why    = "A mistake that is no longer refused gives an answer to another question; another status sends clients to retry what cannot work."
	)
	var checks []Check
	for _, e := range refusals {
		checks = append(checks, Check{
			ID: "errors/" + e.id, Title: e.title, Level: Observed, Source: parser, Why: why,
			Run: func(ctx context.Context, p *Probe) error {
				for _, path := range e.paths {
					if err := p.refuses(ctx, path, e.status, e.text); err != nil {
						return err
					}
				}
				return nil
			},
		})
	}
	return append(checks,
		Check{ID: "errors/outcome", Title: "An error of the FHIR server is one issue: error, exception, diagnostics", Level: Observed,
			Source: server + "afas-fhir-servlet", Why: "Clients show diagnostics, and log severity and code.", Run: checkOutcome},
		Check{ID: "errors/writes", Title: "PUT and DELETE are refused", Level: Required, Source: guide + "getting-started/api-basics.md",
			Why: "The directory is read-only for the public.", Run: checkWrites},
	)
}

// refusals are the mistakes asked about (ans-server.md §2, §3, §6.4).
var refusals = []struct {
	id, title string
	paths     []string
	status    int
	text      string // of diagnostics
}{
	{"unknown-parameter", "A parameter nobody documented is refused by name", []string{"Practitioner?" + unknownCriterion}, 500, "Parameter foo not found for resource Practitioner"},
	{"unsupported", "_sort is refused like any unknown parameter", []string{"Practitioner?_sort=family"}, 500, "Parameter _sort not found for resource Practitioner"},
	{"summary", "_summary is refused like any unknown parameter", []string{"Organization?_summary=count"}, 500, "Parameter _summary not found for resource Organization"},
	{"has", "_has is refused like any unknown parameter", []string{"Practitioner?_has:PractitionerRole:practitioner:active=true"}, 500, "Parameter _has not found for resource Practitioner"},
	{"unknown-type", "A type nobody serves is refused, with those that are", []string{"Patient"}, 500, typesServed},
	{"unknown-type-read", "Reading a type nobody serves is 404", []string{"Patient/1"}, 404, typesServed},
	{"count", "_count wants an integer", []string{"Practitioner?_count=abc", "Practitioner?_count=1.5"}, 500, `The _count parameter must be in the FHIR format with an integer value : "_count=30"`},
	{"total", "_total wants one of three words", []string{"Practitioner?_total=maybe"}, 500, "Bad value for the _total parameter. Allowed values are : accurate, none, estimate"},
	{"date", "A date that is none is refused", []string{"Practitioner?_lastUpdated=2022-13"}, 500, `Invalid date/time format: "2022-13"`},
	{"date-prefix", "A prefix that is none is refused", []string{"Practitioner?_lastUpdated=abc2020"}, 500, `Invalid prefix: "abc"`},
	{"include", "An include of something else is refused", []string{"Practitioner?_include=Practitioner:nobody", "Organization?_include=PractitionerRole:organization"}, 500, ""},
	{"page-token", "A page token nobody gave is refused", []string{"_page?id=mockfhir"}, 500, "The url can't be processed. Maybe it is too old or corrupted."},
	{"no-page-token", "A page without a token is refused", []string{"_page"}, 400, "Parameter id required to fetch the next page"},
	{"read", "Reading an id nobody has says which", []string{"Practitioner/" + nobody}, 404, "Resource not found with id: " + nobody},
}

const typesServed = "Can't process the request. Resource type not supported. Server knows how to handle: [Device, HealthcareService, Organization, Practitioner, PractitionerRole]"

// hapiNumber is a number HAPI gives its messages; it moves with its versions.
var hapiNumber = regexp.MustCompile(`HAPI-[0-9]+: `)

func (p *Probe) refuses(ctx context.Context, path string, status int, text string) error {
	a, err := p.Get(ctx, path)
	if err != nil {
		return err
	}
	p.Saw()
	switch where := publicPath(path); {
	case a.Status == http.StatusOK:
		p.Drift(Finding{Reason: Search, Path: where, Was: itoa(status), Now: a.summary(),
			Message: fmt.Sprintf("%s is answered as if nothing was wrong with it.", where)}, a)
	case a.Status != status:
		p.Drift(Finding{Reason: Protocol, Path: where, Was: itoa(status), Now: a.summary(),
			Message: fmt.Sprintf("%s is refused with another status.", where)}, a)
	case a.ResourceType() != "OperationOutcome":
		p.Drift(Finding{Reason: Protocol, Path: where, Was: "OperationOutcome", Now: a.summary(),
			Message: fmt.Sprintf("%s is refused without an OperationOutcome.", where)}, a)
	case text != "" && strings.TrimSpace(hapiNumber.ReplaceAllString(a.Diagnostics(), "")) != text:
		p.Drift(Finding{Class: Benign, Reason: Protocol, Path: where, Was: "the known text", Now: "another text",
			Message: fmt.Sprintf("%s is refused in other words.", where)}, a)
	}
	return nil
}

func checkOutcome(ctx context.Context, p *Probe) error {
	for _, path := range []string{"Practitioner?" + unknownCriterion, "Practitioner/" + nobody} {
		a, err := p.Get(ctx, path)
		if err != nil {
			return err
		}
		if a.ResourceType() != "OperationOutcome" {
			continue // told by the check of that mistake
		}
		p.Saw()
		issues := a.JSON().Get("issue")
		if n := issues.Len(); n != 1 {
			p.Drift(Finding{Reason: Shape, Path: "OperationOutcome.issue", Was: "1", Now: itoa(n), Message: "An error has another number of issues than one."}, a)
			continue
		}
		issue := issues.Item(0)
		for _, m := range []struct{ name, want string }{{"severity", "error"}, {"code", "exception"}} {
			if got := issue.Get(m.name).Str(); got != m.want {
				p.Drift(Finding{Class: Additive, Reason: Meaning, Path: "OperationOutcome.issue." + m.name, Was: m.want, Now: safe(got),
					Message: fmt.Sprintf("The %s of errors is another one.", m.name)}, a)
			}
		}
		if issue.Get("diagnostics").Str() == "" {
			p.Drift(Finding{Reason: Shape, Path: "OperationOutcome.issue.diagnostics", Was: "present", Now: "absent", Message: "Errors no longer say what is wrong."}, a)
		}
	}
	return nil
}

// checkWrites tries to write where nothing real can be written.
func checkWrites(ctx context.Context, p *Probe) error {
	if !p.local {
		return p.NotApplicable("tries to write, so on loopback only")
	}
	for _, method := range []string{http.MethodPut, http.MethodDelete} {
		a, err := p.Do(ctx, Request{Method: method, Path: "Practitioner/" + nobody})
		if err != nil {
			return err
		}
		p.Saw()
		if a.Status < 400 {
			p.Drift(Finding{Reason: Security, Path: method, Was: "refused", Now: a.summary(), Message: method + " is not refused."}, a)
		}
	}
	return nil
}
