package drift

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// condition says whether a rule is about a call. It sees the request and the
// service's answer.
type condition func(c *call) bool

// phrases are conditions in words.
var phrases = map[string]condition{
	"every call":     func(*call) bool { return true },
	"any call":       func(*call) bool { return true },
	"first call":     func(c *call) bool { return c.number == 1 },
	"metadata":       func(c *call) bool { return c.asked.isMetadata() },
	"read":           isRead,
	"reads":          isRead,
	"search":         isSearch,
	"searches":       isSearch,
	"nominal search": isNominalSearch,
	"empty result":   isEmptyResult,
	"empty page":     isEmptyResult,
	"next page":      isNextPage,
	"second page":    isNextPage,
	"first page":     func(c *call) bool { return isNominalSearch(c) },
	"last page":      isLastPage,
	"missing key":    func(c *call) bool { return !c.hasKeyHeader() && !hasParam("api-key")(c) },
	"empty key": func(c *call) bool {
		return c.hasKeyHeader() && strings.TrimSpace(c.asked.header.Get(keyHeader)) == ""
	},
	"unknown key":   isUnknownKey,
	"wrong key":     isUnknownKey,
	"invalid key":   isUnknownKey,
	"bad key":       isUnknownKey,
	"overflow":      func(c *call) bool { return c.resp.status == http.StatusTooManyRequests },
	"bad type":      func(c *call) bool { return c.isRefusedSearch() && !slices.Contains(types, c.asked.searched()) },
	"bad parameter": func(c *call) bool { return c.isRefusedSearch() && slices.Contains(types, c.asked.searched()) },
	"unknown type":  func(c *call) bool { return c.isRefusedSearch() && !slices.Contains(types, c.asked.searched()) },
	"unknown parameter": func(c *call) bool {
		return c.isRefusedSearch() && slices.Contains(types, c.asked.searched())
	},
	"bad token": func(c *call) bool { return strings.HasPrefix(c.asked.rest(), "/_page") && c.resp.status >= 400 },
	"unknown id": func(c *call) bool {
		return isRead(c) && c.resp.status == http.StatusNotFound
	},
	"raw colon":              func(c *call) bool { return strings.Contains(c.asked.query, ":") },
	"repeated parameter":     func(c *call) bool { return c.asked.searched() != "" && repeats(c.asked) },
	"many ids":               func(c *call) bool { return asksMany(c.asked) },
	"found by accents only":  foundByAccents,
	"pages without includes": func(c *call) bool { return !slices.ContainsFunc(c.origin().criteria(), includes) },
	"default total only":     func(c *call) bool { return !slices.ContainsFunc(c.origin().criteria(), asksTotal) },
}

func includes(criterion string) bool {
	name, _ := split(criterion)
	return isInclude(name)
}

func asksTotal(criterion string) bool {
	name, _ := split(criterion)
	return name == "_total"
}

// repeats: two criteria on one parameter with one modifier (issue #331).
func repeats(r *request) bool {
	seen := map[string]bool{}
	for _, c := range r.criteria() {
		name, _ := split(c)
		if seen[name] && strings.Contains(name, ":") {
			return true
		}
		seen[name] = true
	}
	return false
}

// asksMany: fifty ids in one request (issue #372).
func asksMany(r *request) bool {
	values, _ := r.param("_id")
	return slices.ContainsFunc(values, func(v string) bool { return strings.Count(v, ",") >= 49 })
}

// foundByAccents: a text asked for without accents found values that only have
// it with them (issue #239).
func foundByAccents(c *call) bool {
	if !isNominalSearch(c) {
		return false
	}
	var named strings.Builder // mailboxes and links have no accents anyway
	for _, k := range c.tree().get("entry").items() {
		for _, member := range []string{"name", "address"} {
			if v := k.value.get("resource").get(member); v != nil {
				named.WriteString(strings.ToLower(v.String()))
			}
		}
	}
	body := named.String()
	for _, criterion := range c.asked.criteria() {
		name, value := split(criterion)
		switch name, _, _ = strings.Cut(name, ":"); name {
		case "name", "family", "given", "address-city", "address":
			if value = strings.ToLower(value); !strings.Contains(body, value) && strings.Contains(stripAccents(body), value) {
				return true
			}
		}
	}
	return false
}

func isNextPage(c *call) bool { return c.asked.pageID() != "" }

func isRead(c *call) bool {
	_, _, ok := c.asked.readID()
	return ok
}

func isSearch(c *call) bool { return c.asked.searched() != "" || c.asked.pageID() != "" }

func isNominalSearch(c *call) bool {
	return c.asked.searched() != "" && c.resp.status == http.StatusOK
}

func isEmptyResult(c *call) bool {
	return isNominalSearch(c) && len(c.tree().get("entry").items()) == 0 && c.tree().get("entry") != nil &&
		!asksNothing(c.asked)
}

// asksNothing: a page of _count=0 is empty whatever was found.
func asksNothing(r *request) bool {
	values, _ := r.param("_count")
	return slices.Contains(values, "0")
}

func isLastPage(c *call) bool {
	return c.asked.pageID() != "" && c.resp.status == http.StatusOK &&
		!nextToken.Match(c.resp.body)
}

func (c *call) hasKeyHeader() bool {
	_, found := c.asked.header[http.CanonicalHeaderKey(keyHeader)]
	return found
}

// isUnknownKey: a key was sent in the header and refused.
func isUnknownKey(c *call) bool {
	return strings.TrimSpace(c.asked.header.Get(keyHeader)) != "" && c.resp.status == http.StatusUnauthorized
}

// isRefusedSearch: the FHIR server, not the gateway, refused a search.
func (c *call) isRefusedSearch() bool {
	return c.asked.searched() != "" && c.resp.status >= 400 && strings.Contains(string(c.resp.body), "OperationOutcome")
}

func hasParam(name string) condition {
	return func(c *call) bool {
		_, found := c.asked.param(name)
		return found
	}
}

var (
	anySegment = regexp.MustCompile(`<[^>]*>`)
	methodPath = regexp.MustCompile(`^(GET|POST|HEAD|PUT|DELETE)\s+(\S+)$`)
	callsOf    = regexp.MustCompile(`^(\d+) calls of (\d+)$`)
	pathOnly   = regexp.MustCompile(`^/\S*$`)
	pathAfter  = regexp.MustCompile(`^(/\S*)\s+after\s+(\d+)\s*(ms|s|min)$`)
	headerIs   = regexp.MustCompile(`^([A-Z][A-Za-z-]+):\s*(.+)$`)
	paramIs    = regexp.MustCompile(`^\??([A-Za-z_][\w.:-]*)(=(.*))?$`)
)

// parseCondition understands what follows "on".
func parseCondition(text string) (condition, bool) {
	text = strings.TrimSpace(text)
	if phrase := phrases[strings.TrimPrefix(text, "a ")]; phrase != nil {
		return phrase, true
	}
	for _, word := range []string{"pages without ", "without "} {
		if name, found := strings.CutPrefix(text, word); found && paramIs.MatchString(name) {
			has := onParam(name, "", false)
			return func(c *call) bool { return c.asked.searched() != "" && !has(c) }, true
		}
	}
	if name, found := strings.CutPrefix(text, "pages with "); found && paramIs.MatchString(name) {
		return func(c *call) bool {
			_, has := c.origin().param(name)
			return has && c.page.origin != nil
		}, true
	}
	if m := callsOf.FindStringSubmatch(text); m != nil {
		some, all := atoi(m[1]), max(1, atoi(m[2]))
		return func(c *call) bool { return c.number%all < some }, true
	}
	if m := methodPath.FindStringSubmatch(text); m != nil {
		at := onPath(m[2])
		return func(c *call) bool { return c.asked.method == m[1] && at(c) }, true
	}
	if m := pathAfter.FindStringSubmatch(text); m != nil {
		age, err := time.ParseDuration(m[2] + strings.Replace(m[3], "min", "m", 1))
		if err != nil {
			return nil, false
		}
		at := onPath(m[1])
		return func(c *call) bool { return at(c) && !c.page.issued.IsZero() && time.Since(c.page.issued) > age }, true
	}
	if pathOnly.MatchString(text) {
		return onPath(text), true
	}
	if m := headerIs.FindStringSubmatch(text); m != nil {
		return func(c *call) bool {
			return strings.Contains(strings.ToLower(c.asked.header.Get(m[1])), strings.ToLower(m[2]))
		}, true
	}
	if m := paramIs.FindStringSubmatch(text); m != nil {
		return onParam(m[1], m[3], strings.Contains(text, "=")), true
	}
	return nil, false
}

// onPath matches below either base; a path that starts with /fhir is whole.
// The id `unknown` stands for one no resource has, a bare _search for that of
// any type.
func onPath(want string) condition {
	if want == "_search" {
		return func(c *call) bool { return strings.HasSuffix(c.asked.path, "/_search") }
	}
	if strings.HasPrefix(want, "/fhir") {
		return func(c *call) bool { return c.asked.path == want }
	}
	if typ, found := strings.CutSuffix(want, "/unknown"); found {
		return func(c *call) bool {
			t, _, ok := c.asked.readID()
			return ok && "/"+t == typ && c.resp.status == http.StatusNotFound
		}
	}
	if strings.Contains(want, "<") { // GET /Practitioner/<id>
		segments := anySegment.ReplaceAllString(regexp.QuoteMeta(want), `[^/]+`)
		whole := regexp.MustCompile(`^` + segments + `$`)
		return func(c *call) bool { return isRead(c) && whole.MatchString(c.asked.rest()) }
	}
	return func(c *call) bool {
		rest := c.asked.rest()
		return rest == want || want == "/_page" && strings.HasPrefix(rest, want)
	}
}

// invented are names that stand for any parameter the service does not know.
var invented = []string{"foo", "bar", "toto", "unknown"}

// onParam matches a request that has the parameter, with that value if one is
// given. Values that no service has stand for something: `a,b` for any list,
// `system|value` for any token with its system, a letter for anything,
// `<one probe>` for the first value asked for.
func onParam(name, value string, equals bool) condition {
	if slices.Contains(invented, name) {
		return func(c *call) bool { return c.isRefusedSearch() && slices.Contains(types, c.asked.searched()) }
	}
	return func(c *call) bool {
		values, found := c.asked.param(name)
		switch {
		case !found || !equals || value == "":
			return found
		case value == "a,b":
			return slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, ",") })
		case value == "system|value" || value == "system|code":
			return slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, "|") })
		case len(value) == 1 && value != "0" && value != "1" || value == "...":
			return true
		case value[0] == '<':
			return slices.ContainsFunc(values, func(v string) bool { return bare(v) == c.layer.first(name, bare(v)) })
		}
		return slices.Contains(values, value)
	}
}

// bare is a token's code without its system.
func bare(token string) string { return token[strings.LastIndexByte(token, '|')+1:] }
