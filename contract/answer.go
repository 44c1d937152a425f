package contract

import (
	"encoding/xml"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/internal/fhirschema"
)

// Answer is what the service said to one request. It holds resources as they
// came, personal values included, and lives no longer than the run: reports
// get its Exchange.
type Answer struct {
	Request   *Request
	Status    int
	Header    http.Header
	Body      []byte // unpacked when the service compressed it
	Broken    string // how the transfer went wrong, "" when it did not
	FirstByte time.Duration
	Duration  time.Duration

	base              *url.URL
	wire              int // bytes of the body as transferred
	gzipped           bool
	tooLarge, tooSlow bool

	parsed  bool
	node    *fhir.Node
	syntax  error
	content string
}

// JSON returns the body as a tree, nil when it is not JSON; a byte order mark
// is skipped here and told by its own check.
func (a *Answer) JSON() *fhir.Node {
	if !a.parsed {
		a.parsed = true
		a.node, a.syntax = fhir.Parse([]byte(strings.TrimPrefix(string(a.Body), bom)))
		if a.syntax != nil {
			a.node = nil
		}
	}
	return a.node
}

const bom = "\ufeff"

// ResourceType is the type of the resource the body is, "" when it is none.
func (a *Answer) ResourceType() string { return a.JSON().Get("resourceType").Str() }

// IsBundle reports a complete, successful search answer.
func (a *Answer) IsBundle() bool {
	return a.Status == http.StatusOK && a.Broken == "" && a.ResourceType() == "Bundle"
}

// mediaType returns the content type without parameters, lower case.
func (a *Answer) mediaType() string {
	media, _, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if err != nil {
		media, _, _ = strings.Cut(a.Header.Get("Content-Type"), ";")
	}
	return strings.ToLower(strings.TrimSpace(media))
}

// Content names what the body is: "Bundle", and "Bundle in XML" where it is
// written so.
func (a *Answer) Content() string {
	if a.content == "" {
		a.content = a.named()
	}
	return a.content
}

func (a *Answer) named() string {
	text := strings.TrimSpace(string(a.Body[:min(len(a.Body), 512)]))
	switch {
	case len(a.Body) == 0:
		return "nothing"
	case fhirschema.KnownResource(a.ResourceType()):
		return strings.Clone(a.ResourceType()) // a report must not hold the body
	case a.JSON() != nil:
		return "JSON that is no resource"
	case a.mediaType() == "text/html" || strings.HasPrefix(strings.ToLower(text), "<!doctype html") || strings.HasPrefix(strings.ToLower(text), "<html"):
		return "an HTML page"
	case strings.HasPrefix(text, "{"):
		return "broken JSON"
	case strings.HasPrefix(strings.TrimPrefix(text, bom), "<"):
		root, err := xmlRoot(strings.TrimPrefix(string(a.Body), bom))
		switch {
		case err != nil:
			return "broken XML"
		case root.Space == "http://hl7.org/fhir" && fhirschema.KnownResource(root.Local):
			return strings.Clone(root.Local) + inXML
		}
		return "XML that is no resource"
	}
	return "text"
}

const inXML = " in XML"

// xmlRoot returns the name of the root of a document, read to its end.
func xmlRoot(doc string) (root xml.Name, err error) {
	decoder, depth := xml.NewDecoder(strings.NewReader(doc)), 0
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) && root.Local != "" {
			return root, nil
		}
		if err != nil {
			return root, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if depth == 0 && root.Local != "" {
				return root, errors.New("a second root")
			}
			if depth == 0 {
				root = t.Name
			}
			depth++
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth == 0 && strings.TrimSpace(string(t)) != "" {
				return root, errors.New("text beside the root")
			}
		}
	}
}

// Expected is the Content of an answer that gives a resource of the type in
// the format asked for: version 1 goes by _format (ans-server.md §14), version
// 2 gives JSON whatever is asked.
func (a *Answer) Expected(typ string) string {
	if isVersionOne(a.base.Path) {
		for _, p := range pairsOf(a.Request) {
			if format := formatName.FindStringSubmatch(strings.ReplaceAll(p.value, " ", "+")); p.full == "_format" && format != nil {
				if format[1] == "xml" {
					typ += inXML
				}
				break // the first that is known counts
			}
		}
	}
	return typ
}

// formatName are the formats HAPI knows; a plus that was not encoded is a space.
var formatName = regexp.MustCompile(`^(?:(?:application|text|html)/)?(?:fhir\+)?(xml|json)(?:\+fhir)?$`)

// Entry is one entry of a search answer.
type Entry struct {
	FullURL  string
	Mode     string // search.mode, which the service leaves out
	Resource *fhir.Node
}

// Type and ID name the resource of the entry.
func (e Entry) Type() string { return e.Resource.Get("resourceType").Str() }

// ID is the id of the resource.
func (e Entry) ID() string { return e.Resource.Get("id").Str() }

// Ref is the reference other resources make to it.
func (e Entry) Ref() string { return e.Type() + "/" + e.ID() }

// Entries returns the entries in their order.
func (a *Answer) Entries() []Entry {
	items := a.JSON().Get("entry").Items()
	entries := make([]Entry, 0, len(items))
	for i := range items {
		n := &items[i].Value
		entries = append(entries, Entry{
			FullURL:  n.Get("fullUrl").Str(),
			Mode:     n.Path("search", "mode").Str(),
			Resource: n.Get("resource"),
		})
	}
	return entries
}

// Matches returns the entries of the type: without search.mode, the type is
// what tells a match from an include.
func (a *Answer) Matches(typ string) []Entry {
	var matches []Entry
	for _, e := range a.Entries() {
		if e.Type() == typ && e.Mode != "include" {
			matches = append(matches, e)
		}
	}
	return matches
}

// Link returns the URL of a relation, "" when there is none.
func (a *Answer) Link(relation string) string {
	for _, l := range a.JSON().Get("link").Items() {
		if l.Value.Get("relation").Str() == relation {
			return l.Value.Get("url").Str()
		}
	}
	return ""
}

// Total returns Bundle.total, and whether there is one that is a number.
func (a *Answer) Total() (int, bool) { return integer(a.JSON().Get("total")) }

// Diagnostics is the text of the first issue of an OperationOutcome.
func (a *Answer) Diagnostics() string {
	return a.JSON().Path("issue", "diagnostics").Str()
}
