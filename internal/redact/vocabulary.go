package redact

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/fhirschema"
	"github.com/mockfhir/mockfhir/internal/synth"
)

// What is kept word for word because a specification lists it: the last scan
// passes over it where it belongs, and nowhere else, for people are called
// Fort, Legal or Accept too.

// r4Codes are the codes of the elements R4 binds to a closed list.
var r4Codes = words(`usual official temp secondary old nickname anonymous maiden home work mobile billing
	active inactive entered-in-error unknown generated extensions additional empty male female other
	searchset batch-response history collection document message transaction transaction-response batch postal physical both
	match include outcome server client instance kind fatal error warning information self first previous prev next last
	phone fax email pager url sms other
	invalid structure required value invariant security login expired forbidden suppressed processing not-supported duplicate
	multiple-matches not-found deleted too-long code-invalid extension too-costly business-rule conflict transient lock-error
	no-store exception timeout incomplete throttled informational true false`)

// guideCodes are those of ANS's guide that are in no nomenclature (ans-api.md
// §4.1).
var guideCodes = words(`RPPS IDNPS ADELI INTRN IDNST FINEG FINEJ FINESS SIREN SIRET RPPSRG ARHGOS PRN
	GEOGRAPHICAL-ENTITY LEGAL-ENTITY MSSANTE SUBSETTED CG MSS
	organizationType secteurActiviteRASS statutJuridiqueINSEE sphParticipation typeEtablissement categorieEtablissementRASS activiteINSEE`)

// summaryDisplay is that of SUBSETTED.
const summaryDisplay = "Resource encoded in summary mode"

// guideParts are the URLs of the parts of ANS's extensions (ans-api.md §4.1).
var guideParts = words(`type number period phone digitization description service responsible listeRouge field profession oppositionDate
	systeme-information autorite-enregistrement date-maj-ae dateAuthorization periodAuthorization dateUpdateAuthorization deletedAuthorization
	dateFirstInstallation dateLastInstallation deletedInstallation authorizedAgeRange installedAgeRange endDate indicator
	capacityAvailable femaleCapacityAvailable maleCapacityAvailable socialAssistanceCapacityAvailable
	installedCapacity femaleInstalledCapacity maleInstalledCapacity socialAssistanceInstalledCapacity`)

// published holds, folded, the words of the addresses of systems, profiles and
// extensions: those of ANS's guides, of its nomenclatures, of R4 and HL7 France.
var published = sync.OnceValue(func() map[string]bool {
	m := words(`interop mos smt annuaire rpps rppsrang interne adeli finess sirene insee arhgos ars interopsante terminology loinc snomed info unitsofmeasure
		sante gouv fr org ig nos tre jdv ass donnee publique as dp ext sp cs vs r g v iso adxp
		searchparameter valueset conceptmap namingsystem operationdefinition individual observationvalue actreason nullflavor ucum sct
		metadata smartcard mailbox mss equipment social trace authorization deadline closing licence pharmacy pricing model patient installation supported
		capacity types healthcare activity commune etablissement systeme information competence metier activite sociale regulee public smsse system registration authority
		rass apifhir ws sync exposed portail portal openfhir preprod healthcareactivity socialequipment mailboxmss fraddressinseecode communeom exercice
		subscription special values asserverdpcapabilitystatement point streetnametype streetnamebase housenumber buildingnumbersuffix postbox additionallocator careof
		short raison lieu dit budget ballot draft snapshot preview equipement`)
	for name := range members() {
		m[fold(name)] = true
	}
	for _, typ := range fhirschema.ResourceTypes() {
		m[fold(typ)] = true
	}
	for system := range synth.CodeSystems() {
		for _, w := range strings.FieldsFunc(system, isNoLetter) {
			m[fold(w)] = true
		}
	}
	return m
})

func isNoLetter(c rune) bool { return !unicode.IsLetter(c) }

var addressOfWords = regexp.MustCompile(`^[A-Za-z0-9/_.|-]+$`)

// isPublished reports whether host and path of an address hold nothing but
// published words, and numbers as short as a table's or version's.
func isPublished(address string) bool {
	if !addressOfWords.MatchString(address) || digitRun.MatchString(address) || len(onlyDigits(address)) > 8 {
		return false
	}
	for w := range strings.FieldsFuncSeq(address, isNoLetter) {
		if w = fold(w); !published()[w] && !public[w] {
			return false
		}
	}
	return true
}

// isKnownCode reports whether a code is in a list somebody published.
func isKnownCode(v string) bool { return r4Codes[v] || guideCodes[v] || synth.IsCode(v) }

// isKnown reports whether the value of a member is one that is listed for it.
func isKnown(member, v string) bool {
	switch member {
	case "code", "valueCode":
		return isKnownCode(v)
	case "display":
		return isKnownCode(v) || v == summaryDisplay
	case "use", "status", "type", "mode", "severity", "relation", "system":
		return r4Codes[v] || fhirschema.KnownResource(v)
	case "resourceType":
		return fhirschema.KnownResource(v)
	case "url":
		return guideParts[v]
	case "prefix", "suffix":
		return civilities[v]
	case "country":
		return v == "FRANCE"
	}
	return false
}

// language is a tag of BCP 47 with a region at most.
var language = regexp.MustCompile(`^(fr|en|de|es|it|nl|pt)(-[A-Z]{2})?$`)

// codeParameters are the search parameters for codes.
var codeParameters = sync.OnceValue(func() map[string]bool {
	m := map[string]bool{}
	for _, t := range fixtures.DefaultTable().Types {
		for _, p := range t.Params {
			if p.Kind == fixtures.Token {
				m[p.Name] = true
			}
		}
	}
	for name := range words("_id identifier number-smartcard mailbox-mss") {
		delete(m, name)
	}
	return m
})

// mediaTypes are those the service and its gateway know.
var mediaTypes = words(`*/* application/* application/fhir+json application/fhir+xml application/json application/xml
	application/json+fhir application/xml+fhir application/x-www-form-urlencoded text/html text/plain text/xml text/*`)

var (
	mediaParameter = regexp.MustCompile(`(?i)^(charset="?(utf-8|iso-8859-1|us-ascii)"?|q=[01](\.[0-9]{0,3})?|fhirversion=[0-9]\.[0-9])$`)
	headerNumber   = regexp.MustCompile(`^[0-9]{1,6}$`)
	headerDate     = regexp.MustCompile(`^[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT$`)
	challenge      = regexp.MustCompile(`^(Basic|Bearer|Digest|Key|Negotiate)( realm="?(gravitee\.io|esante|fhir)?"?)?$`)
	product        = regexp.MustCompile(`^(?i:apache|apache-coyote|nginx|tomcat|jetty|gravitee|gravitee\.io|envoy|varnish|cloudflare|hapi)(/[0-9.]{1,12})?$`)
)

var (
	methods     = words("GET HEAD POST PUT PATCH DELETE OPTIONS TRACE CONNECT")
	connections = words("keep-alive close upgrade")
	varied      = words(`* accept accept-charset accept-encoding accept-language authorization cookie esante-api-key origin prefer user-agent
		x-gravitee-api-key access-control-request-headers access-control-request-method`)
)

// headerRules say, by header, what a value may be to be kept.
var headerRules = map[string]func(v string) bool{
	"Accept":                           listOf(isMediaType),
	"Content-Type":                     isMediaType,
	"Allow":                            listOf(func(v string) bool { return methods[v] }),
	http.CanonicalHeaderKey(KeyHeader): func(v string) bool { return v == fixtures.KeyPlaceholder || v == UnknownKey || v == "" },
	"Connection":                       listOf(func(v string) bool { return connections[strings.ToLower(v)] }),
	"Vary":                             listOf(func(v string) bool { return varied[strings.ToLower(v)] }),
	"Retry-After":                      func(v string) bool { return headerNumber.MatchString(v) || isHTTPDate(v) },
	"Server":                           product.MatchString,
	"WWW-Authenticate":                 challenge.MatchString,
	"X-Quota-Limit":                    headerNumber.MatchString,
	"X-Rate-Limit-Limit":               headerNumber.MatchString,
	"X-Spike-Arrest-Limit":             headerNumber.MatchString,
}

func listOf(ok func(string) bool) func(string) bool {
	return func(v string) bool {
		return !slices.ContainsFunc(strings.Split(v, ","), func(item string) bool { return !ok(strings.TrimSpace(item)) })
	}
}

func isHTTPDate(v string) bool {
	_, err := http.ParseTime(v)
	return err == nil && headerDate.MatchString(v)
}

// isMediaType reports whether a value is a media type that is known, with no
// parameter but those that say how it is written and how much it is wanted.
func isMediaType(v string) bool {
	name, rest, more := strings.Cut(v, ";")
	if !mediaTypes[strings.ToLower(strings.TrimSpace(name))] {
		return false
	}
	for more {
		var parameter string
		parameter, rest, more = strings.Cut(rest, ";")
		if parameter = strings.TrimSpace(parameter); !mediaParameter.MatchString(parameter) && parameter != "" {
			return false
		}
	}
	return true
}

// isHead reports whether a line of the head of an exchange is one of those
// that say nothing of anybody: a status, or a header by its rule.
func isHead(line string) bool {
	if code, text, ok := strings.Cut(line, " "); ok {
		if status, err := strconv.Atoi(code); err == nil && text == http.StatusText(status) {
			return true
		}
	}
	name, v, ok := strings.Cut(line, ": ")
	rule := headerRules[name]
	return ok && rule != nil && rule(v)
}
