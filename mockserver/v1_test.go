package mockserver_test

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/mockserver"
)

// searchset is what a client reads of a Bundle of version 1.
type searchset struct {
	ResourceType, ID, Type string
	Meta                   struct{ LastUpdated string }
	Total                  *int
	Link                   []struct{ Relation, URL string }
	Entry                  []struct {
		FullURL  string `json:"fullUrl"`
		Resource struct {
			ResourceType, ID           string
			Practitioner, Organization struct{ Reference string }
			Code                       []struct{ Coding []struct{ Code string } }
		}
	}
}

func (b searchset) next() string {
	for _, l := range b.Link {
		if l.Relation == "next" {
			return l.URL
		}
	}
	return ""
}

func readBundle(t testing.TB, text string) (b searchset) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &b); err != nil || b.ResourceType != "Bundle" {
		t.Fatalf("no Bundle: %v, %.200s", err, text)
	}
	return b
}

// The two tests of ANS's guide "Obtenir une clé API", as version 1 printed
// their answers.
func TestTheGuideOfVersionOne(t *testing.T) {
	t.Parallel()
	ts := serve(t, fixtures.Default(), mockserver.WithDefaultVersion("v1"))
	_, text := get(t, ts.URL+"/fhir/metadata?_pretty=true&_format=json", "User-Agent", "curl/8.0", "Accept", "*/*")
	var statement struct {
		ResourceType, Name, Status, Publisher, Kind, FHIRVersion string
		Software                                                 struct{ Name, Version string }
		Implementation                                           struct{ Description, URL string }
		Format                                                   []string
	}
	if err := json.Unmarshal([]byte(text), &statement); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"application/fhir+xml", "xml", "application/fhir+json", "json"}, statement.Format); diff != "" {
		t.Errorf("formats (-guide +ours)\n%s", diff)
	}
	if statement.Name != "RestServer" || statement.Software.Name != "Afas Fhir server" || statement.Software.Version != "V1-R4" ||
		statement.Implementation.URL != ts.URL+"/fhir/v1" || statement.FHIRVersion != "4.0.1" || !strings.HasPrefix(text, "{\n  \"resourceType\": \"CapabilityStatement\",\n") {
		t.Errorf("%.600s", text)
	}
	_, text = get(t, ts.URL+"/fhir/Practitioner?_pretty=true&_format=json", "Accept", "*/*")
	b := readBundle(t, text)
	if len(b.Entry) != 50 || !strings.HasPrefix(b.Entry[0].FullURL, ts.URL+"/fhir/v1/Practitioner/003-") {
		t.Errorf("%.600s", text)
	}
	if want := ts.URL + "/fhir/v1/Practitioner?_format=json&_pretty=true"; b.Link[0].Relation != "self" || b.Link[0].URL != want {
		t.Errorf("self %v, want %s", b.Link[0], want)
	}
	if next := b.next(); !strings.HasPrefix(next, ts.URL+"/fhir/v1?_getpages=") || !strings.HasSuffix(next, "&_format=json&_pretty=true&_bundletype=searchset") {
		t.Errorf("next %s", next)
	}
	if !strings.HasSuffix(b.Meta.LastUpdated, "+00:00") || strings.Index(text, `"link"`) > strings.Index(text, `"entry"`) {
		t.Errorf("%.600s", text)
	}
}

// What the clients of ANS's starters send, header by header (ans-api.md §7),
// gets what they need. Each follows pages to the end, as theirs do.
func TestClientsOfVersionOne(t *testing.T) {
	t.Parallel()
	ts := serve(t, fixtures.Default(), mockserver.WithDefaultVersion("v1"))
	hapi := []string{
		"Accept", "application/fhir+xml;q=1.0, application/fhir+json;q=1.0, application/xml+fhir;q=0.9, application/json+fhir;q=0.9",
		"Accept-Charset", "utf-8", "User-Agent", "HAPI-FHIR/6.0.0 (FHIR Client; FHIR 4.0.1/R4; apache)",
	}
	firely := []string{"Accept", "application/fhir+json;fhirVersion=4.0", "Accept-Charset", "utf-8", "User-Agent", "firely-sdk-client/4.3.0"}
	guzzle := []string{"User-Agent", "GuzzleHttp/7"}
	for _, tt := range []struct {
		name   string
		header []string
		asks   []string // in this order; the first of HAPI's is its validation of the server
	}{
		{"HAPI Java", hapi, []string{
			"/fhir/metadata", "/fhir/Device?_count=500", "/fhir/PractitionerRole?_include=PractitionerRole%3Apractitioner&_include=PractitionerRole%3Aorganization&_count=200",
			"/fhir/Device?_lastUpdated=ge2022", "/fhir/Organization?name%3Acontains=centre", "/fhir/HealthcareService?characteristic=https%3A%2F%2Fmos.esante.gouv.fr%2FNOS%2FTRE_R276-FormeActivite%2FFHIR%2FTRE-R276-FormeActivite%2C07",
		}},
		{"PHP Guzzle", guzzle, []string{
			"/fhir/v1/metadata", "/fhir/v1/Device", "/fhir/v1/PractitionerRole?_include=PractitionerRole:practitioner&_include=PractitionerRole:organization",
			"/fhir/v1/Practitioner?active=true", "/fhir/Organization?address-postalcode%3Aexact=13290%2C13321",
		}},
		{"Firely .NET", firely, []string{
			"/fhir/Device?_count=50", "/fhir/Organization?name%3Acontains=c&_count=50", "/fhir/PractitionerRole?active=true&_count=50", "/fhir/PractitionerRole?role=10&_count=50",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, target := range tt.asks {
				resp, text := get(t, ts.URL+target, tt.header...)
				if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/fhir+json;charset=UTF-8" {
					t.Errorf("%s: %d %s", target, resp.StatusCode, resp.Header.Get("Content-Type"))
				}
				if strings.Contains(target, "metadata") {
					if !strings.Contains(text, `"kind":"instance"`) || !strings.Contains(text, `"fhirVersion":"4.0.1"`) {
						t.Errorf("%s: %.300s", target, text)
					}
					continue
				}
				follow(t, text, tt.header)
			}
		})
	}
	t.Run("HAPI Java in XML", func(t *testing.T) {
		t.Parallel()
		resp, text := get(t, ts.URL+"/fhir/Device?_count=500&_format=xml", hapi...)
		if resp.Header.Get("Content-Type") != "application/fhir+xml;charset=UTF-8" {
			t.Errorf("%s", resp.Header)
		}
		links, entries := readXML(t, text)
		if entries != 500 || len(links) != 2 {
			t.Fatalf("%d entries, links %v", entries, links)
		}
		resp, text = get(t, links[1], hapi...) // HAPI follows the address as it is
		if _, entries := readXML(t, text); entries != 10 || resp.Header.Get("Content-Type") != "application/fhir+xml;charset=UTF-8" {
			t.Errorf("%d entries on the second page", entries)
		}
	})
	t.Run("Firely reads", func(t *testing.T) {
		t.Parallel()
		resp, text := get(t, ts.URL+"/fhir/PractitionerRole/005-5087586-6923328", firely...)
		if resp.StatusCode != 200 || !strings.HasPrefix(text, `{"resourceType":"PractitionerRole","id":"005-5087586-6923328"`) || resp.Header.Get("ETag") == "" {
			t.Errorf("%d %v %.200s", resp.StatusCode, resp.Header, text)
		}
	})
	t.Run("the SAS test kit", func(t *testing.T) {
		t.Parallel()
		resp, _ := get(t, ts.URL+"/fhir/v1/Practitioner?_count=1", "Accept", "application/json+fhir")
		if got := resp.Header.Get("Content-Type"); got != "application/json+fhir;charset=UTF-8" {
			t.Errorf("Content-Type %s", got)
		}
	})
}

// follow walks a search to its end, and holds what it brings against what the
// samples expect (ans-api.md §7.2): references that name an entry of the same
// page when the search includes them, a coding on every PractitionerRole.
func follow(t *testing.T, text string, header []string) {
	t.Helper()
	b := readBundle(t, text)
	total := *b.Total
	for pages := 0; ; pages++ {
		here := map[string]bool{}
		for _, e := range b.Entry {
			key := e.Resource.ResourceType + "/" + e.Resource.ID
			here[key] = true
			if !strings.HasSuffix(e.FullURL, "/fhir/v1/"+key) {
				t.Errorf("fullUrl %s of %s", e.FullURL, key)
			}
		}
		includes := strings.Contains(b.Link[0].URL, "_include=PractitionerRole%3Apractitioner")
		for _, e := range b.Entry {
			who := e.Resource.Practitioner.Reference
			if e.Resource.ResourceType != "PractitionerRole" || who == "" { // a stub says nothing
				continue
			}
			if len(e.Resource.Code) != 1 || len(e.Resource.Code[0].Coding) == 0 {
				t.Errorf("PractitionerRole/%s has no coding", e.Resource.ID)
			}
			if includes && !here[who] && !slices.Contains(dangling, who) {
				t.Errorf("PractitionerRole/%s: %s is not on its page", e.Resource.ID, who)
			}
		}
		if *b.Total != total {
			t.Errorf("total %d, then %d", total, *b.Total)
		}
		next := b.next()
		if next == "" {
			return
		}
		if pages > 20 {
			t.Fatal("no end")
		}
		_, text = get(t, next, header...)
		b = readBundle(t, text)
	}
}

// dangling are the references of the embedded directory that lead nowhere, as
// some of the live service do (issue #60).
var dangling = func() (all []string) {
	known := map[string]bool{}
	for _, r := range fixtures.Default().Resources {
		known[r.Type+"/"+r.ID] = true
	}
	for _, r := range fixtures.Default().Resources {
		_, rest, _ := strings.Cut(r.JSON, `"practitioner":{"reference":"`)
		if target, _, found := strings.Cut(rest, `"`); found && !known[target] {
			all = append(all, target[:strings.LastIndexByte(target, '-')])
		}
	}
	return all
}()

func readXML(t testing.TB, text string) (links []string, entries int) {
	t.Helper()
	var b struct {
		XMLName xml.Name
		Link    []struct {
			URL struct {
				Value string `xml:"value,attr"`
			} `xml:"url"`
		} `xml:"link"`
		Entry []struct{} `xml:"entry"`
	}
	if err := xml.NewDecoder(strings.NewReader(text)).Decode(&b); err != nil || b.XMLName.Local != "Bundle" {
		t.Fatalf("%v in %.200s", err, text)
	}
	for _, l := range b.Link {
		links = append(links, l.URL.Value)
	}
	return links, len(b.Entry)
}

// The probe needs no key, everything else does.
func TestHealthNeedsNoKey(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		version, gateway, method, path string
		want                           int
	}{
		{"v1", "v3", "GET", "/fhir/v1/health", 200},
		{"v1", "v3", "GET", "/fhir/health", 200},
		{"v2", "v3", "GET", "/fhir/v1/health", 200},
		{"v2", "v3", "GET", "/fhir/health", 401},
		{"v2", "v3", "GET", "/fhir/v2/health", 401},
		{"none", "v3", "GET", "/fhir/health", 401},
		{"v1", "v3", "GET", "/fhir/v1/metadata", 401},
		{"v1", "v3", "GET", "/fhir/v1/health/", 401},
		{"v1", "v3", "POST", "/fhir/v1/health", 401},
		{"v1", "health-plan", "GET", "/fhir/v1/health", 200},
		{"v1", "health-plan", "POST", "/fhir/v1/health", 405},
		{"v1", "health-plan", "GET", "/fhir/v1/metadata", 403},
	} {
		ts := serve(t, fixtures.Default(), mockserver.WithDefaultVersion(tt.version), mockserver.WithGateway(tt.gateway))
		request, err := http.NewRequest(tt.method, ts.URL+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		if response.StatusCode != tt.want {
			t.Errorf("%s %s (%s, %s): %d, want %d", tt.method, tt.path, tt.version, tt.gateway, response.StatusCode, tt.want)
		}
	}
}

// What /fhir without a version is.
func TestDefaultVersion(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{"v1": "/fhir/v1/Device/", "v2": "/fhir/v2/Device/", "none": ""} {
		ts := serve(t, fixtures.Default(), mockserver.WithDefaultVersion(version))
		resp, text := get(t, ts.URL+"/fhir/Device?_count=1")
		if version == "none" {
			if resp.StatusCode != 404 {
				t.Errorf("none: %d", resp.StatusCode)
			}
			continue
		}
		if b := readBundle(t, text); len(b.Entry) != 1 || !strings.HasPrefix(b.Entry[0].FullURL, ts.URL+want) {
			t.Errorf("%s: %.300s", version, text)
		}
		for _, other := range []string{"v1", "v2"} {
			if _, text := get(t, ts.URL+"/fhir/"+other+"/Device?_count=1"); !strings.Contains(text, "/fhir/"+other+"/Device/") {
				t.Errorf("%s beside %s: %.300s", other, version, text)
			}
		}
	}
}

// What a test puts into the directory is in both versions.
func TestPutShowsInBothVersions(t *testing.T) {
	t.Parallel()
	set := &fixtures.Set{Table: fixtures.DefaultTable()}
	server := mockserver.New(set, mockserver.WithAnyKey(), mockserver.WithRate("0"))
	ts := newServer(t, server)
	server.Put(fixtures.Resource{Type: "Organization", ID: "1", JSON: `{"resourceType":"Organization","id":"1","active":true,"name":"A"}`})
	for _, version := range []string{"v1", "v2"} {
		if _, text := get(t, ts+"/fhir/"+version+"/Organization?name=a"); !strings.Contains(text, `/Organization/1"`) {
			t.Errorf("%s: %s", version, text)
		}
	}
	server.Remove("Organization", "1")
	for _, version := range []string{"v1", "v2"} {
		if resp, _ := get(t, ts+"/fhir/"+version+"/Organization/1"); resp.StatusCode != 404 {
			t.Errorf("%s: %d", version, resp.StatusCode)
		}
	}
}

func newServer(t testing.TB, handler http.Handler) string {
	t.Helper()
	ts := httptest.NewServer(handler)
	t.Cleanup(ts.Close)
	return ts.URL
}

// A search that is too long for a line is sent as a form, and its pages can
// still be followed: their address is not held to the line's limit.
func TestPagesOfALongSearchOfVersionOne(t *testing.T) {
	t.Parallel()
	ts := serve(t, fixtures.Default())
	var numbers []string
	for i := range 3000 {
		numbers = append(numbers, strconv.Itoa(i*i*7919+1)) // compresses badly
	}
	form := "_count=20&active=true&identifier=http://finess.sante.gouv.fr%7C," + strings.Join(numbers, ",")
	_, text := do(t, "POST", ts.URL+"/fhir/v1/Organization/_search", form, "Content-Type", "application/x-www-form-urlencoded")
	first := readBundle(t, text)
	if len(first.next()) < 4096 {
		t.Fatalf("the address of the next page has %d characters: this test shows nothing", len(first.next()))
	}
	_, text = get(t, first.next())
	if second := readBundle(t, text); len(second.Entry) == 0 || second.Entry[0].FullURL == first.Entry[0].FullURL {
		t.Errorf("%.300s", text)
	}
}
