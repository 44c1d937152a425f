package synth

// A practitioner, in the terms of the directory: a person's identity in
// practice, cards, personal mailboxes and what they are qualified for.
type practitioner struct {
	header
	idnps, rpps   string
	inactive      bool
	family, given string
	civility      string // M, MME
	title         string // DR, PR
	cards         []card
	mailboxes     []mailbox
	degrees       []pair
	exercise      pair
	knowHows      []pair
}

// A card of the CPx family.
type card struct {
	kind, number string
	period       period
}

// A pair of codes as a qualification has it: the kind, then the thing. Either
// may be missing. The live service prints them in this order, the guide's
// examples in the other (ans-api.md §4.2).
type pair struct{ kind, code coding }

const (
	systemIDNPS = "urn:oid:1.2.250.1.71.4.2.1"
	systemRPPS  = "https://rpps.esante.gouv.fr"
)

// write prints the resource. An inactive one keeps its identifiers and nothing
// else (ans-api.md §4.2).
func (p *practitioner) write(w *writer) {
	w.begin("Practitioner", &p.header, frx+"fr-core-practitioner", asx+"as-dp-practitioner")
	if !p.inactive {
		w.text("language", "fr")
		p.writeCards(w)
	}
	w.identifiers(identifier{"IDNPS", systemIDNPS, p.idnps}, identifier{"RPPS", systemRPPS, p.rpps})
	w.bool("active", !p.inactive)
	if !p.inactive {
		p.writeName(w)
		w.mailboxes(p.mailboxes)
		p.writeQualifications(w)
	}
	w.close("}")
}

func (p *practitioner) writeCards(w *writer) {
	if len(p.cards) == 0 {
		return
	}
	w.open("extension", "[")
	for _, c := range p.cards {
		w.extension(asx + "as-ext-smartcard")
		w.open("extension", "[")
		w.extensionConcept("type", cardTypes.of(c.kind))
		w.extensionText("number", "valueString", c.number)
		w.extensionPeriod("period", c.period)
		w.close("]}")
	}
	w.close("]")
}

func (p *practitioner) writeName(w *writer) {
	w.open("name", "[{")
	w.text("text", p.family+" "+p.given)
	w.text("family", p.family)
	w.open("given", "[")
	w.quote(p.given)
	w.close("]")
	w.open("prefix", "[")
	w.quote(p.civility)
	w.close("]")
	if p.title != "" {
		w.open("suffix", "[")
		w.quote(p.title)
		w.close("]")
	}
	w.close("}]")
}

func (p *practitioner) writeQualifications(w *writer) {
	w.open("qualification", "[")
	for _, q := range p.degrees {
		w.qualification(q)
	}
	w.qualification(p.exercise)
	for _, q := range p.knowHows {
		w.qualification(q)
	}
	w.close("]")
}

func (w *writer) qualification(q pair) {
	w.item()
	w.open("code", `{"coding":[`)
	for _, c := range [...]coding{q.kind, q.code} {
		if c.code != "" {
			w.coding(c)
		}
	}
	w.close("]}}")
}

// A person is what roles need to know of a practitioner: drawn before the
// rest, so that both agree without either holding the other.
type person struct {
	trade    *profession
	inactive bool
	student  bool
	civility string
	family   *word
	given    *word
	upper    bool
}

func (d *Directory) person(i int) (person, *source) {
	s := newSource(d.seed, "Practitioner", i)
	v := vocabularies()
	p := person{
		trade:    trades.at(d.trades.at(i % trades.total)),
		inactive: s.permille(30), student: s.permille(35), upper: s.percent(70),
		family: &v.families[s.below(len(v.families))],
	}
	first := v.women
	p.civility = "MME"
	if s.percent(38) {
		first, p.civility = v.men, "M"
	}
	p.given = &first[s.below(len(first))]
	return p, s
}

func (d *Directory) practitioner(i int) *practitioner {
	who, s := d.person(i)
	n := uint64(i) + Handmade
	p := &practitioner{idnps: Value(IDNPS, n), rpps: Value(RPPS, n), inactive: who.inactive}
	p.id = Value(PractitionerID, n)
	if p.inactive {
		p.updated, p.version = removed(s)
		return p
	}
	p.updated, p.version = lately(s)
	p.civility, p.family, p.given = who.civility, who.family.mixed, who.given.mixed
	if who.upper {
		p.family, p.given = who.family.upper, who.given.upper
	}
	p.qualify(s, &who)
	p.cards = d.cards(s, &who, n)
	p.mailboxes = personalMailboxes(s, &who, i)
	if authority := who.trade.authority; authority != "" && s.percent(12) {
		p.trace = trace{authority, "RPPS", p.updated.day() - 1}
	}
	return p
}

// qualify gives a person a profession; a student has a category of their own
// and no degree yet.
func (p *practitioner) qualify(s *source, who *person) {
	p.exercise = pair{categories.of("C"), who.trade.code}
	if who.student {
		p.exercise.kind = categories.of("E")
		return
	}
	if s.percent(2) {
		p.exercise.kind = categories.of("M")
	}
	p.title = who.trade.title
	if p.title == "DR" && s.percent(3) {
		p.title = "PR"
	}
	switch {
	case who.trade.degree == "":
	case s.percent(5): // learnt elsewhere in Europe: a kind of degree, and no French code
		p.degrees = []pair{{kind: degreeTypes.of("DEEE")}}
	default:
		p.degrees = []pair{{degreeTypes.of("DE"), degrees.of(who.trade.degree)}}
	}
	if who.trade.knowHow != nil {
		p.knowHows = who.trade.knowHow(s)
	}
}

// cards draws what a person carries: three in four have a CPS, one in a
// hundred of those has two (IG 1.1.0, #254); students carry a CPF.
func (d *Directory) cards(s *source, who *person, n uint64) []card {
	kind := "CPS"
	switch {
	case !s.percent(75):
		return nil
	case who.student:
		kind = "CPF"
	case who.trade.authority == "":
		kind = "CPE"
	}
	start := newest.day() - day(s.between(1, 1090))
	cards := []card{{kind, Value(Card, 2*n), period{start, start + 3*365}}}
	if kind == "CPS" && s.percent(1) {
		cards = append(cards, card{kind, Value(Card, 2*n+1), period{start + 30, start + 30 + 3*365}})
	}
	return cards
}

// domain is the part of a personal mailbox after the @.
func (p *profession) domain() string {
	switch p.authority {
	case "CNOM":
		return "medecin.mssante.fr" + ReservedDomain
	case "CNOP":
		return "pharmacien.mssante.fr" + ReservedDomain
	case "ONI":
		return "infirmier.mssante.fr" + ReservedDomain
	}
	return "pro.mssante.fr" + ReservedDomain
}

// personalMailboxes draws none, one or two. The number makes the address the
// only one of its kind, however many people share a name.
func personalMailboxes(s *source, who *person, i int) []mailbox {
	if s.percent(35) {
		return nil
	}
	box := mailbox{kind: "PER", value: address(who.given.slug+"."+who.family.slug, i, who.trade.domain()), use: "work"}
	if s.percent(60) {
		box.digitization = "ny"[s.below(2)]
	}
	boxes := []mailbox{box}
	if s.percent(10) {
		boxes = append(boxes, mailbox{kind: "CAB", value: address("cabinet."+who.family.slug, i, "mssante.fr"+ReservedDomain), use: "work", digitization: 'n'})
	}
	return boxes
}
