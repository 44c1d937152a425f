package report

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/mockfhir/mockfhir/contract"
)

// The parts of a FHIR R4 TestReport that a run fills:
// https://hl7.org/fhir/R4/testreport.html
type (
	testReport struct {
		ResourceType string            `json:"resourceType"`
		Name         string            `json:"name"`
		Status       string            `json:"status"`
		TestScript   testScript        `json:"testScript"`
		Result       string            `json:"result"`
		Score        json.Number       `json:"score"`
		Tester       string            `json:"tester,omitempty"`
		Issued       string            `json:"issued"`
		Participant  []testParticipant `json:"participant"`
		Test         []test            `json:"test,omitempty"`
	}
	testScript struct {
		Display string `json:"display"`
	}
	testParticipant struct {
		Type    string `json:"type"`
		URI     string `json:"uri"`
		Display string `json:"display,omitempty"`
	}
	test struct {
		Name        string       `json:"name"`
		Description string       `json:"description,omitempty"`
		Action      []testAction `json:"action"`
	}
	testAction struct {
		Operation *testDetail `json:"operation,omitempty"`
		Assert    *testDetail `json:"assert,omitempty"`
	}
	testDetail struct {
		Result  string `json:"result"`
		Message string `json:"message,omitempty"`
		Detail  string `json:"detail,omitempty"`
	}
)

// writeTestReport writes the run as a TestReport. The suite is Go, not a
// TestScript resource, so testScript, which R4 requires, is a display alone.
func writeTestReport(w io.Writer, p *page) error {
	t := testReport{
		ResourceType: "TestReport",
		Name:         "Annuaire Santé FHIR contract",
		Status:       "completed",
		TestScript:   testScript{"mockfhir contract suite"},
		Result:       map[contract.Verdict]string{contract.Holds: "pass", contract.Drifted: "fail"}[p.Verdict],
		Score:        json.Number(fmt.Sprintf("%.1f", p.score())),
		Tester:       p.Tool,
		Issued:       p.Ended.Format(time.RFC3339),
		Participant: []testParticipant{
			{Type: "test-engine", URI: "https://github.com/mockfhir/mockfhir", Display: p.Tool},
			{Type: "server", URI: uri(p.Target.URL)},
		},
	}
	if t.Result == "" {
		t.Result = "pending" // R4 has no word for inconclusive: the result is still to come
	}
	if p.Partial {
		t.Status = "stopped"
	}
	for _, r := range p.Results {
		t.Test = append(t.Test, test{Name: r.ID, Description: r.Title, Action: p.actions(r)})
	}
	for id, findings := range groupByCheck(p.compared()) {
		t.Test = append(t.Test, test{Name: id, Action: p.asserts(findings)})
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(t)
}

// score is the share of the judged checks that hold, in percent.
func (p *page) score() float64 {
	pass, judged := 0, 0
	for _, r := range p.Results {
		switch r.Outcome {
		case contract.Pass:
			pass++
			judged++
		case contract.Drift:
			judged++
		}
	}
	return 100 * float64(pass) / math.Max(1, float64(judged))
}

func (p *page) actions(r contract.Result) []testAction {
	var actions []testAction
	for _, e := range r.Exchanges {
		d := &testDetail{Result: "pass", Message: fmt.Sprintf("%s %s: %d %s", e.Method, e.URL, e.Status, e.Content)}
		if e.Status == 0 {
			d.Result, d.Message = "error", fmt.Sprintf("%s %s: %s", e.Method, e.URL, e.Error)
		}
		actions = append(actions, testAction{Operation: d})
	}
	if len(r.Findings) > 0 {
		return append(actions, p.asserts(r.Findings)...)
	}
	result := map[contract.Outcome]string{
		contract.Pass: "pass", contract.Drift: "fail", contract.Inconclusive: "error", contract.Failed: "error",
	}[r.Outcome]
	if result == "" {
		result = "skip"
	}
	message := outcomeWord(r.Outcome) + sentence(r.Detail)
	return append(actions, testAction{Assert: &testDetail{result, message, r.Source}})
}

func (p *page) asserts(findings []contract.Finding) []testAction {
	var actions []testAction
	for _, f := range findings {
		result := "warning"
		if p.fails(f) {
			result = "fail"
		}
		message := fmt.Sprintf("%s %s: %s", f.Class, f.Reason, f.Message)
		if w := where(f); w != "" {
			message += " (" + w + ")"
		}
		actions = append(actions, testAction{Assert: &testDetail{result, message, f.Source}})
	}
	return actions
}

// uri is an address without the characters R4 forbids in one.
func uri(s string) string {
	if s = strings.Join(strings.Fields(s), ""); s == "" {
		return "urn:unknown"
	}
	return s
}
