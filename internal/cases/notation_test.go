package cases

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mockfhir/mockfhir/internal/shared"
)

func TestParseRequest(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		method, path string
		want         Request
	}{
		{"GET", "/Device?_count=2", Request{Method: "GET", Target: "/Device?_count=2"}},
		{"GET", "/Device?_count=2 then next", Request{Method: "GET", Of: "/Device?_count=2", Both: true}},
		{"GET", "(next of) /Device?_count=1", Request{Method: "GET", Of: "/Device?_count=1"}},
		{"GET", "(next page)", Request{Method: "GET", Of: "/First"}},
		{"GET", "(token)&_count=50", Request{Method: "GET", Target: "/_page?id={token}&_count=50", Of: "/First"}},
		{"GET", "/_page?id=F(rest of token)", Request{Method: "GET", Target: "/_page?id=F{rest}", Of: "/First"}},
		{"GET", "(token with one character of the middle changed)", Request{Method: "GET", Target: "/_page?id={changed}", Of: "/First"}},
		{"GET", `/P?name=a%7Cb (sent raw as "|")`, Request{Method: "GET", Target: "/P?name=a|b"}},
		{"GET", `/P?name=A (with a request body "x=1")`, Request{Method: "GET", Target: "/P?name=A", Body: "x=1"}},
		{"GET", "/P/1 (with a request body)", Request{Method: "GET", Target: "/P/1", Body: "x=1"}},
		{"POST", "/P/_search  body: name=A,B", Request{Method: "POST", Target: "/P/_search", Body: "name=A,B"}},
		{"POST", "/_page  body id=(token), form type", Request{Method: "POST", Target: "/_page", Body: "id={token}", Form: true, Of: "/First"}},
		{"GET", "/Device?_count=1, next; all devices updated between pages", Request{Method: "GET", Of: "/Device?_count=1", Between: true}},
		{"PUT", "/Patient/id1  body: Patient id1", Request{Method: "PUT", Target: "/Patient/id1", Body: `{"resourceType":"Patient","id":"id1"}`}},
		{"POST", "/  body: x", Request{Method: "POST", Target: "/", Body: "x"}},
		{"GET", "/P?identifier=(60 values, long)&_count=1", Request{Method: "GET", Target: "/P?identifier=(60 values, long)&_count=1", Unknown: "(60 values, long)"}},
		{"GET", "(backend) /fhir/toto", Request{Method: "GET", Target: "(backend) /fhir/toto", Unknown: "("}},
	} {
		if diff := cmp.Diff(test.want, ParseRequest(test.method, test.path, "/First")); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", test.path, diff)
		}
	}
}

func TestParseSetting(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text string
		want Setting
	}{
		{"RX", Setting{Set: "RX", Profile: "source"}},
		{"FX (JVM zone Europe/Paris)", Setting{Set: "FX", Profile: "source"}},
		{"FX (JVM zone UTC)", Setting{Set: "FX", Profile: "source", Unknown: []string{"JVM zone UTC"}}},
		{"RX, Content-Type: application/x-www-form-urlencoded; charset=UTF-8 (head)",
			Setting{Set: "RX", Profile: "source", Headers: []string{"Content-Type: application/x-www-form-urlencoded; charset=UTF-8"}}},
		{"RX, Content-Type: a/b (prod, documented)", Setting{Set: "RX", Profile: "production", Headers: []string{"Content-Type: a/b"}}},
		{"FX, then device1 updated", Setting{Set: "FX", Profile: "source", Updated: []string{"device1"}}},
		{"50 Practitioners", Setting{Set: "50 Practitioners", Profile: "source"}},
		{"head", Setting{Set: "RX", Profile: "source"}},
		{"Device stored again unchanged", Setting{Set: "Device stored again unchanged", Again: true, Profile: "source"}},
		{"a moon", Setting{Profile: "source", Unknown: []string{"a moon"}}},
	} {
		if diff := cmp.Diff(test.want, ParseSetting(test.text)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", test.text, diff)
		}
	}
}

// TestJudge: each phrase is understood, and refuses an answer it should.
func TestJudge(t *testing.T) {
	t.Parallel()
	const (
		id     = `"id": "6f1b3c1e-0000-4000-8000-000000000000"`
		header = `{"resourceType": "Bundle","type": "searchset",` + id + `,`
		next   = `{"relation": "next","url": "http://h/fhir/v2/_page?id=uQUJD"}, `
		footer = `{"relation": "self","url": "http://h/fhir/v2/Device"}]}`
	)
	entry := "\n" + `{"fullUrl":"http://h/fhir/v2/Device/1","resource":{"resourceType": "Device", "id": "1", ` +
		`"meta": {"tag": [{"code": "SUBSETTED"}]}, "name": [{"family": "A"}]}}`
	full := header + `"total":3,"entry": [` + entry + `],"link": [ ` + next + footer
	empty := header + `"entry": [],"link": [ ` + footer
	outcome := `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"exception","diagnostics":"No"}]}`
	capability := `{"resourceType":"CapabilityStatement","status":"active","fhirVersion":"4.0.1","format":["json"],"rest":[{"resource":[]}]}`
	for _, test := range []struct{ observation, holds, fails string }{
		{"total=3", full, empty},
		{"total absent", empty, full},
		{`no "total" member`, empty, full},
		{"total present", full, empty},
		{"entries=[Device/1]", full, empty},
		{"entries=[]", empty, full},
		{"(matches 1, includes 0, revincludes 0)", full, empty},
		{"next link absent", empty, full},
		{"x, next present", full, empty},
		{"1 entries, more", full, empty},
		{"order: 1 (moved)", full, empty},
		{"OperationOutcome, diagnostics = `No` — why", outcome, full},
		{`exact body: {"resourceType": "Bundle","type": "searchset","id": "<uuid>","entry": [],"link": [ {"relation": "self","url": "<base>/Device"}]}`, empty, full},
		{"x; empty body", "", full},
		{"compact JSON without spaces", outcome, full},
		{"resource members: resourceType, id, meta, name; x", full, empty},
		{`name: [{"family": "A"}]`, full, strings.Replace(full, `"A"`, `"B"`, 1)},
		{"meta.tag = 1 tag SUBSETTED", full, strings.Replace(full, "SUBSETTED", "OTHER", 1)},
		{"ignored, no SUBSETTED", empty, full},
		{`self link ends with "/Device"`, full, outcome},
		{"self = <base>/Device (not the body)", full, outcome},
		{"no relation other than next/self", full, strings.Replace(full, `"next"`, `"prev"`, 1)},
		{"token starts with u, base64url with padding", full, strings.Replace(full, "uQUJD", "uQUJ", 1)},
		{"token is d + UUID", strings.Replace(full, "uQUJD", "d6f1b3c1e-0000-4000-8000-000000000000", 1), full},
		{"CapabilityStatement", capability, outcome},
		{"fhirVersion 4.0.1; x", capability, outcome},
		{`x; format ["json"]`, capability, outcome},
		{"x; status active", capability, outcome},
		{"exactly one rest, without mode", capability, outcome},
		{"no kind, date", capability, strings.Replace(capability, "status", "kind", 1)},
		{`resource printed with ": " and ", "`, full, outcome},
		{"OperationOutcome code exception (x)", outcome, full},
		{"HAPI-1861… text: x", strings.Replace(outcome, "No", "HAPI-1861: No", 1), outcome},
		{"Bundle without type, x", `{"resourceType":"Bundle","total":1}`, full},
		{`printed as \u200b in search`, `\u200b`, full},
	} {
		o := Observer{Base: "http://h/fhir/v2"}
		result := func(body string) *Result {
			return &Result{Status: 200, Body: []byte(body), Header: http.Header{"Content-Type": {"application/fhir+json;charset=UTF-8"}}}
		}
		understood, problems := o.Judge(test.observation, result(test.holds))
		if understood == 0 || problems != nil {
			t.Errorf("%s: %d phrases understood, %v", test.observation, understood, problems)
		}
		if _, problems := o.Judge(test.observation, result(test.fails)); problems == nil {
			t.Errorf("%s: holds for %s", test.observation, test.fails)
		}
	}
}

// TestHeaders: the same for what is said of headers.
func TestJudgeHeaders(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		observation  string
		holds, fails Result
	}{
		{"Content-Type: a/b exactly", Result{Header: http.Header{"Content-Type": {"a/b"}}}, Result{Header: http.Header{"Content-Type": {"a/c"}}}},
		{"x; no ETag, no Last-Modified", Result{}, Result{Header: http.Header{"Last-Modified": {"x"}}}},
		{"x; no Vary, Access-Control-*", Result{}, Result{Header: http.Header{"Access-Control-Allow-Origin": {"x"}}}},
		{"no CORS header", Result{}, Result{Header: http.Header{"Access-Control-Allow-Origin": {"x"}}}},
		{"not compressed", Result{}, Result{Header: http.Header{"Content-Encoding": {"gzip"}}}},
		{"Allow: GET, HEAD; empty body", Result{Header: http.Header{"Allow": {"GET, HEAD"}}}, Result{}},
		{"Content-Length present, not chunked", Result{Length: 2, Body: []byte("ab")}, Result{Length: -1, Chunked: true}},
		{"Transfer-Encoding: chunked, no Content-Length", Result{Length: -1, Chunked: true}, Result{Length: 2}},
	} {
		test.holds.Status, test.fails.Status = 200, 200
		understood, problems := Observer{}.Judge(test.observation, &test.holds)
		if understood == 0 || problems != nil {
			t.Errorf("%s: %d phrases understood, %v", test.observation, understood, problems)
		}
		if _, problems := (Observer{}).Judge(test.observation, &test.fails); problems == nil {
			t.Errorf("%s: holds for %+v", test.observation, test.fails)
		}
	}
}

// TestEveryRowIsUnderstood: a row is waived, or its words can be arranged.
func TestEveryRowIsUnderstood(t *testing.T) {
	t.Parallel()
	rows, err := Read(shared.Path(t, "cases", "fhir-server-cases.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	waivers := NewWaivers("fhir-server-cases")
	for _, row := range rows {
		if waivers.Reason(row) != "" || row.Col("method") == "UNIT" {
			continue
		}
		setting := ParseSetting(row.Col("precondition/data"))
		request := ParseRequest(row.Col("method"), row.Col("path+query"), "/First")
		if setting.Unknown != nil || setting.Set == "" || request.Unknown != "" {
			t.Errorf("%s: %q %q %q", row.ID, row.Col("path+query"), setting.Unknown, request.Unknown)
		}
	}
	for _, unused := range waivers.Unused() {
		t.Errorf("waiver %s applies to no row", unused)
	}
}
