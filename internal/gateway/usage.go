package gateway

import (
	"slices"
	"strings"
	"time"
)

// Usage is what a subscription has taken of its quota in the window that is
// open, or was open last.
type Usage struct {
	Subscription string
	Used, Limit  int // Used is Limit+1 when calls were refused
	Reset        time.Time
}

// QuotaUsage tells the windows of a scope, by subscription; those of a rate
// that an incident brought are among them. Windows that ended long ago may be
// forgotten.
func (g *Gateway) QuotaUsage(scope string) []Usage {
	list := g.limits.usageOf(scope)
	g.others.Range(func(_, l any) bool {
		list = append(list, l.(*limits).usageOf(scope)...)
		return true
	})
	slices.SortFunc(list, func(a, b Usage) int { return strings.Compare(a.Subscription, b.Subscription) })
	return list
}

func (l *limiter) usageOf(scope string) (list []Usage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c, w := range l.windows {
		if c.scope == scope {
			list = append(list, Usage{c.subscription, w.count, l.limit, time.UnixMilli(w.reset)})
		}
	}
	return list
}
