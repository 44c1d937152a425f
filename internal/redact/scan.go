package redact

import (
	"encoding/base64"
	"fmt"
	"hash/maphash"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/internal/synth"
)

// originals remembers, as fingerprints, what must not be found again. Values
// of our own fictitious ranges are nobody's and are not remembered.
type originals struct {
	seed                       maphash.Seed
	words, numbers, boxes, raw map[uint64]bool
}

func newOriginals(seed maphash.Seed) originals {
	return originals{seed, map[uint64]bool{}, map[uint64]bool{}, map[uint64]bool{}, map[uint64]bool{}}
}

func (o *originals) print(s string) uint64 { return maphash.String(o.seed, s) }

func (o *originals) word(token string) {
	if first, _ := utf8.DecodeRuneInString(token); runeClass(first) == 2 {
		o.number(token) // 1999 is a year as well, and nobody's
		return
	}
	if len(token) < marked || isFictitious(token) {
		return
	}
	if folded := fold(token); utf8.RuneCountInString(folded) >= marked && !public[folded] {
		o.words[o.print(folded)] = true
	}
}

// shortNumber is the length from which a number is somebody's.
const shortNumber = 7

func (o *originals) number(v string) {
	if len(v) < shortNumber {
		return
	}
	p := o.print(squeeze(v))
	if _, known := o.numbers[p]; !known {
		o.numbers[p] = !IsFictitious(v) && utf8.RuneCountInString(squeeze(v)) >= shortNumber
	}
}

// isNumber reports whether a number is one of the original, however it is
// written there. One of our ranges is a pseudonym, also where it is the digits
// of an original that is written with something in between.
func (o *originals) isNumber(v string) bool {
	return o.numbers[o.print(squeeze(v))] && !IsFictitious(v)
}

func (o *originals) mailbox(v string) { o.boxes[o.print(strings.ToLower(v))] = true }
func (o *originals) secret(v string)  { o.raw[o.print(v)] = true }

// squeeze is a number without what stands between its digits.
func squeeze(v string) string {
	clean := true
	for i := range len(v) {
		if c := v[i]; !(c >= '0' && c <= '9' || c >= 'A' && c <= 'Z') {
			clean = false
		}
	}
	if clean {
		return v
	}
	return strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsDigit(c) {
			return unicode.ToUpper(c)
		}
		return -1
	}, v)
}

// IsFictitious reports whether a number or technical id is in one of the
// ranges that no register uses.
func IsFictitious(v string) bool {
	if isTechnical(v) || synth.IsPhone(v) {
		return true
	}
	for _, k := range []synth.Kind{
		synth.RPPS, synth.IDNPS, synth.ADELI, synth.FINESS, synth.SIREN, synth.SIRET, synth.RPPSRang, synth.IDNST,
		synth.ARHGOS, synth.Activity, synth.Card, synth.Licence,
	} {
		if synth.Contains(k, v) {
			return true
		}
	}
	return len(v) > 1 && v[0] == '0' && synth.Contains(synth.ADELI, v[1:]) // IDNPS of the retired register
}

// Leak is what the last scan refuses a recording for. It says where, never
// what.
type Leak struct{ Places []string }

func (l *Leak) Error() string {
	const shown = 20
	places, more := l.Places, ""
	if len(places) > shown {
		more = fmt.Sprintf("\n… and %d more places", len(places)-shown)
		places = places[:shown]
	}
	return "the last scan refuses to save:\n" + strings.Join(places, "\n") + more
}

// scanner looks for what must not be in a file.
type scanner struct {
	canonical func(string) bool
	originals *originals      // nil when they are not known
	forms     []string        // of keys and sessions
	own       map[string]bool // lines that hold nothing of the service
	before    string          // the line before this one
	places    []string
}

func (s *scanner) tell(where, what string) { s.places = append(s.places, where+": "+what) }

// file looks through one file of a set, line by line. Base64 sections of an
// exchange are looked at decoded as well.
func (s *scanner) file(name string, text []byte) {
	content := string(text)
	for _, form := range s.forms {
		if at := strings.Index(content, form); at >= 0 {
			s.tell(fmt.Sprintf("%s:%d", name, 1+strings.Count(content[:at], "\n")), "a key or session")
		}
	}
	encoded, open, first, head := "", false, false, false
	number := 0
	for line := range strings.Lines(content) {
		number++
		if first {
			open, first = statement.MatchString(line), false
		}
		where := fmt.Sprintf("%s:%d", name, number)
		if strings.HasPrefix(line, "-- ") && strings.HasSuffix(line, " --\n") {
			encoded, open, first = "", false, line == "-- body --\n"
			head = line == "-- request --\n" || line == "-- response --\n"
			if strings.HasSuffix(line, ".base64 --\n") {
				encoded = line
			}
			continue
		}
		if encoded != "" {
			plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(line))
			if err != nil {
				s.tell(where, "base64 that cannot be read")
			}
			for _, form := range s.forms {
				if strings.Contains(string(plain), form) {
					s.tell(where, "a key or session")
				}
			}
			line = string(plain)
		}
		listed := s.own[line] || head && isHead(strings.TrimSuffix(line, "\n"))
		s.line(where, plainView(line), open || listed)
	}
}

// statement begins the body of a capability statement, whose words are not
// about people.
var statement = regexp.MustCompile(`^\{\s*"resourceType"\s*:\s*"CapabilityStatement"`)

// plainView undoes the escapes of JSON and URLs, twice.
func plainView(line string) string {
	for range 2 {
		if strings.Contains(line, `\u`) || strings.Contains(line, `\/`) {
			line = unescapeJSON(line)
		}
		if strings.Contains(line, "%") {
			line = unescapePercent(line)
		}
	}
	return line
}

func unescapeJSON(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 >= len(s) {
			b.WriteByte(s[i])
			continue
		}
		if s[i+1] == 'u' {
			end := i
			for end+6 <= len(s) && s[end] == '\\' && s[end+1] == 'u' && isHex(s[end+2:end+6]) {
				end += 6
			}
			if node, err := fhir.ParseString(`"` + s[i:end] + `"`); err == nil && end > i {
				b.WriteString(node.Str())
				i = end - 1
				continue
			}
		}
		if s[i+1] == '/' {
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func isHex(s string) bool {
	return strings.Trim(s, "0123456789abcdefABCDEF") == ""
}

func unescapePercent(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1:i+3]) {
			c := unhex(s[i+1])<<4 | unhex(s[i+2])
			b.WriteByte(c)
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func unhex(c byte) byte {
	if c >= 'a' {
		c -= 'a' - 'A'
	}
	if c >= 'A' {
		return c - 'A' + 10
	}
	return c - '0'
}

// line looks at the tokens of a line: runs of letters, digits and what joins
// them in names, numbers and addresses. Canonical URLs and our placeholders
// are passed over.
func (s *scanner) line(where, text string, open bool) {
	s.random(where, text)
	for i := 0; i < len(text); {
		if skip := s.known(text[i:]) + s.listed(text, i); skip > 0 {
			i += skip
			continue
		}
		end := i
		for end < len(text) && joins(text[end]) {
			end++
		}
		if end == i {
			i++
			continue
		}
		s.token(where, text[i:end], open)
		if i = end; strings.HasPrefix(text[i:], "://") {
			s.host(where, text[i+len("://"):])
		}
	}
	s.phones(where, text)
	s.before = text
}

// listed is the length of what stands at i because a list has it: the name of
// a member and, where it is a code of the member's, its value; a parameter and
// the codes that are searched for by it.
func (s *scanner) listed(text string, i int) int {
	switch rest := text[i:]; {
	case text[i] == '"':
		name, after, _ := strings.Cut(rest[1:], `"`)
		value := strings.TrimLeft(after, " ")
		if !strings.HasPrefix(value, ":") || !members()[name] {
			return 0
		}
		size := len(rest) - len(value) + 1
		value = strings.TrimLeft(value[1:], " [")
		if v, _, ok := strings.Cut(strings.TrimPrefix(value, `"`), `"`); ok && value[0] == '"' && (isKnown(name, v) || name == "valueString" && s.isStreetType(text[:i], v)) {
			return len(rest) - len(value) + len(v) + 2
		}
		return size
	case text[i] == '?' || text[i] == '&':
		name, after, _ := strings.Cut(rest[1:], "=")
		if base, _, _ := strings.Cut(name, ":"); !codeParameters()[base[strings.LastIndexByte(base, '.')+1:]] {
			return 0
		}
		end := strings.IndexAny(after+"\n", "& \"\n")
		for v := range strings.SplitSeq(after[:end], ",") {
			system, code, has := strings.Cut(v, "|")
			if !has {
				system, code = "", v
			}
			if system != "" && !s.canonical(system) || code != "" && !isKnownCode(code) {
				return 0
			}
		}
		return 1 + len(name) + 1 + end
	}
	return 0
}

// isStreetType reports whether a code is the street type of an address, which
// the URL before it says.
func (s *scanner) isStreetType(text, v string) bool {
	before := s.before + text
	return isKnownCode(v) && strings.Contains(before[max(0, len(before)-100):], `-streetNameType"`)
}

// joins reports whether a byte can be inside a token. All of UTF-8 beyond
// ASCII can.
func joins(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf || strings.IndexByte("._@-", c) >= 0
}

// known is the length of a canonical URL, id of ours or placeholder a text begins with.
func (s *scanner) known(text string) int {
	switch {
	case strings.HasPrefix(text, "http"):
		end := strings.IndexAny(text, "\"'<>| ,)&\\\n")
		if end < 0 {
			end = len(text)
		}
		if s.canonical(text[:end]) {
			return end
		}
	case strings.HasPrefix(text, uuidPrefix) && len(text) >= 36 && uuid.MatchString(text[:36]):
		return 36 // abed is a name as well
	case strings.HasPrefix(text, fixtures.OriginPlaceholder):
		return len(fixtures.OriginPlaceholder)
	case strings.HasPrefix(text, fixtures.KeyPlaceholder):
		return len(fixtures.KeyPlaceholder)
	case strings.HasPrefix(text, fixtures.PagePlaceholder):
		if end := strings.IndexByte(text, '}'); end > 0 && end < 24 {
			return end + 1
		}
	}
	return 0
}

// host looks at the address of a host, behind its scheme: one that is no
// canonical URL and not reserved is somebody's.
func (s *scanner) host(where, text string) {
	end := strings.IndexFunc(text, func(c rune) bool {
		return runeClass(c) == 0 && !unicode.Is(unicode.Mn, c) && !strings.ContainsRune("._-:@", c)
	})
	if end < 0 {
		end = len(text)
	}
	host := strings.TrimRight(text[:end], ".:")
	if name, _, _ := strings.Cut(host, ":"); name != "" && !reservedHost.MatchString(name) {
		s.tell(where, "the address of another host")
	}
}

// reservedHost is a name nobody can have (RFC 2606), this machine, or that of
// the namespace of XHTML.
var reservedHost = regexp.MustCompile(`(?i)^([\p{L}\p{M}\p{N}._-]*\.)?(example|invalid|test|localhost|example\.(com|net|org))$|^127\.0\.0\.1$|^www\.w3\.org$`)

func (s *scanner) token(where, token string, open bool) {
	if name, domain, _ := strings.Cut(token, "@"); name != "" {
		if end := strings.IndexFunc(domain, isNoDomain); end >= 0 {
			domain = domain[:end]
		}
		if strings.Contains(domain, ".") && !strings.HasSuffix(strings.TrimRight(domain, "."), synth.ReservedDomain) {
			s.tell(where, "an e-mail address")
		}
	}
	if at := uuidIn(token); at >= 0 && token[at+8:at+24] != uuidMiddle {
		s.tell(where, "something shaped like a key (a UUID)")
	}
	if s.originals == nil {
		return
	}
	o := s.originals
	if strings.IndexByte(token, '@') >= 0 && o.boxes[o.print(strings.ToLower(token))] {
		s.tell(where, "a mailbox of the original")
	}
	if o.raw[o.print(token)] {
		s.tell(where, "a page token of the original")
	}
	if len(token) >= shortNumber {
		s.numbers(where, token)
	}
	if open {
		return
	}
	if name, domain, found := strings.Cut(token, "@"); found && strings.HasSuffix(domain, synth.ReservedDomain) {
		labels := strings.Split(strings.TrimSuffix(domain, synth.ReservedDomain), ".")
		labels = slices.DeleteFunc(labels, func(l string) bool { return operators[strings.ToLower(l)] })
		token = name + "@" + strings.Join(labels, ".")
	}
	for rest := token; rest != ""; {
		word, size := nextToken(rest)
		if len(word) >= marked && !isFictitious(word) {
			if folded := fold(word); o.words[o.print(folded)] && !public[folded] {
				s.tell(where, "a name of the original")
			}
		}
		rest = rest[size:]
	}
}

func isNoDomain(c rune) bool {
	return c >= utf8.RuneSelf && runeClass(c) == 0 && !unicode.Is(unicode.Mn, c)
}

// numbers looks a token up whole, and each of its unbroken parts.
func (s *scanner) numbers(where, token string) {
	found := s.originals.isNumber(token)
	for part := range strings.FieldsFuncSeq(token, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) }) {
		found = found || len(part) >= shortNumber && s.originals.isNumber(part)
	}
	if found {
		s.tell(where, "a number of the original")
	}
}

// uuidIn is where a UUID begins in a token, -1 if there is none.
func uuidIn(token string) int {
	for at := 0; at+36 <= len(token); at++ {
		if token[at+8] == '-' && token[at+13] == '-' && uuid.MatchString(token[at:at+36]) {
			return at
		}
	}
	return -1
}

// phones looks for ten digits that can be dialled in France, together or in
// groups.
func (s *scanner) phones(where, text string) {
	for i := 0; i < len(text); {
		if c := text[i]; c != '+' && !isDigit(c) || i > 0 && isDigit(text[i-1]) {
			i++
			continue
		}
		if end := i + ours(text[i:]); end > i {
			i = end
			continue
		}
		if i > 0 && (isAlnum(text[i-1]) || text[i-1] == '-') {
			i++
			continue
		}
		end := i + 1
		for end < len(text) {
			if isDigit(text[end]) {
				end++
				continue
			}
			size := gap(text[end:])
			if size == 0 || ours(text[end+size:]) > 0 {
				break
			}
			end += size
		}
		if end == len(text) || !isAlnum(text[end]) {
			s.groups(where, text[i:end])
		}
		i = end
	}
}

// ours is the length of an instant or a fictitious id in groups that a text
// begins with.
func ours(text string) int {
	end, hyphens := 0, 0
	for end < len(text) && (isDigit(text[end]) || text[end] == '-') {
		if text[end] == '-' {
			hyphens++
		}
		end++
	}
	if hyphens == 2 && end == dayLength && end < len(text) && text[end] == 'T' {
		return end + len(text[end:]) - len(strings.TrimLeft(text[end:], "T0123456789:.+-Z"))
	}
	if hyphens > 0 && (IsFictitious(text[:end]) || strings.HasPrefix(text, "00") && technicalForm.MatchString(text[:end])) {
		return end
	}
	return 0
}

// gap is the length of what stands between two groups of digits at the
// beginning of a text, 0 when no group follows.
func gap(text string) (size int) {
	for range 3 {
		c, n := utf8.DecodeRuneInString(text[size:])
		if !(strings.ContainsRune(" .-/_:+()", c) || c >= utf8.RuneSelf && runeClass(c) == 0) {
			break
		}
		size += n
	}
	if size > 0 && size < len(text) && isDigit(text[size]) {
		return size
	}
	return 0
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// groups looks at every run of groups of digits that adds up to a number.
func (s *scanner) groups(where, run string) {
	if len(run) < shortNumber || IsFictitious(run) {
		return
	}
	plus := run[0] == '+'
	parts := strings.FieldsFunc(run, func(c rune) bool { return c < '0' || c > '9' })
	for from := range parts {
		digits := ""
		for _, part := range parts[from:] {
			if digits += part; len(digits) > 13 {
				break
			}
			national := digits
			if rest, ok := strings.CutPrefix(strings.TrimPrefix(digits, "00"), "33"); ok && (plus && from == 0 || strings.HasPrefix(digits, "0033")) {
				national = "0" + strings.TrimPrefix(rest, "0")
			}
			if len(national) == 10 && national[0] == '0' && national[1] != '0' && !synth.IsPhone(national) && !IsFictitious(national) {
				s.tell(where, "something shaped like a phone number")
			}
			if s.originals != nil && len(digits) >= shortNumber && len(parts) > 1 && s.originals.isNumber(digits) {
				s.tell(where, "a number of the original")
			}
		}
	}
}

// random looks for long runs that change between letters and digits, or
// between cases, as often as random text does: keys, tokens, hashes.
func (s *scanner) random(where, text string) {
	start := 0
	for i := 0; i <= len(text); i++ {
		if i < len(text) && (isAlnum(text[i]) || strings.IndexByte("+/=_-", text[i]) >= 0) {
			continue
		}
		if i-start >= longRun && isRandom(text[start:i]) {
			s.tell(where, "something random enough to be a key")
		}
		start = i + 1
	}
}

// longRun is the length from which a run may be a key.
const longRun = 32

func isRandom(run string) bool {
	changes, letters, digits := 0, 0, 0
	class := func(c byte) int {
		switch {
		case c >= '0' && c <= '9':
			return 1
		case c >= 'a' && c <= 'z':
			return 2
		case c >= 'A' && c <= 'Z':
			return 3
		}
		return 0
	}
	for i := range len(run) {
		c := class(run[i])
		if c == 1 {
			digits++
		} else if c > 1 {
			letters++
		}
		if i > 0 && c > 0 && class(run[i-1]) > 0 && class(run[i-1]) != c {
			changes++
		}
	}
	return digits > 0 && 5*letters > len(run) && 20*changes > 7*len(run)
}

// compact sorts the places and leaves repeats out.
func (s *scanner) compact() []string {
	slices.Sort(s.places)
	return slices.Compact(s.places)
}
