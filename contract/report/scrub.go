package report

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mockfhir/mockfhir/contract"
)

// scrub copies a report without what must not leave the process: the key,
// session cookies, and what searches asked for. The checks redact already;
// this is the second lock, and it holds for every field there is, those that
// are added later included, because it walks the report's JSON.
func scrub(r *contract.Report) (*contract.Report, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	var tree any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&tree); err != nil {
		return nil, err
	}
	s := newScrubber(r)
	if text, err = json.Marshal(s.tree(tree)); err != nil {
		return nil, err
	}
	clean := new(contract.Report)
	if err := json.Unmarshal(text, clean); err != nil {
		return nil, err
	}
	for i := range clean.Results {
		for j := range clean.Results[i].Exchanges {
			e := &clean.Results[i].Exchanges[j]
			e.Header = openHeaders(e.Header)
		}
	}
	return clean, nil
}

// openHeaders keeps the headers known to say nothing of a person or session.
func openHeaders(h http.Header) http.Header {
	open := []string{
		"Accept", "Allow", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Date", "Location",
		"Retry-After", "Server", "Transfer-Encoding", "Vary", "Via", "Www-Authenticate",
	}
	kept := http.Header{}
	for name, values := range h {
		name = http.CanonicalHeaderKey(name)
		if slices.Contains(open, name) || strings.HasPrefix(name, "X-Rate-Limit-") || strings.HasPrefix(name, "X-Quota-") {
			kept[name] = values
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return kept
}

// scrubber knows the secrets of one run.
type scrubber struct {
	secrets []secret // longest first
}

type secret struct {
	value, as string
	anyCase   bool // also where a service or a proxy changed its letters
}

func newScrubber(r *contract.Report) *scrubber {
	s := &scrubber{}
	key := r.Target.Key
	for _, form := range []string{
		key, url.QueryEscape(key), url.PathEscape(key),
		base64.StdEncoding.EncodeToString([]byte(key)), base64.URLEncoding.EncodeToString([]byte(key)),
	} {
		s.learn(form, "<key>")
	}
	for _, result := range r.Results {
		for _, e := range result.Exchanges {
			s.learnHeaders(e.Header)
			s.learnQuery(e.URL)
		}
	}
	slices.SortStableFunc(s.secrets, func(a, b secret) int { return len(b.value) - len(a.value) })
	return s
}

// learn remembers a value to hide. Placeholders are hidden values already.
func (s *scrubber) learn(value, as string) {
	known := slices.ContainsFunc(s.secrets, func(x secret) bool { return x.value == value })
	if value != "" && !known && !strings.ContainsAny(value, "<>") {
		s.secrets = append(s.secrets, secret{value, as, as == "<key>"})
	}
}

func (s *scrubber) learnHeaders(h http.Header) {
	for name, values := range h {
		for _, v := range values {
			switch http.CanonicalHeaderKey(name) {
			case "Set-Cookie", "Cookie":
				for pair := range strings.SplitSeq(v, ";") {
					if _, value, _ := strings.Cut(pair, "="); len(value) >= minCookie {
						s.learn(strings.Trim(strings.TrimSpace(value), `"`), "<cookie>")
					}
				}
			case "Authorization", "Proxy-Authorization", "Esante-Api-Key", "X-Gravitee-Api-Key":
				s.learn(v, "<key>")
			}
		}
	}
}

// minCookie keeps attributes such as "/" and "Lax" out of the secrets.
const minCookie = 6

// learnQuery remembers what a search asked for, so that it is also hidden
// where a finding repeats it.
func (s *scrubber) learnQuery(rawURL string) {
	_, query, _ := strings.Cut(rawURL, "?")
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(value); err == nil && personal(name) {
			for part := range strings.FieldsFuncSeq(plain, func(r rune) bool { return r == ',' || r == '|' }) {
				if utf8.RuneCountInString(part) >= 3 && !strings.Contains(part, "://") {
					s.learn(part, "<"+base(name)+">")
				}
			}
		}
	}
}

// tree scrubs every string of a JSON value, member names included.
func (s *scrubber) tree(v any) any {
	switch v := v.(type) {
	case string:
		return s.text(v)
	case []any:
		for i := range v {
			v[i] = s.tree(v[i])
		}
	case map[string]any:
		clean := make(map[string]any, len(v))
		for name, member := range v {
			clean[s.text(name)] = s.tree(member)
		}
		return clean
	}
	return v
}

var (
	userinfo  = regexp.MustCompile(`(https?://)[^/\s@'"]+@`)
	queryPair = regexp.MustCompile(`([?&])([^=&\s'"?]+)=([^&\s'"]*)`)
	formArg   = regexp.MustCompile(`(\s-d|\s--data|\s--data-raw|\s--data-urlencode)( |=)('[^']*'|"[^"]*"|\S+)`)
	readByID  = regexp.MustCompile(`\b(Practitioner|PractitionerRole|Organization|HealthcareService|Device)(/|%2F)[A-Za-z.-]*[0-9][A-Za-z0-9.-]*`)
	email     = regexp.MustCompile(`[^\s<>"'@=:/]+@[^\s<>"'@/]+\.[A-Za-z]+`)
	uuid      = regexp.MustCompile(`(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`)
	number    = regexp.MustCompile(`\b[0-9]{8,}\b`)        // RPPS, FINESS, SIRET, telephone
	technical = regexp.MustCompile(`\b[0-9]{3}-[0-9-]+\b`) // the form of the service's ids
)

// text hides secrets, then whatever has the shape of a person's value, and
// makes one line of what is left: a line break could start a workflow command
// or end a table.
func (s *scrubber) text(t string) string {
	if _, err := time.Parse(time.RFC3339Nano, t); err == nil {
		return t
	}
	t = strings.Map(oneLine, strings.ToValidUTF8(t, "\uFFFD"))
	for _, secret := range s.secrets {
		t = secret.hide(t)
	}
	t = userinfo.ReplaceAllString(t, "$1")
	t = queryPair.ReplaceAllStringFunc(t, hidePair)
	t = formArg.ReplaceAllStringFunc(t, hideForm)
	t = readByID.ReplaceAllString(t, "$1$2<id>")
	t = email.ReplaceAllString(t, "<email>")
	t = uuid.ReplaceAllString(t, "<uuid>")
	t = number.ReplaceAllString(t, "<number>")
	return technical.ReplaceAllString(t, "<id>")
}

// oneLine turns line breaks, other control characters and the characters that
// reorder text on a screen into spaces.
func oneLine(r rune) rune {
	if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
		return ' '
	}
	return r
}

// hidePair hides the value of a query parameter that is not known to be about
// no one.
func hidePair(pair string) string {
	m := queryPair.FindStringSubmatch(pair)
	if !personal(m[2]) || placeholder(m[3]) {
		return pair
	}
	return m[1] + m[2] + "=<" + base(m[2]) + ">"
}

func hideForm(arg string) string {
	m := formArg.FindStringSubmatch(arg)
	body := strings.Trim(m[3], `'"`)
	body = strings.TrimPrefix(queryPair.ReplaceAllStringFunc("&"+body, hidePair), "&")
	return m[1] + m[2] + "'" + body + "'"
}

// placeholder reports whether a value is hidden already: "<id>,<id>" or
// "https://rpps.esante.gouv.fr|<identifier>".
func placeholder(v string) bool {
	plain, err := url.QueryUnescape(v)
	for part := range strings.SplitSeq(plain, ",") {
		part = part[strings.LastIndex(part, "|")+1:]
		if !strings.HasPrefix(part, "<") || !strings.HasSuffix(part, ">") {
			return false
		}
	}
	return err == nil
}

// openParams are the parameters whose values are codes, dates and control
// words (ans-api.md §3). Any other may be about a person.
var openParams = []string{
	"_count", "_total", "_elements", "_include", "_revinclude", "_format", "_pretty", "_summary", "_sort", "_lastUpdated",
	"_profile", "_since", "active", "status", "type", "identifier-type", "type-smartcard", "qualification-code", "role",
	"specialty", "service-category", "service-type", "characteristic", "data-information-system", "data-registration-authority",
}

func personal(param string) bool { return !slices.Contains(openParams, base(param)) }

// base is a parameter without modifier and chain: "identifier" of
// "organization.identifier:not".
func base(param string) string {
	if plain, err := url.QueryUnescape(param); err == nil {
		param = plain
	}
	param = param[strings.LastIndex(param, ".")+1:]
	name, _, _ := strings.Cut(param, ":")
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, name)
}

// hide replaces the secret wherever it stands. A short one only counts when
// nothing is glued to it: the key "k" is not in "check".
func (x secret) hide(t string) string {
	const long = 8
	value, in := x.value, t
	if x.anyCase {
		value, in = lower(value), lower(t)
	}
	var b strings.Builder
	done := 0
	for {
		i := strings.Index(in[done:], value)
		if i < 0 {
			b.WriteString(t[done:])
			return b.String()
		}
		start, end := done+i, done+i+len(value)
		b.WriteString(t[done:start])
		before, _ := utf8.DecodeLastRuneInString(t[:start])
		after, _ := utf8.DecodeRuneInString(t[end:])
		if len(value) < long && (wordRune(before) || wordRune(after)) {
			b.WriteString(t[start:end])
		} else {
			b.WriteString(x.as)
		}
		done = end
	}
}

// lower makes the letters of keys and headers small, and keeps the length.
func lower(t string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, t)
}

func wordRune(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r))
}
