package redact

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/fhir"
)

// Draft gathers redacted exchanges on the way to a Set. It is safe for
// concurrent use.
type Draft struct {
	mu        sync.Mutex
	redactor  *Redactor
	scenarios map[string]*fixtures.Scenario
	known     map[string]location // by request
	directory directory
	guide     string // version of the implementation guide in /metadata
}

// NewDraft returns an empty draft.
func NewDraft(r *Redactor) *Draft {
	return &Draft{
		redactor: r, scenarios: map[string]*fixtures.Scenario{}, known: map[string]location{},
		directory: directory{at: map[[2]string]int{}},
	}
}

// Add redacts an exchange and keeps it in a scenario: a file name without
// extension, and a title. Asked again, the later answer is kept.
func (d *Draft) Add(file, title string, facts map[string]string, raw Raw) {
	d.mu.Lock()
	defer d.mu.Unlock()
	x := d.redactor.exchange(raw)
	request := fmt.Sprint(x.Request.Method, " ", x.Request.Target, "\n", x.Request.Header, "\n", string(x.Request.Body))
	if before, known := d.known[request]; known {
		before.scenario.Exchanges[before.index] = x
	} else {
		s := d.scenarios[file]
		if s == nil {
			s = &fixtures.Scenario{File: "exchanges/" + file + ".txtar", Title: cmp.Or(title, file), Facts: facts}
			d.scenarios[file] = s
		}
		d.known[request] = location{s, len(s.Exchanges)}
		s.Exchanges = append(s.Exchanges, x)
	}
	d.learn(x)
}

// location is where an exchange is kept.
type location struct {
	scenario *fixtures.Scenario
	index    int
}

// Len is the number of exchanges.
func (d *Draft) Len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.known)
}

// learn adds the resources of an answer to the directory.
func (d *Draft) learn(x fixtures.Exchange) {
	node, err := fhir.Parse(x.Response.Body)
	if err != nil || x.Response.Status != 200 {
		return
	}
	narrowed := strings.Contains(x.Request.Target+string(x.Request.Body), "_elements=")
	switch node.Get("resourceType").Str() {
	case "Bundle":
		for _, entry := range node.Get("entry").Items() {
			d.directory.put(entry.Value.Get("resource"), narrowed)
		}
	case "CapabilityStatement":
		d.guide = guideVersion(node)
	default:
		d.directory.put(node, narrowed)
	}
}

var guideVersions = regexp.MustCompile(`^[0-9]{1,3}(\.[0-9]{1,3}){1,2}(-(ballot|draft|snapshot|preview)[0-9]?)?$`)

// guideVersion is that of ANS's implementation guide in a statement: the part
// of its canonical URL behind the bar.
func guideVersion(statement *fhir.Node) string {
	for _, guide := range statement.Get("implementationGuide").Items() {
		if _, version, found := strings.Cut(guide.Value.Str(), "|"); found && guideVersions.MatchString(version) {
			return version
		}
	}
	return ""
}

// directory is the resources of all answers, each once, in the order they were
// met.
type directory struct {
	resources []resource
	at        map[[2]string]int
}

type resource struct {
	typ, updated string
	line         []byte
	narrowed     bool
}

// put adds a resource, or replaces an older or narrowed one where it stands.
func (d *directory) put(n *fhir.Node, narrowed bool) {
	typ, id := n.Get("resourceType").Str(), n.Get("id").Str()
	if id == "" || fixtures.DefaultTable().Type(typ) == nil {
		return
	}
	new := resource{typ: typ, updated: n.Path("meta", "lastUpdated").Str(), narrowed: narrowed, line: fhir.AppendRead(nil, n)}
	i, known := d.at[[2]string{typ, id}]
	switch {
	case !known:
		d.at[[2]string{typ, id}] = len(d.resources)
		d.resources = append(d.resources, new)
	case d.resources[i].narrowed && !narrowed, d.resources[i].narrowed == narrowed && new.updated > d.resources[i].updated:
		d.resources[i] = new
	}
}

// Set is a fixture set that may be written: redacted, and passed by the last
// scan. Only Seal makes one; the zero Set has no file.
type Set struct{ files map[string][]byte }

// Files are the files of the set by name, in order.
func (s *Set) Files() iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for _, name := range slices.Sorted(maps.Keys(s.files)) {
			if !yield(name, s.files[name]) {
				return
			}
		}
	}
}

// Seal makes the set, or says with a *Leak where it still shows something. The
// manifest is completed with counts, the report and checksums.
func (d *Draft) Seal(m fixtures.Manifest) (*Set, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.known) == 0 {
		return nil, errNothing
	}
	files := d.files()
	m.Counts = map[string]int{}
	for _, r := range d.directory.resources {
		m.Counts[r.typ]++
	}
	m.IGVersion = cmp.Or(d.guide, m.IGVersion)
	report, err := json.Marshal(d.redactor.counts)
	if err != nil {
		return nil, err
	}
	m.Redaction = report
	manifest, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, err
	}
	files["manifest.json"] = append(manifest, '\n')
	if leak := d.redactor.scan(files, d.own(files)); leak != nil {
		return nil, leak
	}
	if files["manifest.json"], err = withChecksums(m, files); err != nil {
		return nil, err
	}
	return &Set{files}, nil
}

func (d *Draft) files() map[string][]byte {
	files := map[string][]byte{}
	for _, s := range d.scenarios {
		files[s.File] = s.Format()
	}
	for _, r := range d.directory.resources {
		name := "resources/" + r.typ + ".ndjson"
		files[name] = append(append(files[name], r.line...), '\n')
	}
	return files
}

func withChecksums(m fixtures.Manifest, files map[string][]byte) ([]byte, error) {
	m.SHA256 = map[string]string{}
	for name, text := range files {
		if name != "manifest.json" {
			sum := sha256.Sum256(text)
			m.SHA256[name] = hex.EncodeToString(sum[:])
		}
	}
	text, err := json.MarshalIndent(m, "", "  ")
	return append(text, '\n'), err
}

// own are the lines that come from here: what heads the files of exchanges,
// and the manifest, whose report names places by the words of R4.
func (d *Draft) own(files map[string][]byte) map[string]bool {
	lines := map[string]bool{}
	add := func(text []byte) {
		for line := range strings.Lines(string(text)) {
			lines[line] = true
		}
	}
	for _, s := range d.scenarios {
		heading := fixtures.Scenario{Title: s.Title, Facts: s.Facts}
		add(heading.Format())
	}
	add(files["manifest.json"])
	return lines
}

// scan is the last one, over the bytes that would be written. It knows
// nothing of the rules that made them, but which lines are our own: a person
// may be called as one of their words, or as one of a file's name.
func (r *Redactor) scan(files map[string][]byte, own map[string]bool) error {
	s := scanner{canonical: r.isCanonical, originals: &r.originals, forms: r.hidden.forms, own: own}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		s.line(name+" (its name)", name, true)
		s.file(name, files[name])
	}
	if places := s.compact(); len(places) > 0 {
		return &Leak{places}
	}
	return nil
}

func (r *Redactor) isCanonical(address string) bool {
	_, ok := r.canonical(address)
	return ok
}

// Linter looks through the texts of a set for what the last scan would refuse
// without knowing the originals: e-mail addresses, phones and keys outside of
// the fictitious ranges. It tells where.
type Linter struct{ scanner scanner }

// NewLinter returns one for any number of texts.
func NewLinter() *Linter {
	r := &Redactor{canonicals: map[string]bool{}}
	return &Linter{scanner{canonical: r.isCanonical}}
}

// File looks through one file of a set.
func (l *Linter) File(name string, text []byte) []string {
	if name == "manifest.json" {
		text = withoutChecksums(text)
	}
	return l.places(func(s *scanner) { s.file(name, bytes.ToValidUTF8(text, []byte("?"))) })
}

// Resource looks through the text of one resource, wherever it is.
func (l *Linter) Resource(where, text string) []string {
	return l.places(func(s *scanner) { s.line(where, plainView(strings.ToValidUTF8(text, "?")), false) })
}

func (l *Linter) places(look func(*scanner)) []string {
	l.scanner.before, l.scanner.places = "", nil
	look(&l.scanner)
	return l.scanner.compact()
}

func withoutChecksums(text []byte) []byte {
	var m fixtures.Manifest
	if json.Unmarshal(text, &m) != nil {
		return text
	}
	m.SHA256 = nil
	plain, err := json.Marshal(m)
	if err != nil {
		return text
	}
	return plain
}

// IsLeak reports whether an error is a refusal of the last scan.
func IsLeak(err error) bool {
	var leak *Leak
	return errors.As(err, &leak)
}
