package contract

import "slices"

// Checks returns the whole suite, in the order it runs: what everything else
// rests on first, what needs the run behind it last.
func Checks() []Check {
	return slices.Concat(
		keyChecks(), metadataChecks(), shapeChecks(), byteChecks(), headerChecks(), readChecks(),
		parameterChecks(), searchChecks(), dateChecks(), resultChecks(), includeChecks(), pagingChecks(),
		errorChecks(), quotaChecks(), lateChecks(),
	)
}

// Where promises come from.
const (
	guide    = "https://github.com/ansforge/annuaire-sante-fhir-documentation/blob/HEAD/docs/pages/guide/version-2/"
	issues   = "https://github.com/ansforge/annuaire-sante-fhir-documentation/issues/"
	server   = "https://github.com/ansforge/annuaire-sante-fhir-serveur/blob/HEAD/modules/"
	ig       = "https://interop.esante.gouv.fr/ig/fhir/annuaire/"
	fhirR4   = "https://hl7.org/fhir/R4/"
	gravitee = "https://github.com/gravitee-io/"
)

// types are the resource types of the directory, in the order checks take them.
var types = []string{"Practitioner", "PractitionerRole", "Organization", "HealthcareService", "Device"}
