package redact

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mockfhir/mockfhir/internal/synth"
)

func newRedactor(t testing.TB, secret string) *Redactor {
	t.Helper()
	target, _ := url.Parse("https://gateway.example/fhir/v2")
	r, err := New(Options{Secret: []byte(secret), Target: target, Keys: []string{testKey}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const (
	testSecret = "a secret of the tests, long enough"
	testKey    = "11111111-2222-4333-8444-555555555555"
)

// numbered spreads n over a space of a given size, one to one: inputs that
// look drawn, without a set of a million to keep them apart.
func numbered(n, size uint64) uint64 { return (n*7_368_787 + 1_299_709) % size }

// kinds of personal values: how the register writes the n-th of them, and what
// becomes of it.
var pseudonyms = []struct {
	name  string
	value func(n uint64) string
	map_  func(r *Redactor, v string) string
	valid func(v string) bool
}{
	{"RPPS", func(n uint64) string { return withLuhn("10" + pad(numbered(n, 1e8), 8)) },
		func(r *Redactor, v string) string { return r.rpps(v) }, func(v string) bool { return synth.Contains(synth.RPPS, v) && synth.Luhn(v) }},
	{"IDNPS", func(n uint64) string { return "8" + withLuhn("10"+pad(numbered(n, 1e8), 8)) },
		func(r *Redactor, v string) string { return r.idnps(v) }, func(v string) bool { return synth.Contains(synth.IDNPS, v) }},
	{"ADELI", func(n uint64) string { return withLuhn(pad(numbered(n, 1e8), 8)) },
		func(r *Redactor, v string) string { return r.départemental(synth.ADELI, v) }, func(v string) bool { return synth.Contains(synth.ADELI, v) && synth.Luhn(v) }},
	{"FINESS", func(n uint64) string {
		if n%50 == 0 {
			return withLuhn([]string{"2A", "2B"}[n/50%2] + pad(n/100, 6))
		}
		return withLuhn(pad(numbered(n, 1e8), 8))
	}, func(r *Redactor, v string) string { return r.départemental(synth.FINESS, v) }, func(v string) bool { return synth.Contains(synth.FINESS, v) && synth.Luhn(v) }},
	{"SIREN", func(n uint64) string { return withLuhn(pad(numbered(n, 1e8), 8)) },
		func(r *Redactor, v string) string { return r.siren(v) }, func(v string) bool { return synth.Contains(synth.SIREN, v) && synth.Luhn(v) }},
	{"SIRET", func(n uint64) string { return withLuhn(withLuhn(pad(numbered(n/3, 1e8), 8)) + pad(n%3+1, 4)) },
		func(r *Redactor, v string) string { return r.siret(v) }, func(v string) bool { return synth.Contains(synth.SIRET, v) && synth.Luhn(v) && synth.Luhn(v[:9]) }},
	{"RPPS rang", func(n uint64) string { return withLuhn("10"+pad(numbered(n/3, 1e8), 8)) + pad(n%3+1, 3) },
		func(r *Redactor, v string) string { return r.rang(v) }, func(v string) bool { return synth.Contains(synth.RPPSRang, v) }},
	{"IDNST", func(n uint64) string { return "1" + withLuhn(pad(numbered(n, 1e8), 8)) },
		func(r *Redactor, v string) string { return r.idnst(v) }, func(v string) bool { return synth.Contains(synth.IDNST, v) }},
	{"ARHGOS", func(n uint64) string {
		x := numbered(n, 1e10)
		return pad(x/1e8, 2) + "-" + pad(x/1e6%100, 2) + "-" + fmt.Sprint(x%1e6)
	}, func(r *Redactor, v string) string { return r.arhgos(v) }, func(v string) bool { return synth.Contains(synth.ARHGOS, v) }},
	{"activity", func(n uint64) string { return "10" + pad(numbered(n, 1e8), 8) },
		func(r *Redactor, v string) string { return r.activity(v) }, func(v string) bool { return synth.Contains(synth.Activity, v) }},
	{"card", func(n uint64) string { return fmt.Sprint(2_000_000_000 + numbered(n, 2e9)) },
		func(r *Redactor, v string) string { return r.card(v) }, func(v string) bool { return synth.Contains(synth.Card, v) }},
	{"technical id of a pair", func(n uint64) string { return fmt.Sprintf("003-%d-%d", numbered(n/2, 8e6), numbered(n, 8e6)) },
		func(r *Redactor, v string) string { return r.technical(v) }, isTechnical},
	{"technical id of a structure", func(n uint64) string { return fmt.Sprintf("001-0%d-%d", n%2+1, numbered(n/2, 8e6)) },
		func(r *Redactor, v string) string { return r.technical(v) }, isTechnical},
	{"technical id of a service", func(n uint64) string { return fmt.Sprintf("004-%d-%02d", numbered(n/100, 8e6), n%100) },
		func(r *Redactor, v string) string { return r.technical(v) }, isTechnical},
	{"name", nameOf, func(r *Redactor, v string) string { return r.phrase(person, v, nil) },
		func(v string) bool { return utf8.ValidString(v) }},
	{"name of a structure", func(n uint64) string { return "CABINET DE " + strings.ToUpper(nameOf(n)) },
		func(r *Redactor, v string) string { return r.phrase(label, v, kept) }, func(v string) bool { return strings.HasPrefix(v, "CABINET DE ") }},
	{"mailbox", func(n uint64) string {
		return strings.ReplaceAll(fold(nameOf(n)), " ", ".") + []string{"@medecin.mssante.fr", "@aura.mssante.fr"}[n%2]
	}, func(r *Redactor, v string) string { return r.mailboxAddress(v) }, func(v string) bool { return strings.HasSuffix(v, ".example") }},
	{"address", func(n uint64) string { return fmt.Sprintf("%d AVENUE DU %s", n%300, strings.ToUpper(nameOf(n/300))) },
		func(r *Redactor, v string) string { return r.phrase(addressLine, v, kept) }, func(v string) bool { return strings.Contains(v, " AVENUE DU ") }},
}

// nameOf is the n-th of many names of one to three words, with accents,
// hyphens, apostrophes and short words.
func nameOf(n uint64) string {
	const syllables = "ba ce di fo gu hé jà lê mî ño pù ro sœ ta vè we xi yo zu ça"
	list := strings.Fields(syllables)
	var b strings.Builder
	for x := n; ; x /= 20 {
		b.WriteString(list[x%20])
		if x < 20 {
			break
		}
		if x%7 == 3 {
			b.WriteString([]string{"-", " ", "’", "'"}[x%4])
		}
	}
	return b.String()
}

const million = 1_000_000

func TestPseudonymsOfAMillionValuesDiffer(t *testing.T) {
	t.Parallel()
	count := uint64(million / 20)
	if os.Getenv("MOCKFHIR_HEAVY") != "" {
		count = million
	}
	for _, kind := range pseudonyms {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			r := newRedactor(t, testSecret)
			// Two 64-bit fingerprints meet once in 37 million such runs.
			in, out := make([]uint64, 0, count), make([]uint64, 0, count)
			for n := range count {
				v := kind.value(n)
				mapped := kind.map_(r, v)
				if !kind.valid(mapped) {
					t.Fatalf("%q becomes %q, which is not in its range", v, mapped)
				}
				in, out = append(in, r.fingerprint(v)), append(out, r.fingerprint(mapped))
			}
			if inputs, outputs := distinct(in), distinct(out); inputs != outputs || inputs < int(count)*9/10 {
				t.Errorf("%d values have %d pseudonyms", inputs, outputs)
			}
		})
	}
}

func distinct(prints []uint64) int {
	slices.Sort(prints)
	return len(slices.Compact(prints))
}

func TestPseudonymsAreStable(t *testing.T) {
	t.Parallel()
	one, same, other := newRedactor(t, testSecret), newRedactor(t, testSecret), newRedactor(t, testSecret+"!")
	random := rand.New(rand.NewPCG(1, 2))
	for _, kind := range pseudonyms {
		differ := 0
		for range 300 {
			v := kind.value(random.Uint64N(million))
			a, b, c := kind.map_(one, v), kind.map_(same, v), kind.map_(other, v)
			if a != b || a != kind.map_(one, v) {
				t.Errorf("%s: %q becomes %q, then %q", kind.name, v, a, b)
			}
			if a != c {
				differ++
			}
			if a == v && len(v) > 4 {
				t.Errorf("%s: %q stays as it is", kind.name, v)
			}
		}
		if differ < 250 {
			t.Errorf("%s: only %d of 300 pseudonyms follow the secret", kind.name, differ)
		}
	}
}

// What a pseudonym keeps of its original.
func TestPseudonymsKeepTheirShape(t *testing.T) {
	t.Parallel()
	r := newRedactor(t, testSecret)
	if rpps := r.rpps("10102727017"); r.idnps("810102727017") != "8"+rpps || r.rang("10102727017003") != rpps+"003" || r.idnst("410102727017003") != "4"+rpps+"003" {
		t.Errorf("an IDNPS, a rank and an IDNST do not follow their RPPS %s", rpps)
	}
	if siren := r.siren("264403106"); r.siret("26440310600017")[:13] != siren+"0001" || r.idnst("2264403106") != "2"+siren {
		t.Errorf("a SIRET and an IDNST do not follow their SIREN %s", siren)
	}
	if got := r.technical("001-02-74797"); !strings.HasPrefix(got, "001-02-4") && !strings.HasPrefix(got, "001-02-5") {
		t.Errorf("001-02-74797 becomes %s", got)
	}
	for v, form := range map[string]string{
		"MARTIN": `^[A-Z]{6}ZX$`, "Lefèvre": `^[A-Z][aeiouy][a-z][èàìòùỳ][a-z]{2}[aeiouy]zx$`, "Jean-Luc": `^[A-Z][a-z]{3}zx-[A-Z][a-z]{2}$`, "d’Ys": `^[a-z]’[A-Z][a-z]$`,
	} {
		if got := r.phrase(person, v, nil); !regexp.MustCompile(form).MatchString(got) {
			t.Errorf("%q becomes %q", v, got)
		}
	}
	for _, v := range []string{"Hélène", "FRANÇOISE", "N’Guessan-Lefèvre"} {
		if a, b := fold(r.phrase(person, v, nil)), r.phrase(person, fold(v), nil); a != b {
			t.Errorf("%q without accents becomes %q; its pseudonym without accents is %q", v, b, a)
		}
	}
	for v, want := range map[string]string{
		"0450636363": "046571", "04 50 63 63 63": "04 65 71", "+33 6 12 34 56 78": "+33 6 39 98", "0033450636363": "00334657", "3624": "019900",
	} {
		if got := r.phoneNumber(v); !strings.HasPrefix(got, want) {
			t.Errorf("%q becomes %q, want %s…", v, got, want)
		}
	}
	if got := r.mailboxAddress("jean.dupont@medecin.mssante.fr"); !strings.HasSuffix(got, "@medecin.mssante.fr.example") {
		t.Errorf("the domain of a mailbox becomes %q", got)
	}
	if got := r.mailboxAddress("@medecin.mssante.fr"); got != "@medecin.mssante.fr.example" {
		t.Errorf("a search by domain becomes %q", got)
	}
	for v, want := range map[string]string{"PARIS": "PARIS", "Saint-Étienne": "Saint-Étienne", "LYON CEDEX 03": "LYON CEDEX 03"} {
		if got := r.cityName(v); got != want {
			t.Errorf("%q becomes %q", v, got)
		}
	}
	if got := r.cityName("AMBERIEU EN BUGEY"); strings.Contains(got, "AMBERIEU") || !strings.Contains(got, " EN ") {
		t.Errorf("AMBERIEU EN BUGEY becomes %q", got)
	}
	if got, ok := r.areaCode("01500"); !ok || got[:4] != "0199" {
		t.Errorf("01500 becomes %q", got)
	}
}

func TestPermuteIsOneToOne(t *testing.T) {
	t.Parallel()
	k := newKeyed([]byte(testSecret))
	for _, n := range []uint64{1, 2, 3, 6, 20, 100, 999, 4096, 10_007} {
		seen := make([]bool, n)
		for x := range n {
			y := k.permute(n, 7, x)
			if y >= n || seen[y] {
				t.Fatalf("of %d: %d becomes %d, again or outside", n, x, y)
			}
			seen[y] = true
		}
	}
}
