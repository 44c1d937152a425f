package synth

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the embedded directory of package fixtures")

// embeddedDir holds what Embedded generates.
const embeddedDir = "../../fixtures/data/v2/resources"

func TestTheEmbeddedDirectoryIsWhatIsGenerated(t *testing.T) {
	d := embedded(t)
	total := 0
	for _, typ := range Types {
		var want bytes.Buffer
		if err := d.Write(&want, typ); err != nil {
			t.Fatal(err)
		}
		total += want.Len()
		file := filepath.Join(embeddedDir, typ+".ndjson")
		if *update {
			if err := os.WriteFile(file, want.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s differs from what is generated: run go test ./internal/synth -run Embedded -update, and look at the difference", file)
		}
	}
	if total > 4<<20 {
		t.Errorf("the embedded directory has %d bytes, more than 4 MiB", total)
	}
}

func embedded(t testing.TB) *Directory {
	t.Helper()
	d, err := New(Embedded)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
