package synth

import (
	"fmt"
	"strconv"
	"strings"
)

// A Kind names a family of identifiers.
type Kind string

// The identifiers of the directory.
const (
	RPPS           Kind = "RPPS"            // practitioner, national
	IDNPS          Kind = "IDNPS"           // practitioner, interoperability form: 8 + RPPS
	ADELI          Kind = "ADELI"           // practitioner, retired register
	FINESS         Kind = "FINESS"          // establishment, legal or geographical
	SIREN          Kind = "SIREN"           // legal unit
	SIRET          Kind = "SIRET"           // site of a legal unit
	RPPSRang       Kind = "RPPS rang"       // structure known through its practitioner
	IDNST          Kind = "IDNST"           // structure, interoperability form
	ARHGOS         Kind = "ARHGOS"          // authorisation of an activity or of heavy equipment
	Activity       Kind = "activity"        // situation of exercise: PractitionerRole.identifier
	Card           Kind = "card"            // CPx card number
	Licence        Kind = "licence"         // pharmacy licence
	PractitionerID Kind = "Practitioner.id" // technical ids
	RoleID         Kind = "PractitionerRole.id"
	GeographicalID Kind = "Organization.id EG"
	LegalID        Kind = "Organization.id EJ"
	ServiceID      Kind = "HealthcareService.id"
	DeviceID       Kind = "Device.id"
)

// Handmade is how many values at the start of each range are kept for what is
// written by hand (personas, guide probes, oddities). Generated directories
// begin after them, so both can live in one set.
const Handmade = 10_000

// A Range is the part of an identifier's space that is ours: Size values,
// numbered from 0, none of which a real register hands out.
type Range struct {
	Kind    Kind
	Size    uint64
	Pattern string // what the values look like
	Check   string // the check digit, or ""
	Why     string // why no real register uses it

	format func(n uint64) string
	index  func(value string) (uint64, bool)
}

// Value returns the n-th value of the range. Different n below Size give
// different values; a larger n wraps around.
func (r Range) Value(n uint64) string { return r.format(n % r.Size) }

// Index returns the number of a value, and whether it is in the range at all.
func (r Range) Index(value string) (uint64, bool) {
	n, ok := r.index(value)
	if !ok || n >= r.Size || r.format(n) != value {
		return 0, false
	}
	return n, true
}

// technicalBase is the first number of our technical ids. The service numbers
// its resources in sequence; the largest seen in public are below 8 million
// (005-69329-7187020).
const technicalBase, technicalSize = 40_000_000, 20_000_000

// Ranges is the one table of fictitious identifiers.
var Ranges = []Range{
	{
		Kind: RPPS, Size: 100_000_000, Pattern: "19nnnnnnnnK", Check: "Luhn on 11 digits",
		Why:    "RPPS numbers are handed out in sequence from 10000000000; two million people later they still begin with 10, and 19 is nine hundred million numbers away.",
		format: func(n uint64) string { return luhn("19" + pad(n, 8)) },
		index:  func(v string) (uint64, bool) { return digits(v, "19", 8, 1) },
	},
	{
		Kind: IDNPS, Size: 100_000_000, Pattern: "819nnnnnnnnK", Check: "that of the RPPS",
		Why:    "8 followed by an RPPS of ours.",
		format: func(n uint64) string { return "8" + Value(RPPS, n) },
		index:  func(v string) (uint64, bool) { return digits(v, "819", 8, 1) },
	},
	{
		Kind: ADELI, Size: 120_000_000, Pattern: "ddnnnnnnK, dd from 96, 00, 0A, 0B, 1A … 9B without 2A and 2B, then 0C … 9I and A0 … C9", Check: "Luhn on 9 characters, A to I counting 1 to 9",
		Why:    "An ADELI number begins with its département: 96 and 00 are none, and of the codes with a letter only 2A and 2B (Corsica) exist. The register itself is closed. The range holds as many numbers as there can be, so that a recording's map into it one to one.",
		format: func(n uint64) string { return départemental(n) },
		index:  départementalIndex,
	},
	{
		Kind: FINESS, Size: 120_000_000, Pattern: "ddnnnnnnK, dd from 96, 00, 0A, 0B, 1A … 9B without 2A and 2B, then 0C … 9I and A0 … C9", Check: "Luhn on 9 characters, A to I counting 1 to 9",
		Why:    "A FINESS number begins with its département: 96 and 00 are none, and of the codes with a letter only 2A and 2B (Corsica) exist. The two all-digit million come first. The range holds as many numbers as there can be, so that a recording's map into it one to one.",
		format: func(n uint64) string { return départemental(n) },
		index:  départementalIndex,
	},
	{
		Kind: SIREN, Size: 100_000_000, Pattern: "0nnnnnnnK, from 09999999K downwards, then AnnnnnnnK to InnnnnnnK", Check: "Luhn on 9 characters, A to I counting 1 to 9",
		Why: "INSEE serves companies in sequence from 3 upwards and public bodies from 1 and 2; a leading 0 is a remnant of registrations before 1973. No leading digit is quite empty of old units, so ours are taken from the far end, 0999…, downwards. Every other SIREN of digits may be somebody's: the nine tenths of the range that only recordings need begin with a letter.",
		format: func(n uint64) string {
			if n < 10_000_000 {
				return luhn("0" + pad(9_999_999-n, 7))
			}
			return luhn(string(rune('A'+n/10_000_000-1)) + pad(n%10_000_000, 7))
		},
		index: func(v string) (uint64, bool) {
			if n, ok := digits(v, "0", 7, 1); ok {
				return 9_999_999 - n, true
			}
			if v == "" || v[0] < 'A' || v[0] > 'I' {
				return 0, false
			}
			n, ok := digits(v, v[:1], 7, 1)
			return uint64(v[0]-'A'+1)*10_000_000 + n, ok
		},
	},
	{
		Kind: SIRET, Size: 100_000_000 * 9999, Pattern: "a SIREN of ours + nnnnK", Check: "Luhn on 14 characters, and on the SIREN",
		Why: "A SIREN of ours followed by the number of the site, 0001 and up.",
		format: func(n uint64) string {
			const few, many = 10_000_000, 90_000_000 // SIRENs of digits, and with a letter
			if n < few*9999 {
				return luhn(Value(SIREN, n%few) + pad(n/few+1, 4))
			}
			n -= few * 9999
			return luhn(Value(SIREN, few+n%many) + pad(n/many+1, 4))
		},
		index: func(v string) (uint64, bool) {
			const few, many = 10_000_000, 90_000_000
			if len(v) != 14 {
				return 0, false
			}
			unit, ok := Index(SIREN, v[:9])
			site, err := strconv.ParseUint(v[9:13], 10, 64)
			ok = ok && err == nil && site > 0
			if unit < few {
				return (site-1)*few + unit, ok
			}
			return few*9999 + (site-1)*many + unit - few, ok
		},
	},
	{
		Kind: RPPSRang, Size: 100_000_000 * 999, Pattern: "an RPPS of ours + nnn", Check: "that of the RPPS",
		Why:    "An RPPS of ours followed by the rank of the structure, 001 and up.",
		format: func(n uint64) string { return Value(RPPS, n%100_000_000) + pad(n/100_000_000+1, 3) },
		index: func(v string) (uint64, bool) {
			if len(v) != 14 {
				return 0, false
			}
			person, ok := Index(RPPS, v[:11])
			rank, err := strconv.ParseUint(v[11:], 10, 64)
			return (rank-1)*100_000_000 + person, ok && err == nil && rank > 0
		},
	},
	{
		Kind: IDNST, Size: 20_000_000, Pattern: "1 + FINESS; Contains also takes 2 + SIREN, 3 + SIRET, 4 + RPPS rang", Check: "that of the number behind the first digit",
		Why:    "The digit says where the number comes from; the number is one of ours.",
		format: func(n uint64) string { return "1" + Value(FINESS, n) },
		index: func(v string) (uint64, bool) {
			rest, ok := strings.CutPrefix(v, "1")
			n, in := Index(FINESS, rest)
			return n, ok && in
		},
	},
	{
		Kind: ARHGOS, Size: 10_000_000_000, Pattern: "00-rr-nnnnnnnn, from 00-00-40000000 on",
		Why: "An ARHGOS number is region, former region, sequence: no region is 00, and the sequence has at most six digits (93-93-67204).",
		format: func(n uint64) string {
			n = (n + technicalBase) % 10_000_000_000
			return "00-" + pad(n/100_000_000, 2) + "-" + pad(n%100_000_000, 8)
		},
		index: func(v string) (uint64, bool) {
			if len(v) != 14 || v[5] != '-' {
				return 0, false
			}
			n, ok := digits(v[:5]+v[6:], "00-", 10, 0)
			return (n + 10_000_000_000 - technicalBase) % 10_000_000_000, ok
		},
	},
	{
		Kind: Activity, Size: 100_000_000, Pattern: "19nnnnnnnn",
		Why:    "Activity identifiers are ten digits in sequence, 1001500032 to 1013186038 in what ANS published; 19 is eight hundred million numbers away.",
		format: func(n uint64) string { return "19" + pad(n, 8) },
		index:  func(v string) (uint64, bool) { return digits(v, "19", 8, 0) },
	},
	{
		Kind: Card, Size: 2_000_000_000, Pattern: "9nnnnnnnnn, from 9900000000 on, then 8nnnnnnnnn",
		Why: "Card numbers are ten digits that begin with the generation of the card, 2 or 3 (3100345668); none begins with 9 or 8.",
		format: func(n uint64) string {
			if n >= 1_000_000_000 {
				return "8" + pad(n-1_000_000_000, 9)
			}
			return "9" + pad((n+900_000_000)%1_000_000_000, 9)
		},
		index: func(v string) (uint64, bool) {
			if n, ok := digits(v, "9", 9, 0); ok {
				return (n + 100_000_000) % 1_000_000_000, true
			}
			n, ok := digits(v, "8", 9, 0)
			return n + 1_000_000_000, ok
		},
	},
	{
		Kind: Licence, Size: 10_000_000, Pattern: "96#nnnnnnn",
		Why:    "A pharmacy licence is numbered by the prefecture of a département; 96 is none.",
		format: func(n uint64) string { return "96#" + pad(n, 7) },
		index:  func(v string) (uint64, bool) { return digits(v, "96#", 7, 0) },
	},
	pairRange(PractitionerID, "003-"),
	pairRange(RoleID, "005-"),
	singleRange(GeographicalID, "001-01-"),
	singleRange(LegalID, "001-02-"),
	{
		Kind: ServiceID, Size: technicalSize, Pattern: "004-n-nn, n from 40000000 to 59999999",
		Why:    sequenceWhy,
		format: func(n uint64) string { return "004-" + strconv.FormatUint(technicalBase+n, 10) + "-" + pad(n%97+1, 2) },
		index: func(v string) (uint64, bool) {
			v, _, ok := cutLast(v, "-")
			n, in := technical(v, "004-")
			return n, ok && in
		},
	},
	singleRange(DeviceID, "002-"),
}

const sequenceWhy = "Technical ids are sequences of the service; the largest number published is below 8 million."

// singleRange is a range of technical ids with one number.
func singleRange(kind Kind, prefix string) Range {
	return Range{
		Kind: kind, Size: technicalSize, Pattern: prefix + "n, n from 40000000 to 59999999", Why: sequenceWhy,
		format: func(n uint64) string { return prefix + strconv.FormatUint(technicalBase+n, 10) },
		index:  func(v string) (uint64, bool) { return technical(v, prefix) },
	}
}

// pairRange is a range of technical ids with two numbers, a person and a
// situation; the second follows from the first.
func pairRange(kind Kind, prefix string) Range {
	return Range{
		Kind: kind, Size: technicalSize, Pattern: prefix + "n-m, both from 40000000 to 59999999", Why: sequenceWhy,
		format: func(n uint64) string {
			second := technicalBase + (n*7_919+104_729)%technicalSize
			return prefix + strconv.FormatUint(technicalBase+n, 10) + "-" + strconv.FormatUint(second, 10)
		},
		index: func(v string) (uint64, bool) {
			v, _, ok := cutLast(v, "-")
			n, in := technical(v, prefix)
			return n, ok && in
		},
	}
}

// ranges indexes the table.
var ranges = map[Kind]*Range{}

func init() {
	for i := range Ranges {
		ranges[Ranges[i].Kind] = &Ranges[i]
	}
}

func lookup(kind Kind) *Range {
	r, ok := ranges[kind]
	if !ok {
		panic(fmt.Sprintf("synth: no range of identifiers is called %q", kind))
	}
	return r
}

// Value returns the n-th fictitious identifier of a kind: injective below the
// size of its range. It panics on a kind that [Ranges] does not hold.
func Value(kind Kind, n uint64) string { return lookup(kind).Value(n) }

// Index is the inverse of [Value].
func Index(kind Kind, value string) (uint64, bool) { return lookup(kind).Index(value) }

// Contains reports whether a value is one of our fictitious identifiers.
func Contains(kind Kind, value string) bool {
	if kind == IDNST && value != "" {
		local := map[byte]Kind{'1': FINESS, '2': SIREN, '3': SIRET, '4': RPPSRang}
		behind, ok := local[value[0]]
		return ok && Contains(behind, value[1:])
	}
	_, ok := Index(kind, value)
	return ok
}

// PhoneBlocks are the blocks of numbers that ARCEP reserves for works of
// fiction (decision 2018-0881, national numbering plan): ten thousand numbers
// each for the five zones and mobiles. A mapping into them is not injective.
var PhoneBlocks = [...]string{"019900", "026191", "035301", "046571", "053649", "063998"}

// Phone returns the n-th fictitious phone number of a zone, 1 to 5, or 6 for
// mobiles.
func Phone(zone int, n uint64) string { return PhoneBlocks[zone-1] + pad(n%10_000, 4) }

// IsPhone reports whether a number is in a block reserved for fiction.
func IsPhone(number string) bool {
	for _, block := range PhoneBlocks {
		if strings.HasPrefix(number, block) && len(number) == 10 {
			return true
		}
	}
	return false
}

// ReservedDomain ends every mailbox and e-mail: RFC 2606 keeps it for
// examples. "@medecin.mssante.fr", which ANS's guide searches, is contained in
// "@medecin.mssante.fr.example".
const ReservedDomain = ".example"

// départements that do not exist, for numbers that begin with one.
var noDépartement = func() (codes []string) {
	codes = []string{"96", "00"}
	for _, first := range "013456789" {
		codes = append(codes, string(first)+"A", string(first)+"B")
	}
	for _, letter := range "CDEFGHI" {
		for _, digit := range "0123456789" {
			codes = append(codes, string(digit)+string(letter))
		}
	}
	for _, letter := range "ABC" {
		for _, digit := range "0123456789" {
			codes = append(codes, string(letter)+string(digit))
		}
	}
	return codes
}()

func départemental(n uint64) string {
	return luhn(noDépartement[n/1_000_000] + pad(n%1_000_000, 6))
}

func départementalIndex(v string) (uint64, bool) {
	if len(v) < 2 {
		return 0, false
	}
	i, ok := noDépartementIndex[v[:2]]
	if !ok {
		return 0, false
	}
	n, ok := digits(v, v[:2], 6, 1)
	return i*1_000_000 + n, ok
}

var noDépartementIndex = func() map[string]uint64 {
	index := map[string]uint64{}
	for i, code := range noDépartement {
		index[code] = uint64(i)
	}
	return index
}()

// pad writes n on exactly width digits.
func pad(n uint64, width int) string {
	s := strconv.FormatUint(n, 10)
	return "0000000000"[:max(0, width-len(s))] + s
}

// digits reads the free digits of prefix + free + check.
func digits(v, prefix string, free, check int) (uint64, bool) {
	if len(v) != len(prefix)+free+check || !strings.HasPrefix(v, prefix) {
		return 0, false
	}
	n, err := strconv.ParseUint(v[len(prefix):len(prefix)+free], 10, 64)
	return n, err == nil
}

// technical reads prefix + a number of ours.
func technical(v, prefix string) (uint64, bool) {
	rest, ok := strings.CutPrefix(v, prefix)
	n, err := strconv.ParseUint(rest, 10, 64)
	return n - technicalBase, ok && err == nil && n >= technicalBase
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// luhn appends the check digit that makes the whole pass the Luhn test.
func luhn(s string) string {
	sum := luhnSum(s, true)
	return s + string(rune('0'+(10-sum%10)%10))
}

// Luhn reports whether the last digit of s is its Luhn check digit. A to I
// count as 1 to 9.
func Luhn(s string) bool { return s != "" && luhnSum(s, false)%10 == 0 }

// luhnSum adds the digits from the right, every second one doubled, beginning
// with the last one or with the one before it.
func luhnSum(s string, double bool) (sum int) {
	for i := len(s) - 1; i >= 0; i-- {
		d := int(s[i] - '0')
		if s[i] >= 'A' {
			d = int(s[i]-'A') + 1
		}
		if double {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
		double = !double
	}
	return sum
}
