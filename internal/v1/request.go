package v1

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// params are the parameters of a request, decoded, in the order they came.
type params []param

type param struct{ name, value string }

// parseParams reads a query or a form as HAPI does: pieces without a name are
// nothing, one that cannot be decoded fails the request.
func parseParams(query string) (params, error) {
	var all params
	for piece := range strings.SplitSeq(query, "&") {
		rawName, rawValue, _ := strings.Cut(piece, "=")
		name, err := decode(rawName)
		if err != nil {
			return nil, err
		}
		value, err := decode(rawValue)
		if err != nil {
			return nil, err
		}
		if name != "" {
			all = append(all, param{name, value})
		}
	}
	return all, nil
}

// decode is java.net.URLDecoder, with its words.
func decode(s string) (string, error) {
	if !strings.ContainsAny(s, "%+") {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '+':
			b.WriteByte(' ')
		case '%':
			if i+2 >= len(s) {
				return "", failure("URLDecoder: Incomplete trailing escape (%%) pattern")
			}
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				return "", failure("URLDecoder: Illegal hex characters in escape (%%) pattern")
			}
			b.WriteByte(byte(n))
			i += 2
		default:
			b.WriteByte(s[i])
		}
	}
	return strings.ToValidUTF8(b.String(), "\uFFFD"), nil
}

// first is the first value of a parameter.
func (p params) first(name string) (value string, found bool) {
	for _, pair := range p {
		if pair.name == name {
			return pair.value, true
		}
	}
	return "", false
}

// escape is HAPI's UrlUtil.escapeUrlParam.
func escape(text string) string {
	const safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.*"
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; strings.IndexByte(safe, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// sorted is the query of a self link: by name, escaped anew.
func (p params) sorted() string {
	byName := slices.Clone(p)
	slices.SortStableFunc(byName, func(a, b param) int { return strings.Compare(a.name, b.name) })
	var b strings.Builder
	for i, pair := range byName {
		b.WriteByte("?&"[min(i, 1)])
		b.WriteString(escape(pair.name) + "=" + escape(pair.value))
	}
	return b.String()
}

// format is how an answer is written.
type format struct {
	xml    bool
	legacy bool // the media types of DSTU2: application/xml+fhir
	pretty bool
}

func (f format) contentType() string {
	kind := "json"
	if f.xml {
		kind = "xml"
	}
	if f.legacy {
		return "application/" + kind + "+fhir;charset=UTF-8"
	}
	return "application/fhir+" + kind + ";charset=UTF-8"
}

// encodings are the names HAPI knows (EncodingEnum). Only the two that end in
// +fhir are answered in kind.
var encodings = map[string]format{
	"json": {}, "application/json": {}, "application/fhir+json": {}, "text/json": {}, "html/json": {},
	"xml": {xml: true}, "application/xml": {xml: true}, "application/fhir+xml": {xml: true}, "text/xml": {xml: true}, "html/xml": {xml: true},
	"application/json+fhir": {legacy: true}, "application/xml+fhir": {xml: true, legacy: true},
}

// chooseFormat is RestfulServerUtils.determineResponseEncodingNoDefault: the
// first _format that names one, else the best of Accept, where JSON wins a
// draw, else the Content-Type of the request, else JSON.
func chooseFormat(p params, h http.Header) format {
	f, found := format{}, false
	for _, pair := range p {
		if pair.name == "_format" && !found {
			// A plus that was not encoded has become a space.
			f, found = encodings[strings.ReplaceAll(pair.value, " ", "+")]
		}
	}
	if !found {
		f, found = best(h.Values("Accept"))
	}
	if !found {
		mediaType, _, _ := strings.Cut(h.Get("Content-Type"), ";")
		f = encodings[strings.TrimSpace(mediaType)]
	}
	if pretty, given := p.first("_pretty"); given {
		f.pretty = pretty == "true"
	} else {
		f.pretty = slices.ContainsFunc(h.Values("Accept"), func(a string) bool { return strings.Contains(a, "pretty=true") })
	}
	return f
}

func best(accept []string) (f format, found bool) {
	bestQ := -1.0
	for _, header := range accept {
		for item := range strings.SplitSeq(header, ",") {
			name, rest, _ := strings.Cut(strings.TrimLeft(item, " "), ";")
			candidate, known := encodings[strings.TrimRight(name, " ")]
			if !known {
				continue
			}
			if q := quality(rest); q > bestQ || q == bestQ && f.xml && !candidate.xml {
				f, found, bestQ = candidate, true, q
			}
		}
	}
	return f, found
}

func quality(parameters string) float64 {
	for p := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(p, "=")
		if strings.TrimSpace(name) != "q" {
			continue
		}
		if q, err := strconv.ParseFloat(strings.TrimSpace(value), 32); err == nil {
			return max(q, 0)
		}
	}
	return 1
}
