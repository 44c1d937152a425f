// Package depcheck keeps the house in order: it reads the imports of every Go
// file of the module and holds them against the rules below. Whoever adds a
// package, or an arrow between two, finds out here whether the house allows it.
package depcheck

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module = "github.com/mockfhir/mockfhir"
	root   = "../.."
)

// arrows lists, for the packages whose place in the house is a promise, every
// package of ours that their code may import. Data flows one way.
var arrows = map[string][]string{
	"cmd/mockfhir":        {"internal/cli"},
	"cmd/verify":          {"internal/cli/verify"},
	"fixtures":            {"internal/fhir", "internal/pack"},
	"contract":            {"fixtures", "internal/fhir", "internal/fhirschema"},
	"contract/report":     {"contract"},
	"internal/behaviour":  {},
	"internal/console":    {"fixtures", "internal/fhir"},
	"internal/dist":       {}, // a builder runs it before anything else is built
	"internal/fhir":       {},
	"internal/fhirschema": {"internal/fhir"},
	"internal/gateway":    {"internal/uuid"}, // it wraps any handler and knows nothing of FHIR
	"internal/fhirxml":    {"internal/fhir", "internal/fhirschema"},
	"internal/openapi":    {"fixtures"},
	"internal/rehearse":   {"internal/fhir", "internal/gateway", "internal/store"},
	"internal/record":     {"internal/redact", "fixtures", "internal/fhir"},
	"internal/redact":     {"fixtures", "internal/fhir", "internal/fhirschema", "internal/synth"},
	"internal/search":     {"internal/store", "fixtures", "internal/fhir"},
	"internal/pack":       {},
	"internal/store":      {"fixtures", "internal/fhir", "internal/pack"},
	"internal/synth":      {},
	"mockserver/control":  {}, // a client: it works with any mock, of another version or place
	"internal/v1":         {"internal/search", "internal/store", "fixtures", "internal/fhir", "internal/fhirschema", "internal/fhirxml", "internal/uuid"},
	"internal/witness":    {"fixtures"}, // a second opinion shares no code with the first
	"internal/uuid":       {},
	"internal/xmlwitness": {},
}

// never lists what a package must not reach, not even through others of ours:
// the contract runs from a command against any server, so it can lean on
// neither the mock nor the test runner.
var never = map[string][]string{
	"contract":        {module + "/mockserver", "testing", "net/http/httptest"},
	"contract/report": {module + "/mockserver", "testing", "net/http/httptest"},
	"mockserver":      {module + "/mockserver/control"}, // the mock does not lean on its own client
	// A program that links them keeps every exported method of every type:
	// half a megabyte of an image that has room for another half.
	"internal/allinone": {"html/template", "text/template"},
}

// light lists every third-party package that a public package may bring into
// the program of who imports it, through others of ours included.
var light = map[string][]string{
	"fixtures":           {"golang.org/x/tools/txtar"},
	"mockserver":         {"github.com/gorilla/mux", "golang.org/x/text/unicode/norm", "golang.org/x/tools/txtar"},
	"mockserver/control": {},
	"contract":           {"github.com/google/go-cmp/cmp", "golang.org/x/text/unicode/norm", "golang.org/x/time/rate", "golang.org/x/tools/txtar"},
	"contract/report":    {"github.com/google/go-cmp/cmp", "golang.org/x/text/unicode/norm", "golang.org/x/time/rate", "golang.org/x/tools/txtar"},
}

// onlyIn lists what only some packages may import outside their tests. A key
// that ends in a slash stands for everything below it.
var onlyIn = map[string][]string{
	"testing":                                 {"contract/contracttest", "internal/cases", "internal/shared"},
	"net/http/httptest":                       {"contract/contracttest"},
	"github.com/getkin/kin-openapi/":          {},
	"github.com/testcontainers/":              {}, // mockcontainer is a module of its own
	"github.com/rogpeppe/go-internal/":        {},
	module + "/internal/cases":                {},
	module + "/internal/shared":               {"internal/cases"},
	module + "/internal/xmlwitness":           {},
	module + "/contract/contracttest":         {},
	module + "/internal/fhirschema/gen":       {},
	module + "/internal/synth/gen/":           {},
	module + "/internal/cli":                  {"cmd/mockfhir", "internal/allinone"},
	module + "/internal/cli/verify":           {"cmd/verify", "internal/allinone"},
	"github.com/google/go-containerregistry/": {},
}

func TestTheHouseIsInOrder(t *testing.T) {
	t.Parallel()
	imports := load(t)
	for _, wrong := range imports.violations() {
		t.Error(wrong)
	}
	for _, rules := range []map[string][]string{arrows, never, light} {
		for pkg := range rules {
			if _, exists := imports[pkg]; !exists {
				t.Errorf("a rule is about %s, which does not exist", pkg)
			}
		}
	}
}

// A rule that nothing can break guards nothing.
func TestEachRuleIsNoticedWhenBroken(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		imports graph
		want    string
	}{
		{"an arrow the wrong way", graph{"internal/store": {module + "/internal/search"}}, "internal/store imports internal/search"},
		{"the gateway learns FHIR", graph{"internal/gateway": {module + "/internal/fhir"}}, "internal/gateway imports internal/fhir"},
		{"the contract tests", graph{"contract": {"testing"}}, "contract reaches testing"},
		{"the contract leans on the mock through another", graph{
			"contract/report": {module + "/contract"}, "contract": {module + "/fixtures"}, "fixtures": {module + "/mockserver"},
		}, "contract/report reaches " + module + "/mockserver"},
		{"the mock grows heavy through another", graph{
			"mockserver": {module + "/internal/store"}, "internal/store": {"example.org/database"},
		}, "mockserver brings example.org/database"},
		{"a tool of tests in code", graph{"internal/openapi": {"github.com/getkin/kin-openapi/openapi3"}}, "internal/openapi imports github.com/getkin/kin-openapi/openapi3"},
		{"testing in code", graph{"internal/record": {"testing"}}, "internal/record imports testing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			found := tt.imports.violations()
			if !slices.ContainsFunc(found, func(v string) bool { return strings.HasPrefix(v, tt.want) }) {
				t.Errorf("want a violation that begins %q, found %q", tt.want, found)
			}
		})
	}
}

// graph holds what the code of each package imports, its tests apart. Packages
// of ours are named by their directory, imports by their full path.
type graph map[string][]string

// load reads all Go files of the module, whatever their build constraints.
func load(t *testing.T) graph {
	t.Helper()
	imports := graph{}
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (d.Name() == "testdata" || strings.ContainsAny(d.Name()[:1], "._")):
			return fs.SkipDir
		case d.IsDir() && name != "." && isModule(path.Join(root, name)):
			return fs.SkipDir // its imports are its own
		case d.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		found, err := importsOf(path.Join(root, name))
		imports[path.Dir(name)] = append(imports[path.Dir(name)], found...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return imports
}

func isModule(dir string) bool {
	_, err := os.Stat(path.Join(dir, "go.mod"))
	return err == nil
}

func importsOf(name string) (imports []string, err error) {
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		imports = append(imports, imported)
	}
	return imports, nil
}

// violations are sentences, sorted.
func (g graph) violations() []string {
	var found []string
	say := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	for pkg, imports := range g {
		allowed, promised := arrows[pkg]
		for _, imported := range imports {
			if ours, ok := ours(imported); ok && promised && !slices.Contains(allowed, ours) {
				say("%s imports %s; of ours it may import %q", pkg, ours, allowed)
			}
			for restricted, users := range onlyIn {
				if matches(imported, restricted) && !slices.Contains(users, pkg) {
					say("%s imports %s, which is for tests and for %q", pkg, imported, users)
				}
			}
		}
		reached := g.reach(pkg)
		for _, forbidden := range never[pkg] {
			if via, ok := reached[forbidden]; ok {
				say("%s reaches %s through %s", pkg, forbidden, via)
			}
		}
		if allowed, ok := light[pkg]; ok {
			for imported, via := range reached {
				if thirdParty(imported) && !slices.Contains(allowed, imported) {
					say("%s brings %s through %s; it stays light with %q", pkg, imported, via, allowed)
				}
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// reach returns all that a package imports, itself or through packages of
// ours, each with the package that does so.
func (g graph) reach(pkg string) map[string]string {
	reached := map[string]string{}
	for queue := []string{pkg}; len(queue) > 0; queue = queue[1:] {
		for _, imported := range g[queue[0]] {
			if _, known := reached[imported]; known {
				continue
			}
			reached[imported] = queue[0]
			if next, ok := ours(imported); ok {
				queue = append(queue, next)
			}
		}
	}
	return reached
}

func ours(imported string) (dir string, ok bool) { return strings.CutPrefix(imported, module+"/") }

// thirdParty tells a module's path by the dot of its host.
func thirdParty(imported string) bool {
	host, _, _ := strings.Cut(imported, "/")
	_, our := ours(imported)
	return strings.Contains(host, ".") && !our
}

func matches(imported, restricted string) bool {
	if strings.HasSuffix(restricted, "/") {
		return strings.HasPrefix(imported, restricted)
	}
	return imported == restricted
}
