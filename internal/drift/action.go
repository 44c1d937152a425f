package drift

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

func duration(number, unit string) time.Duration {
	d, _ := time.ParseDuration(number + unit) // the pattern has only numbers and units
	return d
}

// fail answers with an error status. An answer that was nominal gets the body
// such errors have: the gateway's words for keys, limits and its own failures,
// an OperationOutcome for the server's.
func (c *call) fail(status int) {
	was := c.resp.status
	c.resp.status, c.changed = status, true
	if was >= 400 || status < 400 {
		return
	}
	switch status {
	case 401, 403, 405, 429, 502, 503, 504:
		text := http.StatusText(status)
		if strings.Contains(c.asked.header.Get("Accept"), "application/json") {
			c.setBody(fmt.Appendf(nil, `{"message":%q,"http_status_code":%d}`, text, status))
			c.resp.header.Set("Content-Type", "application/json")
		} else {
			c.setBody([]byte(text))
			c.resp.header.Set("Content-Type", "text/plain")
		}
	default:
		c.setBody(outcome("exception", "Unexpected error"))
	}
}

// allow answers as if what was refused were right: with a key, and without the
// criteria that the service does not know.
func (c *call) allow(status int) {
	c.askAgain(func(r *request) {
		r.header.Set(keyHeader, c.layer.key)
		r.setCriteria(r.without(func(name string) bool { return name == "api-key" }))
	})
	if c.resp.status >= 400 && c.asked.searched() != "" {
		c.askAgain(func(r *request) { r.query, r.body = "", "" })
	}
	c.resp.status = status
}

// headers compiles what follows "hdr".
func (p *parser) headers(op, text string) (bool, error) {
	switch op {
	case "set", "add":
		name, value, found := strings.Cut(text, "=")
		if !found {
			return false, fmt.Errorf("hdr set %s has no value", text)
		}
		v, natural := &value, everywhere
		if name == "Content-Type" && !p.replaces {
			natural = inFHIR
		}
		p.header = v
		p.add(natural, func(c *call) {
			c.changed = true
			c.resp.header.Set(name, headerValue(*v))
		})
	case "del":
		for name := range strings.SplitSeq(text, ",") {
			name = strings.TrimSpace(name)
			p.limits(name)
			p.add(everywhere, func(c *call) {
				if c.resp.header.Get(name) != "" || name == "Content-Type" {
					c.changed = true
					c.resp.header[http.CanonicalHeaderKey(name)] = nil // keeps net/http from making one
				}
			})
		}
	case "map":
		name, how, found := strings.Cut(text, " ")
		if !found {
			return false, fmt.Errorf("hdr map %s says not how", text)
		}
		p.limits(name)
		change, err := parseTransform(how)
		if err != nil {
			return false, err
		}
		p.add(everywhere, func(c *call) {
			if v := c.resp.header.Get(name); v != "" {
				c.changed = true
				c.resp.header.Set(name, change(c, nil, quoted(v)).str())
			}
		})
	}
	return true, nil
}

// limits: headers of the quota are there when the gateway is told to send them.
func (p *parser) limits(header string) {
	if strings.HasPrefix(strings.ToLower(header), "x-rate-limit") && !slices.Contains(p.m.start.Gateway, "rate-headers") {
		p.m.start.Gateway = append(p.m.start.Gateway, "rate-headers")
		p.m.start.Rate = "17/1s"
	}
}

var skewed = regexp.MustCompile(`^now(?:([+-]\d+)(s|min|h))?$`)

func headerValue(text string) string {
	m := skewed.FindStringSubmatch(text)
	if m == nil {
		return text
	}
	now := time.Now()
	if m[1] != "" {
		now = now.Add(duration(m[1], strings.TrimSuffix(m[2], "in")))
	}
	return now.UTC().Format(http.TimeFormat)
}

// truncate ends the body early; the framing says that it is whole.
func truncate(n int, percent bool) func(*call) {
	return func(c *call) {
		size := n
		if percent {
			size = len(c.resp.body) * n / 100
		}
		c.flush()
		if size < len(c.resp.body) {
			c.setBody(c.resp.body[:size])
		}
	}
}

// pad gives every resource a narrative of so many bytes.
func pad(size int) func(*call) {
	text := strings.Repeat("<p>Lorem ipsum dolor sit amet</p>", size/33+1)[:size]
	text = text[:strings.LastIndex(text, "</p>")+4]
	div := `{"status":"generated","div":` + quoted(`<div xmlns="http://www.w3.org/1999/xhtml">`+text+`</div>`).raw + `}`
	return func(c *call) {
		for _, k := range c.tree().get("entry").items() {
			if r := k.value.get("resource"); r != nil {
				r.put("text", literal(div))
				c.touch()
			}
		}
	}
}

func answerEntries(count string) func(*call) {
	return func(c *call) {
		c.askAgain(func(r *request) { r.setParam("_count", count) })
		c.keepSelf()
	}
}

// keepSelf makes the self link say what was asked, not what was asked inside.
func (c *call) keepSelf() {
	for _, k := range c.tree().get("link").items() {
		if k.value.get("relation").str() != "self" {
			continue
		}
		u := k.value.get("url").str()
		base, _, _ := strings.Cut(u, "?")
		if c.asked.query != "" {
			base += "?" + c.asked.query
		}
		k.value.put("url", quoted(base))
		c.touch()
	}
}

// limit refuses what comes after so many calls in a second, in the gateway's
// words (gravitee.md §2.1).
func limit(calls int) func(*call) {
	return func(c *call) {
		if c.layer.over(calls) {
			c.fail(http.StatusTooManyRequests)
			c.setBody([]byte(`{"message":"Rate limit exceeded! You reached the limit of ` + strconv.Itoa(calls) +
				` requests per 1 seconds","http_status_code":429}`))
			c.resp.header.Set("Content-Type", "application/json")
		}
	}
}

// deadReference makes the first resource of a type that anything referred to
// unreadable.
func deadReference(typ string, status int) func(*call) {
	return func(c *call) {
		t, id, ok := c.asked.readID()
		if ok && t == typ && c.asked.method == http.MethodGet && c.resp.status == http.StatusOK &&
			id == c.layer.first("reference to "+typ, "") {
			c.resp.status = status
			c.setBody(outcome("exception", "Resource not found with id: "+id))
		}
	}
}

func replaceText(from, to string) func(*call) {
	return func(c *call) {
		if body := bytes.ReplaceAll(c.resp.body, []byte(from), []byte(to)); !bytes.Equal(body, c.resp.body) {
			c.setBody(body)
		}
	}
}

// drop leaves something out of an answer.
func drop(what string) func(*call) {
	switch {
	case strings.HasSuffix(what, "criterion"):
		return func(c *call) {
			c.askAgain(func(r *request) {
				switch list := r.criteria(); {
				case len(list) == 0:
				case what == "first criterion":
					r.setCriteria(list[1:])
				default:
					r.setCriteria(list[:len(list)-1])
				}
			})
		}
	case what == "included entries":
		return func(c *call) {
			if c.tree().get("entry").keep(func(e *tree) bool { return !c.isIncluded(e) }) {
				c.touch()
			}
		}
	case strings.HasPrefix(what, "link "):
		relation := strings.TrimPrefix(what, "link ")
		return func(c *call) {
			if c.tree().get("link").keep(func(l *tree) bool { return l.get("relation").str() != relation }) {
				c.touch()
			}
		}
	}
	number, err := strconv.Atoi(strings.TrimPrefix(what, "entry "))
	return func(c *call) {
		i, entries := number, c.tree().get("entry")
		if err != nil { // the last entry
			i = len(entries.items()) - 1
		}
		if items := entries.items(); i >= 0 && i < len(items) && entries.remove(items[i].value) {
			c.touch()
		}
	}
}

func emptyBundle(c *call) {
	t := c.tree()
	if entry := t.get("entry"); entry != nil {
		entry.kids, entry.tail = nil, ""
		t.put("total", literal("0"))
		t.get("link").keep(func(l *tree) bool { return l.get("relation").str() != "next" })
		c.touch()
	}
}

// answerFirstPage makes paging a loop.
func answerFirstPage(c *call) {
	if c.page.first != nil {
		c.replace(c.page.first.clone())
	}
}

// keepNext puts a next link on a last page: the page's own address.
func keepNext(c *call) {
	link := c.tree().get("link")
	for _, k := range link.items() {
		if k.value.get("relation").str() == "self" {
			next := k.value.clone()
			next.put("relation", quoted("next"))
			link.add(next)
			c.touch()
			return
		}
	}
}

// answerV2 answers below the unversioned base as below /fhir/v2.
func answerV2(c *call) {
	if !strings.HasPrefix(c.asked.path, "/fhir/v2") {
		c.askAgain(func(r *request) { r.path = "/fhir/v2" + r.rest() })
	}
}

func answerIdentity(c *call) {
	if c.resp.header.Get("Content-Encoding") == "" {
		return
	}
	c.askAgain(func(r *request) { r.header.Set("Accept-Encoding", "identity") })
}

func compressBody(c *call) {
	c.flush()
	if len(c.resp.body) > 0 && c.resp.header.Get("Content-Encoding") == "" {
		body := compress(c.resp.body)
		c.resp.header.Set("Content-Encoding", "gzip")
		c.setBody(body)
	}
}

func chunkBody(c *call) {
	c.resp.header.Del("Content-Length")
	c.chunked, c.changed = true, true
}

// renumber gives the resources that carry a kind of identifier other ids, the
// same at each call, as a reload does (issue #150).
func (p *parser) renumber(identifier string) func(*call) {
	typ := "Practitioner"
	if slices.Contains([]string{"FINEG", "FINEJ", "FINESS", "SIREN", "SIRET", "IDNST"}, identifier) {
		typ = "Organization"
	}
	const suffix = "7"
	mention := regexp.MustCompile(`(` + typ + `/|"resourceType":\s*"` + typ + `",\s*"id":\s*")([A-Za-z0-9.-]+)`)
	asked := regexp.MustCompile(`((?:^|[/&?])(?:_id|` + strings.ToLower(typ) + `)=(?:` + typ + `(?:/|%2F))?|` + typ + `/)([0-9][0-9-]+)`)
	old := func(id string) string { // the id the service still uses inside
		if before, found := strings.CutSuffix(id, suffix); found {
			return before
		}
		return id + "-gone"
	}
	p.m.requests = append(p.m.requests, func(c *call) {
		back := func(s string) string {
			return asked.ReplaceAllStringFunc(s, func(s string) string {
				m := asked.FindStringSubmatch(s)
				return m[1] + old(m[2])
			})
		}
		c.req.path, c.req.query, c.req.body = back(c.req.path), back(c.req.query), back(c.req.body)
	})
	return func(c *call) {
		if c.resp.status == http.StatusOK && !c.asked.isMetadata() {
			if body := mention.ReplaceAll(c.resp.body, []byte("${1}${2}"+suffix)); !bytes.Equal(body, c.resp.body) {
				c.setBody(body)
			}
		}
	}
}

// shuffle is the same disorder each time, and never the order it found.
func shuffle(t *tree) bool {
	if len(t.kids) < 2 {
		return false
	}
	r := rand.New(rand.NewPCG(uint64(len(t.kids)), 1))
	first := t.kids[0].value
	r.Shuffle(len(t.kids), t.swap)
	if t.kids[0].value == first {
		t.swap(0, 1)
	}
	return true
}

func reverse(t *tree) bool {
	for i, j := 0, len(t.kids)-1; i < j; i, j = i+1, j-1 {
		t.swap(i, j)
	}
	return len(t.kids) > 1
}

// swap exchanges two items or members and leaves the white space in place.
func (t *tree) swap(i, j int) {
	a, b := &t.kids[i], &t.kids[j]
	a.name, b.name = b.name, a.name
	a.colon, b.colon = b.colon, a.colon
	a.value, b.value = b.value, a.value
}
