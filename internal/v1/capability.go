package v1

import (
	"slices"
	"strings"

	"github.com/mockfhir/mockfhir/fixtures"
)

// announced is one type of the CapabilityStatement of 2023-09-06
// (recorded/v1-capabilitystatement). It says more than the service did: writes
// never reached it, and Subscription was never opened.
type announced struct {
	typ, profile string
	interactions []string
	operations   []string
}

var allTypes = []announced{
	{"Device", extensionBase + "AS-Device", writable, nil},
	{"HealthcareService", "http://hl7.org/fhir/StructureDefinition/HealthcareService", writable, nil},
	{"OperationDefinition", "http://hl7.org/fhir/StructureDefinition/OperationDefinition", []string{"read"}, nil},
	{"Organization", extensionBase + "AS-Organization", writable, nil},
	{"Practitioner", extensionBase + "AS-Practitioner", writable, nil},
	{"PractitionerRole", "http://hl7.org/fhir/StructureDefinition/PractitionerRole", writable, nil},
	{"Subscription", "http://hl7.org/fhir/StructureDefinition/Subscription", writable[:3], []string{"deactivate-all", "activate-all"}},
}

var writable = []string{"update", "search-type", "read", "create"}

// subscriptionParams are announced, and lead nowhere.
var subscriptionParams = []fixtures.Param{
	token("_id", "Technical id of the Subscription", "id"),
	text("criteria", "Criteria of the Subscription", "criteria"),
	token("payload", "Payload of the Subscription", "channel.payload"),
	token("status", "Status of the Subscription", "status"),
	token("type", "Channel of the Subscription", "channel.type"),
	text("url", "Address of the Subscription", "channel.endpoint"),
}

// capability prints the CapabilityStatement, with HAPI's members in HAPI's
// order.
func (c *call) capability() []byte {
	var w writer
	w.open('{')
	w.text("resourceType", "CapabilityStatement")
	w.text("id", c.id)
	w.text("name", "RestServer")
	w.text("status", "active")
	w.text("date", c.started.UTC().Format(utc))
	w.text("publisher", "Not provided")
	w.text("kind", "instance")
	w.key("software")
	w.open('{')
	w.text("name", "Afas Fhir server")
	w.text("version", "V1-R4")
	w.close('}')
	w.key("implementation")
	w.open('{')
	w.text("description", "Afas data")
	w.text("url", c.base)
	w.close('}')
	w.text("fhirVersion", "4.0.1")
	w.strings("format", []string{"application/fhir+xml", "xml", "application/fhir+json", "json"})
	w.key("rest")
	w.open('[')
	w.open('{')
	w.text("mode", "server")
	w.key("resource")
	w.open('[')
	for _, a := range allTypes {
		c.announce(&w, a)
	}
	w.close(']')
	w.interactions([]string{"transaction"})
	w.close('}')
	w.close(']')
	w.close('}')
	return w.out
}

func (c *call) announce(w *writer, a announced) {
	w.open('{')
	w.text("type", a.typ)
	w.text("profile", a.profile)
	w.interactions(a.interactions)
	includes, params := []string{"*"}, []fixtures.Param(nil)
	if served := announcedTable().Type(a.typ); served != nil {
		includes, params = served.Includes, withPseudo(served.Params)
	} else if a.typ == "Subscription" {
		params = subscriptionParams
	}
	w.strings("searchInclude", includes)
	w.strings("searchRevInclude", revIncludes)
	w.list("searchParam", func() {
		for _, p := range params {
			w.open('{')
			w.text("name", p.Name)
			w.text("type", string(p.Kind))
			if p.Documentation != "" {
				w.text("documentation", p.Documentation)
			}
			w.close('}')
		}
	})
	w.list("operation", func() {
		for _, name := range a.operations {
			w.open('{')
			w.text("name", name)
			w.text("definition", c.base+"/OperationDefinition/"+a.typ+"-t-"+name)
			w.close('}')
		}
	})
	w.close('}')
}

// withPseudo adds the parameters that ANS's code declares on every type and
// that are no property of a resource, where HAPI's sorting puts them.
func withPseudo(params []fixtures.Param) []fixtures.Param {
	all := append(slices.Clone(params), fixtures.Param{Name: "_since", Kind: fixtures.Date}, fixtures.Param{Name: "_total", Kind: fixtures.String})
	slices.SortStableFunc(all, func(a, b fixtures.Param) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func (w *writer) interactions(codes []string) {
	w.list("interaction", func() {
		for _, code := range codes {
			w.open('{')
			w.text("code", code)
			w.close('}')
		}
	})
}

func (w *writer) strings(name string, values []string) {
	w.list(name, func() {
		for _, v := range values {
			w.value(v)
		}
	})
}
