// Command size measures a server of a large packed directory against what
// docs/performance.md promises, beside a bare net/http server in a process of
// its own that writes the same bytes, and prints the table of that page.
//
//	go build -o mockfhir ./cmd/mockfhir
//	./mockfhir generate -practitioners 1800000 -seed 7 -out big && ./mockfhir fixtures pack big big.mockfhir
//	./mockfhir generate -practitioners 18000 -seed 7 -out small && ./mockfhir fixtures pack small small.mockfhir
//	go run ./bench/size -mockfhir ./mockfhir -small small.mockfhir -big big.mockfhir
//
// With -apart, the servers have a core that the clients do not use.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mockfhir/mockfhir/bench/yardstick"
)

func main() {
	yardstick.Main()
	program := flag.String("mockfhir", "./mockfhir", "the program to measure")
	small := flag.String("small", "", "packed directory of 18,000 Practitioners")
	big := flag.String("big", "", "packed directory of 1,800,000 Practitioners")
	pages := flag.Int("pages", 0, "pages of the full synchronisation, 0 for all")
	apart := flag.Bool("apart", false, "give the servers the first core, and the clients the others")
	flag.Parse()
	if *apart {
		if err := yardstick.Apart(); err != nil {
			fmt.Fprintln(os.Stderr, "size:", err)
			os.Exit(1)
		}
	}
	if err := run(*program, *small, *big, *pages); err != nil {
		fmt.Fprintln(os.Stderr, "size:", err)
		os.Exit(1)
	}
}

func run(program, small, big string, pages int) error {
	fmt.Printf("| what | 18 k | 1.8 M | growth |\n|---|---|---|---|\n")
	s, err := measure(program, small, 0)
	if err != nil {
		return err
	}
	b, err := measure(program, big, pages)
	if err != nil {
		return err
	}
	for i := range s {
		fmt.Printf("| %s | %s | %s | %.1f× |\n", s[i].what, s[i].show(), b[i].show(), b[i].value/s[i].value)
	}
	return nil
}

// figure is one line of the table.
type figure struct {
	what  string
	value float64
	unit  string
}

func (f figure) show() string { return strconv.FormatFloat(f.value, 'f', 2, 64) + " " + f.unit }

// server is a running mockfhir.
type server struct {
	*yardstick.Server
	base string // of the API
	ids  []string
	rpps []string
	orgs []string
}

func start(program, packed string) (*server, time.Duration, error) {
	began := time.Now()
	mock, err := yardstick.StartMock(program, "-fixtures", packed)
	if err != nil {
		return nil, 0, err
	}
	s := &server{Server: mock, base: mock.Base + "/fhir/v2"}
	if _, err := s.get(http.DefaultClient, "/Practitioner?_count=1", &bytes.Buffer{}); err != nil {
		s.Stop()
		return nil, 0, err
	}
	return s, time.Since(began), nil
}

// get asks for a path below the base, or for a whole URL, reads the body into a
// buffer and returns the headers.
func (s *server) get(client *http.Client, path string, into *bytes.Buffer) (http.Header, error) {
	if strings.HasPrefix(path, "/") {
		path = s.base + path
	}
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("ESANTE-API-KEY", yardstick.Key)
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", path, response.Status)
	}
	into.Reset()
	_, err = into.ReadFrom(response.Body)
	return response.Header, err
}

// sample reads identifiers off some pages, to ask for.
func (s *server) sample() error {
	var bundle struct {
		Entry []struct {
			Resource struct {
				ID         string
				Identifier []struct{ System, Value string }
			}
		}
	}
	var body bytes.Buffer
	for _, path := range []string{"/Practitioner?_count=5000&active=true", "/Organization?_count=2000&active=true"} {
		if _, err := s.get(http.DefaultClient, path, &body); err != nil {
			return err
		}
		bundle.Entry = nil
		if err := json.Unmarshal(body.Bytes(), &bundle); err != nil {
			return err
		}
		for _, e := range bundle.Entry {
			if strings.HasPrefix(path, "/Org") {
				s.orgs = append(s.orgs, e.Resource.ID)
				continue
			}
			s.ids = append(s.ids, e.Resource.ID)
			for _, id := range e.Resource.Identifier {
				if id.System == "https://rpps.esante.gouv.fr" {
					s.rpps = append(s.rpps, id.Value)
				}
			}
		}
	}
	return nil
}

// p99 is the 99th percentile of calls by so many clients at once, each of which
// asks again pause after it was answered.
func p99(base string, clients, calls int, pause time.Duration, path func(*rand.Rand) string) (time.Duration, error) {
	times := make([]time.Duration, clients*calls)
	failed := make([]error, clients)
	var group sync.WaitGroup
	for c := range clients {
		group.Go(func() {
			client, err := yardstick.Dial(base)
			if err != nil {
				failed[c] = err
				return
			}
			defer client.Close()
			r := rand.New(rand.NewPCG(1, uint64(c)))
			for i := range calls {
				if pause > 0 {
					time.Sleep(pause/2 + time.Duration(r.Int64N(int64(pause))))
				}
				target := path(r)
				began := time.Now()
				if err := client.Get(target); err != nil {
					failed[c] = err
					return
				}
				times[c*calls+i] = time.Since(began)
			}
		})
	}
	group.Wait()
	slices.Sort(times)
	return times[len(times)*99/100], errors.Join(failed...)
}

func pick(r *rand.Rand, list []string) string { return list[r.IntN(len(list))] }

// prefixes are beginnings of names, long and short.
var prefixes = []string{"du", "be", "mar", "a", "le", "cla", "mo", "ro", "p", "gir"}

func measure(program, packed string, pages int) ([]figure, error) {
	var opens []time.Duration
	for range 5 {
		s, took, err := start(program, packed)
		if err != nil {
			return nil, err
		}
		s.Stop()
		opens = append(opens, took)
	}
	slices.Sort(opens)
	s, _, err := start(program, packed)
	if err != nil {
		return nil, err
	}
	defer s.Stop()
	if err := s.sample(); err != nil {
		return nil, err
	}
	bare, err := yardstick.Start()
	if err != nil {
		return nil, err
	}
	defer bare.Stop()
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	figures := []figure{{"open to the first 200, median of 5", ms(opens[2]), "ms"}}
	for _, c := range []struct {
		what    string
		clients int
		calls   int
		pause   time.Duration
		path    func(*rand.Rand) string
	}{
		{"token search, p99 of 1 client", 1, 1000, 0, func(r *rand.Rand) string { return "/Practitioner?identifier=" + pick(r, s.rpps) }},
		{"token search, p99 at 16 clients of 100 calls a second", 16, 300, 10 * time.Millisecond, func(r *rand.Rand) string { return "/Practitioner?identifier=" + pick(r, s.rpps) }},
		{"token search, p99 at 16 clients without a pause", 16, 3000, 0, func(r *rand.Rand) string { return "/Practitioner?identifier=" + pick(r, s.rpps) }},
		{"reference search, p99 at 16 clients of 100 calls a second", 16, 300, 10 * time.Millisecond, func(r *rand.Rand) string { return "/PractitionerRole?practitioner=" + pick(r, s.ids) }},
		{"reference search, p99 at 16 clients without a pause", 16, 3000, 0, func(r *rand.Rand) string { return "/PractitionerRole?practitioner=" + pick(r, s.ids) }},
		{"read by id, p99 at 16 clients of 100 calls a second", 16, 300, 10 * time.Millisecond, func(r *rand.Rand) string { return "/Practitioner/" + pick(r, s.ids) }},
		{"read by id, p99 at 16 clients without a pause", 16, 3000, 0, func(r *rand.Rand) string { return "/Practitioner/" + pick(r, s.ids) }},
		{"name= prefix, first page, p99", 1, 200, 0, func(r *rand.Rand) string { return "/Practitioner?name=" + pick(r, prefixes) }},
		{"two name:contains, p99", 1, 100, 0, func(r *rand.Rand) string {
			return "/Practitioner?name:contains=" + pick(r, prefixes) + "&name:contains=" + pick(r, prefixes)
		}},
	} {
		if _, err := p99(s.base, c.clients, 5, 0, c.path); err != nil { // the index is verified when it is first used
			return nil, err
		}
		took, err := p99(s.base, c.clients, c.calls, c.pause, c.path)
		if err != nil {
			return nil, err
		}
		figures = append(figures, figure{c.what, ms(took), "ms"})
		if c.clients == 1 {
			continue
		}
		var body bytes.Buffer
		header, err := s.get(http.DefaultClient, c.path(rand.New(rand.NewPCG(1, 1))), &body)
		if err != nil {
			return nil, err
		}
		if err := bare.Give(header, body.Bytes()); err != nil {
			return nil, err
		}
		took, err = p99(bare.Base, c.clients, c.calls, c.pause, func(*rand.Rand) string { return "/" })
		if err != nil {
			return nil, err
		}
		figures = append(figures, figure{"… of a bare net/http server", ms(took), "ms"})
	}
	ratio, perPage, synced, err := s.synchronise(bare, pages)
	if err != nil {
		return nil, err
	}
	figures = append(figures,
		figure{"full synchronisation, share of bare net/http", 100 * ratio, "%"},
		figure{"one page of 200 on the way", perPage, "ms"},
		figure{"Practitioners synchronised", float64(synced), ""},
		figure{"resident memory that is not the file (RssAnon)", s.anonymous(), "MB"},
	)
	return figures, nil
}

// synchronise follows every next link from the first page of all Practitioners.
// Each page is also asked from a bare server, which writes the bytes just seen.
func (s *server) synchronise(bare *yardstick.Bare, pages int) (ratio, perPage float64, synced int, err error) {
	var body, same bytes.Buffer
	var mockTime, bareTime time.Duration
	n := 0
	for next := s.base + "/Practitioner?_count=200"; next != "" && (pages == 0 || n < pages); n++ {
		began := time.Now()
		header, err := s.get(http.DefaultClient, next, &body)
		if err != nil {
			return 0, 0, 0, err
		}
		mockTime += time.Since(began)
		if err := bare.Give(header, body.Bytes()); err != nil {
			return 0, 0, 0, err
		}
		began = time.Now()
		if _, err := s.get(http.DefaultClient, bare.Base+"/", &same); err != nil {
			return 0, 0, 0, err
		}
		bareTime += time.Since(began)
		synced += bytes.Count(body.Bytes(), []byte("\n{\"fullUrl\":"))
		next = ""
		if _, after, found := bytes.Cut(body.Bytes(), []byte(`{"relation": "next","url": "`)); found {
			url, _, _ := bytes.Cut(after, []byte(`"`))
			next = string(url)
		}
	}
	return float64(bareTime) / float64(mockTime), float64(mockTime.Microseconds()) / 1000 / float64(n), synced, nil
}

// anonymous is the memory of the server that no file stands behind, in MB.
func (s *server) anonymous() float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID()))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(text), "RssAnon:")
	kb, _ := strconv.ParseFloat(strings.Fields(after + " 0")[0], 64)
	return kb / 1024
}
