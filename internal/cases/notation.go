// Package cases reads the case files kept beside the repository: requests and
// what must come back, in a notation made for people. Its test runs them
// against the mock; internal/witness checks itself with the same rows.
package cases

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Row is one line of a case file, by the names of the file's columns.
type Row struct {
	ID   string
	Line int
	cols map[string]string
}

// Col returns a column, "" when the file has none of that name.
func (r Row) Col(name string) string { return r.cols[name] }

// Read reads a file of tab-separated rows under one line of column names. The
// first column is the id.
func Read(file string) ([]Row, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	names := strings.Split(lines[0], "\t")
	var rows []Row
	for i, line := range lines[1:] {
		fields := strings.Split(line, "\t")
		if len(fields) != len(names) {
			return nil, fmt.Errorf("%s:%d: %d columns, want %d", file, i+2, len(fields), len(names))
		}
		row := Row{ID: fields[0], Line: i + 2, cols: map[string]string{}}
		for j, name := range names {
			row.cols[name] = fields[j]
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// Setting is what a row's precondition arranges.
type Setting struct {
	Set     string   // "RX", "FX", "" for none, or what Build makes
	Profile string   // "source" unless the row says (prod)
	Headers []string // "Name: value", sent with the request
	Updated []string // ids stored again after loading, changed
	Again   bool     // the resource asked for is stored again, unchanged
	Unknown []string // what the notation says and no runner can arrange
}

var parenthesis = regexp.MustCompile(`\s*\(([^)]*)\)`)

// ParseSetting reads a precondition: the set, then after commas headers and
// later changes; in parentheses whose behaviour is meant.
func ParseSetting(text string) Setting {
	s := Setting{Profile: "source"}
	for _, note := range parenthesis.FindAllStringSubmatch(text, -1) {
		switch note := note[1]; {
		case strings.HasPrefix(note, "head"), note == "JVM zone Europe/Paris":
		case strings.HasPrefix(note, "prod"):
			s.Profile = "production"
		default:
			s.Unknown = append(s.Unknown, note)
		}
	}
	for i, part := range strings.Split(parenthesis.ReplaceAllString(text, ""), ", ") {
		updated, isUpdate := strings.CutPrefix(strings.TrimSuffix(part, " updated"), "then ")
		switch {
		case i == 0 && part == "head": // of the five types, whatever is in them
			s.Set = "RX"
		case i == 0 && storedAgain.MatchString(part):
			s.Set, s.Again = part, true
		case i == 0 && (part == "RX" || part == "FX" || countOf.MatchString(part) || character.MatchString(part)):
			s.Set = part
		case headerLine.MatchString(part):
			s.Headers = append(s.Headers, part)
		case isUpdate && strings.HasSuffix(part, " updated"):
			s.Updated = append(s.Updated, updated)
		default:
			s.Unknown = append(s.Unknown, part)
		}
	}
	return s
}

var (
	countOf     = regexp.MustCompile(`^(\d+) (\w+?)s$`)                   // 50 Practitioners
	character   = regexp.MustCompile(`^(\w+) contains U\+([0-9A-F]{4})$`) // name contains U+200B
	storedAgain = regexp.MustCompile(`^(\w+) stored again unchanged$`)    // Device stored again unchanged
	headerLine  = regexp.MustCompile(`^[A-Z][A-Za-z-]*: `)
)

// Build writes the resources of a set that a precondition describes in words;
// target is the row's request, whose type and _id the words leave out. It is
// "" for a set that has a file.
func Build(set, target string) string {
	typ, query, _ := strings.Cut(strings.TrimPrefix(target, "/"), "?")
	if m := countOf.FindStringSubmatch(set); m != nil {
		var b strings.Builder
		n, _ := strconv.Atoi(m[1])
		for i := range n {
			fmt.Fprintf(&b, `{"resourceType": %q, "id": "%d", "meta": {"versionId": "1"}, "active": true, "name": [{"family": "EXEMPLE"}]}`+"\n", m[2], i+1)
		}
		return b.String()
	}
	if m := character.FindStringSubmatch(set); m != nil {
		values, _ := url.ParseQuery(query)
		code, _ := strconv.ParseUint(m[2], 16, 32)
		return fmt.Sprintf(`{"resourceType": %q, "id": %q, "meta": {"versionId": "1"}, %q: "a%sb"}`+"\n",
			typ, values.Get("_id"), m[1], string(rune(code)))
	}
	if m := storedAgain.FindStringSubmatch(set); m != nil {
		return fmt.Sprintf(`{"resourceType": %q, "id": %q, "meta": {"versionId": "1", "lastUpdated": "2025-01-02T03:04:05.000+01:00"}}`+"\n",
			m[1], target[strings.LastIndexByte(target, '/')+1:])
	}
	return ""
}

// Request is what a row sends.
type Request struct {
	Method, Target string
	Body           string
	Form           bool // the body is a form whatever the headers say
	// Of is a search sent first: Target may then hold {token}, of its next
	// link, and is "" when that link itself is followed.
	Of string
	// Both: the pages before and after the next link are judged together.
	Both bool
	// Between: all resources of the searched type are stored again, changed,
	// before the next link is followed.
	Between bool
	Unknown string // what of the notation is not understood
}

var (
	bodyNote    = regexp.MustCompile(`\s+(?:body:? |\(with a request body ?)(.*)$`)
	rawNote     = regexp.MustCompile(`\s+\(sent raw as "(.)"\)$`)
	between     = regexp.MustCompile(`; all \w+ updated between pages$`)
	thenNext    = regexp.MustCompile(`( then|,) next$`)
	parentheses = regexp.MustCompile(`^\(|\([^)]* [^)]*\)`) // prose about what to send
)

// ParseRequest reads a method and a path. Prose in it may ask for the next
// page, a token or a body; firstPage is the search meant when it names none.
func ParseRequest(method, path, firstPage string) Request {
	r := Request{Method: method, Target: path}
	if m := rawNote.FindStringSubmatch(r.Target); m != nil {
		r.Target = strings.ReplaceAll(rawNote.ReplaceAllString(r.Target, ""), url.QueryEscape(m[1]), m[1])
	}
	if m := bodyNote.FindStringSubmatchIndex(r.Target); m != nil {
		r.Body = strings.Trim(strings.TrimSuffix(r.Target[m[2]:m[3]], ")"), `"`)
		r.Target = r.Target[:m[0]]
		if body, ok := strings.CutSuffix(r.Body, ", form type"); ok {
			r.Body, r.Form = body, true
		}
		if r.Body == "" {
			r.Body = "x=1" // any
		}
	}
	r.Body = bodyOf(r.Body)
	if between.MatchString(r.Target) {
		r.Target, r.Between = between.ReplaceAllString(r.Target, ""), true
	}
	switch search, isNext := strings.CutPrefix(r.Target, "(next of) "); {
	case isNext:
		r.Of, r.Target = search, ""
	case r.Target == "(next page)":
		r.Of, r.Target = firstPage, ""
	case thenNext.MatchString(r.Target):
		r.Of, r.Target, r.Both = thenNext.ReplaceAllString(r.Target, ""), "", !r.Between
	default:
		if strings.HasPrefix(r.Target, "(token") {
			r.Target = "/_page?id=" + r.Target
		}
		bent := strings.NewReplacer("(token)", "{token}", "(rest of token)", "{rest}",
			"(token with one character of the middle changed)", "{changed}")
		r.Target, r.Body = bent.Replace(r.Target), bent.Replace(r.Body)
		if Fill(r.Target+r.Body, "token") != r.Target+r.Body {
			r.Of = firstPage
		}
	}
	if prose := parentheses.FindString(r.Target + r.Of); prose != "" {
		r.Unknown = prose
	}
	return r
}

var resourceNote = regexp.MustCompile(`^([A-Z]\w+) ([\w-]+)$`) // Patient id1

// bodyOf writes out the bodies that rows name in words.
func bodyOf(note string) string {
	if m := resourceNote.FindStringSubmatch(note); m != nil {
		return fmt.Sprintf(`{"resourceType":%q,"id":%q}`, m[1], m[2])
	}
	if note == "transaction Bundle" {
		return `{"resourceType":"Bundle","type":"transaction","entry":[` +
			`{"resource":{"resourceType":"Organization","name":"Exemple"},"request":{"method":"POST","url":"Organization"}}]}`
	}
	return note
}

// Fill puts a token in the places of a target or body that ask for one.
func Fill(text, token string) string {
	if token == "" {
		return text
	}
	changed := []byte(token)
	if middle := len(changed) / 2; changed[middle] == 'A' {
		changed[middle] = 'B'
	} else {
		changed[middle] = 'A'
	}
	return strings.NewReplacer("{token}", token, "{rest}", token[1:], "{changed}", string(changed)).Replace(text)
}

// Header reads "Name: value" lines.
func Header(lines []string) http.Header {
	h := http.Header{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	return h
}

var (
	diagnostics = regexp.MustCompile("diagnostics = `([^`]*)`")
	entries     = regexp.MustCompile(`entries=\[([^\]]*)\]`)
	total       = regexp.MustCompile(`\btotal=(\d+)`)
)

// Diagnostics is the text of the OperationOutcome an observation describes.
func Diagnostics(observation string) (text string, ok bool) {
	m := diagnostics.FindStringSubmatch(observation)
	if m == nil {
		return "", false
	}
	return m[1], true
}

// Entries are the `Type/id`s an observation lists.
func Entries(observation string) (keys []string, ok bool) {
	m := entries.FindStringSubmatch(observation)
	if m == nil {
		return nil, false
	}
	keys = strings.Split(m[1], ", ")
	return slices.DeleteFunc(keys, func(k string) bool { return k == "" }), true
}

// Total is the total an observation gives.
func Total(observation string) (n int, ok bool) {
	m := total.FindStringSubmatch(observation)
	if m == nil {
		return 0, false
	}
	n, err := strconv.Atoi(m[1])
	return n, err == nil
}
