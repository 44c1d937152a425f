package v1

import (
	"sync"

	"github.com/mockfhir/mockfhir/internal/search"
)

// sessions remembers the last searches by the id of their Bundle, for clients
// that write _getpages and _getpagesoffset by themselves. Links need it not:
// their tokens say all there is to know.
type sessions struct {
	mu   sync.Mutex
	byID map[string]search.Cursor
	ids  [maxSessions]string
	next int
}

// maxSessions and maxTarget bound them; a search that is not remembered is a
// 410, as in HAPI.
const (
	maxSessions = 1024
	maxTarget   = 8 << 10
)

func (s *sessions) keep(id string, c search.Cursor) {
	if len(c.Target) > maxTarget {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID == nil {
		s.byID = map[string]search.Cursor{}
	}
	delete(s.byID, s.ids[s.next])
	s.byID[id], s.ids[s.next] = c, id
	s.next = (s.next + 1) % maxSessions
}

func (s *sessions) find(id string) (search.Cursor, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, known := s.byID[id]
	return c, known
}
