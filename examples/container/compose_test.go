package container

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// project is a compose file that is up until the test ends.
type project struct {
	t       *testing.T
	command []string
	env     []string
}

// up starts a compose file of this repository and waits until it is healthy.
func up(t *testing.T, name, file string) (p *project, base string) {
	t.Helper()
	tested := image(t)
	p = &project{t: t, command: []string{"docker", "compose"}}
	if _, err := docker("compose", "version"); err != nil {
		if _, err := exec.LookPath("docker-compose"); err != nil {
			t.Skip("neither docker compose nor docker-compose is installed")
		}
		p.command = []string{"docker-compose"}
	}
	p.command = append(p.command, "--project-name", name, "--file", root+"/"+file)
	builder, err := builder()
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	p.env = []string{"MOCKFHIR_IMAGE=" + tested, "BUILDER=" + builder, "PORT=" + port}
	t.Cleanup(func() { p.run("down", "--volumes", "--rmi", "local", "--timeout", "2") })
	wait := []string{"up", "--detach", "--wait"}
	if p.command[0] == "docker-compose" {
		wait = wait[:2] // the first version has no --wait; asking below does it
	}
	p.run(wait...)
	base = "http://127.0.0.1:" + port + "/fhir/v2"
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		response, err := http.Get(strings.TrimSuffix(base, "/fhir/v2") + "/__mockfhir/readyz")
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return p, base
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not answer: %v", base, err)
		}
	}
}

func (p *project) run(args ...string) {
	p.t.Helper()
	cmd := exec.Command(p.command[0], append(p.command[1:len(p.command):len(p.command)], args...)...)
	cmd.Env = append(os.Environ(), p.env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Errorf("%s: %v\n%s", cmd, err, out)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func TestCompose(t *testing.T) {
	_, base := up(t, "mockfhir-test", "compose.yaml")
	if status, _ := call(t, "mock-key", base+"/Practitioner?_count=1"); status != http.StatusOK {
		t.Errorf("the mock answers %d", status)
	}
}

// Three mocks behind a round-robin proxy are one service: a client pages
// through everything, each page from another of them.
func TestReplicas(t *testing.T) {
	_, base := up(t, "mockfhir-replicas-test", "examples/replicas/compose.yaml")
	for _, search := range []string{"/Device?_count=50", "/PractitionerRole?_count=100&_include=PractitionerRole:practitioner", "/Organization?active=true&_count=20"} {
		served := map[string]int{}
		seen := walk(t, "mock-key", base, base+search, func(h http.Header) { served[h.Get("X-Served-By")]++ })
		if len(served) != 3 {
			t.Errorf("%s: served by %v, want all three", search, served)
		}
		if strings.HasPrefix(search, "/Device") && len(seen) != 510 {
			t.Errorf("%d devices, want 510", len(seen))
		}
		if len(seen) == 0 {
			t.Errorf("%s finds nothing", search)
		}
	}
}

// A job of GitLab CI finds the mock under the name and with the key that the
// template gives it.
func TestGitLabService(t *testing.T) {
	needEngine(t)
	text, err := os.ReadFile(root + "/ci/gitlab-services.yml")
	if err != nil {
		t.Fatal(err)
	}
	value := func(name string) string {
		m := regexp.MustCompile(`(?m)^\s+` + name + `: (\S+)$`).FindSubmatch(text)
		if m == nil {
			t.Fatalf("no %s in the template", name)
		}
		return string(m[1])
	}
	network := "mockfhir-gitlab-test"
	must(t, "network", "create", network)
	t.Cleanup(func() { must(t, "network", "rm", network) })
	id := launch(t, "--network", network, "--network-alias", value("alias"), "--env", "MOCKFHIR_RATE=0", image(t))
	waitForLog(t, id)
	must(t, "run", "--rm", "--network", network, "--env", "ESANTE_API_KEY="+value("ESANTE_API_KEY"),
		"--entrypoint", "/verify", image(t), "-run", "^(keys|metadata|read)/", value("ESANTE_API_URL"))
}
