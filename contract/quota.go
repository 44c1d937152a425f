package contract

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// quotaChecks: seventeen calls a second, then 429 until the window is over.
func quotaChecks() []Check {
	return []Check{{
		ID: "quota/429", Title: "Calls above the quota are answered 429, in JSON to who accepts it, and then served again", Level: Required,
		Source: guide + "getting-started/get-api-key.md", Why: "Clients wait on 429; another status looks like an outage or a dead key.",
		Run: checkQuota,
	}}
}

const (
	quota = 17 // calls a second and application
	burst = 20 // calls of the one burst
)

// checkQuota sends one burst past the limiter, from a fresh window of the quota
// when the run keeps to it, and waits for the next one.
func checkQuota(ctx context.Context, p *Probe) error {
	if !p.local && !p.opts.ProbeQuota {
		return p.NotApplicable("a burst over the quota is for loopback, or asked for with -probe-quota")
	}
	if p.client.sent+burst > p.client.budget {
		return errBudget
	}
	answers, err := p.burst(ctx)
	if err != nil {
		return err
	}
	served, limited := 0, 0
	var odd []*Answer
	for _, a := range answers {
		switch {
		case a.Status == http.StatusOK:
			served++
		case a.Status == http.StatusTooManyRequests:
			limited++
			p.Saw()
			if a.JSON().Get("message").Str() == "" || a.JSON().Get("http_status_code").Text() != "429" {
				p.Drift(Finding{Reason: Limit, Path: "429", Was: "{message, http_status_code}", Now: a.summary(),
					Message: "The JSON of a refused call does not carry message and http_status_code."}, a)
			}
		default:
			p.Saw()
			odd = append(odd, a)
		}
	}
	for _, a := range odd {
		if stray := len(odd) == 1 && a.Status >= 500; !stray { // which happens to any service now and then
			p.Drift(Finding{Reason: Limit, Path: "quota", Was: "200 or 429", Now: a.summary(),
				Message: fmt.Sprintf("A call in a burst over the quota is answered %d.", a.Status)}, a)
		}
	}
	if limited == 0 && len(p.findings) == 0 {
		return p.NotApplicable(fmt.Sprintf("no limit was met within %d calls", burst))
	}
	if p.client.interval > 0 && served < quota-1 {
		p.Drift(Finding{Reason: Limit, Path: "quota", Was: itoa(quota) + " calls a second", Now: "fewer",
			Message: "Fewer calls than ANS allows are served before the limit."}, answers[0])
	}
	return p.recovers(ctx)
}

func (p *Probe) burst(ctx context.Context) ([]*Answer, error) {
	if p.client.interval > 0 {
		if err := p.client.clock.Sleep(ctx, window); err != nil {
			return nil, err
		}
	}
	r := &Request{Path: "metadata", Header: http.Header{"Accept": {"application/json"}}}
	var (
		wg      sync.WaitGroup
		mu      sync.Mutex
		answers []*Answer
		failed  error
	)
	for range burst {
		wg.Go(func() {
			a, err := p.client.send(ctx, r)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = err
				return
			}
			answers = append(answers, a)
		})
	}
	wg.Wait()
	p.client.spend(burst)
	if len(answers) > 0 {
		p.asked = append(p.asked, answers[0])
	}
	p.client.keep(answers)
	return answers, failed
}

// keep adds one answer of each status to those of the run: a baseline knows
// what a refusal looks like, not how many a burst meets.
func (c *client) keep(answers []*Answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := map[int]bool{}
	for _, a := range answers {
		if !kept[a.Status] {
			kept[a.Status] = true
			c.answers = append(c.answers, a)
		}
	}
}

// window is a little more than the second the quota counts in.
const window = 1100 * time.Millisecond

// recovers waits for the next window and asks again.
func (p *Probe) recovers(ctx context.Context) error {
	if err := p.client.clock.Sleep(ctx, window); err != nil {
		return err
	}
	a, err := p.client.once(ctx, &Request{Path: "metadata"})
	if err != nil {
		return err
	}
	p.asked = append(p.asked, a)
	if a.Status != http.StatusOK {
		p.Drift(Finding{Reason: Limit, Path: "quota", Was: "served again after a second", Now: a.summary(),
			Message: "After a burst the key stays refused longer than a second."}, a)
	}
	return nil
}
