package witness

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mockfhir/mockfhir/fixtures"
)

// Generator invents requests about a witness's directory: the same seed, the
// same requests. Values are taken from the directory and bent, so that most
// searches find something and many nearly do.
type Generator struct {
	w *Witness
	r *rand.Rand
}

// NewGenerator returns a generator that draws from seed.
func NewGenerator(w *Witness, seed uint64) *Generator {
	return &Generator{w: w, r: rand.New(rand.NewPCG(seed, 0))}
}

// Next returns one more request.
func (g *Generator) Next() Request {
	typ := g.w.table.Types[g.r.IntN(len(g.w.table.Types))].Type
	if g.r.IntN(20) == 0 {
		return Request{Method: "GET", Target: "/" + g.path(typ)}
	}
	if g.r.IntN(40) == 0 {
		typ = pick(g, "Foo", "practitioner", "Patient")
	}
	var pieces []string
	for range g.r.IntN(4) {
		pieces = append(pieces, g.parameter(typ))
	}
	for range g.r.IntN(3) {
		pieces = append(pieces, g.special(typ))
	}
	g.r.Shuffle(len(pieces), func(i, j int) { pieces[i], pieces[j] = pieces[j], pieces[i] })
	if len(g.w.byType[typ]) > 20 && g.r.IntN(8) > 0 {
		pieces = append(pieces, "_count="+pick(g, "1", "2", "3", "5", "10")) // keep most pages small
	}
	query := strings.Join(pieces, pick(g, "&", "&", "&", "&&"))
	switch {
	case g.r.IntN(10) == 0 && g.w.profile == Production:
		return Request{Method: "POST", Target: "/" + typ + "/_search", Form: query}
	case g.r.IntN(10) == 0 && g.w.profile == Source:
		return Request{Method: "POST", Target: "/" + typ + pick(g, "", "", "/_search"), Form: query}
	case query == "" && g.r.IntN(2) == 0:
		return Request{Method: "GET", Target: "/" + typ}
	}
	return Request{Method: "GET", Target: "/" + typ + "?" + query}
}

// path is what follows the base in reads, and in what only looks like one.
func (g *Generator) path(typ string) string {
	id := "nobody"
	if all := g.w.byType[typ]; len(all) > 0 {
		id = url.PathEscape(all[g.r.IntN(len(all))].id)
	}
	return pick(g, typ+"/"+id, typ+"/"+id+"/", typ+"/"+id+"?_elements=id&foo=%ZZ", typ+"/nobody", typ+"/a%20b", "Foo/"+id,
		typ+"/", typ+"/_history", typ+"/"+id+"/_history", typ+"/"+id+"/_history/1", typ+"/$everything", "$foo", "_page", "_page?id=", "_page?id=%20")
}

// parameter is one `name:modifier=values` of the directory's parameters.
func (g *Generator) parameter(typ string) string {
	t := g.w.typeOf(typ)
	if t == nil || g.r.IntN(25) == 0 {
		name := pick(g, "foo", "_sort", "_summary", "_since", "_has:PractitionerRole:practitioner:role", "NAME", "=x", ":contains",
			"organization.identifier", "_text", "_lastupdated", "_profile", "links", "%", "foo%ZZ")
		return name + pick(g, "=x", "=", "", "=%4")
	}
	p := t.Params[g.r.IntN(len(t.Params))]
	name := p.Name
	if len(p.Aliases) > 0 && g.r.IntN(2) == 0 {
		name = p.Aliases[0]
	}
	if g.r.IntN(3) == 0 {
		name += pick(g, ":", "%3A") + g.modifier(p.Kind)
	}
	items := []string{g.encode(g.item(t, p))}
	for g.r.IntN(4) == 0 {
		items = append(items, g.encode(g.item(t, p)))
	}
	values := strings.Join(items, pick(g, ",", ",", "%2C", ",,"))
	if g.r.IntN(30) == 0 {
		return name + pick(g, "", "=", "=,")
	}
	return name + "=" + values
}

func (g *Generator) modifier(kind fixtures.Kind) string {
	switch kind {
	case fixtures.String:
		return pick(g, "contains", "contains", "exact", "exact", "missing", "text", "not", "family", "CONTAINS", "contains:exact", "")
	case fixtures.Token:
		return pick(g, "not", "not", "not", "text", "missing", "exact", "of-type", "in")
	case fixtures.Reference:
		return pick(g, "Organization", "missing", "identifier", "Organization.name")
	}
	return pick(g, "missing", "exact", "below")
}

// item is one decoded value of a comma list, without a comma.
func (g *Generator) item(t *fixtures.Type, p fixtures.Param) string {
	if g.r.IntN(60) == 0 && p.Kind != fixtures.Date {
		return pick(g, "a\tb", "😀", "\u007f", strings.Repeat("a", 1023), strings.Repeat("a", 1024), ".*", `\`, "^", "%", "a b", "é")
	}
	if p.Kind == fixtures.Date {
		return g.date(t.Type)
	}
	v := g.value(t.Type, p.Name)
	item := v.text
	switch p.Kind {
	case fixtures.String:
		item = g.text(v.text)
	case fixtures.Token:
		item = g.token(v)
	case fixtures.Reference:
		item = g.reference(v.text)
	case fixtures.URI:
		item = pick(g, v.text, v.text, v.text+"x", strings.ToUpper(v.text))
	}
	return strings.ReplaceAll(item, ",", "")
}

// value is one indexed value of a parameter, made up when there is none.
func (g *Generator) value(typ, param string) value {
	all := g.w.byType[typ]
	for range 8 {
		if len(all) == 0 {
			break
		}
		if found := all[g.r.IntN(len(all))].values[param]; len(found) > 0 {
			return found[g.r.IntN(len(found))]
		}
	}
	return value{system: "urn:x", text: pick(g, "nothing", "Organization/001-1", "10")}
}

// text bends a string: cuts it, changes its case, strips or decomposes accents.
func (g *Generator) text(s string) string {
	runes := []rune(s)
	if len(runes) > 1 {
		switch g.r.IntN(4) {
		case 0:
			runes = runes[:1+g.r.IntN(len(runes)-1)]
		case 1:
			runes = runes[g.r.IntN(len(runes)-1):]
		}
	}
	s = string(runes)
	switch g.r.IntN(8) {
	case 0:
		return strings.ToUpper(s)
	case 1:
		return strings.ToLower(s)
	case 2:
		return normalise(s)
	case 3:
		return s + pick(g, " ", "x", "'", "é")
	case 4:
		return " " + s
	}
	return s
}

func (g *Generator) token(v value) string {
	system := v.system
	if system == "" {
		system = "urn:x"
	}
	switch g.r.IntN(14) {
	case 0:
		return "|" + v.text
	case 1, 2:
		return system + "|"
	case 3:
		return "|"
	case 4:
		return "urn:other|" + v.text
	case 5:
		return " " + system + " | " + v.text + " "
	case 6:
		return strings.ToLower(v.text)
	case 7:
		return v.text + pick(g, "x", "|y", " ")
	case 8:
		return "null|" + v.text
	case 9, 10, 11:
		return system + "|" + v.text
	}
	return v.text
}

func (g *Generator) reference(s string) string {
	_, id, _ := strings.Cut(s, "/")
	return pick(g, s, s, s, id, id, "/"+id, "Foo/"+id, strings.ToLower(s), s+"/_history/1", "http://h/fhir/"+s, "Organization/", id+" ", "nobody")
}

// date is near a lastUpdated of the type, at any precision and prefix, or is
// one of the malformed ones of §2.6.
func (g *Generator) date(typ string) string {
	if g.r.IntN(8) == 0 {
		return pick(g, "ge", "abc", "abc2020", "ge 2022", "22", "2022-1", "2022-13", "ge2022-02-30", "2022-11-01T14", "2022-11-01t10:00:00Z",
			"2022-11-01T14:20:00+0200", "2022-11-01T14:20:00 02:00", "xx2022", "2022/11/01", "2022-11-01T25:00", "ge2022-11-01T14:20:61")
	}
	at := time.Date(2025, 5, 27, 10, 16, 30, 21e6, g.w.zone)
	if all := g.w.byType[typ]; len(all) > 0 {
		if t := all[g.r.IntN(len(all))].updated; !t.IsZero() {
			at = t.In(g.w.zone)
		}
	}
	at = at.Add(time.Duration(g.r.IntN(3)-1) * pick(g, 0, time.Millisecond, time.Second, time.Minute, time.Hour, 24*time.Hour, 24*365*time.Hour))
	layout := pick(g, "2006", "2006-01", "2006-01-02", "2006-01-02", "2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02T15:04:05.000")
	if len(layout) > 10 {
		switch g.r.IntN(3) {
		case 0:
			layout, at = layout+"Z07:00", at.UTC()
		case 1:
			layout += "-07:00"
		}
	}
	prefix := pick(g, "", "", "eq", "ne", "gt", "ge", "ge", "ge", "lt", "le", "le", "sa", "eb", "ap", ">", ">=", "<", "<=", "=", "~")
	return prefix + at.Format(layout)
}

// special is one of the parameters that every search knows.
func (g *Generator) special(typ string) string {
	switch g.r.IntN(8) {
	case 0:
		return pick(g, "_pretty=true", "_format=xml", "_format", "_pretty=banana")
	case 1:
		return "_count" + pick(g, "=1", "=2", "=7", "=0", "=-3", "=%2B2", "=+5", "=007", "=4,9", "=", "", ":foo=3", "=abc", "=1.5", "=50000001",
			"=2147483648", "=50", "=%204")
	case 2:
		return "_total" + pick(g, "=accurate", "=none", "=none", "=estimate", "=", "=banana", "=NONE", ":x=none")
	case 3:
		return "_elements=" + g.elements(typ)
	}
	return g.include(typ)
}

func (g *Generator) elements(typ string) string {
	names := []string{"name", "unknown", "id", "name.family", "address.city,address.line", "meta", "telecom.value"}
	if all := g.w.byType[typ]; len(all) > 0 {
		names = append(names, slices.Sorted(maps.Keys(all[g.r.IntN(len(all))].body))...)
	}
	list := pick(g, names...)
	for g.r.IntN(3) == 0 {
		list += pick(g, ",", "%2C") + pick(g, names...)
	}
	return list
}

func (g *Generator) include(typ string) string {
	direction := pick(g, "_include", "_include", "_revinclude", "_revinclude", "_include:iterate")
	if g.r.IntN(6) == 0 {
		return direction + "=" + pick(g, "*", ":", "::", typ, typ+":", ":partof", typ+":*", typ+":nothing", typ+":_id", "Foo:bar",
			"PractitionerRole:organization:Organization", "*,"+typ+":nothing", "")
	}
	// A pair that exists: of the searched type, or pointing at it.
	var pairs []string
	for _, t := range g.w.table.Types {
		for _, p := range t.Params {
			if p.Kind == fixtures.Reference || g.r.IntN(20) == 0 {
				pairs = append(pairs, t.Type+":"+p.Name)
			}
		}
	}
	if own := slices.DeleteFunc(slices.Clone(pairs), func(p string) bool { return !strings.HasPrefix(p, typ+":") }); len(own) > 0 &&
		strings.HasPrefix(direction, "_include") && g.r.IntN(5) > 0 {
		pairs = own
	}
	list := pick(g, pairs...)
	if g.r.IntN(5) == 0 {
		list += "," + pick(g, pairs...)
	}
	if g.r.IntN(4) == 0 {
		list = strings.ReplaceAll(list, ":", "%3A")
	}
	return direction + "=" + list
}

// encode percent-encodes a value, sometimes more than it must.
func (g *Generator) encode(s string) string {
	switch g.r.IntN(4) {
	case 0:
		return url.QueryEscape(s) // spaces as +
	case 1:
		return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
	}
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{}|%&+#", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func pick[T any](g *Generator, from ...T) T { return from[g.r.IntN(len(from))] }
