package container

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const root = "../.."

// What the image says of itself; the tests look for both.
const (
	version = "v0.0.0-test"
	commit  = "0123456789abcdef0123456789abcdef01234567"
)

func TestMain(m *testing.M) {
	// A machine may look like a container and yet run the engine itself, whose
	// ports are then here.
	host, _ := os.Hostname()
	if name, err := docker("info", "--format", "{{.Name}}"); err == nil && name == host && os.Getenv("TESTCONTAINERS_HOST_OVERRIDE") == "" {
		os.Setenv("TESTCONTAINERS_HOST_OVERRIDE", "localhost")
	}
	// The reaper of testcontainers is an image that not every machine can have.
	// These tests remove what they start.
	if _, set := os.LookupEnv("TESTCONTAINERS_RYUK_DISABLED"); !set {
		os.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true")
	}
	code := m.Run()
	cleanUp()
	os.Exit(code)
}

// toRemove are the images this run made.
var toRemove []string

func cleanUp() {
	for _, image := range toRemove {
		if out, err := docker("image", "rm", "--force", image); err != nil {
			fmt.Fprintln(os.Stderr, err, out)
		}
	}
}

// docker runs the client of the engine, which the tests use for what
// testcontainers has no word for.
func docker(args ...string) (string, error) { return run(nil, "docker", args...) }

func run(stdin io.Reader, name string, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s: %w\n%s", cmd, err, &stderr)
	}
	return strings.TrimSpace(stdout.String()), nil
}

func must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := docker(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// needEngine skips where no engine answers.
func needEngine(t *testing.T) {
	t.Helper()
	if _, err := docker("info"); err != nil {
		if os.Getenv("MOCKFHIR_DOCKER") == "required" {
			t.Fatalf("MOCKFHIR_DOCKER=required, and no engine answers: %v", err)
		}
		t.Skip("no container engine answers")
	}
}

// image returns the image to test.
func image(t *testing.T) string {
	t.Helper()
	needEngine(t)
	name, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

var built = sync.OnceValues(func() (string, error) {
	if name := os.Getenv("MOCKFHIR_IMAGE"); name != "" {
		return name, nil
	}
	builder, err := builder()
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("mockfhir-test:%d", os.Getpid())
	build := []string{
		"build", "--network=host", "--build-arg", "BUILDER=" + builder,
		"--build-arg", "VERSION=" + version, "--build-arg", "COMMIT=" + commit,
	}
	if _, err := docker(append(build, "--tag", name, root)...); err != nil {
		return "", err
	}
	toRemove = append(toRemove, name)
	// The stage that compiled stays behind, nameless; with a name it can go.
	if _, err := docker(append(build, "--target", "build", "--tag", name+"-build", root)...); err != nil {
		return "", err
	}
	toRemove = append(toRemove, name+"-build")
	return name, nil
})

// builder is an image with Go: the one MOCKFHIR_BUILDER names, or one made of
// the Go that runs this test, so that no registry is asked.
var builder = sync.OnceValues(func() (string, error) {
	if name := os.Getenv("MOCKFHIR_BUILDER"); name != "" {
		return name, nil
	}
	goroot, err := run(nil, "go", "env", "GOROOT")
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("mockfhir-builder:%d", os.Getpid())
	r, w := io.Pipe()
	go func() { w.CloseWithError(writeBuilder(w, goroot)) }()
	if _, err := run(r, "docker", "import", "--change", "ENV PATH=/usr/local/go/bin", "-", name); err != nil {
		return "", err
	}
	toRemove = append(toRemove, name)
	return name, nil
})

func writeBuilder(out io.Writer, goroot string) error {
	w := tar.NewWriter(out)
	// A link itself, as GOROOT is on some systems, would be walked as a file.
	goroot, err := filepath.EvalSymlinks(goroot)
	if err != nil {
		return err
	}
	err = filepath.WalkDir(goroot, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(goroot, file)
		if err != nil {
			return err
		}
		switch name {
		case "api", "doc", "misc", "test": // not needed to compile
			return fs.SkipDir
		}
		if !d.Type().IsRegular() {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return add(w, path.Join("usr/local/go", filepath.ToSlash(name)), int64(info.Mode().Perm()), file)
	})
	if err != nil {
		return err
	}
	for _, file := range []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"} {
		if _, err := os.Stat(file); err == nil {
			if err := add(w, "etc/ssl/certs/ca-certificates.crt", 0o644, file); err != nil {
				return err
			}
			return w.Close()
		}
	}
	return errors.New("this machine has no certificates to build with")
}

func add(w *tar.Writer, name string, mode int64, file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(content))}); err != nil {
		return err
	}
	_, err = w.Write(content)
	return err
}
