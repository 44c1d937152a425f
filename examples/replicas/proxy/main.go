// Command proxy shares requests out to replicas, one after the other. Any
// round-robin proxy does in its place; this one needs no image but its own.
//
//	proxy http://mock-1:8080 http://mock-2:8080
package main

import (
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync/atomic"
	"time"
)

func main() {
	handler, err := roundRobin(os.Args[1:])
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Addr: ":8080", Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}

// roundRobin says in each answer which replica gave it.
func roundRobin(replicas []string) (http.Handler, error) {
	var proxies []http.Handler
	for _, replica := range replicas {
		target, err := url.Parse(replica)
		if err != nil {
			return nil, err
		}
		proxies = append(proxies, &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(target)
				r.SetXForwarded() // the links of answers name the host the client used
			},
			ModifyResponse: func(r *http.Response) error {
				r.Header.Set("X-Served-By", target.Host)
				return nil
			},
		})
	}
	var turn atomic.Uint64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proxies[(turn.Add(1)-1)%uint64(len(proxies))].ServeHTTP(w, r)
	}), nil
}
