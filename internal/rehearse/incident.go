package rehearse

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/internal/gateway"
)

// Incident is something that went wrong once, or that can.
type Incident struct {
	Name     string // DATE-slug, dNN-slug when nobody noted the day, or a generic fault
	Event    string // D01 … of incidents.md §2, "" for a generic fault
	Happened string // what was seen, with its literal
	Mistake  string // what a client does wrong that this reveals
	Source   string // issue or section
	French   Story  // the same, as the demonstrator tells it in French
	Scope    Scope  // the calls it touches unless told otherwise
	Effect   Effect
}

// Story is what people read of an incident.
type Story struct{ Happened, Mistake, Source string }

// English is the story in English.
func (i Incident) English() Story { return Story{i.Happened, i.Mistake, i.Source} }

// Effect is what happens to a call. The zero Effect is nothing; the fields of
// several effects add up.
type Effect struct {
	// In the place of an answer, or before it.
	Delay  time.Duration // how long the call waits first
	Jitter time.Duration // and how much longer at most, at random
	Fault  gateway.Fault // what the gateway says
	Reply  *Reply        // a literal answer in the place of the FHIR server's
	Line   Line          // what becomes of the connection
	Header http.Header   // what is added to any answer
	Quota  gateway.Rate  // a limit that was not there yesterday

	// On the way of an answer's body.
	Truncate bool          // half of it comes, and the connection is cut
	Garbage  bool          // a body that is no JSON any more
	Drip     time.Duration // pause between small pieces

	// In what the FHIR server says.
	Answer Answer
}

// Reply is a literal answer. A header without value is left out even if the
// server would add it.
type Reply struct {
	Status int
	Header http.Header
	Body   string
	Bare   bool // without the gateway's headers
}

// Line is what becomes of a connection.
type Line int

// The ends of a connection.
const (
	Open   Line = iota
	Reset       // a TCP reset in the place of an answer
	Closed      // closed without a word: an empty reply
	Silent      // never answered; the client gives up, or the server after Delay
)

// Answer is what the FHIR server says differently.
type Answer struct {
	DefaultCount   int    // matches on a page when _count is not given
	MaxCount       int    // larger pages are cut to this
	NoTotal        bool   // total is left out, unless it is asked for
	NextOrigin     string // scheme, host and port of next
	FullURLOrigin  string // scheme, host and port of fullUrl
	OddTokens      bool   // next is percent-encoded where it need not be
	EmptyPages     bool   // pages after the first have no entry and no next
	BrokenPages    bool   // pages after the first are errors
	RepeatIncludes bool   // each include comes twice
	Reverse        bool   // what has no promised order comes the other way
	Accents        bool   // accents count in string searches
	Chained        bool   // reference.parameter works
	CountTimesOut  bool   // _count is a 504
	DeltaWindow    time.Duration
	Reloaded       bool // everything changed at the last midnight
	NewIDs         bool // every technical id is another one
	OtherVersion   bool // /fhir without a version is v1 where it was v2, and v2 where it was v1

	Resource func(*fhir.Node) // rewrites each resource that is printed
	Metadata func(*fhir.Node) // rewrites the capability statement
}

// With adds the fields of another effect; the later one wins where both say
// something.
func (e Effect) With(o Effect) Effect {
	e.Delay += o.Delay
	e.Jitter += o.Jitter
	if o.Fault.Status() != 0 {
		e.Fault = o.Fault
	}
	if o.Reply != nil {
		e.Reply = o.Reply
	}
	e.Line = max(e.Line, o.Line)
	if o.Header != nil {
		e.Header = o.Header
	}
	if o.Quota.Limit != 0 {
		e.Quota = o.Quota
	}
	e.Truncate = e.Truncate || o.Truncate
	e.Garbage = e.Garbage || o.Garbage
	e.Drip = max(e.Drip, o.Drip)
	e.Answer = e.Answer.with(o.Answer)
	return e
}

func (a Answer) with(o Answer) Answer {
	a.DefaultCount = max(a.DefaultCount, o.DefaultCount)
	if o.MaxCount != 0 {
		a.MaxCount = o.MaxCount
	}
	a.NoTotal = a.NoTotal || o.NoTotal
	a.NextOrigin = either(o.NextOrigin, a.NextOrigin)
	a.FullURLOrigin = either(o.FullURLOrigin, a.FullURLOrigin)
	a.OddTokens = a.OddTokens || o.OddTokens
	a.EmptyPages = a.EmptyPages || o.EmptyPages
	a.BrokenPages = a.BrokenPages || o.BrokenPages
	a.RepeatIncludes = a.RepeatIncludes || o.RepeatIncludes
	a.Reverse = a.Reverse || o.Reverse
	a.Accents = a.Accents || o.Accents
	a.Chained = a.Chained || o.Chained
	a.DeltaWindow = max(a.DeltaWindow, o.DeltaWindow)
	a.CountTimesOut = a.CountTimesOut || o.CountTimesOut
	a.Reloaded = a.Reloaded || o.Reloaded
	a.NewIDs = a.NewIDs || o.NewIDs
	a.OtherVersion = a.OtherVersion || o.OtherVersion
	a.Resource = both(a.Resource, o.Resource)
	a.Metadata = both(a.Metadata, o.Metadata)
	return a
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func both(f, g func(*fhir.Node)) func(*fhir.Node) {
	if f == nil || g == nil {
		if f == nil {
			return g
		}
		return f
	}
	return func(n *fhir.Node) { f(n); g(n) }
}

// Incidents lists all there are, by name.
func Incidents() []Incident { return sorted }

var sorted = func() []Incident {
	list := slices.Concat(history, generic)
	slices.SortFunc(list, func(a, b Incident) int { return strings.Compare(a.Name, b.Name) })
	return list
}()

// Lookup finds an incident by its name.
func Lookup(name string) (Incident, bool) {
	i, found := slices.BinarySearchFunc(sorted, name, func(a Incident, name string) int { return strings.Compare(a.Name, name) })
	if !found {
		return Incident{}, false
	}
	return sorted[i], true
}
