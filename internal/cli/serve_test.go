package cli

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// A started command runs inside the test.
type started struct {
	t         *testing.T
	port      string
	stdout    *syncBuffer
	stderr    *syncBuffer
	cancel    context.CancelFunc // what Ctrl-C does
	interrupt func() int         // the same, and the exit code
}

// start runs the command on a port of its own until it is interrupted, or the
// test ends.
func start(t *testing.T, environment map[string]string, args ...string) *started {
	t.Helper()
	portFile := filepath.Join(t.TempDir(), "port")
	ctx, cancel := context.WithCancel(t.Context())
	code := make(chan int, 1)
	s := &started{t: t, stdout: &syncBuffer{}, stderr: &syncBuffer{}, cancel: cancel}
	s.interrupt = sync.OnceValue(func() int {
		cancel()
		select {
		case code := <-code:
			return code
		case <-time.After(patience):
			t.Error("the server does not end")
			return -1
		}
	})
	env := Env{
		Args:   append([]string{"-addr", "127.0.0.1:0", "-port-file", portFile}, args...),
		Getenv: func(name string) string { return environment[name] },
		Stdout: s.stdout, Stderr: s.stderr,
	}
	go func() { code <- Main(ctx, env) }()
	if s.port = awaitPort(portFile); s.port == "" {
		cancel()
		t.Fatalf("the server did not start: %s", s.stderr)
	}
	t.Cleanup(func() { s.interrupt() })
	return s
}

// status of a call with a key.
func (s *started) status(key string) int {
	s.t.Helper()
	request, err := http.NewRequest(http.MethodGet, "http://127.0.0.1:"+s.port+"/fhir/v2/Practitioner?_count=1", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("ESANTE-API-KEY", key)
	return do(s.t, request)
}

func do(t *testing.T, request *http.Request) int {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode
}

var curl = regexp.MustCompile(`(?m)^try: curl -H "([^:]+): ([^"]+)" "([^"]+)"$`)

func TestThePrintedCurlLineWorks(t *testing.T) {
	t.Parallel()
	s := start(t, nil, "-log", "off")
	var line []string
	for deadline := time.Now().Add(patience); line == nil && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		line = curl.FindStringSubmatch(s.stdout.String())
	}
	if line == nil {
		t.Fatalf("no curl line in %q", s.stdout)
	}
	request, err := http.NewRequest(http.MethodGet, line[3], nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set(line[1], line[2])
	if got := do(t, request); got != http.StatusOK {
		t.Errorf("%s answers %d", line[0], got)
	}
}

// A key belongs to somebody: none reaches the output, be it accepted or not.
func TestNoKeyIsPrinted(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			const accepted, refused, inPath = "canary-accepted", "canary-refused", "canary-path"
			s := start(t, nil, "-log", format, "-keys", accepted)
			if got := s.status(accepted); got != http.StatusOK {
				t.Errorf("the accepted key gets %d", got)
			}
			if got := s.status(refused); got != http.StatusUnauthorized {
				t.Errorf("the refused key gets %d", got)
			}
			for _, url := range []string{"/fhir/v2/Practitioner?api-key=" + accepted, "/fhir/v2/Practitioner/" + inPath, "/" + inPath, "/fhir/v2/" + inPath} {
				request, err := http.NewRequest(http.MethodGet, "http://127.0.0.1:"+s.port+url, nil)
				if err != nil {
					t.Fatal(err)
				}
				do(t, request)
			}
			if code := s.interrupt(); code != exitOK {
				t.Errorf("exit code %d", code)
			}
			printed := s.stdout.String() + s.stderr.String()
			if calls := strings.Count(s.stderr.String(), "/fhir/v2/Practitioner"); calls < 4 {
				t.Errorf("%d calls in the log, 4 were made:\n%s", calls, s.stderr)
			}
			if strings.Contains(printed, "canary") {
				t.Errorf("a canary is printed:\n%s", printed)
			}
		})
	}
}

func TestOwnCertificate(t *testing.T) {
	t.Parallel()
	certificate, err := selfSigned(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: certificate.Certificate[0]},
		keyFile:  {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := start(t, nil, "-log", "off", "-tls-cert", certFile, "-tls-key", keyFile)

	leaf, err := x509.ParseCertificate(certificate.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(leaf)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}}
	defer client.CloseIdleConnections()
	response, err := client.Get("https://localhost:" + s.port + "/__mockfhir/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("status %d", response.StatusCode)
	}
}

// Who is being answered when Ctrl-C comes gets their answer.
func TestAnInterruptLetsCallsEnd(t *testing.T) {
	t.Parallel()
	s := start(t, nil, "-log", "off")
	conn, err := net.Dial("tcp", "127.0.0.1:"+s.port)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const form = "_count=1&active=true"
	fmt.Fprintf(conn, "POST /fhir/v2/Practitioner/_search HTTP/1.1\r\nHost: localhost\r\nESANTE-API-KEY: mock-key\r\nExpect: 100-continue\r\n"+
		"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n", len(form))
	answer := bufio.NewReader(conn)
	// The interim answer says that the server is inside the call.
	if line, err := answer.ReadString('\n'); err != nil || !strings.Contains(line, "100") {
		t.Fatalf("interim answer %q, %v", line, err)
	}
	if _, err := answer.ReadString('\n'); err != nil {
		t.Fatal(err)
	}

	s.cancel()
	for {
		late, err := net.Dial("tcp", "127.0.0.1:"+s.port)
		if err != nil {
			break // nobody new is let in
		}
		late.Close()
		time.Sleep(time.Millisecond)
	}
	fmt.Fprint(conn, form)
	response, err := http.ReadResponse(answer, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || !bytes.Contains(body, []byte(`"searchset"`)) {
		t.Errorf("%d, %v: %.200s", response.StatusCode, err, body)
	}
	if code := s.interrupt(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

// Flags win over the environment, the environment over defaults.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		environment map[string]string
		args        []string
		opens       string
	}{
		{"default", nil, nil, "mock-key"},
		{"environment", map[string]string{"MOCKFHIR_KEYS": "from-environment"}, nil, "from-environment"},
		{"flag", map[string]string{"MOCKFHIR_KEYS": "from-environment"}, []string{"-keys", "from-flag"}, "from-flag"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, tt.environment, append(tt.args, "-log", "off")...)
			for _, key := range []string{"mock-key", "from-environment", "from-flag"} {
				want := http.StatusUnauthorized
				if key == tt.opens {
					want = http.StatusOK
				}
				if got := s.status(key); got != want {
					t.Errorf("key %s gets %d, want %d", key, got, want)
				}
			}
		})
	}
}

// syncBuffer is read while the command writes.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
