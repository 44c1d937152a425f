package synth

// A service is a HealthcareService of either profile: a care activity under
// authorisation, or equipment of a social establishment.
type service struct {
	header
	social         bool
	inactive       bool
	arhgos         string // care activities only: the other profile prohibits identifiers
	authorised     period
	renewed        day
	installed      period
	ages           [2]int
	capacity       int
	provider       string
	category       coding
	kind           coding
	eligibility    coding
	characteristic coding
}

const systemARHGOS = "https://arhgos.ars.sante.fr"

// write prints the resource. An inactive care activity keeps its ARHGOS number
// (ans-api.md §4.5); social equipment has none to keep.
func (h *service) write(w *writer) {
	profile := asx + "as-dp-healthcareservice-healthcare-activity"
	if h.social {
		profile = asx + "as-dp-healthcareservice-social-equipment"
	}
	w.begin("HealthcareService", &h.header, profile)
	if !h.inactive {
		w.text("language", "fr")
		h.writeExtensions(w)
	}
	if !h.social {
		w.arhgos(h.arhgos)
	}
	w.bool("active", !h.inactive)
	if !h.inactive {
		w.reference("providedBy", "Organization", h.provider)
		h.writeCodes(w)
	}
	w.close("}")
}

func (h *service) writeCodes(w *writer) {
	if !h.social {
		w.concepts("category", h.category)
	}
	w.concepts("type", h.kind)
	if h.social {
		w.open("eligibility", "[{")
		w.concept("code", h.eligibility)
		w.close("}]")
	}
	w.concepts("characteristic", h.characteristic)
}

func (h *service) writeExtensions(w *writer) {
	w.open("extension", "[")
	w.authorization(h.authorised, h.renewed)
	if h.social {
		w.extension(asx + "as-ext-installation")
		w.open("extension", "[")
		w.extensionDate("dateFirstInstallation", h.installed.start)
		if h.installed.end != 0 {
			w.extensionDate("dateLastInstallation", h.installed.end)
		}
		w.extensionBool("deletedInstallation", false)
		w.close("]}")
		h.writeAges(w)
		h.writeCapacity(w)
	}
	w.close("]")
}

func (h *service) writeAges(w *writer) {
	if h.ages[1] == 0 {
		return
	}
	w.extension(asx + "as-ext-patient-type")
	w.open("extension", "[")
	w.extension("authorizedAgeRange")
	w.open("valueRange", "{")
	for i, name := range [...]string{"low", "high"} {
		w.open(name, "{")
		w.int("value", h.ages[i])
		w.close("}")
	}
	w.close("}}]}")
}

func (h *service) writeCapacity(w *writer) {
	w.extension(asx + "as-ext-supported-capacity")
	w.open("extension", "[")
	for _, c := range [...]struct {
		url   string
		value int
	}{{"capacityAvailable", h.capacity}, {"installedCapacity", h.capacity - h.capacity/10}} {
		w.extension(c.url)
		w.int("valueInteger", c.value)
		w.close("}")
	}
	w.close("]}")
}

// authorization writes as-ext-authorization, of services and equipment.
func (w *writer) authorization(p period, renewed day) {
	w.extension(asx + "as-ext-authorization")
	w.open("extension", "[")
	w.extensionDate("dateAuthorization", p.start)
	if p.end != 0 {
		w.extensionPeriod("periodAuthorization", p)
	}
	if renewed != 0 {
		w.extensionDate("dateUpdateAuthorization", renewed)
	}
	w.extensionBool("deletedAuthorization", false)
	w.close("]}")
}

func (w *writer) arhgos(number string) {
	w.open("identifier", "[{")
	w.text("system", systemARHGOS)
	w.text("value", number)
	w.close("}]")
}

func (d *Directory) service(i int) *service {
	s, n := newSource(d.seed, "HealthcareService", i), uint64(i)+Handmade
	h := &service{social: i%5 > 2, inactive: s.permille(50)}
	h.id = Value(ServiceID, n)
	if !h.social {
		h.arhgos = Value(ARHGOS, arhgosServices+n)
	}
	if h.inactive {
		h.updated, h.version = removed(s)
		return h
	}
	h.updated, h.version = lately(s)
	h.authorised.start = newest.day() - day(s.between(100, 6000))
	if s.percent(50) {
		h.trace = trace{system: "FINESS", authority: authorities.at(s.below(18)).code}
	}
	if s.percent(30) {
		h.renewed = h.authorised.start + day(s.between(10, 100))
	}
	if h.social {
		d.equip(s, h)
	} else {
		d.care(s, h)
	}
	return h
}

func (d *Directory) care(s *source, h *service) {
	h.authorised.end = newest.day() + day(s.between(30, 2500))
	h.category, h.kind, h.characteristic = modalities.draw(s), careActivities.draw(s), forms.draw(s)
	h.provide(d, s, hospital)
}

func (d *Directory) equip(s *source, h *service) {
	h.installed.start = h.authorised.start + day(s.between(1, 90))
	h.capacity = s.between(5, 120)
	if s.percent(40) {
		low := s.between(0, 60)
		h.ages = [2]int{low, low + s.between(5, 40)}
	}
	h.kind, h.eligibility, h.characteristic = disciplines.draw(s), clienteles.draw(s), socialTypes.draw(s)
	h.provide(d, s, social)
}

func (h *service) provide(d *Directory, s *source, where setting) {
	if i := d.structureFor(s, where); i >= 0 {
		h.provider = d.organizationID(i)
	}
}

// ARHGOS numbers authorisations of care and of equipment alike; ours lie
// apart.
const arhgosServices = technicalSize / 2
