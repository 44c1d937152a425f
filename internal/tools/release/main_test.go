package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// A release for this machine alone holds what one for all of them does.
func TestRelease(t *testing.T) {
	t.Setenv("VERSION", "v0.0.0-test")
	out := t.TempDir()
	platform := runtime.GOOS + "/" + runtime.GOARCH
	if err := run(t.Context(), io.Discard, "../../..", out, []string{platform}); err != nil {
		t.Fatal(err)
	}
	folder := "mockfhir_v0.0.0-test_" + runtime.GOOS + "_" + runtime.GOARCH
	files := untar(t, filepath.Join(out, folder+".tar.gz"))
	for _, name := range []string{
		"mockfhir", "verify", "LICENSE", "README.md", "CHANGELOG.md", "THIRD-PARTY-LICENSES",
		"completions/mockfhir.bash", "completions/mockfhir.zsh", "completions/verify.fish",
	} {
		if len(files[folder+"/"+name]) == 0 {
			t.Errorf("no %s in the archive", name)
		}
	}

	var bill struct {
		BomFormat  string
		Components []struct{ Name, Version, PURL string }
	}
	text, err := os.ReadFile(filepath.Join(out, "mockfhir_v0.0.0-test.cdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &bill); err != nil || bill.BomFormat != "CycloneDX" {
		t.Fatalf("bill of materials: %v\n%.300s", err, text)
	}
	listed := map[string]bool{}
	notices := string(files[folder+"/THIRD-PARTY-LICENSES"])
	for _, c := range bill.Components {
		listed[c.Name] = true
		if c.Name != "std" && !strings.Contains(notices, "\n"+c.Name+" "+c.Version+": ") {
			t.Errorf("no licence of %s %s", c.Name, c.Version)
		}
	}
	for _, name := range []string{"std", "github.com/gorilla/mux", "github.com/google/go-cmp"} {
		if !listed[name] {
			t.Errorf("%s is linked and not listed", name)
		}
	}
	if !strings.Contains(notices, "Go "+strings.TrimPrefix(runtime.Version(), "go")) {
		t.Error("no licence of Go")
	}

	sums, err := os.ReadFile(filepath.Join(out, "checksums.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(sums, []byte("\n")); n != 2 {
		t.Errorf("%d checksums, want those of the archive and the bill", n)
	}
	for line := range strings.Lines(string(sums)) {
		want, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		content, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(content)); got != want {
			t.Errorf("checksum of %s is %s, listed %s", name, got, want)
		}
	}

	// The same commit gives the same files.
	again := t.TempDir()
	if err := run(t.Context(), io.Discard, "../../..", again, []string{platform}); err != nil {
		t.Fatal(err)
	}
	if second, err := os.ReadFile(filepath.Join(again, "checksums.txt")); err != nil || !bytes.Equal(sums, second) {
		t.Errorf("%v: built again, other files:\n%s\n%s", err, sums, second)
	}
}

func TestWrongPlatform(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds first")
	}
	err := run(t.Context(), io.Discard, "../../..", t.TempDir(), []string{"linux"})
	if err == nil || !strings.Contains(err.Error(), "linux/amd64") {
		t.Errorf("error %v, want one that shows how a platform is written", err)
	}
}

func untar(t *testing.T, name string) map[string][]byte {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for r := tar.NewReader(z); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[header.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}
