package main

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mockfhir/mockfhir/internal/shared"
)

func TestCommittedTableIsGenerated(t *testing.T) {
	t.Parallel()
	want, err := generate(shared.Dir(t))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../r4.txt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("go generate ./internal/fhirschema would change r4.txt (-generated +committed):\n%s", diff)
	}
}
