package record

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/internal/redact"
)

// step is one request of the plan. Its request is made of what earlier answers
// showed; there is none when they showed nothing to ask for.
type step struct {
	file, title string
	request     func(*known) (request, bool)
	learn       func(*known, *fhir.Node) // from the answer; may be nil
}

// known is what the plan has learnt of the service.
type known struct {
	resources map[string][]*fhir.Node // of the first pages, by type
	inactive  map[string]string       // an id, by type
	next      map[string]string       // the link to follow, by type
	shown     map[string]bool         // Type/id of every resource an answer holds, or that was asked for
	referred  []string                // Type/id of every reference, in order
}

// note takes the resources of an answer down, and what they refer to.
func (k *known) note(answer *fhir.Node) {
	resources := []*fhir.Node{answer}
	if answer.Get("resourceType").Str() == "Bundle" {
		resources = nil
		for _, entry := range answer.Get("entry").Items() {
			resources = append(resources, entry.Value.Get("resource"))
		}
	}
	for _, r := range resources {
		k.shown[r.Get("resourceType").Str()+"/"+r.Get("id").Str()] = true
		k.referred = append(k.referred, redact.References(r)...)
	}
}

// plan is the fixed walk: metadata, first pages, two pages on, a search by
// every parameter, includes, reads, an inactive one, what was
// referred to, mistakes, refused keys.
func plan(table *fixtures.Table) []step {
	steps := []step{get("metadata", "The capability statement.", "/fhir/v2/metadata"), get("metadata", "", "/fhir/metadata")}
	for i := range table.Types {
		t := &table.Types[i]
		steps = append(steps, firstPages(t)...)
		steps = append(steps, parameters(t)...)
		steps = append(steps, includes(t)...)
		steps = append(steps, reads(t)...)
	}
	return slices.Concat(steps, referred("Practitioner"), referred("Organization"), mistakes(), refusedKeys())
}

func get(file, title, target string) step {
	return step{file: file, title: title, request: func(*known) (request, bool) {
		return request{method: http.MethodGet, target: target}, true
	}}
}

const base = "/fhir/v2/"

func firstPages(t *fixtures.Type) []step {
	page := t.Type + "?_count=40"
	first := get(t.Type+"/first-page", "The first "+t.Type+" resources.", base+page)
	first.learn = func(k *known, bundle *fhir.Node) {
		for _, entry := range bundle.Get("entry").Items() {
			k.resources[t.Type] = append(k.resources[t.Type], entry.Value.Get("resource"))
		}
	}
	start := get(t.Type+"/paging", "Three pages of "+t.Type+" resources, by their next links.", base+t.Type+"?_count=6&_total=accurate")
	start.learn = func(k *known, bundle *fhir.Node) { k.next[t.Type] = nextOf(bundle) }
	follow := step{file: t.Type + "/paging", request: func(k *known) (request, bool) {
		return request{method: http.MethodGet, target: k.next[t.Type]}, k.next[t.Type] != ""
	}, learn: start.learn}
	return []step{
		first, start, follow, follow,
		get(t.Type+"/counting", "How many "+t.Type+" resources there are.", base+t.Type+"?_count=0&_total=accurate&active=true"),
		get(t.Type+"/counting", "", base+t.Type+"?_count=5&_total=none"),
		get(t.Type+"/elements", "A part of each "+t.Type+".", base+t.Type+"?_elements=identifier&_count=5"),
	}
}

// nextOf is the path of the next link, wherever the service says it is.
func nextOf(bundle *fhir.Node) string {
	for _, link := range bundle.Get("link").Items() {
		if link.Value.Get("relation").Str() != "next" {
			continue
		}
		if u, err := url.Parse(link.Value.Get("url").Str()); err == nil {
			if at := strings.Index(u.EscapedPath(), "/fhir/"); at >= 0 {
				return u.EscapedPath()[at:] + "?" + u.RawQuery
			}
		}
	}
	return ""
}

// parameters is one search by each, for a value that a first page showed.
func parameters(t *fixtures.Type) (steps []step) {
	for i := range t.Params {
		p := &t.Params[i]
		steps = append(steps, step{
			file: t.Type + "/by-" + strings.TrimPrefix(p.Name, "_"), title: "A search of " + t.Type + " by " + p.Name + ".",
			request: func(k *known) (request, bool) {
				value, ok := k.valueOf(t.Type, p)
				return request{method: http.MethodGet, target: base + t.Type + "?" + p.Name + "=" + url.QueryEscape(value) + "&_count=10"}, ok
			},
		})
	}
	return steps
}

// valueOf is a value that finds something by a parameter.
func (k *known) valueOf(typ string, p *fixtures.Param) (value string, ok bool) {
	for _, resource := range k.resources[typ] {
		for _, text := range p.Paths {
			path, err := fhir.ParsePath(text)
			if err != nil {
				continue
			}
			path.Each(resource, func(n *fhir.Node) { value = cmp.Or(value, searchValue(p.Kind, n)) })
		}
		if value != "" {
			return value, true
		}
	}
	return "", false
}

// searchValue writes an element as the value of a search.
func searchValue(kind fixtures.Kind, n *fhir.Node) string {
	switch kind {
	case fixtures.Reference:
		return n.Get("reference").Str()
	case fixtures.Date:
		if day := n.Text(); len(day) >= len("2006-01-02") {
			return "ge" + day[:len("2006-01-02")]
		}
		return ""
	case fixtures.Token:
		if coding := n.Get("coding").Item(0); coding != nil {
			n = coding
		}
		if code := cmp.Or(n.Get("code").Str(), n.Get("value").Str()); code != "" {
			return n.Get("system").Str() + "|" + code
		}
	}
	var text string
	n.Each(func(item *fhir.Node) { text = cmp.Or(text, item.Text()) })
	return text
}

func includes(t *fixtures.Type) (steps []step) {
	for parameter, values := range map[string][]string{"_include": t.Includes, "_revinclude": t.RevIncludes} {
		for _, v := range values {
			steps = append(steps, get(t.Type+"/"+parameter[1:], t.Type+" resources with what they refer to, or what refers to them.",
				base+t.Type+"?"+parameter+"="+url.QueryEscape(v)+"&_count=8"))
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Compare(a.file, b.file) }) // a map has no order
	return steps
}

func reads(t *fixtures.Type) []step {
	read := func(title string, id func(*known) string) step {
		return step{file: t.Type + "/read", title: title, request: func(k *known) (request, bool) {
			id := id(k)
			return request{method: http.MethodGet, target: base + t.Type + "/" + url.PathEscape(id)}, id != ""
		}}
	}
	nth := func(n int) func(*known) string {
		return func(k *known) string {
			if n < len(k.resources[t.Type]) {
				return k.resources[t.Type][n].Get("id").Str()
			}
			return ""
		}
	}
	state := "active=false"
	if t.Param("active") == nil {
		state = "status=inactive"
	}
	inactive := get(t.Type+"/inactive", "A "+t.Type+" that is not in use any more.", base+t.Type+"?"+state+"&_count=2")
	inactive.learn = func(k *known, bundle *fhir.Node) {
		k.inactive[t.Type] = bundle.Get("entry").Item(0).Get("resource").Get("id").Str()
	}
	return []step{
		read("Reads of "+t.Type+" resources.", nth(0)), read("", nth(1)),
		inactive, read("", func(k *known) string { return k.inactive[t.Type] }),
	}
}

// referred fetches what the answers so far refer to and do not hold: a set whose
// references lead out of it is another contract. A structure refers to the next.
func referred(typ string) []step {
	const requests, each = 6, 50
	s := step{file: typ + "/referred", title: typ + " resources that others refer to.", request: func(k *known) (request, bool) {
		var ids []string
		for _, reference := range k.referred {
			if id, ok := strings.CutPrefix(reference, typ+"/"); ok && !k.shown[reference] && len(ids) < each {
				k.shown[reference] = true
				ids = append(ids, url.QueryEscape(id))
			}
		}
		return request{method: http.MethodGet, target: base + typ + "?_id=" + strings.Join(ids, ",") + "&_count=" + strconv.Itoa(each)}, len(ids) > 0
	}}
	return slices.Repeat([]step{s}, requests)
}

// mistakes are requests the service answers with an error.
func mistakes() []step {
	outage := get("errors/page", "A page that nobody was given a link to.", base+"_page?id=unknown")
	outage.request = func(*known) (request, bool) {
		return request{method: http.MethodGet, target: base + "_page?id=unknown", fails: true}, true
	}
	return []step{
		get("errors/read", "A resource that does not exist.", base+"Practitioner/003-1-1"),
		get("errors/type", "A type that is not served.", base+"Patient/1"),
		get("errors/type", "", base+"Patient?_count=1"),
		get("errors/parameter", "Parameters that do not exist.", base+"Practitioner?unknown=1"),
		get("errors/parameter", "", base+"Organization?_include=Organization:unknown"),
		get("errors/count", "Values that are none.", base+"Practitioner?_count=unknown"),
		get("errors/count", "", base+"Practitioner?_total=unknown"),
		get("errors/date", "", base+"Practitioner?_lastUpdated=unknown"),
		get("errors/page", "", base+"_page"),
		outage,
		{file: "errors/post", title: "A search by POST.", request: func(*known) (request, bool) {
			return request{method: http.MethodPost, target: base + "Organization/_search", form: "active=true&_count=5"}, true
		}},
	}
}

// refusedKeys are answers of the gateway alone.
func refusedKeys() (steps []step) {
	for _, accept := range []string{"application/json", "application/fhir+json"} {
		for _, key := range []string{"", redact.UnknownKey} {
			title := "A missing or unknown key."
			header := http.Header{"Accept": {accept}}
			if key != "" {
				header.Set(redact.KeyHeader, key)
			}
			steps = append(steps, step{file: "errors/key", title: title, request: func(*known) (request, bool) {
				return request{method: http.MethodGet, target: base + "metadata", header: header, anon: true}, true
			}})
		}
	}
	return steps
}
