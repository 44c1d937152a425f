package synth

import "slices"

// A structure is an Organization: a legal entity, or a place of one.
type structure struct {
	header
	inactive    bool
	identifiers []identifier
	types       []typed
	name        string
	alias       string
	licence     string
	pricing     coding
	closing     coding
	period      period
	deadline    day
	mailboxes   []mailbox
	phone, fax  string
	email       string
	address     *postal
	partOf      string
}

// A typed facet of Organization.type: the name of the facet, "" for the
// category of establishment, which has none.
type typed struct {
	facet string
	code  coding
}

const (
	systemIDNST  = "urn:oid:1.2.250.1.71.4.2.2"
	systemFINESS = "https://finess.esante.gouv.fr"
	systemSirene = "https://sirene.fr"
	systemRang   = "https://rppsrang.esante.gouv.fr"
)

// write prints the resource. An inactive one keeps its identifiers and its
// name (ans-api.md §4.4).
func (o *structure) write(w *writer) {
	w.begin("Organization", &o.header, frx+"fr-core-organization", asx+"as-dp-organization")
	if !o.inactive {
		w.text("language", "fr")
		o.writeExtensions(w)
	}
	w.identifiers(o.identifiers...)
	w.bool("active", !o.inactive)
	if !o.inactive {
		o.writeTypes(w)
	}
	w.text("name", o.name)
	if !o.inactive {
		if o.alias != "" {
			w.open("alias", "[")
			w.quote(o.alias)
			w.close("]")
		}
		o.writeTelecom(w)
		o.writeAddress(w)
		w.reference("partOf", "Organization", o.partOf)
	}
	w.close("}")
}

func (o *structure) writeExtensions(w *writer) {
	if o.period.start == 0 && o.licence == "" && o.pricing.code == "" && o.closing.code == "" && o.deadline == 0 {
		return
	}
	w.open("extension", "[")
	if o.period.start != 0 {
		w.extensionPeriod(hl7+"organization-period", o.period)
	}
	if o.licence != "" {
		w.extensionText(asx+"as-ext-organization-pharmacy-licence", "valueString", o.licence)
	}
	if o.pricing.code != "" {
		w.extensionConcept(asx+"as-ext-organization-pricing-model", o.pricing)
	}
	if o.closing.code != "" {
		w.extensionConcept(asx+"as-ext-organization-closing-type", o.closing)
	}
	if o.deadline != 0 {
		w.extension(asx + "as-ext-organization-authorization-deadline")
		w.open("extension", "[")
		w.extension("endDate")
		w.date("valueDateTime", o.deadline)
		w.close("}")
		w.extensionBool("indicator", true)
		w.close("]}")
	}
	w.close("]")
}

func (o *structure) writeTypes(w *writer) {
	if len(o.types) == 0 {
		return
	}
	w.open("type", "[")
	for _, t := range o.types {
		w.item()
		if t.facet != "" {
			w.open("extension", "[")
			w.extensionText(asx+"as-ext-organization-types", "valueCode", t.facet)
			w.close("]")
		}
		w.open("coding", "[")
		w.coding(t.code)
		w.close("]}")
	}
	w.close("]")
}

func (o *structure) writeTelecom(w *writer) {
	if len(o.mailboxes) == 0 && o.phone == "" && o.email == "" {
		return
	}
	w.open("telecom", "[")
	for i := range o.mailboxes {
		w.mailbox(&o.mailboxes[i])
	}
	if o.phone != "" {
		w.item()
		w.text("system", "phone")
		w.text("value", o.phone)
		w.int("rank", 1)
		w.close("}")
	}
	for _, contact := range [...]struct{ system, value string }{{"fax", o.fax}, {"email", o.email}} {
		if contact.value != "" {
			w.item()
			w.text("system", contact.system)
			w.text("value", contact.value)
			w.close("}")
		}
	}
	w.close("]")
}

// structureFor draws an active structure of a kind, or of another kind where a
// small directory has none of it; -1 when it has no place at all.
func (d *Directory) structureFor(s *source, where setting) int {
	positions := d.standing(settings[where])
	if len(positions) == 0 {
		positions = d.standing(places)
	}
	if len(positions) == 0 {
		return -1
	}
	for range 8 {
		i := positions[s.below(len(positions))]
		if i += cycle * s.below((d.structures-i+cycle-1)/cycle); !d.closed(i) {
			return i
		}
	}
	return -1
}

// standing are those of some positions in the cycle, in order, that a directory
// of this size reaches.
func (d *Directory) standing(positions []int) []int {
	n, _ := slices.BinarySearch(positions, d.structures)
	return positions[:n]
}

// closed tells whether the i-th structure is inactive; a legal entity lasts as
// long as its places.
func (d *Directory) closed(i int) bool {
	return !planOf(i).legal() && newSource(d.seed, "closed", i).permille(25)
}

func (d *Directory) organizationID(i int) string {
	if planOf(i).legal() {
		return Value(LegalID, uint64(i)+Handmade)
	}
	return Value(GeographicalID, uint64(i)+Handmade)
}

func (d *Directory) structure(i int) *structure {
	s, b := newSource(d.seed, "Organization", i), newSource(d.seed, "block", i/blockSize)
	p, parent := planOf(i), i-i%blockSize
	v, where := vocabularies(), country().at(b.below(country().length))
	emblem := &v.emblems[b.below(len(v.emblems))]
	if !planOf(parent).legal() { // practices: neighbours, each with a name of its own
		parent, emblem = -1, &v.emblems[s.below(len(v.emblems))]
	}
	o := &structure{inactive: d.closed(i), name: p.title + " " + emblem.upper}
	o.id = d.organizationID(i)
	o.identifiers = identify(p, uint64(i)+Handmade, uint64(parent)+Handmade, uint64(i%blockSize))
	if o.inactive {
		o.updated, o.version = removed(s)
		return o
	}
	o.updated, o.version = lately(s)
	o.types = p.types(i)
	o.trace = p.trace(s, where, o.updated)
	if parent >= 0 && parent != i {
		o.partOf = d.organizationID(parent)
	}
	if s.percent(70) {
		o.period.start = newest.day() - day(s.between(200, 12_000))
	}
	o.contact(s, p, where, emblem, i)
	o.administer(s, p, i)
	return o
}

// identify lists the numbers of the n-th structure: first the one in the
// interoperability form, whose first digit says where it comes from. A place
// of a legal entity has the SIREN of that unit and a rank in its SIRET.
func identify(p *plan, n, unit, rank uint64) []identifier {
	idnst := func(value string) identifier { return identifier{"IDNST", systemIDNST, value} }
	switch {
	case p.known == byRang:
		rang := Value(RPPSRang, n)
		return []identifier{idnst("4" + rang), {"RPPSRG", systemRang, rang}}
	case p.known == bySIRET:
		siret := Value(SIRET, n)
		return []identifier{idnst("3" + siret), {"SIRET", systemSirene, siret}}
	case p.legal():
		finess := Value(FINESS, n)
		return []identifier{idnst("1" + finess), {"FINEJ", systemFINESS, finess}, {"SIREN", systemSirene, Value(SIREN, n)}}
	}
	finess := Value(FINESS, n)
	return []identifier{idnst("1" + finess), {"FINEG", systemFINESS, finess}, {"SIRET", systemSirene, Value(SIRET, rank*10_000_000+unit)}}
}

// types lists the facets of a structure in the order of the live service.
func (p *plan) types(i int) []typed {
	entity := "GEOGRAPHICAL-ENTITY"
	if p.legal() {
		entity = "LEGAL-ENTITY"
	}
	types := append(make([]typed, 0, 6), typed{"organizationType", entityTypes.of(entity)})
	add := func(facet string, list *codeList, code string) {
		if code != "" {
			types = append(types, typed{facet, list.of(code)})
		}
	}
	add("secteurActiviteRASS", &sectors, p.sector)
	add("", &establishments, p.category)
	add("statutJuridiqueINSEE", &legalStatuses, p.law)
	add("sphParticipation", &publicService, p.sph)
	if p.known == byFINESS && !p.legal() {
		add("typeEtablissement", &sites, "PSS"[i%blockSize-1:i%blockSize])
	}
	add("activiteINSEE", &nafActivities, p.naf)
	return types
}

// trace says who registered a structure; who and when is known of some.
func (p *plan) trace(s *source, where *département, updated instant) trace {
	t := trace{system: "FINESS", authority: where.agency}
	switch p.known {
	case bySIRET:
		t = trace{system: "CG"}
	case byRang:
		t = trace{system: "RPPS", authority: "ENREG"}
	}
	if s.percent(50) {
		t.authority = ""
	}
	if s.percent(25) {
		t.day = updated.day() - day(s.below(3))
	}
	return t
}

// contact gives a structure an address, phones and mailboxes.
func (o *structure) contact(s *source, p *plan, where *département, emblem *word, i int) {
	o.address = place(s, pick(s, where.communes))
	if s.percent(80) {
		o.phone = Phone(where.zone, s.pcg.Uint64())
	}
	if s.percent(30) {
		o.fax = Phone(where.zone, s.pcg.Uint64())
	}
	if p.legal() {
		return
	}
	if s.percent(15) {
		o.email = address("contact."+emblem.slug, i, "sante"+ReservedDomain)
	}
	if !s.percent(60) {
		return
	}
	box := mailbox{kind: "ORG", value: address("secretariat."+emblem.slug, i, p.setting.domain()), description: "Secrétariat"}
	if s.percent(40) {
		box.digitization = "ny"[s.below(2)]
	}
	o.mailboxes = append(o.mailboxes, box)
	if s.percent(20) {
		o.mailboxes = append(o.mailboxes, mailbox{kind: "APP", value: address("resultats."+emblem.slug, i, p.setting.domain()), service: "Résultats", unlisted: s.percent(20)})
	}
}

// administer gives a place what only FINESS knows.
func (o *structure) administer(s *source, p *plan, i int) {
	if p.known != byFINESS || p.legal() {
		return
	}
	switch p.setting {
	case pharmacy:
		o.licence = Value(Licence, uint64(i)+Handmade)
	case hospital, social:
		if s.percent(60) {
			o.pricing = pricingModels.draw(s)
		}
		if s.percent(10) {
			o.deadline = newest.day() + day(s.between(100, 4000))
		}
	}
	if o.period.start != 0 && s.percent(2) { // about to close, still in use
		o.closing, o.period.end = closingTypes.draw(s), newest.day()+day(s.between(1, 90))
	}
}
