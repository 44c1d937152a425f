// Package mockcontainer starts mockfhir in a container, for tests of a client
// of the French health directory API. It follows the modules of
// testcontainers-go: Run takes their options beside its own, and a Container
// is one of theirs.
//
//	mock, err := mockcontainer.Run(ctx, "ghcr.io/mockfhir/mockfhir:latest")
//	testcontainers.CleanupContainer(t, mock)
//	base, err := mock.BaseURL(ctx) // http://localhost:32768/fhir/v2
//	// header ESANTE-API-KEY: mock.Key()
//
// It is a Go module of its own, so that who serves the mock from the package
// mockserver, inside the test, gets nothing of testcontainers.
package mockcontainer

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

// DefaultKey is accepted unless WithKey says otherwise.
const DefaultKey = "mock-key"

const (
	port           = "8080/tcp"
	defaultVersion = "v2"
	controlPath    = "/__mockfhir"
	fixturesDir    = "/fixtures"
)

// Container is a running mock.
type Container struct {
	testcontainers.Container
	settings settings
}

type settings struct {
	keys    []string
	version string
	token   string
	rate    string
	sets    int      // fixture sets given so far
	args    []string // flags that may be repeated
}

// Option is an option of this package, which goes among those of
// testcontainers-go.
type Option func(*settings, *testcontainers.GenericContainerRequest) error

// Customize makes an Option one of testcontainers-go; Run applies it.
func (o Option) Customize(*testcontainers.GenericContainerRequest) error { return nil }

// WithFixtures serves a fixture set of yours in the place of the directory of
// the image: a directory, or a .ndjson or .ndjson.gz file. Given again, sets
// add up, and a later one replaces what it names again.
func WithFixtures(name string) Option {
	return func(s *settings, req *testcontainers.GenericContainerRequest) error {
		target := path.Join(fixturesDir, fmt.Sprint(s.sets))
		s.sets++
		info, err := os.Stat(name)
		if err != nil {
			return fmt.Errorf("fixtures: %w", err)
		}
		if !info.IsDir() {
			target = path.Join(target, filepath.Base(name))
		}
		s.args = append(s.args, "-fixtures", target)
		// Copied, not mounted: the engine may be on another machine.
		return filepath.WalkDir(name, func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			below, err := filepath.Rel(name, file)
			if err != nil {
				return err
			}
			req.Files = append(req.Files, testcontainers.ContainerFile{
				HostFilePath: file, ContainerFilePath: path.Join(target, filepath.ToSlash(below)), FileMode: 0o644,
			})
			return nil
		})
	}
}

// WithKey accepts a key in the place of DefaultKey. Given again, each is
// accepted, with a quota of its own.
func WithKey(key string) Option {
	return func(s *settings, _ *testcontainers.GenericContainerRequest) error {
		s.keys = append(s.keys, key)
		return nil
	}
}

// WithIncident starts with an incident on. It may be given again.
func WithIncident(name string) Option {
	return func(s *settings, _ *testcontainers.GenericContainerRequest) error {
		s.args = append(s.args, "-incident", name)
		return nil
	}
}

// WithRate sets the quota of each key: "17/1s" (the default, as the real one),
// or "0" for none.
func WithRate(rate string) Option {
	return func(s *settings, _ *testcontainers.GenericContainerRequest) error {
		s.rate = rate
		return nil
	}
}

// WithVersion says which version of the API, "v2" by default, BaseURL points
// to and /fhir without a version answers.
func WithVersion(version string) Option {
	return func(s *settings, _ *testcontainers.GenericContainerRequest) error {
		s.version = version
		return nil
	}
}

// Run starts the image and returns once the mock in it is ready.
func Run(ctx context.Context, img string, opts ...testcontainers.ContainerCustomizer) (*Container, error) {
	s := settings{version: defaultVersion, token: rand.Text()}
	all := []testcontainers.ContainerCustomizer{
		testcontainers.WithExposedPorts(port),
		testcontainers.WithWaitStrategy(wait.ForHTTP(controlPath + "/readyz").WithPort(port)),
		testcontainers.CustomizeRequestOption(func(req *testcontainers.GenericContainerRequest) error {
			for _, opt := range opts {
				if own, ok := opt.(Option); ok {
					if err := own(&s, req); err != nil {
						return err
					}
				}
			}
			return s.apply(req)
		}),
	}
	ctr, err := testcontainers.Run(ctx, img, append(all, opts...)...)
	var c *Container
	if ctr != nil {
		c = &Container{Container: ctr, settings: s}
	}
	if err != nil {
		return c, fmt.Errorf("run mockfhir: %w", err)
	}
	return c, nil
}

// apply turns the settings into the environment and the flags of the container.
func (s *settings) apply(req *testcontainers.GenericContainerRequest) error {
	env := map[string]string{
		"MOCKFHIR_DEFAULT_VERSION": s.version,
		"MOCKFHIR_CONTROL_TOKEN":   s.token,
	}
	if s.keys != nil {
		env["MOCKFHIR_KEYS"] = strings.Join(s.keys, ",")
	}
	if s.rate != "" {
		env["MOCKFHIR_RATE"] = s.rate
	}
	if err := testcontainers.WithEnv(env).Customize(req); err != nil {
		return err
	}
	return testcontainers.WithCmdArgs(s.args...).Customize(req)
}

// BaseURL is what a client is pointed to, as http://localhost:32768/fhir/v2.
func (c *Container) BaseURL(ctx context.Context) (string, error) {
	origin, err := c.PortEndpoint(ctx, port, "http")
	if err != nil {
		return "", fmt.Errorf("base URL: %w", err)
	}
	return origin + "/fhir/" + c.settings.version, nil
}

// Key is one that the mock accepts: the first of those given, or DefaultKey.
func (c *Container) Key() string {
	if len(c.settings.keys) > 0 {
		return c.settings.keys[0]
	}
	return DefaultKey
}

// Control is how a test steers the mock while it runs.
type Control struct {
	URL   string // of the control API, as http://localhost:32768/__mockfhir
	Token string // that its calls carry, as a bearer token
}

// Control returns the control API of the mock.
func (c *Container) Control(ctx context.Context) (*Control, error) {
	origin, err := c.PortEndpoint(ctx, port, "http")
	if err != nil {
		return nil, fmt.Errorf("control: %w", err)
	}
	return &Control{URL: origin + controlPath, Token: c.settings.token}, nil
}

// Do calls the control API: a path below URL, and a JSON body or nil.
func (c *Control) Do(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.URL+path, body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+c.Token)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return http.DefaultClient.Do(request)
}
