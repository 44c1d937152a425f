package mockserver

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// metrics counts calls for Prometheus. Its labels are few, whatever is asked.
type metrics struct {
	mu    sync.Mutex
	calls map[[2]string]int64 // by method and status
}

func newMetrics() *metrics { return &metrics{calls: map[[2]string]int64{}} }

func (m *metrics) add(method string, status int) {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
	default:
		method = "other"
	}
	label := "cut" // the connection, without an answer
	if status != 0 {
		label = strconv.Itoa(status)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls[[2]string{method, label}]++
}

// metrics answers in the text format of Prometheus.
func (c *control) metrics(w http.ResponseWriter, _ *http.Request) {
	var lines []string
	c.counts.mu.Lock()
	for label, n := range c.counts.calls {
		lines = append(lines, fmt.Sprintf("mockfhir_calls_total{method=%q,status=%q} %d\n", label[0], label[1], n))
	}
	c.counts.mu.Unlock()
	slices.Sort(lines)
	entries := 0
	sessions := c.sessions.List()
	for _, s := range sessions {
		entries += s.Journal.Len()
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	fmt.Fprintf(w, "# HELP mockfhir_calls_total Calls answered, by method and status.\n# TYPE mockfhir_calls_total counter\n%s"+
		"# HELP mockfhir_sessions Sessions, the default one included.\n# TYPE mockfhir_sessions gauge\nmockfhir_sessions %d\n"+
		"# HELP mockfhir_journal_entries Calls kept in journals.\n# TYPE mockfhir_journal_entries gauge\nmockfhir_journal_entries %d\n"+
		"# HELP mockfhir_resources Resources loaded.\n# TYPE mockfhir_resources gauge\nmockfhir_resources %d\n",
		strings.Join(lines, ""), len(sessions), entries, c.set.Count())
}
