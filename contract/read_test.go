package contract

import (
	"testing"

	"github.com/mockfhir/mockfhir/internal/fhir"
)

// TestContradicted: what a read and a search of one version may not say apart.
func TestContradicted(t *testing.T) {
	t.Parallel()
	const meta = `"meta":{"versionId":"2","lastUpdated":"2026-03-01T10:00:00.000+01:00"}`
	for name, tt := range map[string]struct{ found, read, want string }{
		"the same in another dialect": {`"active":true`, `"active":true,"meta":{"versionId":2,"lastUpdated":"2026-03-01T09:00:00Z"}`, ""},
		"another version":             {`"active":true`, `"active":false,"meta":{"versionId":"3","lastUpdated":"2026-03-01T10:00:00.000+01:00"}`, ""},
		"another value":               {`"active":true`, `"active":false,` + meta, "active"},
		"another part":                {`"name":[{"family":"A","given":["B"]}]`, `"name":[{"family":"A","given":["C"]}],` + meta, "name.given"},
		"an element less":             {`"telecom":[{"system":"phone","value":"1"}]`, meta, "telecom"},
		"an element more":             {``, `"telecom":[{"system":"phone","value":"1"}],` + meta, "telecom"},
		"a part less":                 {`"name":[{"family":"A","given":["B"]}]`, `"name":[{"family":"A"}],` + meta, "name.given"},
		"an item less":                {`"qualification":[{"code":{"text":"a"}},{"code":{"text":"b"}}]`, `"qualification":[{"code":{"text":"a"}}],` + meta, ""},
		"news":                        {`"implicitRules":"https://x.example.org"`, meta, ""},
	} {
		parse := func(members string) *fhir.Node {
			n, err := fhir.ParseString(`{"resourceType":"Practitioner",` + members + `}`)
			if err != nil {
				t.Fatal(name, err)
			}
			return n
		}
		found := meta
		if tt.found != "" {
			found += "," + tt.found
		}
		if got := contradicted(parse(found), parse(tt.read)); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
