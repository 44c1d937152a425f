package gateway

// Counters is the number of quota windows that are kept.
func Counters(g *Gateway) int {
	g.limits.mu.Lock()
	defer g.limits.mu.Unlock()
	return len(g.limits.windows)
}

// The plans that nobody can subscribe to.
const (
	ClosedPlan  = closedPlan
	StagingPlan = stagingPlan
)
