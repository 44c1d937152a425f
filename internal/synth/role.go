package synth

import "strconv"

// An activity is a PractitionerRole: what a person does, and where.
type activity struct {
	header
	number       string
	inactive     bool
	practitioner string
	organization string
	codes        []coding
	mailboxes    []mailbox
}

// write prints the resource. What an inactive one keeps is written nowhere;
// the profile demands the identifier and the practitioner.
func (a *activity) write(w *writer) {
	w.begin("PractitionerRole", &a.header, frx+"fr-core-practitioner-role", asx+"as-dp-practitionerrole")
	if !a.inactive {
		w.text("language", "fr")
	}
	w.identifiers(identifier{"", systemRPPS, a.number})
	w.bool("active", !a.inactive)
	w.reference("practitioner", "Practitioner", a.practitioner)
	if !a.inactive {
		w.reference("organization", "Organization", a.organization)
		w.concepts("code", a.codes...)
		w.mailboxes(a.mailboxes)
	}
	w.close("}")
}

// activity draws the i-th role. Everyone has a first one before anyone has a
// second.
func (d *Directory) activity(i int) *activity {
	s := newSource(d.seed, "PractitionerRole", i)
	n := uint64(i) + Handmade
	holder := d.holders.at(i % d.people)
	who, _ := d.person(holder)
	a := &activity{number: Value(Activity, n), practitioner: Value(PractitionerID, uint64(holder)+Handmade)}
	a.id = Value(RoleID, n)
	if a.inactive = who.inactive || s.permille(20); a.inactive {
		a.updated, a.version = removed(s)
		return a
	}
	a.updated, a.version = lately(s)
	place := who.trade.places.draw(s)
	structure := d.structureFor(s, place.setting)
	if structure >= 0 && !s.permille(10) { // 0..1: some know no structure
		a.organization = d.organizationID(structure)
	}
	a.codes = activityCodes(s, &who, &place)
	if s.percent(40) {
		box := mailbox{kind: "PER", value: address(who.given.slug+"."+who.family.slug, i, place.setting.domain())}
		if s.percent(20) {
			box.kind, box.description = "CAB", "Secrétariat"
		}
		a.mailboxes = append(a.mailboxes, box)
	}
	if who.trade.authority != "" && s.percent(12) {
		a.trace = trace{who.trade.authority, "RPPS", a.updated.day() - 1}
	}
	return a
}

// activityCodes lists the facets of an activity, one CodeableConcept each:
// kind, mode, then what goes with them.
func activityCodes(s *source, who *person, place *placement) []coding {
	kind := "GENR01"
	switch {
	case who.trade.code == otherProfession.of("99") || place.setting == social && s.percent(30):
		kind = "GENR11"
	case s.percent(4):
		kind = "GENR02"
	case s.percent(3):
		kind = "GENR04"
	}
	codes := append(make([]coding, 0, 6), kindsOfActivity.of(kind), modes.of(place.mode))
	switch {
	case place.mode == "L" && place.setting == office && s.percent(60):
		codes = append(codes, liberalTypes.draw(s))
	case place.setting == hospital && who.trade.title == "DR":
		codes = append(codes, hospitalStatus.draw(s))
	}
	return append(codes, place.codes...)
}

// address makes a mailbox that ends in a reserved domain.
func address(name string, i int, domain string) string {
	return name + "-" + strconv.Itoa(i+1) + "@" + domain
}
