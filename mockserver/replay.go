package mockserver

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/internal/gateway"
	"github.com/mockfhir/mockfhir/internal/search"
	"github.com/mockfhir/mockfhir/internal/store"
)

// replies are the recorded exchanges of a set that stand for a computed answer
// of the service: those whose request carries an accepted key. The others show
// how the gateway refuses a key (see refusals).
type replies struct {
	byRequest map[question][]*fixtures.Exchange // that differ in headers, the last first
	pages     map[string]*fixtures.Exchange     // by the name of the page they link to
	files     map[*fixtures.Exchange]string     // where each was read
	forms     bool                              // some have a body
}

// question is a request as exchanges are found by it.
type question struct{ line, body string }

// pageMark is where a page token stands in an exchange. No token is kept: it
// would be of another server. A server fills in one of its own, sealed like
// all its tokens, so that every replica of the set answers it.
var pageMark = regexp.MustCompile(`\$\{page:([0-9a-z]{1,20})\}`)

// recorded begins the search of a token that leads to a recorded page.
const recorded = "recorded page "

func newReplies(set *fixtures.Set) replies {
	m := replies{byRequest: map[question][]*fixtures.Exchange{}, pages: map[string]*fixtures.Exchange{}, files: map[*fixtures.Exchange]string{}}
	for _, scenario := range set.Scenarios {
		for i := range scenario.Exchanges {
			e := &scenario.Exchanges[i]
			if !e.Request.Keyed() {
				continue
			}
			key := question{e.Request.Line(), string(e.Request.Body)}
			m.byRequest[key] = slices.Insert(m.byRequest[key], 0, e)
			m.files[e] = scenario.File
			m.forms = m.forms || len(e.Request.Body) > 0
			for _, page := range pageMark.FindAllSubmatch(e.Response.Body, -1) {
				if name := string(page[1]); !strings.Contains(e.Request.Target, name) { // self is no way on
					m.pages[name] = e
				}
			}
		}
	}
	return m
}

// refusals are the answers to keys that open nothing, as far as somebody observed
// them. They do not depend on what was asked for, so one stands for all requests
// of its kind. One with a placeholder is of some other part of the service.
func refusals(set *fixtures.Set) (list []gateway.SeenRefusal) {
	for _, scenario := range set.Scenarios {
		if scenario.Facts["evidence"] != "observed" {
			continue // read in source: the gateway knows it, and its switches change it
		}
		for i := range scenario.Exchanges {
			request, answer := &scenario.Exchanges[i].Request, &scenario.Exchanges[i].Response
			key := request.Header.Values(keyHeader)
			refused := answer.Status == http.StatusUnauthorized || answer.Status == http.StatusForbidden
			if !refused || slices.Contains(key, fixtures.KeyPlaceholder) || bytes.Contains(answer.Body, []byte("${")) {
				continue
			}
			seen := gateway.SeenRefusal{Offered: len(key) > 0, Accept: request.Header["Accept"], Status: answer.Status, Header: http.Header{}, Body: answer.Body}
			for _, f := range answer.Header {
				seen.Header.Add(f.Name, f.Value)
			}
			for _, computed := range []string{"Content-Length", "Transfer-Encoding", "Connection", "Date"} {
				seen.Header.Del(computed)
			}
			list = append(list, seen)
		}
	}
	return list
}

const keyHeader = "ESANTE-API-KEY"

// maxNearest is how many exchanges a refusal names.
const maxNearest = 3

// nearest says which recorded exchanges come closest to a request that none
// matches, and in what each differs.
func (m *replies) nearest(method, target string) string {
	type candidate struct {
		score int
		words string
	}
	var all []candidate
	asked := fixtures.Request{Method: method, Target: target}
	path, query := pathAndQuery(asked.Line())
	for key, exchanges := range m.byRequest {
		otherMethod, _, _ := strings.Cut(key.line, " ")
		otherPath, otherQuery := pathAndQuery(key.line)
		missing, shared := differences(query, otherQuery)
		extra, _ := differences(otherQuery, query)
		c := candidate{score: shared - len(missing) - len(extra) + sameNames(missing, extra)}
		var differ []string
		note := func(same bool, weight int, words string) {
			if !same {
				c.score -= weight
				differ = append(differ, words)
			}
		}
		note(otherPath == path, 1000, "its path is "+otherPath) // whatever the query
		note(otherMethod == method, 500, "its method is "+otherMethod)
		note(len(missing) == 0, 0, "it has "+strings.Join(missing, " and "))
		note(len(extra) == 0, 0, "it has no "+strings.Join(extra, " and no "))
		if len(differ) == 0 {
			differ = []string{"its body, or a header that it names, is another one"}
		}
		c.words = fmt.Sprintf("%s (%s): %s", key.line, m.files[exchanges[0]], strings.Join(differ, ", "))
		all = append(all, c)
	}
	if len(all) == 0 {
		return "No recorded exchange matches, and the fixture set has none."
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.score, a.score), strings.Compare(a.words, b.words))
	})
	words := "No recorded exchange matches. The nearest are: "
	for i, c := range all[:min(len(all), maxNearest)] {
		if i > 0 {
			words += "; "
		}
		words += c.words
	}
	return words + "."
}

// pathAndQuery are those of a line of a request.
func pathAndQuery(line string) (path, query string) {
	_, target, _ := strings.Cut(line, " ")
	path, query, _ = strings.Cut(target, "?")
	return path, query
}

// differences are the pieces of a recorded query that another one lacks, and
// how many they share.
func differences(query, recorded string) (missing []string, shared int) {
	sent := map[string]bool{}
	for piece := range strings.SplitSeq(query, "&") {
		sent[piece] = true
	}
	for piece := range strings.SplitSeq(recorded, "&") {
		switch {
		case piece == "":
		case sent[piece]:
			shared++
		default:
			missing = append(missing, piece)
		}
	}
	return missing, shared
}

// sameNames is how many parameters two lists of pieces have in common: those that
// differ in their value alone.
func sameNames(a, b []string) (n int) {
	names := map[string]int{}
	for _, piece := range a {
		name, _, _ := strings.Cut(piece, "=")
		names[name]++
	}
	for _, piece := range b {
		if name, _, _ := strings.Cut(piece, "="); names[name] > 0 {
			names[name]--
			n++
		}
	}
	return n
}

// to is the exchange that answers a request, nil when there is none: the one
// with the very headers of the request before one that asks for the same format.
func (m *replies) to(r *http.Request, target, form string) *fixtures.Exchange {
	asked := fixtures.Request{Method: r.Method, Target: target}
	var alike *fixtures.Exchange
	for _, e := range m.byRequest[question{asked.Line(), form}] {
		if !sameHeaders(e.Request.Header, r.Header, form != "") {
			continue
		}
		recorded, sent := e.Request.Header["Accept"], r.Header["Accept"]
		if slices.Equal(recorded, sent) {
			return e
		}
		if alike == nil && (len(recorded) == 0 || format(recorded) == format(sent)) {
			alike = e
		}
	}
	return alike
}

// sameHeaders tells whether a request has the headers that a recorded one names,
// the key and Accept aside. A form is a form where none is named.
func sameHeaders(recorded, sent http.Header, form bool) bool {
	for name, values := range recorded {
		if name != http.CanonicalHeaderKey(keyHeader) && name != "Accept" && name != "User-Agent" && !slices.Equal(values, sent[name]) {
			return false
		}
	}
	return !form || recorded["Content-Type"] != nil || sent.Get("Content-Type") == "application/x-www-form-urlencoded"
}

// format is what an Accept header asks for first: who asks for nothing, or for
// anything, gets JSON.
func format(accept []string) string {
	first, _, _ := strings.Cut(strings.Join(accept, ","), ",")
	first, _, _ = strings.Cut(first, ";")
	switch first = strings.TrimSpace(first); {
	case first == "", first == "*/*", first == "application/*", strings.Contains(first, "json"):
		return "json"
	case strings.Contains(first, "xml"):
		return "xml"
	}
	return first
}

// replay answers with the exchange that matches a request exactly, if there is
// one.
func (s *service) replay(w http.ResponseWriter, r *http.Request, target string, from *store.Store) bool {
	if len(s.replies.byRequest) == 0 {
		return false
	}
	form, ok := s.form(r)
	if !ok {
		return false
	}
	e := s.replies.to(r, s.recordedTarget(target), form)
	if e == nil {
		return false
	}
	fill := func(text string) string {
		text = strings.ReplaceAll(text, fixtures.OriginPlaceholder, s.links.origin(r))
		return pageMark.ReplaceAllStringFunc(text, func(mark string) string { return s.pageToken(mark, from) })
	}
	h := w.Header()
	for _, f := range e.Response.Header {
		h.Add(f.Name, fill(f.Value))
	}
	h.Del("Content-Length") // the origin may be longer than the placeholder
	h.Del("Transfer-Encoding")
	if h.Get("Content-Type") == "" {
		h["Content-Type"] = nil // net/http would guess one
	}
	w.WriteHeader(e.Response.Status)
	_, _ = io.WriteString(w, fill(string(e.Response.Body)))
	return true
}

// form reads the body of a search by POST, and leaves it to be read again.
// Any other request with a body is computed.
func (s *service) form(r *http.Request) (text string, ok bool) {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return "", true
	}
	if !s.replies.forms || r.Method != http.MethodPost {
		return "", false
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	rest := io.Reader(bytes.NewReader(body))
	switch {
	case err != nil:
		rest = io.MultiReader(rest, failing{err})
	case len(body) > maxBody:
		rest = io.MultiReader(rest, r.Body)
	}
	r.Body = io.NopCloser(rest)
	return string(body), err == nil
}

// recordedTarget is a request as it was recorded: a token of ours that leads
// to a recorded page stands as its placeholder.
func (s *service) recordedTarget(target string) string {
	path, query, _ := strings.Cut(target, "?")
	if !strings.HasSuffix(path, "/_page") {
		return target
	}
	cursor, err := s.sealer.Open(search.FirstValue(query, "id"))
	name, ok := strings.CutPrefix(cursor.Target, recorded)
	if err != nil || !ok {
		return target
	}
	pieces := strings.Split(query, "&")
	for i, piece := range pieces {
		if strings.HasPrefix(piece, "id=") {
			pieces[i] = "id=" + fixtures.PagePlaceholder + name + "}"
			break
		}
	}
	return path + "?" + strings.Join(pieces, "&")
}

// pageToken fills a placeholder. A page that was not recorded is computed from
// the recorded directory: the walk goes on behind the last match that was.
func (s *service) pageToken(mark string, in *store.Store) string {
	name := strings.TrimSuffix(strings.TrimPrefix(mark, fixtures.PagePlaceholder), "}")
	cursor := search.Cursor{Target: recorded + name}
	if _, there := s.replies.byRequest[question{line: http.MethodGet + " " + pagePath + mark}]; !there {
		if from := s.replies.pages[name]; from != nil {
			cursor = s.behind(from, in.Current())
		}
	}
	return s.sealer.Seal(cursor)
}

const pagePath = contextPath + "/v2/_page?id="

// behind is the cursor after the matches of a recorded page.
func (s *service) behind(e *fixtures.Exchange, snapshot *store.Snapshot) search.Cursor {
	c := search.Cursor{Target: s.replies.searchOf(e), Total: -1, State: snapshot.State, Asked: s.now().UnixMilli(), Seq: -1}
	bundle, err := fhir.Parse(e.Response.Body)
	if err != nil {
		return c
	}
	if total, err := strconv.Atoi(bundle.Get("total").Raw()); err == nil {
		c.Total = total
	}
	typ, _, _ := strings.Cut(c.Target, "?")
	for _, entry := range bundle.Get("entry").Items() {
		resource := entry.Value.Get("resource")
		doc, found := snapshot.Get(resource.Get("resourceType").Str(), resource.Get("id").Str())
		if !found || doc.Type != typ || doc.Seq <= c.Seq {
			break // the matches come first, in order; what follows was included
		}
		c.Seq = doc.Seq
	}
	return c
}

// searchOf is the search that led to a page: its own, or that of the page
// which linked to it.
func (m *replies) searchOf(e *fixtures.Exchange) string {
	for range len(m.pages) + 1 {
		mark := pageMark.FindStringSubmatch(e.Request.Target)
		if mark == nil || m.pages[mark[1]] == nil {
			break
		}
		e = m.pages[mark[1]]
	}
	target := strings.TrimPrefix(strings.TrimPrefix(e.Request.Target, contextPath), "/v2")
	target = strings.TrimPrefix(target, "/")
	if len(e.Request.Body) > 0 {
		path, _, _ := strings.Cut(target, "?")
		return strings.TrimSuffix(path, "/_search") + "?" + string(e.Request.Body)
	}
	return target
}
