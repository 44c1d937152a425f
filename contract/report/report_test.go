package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mockfhir/mockfhir/contract"
	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/internal/fhirschema"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const service = "https://gateway.example/fhir/v2"

var (
	started  = time.Date(2026, 11, 25, 2, 23, 0, 0, time.UTC)
	accepted = time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)
)

// drifted is a run with one of everything.
func drifted() *contract.Report {
	next := contract.Check{
		ID: "paging/next-followable", Title: "The link next leads to the next page", Level: contract.Required,
		Source: "https://github.com/ansforge/annuaire-sante-fhir-documentation/issues/393",
		Why:    "A client that follows it leaves the Internet.",
	}
	version := contract.Check{ID: "shape/version-id", Title: "meta.versionId is a string", Level: contract.Required, Source: "R4 Meta"}
	broken := contract.Finding{
		Check: next.ID, Class: contract.Breaking, Reason: contract.Link, Path: "Bundle.link[next].url",
		Was: "gateway.example", Now: "10.0.66.99:8080", Message: "The link next leads to another host.",
		Why: next.Why, Source: next.Source, Seen: 3,
		Curl: `curl -i -H "ESANTE-API-KEY: $ESANTE_API_KEY" 'https://gateway.example/fhir/v2/Practitioner?family=<family>&_count=2'`,
	}
	grown := contract.Finding{
		Check: "baseline/codes", Class: contract.Additive, Reason: contract.Meaning, Path: "Practitioner.qualification.code.coding.code",
		Now: "99 | <new> & *odd*", Message: "A code that the baseline does not know.", Source: "the baseline",
	}
	known := contract.Finding{
		Check: version.ID, Class: contract.Breaking, Reason: contract.Type, Path: "Practitioner.meta.versionId",
		Was: "string", Now: "number", Message: "meta.versionId is a number.", Ignored: "issue #359 (until 2026-12-31)",
	}
	at := accepted
	return &contract.Report{
		Target: contract.Target{URL: service, Key: canaryKey}, Tool: "mockfhir-verify 1.2.3",
		Started: started, Ended: started.Add(28*time.Second + 400*time.Millisecond),
		Verdict: contract.Drifted, Reason: "1 breaking difference in 4 checks.",
		Results: []contract.Result{
			{
				Check: next, Outcome: contract.Drift, Saw: 3, Findings: []contract.Finding{broken}, Requests: 2, Duration: 350 * time.Millisecond,
				Exchanges: []contract.Exchange{
					{
						Method: "GET", URL: service + "/Practitioner?family=<family>&_count=2", Status: 200, Size: 4312, Content: "Bundle",
						Header: http.Header{"Content-Type": {"application/fhir+json"}}, Duration: 120 * time.Millisecond,
					},
					{Method: "GET", URL: service + "/_page?id=<id>", Error: "it closes the connection without an answer"},
				},
			},
			{Check: version, Outcome: contract.Drift, Saw: 250, Findings: []contract.Finding{known}, Requests: 1, Duration: 80 * time.Millisecond},
			{Check: contract.Check{ID: "paging/total", Title: "The pages add up to the total", Level: contract.Required, Source: "#414"}, Outcome: contract.Pass, Saw: 5, Requests: 5, Duration: time.Second},
			{Check: contract.Check{ID: "quota/burst", Title: "An eighteenth call in a second is refused", Level: contract.Required, Source: "#372"}, Outcome: contract.NotApplicable, Detail: "only with -probe-quota"},
			{Check: contract.Check{ID: "search/mailbox", Title: "A mailbox finds its owner", Level: contract.Observed, Source: "guide"}, Outcome: contract.Vacuous, Detail: "no mailbox on the first pages"},
			{Check: contract.Check{ID: "search/names", Title: "Names find people", Level: contract.Observed, Source: "guide"}, Outcome: contract.Inconclusive, Detail: "it did not answer within 30s"},
		},
		Findings: []contract.Finding{known, grown, broken},
		Requests: 212, Budget: 400,
		Coverage:   contract.Coverage{Checks: 6, Looked: 3, Vacuous: 1, NotApplicable: 1, Inconclusive: 1},
		BaselineAt: &at,
	}
}

// mock is the same suite on a mock that holds.
func mock() *contract.Report {
	r := drifted()
	r.Target, r.Verdict, r.Reason, r.Findings = contract.Target{URL: "http://127.0.0.1:8080/fhir/v2"}, contract.Holds, "All checks hold.", nil
	for i := range r.Results {
		r.Results[i].Outcome, r.Results[i].Findings, r.Results[i].Exchanges = contract.Pass, nil, nil
	}
	return r
}

func holding() *contract.Report {
	r := mock()
	r.Target.URL = service
	r.Coverage = contract.Coverage{Checks: 6, Looked: 6}
	return r
}

// unreachable is what there is to tell when the service never answered, and
// Ctrl-C ended the wait.
func unreachable() *contract.Report {
	return &contract.Report{
		Target: contract.Target{URL: service}, Tool: "mockfhir-verify 1.2.3", Started: started, Ended: started.Add(2 * time.Second),
		Verdict: contract.Undecided, Reason: "The service cannot be judged: the connection is refused.", Partial: true, Budget: 400,
	}
}

// closed is a service that let no check see anything.
func closed() *contract.Report {
	r := unreachable()
	r.Partial, r.Reason = false, "The service is closed, as for maintenance (503)."
	for _, id := range []string{"a/1", "a/2", "a/3", "a/4", "b/1", "b/2", "b/3", "b/4", "b/5"} {
		r.Results = append(r.Results, contract.Result{Check: contract.Check{ID: id, Title: id}, Outcome: contract.Inconclusive, Detail: r.Reason})
	}
	r.Coverage = contract.Coverage{Checks: len(r.Results), Inconclusive: len(r.Results)}
	return r
}

func documents() map[string]Document {
	return map[string]Document{
		"drift":       {Run: drifted()},
		"against":     {Run: drifted(), Against: mock(), AgainstName: "mock", FailOn: contract.Additive},
		"holds":       {Run: holding()},
		"unreachable": {Run: unreachable()},
		"closed":      {Run: closed()},
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	extension := map[Format]string{
		Text: ".txt", JSON: ".json", JUnit: ".junit.xml", HTML: ".html", Markdown: ".md", GitHub: ".github.txt", TestReport: ".testreport.json",
	}
	for name, doc := range documents() {
		for _, format := range Formats() {
			t.Run(name+"/"+string(format), func(t *testing.T) {
				t.Parallel()
				golden(t, filepath.Join("testdata", name+extension[format]), render(t, format, doc))
			})
		}
	}
}

func render(t *testing.T, format Format, doc Document) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, format, doc); err != nil {
		t.Fatalf("Write(%s): %v", format, err)
	}
	return b.Bytes()
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got; -update accepts):\n%s", file, diff)
	}
}

func TestTestReportIsSoundR4(t *testing.T) {
	t.Parallel()
	for name, doc := range documents() {
		node, err := fhir.Parse(render(t, TestReport, doc))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, issue := range fhirschema.Validate(node) {
			t.Errorf("%s: %v", name, issue)
		}
	}
}

func TestJSONReadsBack(t *testing.T) {
	t.Parallel()
	var back contract.Report
	if err := json.Unmarshal(render(t, JSON, Document{Run: drifted()}), &back); err != nil {
		t.Fatal(err)
	}
	if len(back.Results) != 6 || len(back.Findings) != 3 || back.Verdict != contract.Drifted {
		t.Errorf("read back %d results, %d findings, verdict %s; want 6, 3, drift", len(back.Results), len(back.Findings), back.Verdict)
	}
}

func TestJUnitCountsAddUp(t *testing.T) {
	t.Parallel()
	for name, doc := range documents() {
		var all junitSuites
		if err := xml.Unmarshal(render(t, JUnit, doc), &all); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var tests, failures, errs, skipped int
		for _, s := range all.Suites {
			for _, c := range s.Cases {
				tests++
				if c.Failure != nil {
					failures++
				}
				if c.Error != nil {
					errs++
				}
				if c.Skipped != nil {
					skipped++
				}
			}
		}
		if got, want := [4]int{all.Tests, all.Failures, all.Errors, all.Skipped}, [4]int{tests, failures, errs, skipped}; got != want {
			t.Errorf("%s: tests, failures, errors, skipped = %v in the head, %v below", name, got, want)
		}
		switch doc.Run.Verdict {
		case contract.Holds:
			if failures+errs > 0 {
				t.Errorf("%s: a contract that holds has %d failures and %d errors", name, failures, errs)
			}
		case contract.Drifted:
			if failures == 0 {
				t.Errorf("%s: drift without a failure", name)
			}
		default:
			if errs == 0 {
				t.Errorf("%s: no verdict, and no error", name)
			}
		}
	}
}

func TestUnknownFormat(t *testing.T) {
	t.Parallel()
	err := Write(io.Discard, "pdf", Document{Run: holding()})
	if err == nil || !strings.Contains(err.Error(), "text, json, junit, html, markdown, github, testreport") {
		t.Errorf("err = %v; want the formats", err)
	}
}

// TestWriterErrors: a disk that is full is told, whatever the format.
func TestWriterErrors(t *testing.T) {
	t.Parallel()
	for _, format := range Formats() {
		if err := Write(fullDisk{}, format, Document{Run: drifted()}); !errors.Is(err, errFull) {
			t.Errorf("%s: err = %v, want %v", format, err, errFull)
		}
	}
}

var errFull = errors.New("disk full")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

// TestNoMarkupFromTheService: text of the service stays text in every format.
func TestNoMarkupFromTheService(t *testing.T) {
	t.Parallel()
	run := drifted()
	const hostile = "</td><script>alert(1)</script> | [x](javascript:alert(1)) `@everyone` %\r\n::error::forged\x1b[31m\u202e"
	for i := range run.Findings {
		f := &run.Findings[i]
		f.Check, f.Path, f.Was, f.Now, f.Message, f.Why, f.Source, f.Curl = hostile, hostile, hostile, hostile, hostile, hostile, "javascript:alert(1)", hostile
	}
	run.Reason, run.Results[3].Detail, run.Results[0].Title = hostile, hostile, hostile
	doc := Document{Run: run, Against: mock(), AgainstName: "mock"}
	forbidden := map[Format]*regexp.Regexp{
		Text:       regexp.MustCompile(`(?m)^::|\x1b|\x{202e}|\r`),
		JSON:       regexp.MustCompile(`\x1b|\\u001b|\x{202e}`),
		JUnit:      regexp.MustCompile(`<script|\x1b|\x{202e}`),
		HTML:       regexp.MustCompile(`<script|href="javascript|\x1b|\x{202e}`),
		Markdown:   regexp.MustCompile(`(?m)<script|[^\\]\]\(|^::|@everyone|\x1b|\x{202e}`),
		GitHub:     regexp.MustCompile(`(?m)^::error::forged|\x1b|\x{202e}|\r`),
		TestReport: regexp.MustCompile(`\x1b|\x{202e}`),
	}
	for _, format := range Formats() {
		out := render(t, format, doc)
		if found := forbidden[format].Find(out); found != nil {
			t.Errorf("%s holds %q", format, found)
		}
		if !bytes.Contains(out, []byte("alert(1)")) {
			t.Errorf("%s: the text is not there, the test is vacuous", format)
		}
	}
}

func TestGitHubEscaping(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	command(&b, "error", "50%, a:b\n", "100%\r\nnext: line, rest")
	if got, want := b.String(), "::error title=50%25%2C a%3Ab%0A::100%25%0D%0Anext: line, rest\n"; got != want {
		t.Errorf("command = %q, want %q", got, want)
	}
}

// TestGitHubShowsTen: GitHub drops what comes after ten annotations.
func TestGitHubShowsTen(t *testing.T) {
	t.Parallel()
	run := drifted()
	for len(run.Findings) < 40 {
		run.Findings = append(run.Findings, run.Findings[2])
	}
	out := string(render(t, GitHub, Document{Run: run}))
	if n := strings.Count(out, "::error "); n != 10 {
		t.Errorf("%d errors, want 10", n)
	}
	if !strings.Contains(out, "29 more") {
		t.Errorf("the last error does not say how many are left:\n%s", out)
	}
}

func TestHTMLStandsAlone(t *testing.T) {
	t.Parallel()
	out := string(render(t, HTML, documents()["against"]))
	for _, fetch := range []string{"<script", "<link", "<img", "<iframe", "@import", "url(", " src="} {
		if strings.Contains(out, fetch) {
			t.Errorf("the page holds %q", fetch)
		}
	}
	if !strings.Contains(out, "default-src 'none'") {
		t.Error("the page does not forbid fetching")
	}
	d := xml.NewDecoder(strings.NewReader(out))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("the tags do not match: %v", err)
		}
	}
}
