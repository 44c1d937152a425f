package redact

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/mockfhir/mockfhir/internal/fhir"
)

// A span is one value of a JSON text by its place in it, so that what is kept
// is copied byte for byte, white space included.
type span struct {
	kind       byte // '{' '[' '"' '0' (number) or 'l' (true, false, null)
	key, value extent
	next       int // of the following sibling, 0 for the last
	child      int // first one, 0 for none
}

type extent struct{ from, to int }

func (e extent) of(text string) string { return text[e.from:e.to] }

// tape holds the values of a text in document order; the root is at 1.
type tape struct {
	text  string
	spans []span
}

var errNotJSON = errors.New("not JSON")

// maxSpans bounds one body: a page of a thousand resources has 200,000.
const maxSpans = 4 << 20

func (t *tape) read(text string) error {
	if !utf8.ValidString(text) {
		return errNotJSON
	}
	t.text, t.spans = text, append(t.spans[:0], span{})
	end, err := t.value(t.space(0), extent{}, 0)
	if err == nil && t.space(end) != len(text) {
		err = errNotJSON
	}
	return err
}

func (t *tape) space(i int) int {
	for i < len(t.text) && (t.text[i] == ' ' || t.text[i] == '\n' || t.text[i] == '\t' || t.text[i] == '\r') {
		i++
	}
	return i
}

// value reads the value at i and returns where it ends.
func (t *tape) value(i int, key extent, depth int) (int, error) {
	if i >= len(t.text) || depth > fhir.MaxDepth || len(t.spans) >= maxSpans {
		return 0, errNotJSON
	}
	at := len(t.spans)
	t.spans = append(t.spans, span{key: key})
	kind, end, err := byte('l'), i, error(nil)
	switch c := t.text[i]; {
	case c == '{' || c == '[':
		kind = c
		end, err = t.container(i, at, depth)
	case c == '"':
		kind = c
		end, err = t.quoted(i)
	case c == '-' || c >= '0' && c <= '9':
		kind = '0'
		for end < len(t.text) && strings.IndexByte("+-.eE0123456789", t.text[end]) >= 0 {
			end++
		}
	default:
		for _, literal := range [...]string{"true", "false", "null"} {
			if strings.HasPrefix(t.text[i:], literal) {
				end = i + len(literal)
			}
		}
		if end == i {
			err = errNotJSON
		}
	}
	t.spans[at].kind, t.spans[at].value = kind, extent{i, end}
	return end, err
}

func (t *tape) container(i, at, depth int) (int, error) {
	closing := t.text[i] + 2 // '{' '}' and '[' ']' are two apart
	previous := 0
	for i = t.space(i + 1); i < len(t.text); {
		if t.text[i] == closing {
			return i + 1, nil
		}
		if previous > 0 {
			if t.text[i] != ',' {
				return 0, errNotJSON
			}
			i = t.space(i + 1)
		}
		var key extent
		if closing == '}' {
			end, err := t.quoted(i)
			if err != nil {
				return 0, err
			}
			key = extent{i, end}
			if i = t.space(end); i >= len(t.text) || t.text[i] != ':' {
				return 0, errNotJSON
			}
			i = t.space(i + 1)
		}
		item := len(t.spans)
		end, err := t.value(i, key, depth+1)
		if err != nil {
			return 0, err
		}
		if previous == 0 {
			t.spans[at].child = item
		} else {
			t.spans[previous].next = item
		}
		previous = item
		i = t.space(end)
	}
	return 0, errNotJSON
}

func (t *tape) quoted(i int) (int, error) {
	if i >= len(t.text) || t.text[i] != '"' {
		return 0, errNotJSON
	}
	for j := i + 1; j < len(t.text); j++ {
		switch c := t.text[j]; {
		case c == '"':
			return j + 1, nil
		case c == '\\':
			j++
		case c < ' ':
			return 0, errNotJSON
		}
	}
	return 0, errNotJSON
}

// str is a string value decoded, "" for anything else.
func (t *tape) str(i int) string {
	s := &t.spans[i]
	if i == 0 || s.kind != '"' {
		return ""
	}
	return decoded(s.value.of(t.text))
}

// name is the key of a member, "" of an item. One with an escape is nobody's.
func (t *tape) name(i int) string {
	key := t.spans[i].key.of(t.text)
	if len(key) < 2 {
		return ""
	}
	return key[1 : len(key)-1]
}

func decoded(quoted string) string {
	if strings.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	node, err := fhir.ParseString(quoted)
	if err != nil {
		return ""
	}
	return node.Str()
}

// member is the index of a member of an object, 0 when there is none.
func (t *tape) member(object int, name string) int {
	for i := t.spans[object].child; i > 0; i = t.spans[i].next {
		if t.name(i) == name {
			return i
		}
	}
	return 0
}
