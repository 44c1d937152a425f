package control

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// Expectation is what a test says of the calls its client should have made.
type Expectation struct {
	Filter
	Exactly *int     `json:"times,omitempty"`
	Least   *int     `json:"atLeast,omitempty"`
	Most    *int     `json:"atMost,omitempty"`
	After   []Filter `json:"then,omitempty"`
}

// Called expects one call or more, by method and beginning of the target.
func Called(method, path string) Expectation { return CalledWith(Filter{Method: method, Path: path}) }

// CalledWith expects one call or more that a filter wants.
func CalledWith(f Filter) Expectation { return Expectation{Filter: f} }

// With expects a text in the query.
func (e Expectation) With(query string) Expectation { e.Query = query; return e }

// Times expects so many calls, neither more nor less.
func (e Expectation) Times(n int) Expectation { e.Exactly = &n; return e }

// Never expects no call.
func (e Expectation) Never() Expectation { return e.Times(0) }

// AtLeast expects so many calls or more.
func (e Expectation) AtLeast(n int) Expectation { e.Least = &n; return e }

// AtMost expects so many calls or fewer.
func (e Expectation) AtMost(n int) Expectation { e.Most = &n; return e }

// Then expects another call after the first one, and after those that were
// said before.
func (e Expectation) Then(f Filter) Expectation {
	e.After = append(e.After[:len(e.After):len(e.After)], f)
	return e
}

// Verdict is whether an expectation was met.
type Verdict struct {
	OK      bool   `json:"ok"`
	Message string `json:"message"`
	Calls   []Call `json:"calls"` // those that were looked for
}

// Verify holds the journal against an expectation.
func (s *Session) Verify(ctx context.Context, e Expectation) (v Verdict, err error) {
	return v, s.call(ctx, http.MethodPost, []string{"verify"}, nil, e, &v)
}

// Expect is Verify as an error: nil when the expectation was met.
func (s *Session) Expect(ctx context.Context, e Expectation) error {
	v, err := s.Verify(ctx, e)
	if err != nil {
		return err
	}
	if v.OK {
		return nil
	}
	return &Unmet{e, v}
}

// Unmet is an expectation that was not met.
type Unmet struct {
	Expectation Expectation
	Verdict     Verdict
}

func (u *Unmet) Error() string {
	text := fmt.Sprintf("%s: %s", u.Expectation.Filter, u.Verdict.Message)
	for _, c := range u.Verdict.Calls {
		text += fmt.Sprintf("\n\t%d %s %s: %d", c.ID, c.Method, c.Target, c.Status)
	}
	return text
}

// String is the filter in words.
func (f Filter) String() string {
	words := []string{f.Method, f.Path}
	for _, w := range []struct{ name, value string }{
		{"query", f.Query}, {"text", f.Text}, {"incident", f.Incident}, {"status", number(int64(f.Status))}, {"since", number(f.Since)},
	} {
		if w.value != "" {
			words = append(words, w.name+"="+w.value)
		}
	}
	text := strings.TrimSpace(strings.Join(words, " "))
	if text == "" {
		return "any call"
	}
	return text
}
