package record

import (
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

// The parts of a WireMock mapping that are read and written. What a matcher
// leaves open cannot be imported: an exchange is one request.
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
	Headers map[string]any  `json:"headers,omitempty"`
	Body    *string         `json:"body,omitempty"`
	JSON    json.RawMessage `json:"jsonBody,omitempty"`
	Base64  string          `json:"base64Body,omitempty"`
	File    string          `json:"bodyFileName,omitempty"`
}

// ReadWireMock reads a file of mappings, or every one below a directory, with
// the bodies in __files beside it.
func ReadWireMock(name string) (raws []redact.Raw, err error) {
	var files []string
	err = filepath.WalkDir(name, func(file string, d fs.DirEntry, err error) error {
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
	for _, file := range files {
		text, err := readFile(file)
		if err != nil {
			return nil, err
		}
		var many wiremockFile
		if err := json.Unmarshal(text, &many); err != nil {
			return nil, fmt.Errorf("%s is no WireMock mapping", file)
		}
		if many.Mappings == nil {
			many.Mappings = make([]wiremockMapping, 1)
			if json.Unmarshal(text, &many.Mappings[0]) != nil || many.Mappings[0].Response.Status == 0 {
				return nil, fmt.Errorf("%s is no WireMock mapping", file)
			}
		}
		for _, m := range many.Mappings {
			raw, err := m.raw(file, name)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			raws = append(raws, raw)
		}
	}
	return raws, nil
}

func (m *wiremockMapping) raw(file, root string) (raw redact.Raw, err error) {
	raw = redact.Raw{Method: cmp.Or(m.Request.Method, "GET"), Target: targetOf(cmp.Or(m.Request.URL, m.Request.URLPath)), Status: m.Response.Status, Header: http.Header{}, ResponseHeader: http.Header{}}
	if raw.Method == "ANY" {
		raw.Method = "GET"
	}
	for i, name := range sortedKeys(m.Request.Query) {
		if v := m.Request.Query[name].EqualTo; v != nil {
			raw.Target += []string{"?", "&"}[min(i, 1)] + url.QueryEscape(name) + "=" + url.QueryEscape(*v)
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
	for name, value := range m.Response.Headers {
		if text, ok := value.(string); ok {
			raw.ResponseHeader.Set(name, text)
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
					m.Response.Headers[f.Name] = o.fill(f.Value)
				}
			}
			file.Mappings = append(file.Mappings, m)
		}
	}
	return file
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
