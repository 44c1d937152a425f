package contract

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"regexp"
	"strings"
)

// headerChecks: the headers clients act on.
func headerChecks() []Check {
	return []Check{
		{
			ID: "headers/content-type", Title: "FHIR answers say application/fhir+json, in UTF-8", Level: Required,
			Source: fhirR4 + "http.html#mime-type", Why: "HTTP libraries choose the decoder by Content-Type.",
			Run: func(ctx context.Context, p *Probe) error { return p.everyAnswer(ctx, checkContentType) },
		},
		{
			ID: "headers/encoding", Title: "Nothing is compressed unless the client asks", Level: Required,
			Source: "https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3", Why: "A client that asked for plain bytes cannot read others.",
			Run: func(ctx context.Context, p *Probe) error { return p.everyAnswer(ctx, checkEncoding) },
		},
		{
			ID: "headers/gzip", Title: "A client that accepts gzip gets the same answer, packed or not", Level: Required,
			Source: "https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3", Why: "Most HTTP libraries ask for gzip by themselves.",
			Run: checkGzip,
		},
		{
			ID: "headers/accept", Title: "JSON is answered whatever the client accepts", Level: Observed,
			Source: server + "afas-fhir-servlet", Why: "Clients that ask for XML have always got JSON; a 406 would stop them.",
			Run: checkAccept,
		},
		{
			ID: "headers/rate", Title: "Counters of the quota, where there are some, are numbers of their kind", Level: Observed,
			Source: gravitee + "gravitee-policy-ratelimit", Why: "Clients that pace themselves compute with these headers; the reset is in milliseconds since 1970.",
			Run: checkRateHeaders,
		},
	}
}

func checkContentType(p *Probe, where string, a *Answer) {
	if a.Status == http.StatusNotFound && a.JSON() == nil {
		return // not the FHIR server's: read/unknown tells it
	}
	value := a.Header.Get("Content-Type")
	if a.mediaType() != "application/fhir+json" {
		now := safe(a.mediaType())
		if value == "" {
			now = "none"
		}
		p.Drift(Finding{Reason: Protocol, Path: "Content-Type of " + where, Was: "application/fhir+json", Now: now,
			Message: fmt.Sprintf("The answer to %s does not say application/fhir+json.", where)}, a)
		return
	}
	_, params, err := mime.ParseMediaType(value)
	if charset := params["charset"]; err != nil || charset != "" && !strings.EqualFold(charset, "utf-8") {
		p.Drift(Finding{Reason: Protocol, Path: "charset of " + where, Was: "utf-8", Now: safe(charset),
			Message: fmt.Sprintf("The answer to %s says another character set than UTF-8.", where)}, a)
	}
}

func checkEncoding(p *Probe, where string, a *Answer) {
	if e := a.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		p.Drift(Finding{Reason: Protocol, Path: "Content-Encoding of " + where, Was: "none", Now: safe(e),
			Message: fmt.Sprintf("The answer to %s is compressed though the client asked for plain bytes.", where)}, a)
	}
}

func checkGzip(ctx context.Context, p *Probe) error {
	plain, err := p.Get(ctx, "metadata")
	if err != nil {
		return err
	}
	a, err := p.Do(ctx, Request{Path: "metadata", Header: http.Header{"Accept-Encoding": {"gzip"}}})
	if err != nil {
		return err
	}
	p.Saw()
	e := a.Header.Get("Content-Encoding")
	if a.Broken != "" || e != "" && !strings.EqualFold(e, "gzip") && !strings.EqualFold(e, "identity") ||
		a.Status != plain.Status || !same(plain.JSON(), a.JSON()) {
		p.Drift(Finding{Reason: Protocol, Path: "Accept-Encoding: gzip", Was: "the same answer", Now: a.summary(),
			Message: "A client that accepts gzip does not get what others get."}, a)
	}
	return nil
}

func checkAccept(ctx context.Context, p *Probe) error {
	for _, accept := range []string{"application/fhir+xml", "application/json"} {
		a, err := p.Do(ctx, Request{Path: "Practitioner?_count=1", Header: http.Header{"Accept": {accept}}})
		if err != nil {
			return err
		}
		p.Saw()
		if !a.IsBundle() || a.mediaType() != "application/fhir+json" {
			p.Drift(Finding{Reason: Protocol, Path: "Accept: " + accept, Was: "200 application/fhir+json", Now: fmt.Sprintf("%d %s", a.Status, safe(a.mediaType())),
				Message: "What the client accepts is no longer ignored."}, a)
		}
	}
	return nil
}

// rateHeaders are Gravitee's counters, absent unless ANS turns them on.
var rateHeaders = map[string]*regexp.Regexp{
	"X-Rate-Limit-Limit":     regexp.MustCompile(`^[0-9]+$`),
	"X-Rate-Limit-Remaining": regexp.MustCompile(`^[0-9]+$`),
	"X-Rate-Limit-Reset":     regexp.MustCompile(`^([0-9]{13}|-1)$`),
	"X-Quota-Limit":          regexp.MustCompile(`^[0-9]+$`),
	"X-Quota-Remaining":      regexp.MustCompile(`^[0-9]+$`),
	"X-Quota-Reset":          regexp.MustCompile(`^([0-9]{13}|-1)$`),
}

func checkRateHeaders(ctx context.Context, p *Probe) error {
	a, err := p.Get(ctx, "Practitioner?_count=1")
	if err != nil {
		return err
	}
	p.Saw()
	for name, form := range rateHeaders {
		if v := a.Header.Get(name); v != "" && !form.MatchString(v) {
			p.Drift(Finding{Reason: Limit, Path: name, Was: "a number of its kind", Now: fmt.Sprintf("%d characters of another form", len(v)),
				Message: name + " is not written as it was."}, a)
		}
	}
	return nil
}
