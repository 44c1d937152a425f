package redact

import (
	"regexp"
	"strings"

	"github.com/mockfhir/mockfhir/fixtures"
)

// public holds, folded, the words that say nothing of a person wherever they
// stand: those of the specification, of the table of search parameters, of the
// messages a server or gateway is known for, and the names of large cities.
// The last scan lets them pass, so no ordinary name belongs here.
var public = func() map[string]bool {
	m := words(specification + messages)
	add := func(text string) {
		for _, w := range strings.FieldsFunc(text, func(c rune) bool { return runeClass(c) != 1 }) {
			m[fold(w)] = true
		}
	}
	for _, t := range fixtures.DefaultTable().Types {
		add(t.Type)
		for _, p := range t.Params {
			add(p.Name)
			for _, path := range p.Paths {
				plain, _, _ := strings.Cut(path, "where(")
				add(plain)
			}
			add(strings.Join(p.Aliases, " "))
		}
	}
	for name := range cities {
		add(name)
	}
	for w := range kept {
		m[w] = true
	}
	return m
}()

const specification = `resourcetype bundle searchset operationoutcome capabilitystatement parameters person patient location endpoint entry fullurl resource
	link relation next self url total meta versionid lastupdated source profile security tag extension modifierextension value system code coding display
	identifier use official usual temp secondary old nickname anonymous maiden home work mobile billing type text status generated additional div
	active true false null inactive entered in error unknown name family given prefix suffix period start end telecom phone fax email pager sms other rank
	address line city district state postalcode country postal physical both qualification issuer partof practitioner practitionerrole organization
	healthcareservice device providedby category characteristic eligibility owner manufacturer serialnumber modelnumber language contact alias
	severity fatal warning information exception processing invalid structure required not found details diagnostics expression issue
	valuestring valuecode valueboolean valueinteger valuedate valuedatetime valueinstant valueperiod valuerange valuecoding valuecodeableconcept
	valuereference valueidentifier valueuri valueurl valuecanonical low high unit reference contained
	id count elements include revinclude summary sort format pretty total accurate none estimate exact contains missing above below text json xml fhir
	search page getpages pageid bundletype history metadata index medical mssante arhgos finess rpps adeli idnps idnst siren siret insee origin key page
	statut professionnel http https www esante gouv hl core structuredefinition codesystem
	methodname message http_status_code timestamp path error interaction searchparam searchinclude searchrevinclude rest mode server
	documentation definition copyright implementationguide fhirversion read vread type search date `

const messages = `can't cannot process the request resource type not supported server knows how to handle parameter found for must be in fhir format with an
	integer value bad allowed values are accurate none estimate id required fetch next page url can processed maybe it is too old or corrupted unknown error
	unexpected unauthorized unauthorised rate limit exceeded you reached requests per second seconds minute minutes quota no context path matches uri method
	not allowed while accessing this resource re you're the larger than willing able invalid date time datetime expected modifier gateway timeout service
	unavailable failed internal bad request of and a an to on at by s t has have been forbidden access denied api key was configured policy
	running hapi unable client sent does support operation element elements form only post get put delete
	length too long missing parse parsing character characters control type types use uses tomcat apache http status report description description
	not_found bad_gateway java null exception such there`

// The looks of what belongs to somebody in any text.
const (
	looksLink    = `[\p{L}\p{N}+.-]*://[^\s"'<>]+`
	looksMailbox = `[^\s"'<>=:;,()@]*@[\p{L}\p{M}\p{N}._@-]+`
	looksUUID    = `[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}`
	looksRun     = `[A-Za-z0-9][A-Za-z0-9+/=_-]{31,}` // maybe a key
	looksDate    = `(?:19|20)[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])(?:T[0-9:.+-]*[0-9Z])?\b`
	// A number may be in groups, with whatever is no letter in between.
	looksNumber = `\+?[0-9]+(?:[^\p{L}\p{N}@]{1,3}[0-9]+)*`
)

var (
	// whole finds what its form alone tells.
	whole = regexp.MustCompile(looksLink + `|` + looksMailbox + `|` + looksUUID + `|` + looksRun)
	// quotation finds what else a message may quote: dates, ids, numbers, words.
	quotation = regexp.MustCompile(looksDate + `|[A-Za-z]+/[0-9]{3}(?:-[0-9]+)+|[0-9]{3}(?:-[0-9]+){1,3}|[0-9]{2}-[0-9]{2}-[0-9]{3,9}|[0-9]+[A-Z][0-9A-Z]{3,}|` +
		looksNumber + `|[0-9A-Z]*[0-9][0-9A-Z]{4,}|[\p{L}\p{M}]+(?:'[\p{L}\p{M}]+)?|\p{N}+`)
)

// message maps a text written for people: words that are public stay, and what
// it quotes of a request or a resource becomes what it is there.
func (r *Redactor) message(text string) string {
	mapped := r.byLooks(text, func(rest string) string { return quotation.ReplaceAllStringFunc(rest, r.quoted) })
	if mapped != text {
		r.count(diagnosis)
	}
	return mapped
}

// byLooks maps the addresses, mailboxes, UUIDs and keys of a text, and leaves
// what is between them to a rule.
func (r *Redactor) byLooks(text string, between func(string) string) string {
	var b strings.Builder
	from := 0
	for _, at := range whole.FindAllStringIndex(text, -1) {
		t, mapped := text[at[0]:at[1]], ""
		switch {
		case strings.Contains(t, "://"):
			mapped = r.address(t)
		case strings.Contains(t, "@"):
			mapped = r.mailboxAddress(t)
		case uuid.MatchString(t):
			mapped = r.uuid(t)
		case isRandom(t) || uuidIn(t) >= 0:
			r.originals.secret(t)
			mapped = r.invented(t)
		default:
			continue
		}
		b.WriteString(between(text[from:at[0]]))
		b.WriteString(mapped)
		from = at[1]
	}
	b.WriteString(between(text[from:]))
	return b.String()
}

// quoted maps one id, date, number or word of a message.
func (r *Redactor) quoted(t string) string {
	switch {
	case strings.Contains(t, "/") && t[0] >= 'A':
		return r.reference(t)
	case public[fold(t)]:
		return t
	case t[0] != '+' && !isDigit(t[0]) && !strings.ContainsAny(t, numerals):
		return r.phrase(diagnosis, t, nil)
	}
	if d, ok := r.date(t); ok && len(t) != 4 {
		return d
	}
	return r.number(t)
}

// number maps a number in a text, whatever its groups. Of four digits or less
// it may be any.
func (r *Redactor) number(t string) string {
	bare := squeeze(t)
	switch {
	case len(bare) < longNumber:
		return t
	case t[0] == '+' && !isDialled(t):
		return "+" + r.number(t[1:])
	case technicalForm.MatchString(t):
		return r.resourceID(t)
	case isDialled(t):
		r.count(phone)
		return r.phoneNumber(t)
	}
	for _, v := range []string{t, bare} {
		if mapped, ok := r.identifier("", v, ""); ok {
			return mapped
		}
	}
	if onlyDigits(bare) != bare {
		return r.phrase(diagnosis, t, nil)
	}
	return r.invented(bare)
}

// isDialled reports whether a number is written like a phone's: ten digits
// behind a zero, or what is dialled abroad.
func isDialled(t string) bool {
	digits := onlyDigits(t)
	abroad := t[0] == '+' || strings.HasPrefix(digits, "00")
	return !arhgosForm.MatchString(t) && (len(digits) == 10 && digits[0] == '0' && digits[1] != '0' || abroad && len(digits) >= 9)
}
