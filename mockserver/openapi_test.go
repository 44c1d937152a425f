package mockserver_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/shared"
)

// TestDocumentedRequestsAgainstOpenAPI sends every request of ANS's v2 guide
// through the document the server serves: what the document knows must be
// valid against it, in both directions; what it does not know the server
// refuses as well.
func TestDocumentedRequestsAgainstOpenAPI(t *testing.T) {
	t.Parallel()
	server := serve(t, fixtures.Default())
	response, text := get(t, server.URL+"/__mockfhir/openapi.json")
	if response.StatusCode != 200 || response.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("the document is answered with %s", response.Status)
	}
	document, err := openapi3.NewLoader().LoadFromData([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	document.Servers = openapi3.Servers{{URL: server.URL + "/fhir/v2"}}
	router, err := gorillamux.NewRouter(document)
	if err != nil {
		t.Fatal(err)
	}
	openapi3filter.RegisterBodyDecoder("application/fhir+json", openapi3filter.JSONBodyDecoder)
	openapi3filter.RegisterBodyDecoder("text/html", openapi3filter.FileBodyDecoder)

	rows, err := os.ReadFile(shared.Path(t, "cases", "documented-requests.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	known, unknown := 0, 0
	for line := range strings.Lines(string(rows)) {
		row := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if row[1] != "v2" || strings.Contains(row[3], "[") || strings.Contains(row[3], "{") {
			continue
		}
		target, body, _ := strings.Cut(row[3], " ")
		request, err := http.NewRequest(row[2], server.URL+"/fhir/v2"+target, strings.NewReader(body))
		if err != nil {
			continue // a malformed escape: internal/cases sends it raw
		}
		request.Header.Set("ESANTE-API-KEY", "k")
		if row[2] == http.MethodPost {
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		route, params, routeErr := router.FindRoute(request)
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatalf("%s: %v", row[0], err)
		}
		got, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil {
			t.Fatalf("%s: %v", row[0], err)
		}
		if routeErr != nil {
			unknown++
			if answer.StatusCode < 400 {
				t.Errorf("%s: the document does not know %s, and the server answers %d", row[0], target, answer.StatusCode)
			}
			continue
		}
		known++
		options := &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true}
		request.Body = io.NopCloser(strings.NewReader(body))
		input := &openapi3filter.RequestValidationInput{Request: request, PathParams: params, Route: route, Options: options}
		if err := openapi3filter.ValidateRequest(context.Background(), input); err != nil {
			t.Errorf("%s: %s %s is not valid: %v", row[0], row[2], target, err)
		}
		if answer.StatusCode == http.StatusRequestURITooLong {
			continue // the gateway's, without a body
		}
		if err := openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
			RequestValidationInput: input, Status: answer.StatusCode, Header: answer.Header,
			Body: io.NopCloser(bytes.NewReader(got)), Options: options,
		}); err != nil {
			t.Errorf("%s: the answer to %s is not valid: %v", row[0], target, err)
		}
	}
	t.Logf("%d requests valid in both directions, %d unknown to the document and refused", known, unknown)
	if known < 100 {
		t.Errorf("only %d requests were held against the document", known)
	}
}
