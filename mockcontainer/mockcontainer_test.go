package mockcontainer

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/testcontainers/testcontainers-go"
)

// What the options ask of the engine. That a container then behaves so is
// tested, with an engine, in examples/container.
func TestOptions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"resources/Practitioner.ndjson", "more.ndjson"} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("{}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var s settings
	var req testcontainers.GenericContainerRequest
	for _, o := range []Option{
		WithKey("one"), WithKey("two"), WithRate("0"), WithVersion("v1"),
		WithIncident("maintenance"), WithIncident("slow"),
		WithFixtures(dir), WithFixtures(filepath.Join(dir, "more.ndjson")),
	} {
		if err := o(&s, &req); err != nil {
			t.Fatal(err)
		}
	}
	s.token = "t"
	if err := s.apply(&req); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"MOCKFHIR_KEYS": "one,two", "MOCKFHIR_RATE": "0", "MOCKFHIR_DEFAULT_VERSION": "v1", "MOCKFHIR_CONTROL_TOKEN": "t",
	} {
		if req.Env[name] != want {
			t.Errorf("%s=%s, want %s", name, req.Env[name], want)
		}
	}
	if got, want := strings.Join(req.Cmd, " "), "-incident maintenance -incident slow -fixtures /fixtures/0 -fixtures /fixtures/1/more.ndjson"; got != want {
		t.Errorf("arguments %q, want %q", got, want)
	}
	var files []string
	for _, f := range req.Files {
		files = append(files, f.ContainerFilePath)
	}
	slices.Sort(files)
	if want := []string{"/fixtures/0/more.ndjson", "/fixtures/0/resources/Practitioner.ndjson", "/fixtures/1/more.ndjson"}; !slices.Equal(files, want) {
		t.Errorf("files %q, want %q", files, want)
	}
}

// Without options the image's defaults stand.
func TestDefaults(t *testing.T) {
	t.Parallel()
	var req testcontainers.GenericContainerRequest
	s := settings{version: defaultVersion}
	if err := s.apply(&req); err != nil {
		t.Fatal(err)
	}
	if _, set := req.Env["MOCKFHIR_KEYS"]; set || len(req.Cmd) > 0 {
		t.Errorf("environment %q, arguments %q: want the image's keys and none", req.Env, req.Cmd)
	}
	if got := (&Container{}).Key(); got != DefaultKey {
		t.Errorf("key %q, want %q", got, DefaultKey)
	}
}

func TestMissingFixtures(t *testing.T) {
	t.Parallel()
	err := WithFixtures("nowhere")(new(settings), new(testcontainers.GenericContainerRequest))
	if err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("error %v, want one that names the directory", err)
	}
}
