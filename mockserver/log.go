package mockserver

import (
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/mockfhir/mockfhir/fixtures"
)

// logged tells each call in one line. Neither key nor query nor id is in it:
// all of them may be personal.
func logged(next http.Handler, c config, table *fixtures.Table) http.Handler {
	known := words(table)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !c.log.Enabled(r.Context(), slog.LevelInfo) {
			next.ServeHTTP(w, r)
			return
		}
		began := time.Now()
		rec := &recorder{ResponseWriter: w, status: http.StatusOK}
		defer func() {
			c.log.LogAttrs(r.Context(), slog.LevelInfo, "call",
				slog.String("method", method(r.Method)), slog.String("path", template(r.URL.EscapedPath(), known)),
				slog.Int("status", rec.status), slog.Int64("bytes", rec.bytes),
				slog.Duration("took", time.Since(began).Round(time.Microsecond)))
		}()
		next.ServeHTTP(rec, r)
	})
}

// words are the path segments that a log may tell.
func words(table *fixtures.Table) map[string]bool {
	known := map[string]bool{}
	for word := range strings.FieldsSeq("fhir metadata _page _search _history $index $index-status health " +
		"__mockfhir livez readyz version metrics openapi.json control.json sessions incidents keys resources journal stream verify reset " +
		"portal environments DEFAULT auth login logout apis plans applications subscriptions _close _renew _revoke") {
		known[word] = true
	}
	for _, typ := range table.Types {
		known[typ.Type] = true
	}
	return known
}

// template is a path with everything replaced that is no word of the service.
func template(path string, known map[string]bool) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if part != "" && !known[part] && !(i < 3 && isVersion(part)) {
			parts[i] = "{id}"
		}
	}
	return loggable(strings.Join(parts, "/"))
}

// method is a method as a log tells it: known ones, others may be anything.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodTrace, http.MethodConnect:
		return m
	}
	return "other"
}

func loggable(s string) string { return s[:min(len(s), 120)] }

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	n, err := r.ResponseWriter.Write(p)
	r.bytes += int64(n)
	return n, err
}

// Unwrap gives http.ResponseController the rest.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
