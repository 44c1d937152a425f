package gateway

import "context"

// A Caller is who a request was let through for. It never holds the key.
type Caller struct {
	Plan         string // id of the plan
	Application  string // id of the application; "" on the keyless plan
	Subscription string // id of the subscription, which the quota counts; "" on the keyless plan
	Transaction  string // X-Gravitee-Transaction-Id
	Request      string // X-Gravitee-Request-Id
}

type callerKey struct{}

// CallerFrom returns the caller of a request that came through a Gateway.
func CallerFrom(ctx context.Context) (Caller, bool) {
	ex, ok := ctx.Value(callerKey{}).(*exchange)
	if !ok {
		return Caller{}, false
	}
	return ex.caller, true
}
