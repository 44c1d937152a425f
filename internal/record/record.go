package record

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/internal/redact"
)

// Options of a recording.
type Options struct {
	Target  Target
	Secret  []byte            // keys the pseudonyms
	Rate    float64           // requests a second; 0 lifts it, on loopback only
	Client  http.RoundTripper // nil: one of its own
	Version string            // of this program
	Now     func() time.Time
	// Progress is called before each request; may be nil.
	Progress func(done, total int)
}

func (o *Options) complete() error {
	local := IsLoopback(o.Target.Base.Hostname())
	if o.Rate < 0 || !local && (o.Rate == 0 || o.Rate > MaxRate) {
		return fmt.Errorf("the rate must be above 0 and at most %v requests a second (0 lifts it for a target on loopback)", MaxRate)
	}
	if o.Client == nil {
		o.Client = newTransport()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Progress == nil {
		o.Progress = func(int, int) {}
	}
	o.Version = cmp.Or(o.Version, "devel")
	return nil
}

// draft is an empty one, with a redactor for the target.
func (o *Options) draft() (*redact.Draft, error) {
	var keys []string
	if o.Target.Key != "" {
		keys = []string{o.Target.Key}
	}
	r, err := redact.New(redact.Options{Secret: o.Secret, Target: o.Target.Base, Keys: keys})
	if err != nil {
		return nil, err
	}
	return redact.NewDraft(r), nil
}

// seal makes the set of a draft. The service may not say which guide it follows
// (ans-server.md §7): the one this program knows, then.
func (o *Options) seal(d *redact.Draft) (*redact.Set, error) {
	return d.Seal(fixtures.Manifest{
		Name: "recording", APIVersion: "v2", IGVersion: fixtures.Default().Manifest.IGVersion, Captured: o.Now().Format(time.DateOnly), From: o.Target.Base.Host, By: "mockfhir " + o.Version,
	})
}

// facts head every file of exchanges.
func (o *Options) facts() map[string]string {
	return map[string]string{"source": "recording of " + o.Target.Base.Host, "evidence": "observed", "recorded": o.Now().Format(time.DateOnly)}
}

// PlanSize is how many requests a walk makes at most, and how long it takes
// at a rate.
func PlanSize(rate float64) (requests int, takes time.Duration) {
	requests = min(len(plan(fixtures.DefaultTable())), MaxBudget)
	if rate > 0 {
		takes = time.Duration(float64(requests) / rate * float64(time.Second)).Round(time.Second)
	}
	return requests, takes
}

// Interrupted is why a walk ended before its end; nothing is kept of it.
type Interrupted struct {
	Done, Total int
	Why         error
}

func (i *Interrupted) Error() string {
	why := i.Why.Error()
	if errors.Is(i.Why, context.Canceled) {
		why = "it was interrupted"
	}
	return fmt.Sprintf("the recording stopped after %d of %d requests: %s; nothing was saved", i.Done, i.Total, why)
}

func (i *Interrupted) Unwrap() error { return i.Why }

// Walk records the service by the plan.
func Walk(ctx context.Context, o Options) (*redact.Set, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	draft, err := o.draft()
	if err != nil {
		return nil, err
	}
	c := &client{target: o.Target, http: o.Client, pace: newPacer(o.Rate), agent: "mockfhir-record/" + o.Version, budget: MaxBudget}
	k := &known{resources: map[string][]*fhir.Node{}, inactive: map[string]string{}, next: map[string]string{}, shown: map[string]bool{}}
	steps := plan(fixtures.DefaultTable())
	for i, s := range steps {
		o.Progress(i, len(steps))
		r, ok := s.request(k)
		if !ok {
			continue
		}
		raw, err := c.ask(ctx, r)
		if err != nil {
			return nil, &Interrupted{i, len(steps), err}
		}
		if i == 0 && raw.Status != http.StatusOK {
			return nil, &Interrupted{i, len(steps), fmt.Errorf("it answers %d %s to the first request", raw.Status, strings.ToLower(http.StatusText(raw.Status)))}
		}
		draft.Add(s.file, s.title, o.facts(), raw)
		if raw.Status != http.StatusOK {
			continue
		}
		if answer, err := fhir.Parse(raw.ResponseBody); err == nil {
			k.note(answer)
			if s.learn != nil {
				s.learn(k, answer)
			}
		}
	}
	o.Progress(len(steps), len(steps))
	return o.seal(draft)
}
