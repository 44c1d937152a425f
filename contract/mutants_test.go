package contract_test

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mockfhir/mockfhir/contract"
	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/mockserver"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Each check is tripped by at least one mutant of the mock. Which check notices
// which mutant, among those of its field, is testdata/mutants.txt: a check
// without a mutant proves nothing, a mutant without a check is a hole.
func TestEachCheckHasAMutant(t *testing.T) {
	t.Parallel()
	var (
		mu    sync.Mutex
		table = map[string][]string{}
	)
	t.Run("mutants", func(t *testing.T) {
		for _, field := range fields() {
			for name, tamper := range field.mutants {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					tripped := notice(t, name, field.checks, tamper)
					mu.Lock()
					defer mu.Unlock()
					table[name] = tripped
				})
			}
		}
	})
	var b strings.Builder
	noticed := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(table)) {
		fmt.Fprintf(&b, "%s\n", name)
		for _, id := range table[name] {
			noticed[id] = true
			fmt.Fprintf(&b, "\t%s\n", id)
		}
		if len(table[name]) == 0 {
			t.Errorf("nobody notices: %s", name)
		}
	}
	for _, c := range contract.Checks() {
		if !noticed[c.ID] {
			t.Errorf("no mutant trips %s", c.ID)
		}
	}
	golden(t, "testdata/mutants.txt", b.String())
}

// TestStrayFailure: one call that the gateway loses of each burst is no drift,
// nor are several of one burst; several of each are.
func TestStrayFailure(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		lost func(*wire) bool
		want int
	}{
		"quota: one of each burst":        {func(x *wire) bool { return x.number%21 == 0 }, 0},
		"quota: four of each burst":       {func(x *wire) bool { return x.number%5 == 0 }, 1},
		"quota: three of the first burst": {func(x *wire) bool { return x.number > 10 && x.number < 14 }, 0},
		"no limit: three of the first":    {func(x *wire) bool { return x.number > 10 && x.number < 14 }, 0},
		"no limit: four of each burst":    {func(x *wire) bool { return x.number%5 == 0 }, 1},
	} {
		if tripped := notice(t, name, "^quota/", fails(502, tt.lost)); len(tripped) != tt.want {
			t.Errorf("%s: %v", name, tripped)
		}
	}
}

// TestEmptyType: a directory without devices answers an empty array for them
// (ans-server.md §4.1).
func TestEmptyType(t *testing.T) {
	t.Parallel()
	empty := asks(func(x *wire) string {
		if x.path == "Device" {
			return "identifier=nobody"
		}
		return x.query
	})
	if tripped := notice(t, "no devices", "^shape/bundle$", empty); len(tripped) > 0 {
		t.Error(tripped)
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not what comes out now; look at the difference after go test ./contract -update", file)
	}
}

// theMock is what mutants are made of; those of the quota bring their own.
var theMock = sync.OnceValue(func() http.Handler {
	return mockserver.New(fixtures.Default(), mockserver.WithKeys("k"), mockserver.WithRate("0"))
})

// notice runs checks against a mutant and returns those that drift.
func notice(t *testing.T, name, checks string, tamper func(*wire)) []string {
	t.Helper()
	clock := newFakeClock()
	opts := contract.Options{Clock: clock, Rate: contract.Unlimited, Run: checks}
	server := theMock()
	if strings.HasPrefix(name, "quota: ") {
		opts.Rate = contract.DefaultRate
		server = mockserver.New(fixtures.Default(), mockserver.WithKeys("k"), mockserver.WithRate("17/1s"), mockserver.WithClock(clock.Now))
	}
	opts.Client = inProcess{&layer{server: server, tamper: tamper, clock: clock, asked: map[string]string{}}}
	report, err := contract.Run(t.Context(), contract.Target{URL: base, Key: "k"}, opts)
	if err != nil {
		t.Fatal(err)
	}
	if report.Verdict == contract.Undecided {
		t.Errorf("no verdict: %s", report.Reason)
	}
	var tripped []string
	for _, r := range report.Results {
		if len(r.Findings) > 0 {
			tripped = append(tripped, r.ID)
		}
	}
	return tripped
}

// layer tampers with the traffic of a server.
type layer struct {
	server http.Handler
	tamper func(*wire)
	clock  *fakeClock

	mu    sync.Mutex
	calls int
	asked map[string]string // by next link: the search it continues
	first string            // the first next link given
}

// wire is one call under way.
type wire struct {
	*layer
	r           *http.Request
	path, query string // below /fhir/v2; the query of a form is in query as well
	search      string // what this call, or the first page before it, asks for
	number      int

	status int
	header http.Header
	body   string
}

func (l *layer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	x := &wire{layer: l, r: r, path: strings.TrimPrefix(r.URL.Path, "/fhir/v2/"), query: r.URL.RawQuery, number: l.calls}
	if form, _ := io.ReadAll(r.Body); len(form) > 0 {
		x.query = string(form)
	}
	x.search = x.path + "?" + x.query
	if x.path == "_page" {
		x.search = l.asked[x.query]
	}
	l.tamper(x)
	if x.status == 0 {
		x.ask()
	}
	if m := nextLink.FindStringSubmatch(x.body); m != nil {
		if l.first == "" {
			l.first = m[1]
		}
		l.asked[m[1]] = x.search
	}
	maps.Copy(w.Header(), x.header)
	w.WriteHeader(x.status)
	_, _ = io.WriteString(w, x.body)
}

var nextLink = regexp.MustCompile(`"next","url": "[^"?]*\?(id=[^"]*)"`)

// ask lets the server answer.
func (x *wire) ask() {
	out := x.r.Clone(x.r.Context())
	out.URL.Path = "/fhir/v2/" + x.path
	if !strings.HasPrefix(x.r.URL.Path, "/fhir/v2/") {
		out.URL.Path = x.r.URL.Path
	}
	out.URL.RawQuery, out.Body = x.query, http.NoBody
	if x.r.Method == http.MethodPost {
		out.URL.RawQuery, out.Body = "", io.NopCloser(strings.NewReader(x.query))
		out.ContentLength = int64(len(x.query))
	}
	out.RequestURI = out.URL.RequestURI()
	w := httptest.NewRecorder()
	x.server.ServeHTTP(w, out)
	x.status, x.header, x.body = w.Code, w.Header().Clone(), w.Body.String()
	x.header.Del("Content-Length")
}

// answer is an answer of the mutant's own.
func (x *wire) answer(status int, contentType, body string) {
	x.status, x.header, x.body = status, http.Header{"Content-Type": {contentType}}, body
}

const outcome = `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"exception","diagnostics":"Unknown error"}]}`

// criteria returns the query without the criteria that are dropped.
func (x *wire) without(drop func(name, value string) bool) string {
	pieces := strings.Split(x.query, "&")
	return strings.Join(slices.DeleteFunc(pieces, func(piece string) bool {
		name, value, _ := strings.Cut(piece, "=")
		value, _ = url.QueryUnescape(value)
		return drop(strings.ReplaceAll(name, "%3A", ":"), value)
	}), "&")
}

func (x *wire) param(name string) (value string, found bool) {
	for _, piece := range strings.Split(x.query, "&") {
		n, v, _ := strings.Cut(piece, "=")
		if n == name {
			v, _ = url.QueryUnescape(v)
			return v, true
		}
	}
	return "", false
}

func (x *wire) isRead() bool {
	return strings.Count(x.path, "/") == 1 && !strings.HasSuffix(x.path, "/_search")
}

// The forms of mutants.

// replace changes the text of successful answers, where the path has a prefix.
func replace(prefix, pattern, by string) func(*wire) {
	return replaceIn(func(x *wire) bool { return strings.HasPrefix(x.path, prefix) && x.status == 200 }, pattern, by)
}

func replaceIn(where func(*wire) bool, pattern, by string) func(*wire) {
	expr := regexp.MustCompile(pattern)
	return func(x *wire) {
		x.ask()
		if where(x) {
			x.body = expr.ReplaceAllString(x.body, by)
		}
	}
}

// fails answers another status where a condition holds.
func fails(status int, where func(*wire) bool) func(*wire) {
	return func(x *wire) {
		if where(x) {
			x.answer(status, "application/fhir+json;charset=UTF-8", outcome)
		}
	}
}

// asks changes the query before the service sees it.
func asks(change func(x *wire) string) func(*wire) {
	return func(x *wire) { x.query = change(x) }
}

// rewrites changes the text of the query.
func rewrites(pattern, by string) func(*wire) {
	expr := regexp.MustCompile(pattern)
	return asks(func(x *wire) string { return expr.ReplaceAllString(x.query, by) })
}

func ignores(names ...string) func(*wire) {
	return asks(func(x *wire) string {
		return x.without(func(name, _ string) bool { return slices.Contains(names, name) })
	})
}

// resourceOf matches where a resource of the type begins.
func resourceOf(typ string) string { return `"resourceType": ?"` + typ + `",` }

func keyed(key string, where func(*wire) bool) func(*wire) {
	return func(x *wire) {
		if where(x) {
			x.r.Header.Set(contract.KeyHeader, key)
		}
	}
}

// fields are the parts of the suite and what is done to each of them.
func fields() []field {
	return []field{
		{"^keys/", keyMutants()},
		{"^(metadata|shape)/", metadataMutants()},
		{"^(shape|profile|include)/", shapeMutants()},
		{"^(bytes|shape|headers)/", byteMutants()},
		{"^(headers|bytes)/", headerMutants()},
		{"^(read|include)/", readMutants()},
		{"^search/[A-Z]", parameterMutants()},
		{"^search/", searchMutants()},
		{"^dates/", dateMutants()},
		{"^(results|paging)/", resultMutants()},
		{"^(rev)?include/", includeMutants()},
		{"^paging/", pagingMutants()},
		{"^(errors|read)/", errorMutants()},
		{"^(quota|paging|base|speed)/", lateMutants()},
	}
}

type field struct {
	checks  string // a pattern of IDs
	mutants map[string]func(*wire)
}

func keyMutants() map[string]func(*wire) {
	sent := func(x *wire) []string { return x.r.Header.Values(contract.KeyHeader) }
	return map[string]func(*wire){
		"keys: none is wanted":           keyed("k", func(x *wire) bool { return sent(x) == nil && x.query == "_count=1" }),
		"keys: any will do":              keyed("k", func(x *wire) bool { return sent(x) != nil && sent(x)[0] != "" }),
		"keys: an empty one will do":     keyed("k", func(x *wire) bool { return sent(x) != nil && sent(x)[0] == "" }),
		"keys: none is wanted for pages": keyed("k", func(x *wire) bool { return x.path == "_page" }),
		"keys: Gravitee's own header is read": func(x *wire) {
			if key := x.r.Header.Get("X-Gravitee-Api-Key"); key != "" {
				x.r.Header.Set(contract.KeyHeader, key)
			}
		},
		"keys: one in the query is a bad request": fails(400, func(x *wire) bool { _, found := x.param("api-key"); return found }),
		"keys: refusals have another body": func(x *wire) {
			if x.ask(); x.status == 401 {
				x.answer(401, "application/json", `{"error":"unauthorized"}`)
			}
		},
		"keys: refusals are 403": func(x *wire) {
			if x.ask(); x.status == 401 {
				x.status = 403
			}
		},
	}
}

func metadataMutants() map[string]func(*wire) {
	return map[string]func(*wire){
		"metadata: another version of FHIR":   replace("metadata", `4\.0\.1`, "5.0.0"),
		"metadata: JSON is not listed":        replace("metadata", `"format":\[[^]]*\]`, `"format":["xml"]`),
		"metadata: a type cannot be read":     replace("metadata", `("type":"Device",.*?),\{"code":"read"\}`, "$1"),
		"metadata: a parameter is renamed":    replace("metadata", `"name":"family"`, `"name":"last-name"`),
		"metadata: a parameter changes type":  replace("metadata", `("name":"partof".*?"type":)"reference"`, `$1"token"`),
		"metadata: reverse includes are gone": replace("metadata", `"searchRevInclude":\[[^]]*\],?`, ""),
		"metadata: it is an OperationOutcome": replace("metadata", "CapabilityStatement", "OperationOutcome"),
	}
}

func shapeMutants() map[string]func(*wire) {
	list := map[string]func(*wire){
		"bundle: another type":             replace("", `"searchset"`, `"collection"`),
		"bundle: total is a string":        replace("", `"total":([0-9]+)`, `"total":"$1"`),
		"bundle: relative fullUrl":         replace("", `"fullUrl":"http://127.0.0.1`, `"fullUrl":"`),
		"bundle: no self link":             replace("", `\{"relation": "self"[^}]*\}`, `{"relation": "alternate","url": "http://127.0.0.1/fhir/v2/x"}`),
		"meta.versionId is a number":       replace("", `"versionId": "([0-9]+)"`, `"versionId": $1`),
		"identifiers lose a digit":         replace("", `("https://rpps.esante.gouv.fr", "value": ")[0-9]`, "$1"),
		"FINESS loses a digit":             replace("", `("https://finess.esante.gouv.fr", "value": ")[0-9]`, "$1"),
		"codings lose their system":        replace("", `\{"system": "[^"]*", "code"`, `{"code"`),
		"texts are read as Latin-1":        replace("", "[ÉÈéè]", "Ã©"),
		"texts are HTML":                   replace("", "(\"(name|city|description|family|valueString)\": \"[^\"]*?) ", "$1&eacute;"),
		"postal codes lose a zero":         replace("Organization", `"postalCode": "0`, `"postalCode": "`),
		"cities begin with a postal code":  replace("Organization", `"city": "([^"]*)", ("postalCode": "([0-9AB]{5})")`, `"city": "$3 $1", $2`),
		"birth dates appear":               replace("Practitioner", resourceOf("Practitioner"), `"resourceType": "Practitioner", "birthDate": "1980-01-01",`),
		"structures are no legal entities": replace("", "LEGAL-ENTITY", "GEOGRAPHICAL-ENTITY"),
	}
	for _, typ := range fixtures.DefaultTable().Types {
		name := typ.Type
		list[name+": language is a number"] = replace("", resourceOf(name), `"resourceType": "`+name+`", "implicitRules": 1,`)
		list[name+": another profile"] = replace(name+"", `/as-dp-[a-z-]*"`, `/as-other"`)
	}
	return list
}

func byteMutants() map[string]func(*wire) {
	onMetadata := func(change func(*wire)) func(*wire) {
		return func(x *wire) {
			if x.ask(); x.path == "metadata" && x.status == 200 {
				change(x)
			}
		}
	}
	return map[string]func(*wire){
		"bytes: Content-Length is short": onMetadata(func(x *wire) { x.header.Set("Content-Length", strconv.Itoa(len(x.body)-3)) }),
		"bytes: a page is cut":           replace("Device", `\],"link"[^$]*$`, ""),
		"bytes: something after the end": onMetadata(func(x *wire) { x.body += "}" }),
		"bytes: a byte order mark":       onMetadata(func(x *wire) { x.body = "\ufeff" + x.body }),
		"bytes: Latin-1":                 replace("Practitioner", "[ÉÈéè]", "\xe9"),
		"bytes: a member twice":          onMetadata(func(x *wire) { x.body = strings.Replace(x.body, "{", `{"status":"active",`, 1) }),
		"bytes: a member is null":        onMetadata(func(x *wire) { x.body = strings.Replace(x.body, "{", `{"software":null,`, 1) }),
		"bytes: an empty list is null":   replace("", `"entry": \[\]`, `"entry": null`),
		"bytes: an item is null":         onMetadata(func(x *wire) { x.body = strings.Replace(x.body, `"format":[`, `"format":[null,`, 1) }),
		"bytes: 12.0":                    replace("", `"total":([0-9]+)`, `"total":$1.0`),
	}
}

func headerMutants() map[string]func(*wire) {
	always := func(change func(x *wire)) func(*wire) {
		return func(x *wire) { x.ask(); change(x) }
	}
	pack := func(s string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = io.WriteString(z, s)
		_ = z.Close()
		return b.String()
	}
	return map[string]func(*wire){
		"headers: no Content-Type":    always(func(x *wire) { x.header["Content-Type"] = nil }),
		"headers: application/json":   always(func(x *wire) { x.header.Set("Content-Type", "application/json") }),
		"headers: ISO-8859-1":         always(func(x *wire) { x.header.Set("Content-Type", "application/fhir+json;charset=ISO-8859-1") }),
		"headers: gzip for everybody": always(func(x *wire) { x.header.Set("Content-Encoding", "gzip"); x.body = pack(x.body) }),
		"headers: gzip that is not": always(func(x *wire) {
			if x.r.Header.Get("Accept-Encoding") == "gzip" {
				x.header.Set("Content-Encoding", "gzip")
			}
		}),
		"headers: XML is not acceptable": fails(406, func(x *wire) bool { return strings.Contains(x.r.Header.Get("Accept"), "xml") }),
		"headers: reset in seconds":      always(func(x *wire) { x.header.Set("X-Rate-Limit-Reset", "1") }),
	}
}

func readMutants() map[string]func(*wire) {
	return map[string]func(*wire){
		"reads: an unknown id is 200 and nothing": func(x *wire) {
			if x.ask(); x.isRead() && x.status == 404 {
				x.answer(200, "application/fhir+json", "")
			}
		},
		"reads: an unknown id is 500": func(x *wire) {
			if x.ask(); x.isRead() && x.status == 404 {
				x.status = 500
			}
		},
		"reads: a query is an error": fails(500, func(x *wire) bool { return x.isRead() && x.query != "" }),
		"reads: without identifiers": replaceIn(func(x *wire) bool { return x.isRead() && x.status == 200 }, `"value":"[^"]*"`, `"value":"1"`),
		"reads: another state":       replaceIn(func(x *wire) bool { return x.isRead() && x.status == 200 }, `"active":true`, `"active":false`),
		"reads: another name":        replaceIn(func(x *wire) bool { return x.isRead() && x.status == 200 }, `"family":"[^"]*"`, `"family":"ZZ"`),
		"reads: without telecom":     replaceIn(func(x *wire) bool { return x.isRead() && x.status == 200 }, `"telecom":\[[^]]*\],?`, ""),
		"reads: without first names": replaceIn(func(x *wire) bool { return x.isRead() && x.status == 200 }, `"given":\[[^]]*\],?`, ""),
		"reads: 404": func(x *wire) {
			if x.ask(); x.isRead() {
				x.answer(404, "application/fhir+json", outcome)
			}
		},
	}
}

// parameterMutants: each parameter is ignored, in turn, by all types.
func parameterMutants() map[string]func(*wire) {
	list := map[string]func(*wire){}
	for _, typ := range fixtures.DefaultTable().Types {
		for _, param := range typ.Params {
			if param.Kind != fixtures.Date {
				list["ignored: "+param.Name] = ignores(param.Name)
			}
		}
	}
	return list
}

func searchMutants() map[string]func(*wire) {
	first := func(x *wire, name, value string) string { // the criterion with another value
		return x.without(func(n, _ string) bool { return n == name }) + "&" + name + "=" + url.QueryEscape(value)
	}
	return map[string]func(*wire){
		"search: a type has no first page": fails(500, func(x *wire) bool { return x.path == "Device" && x.query == "" }),
		"search: a comma is text": func(x *wire) {
			if v, ok := x.param("identifier"); ok && strings.Contains(v, ",") {
				x.query = first(x, "identifier", "nobody")
			}
		},
		"search: the last of a repeated parameter counts": asks(func(x *wire) string {
			pieces := strings.Split(x.query, "&")
			return strings.Join(slices.DeleteFunc(pieces, func(p string) bool {
				name, _, _ := strings.Cut(p, "=")
				last := slices.IndexFunc(pieces, func(o string) bool { return strings.HasPrefix(o, name+"=") && o != p }) > slices.Index(pieces, p)
				return name == "identifier" && last
			}), "&")
		}),
		"search: contains is starts-with": rewrites(`:contains=`, "="),
		"search: starts-with is contains": rewrites(`(^|&)(family|name|mailbox-mss|address-city)=`, "$1$2:contains="),
		"search: exact is starts-with":    rewrites(`:exact=`, "="),
		"search: accents count": func(x *wire) {
			if v, ok := x.param("family"); ok && v == strings.ToLower(v) {
				x.query = strings.Replace(x.query, "family=", "family:exact=", 1)
			}
		},
		"search: a bare pipe wants no system": fails(500, func(x *wire) bool { return strings.Contains(x.query, "=%7C") }),
		"search: a system does not count":     rewrites(`(identifier|type)=(urn|http)[^&]*?%7C([^&,]*)(,|%2C|&|$)`, "$1=$3$4"),
		"search: not is ignored":              ignores("type:not", "qualification-code:not"),
		"search: inactive means all":          rewrites(`active=false`, ""),
		"search: active shows inactive":       replaceIn(func(x *wire) bool { return strings.Contains(x.query, "active=true") }, `"active": true`, `"active": false`),
		"search: a POST loses its last criterion": func(x *wire) {
			if x.r.Method == http.MethodPost {
				x.query = x.query[:max(strings.LastIndexByte(x.query, '&'), 0)]
			}
		},
		"search: %3A fails": fails(500, func(x *wire) bool {
			return strings.Contains(x.query, "%3A") && strings.Contains(x.query, "_revinclude")
		}),
		"search: name:family is an error": fails(500, func(x *wire) bool { return strings.Contains(x.query, "name:family") }),
		"search: nothing found is 404": func(x *wire) {
			if x.ask(); strings.Contains(x.body, `"total":0,`) {
				x.answer(404, "application/fhir+json", outcome)
			}
		},
		"search: nothing found is 204": func(x *wire) {
			if x.ask(); strings.Contains(x.body, `"total":0,`) {
				x.answer(204, "", "")
			}
		},
		"search: an empty value finds nothing": rewrites(`name=(&|$)`, "name=nobody$1"),
		"search: many ids are too many":        fails(500, func(x *wire) bool { v, _ := x.param("_id"); return strings.Count(v, ",") > 30 }),
		"search: page two of a chain is empty": func(x *wire) {
			chain := regexp.MustCompile(`organization\.[^&]*&`)
			x.query = chain.ReplaceAllString(x.query, "")
			if x.ask(); x.path == "_page" && strings.Contains(x.search, "organization.") {
				x.body = entries.ReplaceAllString(x.body, `"entry": []`)
			}
		},
	}
}

var entries = regexp.MustCompile(`(?s)"entry": \[.*\n?\](,"link")?`)

// structures and roles are what pages of roles and of structures include, up to
// their links; one is the last of them alone.
var (
	structures = regexp.MustCompile(`(?s),\n\{"fullUrl":"[^"]*/Organization/.*\],"link": \[`)
	roles      = regexp.MustCompile(`(?s),\n\{"fullUrl":"[^"]*/PractitionerRole/.*\],"link": \[`)
	one        = regexp.MustCompile(`,\n\{"fullUrl":"[^"]*/Organization/[^\n]*\n?\],"link": \[`)
)

func dateMutants() map[string]func(*wire) {
	list := map[string]func(*wire){
		"dates: zones do not count": rewrites(`%2B02%3A00|-05%3A00`, "Z"),
		"dates: lt is le":           rewrites(`_lastUpdated=lt`, "_lastUpdated=le"),
		"dates: gt is ge":           rewrites(`=gt`, "=ge"),
		"dates: a delta call is everything": func(x *wire) {
			if x.query != "" && strings.HasSuffix(x.query, "&_count=20") {
				ignores("_lastUpdated")(x)
			}
		},
	}
	for name, form := range map[string]string{
		"year": `[0-9]{4}`, "month": `[0-9]{4}-[0-9]{2}`, "day": `[0-9]{4}-[0-9]{2}-[0-9]{2}`,
		"second": `[0-9T:-]{19}(Z|[+-][0-9:]{5})`, "millisecond": `[0-9T:-]{19}\.[0-9]{3}(Z|[+-][0-9:]{5})`,
	} {
		date := regexp.MustCompile(`^eq` + form + `$`)
		list["dates: a "+name+" is refused"] = fails(500, func(x *wire) bool {
			v, _ := x.param("_lastUpdated")
			return date.MatchString(v)
		})
	}
	return list
}

func resultMutants() map[string]func(*wire) {
	return map[string]func(*wire){
		"results: 20 a page": asks(func(x *wire) string {
			if _, found := x.param("_count"); found || x.path == "_page" || x.path == "metadata" || x.isRead() {
				return x.query
			}
			return strings.TrimPrefix(x.query+"&_count=20", "&")
		}),
		"results: at most 50":            rewrites(`_count=(5[1-9]|[6-9][0-9]|[1-9][0-9]{2,})`, "_count=50"),
		"results: no count is one":       rewrites(`_count=0(&|$)`, "_count=1$1"),
		"results: accurate is ignored":   rewrites(`_total=accurate`, "_total=none"),
		"results: estimate is ignored":   rewrites(`_total=estimate`, "_total=none"),
		"results: elements are ignored":  ignores("_elements"),
		"results: elements are not told": replace("", "SUBSETTED", "OTHER"),
		"results: _format is refused":    fails(500, func(x *wire) bool { _, found := x.param("_format"); return found && !x.isRead() }),
	}
}

func includeMutants() map[string]func(*wire) {
	list := map[string]func(*wire){
		"includes: * is ignored": asks(func(x *wire) string { return x.without(func(_, v string) bool { return v == "*" }) }),
		"includes: modes are mixed up": replaceIn(func(x *wire) bool { return strings.Contains(x.query, "_include") },
			`,"resource":`, `,"search":{"mode":"match"},"resource":`),
		"includes: twice": func(x *wire) {
			if x.ask(); strings.Contains(x.query, "_include=PractitionerRole:organization") {
				x.body = regexp.MustCompile(`(\n\{"fullUrl":"[^"]*/Organization/.*\})(,?\n|\])`).ReplaceAllString(x.body, "$1,$1$2")
			}
		},
		"includes: the total counts them": replaceIn(func(x *wire) bool { return strings.Contains(x.query, "_revinclude") }, `"total":([0-9]+)`, `"total":${1}9`),
	}
	for _, typ := range fixtures.DefaultTable().Types {
		for _, include := range slices.Concat(typ.Includes, typ.RevIncludes) {
			if include != "*" {
				list["includes: "+typ.Type+" without "+include] = func(x *wire) {
					if x.path == typ.Type {
						x.query = x.without(func(n, v string) bool { return strings.HasSuffix(n, "include") && v == include })
					}
				}
			}
		}
	}
	return list
}

func pagingMutants() map[string]func(*wire) {
	onPages := func(of string, change func(*wire)) func(*wire) {
		expr := regexp.MustCompile(of)
		return func(x *wire) {
			if x.ask(); x.path == "_page" && expr.MatchString(x.search) {
				change(x)
			}
		}
	}
	empty := func(x *wire) { x.body = entries.ReplaceAllString(x.body, `"entry": []$1`) }
	list := map[string]func(*wire){
		"paging: next leads inside":         replace("", `("next","url": ")http://127\.0\.0\.1`, "${1}http://10.0.66.99:8080"),
		"paging: next leaves the version":   replace("", `("next","url": "http://127\.0\.0\.1/fhir)/v2`, "$1"),
		"paging: self is another search":    replace("", `("self","url": "[^"?]*)\?[^"]*`, "$1?_count=3"),
		"paging: tokens are not decoded":    fails(500, func(x *wire) bool { return x.path == "_page" && strings.Contains(x.query, "id=%") }),
		"paging: an added parameter counts": fails(500, func(x *wire) bool { return x.path == "_page" && strings.Contains(x.query, "&") }),
		"paging: the last page has a next": onPages(`.`, func(x *wire) {
			if !strings.Contains(x.body, `"next"`) {
				x.body = strings.Replace(x.body, `"link": [`, `"link": [ {"relation": "next","url": "http://127.0.0.1/fhir/v2/_page?`+x.query+`"},`, 1)
			}
		}),
		"paging: includes on the first page alone": onPages(`^PractitionerRole\?_include=`, func(x *wire) {
			x.body = structures.ReplaceAllString(x.body, `],"link": [`)
		}),
		"paging: reverse includes on the first page alone": onPages(`^Organization\?_revinclude=`, func(x *wire) {
			x.body = roles.ReplaceAllString(x.body, `],"link": [`)
		}),
		"paging: one include is lost": onPages(`^PractitionerRole\?_include=`, func(x *wire) {
			x.body = one.ReplaceAllString(x.body, `],"link": [`)
		}),
		"paging: pages are refused": fails(401, func(x *wire) bool { return x.path == "_page" }),
	}
	list["paging: a whole type ends in an empty page"] = onPages(`^[A-Za-z]+\?_count=[0-9]+&_total=accurate$`, empty)
	for name, of := range map[string]string{
		"ids": `^Practitioner\?_count=[0-9]+&_total=accurate&_id=[^&]*$`, "string": `&name:contains=a$|&name%3Acontains=a$`, "token": `_id=.*&active=true$`,
		"reference": `^PractitionerRole\?.*&organization=`, "bare-reference": `^HealthcareService\?.*&organization=`, "date": `_id=.*&_lastUpdated=ge2000$`,
		"include": `^PractitionerRole\?_include=`, "revinclude": `^Organization\?_revinclude=`, "elements": `^Organization\?_elements=name&_count.*_id=`, "post": `^Device/_search`,
	} {
		list["paging: by "+name+" ends in an empty page"] = onPages(of, empty)
	}
	return list
}

func errorMutants() map[string]func(*wire) {
	list := map[string]func(*wire){
		"errors: fatal": func(x *wire) {
			if x.ask(); x.status >= 400 {
				x.body = strings.Replace(x.body, `"severity":"error"`, `"severity":"fatal"`, 1)
			}
		},
		"errors: writes are accepted": func(x *wire) {
			if x.r.Method == http.MethodDelete {
				x.answer(204, "", "")
			}
		},
		"errors: an unknown parameter is ignored": ignores("foo"),
		"errors: in other words": func(x *wire) {
			if x.ask(); x.status == 500 {
				x.body = strings.Replace(x.body, `"diagnostics":"`, `"diagnostics":"Oh: `, 1)
			}
		},
	}
	for name, asked := range map[string]string{
		"unknown parameters": "foo=", "_sort": "_sort=", "_summary": "_summary=", "_has": "_has", "unknown types": "Patient?", "reads of unknown types": "Patient/1",
		"bad counts": "_count=abc", "bad totals": "_total=maybe", "bad dates": "2022-13", "bad prefixes": "=abc2020", "bad includes": "_include=Practitioner:nobody",
		"bad tokens": "_page?id=mockfhir", "missing tokens": "_page?", "unknown ids": "Practitioner/mockfhir-nobody",
	} {
		list["errors: "+name+" have another status"] = func(x *wire) {
			if x.ask(); strings.Contains(x.path+"?"+x.query, asked) && x.status >= 400 {
				x.status = 422
			}
		}
	}
	return list
}

func lateMutants() map[string]func(*wire) {
	slow := func(d time.Duration, where func(*wire) bool) func(*wire) {
		return func(x *wire) {
			if x.ask(); where(x) {
				_ = x.clock.Sleep(x.r.Context(), d)
			}
		}
	}
	return map[string]func(*wire){
		"quota: refusals are 503": func(x *wire) {
			if x.ask(); x.status == 429 {
				x.status = 503
			}
		},
		"quota: refusals have no body": func(x *wire) {
			if x.ask(); x.status == 429 {
				x.body = ""
			}
		},
		"quota: half of it": func(x *wire) {
			if x.r.Header.Get("Accept") == "application/json" && x.path == "metadata" && len(x.r.Header.Values(contract.KeyHeader)) > 0 && x.number%2 == 0 {
				x.answer(429, "application/json", `{"message":"Rate limit exceeded!","http_status_code":429}`)
			}
		},
		"tokens die young":             fails(500, func(x *wire) bool { return x.path == "_page" && x.query == x.first && x.number > 50 }),
		"the unversioned base is lost": fails(404, func(x *wire) bool { return !strings.HasPrefix(x.r.URL.Path, "/fhir/v2/") }),
		"two contains take a minute":   slow(20*time.Second, func(x *wire) bool { return strings.Count(x.query, ":contains") == 2 }),
		"everything takes 8 seconds":   slow(8*time.Second, func(*wire) bool { return true }),
	}
}
