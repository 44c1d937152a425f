package redact

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/internal/fhirschema"
	"github.com/mockfhir/mockfhir/internal/synth"
)

// around is what surrounds a value: the rules need no more to tell what it is.
type around struct {
	resource  string // type of the innermost resource, "" outside of one
	parent    string // name of the member that holds the object of the value
	system    string // of the identifier, contact point or coding
	extension string // last part of the URL of the innermost extension
	place     string // where it is, for the report
	root      bool   // the object is the resource itself
	open      bool   // in a CapabilityStatement, which speaks of no person
}

// json maps a JSON text, keeping what it keeps byte for byte; false when it is
// none, or when nothing of it may be kept.
func (r *Redactor) json(text string) (string, bool) {
	if r.tape.read(text) != nil {
		return "", false
	}
	w := walker{Redactor: r, tape: &r.tape, out: make([]byte, 0, len(text)+len(text)/8)}
	root := &r.tape.spans[1]
	w.out = append(w.out, text[:root.value.from]...)
	if !w.value(1, "", around{}) {
		return "", false
	}
	w.out = append(w.out, text[root.value.to:]...)
	return string(w.out), true
}

// walker writes what of a tape may be kept.
type walker struct {
	*Redactor
	tape *tape
	out  []byte
}

// value writes a mapped value and reports whether anything is left of it.
func (w *walker) value(i int, name string, in around) bool {
	s := &w.tape.spans[i]
	raw := s.value.of(w.tape.text)
	switch s.kind {
	case '{':
		return w.object(i, name, in)
	case '[':
		return w.list(i, name, in)
	case '"':
		return w.text(i, name, in)
	case '0':
		if !isPlainNumber(name, raw) {
			w.drop(in, name)
			return false
		}
	}
	w.out = append(w.out, raw...)
	return true
}

// isPlainNumber: counts, ranks and ages are short; what is longer may be a
// number of somebody.
func isPlainNumber(name, raw string) bool {
	limit := 6
	if name == "total" {
		limit = 9
	}
	return len(raw) <= limit
}

func (w *walker) list(i int, name string, in around) bool {
	return w.members(i, func(item int) bool { return w.value(item, name, in) })
}

// members writes the children of a container that keep something. One that
// loses all of them is lost itself.
func (w *walker) members(i int, write func(child int) bool) bool {
	s, text := w.tape.spans[i], w.tape.text
	end := s.value.from + 1
	start := len(w.out)
	w.out = append(w.out, text[s.value.from])
	first, leading := true, extent{}
	for child := s.child; child > 0; child = w.tape.spans[child].next {
		c := &w.tape.spans[child]
		from := c.value.from
		if c.key.to > 0 {
			from = c.key.from
		}
		lead := extent{end, from}
		if child == s.child {
			leading = lead
		}
		if first {
			lead = leading
		}
		undo := len(w.out)
		w.out = append(append(w.out, lead.of(text)...), text[from:c.value.from]...)
		if write(child) {
			first = false
		} else {
			w.out = w.out[:undo]
		}
		end = c.value.to
	}
	if first && s.child > 0 {
		w.out = w.out[:start]
		return false
	}
	w.out = append(w.out, text[end:s.value.to]...)
	return true
}

// object writes an object whose members are about one thing; without the
// member that says what, the others say nothing and go too.
func (w *walker) object(i int, name string, in around) bool {
	inner := around{resource: in.resource, parent: name, extension: in.extension, open: in.open}
	if typ := w.tape.str(w.tape.member(i, "resourceType")); typ != "" {
		inner.resource, inner.root = typ, true
		inner.open = typ == "CapabilityStatement"
	}
	inner.system = w.tape.str(w.tape.member(i, "system"))
	needs := essential[name]
	if name == "extension" || name == "modifierExtension" {
		address := w.tape.str(w.tape.member(i, "url"))
		inner.extension = address[strings.LastIndexByte(address, '/')+1:]
		inner.place = "…"
		_, known := w.canonical(address)
		if known || public[fold(address)] {
			inner.place = inner.extension
		}
		if address != "" && !known && !isCode(address) {
			w.drop(inner, "url") // without it nobody can say what the value is
			return false
		}
		needs = "extension"
	}
	foreign := inner.system != "" && !isKnown("system", inner.system)
	if foreign {
		_, public := w.canonical(inner.system)
		foreign = !public
	}
	if inner.open && (name == "contact" || name == "publisher") {
		return false
	}
	kept := false
	start := len(w.out)
	ok := w.members(i, func(child int) bool {
		member := w.tape.name(child)
		if !inner.open && !members()[member] {
			w.drop(inner, member)
			return false
		}
		if foreign && member == "code" && !isKnownCode(w.tape.str(child)) {
			w.drop(inner, member) // without its system it is anybody's word
			return false
		}
		if !w.value(child, member, inner) {
			return false
		}
		kept = kept || needs == "" || member == needs || needs == "extension" && strings.HasPrefix(member, "value")
		return true
	})
	if ok && !kept && w.tape.spans[i].child > 0 {
		w.out = w.out[:start]
		return false
	}
	return ok
}

// essential names the member an element is about.
var essential = map[string]string{
	"identifier": "value", "telecom": "value", "coding": "code", "valueCoding": "code", "valueIdentifier": "value",
	"practitioner": "reference", "organization": "reference", "partOf": "reference", "owner": "reference", "providedBy": "reference",
	"valueReference": "reference", "valueContactPoint": "value",
	"text": "div", // a narrative, whose text is never kept
}

// text writes the string its rule makes of another.
func (w *walker) text(i int, name string, in around) bool {
	raw := w.tape.spans[i].value.of(w.tape.text)
	plain := decoded(raw)
	mapped, ok := w.rule(i, name, plain, in)
	switch {
	case !ok:
		w.drop(in, name)
		return false
	case mapped == plain:
		w.out = append(w.out, raw...)
	case strings.Contains(raw, `\u`):
		w.out = fhir.AppendSearchString(w.out, mapped)
	default:
		w.out = fhir.AppendReadString(w.out, mapped)
	}
	return true
}

// unknownMember is named in the report instead of a member R4 does not have.
const unknownMember = "(a member R4 does not have)"

// drop counts what no rule lets through, by its place.
func (w *walker) drop(in around, name string) {
	where := in.resource
	if where != "" && !fhirschema.KnownResource(where) {
		where = "(another type)"
	}
	if in.parent != "" && !members()[in.parent] { // in a CapabilityStatement
		in.parent = unknownMember
	}
	if !members()[name] {
		name = unknownMember
	}
	if in.parent != "" {
		where += "." + in.parent
	}
	if in.parent == "extension" {
		where += "(" + in.place + ")"
	}
	w.counts.Dropped.add(where + "." + name)
}

// rule is the table of what a string may become, by the member it is of.
// What is not listed is left out.
func (w *walker) rule(i int, name, v string, in around) (string, bool) {
	if v == "" {
		return v, true
	}
	if in.open {
		return w.openRule(name, v)
	}
	switch name {
	case "resourceType":
		return v, fhirschema.KnownResource(v)
	case "id":
		return w.idRule(v, in)
	case "fullUrl":
		return w.link(v)
	case "url":
		if in.parent == "link" {
			return w.link(v)
		}
		if isCode(v) {
			return v, true
		}
		return w.canonical(v)
	case "reference":
		mapped := w.reference(v)
		return mapped, mapped != ""
	case "system":
		if isKnown(name, v) {
			return v, true
		}
		return w.canonical(v)
	case "profile", "source", "valueUri", "valueUrl", "valueCanonical", "instantiates":
		return w.canonical(v)
	case "code", "valueCode":
		if strings.HasSuffix(in.system, "TRE-R13-Commune") {
			return w.areaCode(v)
		}
		if !isCode(v) {
			return "", false
		}
		if len(w.codes) < maxMet {
			w.codes[w.fingerprint(v)] = true
		}
		return v, true
	case "display": // a label that repeats its code
		code := w.siblingCode(i)
		return v, v == code && isCode(v) || v == "Resource encoded in summary mode" // of SUBSETTED
	case "language":
		return v, language.MatchString(v)
	case "status", "use", "type", "mode", "severity", "relation":
		return v, isKnown(name, v)
	case "versionId":
		return v, headerNumber.MatchString(v)
	case "lastUpdated", "start", "end", "date", "valueDate", "valueDateTime", "valueInstant", "timestamp":
		return w.date(v)
	case "value":
		return w.valueRule(v, in)
	case "valueString":
		return w.extensionRule(v, in)
	case "family", "given":
		w.count(person)
		return w.phrase(person, v, nil), true
	case "text":
		if in.parent != "name" {
			return "", false
		}
		w.count(person)
		return w.phrase(person, v, nil), true
	case "prefix", "suffix":
		return v, civilities[v]
	case "name", "alias", "manufacturer", "modelNumber":
		if !in.root {
			return "", false
		}
		w.count(label)
		return w.phrase(label, v, kept), true
	case "serialNumber":
		return w.serialNumber(v), true
	case "line":
		w.count(addressLine)
		return w.phrase(addressLine, v, kept), true
	case "city":
		return w.cityName(v), true
	case "postalCode":
		return w.areaCode(v)
	case "district", "country":
		return v, len(v) <= 3 && isCode(v) || public[fold(v)] || v == "FRANCE"
	case "diagnostics", "message", "error":
		return w.message(v), true
	case "path":
		return w.link(v)
	}
	return "", false
}

// siblingCode is the code of the coding whose display is at i.
func (w *walker) siblingCode(i int) string {
	// A display follows its code, at most two members before.
	for j := i - 1; j > 0 && j >= i-3; j-- {
		if w.tape.name(j) == "code" && w.tape.spans[j].kind == '"' {
			return w.tape.str(j)
		}
	}
	return ""
}

// openRule is for a CapabilityStatement: its texts stay, but for addresses and
// what looks like somebody's in them.
func (w *walker) openRule(name, v string) (string, bool) {
	switch name {
	case "publisher", "telecom", "email":
		return "", false
	}
	return w.byLooks(v, func(rest string) string {
		return numberInOpenText.ReplaceAllStringFunc(rest, func(t string) string {
			if dateForm.MatchString(t) || len(onlyDigits(t)) < shortNumber && !digitRun.MatchString(t) {
				return t
			}
			return w.number(t)
		})
	}), true
}

var numberInOpenText = regexp.MustCompile(looksDate + `|` + looksNumber)

func (w *walker) idRule(v string, in around) (string, bool) {
	if !in.root {
		return "", false // of an element: nobody refers to it
	}
	if in.resource == "Bundle" || uuid.MatchString(v) {
		return w.uuid(v), true
	}
	return w.resourceID(v), true
}

// uuid maps a UUID, or the id of a Bundle, whose pages quote it.
func (r *Redactor) uuid(v string) string {
	r.count(bundleID)
	return uuidPrefix + hex12(r.keyed.text(bundleID.tweak(), v))
}

var uuid = regexp.MustCompile(`(?i)^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// Keys of the gateway are UUIDs. Those we make up have a middle that is not
// drawn; the last scan lets no other pass.
const (
	uuidMiddle = "-0000-4000-8000-"
	uuidPrefix = "00000000" + uuidMiddle
)

func hex12(n uint64) string {
	return strconv.FormatUint(n&(1<<48-1)|1<<48, 16)[1:]
}

func (w *walker) valueRule(v string, in around) (string, bool) {
	switch in.parent {
	case "identifier", "valueIdentifier":
		return w.identifier(in.system, v, in.resource)
	case "telecom", "valueContactPoint":
		switch in.system {
		case "phone", "fax", "sms", "pager":
			w.count(phone)
			return w.phoneNumber(v), true
		case "email":
			w.count(mailbox)
			return w.mailboxes(v), true
		}
	}
	return "", false
}

// extensionRule maps strings of extensions by the last part of their URL.
func (w *walker) extensionRule(v string, in around) (string, bool) {
	switch in.extension {
	case "number": // of as-ext-smartcard
		return w.cardNumber(v), true
	case "as-ext-organization-pharmacy-licence":
		return w.licence(v), true
	case "phone":
		w.count(phone)
		return w.phoneNumber(v), true
	case "iso21090-ADXP-streetNameType", "iso21090-ADXP-buildingNumberSuffix", "as-ext-organization-budget-type":
		return v, len(v) <= 4 && isCode(v)
	case "iso21090-ADXP-houseNumber", "iso21090-ADXP-streetNameBase", "iso21090-ADXP-postBox", "iso21090-ADXP-careOf",
		"iso21090-ADXP-additionalLocator", "as-ext-lieu-dit":
		w.count(addressLine)
		return w.phrase(addressLine, v, kept), true
	case "fr-core-organization-short-name", "fr-core-organization-raison-sociale":
		w.count(label)
		return w.phrase(label, v, kept), true
	}
	return "", false
}

func (r *Redactor) cardNumber(v string) string {
	r.count(of(synth.Card))
	r.originals.number(v)
	return r.card(v)
}

func (r *Redactor) licence(v string) string {
	r.count(of(synth.Licence))
	r.originals.number(v)
	return r.hashed(synth.Licence, 10_000_000, v)
}

func (r *Redactor) serialNumber(v string) string {
	r.count(serial)
	r.originals.number(v)
	return "SN-" + pad(r.keyed.text(serial.tweak(), v)%1_000_000_000_000, 12) // longer than any, not to meet one
}

// civilities are the titles of names (J79, J245).
var civilities = map[string]bool{"M": true, "MME": true, "MLLE": true, "DR": true, "PR": true, "MC": true, "MG": true, "PC": true, "PG": true}

// isCode reports whether a value has the form of a code, and no digits enough to
// be somebody's number.
func isCode(v string) bool {
	if v == "" || len(v) > 64 || len(onlyDigits(v)) > shortNumber || len(v) >= longRun && isRandom(v) {
		return false
	}
	digits := 0
	for i := range len(v) {
		switch c := v[i]; {
		case c >= '0' && c <= '9':
			if digits++; digits > 6 {
				return false
			}
			continue
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', i > 0 && strings.IndexByte("-._+#/", c) >= 0:
		default:
			return false
		}
		digits = 0
	}
	return true
}
