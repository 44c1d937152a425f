package contract

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// preflight asks whether the service can be judged at all, and says in a
// sentence why not. A service that is down, a key that is refused, a page of
// maintenance say nothing about the contract: none of them is drift.
func (c *client) preflight(ctx context.Context) (obstacle string, err error) {
	var first *Answer
	lets := false
	for _, path := range []string{"metadata", "Practitioner?_count=1", "Organization?_count=1"} {
		a, err := c.do(ctx, &Request{Path: path, Fresh: true})
		var down *outage
		switch {
		case errors.As(err, &down):
			if first == nil {
				return "The service cannot be reached: " + down.sentence + ".", nil
			}
			continue
		case errors.Is(err, errInconclusive):
			return capital(err.Error()) + ".", nil
		case err != nil:
			return "", err
		}
		if first == nil {
			first = a
		}
		if a.isFHIR() {
			lets = true
			if path != "metadata" {
				return "", nil
			}
			continue // the key is refused or the calls are counted on searches
		}
		if lets && !a.refusal() {
			return "", nil
		}
		if lets {
			first, lets = a, false
		}
	}
	if lets {
		return "", nil
	}
	return c.obstacle(first), nil
}

// isFHIR reports whether the answer comes from a server that speaks FHIR, be
// it wrongly: what is wrong is for the checks to tell. A gateway, or a page of
// maintenance, speaks JSON as well, and a server that is closed says so in an
// OperationOutcome.
func (a *Answer) isFHIR() bool {
	if a.Status != http.StatusOK {
		return false
	}
	typ := a.ResourceType()
	return typ != "" && typ != "OperationOutcome" || a.tooSlow && strings.HasPrefix(string(a.Body), "{")
}

// refusal reports whether the gateway kept the request for itself.
func (a *Answer) refusal() bool {
	switch a.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests:
		return true
	}
	return false
}

// obstacle puts in words why an answer is none to judge by.
func (c *client) obstacle(a *Answer) string {
	switch s := a.Status; {
	case s == http.StatusUnauthorized || s == http.StatusForbidden:
		if c.key == "" {
			return fmt.Sprintf("No key was given and the gateway wants one (%d): put yours in ESANTE_API_KEY.", s)
		}
		return fmt.Sprintf("The key is refused (%d): check ESANTE_API_KEY, and that its application is subscribed to the API.", s)
	case s == http.StatusTooManyRequests:
		return "The gateway still answers 429 after waiting: the key is used elsewhere, or its quota is spent."
	case s == http.StatusServiceUnavailable:
		if wait, ok := retryAfter(a.Header, c.clock.Now()); ok {
			return fmt.Sprintf("The service is closed, as for maintenance, and asks to come back in %v (503).", wait)
		}
		return "The service is closed, as for maintenance (503)."
	case s >= 500:
		return fmt.Sprintf("The service answers %s to everything it is asked: an outage.", a.summary())
	case s == http.StatusNotFound:
		return fmt.Sprintf("Nothing is served at this address (%s): the route is lost at the gateway, or the base URL is wrong.", a.summary())
	case s >= 300 && s < 400:
		return "Every request is redirected" + redirectHost(a) + ": the API moved, or something on the way wants a login."
	case a.tooLarge:
		return "The service answers more than can be taken in: its answer " + a.Broken + "."
	case a.Broken != "":
		return "The service does not finish what it says: its answer " + a.Broken + "."
	case strings.HasPrefix(a.Content(), "an HTML"):
		return fmt.Sprintf("The service answers an HTML page (%d) instead of FHIR: maintenance, or a portal on the way.", s)
	}
	if a.JSON() != nil && a.Status == http.StatusOK {
		return fmt.Sprintf("The service answers %s to everything it is asked: maintenance, or something in front of it.", a.summary())
	}
	return fmt.Sprintf("What answers there is no FHIR server: %s.", a.summary())
}

func redirectHost(a *Answer) string {
	if u, err := url.Parse(a.Header.Get("Location")); err == nil && u.Host != "" {
		return " to " + safe(u.Scheme+"://"+u.Hostname())
	}
	return ""
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
