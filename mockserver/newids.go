package mockserver

import (
	"strings"
	"time"

	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/internal/search"
)

// newIDSuffix makes the technical ids of a directory that was loaded anew
// (issue #150).
const newIDSuffix = "-2"

// oldID is the id a resource had before, and one that nobody has when it is
// asked for by the old id itself.
func oldID(id string) string {
	old, found := strings.CutSuffix(id, newIDSuffix)
	if !found {
		return "-"
	}
	return old
}

// oldIDs turns the ids in the parameters of a search back.
func oldIDs(target string) string {
	return search.MapValues(target, func(name, value string) string {
		typ, id, referred := strings.Cut(value, "/")
		switch {
		case name == "_id", name == "organization", name == "practitioner", name == "partof":
			if referred {
				return typ + "/" + oldID(id)
			}
			return oldID(value)
		}
		return value
	})
}

// rewrites says whether an incident changes what resources say.
func (c *call) rewrites() bool {
	return c.differ.Resource != nil || c.differ.NewIDs || c.differ.Reloaded
}

// rewritten is a stored resource as the incidents of the call want it.
func (c *call) rewritten(text []byte) *fhir.Node {
	resource, err := fhir.Parse(text)
	if err != nil {
		panic(err) // it was printed by us
	}
	c.rewrite(resource)
	if c.differ.NewIDs {
		newIDs(resource)
	}
	return resource
}

// rewrite is what the incidents of the call change but for ids.
func (c *call) rewrite(resource *fhir.Node) {
	if c.differ.Resource != nil {
		c.differ.Resource(resource)
	}
	if c.differ.Reloaded {
		updated := c.reloaded(c.now()).Format(`"2006-01-02T15:04:05.000Z07:00"`)
		resource.Path("meta", "lastUpdated").Replace(updated)
	}
}

// reloaded is when the directory was loaded anew: at the last midnight, if an
// incident says so.
func (c *call) reloaded(now time.Time) time.Time {
	if !c.differ.Reloaded {
		return time.Time{}
	}
	y, m, d := now.In(c.zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, c.zone)
}

func newIDs(resource *fhir.Node) {
	renew(resource.Get("id"))
	renewReferences(resource)
}

func renew(id *fhir.Node) {
	if id.Str() != "" {
		id.Replace(string(fhir.AppendReadString(nil, id.Str()+newIDSuffix)))
	}
}

func renewReferences(n *fhir.Node) {
	renew(n.Get("reference"))
	n.Walk(renewReferences)
}
