package cli

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/redact"
	"github.com/mockfhir/mockfhir/mockserver"
)

// runCommand runs one, with a key and a secret in its environment.
func runCommand(t testing.TB, args ...string) (code int, out string) {
	t.Helper()
	var b output
	env := Env{Args: args, Stdout: &b, Stderr: &b, Getenv: func(name string) string {
		return map[string]string{keyVariable: canaryKey, secretVariable: canarySecret}[name]
	}}
	code = Main(context.Background(), env)
	return code, b.String()
}

// recorded is a set recorded from a mock of the embedded directory.
func recorded(t testing.TB) (dir string) {
	t.Helper()
	server := httptest.NewServer(mockserver.New(fixtures.Default(), mockserver.WithKeys(canaryKey), mockserver.WithRate("0")))
	defer server.Close()
	dir = filepath.Join(t.TempDir(), "set")
	if code, out := runCommand(t, "record", "-target", server.URL+"/fhir/v2", "-out", dir, "-rate", "0"); code != exitOK || !strings.Contains(out, "at most ") {
		t.Fatalf("record exits with %d:\n%s", code, out)
	}
	return dir
}

func TestARecordingIsLintedComparedAndExported(t *testing.T) {
	t.Parallel()
	dir := recorded(t)
	if code, out := runCommand(t, "fixtures", "lint", dir); code != exitOK || !strings.Contains(out, ", 0 findings") {
		t.Errorf("lint exits with %d:\n%s", code, out)
	}
	if code, out := runCommand(t, "fixtures", "diff", dir, dir); code != exitOK || out != "0 breaking differences\n" {
		t.Errorf("a set and itself: diff exits with %d:\n%s", code, out)
	}

	packed := filepath.Join(t.TempDir(), "set.mockfhir")
	if code, out := runCommand(t, "fixtures", "pack", dir, packed); code != exitOK {
		t.Fatalf("pack exits with %d:\n%s", code, out)
	}
	if code, out := runCommand(t, "fixtures", "lint", packed); code != exitOK || !strings.Contains(out, ", 0 findings, every block as it was written") {
		t.Errorf("lint of the packed set exits with %d:\n%s", code, out)
	}
	if code, out := runCommand(t, "fixtures", "diff", dir, packed); code != exitOK || out != "0 breaking differences\n" {
		t.Errorf("a set and itself packed: diff exits with %d:\n%s", code, out)
	}

	changed := filepath.Join(t.TempDir(), "changed")
	if err := os.CopyFS(changed, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	edit(t, filepath.Join(changed, "resources", "Practitioner.ndjson"), func(s string) string {
		return strings.ReplaceAll(s, `"active":true`, `"active":"true"`)
	})
	edit(t, filepath.Join(changed, "manifest.json"), func(s string) string {
		before, _, _ := strings.Cut(s, `"sha256"`)
		return strings.TrimRight(before, " \n,") + "}"
	})
	if err := os.Remove(filepath.Join(changed, "exchanges", "errors", "type.txtar")); err != nil {
		t.Fatal(err)
	}
	code, out := runCommand(t, "fixtures", "diff", dir, changed)
	for _, want := range []string{"BREAKING baseline/types", "Practitioner.active", "GET /fhir/v2/Patient/1 application/fhir+json ${key}: not recorded any more"} {
		if code != exitFailure || !strings.Contains(out, want) {
			t.Errorf("diff exits with %d and does not say %q:\n%s", code, want, out)
		}
	}

	count := strings.Count(readAll(t, dir), "-- request --")
	for format, read := range map[string]string{"har": "-har", "wiremock": "-wiremock"} {
		file, again := filepath.Join(t.TempDir(), format+".json"), filepath.Join(t.TempDir(), "again")
		if code, out := runCommand(t, "fixtures", "export", "-format", format, "-out", file, dir); code != exitOK {
			t.Fatalf("export exits with %d:\n%s", code, out)
		}
		code, out := runCommand(t, "fixtures", "import", read, file, "-out", again)
		if want := fmt.Sprintf("%d exchanges imported", count); code != exitOK || !strings.Contains(out, want) {
			t.Errorf("%s: import exits with %d; want %q:\n%s", format, code, want, out)
		}
		before, after := loaded(t, dir), loaded(t, again)
		if len(before.Resources) != len(after.Resources) || strings.Count(readAll(t, again), fixtures.KeyPlaceholder) < 100 {
			t.Errorf("%s: %d resources come back of %d, with %d keys", format, len(after.Resources), len(before.Resources), strings.Count(readAll(t, again), fixtures.KeyPlaceholder))
		}
		if code, out := runCommand(t, "fixtures", "lint", again); code != exitOK {
			t.Errorf("%s: lint of what was imported exits with %d:\n%s", format, code, out)
		}
	}

	code, out = runCommand(t, "fixtures", "export", "-format", "postman", dir)
	var collection struct {
		Info     struct{ Schema string }
		Variable []struct{ Key, Value string }
		Item     []struct {
			Name string
			Item []struct {
				Request  struct{ Method, URL string }
				Response []struct{ Code int }
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &collection); err != nil || code != exitOK {
		t.Fatalf("%v, %d", err, code)
	}
	requests := 0
	for _, folder := range collection.Item {
		for _, item := range folder.Item {
			if requests++; !strings.HasPrefix(item.Request.URL, "{{origin}}/fhir") || len(item.Response) != 1 || item.Response[0].Code == 0 {
				t.Fatalf("%s: %+v", folder.Name, item)
			}
		}
	}
	if requests != count || !strings.Contains(collection.Info.Schema, "v2.1.0") || len(collection.Variable) != 2 {
		t.Errorf("%d requests of %d, %+v", requests, count, collection.Info)
	}
}

func edit(t testing.TB, name string, change func(string) string) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err == nil {
		err = os.WriteFile(name, []byte(change(string(text))), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func readAll(t testing.TB, dir string) string {
	t.Helper()
	var b strings.Builder
	for _, pattern := range []string{"*", "*/*", "*/*/*"} {
		names, _ := filepath.Glob(filepath.Join(dir, pattern))
		for _, name := range names {
			if text, err := os.ReadFile(name); err == nil {
				b.Write(text)
			}
		}
	}
	return b.String()
}

func loaded(t testing.TB, dir string) *fixtures.Set {
	t.Helper()
	set, err := fixtures.LoadFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestTheEmbeddedSetIsClean(t *testing.T) {
	t.Parallel()
	if code, out := runCommand(t, "fixtures", "lint", "../../fixtures/data/v2"); code != exitOK {
		t.Errorf("lint exits with %d:\n%s", code, out)
	}
}

func TestLintFinds(t *testing.T) {
	t.Parallel()
	const organization = `{"resourceType":"Organization","id":"001-02-40000001","active":true`
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	io.WriteString(w, organization+`,"telecom":[{"system":"email","value":"x@hospital.fr"}]}`)
	w.Close()
	for what, tt := range map[string]struct{ file, text, want string }{
		"a mailbox in gzip":   {"resources/a.ndjson.gz", zipped.String(), "resources/a.ndjson.gz:1: an e-mail address"},
		"JSON that is none":   {"resources/a.ndjson", "{", "not JSON"},
		"an element of no R4": {"resources/a.ndjson", organization + `,"colour":"red"}`, "colour"},
		"an e-mail address":   {"resources/a.ndjson", organization + `,"telecom":[{"system":"email","value":"x@hospital.fr"}]}`, "resources/a.ndjson:1: an e-mail address"},
		"a phone":             {"resources/a.ndjson", organization + `,"telecom":[{"system":"phone","value":"01 44 55 66 77"}]}`, "a phone number"},
		"a real FINESS":       {"resources/a.ndjson", organization + `,"identifier":[{"system":"https://finess.esante.gouv.fr","value":"750000218"}]}`, "Organization.identifier[0].value: a number of the register FINESS"},
		"a real id":           {"resources/a.ndjson", `{"resourceType":"Organization","id":"001-02-74797","active":true}`, "Organization.id: a technical id"},
		"a key":               {"exchanges/a.txtar", "x\n-- request --\nGET /fhir/v2/metadata\nESANTE-API-KEY: 22222222-3333-4444-8555-666666666666\n-- response --\n200 OK\n", "exchanges/a.txtar:4: something shaped like a key"},
		"an old recording":    {"manifest.json", fmt.Sprintf(`{"captured":%q,"from":"gateway.api.esante.gouv.fr"}`, time.Now().AddDate(0, 0, -40).Format(time.DateOnly)), "40 days ago"},
		"another set's sums":  {"manifest.json", `{"sha256":{"resources/ok.ndjson":"00"}}`, "checksum"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write := func(name, text string) {
				if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			write("resources/ok.ndjson", `{"resourceType":"Device","id":"002-40000001","status":"inactive"}`)
			write(tt.file, tt.text)
			code, out := runCommand(t, "fixtures", "lint", dir)
			if code != exitFailure || !strings.Contains(out, tt.want) {
				t.Errorf("lint exits with %d and does not say %q:\n%s", code, tt.want, out)
			}
			packed := filepath.Join(t.TempDir(), "set.mockfhir")
			if code, _ := runCommand(t, "fixtures", "pack", dir, packed); code == exitOK {
				_, what, _ := strings.Cut(tt.want, ": ")
				code, told := runCommand(t, "fixtures", "lint", packed)
				if code != exitFailure || !strings.Contains(told, what) {
					t.Errorf("lint of the pack exits with %d and does not say %q:\n%s", code, what, told)
				}
				out += told
			}
			for _, value := range []string{"x@hospital.fr", "44 55", "750000218", "22222222"} {
				if strings.Contains(out, value) {
					t.Errorf("lint prints %q", value)
				}
			}
		})
	}
}

// A HAR file of a browser holds the key, cookies and people.
func TestAnImportIsRedacted(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "x.har")
	body := `{\"resourceType\":\"Practitioner\",\"id\":\"003-1-2\",\"active\":true,\"name\":[{\"family\":\"Qanarison\"}]}`
	har := `{"log":{"entries":[
		{"request":{"method":"GET","url":"https://gateway.api.esante.gouv.fr/fhir/v2/Practitioner/003-1-2?api-key=` + canaryKey + `","headers":[{"name":"ESANTE-API-KEY","value":"` + canaryKey + `"}],"cookies":[{"name":"s","value":"` + canarySession + `"}]},
		 "response":{"status":200,"headers":[{"name":"Set-Cookie","value":"s=` + canarySession + `"}],"content":{"text":"` + body + `"}}},
		{"request":{"method":"GET","url":"https://elsewhere.example/qanari"},"response":{"status":200,"content":{"text":"qanari"}}}]}}`
	if err := os.WriteFile(file, []byte(har), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "set")
	code, out := runCommand(t, "fixtures", "import", "-har", file, "-out", dir)
	if code != exitOK || !strings.Contains(out, "1 exchanges imported") || !strings.Contains(out, `1 left out: the host "elsewhere.example" is not asked for the API`) {
		t.Fatalf("import exits with %d:\n%s", code, out)
	}
	a := &aviary{numbers: map[string]bool{}}
	if found := a.heard(readAll(t, dir) + out); len(found) > 0 {
		t.Errorf("the set holds %q", found)
	}
	if set := loaded(t, dir); len(set.Resources) != 1 || set.Scenarios[0].Exchanges[0].Request.Header.Get(redact.KeyHeader) != fixtures.KeyPlaceholder {
		t.Errorf("%d resources, %+v", len(set.Resources), set.Scenarios[0].Exchanges[0].Request)
	}
}

func TestUsageOfRecordAndFixtures(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for line, want := range map[string]string{
		"record": "-target",
		"record -target https://gateway.example/fhir/v2":                              "-out DIR is missing",
		"record -target https://gateway.example/fhir/v2 -out " + dir + " -rate 17/1s": "at most 8/1s",
		"record -target https://gateway.example/fhir/v2 -out " + dir + " -rate 0":     "at most 8/1s",
		"record -target https://gateway.example/fhir/v2 -out " + dir + " -rate fast":  "write it as in 8/1s",
		"record -target http://gateway.example/fhir/v2 -out " + dir:                   "https",
		"record -target https://gateway.example/fhir/v2 -out x -key k":                "flag provided but not defined",
		"fixtures":                           "valid are lint, diff, import, export and pack",
		"fixtures polish":                    "valid are lint",
		"fixtures lint":                      "name one fixture set",
		"fixtures diff a":                    "name two fixture sets",
		"fixtures diff a b":                  "no fixture set at a",
		"fixtures import":                    "give -out DIR",
		"fixtures export":                    "name one fixture set",
		"fixtures export -format x default":  "valid are har, wiremock, postman",
		"fixtures import -har a -wiremock b": "give -out DIR",
	} {
		if code, out := runCommand(t, strings.Fields(line)...); code != exitUsage || !strings.Contains(out, want) || strings.Contains(out, canaryKey) {
			t.Errorf("%s: exit %d, without %q:\n%s", line, code, want, out)
		}
	}
	for _, line := range []string{"record -h", "fixtures help", "fixtures import -h"} {
		if code, out := runCommand(t, strings.Fields(line)...); code != exitOK || out == "" {
			t.Errorf("%s: exit %d", line, code)
		}
	}
	var b output
	none := Env{Args: strings.Fields("record -target https://gateway.example/fhir/v2 -out x"), Stdout: &b, Stderr: &b, Getenv: func(string) string { return "" }}
	if code := Main(context.Background(), none); code != exitUsage || !strings.Contains(b.String(), "set ESANTE_API_KEY in the environment") {
		t.Errorf("without a key: exit %d, %s", code, b.String())
	}
}

// What was interrupted says that it goes on, and does.
func TestAnInterruptedGenerationGoesOn(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "set")
	args := []string{"generate", "-practitioners", "8000", "-out", dir, "-quiet"}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var b output
	if code := Main(ctx, Env{Args: args, Stdout: &b, Stderr: &b}); code != exitFailure || !strings.HasSuffix(b.String(), "interrupted; the same command goes on from here\n") {
		t.Errorf("interrupted: exit %d, %s", code, b.String())
	}
	if code, out := runCommand(t, args...); code != exitOK {
		t.Errorf("again: exit %d, %s", code, out)
	}
}
