package record

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/redact"
)

// The parts of HAR 1.2 that are read and written.
type harFile struct {
	Log harLog `json:"log"`
}

type harLog struct {
	Version string     `json:"version"`
	Creator harCreator `json:"creator"`
	Entries []harEntry `json:"entries"`
}

type harCreator struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

type harEntry struct {
	Started  string      `json:"startedDateTime"`
	Time     float64     `json:"time"`
	Request  harRequest  `json:"request"`
	Response harResponse `json:"response"`
	Cache    struct{}    `json:"cache"`
	Timings  harTimings  `json:"timings"`
}

type harTimings struct {
	Send    float64 `json:"send"`
	Wait    float64 `json:"wait"`
	Receive float64 `json:"receive"`
}

type harRequest struct {
	Method      string       `json:"method"`
	URL         string       `json:"url"`
	HTTPVersion string       `json:"httpVersion"`
	Cookies     []harField   `json:"cookies"`
	Headers     []harField   `json:"headers"`
	Query       []harField   `json:"queryString"`
	PostData    *harPostData `json:"postData,omitempty"`
	HeadersSize int          `json:"headersSize"`
	BodySize    int          `json:"bodySize"`
}

type harPostData struct {
	MimeType string     `json:"mimeType"`
	Text     string     `json:"text"`
	Params   []harField `json:"params,omitempty"` // in the place of the text
}

// body is the text, or the form whose parameters stand for it.
func (d *harPostData) body() []byte {
	if d.Text != "" {
		return []byte(d.Text)
	}
	var form []string
	for _, p := range d.Params {
		form = append(form, url.QueryEscape(p.Name)+"="+url.QueryEscape(p.Value))
	}
	return []byte(strings.Join(form, "&"))
}

type harResponse struct {
	Status      int        `json:"status"`
	StatusText  string     `json:"statusText"`
	HTTPVersion string     `json:"httpVersion"`
	Cookies     []harField `json:"cookies"`
	Headers     []harField `json:"headers"`
	Content     harContent `json:"content"`
	RedirectURL string     `json:"redirectURL"`
	HeadersSize int        `json:"headersSize"`
	BodySize    int        `json:"bodySize"`
}

type harContent struct {
	Size     int    `json:"size"`
	MimeType string `json:"mimeType"`
	Text     string `json:"text,omitempty"`
	Encoding string `json:"encoding,omitempty"`
}

type harField struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// ReadHAR reads the exchanges of a HAR file. A browser records every host a
// page talks to: those count that are asked for the API.
func ReadHAR(name string) (*Foreign, error) {
	text, err := readFile(name)
	if err != nil {
		return nil, err
	}
	var file harFile
	if json.Unmarshal(text, &file) != nil || file.Log.Entries == nil {
		return nil, fmt.Errorf("%s is no HAR file", name)
	}
	ofAPI := map[string]bool{}
	for _, e := range file.Log.Entries {
		host, target := splitAddress(e.Request.URL)
		ofAPI[host] = ofAPI[host] || asksAPI(target)
	}
	foreign := &Foreign{}
	for i, e := range file.Log.Entries {
		host, target := splitAddress(e.Request.URL)
		if !ofAPI[host] {
			foreign.leave("the host %q is not asked for the API", host)
			continue
		}
		raw := redact.Raw{
			Method: e.Request.Method, Target: target, Header: headerOf(e.Request.Headers, e.Request.Cookies, "Cookie"),
			Status: e.Response.Status, ResponseHeader: headerOf(e.Response.Headers, e.Response.Cookies, "Set-Cookie"),
			ResponseBody: []byte(e.Response.Content.Text),
		}
		if data := e.Request.PostData; data != nil {
			raw.Body = data.body()
			if len(raw.Body) > 0 && raw.Header.Get("Content-Type") == "" && data.MimeType != "" {
				raw.Header.Set("Content-Type", data.MimeType)
			}
		}
		if e.Response.Content.Encoding == "base64" {
			if raw.ResponseBody, err = base64.StdEncoding.DecodeString(e.Response.Content.Text); err != nil {
				return nil, fmt.Errorf("%s: the body of entry %d is no base64", name, i+1)
			}
		}
		foreign.Raws = append(foreign.Raws, raw)
	}
	return foreign, nil
}

// splitAddress separates the host of an address from path and query, as they
// are written.
func splitAddress(address string) (host, target string) {
	if _, rest, ok := strings.Cut(address, "://"); ok {
		end := strings.IndexAny(rest+"/", "/?#")
		host, address = strings.ToLower(rest[strings.LastIndexByte(rest[:end], '@')+1:end]), rest[end:]
	}
	target, _, _ = strings.Cut(address, "#")
	if !strings.HasPrefix(target, "/") {
		target = "/" + target
	}
	return host, strings.ReplaceAll(target, " ", "%20")
}

func headerOf(fields, cookies []harField, name string) http.Header {
	h := http.Header{}
	for _, f := range fields {
		if !strings.HasPrefix(f.Name, ":") { // of HTTP/2
			h.Add(f.Name, f.Value)
		}
	}
	for _, c := range cookies {
		h.Add(name, c.Name+"="+c.Value)
	}
	return h
}

func (o *ExportOptions) har(set *fixtures.Set) harFile {
	started := time.Unix(0, 0).UTC()
	if day, err := time.Parse(time.DateOnly, set.Manifest.Captured); err == nil {
		started = day
	}
	entries := []harEntry{}
	for _, s := range set.Scenarios {
		for _, x := range s.Exchanges {
			entries = append(entries, o.harEntry(x, started))
		}
	}
	return harFile{harLog{Version: "1.2", Creator: harCreator{"mockfhir", o.Version}, Entries: entries}}
}

func (o *ExportOptions) harEntry(x fixtures.Exchange, started time.Time) harEntry {
	e := harEntry{Started: started.Format(time.RFC3339)}
	e.Request = harRequest{
		Method: x.Request.Method, URL: o.Origin + o.fill(x.Request.Target), HTTPVersion: "HTTP/1.1",
		Cookies: []harField{}, Headers: []harField{}, Query: []harField{}, HeadersSize: -1, BodySize: len(x.Request.Body),
	}
	for _, name := range sortedKeys(x.Request.Header) {
		for _, v := range x.Request.Header[name] {
			e.Request.Headers = append(e.Request.Headers, harField{name, o.fill(v)})
		}
	}
	if _, query, _ := strings.Cut(o.fill(x.Request.Target), "?"); query != "" {
		for piece := range strings.SplitSeq(query, "&") {
			name, value, _ := strings.Cut(piece, "=")
			e.Request.Query = append(e.Request.Query, harField{redact.Unescape(name), redact.Unescape(value)})
		}
	}
	if len(x.Request.Body) > 0 {
		e.Request.PostData = &harPostData{MimeType: x.Request.Header.Get("Content-Type"), Text: string(x.Request.Body)}
	}
	body := o.fill(string(x.Response.Body))
	e.Response = harResponse{
		Status: x.Response.Status, StatusText: http.StatusText(x.Response.Status), HTTPVersion: "HTTP/1.1",
		Cookies: []harField{}, Headers: []harField{}, HeadersSize: -1, BodySize: len(body), Content: harContent{Size: len(body), Text: body},
	}
	for _, f := range x.Response.Header {
		e.Response.Headers = append(e.Response.Headers, harField{f.Name, o.fill(f.Value)})
		switch f.Name {
		case "Content-Type":
			e.Response.Content.MimeType = f.Value
		case "Location":
			e.Response.RedirectURL = o.fill(f.Value)
		}
	}
	if !utf8.ValidString(body) {
		e.Response.Content.Text, e.Response.Content.Encoding = base64.StdEncoding.EncodeToString([]byte(body)), "base64"
	}
	return e
}
