package v1

import (
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/internal/fhirxml"
	"github.com/mockfhir/mockfhir/internal/search"
	"github.com/mockfhir/mockfhir/internal/store"
	"github.com/mockfhir/mockfhir/internal/uuid"
)

// Server answers version 1. It is safe for concurrent use.
type Server struct {
	directory directory
	sealer    *search.Sealer
	sessions  sessions
	documents documents
	now       func() time.Time
	started   time.Time
	id        string // of the CapabilityStatement
}

// NewSealer seals the page tokens of version 1 with the digest of a fixture set.
func NewSealer(digest string) *search.Sealer { return search.NewSealer("v1 " + digest) }

// Token is the page token in the query of a link to another page.
func Token(query string) string {
	_, token, _ := strings.Cut(search.FirstValue(query, "_pageId"), "_")
	return token
}

// New makes a server of the directory that version 2 serves, and of the digest
// of its fixture set.
func New(source *store.Store, digest string, now func() time.Time) *Server {
	return &Server{
		directory: directory{source: source},
		sealer:    NewSealer(digest),
		now:       now,
		started:   now(),
		id:        uuid.New(),
	}
}

// Request is what the front of the service knows of a request.
type Request struct {
	Base  string // of links: https://host/fhir/v1
	Path  string // below the base, without a slash before it, as it was sent
	Query string // as it was sent
	Form  string // the body of a POST, when it is a form

	Incident Incident
}

// Incident is what goes wrong with an answer; the zero Incident is nothing.
type Incident struct {
	Rules          search.Rules     // DefaultCount, MaxCount, DeltaWindow and Reloaded
	Resource       func(*fhir.Node) // changes each resource of version 2 that is told
	Told           func(*fhir.Node) // changes each resource of version 1 on its way out
	Metadata       func(*fhir.Node) // changes the CapabilityStatement
	IDSuffix       string           // behind every technical id
	NoTotal        bool             // unless it is asked for
	EmptyPages     bool             // pages after the first have no entry and no next
	BrokenPages    bool             // pages after the first are never answered
	NextOrigin     string           // scheme, host and port of next
	FullURLOrigin  string           // scheme, host and port of fullUrl
	OddTokens      bool             // next is percent-encoded where it need not be
	RepeatIncludes bool             // each include comes twice
	Reverse        bool             // matches come the other way
}

// kept is the id in the directory of one that is asked for, and one that nobody
// has when there are new ones and it is an old one.
func (i Incident) kept(id string) string {
	if kept, found := strings.CutSuffix(id, i.IDSuffix); found {
		return kept
	}
	return "-"
}

// call is one request on its way.
type call struct {
	*Server
	w      http.ResponseWriter
	r      *http.Request
	base   string
	path   string
	query  string // raw, or the form's
	params params
	format format

	incident Incident
	why      string // what made the answer
}

// Answer answers one request, and says what made the answer.
func (s *Server) Answer(w http.ResponseWriter, r *http.Request, request Request) (why string) {
	c := &call{Server: s, w: w, r: r, base: request.Base, query: request.Query, incident: request.Incident}
	w.Header().Set("X-Powered-By", poweredBy)
	if err := c.answer(request); err != nil {
		c.fail(err)
	}
	return c.why
}

// path is where version 1 stands on its host.
const path = "/fhir/v1"

// Outcome is an OperationOutcome in the format that a request wants, and its type.
func Outcome(query string, header http.Header, json []byte) (contentType string, body []byte) {
	p, err := parseParams(query)
	if err != nil {
		p = nil
	}
	f := chooseFormat(p, header)
	if f.xml {
		json = appendXML(nil, parsed(json))
	}
	return f.contentType(), json
}

// poweredBy names the version of HAPI that ANS's code was built with in 2025.
const poweredBy = "HAPI FHIR 7.6.1 REST Server (FHIR Server; FHIR 4.0.1/R4)"

func (c *call) answer(request Request) error {
	if request.Form != "" {
		c.query = strings.Trim(c.query+"&"+request.Form, "&")
	}
	var err error
	if c.params, err = parseParams(c.query); err != nil {
		return err
	}
	c.format = chooseFormat(c.params, c.r.Header)
	if c.path, err = decode(strings.ReplaceAll(strings.Trim(request.Path, "/"), "+", "%2B")); err != nil {
		return err
	}
	return c.route()
}

// route is RestfulServer.determineResourceMethod.
func (c *call) route() error {
	reads := c.r.Method == http.MethodGet || c.r.Method == http.MethodHead
	parts := strings.Split(c.path, "/")
	known := Table().Type(parts[0]) != nil
	switch {
	case c.path == "" && reads:
		if id, _ := c.params.first("_getpages"); id != "" {
			return c.getPages(id)
		}
		return rootRequest()
	case c.path == "metadata" && reads:
		c.why = "the table of search parameters"
		c.metadata()
		return nil
	case c.path == "health" && reads:
		return c.health()
	case c.path == "" || parts[0] == "metadata" || strings.HasPrefix(parts[0], "$") || strings.HasPrefix(parts[0], "_"):
		return unknownOperation(c.r.Method, c.path, c.params)
	case !known:
		return unknownType(parts[0])
	case len(parts) == 1 && reads, len(parts) == 2 && parts[1] == "_search" && (reads || c.r.Method == http.MethodPost):
		return c.search(parts[0])
	case len(parts) == 2 && reads && parts[1] != "" && parts[1][0] != '_' && parts[1][0] != '$':
		return c.read(parts[0], parts[1])
	}
	return unknownOperation(c.r.Method, c.path, c.params)
}

// health answers the probe that needs no key (version-1/getting-started). What
// it says has never been published.
func (c *call) health() error {
	c.why = "the probe"
	c.w.Header().Set("Content-Type", "application/json")
	c.sendBytes(http.StatusOK, []byte(`{"status":"UP"}`))
	return nil
}

func (c *call) read(typ, id string) error {
	narrow, err := readSubset(c.params, typ)
	if err != nil {
		return err
	}
	if narrow.summary == "count" { // of what?
		narrow.summary = ""
	}
	snap, _ := c.directory.current()
	doc, found := snap.Get(typ, c.incident.kept(id))
	if !found {
		return unknownResource(typ, id)
	}
	c.why = "a read"
	text := c.text(doc)
	n := parsed(text)
	h := c.w.Header()
	etag := ""
	if version := n.Get("meta").Get("versionId").Str(); version != "" {
		etag = `W/"` + version + `"`
		h.Set("ETag", etag)
	}
	updated, err := time.Parse(time.RFC3339Nano, n.Get("meta").Get("lastUpdated").Str())
	dated := err == nil
	if dated {
		h.Set("Last-Modified", updated.UTC().Format(http.TimeFormat))
	}
	if c.unchanged(etag, updated, dated) {
		c.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	switch {
	case !narrow.whole(typ):
		c.send(http.StatusOK, narrow.append(nil, n))
	case c.format.xml && !c.format.pretty:
		c.sendAs(http.StatusOK, c.document(doc))
	case c.format.pretty:
		c.send(http.StatusOK, text)
	default:
		c.sendAs(http.StatusOK, text)
	}
	return nil
}

// metadata tells the CapabilityStatement.
func (c *call) metadata() {
	statement := c.capability()
	if c.incident.Metadata != nil {
		n := parsed(statement)
		c.incident.Metadata(n)
		statement = fhir.AppendRead(nil, n)
	}
	c.send(http.StatusOK, statement)
}

// asKept reports whether no incident changes what resources say.
func (c *call) asKept() bool { return c.incident.Resource == nil && c.incident.Told == nil }

// text is a resource as it is kept, or as an incident wants it.
func (c *call) text(doc store.Doc) []byte {
	if c.asKept() {
		return doc.Text()
	}
	text := doc.Text()
	if c.incident.Resource != nil {
		text = c.directory.altered(doc, c.incident.Resource)
	}
	n := parsed(text)
	if c.incident.Told != nil {
		c.incident.Told(n)
	}
	return fhir.AppendRead(nil, n)
}

// document is text in XML.
func (c *call) document(doc store.Doc) []byte {
	if c.asKept() {
		return c.documents.of(doc)
	}
	return appendXML(nil, parsed(c.text(doc)))
}

// unchanged is HAPI's conditional read.
func (c *call) unchanged(etag string, updated time.Time, dated bool) bool {
	if match := c.r.Header.Get("If-None-Match"); match != "" {
		return etag != "" && match == etag
	}
	since, err := http.ParseTime(c.r.Header.Get("If-Modified-Since"))
	return err == nil && dated && !updated.Truncate(time.Second).After(since)
}

func (c *call) search(typ string) error {
	now := c.now()
	narrow, err := readSubset(c.params, typ)
	if err != nil {
		return err
	}
	snap, state := c.directory.current()
	q, err := readQuery(snap, typ, c.params, now, c.incident)
	if err != nil {
		return err
	}
	page := search.First(snap, q, typ+"?"+c.query)
	self := c.base + "/" + c.path
	if c.r.Method != http.MethodPost {
		self += c.params.sorted()
	}
	c.found(page, c.params)
	b := &bundle{call: c, id: uuid.New(), page: page, subset: narrow, self: self, published: now}
	if page.Next != nil {
		page.Next.Asked, page.Next.State = now.UnixMilli(), state
		c.sessions.keep(b.id, *page.Next)
		b.next = c.nextPage(b.id, q, *page.Next)
	}
	b.write()
	return nil
}

// found says what a search found, and leaves out its total in an incident.
func (c *call) found(page *search.Page, asked params) {
	c.why = page.String()
	if total, _ := asked.first("_total"); c.incident.NoTotal && total == "" {
		page.Total = -1
	}
}

// nextPage is the address of the page at a cursor, with its parameters in the
// order of RestfulServerUtils.createPagingLink.
func (c *call) nextPage(id string, q *search.Query, at search.Cursor) string {
	var b strings.Builder
	base := c.base
	if c.incident.NextOrigin != "" {
		base = c.incident.NextOrigin + path
	}
	b.WriteString(base + "?_getpages=" + id + "&_pageId=")
	pageID := escape(lastID(at.Seq) + "_" + c.sealer.Seal(at))
	if c.incident.OddTokens { // legal, and another token to whoever encodes it once more
		pageID = "%30" + pageID[1:]
	}
	b.WriteString(pageID)
	if name, given := c.params.first("_format"); given {
		b.WriteString("&_format=" + escape(strings.ReplaceAll(name, " ", "+")))
	}
	if c.format.pretty {
		b.WriteString("&_pretty=true")
	}
	for _, include := range q.Include {
		b.WriteString("&_include=" + escape(include.Type+":"+include.Param))
	}
	b.WriteString("&_bundletype=searchset")
	if elements, given := c.params.first("_elements"); given {
		b.WriteString("&_elements=" + strings.ReplaceAll(escape(elements), "%2C", ","))
	}
	return b.String()
}

// lastID looks like the ObjectId of the last match, which is what the real
// link begins with.
func lastID(seq int64) string {
	var b [12]byte
	for i := range 8 {
		b[11-i] = byte(seq >> (8 * i))
	}
	return hex.EncodeToString(b[:])
}

// getPages follows a link to another page (PageMethodBinding): by its token,
// or by an offset into a search that this process remembers.
func (c *call) getPages(id string) error {
	if c.incident.BrokenPages {
		panic(http.ErrAbortHandler)
	}
	var cursor search.Cursor
	count := 0
	if pageID, _ := c.params.first("_pageId"); pageID != "" {
		_, token, found := strings.Cut(pageID, "_")
		if !found {
			return invalid("Your request is not valid.")
		}
		opened, err := c.sealer.Open(token)
		if err != nil {
			return invalid("Error in the link")
		}
		cursor = opened
	} else {
		kept, known := c.sessions.find(id)
		if !known {
			return unknownSearch(id)
		}
		cursor = kept
		if count = c.number("_count"); count == 0 {
			count = defaultCount
		}
	}
	typ, query, _ := strings.Cut(cursor.Target, "?")
	asked := time.UnixMilli(cursor.Asked)
	snap, known := c.directory.at(cursor.State)
	if !known {
		return unknownSearch(id)
	}
	p, err := parseParams(query)
	if err != nil {
		return err
	}
	q, err := readQuery(snap, typ, p, asked, c.incident)
	if err != nil {
		return err
	}
	if count > 0 {
		q.Count = min(count, maxCount)
		cursor.Seq = seqBefore(snap, q, c.number("_getpagesoffset"))
	}
	narrow, err := readSubset(c.params, typ)
	if err != nil {
		return err
	}
	if !isUUID(id) {
		id = uuid.New()
	}
	page := search.Following(snap, q, cursor)
	if c.incident.EmptyPages {
		page.Matches, page.Included, page.Next = nil, nil, nil
	}
	c.found(page, p)
	b := &bundle{call: c, id: id, page: page, subset: narrow, self: c.base + "?" + c.query, published: asked}
	if page.Next != nil {
		b.next = c.nextPage(id, q, *page.Next)
	}
	b.write()
	return nil
}

func (c *call) number(name string) int {
	value, _ := c.params.first(name)
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// seqBefore is the place of the match before an offset.
func seqBefore(snap *store.Snapshot, q *search.Query, offset int) int64 {
	if offset == 0 {
		return -1
	}
	before := snap.Search(q.Type, q.Criteria).From(0, offset)
	if len(before) == 0 {
		return -1
	}
	return before[len(before)-1].Seq
}

// fail tells a *refusal.
func (c *call) fail(err error) {
	var r *refusal
	if !errors.As(err, &r) {
		r = &refusal{http.StatusInternalServerError, "processing", err.Error()}
	}
	c.why = "refused: " + r.text
	c.send(r.status, fhir.AppendOutcome(nil, "error", r.code, r.text))
}

// send writes compact JSON in the format that was asked for.
func (c *call) send(status int, json []byte) {
	n := parsed(json)
	switch {
	case c.format.xml && c.format.pretty:
		text, err := fhirxml.AppendPretty(nil, n)
		if err != nil {
			panic(err) // it is one of ours
		}
		json = text
	case c.format.xml:
		json = appendXML(nil, n)
	case c.format.pretty:
		json = appendPretty(nil, n, 0)
	}
	c.sendAs(status, json)
}

// sendAs writes a body that is in the format.
func (c *call) sendAs(status int, body []byte) {
	c.w.Header()["Content-Type"] = []string{c.format.contentType()}
	c.sendBytes(status, body)
}

// bufferSize is Tomcat's: what fits has a Content-Length.
const bufferSize = 8192

func (c *call) sendBytes(status int, body []byte) {
	if len(body) <= bufferSize {
		c.w.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body)
}

func isUUID(s string) bool {
	return len(s) == 36 && strings.Trim(s, "0123456789abcdefABCDEF-") == ""
}
