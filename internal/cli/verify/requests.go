package verify

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/mockfhir/mockfhir/contract"
	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/internal/fhirschema"
)

// maxRequests bounds a file of requests: more would not fit in any budget.
const maxRequests = 500

// parseRequests reads a file of requests, one a line, and makes a check of
// each. What a client sends every day deserves to be watched too, and only its
// owner knows it.
//
//	# a comment
//	Practitioner?active=true&_count=5
//	Organization/001-01-12
//	POST PractitionerRole/_search role=70&_count=5
//
// Paths are relative to the base of the API. The check is called after the
// line's place, because the request may hold a person's name.
func parseRequests(r io.Reader) ([]contract.Check, error) {
	var checks []contract.Check
	_, err := readRequests(r, func(line int, request contract.Request) {
		checks = append(checks, requestCheck(line, request))
	})
	return checks, err
}

// readRequests calls each with the requests of a file, and returns how many
// there are.
func readRequests(r io.Reader, each func(line int, request contract.Request)) (count int, err error) {
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		request, err := parseRequest(line)
		if err != nil {
			return 0, fmt.Errorf("line %d: %w", n, err)
		}
		if count == maxRequests {
			return 0, fmt.Errorf("line %d: more than %d requests; split the file", n, maxRequests)
		}
		each(n, request)
		count++
	}
	if err := lines.Err(); err != nil {
		return 0, fmt.Errorf("a line is too long: %w", err)
	}
	if count == 0 {
		return 0, errors.New("holds no request; write one a line, as Practitioner?active=true")
	}
	return count, nil
}

// parseRequest reads one line. Its error does not repeat the request.
func parseRequest(line string) (contract.Request, error) {
	fields := strings.Fields(line)
	request := contract.Request{Method: "GET"}
	if fields[0] == "GET" || fields[0] == "POST" {
		request.Method, fields = fields[0], fields[1:]
	}
	form := request.Method == "POST"
	switch {
	case len(fields) == 0, len(fields) == 1 && form, len(fields) > 2, len(fields) == 2 && !form:
		return request, errors.New("write [GET] PATH or POST PATH FORM, with no blank inside (%20)")
	case form:
		request.Form = fields[1]
	}
	request.Path = strings.TrimPrefix(fields[0], "/")
	u, err := url.Parse(request.Path)
	switch {
	case err != nil || u.IsAbs() || u.Host != "" || u.Fragment != "" || strings.HasPrefix(request.Path, "/"):
		return request, errors.New("the path is relative to the base of the API, as Practitioner?active=true")
	case strings.Contains(u.Path, ".."):
		return request, errors.New("the path must stay under the base of the API")
	}
	return request, nil
}

func requestCheck(line int, request contract.Request) contract.Check {
	return contract.Check{
		ID:     fmt.Sprintf("requests/line-%d", line),
		Title:  fmt.Sprintf("Line %d of the file of requests keeps the general promises", line),
		Level:  contract.Required,
		Source: "https://hl7.org/fhir/R4/http.html",
		Why:    "It is what your own client asks for.",
		Run: func(ctx context.Context, p *contract.Probe) error {
			a, err := p.Do(ctx, request)
			if err != nil {
				return err
			}
			p.Saw()
			for _, f := range generalPromises(request, a) {
				p.Drift(f, a)
			}
			return nil
		},
	}
}

// generalPromises are those that hold for whatever is asked: it is answered,
// by the right kind of resource, sound in structure, with links that stay on
// the service.
func generalPromises(request contract.Request, a *contract.Answer) []contract.Finding {
	typ := wanted(request)
	if want := a.Expected(typ); a.Status != http.StatusOK || a.Broken != "" || a.Content() != want {
		return []contract.Finding{{
			Reason: contract.Protocol, Was: "200 " + want, Now: fmt.Sprintf("%d %s", a.Status, a.Content()),
			Message: fmt.Sprintf("The request is answered by %d %s instead of a %s.", a.Status, a.Content(), want),
		}}
	}
	var findings []contract.Finding
	switch {
	case a.JSON() == nil: // XML
	case typ == "Bundle":
		for _, entry := range a.JSON().Get("entry").Items() {
			findings = append(findings, unsound(entry.Value.Get("resource"))...)
		}
	case typ == "CapabilityStatement": // the service's own is no sound R4 (ans-server.md §7)
	default:
		findings = unsound(a.JSON())
	}
	return findings
}

// wanted is the type of resource that answers a request.
func wanted(request contract.Request) string {
	path, _, _ := strings.Cut(request.Path, "?")
	segments := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case segments[0] == "metadata":
		return "CapabilityStatement"
	case len(segments) == 2 && segments[1] != "_search":
		return segments[0]
	}
	return "Bundle"
}

func unsound(resource *fhir.Node) []contract.Finding {
	var findings []contract.Finding
	for _, issue := range fhirschema.Validate(resource) {
		findings = append(findings, contract.Finding{
			Reason: contract.Shape, Path: issue.Element, Now: string(issue.Rule),
			Message: fmt.Sprintf("%s is not sound R4: %s.", issue.Element, issue.Detail),
		})
	}
	return findings
}
