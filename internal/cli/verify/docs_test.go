package verify

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../../.."

// TestDocumentedJobs: docs/ci.md shows the files that run, word for word.
func TestDocumentedJobs(t *testing.T) {
	t.Parallel()
	doc := readRoot(t, "docs/ci.md")
	for _, file := range []string{".github/workflows/drift.yml", "ci/gitlab-drift.yml"} {
		if !strings.Contains(doc, "```yaml\n"+readRoot(t, file)+"```") {
			t.Errorf("docs/ci.md does not show %s as it is", file)
		}
	}
}

// TestDocumentedCommandLines: every command line of the page and the jobs is
// one that parses.
func TestDocumentedCommandLines(t *testing.T) {
	t.Parallel()
	line := regexp.MustCompile(`(?m)^(?: {4}| *- | +)(?:\./)?verify (-.*?|https.*?)(?: \|\|.*)?$`)
	quoted := regexp.MustCompile(`"[^"]*"|\S+`)
	found := 0
	for _, file := range []string{"docs/ci.md", ".github/workflows/drift.yml", "ci/gitlab-drift.yml"} {
		for _, m := range line.FindAllStringSubmatch(readRoot(t, file), -1) {
			found++
			var args []string
			for _, arg := range quoted.FindAllString(m[1], -1) {
				args = append(args, strings.Trim(arg, `"`))
			}
			_, err := parse(Env{Args: args, LookupEnv: func(string) (string, bool) { return "", false }})
			if err != nil {
				t.Errorf("%s: verify %s: %v", file, m[1], err)
			}
		}
	}
	if found < 9 {
		t.Errorf("%d command lines found; the pattern misses some", found)
	}
}

// TestIncludedJobInstallsVerify: what another repository includes finds there
// nothing of this one.
func TestIncludedJobInstallsVerify(t *testing.T) {
	t.Parallel()
	job := readRoot(t, "ci/gitlab-drift.yml")
	module := regexp.MustCompile(`(?m)^module (\S+)$`).FindStringSubmatch(readRoot(t, "go.mod"))[1]
	if !strings.Contains(job, "go install "+module+"/cmd/verify@") || strings.Contains(job, "./cmd/") {
		t.Errorf("the job does not install %s/cmd/verify:\n%s", module, job)
	}
}

// TestDocumentedFiles: the ignore and request files of the page are read.
func TestDocumentedFiles(t *testing.T) {
	t.Parallel()
	blocks := regexp.MustCompile("(?s)```\n(#.*?)```").FindAllStringSubmatch(readRoot(t, "docs/ci.md"), -1)
	if len(blocks) != 2 {
		t.Fatalf("%d blocks, want the ignore file and the requests", len(blocks))
	}
	dir := t.TempDir()
	for i, flag := range []string{"-ignore", "-requests"} {
		file := filepath.Join(dir, flag)
		if err := os.WriteFile(file, []byte(blocks[i][1]), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := (command{args: []string{"-list", flag, file}}).run(t); got.code != exitHolds {
			t.Errorf("%s: %s", flag, got.err)
		}
	}
}

func readRoot(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
