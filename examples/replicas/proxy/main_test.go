package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// Each replica has its turn, and is told the host that the client used. That
// mocks behind it serve one client is tested in examples/container.
func TestRoundRobin(t *testing.T) {
	t.Parallel()
	const client = "directory.example"
	var replicas []string
	for range 3 {
		replica := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if got := r.Header.Get("X-Forwarded-Host"); got != client {
				t.Errorf("forwarded host %q, want %q", got, client)
			}
		}))
		t.Cleanup(replica.Close)
		replicas = append(replicas, replica.URL)
	}
	proxy, err := roundRobin(replicas)
	if err != nil {
		t.Fatal(err)
	}
	served := map[string]int{}
	for range 6 {
		w := httptest.NewRecorder()
		proxy.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://"+client+"/", nil))
		served[w.Header().Get("X-Served-By")]++
	}
	if len(served) != 3 {
		t.Errorf("served by %v, want three replicas", served)
	}
	for replica, n := range served {
		if n != 2 {
			t.Errorf("%s served %d of 6", replica, n)
		}
	}
}

func TestWrongReplica(t *testing.T) {
	t.Parallel()
	if _, err := roundRobin([]string{"http://a b"}); err == nil {
		t.Error("a replica that is no URL was taken")
	}
}
