package docs

import (
	"context"
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const root = "../.."

// snippet is a fenced block of a page, and what stands right above it.
type snippet struct {
	page, language, text, above string
	line                        int
}

func snippets(t *testing.T, page string) []snippet {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}
	var found []snippet
	for _, m := range regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$").FindAllSubmatchIndex(text, -1) {
		before := strings.TrimRight(string(text[:m[0]]), "\n")
		found = append(found, snippet{
			page: page, language: string(text[m[2]:m[3]]), text: string(text[m[4]:m[5]]),
			above: before[strings.LastIndex(before, "\n\n")+1:],
			line:  1 + strings.Count(string(text[:m[0]]), "\n"),
		})
	}
	if len(found) == 0 {
		t.Fatalf("no snippets in %s", page)
	}
	return found
}

// TestSnippets runs what the pages tell people to type. A block under the words
// *not run* is not; one that calls docker is run by examples/container.
func TestSnippets(t *testing.T) {
	t.Parallel()
	ran := 0
	for _, page := range []string{"README.md", "docs/containers.md"} {
		session := &session{t: t}
		for _, s := range snippets(t, page) {
			where := fmt.Sprintf("%s:%d", s.page, s.line)
			notRun := strings.Contains(s.above, "*not run*")
			switch {
			case notRun && s.language == "":
				t.Errorf("%s: in what language?", where)
			case notRun, s.language == "sh" && strings.Contains(s.text, "docker "):
			case s.language == "sh":
				session.run(where, s.text)
				ran++
			case s.language == "go" && strings.Contains(s.text, "mockcontainer."):
				if _, err := parser.ParseFile(token.NewFileSet(), where, "package p\nfunc _() {\n"+s.text+"}", 0); err != nil {
					t.Error(err)
				}
			case s.language == "go":
				runGo(t, where, s.text)
				ran++
			case s.language == "yaml": // held against the files they use, below
			case otherLanguages[s.language]:
				held(t, where, s.text)
			default:
				t.Errorf("%s: a block of %q is neither run nor marked *not run*", where, s.language)
			}
		}
		session.end()
	}
	if ran < 6 {
		t.Errorf("%d blocks were run, the pages have more", ran)
	}
}

// otherLanguages have no tools here. One sentence marks them *not run*; each is
// held to what the image promises.
var otherLanguages = map[string]bool{"java": true, "js": true, "python": true, "csharp": true}

func held(t *testing.T, where, text string) {
	t.Helper()
	for _, promise := range []string{"ghcr.io/mockfhir/mockfhir:latest", "8080", "/__mockfhir/readyz", "/fhir/v2", "http://"} {
		if !strings.Contains(text, promise) {
			t.Errorf("%s: no %s", where, promise)
		}
	}
}

// session runs the commands of one page in order. A server they start goes on
// until the page ends, on a port of its own.
type session struct {
	t    *testing.T
	port string
	stop func()
}

const serveLine = "go run ./cmd/mockfhir"

func (s *session) run(where, text string) {
	s.t.Helper()
	var rest []string
	for line := range strings.Lines(text) {
		switch strings.TrimSpace(line) {
		case serveLine:
			s.serve(where)
		case "go test ./...": // this is it
		default:
			rest = append(rest, line)
		}
	}
	if len(rest) == 0 {
		return
	}
	if strings.Contains(text, "curl") {
		if _, err := exec.LookPath("curl"); err != nil {
			s.t.Logf("%s: curl is not installed", where)
			return
		}
	}
	script := strings.Join(rest, "")
	if s.port != "" {
		script = regexp.MustCompile(`\b(localhost|127\.0\.0\.1):8080\b`).ReplaceAllString(script, "127.0.0.1:"+s.port)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 5*time.Minute)
	defer cancel()
	// curl says nothing of an answer that is an error unless it is asked to.
	cmd := exec.CommandContext(ctx, "bash", "-c", "set -euo pipefail\ncurl() { command curl --fail --silent --show-error \"$@\"; }\nexport -f curl\n"+script)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "ESANTE_API_KEY=mock-key", "MOCKFHIR_VERIFY_RATE=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Errorf("%s: %v\n%s\n%.2000s", where, err, script, out)
	}
}

// serve runs the line that people type to start a server.
func (s *session) serve(where string) {
	s.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	_, s.port, _ = net.SplitHostPort(l.Addr().String())
	l.Close()
	// go run does not pass signals on, so its program is told apart and ended.
	file := filepath.Join(s.t.TempDir(), "mockfhir")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", file, strings.TrimPrefix(serveLine, "go run "))
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		s.t.Fatalf("%s: %v\n%s", where, err, out)
	}
	cmd := exec.Command(file)
	cmd.Env = append(os.Environ(), "MOCKFHIR_ADDR=127.0.0.1:"+s.port, "MOCKFHIR_RATE=0")
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.stop = func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		response, err := http.Get("http://127.0.0.1:" + s.port + "/__mockfhir/readyz")
		if err == nil {
			response.Body.Close()
			return
		}
	}
	s.end()
	s.t.Fatalf("%s: the server does not answer", where)
}

func (s *session) end() {
	if s.stop != nil {
		s.stop()
	}
}

// runGo runs a block of Go as the body of a test of this module.
func runGo(t *testing.T, where, text string) {
	t.Helper()
	imports := ""
	for name, path := range map[string]string{
		"httptest": "net/http/httptest", "http": "net/http",
		"mockserver": "github.com/mockfhir/mockfhir/mockserver", "fixtures": "github.com/mockfhir/mockfhir/fixtures",
		"contract": "github.com/mockfhir/mockfhir/contract", "contracttest": "github.com/mockfhir/mockfhir/contract/contracttest",
	} {
		if regexp.MustCompile(`\b` + name + `\.`).MatchString(text) {
			imports += fmt.Sprintf("import %q\n", path)
		}
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "snippet_test.go")
	code := "package docs\nimport \"testing\"\n" + imports + "func TestDocumentedGo(t *testing.T) {\n" + text + "}\n"
	if err := os.WriteFile(file, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	at, err := filepath.Abs(filepath.Join(root, "internal", "docs", "snippet_test.go")) // a file that only the compiler sees
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {at: file}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "test", "-overlay", filepath.Join(dir, "overlay.json"), "-run", "^TestDocumentedGo$", "-v", "./internal/docs")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestDocumentedGo") {
		t.Errorf("%s: %v\n%s", where, err, out)
	}
}

// The pages show files of this repository: the names of steps, inputs and
// outputs that they use exist.
func TestPipelineSnippets(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(root, "docs", "containers.md"))
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{
		"mockfhir/mockfhir@main":                              "action.yml",
		"mockfhir/mockfhir/.github/workflows/verify.yml@main": ".github/workflows/verify.yml",
		"extends: .mockfhir":                                  "ci/gitlab-services.yml",
	} {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(page), name) || !strings.Contains(string(text), name) {
			t.Errorf("the page and %s do not both show %s", file, name)
		}
	}
}

// The README's test command, which cannot run inside itself, is what CI ends
// with.
func TestCIRunsTheTestCommand(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile(filepath.Join(root, ".ci", "run"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(script)), "\n")
	if last := lines[len(lines)-1]; !strings.HasPrefix(last, "go test ./...") {
		t.Errorf(".ci/run ends with %q", last)
	}
}
