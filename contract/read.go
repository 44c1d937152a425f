package contract

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/mockfhir/mockfhir/internal/fhir"
)

// readChecks: what a search shows can be read by its id, and is the same.
func readChecks() []Check {
	const source = guide + "getting-started/api-basics.md"
	var checks []Check
	for _, typ := range types {
		checks = append(checks, Check{
			ID: "read/" + typ, Title: "A " + typ + " found is read by its id, and is the same resource", Level: Required,
			Source: source, Why: "Clients keep ids and read them again.",
			Run: func(ctx context.Context, p *Probe) error { return checkRead(ctx, p, typ) },
		})
	}
	return append(checks,
		Check{
			ID: "read/unknown", Title: "An id nobody has is answered 404 with an OperationOutcome", Level: Required,
			Source: source, Why: "404 means \"gone from the directory\": clients delete their copy. Anything else is an outage.",
			Run: checkReadUnknown,
		},
		Check{
			ID: "read/query", Title: "A query on a read changes nothing", Level: Observed,
			Source: server + "afas-fhir-servlet", Why: "Clients add _format and _pretty everywhere.",
			Run: checkReadQuery,
		},
	)
}

func checkRead(ctx context.Context, p *Probe, typ string) error {
	seeds, err := p.seed(ctx, typ)
	if err != nil {
		return err
	}
	return p.severally(len(seeds), func(i int) error {
		a, err := p.Get(ctx, typ+"/"+seeds[i].ID())
		if err != nil {
			return err
		}
		p.Saw()
		if a.Status != http.StatusOK || a.ResourceType() != typ || a.Broken != "" {
			p.Drift(Finding{Reason: Protocol, Path: typ + "/id", Was: "200 " + typ, Now: a.summary(),
				Message: fmt.Sprintf("A %s that a search shows cannot be read.", typ)}, a)
			return nil
		}
		was, now := seeds[i].Resource, a.JSON()
		if now.Get("id").Str() != seeds[i].ID() || !akin(business(was), business(now)) || now.Len()*2 < was.Len() {
			p.Drift(Finding{Reason: Shape, Path: typ + "/id", Was: "the resource the search shows", Now: "another one",
				Message: fmt.Sprintf("A %s read by its id is not the resource that the search shows under that id.", typ)}, a)
		} else if name := contradicted(was, now); name != "" {
			p.Drift(Finding{Reason: Shape, Path: typ + "." + name, Was: "what the search shows", Now: "something else",
				Message: fmt.Sprintf("A %s read by its id has another %s than the same version of it in a search.", typ, name)}, a)
		}
		return nil
	})
}

// contradicted is an element in which a resource that was read has other values
// than the same version of it that was found, or that only one of the two has;
// "" when there is none. One may have an item more, or an element that the
// directory is not known for, which is news and no contradiction. Their meta is
// written in two ways (ans-server.md §5).
func contradicted(found, read *fhir.Node) string {
	if !sameVersion(found, read) {
		return "" // it may have changed in between
	}
	typ, was, now := found.Get("resourceType").Str(), said(found), said(read)
	paths := slices.Collect(maps.Keys(was))
	for path := range now {
		if was[path] == nil {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	for _, path := range paths {
		apart := lacks(was[path], now[path]) && lacks(now[path], was[path])
		missing := len(was[path]) == 0 || len(now[path]) == 0
		if strings.HasPrefix(path, ".meta") || !apart && !(missing && usual()[typ+path]) {
			continue
		}
		if whole, _, _ := strings.Cut(path[1:], "."); found.Get(whole) == nil || read.Get(whole) == nil {
			return whole
		}
		return path[1:]
	}
	return ""
}

func sameVersion(a, b *fhir.Node) bool {
	was, ok := lastUpdated(a)
	now, too := lastUpdated(b)
	return ok && too && was.Equal(now) && a.Path("meta", "versionId").Text() == b.Path("meta", "versionId").Text()
}

// usual are the elements that the directory is known for, free words left out.
var usual = sync.OnceValue(func() map[string]bool {
	paths := map[string]bool{}
	for path := range DefaultBaseline().Elements {
		if !forPeople(path) {
			paths[inSlice.ReplaceAllString(path, "")] = true
		}
	}
	return paths
})

// said are the values of a resource, by their elements.
func said(resource *fhir.Node) map[string]map[string]bool {
	values := map[string]map[string]bool{}
	visit(resource, "", func(path string, n *fhir.Node) {
		n.Each(func(n *fhir.Node) {
			text := n.Text()
			switch n.Kind() {
			case fhir.Object, fhir.Array:
				return
			case fhir.Number:
				if x, err := strconv.ParseFloat(text, 64); err == nil {
					text = strconv.FormatFloat(x, 'g', -1, 64)
				}
			}
			if values[path] == nil {
				values[path] = map[string]bool{}
			}
			values[path][text] = true
		})
	})
	return values
}

// lacks reports whether a set has something that another one has not.
func lacks(has, other map[string]bool) bool {
	for value := range has {
		if !other[value] {
			return true
		}
	}
	return false
}

// akin reports whether two resources have an identifier in common, or none at
// all. The rest may have changed between two calls.
func akin(a, b []string) bool {
	return len(a)+len(b) == 0 || slices.ContainsFunc(a, func(i string) bool { return slices.Contains(b, i) })
}

// business returns the business identifiers of a resource.
func business(resource *fhir.Node) []string {
	var list []string
	resource.Get("identifier").Each(func(n *fhir.Node) {
		list = append(list, n.Get("system").Str()+"|"+n.Get("value").Text())
	})
	return list
}

// same reports whether two resources say the same. Order of members, white
// space and the form of numbers do not count.
func same(a, b *fhir.Node) bool {
	if a.Kind() == fhir.Number && b.Kind() == fhir.Number {
		x, errX := strconv.ParseFloat(a.Raw(), 64)
		y, errY := strconv.ParseFloat(b.Raw(), 64)
		return errX == nil && errY == nil && x == y
	}
	if a.Kind() != b.Kind() || a.Len() != b.Len() {
		return false
	}
	switch a.Kind() {
	case fhir.Object:
		return !slices.ContainsFunc(a.Members(), func(m fhir.Member) bool { return !same(&m.Value, b.Get(m.Name)) })
	case fhir.Array:
		for i := range a.Items() {
			if !same(a.Item(i), b.Item(i)) {
				return false
			}
		}
		return true
	}
	return a.Text() == b.Text()
}

// nobody is an id that no directory gives.
const nobody = "mockfhir-nobody"

func checkReadUnknown(ctx context.Context, p *Probe) error {
	for _, typ := range types {
		a, err := p.Get(ctx, typ+"/"+nobody)
		if err != nil {
			return err
		}
		p.Saw()
		if a.Status != http.StatusNotFound || a.ResourceType() != "OperationOutcome" {
			p.Drift(Finding{Reason: Protocol, Path: typ + "/unknown", Was: "404 OperationOutcome", Now: a.summary(),
				Message: fmt.Sprintf("Reading a %s nobody has answers %s.", typ, a.summary())}, a)
		}
	}
	return nil
}

func checkReadQuery(ctx context.Context, p *Probe) error {
	seeds, err := p.seed(ctx, "Practitioner")
	if err != nil || len(seeds) == 0 {
		return err
	}
	plain, err := p.Get(ctx, "Practitioner/"+seeds[0].ID())
	if err != nil || plain.ResourceType() != "Practitioner" {
		return err // read/Practitioner tells it
	}
	a, err := p.Get(ctx, "Practitioner/"+seeds[0].ID()+"?_format=xml&_pretty=true&_elements=id")
	if err != nil {
		return err
	}
	p.Saw()
	if !same(plain.JSON(), a.JSON()) {
		p.Drift(Finding{Reason: Protocol, Path: "Practitioner/id?_format&_pretty&_elements", Was: "the resource, as without a query", Now: a.summary(),
			Message: "A query on a read is no longer ignored."}, a)
	}
	return nil
}
