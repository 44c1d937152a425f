package openapi

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"github.com/mockfhir/mockfhir/fixtures"
)

var update = flag.Bool("update", false, "write the golden files")

// TestGolden keeps the document of the default table where people can read it,
// and holds it to the OpenAPI specification.
func TestGolden(t *testing.T) {
	t.Parallel()
	got := Document(fixtures.DefaultTable())
	golden := filepath.Join("testdata", "openapi.json")
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("the document changed; look at it, then run: go test ./internal/openapi -update\n%s", diff)
	}
	document, err := openapi3.NewLoader().LoadFromData(got)
	if err != nil {
		t.Fatal(err)
	}
	if err := document.Validate(context.Background()); err != nil {
		t.Error(err)
	}
}

// TestFollowsTheTable: a parameter that a table of its own adds is in the
// document, and a type it lacks is not.
func TestFollowsTheTable(t *testing.T) {
	t.Parallel()
	table := &fixtures.Table{Types: []fixtures.Type{{
		Type: "Device", Interactions: []string{"read"},
		Params: []fixtures.Param{{Name: "colour", Kind: fixtures.String, Paths: []string{"colour"}}},
	}}}
	document, err := openapi3.NewLoader().LoadFromData(Document(table))
	if err != nil {
		t.Fatal(err)
	}
	if document.Paths.Find("/Practitioner") != nil {
		t.Error("a type that is not in the table is in the document")
	}
	search := document.Paths.Find("/Device").Get
	for _, name := range []string{"colour", "colour:contains", "_count"} {
		if search.Parameters.GetByInAndName("query", name) == nil {
			t.Errorf("%s is missing", name)
		}
	}
	if search.Parameters.GetByInAndName("query", "name") != nil {
		t.Error("a parameter that is not in the table is in the document")
	}
}
