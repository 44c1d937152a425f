package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// healthcheck asks the server of this machine, or container, whether it is
// ready. It reads the flags and the environment that the server reads.
func healthcheck(ctx context.Context, env Env, args []string) int {
	var f serveFlags
	fs := flag.NewFlagSet("healthcheck", flag.ContinueOnError)
	f.define(fs)
	if len(args) == 0 {
		args = argsOfProcessOne()
	}
	err := parse(fs, args, env.Getenv, env.Stdout)
	if errors.Is(err, errHelp) {
		return exitOK
	}
	if err != nil {
		fmt.Fprintf(env.Stderr, "mockfhir: %v\n", err)
		return exitUsage
	}
	if err := f.ready(ctx); err != nil {
		fmt.Fprintf(env.Stderr, "mockfhir: not ready: %v\n", err)
		return exitFailure
	}
	fmt.Fprintln(env.Stdout, "ready")
	return exitOK
}

// ready asks once and waits little: who wants to wait asks again.
func (f *serveFlags) ready(ctx context.Context) error {
	addr, err := f.dialAddr()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, f.scheme()+"://"+addr+"/__mockfhir/readyz", nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{
		// No proxy, and no question whose certificate it is: this process
		// asks its neighbour.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("readyz answers %s", response.Status)
	}
	return nil
}

// dialAddr turns the address the server listens on into one to call.
func (f *serveFlags) dialAddr() (string, error) {
	host, port, err := net.SplitHostPort(f.addr)
	if err != nil {
		return "", fmt.Errorf("-addr %q: write host:port", f.addr)
	}
	if port == "0" {
		text, err := os.ReadFile(f.portFile)
		if err != nil {
			return "", fmt.Errorf("port 0 was chosen at start, and -port-file does not tell which: %w", err)
		}
		port = strings.TrimSpace(string(text))
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}

// argsOfProcessOne are the flags the container was started with, which no
// other process is told: docker run IMAGE -addr :9090 moves the port, and the
// image's HEALTHCHECK must follow. Elsewhere process 1 is another program.
func argsOfProcessOne() []string {
	self, err := os.Readlink("/proc/self/exe")
	if one, oneErr := os.Readlink("/proc/1/exe"); err != nil || oneErr != nil || self != one || os.Getpid() == 1 {
		return nil
	}
	line, err := os.ReadFile("/proc/1/cmdline")
	if err != nil {
		return nil
	}
	args := strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")[1:]
	if len(args) > 0 && args[0] == "serve" {
		args = args[1:]
	}
	return args
}
