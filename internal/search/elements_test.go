package search

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/fhir"
)

// TestNarrowing is ans-server.md §2.11. Each row says what is left besides
// the tag that every narrowed resource gets, which stands for §.
func TestNarrowing(t *testing.T) {
	t.Parallel()
	const tag = `[{"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED", "display": "Resource encoded in summary mode"}]`
	table := &fixtures.Table{Types: []fixtures.Type{{Type: "Practitioner", Params: []fixtures.Param{
		{Name: "_id", Kind: fixtures.Token, Paths: []string{"id"}},
		{Name: "active", Kind: fixtures.Token, Paths: []string{"active"}, Compulsory: true},
		{Name: "identifier-type", Kind: fixtures.Token, Paths: []string{"identifier.type"}, Compulsory: true}, // no element is named so
	}}}}
	const whole = `{"resourceType":"Practitioner","id":"1","meta":{"versionId":"1"},"active":true,` +
		`"name":[{"family":"A","given":["B","C"]},{"given":["D"]}],"birthDate":"1970-01-01",` +
		`"deep":[[{"a":1,"b":2},3],[4],{"a":5,"b":6}],"flat":[1,2]}`
	const head = `{"resourceType": "Practitioner", "id": "1", "meta": {"versionId": "1", "tag": §}, "active": true`
	for _, c := range []struct{ elements, resource, want string }{
		{"birthDate", whole, head + `, "birthDate": "1970-01-01"}`},
		{"birthDate,name.given", whole, head + `, "name": [{"given": ["B", "C"]}, {"given": ["D"]}], "birthDate": "1970-01-01"}`}, // in the order of the resource
		{"name.family", whole, head + `, "name": [{"family": "A"}, {}]}`},
		{"name.given,name.family", whole, head + `, "name": [{"family": "A", "given": ["B", "C"]}, {"given": ["D"]}]}`},
		{"name,name", whole, head + `, "name": [{"family": "A", "given": ["B", "C"]}, {"given": ["D"]}]}`},
		{"name.given.x", whole, head + `, "name": [{"given": []}, {"given": []}]}`},
		{"id,meta,resourceType,active", whole, head + `}`},
		{"nope,other.x,*", whole, head + `}`},
		{"birthDate.x", whole, head + `}`}, // a primitive has nothing below it
		{"flat", whole, head + `, "flat": [1, 2]}`},
		{"flat.x", whole, head + `, "flat": []}`},
		{"deep.a", whole, head + `, "deep": [[{"a": 1}], [], {"a": 5}]}`},
		{"Name", whole, head + `}`},

		{"x", `{"resourceType":"Practitioner","id":"1"}`, `{"resourceType": "Practitioner", "id": "1", "meta": {"tag": §}}`},
		{"x", `{"resourceType":"Practitioner","id":"1","meta":{}}`, `{"resourceType": "Practitioner", "id": "1", "meta": {"tag": §}}`},
		{"x", `{"resourceType":"Practitioner","meta":{"tag":[{"code":"OLD"},{"code":"OLDER"}],"versionId":"1"},"id":"1"}`,
			`{"resourceType": "Practitioner", "meta": {"tag": §, "versionId": "1"}, "id": "1"}`}, // in its place
		{"x", `{"resourceType":"Practitioner","id":"1","meta":{"profile":["P"],"tag":[]},"x":{"meta":{"a":1}}}`,
			`{"resourceType": "Practitioner", "id": "1", "meta": {"profile": ["P"], "tag": §}, "x": {"meta": {"a": 1}}}`},
	} {
		t.Run(c.elements, func(t *testing.T) {
			t.Parallel()
			q, err := Parse(table, "Practitioner?_elements="+c.elements, rules(t))
			if err != nil {
				t.Fatal(err)
			}
			node, err := fhir.ParseString(c.resource)
			if err != nil {
				t.Fatal(err)
			}
			got := string(q.AppendNarrowed(nil, node))
			want := ""
			for _, r := range c.want {
				if r == '§' {
					want += tag
				} else {
					want += string(r)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if !json.Valid([]byte(got)) {
				t.Errorf("no JSON: %s", got)
			}
		})
	}
}

// TestNarrowingCost: what to keep is worked out once a query, not once a
// resource. It counts allocations, so it does not run beside others.
func TestNarrowingCost(t *testing.T) {
	var many strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&many, "x%d,", i)
	}
	q, err := Parse(fixtures.DefaultTable(), "Device?_elements="+many.String(), rules(t))
	if err != nil {
		t.Fatal(err)
	}
	node, err := fhir.ParseString(`{"resourceType":"Device","id":"1","x9999":1}`)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(10, func() { q.AppendNarrowed(nil, node) }); n > 100 {
		t.Errorf("%v allocations to narrow one resource", n)
	}
}
