package fhirschema

import (
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// lexical reports whether a text is a value of a primitive type. The frequent
// types have functions of their own (a test holds them against HL7's regular
// expressions); the others are matched.
func lexical(t *Type, text string) bool {
	switch t.Name {
	case "string", "markdown":
		return isText(text)
	case "uri", "url", "canonical":
		return strings.IndexFunc(text, isSpace) < 0
	case "code":
		return isCode(text)
	case "id":
		return isID(text)
	case "boolean", "decimal":
		return true // the grammar of JSON is the same
	case "integer", "unsignedInt", "positiveInt":
		return matches(t, text) && isInt32(text)
	case "date", "dateTime", "instant":
		return matches(t, text) && isDay(text)
	case "xhtml":
		return isNarrative(text)
	}
	return matches(t, text)
}

// isText refuses the control characters R4 forbids in strings.
func isText(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' && c != '\n' && c != '\r' {
			return false
		}
	}
	return true
}

// isSpace is \s of regular expressions.
func isSpace(r rune) bool {
	return r == ' ' || r == '\t' || r == '\n' || r == '\f' || r == '\r'
}

// isCode allows single spaces inside.
func isCode(s string) bool {
	space := true
	for _, r := range s {
		if isSpace(r) {
			if space {
				return false
			}
			space = true
		} else {
			space = false
		}
	}
	return !space
}

func isID(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '-' || c == '.') {
			return false
		}
	}
	return 0 < len(s) && len(s) <= 64
}

func isInt32(s string) bool {
	_, err := strconv.ParseInt(s, 10, 32)
	return err == nil
}

// isDay checks that the day of a date exists; the form is known to be right.
func isDay(s string) bool {
	if len(s) < len(time.DateOnly) {
		return true
	}
	_, err := time.Parse(time.DateOnly, s[:len(time.DateOnly)])
	return err == nil
}

var regexes sync.Map // of *regexp.Regexp by name of the type

func matches(t *Type, text string) bool {
	re, ok := regexes.Load(t.Name)
	if !ok {
		re, _ = regexes.LoadOrStore(t.Name, regexp.MustCompile(`\A(?:`+t.Regex+`)\z`))
	}
	return re.(*regexp.Regexp).MatchString(text)
}

// isNarrative checks that a text is one well-formed div in the namespace of
// XHTML, without the entities of HTML, which XML does not know.
func isNarrative(s string) bool {
	d := xml.NewDecoder(strings.NewReader(s))
	for depth, first := 0, true; ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return !first && depth == 0
		}
		if err != nil {
			return false
		}
		switch e := token.(type) {
		case xml.StartElement:
			if first && (e.Name.Space != "http://www.w3.org/1999/xhtml" || e.Name.Local != "div") || !first && depth == 0 {
				return false
			}
			first = false
			depth++
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth == 0 && strings.TrimSpace(string(e)) != "" {
				return false
			}
		case xml.ProcInst, xml.Directive:
			return false
		}
	}
}
