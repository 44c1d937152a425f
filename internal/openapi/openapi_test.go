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
var production = Server{SearchSuffix: true, URISearch: true}

// TestServer: a server that takes forms elsewhere, and refuses a kind of
// parameter, is described as it is.
func TestServer(t *testing.T) {
	t.Parallel()
	document, err := openapi3.NewLoader().LoadFromData(Document(fixtures.DefaultTable(), Server{}))
	if err != nil {
		t.Fatal(err)
	}
	if err := document.Validate(context.Background()); err != nil {
		t.Error(err)
	}
	if document.Paths.Find("/Device/_search") != nil || document.Paths.Find("/Device").Post == nil {
		t.Error("forms are sent to a path that this server does not have")
	}
	if params := document.Paths.Find("/HealthcareService").Get.Parameters; params.GetByInAndName("query", "_profile") != nil || params.GetByInAndName("query", "_id") == nil {
		t.Error("a parameter that this server refuses is in the document, or one that it takes is not")
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	got := Document(fixtures.DefaultTable(), production)
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
	document, err := openapi3.NewLoader().LoadFromData(Document(table, production))
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
