package directory

import (
	"net/url"
	"os"
	"testing"
)

func client(t *testing.T) *Client {
	t.Helper()
	base := os.Getenv("ESANTE_API_URL")
	if base == "" {
		t.Skip("no directory to ask: mockfhir exec -- go test ./...")
	}
	return &Client{BaseURL: base, Key: os.Getenv("ESANTE_API_KEY")}
}

func TestAllPages(t *testing.T) {
	all, err := client(t).Practitioners(t.Context(), url.Values{"_count": {"50"}})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, p := range all {
		if p.ID == "" || seen[p.ID] {
			t.Errorf("practitioner %q came twice, or has no id", p.ID)
		}
		seen[p.ID] = true
	}
	if len(all) <= 50 {
		t.Errorf("%d practitioners, want more than a page", len(all))
	}
}

func TestFindByNumber(t *testing.T) {
	c := client(t)
	all, err := c.Practitioners(t.Context(), url.Values{"active": {"true"}, "_count": {"200"}})
	if err != nil || len(all) == 0 {
		t.Fatalf("%d practitioners, %v", len(all), err)
	}
	number := all[0].Identifier[0].Value
	found, err := c.Practitioners(t.Context(), url.Values{"identifier": {number}})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 || found[0].ID != all[0].ID {
		t.Errorf("identifier %s finds %d practitioners, want %s alone", number, len(found), all[0].ID)
	}
}

func TestWrongKey(t *testing.T) {
	c := client(t)
	c.Key = "not-a-key"
	if _, err := c.Practitioners(t.Context(), nil); err == nil {
		t.Error("a wrong key was accepted")
	}
}
