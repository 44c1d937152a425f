package mockserver_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/mockserver"
)

// The whole quick start: a server on the embedded directory, and a client that
// only needs its address and its key changed.
func Example() {
	server := httptest.NewServer(mockserver.New(fixtures.Default(), mockserver.WithKeys("k")))
	defer server.Close()

	request, _ := http.NewRequest("GET", server.URL+"/fhir/v2/Practitioner?active=true&_count=1", nil)
	request.Header.Set("ESANTE-API-KEY", "k")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	fmt.Println(response.Status, response.Header.Get("Content-Type"))
	fmt.Println(strings.Count(string(body), `"fullUrl":`), "entry")
	// Output:
	// 200 OK application/fhir+json;charset=UTF-8
	// 1 entry
}

// Without a key, the gateway refuses in the words of Gravitee.
func ExampleNew_key() {
	server := httptest.NewServer(mockserver.New(fixtures.Default(), mockserver.WithKeys("k")))
	defer server.Close()

	response, err := http.Get(server.URL + "/fhir/v2/metadata")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	fmt.Println(response.StatusCode, string(body))
	// Output:
	// 401 Unauthorized
}
