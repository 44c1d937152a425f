package mockserver

import (
	"net/http"
	"strings"

	"github.com/mockfhir/mockfhir/internal/v1"
)

// versionOne hands a request to version 1, whose links always name it: a
// client that wrote /fhir gets addresses below /fhir/v1.
func (c *call) versionOne() {
	if !c.pass() {
		return
	}
	request := v1.Request{Base: strings.TrimSuffix(c.base, "/v2") + "/v1", Path: c.path, Query: c.query}
	if c.r.Method == http.MethodPost && isForm(c.r.Header.Get("Content-Type")) {
		request.Form = c.body()
	}
	d := c.differ
	request.Incident = v1.Incident{
		Rules: c.rules(c.now()), Resource: d.Resource, Metadata: d.Metadata,
		NoTotal: d.NoTotal, EmptyPages: d.EmptyPages, BrokenPages: d.BrokenPages, RepeatIncludes: d.RepeatIncludes,
		NextOrigin: d.NextOrigin, FullURLOrigin: d.FullURLOrigin, OddTokens: d.OddTokens, Reverse: d.Reverse,
	}
	if d.Reloaded {
		request.Incident.Resource = c.rewrite
	}
	if d.NewIDs {
		request.Incident.IDSuffix, request.Incident.Told = newIDSuffix, newIDs
	}
	server := c.state.session.View("v1", func() any { return v1.New(c.store, c.digest, c.now) })
	c.state.why = server.(*v1.Server).Answer(c.w, c.r, request)
}

func isForm(contentType string) bool {
	mediaType, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(mediaType), "application/x-www-form-urlencoded")
}
