package fhirschema

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mockfhir/mockfhir/internal/shared"
)

// unreadable are the recorded bodies of v2 that cannot be checked, by prefix
// of their file name, and why.
var unreadable = map[string]string{
	"v2-200-empty-page":              "headers without a body",
	"v2-bundle-delta-excerpt":        "cut by its publisher, no JSON",
	"v2-bundle-full-excerpt":         "cut by its publisher, no JSON",
	"v2-bundle-preprod-excerpt":      "cut by its publisher, no JSON",
	"v2-capabilitystatement-excerpt": "cut by its publisher, no JSON",
	"v2-next-link-internal-host":     "a link without its Bundle",
}

// recorded returns the bodies of the live v2 service, by file name.
func recorded(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(shared.Path(t, "data", "recorded", "v2-*"))
	if err != nil {
		t.Fatal(err)
	}
	bodies := map[string]string{}
	for _, file := range files {
		name, _, _ := strings.Cut(filepath.Base(file), ".")
		if unreadable[name] != "" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		bodies[name] = string(text)
	}
	if len(bodies) < 3 {
		t.Fatalf("%d recorded bodies of v2, there should be one for each of three types", len(bodies))
	}
	return bodies
}

// examples returns the resources of ANS's guide, by file name.
func examples(t *testing.T) map[string]string {
	t.Helper()
	bodies := packageFiles(t, "package/example/*.json")
	if len(bodies) < 20 {
		t.Fatalf("%d examples in the guide, there should be 20", len(bodies))
	}
	return bodies
}

// packageFiles returns the files of the guide's package whose name matches.
func packageFiles(t *testing.T, pattern string) map[string]string {
	t.Helper()
	file, err := os.Open(shared.Path(t, "data", "ig", "ans.fhir.fr.annuaire-1.2.0-snapshot-2.tgz"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	zip, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for archive := tar.NewReader(zip); ; {
		head, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if ok, _ := path.Match(pattern, head.Name); !ok {
			continue
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		files[path.Base(head.Name)] = string(text)
	}
}

func TestLiveBodiesAndExamplesAreSound(t *testing.T) {
	t.Parallel()
	for _, corpus := range []map[string]string{
		recorded(t),
		examples(t),
		packageFiles(t, "package/CapabilityStatement-*.json"),
	} {
		for name, text := range corpus {
			for _, issue := range Validate(parse(t, text)) {
				t.Errorf("%s: %v", name, issue)
			}
		}
	}
}
