package contract

import (
	"context"
	"net/url"
	"strconv"
	"strings"
)

// seed returns the first page of a type as the service serves it by default:
// the people and structures every other question is about.
func (p *Probe) seed(ctx context.Context, typ string) ([]Entry, error) {
	a, err := p.ground(ctx, typ)
	if err != nil {
		return nil, err
	}
	var usable []Entry
	for _, e := range a.Matches(typ) {
		if e.ID() != "" {
			usable = append(usable, e)
		}
	}
	return usable, nil
}

// query writes a query string: names and values in pairs, each value escaped.
func query(pairs ...string) string {
	var b strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(pairs[i] + "=" + url.QueryEscape(pairs[i+1]))
	}
	return b.String()
}

// ids returns the ids of entries.
func ids(entries []Entry) []string {
	list := make([]string, len(entries))
	for i, e := range entries {
		list[i] = e.ID()
	}
	return list
}

func idSet(entries []Entry) map[string]bool {
	set := map[string]bool{}
	for _, e := range entries {
		set[e.ID()] = true
	}
	return set
}

// total asks how many resources a search finds, exactly. ok is false when the
// service does not say, which is reported.
func (p *Probe) total(ctx context.Context, typ, criteria string) (n int, ok bool, err error) {
	path := typ + "?"
	if criteria != "" {
		path += criteria + "&"
	}
	a, err := p.Search(ctx, path+"_count=0&_total=accurate")
	if err != nil || a == nil {
		return 0, false, err
	}
	n, ok = a.Total()
	if !ok {
		p.Drift(Finding{Reason: Search, Path: "Bundle.total", Was: "a number with _total=accurate", Now: a.JSON().Get("total").Kind().String(),
			Message: "A search with _total=accurate does not say how many resources it finds."}, a)
	}
	return n, ok, nil
}

func itoa(n int) string { return strconv.Itoa(n) }
