package contract

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/mockfhir/mockfhir/fixtures"
)

// Exchange returns the answer without anything that came from a resource or
// belongs to a session.
func (a *Answer) Exchange() Exchange {
	x := Exchange{
		Method:   a.Request.method(),
		URL:      publicURL(a.base, a.Request),
		Status:   a.Status,
		Header:   publicHeader(a.Header),
		Size:     len(a.Body),
		Content:  a.Content(),
		Duration: a.Duration,
		Error:    a.Broken,
	}
	x.Curl = curl(a.base, a.Request)
	return x
}

// publicHeaders are the response headers whose values say nothing of a person,
// a session or a subscription, by the form such values have.
var publicHeaders = map[string]*regexp.Regexp{
	"Content-Type":           regexp.MustCompile(`^(?i)(application|text)/[a-z.+-]+(; ?charset=[a-z0-9-]{1,12})?$`),
	"Content-Encoding":       regexp.MustCompile(`^(gzip|br|deflate|identity|zstd)$`),
	"Content-Length":         decimal,
	"Transfer-Encoding":      regexp.MustCompile(`^chunked$`),
	"Retry-After":            decimal,
	"X-Rate-Limit-Limit":     decimal,
	"X-Rate-Limit-Remaining": decimal,
	"X-Rate-Limit-Reset":     decimal,
	"X-Quota-Limit":          decimal,
	"X-Quota-Remaining":      decimal,
	"X-Quota-Reset":          decimal,
}

// headerText is the form of request headers the suite sends.
var headerText = regexp.MustCompile(`^[A-Za-z0-9 /+.,;:=_*-]*$`)

var decimal = regexp.MustCompile(`^[0-9]{1,13}$`)

func publicHeader(h http.Header) http.Header {
	public := http.Header{}
	for name, form := range publicHeaders {
		for _, v := range h.Values(name) {
			if !form.MatchString(v) {
				v = "…"
			}
			public.Add(name, v)
		}
	}
	return public
}

// publicURL is the address of a request with values of resources replaced by
// the name of the parameter: …/Practitioner?family=<family>&_count=5. Two
// requests of the same form have the same one, whatever the data.
func publicURL(base *url.URL, r *Request) string {
	root := base.Redacted()
	if r.Root {
		root = root[:strings.LastIndexByte(root, '/')]
	}
	address := root + "/" + publicPath(r.Path)
	if parameter, inQuery := strings.CutPrefix(r.KeyIn, "?"); inQuery {
		address += "?" + parameter + "=<key>"
	}
	return address
}

func publicPath(rel string) string {
	path, query, hasQuery := strings.Cut(rel, "?")
	segments := strings.Split(path, "/")
	typ := segments[0]
	if fixtures.DefaultTable().Type(typ) == nil && !slices.Contains(ownPaths, typ) {
		return "<path>" // of a link the service gave
	}
	if len(segments) == 2 && segments[1] != "_search" {
		segments[1] = "<id>"
	}
	out := strings.Join(segments, "/")
	if hasQuery {
		out += "?" + publicQuery(typ, query)
	}
	return out
}

// ownPaths are what the suite asks for beside resource types.
var ownPaths = []string{"metadata", "_page", "health", "Patient"}

// publicQuery keeps the values that cannot be about a person.
func publicQuery(typ, query string) string {
	pieces := strings.Split(query, "&")
	for i, piece := range pieces {
		name, value, found := strings.Cut(piece, "=")
		if found && !isPublicValue(typ, name, value) {
			pieces[i] = name + "=<" + paramName(name) + ">"
		}
	}
	return strings.Join(pieces, "&")
}

func paramName(name string) string {
	if plain, err := url.QueryUnescape(name); err == nil {
		name = plain
	}
	name, _, _ = strings.Cut(name, ":")
	return name
}

// publicNames are parameters whose values the suite makes up.
var publicNames = []string{"_count", "_total", "_elements", "_include", "_revinclude", "_format", "_pretty", "_lastUpdated", "_sort", "_summary", "active", "status"}

func isPublicValue(typ, name, value string) bool {
	name = paramName(name)
	if slices.Contains(publicNames, name) {
		return true
	}
	p := fixtures.DefaultTable().Type(typ).Param(name)
	if p == nil || p.Kind != fixtures.Token && p.Kind != fixtures.URI || name == "_id" || name == "identifier" {
		return false
	}
	plain, err := url.QueryUnescape(value)
	return err == nil && isSafe(strings.NewReplacer("|", "/", ",", "/").Replace(plain))
}

// curl is a command line that repeats a request. The key stays in the shell.
func curl(base *url.URL, r *Request) string {
	var b strings.Builder
	b.WriteString("curl -i")
	switch r.Key {
	case "":
		if !strings.HasPrefix(r.KeyIn, "?") {
			b.WriteString(` -H "` + cmp.Or(r.KeyIn, KeyHeader) + `: $ESANTE_API_KEY"`)
		}
	case noKey:
	case emptyKey:
		b.WriteString(` -H '` + KeyHeader + `;'`)
	default:
		b.WriteString(` -H '` + KeyHeader + `: unknown'`)
	}
	for name, values := range r.Header {
		for _, v := range values {
			b.WriteString(" -H '" + name + ": " + v + "'")
		}
	}
	switch m := r.method(); {
	case r.Form != "":
		typ, _, _ := strings.Cut(r.Path, "/")
		b.WriteString(" -d '" + publicQuery(typ, r.Form) + "'")
	case m != http.MethodGet:
		b.WriteString(" -X " + m)
	}
	b.WriteString(" '" + publicURL(base, r) + "'")
	return b.String()
}

// safe returns text when it can be published, "…" otherwise. Codes, systems,
// element names and hosts pass; names, numbers and mailboxes do not.
func safe(text string) string {
	if isSafe(text) {
		return strings.Clone(text) // a part of an answer would keep all of it in memory
	}
	return "…"
}

var (
	safeText  = regexp.MustCompile(`^(https?://|urn:oid:)?[A-Za-z0-9./:_#|\-\[\]]{1,120}$`)
	longDigit = regexp.MustCompile(`[0-9]{5}`)
)

// isSafe reports whether text has the form of a code or a canonical URL, and
// no run of digits long enough to be somebody's number.
func isSafe(text string) bool {
	return safeText.MatchString(text) && !longDigit.MatchString(text)
}

// withoutKey is a baseline without the key: a service may repeat it, be it in
// other letters, where a code or the name of a header is expected.
func (b *Baseline) withoutKey(key string) *Baseline {
	if key == "" {
		return b
	}
	text, err := json.Marshal(b)
	if err != nil {
		return b // of maps, texts and numbers: it does not fail
	}
	var tree any
	numbers := json.NewDecoder(bytes.NewReader(text))
	numbers.UseNumber()
	_ = numbers.Decode(&tree)
	text, _ = json.Marshal(eachText(tree, keyHider(key)))
	clean := &Baseline{}
	_ = json.Unmarshal(text, clean)
	return clean
}

// keyHider puts "<key>" in the place of a key, as it is or encoded. A short one
// only counts when nothing is glued to it: the key "k" is not in "check".
func keyHider(key string) func(string) string {
	const long = 8
	var forms []string
	for _, form := range []string{key, url.QueryEscape(key), url.PathEscape(key), base64.StdEncoding.EncodeToString([]byte(key)), base64.URLEncoding.EncodeToString([]byte(key))} {
		form = regexp.QuoteMeta(form)
		if len(key) < long {
			form = `(?:^|\b)` + form + `(?:\b|$)`
		}
		forms = append(forms, form)
	}
	hidden := regexp.MustCompile(`(?i)` + strings.Join(forms, "|"))
	return func(text string) string { return hidden.ReplaceAllLiteralString(text, "<key>") }
}

// eachText changes every text of a JSON value, names included.
func eachText(v any, change func(string) string) any {
	switch v := v.(type) {
	case string:
		return change(v)
	case []any:
		for i := range v {
			v[i] = eachText(v[i], change)
		}
	case map[string]any:
		changed := make(map[string]any, len(v))
		for name, member := range v {
			changed[change(name)] = eachText(member, change)
		}
		return changed
	}
	return v
}
