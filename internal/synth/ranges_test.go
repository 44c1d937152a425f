package synth

import (
	"regexp"
	"strings"
	"testing"
)

func TestRangesAreInjectiveAndChecked(t *testing.T) {
	t.Parallel()
	checked := map[Kind]bool{RPPS: true, ADELI: true, FINESS: true, SIREN: true, SIRET: true}
	for _, r := range Ranges {
		if r.Size < 10_000_000 {
			t.Errorf("%s: %d values are fewer than ten million", r.Kind, r.Size)
		}
		if r.Pattern == "" || r.Why == "" {
			t.Errorf("%s is not documented", r.Kind)
		}
		seen := map[string]bool{}
		for i := range uint64(3000) {
			for _, n := range []uint64{i, r.Size - 1 - i, i * (r.Size / 3001)} {
				value := r.Value(n)
				if back, ok := r.Index(value); !ok || back != n {
					t.Fatalf("%s: %d gives %s, which is %d, %v", r.Kind, n, value, back, ok)
				}
				if checked[r.Kind] && !Luhn(value) {
					t.Fatalf("%s: %s has a wrong check digit", r.Kind, value)
				}
				if !Contains(r.Kind, value) {
					t.Fatalf("%s: does not contain %s", r.Kind, value)
				}
				seen[value] = true
			}
		}
		if len(seen) < 8_990 { // the three walks may meet at their ends
			t.Errorf("%s: only %d values of 9,000 differ", r.Kind, len(seen))
		}
	}
}

// Numbers printed in ANS's documents are real, or look it: none is ours.
func TestRangesHoldNoPrintedNumber(t *testing.T) {
	t.Parallel()
	for kind, values := range map[Kind][]string{
		RPPS: {"10102727017", "10001766123", "10001234567", ""}, IDNPS: {"810102727017", "0012807590"},
		FINESS: {"770816478", "590064036", "2A0000014"}, SIREN: {"264403106"}, IDNST: {"1770816478", "2264403106", "410005531586003", ""},
		ARHGOS: {"93-93-67204", "52-52-49883"}, Activity: {"1013186038"}, Card: {"3100345668"},
		PractitionerID: {"003-5818457-5939334"}, RoleID: {"005-5087586-6923328"}, GeographicalID: {"001-01-519022"}, LegalID: {"001-02-74797"},
		ServiceID: {"004-1014485-03"}, DeviceID: {"002-4247117"},
	} {
		for _, value := range values {
			if Contains(kind, value) {
				t.Errorf("%s: %q is in our range", kind, value)
			}
		}
	}
}

func TestLuhn(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{
		"79927398713": true, "79927398710": false, "": false,
		"18": true, "2A0000006": Luhn("210000006"), // A counts 1
	} {
		if got := Luhn(value); got != want {
			t.Errorf("Luhn(%q) = %v", value, got)
		}
	}
}

// Every number, mailbox and phone of the directories is in a range of ours,
// except what the probes are there to print.
func TestIdentifiersAreFictitious(t *testing.T) {
	t.Parallel()
	printed := map[string]bool{}
	for _, p := range Probes() {
		printed[p.Printed] = true
		printed["8"+p.Printed], printed["1"+p.Printed] = true, true // in their interoperability form
	}
	kinds := map[string]Kind{
		systemRPPS + " RPPS": RPPS, systemIDNPS + " IDNPS": IDNPS, systemRPPS + " ": Activity, systemIDNST + " IDNST": IDNST,
		systemFINESS + " FINEG": FINESS, systemFINESS + " FINEJ": FINESS, systemSirene + " SIREN": SIREN, systemSirene + " SIRET": SIRET,
		systemRang + " RPPSRG": RPPSRang, systemARHGOS + " ": ARHGOS,
	}
	ids := map[string][]Kind{
		"Practitioner": {PractitionerID}, "PractitionerRole": {RoleID}, "Organization": {GeographicalID, LegalID},
		"HealthcareService": {ServiceID}, "Device": {DeviceID},
	}
	mail, digits := regexp.MustCompile(`"value":"([^"]*@[^"]*)"`), regexp.MustCompile(`"(?:phone|fax)","value":"(\d*)"`)
	for name, d := range directories(t) {
		numbers := map[string]string{}
		for _, e := range entries(t, d) {
			id, ours := e.body.Get("id").Str(), false
			for _, kind := range ids[e.typ] {
				ours = ours || Contains(kind, id)
			}
			if !ours && !printed[id] {
				t.Errorf("%s: id %s is not in our ranges", name, e.key)
			}
			for _, item := range e.body.Get("identifier").Items() {
				n := &item.Value
				value := n.Get("value").Str()
				what := n.Get("system").Str() + " " + n.Get("type").Get("coding").Item(0).Get("code").Str()
				kind, ok := kinds[what]
				if !ok || !Contains(kind, value) && !printed[value] {
					t.Errorf("%s: %s has %s %s, which is not in our ranges", name, e.key, what, value)
				}
				if other := numbers[what+value]; other != "" {
					t.Errorf("%s: %s and %s both have %s %s", name, e.key, other, what, value)
				}
				numbers[what+value] = e.key
			}
			for _, m := range mail.FindAllStringSubmatch(e.line, -1) {
				if !strings.HasSuffix(m[1], ReservedDomain) {
					t.Errorf("%s: %s has the mailbox %s, outside %s", name, e.key, m[1], ReservedDomain)
				}
			}
			for _, m := range digits.FindAllStringSubmatch(e.line, -1) {
				if !IsPhone(m[1]) {
					t.Errorf("%s: %s has the number %s, which is not reserved for fiction", name, e.key, m[1])
				}
			}
		}
	}
}

func TestAffineIsABijection(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 3, 7, 300, 1000, 9973} {
		p, seen := newAffine(n, uint64(n)), map[int]bool{}
		for i := range n {
			at := p.at(i)
			if at < 0 || at >= n || seen[at] {
				t.Fatalf("n=%d: %d goes to %d, out of range or taken", n, i, at)
			}
			seen[at] = true
		}
	}
}
