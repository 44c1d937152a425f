// Package directory finds health professionals. It is a small client of the
// Annuaire Santé API, as anybody would write it: nothing in it knows of
// mockfhir, and its tests run against whatever their environment names.
//
//	mockfhir exec -- go test ./...
package directory

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

// Client calls the API at a base URL, as https://gateway.api.esante.gouv.fr/fhir/v2.
type Client struct {
	BaseURL, Key string
	HTTP         http.Client
}

// Practitioner is what this client knows of one.
type Practitioner struct {
	ID         string `json:"id"`
	Active     bool   `json:"active"`
	Identifier []struct {
		System string `json:"system"`
		Value  string `json:"value"`
	} `json:"identifier"`
	Name []struct {
		Family string   `json:"family"`
		Given  []string `json:"given"`
	} `json:"name"`
}

type bundle struct {
	Total int `json:"total"`
	Link  []struct {
		Relation string `json:"relation"`
		URL      string `json:"url"`
	} `json:"link"`
	Entry []struct {
		Resource Practitioner `json:"resource"`
	} `json:"entry"`
}

// Practitioners returns all that a search finds, page by page.
func (c *Client) Practitioners(ctx context.Context, query url.Values) ([]Practitioner, error) {
	var found []Practitioner
	for page := c.BaseURL + "/Practitioner?" + query.Encode(); page != ""; {
		b, err := c.get(ctx, page)
		if err != nil {
			return nil, err
		}
		for _, e := range b.Entry {
			found = append(found, e.Resource)
		}
		page = b.next()
	}
	return found, nil
}

func (b *bundle) next() string {
	for _, l := range b.Link {
		if l.Relation == "next" {
			return l.URL
		}
	}
	return ""
}

func (c *Client) get(ctx context.Context, page string) (*bundle, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("ESANTE-API-KEY", c.Key)
	response, err := c.HTTP.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the directory answers %s", response.Status)
	}
	b := new(bundle)
	return b, json.NewDecoder(response.Body).Decode(b)
}
