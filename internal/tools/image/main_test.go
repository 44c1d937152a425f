package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// The archive is valid, small, and the same each time. That an engine loads
// it, and that it is the image of the Dockerfile, examples/container tests.
func TestArchive(t *testing.T) {
	t.Setenv("VERSION", "v0.0.0-test")
	var archives [2][]byte
	for i := range archives {
		file := filepath.Join(t.TempDir(), "image.tar")
		if err := run(t.Context(), io.Discard, "../../..", file, []string{"amd64"}); err != nil {
			t.Fatal(err)
		}
		var err error
		if archives[i], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Error("two archives of one commit differ")
	}
	tag, err := name.NewTag("mockfhir:v0.0.0-test-amd64")
	if err != nil {
		t.Fatal(err)
	}
	image, err := tarball.Image(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archives[0])), nil }, &tag)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(image); err != nil {
		t.Error(err)
	}
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	files, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	if size, err := io.Copy(io.Discard, files); err != nil || size >= 15_000_000 {
		t.Errorf("%d bytes, %v: want fewer than 15 MB", size, err)
	}
}

func TestConfigOfTheDockerfile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	c, err := configOf(string(text), map[string]string{"VERSION": "v1", "COMMIT": "abc"})
	if err != nil {
		t.Fatal(err)
	}
	if c.User != "65532:65532" || !slices.Equal(c.Entrypoint, []string{"/mockfhir"}) || !slices.Equal(c.Env, []string{"MOCKFHIR_ADDR=:8080"}) {
		t.Errorf("user %q, entry point %q, environment %q", c.User, c.Entrypoint, c.Env)
	}
	if _, exposed := c.ExposedPorts["8080/tcp"]; !exposed {
		t.Errorf("ports %v", c.ExposedPorts)
	}
	want := v1.HealthConfig{Test: []string{"CMD", "/mockfhir", "healthcheck"}, Interval: 3 * time.Second, Timeout: 2 * time.Second, Retries: 3}
	if h := c.Healthcheck; h == nil || !slices.Equal(h.Test, want.Test) || h.Interval != want.Interval || h.Timeout != want.Timeout || h.Retries != want.Retries {
		t.Errorf("health check %+v, want %+v", h, want)
	}
	if c.Labels["org.opencontainers.image.version"] != "v1" || c.Labels["org.opencontainers.image.revision"] != "abc" || c.Labels["org.opencontainers.image.title"] != "mockfhir" {
		t.Errorf("labels %q", c.Labels)
	}
}

// What the tool does not know it refuses: the image would lack it.
func TestUnknownInstructions(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"VOLUME /data", "HEALTHCHECK --start-interval=1s CMD []", "HEALTHCHECK NONE", "LABEL loose", `ENV A="open`} {
		if _, err := configOf("FROM a AS build\nFROM scratch\n"+line+"\n", nil); err == nil || !strings.Contains(err.Error(), line) {
			t.Errorf("%s: error %v, want one that shows the line", line, err)
		}
	}
	if _, err := configOf("FROM scratch\n", nil); err == nil {
		t.Error("a Dockerfile of one stage was taken")
	}
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	if n := bytes.Count(certificates(), []byte("BEGIN CERTIFICATE")); n < 50 {
		t.Errorf("%d certificates", n)
	}
}
