package rehearse

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// Scope says which calls an incident touches: those that meet all of it. The
// zero Scope is every call.
type Scope struct {
	Share       float64       // the part of the calls, 0 meaning all
	Path        string        // first segments of the path below /fhir and its version
	Page        int           // 2: only the pages that a next link leads to
	CountAbove  int           // only pages of more matches than this
	Query       string        // text that the raw query contains
	Repeated    string        // name of a parameter that comes at least twice
	Chained     bool          // only searches by reference.parameter
	Values      int           // only searches with more values than this in one parameter
	Unversioned bool          // only calls to /fhir without a version
	Version     string        // only calls to /fhir/v1, or to /fhir/v2
	After       int           // calls that are let through first
	For         time.Duration // how long it lasts, 0 meaning until it is turned off
}

// Call is what a scope looks at.
type Call struct {
	Path        string // below /fhir and its version, without a leading slash
	Began       string // on a page that a next link leads to: Path of the search
	Query       string // raw; of a search by POST, the form
	Unversioned bool
	Version     string // that the path names, or that answers without one: v1, v2
	Count       int    // matches a page of this call holds; 0 when it is no search
	Page        bool
	Names       []string // of the query's parameters, decoded, in order
	Values      int      // most values in one parameter
}

// covers says whether a call is of the kind; how often and how long is for
// Active to count.
func (s Scope) covers(c Call) bool {
	return (s.Path == "" || below(c.Path, s.Path) || c.Began != "" && below(c.Began, s.Path)) &&
		(s.Page < 2 || c.Page) &&
		(s.CountAbove == 0 || c.Count > s.CountAbove) &&
		(s.Query == "" || strings.Contains(c.Query, s.Query)) &&
		(s.Repeated == "" || occurrences(c.Names, s.Repeated) >= 2) &&
		(!s.Chained || chained(c.Names)) &&
		(s.Values == 0 || c.Values > s.Values) &&
		(!s.Unversioned || c.Unversioned) &&
		(s.Version == "" || s.Version == c.Version)
}

// chosen draws a call for the share of them that is touched.
func (s Scope) chosen() bool { return s.Share == 0 || rand.Float64() < s.Share }

// below says whether a path begins with some segments: PractitionerRole is not
// below Practitioner.
func below(path, beginning string) bool {
	rest, found := strings.CutPrefix(path, strings.TrimSuffix(beginning, "/"))
	return found && (rest == "" || rest[0] == '/')
}

func occurrences(names []string, name string) int {
	n := 0
	for _, x := range names {
		if x == name {
			n++
		}
	}
	return n
}

func chained(names []string) bool {
	for _, name := range names {
		if strings.Contains(name, ".") {
			return true
		}
	}
	return false
}

// validScope is what ParseScope accepts, for people.
const validScope = "share=0.25, path=metadata, page=2, count=200, query=TEXT, after=3, for=10s"

// ParseScope changes a scope by words: "share=0.25; path=Practitioner; after=3".
// Commas and semicolons separate.
func ParseScope(s Scope, text string) (Scope, error) {
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ';' || r == ',' }) {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		name, value, _ := strings.Cut(word, "=")
		if !s.set(name, value) {
			return Scope{}, fmt.Errorf("scope %q is not valid; valid are %s", word, validScope)
		}
	}
	return s, nil
}

// set changes one field. It reports whether it could.
func (s *Scope) set(name, value string) bool {
	var err error
	switch name {
	case "share":
		s.Share, err = strconv.ParseFloat(value, 64)
		return err == nil && 0 < s.Share && s.Share <= 1
	case "path":
		s.Path = strings.Trim(value, "/")
		return s.Path != ""
	case "query":
		s.Query = value
		return value != ""
	case "page":
		s.Page = 2
		return value == "2"
	case "count":
		s.CountAbove, err = strconv.Atoi(value)
		return err == nil && s.CountAbove > 0
	case "after":
		s.After, err = strconv.Atoi(value)
		return err == nil && s.After > 0
	case "for":
		s.For, err = time.ParseDuration(value)
		return err == nil && s.For > 0
	}
	return false
}

// String is the scope in the words of ParseScope, and in some more for what
// only the table of incidents can say.
func (s Scope) String() string {
	return s.tell(more{"repeated %s", "chained", "more than %d values", "unversioned", "version %s", "every call"})
}

// French is String with those some more in French.
func (s Scope) French() string {
	return s.tell(more{"%s répété", "recherche chaînée", "plus de %d valeurs", "sans version", "version %s", "tous les appels"})
}

// more are the words of a scope that ParseScope does not know.
type more struct{ repeated, chained, values, unversioned, version, all string }

func (s Scope) tell(more more) string {
	var words []string
	add := func(yes bool, format string, args ...any) {
		if yes {
			words = append(words, fmt.Sprintf(format, args...))
		}
	}
	add(s.Share > 0 && s.Share < 1, "share=%v", s.Share)
	add(s.Path != "", "path=%s", s.Path)
	add(s.Page > 1, "page=2")
	add(s.CountAbove > 0, "count=%d", s.CountAbove)
	add(s.Query != "", "query=%s", s.Query)
	add(s.Repeated != "", more.repeated, s.Repeated)
	add(s.Chained, "%s", more.chained)
	add(s.Values > 0, more.values, s.Values)
	add(s.Unversioned, "%s", more.unversioned)
	add(s.Version != "", more.version, s.Version)
	add(s.After > 0, "after=%d", s.After)
	add(s.For > 0, "for=%s", s.For)
	if len(words) == 0 {
		return more.all
	}
	return strings.Join(words, ", ")
}
