package drift

import (
	"os"
	"testing"

	"github.com/mockfhir/mockfhir/internal/shared"
)

// TestCorpusIsUnderstood compiles every row of the corpus.
func TestCorpusIsUnderstood(t *testing.T) {
	t.Parallel()
	f, err := os.Open(shared.Path(t, "cases", "drift-corpus.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cases, err := ReadCases(f)
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) < 100 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, c := range cases {
		m, err := Parse(c)
		if err != nil {
			t.Errorf("%s: %s\n\t%v", c.ID, c.How, err)
			continue
		}
		if !m.InTraffic() && !m.Serving().Socket() && m.Serving().Volume == 0 {
			t.Errorf("%s: %s\n\tdoes nothing", c.ID, c.How)
		}
	}
}
