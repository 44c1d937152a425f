package verify

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/mockfhir/mockfhir/contract/report"
	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/fhir"
)

const cookie = "canary-cookie-7f3a"

// leaky is a service that drifts in many ways and says more than it should in
// each: the key in headers and errors, a session, and the people asked about.
func leaky(next http.Handler) http.Handler {
	changed := rewrite(next, func(r *http.Request, body []byte) []byte {
		body = regexp.MustCompile(`"versionId": ?"(\d+)"`).ReplaceAll(body, []byte(`"versionId":$1`))
		body = regexp.MustCompile(`"family": ?("[^"]*")`).ReplaceAll(body, []byte(`"family":$1,"birthDate":$1`))
		return regexp.MustCompile(`"next", ?"url": ?"http://`).ReplaceAll(body, []byte(`"next","url": "http://user:`+testKey+`@`))
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := r.Header.Get("ESANTE-API-KEY")
		http.SetCookie(w, &http.Cookie{Name: "JSESSIONID", Value: cookie})
		w.Header().Set("X-Debug", key+" "+r.URL.RawQuery)
		w.Header().Set("X-Rate-Limit-Limit", key)
		switch q := r.URL.RawQuery; {
		case strings.Contains(q, "given") || strings.Contains(q, "mailbox") || strings.Contains(q, "identifier"):
			w.Header().Set("Content-Type", "application/fhir+json")
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = fmt.Fprintf(w, `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"exception","diagnostics":%q}]}`, key+" asked "+q)
		case strings.Contains(q, "name="):
			http.Redirect(w, r, "/login?key="+key+"&"+q, http.StatusFound)
		case strings.Contains(q, "partof") || strings.Contains(q, "practitioner="):
			http.Error(w, key+" "+q, http.StatusTeapot)
		default:
			changed.ServeHTTP(w, r)
		}
	})
}

// people are the values of the served directory that belong to somebody.
func people(t *testing.T) map[string]bool {
	t.Helper()
	values := map[string]bool{}
	for _, r := range fixtures.Default().Resources {
		node, err := fhir.ParseString(r.JSON)
		if err != nil {
			t.Fatal(err)
		}
		values[r.ID] = true
		for _, place := range [][2]string{{"name", "family"}, {"name", "given"}, {"identifier", "value"}, {"telecom", "value"}, {"address", "line"}, {"address", "city"}} {
			node.Get(place[0]).Each(func(n *fhir.Node) {
				n.Get(place[1]).Each(func(v *fhir.Node) { values[v.Str()] = true })
			})
		}
	}
	return values
}

// TestNothingPersonalLeaves runs the whole suite against the leaky service:
// neither standard output and error nor any report holds the key, the cookie,
// or a value of the directory.
func TestNothingPersonalLeaves(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	args := []string{"-rate", "0", serve(t, leaky(service(t)))}
	var files []string
	for _, format := range report.Formats() {
		file := filepath.Join(dir, string(format))
		files = append(files, file)
		args = append(args, "-report", string(format)+"="+file)
	}
	c := withKey(args...)
	c.env["GITHUB_STEP_SUMMARY"] = filepath.Join(dir, "summary")
	got := c.run(t)
	if got.code != 1 || strings.Count(got.out, "BREAKING") < 10 {
		t.Fatalf("exit %d, %d breaking findings: too few to tell anything\n%s", got.code, strings.Count(got.out, "BREAKING"), got.err)
	}
	outputs := map[string]string{"standard output": got.out, "standard error": got.err}
	for _, file := range append(files, c.env["GITHUB_STEP_SUMMARY"]) {
		text, err := os.ReadFile(file)
		if err != nil || len(text) == 0 {
			t.Fatalf("%s: %d bytes, %v", file, len(text), err)
		}
		outputs[filepath.Base(file)] = string(text)
	}
	values := people(t)
	word := regexp.MustCompile(`[\p{L}\p{N}@_'.-]+`)
	for name, text := range outputs {
		for _, secret := range []string{testKey, cookie, "JSESSIONID"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s holds %q", name, secret)
			}
		}
		told := map[string]bool{}
		for _, w := range word.FindAllString(text, -1) {
			if w = strings.Trim(w, ".'-_"); values[w] && !told[w] && len(w) > 3 {
				told[w] = true
				t.Errorf("%s holds %q, a value of the directory", name, w)
			}
		}
	}
	if len(values) < 1000 {
		t.Errorf("%d values of the directory: too few to tell anything", len(values))
	}
}
