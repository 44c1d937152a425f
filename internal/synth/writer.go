package synth

import "strconv"

// A writer appends compact JSON. It knows where commas go: before every member
// or item but the first of its object or array. It exists because a directory
// of the real size is gigabytes, and reflection would be all the time spent.
type writer []byte

func (w *writer) comma() {
	if last := (*w)[len(*w)-1]; last != '{' && last != '[' {
		*w = append(*w, ',')
	}
}

func (w *writer) key(name string) {
	w.comma()
	*w = append(append(append(*w, '"'), name...), `":`...)
}

// open begins a member: open("meta", "{"), open("coding", "[{").
func (w *writer) open(name, brackets string) {
	w.key(name)
	*w = append(*w, brackets...)
}

// item begins an object of an array.
func (w *writer) item() {
	w.comma()
	*w = append(*w, '{')
}

func (w *writer) close(brackets string) { *w = append(*w, brackets...) }

func (w *writer) text(name, value string) {
	w.key(name)
	w.quote(value)
}

// optional writes a member unless it is empty.
func (w *writer) optional(name, value string) {
	if value != "" {
		w.text(name, value)
	}
}

func (w *writer) bool(name string, value bool) {
	w.key(name)
	*w = strconv.AppendBool(*w, value)
}

func (w *writer) int(name string, value int) {
	w.key(name)
	*w = strconv.AppendInt(*w, int64(value), 10)
}

func (w *writer) date(name string, d day) {
	w.key(name)
	*w = append(d.append(append(*w, '"')), '"')
}

// quote writes a string. Ours hold letters of any language and apostrophes;
// the rest is escaped all the same.
func (w *writer) quote(s string) {
	const hex = "0123456789abcdef"
	b := append(*w, '"')
	start := 0
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' {
			b = append(append(b, s[start:i]...), '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			start = i + 1
		}
	}
	*w = append(append(b, s[start:]...), '"')
}

// coding writes {"system":…,"code":…} as an item of an array. There is no
// display: the live service prints none (incidents.md D26).
func (w *writer) coding(c coding) {
	w.item()
	w.text("system", c.system)
	w.text("code", c.code)
	w.close("}")
}

// concept writes a CodeableConcept member with its codings.
func (w *writer) concept(name string, codings ...coding) {
	w.open(name, `{"coding":[`)
	for _, c := range codings {
		w.coding(c)
	}
	w.close("]}")
}

// concepts writes an array of CodeableConcepts of one coding each.
func (w *writer) concepts(name string, codings ...coding) {
	if len(codings) == 0 {
		return
	}
	w.open(name, "[")
	for _, c := range codings {
		w.item()
		w.open("coding", "[")
		w.coding(c)
		w.close("]}")
	}
	w.close("]")
}

// extension begins an extension, an item of an array that is open.
func (w *writer) extension(url string) {
	w.item()
	w.text("url", url)
}

// Sub-extensions, whole.

func (w *writer) extensionText(url, kind, value string) {
	w.extension(url)
	w.text(kind, value)
	w.close("}")
}

func (w *writer) extensionBool(url string, value bool) {
	w.extension(url)
	w.bool("valueBoolean", value)
	w.close("}")
}

func (w *writer) extensionDate(url string, d day) {
	w.extension(url)
	w.date("valueDate", d)
	w.close("}")
}

func (w *writer) extensionConcept(url string, c coding) {
	w.extension(url)
	w.concept("valueCodeableConcept", c)
	w.close("}")
}

func (w *writer) extensionPeriod(url string, p period) {
	w.extension(url)
	w.open("valuePeriod", "{")
	w.date("start", p.start)
	if p.end != 0 {
		w.date("end", p.end)
	}
	w.close("}}")
}

func (w *writer) reference(name, typ, id string) {
	if id != "" {
		w.open(name, "{")
		w.text("reference", typ+"/"+id)
		w.close("}")
	}
}

// The canonical URLs of the guide and of FR Core, unversioned as the live
// service prints them (ans-api.md §4.8).
const (
	asx = "https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/"
	frx = "https://hl7.fr/ig/fhir/core/StructureDefinition/"
	hl7 = "http://hl7.org/fhir/StructureDefinition/"
)

// A header is what every resource begins with.
type header struct {
	id      string
	version int
	updated instant
	trace   trace
}

// A trace says which register an entry comes from (as-ext-data-trace).
type trace struct {
	authority string // of TRE_R60
	system    string // RPPS, FINESS, CG; "": no trace
	day       day
}

// begin opens a resource: its type, id and meta.
func (w *writer) begin(typ string, h *header, profiles ...string) {
	*w = append(*w, '{')
	w.text("resourceType", typ)
	w.text("id", h.id)
	w.open("meta", "{")
	w.trace(&h.trace)
	w.key("versionId")
	*w = append(strconv.AppendInt(append(*w, '"'), int64(h.version), 10), '"')
	w.key("lastUpdated")
	*w = append(h.updated.append(append(*w, '"')), '"')
	w.text("source", "https://annuaire.sante.fr")
	w.open("profile", "[")
	for _, profile := range profiles {
		w.comma()
		w.quote(profile)
	}
	w.close("]}")
}

func (w *writer) trace(t *trace) {
	if t.system == "" {
		return
	}
	w.open("extension", "[")
	w.extension(asx + "as-ext-data-trace")
	w.open("extension", "[")
	if t.authority != "" {
		w.extensionConcept("autorite-enregistrement", authorities.of(t.authority))
	}
	w.extensionText("systeme-information", "valueCode", t.system)
	if t.day != 0 {
		w.extensionDate("date-maj-ae", t.day)
	}
	w.close("]}]")
}

// An identifier with its type, a code of fr-core-cs-v2-0203.
type identifier struct{ typ, system, value string }

func (w *writer) identifiers(list ...identifier) {
	w.open("identifier", "[")
	for _, id := range list {
		w.item()
		w.text("use", "official")
		if id.typ != "" {
			w.concept("type", coding{identifierTypes, id.typ})
		}
		w.text("system", id.system)
		w.text("value", id.value)
		w.close("}")
	}
	w.close("]")
}

// A mailbox of the secure e-mail of health (MSSanté).
type mailbox struct {
	kind         string // PER, CAB, ORG, APP
	value        string
	use          string
	description  string
	service      string
	digitization byte // 'y', 'n', or 0: not said
	unlisted     bool // listeRouge, not on Practitioner
	workPhone    string
}

func (w *writer) mailbox(m *mailbox) {
	w.item()
	w.open("extension", "[")
	w.extension(frx + "fr-core-contact-point-email-type")
	w.open("valueCoding", "{")
	w.text("system", messagings.system)
	w.text("code", "MSSANTE")
	w.text("display", "MSSANTE")
	w.close("}}")
	w.extension(asx + "as-ext-mailbox-mss-metadata")
	w.open("extension", "[")
	w.extensionConcept("type", mailboxKinds.of(m.kind))
	if m.description != "" {
		w.extensionText("description", "valueString", m.description)
	}
	if m.service != "" {
		w.extensionText("service", "valueString", m.service)
	}
	if m.workPhone != "" {
		w.extensionText("phone", "valueString", m.workPhone)
	}
	if m.digitization != 0 {
		w.extensionBool("digitization", m.digitization == 'y')
	}
	if m.unlisted {
		w.extensionBool("listeRouge", true)
	}
	w.close("]}]")
	w.text("system", "email")
	w.text("value", m.value)
	w.optional("use", m.use)
	w.close("}")
}

func (w *writer) mailboxes(list []mailbox) {
	if len(list) == 0 {
		return
	}
	w.open("telecom", "[")
	for i := range list {
		w.mailbox(&list[i])
	}
	w.close("]")
}
