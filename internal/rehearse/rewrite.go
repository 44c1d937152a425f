package rehearse

import (
	"strconv"
	"strings"

	"github.com/mockfhir/mockfhir/internal/fhir"
)

// numericVersion makes meta.versionId a number; mixed leaves the first version
// a string.
func numericVersion(mixed bool) func(*fhir.Node) {
	return func(resource *fhir.Node) {
		version := resource.Path("meta", "versionId")
		if n, err := strconv.Atoi(version.Str()); err == nil && (n > 1 || !mixed) {
			version.Replace(strconv.Itoa(n))
		}
	}
}

func nullLine(resource *fhir.Node) {
	resource.Get("address").Each(func(address *fhir.Node) {
		address.Set("line", `[null]`)
		address.Set("_line", `[{"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/iso21090-ADXP-streetName", "valueString": "RUE INVENTEE"}]}]`)
	})
}

func postcodeInCity(resource *fhir.Node) {
	resource.Get("address").Each(func(address *fhir.Node) {
		if postcode := address.Get("postalCode").Str(); postcode != "" {
			address.Get("city").Replace(quote(postcode + " " + address.Get("city").Str()))
		}
	})
}

// dangling leads roles to a structure that nobody has.
func dangling(resource *fhir.Node) {
	resource.Path("organization", "reference").Replace(`"Organization/001-01-99999999"`)
}

// selfParent makes a structure a part of itself: the shortest way from a
// geographical entity to one.
func selfParent(resource *fhir.Node) {
	if resource.Get("resourceType").Str() == "Organization" {
		resource.Path("partOf", "reference").Replace(quote("Organization/" + resource.Get("id").Str()))
	}
}

// oldProfiles gives resources the one profile they had in version 1
// (ans-api.md §4.7).
func oldProfiles(resource *fhir.Node) {
	profiles := resource.Path("meta", "profile")
	profiles.Keep(func(profile *fhir.Node) bool { return strings.Contains(profile.Str(), "/as-dp-") })
	profiles.Each(func(profile *fhir.Node) {
		_, name, _ := strings.Cut(profile.Str(), "/as-dp-")
		profile.Replace(quote("http://interop.esante.gouv.fr/ig/fhir/annuaire-donnee-publique/StructureDefinition/as-" + name))
	})
}

func wrongSystem(resource *fhir.Node) {
	everyString(resource, func(n *fhir.Node) {
		if strings.HasSuffix(n.Str(), "/FHIR/TRE-G15-ProfessionSante") {
			n.Replace(`"https://mos.esante.gouv.fr/NOS/TRE_R17-TypeAutorisation/FHIR/TRE-G15-ProfessionSante"`)
		}
	})
}

func withoutTelecom(resource *fhir.Node) { resource.Remove("telecom") }

func withoutParams(statement *fhir.Node) {
	statement.Get("rest").Each(func(rest *fhir.Node) {
		rest.Get("resource").Each(func(resource *fhir.Node) {
			resource.Remove("searchInclude")
			resource.Get("searchParam").Keep(func(param *fhir.Node) bool {
				return !strings.HasPrefix(param.Get("name").Str(), "data-") && param.Get("name").Str() != "mailbox-mss"
			})
		})
	})
}

// everActive makes a role that ended look like one that goes on.
func everActive(resource *fhir.Node) {
	if resource.Get("resourceType").Str() == "PractitionerRole" {
		resource.Get("active").Replace("true")
		resource.Remove("period")
	}
}

// twoCards gives whoever has a card another one, with a number of its own.
func twoCards(resource *fhir.Node) {
	extensions := resource.Get("extension")
	var all []string
	extensions.Each(func(extension *fhir.Node) {
		text := string(fhir.AppendRead(nil, extension))
		all = append(all, text)
		if !strings.HasSuffix(extension.Get("url").Str(), "/as-ext-smartcard") {
			return
		}
		extension.Get("extension").Each(func(part *fhir.Node) {
			if number := part.Get("valueString"); part.Get("url").Str() == "number" && number.Str() != "" {
				number.Replace(quote(nextNumber(number.Str())))
			}
		})
		all = append(all, string(fhir.AppendRead(nil, extension)))
	})
	if len(all) > 0 {
		resource.Set("extension", "["+strings.Join(all, ",")+"]")
	}
}

// nextNumber changes the last digit of a number, and nothing of its length.
func nextNumber(number string) string {
	last := len(number) - 1
	return number[:last] + string('0'+(number[last]-'0'+1)%10)
}

func everyString(n *fhir.Node, f func(*fhir.Node)) {
	switch n.Kind() {
	case fhir.String:
		f(n)
	case fhir.Array, fhir.Object:
		n.Walk(func(child *fhir.Node) { everyString(child, f) })
	}
}

func quote(s string) string { return string(fhir.AppendReadString(nil, s)) }
