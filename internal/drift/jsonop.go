package drift

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mockfhir/mockfhir/internal/fhir"
)

// json compiles a JSON clause: an operation, paths and what to do there.
func (p *parser) json(op, text string) error {
	var act func(*call, *tree) bool
	var err error
	switch op {
	case "set":
		act, err = parseSet(text)
	case "map":
		act, err = parseMap(text)
	case "append":
		act, err = parseAppend(text)
	case "move", "rename":
		act, err = parseMove(text)
	default:
		act, err = parsePlaces(op, text)
	}
	if err != nil {
		return err
	}
	p.add(p.document(), func(c *call) {
		if t := c.tree(); t != nil && act(c, t) {
			c.touch()
		}
	})
	return nil
}

// cutPath takes the path at the start of a text; selectors may hold spaces.
func cutPath(text, end string) (path, string, error) {
	depth := 0
	for i, c := range text {
		switch {
		case c == '[' || c == '<':
			depth++
		case c == ']' || c == '>':
			depth--
		case depth == 0 && strings.ContainsRune(end, c):
			p, err := parsePath(strings.TrimSpace(text[:i]))
			return p, strings.TrimSpace(text[i:]), err
		}
	}
	p, err := parsePath(strings.TrimSpace(text))
	return p, "", err
}

func parseSet(text string) (func(*call, *tree) bool, error) {
	at, rest, err := cutPath(text, "=")
	if err != nil {
		return nil, err
	}
	value, err := parseExpr(strings.TrimPrefix(rest, "="))
	if err != nil {
		return nil, err
	}
	return func(c *call, t *tree) (changed bool) {
		for _, pl := range at.find(c, t, true) {
			made := pl.value.kind == fhir.Object && len(pl.value.kids) == 0
			if v := value(c, t, pl.parent, pl.value); v != nil {
				*pl.value = *v
				changed = true
			} else if made {
				pl.parent.remove(pl.value)
			}
		}
		return changed
	}, nil
}

func parseAppend(text string) (func(*call, *tree) bool, error) {
	at, rest, err := cutPath(text, " ")
	if err != nil {
		return nil, err
	}
	if _, err := fhir.ParseString(rest); err != nil {
		return nil, fmt.Errorf("json append %s: %w", text, err)
	}
	return func(c *call, t *tree) (changed bool) {
		for _, pl := range at.find(c, t, false) {
			if pl.value.kind == fhir.Array {
				value := literal(rest)
				likely(value, t)
				pl.value.add(value)
				changed = true
			}
		}
		return changed
	}, nil
}

// likely replaces an ellipsis in a value by what such a member may hold: for a
// link, an address of this service.
func likely(value, root *tree) {
	if u := value.get("url"); u.str() == "..." {
		if links := root.get("link").items(); len(links) > 0 {
			*u = *links[len(links)-1].value.get("url").clone()
		}
	}
}

func parseMove(text string) (func(*call, *tree) bool, error) {
	from, to, found := strings.Cut(text, "->")
	if !found {
		return nil, fmt.Errorf("json move %s: no ->", text)
	}
	at, err := parsePath(strings.TrimSpace(from))
	if err != nil {
		return nil, err
	}
	name := strings.TrimSpace(to)
	name = name[strings.LastIndexByte(name, '/')+1:]
	return func(c *call, t *tree) (changed bool) {
		for _, pl := range at.find(c, t, false) {
			if pl.parent != nil && pl.parent.kind == fhir.Object && pl.parent.remove(pl.value) {
				pl.parent.put(name, pl.value)
				changed = true
			}
		}
		return changed
	}, nil
}

// parsePlaces compiles del, shuffle, reverse and dup: paths parted by commas,
// where a name alone stands beside the last step of the path before it.
func parsePlaces(op, text string) (func(*call, *tree) bool, error) {
	var paths []path
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if !strings.HasPrefix(part, "/") {
			if len(paths) == 0 {
				return nil, fmt.Errorf("json %s %s: no path", op, text)
			}
			beside := slices.Clone(paths[0])
			beside[len(beside)-1] = step{kind: member, name: part}
			paths = append(paths, beside)
			continue
		}
		at, err := parsePath(part)
		if err != nil {
			return nil, err
		}
		paths = append(paths, at)
	}
	one := map[string]func(place) bool{
		"del":     func(pl place) bool { return pl.parent.remove(pl.value) },
		"shuffle": func(pl place) bool { return shuffle(pl.value) },
		"reverse": func(pl place) bool { return reverse(pl.value) },
		"dup": func(pl place) bool {
			if pl.parent.kind == fhir.Array {
				pl.parent.add(pl.value.clone())
			}
			return pl.parent.kind == fhir.Array
		},
	}[op]
	return func(c *call, t *tree) (changed bool) {
		emptied := map[*tree]bool{}
		for _, at := range paths {
			for _, pl := range at.find(c, t, false) {
				if pl.parent == nil && (op == "del" || op == "dup") || !one(pl) {
					continue
				}
				changed = true
				if pl.parent != nil && len(pl.parent.kids) == 0 {
					emptied[pl.parent] = true
				}
			}
		}
		t.prune(emptied)
		return changed
	}, nil
}

// prune takes out the lists and objects that a deletion left empty: FHIR has
// no empty ones. The entry list of a page stays (ans-server.md §4.1).
func (t *tree) prune(emptied map[*tree]bool) {
	for i := 0; len(emptied) > 0 && i < len(t.kids); i++ {
		k := &t.kids[i]
		k.value.prune(emptied)
		if !emptied[k.value] || k.name == `"entry"` {
			continue
		}
		t.remove(k.value)
		i--
		if len(t.kids) == 0 {
			emptied[t] = true
		}
	}
}

func parseMap(text string) (func(*call, *tree) bool, error) {
	at, rest, err := cutPath(text, " ")
	if err != nil {
		return nil, err
	}
	change, err := parseTransform(rest)
	if err != nil {
		return nil, err
	}
	return func(c *call, t *tree) (changed bool) {
		for _, pl := range at.find(c, t, false) {
			old := pl.value.String()
			if v := change(c, pl.parent, pl.value); v != nil && v.String() != old {
				*pl.value = *v
				changed = true
			}
		}
		return changed
	}, nil
}
