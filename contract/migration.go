package contract

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/mockfhir/mockfhir/internal/fhir"
)

// IsMigration reports whether two addresses are of different versions: they
// are not to be held against each other, but a client to be moved from one to
// the other.
func IsMigration(a, b string) bool { return isVersionOne(a) != isVersionOne(b) }

// FromVersionOne puts version 1 first.
func FromVersionOne(a, b string) (one, two string) {
	if isVersionOne(b) {
		return b, a
	}
	return a, b
}

// Migration is the move of a client's requests from version 1 to version 2:
// what each gets from either, and what has to change.
type Migration struct {
	requests []Request
	before   []*Answer // of version 1, nil where there was none
}

// NewMigration takes the requests as the client sends them to version 1.
func NewMigration(requests []Request) *Migration {
	return &Migration{requests: requests, before: make([]*Answer, len(requests))}
}

// Before are the checks to run on version 1: they note what it answers.
func (m *Migration) Before() []Check {
	return m.checks(func(ctx context.Context, p *Probe, i int) error {
		a, err := p.Do(ctx, m.requests[i])
		if err != nil {
			return err
		}
		p.Saw()
		m.before[i] = a
		return nil
	})
}

// After are the checks to run on version 2, after Before: each says what
// changes for one request.
func (m *Migration) After() []Check {
	return m.checks(func(ctx context.Context, p *Probe, i int) error {
		a, err := p.Do(ctx, m.requests[i])
		if err != nil {
			return err
		}
		p.Saw()
		if m.before[i] == nil {
			return fmt.Errorf("%w: version 1 did not answer this request", errInconclusive)
		}
		move := move{Probe: p, request: &m.requests[i], before: m.before[i], after: a}
		move.tell()
		return nil
	})
}

func (m *Migration) checks(run func(context.Context, *Probe, int) error) []Check {
	var checks []Check
	for i := range m.requests {
		checks = append(checks, Check{
			ID:     fmt.Sprintf("migration/request-%d", i+1),
			Title:  fmt.Sprintf("Request %d (%s) moves from version 1 to version 2 as it is", i+1, outline(&m.requests[i])),
			Level:  Required,
			Source: "https://github.com/ansforge/annuaire-sante-fhir-documentation/blob/HEAD/docs/pages/guide/version-2/getting-started/nouveautes.md",
			Why:    "Version 1 ends; whoever still asks it must ask version 2, and read its answers.",
			Run:    func(ctx context.Context, p *Probe) error { return run(ctx, p, i) },
		})
	}
	return checks
}

// outline is a request without its values: Practitioner?identifier&_count.
func outline(r *Request) string {
	path, _, _ := strings.Cut(publicPath(r.Path), "?")
	var names []string
	for _, pair := range pairsOf(r) {
		names = append(names, safe(pair.full))
	}
	if len(names) == 0 {
		return path
	}
	return path + "?" + strings.Join(names, "&")
}

// pair is a parameter of a request.
type pair struct{ full, name, value string } // full has the modifier

func pairsOf(r *Request) (pairs []pair) {
	_, query, _ := strings.Cut(r.Path, "?")
	for piece := range strings.SplitSeq(strings.Trim(query+"&"+r.Form, "&"), "&") {
		rawName, rawValue, _ := strings.Cut(piece, "=")
		full, err := url.QueryUnescape(rawName)
		value, err2 := url.QueryUnescape(rawValue)
		if err != nil || err2 != nil || full == "" {
			continue
		}
		name, _, _ := strings.Cut(full, ":")
		pairs = append(pairs, pair{full, name, value})
	}
	return pairs
}

// DefaultMigration are the requests of a client that gives none: the first
// page of each type.
func DefaultMigration() []Request {
	requests := []Request{{Path: "metadata"}}
	for _, typ := range types {
		requests = append(requests, Request{Path: typ + "?_count=20"})
	}
	return requests
}

// movedParameters are what version 2 calls the parameters that it does not
// have where version 1 had them (incidents.md, "v1 → v2").
var movedParameters = map[string]string{
	"PractitionerRole?family":            "Practitioner?family",
	"PractitionerRole?given":             "Practitioner?given",
	"PractitionerRole?name":              "Practitioner?name",
	"PractitionerRole?specialty":         "Practitioner?qualification-code",
	"PractitionerRole?type-smartcard":    "Practitioner?type-smartcard",
	"PractitionerRole?number-smartcard":  "Practitioner?number-smartcard",
	"Device?number-authorization-arhgos": "Device?identifier",
	"Device?device-name":                 "",
	"Device?location":                    "",
	"Organization?address-country":       "Organization?address",
	"Organization?address-state":         "Organization?address",
	"Organization?address-use":           "",
	"Organization?endpoint":              "",
}

// goneParameters are results that version 1 shaped and version 2 does not.
var goneParameters = map[string]string{
	"_has":       "_revinclude, and a filter of your own",
	"_since":     "_lastUpdated=ge…",
	"_summary":   "_elements, or _count=0 with _total=accurate",
	"_getpages":  "the next link, as it is",
	"_pageId":    "the next link, as it is",
	"_sort":      "a sort of your own",
	"_narrative": "nothing: there is none",
}

// movedSystems are the systems that changed their name.
var movedSystems = map[string]string{
	"http://rpps.fr":                                     "https://rpps.esante.gouv.fr",
	"http://adeli.fr":                                    "nothing: ADELI numbers are gone",
	"http://finess.sante.gouv.fr":                        "https://finess.esante.gouv.fr",
	"http://sirene.fr":                                   "https://sirene.fr",
	"http://interopsante.org/CodeSystem/v2-0203":         "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203",
	"http://interopsante.org/CodeSystem/fr-v2-0203":      "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203",
	"http://interopsante.org/fhir/CodeSystem/fr-v2-3307": "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-3307",
}

// professionLists are the nomenclatures that PractitionerRole?role found in
// version 1, and Practitioner?qualification-code finds in version 2.
var professionLists = []string{"TRE-G15-ProfessionSante", "TRE-R09-CategorieProfessionnelle", "TRE-R94-ProfessionSocial", "TRE-R95-UsagerTitre", "TRE-R291-AutreProfession"}

// move is one request on its way from one version to the other.
type move struct {
	*Probe
	request       *Request
	before, after *Answer
}

// says reports something that has to change.
func (m *move) says(class Class, reason Reason, path, was, now, message string) {
	m.Drift(Finding{Class: class, Reason: reason, Path: path, Was: was, Now: now, Message: message}, m.after)
}

func (m *move) tell() {
	m.question()
	if one, two := m.before.Status, m.after.Status; one != two {
		class := Breaking
		if one != http.StatusOK && two == http.StatusOK {
			class = Additive
		}
		m.says(class, Protocol, outline(m.request), m.before.summary(), m.after.summary(),
			fmt.Sprintf("Version 1 answers %d, version 2 answers %d.", one, two))
	}
	if m.before.JSON() == nil && strings.HasPrefix(string(m.before.Body), "<") && m.after.JSON() != nil {
		m.says(Breaking, Protocol, outline(m.request), "XML", "JSON", "Version 2 answers JSON, whatever is asked for.")
		return // what is inside cannot be compared
	}
	if m.before.Status != http.StatusOK || m.after.Status != http.StatusOK {
		return
	}
	m.numbers()
	m.resources()
}

// question tells what of the request itself has another name.
func (m *move) question() {
	path, _, _ := strings.Cut(m.request.Path, "?")
	if strings.HasPrefix(path, "Practitioner/") && shortPerson.MatchString(path) {
		m.otherID("Practitioner/<id>")
	}
	typ, _, _ := strings.Cut(publicPath(m.request.Path), "?")
	typ, _, _ = strings.Cut(typ, "/")
	for _, p := range pairsOf(m.request) {
		where := typ + "?" + p.name
		if now, gone := goneParameters[p.name]; gone {
			m.says(Breaking, Search, where, p.name, now, fmt.Sprintf("Version 2 has no %s; use %s.", p.name, now))
			continue
		}
		if now, moved := movedParameters[where]; moved {
			message := fmt.Sprintf("%s is not searched by in version 2.", where)
			if now != "" {
				message = fmt.Sprintf("In version 2, %s is %s.", where, now)
			}
			m.says(Breaking, Search, where, where, now, message)
		}
		for value := range strings.SplitSeq(p.value, ",") {
			m.value(where, value)
		}
	}
}

// shortPerson is an id of a Practitioner in version 1.
var shortPerson = regexp.MustCompile(`(^|/)003-[0-9]+$`)

// value tells what a value of a parameter has become.
func (m *move) value(where, value string) {
	system, _, hasSystem := strings.Cut(value, "|")
	if now, moved := movedSystems[system]; moved && hasSystem {
		m.says(Breaking, Meaning, where, system, now, fmt.Sprintf("The system %s is %s in version 2.", system, now))
	}
	if where == "PractitionerRole?role" && (slices.ContainsFunc(professionLists, func(l string) bool { return strings.HasSuffix(system, l) && hasSystem }) || !hasSystem && isProfession(value)) {
		m.says(Breaking, Search, where, where, "Practitioner?qualification-code", "Professions and categories are qualifications of the Practitioner in version 2.")
	}
	if shortPerson.MatchString(value) && (strings.HasSuffix(where, "?_id") || strings.HasSuffix(where, "?practitioner")) {
		m.otherID(where)
	}
}

func (m *move) otherID(where string) {
	m.says(Breaking, Link, where, "003-NNN", "003-NNN-MMM", "Practitioners have other ids in version 2: look them up again by identifier.")
}

// isProfession reports a code of a health profession or of a category, which
// is all that a role without a system meant in version 1.
func isProfession(code string) bool {
	return len(code) == 2 && strings.Trim(code, "0123456789") == "" || len(code) == 1 && strings.Contains("CEMF", code)
}

// numbers compares how much is found. A directory moves between two calls; a
// tenth more or less is no news.
func (m *move) numbers() {
	if !m.before.IsBundle() || !m.after.IsBundle() {
		return
	}
	one, ok1 := m.before.Total()
	two, ok2 := m.after.Total()
	switch {
	case !ok1 || !ok2:
	case one > 0 && two == 0:
		m.says(Breaking, Search, outline(m.request)+": Bundle.total", plural(one, "match"), "none", "What version 1 finds, version 2 does not find.")
	case abs(one-two)*10 > max(one, two):
		m.says(Breaking, Search, outline(m.request)+": Bundle.total", plural(one, "match"), plural(two, "match"), "Version 2 finds another number of resources.")
	}
	if next := m.after.Link("next"); m.before.Link("next") != "" && strings.Contains(next, "/_page?") {
		m.says(Additive, Link, "Bundle.link(next)", "_getpages", "_page", "Pages have other addresses: follow next as it is, and build none.")
	}
}

func abs(n int) int { return max(n, -n) }

// resources compares what is in the resources: elements that came or went,
// systems that changed.
func (m *move) resources() {
	one, two := featuresOf(m.before), featuresOf(m.after)
	for _, typ := range types {
		a, b := one[typ], two[typ]
		if a == nil || b == nil {
			continue
		}
		for _, element := range slices.Sorted(maps.Keys(a.elements)) {
			if !b.elements[element] && !a.aboveIs(element, b) {
				m.says(Breaking, Shape, element, "present", "absent", fmt.Sprintf("Version 2 does not have %s here.%s", element, movedElement(element)))
			}
		}
		for _, element := range slices.Sorted(maps.Keys(b.elements)) {
			if !a.elements[element] && !b.aboveIs(element, a) {
				m.says(Additive, Shape, element, "absent", "present", fmt.Sprintf("Version 2 has %s here, version 1 does not.", element))
			}
		}
		for _, system := range slices.Sorted(maps.Keys(a.systems)) {
			if now := movedSystems[system]; now != "" && !b.systems[system] && b.systems[now] {
				m.says(Breaking, Meaning, typ+" with the system "+system, system, now, fmt.Sprintf("The system %s is %s in version 2.", system, now))
			}
		}
		if a.ids != nil && b.ids != nil && !overlap(a.ids, b.ids) {
			m.says(Breaking, Link, typ+".id", "ids of version 1", "ids of version 2", "The same resources have other ids: what was stored must be looked up again by identifier.")
		}
	}
}

// aboveIs reports whether what holds an element is missing on the other side
// as well: then that is the news, and what is in it none.
func (f *features) aboveIs(element string, other *features) bool {
	above := element[:strings.LastIndexByte(element, '.')]
	return f.elements[above] && !other.elements[above]
}

func overlap(a, b map[string]bool) bool {
	for k := range a {
		if b[k] {
			return true
		}
	}
	return false
}

// features are what the resources of a type have, whoever they are about.
type features struct {
	elements map[string]bool // "Practitioner.extension(MailboxMSS)"
	systems  map[string]bool
	ids      map[string]bool
}

// featuresOf reads the resources in use: a stub tells nothing of the model.
func featuresOf(a *Answer) map[string]*features {
	all := map[string]*features{}
	visit := func(n *fhir.Node) {
		typ := n.Get("resourceType").Str()
		if !slices.Contains(types, typ) || n.Get("active").Text() == "false" || n.Get("status").Str() == "inactive" {
			return
		}
		f := all[typ]
		if f == nil {
			f = &features{map[string]bool{}, map[string]bool{}, map[string]bool{}}
			all[typ] = f
		}
		f.ids[n.Get("id").Str()] = true
		f.read(typ, n)
	}
	if !a.IsBundle() {
		visit(a.JSON())
		return all
	}
	for _, e := range a.Entries() {
		visit(e.Resource)
	}
	return all
}

func (f *features) read(typ string, n *fhir.Node) {
	for i := range n.Members() {
		m := &n.Members()[i]
		name := typ + "." + safeName(strings.TrimPrefix(m.Name, "_"))
		switch m.Name {
		case "resourceType", "id", "meta", "language":
			continue
		case "extension":
			m.Value.Each(func(e *fhir.Node) { f.elements[name+"("+lastSegment(e.Get("url").Str())+")"] = true })
		default:
			f.elements[name] = true
			m.Value.Each(func(v *fhir.Node) {
				for j := range v.Members() {
					if below := &v.Members()[j]; below.Name != "extension" && below.Name != "id" {
						f.elements[name+"."+safeName(strings.TrimPrefix(below.Name, "_"))] = true
					}
				}
			})
		}
		f.systemsOf(&m.Value)
	}
}

func (f *features) systemsOf(n *fhir.Node) {
	for i := range n.Members() {
		m := &n.Members()[i]
		if m.Name == "system" && m.Value.Kind() == fhir.String {
			f.systems[m.Value.Str()] = true
		}
		f.systemsOf(&m.Value)
	}
	for i := range n.Items() {
		f.systemsOf(&n.Items()[i].Value)
	}
}

func lastSegment(address string) string { return safe(address[strings.LastIndexByte(address, '/')+1:]) }

// movedElement says where an element of version 1 is in version 2.
func movedElement(element string) string {
	places := map[string]string{
		"Practitioner.extension(MailboxMSS)":                                       "Practitioner.telecom",
		"PractitionerRole.extension(MailboxMSS)":                                   "PractitionerRole.telecom",
		"Organization.extension(MailboxMSS)":                                       "Organization.telecom",
		"PractitionerRole.extension(PractitionerRole-Name)":                        "Practitioner.name",
		"PractitionerRole.extension(PractitionerRole-SmartCard)":                   "Practitioner.extension(as-ext-smartcard)",
		"PractitionerRole.specialty":                                               "Practitioner.qualification",
		"PractitionerRole.specialty.coding":                                        "Practitioner.qualification.code",
		"Organization.extension(Organization-PharmacyLicence)":                     "Organization.extension(as-ext-organization-pharmacy-licence)",
		"Device.extension(Device-NumberAuthorizationARHGOS)":                       "Device.identifier",
		"HealthcareService.extension(HealthcareService-AuthorizationNumberARHGOS)": "HealthcareService.identifier",
	}
	if place := places[element]; place != "" {
		return " It is " + place + "."
	}
	return ""
}
