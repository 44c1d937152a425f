package contract

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// keyChecks: the gateway refuses requests without a valid key, in words that
// clients tell apart from errors of the FHIR server.
func keyChecks() []Check {
	const (
		source = guide + "getting-started/api-basics.md#authentification"
		policy = gravitee + "gravitee-policy-apikey"
		why    = "Clients read a 401 as \"renew the key\"; any other answer sends them looking elsewhere, and data without a key is a leak."
	)
	refused := func(id, title, key string) Check {
		return Check{
			ID: id, Title: title, Level: Required, Source: source, Why: why,
			Run: func(ctx context.Context, p *Probe) error {
				for _, path := range []string{"Practitioner?_count=1", "metadata"} {
					if err := p.refused(ctx, Request{Path: path, Key: key}); err != nil {
						return err
					}
				}
				return nil
			},
		}
	}
	return []Check{
		refused("keys/missing", "A request without a key is refused with 401", noKey),
		refused("keys/unknown", "A request with an unknown key is refused with 401", unknownKey),
		refused("keys/empty", "A request with an empty key is refused with 401", emptyKey),
		{
			ID: "keys/pages", Title: "The next page of a search wants the key as well", Level: Required, Source: source, Why: why,
			Run: checkKeyOnPages,
		},
		{
			ID: "keys/body", Title: "The refusal speaks JSON to who accepts JSON and text to the others", Level: Observed, Source: policy,
			Why: "Clients that show the gateway's message parse {message, http_status_code}.",
			Run: checkKeyBody,
		},
		{
			ID: "keys/other-header", Title: "The key is read from " + KeyHeader + " alone", Level: Observed, Source: policy,
			Why: "A second way in is a second way to leak the key.",
			Run: func(ctx context.Context, p *Probe) error {
				return p.refused(ctx, Request{Path: "metadata", KeyIn: "X-Gravitee-Api-Key"})
			},
		},
		{
			ID: "keys/query", Title: "The key as a query parameter is accepted or refused, nothing else", Level: Observed, Source: policy,
			Why: "A key in an address ends up in logs; whether the gateway takes it there is good to know.",
			Run: checkKeyInQuery,
		},
	}
}

// unknownKey has the form of a key and belongs to nobody.
const unknownKey = "00000000-0000-4000-8000-000000000000"

// refused sends a request that must get the gateway's 401.
func (p *Probe) refused(ctx context.Context, r Request) error {
	a, err := p.Do(ctx, r)
	if err != nil {
		return err
	}
	p.Saw()
	where, _, _ := strings.Cut(publicPath(r.Path), "?")
	switch {
	case a.Status == http.StatusOK:
		p.Drift(Finding{Reason: Security, Path: where, Was: "401", Now: a.summary(),
			Message: fmt.Sprintf("%s answers 200 to a request that brings no valid key.", where)}, a)
	case a.Status != http.StatusUnauthorized:
		p.Drift(Finding{Reason: Security, Path: where, Was: "401", Now: a.summary(),
			Message: fmt.Sprintf("%s refuses a request without a valid key with %d instead of 401.", where, a.Status)}, a)
	}
	return nil
}

func checkKeyOnPages(ctx context.Context, p *Probe) error {
	for _, typ := range types {
		first, err := p.Search(ctx, typ+"?_count=1")
		if err != nil || first == nil {
			return err
		}
		if next := first.Link("next"); next != "" {
			return p.refused(ctx, Request{Path: p.nextPath(next), Key: noKey})
		}
	}
	return nil
}

// checkKeyBody asks in the ways clients do. What Gravitee's two engines answer
// differently (application/json among others) is not asked.
func checkKeyBody(ctx context.Context, p *Probe) error {
	for _, c := range []struct {
		accept string
		json   bool
	}{{"application/json", true}, {"*/*", true}, {"application/fhir+json", false}, {"text/html", false}, {"", false}} {
		header := http.Header{"Accept": {c.accept}}
		if c.accept == "" {
			header["Accept"] = nil
		}
		a, err := p.Do(ctx, Request{Path: "metadata", Key: noKey, Header: header})
		if err != nil {
			return err
		}
		if a.Status == http.StatusOK {
			continue // keys/missing tells it
		}
		p.Saw()
		where := "Accept: " + c.accept
		if !c.json {
			if a.mediaType() != "text/plain" || a.JSON() != nil || len(a.Body) == 0 {
				p.Drift(Finding{Reason: Protocol, Path: where, Was: "text/plain", Now: safe(a.mediaType()) + " " + a.Content(),
					Message: "The refusal of a request without a key is not the gateway's plain text any more."}, a)
			}
			continue
		}
		message, code := a.JSON().Get("message").Str(), a.JSON().Get("http_status_code")
		if n, ok := integer(code); message == "" || !ok || n != a.Status {
			p.Drift(Finding{Reason: Protocol, Path: where, Was: "{message, http_status_code}", Now: safe(a.mediaType()) + " " + a.Content(),
				Message: "The JSON of a refusal does not carry message and http_status_code any more."}, a)
		}
	}
	return nil
}

// checkKeyInQuery puts the key in an address, so only where no log of another
// machine sees it. Which of the two answers comes is for the baseline to hold.
func checkKeyInQuery(ctx context.Context, p *Probe) error {
	if !p.local {
		return p.NotApplicable("would write the key in the logs of the gateway")
	}
	a, err := p.Do(ctx, Request{Path: "metadata", KeyIn: "?api-key"})
	if err != nil {
		return err
	}
	p.Saw()
	if a.Status != http.StatusOK && a.Status != http.StatusUnauthorized {
		p.Drift(Finding{Reason: Security, Path: "metadata?api-key", Was: "200 or 401", Now: a.summary(),
			Message: fmt.Sprintf("A key in the query is answered %d.", a.Status)}, a)
	}
	return nil
}
