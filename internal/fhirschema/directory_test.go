package fhirschema_test

import (
	"slices"
	"testing"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/internal/fhirschema"
)

func TestEmbeddedDirectory(t *testing.T) {
	t.Parallel()
	checked := map[string]int{}
	for _, r := range fixtures.Default().Resources {
		n, err := fhir.ParseString(r.JSON)
		if err != nil {
			t.Errorf("%s/%s: %v", r.Type, r.ID, err)
			continue
		}
		checked[r.Type]++
		for _, issue := range slices.Concat(fhirschema.Validate(n), fhirschema.ValidateProfile(n)) {
			t.Errorf("%s/%s: %v", r.Type, r.ID, issue)
		}
	}
	for _, typ := range []string{"Practitioner", "PractitionerRole", "Organization", "HealthcareService", "Device"} {
		if checked[typ] == 0 {
			t.Errorf("the embedded directory has no %s", typ)
		}
	}
}
