package verify

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"verify": func() {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		context.AfterFunc(ctx, stop)
		os.Exit(Main(ctx, System()))
	}})
}

// TestScripts runs testdata/script/verify*.txtar: what a user types, and what
// comes back. Scripts find services at $MOCK (as it should be; its version 1 at $MOCK1), $DRIFTED (its
// next link is an internal address), $SLOW, $MAINTENANCE and $CLOSED.
func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(root + "/testdata/script/verify*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	api := service(t)
	maintenance := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(100 * time.Millisecond)
		api.ServeHTTP(w, r)
	})
	closed := httptest.NewServer(maintenance)
	closed.Close()
	services := map[string]string{
		"MOCK":        serve(t, api),
		"DRIFTED":     serve(t, internalNext(api)),
		"SLOW":        serve(t, slow),
		"MAINTENANCE": serve(t, maintenance),
		"CLOSED":      closed.URL + "/fhir/v2",
	}
	services["MOCK1"] = strings.TrimSuffix(services["MOCK"], "/v2") + "/v1"
	testscript.Run(t, testscript.Params{
		Files:               files,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			for name, url := range services {
				env.Setenv(name, url)
			}
			env.Setenv(envKey, testKey)
			return nil
		},
	})
}
