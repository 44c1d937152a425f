package contract_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mockfhir/mockfhir/contract"
	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/mockserver"
)

// No value of a person, no key and no session gets into a report or a
// baseline, however wrong the service is: the directory is full of canaries,
// and each mutant makes another part of the suite talk.
func TestReportsHoldNoPersonalValue(t *testing.T) {
	t.Parallel()
	const key, session = "canary-key-4f1d", "canary-session-77"
	canaries := append(personal(t, fixtures.Default()), key, session)
	if len(canaries) < 4000 {
		t.Fatalf("only %d canaries", len(canaries))
	}
	name := canaries[slices.IndexFunc(canaries, regexp.MustCompile(`^[A-ZÀ-Ý]{9,}$`).MatchString)]
	server := mockserver.New(fixtures.Default(), mockserver.WithKeys(key), mockserver.WithRate("0"))
	for title, tamper := range map[string]func(*wire){
		"as it is": func(*wire) {},
		"searches are off by one": asks(func(x *wire) string {
			return x.without(func(n, _ string) bool { return n == "_id" })
		}),
		"identifiers in links and errors": func(x *wire) {
			x.ask()
			leak := regexp.MustCompile(`"value": "([^"]*)"`).FindStringSubmatch(x.body)
			if leak == nil {
				leak = []string{"", canaries[0]}
			}
			x.body = strings.ReplaceAll(x.body, "http://127.0.0.1", "http://"+leak[1]+".example.org")
			x.body = strings.ReplaceAll(x.body, `"diagnostics":"`, `"diagnostics":"`+leak[1]+` `)
		},
		"identifiers for systems and codes": replace("", `("system": |"code": |"url": |"profile": \[)"[^"]*"`, `$1"`+canaries[0]+`"`),
		"identifiers for members":           replace("", `"(family|name|active)": `, `"`+canaries[0]+`": `),
		"names for members":                 replace("", `"(family|name|active)": `, `"`+name+`": `),
		"a name twice":                      replace("", `"family": `, `"`+name+`": 1, "`+name+`": `),
		"identifiers in headers": func(x *wire) {
			x.ask()
			for _, h := range []string{"Content-Type", "Retry-After", "Vary", "X-Rate-Limit-Reset", "Content-Encoding", "Location"} {
				x.header.Set(h, canaries[0])
			}
		},
		"identifiers for resource types": replace("", `"resourceType": ?"(Practitioner|OperationOutcome)"`, `"resourceType": "`+canaries[0]+`"`),
		"a name for a resource type":     replace("", `"resourceType": ?"(Practitioner|OperationOutcome)"`, `"resourceType": "`+name+`"`),
		"everything fails":               fails(500, func(x *wire) bool { return x.path != "metadata" }),
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			session := func(x *wire) {
				tamper(x)
				if x.status == 0 {
					x.ask()
				}
				x.header.Set("Set-Cookie", "JSESSIONID="+session)
			}
			clock := newFakeClock()
			handler := &layer{server: server, tamper: session, clock: clock, asked: map[string]string{}}
			target := contract.Target{URL: base, Key: key}
			report, err := contract.Run(t.Context(), target, contract.Options{Client: inProcess{handler}, Clock: clock, Rate: contract.Unlimited})
			if err != nil {
				t.Fatal(err)
			}
			var told strings.Builder
			for _, v := range []any{report, report.Learned} {
				text, err := json.Marshal(v)
				if err != nil {
					t.Fatal(err)
				}
				told.Write(text)
			}
			fmt.Fprintf(&told, "%v %+v %#v %s", target, target, report.Target, report.Reason)
			if title == "as it is" == (len(report.Findings) > 0) {
				t.Errorf("%d findings", len(report.Findings))
			}
			words := map[string]bool{}
			for _, w := range regexp.MustCompile(`[\p{L}\p{N}@._-]+`).FindAllString(told.String(), -1) {
				words[w] = true
			}
			for _, canary := range canaries {
				if words[canary] || strings.ContainsAny(canary, " -@") && len(canary) > 9 && strings.Contains(told.String(), canary) {
					i := strings.Index(told.String(), canary)
					t.Errorf("%q is in the report: …%s…", canary, told.String()[max(i-80, 0):min(i+80, told.Len())])
					return
				}
			}
		})
	}
}

// personal returns ids, identifiers, names, mailboxes, numbers and addresses
// of a directory: what a report must not hold.
func personal(t *testing.T, set *fixtures.Set) []string {
	t.Helper()
	var list []string
	for _, r := range set.Resources {
		n, err := fhir.ParseString(r.JSON)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, r.ID)
		for _, text := range []string{"identifier.value", "name.family", "name.given", "telecom.value", "address.line",
			"extension.where(url='https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-ext-smartcard').extension.where(url='number').value"} {
			path, err := fhir.ParsePath(text)
			if err != nil {
				t.Fatal(err)
			}
			path.Each(n, func(n *fhir.Node) {
				if v := n.Str(); len(v) >= 5 {
					list = append(list, v)
				}
			})
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// The key goes to the target and nowhere else, whatever next links say.
func TestKeyStaysAtTheTarget(t *testing.T) {
	t.Parallel()
	server := mockserver.New(fixtures.Default(), mockserver.WithKeys("k"), mockserver.WithRate("0"))
	clock := newFakeClock()
	handler := &layer{server: server, tamper: replace("", `("next","url": ")http://127\.0\.0\.1`, "${1}http://elsewhere.example"), clock: clock, asked: map[string]string{}}
	var (
		mu    sync.Mutex // the burst of quota/window asks from several goroutines
		hosts = map[string]bool{}
	)
	watched := roundTrip(func(r *http.Request) (*http.Response, error) {
		mu.Lock()
		hosts[r.URL.Host] = true
		mu.Unlock()
		if ua := r.Header.Get("User-Agent"); !strings.HasPrefix(ua, "mockfhir-verify/") {
			t.Errorf("User-Agent: %q", ua)
		}
		return inProcess{handler}.RoundTrip(r)
	})
	report, err := contract.Run(t.Context(), contract.Target{URL: base, Key: "k"}, contract.Options{Client: watched, Clock: clock, Rate: contract.Unlimited})
	if err != nil {
		t.Fatal(err)
	}
	if len(hosts) != 1 || report.Verdict != contract.Drifted {
		t.Errorf("%v %s", hosts, report.Verdict)
	}
}

// A service that repeats the key, be it in other letters, does not get it into
// a baseline.
func TestBaselineHoldsNoKey(t *testing.T) {
	t.Parallel()
	const key = "abcd-Efgh-kLmn"
	server := mockserver.New(fixtures.Default(), mockserver.WithKeys(key), mockserver.WithRate("0"))
	echo := roundTrip(func(r *http.Request) (*http.Response, error) {
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-For-"+strings.ToUpper(key), "1")
			server.ServeHTTP(w, r)
		})
		return inProcess{handler}.RoundTrip(r)
	})
	report, err := contract.Run(t.Context(), contract.Target{URL: base, Key: key}, contract.Options{Client: echo, Clock: newFakeClock(), Rate: contract.Unlimited, Run: "^metadata/"})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := report.Learned.Write(&text); err != nil {
		t.Fatal(err)
	}
	if got := text.String(); strings.Contains(strings.ToLower(got), strings.ToLower(key)) || !strings.Contains(got, "X-For-<key>") {
		t.Errorf("the key is in the baseline, or it was not repeated:\n%.2000s", got)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
