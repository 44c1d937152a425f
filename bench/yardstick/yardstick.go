// Package yardstick is what the measurements below bench have in common: the
// mock in a process of its own, a bare net/http server in another to compare it
// with, and a client that costs next to nothing.
package yardstick

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Key and Accept are sent with every request: the demo key of a mock, and what
// FHIR is served as.
const (
	Key    = "mock-key"
	Accept = "application/fhir+json"
)

// be is the only argument of a program that is to be the bare server.
const be = "be-the-bare-server"

// apart is set in the environment of a program that Apart started.
const apart = "YARDSTICK_APART"

// Apart starts the program anew on every core but the first, which is for the
// servers it starts: clients do not take the processor from what they measure,
// as if they were other machines. In the new one it returns; in the old one it
// does not, unless there is no second core or no taskset.
func Apart() error {
	if os.Getenv(apart) != "" {
		return nil
	}
	if runtime.NumCPU() < 2 {
		return errors.New("there is only one core; measure without -apart")
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command("taskset", append([]string{"-c", "1-" + strconv.Itoa(runtime.NumCPU()-1), self}, os.Args[1:]...)...)
	cmd.Env = append(os.Environ(), apart+"=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%w; it comes with util-linux, on Linux alone", err)
	}
	_ = cmd.Wait()
	os.Exit(cmd.ProcessState.ExitCode())
	return nil
}

// command runs a server where servers belong.
func command(program string, args ...string) *exec.Cmd {
	if os.Getenv(apart) == "" {
		return exec.Command(program, args...)
	}
	return exec.Command("taskset", append([]string{"-c", "0", program}, args...)...)
}

// Server is a server in another process.
type Server struct {
	cmd *exec.Cmd
	// Base is where it listens: http://127.0.0.1:PORT.
	Base string
}

// Stop ends the server.
func (s *Server) Stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// PID is the number of its process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// StartMock starts mockfhir on a free port, without a quota and a log, and waits
// until it serves, a minute at most. Stop must be called.
func StartMock(program string, args ...string) (*Server, error) {
	dir, err := os.MkdirTemp("", "yardstick")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	portFile := filepath.Join(dir, "port")
	cmd := command(program, append([]string{"-addr", "127.0.0.1:0", "-port-file", portFile, "-log", "off", "-rate", "0"}, args...)...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &Server{cmd: cmd}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Microsecond) {
		if port, err := os.ReadFile(portFile); err == nil && len(port) > 0 {
			s.Base = "http://127.0.0.1:" + strings.TrimSpace(string(port))
			return s, nil
		}
	}
	s.Stop()
	return nil, fmt.Errorf("%s did not serve within a minute", program)
}

// Bare is a server that does nothing but write the headers and the body it was
// last given.
type Bare struct{ Server }

// given begins the names of the headers to write, in the request that gives them.
const given = "Given-"

// Main must be called first in a program that starts a Bare, which is the same
// program in another process: there, it serves and does not return.
func Main() {
	if len(os.Args) != 2 || os.Args[1] != be {
		return
	}
	var header http.Header
	var body []byte
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("http://" + l.Addr().String())
	_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			header = http.Header{}
			for name, values := range r.Header {
				if name, found := strings.CutPrefix(name, given); found {
					header[name] = values
				}
			}
			body, _ = io.ReadAll(r.Body)
			return
		}
		maps.Copy(w.Header(), header)
		_, _ = w.Write(body)
	}))
	os.Exit(1)
}

// Start starts a bare server. Stop must be called.
func Start() (*Bare, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := command(self, be)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	b := &Bare{Server{cmd: cmd}}
	if b.Base, err = bufio.NewReader(out).ReadString('\n'); err != nil {
		b.Stop()
		return nil, err
	}
	b.Base = strings.TrimSpace(b.Base)
	return b, nil
}

// Give tells it what to write from now on: the body of a response, and those of
// its headers that net/http does not make.
func (b *Bare) Give(header http.Header, body []byte) error {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPut, b.Base+"/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name, values := range header {
		if name != "Date" && name != "Content-Length" {
			request.Header[given+name] = values
		}
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// Line is a client of one connection and nothing else: clients share the
// processor with the server, and it is the server that is measured.
type Line struct {
	host string
	conn net.Conn // nil after an answer that ends the connection
	in   *bufio.Reader
	head string // of requests, behind the path
	base string // of paths
}

// Dial connects to a base, http://HOST:PORT or something below it.
func Dial(base string) (*Line, error) {
	host, below, found := strings.Cut(strings.TrimPrefix(base, "http://"), "/")
	if found {
		below = "/" + below
	}
	l := &Line{host: host, base: below, head: " HTTP/1.1\r\nHost: " + host + "\r\nAccept: " + Accept + "\r\nESANTE-API-KEY: " + Key + "\r\n\r\n"}
	return l, l.connect()
}

func (l *Line) connect() (err error) {
	if l.conn, err = net.Dial("tcp", l.host); err == nil {
		l.in = bufio.NewReaderSize(l.conn, 64<<10)
	}
	return err
}

// Get asks for a path below the base and reads the answer, which must be a 200.
func (l *Line) Get(path string) error {
	if l.conn == nil {
		if err := l.connect(); err != nil {
			return err
		}
	}
	if _, err := io.WriteString(l.conn, "GET "+l.base+path+l.head); err != nil {
		return err
	}
	response, err := http.ReadResponse(l.in, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.Close {
		l.Close()
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", path, response.Status)
	}
	return nil
}

// Close ends the connection.
func (l *Line) Close() {
	if l.conn != nil {
		_ = l.conn.Close()
		l.conn = nil
	}
}
