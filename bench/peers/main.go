// Command peers measures mockfhir beside other mock servers that serve the same
// two static bodies, the capability statement and a page of 50 Practitioners,
// and beside a bare net/http server in a process of its own. It prints the table
// of docs/performance.md.
//
//	go build -o mockfhir ./cmd/mockfhir
//	go run ./bench/peers -mockfhir ./mockfhir
//
// A peer that is not installed is left out with a word. Their configurations
// follow their documentation; none of them was at hand when this was written, so
// what they are to serve is compared before anything is measured.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mockfhir/mockfhir/bench/yardstick"
)

func main() {
	yardstick.Main()
	program := flag.String("mockfhir", "./mockfhir", "the program to measure")
	round := flag.Duration("round", time.Second, "length of one of five rounds of each server and page")
	flag.Parse()
	if err := run(*program, *round, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// page is what every server serves.
type page struct {
	name, path string
	header     http.Header
	body       []byte
}

func (p *page) mediaType() string { return p.header.Get("Content-Type") }

// contestant is a server that is up.
type contestant struct {
	name string
	base string // http://127.0.0.1:PORT
	stop func()
	give func(page) error // tells the bare server what is measured; nil for the others
}

func run(program string, round time.Duration, out io.Writer) error {
	dir, err := os.MkdirTemp("", "peers")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	mock, err := yardstick.StartMock(program)
	if err != nil {
		return err
	}
	defer mock.Stop()
	pages := []page{{name: "metadata", path: "/fhir/v2/metadata"}, {name: "page of 50", path: "/fhir/v2/Practitioner"}}
	for i := range pages {
		if err := pages[i].fetch(mock.Base); err != nil {
			return err
		}
	}
	bare, err := yardstick.Start()
	if err != nil {
		return err
	}
	defer bare.Stop()
	all := []contestant{{"bare net/http", bare.Base, nil, func(p page) error { return bare.Give(p.header, p.body) }}, {name: "mockfhir", base: mock.Base}}
	for _, p := range peers {
		c, err := p.start(dir, pages)
		if err != nil {
			fmt.Fprintf(out, "%s is left out: %v\n", p.name, err)
			continue
		}
		defer c.stop()
		all = append(all, c)
	}
	return compare(out, all, pages, round)
}

// fetch takes the page from the mock.
func (p *page) fetch(base string) error {
	response, body, err := get(base + p.path)
	if err != nil {
		return err
	}
	p.header, p.body = response.Header, body
	return nil
}

func get(url string) (*http.Response, []byte, error) {
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return nil, nil, err
	}
	request.Header.Set("ESANTE-API-KEY", yardstick.Key)
	request.Header.Set("Accept", yardstick.Accept)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s", url, response.Status)
	}
	return response, body, err
}

func launch(name string, cmd *exec.Cmd) (contestant, error) {
	inGroup(cmd) // some are scripts that start the server
	if err := cmd.Start(); err != nil {
		return contestant{}, err
	}
	return contestant{name: name, stop: func() {
		killGroup(cmd)
		_ = cmd.Wait()
	}}, nil
}

// start writes the configuration of a peer, starts it and waits until it serves
// the pages, and answers many requests on a connection. JSON may be printed in
// another way, as Prism does; other values are refused.
func (p peer) start(dir string, pages []page) (contestant, error) {
	command := p.find()
	if command == nil {
		return contestant{}, fmt.Errorf("it is not installed (%s)", p.hint)
	}
	home := filepath.Join(dir, p.name)
	ports, err := freePorts(2)
	if err != nil {
		return contestant{}, err
	}
	if err := os.MkdirAll(home, 0o755); err != nil {
		return contestant{}, err
	}
	args, err := p.configure(home, ports, pages)
	if err != nil {
		return contestant{}, err
	}
	cmd := exec.Command(command[0], append(command[1:], args...)...)
	cmd.Dir = home
	c, err := launch(p.name, cmd)
	if err != nil {
		return c, err
	}
	c.base = "http://127.0.0.1:" + strconv.Itoa(ports[0])
	for _, want := range pages {
		if err := want.await(c.base, p.patience); err != nil {
			c.stop()
			return contestant{}, err
		}
		if _, err := throughput(c.base, want.path, 100*time.Millisecond); err != nil {
			c.stop()
			return contestant{}, err
		}
	}
	return c, nil
}

// await asks until the page is there.
func (p *page) await(base string, patience time.Duration) error {
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		_, body, err := get(base + p.path)
		if err == nil {
			if !sameJSON(body, p.body) {
				return errors.New("it serves something else than it was given")
			}
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("it does not serve the %s within %v: %w", p.name, patience, err)
		}
	}
}

func sameJSON(a, b []byte) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}

// freePorts picks ports that nobody listens on now.
func freePorts(n int) (ports []int, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

const (
	rounds  = 5
	clients = 8
)

// compare measures in rounds, one server after the other in each, so that what
// else the machine does meets all of them.
func compare(out io.Writer, all []contestant, pages []page, round time.Duration) error {
	fmt.Fprintf(out, "| page | server | requests a second, median of %d | share of bare net/http | mockfhir is |\n|---|---|---|---|---|\n", rounds)
	for _, p := range pages {
		seen := make([][]float64, len(all))
		for range rounds {
			for i, c := range all {
				if c.give != nil {
					if err := c.give(p); err != nil {
						return err
					}
				}
				rate, err := throughput(c.base, p.path, round)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", c.name, p.name, err)
				}
				seen[i] = append(seen[i], rate)
			}
		}
		median := func(i int) float64 { slices.Sort(seen[i]); return seen[i][rounds/2] }
		for i, c := range all {
			times := "" // as fast as
			if i > 1 {
				times = fmt.Sprintf("%.1f×", median(1)/median(i))
			}
			fmt.Fprintf(out, "| %s | %s | %.0f | %.1f %% | %s |\n", p.name, c.name, median(i), 100*median(i)/median(0), times)
		}
	}
	return nil
}

// throughput is how many requests a second the clients get answered.
func throughput(base, path string, round time.Duration) (float64, error) {
	var done atomic.Int64
	var mu sync.Mutex
	var failed error
	var group sync.WaitGroup
	began := time.Now()
	for range clients {
		group.Go(func() {
			line, err := yardstick.Dial(base)
			if err == nil {
				defer line.Close()
				for err == nil && time.Since(began) < round {
					err = line.Get(path)
					done.Add(1)
				}
			}
			if err != nil {
				mu.Lock()
				failed = err
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return float64(done.Load()) / time.Since(began).Seconds(), failed
}
