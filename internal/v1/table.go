package v1

import (
	"slices"
	"sync"

	"github.com/mockfhir/mockfhir/fixtures"
)

// Table is what version 1 can be searched by: the parameters its
// CapabilityStatement of 2023-09-06 lists, in its order, without those that
// are no property of a resource (_since, _total), and those of release 1.29,
// which nobody recorded a list of (ans-api.md §2.2; incidents.md, 2023-12).
var Table = sync.OnceValue(func() *fixtures.Table {
	table := &fixtures.Table{Types: slices.Clone(announcedTable().Types)}
	for i := range table.Types {
		typ := &table.Types[i]
		typ.Params = append(slices.Clip(typ.Params),
			token("as-sp-data-information-system", "Information system the data comes from", trace+".where(url='systeme-information').value"),
			token("as-sp-data-registration-authority", "Authority that registered the data", trace+".where(url='autorite-enregistrement').value"))
		if typ.Type == "Practitioner" || typ.Type == "Organization" {
			typ.Params = append(typ.Params, token("identifier-type", "Kind of identifier, by its code", "identifier.type.coding.code"))
		}
	}
	return table
})

var announcedTable = sync.OnceValue(func() *fixtures.Table {
	return &fixtures.Table{Types: []fixtures.Type{
		{Type: "Device", Includes: []string{"*", "Device:organization"}, Params: []fixtures.Param{
			token("_id", "Technical id of the Device", "id"),
			date("_lastUpdated", "When the Device last changed"),
			text("device-name", "Name of the device", "deviceName.name"),
			token("identifier", "Number of the authorisation (ARHGOS)", "identifier"),
			reference("location", "Where the device is", "location", "Location"),
			text("manufacturer", "Brand of the equipment", "manufacturer"),
			text("model", "Model of the device", "modelNumber"),
			text("number-authorization-arhgos", "Number of the authorisation (ARHGOS)", extension("Device-NumberAuthorizationARHGOS")),
			reference("organization", "Structure the equipment belongs to", "owner", "Organization"),
			token("status", "active, inactive, entered-in-error or unknown", "status"),
			token("type", "Kind of equipment", "type"),
		}},
		{Type: "HealthcareService", Includes: []string{"*", "HealthcareService:organization"}, Params: []fixtures.Param{
			token("_id", "Technical id of the HealthcareService", "id"),
			date("_lastUpdated", "When the HealthcareService last changed"),
			{Name: "_profile", Kind: fixtures.URI, Paths: []string{"meta.profile"}, Documentation: "Care activities or social equipment, by profile"},
			active("Whether the service is in use"),
			token("characteristic", "Form of a care activity, kind of a social equipment", "characteristic"),
			token("identifier", "Number of the authorisation (ARHGOS)", "identifier"),
			reference("organization", "Structure that provides the service", "providedBy", "Organization"),
			token("service-category", "Modality of a care activity", "category"),
			token("service-type", "Discipline of a social equipment, regulated activity of a care activity", "type"),
		}},
		{Type: "Organization", Includes: []string{"*", "Organization:partof"}, Params: []fixtures.Param{
			token("_id", "Technical id of the Organization", "id"),
			date("_lastUpdated", "When the Organization last changed"),
			active("Whether the structure is in use"),
			text("address", "Any part of the address", "address.city", "address.country", "address.postalCode", "address.state", "address.use"),
			text("address-city", "City of the address", "address.city"),
			text("address-country", "Country of the address", "address.country"),
			text("address-postalcode", "Postal code of the address", "address.postalCode"),
			text("address-state", "State of the address", "address.state"),
			token("address-use", "Use of the address", "address.use"),
			reference("endpoint", "Technical endpoint of the structure", "endpoint", "Endpoint"),
			token("identifier", "Any identifier of the structure", "identifier"),
			text("mailbox-mss", "Secure mailbox (MSSanté) of the structure", mailbox),
			text("name", "Name of the structure", "name"),
			reference("partof", "Legal entity the structure belongs to", "partOf", "Organization"),
			text("pharmacy-licence", "Licence number of a pharmacy", extension("Organization-PharmacyLicence")),
			token("type", "Kind of entity, activity (APE), legal category, sector, category, participation in the public service", "type"),
		}},
		{Type: "Practitioner", Includes: []string{"*"}, Params: []fixtures.Param{
			token("_id", "Technical id of the Practitioner", "id"),
			date("_lastUpdated", "When the Practitioner last changed"),
			active("Whether the professional is in use"),
			token("identifier", "RPPS or IDNPS number", "identifier"),
			text("mailbox-mss", "", mailbox),
			text("name", "Any part of the name, which is the civility here", "name.prefix", "name.family", "name.given", "name.suffix", "name.text"),
		}},
		{Type: "PractitionerRole", Includes: []string{"*", "PractitionerRole:organization", "PractitionerRole:partof", "PractitionerRole:practitioner"}, Params: []fixtures.Param{
			token("_id", "Technical id of the PractitionerRole", "id"),
			date("_lastUpdated", "When the PractitionerRole last changed"),
			active("Whether the exercise is in use"),
			text("family", "Family name of exercise", exerciseName+".family"),
			text("given", "Given name of exercise", exerciseName+".given"),
			token("identifier", "Identifier of the PractitionerRole", "identifier"),
			text("mailbox-mss", "Secure mailbox (MSSanté) of the exercise", mailbox),
			text("name", "Any part of the name of exercise", exerciseName+".family", exerciseName+".given", exerciseName+".prefix", exerciseName+".suffix"),
			text("number-smartcard", "Number of a card", extension("PractitionerRole-SmartCard", "number")),
			reference("organization", "Structure of the exercise", "organization", "Organization"),
			reference("practitioner", "Professional who exercises", "practitioner", "Practitioner"),
			token("role", "Profession, category, function, kind and mode of the activity, pharmacist section", "code"),
			token("specialty", "Know-how, or kind of know-how", "specialty"),
			token("type-smartcard", "Kind of card", extension("PractitionerRole-SmartCard", "type")),
		}},
	}}
})

var (
	mailbox      = extension("MailboxMSS", "value")
	exerciseName = extension("PractitionerRole-Name")
)

// extension is the path of the value of an extension of version 1, or of a
// part of it.
func extension(name string, parts ...string) string {
	path := "extension.where(url='" + extensionBase + name + "')"
	for _, part := range parts {
		path += ".extension.where(url='" + part + "')"
	}
	return path + ".value"
}

func token(name, about string, paths ...string) fixtures.Param {
	return fixtures.Param{Name: name, Kind: fixtures.Token, Paths: paths, Documentation: about}
}

func text(name, about string, paths ...string) fixtures.Param {
	return fixtures.Param{Name: name, Kind: fixtures.String, Paths: paths, Documentation: about}
}

func date(name, about string) fixtures.Param {
	return fixtures.Param{Name: name, Kind: fixtures.Date, Paths: []string{"meta.lastUpdated"}, Documentation: about}
}

func reference(name, about, path, target string) fixtures.Param {
	return fixtures.Param{Name: name, Kind: fixtures.Reference, Paths: []string{path}, Targets: []string{target}, Documentation: about}
}

func active(about string) fixtures.Param {
	return fixtures.Param{Name: "active", Kind: fixtures.Token, Paths: []string{"active"}, Default: "false", Documentation: about}
}
