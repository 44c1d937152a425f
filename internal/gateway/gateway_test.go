package gateway_test

import (
	"testing"

	"github.com/mockfhir/mockfhir/internal/gateway"
)

func TestDemoKeys(t *testing.T) {
	t.Parallel()
	addr, _ := start(t, gateway.Default())
	for _, demo := range gateway.DemoKeys() {
		t.Run(demo.Key, func(t *testing.T) {
			t.Parallel()
			got := send(t, addr, request("GET", "/fhir/v2/metadata", "ESANTE-API-KEY: "+demo.Key))
			if got.status != demo.Status {
				t.Errorf("status %d, want %d (%s)", got.status, demo.Status, demo.Meaning)
			}
			if got.closed != (demo.Status != 200) {
				t.Errorf("connection closed: %v", got.closed)
			}
			if demo.Status == 401 && got.body != "Unauthorized" {
				t.Errorf("body %q gives the reason away", got.body)
			}
		})
	}
}
