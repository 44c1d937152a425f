package cli

import (
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"mockfhir": func() { os.Exit(Run()) },
		"get":      func() { os.Exit(get(os.Args[1:])) },
		"shorten":  func() { os.Exit(shorten(os.Args[1])) },
		"get-fhir": func() {
			os.Exit(get([]string{"-H", "ESANTE-API-KEY: " + os.Getenv("ESANTE_API_KEY"), os.Getenv("ESANTE_API_URL") + "/metadata"}))
		},
	})
}

// TestScripts runs testdata/script: what a user types, and what comes back.
// Those of verify run in its own package. Beyond testscript's own commands
// there are
//
//	exec get [-k] [-retry] [-H 'Name: value'] URL
//	                                       a small curl: the body on standard
//	                                       output, status and headers on standard
//	                                       error; -retry asks until the status is 200
//	exec get-fhir                          the same of $ESANTE_API_URL/metadata, with $ESANTE_API_KEY
//	exec shorten FILE                      cuts a third off the end of a file
//	await FILE                             waits for a file
//	ready FILE                             waits for a -port-file, and sets $PORT
//	exit CODE PROGRAM [ARGUMENT...]        runs a program that must end with a code
func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	files = slices.DeleteFunc(files, func(name string) bool { return strings.HasPrefix(filepath.Base(name), "verify") })
	if len(files) == 0 {
		t.Fatal("no scripts")
	}
	testscript.Run(t, testscript.Params{
		Files:               files,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			// Under the race detector each of a script's programs would sleep a
			// second before it ends.
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ready": ready,
			"await": await,
			"exit":  exit,
		},
	})
}

func shorten(path string) int {
	info, err := os.Stat(path)
	if err == nil {
		err = os.Truncate(path, info.Size()*2/3)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// ready waits until a server has written its port.
func ready(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ready FILE")
	}
	port := awaitPort(ts.MkAbs(args[0]))
	if port == "" {
		ts.Fatalf("no port in %s: the server did not start", args[0])
	}
	ts.Setenv("PORT", port)
}

// await waits for a file to be there.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: await FILE")
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
	}
	ts.Fatalf("no %s", args[0])
}

// awaitPort reads a -port-file once it is there, or gives up.
func awaitPort(file string) string {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if port, err := os.ReadFile(file); err == nil {
			return strings.TrimSpace(string(port))
		}
	}
	return ""
}

// patience is what a test waits for something that takes milliseconds, on a
// machine that does much else.
const patience = 20 * time.Second

// exit runs a program and compares its exit code.
func exit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exit CODE PROGRAM [ARGUMENT...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var ended *exec.ExitError
		if !errors.As(err, &ended) {
			ts.Fatalf("%v", err)
		}
		got = ended.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// get is a curl that is there on every machine.
func get(args []string) int {
	fs := flag.NewFlagSet("get", flag.ExitOnError)
	insecure := fs.Bool("k", false, "accept any certificate")
	retry := fs.Bool("retry", false, "ask until the status is 200, ten times at most")
	header := http.Header{}
	fs.Func("H", "a `header`; may be repeated", func(text string) error {
		name, value, _ := strings.Cut(text, ": ")
		header.Add(name, value)
		return nil
	})
	_ = fs.Parse(args)
	request, err := http.NewRequest(http.MethodGet, fs.Arg(0), nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	request.Header = header
	client := &http.Client{
		Timeout:   patience,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: *insecure}},
	}
	response, err := client.Do(request)
	for i := 0; *retry && i < 10 && err == nil && response.StatusCode != http.StatusOK; i++ {
		response.Body.Close()
		response, err = client.Do(request)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer response.Body.Close()
	fmt.Fprintln(os.Stderr, response.Status)
	_ = response.Header.Write(os.Stderr)
	if _, err := io.Copy(os.Stdout, response.Body); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
