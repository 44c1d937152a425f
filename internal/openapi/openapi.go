// Package openapi describes the API of a fixture set as an OpenAPI 3.0.3
// document, for the people who generate clients from one and for the test that
// holds every documented request against it. It follows the set's table of
// search parameters, so that it cannot promise what the server refuses.
package openapi

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/mockfhir/mockfhir/fixtures"
)

// object keeps the members of the document in the order they are written.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSON prints the members in order.
func (o object) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, m := range o {
		name, err := json.Marshal(m.name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(append(out, name...), ':'), value...)
	}
	return append(out, '}'), nil
}

// Server is what of a table a server serves.
type Server struct {
	// SearchSuffix: a form is sent to /Type/_search, as ANS documents; otherwise
	// to /Type itself, as its public source has it (ans-server.md §1.2).
	SearchSuffix bool
	// URISearch: parameters of that kind are answered.
	URISearch bool
}

// Document is the OpenAPI document of a table, indented.
func Document(table *fixtures.Table, server Server) []byte {
	paths := object{
		{"/metadata", object{{"get", operation("metadata", "What the server can do", nil, success("CapabilityStatement"))}}},
		{"/_page", object{{"get", operation("page", "The page a next link leads to",
			[]any{queryParam("id", "Page token of a next link, opaque", true)}, success("Bundle"))}}},
	}
	for i := range table.Types {
		t := server.answers(&table.Types[i])
		search := object{{"get", operation("search"+t.Type, "Search "+t.Type, searchParams(t), success("Bundle"))}}
		form := member{"post", formSearch(t)}
		if server.SearchSuffix {
			paths = append(paths, member{"/" + t.Type, search}, member{"/" + t.Type + "/_search", object{form}})
		} else {
			paths = append(paths, member{"/" + t.Type, append(search, form)})
		}
		paths = append(paths,
			member{"/" + t.Type + "/{id}", object{{"get", operation("read"+t.Type, "Read one "+t.Type,
				[]any{object{{"name", "id"}, {"in", "path"}, {"required", true}, {"schema", text()}}}, success(t.Type))}}},
		)
	}
	document := object{
		{"openapi", "3.0.3"},
		{"info", object{
			{"title", "Annuaire Santé, as mockfhir serves it"},
			{"version", "2"},
			{"description", "Health directory API of the Agence du Numérique en Santé on fictitious people. " +
				"Every parameter takes its modifiers behind a colon (name:contains); commas are OR, repetition is AND."},
		}},
		{"servers", []any{object{{"url", "/fhir/v2"}}, object{{"url", "/fhir"}}}},
		{"security", []any{object{{"key", []any{}}}}},
		{"paths", paths},
		{"components", object{
			{"securitySchemes", object{{"key", object{{"type", "apiKey"}, {"in", "header"}, {"name", "ESANTE-API-KEY"}}}}},
			{"schemas", schemas(table)},
			{"responses", object{{"error", content("A refusal: an OperationOutcome from the FHIR server, text or JSON from the gateway", "OperationOutcome")}}},
		}},
	}
	out, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("openapi: a document of plain values did not marshal: %v", err))
	}
	return append(out, '\n')
}

// answers is a type without the parameters that a server refuses.
func (s Server) answers(t *fixtures.Type) *fixtures.Type {
	answered := *t
	answered.Params = slices.DeleteFunc(slices.Clone(t.Params), func(p fixtures.Param) bool { return p.Kind == fixtures.URI && !s.URISearch })
	return &answered
}

func operation(id, summary string, params []any, responses object) object {
	op := object{{"operationId", id}, {"summary", summary}}
	if len(params) > 0 {
		op = append(op, member{"parameters", params})
	}
	return append(op, member{"responses", responses})
}

func success(resource string) object {
	return object{
		{"200", content(resource, resource)},
		{"default", object{{"$ref", "#/components/responses/error"}}},
	}
}

func content(description, schema string) object {
	media := object{{"schema", object{{"$ref", "#/components/schemas/" + schema}}}}
	if schema == "OperationOutcome" {
		gateway := object{{"schema", object{}}}
		return object{{"description", description}, {"content", object{
			{"application/fhir+json", media}, {"application/json", gateway}, {"text/plain", gateway}, {"text/html", gateway},
		}}}
	}
	return object{{"description", description}, {"content", object{{"application/fhir+json", media}}}}
}

// searchParams lists the parameters of a type under each name and modifier
// that ANS documents, then the special ones.
func searchParams(t *fixtures.Type) []any {
	var params []any
	for _, f := range searchFields(t) {
		params = append(params, queryParam(f.name, f.about, false))
	}
	return params
}

type field struct{ name, about string }

// modifiers are those that change something (ans-server.md §2.4, §2.5).
var modifiers = map[fixtures.Kind][]string{
	fixtures.String: {"contains", "exact"},
	fixtures.Token:  {"not"},
}

func searchFields(t *fixtures.Type) []field {
	var fields []field
	for _, p := range t.Params {
		for _, name := range append([]string{p.Name}, p.Aliases...) {
			fields = append(fields, field{name, p.Documentation + " (" + string(p.Kind) + ")"})
			for _, m := range modifiers[p.Kind] {
				fields = append(fields, field{name + ":" + m, p.Documentation})
			}
		}
	}
	return append(fields, []field{
		{"_count", "Matches on a page, 50 by default"},
		{"_total", "accurate, estimate (as exact) or none"},
		{"_elements", "Members to keep, separated by commas"},
		{"_include", "Type:parameter whose targets are wanted as well, or *"},
		{"_revinclude", "Type:parameter of resources that refer to the matches"},
		{"_format", "Ignored: the answer is JSON"},
		{"_pretty", "Ignored: the answer is compact"},
	}...)
}

// queryParam may be repeated, which is why it is an array.
func queryParam(name, about string, required bool) object {
	p := object{{"name", name}, {"in", "query"}, {"description", about}}
	if required {
		return append(p, member{"required", true}, member{"schema", text()})
	}
	return append(p, member{"explode", true}, member{"allowReserved", true}, member{"allowEmptyValue", true},
		member{"schema", object{{"type", "array"}, {"items", text()}}})
}

func formSearch(t *fixtures.Type) object {
	properties := object{}
	for _, f := range searchFields(t) {
		properties = append(properties, member{f.name, object{{"type", "array"}, {"items", text()}, {"description", f.about}}})
	}
	return object{
		{"operationId", "search" + t.Type + "ByForm"},
		{"summary", "Search " + t.Type + " with parameters too long for a URL"},
		{"requestBody", object{{"content", object{{"application/x-www-form-urlencoded",
			object{{"schema", object{{"type", "object"}, {"properties", properties}}}}}}}}},
		{"responses", success("Bundle")},
	}
}

func text() object { return object{{"type", "string"}} }

func schemas(table *fixtures.Table) object {
	list := func(items object) object { return object{{"type", "array"}, {"items", items}} }
	resource := func(typ string) object {
		return object{{"type", "object"}, {"required", []string{"resourceType", "id", "meta"}}, {"properties", object{
			{"resourceType", object{{"type", "string"}, {"enum", []string{typ}}}},
			{"id", text()},
			{"meta", object{{"type", "object"}}},
		}}}
	}
	kind := func(typ string) member {
		return member{"resourceType", object{{"type", "string"}, {"enum", []string{typ}}}}
	}
	link := object{{"type", "object"}, {"required", []string{"relation", "url"}}, {"properties", object{
		{"relation", object{{"type", "string"}, {"enum", []string{"self", "next"}}}},
		{"url", text()},
	}}}
	entry := object{{"type", "object"}, {"required", []string{"fullUrl", "resource"}}, {"properties", object{
		{"fullUrl", text()},
		{"resource", object{{"type", "object"}, {"required", []string{"resourceType", "id", "meta"}}}},
	}}}
	issue := object{{"type", "object"}, {"required", []string{"severity", "code"}}, {"properties", object{
		{"severity", text()}, {"code", text()}, {"diagnostics", text()},
	}}}
	all := object{
		{"Bundle", object{{"type", "object"}, {"required", []string{"resourceType", "type", "id", "entry", "link"}}, {"properties", object{
			kind("Bundle"),
			{"type", object{{"type", "string"}, {"enum", []string{"searchset"}}}},
			{"id", text()},
			{"total", object{{"type", "integer"}, {"minimum", 0}}},
			{"entry", list(entry)},
			{"link", list(link)},
		}}}},
		{"CapabilityStatement", object{{"type", "object"}, {"required", []string{"resourceType", "status", "fhirVersion", "format", "rest"}}, {"properties", object{
			kind("CapabilityStatement"),
			{"status", text()}, {"fhirVersion", text()},
			{"format", list(text())},
			{"rest", list(object{{"type", "object"}})},
		}}}},
		{"OperationOutcome", object{{"type", "object"}, {"required", []string{"resourceType", "issue"}}, {"properties", object{
			kind("OperationOutcome"), {"issue", list(issue)},
		}}}},
	}
	for _, t := range table.Types {
		all = append(all, member{t.Type, resource(t.Type)})
	}
	return all
}
