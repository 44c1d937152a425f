package openapi

import (
	"encoding/json"
	"fmt"
	"strings"
)

// ControlRoute is one call of the mock's control API. Do is whatever answers
// it.
type ControlRoute[Do any] struct {
	Method, Path string // /sessions/{session}
	About        string
	Body         string // which of the bodies below it takes, "" for none
	Query        []ControlParam
	Gives        string // type of the answer, "" for JSON
	Open         bool   // answered without a token
	French       bool   // its texts are in French for who asks for it
	Do           Do
}

// ControlParam is a parameter of the query.
type ControlParam struct {
	Name, About string
	Number      bool
}

// bodies are what the calls of the control API take.
var bodies = map[string]object{
	"name":   {{"type", "object"}, {"properties", object{{"name", text()}}}},
	"strict": {{"type", "object"}, {"properties", object{{"strict", object{{"type", "boolean"}}}}}},
	"scope": {{"type", "object"}, {"properties", object{{"scope", object{
		{"type", "string"}, {"description", "share=0.25, path=metadata, page=2, count=200, query=TEXT, after=3, for=10s"},
	}}}}},
	"resources": {{"type", "object"}, {"description", "One FHIR resource; or several, one a line"}},
	"expectation": {{"type", "object"}, {"properties", object{
		{"method", text()}, {"path", text()}, {"query", text()}, {"text", text()},
		{"incident", text()}, {"status", integer()}, {"since", integer()},
		{"times", integer()}, {"atLeast", integer()}, {"atMost", integer()},
		{"then", object{{"type", "array"}, {"items", object{{"type", "object"}}}}},
	}}},
}

func integer() object { return object{{"type", "integer"}} }

// Control is the OpenAPI document of the control API under a prefix.
func Control[Do any](prefix string, routes []ControlRoute[Do]) []byte {
	paths := object{}
	at := map[string]int{}
	for _, r := range routes {
		i, known := at[r.Path]
		if !known {
			i = len(paths)
			at[r.Path] = i
			paths = append(paths, member{r.Path, object{}})
		}
		paths[i].value = append(paths[i].value.(object), member{strings.ToLower(r.Method), controlOperation(r)})
	}
	out, err := json.MarshalIndent(object{
		{"openapi", "3.0.3"},
		{"info", object{{"title", "Control API of mockfhir"}, {"version", "1"}}},
		{"servers", []any{object{{"url", prefix}}}},
		{"security", []any{object{}, object{{"token", []string{}}}}}, // none is needed on loopback
		{"paths", paths},
		{"components", object{{"securitySchemes", object{{"token", object{{"type", "http"}, {"scheme", "bearer"}}}}}}},
	}, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("openapi: a document of plain values did not marshal: %v", err))
	}
	return append(out, '\n')
}

func controlOperation[Do any](r ControlRoute[Do]) object {
	op := object{
		{"operationId", strings.ToLower(r.Method) + strings.NewReplacer("/", "_", "{", "", "}", "").Replace(r.Path)},
		{"summary", r.About},
	}
	params := pathParams(r.Path)
	for _, p := range r.Query {
		schema := text()
		if p.Number {
			schema = integer()
		}
		param := object{{"name", p.Name}, {"in", "query"}}
		if p.About != "" {
			param = append(param, member{"description", p.About})
		}
		params = append(params, append(param, member{"schema", schema}))
	}
	if r.French {
		params = append(params, object{
			{"name", "Accept-Language"}, {"in", "header"}, {"description", "fr for texts in French; they are in English otherwise"}, {"schema", text()},
		})
	}
	if len(params) > 0 {
		op = append(op, member{"parameters", params})
	}
	if r.Body != "" {
		op = append(op, member{"requestBody", object{{"content", object{{"application/json", object{{"schema", bodies[r.Body]}}}}}}})
	}
	answered := object{{"description", "JSON, or nothing with status 204"}}
	if r.Gives != "" {
		answered = object{{"description", "Done"}, {"content", object{{r.Gives, object{{"schema", text()}}}}}}
	}
	failed := object{{"description", "What is wrong, and what to do"}, {"content", object{{"application/json", object{{"schema", object{
		{"type", "object"}, {"properties", object{{"error", text()}}}, {"required", []string{"error"}},
	}}}}}}}
	op = append(op, member{"responses", object{{"2XX", answered}, {"default", failed}}})
	if r.Open {
		op = append(op, member{"security", []any{}})
	}
	return op
}

func pathParams(path string) []any {
	var params []any
	for segment := range strings.SplitSeq(path, "/") {
		if name, found := strings.CutPrefix(segment, "{"); found {
			params = append(params, object{{"name", strings.TrimSuffix(name, "}")}, {"in", "path"}, {"required", true}, {"schema", text()}})
		}
	}
	return params
}
