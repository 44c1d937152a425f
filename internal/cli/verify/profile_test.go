package verify

import (
	"net/http"
	"strings"
	"testing"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/mockserver"
)

// TestProfileSource: a mock that imitates the public source holds as well, with
// what it is known not to keep waived; a service that only claims to be one by
// its paths is judged like any other.
func TestProfileSource(t *testing.T) {
	t.Parallel()
	env := map[string]string{"ESANTE_API_KEY": testKey}
	source := serve(t, mockserver.New(fixtures.Default(), mockserver.WithKeys(testKey), mockserver.WithRate("0"), mockserver.WithProfile(mockserver.Source)))
	got := command{args: []string{"-rate", "0", source}, env: env}.run(t)
	if got.code != 0 || !strings.Contains(got.err, "profile source") || !strings.Contains(got.out, "waived") {
		t.Errorf("code %d\n%s\n%s", got.code, got.out, got.err)
	}
	inner := mockserver.New(fixtures.Default(), mockserver.WithKeys(testKey), mockserver.WithRate("0"), mockserver.WithProfile(mockserver.Source))
	silent := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/__mockfhir") {
			http.NotFound(w, r)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	if got := (command{args: []string{"-rate", "0", silent}, env: env}).run(t); got.code != 1 {
		t.Errorf("a service like the source, that is no mock: code %d\n%s", got.code, got.out)
	}
}
