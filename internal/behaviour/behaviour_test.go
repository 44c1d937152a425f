package behaviour

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/fidelity.md")

func TestRowsAreWhole(t *testing.T) {
	t.Parallel()
	seen := map[ID]bool{}
	for _, r := range Rows {
		if seen[r.ID] {
			t.Errorf("%s appears twice", r.ID)
		}
		seen[r.ID] = true
		if r.Topic == "" || r.Production == "" || r.Source == "" || r.Cite == "" {
			t.Errorf("%s says too little", r.ID)
		}
		if !slices.Contains([]Evidence{Observed, Documented, Source, Assumed}, r.Evidence) {
			t.Errorf("%s: evidence %q is no evidence", r.ID, r.Evidence)
		}
		if (r.InProduction != r.InSource) == (r.Source == "The same.") {
			t.Errorf("%s: the switch and the words disagree", r.ID)
		}
	}
}

func TestUnknownSwitchPanics(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("a behaviour without a row was answered")
		}
	}()
	Of("production")("no-such-behaviour")
}

// TestFidelityDocument holds docs/fidelity.md to the table.
func TestFidelityDocument(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "docs", "fidelity.md")
	want := document()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("docs/fidelity.md is not what the table says; run: go test ./internal/behaviour -update")
	}
}

func document() string {
	var b strings.Builder
	b.WriteString(fidelityIntroduction)
	topics := []string{}
	for _, r := range Rows {
		if !slices.Contains(topics, r.Topic) {
			topics = append(topics, r.Topic)
		}
	}
	for _, topic := range topics {
		fmt.Fprintf(&b, "\n## %s\n\n| behaviour | profile `production` | profile `source` | evidence | where |\n|---|---|---|---|---|\n", topic)
		for _, r := range Rows {
			if r.Topic == topic {
				fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", r.ID, cell(r.Production), cell(r.Source), r.Evidence, cell(r.Cite))
			}
		}
	}
	b.WriteString(fidelityEnd)
	return b.String()
}

func cell(s string) string { return cmp.Or(strings.ReplaceAll(s, "|", `\|`), "–") }
