package witness

import (
	"strings"

	"golang.org/x/text/unicode/norm"
)

// normalise is how strings are compared: NFD without the block
// U+0300–U+036F, in lower case (ans-server.md §2.4).
func normalise(s string) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		if 0x300 <= r && r <= 0x36F {
			return -1
		}
		return r
	}, norm.NFD.String(s)))
}

// test is one item of one parameter's comma list.
type test func(*resource) bool

// criterion is one parameter: any of its tests. An empty one is no constraint.
type criterion []test

func (c criterion) holds(r *resource) bool {
	for _, t := range c {
		if t(r) {
			return true
		}
	}
	return len(c) == 0
}

// stringTest compares with any one indexed string (§2.4).
func stringTest(param, modifier, item string) test {
	wanted := normalise(item)
	switch modifier {
	case "contains":
		return anyValue(param, func(v value) bool { return strings.Contains(normalise(v.text), wanted) })
	case "exact":
		return anyValue(param, func(v value) bool { return v.text == item })
	}
	return anyValue(param, func(v value) bool { return strings.HasPrefix(normalise(v.text), wanted) })
}

// tokenTest is the table of §2.5.
func tokenTest(param, modifier, item string) test {
	system, code, piped := strings.Cut(item, "|")
	if !piped {
		system, code = "", item
	}
	system, code = trim(system), trim(code)
	absent := func(r *resource) bool { return len(r.values[param]) == 0 }
	hasCode := anyValue(param, func(v value) bool { return v.text == code })
	switch {
	case modifier == "not" && code == "":
		return func(r *resource) bool { return !absent(r) }
	case modifier == "not":
		return func(r *resource) bool { return !hasCode(r) }
	case system == "" && code == "":
		return absent
	case system == "":
		return hasCode
	case code == "":
		return anyValue(param, func(v value) bool { return !v.bare && v.system == system })
	}
	return anyValue(param, func(v value) bool { return !v.bare && v.system+"|"+v.text == system+"|"+code })
}

// referenceTest is the table of §2.7. It is nil for a value that cannot be
// processed.
func referenceTest(param, item string) test {
	bare := func(id string) test {
		return anyValue(param, func(v value) bool { return strings.HasSuffix(v.text, "/"+id) })
	}
	parts := strings.Split(item, "/")
	switch {
	case trim(item) == "":
	case len(parts) == 1:
		return bare(item)
	case len(parts) == 2 && parts[0] == "" && parts[1] != "":
		return bare(parts[1])
	case len(parts) == 2 && parts[1] != "":
		return anyValue(param, func(v value) bool { return v.text == item })
	}
	return nil
}

// uriTest is exact, as documented (§13).
func uriTest(param, item string) test {
	return anyValue(param, func(v value) bool { return v.text == item })
}

func anyValue(param string, ok func(value) bool) test {
	return func(r *resource) bool {
		for _, v := range r.values[param] {
			if ok(v) {
				return true
			}
		}
		return false
	}
}
