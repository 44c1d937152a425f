package contract

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Baseline is what a service looked like when it was last accepted: counts,
// kinds, forms and closed sets. Of values it holds only those that are codes
// by nature, so no person can be found in it.
type Baseline struct {
	Format   int       `json:"format"`
	Reason   string    `json:"reason"` // why it was accepted
	Accepted time.Time `json:"accepted"`
	Target   string    `json:"target"`

	// Questions are the requests of the suite, by their public form.
	Questions map[string]*Question `json:"questions"`
	// Headers count the response headers by kind of answer: "200 Bundle".
	Headers map[string]*Headers `json:"headers"`
	// Elements are the places in resources and in the Bundle around them:
	// "Practitioner.identifier[RPPS].value".
	Elements map[string]*Element `json:"elements"`
	// Metadata is the capability statement as a list of facts:
	// "Practitioner.searchParam(name)" is "string".
	Metadata map[string]string `json:"metadata"`
	// Pages are the sizes of full pages by the _count asked for.
	Pages map[string]int `json:"pages"`
	// Unversioned is the generation of answers below /fhir: v1 or v2.
	Unversioned string `json:"unversioned,omitempty"`
	// Speed is how long answers take, by kind of question.
	Speed map[string]Timing `json:"speed"`
	// Weight is the mean size of a resource in a search, by type.
	Weight map[string]int `json:"weight"`
	// Reload is the share, in percent, of the resources of a type that changed
	// on the one day on which most did.
	Reload map[string]int `json:"reload"`
	// Identities tell whether a business identifier still has its technical
	// id, by type. See identity.
	Identities map[string]map[string]string `json:"identities,omitempty"`
}

const baselineFormat = 1

// Question is what was answered to one form of request.
type Question struct {
	Asked   int            `json:"asked"`
	Answers map[string]int `json:"answers"`          // "200 Bundle", "401 {http_status_code,message}"
	Packed  int            `json:"packed,omitempty"` // compressed answers
	// Total is what a search without values of its own finds.
	Total *int `json:"total,omitempty"`
}

// Headers count header names over some answers, and the forms of the values
// that clients calculate with.
type Headers struct {
	Of    int                       `json:"of"`
	With  map[string]int            `json:"with"`
	Forms map[string]map[string]int `json:"forms,omitempty"`
}

// Element is one place in a resource type.
type Element struct {
	Of     int            `json:"of"`   // objects that could have it
	With   int            `json:"with"` // objects that have it
	Kinds  map[string]int `json:"kinds"`
	Forms  map[string]int `json:"forms,omitempty"`
	Values map[string]int `json:"values,omitempty"` // of closed sets
}

// Timing is how long answers take, in milliseconds, rounded.
type Timing struct {
	Of     int `json:"of"`
	Median int `json:"median"`
	P95    int `json:"p95"`
}

// Programs that are shipped embed it compressed (internal/dist).
//
//go:embed baseline.json
var defaultBaseline []byte

// DefaultBaseline returns what the mock looks like on its default directory.
var DefaultBaseline = sync.OnceValue(func() *Baseline {
	var text io.Reader = bytes.NewReader(defaultBaseline)
	if whole, err := gzip.NewReader(bytes.NewReader(defaultBaseline)); err == nil {
		text = whole
	}
	b, err := ReadBaseline(text)
	if err != nil {
		panic("the embedded baseline is broken: " + err.Error())
	}
	return b
})

// maxBaseline bounds a baseline file; real ones are under 1 MiB.
const maxBaseline = 16 << 20

// ReadBaseline reads a baseline written by Write.
func ReadBaseline(r io.Reader) (*Baseline, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxBaseline+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxBaseline {
		return nil, fmt.Errorf("a baseline is at most %d MiB", maxBaseline>>20)
	}
	b := &Baseline{}
	if err := json.Unmarshal(text, b); err != nil {
		return nil, fmt.Errorf("not a baseline: %w", err)
	}
	if b.Format != baselineFormat {
		return nil, fmt.Errorf("the baseline has format %d and this program reads format %d: accept a new one", b.Format, baselineFormat)
	}
	return b, nil
}

// Accept returns the baseline with the reason why it is the new normal.
func (b *Baseline) Accept(reason string, at time.Time) (*Baseline, error) {
	if strings.TrimSpace(reason) == "" {
		return nil, errors.New("a baseline is accepted for a reason: who reads it next year wants to know")
	}
	accepted := *b
	accepted.Reason, accepted.Accepted = reason, at.UTC().Truncate(time.Second)
	return &accepted, nil
}

// Write writes the baseline as JSON, the same bytes for the same facts.
func (b *Baseline) Write(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", " ")
	enc.SetEscapeHTML(false)
	return enc.Encode(b)
}

// roughly rounds to two significant digits: a baseline is no stopwatch.
func roughly(n float64) int {
	if n < 100 {
		return int(math.Round(n))
	}
	scale := math.Pow(10, math.Floor(math.Log10(n))-1)
	return int(math.Round(n/scale) * scale)
}

// median and 95th percentile of some durations.
func speedOf(took []time.Duration) Timing {
	slices.Sort(took)
	at := func(share float64) int {
		i := min(len(took)-1, int(share*float64(len(took))))
		return roughly(float64(took[i].Milliseconds()))
	}
	return Timing{Of: len(took), Median: at(0.5), P95: at(0.95)}
}

// pageSizeAsked is the _count of a query, "default" without one.
func pageSizeAsked(q url.Values) string {
	if n := q.Get("_count"); n != "" {
		if _, err := strconv.Atoi(n); err == nil {
			return n
		}
		return ""
	}
	return "default"
}
