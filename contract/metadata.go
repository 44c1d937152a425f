package contract

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/fhir"
)

// metadataChecks: the capability statement says what the table of parameters
// says.
func metadataChecks() []Check {
	const (
		source = ig + "CapabilityStatement-AsServerDPCapabilityStatement.html"
		why    = "Clients configure themselves from /metadata, and generated ones are built from it."
	)
	perType := func(run func(p *Probe, typ *fixtures.Type, stated *fhir.Node, a *Answer)) func(context.Context, *Probe) error {
		return func(ctx context.Context, p *Probe) error {
			a, err := p.Get(ctx, "metadata")
			if err != nil || a.ResourceType() != "CapabilityStatement" {
				return err // metadata/statement tells it
			}
			for i := range p.table.Types {
				typ := &p.table.Types[i]
				if stated := statedType(a, typ.Type); stated != nil {
					run(p, typ, stated, a)
				}
			}
			return nil
		}
	}
	return []Check{
		{
			ID: "metadata/statement", Title: "/metadata answers an R4 CapabilityStatement", Level: Required,
			Source: fhirR4 + "http.html#capabilities", Why: why, Run: checkStatement,
		},
		{
			ID: "metadata/types", Title: "The five resource types are listed, with search and read", Level: Required,
			Source: source, Why: why, Run: checkStatedTypes,
		},
		{
			ID: "metadata/parameters", Title: "Every documented search parameter is listed, with its type", Level: Required,
			Source: source, Why: why, Run: perType(checkStatedParameters),
		},
		{
			ID: "metadata/includes", Title: "Every documented include is listed", Level: Required,
			Source: source, Why: why, Run: perType(checkStatedIncludes),
		},
	}
}

// statedType returns what the statement says of a resource type.
func statedType(a *Answer, typ string) *fhir.Node {
	for _, rest := range a.JSON().Get("rest").Items() {
		for _, r := range rest.Value.Get("resource").Items() {
			if r.Value.Get("type").Str() == typ {
				return &r.Value
			}
		}
	}
	return nil
}

func checkStatement(ctx context.Context, p *Probe) error {
	a, err := p.Get(ctx, "metadata")
	if err != nil {
		return err
	}
	p.Saw()
	doc := a.JSON()
	if a.Status != http.StatusOK || a.Broken != "" || a.ResourceType() != "CapabilityStatement" {
		p.Drift(Finding{Reason: Protocol, Path: "metadata", Was: "200 CapabilityStatement", Now: a.summary(),
			Message: "/metadata does not answer a CapabilityStatement."}, a)
		return nil
	}
	if v := doc.Get("fhirVersion").Str(); v != "4.0.1" {
		p.Drift(Finding{Reason: Meaning, Path: "CapabilityStatement.fhirVersion", Was: "4.0.1", Now: safe(v),
			Message: "The service states another version of FHIR."}, a)
	}
	formats := texts(doc.Get("format"))
	if !slices.Contains(formats, "application/fhir+json") && !slices.Contains(formats, "json") {
		p.Drift(Finding{Reason: Meaning, Path: "CapabilityStatement.format", Was: "application/fhir+json", Now: "no JSON format",
			Message: "JSON is no longer among the formats stated."}, a)
	}
	if doc.Get("status").Str() == "" {
		p.Drift(Finding{Reason: Shape, Path: "CapabilityStatement.status", Was: "present", Now: "absent",
			Message: "The statement has no status, which R4 requires."}, a)
	}
	return nil
}

func texts(n *fhir.Node) []string {
	var list []string
	n.Each(func(n *fhir.Node) { list = append(list, n.Str()) })
	return list
}

func checkStatedTypes(ctx context.Context, p *Probe) error {
	a, err := p.Get(ctx, "metadata")
	if err != nil || a.ResourceType() != "CapabilityStatement" {
		return err
	}
	for _, typ := range p.table.Types {
		p.Saw()
		stated := statedType(a, typ.Type)
		if stated == nil {
			p.Drift(Finding{Reason: Search, Path: "CapabilityStatement.rest.resource(" + typ.Type + ")", Was: "listed", Now: "absent",
				Message: typ.Type + " is not among the resources stated."}, a)
			continue
		}
		var codes []string
		for _, i := range stated.Get("interaction").Items() {
			codes = append(codes, i.Value.Get("code").Str())
		}
		for _, want := range typ.Interactions {
			if !slices.Contains(codes, want) {
				p.Drift(Finding{Reason: Search, Path: "CapabilityStatement.rest.resource(" + typ.Type + ").interaction(" + want + ")",
					Was: "listed", Now: "absent", Message: fmt.Sprintf("%s no longer states %s.", typ.Type, want)}, a)
			}
		}
	}
	return nil
}

func checkStatedParameters(p *Probe, typ *fixtures.Type, stated *fhir.Node, a *Answer) {
	kinds := map[string]string{}
	for _, s := range stated.Get("searchParam").Items() {
		kinds[s.Value.Get("name").Str()] = s.Value.Get("type").Str()
	}
	for _, param := range typ.Params {
		p.Saw()
		path := "CapabilityStatement.rest.resource(" + typ.Type + ").searchParam(" + param.Name + ")"
		kind, listed := kinds[param.Name]
		switch {
		case !listed:
			p.Drift(Finding{Reason: Search, Path: path, Was: "listed", Now: "absent",
				Message: fmt.Sprintf("The search parameter %s of %s is no longer stated.", param.Name, typ.Type)}, a)
		case kind != string(param.Kind):
			p.Drift(Finding{Reason: Search, Path: path + ".type", Was: string(param.Kind), Now: safe(kind),
				Message: fmt.Sprintf("The search parameter %s of %s is stated with another type.", param.Name, typ.Type)}, a)
		}
	}
}

func checkStatedIncludes(p *Probe, typ *fixtures.Type, stated *fhir.Node, a *Answer) {
	for _, list := range []struct {
		member string
		wanted []string
	}{{"searchInclude", typ.Includes}, {"searchRevInclude", typ.RevIncludes}} {
		listed := texts(stated.Get(list.member))
		for _, want := range list.wanted {
			p.Saw()
			if !slices.Contains(listed, want) {
				p.Drift(Finding{Reason: Search, Path: "CapabilityStatement.rest.resource(" + typ.Type + ")." + list.member + "(" + want + ")",
					Was: "listed", Now: "absent", Message: fmt.Sprintf("%s is no longer stated for %s.", want, typ.Type)}, a)
			}
		}
	}
}
