package mockserver_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/mockserver"
)

// nothing is a response that keeps nothing.
type nothing struct{ header http.Header }

func (n nothing) Header() http.Header         { return n.header }
func (n nothing) WriteHeader(int)             {}
func (n nothing) Write(p []byte) (int, error) { return len(p), nil }

// TestAllocations guards what a request costs in memory, which no noise of a
// machine changes: a page of fifty entries takes hardly more pieces than one of
// one. It runs alone, because the count is of the whole process.
func TestAllocations(t *testing.T) {
	mock := mockserver.New(fixtures.Default(), mockserver.WithKeys("k"), mockserver.WithRate("0"))
	for _, c := range []struct {
		target string
		most   float64
	}{
		{"/fhir/v2/metadata", 45},
		{"/fhir/v2/Practitioner?identifier=https%3A%2F%2Frpps.esante.gouv.fr%7C19000000018", 80},
		{"/fhir/v2/Practitioner", 70},
		{"/fhir/v2/PractitionerRole?_include=*", 310},
	} {
		r := httptest.NewRequest("GET", c.target, nil)
		r.Header.Set("ESANTE-API-KEY", "k")
		got := testing.AllocsPerRun(50, func() { mock.ServeHTTP(nothing{http.Header{}}, r) })
		if got > c.most {
			t.Errorf("%s: %.0f allocations, at most %.0f", c.target, got, c.most)
		}
		t.Logf("%s: %.0f allocations", c.target, got)
	}
}
