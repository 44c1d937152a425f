package v1

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/mockfhir/mockfhir/internal/fhir"
)

// Where version 1 keeps its definitions (ans-api.md §4.7). The extensions kept
// the addresses of 2022; the profiles of resources got those of IG 0.1.0,
// which the guide prints.
const (
	extensionBase = "https://annuaire.sante.gouv.fr/fhir/StructureDefinition/"
	profileBase   = "http://interop.esante.gouv.fr/ig/fhir/annuaire-donnee-publique/StructureDefinition/"
)

// What version 2 calls the things that version 1 keeps elsewhere.
const (
	v2Extensions   = "https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/"
	v2Smartcard    = v2Extensions + "as-ext-smartcard"
	v2Trace        = v2Extensions + "as-ext-data-trace"
	v2Mailbox      = v2Extensions + "as-ext-mailbox-mss-metadata"
	v2Licence      = v2Extensions + "as-ext-organization-pharmacy-licence"
	v2Authorized   = v2Extensions + "as-ext-authorization"
	v2Installed    = v2Extensions + "as-ext-installation"
	v2EmailType    = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-contact-point-email-type"
	usePeriod      = "http://hl7.org/fhir/StructureDefinition/organization-period"
	finess         = "http://finess.sante.gouv.fr"
	internalSystem = "https://annuaire.sante.fr"
)

// renamed are the systems and addresses that changed their name, from version
// 2 back to version 1. What is not among them kept its name.
var renamed = map[string]string{
	"https://rpps.esante.gouv.fr":                                                "http://rpps.fr",
	"https://finess.esante.gouv.fr":                                              finess,
	"https://sirene.fr":                                                          "http://sirene.fr",
	"https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-3307":                  "http://interopsante.org/fhir/CodeSystem/fr-v2-3307",
	"https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-address-insee-code": "http://interopsante.org/fhir/StructureDefinition/FrAddressInseeCode",
	"https://mos.esante.gouv.fr/NOS/TRE_R13-Commune/FHIR/TRE-R13-Commune":        "https://mos.esante.gouv.fr/NOS/TRE_R13-CommuneOM/FHIR/TRE_R13-CommuneOM",
	"https://mos.esante.gouv.fr/NOS/TRE_R13-CommuneOM/FHIR/TRE-R13-CommuneOM":    "https://mos.esante.gouv.fr/NOS/TRE_R13-CommuneOM/FHIR/TRE_R13-CommuneOM",
	v2Smartcard: extensionBase + "PractitionerRole-SmartCard",
	v2Licence:   extensionBase + "Organization-PharmacyLicence",
}

// identifierTypes is the code system of identifier types, which was one for
// people and another for structures.
const (
	identifierTypes           = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203"
	identifierTypesPeople     = "http://interopsante.org/CodeSystem/v2-0203"
	identifierTypesStructures = "http://interopsante.org/CodeSystem/fr-v2-0203"
)

// people is what the mapping of one resource must know of others: in version
// 1 a PractitionerRole says who exercises, and a Practitioner has another id.
type people struct {
	ids     map[string]string     // of Practitioners, from version 2's to version 1's
	sources map[key]key           // what a resource is made of, where its id does not say
	byID    map[string]*fhir.Node // version 2's Practitioners that are in use
}

// id is version 1's id of a Practitioner: 003-NNN for version 2's 003-NNN-MMM
// (ans-api.md §4.2). An id of another form is the same in both.
func (p *people) id(v2 string) string {
	if id, known := p.ids[v2]; known {
		return id
	}
	return shortID(v2)
}

func shortID(v2 string) string {
	parts := strings.Split(v2, "-")
	if len(parts) != 3 || parts[0] != "003" {
		return v2
	}
	return parts[0] + "-" + parts[1]
}

// resource maps one resource, "" when version 1 has no such type. A resource
// that is out of use is a stub: id, meta, and the word that says so.
func (p *people) resource(n *fhir.Node) string {
	var w writer
	w.open('{')
	switch typ := n.Get("resourceType").Str(); typ {
	case "Practitioner":
		if w.header(n, p.id(n.Get("id").Str()), "as-practitioner", "active") {
			w.practitioner(n)
		}
	case "PractitionerRole":
		if w.header(n, n.Get("id").Str(), "as-practitionerrole", "active") {
			w.role(n, p)
		}
	case "Organization":
		if w.header(n, n.Get("id").Str(), "as-organization", "active") {
			w.organization(n)
		}
	case "HealthcareService":
		profile := "as-healthcareservice-healthcare-activity"
		if strings.Contains(n.Get("meta").Get("profile").Raw(), "social-equipment") {
			profile = "as-healthcareservice-social-equipment"
		}
		if w.header(n, n.Get("id").Str(), profile, "active") {
			w.healthcareService(n)
		}
	case "Device":
		if w.header(n, n.Get("id").Str(), "as-device", "status") {
			w.device(n)
		}
	default:
		return ""
	}
	w.close('}')
	return string(w.out)
}

// exercise is the PractitionerRole of somebody who has none in version 2:
// there, profession and name are the Practitioner's; version 1 has them
// nowhere else.
func (p *people) exercise(n *fhir.Node) (id, resource string) {
	short := p.id(n.Get("id").Str())
	id = "005-" + strings.TrimPrefix(short, "003-")
	var w writer
	w.open('{')
	w.text("resourceType", "PractitionerRole")
	w.text("id", id)
	w.meta(n, "as-practitionerrole")
	w.text("language", "fr")
	w.exercise(n, nil)
	w.key("active")
	w.raw("true")
	w.key("practitioner")
	w.open('{')
	w.text("reference", "Practitioner/"+short)
	w.close('}')
	w.codes(n, nil)
	w.specialties(n)
	w.close('}')
	return id, string(w.out)
}

// header writes what all resources begin with, and reports whether there is
// more to come.
func (w *writer) header(n *fhir.Node, id, profile, inUse string) bool {
	w.text("resourceType", n.Get("resourceType").Str())
	w.text("id", id)
	w.meta(n, profile)
	if state := n.Get(inUse).Text(); state == "false" || state == "inactive" {
		w.members(n, inUse)
		return false
	}
	w.members(n, "language", "text")
	return true
}

func (w *writer) meta(n *fhir.Node, profile string) {
	meta := n.Get("meta")
	w.key("meta")
	w.open('{')
	if version := meta.Get("versionId").Text(); version != "" {
		w.text("versionId", version)
	}
	if updated := meta.Get("lastUpdated").Str(); updated != "" {
		w.text("lastUpdated", inUTC(updated))
	}
	w.members(meta, "source")
	w.key("profile")
	w.open('[')
	w.value(profileBase + profile)
	w.close(']')
	w.close('}')
}

// utc is how version 1 prints instants.
const utc = "2006-01-02T15:04:05.000+00:00"

func inUTC(text string) string {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return text
	}
	return t.UTC().Format(utc)
}

// practitioner: who somebody is. What he does is his PractitionerRoles'.
func (w *writer) practitioner(n *fhir.Node) {
	w.list("extension", func() { w.mailboxes(n) })
	w.renaming(identifierTypesPeople, func() { w.members(n, "identifier") })
	w.members(n, "active")
	w.list("name", func() {
		n.Get("name").Each(func(name *fhir.Node) {
			if name.Get("prefix") != nil || name.Get("_prefix") != nil {
				w.open('{')
				w.members(name, "prefix")
				w.close('}')
			}
		})
	})
	w.list("qualification", func() {
		n.Get("qualification").Each(func(q *fhir.Node) {
			if kindOf(q) == degree {
				w.open('{')
				w.key("code")
				w.concept(codings(q.Get("code")))
				w.close('}')
			}
		})
	})
}

// role: who exercises what, as what, where.
func (w *writer) role(n *fhir.Node, p *people) {
	_, id, _ := strings.Cut(n.Get("practitioner").Get("reference").Str(), "/")
	who := p.byID[id]
	w.exercise(who, n)
	w.members(n, "active")
	if id != "" {
		w.key("practitioner")
		w.open('{')
		w.text("reference", "Practitioner/"+p.id(id))
		w.close('}')
	}
	w.members(n, "organization")
	w.codes(who, n)
	w.specialties(who)
	w.contacts(n)
}

// exercise writes the extensions of a PractitionerRole: the name somebody
// exercises under, his cards, the mailboxes of the place.
func (w *writer) exercise(who, role *fhir.Node) {
	w.list("extension", func() {
		who.Get("name").Each(func(name *fhir.Node) {
			if name.Get("family") == nil && name.Get("given") == nil && name.Get("suffix") == nil {
				return
			}
			w.open('{')
			w.text("url", extensionBase+"PractitionerRole-Name")
			w.key("valueHumanName")
			w.open('{')
			w.members(name, "family", "given", "suffix")
			w.close('}')
			w.close('}')
		})
		who.Get("extension").Each(func(e *fhir.Node) {
			if e.Get("url").Str() == v2Smartcard {
				w.copy(e)
			}
		})
		w.mailboxes(role)
	})
}

// codes writes one concept with all that somebody is at a place: function,
// profession, category, kind and mode of the activity (ans-api.md §4.3).
func (w *writer) codes(who, role *fhir.Node) {
	var all []*fhir.Node
	role.Get("code").Each(func(c *fhir.Node) { all = append(all, codings(c)...) })
	who.Get("qualification").Each(func(q *fhir.Node) {
		if kindOf(q) == profession {
			all = append(all, codings(q.Get("code"))...)
		}
	})
	slices.SortStableFunc(all, func(a, b *fhir.Node) int { return cmp.Compare(rank(a, codeOrder), rank(b, codeOrder)) })
	w.list("code", func() {
		if len(all) > 0 {
			w.concept(all)
		}
	})
}

func (w *writer) specialties(who *fhir.Node) {
	w.list("specialty", func() {
		who.Get("qualification").Each(func(q *fhir.Node) {
			if kindOf(q) == knowHow {
				w.concept(codings(q.Get("code")))
			}
		})
	})
}

// A qualification of version 2 is one of three things, told apart by the
// nomenclatures of its codings (ans-api.md §4.2).
type kind int

const (
	degree kind = iota
	profession
	knowHow
)

var (
	professions = []string{"TRE_G15-", "TRE_R09-", "TRE_R94-", "TRE_R95-", "TRE_R291-"}
	knowHows    = []string{"TRE_R04-", "TRE_R38-", "TRE_R39-", "TRE_R40-", "TRE_R42-", "TRE_R43-", "TRE_R44-", "TRE_R45-", "TRE_G13-", "TRE_R359-"}
	codeOrder   = []string{"TRE_R21-", "TRE_R85-", "TRE_R96-", "TRE_G15-", "TRE_R94-", "TRE_R95-", "TRE_R291-", "TRE_R09-", "TRE_R22-", "TRE_R23-"}
	typeOrder   = []string{"-v2-3307", "TRE_R75-", "TRE_R02-", "TRE_R66-", "TRE_R72-", "TRE_R73-"}
	// kinds are the nomenclatures of kinds, which version 1 prints behind what
	// is of that kind, and version 2 before.
	kinds = []string{"TRE_R14-", "TRE_R09-", "TRE_R04-"}
)

func kindOf(qualification *fhir.Node) kind {
	for _, c := range codings(qualification.Get("code")) {
		switch {
		case rank(c, professions) < len(professions):
			return profession
		case rank(c, knowHows) < len(knowHows):
			return knowHow
		}
	}
	return degree
}

// rank is the place of a coding's nomenclature in an order, its end when it
// is not in there.
func rank(coding *fhir.Node, order []string) int {
	system := coding.Get("system").Str()
	for i, part := range order {
		if strings.Contains(system, part) {
			return i
		}
	}
	return len(order)
}

// codings of a concept, what is specific before its kind.
func codings(concept *fhir.Node) []*fhir.Node {
	var all []*fhir.Node
	concept.Get("coding").Each(func(c *fhir.Node) { all = append(all, c) })
	slices.SortStableFunc(all, func(a, b *fhir.Node) int {
		return cmp.Compare(-rank(a, kinds), -rank(b, kinds))
	})
	return all
}

// organization: a structure.
func (w *writer) organization(n *fhir.Node) {
	w.list("extension", func() {
		n.Get("extension").Each(func(e *fhir.Node) {
			if url := e.Get("url").Str(); url == usePeriod || url == v2Licence {
				w.copy(e)
			}
		})
		w.mailboxes(n)
	})
	w.renaming(identifierTypesStructures, func() {
		w.list("identifier", func() { w.structureIdentifiers(n.Get("identifier")) })
	})
	w.members(n, "active")
	w.list("type", func() {
		var all []*fhir.Node
		n.Get("type").Each(func(t *fhir.Node) {
			if t.Get("coding") != nil && !strings.Contains(t.Get("coding").Raw(), "as-cs-type-etablissement") {
				all = append(all, t)
			}
		})
		slices.SortStableFunc(all, func(a, b *fhir.Node) int {
			return cmp.Compare(rank(a.Get("coding").Item(0), typeOrder), rank(b.Get("coding").Item(0), typeOrder))
		})
		for _, t := range all {
			w.concept(codings(t))
		}
	})
	w.members(n, "name", "alias")
	w.contacts(n)
	w.list("address", func() { n.Get("address").Each(w.address) })
	w.members(n, "partOf")
}

// structureIdentifiers adds the internal number that version 1 showed: an F
// before a FINESS (incidents.md, 2023-09-06).
func (w *writer) structureIdentifiers(list *fhir.Node) {
	list.Each(func(id *fhir.Node) { w.copy(id) })
	list.Each(func(id *fhir.Node) {
		if renamed[id.Get("system").Str()] != finess {
			return
		}
		w.open('{')
		w.text("use", "official")
		w.key("type")
		w.open('{')
		w.key("coding")
		w.open('[')
		w.open('{')
		w.text("system", identifierTypesStructures)
		w.text("code", "INTRN")
		w.close('}')
		w.close(']')
		w.close('}')
		w.text("system", internalSystem)
		w.text("value", "F"+id.Get("value").Str())
		w.close('}')
	})
}

// address: the street is in extensions of a line that has no text, and the
// city repeats the postal code (issue #26).
func (w *writer) address(n *fhir.Node) {
	w.open('{')
	w.members(n, "extension", "use", "type", "text", "line")
	if city := n.Get("city").Str(); city != "" {
		if code := n.Get("postalCode").Str(); code != "" {
			city = code + " " + city
		}
		w.text("city", city)
	}
	w.mapped("_city", n.Get("_city"))
	w.members(n, "district", "state", "postalCode", "country")
	w.close('}')
}

// healthcareService: a care activity or a social equipment.
func (w *writer) healthcareService(n *fhir.Node) {
	w.list("extension", func() {
		w.arhgos(n, "HealthcareService-AuthorizationNumberARHGOS")
		w.facts(n, v2Authorized, map[string]string{
			"dateAuthorization":       "HealthcareService-AuthorizationDate",
			"periodAuthorization":     "HealthcareService-ImplementationPeriod",
			"deletedAuthorization":    "HealthcareService-DeleteAutorizationImplantation",
			"dateUpdateAuthorization": "HealthcareService-DateUpdateActivity",
		})
		w.facts(n, v2Installed, map[string]string{"dateFirstInstallation": "HealthcareService-InstallationDate"})
	})
	w.numbers(n)
	w.members(n, "active", "providedBy", "category", "type", "eligibility", "characteristic")
}

// device: a heavy equipment.
func (w *writer) device(n *fhir.Node) {
	w.list("extension", func() {
		w.arhgos(n, "Device-NumberAuthorizationARHGOS")
		w.facts(n, v2Authorized, map[string]string{
			"dateAuthorization":   "Device-AuthorizationDateDevice",
			"periodAuthorization": "Device-PeriodImplantation",
		})
	})
	w.numbers(n)
	w.members(n, "status", "manufacturer", "serialNumber", "type", "owner")
}

// arhgos writes the number of an authorisation as the extension it was.
func (w *writer) arhgos(n *fhir.Node, name string) {
	if number := n.Path("identifier", "value").Str(); number != "" {
		w.open('{')
		w.text("url", extensionBase+name)
		w.text("valueString", number)
		w.close('}')
	}
}

// numbers writes identifiers without their system.
func (w *writer) numbers(n *fhir.Node) {
	w.list("identifier", func() {
		n.Get("identifier").Each(func(id *fhir.Node) {
			w.open('{')
			w.members(id, "value")
			w.close('}')
		})
	})
}

// facts writes the parts of an extension as extensions of their own.
func (w *writer) facts(n *fhir.Node, url string, names map[string]string) {
	n.Get("extension").Each(func(e *fhir.Node) {
		if e.Get("url").Str() != url {
			return
		}
		e.Get("extension").Each(func(part *fhir.Node) {
			name, known := names[part.Get("url").Str()]
			if !known {
				return
			}
			w.open('{')
			w.text("url", extensionBase+name)
			for i := range part.Members() {
				if m := &part.Members()[i]; m.Name != "url" {
					w.mapped(m.Name, &m.Value)
				}
			}
			w.close('}')
		})
	})
}

// isMailbox reports whether a contact of version 2 is a secure mailbox.
func isMailbox(contact *fhir.Node) bool {
	found := false
	contact.Get("extension").Each(func(e *fhir.Node) {
		url := e.Get("url").Str()
		found = found || url == v2Mailbox || url == v2EmailType
	})
	return found
}

// mailboxes writes the secure mailboxes of a resource as the extensions they
// were in version 1: the address, then what is known of it.
func (w *writer) mailboxes(n *fhir.Node) {
	n.Get("telecom").Each(func(contact *fhir.Node) {
		if !isMailbox(contact) {
			return
		}
		w.open('{')
		w.text("url", extensionBase+"MailboxMSS")
		w.key("extension")
		w.open('[')
		w.open('{')
		w.text("url", "value")
		w.text("valueString", contact.Get("value").Str())
		w.close('}')
		contact.Get("extension").Each(func(e *fhir.Node) {
			if e.Get("url").Str() == v2Mailbox {
				e.Get("extension").Each(w.copy)
			}
		})
		w.close(']')
		w.close('}')
	})
}

// contacts writes the other contacts.
func (w *writer) contacts(n *fhir.Node) {
	w.list("telecom", func() {
		n.Get("telecom").Each(func(contact *fhir.Node) {
			if !isMailbox(contact) {
				w.copy(contact)
			}
		})
	})
}
