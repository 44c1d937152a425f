package drift

import (
	"bytes"
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/mockfhir/mockfhir/internal/fhir"
)

// body compiles what follows "body=".
func (p *parser) body(text string) (bool, error) {
	make, err := parseBody(text)
	if err != nil {
		return false, err
	}
	p.add(everywhere, make)
	return true, nil
}

var (
	outcomeBody = regexp.MustCompile(`^OperationOutcome(?: (?:code )?([a-z-]+))?(?: "(.*)")?$`)
	functions   = map[string]func(*call, []byte) []byte{
		"indent":       func(_ *call, b []byte) []byte { return indent(b) },
		"ascii-escape": func(_ *call, b []byte) []byte { return asciiEscape(b) },
		"gzip":         func(_ *call, b []byte) []byte { return compress(b) },
		"bom":          func(_ *call, b []byte) []byte { return append([]byte("\ufeff"), b...) },
		"half":         func(_ *call, b []byte) []byte { return b[:len(b)/2] },
		"truncate":     func(_ *call, b []byte) []byte { return b[:len(b)/2] },
		"latin1":       func(_ *call, b []byte) []byte { return latin1(b) },
		"compact":      func(_ *call, b []byte) []byte { return compact(b) },
		"wrap":         func(_ *call, b []byte) []byte { return append(append([]byte("["), b...), ']') },
	}
	functionBody = regexp.MustCompile(`^([a-z0-9-]+)\((.+)\)$`)
)

func parseBody(text string) (func(*call), error) {
	if text == "body" {
		return func(*call) {}, nil
	}
	if m := functionBody.FindStringSubmatch(text); m != nil && functions[m[1]] != nil {
		inner, err := parseBody(m[2])
		if err != nil {
			return nil, err
		}
		f := functions[m[1]]
		return func(c *call) {
			inner(c)
			c.flush()
			if len(c.resp.body) == 0 {
				return
			}
			body := f(c, c.resp.body)
			if m[1] == "gzip" {
				c.resp.header.Set("Content-Encoding", "gzip")
			}
			c.setBody(body)
		}, nil
	}
	if before, after, found := strings.Cut(text, "body"); found && (strings.HasSuffix(strings.TrimSpace(before), "+") || strings.HasPrefix(strings.TrimSpace(after), "+")) {
		return around(strings.Trim(before, " +"), strings.Trim(after, " +"))
	}
	if m := outcomeBody.FindStringSubmatch(text); m != nil {
		body := outcome(cmp.Or(m[1], "exception"), cmp.Or(m[2], "Unexpected error"))
		return func(c *call) {
			c.setBody(slices.Clone(body))
			c.resp.header.Set("Content-Type", "application/fhir+json;charset=UTF-8")
		}, nil
	}
	n, err := fhir.ParseString(text)
	if err != nil {
		return nil, fmt.Errorf("body=%s is neither JSON, nor a function of the body, nor an OperationOutcome", text)
	}
	body := n.Raw()
	if n.Kind() == fhir.String {
		body = n.Str()
	}
	return func(c *call) { c.setBody([]byte(body)) }, nil
}

// around puts texts before and after the body: "U+FEFF + body".
func around(before, after string) (func(*call), error) {
	texts := [2]string{before, after}
	for i, t := range texts {
		switch n, err := fhir.ParseString(t); {
		case t == "" || t == "BOM" || t == "U+FEFF":
			texts[i] = strings.NewReplacer("BOM", "\ufeff", "U+FEFF", "\ufeff").Replace(t)
		case err == nil && n.Kind() == fhir.String:
			texts[i] = n.Str()
		default:
			return nil, fmt.Errorf("%q is no text to put beside a body", t)
		}
	}
	return func(c *call) {
		c.flush()
		if len(c.resp.body) > 0 {
			c.setBody([]byte(texts[0] + string(c.resp.body) + texts[1]))
		}
	}, nil
}

// indent prints JSON over several lines. Unlike json.Indent it never fails.
func indent(body []byte) []byte {
	t, err := parseTree(string(body))
	if err != nil {
		return body
	}
	var b []byte
	return t.indent(b, "\n")
}

func (t *tree) indent(b []byte, line string) []byte {
	if t.kind != fhir.Object && t.kind != fhir.Array || len(t.kids) == 0 {
		return t.append(b)
	}
	open, end := byte('{'), byte('}')
	if t.kind == fhir.Array {
		open, end = '[', ']'
	}
	b = append(b, open)
	for i := range t.kids {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, line+"  "...)
		if t.kids[i].name != "" {
			b = append(append(b, t.kids[i].name...), " : "...)
		}
		b = t.kids[i].value.indent(b, line+"  ")
	}
	return append(append(b, line...), end)
}

// compact prints JSON without white space.
func compact(body []byte) []byte {
	n, err := fhir.Parse(body)
	if err != nil {
		return body
	}
	return fhir.AppendRead(nil, n)
}

// asciiEscape writes what JSON may escape: everything beyond ASCII, and "/".
func asciiEscape(body []byte) []byte {
	if _, err := fhir.Parse(body); err != nil {
		return body
	}
	var b bytes.Buffer
	escaped := false
	for _, r := range string(body) {
		switch {
		case r == '/' && !escaped:
			b.WriteString(`\/`)
		case r < 0x80:
			b.WriteRune(r)
		default:
			for _, u := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04x`, u)
			}
		}
		escaped = r == '\\' && !escaped
	}
	return b.Bytes()
}

func latin1(body []byte) []byte {
	var b []byte
	for _, r := range string(body) {
		if r > 0xff {
			r = '?'
		}
		b = append(b, byte(r))
	}
	return b
}
