package record

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mockfhir/mockfhir/fixtures"
)

// foreignOf writes a file of another tool and reads it. It returns the requests
// of it as METHOD TARGET [BODY].
func foreignOf(t *testing.T, read func(string) (*Foreign, error), text string) (*Foreign, []string) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "foreign.json")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := read(name)
	if err != nil {
		t.Fatal(err)
	}
	requests := []string{}
	for _, raw := range f.Raws {
		requests = append(requests, strings.TrimSpace(raw.Method+" "+raw.Target+" "+string(raw.Body)))
	}
	return f, requests
}

func TestReadHAR(t *testing.T) {
	t.Parallel()
	const answer = `"response":{"status":200,"content":{"text":"{}"}}}`
	entry := func(url string) string { return `{"request":{"method":"GET","url":"` + url + `"},` + answer }
	for what, tt := range map[string]struct {
		entries []string
		want    []string
		left    string
	}{
		"the API and what else a page asks": {
			[]string{
				entry("https://gateway.example/fhir/v2/Device?_count=3#top"), entry("https://gateway.example/fhir/v2/Patient/1"),
				entry("https://stats.tracker.example/collect?page=/fhir/v2/Device?_count=3"), entry("https://stats.tracker.example?page=/fhir/v2/Device"),
				entry("https://hl7.org/fhirpath/"), entry("https://hl7.org/fhir/R4/device.html"),
			},
			[]string{"GET /fhir/v2/Device?_count=3", "GET /fhir/v2/Patient/1"},
			`the host "hl7.org" is not asked for the API ×2, the host "stats.tracker.example" is not asked for the API ×2`,
		},
		"several hosts of the API": {
			[]string{entry("https://a.example/api/fhir/metadata"), entry("http://u:p@LOCALHOST:8080/fhir/v1/Device/1")},
			[]string{"GET /api/fhir/metadata", "GET /fhir/v1/Device/1"}, "",
		},
		"a form by its parameters": {
			[]string{`{"request":{"method":"POST","url":"https://a.example/fhir/v2/Device/_search","postData":{"mimeType":"application/x-www-form-urlencoded","params":[{"name":"_count","value":"3"},{"name":"identifier","value":"a|b c"}]}},` + answer},
			[]string{"POST /fhir/v2/Device/_search _count=3&identifier=a%7Cb+c"}, "",
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			text := `{"log":{"entries":[` + strings.Join(tt.entries, ",") + `]}}`
			f, got := foreignOf(t, ReadHAR, "\ufeff"+text)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			var left []string
			for why, n := range f.Left {
				left = append(left, why+map[int]string{1: "", 2: " ×2"}[n])
			}
			slices.Sort(left)
			if got := strings.Join(left, ", "); got != tt.left {
				t.Errorf("left out: %s, want %s", got, tt.left)
			}
			for _, raw := range f.Raws {
				if raw.Method == http.MethodPost && raw.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
					t.Errorf("the form is sent as %q", raw.Header.Get("Content-Type"))
				}
			}
		})
	}
}

func TestAPIAt(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]int{
		"/fhir": 0, "/fhir?x": 0, "/fhir/v2/Device": 0, "/api/fhir/v2/Device": 4, "/fhirpath/fhir/x": 9,
		"/": -1, "/fhirpath/": -1, "/myfhir/x": -1, "/collect?page=/fhir/v2/Device": -1,
	} {
		if got := apiAt(target); got != want {
			t.Errorf("apiAt(%q) = %d, want %d", target, got, want)
		}
	}
}

func TestReadWireMock(t *testing.T) {
	t.Parallel()
	for what, tt := range map[string]struct {
		mapping string
		want    string // METHOD TARGET [BODY], "" when it is left out
		left    string
	}{
		"no status":           {`{"request":{"url":"/fhir/v2/Device"},"response":{"body":"x"}}`, "GET /fhir/v2/Device", ""},
		"equal parameters":    {`{"request":{"urlPath":"/fhir/v2/Device","queryParameters":{"b":{"equalTo":"2 3"},"a":{"equalTo":"1"},"c":{"absent":true}}},"response":{}}`, "GET /fhir/v2/Device?a=1&b=2+3", ""},
		"the first is absent": {`{"request":{"urlPath":"/fhir/v2/Device","queryParameters":{"_count":{"absent":true},"family":{"equalTo":"X"}}},"response":{}}`, "GET /fhir/v2/Device?family=X", ""},
		"a query in the URL":  {`{"request":{"url":"/fhir/v2/Device?a=1","queryParameters":{"b":{"equalTo":"2"}}},"response":{}}`, "GET /fhir/v2/Device?a=1&b=2", ""},
		"a body":              {`{"request":{"method":"POST","url":"/fhir/v2/Device/_search","bodyPatterns":[{"equalTo":"a=1"}]},"response":{}}`, "POST /fhir/v2/Device/_search a=1", ""},
		"a key of any kind":   {`{"request":{"url":"/fhir/v2/Device","headers":{"esante-api-key":{"matches":".+"}}},"response":{}}`, "GET /fhir/v2/Device", ""},

		"a pattern in the query": {`{"request":{"urlPath":"/fhir/v2/Practitioner","queryParameters":{"_count":{"matches":"[0-9]+"},"family":{"equalTo":"X"}}},"response":{}}`, "", `queryParameters "_count" has another matcher than equalTo`},
		"another matcher":        {`{"request":{"url":"/fhir/v2/Device","headers":{"Accept":{"contains":"json"}}},"response":{}}`, "", `no exchange can express "contains"`},
		"any case":               {`{"request":{"url":"/fhir/v2/Device","headers":{"Accept":{"equalTo":"a","caseInsensitive":true}}},"response":{}}`, "", `no exchange can express "caseInsensitive"`},
		"a pattern of URLs":      {`{"request":{"urlPathPattern":"/fhir/.*"},"response":{}}`, "", `no exchange can express "urlPathPattern"`},
		"several bodies":         {`{"request":{"url":"/fhir/v2/Device","bodyPatterns":[{"equalTo":"a"},{"equalTo":"b"}]},"response":{}}`, "", "another matcher than one equalTo"},
		"a fault":                {`{"request":{"url":"/fhir/v2/Device"},"response":{"fault":"EMPTY_RESPONSE"}}`, "", `no exchange can express "fault"`},
		"a template":             {`{"request":{"url":"/fhir/v2/Device"},"response":{"body":"{{x}}","transformers":["response-template"]}}`, "", `no exchange can express "transformers"`},
		"a state":                {`{"scenarioName":"s","requiredScenarioState":"Started","request":{"url":"/fhir/v2/Device"},"response":{}}`, "", "scenarioName makes the answer depend"},
		"a number for a text":    {`{"request":{"url":7},"response":{}}`, "", "url is not of the kind that is expected"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			for _, text := range []string{tt.mapping, `{"mappings":[` + tt.mapping + `]}`} {
				f, requests := foreignOf(t, ReadWireMock, text)
				if got := strings.Join(requests, ","); got != tt.want {
					t.Errorf("read as %q, want %q; left out: %v", got, tt.want, f.Left)
				}
				for _, raw := range f.Raws {
					if raw.Status != 200 {
						t.Errorf("status %d", raw.Status)
					}
				}
				told := ""
				for why := range f.Left {
					told += why
				}
				if (tt.left == "") != (told == "") || !strings.Contains(told, tt.left) {
					t.Errorf("told %q, want %q", told, tt.left)
				}
			}
		})
	}
	if _, err := mappingsOf([]byte(`{"name":"x"}`)); err == nil {
		t.Error("what is no mapping is read as one")
	}
}

// A header that comes several times comes as often again.
func TestWireMockHeadersRoundTrip(t *testing.T) {
	t.Parallel()
	set := &fixtures.Set{Scenarios: []*fixtures.Scenario{{File: "exchanges/a.txtar", Exchanges: []fixtures.Exchange{{
		Request: fixtures.Request{Method: "GET", Target: "/fhir/v2/Device"},
		Response: fixtures.Response{Status: 200, Header: []fixtures.Field{
			{Name: "Vary", Value: "Origin"}, {Name: "Vary", Value: "Accept"}, {Name: "Vary", Value: "Cookie"}, {Name: "Server", Value: "x"},
		}},
	}}}}}
	text, err := Export(set, "wiremock", ExportOptions{Origin: "http://localhost:8080", Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(text) {
		t.Fatalf("no JSON:\n%s", text)
	}
	f, _ := foreignOf(t, ReadWireMock, string(text))
	want := http.Header{"Vary": {"Origin", "Accept", "Cookie"}, "Server": {"x"}}
	if len(f.Raws) != 1 {
		t.Fatalf("%d exchanges come back", len(f.Raws))
	}
	if diff := cmp.Diff(want, f.Raws[0].ResponseHeader); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}
