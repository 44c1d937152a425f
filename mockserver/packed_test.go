package mockserver_test

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/console"
	"github.com/mockfhir/mockfhir/internal/store"
	"github.com/mockfhir/mockfhir/internal/synth"
	"github.com/mockfhir/mockfhir/mockserver"
)

// drawnSet writes a generated directory, and the same packed.
func drawnSet(t testing.TB, size synth.Size) (dir, packed string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "resources"), 0o755); err != nil {
		t.Fatal(err)
	}
	err := synth.Generate(synth.Options{Seed: 3, Size: size}, func(typ string) (io.WriteCloser, error) {
		return os.Create(filepath.Join(dir, "resources", typ+".ndjson"))
	})
	if err != nil {
		t.Fatal(err)
	}
	packed = filepath.Join(t.TempDir(), "set.mockfhir")
	if err := store.Pack(packed, os.DirFS(dir), io.Discard); err != nil {
		t.Fatal(err)
	}
	return dir, packed
}

func load(t testing.TB, path string) *fixtures.Set {
	t.Helper()
	set, err := fixtures.LoadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

var changing = regexp.MustCompile(`"id": "[0-9a-f-]{36}"|_page\?id=[^"]+|http://127\.0\.0\.1:\d+`)

// TestPackedIsTheSame: a packed set answers, byte for byte, what the directory
// it was packed from answers, in both profiles, changes and paging included.
func TestPackedIsTheSame(t *testing.T) {
	t.Parallel()
	dir, packed := drawnSet(t, synth.DefaultSize)
	inMemory, onDisk := load(t, dir), load(t, packed)
	if inMemory.Count() != onDisk.Count() || inMemory.Digest() != onDisk.Digest() {
		t.Errorf("%d resources and digest %.8s in memory, %d and %.8s packed", inMemory.Count(), inMemory.Digest(), onDisk.Count(), onDisk.Digest())
	}
	added := fixtures.Resource{Type: "Device", ID: "added", JSON: `{"resourceType":"Device","id":"added","meta":{"versionId":"3"},"status":"active"}`}
	for _, profile := range []mockserver.Profile{mockserver.Production, mockserver.Source} {
		var servers []string
		for _, set := range []*fixtures.Set{inMemory, onDisk} {
			mock := mockserver.New(set, mockserver.WithKeys("k"), mockserver.WithRate("0"), mockserver.WithProfile(profile))
			mock.Put(added)
			ts := listen(t, mock)
			servers = append(servers, ts.URL)
		}
		for _, shape := range append([]string{
			"metadata", "Device?_count=1000", "Device/added", "Practitioner?family:exact=x", "Organization?_id=nope",
			"PractitionerRole?_lastUpdated=ge2026-01-01&_count=20", "Practitioner?active=false&_elements=identifier",
			"Organization?address-city:contains=a&_revinclude=PractitionerRole:organization&_count=3", "Practitioner?qualification-code=10,60&_count=9",
		}, shapes...) {
			next := []string{servers[0] + "/fhir/v2/" + shape, servers[1] + "/fhir/v2/" + shape}
			for page := 0; next[0] != "" && page < 4; page++ {
				_, one := get(t, next[0])
				_, two := get(t, next[1])
				if a, b := changing.ReplaceAllString(one, "·"), changing.ReplaceAllString(two, "·"); a != b {
					t.Fatalf("%s %s, page %d:\n%.2000s\n%.2000s", profile, shape, page+1, a, b)
				}
				if !strings.Contains(one, `"searchset"`) {
					break
				}
				next = []string{decodeBundle(t, one).link("next"), decodeBundle(t, two).link("next")}
			}
		}
	}
}

// TestPackedIsTold: what is said of a packed set, also with another over it, is
// what is said of the directory: the counts, and the examples of the page.
func TestPackedIsTold(t *testing.T) {
	t.Parallel()
	dir, packed := drawnSet(t, synth.DefaultSize)
	first := load(t, dir).Resources[0]
	over := filepath.Join(t.TempDir(), "over.ndjson")
	text := first.JSON + "\n" + strings.Replace(first.JSON, `"id":"`+first.ID+`"`, `"id":"new"`, 1) + "\n"
	if err := os.WriteFile(over, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	merge := func(sets ...*fixtures.Set) *fixtures.Set { return must(fixtures.Merge(sets...))(t) }
	// A pack that is named later replaces as any set does.
	if all := merge(load(t, over), load(t, packed)); len(all.Resources) != 1 || all.Resources[0].ID != "new" || all.Count() != load(t, dir).Count()+1 {
		t.Errorf("%d resources, of them beside the pack %v", all.Count(), all.Resources)
	}
	for _, sets := range [][]*fixtures.Set{
		{load(t, dir), load(t, packed)},
		{merge(load(t, dir), load(t, over)), merge(load(t, packed), load(t, over))},
	} {
		inMemory, onDisk := sets[0], sets[1]
		if diff := cmp.Diff(inMemory.Counts(), onDisk.Counts()); diff != "" || inMemory.Count() != onDisk.Count() || inMemory.Count() != len(inMemory.Resources) {
			t.Errorf("%d and %d resources (-memory +packed):\n%s", inMemory.Count(), onDisk.Count(), diff)
		}
		if diff := cmp.Diff(console.Form(inMemory, false), console.Form(onDisk, false)); diff != "" {
			t.Errorf("the form (-memory +packed):\n%s", diff)
		}
		for i := range inMemory.Table.Types {
			typ := inMemory.Table.Types[i].Type
			var ids [2][]string
			for k, set := range sets {
				for r := range set.Of(typ) {
					ids[k] = append(ids[k], r.ID)
				}
			}
			if diff := cmp.Diff(ids[0], ids[1]); diff != "" || len(ids[0]) != inMemory.Counts()[typ] {
				t.Errorf("%s (-memory +packed):\n%s", typ, diff)
			}
		}
	}
}

// TestPackedWithMistakes: a set with a mistake is not packed, and no file
// appears.
func TestPackedWithMistakes(t *testing.T) {
	t.Parallel()
	dir, _ := drawnSet(t, synth.DefaultSize)
	path := filepath.Join(dir, "resources", "Device.ndjson")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(text, "{\"resourceType\":\"Device\"}\nno json\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "set.mockfhir")
	err = store.Pack(out, os.DirFS(dir), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "Device.ndjson:511") || !strings.Contains(err.Error(), "Device.ndjson:512") {
		t.Errorf("packing a broken set: %v", err)
	}
	if left, err := os.ReadDir(filepath.Dir(out)); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// TestDamagedWhileServed: a block that changed on disk is a gateway error for
// the client, and a sentence with the place for whoever runs the mock.
func TestDamagedWhileServed(t *testing.T) {
	t.Parallel()
	_, packed := drawnSet(t, synth.DefaultSize)
	whole, err := os.ReadFile(packed)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(whole, []byte(`"resourceType": "Device"`))
	whole[at+100] ^= 1
	if err := os.WriteFile(packed, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	server := serve(t, load(t, packed), mockserver.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	if response, _ := get(t, server.URL+"/fhir/v2/Practitioner?_count=1"); response.StatusCode != 200 {
		t.Errorf("what is whole is answered with %s", response.Status)
	}
	for range 2 {
		if response, body := get(t, server.URL+"/fhir/v2/Device?_count=1"); response.StatusCode != 502 || body != "" {
			t.Errorf("what is damaged is answered with %s %.200s", response.Status, body)
		}
	}
	server.Close()
	if !strings.Contains(log.String(), "is damaged at byte") {
		t.Errorf("the log does not say what happened: %s", log.String())
	}
}
