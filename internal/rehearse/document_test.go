package rehearse

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/mockfhir/mockfhir/internal/shared"
)

var update = flag.Bool("update", false, "write docs/incidents.md")

// elsewhere are the events of incidents.md §2 that are no incident, and where
// they are met instead.
var elsewhere = map[string]string{
	"D11": "A certificate that no client trusts is `-tls-self-signed`.",
	"D17": "Only `self` and `next`, always: the mock has no other links either.",
	"D18": "`next` is absolute, always. Call the mock by another name, and its links have that name.",
	"D19": "Both pagers are served, that of version 1 below `/fhir/v1`. Any client that takes `next` for opaque passes on either.",
	"D20": "Taking page one for everything is met with any search of more than 50 matches.",
	"D26": "Codings have no `display`, always, but for the type of a mailbox.",
	"D38": "Inactive resources are in plain search results, always.",
	"D40": "`name`, `name:family` and `name:given` overlap, always.",
	"D43": "An unknown type is an error, always; version 2 words it differently from the literal that ANS documented.",
	"D46": "The first identifier is the IDNPS or the IDNST, always.",
	"D47": "`identifier-type` takes a code alone, always.",
}

const documentBegins = `# Incidents

This page is generated from the table in ` + "`internal/rehearse`" + `; edit that and run ` + "`go test ./internal/rehearse -update`" + `.

Each incident is something that happened to the users of the real service, or that can happen to any. Turn one on

* from the start, for everybody: ` + "`mockfhir -incident 2026-07-09-empty-504`" + `;
* by configuration alone, for one client: with the key ` + "`mock-incident-2026-07-09-empty-504`" + `;
* for one call: with the header ` + "`X-Mockfhir-Incident: 2026-07-09-empty-504`" + `;
* in a test, for a session: ` + "`PUT /__mockfhir/sessions/NAME/incidents/2026-07-09-empty-504`" + `, see [rehearsal.md](rehearsal.md).

Each touches the calls that its scope says, and a scope of one's own changes that:
` + "`-incident '2025-10-17-large-page-502; share=0.5; path=Practitioner'`" + `. Semicolons separate its words (commas do too, but in the header
a comma begins the next incident: ` + "`X-Mockfhir-Incident: delay; share=0.5; path=Practitioner, slow-drip`" + `). A scope is made of

| word | touches |
|---|---|
| ` + "`share=0.25`" + ` | one call in four, drawn by lot |
| ` + "`path=Practitioner`" + ` | calls to that path below /fhir and its version, and the pages that follow |
| ` + "`page=2`" + ` | pages that a next link leads to |
| ` + "`count=200`" + ` | pages of more matches |
| ` + "`query=TEXT`" + ` | calls whose raw query has the text |
| ` + "`after=3`" + ` | calls after the third (not by key or header) |
| ` + "`for=10s`" + ` | calls of the first ten seconds (not by key or header) |
`

const documentEnds = `
## What no incident shows

| event | instead |
|---|---|
`

func document() string {
	var b strings.Builder
	b.WriteString(documentBegins)
	b.WriteString("\n## What happened\n")
	for _, i := range Incidents() {
		if i.Event != "" {
			tell(&b, i)
		}
	}
	b.WriteString("\n## Generic faults\n")
	for _, i := range Incidents() {
		if i.Event == "" {
			tell(&b, i)
		}
	}
	b.WriteString(documentEnds)
	for n := 1; n <= lastEvent; n++ {
		if why, found := elsewhere[event(n)]; found {
			fmt.Fprintf(&b, "| %s | %s |\n", event(n), why)
		}
	}
	b.WriteString("\nA connection that is refused before it is made cannot be shown by a server that listens: stop the mock, or point the\n" +
		"client at a port where nothing listens. `reset` is as near as it can come.\n")
	return b.String()
}

// tell is one story in three lines: what happened, the mistake, and where the
// story is from.
func tell(b *strings.Builder, i Incident) {
	source := i.Source
	if i.Event != "" {
		source = i.Event + ", " + source
	}
	fmt.Fprintf(b, "\n### %s\n\n* **What happens.** %s Touches: %s.\n* **The mistake it reveals.** %s\n* **Source.** %s.\n",
		i.Name, i.Happened, i.Scope, i.Mistake, source)
}

const lastEvent = 49

func event(n int) string { return fmt.Sprintf("D%02d", n) }

// TestDocument holds docs/incidents.md to the table.
func TestDocument(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "docs", "incidents.md")
	if *update {
		if err := os.WriteFile(path, []byte(document()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != document() {
		t.Error("docs/incidents.md is not what the table says; run: go test ./internal/rehearse -update")
	}
}

// TestTableIsWhole: every event is an incident or is met elsewhere, every
// incident tells its story and does something.
func TestTableIsWhole(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`^(\d{4}-\d\d-\d\d-|d\d\d-)?[a-z0-9]+(-[a-z0-9]+)*$`)
	shown := map[string]bool{}
	for k, i := range Incidents() {
		shown[i.Event] = true
		if !name.MatchString(i.Name) || i.Happened == "" || i.Mistake == "" || i.Source == "" {
			t.Errorf("%s says too little", i.Name)
		}
		if dated := regexp.MustCompile(`^(\d|d\d)`).MatchString(i.Name); dated != (i.Event != "") {
			t.Errorf("%s is of event %q", i.Name, i.Event)
		}
		if number, numbered := strings.CutPrefix(i.Name[:min(3, len(i.Name))], "d"); numbered && i.Event != "" && "D"+number != i.Event {
			t.Errorf("%s is of event %s", i.Name, i.Event)
		}
		if k > 0 && Incidents()[k-1].Name >= i.Name {
			t.Errorf("%s is out of order, or there twice", i.Name)
		}
		if found, ok := Lookup(i.Name); !ok || found.Name != i.Name {
			t.Errorf("%s is not found", i.Name)
		}
	}
	for n := 1; n <= lastEvent; n++ {
		if _, told := elsewhere[event(n)]; told == shown[event(n)] {
			t.Errorf("%s is an incident: %v, and told to be met elsewhere: %v", event(n), shown[event(n)], told)
		}
	}
	for _, name := range Demanding {
		if _, found := Lookup(name); !found {
			t.Errorf("-demanding turns on %s, which does not exist", name)
		}
	}
}

// TestEveryEventIsKnown reads the list of what happened, in which an event may
// have been added since.
func TestEveryEventIsKnown(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(shared.Path(t, "spec", "incidents.md"))
	if err != nil {
		t.Fatal(err)
	}
	events := regexp.MustCompile(`(?m)^\| (D\d\d) \|`).FindAllStringSubmatch(string(text), -1)
	if len(events) != lastEvent {
		t.Errorf("there are %d events, not %d", len(events), lastEvent)
	}
}

// TestFrench: each story is told in French as well, whole, with the literals
// of the English one.
func TestFrench(t *testing.T) {
	t.Parallel()
	english := regexp.MustCompile(`(?i)(^| )(the|with|of|and|is|are|that|which|a client|issues?|answers?|calls?)[ .,]`)
	quoted := regexp.MustCompile(`« [^»]* »|"[^"]*": |Content-Length: 0`) // literals of the service
	untidy := regexp.MustCompile(`'|[^ ][;!»]|[^ ]: `)
	literal := regexp.MustCompile(`"[A-Z][^"]*"|https?://[^ ,]+|_[a-z]+=[A-Za-z0-9:]+|/fhir[^ ,;.]*|#\d+|\b\d{3}\b`)
	for _, i := range Incidents() {
		e, f := i.English(), i.French
		for _, text := range [][2]string{{e.Happened, f.Happened}, {e.Mistake, f.Mistake}, {e.Source, f.Source}} {
			if text[1] == "" || text[0] == text[1] {
				t.Errorf("%s says %q in English and %q in French", i.Name, text[0], text[1])
			}
			plain := quoted.ReplaceAllString(text[1], "")
			if word := english.FindString(plain); word != "" {
				t.Errorf("%s says%sin French: %s", i.Name, word, text[1])
			}
			if untidy.MatchString(plain) {
				t.Errorf("%s is not written as French is: %s", i.Name, text[1])
			}
			for _, word := range literal.FindAllString(text[0], -1) {
				if word = strings.Trim(word, `".`); !strings.Contains(text[1], word) {
					t.Errorf("%s does not say %s in French: %s", i.Name, word, text[1])
				}
			}
		}
		if scope := i.Scope.French(); regexp.MustCompile(`every|repeated|chained|more|values|unversioned`).MatchString(scope) {
			t.Errorf("%s touches %s in French", i.Name, scope)
		}
	}
}
