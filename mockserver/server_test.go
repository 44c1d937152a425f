package mockserver_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/mockserver"
)

// TestTokenOfAnotherHistory: a token made in the middle of changes is known to
// the process that made it, and too old for any other (§6.4).
func TestTokenOfAnotherHistory(t *testing.T) {
	t.Parallel()
	set := directory("Device/a", "Device/b")
	one, two := build(t, set), build(t, set)
	one.Put(fixtures.Resource{Type: "Device", ID: "c", JSON: `{"resourceType":"Device","id":"c"}`})
	next := strings.TrimPrefix(decodeBundle(t, answer(one, inProcess("GET", "/fhir/v2/Device?_count=2", "")).Body.String()).link("next"), "http://mock.example")
	if got := kind(answer(one, inProcess("GET", next, ""))); got != "200 searchset of 1" {
		t.Errorf("its own: %s", got)
	}
	if got := kind(answer(two, inProcess("GET", next, ""))); got != oo(500, tooOld) {
		t.Errorf("another's: %s", got)
	}
}

// TestReplayBodies: a recording without a body does not answer a request that
// has one.
func TestReplayBodies(t *testing.T) {
	t.Parallel()
	scenario, err := fixtures.ParseScenario("a.txtar", []byte("-- request --\nPOST /fhir/v2/Device/_search\nESANTE-API-KEY: ${key}\n-- response --\n200 OK\n-- body --\nrecorded\n"))
	if err != nil {
		t.Fatal(err)
	}
	set := directory("Device/a")
	set.Scenarios = []*fixtures.Scenario{scenario}
	s := build(t, set)
	for body, want := range map[string]string{"": "200 recorded", "_count=1": "200 searchset of 1"} {
		if got := kind(answer(s, inProcess("POST", "/fhir/v2/Device/_search", body, "Content-Type", form))); got != want {
			t.Errorf("%q: %s, want %s", body, got, want)
		}
	}
}

// TestServing is what the command does: limits on what is slow, and a listener
// with TLS or without, whose links follow.
func TestServing(t *testing.T) {
	t.Parallel()
	certificate := httptest.NewUnstartedServer(nil)
	certificate.StartTLS()
	defer certificate.Close()
	pool := x509.NewCertPool()
	pool.AddCert(certificate.Certificate())
	for scheme, config := range map[string]*tls.Config{"http": nil, "https": {Certificates: certificate.TLS.Certificates}} {
		bare, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := build(t, directory("Device/a")).HTTPServer()
		if server.ReadHeaderTimeout == 0 || server.ReadTimeout == 0 || server.WriteTimeout == 0 || server.IdleTimeout == 0 || server.MaxHeaderBytes == 0 {
			t.Errorf("no limits: %+v", server)
		}
		go func() { _ = server.Serve(mockserver.Listener(bare, config)) }()
		origin := scheme + "://" + bare.Addr().String()
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
		request, err := http.NewRequest("GET", origin+"/fhir/v2/Device", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("ESANTE-API-KEY", "k")
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		if err := response.Write(w); err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != 200 || !strings.Contains(w.Body.String(), `"fullUrl":"`+origin+`/fhir/v2/Device/a"`) {
			t.Errorf("%s: %s %s", origin, response.Status, w.Body)
		}
		client.CloseIdleConnections()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}
}
