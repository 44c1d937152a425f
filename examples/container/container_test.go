package container

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/testcontainers/testcontainers-go"

	"github.com/mockfhir/mockfhir/contract"
	"github.com/mockfhir/mockfhir/contract/contracttest"
	"github.com/mockfhir/mockfhir/mockcontainer"
)

// start runs the image until the test ends.
func start(t *testing.T, opts ...testcontainers.ContainerCustomizer) (mock *mockcontainer.Container, base string) {
	t.Helper()
	mock, err := mockcontainer.Run(t.Context(), image(t), opts...)
	testcontainers.CleanupContainer(t, mock)
	if err != nil {
		t.Fatal(err)
	}
	base, err = mock.BaseURL(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return mock, base
}

// call gets a URL with a key.
func call(t *testing.T, key, url string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("ESANTE-API-KEY", key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// The whole contract holds over the mapped port.
func TestContract(t *testing.T) {
	mock, base := start(t, mockcontainer.WithRate("0"))
	contracttest.Run(t, contract.Target{URL: base, Key: mock.Key()}, contract.Checks())
}

// Links carry the port that the engine chose, so all pages can be walked.
func TestAllPages(t *testing.T) {
	mock, base := start(t, mockcontainer.WithRate("0"))
	seen := walk(t, mock.Key(), base, base+"/Device?_count=100", func(http.Header) {})
	if len(seen) != 510 {
		t.Errorf("%d devices, want 510", len(seen))
	}
}

// walk follows next links, which must stay below the base, and returns the ids.
func walk(t *testing.T, key, base, page string, look func(http.Header)) map[string]bool {
	t.Helper()
	seen := map[string]bool{}
	searched, _, _ := strings.Cut(strings.TrimPrefix(page, base+"/"), "?")
	for page != "" {
		if !strings.HasPrefix(page, base+"/") {
			t.Fatalf("link to %s leaves %s", page, base)
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, page, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("ESANTE-API-KEY", key)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		var bundle struct {
			Link  []struct{ Relation, URL string }
			Entry []struct {
				Resource struct{ ResourceType, ID string }
			}
		}
		err = json.NewDecoder(response.Body).Decode(&bundle)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%s answers %s: %v", page, response.Status, err)
		}
		look(response.Header)
		for _, e := range bundle.Entry {
			if e.Resource.ResourceType != searched {
				continue // what is included may be so on each page
			}
			if seen[e.Resource.ID] {
				t.Errorf("%s came twice", e.Resource.ID)
			}
			seen[e.Resource.ID] = true
		}
		page = ""
		for _, l := range bundle.Link {
			if l.Relation == "next" {
				page = l.URL
			}
		}
	}
	return seen
}

func TestKeys(t *testing.T) {
	mock, base := start(t, mockcontainer.WithKey("mine"), mockcontainer.WithKey("yours"))
	if mock.Key() != "mine" {
		t.Errorf("key %q, want the first", mock.Key())
	}
	for key, want := range map[string]int{"mine": 200, "yours": 200, mockcontainer.DefaultKey: 401} {
		if got, _ := call(t, key, base+"/Practitioner?_count=1"); got != want {
			t.Errorf("key %s: %d, want %d", key, got, want)
		}
	}
}

func TestFixtures(t *testing.T) {
	dir := t.TempDir()
	resources := filepath.Join(dir, "resources")
	if err := os.Mkdir(resources, 0o700); err != nil { // readable in the container all the same
		t.Fatal(err)
	}
	text := `{"resourceType":"Practitioner","id":"p-1","active":true,"name":[{"family":"ABEILLE"}]}` + "\n"
	if err := os.WriteFile(filepath.Join(resources, "Practitioner.ndjson"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "more.ndjson")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, "p-1", "p-2")), 0o600); err != nil {
		t.Fatal(err)
	}
	mock, base := start(t, mockcontainer.WithFixtures(dir), mockcontainer.WithFixtures(file))
	if _, body := call(t, mock.Key(), base+"/Practitioner"); !strings.Contains(body, `"total":2,`) {
		t.Errorf("answered %.200s, want the two of the fixtures", body)
	}
}

func TestRate(t *testing.T) {
	mock, base := start(t, mockcontainer.WithRate("quota:2/1h"))
	for _, want := range []int{200, 200, 429} {
		if got, _ := call(t, mock.Key(), base+"/Practitioner?_count=1"); got != want {
			t.Errorf("status %d, want %d", got, want)
		}
	}
}

func TestVersion(t *testing.T) {
	mock, base := start(t, mockcontainer.WithVersion("v2"))
	if !strings.HasSuffix(base, "/fhir/v2") {
		t.Errorf("base %s, want that of version 2", base)
	}
	if status, _ := call(t, mock.Key(), strings.TrimSuffix(base, "/v2")+"/metadata"); status != http.StatusOK {
		t.Errorf("/fhir/metadata answers %d", status)
	}
}

// An image that knows no incidents says so, and the container does not start.
func TestIncident(t *testing.T) {
	const name = "2026-03-09-internal-next-link"
	if help := must(t, "run", "--rm", image(t), "-h"); !strings.Contains(help, "-incident") {
		mock, err := mockcontainer.Run(t.Context(), image(t), mockcontainer.WithIncident(name))
		testcontainers.CleanupContainer(t, mock)
		if err == nil || !strings.Contains(err.Error(), "exited with code 2") {
			t.Errorf("error %v, want that of a command line that is not valid", err)
		}
		return
	}
	mock, base := start(t, mockcontainer.WithIncident(name))
	_, body := call(t, mock.Key(), base+"/Practitioner?_count=1")
	var bundle struct {
		Link []struct{ Relation, URL string }
	}
	if err := json.Unmarshal([]byte(body), &bundle); err != nil {
		t.Fatal(err)
	}
	for _, l := range bundle.Link {
		if l.Relation == "next" && strings.HasPrefix(l.URL, base) {
			t.Errorf("next is %s, want an internal address", l.URL)
		}
	}
}

func TestControl(t *testing.T) {
	mock, base := start(t)
	control, err := mock.Control(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.TrimSuffix(base, "/fhir/v2") + "/__mockfhir"; control.URL != want {
		t.Errorf("control at %s, want %s", control.URL, want)
	}
	for _, path := range []string{"/version", "/openapi.json"} {
		response, err := control.Do(t.Context(), http.MethodGet, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Errorf("%s answers %s", path, response.Status)
		}
	}
}

// What cannot start says why, and does not wait for ever.
func TestBrokenOption(t *testing.T) {
	needEngine(t)
	_, err := mockcontainer.Run(t.Context(), image(t), mockcontainer.WithFixtures("nowhere"))
	if err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("error %v, want one that names the fixtures", fmt.Sprint(err))
	}
}
