package cases

import (
	_ "embed"
	"strings"
)

//go:embed waivers.tsv
var waiverFile string

// Waivers are the rows that are not run, each with a reason: a defect or a
// configuration of the row, never of the mock's.
type Waivers struct {
	waivers []waiver
	used    map[string]bool
}

// waiver applies to the rows of a file one of whose columns holds a text; a
// column of ids must be the text.
type waiver struct{ file, column, holds, reason string }

// NewWaivers reads the waivers for a case file.
func NewWaivers(file string) *Waivers {
	w := &Waivers{used: map[string]bool{}}
	for line := range strings.Lines(waiverFile) {
		if f := strings.Split(strings.TrimSuffix(line, "\n"), "\t"); len(f) == 4 && f[0] == file {
			w.waivers = append(w.waivers, waiver{f[0], f[1], f[2], f[3]})
		}
	}
	return w
}

// Reason says why a row is waived, "" when it is not.
func (w *Waivers) Reason(row Row) string {
	for _, waiver := range w.waivers {
		text := row.Col(waiver.column)
		if text == waiver.holds || text != row.ID && strings.Contains(text, waiver.holds) {
			w.used[waiver.column+"="+waiver.holds] = true
			return waiver.reason
		}
	}
	return ""
}

// Unused lists the waivers that applied to no row.
func (w *Waivers) Unused() (unused []string) {
	for _, waiver := range w.waivers {
		if name := waiver.column + "=" + waiver.holds; !w.used[name] {
			unused = append(unused, name)
		}
	}
	return unused
}
