package container

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// What the pages tell people to type of docker, on a port of its own and with
// the image that is tested in the place of the one that a line builds.
func TestDocumentedCommands(t *testing.T) {
	tested := image(t)
	ran := 0
	for _, page := range []string{"README.md", "docs/containers.md"} {
		text, err := os.ReadFile(root + "/" + page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("(?ms)(\\S[^\n]*)\n\n```sh\n(.*?)^```$").FindAllSubmatch(text, -1) {
			above, script := string(m[1]), string(m[2])
			if !strings.Contains(script, "docker ") || strings.Contains(above, "*not run*") {
				continue
			}
			port := freePort(t)
			name := "mockfhir-docs-test-" + port // an engine removes the last one in its own time
			script = regexp.MustCompile(`(?m)^docker build -t mockfhir \.$`).ReplaceAllString(script, "true # the image is there")
			script = regexp.MustCompile(`(?m)^(docker run .* )mockfhir$`).ReplaceAllString(script, "${1}"+tested)
			script = strings.NewReplacer("127.0.0.1:8080:8080", "127.0.0.1:"+port+":8080", "localhost:8080", "127.0.0.1:"+port,
				"--name mockfhir ", "--name "+name+" ", "docker exec mockfhir ", "docker exec "+name+" ",
				"docker stop mockfhir\n", "docker stop "+name+"\n").Replace(script)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, "bash", "-c", "set -euo pipefail\ncurl() { command curl --fail --silent --show-error \"$@\"; }\n"+script)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s\n%s", page, err, script, out)
				_, _ = docker("rm", "--force", name)
			}
			ran++
		}
	}
	if ran != 3 {
		t.Errorf("%d blocks, want the one of the README and two of docs/containers.md", ran)
	}
}
