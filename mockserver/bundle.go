package mockserver

import (
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/mockfhir/mockfhir/internal/behaviour"
	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/internal/search"
	"github.com/mockfhir/mockfhir/internal/store"
	"github.com/mockfhir/mockfhir/internal/uuid"
)

// bundleWriter prints a searchset as the real server does: by concatenation,
// in its member order and its spacing (ans-server.md §4.1).
type bundleWriter struct {
	*call
	page  *search.Page
	buf   []byte
	sent  bool   // part of the body is on its way
	first bool   // no entry yet
	typ   string // of the entry before
	begin []byte // of entries of that type
}

// flushSize is how much of a body is gathered before it is sent: a page of 200
// goes in one piece.
const flushSize = 512 << 10

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 32<<10); return &b }}

func (c *call) bundle(p *search.Page) {
	c.state.why = p.String()
	pooled := buffers.Get().(*[]byte)
	b := &bundleWriter{call: c, page: p, buf: (*pooled)[:0], first: true}
	b.write()
	if p.Next != nil {
		store.Ahead(p.Matches)
	}
	if cap(b.buf) <= 2*flushSize {
		*pooled = b.buf
		buffers.Put(pooled)
	}
}

func (b *bundleWriter) write() {
	b.print(`{"resourceType": "Bundle","type": "searchset","id": "`, uuid.New(), `",`)
	if b.page.Total >= 0 && (!b.differ.NoTotal || b.page.Query.TotalAsked) {
		b.buf = strconv.AppendInt(append(b.buf, `"total":`...), int64(b.page.Total), 10)
		b.buf = append(b.buf, ',')
	}
	b.print(`"entry": [`)
	b.entries()
	if b.page.Next != nil && b.page.Query.UnprefixedDate && b.is(behaviour.FragilePages) {
		b.flush() // the source cannot write this token, and the body just ends (§2.6)
		return
	}
	b.print(`],"link": [ `)
	if b.page.Next != nil {
		b.link("next", b.next())
		b.print(`, `)
	}
	b.link("self", b.self())
	b.print(`]}`)
	if !b.sent {
		b.send(b.buf)
		return
	}
	b.flush()
}

// entries prints the matches, and where they belong what comes along.
func (b *bundleWriter) entries() {
	narrowed := b.page.Query.Elements != nil
	matches := b.page.Matches
	if b.differ.Reverse {
		matches = slices.Clone(matches)
		slices.Reverse(matches)
	}
	written := 0
	for _, batch := range b.page.Included {
		for ; written < batch.After; written++ {
			b.entry(matches[written], narrowed)
		}
		for _, doc := range batch.Docs {
			b.entry(doc, false)
			if b.differ.RepeatIncludes {
				b.entry(doc, false)
			}
		}
	}
	for _, doc := range matches[written:] {
		b.entry(doc, narrowed)
	}
}

func (b *bundleWriter) link(relation, url string) {
	b.print(`{"relation": "`, relation, `","url": "`)
	b.buf = appendEscaped(b.buf, url)
	b.print(`"}`)
}

func (b *bundleWriter) next() string {
	token := b.sealer.Seal(*b.page.Next)
	base := b.base
	if b.differ.OddTokens { // legal, and another token to whoever encodes it once more
		token = "%75" + strings.ReplaceAll(token[1:], "=", "%3D")
	}
	if b.differ.NextOrigin != "" {
		base = b.differ.NextOrigin + contextPath + "/v2"
	}
	return base + "/_page?id=" + token
}

func (b *bundleWriter) print(parts ...string) {
	for _, p := range parts {
		b.buf = append(b.buf, p...)
	}
}

func (b *bundleWriter) entry(doc store.Doc, narrowed bool) {
	if !b.first {
		b.buf = append(b.buf, ',')
	}
	b.first = false
	if doc.Type != b.typ {
		b.typ, b.begin = doc.Type, b.beginning(doc.Type)
	}
	id := doc.ID()
	if b.differ.NewIDs {
		id += newIDSuffix
	}
	b.buf = append(b.buf, b.begin...)
	b.buf = appendEscaped(b.buf, id)
	b.buf = append(b.buf, `","resource":`...)
	if narrowed || b.rewrites() {
		resource := b.rewritten(doc.Text())
		if narrowed {
			b.buf = b.page.Query.AppendNarrowed(b.buf, resource)
		} else {
			b.buf = fhir.AppendSearch(b.buf, resource)
		}
	} else {
		b.buf = append(b.buf, doc.Text()...)
	}
	b.buf = append(b.buf, '}')
	if len(b.buf) >= flushSize {
		b.flush()
	}
}

// beginning is what stands before the id in the entries of a type.
func (b *bundleWriter) beginning(typ string) []byte {
	base := b.base
	if b.differ.FullURLOrigin != "" {
		base = b.differ.FullURLOrigin + contextPath + "/v2"
	}
	return appendEscaped([]byte("\n{\"fullUrl\":\""), base+"/"+typ+"/")
}

func (b *bundleWriter) flush() {
	b.sent = true
	_, _ = b.w.Write(b.buf)
	b.buf = b.buf[:0]
}

// self is the address of the request: the raw query as it was received
// (§4.4), which in production has been encoded on its way.
func (c *call) self() string {
	self := c.base + "/" + c.path
	if !c.asked {
		return self
	}
	if c.is(behaviour.EncodedSelf) {
		return self + "?" + reservedInQuery.Replace(c.query)
	}
	return self + "?" + c.query
}

var reservedInQuery = strings.NewReplacer(":", "%3A", "/", "%2F", "|", "%7C")

// appendEscaped appends text inside a JSON string. URLs seldom need it.
func appendEscaped(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			quoted := fhir.AppendReadString(nil, s)
			return append(dst, quoted[1:len(quoted)-1]...)
		}
	}
	return append(dst, s...)
}

// newSession is a session id as Tomcat makes them.
func newSession() string {
	var b [16]byte
	rand.Read(b[:])
	return strings.ToUpper(hex.EncodeToString(b[:]))
}
