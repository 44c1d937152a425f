package record

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"

	"github.com/mockfhir/mockfhir/fixtures"
)

// The parts of a Postman collection v2.1 that are written.
type postmanCollection struct {
	Info     postmanInfo    `json:"info"`
	Variable []postmanField `json:"variable"`
	Item     []postmanSet   `json:"item"`
}

type postmanInfo struct {
	Name   string `json:"name"`
	Schema string `json:"schema"`
}

type postmanField struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type postmanSet struct {
	Name        string        `json:"name"`
	Description string        `json:"description,omitempty"`
	Item        []postmanItem `json:"item"`
}

type postmanItem struct {
	Name     string            `json:"name"`
	Request  postmanRequest    `json:"request"`
	Response []postmanResponse `json:"response"`
}

type postmanRequest struct {
	Method string         `json:"method"`
	Header []postmanField `json:"header"`
	URL    string         `json:"url"`
	Body   *postmanBody   `json:"body,omitempty"`
}

type postmanBody struct {
	Mode string `json:"mode"`
	Raw  string `json:"raw"`
}

type postmanResponse struct {
	Name   string         `json:"name"`
	Asked  postmanRequest `json:"originalRequest"`
	Status string         `json:"status"`
	Code   int            `json:"code"`
	Header []postmanField `json:"header"`
	Body   string         `json:"body"`
}

// postman is a collection with a folder for each scenario, the recorded
// answers as examples, and origin and key as variables.
func (o *ExportOptions) postman(set *fixtures.Set) postmanCollection {
	c := postmanCollection{
		Info:     postmanInfo{cmp.Or(set.Manifest.Name, "mockfhir"), "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"},
		Variable: []postmanField{{"origin", o.Origin}, {"key", o.Key}},
		Item:     []postmanSet{},
	}
	variables := ExportOptions{Origin: "{{origin}}", Key: "{{key}}"}
	for _, s := range set.Scenarios {
		folder := postmanSet{Name: strings.TrimSuffix(strings.TrimPrefix(s.File, "exchanges/"), ".txtar"), Description: s.Title}
		for _, x := range s.Exchanges {
			folder.Item = append(folder.Item, variables.postmanItem(x))
		}
		c.Item = append(c.Item, folder)
	}
	return c
}

func (o *ExportOptions) postmanItem(x fixtures.Exchange) postmanItem {
	r := postmanRequest{Method: x.Request.Method, URL: o.Origin + o.fill(x.Request.Target), Header: []postmanField{}}
	for _, name := range sortedKeys(x.Request.Header) {
		for _, v := range x.Request.Header[name] {
			r.Header = append(r.Header, postmanField{name, o.fill(v)})
		}
	}
	if len(x.Request.Body) > 0 {
		r.Body = &postmanBody{"raw", string(x.Request.Body)}
	}
	answer := postmanResponse{
		Name: strconv.Itoa(x.Response.Status), Asked: r, Status: http.StatusText(x.Response.Status), Code: x.Response.Status,
		Header: []postmanField{}, Body: o.fill(string(x.Response.Body)),
	}
	for _, f := range x.Response.Header {
		answer.Header = append(answer.Header, postmanField{f.Name, o.fill(f.Value)})
	}
	return postmanItem{Name: x.Request.Method + " " + o.fill(x.Request.Target), Request: r, Response: []postmanResponse{answer}}
}
