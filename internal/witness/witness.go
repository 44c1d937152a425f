// Package witness is a second opinion on search: a naive evaluator written
// from the specification (ans-server.md §2, §4, §6, §12, §13) that shares no
// code with the mock. It scans the directory linearly and says what a request
// must answer; a Generator invents requests, and the package's test asks the
// mock whether it agrees. Only tests need it.
package witness

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/mockfhir/mockfhir/fixtures"
)

// Profile is the observed behaviour a server imitates (ans-server.md §13).
type Profile string

// The profiles.
const (
	Production Profile = "production"
	Source     Profile = "source"
)

// Witness knows a directory and says what requests about it must answer.
type Witness struct {
	profile Profile
	table   *fixtures.Table
	zone    *time.Location
	byType  map[string][]*resource // in load order
	byKey   map[string]*resource   // by Type/id
}

// resource is one resource and what each search parameter of its type finds
// in it, extracted once.
type resource struct {
	typ, id string
	body    map[string]any
	values  map[string][]value // by parameter name
	updated time.Time          // zero when the resource has no meta.lastUpdated
}

func (r *resource) key() string { return r.typ + "/" + r.id }

// New reads a fixture set. The zone is the server's, in which offset-less
// dates are read and all dates are cut (ans-server.md §2.6).
func New(set *fixtures.Set, profile Profile, zone *time.Location) (*Witness, error) {
	w := &Witness{
		profile: profile,
		table:   set.Table,
		zone:    zone,
		byType:  map[string][]*resource{},
		byKey:   map[string]*resource{},
	}
	for _, raw := range set.Resources {
		r := &resource{typ: raw.Type, id: raw.ID, values: map[string][]value{}}
		if err := json.Unmarshal([]byte(raw.JSON), &r.body); err != nil {
			return nil, fmt.Errorf("%s: %w", r.key(), err)
		}
		meta, _ := r.body["meta"].(map[string]any)
		if text, ok := meta["lastUpdated"].(string); ok {
			var err error
			if r.updated, err = time.Parse(time.RFC3339Nano, text); err != nil {
				return nil, fmt.Errorf("%s: %w", r.key(), err)
			}
		}
		if t := w.typeOf(raw.Type); t != nil {
			for _, p := range t.Params {
				r.values[p.Name] = valuesOf(r.body, p)
			}
		}
		w.byType[r.typ] = append(w.byType[r.typ], r)
		w.byKey[r.key()] = r
	}
	return w, nil
}

func (w *Witness) typeOf(name string) *fixtures.Type {
	for i := range w.table.Types {
		if w.table.Types[i].Type == name {
			return &w.table.Types[i]
		}
	}
	return nil
}

// paramOf finds the parameter a URL names, by name or alias.
func (w *Witness) paramOf(typ, name string) *fixtures.Param {
	t := w.typeOf(typ)
	if t == nil {
		return nil
	}
	for i, p := range t.Params {
		for _, known := range append([]string{p.Name}, p.Aliases...) {
			if known == name {
				return &t.Params[i]
			}
		}
	}
	return nil
}

// Answer is what a request must get.
type Answer struct {
	// Unspecified says why the specification does not settle the answer; the
	// other fields then mean nothing.
	Unspecified string

	Status      int
	Diagnostics string // text of the single issue, for any Status but 200
	Resource    any    // what a read returns
	Search      *Search
}

// Texts of the server's own errors (ans-server.md §1.2, §2, §3).
const (
	unknownError  = "Unknown error"
	badValue      = "Bad parameter value."
	badInclude    = "Bad include parameter."
	badSearchType = "Search type not supported"
	badCount      = `The _count parameter must be in the FHIR format with an integer value : "_count=30"`
	badTotal      = "Bad value for the _total parameter. Allowed values are : accurate, none, estimate"
	unknownType   = "Can't process the request. Resource type not supported. Server knows how to handle: [Device, HealthcareService, Organization, Practitioner, PractitionerRole]"
	noPageID      = "Parameter id required to fetch the next page"
)

// Request is a request as it goes over the wire, relative to the base of the
// API: the target is the raw path and query.
type Request struct {
	Method string // GET, or POST with a form body
	Target string
	Form   string
}

func (r Request) String() string {
	if r.Method == "POST" {
		return r.Method + " " + r.Target + " body: " + r.Form
	}
	return r.Method + " " + r.Target
}

// maxTarget is what surely passes the gateway, whose request lines have 4096
// characters (gravitee.md §3.4).
const maxTarget = 4000

// Answer judges a request that searches or reads: dispatch is ans-server.md
// §1.2 and §1.3.
func (w *Witness) Answer(r Request) Answer {
	if len(r.Target) > maxTarget {
		return unspecified("the gateway may refuse so long a line")
	}
	path, query, _ := strings.Cut(strings.TrimPrefix(r.Target, "/"), "?")
	if r.Method == "POST" {
		query = r.Form // the URL's query is ignored (§1.3)
		if w.profile == Production {
			path = strings.TrimSuffix(path, "/_search") // §13
		}
	}
	switch {
	case strings.HasPrefix(path, "_page"):
		if id, found := strings.CutPrefix(query, "id="); !found || strings.Trim(id, "%20+") == "" {
			return refuse(400, noPageID)
		}
		return unspecified("page tokens are opaque")
	case strings.HasPrefix(path, "metadata"):
		return unspecified("the capability statement is no search")
	case strings.HasPrefix(path, "$") && (w.profile == Production || strings.HasPrefix(path, "$index")):
		return unspecified("operations are no searches, and the gateway may block them")
	case strings.HasPrefix(path, "$"):
		return refuse(400, unknownError)
	}
	parts := strings.Split(strings.TrimRight(path, "/"), "/") // Java's split drops trailing empty parts
	if len(parts) == 2 && !strings.HasPrefix(parts[1], "_") {
		return w.read(parts[0], parts[1])
	}
	return w.search(path, query)
}

func (w *Witness) read(typ, id string) Answer {
	if w.typeOf(typ) == nil {
		return refuse(404, unknownType)
	}
	r := w.byKey[typ+"/"+id]
	if r == nil {
		return refuse(404, "Resource not found with id: "+id)
	}
	return Answer{Status: 200, Resource: r.body}
}

func refuse(status int, diagnostics string) Answer {
	return Answer{Status: status, Diagnostics: diagnostics}
}

func unspecified(why string) Answer { return Answer{Unspecified: why} }
