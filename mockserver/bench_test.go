package mockserver_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/mockserver"
)

// BenchmarkThroughput asks the mock and a bare net/http handler that writes the
// same bytes in turn, over sockets, and reports the mock's throughput as a
// share of the bare one's. The goal is 70 % or more.
func BenchmarkThroughput(b *testing.B) {
	mock := serve(b, fixtures.Default())
	for _, c := range []struct{ name, target string }{
		{"metadata", "/fhir/v2/metadata"},
		{"page50", "/fhir/v2/Practitioner"},
	} {
		b.Run(c.name, func(b *testing.B) {
			response, body := get(b, mock.URL+c.target)
			bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for _, name := range []string{"Content-Type", "Server", "Set-Cookie", "X-Gravitee-Request-Id", "X-Gravitee-Transaction-Id"} {
					w.Header()[name] = response.Header[name]
				}
				_, _ = io.WriteString(w, body)
			}))
			defer bare.Close()
			ask := func(url string) time.Duration {
				began := time.Now()
				get(b, url+c.target)
				return time.Since(began)
			}
			var bareTime, mockTime time.Duration
			for b.Loop() {
				bareTime += ask(bare.URL)
				mockTime += ask(mock.URL)
			}
			b.SetBytes(int64(len(body)))
			b.ReportMetric(100*float64(bareTime)/float64(mockTime), "%of-bare")
		})
	}
}

// BenchmarkTokenSearch is a search by an identifier, in process: the whole
// handler, gateway and Bundle included. The goal is 50 µs or less.
func BenchmarkTokenSearch(b *testing.B) {
	mock := mockserver.New(fixtures.Default(), mockserver.WithKeys("k"), mockserver.WithRate("0"))
	ask := func() {
		r := httptest.NewRequest("GET", "/fhir/v2/Practitioner?identifier=https%3A%2F%2Frpps.esante.gouv.fr%7C19000000018", nil)
		r.Header.Set("ESANTE-API-KEY", "k")
		w := httptest.NewRecorder()
		mock.ServeHTTP(w, r)
		if w.Code != 200 {
			b.Fatal(w.Code)
		}
	}
	ask()
	b.ReportAllocs()
	for b.Loop() {
		ask()
	}
}

// BenchmarkStart is from nothing to the first answer of a search, in process.
// The goal is 50 ms or less.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		mock := mockserver.New(fixtures.Default(), mockserver.WithKeys("k"), mockserver.WithFreshDates())
		r := httptest.NewRequest("GET", "/fhir/v2/Practitioner", nil)
		r.Header.Set("ESANTE-API-KEY", "k")
		w := httptest.NewRecorder()
		mock.ServeHTTP(w, r)
		if w.Code != 200 {
			b.Fatal(w.Code)
		}
	}
}
