package verify

import (
	"fmt"
	"io"
	"math"

	"github.com/mockfhir/mockfhir/contract"
)

// progress shows a person how far a run is: one line, written over and over.
// Where nobody watches, it only says at the start what the service will be
// asked.
type progress struct {
	w       io.Writer
	watched bool
	target  string
	options contract.Options
	drawn   bool
}

func newProgress(env Env, target string, options contract.Options) *progress {
	return &progress{w: env.Stderr, watched: env.Terminal, target: target, options: options}
}

func (p *progress) show(now contract.Progress) {
	if now.Result == nil && now.Done == 0 {
		say(p.w, "verify: %d checks of %s, at most %d requests, %s", now.Total, p.target, now.Budget, pace(p.options.Rate))
	}
	if !p.watched {
		return
	}
	id := ""
	if now.Result != nil {
		id = now.Result.ID
	}
	_, _ = fmt.Fprintf(p.w, "\r\x1b[K%d/%d checks, %d/%d requests  %s", now.Done, now.Total, now.Requests, now.Budget, id)
	p.drawn = true
}

// end wipes the line, so that the report starts on a clean one.
func (p *progress) end() {
	if p.drawn {
		_, _ = fmt.Fprint(p.w, "\r\x1b[K")
	}
}

func pace(rate float64) string {
	if math.IsInf(rate, 1) {
		return "as fast as it answers"
	}
	return fmt.Sprintf("%.3g a second", rate)
}
