package redact

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/mockfhir/mockfhir/fixtures"
)

// link maps an address of the service, wherever it stands, to the placeholder
// of its origin; false for an address that is none of its own and no canonical
// URL either.
func (r *Redactor) link(address string) (string, bool) {
	if strings.HasPrefix(address, "/") {
		return r.target(address), true
	}
	scheme, rest, found := strings.Cut(address, "://")
	if !found || scheme != "http" && scheme != "https" {
		return "", false
	}
	host, path, _ := strings.Cut(rest, "/")
	at := strings.Index("/"+path, contextPath+"/")
	if at < 0 && strings.HasSuffix("/"+path, contextPath) {
		at = len("/"+path) - len(contextPath)
	}
	switch {
	case at >= 0 && !publicHost(host):
		if !strings.EqualFold(host, r.host) {
			r.count("link to another host")
		}
		return fixtures.OriginPlaceholder + r.target(("/" + path)[at:]), true
	case strings.EqualFold(host, r.host):
		return fixtures.OriginPlaceholder + r.target("/"+path), true
	}
	return r.canonical(address)
}

// address maps any address: one that is neither the service's nor published
// becomes one of a domain nobody can have (RFC 2606). Who may enter goes, and
// so does the port.
func (r *Redactor) address(v string) string {
	if mapped, ok := r.link(v); ok {
		return mapped
	}
	r.count("address of another host")
	scheme, rest, _ := strings.Cut(v, "://")
	if scheme != "" {
		scheme = "https"
	}
	end := strings.IndexAny(rest+"/", "/?#")
	host, path := rest[:end], rest[end:]
	host, _, _ = strings.Cut(host[strings.LastIndexByte(host, '@')+1:], ":")
	return scheme + "://" + r.domain(host) + encodeLike(path, r.message(Unescape(path)))
}

// contextPath begins the path of every address of the service.
const contextPath = "/fhir"

// publishers end the hosts of systems, profiles and extensions. Whatever else
// looks like an address may be somebody's.
var publishers = []string{"esante.gouv.fr", "sante.gouv.fr", "sante.fr", "hl7.org", "hl7.fr", "interopsante.org", "sirene.fr", "insee.fr", "rpps.fr", "adeli.fr", "loinc.org", "snomed.info", "unitsofmeasure.org"}

func publicHost(host string) bool {
	for _, p := range publishers {
		if strings.HasSuffix(host, "."+p) || host == p {
			return !strings.HasPrefix(host, "gateway.")
		}
	}
	return false
}

var (
	oid      = regexp.MustCompile(`^urn:oid:[0-9.]{3,60}$`)
	digitRun = regexp.MustCompile(`[0-9]{6}`)
)

// canonical lets the URLs of systems, profiles and extensions pass that are
// made of published words alone.
func (r *Redactor) canonical(address string) (string, bool) {
	if ok, known := r.canonicals[address]; known {
		return address, ok
	}
	scheme, rest, found := strings.Cut(address, "://")
	host, _, _ := strings.Cut(rest, "/")
	ok := oid.MatchString(address) || found && (scheme == "http" || scheme == "https") && publicHost(host) && isPublished(rest)
	if len(r.canonicals) < 10_000 {
		r.canonicals[strings.Clone(address)] = ok
	}
	return address, ok
}

// target maps the path and query of a request, or of a link.
func (r *Redactor) target(target string) string {
	path, query, asked := strings.Cut(target, "?")
	segments := strings.Split(path, "/")
	typ := ""
	for i, raw := range segments {
		plain, err := url.PathUnescape(raw)
		if err != nil {
			plain = raw
		}
		switch {
		case plain == "" || public[fold(plain)] || pathWord.MatchString(plain):
			if fixtures.DefaultTable().Type(plain) != nil {
				typ = plain
			}
		case typ != "" && segments[i-1] == typ:
			segments[i] = encodeLike(raw, r.resourceID(plain))
		default:
			segments[i] = encodeLike(raw, r.message(plain))
		}
	}
	mapped := strings.Join(segments, "/")
	if asked {
		if query = r.query(typ, query, strings.HasSuffix(path, "/_page")); query != "" || strings.HasSuffix(target, "?") {
			mapped += "?" + query
		}
	}
	return mapped
}

var pathWord = regexp.MustCompile(`^(v[0-9]{1,2}|fhir|metadata|_search|_page|_history|\$index(-status)?)$`)

// encodeLike writes a mapped value the way the raw one was written: what it
// had left unencoded stays so.
func encodeLike(raw, mapped string) string {
	var b strings.Builder
	for i := range len(mapped) {
		c := mapped[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-._~", c) >= 0:
			b.WriteByte(c)
		case strings.IndexByte(":/|,@$*!'();{}=?&#", c) >= 0 && strings.IndexByte(raw, c) >= 0:
			b.WriteByte(c)
		case c == ' ' && strings.IndexByte(raw, '+') >= 0:
			b.WriteByte('+')
		default:
			b.WriteString("%" + strings.ToUpper(strconv.FormatUint(uint64(c)|0x100, 16)[1:]))
		}
	}
	return b.String()
}

// keyNames are parameters that carry a key; Gravitee reads api-key.
var keyNames = words("api-key apikey esante-api-key x-api-key x-gravitee-api-key key token access_token")

// query maps the parameters of a search, a form, or a link to a page.
func (r *Redactor) query(typ, query string, page bool) string {
	var pieces []string
	for piece := range strings.SplitSeq(query, "&") {
		rawName, rawValue, given := strings.Cut(piece, "=")
		name := Unescape(rawName)
		if keyNames[strings.ToLower(name)] {
			r.count(secret)
			continue
		}
		mappedName := rawName
		if !r.isParameterName(name) {
			mappedName = encodeLike(rawName, r.message(name))
		}
		if !given {
			pieces = append(pieces, mappedName)
			continue
		}
		value := Unescape(rawValue)
		mapped := ""
		if page && name == "id" {
			mapped = r.page(rawValue)
		} else if mapped = r.parameter(typ, name, value); mapped == value {
			mapped = rawValue
		} else {
			mapped = encodeLike(rawValue, mapped)
		}
		pieces = append(pieces, mappedName+"="+mapped)
	}
	return strings.Join(pieces, "&")
}

// Unescape decodes a piece of a query; one that cannot be decoded stays as it is.
func Unescape(raw string) string {
	if plain, err := url.QueryUnescape(raw); err == nil {
		return plain
	}
	return raw
}

// page maps a page token to the placeholder that a server fills with a token
// of its own. What is too short for one is kept: the requests of errors.
func (r *Redactor) page(token string) string {
	if plain := Unescape(token); plain != token {
		token = plain
	}
	if len(token) <= 12 && public[fold(token)] || len(token) <= 1 {
		return token
	}
	r.count(pageToken)
	r.originals.secret(token)
	return fixtures.PagePlaceholder + strconv.FormatUint(r.keyed.text(pageToken.tweak(), token)|1<<63, 36) + "}"
}

var parameterName = regexp.MustCompile(`^[A-Za-z_][A-Za-z._-]{0,60}(:[A-Za-z]{1,30}(\.[A-Za-z._-]{1,60})?)?$`)

// isParameterName reports whether every word of a name is public.
func (r *Redactor) isParameterName(name string) bool {
	if !parameterName.MatchString(name) {
		return false
	}
	for _, w := range strings.FieldsFunc(name, func(c rune) bool { return strings.ContainsRune("._:-", c) }) {
		if !public[fold(w)] {
			return false
		}
	}
	return true
}

var controlValue = regexp.MustCompile(`^[A-Za-z0-9:_,.*/+ -]{0,300}$`)

// parameter maps the value of one parameter.
func (r *Redactor) parameter(typ, name, value string) string {
	if strings.HasPrefix(name, "_") && name != "_id" && name != "_lastUpdated" && name != "_profile" {
		if controlValue.MatchString(value) && !digitRun.MatchString(value) && len(onlyDigits(value)) < shortNumber && r.publicValue(value) {
			return value
		}
		return r.message(value)
	}
	base, _, _ := strings.Cut(name, ":")
	if dot := strings.LastIndexByte(name, '.'); dot > 0 { // organization.identifier
		typ, base = chained(typ, name[:dot]), name[dot+1:]
	}
	values := strings.Split(value, ",")
	for i, v := range values {
		values[i] = r.criterion(typ, base, v)
	}
	return strings.Join(values, ",")
}

// publicValue reports whether all words of a value are.
func (r *Redactor) publicValue(value string) bool {
	for _, w := range strings.FieldsFunc(value, func(c rune) bool { return runeClass(c) != 1 }) {
		if !public[fold(w)] {
			return false
		}
	}
	return true
}

// chained is the type a reference parameter leads to.
func chained(typ, reference string) string {
	name, target, _ := strings.Cut(reference, ":")
	if target != "" {
		return target
	}
	if p := fixtures.DefaultTable().Type(typ).Param(name); p != nil && len(p.Targets) > 0 {
		return p.Targets[0]
	}
	return ""
}

// criterion maps one value of one search parameter by what the parameter is about.
func (r *Redactor) criterion(typ, base, v string) string {
	if v == "" || v == "|" {
		return v
	}
	switch {
	case base == "_id":
		return r.resourceID(v)
	case base == "identifier":
		return r.identifierToken(typ, v)
	case base == "family" || base == "given" || base == "name" && typ == "Practitioner":
		r.count(person)
		return r.phrase(person, v, nil)
	case base == "name" || base == "manufacturer" || base == "model":
		r.count(label)
		return r.phrase(label, v, kept)
	case base == "address-city":
		return r.cityName(v)
	case base == "address-postalcode":
		return r.postal(v)
	case strings.HasPrefix(base, "address"):
		return r.addressValue(v)
	case base == "mailbox-mss" && len(onlyDigits(v)) >= longNumber && !strings.ContainsFunc(v, isWritten): // it looks into phones too
		r.count(phone)
		return r.phoneNumber(v)
	case base == "mailbox-mss":
		r.count(mailbox)
		return r.mailboxes(v)
	case base == "number-smartcard":
		return r.cardNumber(v)
	case base == "pharmacy-licence":
		return r.licence(v)
	case base == "serial-number":
		return r.serialNumber(v)
	}
	param := fixtures.DefaultTable().Type(typ).Param(base)
	if param == nil {
		return r.message(v)
	}
	switch param.Kind {
	case fixtures.Date:
		return r.dateCriterion(v)
	case fixtures.Reference:
		return r.reference(v)
	case fixtures.Token, fixtures.URI:
		return r.codeToken(v)
	}
	return r.message(v)
}

func (r *Redactor) postal(v string) string {
	if mapped, ok := r.areaCode(v); ok {
		return mapped
	}
	return r.phrase(addressLine, v, nil)
}

// addressValue: the parameter address looks into cities, codes and countries.
func (r *Redactor) addressValue(v string) string {
	if mapped, ok := r.areaCode(v); ok {
		return mapped
	}
	return r.cityName(v)
}

func (r *Redactor) identifierToken(typ, v string) string {
	system, value, has := strings.Cut(v, "|")
	if !has {
		system, value = "", v
	}
	if value == "" {
		// any number of the system
	} else if mapped, ok := r.identifier(system, value, typ); ok {
		value = mapped
	} else {
		value = r.message(value)
	}
	if !has {
		return value
	}
	return r.systemOf(system) + "|" + value
}

func (r *Redactor) systemOf(system string) string {
	if mapped, ok := r.canonical(system); ok || system == "" {
		return mapped
	}
	return r.message(system)
}

func (r *Redactor) codeToken(v string) string {
	system, code, has := strings.Cut(v, "|")
	if !has {
		if mapped, ok := r.canonical(v); ok {
			return mapped
		}
		system, code = "", v
	}
	if code != "" && !(isKnownCode(code) || r.codes[r.fingerprint(code)]) {
		code = r.message(code)
	}
	if !has {
		return code
	}
	return r.systemOf(system) + "|" + code
}

// datePrefix compares (R4, search.html#prefix).
var datePrefix = regexp.MustCompile(`^(eq|ne|gt|ge|lt|le|sa|eb|ap)[0-9]`)

// dateCriterion maps what is no date like a word, whole: an answer quotes it.
func (r *Redactor) dateCriterion(v string) string {
	prefix, day := "", v
	if datePrefix.MatchString(v) {
		prefix, day = v[:2], v[2:]
	}
	if mapped, ok := r.date(day); ok {
		return prefix + mapped
	}
	return r.message(v)
}

// reference maps "Practitioner/003-…", a bare id, or an address.
func (r *Redactor) reference(v string) string {
	if strings.Contains(v, "://") {
		return r.address(v)
	}
	if rest, ok := strings.CutPrefix(v, "#"); ok {
		return "#" + r.resourceID(rest)
	}
	typ, id, found := strings.Cut(v, "/")
	if !found {
		return r.resourceID(v)
	}
	if !public[fold(typ)] {
		typ = r.message(typ)
	}
	id, version, versioned := strings.Cut(id, "/_history/")
	mapped := typ + "/" + r.resourceID(id)
	if versioned && len(version) < 5 {
		mapped += "/_history/" + version
	}
	return mapped
}

func (r *Redactor) resourceID(v string) string {
	r.count(technicalID)
	r.originals.number(v)
	return r.technical(v)
}
