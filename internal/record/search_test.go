package record_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/internal/redact"
	"github.com/mockfhir/mockfhir/mockserver"
)

// answer asks a mock in this process.
func answer(t testing.TB, base, path string) redact.Raw {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, strings.TrimSuffix(base, "/fhir/v2")+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(redact.KeyHeader, testKey)
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return redact.Raw{Method: http.MethodGet, Target: path, Header: req.Header, Status: res.StatusCode, ResponseHeader: res.Header, ResponseBody: body}
}

// found are the resources of a Bundle.
func found(t testing.TB, body []byte) (all []string) {
	t.Helper()
	bundle, err := fhir.Parse(body)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range bundle.Get("entry").Items() {
		resource := entry.Value.Get("resource")
		all = append(all, resource.Get("resourceType").Str()+"/"+resource.Get("id").Str())
	}
	return all
}

// searches that docs/recording.md says survive redaction, made of the values
// of a directory.
func survivors(set *fixtures.Set) (paths []string) {
	add := func(typ, name, value string) {
		if value != "" {
			paths = append(paths, fmt.Sprintf("/fhir/v2/%s?%s=%s&_count=40", typ, name, url.QueryEscape(value)))
		}
	}
	for i, r := range set.Resources {
		node, err := fhir.ParseString(r.JSON)
		if err != nil || i%23 != 0 {
			continue
		}
		add(r.Type, "_id", r.ID)
		add(r.Type, "_lastUpdated", "ge"+node.Path("meta", "lastUpdated").Str()[:10])
		for _, item := range node.Get("identifier").Items() {
			system, value := item.Value.Get("system").Str(), item.Value.Get("value").Str()
			add(r.Type, "identifier", system+"|"+value)
			add(r.Type, "identifier", value)
			add(r.Type, "identifier", system+"|")
		}
		for element, parameter := range map[string]string{"practitioner": "practitioner", "organization": "organization", "partOf": "partof", "providedBy": "organization", "owner": "organization"} {
			reference := node.Get(element).Get("reference").Str()
			add(r.Type, parameter, reference)
			if _, id, ok := strings.Cut(reference, "/"); ok {
				add(r.Type, parameter, id)
			}
		}
		if coding := node.Path("type", "coding"); coding != nil {
			add(r.Type, "type", coding.Item(0).Get("system").Str()+"|"+coding.Item(0).Get("code").Str())
		}
		if r.Type == "Practitioner" {
			for _, extension := range node.Get("extension").Items() {
				for _, part := range extension.Value.Get("extension").Items() {
					if part.Value.Get("url").Str() == "number" {
						add(r.Type, "number-smartcard", part.Value.Get("valueString").Str())
					}
				}
			}
			if i%2 == 0 {
				add(r.Type, "family:exact", node.Path("name", "family").Str())
			}
		}
		add(r.Type, "mailbox-mss", node.Path("telecom", "value").Str())
	}
	return paths
}

// TestSearchesSurviveRedaction redacts a whole directory and searches made of
// its values: on the redacted directory the redacted searches find what the
// original ones found, in the same order.
func TestSearchesSurviveRedaction(t *testing.T) {
	t.Parallel()
	original := generated(t, 4242)
	base := serve(t, mock(original))
	r, err := redact.New(redact.Options{Secret: []byte(testSecret), Target: target(t, base).Base, Keys: []string{testKey}})
	if err != nil {
		t.Fatal(err)
	}
	draft := redact.NewDraft(r)
	for _, typ := range []string{"Organization", "Practitioner", "PractitionerRole", "HealthcareService", "Device"} {
		draft.Add("all/"+typ, "", nil, answer(t, base, "/fhir/v2/"+typ+"?_count=1000"))
	}
	paths := survivors(original)
	slices.Sort(paths)
	paths = slices.Compact(paths)
	sizes := map[string]int{}
	for i, path := range paths {
		raw := answer(t, base, path)
		sizes[fmt.Sprintf("exchanges/search/%05d.txtar", i)] = len(found(t, raw.ResponseBody))
		draft.Add(fmt.Sprintf("search/%05d", i), "", nil, raw)
	}
	sealed, err := draft.Seal(fixtures.Manifest{})
	if err != nil {
		t.Fatal(err)
	}
	set := load(t, sealed)
	if len(set.Resources) != len(original.Resources) {
		t.Fatalf("%d resources of %d: two became one", len(set.Resources), len(original.Resources))
	}
	checkReferences(t, original, set)

	// Computed, not replayed.
	redacted := serve(t, mockserver.New(&fixtures.Set{Table: set.Table, Resources: set.Resources}, mockserver.WithKeys(testKey), mockserver.WithRate("0")))
	searches, something := 0, 0
	for _, s := range set.Scenarios {
		if !strings.HasPrefix(s.File, "exchanges/search/") {
			continue
		}
		x := s.Exchanges[0]
		want := found(t, x.Response.Body)
		got := found(t, answer(t, redacted, x.Request.Target).ResponseBody)
		if !slices.Equal(got, want) || len(want) != sizes[s.File] {
			t.Errorf("%s finds %d resources, the original %d", x.Request.Target, len(got), sizes[s.File])
		}
		if searches++; len(want) > 0 {
			something++
		}
	}
	if searches < 250 || something < searches*9/10 {
		t.Errorf("%d searches, %d of which find something: too few to tell anything", searches, something)
	}
}

// checkReferences: what refers to a resource of the set still does.
func checkReferences(t *testing.T, original, redacted *fixtures.Set) {
	t.Helper()
	var resolved [2]int
	for i, set := range []*fixtures.Set{original, redacted} {
		there := map[string]bool{}
		for _, r := range set.Resources {
			there[r.Type+"/"+r.ID] = true
		}
		for _, r := range set.Resources {
			node, err := fhir.ParseString(r.JSON)
			if err != nil {
				t.Fatal(err)
			}
			for _, reference := range redact.References(node) {
				if there[reference] {
					resolved[i]++
				}
			}
		}
	}
	if resolved[0] != resolved[1] || resolved[0] < 500 {
		t.Errorf("%d references resolve, %d did", resolved[1], resolved[0])
	}
}
