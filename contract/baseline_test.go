package contract_test

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mockfhir/mockfhir/contract"
	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/drift"
	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/internal/shared"
	"github.com/mockfhir/mockfhir/mockserver"
)

// learned is what the suite learns of a mock, in a time of its own: years from
// now, because a key is not accepted before the moment it was given out.
func learned(t *testing.T, set *fixtures.Set) *contract.Baseline {
	t.Helper()
	var b *contract.Baseline
	server := mockserver.New(set, mockserver.WithKeys("k"))
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2040, 1, 2, 9, 0, 0, 0, time.UTC)))
		report, err := contract.Run(t.Context(), contract.Target{URL: "http://127.0.0.1:8080/fhir/v2", Key: "k"},
			contract.Options{Client: drift.Transport(server)})
		if err != nil {
			t.Fatal(err)
		}
		b = report.Learned
	})
	return b
}

// TestDefaultBaseline: the embedded baseline is what the suite learns of the
// mock on the embedded directory. go test ./contract -update writes it.
func TestDefaultBaseline(t *testing.T) {
	t.Parallel()
	b, err := learned(t, fixtures.Default()).Accept("the mock on its embedded directory", time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	b.Target = "" // it is compared with other directories than the embedded one
	var got bytes.Buffer
	if err := b.Write(&got); err != nil {
		t.Fatal(err)
	}
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile("baseline.json", got.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile("baseline.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")); diff != "" {
		t.Errorf("baseline.json is not what the suite learns now; look at the difference after go test ./contract -update\n%.3000s", diff)
	}
}

// TestBaselineHoldsNobody: no name, number, mailbox or address of the directory
// is in what was learned from it.
func TestBaselineHoldsNobody(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	if err := contract.DefaultBaseline().Write(&text); err != nil {
		t.Fatal(err)
	}
	looked := 0
	for _, r := range fixtures.Default().Resources {
		n, err := fhir.ParseString(r.JSON)
		if err != nil {
			t.Fatal(err)
		}
		private := []string{r.ID}
		for _, path := range []string{"name.family", "name.given", "identifier.value", "telecom.value", "address.line", "address.postalCode"} {
			p, err := fhir.ParsePath(path)
			if err != nil {
				t.Fatal(err)
			}
			p.Each(n, func(n *fhir.Node) { private = append(private, n.Str()) })
		}
		for _, v := range private {
			if len(v) < 5 || len(v) < 8 && strings.Trim(v, "0123456789") == "" { // five digits may be a count, or of a hash
				continue
			}
			looked++
			if strings.Contains(text.String(), v) {
				t.Errorf("%s/%s: a value of it is in the baseline", r.Type, r.ID)
			}
		}
	}
	if looked < 1000 {
		t.Errorf("only %d values were looked for", looked)
	}
}

func TestReadBaseline(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"format":1,"reason":"x"}`: "", `{"format":7}`: "format 7", `[]`: "not a baseline", `{`: "not a baseline",
	} {
		_, err := contract.ReadBaseline(strings.NewReader(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	b := contract.DefaultBaseline()
	if _, err := b.Accept(" ", time.Now()); err == nil {
		t.Error("a baseline is accepted without a reason")
	}
	accepted, err := b.Accept("release 1.28", time.Date(2027, 1, 1, 12, 0, 0, 5, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := accepted.Write(&text); err != nil {
		t.Fatal(err)
	}
	again, err := contract.ReadBaseline(&text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(accepted, again); diff != "" {
		t.Errorf("written and read again:\n%s", diff)
	}
	if again.Reason != "release 1.28" || b.Reason == again.Reason {
		t.Errorf("reasons %q and %q", b.Reason, again.Reason)
	}
}

// TestNomenclatures: nos.txt holds the codes in force of the nomenclatures.
// go test ./contract -update writes it.
func TestNomenclatures(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(shared.Path(t, "data", "nos"), "*.tsv"))
	if err != nil || len(files) < 50 {
		t.Fatalf("%d nomenclatures, %v", len(files), err)
	}
	lists := map[string][]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		system, codes := nomenclature(string(text))
		lists[system] = append(lists[system], codes...)
	}
	got := "# Codes in force of the nomenclatures (NOS), by the last part of the system's address.\n"
	for _, system := range slices.Sorted(maps.Keys(lists)) {
		got += system + " " + strings.Join(lists[system], " ") + "\n"
	}
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile("nos.txt", []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile("nos.txt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("nos.txt is not what the nomenclatures hold now: go test ./contract -update\n%.2000s", diff)
	}
}

// nomenclature reads the last part of a system's address and the codes that
// are not retired.
func nomenclature(text string) (system string, codes []string) {
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if address, found := strings.CutPrefix(line, "# system:"); found {
			address = strings.TrimSpace(address)
			system = address[strings.LastIndexByte(address, '/')+1:]
		}
		fields := strings.Split(line, "\t")
		if line == "" || line[0] == '#' || fields[0] == "code" || len(fields) > 2 && fields[2] != "" {
			continue
		}
		codes = append(codes, fields[0])
	}
	return system, codes
}
