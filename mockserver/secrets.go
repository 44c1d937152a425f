package mockserver

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
)

// secrets are the keys that came with one request, wherever somebody put them,
// a real one by mistake among them. A journal shows *** in their place.
type secrets []secret

type secret struct {
	text  string
	coded []string // forms that do not show its characters
}

// hidden is what a journal shows of a secret.
const hidden = "***"

// minSecret is the length from which a key is looked for in texts that have
// nothing to do with it. Shorter ones are words that stand anywhere, as in
// "Practitioner".
const minSecret = 8

// secretHeaders are where clients put a key, or what they call one.
var secretHeaders = []string{
	http.CanonicalHeaderKey(keyHeader), "Authorization", "X-Api-Key", "Api-Key", "Apikey",
	"X-Gravitee-Api-Key", "X-Mockfhir-Token", "Cookie",
}

// secretsOf collects those of the headers and of the target. The keys that the
// mock publishes are no secrets.
func secretsOf(h http.Header, target string) secrets {
	var s secrets
	for _, name := range secretHeaders {
		for _, value := range h[name] {
			if scheme, credential, found := strings.Cut(value, " "); found && !strings.ContainsAny(scheme, "=;") {
				value = credential // Bearer, Basic
			}
			s = s.with(value)
		}
	}
	if _, query, asked := strings.Cut(target, "?"); asked {
		s = s.withNamed(query)
	}
	return s.withUUIDs(target)
}

func (s secrets) with(text string) secrets {
	text = strings.TrimSpace(text)
	if len(text) < minSecret || strings.HasPrefix(text, "mock-") {
		return s
	}
	for _, known := range s {
		if known.text == text {
			return s
		}
	}
	return append(s, secret{text, coded(text)})
}

// withNamed adds the values of the parameters, in a query or in a form, whose
// names say that they are secret.
func (s secrets) withNamed(query string) secrets {
	for piece := range strings.SplitSeq(query, "&") {
		if name, value, _ := strings.Cut(piece, "="); value != "" && namesSecret(name) {
			s = s.with(plain(value))
		}
	}
	return s
}

// namesSecret says whether a parameter is a key by its name.
func namesSecret(name string) bool {
	name = strings.ToLower(plain(name))
	for _, word := range []string{"key", "token", "secret", "passw", "auth"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// withUUIDs adds whatever looks like a key of the real service. No id of the
// directory does.
func (s secrets) withUUIDs(text string) secrets {
	for i := 8; i+28 <= len(text); i++ {
		if text[i] == '-' && isUUID(text[i-8:i+28]) {
			s = s.with(strings.Clone(text[i-8 : i+28]))
			i += 28
		}
	}
	return s
}

func isUUID(text string) bool {
	for i := range len(text) {
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (text[i] == '-') || !dash && !isHex(text[i]) {
			return false
		}
	}
	return true
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

// target is a target or a form as a journal shows it: no value of a parameter
// that is secret by its name, and no secret anywhere.
func (s secrets) target(text string) string {
	path, query, asked := strings.Cut(text, "?")
	if !asked {
		return s.hide(text)
	}
	return s.hide(path + "?" + hideNamed(query))
}

func hideNamed(query string) string {
	if !strings.ContainsAny(query, "=") {
		return query
	}
	pieces := strings.Split(query, "&")
	for i, piece := range pieces {
		if name, value, _ := strings.Cut(piece, "="); value != "" && namesSecret(name) {
			pieces[i] = name + "=" + hidden
		}
	}
	return strings.Join(pieces, "&")
}

// hide replaces the secrets in a text, whatever their case, percent-encoded
// once or twice, escaped as in JSON or HTML, in base64 or in hexadecimal, and
// also when the end of the text cuts them.
func (s secrets) hide(text string) string {
	for _, secret := range s {
		text = hideWritten(text, secret.text)
		for _, form := range secret.coded {
			text = hideCoded(text, form)
		}
	}
	return text
}

// hideWritten replaces a secret whose characters may each be escaped.
func hideWritten(text, secret string) string {
	var b strings.Builder
	kept, first := 0, lower(secret[0])
	for i := 0; i < len(text); {
		if c := text[i]; lower(c) != first && c != '%' && c != '\\' && c != '&' {
			i++
			continue
		}
		end, found := matches(text, i, secret)
		if !found {
			i++
			continue
		}
		b.WriteString(text[kept:i])
		b.WriteString(hidden)
		i, kept = end, end
	}
	if kept == 0 {
		return text
	}
	b.WriteString(text[kept:])
	return b.String()
}

// minCut is how much of a secret must stand at the end of a text that was cut
// to be taken for its beginning.
const minCut = 4

// matches says whether a secret stands at a place of a text, and where it ends.
func matches(text string, at int, secret string) (end int, found bool) {
	for i := range len(secret) {
		if at >= len(text) {
			return at, i >= minCut
		}
		c, next := unescape(text, at)
		if lower(c) != lower(secret[i]) {
			// An escape that the end of the text cuts is a character that was there.
			return at, i >= minCut && len(text)-at < 6 && strings.IndexByte(`%\&`, text[at]) >= 0
		}
		at = next
	}
	return at, true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// unescape reads one character: as it stands, %41, %2541, \u0041 or &#65;.
func unescape(text string, at int) (c byte, next int) {
	c = text[at]
	digits, next := "", at+1
	switch rest := text[at:]; {
	case c == '%' && strings.HasPrefix(rest, "%25") && len(rest) >= 5:
		digits, next = rest[3:5], at+5
	case c == '%' && len(rest) >= 3:
		digits, next = rest[1:3], at+3
	case c == '\\' && len(rest) >= 6 && rest[1]|0x20 == 'u' && rest[2:4] == "00":
		digits, next = rest[4:6], at+6
	case c == '\\' && len(rest) >= 2: // \/ and the like
		return rest[1], at + 2
	case c == '&' && strings.HasPrefix(rest, "&#"):
		if number, _, closed := strings.Cut(rest[2:min(len(rest), 7)], ";"); closed {
			if n, err := strconv.ParseUint(number, 10, 8); err == nil {
				return byte(n), at + len(number) + 3
			}
		}
	}
	if digits == "" {
		return c, at + 1
	}
	if n, err := strconv.ParseUint(digits, 16, 8); err == nil {
		return byte(n), next
	}
	return c, at + 1
}

// coded are the forms of a secret that no longer show its characters: base64,
// at each of the three places it may have in a longer text, and hexadecimal.
func coded(secret string) []string {
	forms := []string{hex.EncodeToString([]byte(secret))}
	for before := range 3 {
		text := append(make([]byte, before, before+len(secret)), secret...)
		from, to := (8*before+5)/6, 8*len(text)/6 // what depends on the secret alone
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			form := encoding.EncodeToString(text)[from:to]
			if last := len(forms) - 1; forms[last] != form {
				forms = append(forms, form)
			}
		}
	}
	return forms
}

func hideCoded(text, form string) string {
	if strings.Contains(text, form) {
		text = strings.ReplaceAll(text, form, hidden)
	}
	if len(text) < minSecret || !strings.Contains(form, text[len(text)-minSecret:]) {
		return text
	}
	for n := min(len(form)-1, len(text)); n >= minSecret; n-- { // cut at the end
		if strings.HasSuffix(text, form[:n]) {
			return text[:len(text)-n] + hidden
		}
	}
	return text
}

// plain is a text with its percent-encoding undone, as far as it can be.
func plain(text string) string {
	if strings.IndexByte(text, '%') < 0 {
		return text
	}
	b := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		c := text[i]
		next := i + 1
		if c == '%' {
			c, next = unescape(text, i)
		}
		b, i = append(b, c), next
	}
	return string(b)
}
