package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/redact"
)

// Foreign is what another tool recorded.
type Foreign struct {
	Raws []redact.Raw
	Left map[string]int // how many exchanges are left out, by the reason
}

func (f *Foreign) leave(format string, args ...any) {
	if f.Left == nil {
		f.Left = map[string]int{}
	}
	f.Left[fmt.Sprintf(format, args...)]++
}

// Import redacts exchanges that another tool recorded. Those that are not of
// the API are left out; an answer that only an accepted key can have brought
// counts as asked with one.
func Import(f *Foreign, o Options) (set *redact.Set, imported int, err error) {
	o.Target.Key = importedKey
	if err := o.complete(); err != nil {
		return nil, 0, err
	}
	draft, err := o.draft()
	if err != nil {
		return nil, 0, err
	}
	for _, raw := range f.Raws {
		at := apiAt(raw.Target)
		if at < 0 {
			f.leave("the path is not of the API")
			continue
		}
		if raw.Status < 100 || raw.Status > 599 {
			f.leave("no answer was recorded")
			continue
		}
		raw.Target = raw.Target[at:]
		if raw.Status != http.StatusUnauthorized && raw.Status != http.StatusForbidden {
			if raw.Header = raw.Header.Clone(); raw.Header == nil {
				raw.Header = http.Header{}
			}
			// The key it was asked with must not be found again either.
			for _, key := range raw.Header.Values(redact.KeyHeader) {
				raw.Header.Add("Authorization", key)
			}
			raw.Header.Set(redact.KeyHeader, importedKey)
		}
		imported++
		draft.Add(fmt.Sprintf("imported/%04d", imported), fmt.Sprintf("Imported exchange %d.", imported), o.facts(), raw)
	}
	set, err = o.seal(draft)
	return set, imported, err
}

// apiAt is where the API begins in a target, at a segment fhir of its path: -1
// for none. What a query holds is an address of somebody else's at most.
func apiAt(target string) int {
	path, _, _ := strings.Cut(target, "?")
	const root = "/fhir"
	if at := strings.Index(path+"/", root+"/"); at >= 0 {
		return at
	}
	return -1
}

var versions = regexp.MustCompile(`^v[0-9]+/`)

// asksAPI reports whether a target can only be one of the API: a type of the
// directory, the statement or a page, below fhir. hl7.org has a folder fhir
// too.
func asksAPI(target string) bool {
	at := apiAt(target)
	if at < 0 {
		return false
	}
	path, _, _ := strings.Cut(target[at:], "?")
	path = strings.TrimPrefix(strings.TrimPrefix(path, "/fhir"), "/")
	name, _, _ := strings.Cut(path[len(versions.FindString(path)):], "/")
	return name == "metadata" || name == "_page" || fixtures.DefaultTable().Type(name) != nil
}

// importedKey stands for the key of an imported exchange. It is never sent.
const importedKey = "imported-with-an-accepted-key"

// maxImport bounds a file of another tool.
const maxImport = 256 << 20

func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("no file %s", name)
	}
	if info.Size() > maxImport {
		return nil, fmt.Errorf("%s is larger than %d MiB", name, maxImport>>20)
	}
	text, err := os.ReadFile(name)
	return bytes.TrimPrefix(text, []byte("\ufeff")), err // a mark that readers of HAR must ignore (HAR 1.2, "HAR File")
}

// Export options: what stands for the placeholders of a set.
type ExportOptions struct {
	Origin  string // as in http://localhost:8080
	Key     string // a key that is no secret: that of a mock
	Version string
}

// fill replaces the placeholders of a text. Page tokens become names that
// lead from a link to the page it links to.
func (o *ExportOptions) fill(text string) string {
	text = strings.NewReplacer(fixtures.OriginPlaceholder, o.Origin, fixtures.KeyPlaceholder, o.Key).Replace(text)
	return placeholder.ReplaceAllString(text, "recorded-page-$1")
}

var placeholder = regexp.MustCompile(`\$\{page:([0-9a-z]+)\}`)

// Formats are what Export writes.
var Formats = []string{"har", "wiremock", "postman"}

// Export writes the exchanges of a set for another tool.
func Export(set *fixtures.Set, format string, o ExportOptions) ([]byte, error) {
	var document any
	switch format {
	case "har":
		document = o.har(set)
	case "wiremock":
		document = o.wiremock(set)
	case "postman":
		document = o.postman(set)
	default:
		return nil, fmt.Errorf("no format %q; valid are %s", format, strings.Join(Formats, ", "))
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(document)
	return []byte(b.String()), err
}
