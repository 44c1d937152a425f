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
	search page history metadata index medical mssante arhgos finess rpps adeli idnps idnst siren siret insee origin key page
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

// token finds what a message may quote: addresses, mailboxes, ids, numbers,
// words.
var token = regexp.MustCompile(`https?://[^\s"'<>]+|[^\s"'<>=:;,()]+@[^\s"'<>,;()]+|[A-Za-z]+/[0-9]{3}(?:-[0-9]+)+|[0-9]{3}(?:-[0-9]+){1,3}|[0-9]{2}-[0-9]{2}-[0-9]{3,9}|[0-9]{4}-[0-9]{2}-[0-9]{2}[0-9T:.+Z-]*|[0-9A-Z]*[0-9][0-9A-Z]{4,}|\+?[0-9][0-9 .-]{8,}[0-9]|[\p{L}\p{M}]+(?:'[\p{L}\p{M}]+)?|[0-9]+`)

// message maps a text written for people: words that are public stay, and what
// it quotes of a request or a resource becomes what it is there.
func (r *Redactor) message(text string) string {
	mapped := token.ReplaceAllStringFunc(text, func(t string) string {
		switch {
		case strings.HasPrefix(t, "http://"), strings.HasPrefix(t, "https://"):
			mapped, _ := r.link(t)
			return mapped
		case strings.Contains(t, "@"):
			return r.mailboxAddress(t)
		case strings.Contains(t, "/"):
			return r.reference(t)
		case technicalForm.MatchString(t):
			return r.resourceID(t)
		}
		if d, ok := r.date(t); ok && len(t) != 4 {
			return d
		}
		first := t[0]
		switch {
		case first >= '0' && first <= '9' || first == '+' || strings.ContainsAny(t, "0123456789"):
			return r.quotedNumber(t)
		case public[fold(t)]:
			return t
		}
		return r.phrase(diagnosis, t, nil)
	})
	if mapped != text {
		r.count(diagnosis)
	}
	return mapped
}

// quotedNumber maps a number in a message.
func (r *Redactor) quotedNumber(t string) string {
	if len(t) < longNumber {
		return t
	}
	if mapped, ok := r.identifier("", t, ""); ok {
		return mapped
	}
	if digits := onlyDigits(t); len(digits) >= 9 {
		return r.phoneNumber(t)
	}
	return r.phrase(diagnosis, t, nil)
}
