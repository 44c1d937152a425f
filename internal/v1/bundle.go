package v1

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/internal/fhirxml"
	"github.com/mockfhir/mockfhir/internal/search"
	"github.com/mockfhir/mockfhir/internal/store"
)

// bundle is one page of a search on its way out.
type bundle struct {
	*call
	id         string
	page       *search.Page
	subset     subset
	self, next string
	published  time.Time // when the search began
	out        []byte
}

// write answers with the page. What nobody wants changed is put together from
// resources as they are kept, in either format; anything else goes through a
// tree.
func (b *bundle) write() {
	b.w.Header().Set("Last-Modified", b.published.UTC().Format(http.TimeFormat))
	switch {
	case b.subset.summary == "count":
		b.json(false)
		b.send(http.StatusOK, b.out)
	case b.format.pretty:
		b.json(true)
		b.send(http.StatusOK, b.out)
	case b.format.xml:
		b.xml()
		b.sendAs(http.StatusOK, b.out)
	default:
		b.json(true)
		b.sendAs(http.StatusOK, b.out)
	}
}

func (b *bundle) print(parts ...string) {
	for _, p := range parts {
		b.out = append(b.out, p...)
	}
}

func (b *bundle) quoted(text string) { b.out = fhir.AppendReadString(b.out, text) }

// json writes the members in the order of R4, which HAPI keeps: links before
// entries (ans-server.md §14). An empty list is left out.
func (b *bundle) json(entries bool) {
	b.print(`{"resourceType":"Bundle","id":"`, b.id, `","meta":{"lastUpdated":"`, b.published.UTC().Format(utc), `"`)
	if b.subset.summary != "" && b.subset.summary != "text" {
		b.print(`,"tag":[`, subsetted, `]`)
	}
	b.print(`},"type":"searchset"`)
	if b.page.Total >= 0 {
		b.out = strconv.AppendInt(append(b.out, `,"total":`...), int64(b.page.Total), 10)
	}
	if !entries {
		b.print(`}`)
		return
	}
	b.print(`,"link":[{"relation":"self","url":`)
	b.quoted(b.self)
	if b.next != "" {
		b.print(`},{"relation":"next","url":`)
		b.quoted(b.next)
	}
	b.print(`}]`)
	first := true
	b.each(func(doc store.Doc, mode string) {
		if first {
			b.print(`,"entry":[`)
		} else {
			b.print(`,`)
		}
		first = false
		b.print(`{"fullUrl":`)
		b.quoted(b.fullURL(doc))
		b.print(`,"resource":`)
		b.out = b.narrowed(b.out, doc)
		if mode != "" {
			b.print(`,"search":{"mode":"`, mode, `"}`)
		}
		b.print(`}`)
	})
	if !first {
		b.print(`]`)
	}
	b.print(`}`)
}

// each visits the matches and what comes with them. Entries say which of the
// two they are where both can be; a page of matches alone says nothing, as in
// all that was recorded.
func (b *bundle) each(visit func(store.Doc, string)) {
	match := ""
	if q := b.page.Query; len(q.Include)+len(q.RevInclude) > 0 {
		match = "match"
	}
	matches := b.page.Matches
	if b.incident.Reverse {
		matches = slices.Clone(matches)
		slices.Reverse(matches)
	}
	for _, doc := range matches {
		visit(doc, match)
	}
	for _, batch := range b.page.Included {
		for _, doc := range batch.Docs {
			visit(doc, "include")
			if b.incident.RepeatIncludes {
				visit(doc, "include")
			}
		}
	}
}

// narrowed appends what the answer keeps of a resource.
func (b *bundle) narrowed(dst []byte, doc store.Doc) []byte {
	if b.subset.whole(doc.Type) {
		return append(dst, b.text(doc)...)
	}
	return b.subset.append(dst, parsed(b.text(doc)))
}

func (b *bundle) fullURL(doc store.Doc) string {
	base := b.base
	if b.incident.FullURLOrigin != "" {
		base = b.incident.FullURLOrigin + path
	}
	return base + "/" + doc.Type + "/" + doc.ID() + b.incident.IDSuffix
}

// parsed reads what was printed by us.
func parsed(text []byte) *fhir.Node {
	n, err := fhir.Parse(text)
	if err != nil {
		panic(err)
	}
	return n
}

// xml is json in the other format.
func (b *bundle) xml() {
	attribute := func(before, value, after string) {
		b.print(before)
		b.out = fhirxml.AppendEscaped(b.out, value)
		b.print(after)
	}
	b.print(`<Bundle xmlns="`, fhirxml.Namespace, `"><id value="`, b.id, `"/><meta><lastUpdated value="`, b.published.UTC().Format(utc), `"/>`)
	if b.subset.summary != "" && b.subset.summary != "text" {
		b.print(`<tag><system value="http://terminology.hl7.org/CodeSystem/v3-ObservationValue"/><code value="SUBSETTED"/>`,
			`<display value="Resource encoded in summary mode"/></tag>`)
	}
	b.print(`</meta><type value="searchset"/>`)
	if b.page.Total >= 0 {
		b.out = strconv.AppendInt(append(b.out, `<total value="`...), int64(b.page.Total), 10)
		b.print(`"/>`)
	}
	attribute(`<link><relation value="self"/><url value="`, b.self, `"/></link>`)
	if b.next != "" {
		attribute(`<link><relation value="next"/><url value="`, b.next, `"/></link>`)
	}
	b.each(func(doc store.Doc, mode string) {
		attribute(`<entry><fullUrl value="`, b.fullURL(doc), `"/><resource>`)
		if b.subset.whole(doc.Type) {
			b.out = append(b.out, b.document(doc)...)
		} else {
			b.out = appendXML(b.out, parsed(b.narrowed(nil, doc)))
		}
		b.print(`</resource>`)
		if mode != "" {
			b.print(`<search><mode value="`, mode, `"/></search>`)
		}
		b.print(`</entry>`)
	})
	b.print(`</Bundle>`)
}

// appendXML appends a resource that is made by us, and so can be written.
func appendXML(dst []byte, n *fhir.Node) []byte {
	dst, err := fhirxml.Append(dst, n)
	if err != nil {
		panic(err)
	}
	return dst
}
