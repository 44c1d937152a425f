package redact

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/mockfhir/mockfhir/internal/synth"
)

// A kind says what a personal value is, for its pseudonym and for the report.
type kind string

// The kinds beside those of synth.
const (
	technicalID kind = "technical id"
	person      kind = "name of a person"
	label       kind = "name of a structure or product"
	addressLine kind = "address"
	city        kind = "city"
	postcode    kind = "postal code"
	mailbox     kind = "mailbox"
	phone       kind = "phone"
	serial      kind = "serial number"
	instant     kind = "time of day"
	bundleID    kind = "Bundle.id"
	pageToken   kind = "page token"
	secret      kind = "key or session"
	diagnosis   kind = "message"
)

func of(k synth.Kind) kind { return kind(k) }

// tweak separates the permutations of the kinds: one letter each would do, a
// whole name cannot be confused.
func (k kind) tweak() uint64 {
	var h uint64 = 14695981039346656037 // FNV-1a
	for i := range len(k) {
		h = (h ^ uint64(k[i])) * 1099511628211
	}
	return h
}

// in maps a number of a source space bijectively into the range of a kind.
// The permutation of class c is its own: classes may meet in the range, values
// of one class never do.
func (r *Redactor) in(k synth.Kind, size, class, x uint64) string {
	return synth.Value(k, r.keyed.permute(size, of(k).tweak()+class, x))
}

// hashed maps any text into the range of a kind, for numbers that are not
// written as the register writes them.
func (r *Redactor) hashed(k synth.Kind, size uint64, value string) string {
	return synth.Value(k, r.keyed.text(of(k).tweak(), value)%size)
}

func (r *Redactor) rpps(v string) string {
	// 1 + 9 digits + check; those of the register all begin with 10, so that
	// eight digits tell them apart.
	const size = 100_000_000
	if n, ok := number(v); ok && len(v) == 11 {
		return r.in(synth.RPPS, size, n/1_000_000_000, n/10%size)
	}
	return r.hashed(synth.RPPS, size, v)
}

// départements counts the codes a FINESS or ADELI number can begin with: two
// digits, or a digit and A or B.
const départements = 120

// départemental is the number of a FINESS or ADELI among all there can be.
func départemental(v string) (uint64, bool) {
	if len(v) != 9 {
		return 0, false
	}
	n, ok := number(v[2:8])
	code, isNumber := number(v[:2])
	if !isNumber {
		digit, isDigit := number(v[:1])
		code = 100 + 2*digit + uint64(v[1]-'A')
		ok = ok && isDigit && (v[1] == 'A' || v[1] == 'B')
	}
	_, checked := number(v[8:])
	return code*1_000_000 + n, ok && checked
}

func (r *Redactor) départemental(k synth.Kind, v string) string {
	const size = départements * 1_000_000
	if n, ok := départemental(strings.ToUpper(v)); ok {
		return r.in(k, size, 0, n)
	}
	return r.hashed(k, size, v)
}

func (r *Redactor) siren(v string) string {
	const size = 100_000_000
	if n, ok := number(v); ok && len(v) == 9 {
		return r.in(synth.SIREN, size, 0, n/10)
	}
	return r.hashed(synth.SIREN, size, v)
}

// siret keeps the number of the site.
func (r *Redactor) siret(v string) string {
	if _, ok := number(v); ok && len(v) == 14 && v[9:13] != "0000" {
		return withLuhn(r.siren(v[:9]) + v[9:13])
	}
	return r.hashed(synth.SIRET, 100_000_000*9999, v)
}

func withLuhn(s string) string {
	for d := byte('0'); d <= '9'; d++ {
		if whole := s + string(d); synth.Luhn(whole) {
			return whole
		}
	}
	panic("redact: one digit in ten is right")
}

// rang keeps the rank of the structure.
func (r *Redactor) rang(v string) string {
	if _, ok := number(v); ok && len(v) == 14 && v[11:] != "000" {
		return r.rpps(v[:11]) + v[11:]
	}
	return r.hashed(synth.RPPSRang, 100_000_000*999, v)
}

// idnps keeps the digit that says which register the number is of.
func (r *Redactor) idnps(v string) string {
	switch {
	case len(v) == 12 && v[0] == '8':
		return "8" + r.rpps(v[1:])
	case len(v) == 10 && v[0] == '0':
		return "0" + r.départemental(synth.ADELI, v[1:])
	}
	return "8" + r.rpps(v)
}

// idnst keeps the digit that says which register the number is of.
func (r *Redactor) idnst(v string) string {
	switch {
	case len(v) == 10 && v[0] == '1':
		return "1" + r.départemental(synth.FINESS, v[1:])
	case len(v) == 10 && v[0] == '2':
		return "2" + r.siren(v[1:])
	case len(v) == 15 && v[0] == '3':
		return "3" + r.siret(v[1:])
	case len(v) == 15 && v[0] == '4':
		return "4" + r.rang(v[1:])
	}
	return "1" + r.départemental(synth.FINESS, v)
}

func (r *Redactor) arhgos(v string) string {
	const size = 10_000_000_000
	region, rest, _ := strings.Cut(v, "-")
	former, sequence, _ := strings.Cut(rest, "-")
	a, ok1 := number(region)
	b, ok2 := number(former)
	n, ok3 := number(sequence)
	if ok1 && ok2 && ok3 && len(region) == 2 && len(former) == 2 {
		// Ours have longer sequences than the register's.
		return r.in(synth.ARHGOS, size, n/1_000_000, a*100_000_000+b*1_000_000+n%1_000_000)
	}
	return r.hashed(synth.ARHGOS, size, v)
}

func (r *Redactor) activity(v string) string {
	const size = 100_000_000
	if n, ok := number(v); ok && len(v) == 10 {
		return r.in(synth.Activity, size, n/size, n%size)
	}
	return r.hashed(synth.Activity, size, v)
}

func (r *Redactor) card(v string) string {
	const half = 1_000_000_000
	if n, ok := number(v); ok && len(v) == 10 {
		generation := n / half // 2 or 3: one to one
		return r.in(synth.Card, 2*half, generation/2, generation%2*half+n%half)
	}
	return r.hashed(synth.Card, 2*half, v)
}

var technicalForm = regexp.MustCompile(`^[0-9]{3}(-[0-9]{1,9}){1,3}$`)

// technical maps the id of a resource. Its first number says what it is, and
// 01 or 02 after 001 whether a structure is geographical or legal. The others
// are sequences below eight million (ans-api.md §4).
func (r *Redactor) technical(v string) string {
	const base, size = 40_000_000, 20_000_000
	tweak := technicalID.tweak()
	if !technicalForm.MatchString(v) {
		a, b := r.keyed.text(tweak, v), r.keyed.text(tweak+1, v)
		return "000-" + strconv.FormatUint(base+a%size, 10) + "-" + strconv.FormatUint(base+b%size, 10)
	}
	parts := strings.Split(v, "-")
	place := parts[0]
	for i, part := range parts[1:] {
		n, _ := number(part)
		switch {
		case i == 0 && place == "001" && (part == "01" || part == "02"):
			place += part
			continue
		case place == "004" && i == 1 && len(part) == 2: // the rank of a service
			n = r.keyed.permute(100, tweak+placeTweak(place, i), n)
			parts[i+1] = pad(n, 2)
		default:
			// A leading zero makes another id: it gets a permutation of its own.
			class := n/size<<8 | uint64(len(part)-len(strconv.FormatUint(n, 10)))
			n = r.keyed.permute(size, tweak+placeTweak(place, i)+class<<16, n%size)
			parts[i+1] = strconv.FormatUint(base+n, 10)
		}
	}
	return strings.Join(parts, "-")
}

func placeTweak(place string, i int) uint64 {
	return kind(place).tweak() + uint64(i)
}

func pad(n uint64, width int) string {
	s := strconv.FormatUint(n, 10)
	return strings.Repeat("0", max(0, width-len(s))) + s
}

// number reads a text of digits alone.
func number(s string) (uint64, bool) {
	if s == "" || len(s) > 18 {
		return 0, false
	}
	var n uint64
	for i := range len(s) {
		c := s[i] - '0'
		if c > 9 {
			return 0, false
		}
		n = 10*n + uint64(c)
	}
	return n, true
}

// isTechnical reports whether an id has the form of our pseudonyms.
func isTechnical(v string) bool {
	if !technicalForm.MatchString(v) {
		return false
	}
	parts := strings.Split(v, "-")
	for i, part := range parts[1:] {
		if i == 0 && parts[0] == "001" && (part == "01" || part == "02") || i == 1 && parts[0] == "004" && len(part) == 2 {
			continue
		}
		if n, _ := number(part); n < 40_000_000 || n >= 60_000_000 {
			return false
		}
	}
	return true
}

// register tells the kind of an identifier from its system, its form and the
// resource it stands in.
func (r *Redactor) register(system, value, resource string) synth.Kind {
	_, plain := number(value)
	switch system {
	case "urn:oid:1.2.250.1.71.4.2.1":
		return synth.IDNPS
	case "urn:oid:1.2.250.1.71.4.2.2":
		return synth.IDNST
	case "https://rpps.esante.gouv.fr", "http://rpps.fr", "https://rppsrang.esante.gouv.fr", "https://annuaire.sante.fr", "http://rpps.interne.esante.gouv.fr":
		switch {
		case plain && len(value) == 14:
			return synth.RPPSRang
		case plain && len(value) == 11:
			return synth.RPPS
		}
		return synth.Activity
	case "http://adeli.fr":
		return synth.ADELI
	case "https://finess.esante.gouv.fr", "http://finess.sante.gouv.fr":
		return synth.FINESS
	case "https://sirene.fr", "http://sirene.fr":
		if len(value) == 14 {
			return synth.SIRET
		}
		return synth.SIREN
	case "https://arhgos.ars.sante.fr", "https://arhgos.ars.sante.fr/":
		return synth.ARHGOS
	case "":
		return r.bare(value, resource)
	}
	return ""
}

// bare tells the kind of an identifier nobody named the system of, as in
// Organization?identifier=990000017. Nine characters may be a FINESS or a
// SIREN, fourteen a SIRET or the rank of an RPPS: what an answer showed of
// them decides, which is why answers are redacted before their requests.
func (r *Redactor) bare(value, resource string) synth.Kind {
	for _, k := range []synth.Kind{synth.FINESS, synth.SIREN, synth.SIRET, synth.RPPSRang, synth.ADELI} {
		if r.met[k][r.fingerprint(value)] {
			return k
		}
	}
	_, plain := number(value)
	switch {
	case arhgosForm.MatchString(value):
		return synth.ARHGOS
	case plain && len(value) == 12, plain && len(value) == 10 && resource == "Practitioner":
		return synth.IDNPS
	case plain && len(value) == 11:
		return synth.RPPS
	case len(value) == 10 && resource == "Organization", plain && len(value) == 15:
		return synth.IDNST
	case plain && len(value) == 10:
		return synth.Activity
	case plain && len(value) == 14 && synth.Luhn(value):
		return synth.SIRET
	case plain && len(value) == 14:
		return synth.RPPSRang
	}
	if _, ok := départemental(strings.ToUpper(value)); ok {
		return synth.FINESS
	}
	return ""
}

var arhgosForm = regexp.MustCompile(`^[0-9]{2}-[0-9]{2}-[0-9]{1,9}$`)

// identifier maps a business identifier; false when nothing is known of its
// system, and it cannot stay.
func (r *Redactor) identifier(system, value, resource string) (string, bool) {
	k := r.register(system, value, resource)
	var mapped string
	switch k {
	case synth.RPPS:
		mapped = r.rpps(value)
	case synth.IDNPS:
		mapped = r.idnps(value)
	case synth.IDNST:
		mapped = r.idnst(value)
	case synth.ADELI, synth.FINESS:
		mapped = r.départemental(k, value)
	case synth.SIREN:
		mapped = r.siren(value)
	case synth.SIRET:
		mapped = r.siret(value)
	case synth.RPPSRang:
		mapped = r.rang(value)
	case synth.ARHGOS:
		mapped = r.arhgos(value)
	case synth.Activity:
		mapped = r.activity(value)
	default:
		r.originals.number(value)
		return "", false
	}
	r.originals.number(value)
	if r.met[k] == nil {
		r.met[k] = map[uint64]bool{}
	}
	if len(r.met[k]) < maxMet {
		r.met[k][r.fingerprint(value)] = true
	}
	r.count(of(k))
	return mapped, true
}

// maxMet bounds what is remembered to tell bare identifiers apart.
const maxMet = 1 << 20
