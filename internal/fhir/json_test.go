package fhir

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseKeepsOrderLiteralsAndRepeats(t *testing.T) {
	t.Parallel()
	n, err := Parse([]byte(` {"b": 1.50, "a": ["\u00e9\n", null, true, {"x": {}}], "b": -0}` + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := n.Get("b").Raw(); got != "1.50" {
		t.Errorf("b = %s", got)
	}
	if got := n.Path("a", "x"); got != nil {
		t.Errorf("a.x = %v", got)
	}
	if got := n.Get("a").Item(0).Str(); got != "é\n" {
		t.Errorf("a[0] = %q", got)
	}
	if path, found := n.Duplicate(); !found || path != "b" {
		t.Errorf("duplicate = %q, %v", path, found)
	}
	if n.Get("no").Get("where").Kind() != Missing {
		t.Error("a missing path is not Missing")
	}
	deep, err := Parse([]byte(`{"a":[{"x":1},{"y":{"z":1,"z":2}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if path, _ := deep.Duplicate(); path != "a[1].y.z" {
		t.Errorf("path = %q", path)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", " ", "{", "[1", `{"a"}`, `{"a":}`, `{a:1}`, "[1,]", "01", "1.", "-", "+1", "1e", "nul", "tru",
		`"`, `"\x"`, `"\u12"`, "\"\n\"", "\"\xff\"", "{} {}", "\ufeff{}", `{"a":1,}`, strings.Repeat("[", MaxDepth+1),
	} {
		if n, err := Parse([]byte(text)); err == nil {
			t.Errorf("%q is %v", text, n.Kind())
		}
	}
}

// The printers' rules are ans-server.md §4.2 and §5.
func TestDialects(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ in, search, read string }{
		{`{"a":"b","c":[1,2],"o":{"x":1}}`, `{"a": "b", "c": [1, 2], "o": {"x": 1}}`, `{"a":"b","c":[1,2],"o":{"x":1}}`},
		{`{ "e" : { } , "l" : [ ] }`, `{"e": {}, "l": []}`, `{"e":{},"l":[]}`},
		{`[48.850,48.8566,0.00001,2.0,1E+2,12345678.9,9007199254740993]`, `[48.85, 48.8566, 1.0E-5, 2.0, 100.0, 1.23456789E7, 9007199254740993]`, `[48.85,48.8566,0.000010,2.0,100.0,12345678.9,9007199254740993]`},
		{`"/ \" \\ \b\f\n\r\t <>&'"`, `"/ \" \\ \b\f\n\r\t <>&'"`, `"/ \" \\ \b\f\n\r\t <>&'"`},
		{`"é e\u0301 \u200b \u00ad \u00a0 ’ \u02bc 😀 \u0001"`, `"é e\u0301 \u200b \u00ad ` + "\u00a0" + ` ’ \u02bc \ud83d\ude00 \u0001"`, "\"é e\u0301 \u200b \u00ad \u00a0 ’ \u02bc 😀 \\u0001\""},
		{`[null,true,false]`, `[null, true, false]`, `[null,true,false]`},
	} {
		n, err := Parse([]byte(tc.in))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.search, string(AppendSearch(nil, n))); diff != "" {
			t.Errorf("search form of %s (-want +got):\n%s", tc.in, diff)
		}
		if diff := cmp.Diff(tc.read, string(AppendRead(nil, n))); diff != "" {
			t.Errorf("read form of %s (-want +got):\n%s", tc.in, diff)
		}
		if diff := cmp.Diff(tc.read, string(AppendReadOf(nil, []byte(tc.search)))); diff != "" {
			t.Errorf("read form of the search form of %s (-want +got):\n%s", tc.in, diff)
		}
	}
}

// A read prints the version as a string, also where a search has a number
// (ans-server.md §5).
func TestVersionOfARead(t *testing.T) {
	t.Parallel()
	for search, want := range map[string]string{
		`{"meta": {"versionId": 2, "a": 2}}`:   `{"meta":{"versionId":"2","a":2}}`,
		`{"meta": {"versionId": "2", "a": 2}}`: `{"meta":{"versionId":"2","a":2}}`,
	} {
		if got := string(AppendReadOf(nil, []byte(search))); got != want {
			t.Errorf("read of %s: %s, want %s", search, got, want)
		}
	}
}

// Parse accepts what encoding/json accepts (duplicates and depth aside), and
// both dialects say the same value.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5e3,null,true,"x\u00e9\ud83d\ude00"]}`, `"\ud800"`, "[", "\ufeff{}", `{"a":1,"a":2}`, "\"\xff\""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := ParseString(text)
		if (err == nil) != json.Valid([]byte(text)) {
			if err == nil || strings.Contains(err.Error(), "deeply") || strings.Contains(err.Error(), "UTF-8") {
				return // encoding/json lets invalid UTF-8 pass
			}
			t.Fatalf("Parse(%q): %v, encoding/json disagrees", text, err)
		}
		if err != nil {
			return
		}
		search := AppendSearch(nil, n)
		again, err := Parse(search)
		if err != nil {
			t.Fatalf("search form %s of %q: %v", search, text, err)
		}
		want := string(AppendRead(nil, n))
		if got := string(AppendRead(nil, again)); got != want {
			t.Fatalf("read of search form: %s, want %s", got, want)
		}
		if got := string(AppendReadOf(nil, search)); got != want && !strings.Contains(want, `"versionId"`) {
			t.Fatalf("read without a tree: %s, want %s", got, want)
		}
	})
}

// BenchmarkRead compares the two ways from the search form to a read.
func BenchmarkRead(b *testing.B) {
	n, err := ParseString(benchmarked)
	if err != nil {
		b.Fatal(err)
	}
	search := AppendSearch(nil, n)
	b.Run("tree", func(b *testing.B) {
		b.SetBytes(int64(len(search)))
		for b.Loop() {
			n, err := Parse(search)
			if err != nil {
				b.Fatal(err)
			}
			AppendRead(nil, n)
		}
	})
	b.Run("direct", func(b *testing.B) {
		b.SetBytes(int64(len(search)))
		for b.Loop() {
			AppendReadOf(nil, search)
		}
	})
}

const benchmarked = `{"resourceType":"X","meta":{"versionId":"1","profile":["a","b"]},"identifier":[` +
	ten + "," + ten + `]}`

const (
	one = `{"use":"official","system":"https://rpps.esante.gouv.fr","value":"10000000001"}`
	ten = one + "," + one + "," + one + "," + one + "," + one + "," + one + "," + one + "," + one + "," + one + "," + one
)

func BenchmarkParse(b *testing.B) {
	b.SetBytes(int64(len(benchmarked)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseString(benchmarked); err != nil {
			b.Fatal(err)
		}
	}
}
