package contract

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/mockfhir/mockfhir/internal/fhir"
)

// ChecksFor returns the suite of the version a base address names: version 1's
// for …/fhir/v1, version 2's for any other.
func ChecksFor(base string) []Check {
	if isVersionOne(base) {
		return ChecksOfVersionOne()
	}
	return Checks()
}

func isVersionOne(base string) bool { return strings.HasSuffix(strings.TrimRight(base, "/"), "/v1") }

// ChecksOfVersionOne returns the suite for version 1: what both versions
// promise, and what only the first did.
func ChecksOfVersionOne() []Check {
	shared := slices.DeleteFunc(Checks(), func(c Check) bool { return slices.ContainsFunc(onlyInVersionTwo, matches(c.ID)) })
	late := slices.IndexFunc(shared, func(c Check) bool { return c.afterwards })
	if late < 0 {
		late = len(shared)
	}
	return slices.Insert(shared, late, versionOneChecks()...)
}

// onlyInVersionTwo are the checks of what version 2 changed; a name that ends
// in a slash stands for all below it.
var onlyInVersionTwo = []string{
	"metadata/parameters", "profile/", "shape/addresses", "headers/accept", "read/query", "results/format", "results/default-page",
	"search/accents", "search/not", "search/modifier", "search/nothing", "paging/links", "paging/by-string", "base/unversioned",
	"errors/unknown-parameter", "errors/unsupported", "errors/summary", "errors/has", "errors/unknown-type", "errors/unknown-type-read",
	"errors/count", "errors/total", "errors/date", "errors/date-prefix", "errors/include", "errors/page-token", "errors/no-page-token",
	"errors/read", "errors/outcome",
	"search/Practitioner/family", "search/Practitioner/given", "search/Practitioner/identifier-type", "search/Practitioner/number-smartcard",
	"search/Practitioner/qualification-code", "search/Practitioner/type-smartcard", "search/Practitioner/mailbox-mss",
	"search/Practitioner/data-information-system", "search/Practitioner/data-registration-authority",
	"search/PractitionerRole/identifier", "search/PractitionerRole/mailbox-mss",
	"search/PractitionerRole/data-information-system", "search/PractitionerRole/data-registration-authority",
	"search/Organization/address-line", "search/Organization/identifier-type", "search/Organization/mailbox-mss", "search/Organization/pharmacy-licence",
	"search/Organization/data-information-system", "search/Organization/data-registration-authority",
	"search/HealthcareService/data-information-system", "search/HealthcareService/data-registration-authority",
	"search/Device/data-information-system", "search/Device/data-registration-authority", "search/Device/model",
}

func matches(id string) func(string) bool {
	return func(pattern string) bool {
		return id == pattern || strings.HasSuffix(pattern, "/") && strings.HasPrefix(id, pattern)
	}
}

// guideOne is where version 1 is documented.
const guideOne = "https://github.com/ansforge/annuaire-sante-fhir-documentation/blob/HEAD/docs/pages/guide/version-1/"

func versionOneChecks() []Check {
	return []Check{
		{
			ID: "v1/statement", Title: "/metadata is HAPI's whole CapabilityStatement, four formats in their order", Level: Required,
			Source: guideOne + "getting-started/test-api.md", Why: "HAPI's client validates the server with it before its first call.", Run: checkStatementOne,
		},
		{
			ID: "v1/parameters", Title: "Every parameter of version 1 is listed, with its type", Level: Required,
			Source: guideOne + "resources/search-params.md", Why: "Clients of version 1 search by them.", Run: checkParametersOne,
		},
		{
			ID: "v1/formats", Title: "JSON or XML, as Accept or _format asks", Level: Required,
			Source: guideOne + "getting-started/test-api.md", Why: "A client that parses XML gets JSON, or the reverse.", Run: checkFormatsOne,
		},
		{
			ID: "v1/pretty", Title: "_pretty=true prints on many lines, and nothing else does", Level: Observed,
			Source: guideOne + "getting-started/test-api.md", Why: "Line-based tools read the pretty form.", Run: checkPrettyOne,
		},
		{
			ID: "v1/bundle", Title: "A Bundle has its date, and its links before its entries", Level: Observed,
			Source: guideOne + "getting-started/test-api.md", Why: "Streaming readers take the links before the entries.", Run: checkBundleOne,
		},
		{
			ID: "v1/links", Title: "self stays under the base, next asks for _getpages", Level: Required,
			Source: guideOne + "getting-started/test-api.md", Why: "An address that leads elsewhere cannot be followed.", Run: checkLinksOne,
		},
		{
			ID: "v1/read", Title: "A read carries ETag and Last-Modified of its version", Level: Observed,
			Source: fhirR4 + "http.html#read", Why: "Caches ask again by them.", Run: checkReadOne,
		},
		{
			ID: "v1/subsets", Title: "_elements and _summary narrow and say so", Level: Required,
			Source: guideOne + "resources/search-params.md", Why: "A narrowed resource taken for a whole one loses data.", Run: checkSubsetsOne,
		},
		{
			ID: "v1/errors", Title: "Mistakes are refused in HAPI's words, with code processing", Level: Observed,
			Source: guideOne + "getting-started/api-basics.md", Why: "Clients tell a mistake from an outage by status and number.", Run: checkErrorsOne,
		},
		{
			ID: "v1/people", Title: "Name, profession and cards are on PractitionerRole, numbers under version 1's systems", Level: Required,
			Source: guideOne + "resources/practitioner-role.md", Why: "It is where clients of version 1 look for them.", Run: checkPeopleOne,
		},
		{
			ID: "v1/structures", Title: "Structures carry version 1's systems", Level: Required,
			Source: guideOne + "resources/organization.md", Why: "A FINESS under another system is not found again.", Run: checkStructuresOne,
		},
		{
			ID: "v1/health", Title: "/health answers without a key", Level: Required,
			Source: guideOne + "getting-started/api-basics.md", Why: "Monitors call it without one.", Run: checkHealthOne,
		},
	}
}

// holds reports one expectation of a check.
func (p *Probe) holds(ok bool, a *Answer, reason Reason, path, was, now, message string) {
	p.Saw()
	if !ok {
		p.Drift(Finding{Reason: reason, Path: path, Was: was, Now: now, Message: message}, a)
	}
}

var formatsOne = []string{"application/fhir+xml", "xml", "application/fhir+json", "json"}

func checkStatementOne(ctx context.Context, p *Probe) error {
	a, err := p.Get(ctx, "metadata")
	if err != nil || a.ResourceType() != "CapabilityStatement" {
		return err // metadata/statement tells
	}
	doc := a.JSON()
	for _, want := range []struct{ path, value string }{
		{"name", "RestServer"}, {"status", "active"}, {"kind", "instance"}, {"fhirVersion", "4.0.1"},
		{"software.name", "Afas Fhir server"}, {"software.version", "V1-R4"}, {"implementation.description", "Afas data"},
	} {
		got := doc.Path(strings.Split(want.path, ".")...).Str()
		p.holds(got == want.value, a, Meaning, "CapabilityStatement."+want.path, want.value, safe(got), "The statement says otherwise at "+want.path+".")
	}
	p.holds(doc.Get("date").Str() != "", a, Shape, "CapabilityStatement.date", "present", "absent", "The statement has no date, which R4 requires.")
	got := texts(doc.Get("format"))
	p.holds(slices.Equal(got, formatsOne), a, Meaning, "CapabilityStatement.format", strings.Join(formatsOne, ", "), plural(len(got), "format"), "The formats stated are others.")
	return nil
}

// parametersOne are those that the guide of version 1 documents, and its
// CapabilityStatement of 2023 lists.
var parametersOne = map[string]map[string]string{
	"Practitioner": {"_id": "token", "_lastUpdated": "date", "_since": "date", "_total": "string", "active": "token", "identifier": "token", "mailbox-mss": "string", "name": "string"},
	"PractitionerRole": {"_id": "token", "_lastUpdated": "date", "active": "token", "family": "string", "given": "string", "mailbox-mss": "string", "name": "string",
		"number-smartcard": "string", "organization": "reference", "practitioner": "reference", "role": "token", "specialty": "token", "type-smartcard": "token"},
	"Organization": {"_id": "token", "_lastUpdated": "date", "active": "token", "address": "string", "address-city": "string", "address-country": "string",
		"address-postalcode": "string", "address-state": "string", "address-use": "token", "identifier": "token", "mailbox-mss": "string", "name": "string",
		"partof": "reference", "pharmacy-licence": "string", "type": "token"},
	"HealthcareService": {"_id": "token", "_lastUpdated": "date", "_profile": "uri", "active": "token", "characteristic": "token", "identifier": "token",
		"organization": "reference", "service-category": "token", "service-type": "token"},
	"Device": {"_id": "token", "_lastUpdated": "date", "identifier": "token", "manufacturer": "string", "model": "string", "number-authorization-arhgos": "string",
		"organization": "reference", "status": "token", "type": "token"},
}

func checkParametersOne(ctx context.Context, p *Probe) error {
	a, err := p.Get(ctx, "metadata")
	if err != nil || a.ResourceType() != "CapabilityStatement" {
		return err
	}
	for _, typ := range types {
		stated := map[string]string{}
		statedType(a, typ).Get("searchParam").Each(func(n *fhir.Node) { stated[n.Get("name").Str()] = n.Get("type").Str() })
		for name, kind := range parametersOne[typ] {
			path := "CapabilityStatement.rest.resource(" + typ + ").searchParam(" + name + ")"
			p.holds(stated[name] == kind, a, Search, path, kind, safe(stated[name]), fmt.Sprintf("The search parameter %s of %s is not stated as a %s.", name, typ, kind))
		}
	}
	return nil
}

func checkFormatsOne(ctx context.Context, p *Probe) error {
	for _, c := range []struct{ query, accept, want string }{
		{"", "*/*", "json"},
		{"", "application/fhir+xml", "xml"},
		{"", "application/fhir+xml;q=1.0, application/fhir+json;q=1.0, application/xml+fhir;q=0.9, application/json+fhir;q=0.9", "json"},
		{"&_format=xml", "application/fhir+json", "xml"},
		{"&_format=json", "application/fhir+xml", "json"},
	} {
		r := Request{Path: "Practitioner?_count=1" + c.query, Header: http.Header{"Accept": {c.accept}}}
		a, err := p.Do(ctx, r)
		if err != nil {
			return err
		}
		where := "Accept: " + c.accept + c.query
		p.holds(a.Status == http.StatusOK && a.mediaType() == "application/fhir+"+c.want, a, Protocol, where, "application/fhir+"+c.want, safe(a.mediaType()),
			"The answer is in another format than the one asked for.")
		if c.want == "xml" {
			p.holds(a.Content() == "Bundle"+inXML, a, Protocol, where, "a Bundle in XML", a.Content(), "The answer is no Bundle in XML.")
		} else {
			p.holds(a.IsBundle(), a, Protocol, where, "a Bundle in JSON", a.Content(), "The answer is no Bundle in JSON.")
		}
	}
	return nil
}

func checkPrettyOne(ctx context.Context, p *Probe) error {
	for query, want := range map[string]bool{"": false, "&_pretty=true": true, "&_pretty=false": false} {
		a, err := p.Search(ctx, "Practitioner?_count=1"+query)
		if err != nil || a == nil {
			return err
		}
		pretty := strings.Contains(string(a.Body), "\n  \"")
		p.holds(pretty == want, a, Protocol, "Practitioner?_pretty", fmt.Sprint(want), fmt.Sprint(pretty), "The answer is not laid out as _pretty asks.")
	}
	return nil
}

// orderOne is that of the members of a Bundle; not all need be there.
var orderOne = []string{"resourceType", "id", "meta", "type", "total", "link", "entry"}

func checkBundleOne(ctx context.Context, p *Probe) error {
	for _, typ := range types {
		a, err := p.Search(ctx, typ+"?_count=1")
		if err != nil {
			return err
		}
		if a == nil {
			continue
		}
		last, inOrder := -1, true
		for _, m := range a.JSON().Members() {
			at := slices.Index(orderOne, m.Name)
			inOrder = inOrder && at > last
			last = at
		}
		p.holds(inOrder, a, Shape, "Bundle", strings.Join(orderOne, ", "), "another order", "The members of the Bundle come in another order, or others do.")
		updated := a.JSON().Path("meta", "lastUpdated").Str()
		p.holds(strings.HasSuffix(updated, "+00:00"), a, Type, "Bundle.meta.lastUpdated", "a date in UTC", "another or none", "The Bundle does not say when it was made, in UTC.")
	}
	return nil
}

func checkLinksOne(ctx context.Context, p *Probe) error {
	for _, typ := range types {
		a, err := p.Search(ctx, typ+"?_count=1")
		if err != nil {
			return err
		}
		if a == nil {
			continue
		}
		base := p.client.base.String()
		self := a.Link("self")
		p.holds(strings.HasPrefix(self, base+"/"+typ), a, Link, "Bundle.link(self).url", "under the base", "elsewhere", "The self link does not lead back to the search.")
		next := a.Link("next")
		if next == "" {
			continue
		}
		u, err := url.Parse(next)
		p.holds(err == nil && strings.HasPrefix(next, base+"?") && u.Query().Get("_getpages") != "" && u.Query().Get("_bundletype") == "searchset", a, Link,
			"Bundle.link(next).url", "the base, _getpages and _bundletype", "another address", "The next link is no page of HAPI's under the base.")
	}
	return nil
}

func checkReadOne(ctx context.Context, p *Probe) error {
	for _, typ := range types {
		seeds, err := p.seed(ctx, typ)
		if err != nil {
			return err
		}
		if len(seeds) == 0 {
			continue
		}
		a, err := p.Get(ctx, typ+"/"+url.PathEscape(seeds[0].ID()))
		if err != nil {
			return err
		}
		version := seeds[0].Resource.Path("meta", "versionId").Str()
		if a.ResourceType() != typ || version == "" {
			continue // read/<Type> tells
		}
		p.holds(a.Header.Get("ETag") == `W/"`+version+`"`, a, Protocol, typ+": ETag", "W/ and versionId", "another or none", "The ETag of a read is not that of its version.")
		_, err = http.ParseTime(a.Header.Get("Last-Modified"))
		p.holds(err == nil, a, Protocol, typ+": Last-Modified", "a date", "none", "A read does not say when the resource last changed.")
	}
	return nil
}

func checkSubsetsOne(ctx context.Context, p *Probe) error {
	a, err := p.Search(ctx, "Practitioner?_count=3&_elements=identifier,active")
	if err != nil || a == nil {
		return err
	}
	for _, e := range a.Matches("Practitioner") {
		tagged := e.Resource.Path("meta", "tag", "code").Str() == "SUBSETTED"
		whole := slices.ContainsFunc(e.Resource.Members(), func(m fhir.Member) bool {
			return !slices.Contains([]string{"resourceType", "id", "meta", "identifier", "active"}, m.Name)
		})
		p.holds(tagged && !whole, a, Shape, "Practitioner?_elements", "identifier and active, tagged SUBSETTED", "more, or no tag", "_elements does not narrow, or does not say so.")
	}
	a, err = p.Search(ctx, "Practitioner?_summary=count")
	if err != nil || a == nil {
		return err
	}
	_, counted := a.Total()
	p.holds(counted && a.JSON().Get("entry") == nil, a, Search, "Practitioner?_summary=count", "a total and no entry", "other", "_summary=count is not a count alone.")
	return nil
}

func checkErrorsOne(ctx context.Context, p *Probe) error {
	for _, c := range []struct {
		path   string
		status int
		number string
	}{
		{"Patient", http.StatusNotFound, "HAPI-0302: "},
		{"Practitioner?" + unknownCriterion, http.StatusBadRequest, "HAPI-"},
		{"PractitionerRole?identifier=mockfhir", http.StatusInternalServerError, "HAPI-0389: "},
		{"Practitioner/" + nobody, http.StatusNotFound, "HAPI-"},
	} {
		a, err := p.Get(ctx, c.path)
		if err != nil {
			return err
		}
		where := publicPath(c.path)
		p.holds(a.Status == c.status, a, Protocol, where, itoa(c.status), a.summary(), where+" is answered with another status.")
		if a.ResourceType() != "OperationOutcome" {
			p.holds(false, a, Protocol, where, "OperationOutcome", a.summary(), where+" is refused without an OperationOutcome.")
			continue
		}
		code := a.JSON().Path("issue", "code").Str()
		p.holds(code == "processing" && strings.HasPrefix(a.Diagnostics(), c.number), a, Meaning, where+": issue", "processing, "+c.number+"…", safe(code)+", another text",
			where+" is refused in other words than HAPI's.")
	}
	return nil
}

const extensionsOne = "https://annuaire.sante.gouv.fr/fhir/StructureDefinition/"

func checkPeopleOne(ctx context.Context, p *Probe) error {
	seeds, err := p.seed(ctx, "Practitioner")
	if err != nil {
		return err
	}
	a, err := p.Get(ctx, "Practitioner")
	if err != nil {
		return err
	}
	for _, e := range seeds {
		stub := e.Resource.Get("active").Text() == "false"
		for _, id := range e.Resource.Get("identifier").Items() {
			system := id.Value.Get("system").Str()
			known := slices.Contains([]string{"http://rpps.fr", "http://adeli.fr", "urn:oid:1.2.250.1.71.4.2.1"}, system)
			p.holds(known, a, Meaning, "Practitioner.identifier.system", "http://rpps.fr, urn:oid:1.2.250.1.71.4.2.1", safe(system), "A number of a professional is under another system.")
		}
		p.holds(e.Resource.Path("name", "family") == nil, a, Shape, "Practitioner.name.family", "absent", "present", "The name of exercise is on Practitioner, where version 2 has it.")
		p.holds(!stub || e.Resource.Get("identifier") == nil, a, Shape, "Practitioner (out of use)", "id, meta and active", "more", "A professional out of use keeps more than version 1 kept.")
	}
	roles, err := p.seed(ctx, "PractitionerRole")
	if err != nil {
		return err
	}
	if a, err = p.Get(ctx, "PractitionerRole"); err != nil {
		return err
	}
	named := 0
	for _, e := range roles {
		e.Resource.Get("extension").Each(func(x *fhir.Node) {
			if x.Get("url").Str() == extensionsOne+"PractitionerRole-Name" {
				named++
			}
		})
		p.holds(e.Resource.Get("identifier") == nil, a, Shape, "PractitionerRole.identifier", "absent", "present", "A PractitionerRole has an identifier, which came with version 2.")
		p.holds(e.Resource.Get("code").Len() <= 1, a, Shape, "PractitionerRole.code", "one concept", "several", "The facets of an exercise are in several concepts, as in version 2.")
	}
	p.holds(named > 0 || len(roles) == 0, a, Shape, "PractitionerRole.extension(PractitionerRole-Name)", "present", "absent", "No PractitionerRole tells the name of exercise.")
	return nil
}

func checkStructuresOne(ctx context.Context, p *Probe) error {
	seeds, err := p.seed(ctx, "Organization")
	if err != nil {
		return err
	}
	a, err := p.Get(ctx, "Organization")
	if err != nil {
		return err
	}
	for _, e := range seeds {
		e.Resource.Get("identifier").Each(func(id *fhir.Node) {
			system := id.Get("system").Str()
			moved := strings.HasPrefix(system, "https://finess.") || strings.HasPrefix(system, "https://sirene.")
			p.holds(!moved, a, Meaning, "Organization.identifier.system", "http://finess.sante.gouv.fr, http://sirene.fr", safe(system), "A number of a structure is under version 2's system.")
		})
		e.Resource.Get("type").Each(func(t *fhir.Node) {
			system := t.Path("coding", "system").Str()
			p.holds(!strings.HasPrefix(system, "https://hl7.fr/"), a, Meaning, "Organization.type.coding.system", "http://interopsante.org/fhir/CodeSystem/fr-v2-3307", safe(system),
				"The kind of entity is under version 2's code system.")
		})
		p.holds(e.Resource.Get("active").Text() != "false" || e.Resource.Get("name") == nil, a, Shape, "Organization (out of use)", "id, meta and active", "more", "A structure out of use keeps more than version 1 kept.")
	}
	return nil
}

func checkHealthOne(ctx context.Context, p *Probe) error {
	a, err := p.Do(ctx, Request{Path: "health", Key: noKey})
	if err != nil {
		return err
	}
	p.holds(a.Status == http.StatusOK, a, Protocol, "health", "200 without a key", itoa(a.Status), "/health does not answer a call without a key.")
	return nil
}
