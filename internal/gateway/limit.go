package gateway

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// limiter counts calls in fixed windows, each opened by the first call of its
// counter; refused calls count as well (gravitee.md §2.3).
type limiter struct {
	rate  Rate
	limit int   // calls per window; for spike arrest, per slice
	slice int64 // milliseconds of a slice; 0 when the rate is not spike arrest

	mu      sync.Mutex
	windows map[counter]window
	sweepAt int // number of windows at which the finished ones are dropped
}

// counter names what is counted: one subscription, in one scope.
type counter struct{ subscription, scope string }

type window struct {
	count int
	reset int64 // Unix milliseconds
}

// maxWindows bounds the memory of the counters. Only a server that accepts any
// key, or scopes without number, can reach it; it then forgets some counters.
const (
	minSweep   = 1 << 10
	maxWindows = 1 << 16
)

func newLimiter(r Rate) *limiter {
	l := &limiter{rate: r, limit: r.Limit, windows: map[counter]window{}, sweepAt: minSweep}
	if r.Kind == SpikeArrest {
		l.limit, l.slice = r.slice()
	}
	return l
}

// usage is what one call saw of its window.
type usage struct {
	allowed   bool
	remaining int
	reset     int64
}

// take counts one call. spent is how much of a new window is gone before its
// first call (0 for all but the demo keys).
func (l *limiter) take(c counter, spent int, now time.Time) usage {
	ms := now.UnixMilli()
	l.mu.Lock()
	defer l.mu.Unlock()
	w, open := l.windows[c]
	if !open || w.reset <= ms {
		if !open {
			l.makeRoom(ms)
		}
		w = window{count: spent, reset: l.end(now)}
	}
	if w.count <= l.limit { // a count beyond the limit says no more
		w.count++
	}
	l.windows[c] = w
	return usage{allowed: w.count <= l.limit, remaining: max(0, l.limit-w.count), reset: w.reset}
}

func (l *limiter) end(now time.Time) int64 {
	if l.slice > 0 {
		return now.UnixMilli() + l.slice
	}
	return l.rate.end(now)
}

// makeRoom drops the finished windows once their number has doubled, and an
// arbitrary part of the others at the bound.
func (l *limiter) makeRoom(now int64) {
	if len(l.windows) < l.sweepAt {
		return
	}
	live := map[counter]window{}
	for c, w := range l.windows {
		if w.reset > now && len(live) < maxWindows/2 {
			live[c] = w
		}
	}
	l.windows, l.sweepAt = live, max(minSweep, 2*len(live))
}

// forget closes the windows of a scope.
func (l *limiter) forget(scope string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.windows {
		if c.scope == scope {
			delete(l.windows, c)
		}
	}
}

// header prints the usage the way the policy does (gravitee.md §2.2).
func (l *limiter) header(u usage, h http.Header) {
	reset := []string{strconv.FormatInt(u.reset, 10)}
	limit := []string{strconv.Itoa(l.limit)}
	switch l.rate.Kind {
	case SpikeArrest:
		h["X-Spike-Arrest-Limit"] = limit
		h["X-Spike-Arrest-Slice-Period"] = []string{strconv.FormatInt(l.slice, 10) + "ms"}
		h["X-Spike-Arrest-Reset"] = reset
	case Quota:
		h["X-Quota-Limit"] = limit
		h["X-Quota-Remaining"] = []string{strconv.Itoa(u.remaining)}
		h["X-Quota-Reset"] = reset
	default:
		h["X-Rate-Limit-Limit"] = limit
		h["X-Rate-Limit-Remaining"] = []string{strconv.Itoa(u.remaining)}
		h["X-Rate-Limit-Reset"] = reset
	}
}
