// Package mockserver is the health directory API of the Agence du Numérique en
// Santé as one http.Handler: the FHIR server and the gateway in front of it,
// over a fixture set. Go tests put it behind httptest; the command mockfhir and
// the container image serve it.
//
//	server := httptest.NewServer(mockserver.New(fixtures.Default(), mockserver.WithKeys("k")))
//	defer server.Close()
//	// client.BaseURL = server.URL + "/fhir/v2", header ESANTE-API-KEY: k
//
// What it imitates, how well, and on what evidence is in docs/fidelity.md.
package mockserver
