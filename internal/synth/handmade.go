package synth

import (
	"slices"
	"sync"
)

// A Persona is an invented person whom tests may rely on: key, name, ids and
// situation stay as they are from one version to the next.
type Persona struct {
	Key           string   // "two-sites"
	Name          string   // family name, then given name, as the resource has it ("" when it has none)
	ID            string   // of the Practitioner
	RPPS          string   // and the IDNPS is 8 + RPPS
	Roles         []string // ids of PractitionerRoles
	Organizations []string // ids of the Organizations of those roles
	For           string   // what a test can show with it
}

// A Probe is an invented resource that carries a value printed in ANS's guide,
// and nothing else that is printed there, so that the guide's requests find
// something.
type Probe struct {
	Type, ID string
	Printed  string // the value
	Request  string // a request of the guide that it answers
}

// An Oddity is a resource with something a client must survive, because the
// live service has it.
type Oddity struct {
	Type, ID string
	What     string
	Source   string
}

// Personas lists the personas.
func Personas() []Persona { return slices.Clone(theHandmade().personas) }

// Probes lists the guide probes.
func Probes() []Probe { return slices.Clone(theHandmade().probes) }

// Oddities lists the awkward resources.
func Oddities() []Oddity { return slices.Clone(theHandmade().oddities) }

// handmade is what was written by hand, in the order it was, around what is
// drawn.
type handmade struct {
	first, last map[string][]resource
	personas    []Persona
	probes      []Probe
	oddities    []Oddity
}

func (h *handmade) count(typ string) int { return len(h.first[typ]) + len(h.last[typ]) }

var theHandmade = sync.OnceValue(func() *handmade {
	h := &handmade{first: map[string][]resource{}, last: map[string][]resource{}}
	h.addPersonas()
	h.addProbes()
	h.addOddities()
	return h
})

// Builders: n numbers the resource in the hand-made part of its ranges, and
// days says how long ago it changed.

// since is the moment the n-th resource changed, at an hour of its own; 0 days
// ago is the very newest.
func since(days int, n uint64) instant {
	if days == 0 {
		return newest
	}
	return ago(days) - instant(n%1000)*61_013
}

func newPerson(n uint64, days, version int, family, given, civility string, does pair) *practitioner {
	return &practitioner{
		header: header{id: Value(PractitionerID, n), version: version, updated: since(days, n)},
		idnps:  Value(IDNPS, n), rpps: Value(RPPS, n), family: family, given: given, civility: civility, exercise: does,
	}
}

func (p *practitioner) as(title, degree string, knowHow ...string) *practitioner {
	p.title = title
	p.degrees = []pair{{degreeTypes.of("DE"), degrees.of(degree)}}
	for _, code := range knowHow {
		p.knowHows = append(p.knowHows, pair{knowHowTypes.of("S"), specialties.of(code)})
	}
	return p
}

func (p *practitioner) carrying(kind string, n uint64, startedDaysAgo int) *practitioner {
	start := newest.day() - day(startedDaysAgo)
	p.cards = append(p.cards, card{kind, Value(Card, n), period{start, start + 3*365}})
	return p
}

func (p *practitioner) reachable(local, domain string) *practitioner {
	p.mailboxes = append(p.mailboxes, mailbox{kind: "PER", value: local + "@" + domain + ReservedDomain, use: "work", digitization: 'n'})
	return p
}

func civil(code coding) pair { return pair{categories.of("C"), code} }

func doctor() pair     { return civil(professions.of("10")) }
func nurse() pair      { return civil(professions.of("60")) }
func pharmacist() pair { return civil(professions.of("21")) }

func newRole(n uint64, days, version int, holder *practitioner, where *structure, codes ...coding) *activity {
	a := &activity{
		header: header{id: Value(RoleID, n), version: version, updated: since(days, n)},
		number: Value(Activity, n), practitioner: holder.id,
		codes: append([]coding{kindsOfActivity.of("GENR01")}, codes...),
	}
	if where != nil {
		a.organization = where.id
	}
	return a
}

func (a *activity) reachable(kind, value string) *activity {
	a.mailboxes = append(a.mailboxes, mailbox{kind: kind, value: value + ReservedDomain})
	return a
}

// newPlace is a geographical entity at some address of a commune.
func newPlace(n uint64, days int, p plan, name string, parent *structure, where commune) *structure {
	o := &structure{
		header: header{id: Value(GeographicalID, n), version: 2, updated: since(days, n), trace: trace{system: "FINESS"}},
		name:   name, types: p.types(1), address: place(newSource(n, "hand-made", 0), where),
	}
	unit := n
	if parent != nil {
		o.partOf = parent.id
		unit, _ = Index(LegalID, parent.id)
	}
	o.identifiers = identify(&p, n, unit, 1)
	switch p.known {
	case byRang:
		o.trace.system = "RPPS"
	case bySIRET:
		o.trace.system = "CG"
	}
	return o
}

func newLegal(n uint64, days int, law, name string, where commune) *structure {
	p := legal(law, name)
	return &structure{
		header: header{id: Value(LegalID, n), version: 1, updated: since(days, n), trace: trace{system: "FINESS"}},
		name:   name, types: p.types(0), address: place(newSource(n, "hand-made", 1), where), identifiers: identify(&p, n, n, 0),
	}
}

func (o *structure) reachable(value string) *structure {
	o.mailboxes = append(o.mailboxes, mailbox{kind: "ORG", value: value + ReservedDomain, description: "Secrétariat", digitization: 'y'})
	return o
}

var (
	paris16    = commune{"PARIS", "75016", "75116"}
	versailles = commune{"VERSAILLES", "78000", "78646"}
	dax        = commune{"DAX", "40100", "40088"}
	rennes     = commune{"RENNES", "35000", "35238"}
	menton     = commune{"MENTON", "06500", "06083"}
	aix        = commune{"AIX EN PROVENCE", "13290", "13001"}
)

func (h *handmade) lead(list ...resource) { add(h.first, list) }
func (h *handmade) tail(list ...resource) { add(h.last, list) }

func add(to map[string][]resource, list []resource) {
	for _, r := range list {
		typ := typeOf(r)
		to[typ] = append(to[typ], r)
	}
}

func typeOf(r resource) string {
	switch r.(type) {
	case *structure:
		return "Organization"
	case *practitioner:
		return "Practitioner"
	case *activity:
		return "PractitionerRole"
	case *service:
		return "HealthcareService"
	default:
		return "Device"
	}
}

// persona adds a person with their roles to the head of the directory.
func (h *handmade) persona(key, purpose string, p *practitioner, roles ...*activity) {
	entry := Persona{Key: key, ID: p.id, RPPS: p.rpps, For: purpose}
	if !p.inactive {
		entry.Name = p.family + " " + p.given
	}
	h.lead(p)
	for _, a := range roles {
		entry.Roles = append(entry.Roles, a.id)
		if a.organization != "" && !a.inactive && !slices.Contains(entry.Organizations, a.organization) {
			entry.Organizations = append(entry.Organizations, a.organization)
		}
		h.lead(a)
	}
	h.personas = append(h.personas, entry)
}

var (
	liberal  = modes.of("L")
	salaried = modes.of("S")
)

func (h *handmade) addPersonas() {
	// The structures of the personas: a hospital of a legal entity, a practice,
	// a pharmacy.
	group := newLegal(1, 400, "14", "CENTRE HOSPITALIER INTERCOMMUNAL DE LA SITTELLE VERTE", versailles)
	ward := newPlace(2, 120, site(hospital, "SA01", "355", "86.10Z", "").public("1"), "CENTRE HOSPITALIER DE LA SITTELLE VERTE", group, versailles).
		reachable("secretariat@sittelle-verte.mssante.fr")
	surgery := newPlace(3, 90, practice(byRang, "SA07", "86.22C", ""), "CABINET DE PNEUMOLOGIE DU TILLEUL ARGENTE", nil, paris16).
		reachable("cabinet@tilleul-argente.mssante.fr")
	chemist := newPlace(4, 75, site(pharmacy, "SA33", "620", "47.73Z", ""), "PHARMACIE DU LAVOIR ARDENT", nil, rennes)
	chemist.licence = Value(Licence, 4)
	h.lead(group, ward, surgery, chemist)

	twoSites := newPerson(1, 60, 3, "BERGERE", "HELENE", "MME", doctor()).as("DR", "DE05", "SM41").
		carrying("CPS", 1, 400).reachable("helene.bergere", "medecin.mssante.fr")
	h.persona("two-sites", "one person, two roles: mornings at the hospital, afternoons at her practice", twoSites,
		newRole(1, 60, 2, twoSites, ward, salaried, hospitalStatus.of("SH09"), fon("33")).reachable("PER", "helene.bergere@sittelle-verte.mssante.fr"),
		newRole(2, 45, 1, twoSites, surgery, liberal, liberalTypes.of("ACT-LIB-06"), fon("01")).reachable("CAB", "pneumologie@medecin.mssante.fr"))

	homonym1 := newPerson(2, 210, 1, "LIBELLULE", "CLAIRE", "MME", nurse()).as("", "DE09").carrying("CPS", 2, 700).reachable("claire.libellule.1", "infirmier.mssante.fr")
	homonym2 := newPerson(3, 185, 1, "LIBELLULE", "CLAIRE", "MME", doctor()).as("DR", "DE05", "SM54").carrying("CPS", 3, 90).reachable("claire.libellule.2", "medecin.mssante.fr")
	h.persona("homonym-nurse", "same family and given name as homonym-doctor: only the RPPS number tells them apart", homonym1,
		newRole(3, 210, 1, homonym1, ward, salaried, fon("33")))
	h.persona("homonym-doctor", "same family and given name as homonym-nurse", homonym2, newRole(4, 185, 1, homonym2, surgery, liberal, fon("17")))

	noMailbox := newPerson(4, 300, 2, "CHARDON", "YVES", "M", doctor()).as("DR", "DE05", "SM54").carrying("CPS", 4, 150)
	h.persona("no-mailbox", "no telecom on the person nor on the role: nothing to send secure mail to", noMailbox, newRole(5, 300, 1, noMailbox, surgery, liberal, fon("02")))

	left := newPerson(5, 500, 4, "MARELLE", "NOEMIE", "MME", pharmacist()).as("DR", "DE02").reachable("noemie.marelle", "pharmacien.mssante.fr")
	gone := newRole(6, 6, 5, left, nil)
	gone.inactive = true
	h.persona("left-last-week", "still registered, but her only role became inactive six days before the newest resource: a delta must take it away", left, gone)

	fresh := newPerson(6, 0, 1, "CORMORAN", "BASILE", "M", pharmacist()).as("DR", "DE02").carrying("CPS", 6, 0).reachable("basile.cormoran", "pharmacien.mssante.fr")
	h.persona("newly-registered", "the newest resource of the directory, version 1, with a role of the same moment: a delta since yesterday must add them", fresh,
		newRole(7, 0, 1, fresh, chemist, salaried, fon("05"), section("D")))

	retired := newPerson(7, 20, 6, "", "", "", pair{})
	retired.inactive = true
	closed := newRole(8, 20, 3, retired, nil)
	closed.inactive = true
	h.persona("inactive", "only id, meta, identifiers and active: no name, no qualification; client code that reads name[0] fails here", retired, closed)

	twoCards := newPerson(8, 33, 2, "CASTOR", "GAEL", "M", nurse()).as("", "DE09").carrying("CPS", 8, 1000).carrying("CPS", 9, 40).reachable("gael.castor", "infirmier.mssante.fr")
	h.persona("two-cards", "two CPS cards whose periods overlap", twoCards, newRole(9, 33, 1, twoCards, ward, salaried, fon("33")))

	owner := newPerson(9, 150, 1, "VERGER", "JUDITH", "MME", pharmacist()).as("DR", "DE02").carrying("CPS", 10, 500).reachable("judith.verger", "pharmacien.mssante.fr")
	h.persona("pharmacy-owner", "holds the pharmacy: section A of the register, a licence on the Organization", owner,
		newRole(10, 150, 1, owner, chemist, liberal, fon("03"), section("A")).reachable("PER", "judith.verger@lavoir-ardent.mssante.fr"))
}

func (h *handmade) probe(r resource, id, printed, request string) {
	h.tail(r)
	h.probes = append(h.probes, Probe{typeOf(r), id, printed, request})
}

func (h *handmade) addProbes() {
	h.probePeople()
	h.probeRoles()
	h.probePlaces()
	h.probeEquipment()
}

func (h *handmade) probePeople() {
	byNumber := func(n uint64, rpps, request, family, given string) {
		p := newPerson(n, int(n), 1, family, given, "M", nurse()).as("", "DE09")
		p.rpps, p.idnps = rpps, "8"+rpps
		h.probe(p, p.id, rpps, request)
	}
	byNumber(101, "10001766123", "Practitioner?identifier=10001766123&_elements=name", "GALET", "ALBIN")
	byNumber(102, "10001234567", "Practitioner?identifier=10001234567", "SENTIER", "EMILE")

	former := newPerson(103, 103, 1, "BOULEAU", "EDITH", "MME", civil(professions.of("91"))).as("", "DE13")
	former.idnps = "0012807590" // 0 + an ADELI number, the form that went with the register
	h.probe(former, former.id, former.idnps, "Practitioner?identifier=0012807590,810000005479")

	byID := newPerson(104, 104, 1, "RUISSEAU", "ODILE", "MME", doctor()).as("DR", "DE05", "SM54")
	byID.id = "003-32783-88722"
	h.probe(byID, byID.id, byID.id, "Practitioner?_id=003-32783-88722")

	withRole := newPerson(105, 105, 1, "NOISETIER", "AXELLE", "MME", doctor()).as("DR", "DE05", "SM04")
	withRole.id = "003-5960089-5963651"
	h.probe(withRole, withRole.id, withRole.id, "Practitioner?_id=003-5960089-5963651&_revinclude=PractitionerRole:practitioner")
	h.tail(newRole(105, 105, 1, withRole, nil, liberal, fon("01")))

	// The guide prints a family name; this one only begins like it.
	longer := newPerson(106, 106, 1, "MASIFOLIE", "BRUNO", "M", doctor()).as("DR", "DE05", "SM41").reachable("bruno.masifolie", "medecin.mssante.fr")
	h.probe(longer, longer.id, "MASI, BRUNO (as beginnings)", "Practitioner?name:family=MASI&name:given=BRUNO")
}

func (h *handmade) probeRoles() {
	holder := newPerson(110, 110, 1, "PASSERELLE", "LYDIE", "MME", civil(otherProfession.of("99")))
	h.tail(holder)
	add := func(a *activity, printed, request string) { h.probe(a, a.id, printed, request) }

	a := newRole(111, 40, 1, holder, nil, salaried, careRole("318")) // retired since, and still in the guide
	add(a, "TRE_R85 318", "PractitionerRole?role=https://mos.esante.gouv.fr/NOS/TRE_R85-RolePriseCharge/FHIR/TRE-R85-RolePriseCharge|318")
	a = newRole(112, 41, 1, holder, nil, salaried, careRole("328"))
	a.id = "005-69329-7187020"
	add(a, a.id, "PractitionerRole?_id=005-69329-7187020")
	a = newRole(113, 42, 1, holder, nil, salaried, careRole("328"))
	a.id = "005-5087586-6923328"
	add(a, a.id, "PractitionerRole/005-5087586-6923328")
	a = newRole(114, 43, 1, holder, nil, salaried, careRole("328"))
	a.number = "1013186038"
	add(a, a.number, "PractitionerRole?identifier=1013186038")
	a = newRole(115, 44, 1, holder, nil, salaried, careRole("328")).reachable("PER", "lydie.passerelle@apycript.org")
	add(a, "apycript.org", "PractitionerRole?mailbox-mss:contains=apycript.org")
}

func (h *handmade) probePlaces() {
	add := func(o *structure, printed, request string) { h.probe(o, o.id, printed, request) }
	clinic := site(hospital, "SA04", "365", "86.10Z", "")
	chemist := site(pharmacy, "SA33", "620", "47.73Z", "")
	house := site(centre, "SA52", "603", "86.21Z", "")

	o := newPlace(101, 50, chemist, "RENARDEAU PHARMACIE", nil, rennes)
	o.licence = Value(Licence, 101)
	add(o, "Renard (as a beginning)", "Organization?name=Renard")
	add(newPlace(102, 51, practice(byRang, "SA08", "86.21Z", ""), "MIGNOT", nil, rennes), "MIGNOT", "Organization?name:exact=MIGNOT")
	add(newPlace(103, 52, house, "MAISON DE SANTE MIGNOTIN-ANDREAU", nil, versailles), "ANDRE, MIGNOT (as parts)", "Organization?name:contains=ANDRE&name:contains=MIGNOT")

	// Two printed values have the shape of no French number; they stand where
	// the interoperability form does.
	for i, printed := range []string{"org-org-148", "001604103000"} {
		o = newPlace(uint64(104+i), 53, clinic, "CLINIQUE DE LA "+[]string{"GARRIGUE", "FALAISE"}[i]+" SEREINE", nil, aix)
		o.identifiers[0].value = printed
		add(o, printed, "Organization?identifier="+printed)
	}
	o = newPlace(106, 54, clinic, "CLINIQUE DU SORBIER SEREIN", nil, rennes)
	o.identifiers[0].value, o.identifiers[1].value = "1590064036", "590064036"
	add(o, "590064036", "Organization?identifier=https://finess.esante.gouv.fr|590064036")
	add(newPlace(107, 55, site(hospital, "SA01", "355", "86.10Z", "").public("1"), "CENTRE HOSPITALIER DU GENET DORE", nil, dax).reachable("admissions@ch-dax.mssante.fr"),
		"@ch-dax.mssante.fr", "Organization?mailbox-mss:contains=@ch-dax.mssante.fr")
	add(newPlace(108, 56, site(imaging, "SA09", "", "86.22A", ""), "CENTRE D'IMAGERIE DU PHARE POURPRE", nil, paris16),
		"imagerie, centre (as parts); PARIS 75016", "Organization?address-postalcode=75016&address-city=PARIS")
	add(newPlace(109, 57, site(centre, "SA05", "124", "86.21Z", ""), "CENTRE DE SANTE DU BELVEDERE SEREIN", nil, rennes).reachable("accueil@belvedere-serein.mssante.fr"),
		"SA05, with a mailbox", "Organization?type=https://mos.esante.gouv.fr/NOS/TRE_R02-SecteurActivite/FHIR/TRE-R02-SecteurActivite%7CSA05&mailbox-mss:contains=%40")
	add(newPlace(110, 58, site(laboratory, "SA25", "611", "86.90B", ""), "LABORATOIRE DU CORMORAN BLANC", nil, menton).reachable("resultats@cormoran-blanc.mssante.fr"),
		"SA25, with a mailbox", "Organization?type=SA25,SA29&mailbox-mss:contains=%40")
}

func (h *handmade) probeEquipment() {
	owner := h.last["Organization"][0].(*structure)
	machine := func(n uint64, kind string) *device {
		return &device{
			header: header{id: Value(DeviceID, n), version: 1, updated: since(int(n)-60, n)}, arhgos: Value(ARHGOS, n), status: "active",
			authorised: period{newest.day() - 900, newest.day() - 900 + 7*365}, manufacturer: makers[0], serial: "SN-" + pad(n, 8),
			kind: heavyEquipment.of(kind), owner: owner.id,
		}
	}
	v := machine(101, "05602")
	v.id = "002-4247117"
	h.probe(v, v.id, v.id, "Device?_id=002-4247117")
	for i, printed := range []string{"93-93-67204", "32-31-1156", "93-93-4364"} {
		v = machine(uint64(102+i), "06201")
		v.arhgos = printed
		h.probe(v, v.id, printed, "Device?identifier="+printed)
	}
	care := func(n uint64, form string) *service {
		return &service{
			header: header{id: Value(ServiceID, n), version: 1, updated: since(int(n)-60, n)}, arhgos: Value(ARHGOS, arhgosServices+n),
			authorised: period{newest.day() - 900, newest.day() + 900}, provider: owner.id,
			category: modalities.of("00"), kind: careActivities.of("02"), characteristic: forms.of(form),
		}
	}
	s := care(101, "01")
	s.id = "004-1014485-03"
	h.probe(s, s.id, s.id, "HealthcareService?_id=004-1014485-03")
	s = care(102, "07")
	s.arhgos = "52-52-49883"
	h.probe(s, s.id, s.arhgos, "HealthcareService?identifier=52-52-49883")
	boarding := &service{
		header: header{id: Value(ServiceID, 103), version: 1, updated: since(43, 103)}, social: true,
		authorised: period{start: newest.day() - 900}, installed: period{newest.day() - 800, newest.day() - 100}, capacity: 40, provider: owner.id,
		kind: disciplines.of("508"), eligibility: clienteles.of("850"), characteristic: socialTypes.of("11"),
	}
	h.probe(boarding, boarding.id, "TRE_R209 11", "HealthcareService?characteristic=https://mos.esante.gouv.fr/NOS/TRE_R209-TypeActivite/FHIR/TRE-R209-TypeActivite|11")
}

func (h *handmade) oddity(r resource, id, what, source string) {
	h.tail(r)
	h.oddities = append(h.oddities, Oddity{typeOf(r), id, what, source})
}

func (h *handmade) addOddities() {
	group := newLegal(201, 30, "16", "SYNDICAT HOSPITALIER DE LA PERVENCHE ARGENTEE", aix)
	h.oddity(group, group.id, "comes twice in Organization?name=SYNDICAT HOSPITALIER&_include=Organization:partof: as a match, and as what the match below belongs to",
		"ans-server.md §5, incidents.md D27")
	part := newPlace(202, 30, site(hospital, "SA01", "355", "86.10Z", "").public("1"), "SYNDICAT HOSPITALIER DE LA PERVENCHE ARGENTEE - SITE SUD", group, aix)
	h.tail(part)

	null := newPlace(203, 31, practice(byRang, "SA07", "86.21Z", ""), "CABINET MEDICAL DE LA LANTERNE ARDENTE", nil, rennes)
	null.address.line = lineNull
	h.oddity(null, null.id, `address.line is [null], its parts are in _line`, "incidents.md D24")
	postcode := newPlace(204, 32, practice(byRang, "SA07", "86.90D", ""), "CABINET INFIRMIER DE LA LOUTRE BLANCHE", nil, menton)
	postcode.address.city = "06500 MENTON"
	h.oddity(postcode, postcode.id, "the postcode stands in the city too", "issue #26, incidents.md D25")
	accents := newPlace(205, 33, site(social, "SA17", "500", "87.10A", ""), "RÉSIDENCE DU CŒUR ÉMERVEILLÉ – L’ŒILLET", nil, rennes)
	h.oddity(accents, accents.id, "accents, œ, a dash and a typographic apostrophe in the name: œ is not oe, and ’ is not '", "ans-server.md §3")
	untyped := newPlace(206, 34, practice(bySIRET, "", "", ""), "STRUCTURE DU RENNE VERT", nil, rennes)
	untyped.types = nil
	h.oddity(untyped, untyped.id, "no type at all", "ans-api.md §4.4: 0..*")

	closed := newPlace(207, 12, practice(byRang, "SA07", "86.21Z", ""), "CABINET MEDICAL DE LA PASSERELLE POURPRE", nil, rennes)
	closed.inactive = true
	h.oddity(closed, closed.id, "inactive: identifiers and name, and neither type nor address", "ans-api.md §4.4")

	accented := newPerson(201, 36, 1, "N’Guessan-Lefèvre", "Lætitia-Cœur", "MME", doctor()).as("DR", "DE05", "SM54").reachable("laetitia.nguessan-lefevre", "medecin.mssante.fr")
	h.oddity(accented, accented.id, "accents, æ, œ and a typographic apostrophe in a name that is not in capitals", "ans-server.md §3")
	dangling := newRole(201, 35, 1, accented, nil, liberal, fon("01"))
	dangling.organization = Value(GeographicalID, Handmade-1)
	h.oddity(dangling, dangling.id, "its organization, "+dangling.organization+", does not exist", "issues #60, #246, #285, incidents.md D28")
	again := newRole(202, 37, 1, accented, nil, salaried, fon("33"))
	again.organization = Value(GeographicalID, 2)
	h.oddity(again, again.id, "its organization is also that of the first role of the directory: two pages of the same search include it", "incidents.md D27")
}
