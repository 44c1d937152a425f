package cases

import (
	_ "embed"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/shared"
)

// fxTable is the small table of search parameters that FX was made for
// (ans-server.md §12).
//
//go:embed fx-parameters.json
var fxTable []byte

// Load returns the fixture set a row is about: RX, FX, or one described in
// words (see Build).
func Load(t testing.TB, name, target string) *fixtures.Set {
	t.Helper()
	text := Build(name, target)
	if text == "" {
		file, err := os.ReadFile(shared.Path(t, "data", "search-fixtures", name+".ndjson"))
		if err != nil {
			t.Fatal(err)
		}
		text = string(file)
	}
	return load(t, name, text)
}

func load(t testing.TB, name, resources string) *fixtures.Set {
	t.Helper()
	dir := t.TempDir()
	write := func(file string, text []byte) {
		file = filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.HasPrefix(name, "FX") {
		write("set.ndjson", []byte(resources)) // a bare file gets the default table
		set, err := fixtures.LoadFile(filepath.Join(dir, "set.ndjson"))
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	write("parameters.json", fxTable)
	write("resources/set.ndjson", []byte(resources))
	set, err := fixtures.LoadFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	return set
}
