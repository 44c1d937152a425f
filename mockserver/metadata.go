package mockserver

import (
	"slices"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/fhir"
)

// capabilityStatement prints what the table says, with the members and in the
// order of the real server, and nothing else: no kind, no date
// (ans-server.md §7).
func capabilityStatement(table *fixtures.Table) []byte {
	var w jsonWriter
	w.open('{')
	w.member("resourceType", "CapabilityStatement")
	w.member("status", "active")
	w.member("copyright", table.Copyright)
	w.member("fhirVersion", "4.0.1")
	w.strings("format", []string{"application/fhir+json", "json"})
	w.strings("implementationGuide", table.ImplementationGuides)
	w.name("rest")
	w.open('[')
	w.open('{')
	w.name("resource")
	w.open('[')
	for _, t := range table.Types {
		w.open('{')
		w.member("type", t.Type)
		w.member("profile", t.Profile)
		w.interactions(t.Interactions)
		w.strings("searchInclude", t.Includes)
		w.strings("searchRevInclude", t.RevIncludes)
		if len(t.Params) > 0 {
			w.parameters(t.Params)
		}
		w.close('}')
	}
	w.close(']')
	w.close('}')
	w.close(']')
	w.close('}')
	return w.out
}

// interactions stand in the order of the real server, whatever that of the table.
func (w *jsonWriter) interactions(of []string) {
	w.name("interaction")
	w.open('[')
	for _, code := range fixtures.Interactions {
		if slices.Contains(of, code) {
			w.open('{')
			w.member("code", code)
			w.close('}')
		}
	}
	w.close(']')
}

func (w *jsonWriter) parameters(params []fixtures.Param) {
	w.name("searchParam")
	w.open('[')
	for _, p := range params {
		w.open('{')
		w.member("name", p.Name)
		w.member("definition", p.Definition)
		w.member("type", string(p.Kind))
		w.member("documentation", p.Documentation)
		w.close('}')
	}
	w.close(']')
}

// jsonWriter prints compact JSON in the dialect of reads. Empty values are
// left out, as HAPI does.
type jsonWriter struct {
	out   []byte
	comma bool
}

func (w *jsonWriter) separate() {
	if w.comma {
		w.out = append(w.out, ',')
	}
	w.comma = false
}

func (w *jsonWriter) open(bracket byte) {
	w.separate()
	w.out = append(w.out, bracket)
}

func (w *jsonWriter) close(bracket byte) {
	w.out, w.comma = append(w.out, bracket), true
}

func (w *jsonWriter) name(name string) {
	w.separate()
	w.out = append(fhir.AppendReadString(w.out, name), ':')
}

func (w *jsonWriter) text(s string) {
	w.separate()
	w.out, w.comma = fhir.AppendReadString(w.out, s), true
}

func (w *jsonWriter) member(name, value string) {
	if value != "" {
		w.name(name)
		w.text(value)
	}
}

func (w *jsonWriter) strings(name string, list []string) {
	if len(list) == 0 {
		return
	}
	w.name(name)
	w.open('[')
	for _, s := range list {
		w.text(s)
	}
	w.close(']')
}
