package witness

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/shared"
)

// shapes gathers, by resource type, every path of its resources with the kind
// of JSON that stands there: "Practitioner.name.family string".
type shapes map[string]bool

func (s shapes) add(v any) {
	resource, ok := v.(map[string]any)
	if !ok {
		return
	}
	typ, _ := resource["resourceType"].(string)
	if typ == "Bundle" {
		entries, _ := resource["entry"].([]any)
		for _, e := range entries {
			if entry, ok := e.(map[string]any); ok {
				s.add(entry["resource"])
			}
		}
		return
	}
	s.walk(typ, resource)
}

func (s shapes) walk(path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			s.walk(path+"."+name, member)
		}
	case []any:
		for _, item := range v {
			s.walk(path, item)
		}
	case string:
		s[path+" string"] = true
	case float64:
		s[path+" number"] = true
	case bool:
		s[path+" boolean"] = true
	case nil:
		s[path+" null"] = true
	}
}

// absent are the paths of the recorded bodies that no resource of the embedded
// directory has, with the reason.
var absent = map[string]string{}

// TestRecordedShapes holds the embedded directory against the bodies that the
// live service returned, path by path: whatever the service was seen to print,
// the directory prints somewhere, with the same kind of JSON.
func TestRecordedShapes(t *testing.T) {
	t.Parallel()
	ours := shapes{}
	for _, r := range fixtures.Default().Resources {
		var v any
		if err := json.Unmarshal([]byte(r.JSON), &v); err != nil {
			t.Fatal(err)
		}
		ours.add(v)
	}
	files, err := filepath.Glob(shared.Path(t, "data", "recorded", "v2-*.json"))
	if err != nil {
		t.Fatal(err)
	}
	recorded, bodies := shapes{}, 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if json.Unmarshal(text, &v) == nil { // some are excerpts
			recorded.add(v)
			bodies++
		}
	}
	var missing []string
	for path := range recorded {
		typ, _, _ := strings.Cut(path, ".")
		if fixtures.DefaultTable().Type(typ) != nil && !ours[path] && absent[path] == "" {
			missing = append(missing, path)
		}
	}
	slices.Sort(missing)
	if len(missing) > 0 {
		t.Errorf("the service prints, and the directory never does:\n  %s", strings.Join(missing, "\n  "))
	}
	t.Logf("%d bodies, %d paths", bodies, len(recorded))
	if len(recorded) < 50 {
		t.Errorf("only %d paths were recorded", len(recorded))
	}
}
