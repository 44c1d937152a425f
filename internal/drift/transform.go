package drift

import (
	"fmt"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/mockfhir/mockfhir/internal/fhir"
)

// transform makes another value of one; parent is what holds it.
type transform func(c *call, parent, value *tree) *tree

var (
	arithmetic = regexp.MustCompile(`^([+*-])\s*(\d+(?:\.\d+)?)$`)
	affix      = regexp.MustCompile(`^(prefix|suffix) ("(?:[^"\\]|\\.)*")$`)
	leading    = regexp.MustCompile(`^strip leading "?(\w+)"?$`)
	arrow      = regexp.MustCompile(`^(.*?)\s*->\s*(.*)$`)
)

// words are transformations without an argument.
var words = map[string]func(string) string{
	"upper":             strings.ToUpper,
	"lower":             strings.ToLower,
	"strip scheme+host": func(s string) string { return schemeHost.ReplaceAllString(s, "") },
	"strip offset":      func(s string) string { return offset.ReplaceAllString(s, "") },
	"strip leading 0s":  func(s string) string { return strings.TrimLeft(s, "0") },
	"strip millis":      func(s string) string { return millis.ReplaceAllString(s, "") },
	"strip accents":     stripAccents,
	"utf8-as-latin1":    mojibake,
	"html-entities":     entities,
	"trim":              strings.TrimSpace,
	"to Z": func(s string) string {
		t, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			return s
		}
		return t.UTC().Format("2006-01-02T15:04:05.000Z")
	},
	"%7C <-> pipe, reorder": func(s string) string { return reorder(s) },
}

var (
	schemeHost = regexp.MustCompile(`^[a-z]+://[^/]+`)
	offset     = regexp.MustCompile(`(Z|[+-]\d\d:\d\d)$`)
	millis     = regexp.MustCompile(`\.\d+`)
)

// conversions change the JSON type.
var conversions = map[string]func(*tree) *tree{
	"int->string":    func(t *tree) *tree { return unless(t, fhir.Number, quoted(t.raw)) },
	"number->string": func(t *tree) *tree { return unless(t, fhir.Number, quoted(t.raw)) },
	"bool->string":   func(t *tree) *tree { return unless(t, fhir.Bool, quoted(t.raw)) },
	"string->bool":   func(t *tree) *tree { return unless(t, fhir.String, literal("true")) },
	"int->float":     func(t *tree) *tree { return unless(t, fhir.Number, literal(t.raw+".0")) },
	"object->array":  func(t *tree) *tree { return unless(t, fhir.Object, wrap(t)) },
	"string->array":  func(t *tree) *tree { return unless(t, fhir.String, wrap(t)) },
	"array->object":  first,
	"array->string":  first,
	"string->object": func(t *tree) *tree { return unless(t, fhir.String, literal(`{"value":`+t.raw+`}`)) },
	"instant->epoch": epoch,
	"instant->date":  func(t *tree) *tree { return unless(t, fhir.String, quoted(strings.SplitN(t.str(), "T", 2)[0])) },
	"string->null":   func(*tree) *tree { return literal("null") },
	"string->number": stringToNumber,
	"string->float":  stringToNumber,
	"string->int":    stringToNumber,
	"bool->int": func(t *tree) *tree {
		return unless(t, fhir.Bool, literal(map[string]string{"true": "1", "false": "0"}[t.raw]))
	},
	"string->boolean": func(t *tree) *tree { return unless(t, fhir.String, literal("true")) },
	"boolean->string": func(t *tree) *tree { return unless(t, fhir.Bool, quoted(t.raw)) },
	"instant->millis": epoch,
}

func stringToNumber(t *tree) *tree {
	if n, err := strconv.ParseUint(t.str(), 10, 64); err == nil && t.kind == fhir.String {
		return literal(strconv.FormatUint(n, 10))
	}
	return t
}

func unless(t *tree, kind fhir.Kind, changed *tree) *tree {
	if t.kind != kind {
		return t
	}
	return changed
}

func wrap(t *tree) *tree {
	inner := *t
	return &tree{kind: fhir.Array, kids: []kid{{value: &inner}}}
}

func first(t *tree) *tree {
	if t.kind == fhir.Array && len(t.kids) > 0 {
		return t.kids[0].value
	}
	return t
}

func epoch(t *tree) *tree {
	at, err := time.Parse(time.RFC3339Nano, t.str())
	if err != nil {
		return t
	}
	return literal(strconv.FormatInt(at.UnixMilli(), 10))
}

// parseTransform compiles what follows a path in "json map", or a name in
// "hdr map".
func parseTransform(text string) (transform, error) {
	text = strings.TrimSpace(text)
	if f := words[text]; f != nil {
		return onText(f), nil
	}
	if m := arithmetic.FindStringSubmatch(text); m != nil {
		by, _ := strconv.ParseFloat(m[2], 64) // the pattern has only numbers
		return func(_ *call, _, t *tree) *tree { return compute(t, m[1], by) }, nil
	}
	if m := affix.FindStringSubmatch(text); m != nil {
		s := literal(m[2]).str()
		if m[1] == "prefix" {
			return onText(func(v string) string { return s + v }), nil
		}
		return onText(func(v string) string { return v + s }), nil
	}
	if m := leading.FindStringSubmatch(text); m != nil {
		return onText(func(s string) string { return strings.TrimPrefix(s, m[1]) }), nil
	}
	if strings.HasPrefix(text, "=") {
		value, err := parseExpr(text[1:])
		if err != nil {
			return nil, err
		}
		return func(c *call, parent, t *tree) *tree { return value(c, c.tree(), parent, t) }, nil
	}
	if text == "id=another valid token of ours for the same page" {
		return anotherToken, nil
	}
	if m := arrow.FindStringSubmatch(text); m != nil {
		return parseArrow(m[1], m[2])
	}
	return nil, fmt.Errorf("%q is not a change of a value", text)
}

// parseArrow compiles "A -> B": a conversion when both name types, else a
// replacement of text.
func parseArrow(from, to string) (transform, error) {
	if from == "epoch ms" && to == "seconds" {
		return onText(func(s string) string {
			ms, err := strconv.ParseInt(s, 10, 64)
			if err != nil {
				return s
			}
			return strconv.FormatInt(max(1, (ms-time.Now().UnixMilli()+999)/1000), 10)
		}), nil
	}
	to2 := strings.TrimSuffix(to, " int")
	if f := conversions[from+"->"+to2]; f != nil {
		return func(_ *call, _, t *tree) *tree { return f(t) }, nil
	}
	if strings.HasPrefix(from, `"`) && strings.HasSuffix(from, `"`) && strings.HasPrefix(to, `"`) {
		from, to = literal(from).str(), literal(to).str()
	}
	switch {
	case from == "":
		return nil, fmt.Errorf("%q -> %q replaces nothing", from, to)
	case isOrigin(from) && isOrigin(to):
		return onText(func(s string) string {
			u, err := url.Parse(s)
			if err != nil || u.Host == "" {
				return s
			}
			return to + strings.TrimPrefix(s, u.Scheme+"://"+u.Host)
		}), nil
	case isWord(from):
		return onText(func(s string) string {
			if s == from {
				return to
			}
			return s
		}), nil
	}
	// "hl7.fr fr-core-cs-v2-0203 -> interopsante.org v2-0203": the marks of an
	// address, each to be replaced by the one in its place.
	froms, tos := strings.Fields(from), strings.Fields(to)
	if len(froms) != len(tos) {
		froms, tos = []string{from}, []string{to}
	}
	return onText(func(s string) string {
		for _, f := range froms {
			if !strings.Contains(s, f) {
				return s
			}
		}
		for i := range froms {
			s = strings.ReplaceAll(s, froms[i], tos[i])
		}
		return s
	}), nil
}

func isOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme != "" && u.Host != "" && u.Path == ""
}

func isWord(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

func onText(f func(string) string) transform {
	return func(_ *call, _, t *tree) *tree {
		if t.kind != fhir.String {
			return t
		}
		return quoted(f(t.str()))
	}
}

// compute does sums on numbers, and on strings of digits, which stay strings.
func compute(t *tree, op string, by float64) *tree {
	n, err := strconv.ParseFloat(t.str(), 64)
	if err != nil {
		return t
	}
	switch op {
	case "+":
		n += by
	case "-":
		n -= by
	case "*":
		n = math.Ceil(n * by)
	}
	digits := strconv.FormatFloat(n, 'f', -1, 64)
	if t.kind == fhir.String {
		return quoted(digits)
	}
	return literal(digits)
}

// anotherToken gives the page behind a next link another address of the same
// form, as a second instance of the service would.
func anotherToken(c *call, _, t *tree) *tree {
	base, query, found := strings.Cut(t.str(), "?id=")
	if !found {
		return t
	}
	token, _, _ := strings.Cut(query, "&")
	own := c.newToken(unescape(token))
	c.layer.mu.Lock()
	c.layer.pages[own] = c.layer.pages[unescape(token)]
	c.layer.mu.Unlock()
	return quoted(base + "?id=" + own)
}

// reorder writes the same query another way.
func reorder(u string) string {
	base, query, found := strings.Cut(u, "?")
	if !found {
		return u
	}
	if strings.Contains(query, "%7C") {
		query = strings.ReplaceAll(query, "%7C", "|")
	} else {
		query = strings.ReplaceAll(query, "|", "%7C")
	}
	list := strings.Split(query, "&")
	slices.Reverse(list)
	return base + "?" + strings.Join(list, "&")
}

// mojibake reads the UTF-8 bytes of a text as if they were Latin-1.
func mojibake(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		b.WriteRune(rune(c))
	}
	return b.String()
}

func entities(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < 0x80 {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "&#%d;", r)
		}
	}
	return b.String()
}

var accents = strings.NewReplacer("é", "e", "è", "e", "ê", "e", "ë", "e", "à", "a", "â", "a", "ç", "c", "î", "i", "ï", "i",
	"ô", "o", "ö", "o", "ù", "u", "û", "u", "ü", "u", "É", "E", "È", "E", "Ê", "E", "À", "A", "Â", "A", "Ç", "C", "Î", "I", "Ô", "O", "Û", "U")

func stripAccents(s string) string { return accents.Replace(s) }

// expr computes a value: root is the document, parent holds the value.
type expr func(c *call, root, parent, value *tree) *tree

var (
	lengthOf = regexp.MustCompile(`^len\((/\S+)\)$`)
	scaled   = regexp.MustCompile(`^([A-Za-z]+)\s*([*+-])\s*(\d+(?:\.\d+)?)$`)
	sibling  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*$`)
)

// parseExpr compiles JSON, len(/path), total*0.4, or texts and names of
// siblings joined by +. An expression yields nil where a sibling is missing.
func parseExpr(text string) (expr, error) {
	text = strings.TrimSpace(text)
	if n, err := fhir.ParseString(text); err == nil {
		raw := n.Raw()
		return func(_ *call, root, _, _ *tree) *tree {
			v := literal(raw)
			likely(v, root)
			return v
		}, nil
	}
	if m := lengthOf.FindStringSubmatch(text); m != nil {
		at, err := parsePath(m[1])
		if err != nil {
			return nil, err
		}
		return func(c *call, root, _, old *tree) *tree {
			places := at.find(c, root, false)
			if len(places) != 1 || old.kind != fhir.Number {
				return nil
			}
			return literal(strconv.Itoa(len(places[0].value.kids)))
		}, nil
	}
	if m := scaled.FindStringSubmatch(text); m != nil {
		by, _ := strconv.ParseFloat(m[3], 64) // the pattern has only numbers
		return func(_ *call, _, parent, _ *tree) *tree {
			v := parent.get(m[1])
			if v == nil || v.kind != fhir.Number {
				return nil
			}
			n, _ := strconv.ParseFloat(v.raw, 64)
			switch m[2] {
			case "*":
				n *= by
			case "+":
				n += by
			case "-":
				n -= by
			}
			return literal(strconv.FormatFloat(math.Floor(n), 'f', 0, 64))
		}, nil
	}
	terms := strings.Split(text, "+")
	for i, t := range terms {
		terms[i] = strings.TrimSpace(t)
		if _, err := fhir.ParseString(terms[i]); err != nil && !sibling.MatchString(terms[i]) {
			return nil, fmt.Errorf("%q is not an expression", text)
		}
	}
	return func(_ *call, _, parent, _ *tree) *tree {
		var b strings.Builder
		for _, t := range terms {
			v := parent.get(t)
			if !sibling.MatchString(t) {
				v = literal(t)
			}
			if v == nil {
				return nil
			}
			b.WriteString(v.str())
		}
		return quoted(b.String())
	}, nil
}
