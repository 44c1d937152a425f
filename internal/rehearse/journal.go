package rehearse

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Entry is one call in a journal. No key is ever in it.
type Entry struct {
	ID        int64         `json:"id"`      // in the order in which calls ended
	Arrived   int64         `json:"arrived"` // in the order in which they came
	Time      time.Time     `json:"time"`
	Session   string        `json:"session"`
	Method    string        `json:"method"`
	Target    string        `json:"target"` // path and query as they were sent
	Request   Fields        `json:"request,omitempty"`
	Body      string        `json:"body,omitempty"` // of the request, or its beginning
	Status    int           `json:"status"`         // 0 when the connection was cut
	Took      time.Duration `json:"took"`           // nanoseconds
	Response  Fields        `json:"response,omitempty"`
	Answer    string        `json:"answer,omitempty"` // the body of the response, or its beginning
	Size      int64         `json:"size"`             // of the whole body of the response
	Why       string        `json:"why,omitempty"`    // what made the answer
	Incidents []string      `json:"incidents,omitempty"`
}

// Fields are the headers a journal shows, in the order it shows them.
type Fields []Field

// Field is one of them.
type Field struct{ Name, Value string }

// MarshalJSON prints an object.
func (f Fields) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, field := range f {
		if i > 0 {
			b.WriteByte(',')
		}
		for j, text := range []string{field.Name, field.Value} {
			quoted, err := json.Marshal(text)
			if err != nil {
				return nil, err
			}
			if b.Write(quoted); j == 0 {
				b.WriteByte(':')
			}
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// entryWeight is what an entry weighs without its texts.
const entryWeight = 300

func (e *Entry) weight() int {
	n := entryWeight + len(e.Target) + len(e.Body) + len(e.Answer) + len(e.Why)
	for _, fields := range []Fields{e.Request, e.Response} {
		for _, f := range fields {
			n += len(f.Value) + 32 // the names are ours
		}
	}
	return n
}

// Bounds of a journal.
const (
	maxEntries = 1000
	maxWeight  = 4 << 20
)

// Journal is the last calls of a session, bounded by number and by bytes. It
// is safe for concurrent use.
type Journal struct {
	share *atomic.Int64 // bytes it may hold, nil meaning maxWeight

	mu      sync.Mutex
	ring    []Entry // a circle
	first   int     // place of the oldest entry
	size    int     // how many places are taken
	weight  int
	last    int64 // number of the newest entry there ever was
	arrived int64 // calls that came
	open    int   // of which so many have not ended
	watches map[chan Entry]bool
	closed  bool
}

// Begin says that a call has come, and returns its place among those that did.
// Add must follow.
func (j *Journal) Begin() (arrived int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.arrived++
	j.open++
	return j.arrived
}

// Settle waits until the calls that came so far have ended, or for some time:
// a client has its answer a moment before the journal has the call.
func (j *Journal) Settle(patience time.Duration) {
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		j.mu.Lock()
		settled := j.open <= 0
		j.mu.Unlock()
		if settled || !time.Now().Before(deadline) {
			return
		}
	}
}

// Add appends the entry of a call that has ended, and drops the oldest ones
// beyond the bounds.
func (j *Journal) Add(e Entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.open--
	if j.closed {
		return
	}
	j.last++
	e.ID = j.last
	bytes := maxWeight
	if j.share != nil {
		bytes = int(j.share.Load())
	}
	weight := e.weight()
	for j.size > 0 && (j.size == maxEntries || j.weight+weight > bytes) {
		j.dropOldest()
	}
	if j.size == len(j.ring) {
		j.grow()
	}
	*j.at(j.size) = e
	j.size++
	j.weight += weight
	for watch := range j.watches {
		select {
		case watch <- e:
		default: // who does not keep up misses entries, and sees it by their ids
		}
	}
}

// at is the place of an entry, counted from the oldest one.
func (j *Journal) at(i int) *Entry { return &j.ring[(j.first+i)%len(j.ring)] }

func (j *Journal) dropOldest() {
	j.weight -= j.at(0).weight()
	*j.at(0) = Entry{} // its texts are free to go
	j.first = (j.first + 1) % len(j.ring)
	j.size--
}

// grow doubles the circle: most sessions see few calls.
func (j *Journal) grow() {
	larger := make([]Entry, min(max(8, 2*len(j.ring)), maxEntries))
	for i := range j.size {
		larger[i] = *j.at(i)
	}
	j.ring, j.first = larger, 0
}

// Entries returns the entries that a filter wants, oldest first.
func (j *Journal) Entries(f Filter) []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	list := []Entry{}
	for i := range j.size {
		if e := j.at(i); f.wants(e) {
			list = append(list, *e)
		}
	}
	return f.last(list)
}

// last keeps as many as the filter's limit says.
func (f *Filter) last(list []Entry) []Entry {
	if f.Limit > 0 && len(list) > f.Limit {
		return list[len(list)-f.Limit:]
	}
	return list
}

// Len is how many entries there are.
func (j *Journal) Len() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.size
}

// Clear forgets the entries. Their numbers go on.
func (j *Journal) Clear() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.clear()
}

func (j *Journal) clear() { j.ring, j.first, j.size, j.weight = nil, 0, 0, 0 }

// close forgets the entries, takes no more, and ends the watches.
func (j *Journal) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.clear()
	j.closed = true
	for watch := range j.watches {
		close(watch)
	}
	j.watches = nil
}

// Watch sends each entry that is added from now on, until stop is called or
// the session is dropped, which closes the channel.
func (j *Journal) Watch() (entries <-chan Entry, stop func()) {
	watch := make(chan Entry, 64)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		close(watch)
		return watch, func() {}
	}
	if j.watches == nil {
		j.watches = map[chan Entry]bool{}
	}
	j.watches[watch] = true
	return watch, func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		delete(j.watches, watch)
	}
}

// Filter chooses entries. The zero Filter wants all.
type Filter struct {
	Method   string `json:"method,omitempty"`
	Path     string `json:"path,omitempty"`     // beginning of the target
	Query    string `json:"query,omitempty"`    // text in the query
	Text     string `json:"text,omitempty"`     // text in target, bodies or why
	Incident string `json:"incident,omitempty"` // that touched the call
	Status   int    `json:"status,omitempty"`   // 404, or 4 for all of them
	Since    int64  `json:"since,omitempty"`    // entries after this id
	Limit    int    `json:"limit,omitempty"`    // the last ones
}

func (f *Filter) wants(e *Entry) bool {
	_, query, _ := strings.Cut(e.Target, "?")
	return e.ID > f.Since &&
		(f.Method == "" || strings.EqualFold(f.Method, e.Method)) &&
		strings.HasPrefix(e.Target, f.Path) &&
		strings.Contains(query, f.Query) &&
		(f.Text == "" || e.contains(f.Text)) &&
		(f.Incident == "" || e.touchedBy(f.Incident)) &&
		(f.Status == 0 || f.Status == e.Status || f.Status < 10 && f.Status == e.Status/100)
}

func (e *Entry) contains(text string) bool {
	for _, part := range []string{e.Target, e.Body, e.Answer, e.Why} {
		if strings.Contains(part, text) {
			return true
		}
	}
	return false
}

func (e *Entry) touchedBy(incident string) bool {
	for _, name := range e.Incidents {
		if name == incident {
			return true
		}
	}
	return false
}
