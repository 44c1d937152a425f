package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mockfhir/mockfhir/bench/yardstick"
)

// TestMain makes the test program a peer, or the bare server, when it is started
// as one.
func TestMain(m *testing.M) {
	yardstick.Main()
	if len(os.Args) == 4 && os.Args[1] == "be-a-peer" {
		body, err := os.ReadFile(os.Args[3])
		if err != nil {
			panic(err)
		}
		panic(http.ListenAndServe(os.Args[2], http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })))
	}
	os.Exit(m.Run())
}

func testPages() []page {
	body := []byte("{\"a\": \"{{é}} <%= 1 %> \\\"$\", \"n\": 1.50}\n")
	header := http.Header{"Content-Type": {"application/fhir+json;charset=UTF-8"}}
	return []page{
		{"metadata", "/fhir/v2/metadata", header, body},
		{"page of 50", "/fhir/v2/Practitioner", header, body},
	}
}

// Each configuration is JSON that names the port and the paths and holds the
// pages as they are.
func TestConfigurations(t *testing.T) {
	t.Parallel()
	for _, p := range peers {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			dir, pages := t.TempDir(), testPages()
			args, err := p.configure(dir, []int{1234, 5678}, pages)
			if err != nil {
				t.Fatal(err)
			}
			var all strings.Builder
			all.WriteString(strings.Join(args, " "))
			found := 0
			if err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				text, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				all.Write(text)
				if string(text) == string(pages[0].body) {
					found++
				}
				var value any
				if err := json.Unmarshal(text, &value); err != nil {
					t.Errorf("%s: %v", path, err)
				}
				found += holds(value, pages[0].body)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if found != len(pages) {
				t.Errorf("%d of %d pages are in it", found, len(pages))
			}
			for _, want := range []string{"1234", "fhir/v2/metadata", "fhir/v2/Practitioner", "application/fhir+json", "127.0.0.1"} {
				if !strings.Contains(all.String(), want) {
					t.Errorf("%s is nowhere in it", want)
				}
			}
		})
	}
}

// holds counts the places where a page stands in a value: as text, or as JSON.
func holds(value any, body []byte) int {
	n := 0
	switch v := value.(type) {
	case map[string]any:
		for _, member := range v {
			n += holds(member, body)
		}
		if text, err := json.Marshal(v["example"]); err == nil && v["example"] != nil {
			var page any
			_ = json.Unmarshal(body, &page)
			if same, _ := json.Marshal(page); string(same) == string(text) {
				n++
			}
		}
	case []any:
		for _, item := range v {
			n += holds(item, body)
		}
	case string:
		if v == string(body) {
			n++
		}
	}
	return n
}

// A peer that serves the pages is measured beside the bare server, one that
// serves something else or nothing is refused.
func TestAPeerIsMeasured(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	pages := testPages()
	fake := func(body string) peer {
		return peer{"fake", "", func() []string { return []string{self, "be-a-peer"} }, time.Minute,
			func(dir string, ports []int, _ []page) ([]string, error) {
				return []string{"127.0.0.1:" + strconv.Itoa(ports[0]), filepath.Join(dir, "body")}, write(dir, "body", []byte(body))
			}}
	}
	if _, err := fake(`{"a": 2}`).start(t.TempDir(), pages); err == nil || !strings.Contains(err.Error(), "something else") {
		t.Errorf("a peer that serves something else: %v", err)
	}
	dead := fake("")
	dead.patience = 100 * time.Millisecond
	dead.find = func() []string { return []string{self, "-test.run=^$"} }
	if _, err := dead.start(t.TempDir(), pages); err == nil || !strings.Contains(err.Error(), "does not serve") {
		t.Errorf("a peer that serves nothing: %v", err)
	}
	c, err := fake(string(pages[0].body)).start(t.TempDir(), pages)
	if err != nil {
		t.Fatal(err)
	}
	defer c.stop()
	bare, err := yardstick.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer bare.Stop()
	var out strings.Builder
	all := []contestant{{"bare net/http", bare.Base, nil, func(p page) error { return bare.Give(p.header, p.body) }}, c}
	if err := compare(&out, all, pages, 10*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2+2*len(pages) || slices.ContainsFunc(lines[2:], func(l string) bool { return strings.Contains(l, "| 0 |") }) {
		t.Errorf("the table is\n%s", out.String())
	}
}
