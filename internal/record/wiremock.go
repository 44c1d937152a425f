package record

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/redact"
)

// The parts of a WireMock mapping that are read and written.
type wiremockFile struct {
	Mappings []wiremockMapping `json:"mappings"`
}

type wiremockMapping struct {
	Name     string           `json:"name,omitempty"`
	Request  wiremockRequest  `json:"request"`
	Response wiremockResponse `json:"response"`
}

type wiremockRequest struct {
	Method  string                     `json:"method"`
	URL     string                     `json:"url,omitempty"`
	URLPath string                     `json:"urlPath,omitempty"`
	Query   map[string]wiremockMatcher `json:"queryParameters,omitempty"`
	Headers map[string]wiremockMatcher `json:"headers,omitempty"`
	Body    []wiremockMatcher          `json:"bodyPatterns,omitempty"`
}

type wiremockMatcher struct {
	EqualTo *string `json:"equalTo,omitempty"`
	Matches string  `json:"matches,omitempty"`
	Absent  bool    `json:"absent,omitempty"`
}

type wiremockResponse struct {
	Status  int             `json:"status"`
	Headers map[string]any  `json:"headers,omitempty"` // a text or, of equal names, several
	Body    *string         `json:"body,omitempty"`
	JSON    json.RawMessage `json:"jsonBody,omitempty"`
	Base64  string          `json:"base64Body,omitempty"`
	File    string          `json:"bodyFileName,omitempty"`
}

// ReadWireMock reads a file of mappings, or every one below a directory, with
// the bodies in __files beside it. A mapping that does not say one request and
// its answer is left out: an exchange is both, and made of less it would be
// one that nobody wrote.
func ReadWireMock(name string) (*Foreign, error) {
	var files []string
	err := filepath.WalkDir(name, func(file string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == "__files" {
			return fs.SkipDir
		}
		if err == nil && !d.IsDir() && (path.Ext(file) == ".json" || file == name) {
			files = append(files, file)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("no mappings at %s", name)
	}
	foreign := &Foreign{}
	for _, file := range files {
		text, err := readFile(file)
		if err != nil {
			return nil, err
		}
		mappings, err := mappingsOf(text)
		if err != nil {
			return nil, fmt.Errorf("%s is no WireMock mapping", file)
		}
		for i, text := range mappings {
			m, err := readMapping(text)
			if err != nil {
				foreign.leave("%s: mapping %d: %v", file, i+1, err)
				continue
			}
			raw, err := m.raw(file, name)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			foreign.Raws = append(foreign.Raws, raw)
		}
	}
	return foreign, nil
}

// mappingsOf are the mappings of a file: it is one, or holds a list.
func mappingsOf(text []byte) ([]json.RawMessage, error) {
	var file struct {
		Mappings          []json.RawMessage
		Request, Response json.RawMessage
	}
	err := json.Unmarshal(text, &file)
	switch {
	case err != nil:
		return nil, err
	case file.Mappings != nil:
		return file.Mappings, nil
	case file.Request == nil || file.Response == nil:
		return nil, errors.New("neither request nor response")
	}
	return []json.RawMessage{text}, nil
}

// decides are the members of a mapping beside request and response that decide
// whether or how it answers.
var decides = []string{"scenarioName", "requiredScenarioState"}

// readMapping reads a mapping, and says why it is not one request and its
// answer.
func readMapping(text []byte) (*wiremockMapping, error) {
	var parts map[string]json.RawMessage
	if json.Unmarshal(text, &parts) != nil {
		return nil, errors.New("it is no object")
	}
	for _, name := range decides {
		if parts[name] != nil {
			return nil, fmt.Errorf("%s makes the answer depend on more than the request", name)
		}
	}
	m := &wiremockMapping{Response: wiremockResponse{Status: http.StatusOK}} // WireMock's own default
	if err := strictly(parts["request"], &m.Request); err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	if err := strictly(parts["response"], &m.Response, "statusMessage", "fixedDelayMilliseconds", "delayDistribution", "chunkedDribbleDelay"); err != nil {
		return nil, fmt.Errorf("response: %w", err)
	}
	for name, matcher := range m.Request.Query {
		if !matcher.exact() {
			return nil, fmt.Errorf("request: queryParameters %q has another matcher than equalTo", name)
		}
	}
	for name, matcher := range m.Request.Headers {
		// Which key was sent does not matter: the answer tells whether one was accepted.
		if !matcher.exact() && !strings.EqualFold(name, redact.KeyHeader) {
			return nil, fmt.Errorf("request: headers %q has another matcher than equalTo", name)
		}
	}
	if body := m.Request.Body; len(body) > 1 || len(body) == 1 && !body[0].exact() {
		return nil, errors.New("request: bodyPatterns has another matcher than one equalTo")
	}
	return m, nil
}

// exact reports whether a matcher takes one value, or none, and no other.
func (m wiremockMatcher) exact() bool {
	return m.Matches == "" && (m.EqualTo != nil) != m.Absent
}

// strictly reads a part of a mapping, and refuses members that we do not know,
// but those that do not matter here.
func strictly(text []byte, into any, indifferent ...string) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil || members == nil {
		return errors.New("it is no object")
	}
	for _, name := range indifferent {
		delete(members, name)
	}
	rest, err := json.Marshal(members)
	if err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(rest))
	dec.DisallowUnknownFields()
	err = dec.Decode(into)
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong):
		return fmt.Errorf("%s is not of the kind that is expected", wrong.Field)
	case err != nil:
		return errors.New(strings.Replace(strings.TrimPrefix(err.Error(), "json: "), "unknown field", "no exchange can express", 1))
	}
	return nil
}

func (m *wiremockMapping) raw(file, root string) (raw redact.Raw, err error) {
	_, target := splitAddress(cmp.Or(m.Request.URL, m.Request.URLPath))
	raw = redact.Raw{Method: cmp.Or(m.Request.Method, "GET"), Target: target, Status: m.Response.Status, Header: http.Header{}, ResponseHeader: http.Header{}}
	if raw.Method == "ANY" {
		raw.Method = "GET"
	}
	separator := "?"
	if strings.Contains(target, "?") {
		separator = "&"
	}
	for _, name := range sortedKeys(m.Request.Query) {
		if v := m.Request.Query[name].EqualTo; v != nil {
			raw.Target += separator + url.QueryEscape(name) + "=" + url.QueryEscape(*v)
			separator = "&"
		}
	}
	for name, matcher := range m.Request.Headers {
		if matcher.EqualTo != nil {
			raw.Header.Set(name, *matcher.EqualTo)
		}
	}
	for _, matcher := range m.Request.Body {
		if matcher.EqualTo != nil {
			raw.Body = []byte(*matcher.EqualTo)
		}
	}
	for _, name := range sortedKeys(m.Response.Headers) {
		values, several := m.Response.Headers[name].([]any)
		if !several {
			values = []any{m.Response.Headers[name]}
		}
		for _, value := range values {
			if text, ok := value.(string); ok {
				raw.ResponseHeader.Add(name, text)
			}
		}
	}
	switch r := m.Response; {
	case r.Body != nil:
		raw.ResponseBody = []byte(*r.Body)
	case r.JSON != nil:
		raw.ResponseBody = r.JSON
	case r.Base64 != "":
		raw.ResponseBody, err = base64.StdEncoding.DecodeString(r.Base64)
	case r.File != "":
		if !filepath.IsLocal(r.File) {
			return raw, errors.New("bodyFileName leads outside of __files")
		}
		for _, dir := range []string{filepath.Join(filepath.Dir(file), "..", "__files"), filepath.Join(root, "__files")} {
			if raw.ResponseBody, err = readFile(filepath.Join(dir, r.File)); err == nil {
				break
			}
		}
	}
	return raw, err
}

func sortedKeys[V any](m map[string]V) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (o *ExportOptions) wiremock(set *fixtures.Set) wiremockFile {
	file := wiremockFile{Mappings: []wiremockMapping{}}
	for _, s := range set.Scenarios {
		for i, x := range s.Exchanges {
			m := wiremockMapping{Name: strings.TrimSuffix(s.File, ".txtar") + " " + strconv.Itoa(i+1)}
			m.Request = wiremockRequest{Method: x.Request.Method, URL: o.fill(x.Request.Target), Headers: o.matchers(x)}
			if len(x.Request.Body) > 0 {
				form := string(x.Request.Body)
				m.Request.Body = []wiremockMatcher{{EqualTo: &form}}
			}
			body := o.fill(string(x.Response.Body))
			m.Response = wiremockResponse{Status: x.Response.Status, Headers: map[string]any{}}
			if utf8.ValidString(body) {
				m.Response.Body = &body
			} else {
				m.Response.Base64 = base64.StdEncoding.EncodeToString([]byte(body))
			}
			for _, f := range x.Response.Header {
				if f.Name != "Content-Length" { // the origin has another length
					m.Response.Headers[f.Name] = oneMore(m.Response.Headers[f.Name], o.fill(f.Value))
				}
			}
			file.Mappings = append(file.Mappings, m)
		}
	}
	return file
}

// oneMore adds a value to those of a header: a text is one, a list several.
func oneMore(there any, value string) any {
	switch there := there.(type) {
	case string:
		return []string{there, value}
	case []string:
		return append(there, value)
	}
	return value
}

// matchers tell the key apart, and of the other headers only that which
// decides what the gateway's own answers look like.
func (o *ExportOptions) matchers(x fixtures.Exchange) map[string]wiremockMatcher {
	values, given := x.Request.Header[http.CanonicalHeaderKey(redact.KeyHeader)]
	switch {
	case given && values[0] == fixtures.KeyPlaceholder:
		return map[string]wiremockMatcher{redact.KeyHeader: {Matches: ".+"}}
	case given:
		m := map[string]wiremockMatcher{redact.KeyHeader: {EqualTo: &values[0]}}
		return withAccept(m, x)
	}
	return withAccept(map[string]wiremockMatcher{redact.KeyHeader: {Absent: true}}, x)
}

func withAccept(m map[string]wiremockMatcher, x fixtures.Exchange) map[string]wiremockMatcher {
	if accept := x.Request.Header.Get("Accept"); accept != "" {
		m["Accept"] = wiremockMatcher{EqualTo: &accept}
	}
	return m
}
