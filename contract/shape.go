package contract

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/internal/fhirschema"
)

// shapeChecks: resources and bundles have the structure FHIR R4 and the
// profiles of the implementation guide give them.
func shapeChecks() []Check {
	checks := []Check{
		{
			ID: "shape/bundle", Title: "A search answers a searchset Bundle as R4 describes it", Level: Required,
			Source: fhirR4 + "bundle.html", Why: "FHIR libraries refuse a Bundle that is not one.", Run: checkBundle,
		},
		{
			ID: "shape/full-url", Title: "fullUrl is the address of the resource under the base of the call", Level: Required,
			Source: fhirR4 + "bundle.html#bundle-unique", Why: "Clients find included resources, and read them again, by fullUrl.", Run: checkFullURL,
		},
	}
	for _, typ := range types {
		checks = append(checks, Check{
			ID: "shape/" + typ, Title: "Resources of " + typ + " have the structure of R4", Level: Required,
			Source: fhirR4 + strings.ToLower(typ) + ".html",
			Why:    "A number for a string, or a null, makes typed clients fail on the whole page.",
			Run:    func(ctx context.Context, p *Probe) error { return checkStructure(ctx, p, typ) },
		}, Check{
			ID: "profile/" + typ, Title: "Resources of " + typ + " follow their public-data profile", Level: Required,
			Source: ig + "artifacts.html",
			Why:    "Systems, slices and the absence of restricted data are what integrators code against.",
			Run:    func(ctx context.Context, p *Probe) error { return checkProfile(ctx, p, typ) },
		})
	}
	return append(checks,
		Check{
			ID: "shape/version-id", Title: "meta.versionId is a string, in searches and in reads", Level: Required,
			Source: issues + "359", Why: "From April 2025 to March 2026 it was a number, and typed clients failed on every page.", Run: checkVersionID,
		},
		Check{
			ID: "shape/identifiers", Title: "Identifiers have the length and digits of their register", Level: Required,
			Source: ig + "StructureDefinition-as-dp-practitioner.html",
			Why:    "An identifier that lost a zero matches nobody in the client's own database.", Run: checkIdentifiers,
		},
		Check{
			ID: "shape/codings", Title: "Every coding has a system and a code", Level: Required,
			Source: ig + "artifacts.html", Why: "A code without its system means nothing: 10 is a physician in one list only.", Run: checkCodings,
		},
		Check{
			ID: "shape/text", Title: "Texts are readable: no broken characters, no HTML entities", Level: Required,
			Source: fhirR4 + "json.html", Why: "A name with broken characters is printed as it is and matches nothing.", Run: checkTexts,
		},
		Check{
			ID: "shape/addresses", Title: "Postal codes have their five characters and stay out of the city", Level: Observed,
			Source: issues + "26", Why: "Clients group and search structures by postal code and city.", Run: checkAddresses,
		},
	)
}

// sample returns first-page resources of a type and one read of it: the two
// printers of the service differ.
func (p *Probe) sample(ctx context.Context, typ string) ([]*fhir.Node, *Answer, error) {
	a, err := p.ground(ctx, typ)
	if err != nil {
		return nil, nil, err
	}
	var list []*fhir.Node
	for _, e := range a.Matches(typ) {
		list = append(list, e.Resource)
	}
	if len(list) > 0 {
		read, err := p.Get(ctx, typ+"/"+list[0].Get("id").Str())
		if err != nil {
			return nil, nil, err
		}
		if read.ResourceType() == typ {
			list = append(list, read.JSON())
		}
	}
	return list, a, nil
}

// everySample calls f with sample resources of every type.
func (p *Probe) everySample(ctx context.Context, f func(typ string, n *fhir.Node, a *Answer)) error {
	for _, typ := range types {
		list, a, err := p.sample(ctx, typ)
		if err != nil {
			return err
		}
		for _, n := range list {
			f(typ, n, a)
		}
	}
	return nil
}

func checkBundle(ctx context.Context, p *Probe) error {
	for _, typ := range types {
		a, err := p.Search(ctx, typ)
		if err != nil {
			return err
		}
		if a == nil {
			continue
		}
		doc := a.JSON()
		if t := doc.Get("type").Str(); t != "searchset" {
			p.Drift(Finding{Reason: Meaning, Path: "Bundle.type", Was: "searchset", Now: safe(t), Message: "A search no longer answers a Bundle of type searchset."}, a)
		}
		if doc.Get("entry").Kind() != fhir.Array {
			p.Drift(Finding{Reason: Shape, Path: "Bundle.entry", Was: "array", Now: doc.Get("entry").Kind().String(), Message: "A search answers no array of entries."}, a)
		}
		if a.Link("self") == "" {
			p.Drift(Finding{Reason: Link, Path: "Bundle.link(self)", Was: "present", Now: "absent", Message: "A search does not say what it answers: there is no self link."}, a)
		}
		for _, issue := range fhirschema.Validate(doc) {
			if _, known := issue.Deviation(); !known && strings.HasPrefix(issue.Element, "Bundle") {
				p.tellIssue(issue, a)
			}
		}
	}
	return nil
}

// tellIssue reports what the validator says. Its detail holds no value.
func (p *Probe) tellIssue(issue fhirschema.Issue, a *Answer) {
	reason := Shape
	switch issue.Rule {
	case fhirschema.RuleKind, fhirschema.RuleLexical, fhirschema.RuleArray, fhirschema.RuleNull:
		reason = Type
	case fhirschema.RuleCode:
		reason = Meaning
	case fhirschema.RuleReference:
		reason = Link
	}
	path := safeElement(issue.Element)
	p.Drift(Finding{Reason: reason, Path: path, Was: "valid", Now: string(issue.Rule),
		Message: fmt.Sprintf("%s: %s.", path, issue.Detail)}, a)
}

// safeElement is an element of a resource without what is no element's name.
func safeElement(path string) string {
	typ, members, found := strings.Cut(path, ".")
	if !fhirschema.KnownResource(typ) {
		typ = "…"
	}
	if !found {
		return typ
	}
	return typ + "." + safeMembers(members)
}

func checkFullURL(ctx context.Context, p *Probe) error {
	for _, path := range []string{"Practitioner", "PractitionerRole?_include=PractitionerRole:organization&_count=3"} {
		a, err := p.Search(ctx, path)
		if err != nil {
			return err
		}
		if a == nil {
			continue
		}
		for _, e := range a.Entries() {
			base := p.client.base
			got, err := url.Parse(e.FullURL)
			switch {
			case err != nil || got.Host == "":
				p.Drift(Finding{Reason: Link, Path: "Bundle.entry.fullUrl", Was: "an absolute URL", Now: "another form",
					Message: "fullUrl is missing or not absolute."}, a)
			case !sameOrigin(got, base):
				p.Drift(Finding{Reason: Link, Path: "Bundle.entry.fullUrl", Was: base.Scheme + "://" + base.Host, Now: safe(got.Scheme + "://" + got.Host),
					Message: "fullUrl is on another host, scheme or port than the call."}, a)
			case !p.isAt(got, e.Ref()):
				p.Drift(Finding{Reason: Link, Path: "Bundle.entry.fullUrl", Was: "base/type/id", Now: "another path",
					Message: "fullUrl is not the address of the resource."}, a)
			}
		}
	}
	return nil
}

func checkStructure(ctx context.Context, p *Probe, typ string) error {
	list, a, err := p.sample(ctx, typ)
	if err != nil {
		return err
	}
	for _, n := range list {
		p.Saw()
		for _, issue := range fhirschema.Validate(n) {
			if issue.Element != typ+versionID {
				p.tellIssue(issue, a)
			}
		}
	}
	return nil
}

// versionID has a check of its own: it was a number for a year.
const versionID = ".meta.versionId"

func checkVersionID(ctx context.Context, p *Probe) error {
	return p.everySample(ctx, func(typ string, n *fhir.Node, a *Answer) {
		p.Saw()
		if v := n.Path("meta", "versionId"); v.Kind() != fhir.String && v.Kind() != fhir.Missing {
			p.Drift(Finding{Reason: Type, Path: typ + versionID, Was: fhir.String.String(), Now: v.Kind().String(),
				Message: "meta.versionId of " + typ + " is no string."}, a)
		}
	})
}

// registers are the identifier systems whose values have a fixed form. The
// letters that no register uses are those of fictitious numbers, which stand
// in a recording for real ones (synth.Ranges).
var registers = []struct {
	name, system string
	form         *regexp.Regexp
}{
	{"IDNPS", "urn:oid:1.2.250.1.71.4.2.1", regexp.MustCompile(`^[0-9]{12}$|^0[0-9A-Z]{9}$`)},
	{"IDNST", "urn:oid:1.2.250.1.71.4.2.2", regexp.MustCompile(`^1([0-9][0-9A-I]|[A-C][0-9])[0-9]{7}$|^2[0-9A-I][0-9]{8}$|^3[0-9A-I][0-9]{13}$|^4[0-9]{14}$`)},
	{"FINESS", "https://finess.esante.gouv.fr", regexp.MustCompile(`^([0-9][0-9A-I]|[A-C][0-9])[0-9]{7}$`)},
	{"SIREN or SIRET", "https://sirene.fr", regexp.MustCompile(`^[0-9A-I][0-9]{8}$|^[0-9A-I][0-9]{13}$`)},
	{"ARHGOS", "https://arhgos.ars.sante.fr", regexp.MustCompile(`^[0-9A-Z]+(-[0-9A-Z]+)*$`)},
}

// rpps is apart: the system also numbers activities (PractitionerRole).
var rpps = regexp.MustCompile(`^[0-9]{11}$`)

const rppsSystem = "https://rpps.esante.gouv.fr"

func checkIdentifiers(ctx context.Context, p *Probe) error {
	return p.everySample(ctx, func(typ string, n *fhir.Node, a *Answer) {
		for _, item := range n.Get("identifier").Items() {
			p.Saw()
			system, value := item.Value.Get("system").Str(), item.Value.Get("value").Text()
			for _, r := range registers {
				if r.system == system && !r.form.MatchString(value) {
					p.badIdentifier(typ, r.name, a)
				}
			}
			if typ == "Practitioner" && system == rppsSystem && !rpps.MatchString(value) {
				p.badIdentifier(typ, "RPPS", a)
			}
		}
	})
}

func (p *Probe) badIdentifier(typ, register string, a *Answer) {
	p.Drift(Finding{Reason: Type, Path: typ + ".identifier(" + register + ").value", Was: "the form of the register", Now: "another length or other characters",
		Message: fmt.Sprintf("A %s identifier of %s does not have the form of its register.", register, typ)}, a)
}

func checkCodings(ctx context.Context, p *Probe) error {
	return p.everySample(ctx, func(typ string, n *fhir.Node, a *Answer) {
		visit(n, typ, func(path string, n *fhir.Node) {
			if !strings.HasSuffix(path, ".coding") && !strings.HasSuffix(path, ".valueCoding") {
				return
			}
			n.Each(func(c *fhir.Node) {
				p.Saw()
				for _, member := range []string{"system", "code"} {
					if c.Get(member).Text() == "" {
						p.Drift(Finding{Reason: Meaning, Path: path + "." + member, Was: "present", Now: "absent",
							Message: fmt.Sprintf("A coding at %s has no %s.", path, member)}, a)
					}
				}
			})
		})
	})
}

// visit calls f with every member below n and its path without indexes.
func visit(n *fhir.Node, path string, f func(path string, n *fhir.Node)) {
	for i := range n.Items() {
		visit(n.Item(i), path, f)
	}
	for i := range n.Members() {
		m := &n.Members()[i]
		below := path + "." + safeName(m.Name)
		f(below, &m.Value)
		visit(&m.Value, below, f)
	}
}

// mojibake is UTF-8 read as Latin-1 or Windows-1252 and written again, a
// character that could not be read, or HTML where text is due.
var mojibake = regexp.MustCompile("[\u00c2\u00c3][\u0080-\u00bf\u2018-\u203a\u0152\u0153\u0160\u0161\u017d\u017e\u0178\u0192\u02c6\u02dc\u20ac\u2122]|\u00e2\u20ac|\u00c5[\u0092\u0093\u0160\u0153\u2019\u201c]|\ufffd|&(#[0-9]+|#x[0-9a-fA-F]+|amp|lt|gt|quot|apos|nbsp|[A-Za-z](acute|grave|circ|cedil|uml|tilde)|oelig|OElig);")

// plain reports a JSON literal that cannot hold any of that: most of them.
func plain(raw string) bool {
	for i := range len(raw) {
		if raw[i] >= 0x80 || raw[i] == '&' || raw[i] == '\\' {
			return false
		}
	}
	return true
}

func checkTexts(ctx context.Context, p *Probe) error {
	return p.everySample(ctx, func(typ string, n *fhir.Node, a *Answer) {
		p.Saw()
		visit(n, typ, func(path string, n *fhir.Node) {
			n.Each(func(n *fhir.Node) {
				if !plain(n.Raw()) && mojibake.MatchString(n.Str()) {
					p.Drift(Finding{Reason: Type, Path: path, Was: "text", Now: "broken characters or HTML entities",
						Message: fmt.Sprintf("A text at %s is not readable.", path)}, a)
				}
			})
		})
	})
}

// checkAddresses looks at the structures of the first page and, for the zeros
// that get lost, at those of the first nine départements. One structure with
// its postal code in the city is life (issue #26); most of them is a change.
func checkAddresses(ctx context.Context, p *Probe) error {
	north, err := p.Search(ctx, "Organization?address-postalcode=0&_count=20")
	if err != nil {
		return err
	}
	seeds, err := p.seed(ctx, "Organization")
	if err != nil {
		return err
	}
	if north != nil {
		seeds = append(slices.Clone(seeds), north.Matches("Organization")...)
	}
	var codes, short, within int
	for _, e := range seeds {
		for _, address := range e.Resource.Get("address").Items() {
			code, city := address.Value.Get("postalCode").Text(), address.Value.Get("city").Str()
			if code == "" {
				continue
			}
			codes++
			p.Saw()
			if fourDigits.MatchString(code) {
				short++
			}
			if strings.HasPrefix(city, code) {
				within++
			}
		}
	}
	if short > 0 && short*20 >= codes {
		p.Drift(Finding{Reason: Type, Path: "Organization.address.postalCode", Was: "five characters", Now: "four digits",
			Message: "Postal codes have lost their leading zero."}, north)
	}
	if within > 1 && within*4 >= codes {
		p.Drift(Finding{Reason: Meaning, Path: "Organization.address.city", Was: "the city", Now: "the postal code and the city",
			Message: "The city of structures begins with their postal code."}, north)
	}
	return nil
}

var fourDigits = regexp.MustCompile(`^[0-9]{4}$`)
