package search

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDecode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in, want string
		ok       bool
	}{
		{"", "", true},
		{"plain", "plain", true},
		{"a+b", "a b", true},
		{"a%2Bb", "a+b", true},
		{"%c3%A9", "é", true},
		{"É", "É", true},
		{"%41%42", "AB", true},
		{"100%25", "100%", true},
		{"%2525", "%25", true}, // once
		{"%00", "\x00", true},
		{"%+9", "\t", true}, // Integer.parseInt takes a sign
		{"%", "", false},
		{"%4", "", false},
		{"a%", "", false},
		{"%zz", "", false},
		{"%4z", "", false},
		{"%z4", "", false},
		{"%9+", "", false},
		{"%-1", "", false},
		{"%%41", "", false},
		{"ok%41%", "", false},
		{"%FF", "\ufffd", true},
		{"\xff", "\ufffd", true},
		{"%C3a", "\ufffda", true},
	} {
		got, ok := decode(c.in)
		if got != c.want || ok != c.ok {
			t.Errorf("decode(%q) = %q, %v, want %q, %v", c.in, got, ok, c.want, c.ok)
		}
	}
}

// TestPairs is ans-server.md §2.1.
func TestPairs(t *testing.T) {
	t.Parallel()
	one := func(name, modifier string, values ...string) []pair { return []pair{{name, modifier, values}} }
	for _, c := range []struct {
		query string
		want  []pair
	}{
		{"", nil},
		{"&&", nil},
		{"a=1", one("a", "", "1")},
		{"a=1&&b=2&", append(one("a", "", "1"), one("b", "", "2")...)},
		{"a=1&a=2", append(one("a", "", "1"), one("a", "", "2")...)},
		{"a=1;b=2", one("a", "", "1;b=2")}, // ';' does not separate
		{"a", one("a", "")},
		{"a=", one("a", "")},
		{"a=,", one("a", "")},
		{"a=,,x,,y,", one("a", "", "x", "y")},
		{"a=b=c", one("a", "", "b=c")},
		{"=x", one("=x", "")}, // the first '=' counts only behind something
		{"=x=y", one("=x=y", "")},
		{"a:m=1", one("a", "m", "1")},
		{"a%3Am=1", one("a", "m", "1")},
		{"a:m:n=1", one("a", "m:n", "1")},
		{"a:=1", one("a", "", "1")},
		{":m=1", one(":m", "", "1")},
		{"a%3D1", one("a=1", "")},
		{"a=x%2Cy,z", one("a", "", "x", "y", "z")},
		{`a=x\,y`, one("a", "", `x\`, "y")},
		{"a=%26b%3D2", one("a", "", "&b=2")},
		{"a=+x+", one("a", "", " x ")}, // not trimmed
		{"a+b=1", one("a b", "", "1")},
		{"a=1?b=2", one("a", "", "1?b=2")},
	} {
		got, err := pairs(c.query)
		if err != nil {
			t.Errorf("%q: %v", c.query, err)
		}
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(pair{})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.query, diff)
		}
	}
	for _, bad := range []string{"a=%", "%=1", "a=1&b=%zz", "a%4=1", "%"} {
		if got, err := pairs(bad); err == nil || err.Error() != UnknownError {
			t.Errorf("%q: %v, %v", bad, got, err)
		}
	}
}

// TestAcceptable is ans-server.md §2.3.
func TestAcceptable(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{
		"":                             true,
		" ":                            true,
		"é’œ":                          true,
		"\u007f\uffff":                 true,
		strings.Repeat("a", 1023):      true,
		strings.Repeat("é", 1023):      true,
		strings.Repeat("a", 1024):      false,
		"a\tb":                         false,
		"a\n":                          false,
		"\x00":                         false,
		"\x1f":                         false,
		"\U0001F600":                   false,
		"\U00010000":                   false,
		strings.Repeat("a", 10) + "\r": false,
	} {
		if acceptable(value) != want {
			t.Errorf("acceptable(%.20q…, %d characters) = %v", value, len(value), !want)
		}
	}
}

func TestJavaInt(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"0": 0, "5": 5, "007": 7, "+5": 5, "-3": -3, "-0": 0, "2147483647": 1<<31 - 1, "-2147483648": -1 << 31, "0000000000000000005": 5,
		"٣": 3, "-१२": -12, "９": 9,
	} {
		if got, ok := javaInt(text); got != want || !ok {
			t.Errorf("javaInt(%q) = %d, %v", text, got, ok)
		}
	}
	for _, text := range []string{
		"", "+", "-", "--1", "+-1", " 5", "5 ", "1.0", "1e3", "0x5", "1_000", "abc", "2147483648", "-2147483649", "½", "²", "Ⅷ", "𝟗", strings.Repeat("9", 400),
	} {
		if got, ok := javaInt(text); ok {
			t.Errorf("javaInt(%q) = %d", text, got)
		}
	}
}

func TestJavaSplit(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a:b": "a|b", "a:b:": "a|b", "a": "a", ":a": "|a", "a::b": "a||b", ":": "", "::": "", "a:::": "a",
	} {
		if got := strings.Join(javaSplit(text, ":"), "|"); got != want {
			t.Errorf("javaSplit(%q) = %q, want %q", text, got, want)
		}
	}
}
