package redact

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/mockfhir/mockfhir/internal/synth"
)

// Names become words nobody bears: each letter is replaced by another of its
// sort, so that length, accents, hyphens and case stay alike, and a word of
// four letters or more ends in mark, which no language has. It makes a
// pseudonym visible to people, and lets the last scan tell it from a name.
const mark = "zx"

const (
	vowels     = "aeiouy"
	consonants = "bcdfghjklmnpqrstvwxz"
	ligatures  = "œæ"
	numerals   = "0123456789"
)

// sorts are the alphabets letters are exchanged in.
var sorts = [...][]rune{[]rune(vowels), []rune(consonants), []rune(ligatures), []rune(numerals)}

// place is where a letter stands in its alphabet.
type place struct{ sort, index uint8 }

var places = func() map[rune]place {
	m := map[rune]place{}
	for s, alphabet := range sorts {
		for i, letter := range alphabet {
			m[letter] = place{uint8(s), uint8(i)}
		}
	}
	return m
}()

// marked is the length from which a word carries the mark. Shorter words are
// too common to be recognised, or searched for.
const marked = 4

// kept are the words a structure's name or an address may keep: those that say
// what it is. None is a name of people.
var kept = words(`de du des la le les et au aux en sur sous d l
	centre hospitalier hospitaliere hopital clinique cabinet pharmacie laboratoire ehpad medical medicale dentaire infirmier radiologie
	avenue boulevard allee impasse cedex`)

func words(list string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(list) {
		m[w] = true
	}
	return m
}

// phrase maps a name or a line. Words in keep stay, in a text of more than one.
func (r *Redactor) phrase(k kind, text string, keep map[string]bool) string {
	several := strings.ContainsAny(strings.TrimSpace(text), " '’-")
	if !several {
		keep = nil
	}
	name := string(k) + "\x00" + text
	if done, ok := r.cache[name]; ok {
		return done
	}
	if !maybeSomebodys(text) {
		return r.remember(name, r.words(text, keep))
	}
	return r.remember(name, r.byLooks(text, func(rest string) string {
		var b strings.Builder
		from := 0
		for _, at := range numberInPhrase.FindAllStringIndex(rest, -1) {
			if t := rest[at[0]:at[1]]; len(onlyDigits(t)) >= longNumber {
				b.WriteString(r.words(rest[from:at[0]], keep))
				b.WriteString(r.number(t))
				from = at[1]
			}
		}
		b.WriteString(r.words(rest[from:], keep))
		return b.String()
	}))
}

var numberInPhrase = regexp.MustCompile(looksNumber)

// maybeSomebodys reports whether a text may hold what is no word of a name: an
// address, a mailbox, a phone, a key.
func maybeSomebodys(text string) bool {
	digits := 0
	for i := range len(text) {
		if text[i] == '@' || text[i] == ':' {
			return true
		}
		if isDigit(text[i]) {
			digits++
		}
	}
	return digits >= longNumber || digits > 0 && len(text) >= longRun
}

// words maps the words and numbers of a text and leaves what is between them.
func (r *Redactor) words(text string, keep map[string]bool) string {
	var b strings.Builder
	for rest := text; rest != ""; {
		token, size := nextToken(rest)
		switch {
		case token == "":
			between, _ := utf8.DecodeRuneInString(rest)
			if between < 0x2100 && unicode.IsGraphic(between) { // not a hiding place for anything
				b.WriteString(rest[:size])
			}
		case keep[fold(token)]:
			b.WriteString(token)
		default:
			r.originals.word(token)
			b.WriteString(r.word(token, keep))
		}
		rest = rest[size:]
	}
	return b.String()
}

// maxCache bounds the memory of pseudonyms already made.
const maxCache = 1 << 17

func (r *Redactor) remember(name, mapped string) string {
	if len(r.cache) >= maxCache {
		clear(r.cache)
	}
	r.cache[name] = mapped
	return mapped
}

// nextToken returns the run of letters or of digits that text begins with, ""
// and the size of its first rune when it begins with neither.
func nextToken(text string) (token string, size int) {
	first, n := utf8.DecodeRuneInString(text)
	class := runeClass(first)
	if class == 0 {
		return "", n
	}
	size = n
	for size < len(text) {
		next, n := utf8.DecodeRuneInString(text[size:])
		if c := runeClass(next); c != class && !(class == 1 && unicode.Is(unicode.Mn, next)) {
			break
		}
		size += n
	}
	return text[:size], size
}

func runeClass(c rune) int {
	switch {
	case unicode.IsLetter(c):
		return 1
	case unicode.IsNumber(c):
		return 2
	}
	return 0
}

// longNumber is the length from which a number in a text becomes a word: it
// may be somebody's phone.
const longNumber = 5

// letter is one exchangeable rune of a word, or a mark on the one before.
type letter struct {
	char  rune
	at    place
	upper bool
	fixed bool // an accent: stays where it is
}

// word maps one run of letters or digits one to one, never onto a kept word.
func (r *Redactor) word(token string, keep map[string]bool) string {
	decomposed := token
	if !isASCII(token) {
		decomposed = norm.NFD.String(token)
	}
	letters := make([]letter, 0, 16)
	for _, c := range decomposed {
		l := letter{char: c, upper: unicode.IsUpper(c)}
		at, ok := places[unicode.ToLower(c)]
		switch {
		case unicode.Is(unicode.Mn, c) && c < 0x370 && len(letters) > 0:
			l.fixed = true
		case !ok || len(letters) > 64:
			return r.invented(token)
		}
		l.at = at
		letters = append(letters, l)
	}
	digits := letters[0].at.sort == 3
	if digits && len(letters) >= longNumber {
		return r.invented(token)
	}
	for {
		r.swap(letters)
		if mapped := spell(letters); !keep[fold(mapped)] {
			return finish(mapped, letters, digits, decomposed != token)
		}
	}
}

func finish(mapped string, letters []letter, digits, composed bool) string {
	if composed {
		mapped = norm.NFC.String(mapped)
	}
	n := 0
	for _, l := range letters {
		if !l.fixed {
			n++
		}
	}
	switch last := letters[len(letters)-1]; {
	case digits || n < marked:
		return mapped
	case last.upper:
		return mapped + strings.ToUpper(mark)
	}
	return mapped + mark
}

func spell(letters []letter) string {
	var b strings.Builder
	for _, l := range letters {
		switch {
		case l.fixed:
			b.WriteRune(l.char)
		case l.upper:
			b.WriteRune(unicode.ToUpper(sorts[l.at.sort][l.at.index]))
		default:
			b.WriteRune(sorts[l.at.sort][l.at.index])
		}
	}
	return b.String()
}

// chunk is how many letters are permuted as one number: the largest power of
// 20 below 2^62, with room.
const chunk = 13

// swap permutes the letters of a word within their sorts, accents left where
// they are: a word with accents and the same without get the same letters. A
// word longer than a chunk is permuted chunk by chunk, each under a tweak made
// of the others as they stand, which is one to one as a whole.
func (r *Redactor) swap(letters []letter) {
	bare := make([]*place, 0, 16)
	for i := range letters {
		if !letters[i].fixed {
			bare = append(bare, &letters[i].at)
		}
	}
	// A number of several digits keeps its first digit apart from zero.
	low, fixed := uint8(0), 0
	if len(bare) > 1 && bare[0].sort == 3 {
		if bare[0].index == 0 {
			fixed = 1 // 07 becomes 0 and another digit
		} else {
			low = 1
		}
	}
	for from := fixed; from < len(bare); from += chunk { // a number is one chunk
		part := bare[from:min(from+chunk, len(bare))]
		tweak := person.tweak() + uint64(from)
		for i, at := range bare {
			tweak = tweak*1099511628211 + uint64(at.sort)
			if i < from || i >= from+len(part) {
				tweak += uint64(at.index) << 8
			}
		}
		var n, x uint64 = 1, 0
		for i, at := range part {
			size, index := uint64(len(sorts[at.sort])), uint64(at.index)
			if i == 0 {
				size, index = size-uint64(low), index-uint64(low)
			}
			n, x = n*size, x*size+index
		}
		x = r.keyed.permute(n, tweak, x)
		for i := len(part) - 1; i > 0; i-- {
			size := uint64(len(sorts[part[i].sort]))
			part[i].index = uint8(x % size)
			x /= size
		}
		part[0].index = uint8(x) + low
	}
}

// invented is the word for what cannot be exchanged letter by letter: other
// scripts, long numbers. Sixteen letters hardly ever meet.
func (r *Redactor) invented(token string) string {
	n, m := r.keyed.text(person.tweak(), token), r.keyed.text(person.tweak()+1, token)
	var b strings.Builder
	for range 4 {
		b.WriteByte(consonants[n%20])
		b.WriteByte(vowels[n/20%6])
		n /= 120
		b.WriteByte(consonants[m%20])
		b.WriteByte(vowels[m/20%6])
		m /= 120
	}
	return b.String() + mark
}

// isFictitious reports whether a word carries the mark.
func isFictitious(word string) bool {
	return len(word) > len(mark) && strings.EqualFold(word[len(word)-len(mark):], mark)
}

// fold is a word without case and accents.
func fold(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	var b strings.Builder
	for _, c := range norm.NFD.String(s) {
		if !unicode.Is(unicode.Mn, c) {
			b.WriteRune(unicode.ToLower(c))
		}
	}
	return b.String()
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// operators are the labels of a mailbox's domain that say who runs it, not
// whose it is.
var operators = words("mssante fr com org net example medecin pharmacien infirmier dentiste kine pro hospital office shop")

// mailboxAddress maps an e-mail address; it ends in a domain nobody can have
// (RFC 2606).
func (r *Redactor) mailboxAddress(v string) string {
	r.originals.mailbox(v)
	local, domain, found := strings.Cut(v, "@")
	mapped := r.phrase(mailbox, local, nil)
	if !found {
		return mapped
	}
	return mapped + "@" + r.domain(domain)
}

// domain maps the name of a host; what no name holds goes.
func (r *Redactor) domain(name string) string {
	name = strings.Map(func(c rune) rune {
		if runeClass(c) == 0 && !unicode.Is(unicode.Mn, c) && !strings.ContainsRune(".-_@", c) {
			return -1
		}
		return c
	}, name)
	if len(onlyDigits(name)) >= longNumber {
		return r.phrase(mailbox, name, operators) + synth.ReservedDomain
	}
	labels := strings.Split(strings.TrimSuffix(name, synth.ReservedDomain), ".")
	for i, l := range labels {
		if !operators[strings.ToLower(l)] {
			labels[i] = r.phrase(mailbox, l, nil)
		}
	}
	return strings.Join(labels, ".") + synth.ReservedDomain
}

var oneMailbox = regexp.MustCompile(`^[A-Za-z0-9._+-]*@[A-Za-z0-9._-]+$`)

// mailboxes maps what should be one e-mail address, and may be several or a
// text around one.
func (r *Redactor) mailboxes(v string) string {
	if oneMailbox.MatchString(v) {
		return r.mailboxAddress(v)
	}
	return r.phrase(mailbox, v, nil)
}

// phoneNumber maps a phone number into the blocks reserved for fiction, in the
// notation it was written in. It is not one to one: a block has ten thousand.
func (r *Redactor) phoneNumber(v string) string {
	digits := onlyDigits(v)
	r.originals.number(digits)
	national, prefix := digits, ""
	if rest, ok := strings.CutPrefix(strings.TrimPrefix(digits, "00"), "33"); ok && len(digits) > 10 {
		significant := strings.TrimPrefix(rest, "0")
		national, prefix = "0"+significant, strings.TrimSuffix(digits, significant)
	}
	zone := 1
	if len(national) == 10 && national[1] >= '1' && national[1] <= '7' {
		zone = min(int(national[1]-'0'), 6)
	}
	mapped := synth.Phone(zone, r.keyed.text(phone.tweak(), national))
	if len(national) != 10 { // a short or foreign number
		if strings.HasPrefix(v, "+") {
			return "+33" + mapped[1:]
		}
		return mapped
	}
	if prefix != "" {
		mapped = prefix + mapped[1:]
	}
	var b strings.Builder
	for _, c := range v {
		switch {
		case c >= '0' && c <= '9':
			b.WriteByte(mapped[0])
			mapped = mapped[1:]
		case unicode.IsSpace(c), unicode.Is(unicode.Pd, c), strings.ContainsRune("._:+()/", c):
			b.WriteRune(c)
		}
	}
	return b.String()
}

// isWritten reports whether a rune stands in a mailbox and in no phone.
func isWritten(c rune) bool { return c == '@' || unicode.IsLetter(c) }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func onlyDigits(v string) string {
	return strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' {
			return c
		}
		return -1
	}, v)
}
