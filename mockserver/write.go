package mockserver

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/internal/search"
	"github.com/mockfhir/mockfhir/internal/store"
	"github.com/mockfhir/mockfhir/internal/uuid"
)

// Writes reach the FHIR server where the gateway does not look at methods: in
// profile source and without its method filter (ans-server.md §9).

// write answers POST of a resource or a transaction, PUT and DELETE.
func (c *call) write() {
	if c.searchesOnly {
		c.refuseWrite()
		return
	}
	parts := strings.Split(strings.TrimRight(c.path, "/"), "/")
	switch {
	case c.r.Method == http.MethodPost && len(parts) == 1 && parts[0] != "":
		c.create(parts[0])
	case c.r.Method == http.MethodPost:
		c.transaction()
	case len(parts) != 2:
		c.outcome(http.StatusNotFound, "The path must be of the form: "+c.r.Method+" <type>/<id>")
	case c.r.Method == http.MethodPut:
		c.put(parts[0], parts[1])
	default: // DELETE knows neither unknown types nor unknown ids
		if _, found := c.store.Current().Get(parts[0], parts[1]); found {
			c.store.Apply(store.Change{Type: parts[0], ID: parts[1]})
		}
		c.w.WriteHeader(http.StatusNoContent)
	}
}

// refuseWrite answers what is no form at …/_search, the one POST that a gateway
// with a method filter lets through. ANS forbids to write; that the security
// service of its server says so is assumed (§3.2).
func (c *call) refuseWrite() {
	body := c.body()
	switch _, err := parseResource(body); {
	case body == "":
		c.outcome(http.StatusBadRequest, search.UnknownError)
	case err != nil:
		c.outcome(http.StatusUnprocessableEntity, err.Error())
	default:
		c.outcome(http.StatusForbidden, "Forbidden")
	}
}

func (c *call) create(typ string) {
	resource, ok := c.resource(http.StatusUnprocessableEntity)
	if !ok {
		return
	}
	id := uuid.New()
	modified := c.keep(resource, id)
	h := c.w.Header()
	h.Set("Location", strings.TrimSuffix(c.base, contextPath+"/v2")+"v2/"+typ+"/"+id)
	h.Set("ETag", "1")
	h.Set("Last-Modified", modified)
	c.w.WriteHeader(http.StatusCreated)
}

func (c *call) put(typ, id string) {
	resource, ok := c.resource(http.StatusInternalServerError)
	if !ok {
		return
	}
	if given := resource.Get("id").Str(); given != id {
		c.outcome(http.StatusBadRequest, fmt.Sprintf("Id provided in URL: %s. Id provided in resource: %s", id, given))
		return
	}
	modified := c.keep(resource, id)
	c.w.Header().Set("Location", strings.TrimSuffix(c.base, contextPath+"/v2")+"v2/"+typ+"/"+id)
	c.w.Header().Set("Last-Modified", modified)
	c.w.WriteHeader(http.StatusOK)
}

// resource reads the body of a write, or answers why it cannot.
func (c *call) resource(statusOfBadJSON int) (*fhir.Node, bool) {
	body := c.body()
	if body == "" {
		c.outcome(http.StatusBadRequest, search.UnknownError)
		return nil, false
	}
	resource, err := parseResource(body)
	if err != nil {
		c.outcome(statusOfBadJSON, err.Error())
		return nil, false
	}
	if c.store.Current().Table().Type(resource.Get("resourceType").Str()) == nil {
		c.outcome(http.StatusNotFound, "Error converting the FHIR resource to a MongoDb Document.")
		return nil, false
	}
	return resource, true
}

func parseResource(body string) (*fhir.Node, error) {
	text := strings.TrimLeft(body, " \t\r\n")
	if !strings.HasPrefix(text, "{") {
		first, _ := utf8.DecodeRuneInString(text)
		return nil, fmt.Errorf("HAPI-1861: Failed to parse JSON encoded FHIR content: HAPI-1859: Content does not appear to be FHIR JSON, first non-whitespace character was: '%c' (must be '{')", first)
	}
	node, err := fhir.ParseString(text)
	if err == nil && node.Kind() != fhir.Object {
		err = errors.New("no object")
	}
	if err != nil {
		return nil, fmt.Errorf("HAPI-1861: Failed to parse JSON encoded FHIR content: %w", err)
	}
	return node, nil
}

// keep stores a resource under an id as its next version, and returns when it
// was modified as a header says it. What is stored already does not move
// (§8.2).
func (c *call) keep(resource *fhir.Node, id string) (modified string) {
	c.writes.Lock()
	defer c.writes.Unlock()
	typ := resource.Get("resourceType").Str()
	now := c.now().In(c.zone)
	version, updated := 1, resource.Path("meta", "lastUpdated").Str()
	if updated == "" {
		updated = now.Format("2006-01-02T15:04:05.000Z07:00")
	}
	if doc, found := c.store.Current().Get(typ, id); found {
		if old, err := fhir.Parse(doc.Text()); err == nil {
			if bytes.Equal(versionless(old), versionless(resource)) {
				return now.UTC().Format(http.TimeFormat)
			}
			before, _ := strconv.Atoi(old.Path("meta", "versionId").Text())
			version = max(before, 1) + 1 // what is stored without one is the first (§8.2)
		}
	}
	c.store.Apply(store.Change{Type: typ, ID: id, JSON: string(versioned(resource, id, version, updated))})
	return now.UTC().Format(http.TimeFormat)
}

// versionless is what the server hashes of a resource.
func versionless(resource *fhir.Node) []byte {
	return appendResource(nil, resource, "", "")
}

func versioned(resource *fhir.Node, id string, version int, updated string) []byte {
	meta := fmt.Sprintf(`"versionId":"%d","lastUpdated":%s`, version, fhir.AppendReadString(nil, updated))
	return appendResource(nil, resource, id, meta)
}

// appendResource prints a resource with the id and version given in the place
// of its own.
func appendResource(dst []byte, resource *fhir.Node, id, version string) []byte {
	dst = append(dst, `{"resourceType":`...)
	dst = fhir.AppendReadString(dst, resource.Get("resourceType").Str())
	if id != "" {
		dst = fhir.AppendReadString(append(dst, `,"id":`...), id)
	}
	dst = append(dst, `,"meta":{`...)
	first := true
	separate := func() {
		if !first {
			dst = append(dst, ',')
		}
		first = false
	}
	members := resource.Get("meta").Members()
	stamp := func() {
		if version != "" {
			separate()
			dst = append(dst, version...)
			version = ""
		}
	}
	for i := range members {
		if m := &members[i]; m.Name != "versionId" && m.Name != "lastUpdated" {
			if m.Name != "extension" { // the only member HAPI prints before the version
				stamp()
			}
			separate()
			dst = append(fhir.AppendReadString(dst, m.Name), ':')
			dst = fhir.AppendRead(dst, &m.Value)
		}
	}
	stamp()
	dst = append(dst, '}')
	for i := range resource.Members() {
		if m := &resource.Members()[i]; m.Name != "resourceType" && m.Name != "id" && m.Name != "meta" {
			dst = append(fhir.AppendReadString(append(dst, ','), m.Name), ':')
			dst = fhir.AppendRead(dst, &m.Value)
		}
	}
	return append(dst, '}')
}

// transaction stores the entries of a Bundle, each on its own, and answers
// with a Bundle that has no type (§9).
func (c *call) transaction() {
	body := c.body()
	if body == "" {
		c.outcome(http.StatusBadRequest, search.UnknownError)
		return
	}
	bundle, err := parseResource(body)
	if err != nil {
		c.outcome(http.StatusUnprocessableEntity, err.Error())
		return
	}
	var w jsonWriter
	total := 0
	var entries jsonWriter
	bundle.Get("entry").Each(func(entry *fhir.Node) {
		resource := entry.Get("resource")
		typ, id := resource.Get("resourceType").Str(), resource.Get("id").Str()
		if c.store.Current().Table().Type(typ) == nil {
			return
		}
		status := "200 OK"
		if _, found := c.store.Current().Get(typ, id); !found || id == "" {
			status = "201 Created"
		}
		if id == "" {
			id = uuid.New()
		}
		c.keep(resource, id)
		total++
		entries.open('{')
		entries.name("response")
		entries.open('{')
		entries.member("status", status)
		entries.member("location", typ+"/"+id)
		entries.close('}')
		entries.close('}')
	})
	w.open('{')
	w.member("resourceType", "Bundle")
	w.out = append(w.out, `,"total":`+strconv.Itoa(total)...)
	if total > 0 {
		w.out = append(append(append(w.out, `,"entry":[`...), entries.out...), ']')
	}
	w.close('}')
	c.w.Header().Set("Location", strings.TrimSuffix(c.base, contextPath+"/v2")+"v2/")
	c.send(w.out)
}
