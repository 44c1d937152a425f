package rehearse

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mockfhir/mockfhir/internal/store"
)

// Default is the session of the calls that name none.
const Default = "default"

// Session is a world of its own on a shared server: its directory, its
// incidents, its journal. The quota of a key is counted per session as well.
type Session struct {
	Name    string
	Created time.Time
	views   sync.Map
	strict  atomic.Bool
	begins  []Started
	Store   *store.Store
	Active  *Active
	Journal *Journal
}

// Sessions are those of a server. It is safe for concurrent use.
type Sessions struct {
	base   *store.Store
	now    func() time.Time
	begins []Started    // what is on in each session from its start
	share  atomic.Int64 // bytes that each journal may hold

	mu  sync.RWMutex
	all map[string]*Session
}

// Bounds of what forgetful tests leave behind. The more sessions there are, the
// less each journal may hold.
const (
	maxSessions = 10_000
	allJournals = 32 << 20 // bytes
	minWeight   = 16 << 10 // some calls at least
)

// Started is an incident that is on from the start.
type Started struct{ Name, Scope string }

// NewSessions returns the sessions of a server: the default one, on its store.
// Some incidents may be on in each from its start.
func NewSessions(base *store.Store, now func() time.Time, begins ...Started) (*Sessions, error) {
	s := &Sessions{base: base, now: now, begins: begins, all: map[string]*Session{}}
	session := s.make(Default, base)
	if err := session.begin(); err != nil {
		return nil, err
	}
	s.all[Default] = session
	s.apportion()
	return s, nil
}

func (s *Sessions) make(name string, st *store.Store) *Session {
	return &Session{
		Name: name, Created: s.now(), begins: s.begins,
		Store: st, Active: NewActive(s.now), Journal: &Journal{share: &s.share},
	}
}

// begin turns on what is on from the start.
func (s *Session) begin() error {
	for _, b := range s.begins {
		if err := s.Active.Start(b.Name, b.Scope); err != nil {
			return err
		}
	}
	return nil
}

func (s *Sessions) apportion() {
	s.share.Store(int64(min(maxWeight, max(minWeight, allJournals/len(s.all)))))
}

// Errors of sessions.
var (
	ErrSessionExists = errors.New("there is a session of that name already")
	ErrSessionName   = errors.New("a session's name is 1 to 64 letters, digits, dots, dashes and underscores")
	ErrTooMany       = fmt.Errorf("there are %d sessions already; drop those that are done with", maxSessions)
)

const nameCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"

// Create makes a session that starts with the directory as it was loaded.
func (s *Sessions) Create(name string) (*Session, error) {
	if name == "" || len(name) > 64 || strings.Trim(name, nameCharacters) != "" {
		return nil, ErrSessionName
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[name] != nil {
		return nil, ErrSessionExists
	}
	if len(s.all) >= maxSessions {
		return nil, ErrTooMany
	}
	session := s.make(name, s.base.Fork())
	if err := session.begin(); err != nil {
		return nil, err
	}
	s.all[name] = session
	s.apportion()
	return session, nil
}

// Get finds a session, nil when there is none of that name.
func (s *Sessions) Get(name string) *Session {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.all[name]
}

// Drop forgets a session and all it holds. The default one stays.
func (s *Sessions) Drop(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	session := s.all[name]
	if name == Default || session == nil {
		return false
	}
	delete(s.all, name)
	s.apportion()
	session.Journal.close()
	return true
}

// List returns the sessions by name.
func (s *Sessions) List() []*Session {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := make([]*Session, 0, len(s.all))
	for _, session := range s.all {
		list = append(list, session)
	}
	slices.SortFunc(list, func(a, b *Session) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// View is what somebody makes of the session's store and keeps as long as the
// session lives, under a name: made at the first call.
func (s *Session) View(name string, make func() any) any {
	if view, found := s.views.Load(name); found {
		return view
	}
	view, _ := s.views.LoadOrStore(name, make())
	return view
}

// Strict says whether recorded exchanges alone are answered.
func (s *Session) Strict() bool { return s.strict.Load() }

// SetStrict changes that.
func (s *Session) SetStrict(strict bool) { s.strict.Store(strict) }

// Reset gives a session the directory and the incidents it started with, and
// an empty journal.
func (s *Session) Reset() error {
	s.Store.Reset()
	s.Active.Clear()
	s.Journal.Clear()
	s.SetStrict(false)
	return s.begin()
}
