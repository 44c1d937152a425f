package fhir

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPath(t *testing.T) {
	t.Parallel()
	n, err := Parse([]byte(`{"name":[{"family":"A","given":["b","c"]},{"family":"D"}],"value":"v",
		"extension":[{"url":"u","extension":[{"url":"number","valueString":"1"},{"url":"type","valueCode":"x"}]},
		             {"url":"w","valueInteger":3}],"line":[null,"x"]}`))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"name.given":                    `"b" "c"`,
		"name.family":                   `"A" "D"`,
		"nope.family":                   "",
		"line":                          `null "x"`,
		"value":                         `"v"`,
		"family":                        "",
		"name.where(family='D').family": `"D"`,
		"extension.where(url='u').extension.where(url='number').value": `"1"`,
		"extension.where(url='w').value":                               `3`,
	} {
		p, err := ParsePath(path)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		p.Each(n, func(n *Node) { got = append(got, n.Raw()) })
		if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	for _, bad := range []string{"", ".", "a.", "a..b", "a.where(x)", "a.where(url='x'", "a b", "where(url='x')x"} {
		if _, err := ParsePath(bad); err == nil {
			t.Errorf("%q compiles", bad)
		}
	}
}
