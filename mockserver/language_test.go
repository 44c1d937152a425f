package mockserver

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mockfhir/mockfhir/fixtures"
)

func TestLanguageAskedFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		asked  []string
		french bool
	}{
		{nil, false},
		{[]string{""}, false},
		{[]string{"fr"}, true},
		{[]string{"fr-FR,fr;q=0.9,en;q=0.8"}, true},
		{[]string{"FR-be"}, true},
		{[]string{"de, fr;q=0.5"}, true},
		{[]string{"en-GB,en;q=0.9,fr;q=0.8"}, false},
		{[]string{"en;q=0.5, fr; q=0.7"}, true},
		{[]string{"en;q=0.5", "fr"}, true},
		{[]string{"fr;q=0"}, false},
		{[]string{"fr;q=much"}, false},
		{[]string{"fro, frr"}, false},
		{[]string{"*"}, false},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Accept-Language"] = c.asked
		if got := french(r); got != c.french {
			t.Errorf("%q is French: %v", c.asked, got)
		}
	}
}

// TestControlInFrench: what people read in control answers is in the language
// they ask for, and in English for programs that ask for none.
func TestControlInFrench(t *testing.T) {
	t.Parallel()
	mock := New(fixtures.Default())
	ask := func(method, path, language string) string {
		r := httptest.NewRequest(method, "http://localhost"+controlPrefix+path, nil)
		if language != "" {
			r.Header.Set("Accept-Language", language)
		}
		w := httptest.NewRecorder()
		mock.ServeHTTP(w, r)
		if w.Code != http.StatusOK || w.Header().Get("Vary") != "Accept-Language" {
			t.Errorf("%s is answered with %d, Vary: %q", path, w.Code, w.Header().Get("Vary"))
		}
		return w.Body.String()
	}
	for _, c := range []struct{ method, path, english, french string }{
		{"GET", "/incidents", "Parsing the body of an error as JSON.", "Lire le corps d’une erreur comme du JSON."},
		{"GET", "/incidents", `"source":"generic fault","scope":"every call"`, `"source":"panne générique","scope":"tous les appels"`},
		{"PUT", "/sessions/default/incidents/2025-07-05-unversioned-lost", `"scope":"unversioned"`, `"scope":"sans version"`},
		{"GET", "/sessions/default/incidents", `"scope":"unversioned"`, `"scope":"sans version"`},
		{"GET", "/parameters", "Family name in practice", "Nom d’exercice"},
		{"GET", "/keys", "the subscription is paused", "la souscription est suspendue"},
	} {
		for _, language := range []string{"", "en", "fr"} {
			want, other := c.english, c.french
			if language == "fr" {
				want, other = other, want
			}
			if body := ask(c.method, c.path, language); !strings.Contains(body, want) || strings.Contains(body, other) {
				t.Errorf("%s %s in %q does not say %s, or says %s", c.method, c.path, language, want, other)
			}
		}
	}
}
