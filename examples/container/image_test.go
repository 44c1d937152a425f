package container

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// inspected is what docker inspect tells, of images and containers.
type inspected struct {
	Size   int64
	Config config
	State  struct {
		Running   bool
		ExitCode  int
		StartedAt time.Time
		Health    struct{ Status string }
	}
}

type config struct {
	User         string
	Env          []string
	Entrypoint   []string
	Cmd          []string
	ExposedPorts map[string]struct{}
	Labels       map[string]string
	Healthcheck  map[string]any
}

func inspect(t *testing.T, kind, name string) inspected {
	t.Helper()
	var all []inspected
	if err := json.Unmarshal([]byte(must(t, kind, "inspect", name)), &all); err != nil || len(all) != 1 {
		t.Fatalf("%s %s: %d descriptions, %v", kind, name, len(all), err)
	}
	return all[0]
}

func TestImage(t *testing.T) {
	i := inspect(t, "image", image(t))
	if i.Size >= 15_000_000 {
		t.Errorf("%d bytes, want fewer than 15 MB", i.Size)
	}
	c := i.Config
	if c.User != "65532:65532" || !slices.Equal(c.Entrypoint, []string{"/mockfhir"}) || len(c.Cmd) > 0 {
		t.Errorf("user %q, entry point %q, command %q", c.User, c.Entrypoint, c.Cmd)
	}
	if _, exposed := c.ExposedPorts["8080/tcp"]; !exposed || len(c.ExposedPorts) != 1 {
		t.Errorf("ports %v, want 8080 alone", c.ExposedPorts)
	}
	if !slices.Contains(c.Env, "MOCKFHIR_ADDR=:8080") {
		t.Errorf("environment %q", c.Env)
	}
	for _, label := range []string{"title", "description", "source", "documentation", "licenses", "version", "revision"} {
		if c.Labels["org.opencontainers.image."+label] == "" {
			t.Errorf("no label %s", label)
		}
	}
	if test, _ := c.Healthcheck["Test"].([]any); !slices.Equal(test, []any{"CMD", "/mockfhir", "healthcheck"}) {
		t.Errorf("health check %v", c.Healthcheck)
	}
}

// Nothing is in the image but the programs and the certificates.
func TestFiles(t *testing.T) {
	files := filesOf(t, image(t))
	var names []string
	for name, content := range files {
		if len(content) > 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if want := []string{"etc/ssl/certs/ca-certificates.crt", "mockfhir", "verify"}; !slices.Equal(names, want) {
		t.Errorf("files %q, want %q", names, want)
	}
	program, err := elf.NewFile(bytes.NewReader(files["mockfhir"]))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range program.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("mockfhir is not static")
		}
	}
	if roots := bytes.Count(files["etc/ssl/certs/ca-certificates.crt"], []byte("BEGIN CERTIFICATE")); roots < 50 {
		t.Errorf("%d certificates", roots)
	}
}

// filesOf reads an image; of a link, where it points.
func filesOf(t *testing.T, image string) map[string][]byte {
	t.Helper()
	id := must(t, "create", image)
	t.Cleanup(func() { must(t, "rm", id) })
	packed, err := exec.Command("docker", "export", id).Output()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(packed)); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if header.Typeflag == tar.TypeSymlink && !strings.HasPrefix(header.Name, "etc/") {
			content = []byte(header.Linkname)
		}
		files[header.Name] = content
	}
}

// Both programs are there, and say what they were built from.
func TestVersions(t *testing.T) {
	name := image(t)
	for program, flag := range map[string]string{"mockfhir": "version", "verify": "-version"} {
		out := must(t, "run", "--rm", "--entrypoint", "/"+program, name, flag)
		for _, want := range []string{program + " ", "commit ", "fixtures of 20", "implementation guide "} {
			if !strings.Contains(out, want) {
				t.Errorf("%s %s: no %q in\n%s", program, flag, want, out)
			}
		}
		if c := inspect(t, "image", name).Config.Labels["org.opencontainers.image.revision"]; c == commit && !strings.Contains(out, "commit "+c) {
			t.Errorf("%s %s: not of commit %s:\n%s", program, flag, c, out)
		}
	}
}

// launch starts a container with what testcontainers does not ask of one.
func launch(t *testing.T, args ...string) (id string) {
	t.Helper()
	id = must(t, append([]string{"run", "--detach"}, args...)...)
	t.Cleanup(func() { must(t, "rm", "--force", id) })
	return id
}

// become waits for a state of health.
func become(t *testing.T, id, want string) {
	t.Helper()
	status := ""
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if status = inspect(t, "container", id).State.Health.Status; status == want {
			return
		}
	}
	t.Fatalf("%s, want %s", status, want)
}

// Health follows the server: from starting to healthy, to unhealthy when it
// hangs, and back.
func TestHealth(t *testing.T) {
	id := launch(t, image(t))
	if status := inspect(t, "container", id).State.Health.Status; status != "starting" {
		t.Errorf("%s at first, want starting", status)
	}
	become(t, id, "healthy")
	must(t, "kill", "--signal", "STOP", id)
	become(t, id, "unhealthy")
	must(t, "kill", "--signal", "CONT", id)
	become(t, id, "healthy")
}

// Wherever the server was told to listen, the check asks there.
func TestHealthOfAnotherPort(t *testing.T) {
	for _, args := range [][]string{
		{"--env", "MOCKFHIR_ADDR=:9090", image(t)},
		{image(t), "-addr", ":9090"},
		{image(t), "serve", "-addr", ":9090", "-tls-self-signed"},
	} {
		become(t, launch(t, args...), "healthy")
	}
}

// best of a few: this machine does much else.
func best(t *testing.T, measure func() time.Duration) time.Duration {
	t.Helper()
	shortest := measure()
	for range 4 {
		shortest = min(shortest, measure())
	}
	return shortest
}

func TestStop(t *testing.T) {
	took := best(t, func() time.Duration {
		id := launch(t, image(t))
		waitForLog(t, id)
		began := time.Now()
		must(t, "stop", id)
		took := time.Since(began)
		if s := inspect(t, "container", id).State; s.Running || s.ExitCode != 0 {
			t.Errorf("running: %t, exit code %d; want an end in peace", s.Running, s.ExitCode)
		}
		return took
	})
	t.Logf("docker stop: %s", took)
	if took > time.Second {
		t.Errorf("docker stop takes %s, want a second at most", took)
	}
}

// waitForLog returns when the first line was logged, which is when it listens.
func waitForLog(t *testing.T, id string) time.Time {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		stamp, line, _ := strings.Cut(must(t, "logs", "--timestamps", id), " ")
		if strings.HasPrefix(line, "mockfhir ") {
			at, err := time.Parse(time.RFC3339Nano, stamp)
			if err != nil {
				t.Fatal(err)
			}
			return at
		}
	}
	t.Fatal("it does not start")
	return time.Time{}
}

// From the process's start to the line that says it serves, by the engine's
// clock.
func TestStart(t *testing.T) {
	took := best(t, func() time.Duration {
		id := launch(t, image(t))
		ready := waitForLog(t, id)
		return ready.Sub(inspect(t, "container", id).State.StartedAt)
	})
	t.Logf("start to ready: %s", took)
	if took > 200*time.Millisecond {
		t.Errorf("start to ready takes %s, want 200 ms at most", took)
	}
}

// It needs no right, and writes nothing: the whole contract holds on a
// read-only root, seen from inside by the verify of the image.
func TestReadOnly(t *testing.T) {
	name := image(t)
	id := launch(t, "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true", name, "-rate", "0")
	waitForLog(t, id)
	must(t, "run", "--rm", "--read-only", "--network", "container:"+id, "--env", "ESANTE_API_KEY=mock-key",
		"--entrypoint", "/verify", name, "-rate", "0", "http://127.0.0.1:8080/fhir/v2")
	if changed := must(t, "diff", id); changed != "" {
		t.Errorf("it wrote:\n%s", changed)
	}
}

// make image writes the same image, and an engine loads it.
func TestArchive(t *testing.T) {
	name := image(t)
	file := t.TempDir() + "/image.tar"
	cmd := exec.Command("go", "run", "./image", "-o", file, "-platforms", "amd64")
	cmd.Dir = root + "/internal/tools"
	cmd.Env = append(cmd.Environ(), "VERSION="+version, "COMMIT="+commit)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const loaded = "mockfhir:" + version + "-amd64"
	must(t, "load", "--input", file)
	t.Cleanup(func() { must(t, "image", "rm", loaded) })

	ours, theirs := inspect(t, "image", loaded).Config, inspect(t, "image", name).Config
	// An engine that builds adds a search path, which an image without a
	// shell has no use for.
	theirs.Env = slices.DeleteFunc(theirs.Env, func(v string) bool { return strings.HasPrefix(v, "PATH=") })
	if diff := cmp.Diff(theirs, ours); diff != "" {
		t.Errorf("Dockerfile (-) and make image (+) differ:\n%s", diff)
	}
	built, written := filesOf(t, name), filesOf(t, loaded)
	if !bytes.Equal(built["mockfhir"], written["mockfhir"]) {
		t.Error("the programs differ")
	}
	if !bytes.Equal(built["verify"], written["verify"]) {
		t.Errorf("verify is %q and %q", built["verify"], written["verify"])
	}
}
