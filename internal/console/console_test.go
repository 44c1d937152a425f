package console

import (
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/fhir"
)

func get(t *testing.T, method, target string, header ...string) (*httptest.ResponseRecorder, bool) {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	return w, ServeHTTP(w, r)
}

func TestAssets(t *testing.T) {
	t.Parallel()
	if len(assets) < 8 {
		t.Fatalf("only %d files are embedded", len(assets))
	}
	for name, a := range assets {
		w, found := get(t, "GET", name)
		if !found || w.Code != http.StatusOK || w.Body.String() != string(a.text) || len(a.text) == 0 {
			t.Errorf("%s is answered with %d and %d of %d bytes", name, w.Code, w.Body.Len(), len(a.text))
		}
		h := w.Header()
		if h.Get("Content-Type") == "" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Content-Security-Policy") != policy || h.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s comes with %v", name, h)
		}
		if w, _ := get(t, "GET", name, "If-None-Match", h.Get("ETag")); w.Code != http.StatusNotModified || w.Body.Len() > 0 {
			t.Errorf("%s is answered with %d when it is known", name, w.Code)
		}
	}
	for _, c := range [][2]string{
		{"GET", Prefix}, {"GET", Prefix + "index.html"}, {"GET", Prefix + "nothing.js"}, {"GET", Prefix + "../console.go"},
		{"GET", "/app.js"}, {"GET", "/index.html"}, {"POST", "/"}, {"OPTIONS", Prefix + "app.js"},
	} {
		if w, found := get(t, c[0], c[1]); found || w.Body.Len() > 0 {
			t.Errorf("%s %s finds something", c[0], c[1])
		}
	}
}

// TestWeight: the whole page, uncompressed, is lighter than one photograph.
func TestWeight(t *testing.T) {
	t.Parallel()
	total := 0
	for _, a := range assets {
		total += len(a.text)
	}
	const most = 150_000
	if total >= most || total == 0 {
		t.Errorf("the page weighs %d bytes; it stays below 150 kB", total)
	}
	t.Logf("%d bytes in %d files", total, len(assets))
}

func TestPolicyIsStrict(t *testing.T) {
	t.Parallel()
	allowed := map[string]string{}
	for directive := range strings.SplitSeq(policy, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), " ")
		allowed[name] = value
	}
	for name, want := range map[string]string{
		"default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "connect-src": "'self'", "img-src": "'self'", "base-uri": "'none'",
		"form-action": "'none'", "frame-ancestors": "'none'", "require-trusted-types-for": "'script'", "trusted-types": "'none'",
	} {
		if allowed[name] != want {
			t.Errorf("%s is %q, want %q", name, allowed[name], want)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") || strings.Contains(policy, "*") {
		t.Errorf("the policy opens a door: %s", policy)
	}
}

// forbidden in a file of some kind: what makes markup of a string, what the
// policy would refuse, and what is not of this page.
var forbidden = map[string]*regexp.Regexp{
	".js":   regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|createContextualFragment|srcdoc|setAttribute\(['"](on|style)|localStorage|document\.cookie`),
	".html": regexp.MustCompile(`(?i)<script[^>]*>[^<]|<style|\son[a-z]+=|\sstyle=|https?://|javascript:`),
	".css":  regexp.MustCompile(`(?i)@import|url\(|https?://|expression`),
}

func TestSourcesKeepToThePolicy(t *testing.T) {
	t.Parallel()
	reference := regexp.MustCompile(`(?:src|href)="([^"#]+)"|from '\./([^']+)'`)
	used := map[string]bool{"/": true}
	for name, a := range assets {
		kind := path.Ext(name)
		if name == "/" {
			kind = ".html"
		}
		if rule := forbidden[kind]; rule != nil {
			for _, found := range rule.FindAllString(string(a.text), -1) {
				t.Errorf("%s has %q", name, found)
			}
		}
		for _, m := range reference.FindAllStringSubmatch(string(a.text), -1) {
			to := "/" + m[1]
			if m[2] != "" {
				to = Prefix + m[2]
			}
			if _, exists := assets[to]; !exists {
				t.Errorf("%s refers to %s, which is not there", name, to)
			}
			used[to] = true
		}
	}
	for name := range assets {
		if !used[name] {
			t.Errorf("nothing refers to %s", name)
		}
	}
}

// TestWords: each text that a story says is there in both languages, and each
// that is there is said.
func TestWords(t *testing.T) {
	t.Parallel()
	words := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^  '?([a-z_-]+)'?: \['((?:[^'\\]|\\.)+)', '((?:[^'\\]|\\.)+)'\],$`).FindAllStringSubmatch(string(assets[Prefix+"words.js"].text), -1) {
		if words[m[1]] {
			t.Errorf("%s is said twice", m[1])
		}
		words[m[1]] = true
		for _, place := range []string{"{0}", "{1}", "{2}"} {
			if strings.Contains(m[2], place) != strings.Contains(m[3], place) {
				t.Errorf("%s has %s in one language only", m[1], place)
			}
		}
	}
	if len(words) < 150 {
		t.Fatalf("only %d texts were read", len(words))
	}
	said := map[string]bool{}
	var code strings.Builder
	for name, a := range assets {
		if path.Ext(name) == ".js" && name != Prefix+"words.js" {
			code.Write(a.text)
		}
	}
	for _, m := range regexp.MustCompile(`\bt\('([a-z_-]+)'[,)]`).FindAllStringSubmatch(code.String(), -1) {
		said[m[1]] = true
		if !words[m[1]] {
			t.Errorf("t('%s') has no words", m[1])
		}
	}
	for word := range words {
		prefix, rest, _ := strings.Cut(word, "-")
		made := regexp.MustCompile("t\\('" + prefix + "-' \\+|t\\(`\\$\\{kind\\}-|t\\('p'").MatchString(code.String())
		if !said[word] && !(made && rest != "") && !strings.Contains(code.String(), "'"+word+"'") && !strings.HasPrefix(word, "p_") {
			t.Errorf("nobody says %s", word)
		}
	}
}

func TestForm(t *testing.T) {
	t.Parallel()
	set := fixtures.Default()
	types, french := Form(set, false), Form(set, true)
	if len(types) != len(set.Table.Types) {
		t.Fatalf("%d types, want %d", len(types), len(set.Table.Types))
	}
	without := 0 // Device?model: no device of the set has one
	for i, typ := range types {
		if typ.Type != set.Table.Types[i].Type || typ.ID == "" || len(typ.Params) != len(set.Table.Types[i].Params) {
			t.Errorf("%s: id %q and %d parameters", typ.Type, typ.ID, len(typ.Params))
		}
		for k, p := range typ.Params {
			if p.About == "" || p.Kind == "" {
				t.Errorf("%s?%s has no documentation or kind: %+v", typ.Type, p.Name, p)
			}
			if about := french[i].Params[k].About; about == "" || about == p.About {
				t.Errorf("%s?%s is documented in French with %q", typ.Type, p.Name, about)
			}
			if p.Example == "" {
				without++
			}
		}
	}
	if without > 1 {
		t.Errorf("%d parameters have no example", without)
	}
}

func TestExamplesAreWrittenAsSearched(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind       fixtures.Kind
		json, want string
	}{
		{fixtures.String, `"DUPONT, A$B|C\\D"`, `DUPONT\, A\$B\|C\\D`},
		{fixtures.String, `{"not":"text"}`, ""},
		{fixtures.Token, `true`, "true"},
		{fixtures.Token, `"code"`, "code"},
		{fixtures.Token, `{"system":"urn:x","value":"1"}`, "urn:x|1"},
		{fixtures.Token, `{"coding":[{"system":"urn:y","code":"2"},{"code":"3"}]}`, "urn:y|2"},
		{fixtures.Token, `{"value":"a|b"}`, `a\|b`},
		{fixtures.Token, `{"system":"urn:x"}`, ""},
		{fixtures.Date, `"2026-01-02T03:04:05+01:00"`, "ge2026-01-02"},
		{fixtures.Date, `null`, ""},
		{fixtures.Reference, `{"reference":"Organization/1"}`, "Organization/1"},
		{fixtures.URI, `"https://a.example"`, "https://a.example"},
	} {
		node, err := fhir.ParseString(c.json)
		if err != nil {
			t.Fatal(err)
		}
		if got := written(c.kind, node); got != c.want {
			t.Errorf("%s %s is written %q, want %q", c.kind, c.json, got, c.want)
		}
	}
}
