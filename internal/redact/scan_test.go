package redact

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/mockfhir/mockfhir/fixtures"
)

// practitioner is a resource with a value of each kind, none of them anybody's.
const practitioner = `{"resourceType":"Practitioner","id":"003-1234567-2345678","identifier":[` +
	`{"system":"urn:oid:1.2.250.1.71.4.2.1","value":"810999888771"},{"system":"https://rpps.esante.gouv.fr","value":"10999888771"}],` +
	`"name":[{"text":"QUINCAMPOIX Éloïse","family":"QUINCAMPOIX","suffix":["DR"],"given":["Éloïse"]}],` +
	`"address":[{"line":["PORTE 0388776655 APPEL 1999"]}],"telecom":[{"system":"email","value":"eloise.quincampoix@medecin.mssante.fr"},{"system":"phone","value":"01 44 55 66 77"}]}`

func answered(body string) Raw {
	return Raw{
		Method: http.MethodGet, Target: "/fhir/v2/Practitioner/003-1234567-2345678", Header: http.Header{"Esante-Api-Key": {testKey}},
		Status: http.StatusOK, ResponseHeader: http.Header{"Content-Type": {"application/fhir+json"}, "Set-Cookie": {"JSESSIONID=0123456789ABCDEF0123456789ABCDEF; Path=/"}},
		ResponseBody: []byte(body),
	}
}

// What the rules let slip, the last scan finds: it is shown files the rules
// did not make.
func TestTheLastScanRefuses(t *testing.T) {
	t.Parallel()
	for what, tt := range map[string]struct{ slip, want string }{
		"a family name":             {`"QUINCAMPOIX"`, "a name"},
		"in another case":           {`"Quincampoix"`, "a name"},
		"a given name, no accents":  {`"ELOISE"`, "a name"},
		"a name escaped":            {`"\u0051UINCAMPOIX"`, "a name"},
		"a name decomposed":         {"\"E\u0301loi\u0308se\"", "a name"},
		"a name in an address":      {`/fhir/v2/Practitioner?family=%51uincampoix`, "a name"},
		"a name encoded twice":      {`?family=%2551uincampoix`, "a name"},
		"a name inside a mailbox":   {`"x.quincampoix@y.example"`, "a name"},
		"an RPPS":                   {`"10999888771"`, "a number"},
		"an IDNPS":                  {`"810999888771"`, "a number"},
		"a technical id":            {`"Practitioner/003-1234567-2345678"`, "a number"},
		"a phone":                   {`"01 44 55 66 77"`, "a number"},
		"a phone in one":            {`"0144556677"`, "a number"},
		"an authorization":          {`"93-93-178570"`, "a number"},
		"another phone":             {`"06.12.34.56.78"`, "a phone"},
		"a phone in a search":       {`?mailbox-mss=03+81+88+50+95`, "a phone"},
		"a phone behind a slash":    {`"03/81/88/50/95"`, "a phone"},
		"a phone in narrow groups":  {"\"03\u202f81\u202f88\u202f50\u202f95\"", "a phone"},
		"a phone in brackets":       {`"(03) 81 88 50 95"`, "a phone"},
		"an RPPS in groups":         {"\"10\u202f999\u202f888\u202f771\"", "a number"},
		"an RPPS by underscores":    {`"10_999_888_771"`, "a number"},
		"another host":              {`see http://srv.local:8080/admin`, "another host"},
		"another host, encoded":     {`?role=https%3A%2F%2Fhopital.fr%2Fx`, "another host"},
		"another scheme":            {`ldap://annuaire.hopital.fr/x`, "another host"},
		"a publisher's path":        {`https://interop.esante.gouv.fr/MARIE`, "another host"},
		"who may enter a host":      {`https://u:secret@x.example/`, "another host"},
		"a phone from abroad":       {`"+33 6 12 34 56 78"`, "a phone"},
		"a mailbox":                 {`"eloise.quincampoix@medecin.mssante.fr"`, "mailbox"},
		"another e-mail address":    {`"somebody@hospital.fr"`, "e-mail"},
		"the key":                   {testKey, "a key"},
		"the key in capitals":       {strings.ToUpper(testKey), "a key"},
		"the key in base64":         {base64.StdEncoding.EncodeToString([]byte("k:" + testKey)), "a key"},
		"another key":               {`"22222222-3333-4444-8555-666666666666"`, "shaped like a key"},
		"a session":                 {"0123456789ABCDEF0123456789ABCDEF", "a key"},
		"something random":          {"Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MGFiY2RlZmdoaWprbG1ub3A5", "random"},
		"a hash":                    {"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "random"},
		"the key in a base64 body":  {"-- body.base64 --\n" + base64.StdEncoding.EncodeToString([]byte("\r\n"+testKey)), "a key"},
		"a name in a base64 body":   {"-- body.base64 --\n" + base64.StdEncoding.EncodeToString([]byte("\r\nQUINCAMPOIX")), "a name"},
		"a phone out of a name":     {`"0388776655"`, "a number"},
		"a page token of theirs":    {`_page?id=uTokenOfTheService`, "a page token"},
		"a name beside a canonical": {`https://mos.esante.gouv.fr/NOS/TRE_R38-SpecialiteOrdinale","QUINCAMPOIX"`, "a name"},
		"a name for a code":         {`"code":"QUINCAMPOIX"`, "a name"},
		"a code for a name":         {`"family":"LEGAL-ENTITY"`, "a name"},
		"a name for a label":        {`"display": "QUINCAMPOIX"`, "a name"},
		"a name for a state":        {`"status":"Quincampoix"`, "a name"},
		"a name for a part":         {`"url": "Quincampoix"`, "a name"},
		"a name for a member":       {`"Quincampoix":1`, "a name"},
		"a name for a country":      {`"country":"QUINCAMPOIX"`, "a name"},
		"a name for a street type":  {`"url":"x-streetNameType","valueString":"QUINCAMPOIX"`, "a name"},
		"a code for a street":       {`"url":"x-streetNameBase","valueString":"FORT"`, "a name"},
		"a name searched for":       {`/fhir/v2/Organization?type=GEOGRAPHICAL-ENTITY,Quincampoix&_count=1`, "a name"},
		"a code of an identifier":   {`/fhir/v2/Organization?identifier=FORT`, "a name"},
		"a name in a domain":        {`dolvezx@quincampoix.mssante.fr.example`, "a name"},
		"a mailbox of our words":    {`legal@medecin.mssante.fr.example`, "a name"},
		"a name for a header":       {"-- response --\n200 OK\nQuincampoix: 1", "a name"},
		"a name in a header":        {"-- response --\n200 OK\nVary: Accept, Quincampoix", "a name"},
		"a name for a status":       {"-- response --\n200 Quincampoix", "a name"},
		"a header in a body":        {"-- body --\nVary: Accept, Legal", "a name"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			r := newRedactor(t, testSecret)
			d := NewDraft(r)
			d.Add("x", "", nil, answered(practitioner))
			r.page("uTokenOfTheService")
			r.originals.number("93-93-178570")
			for _, word := range []string{"Fort", "Legal", "Entity", "Accept", "Vary"} { // people, and words that are listed
				r.originals.word(word)
			}
			if _, err := d.Seal(fixtures.Manifest{}); err != nil {
				t.Fatalf("without it: %v", err)
			}
			files := map[string][]byte{"exchanges/x.txtar": []byte("first line\nthen " + tt.slip + " here\n")}
			if strings.HasPrefix(tt.slip, "-- ") {
				files["exchanges/x.txtar"] = []byte("first line\n" + tt.slip + "\n")
			}
			err := r.scan(files, nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !IsLeak(err) {
				t.Fatalf("%v; want %q", err, tt.want)
			}
			for _, value := range []string{"QUINCAMPOIX", "Eloise", "10999888771", "44 55", testKey, "somebody"} {
				if strings.Contains(strings.ToLower(err.Error()), strings.ToLower(value)) {
					t.Errorf("the refusal says %q", err)
				}
			}
			if !strings.Contains(err.Error(), "exchanges/x.txtar:") {
				t.Errorf("%q does not say where", err)
			}
		})
	}
}

// What the scan must let pass, or no recording could be saved.
func TestTheLastScanLetsPass(t *testing.T) {
	t.Parallel()
	r := newRedactor(t, testSecret)
	d := NewDraft(r)
	d.Add("x", "", nil, answered(strings.ReplaceAll(practitioner, "QUINCAMPOIX", "PARIS")))
	r.originals.number("93-93-178570")
	r.originals.word("Abed")
	for _, text := range []string{
		`"9393178570"`, // the pseudonym of a card
		`"city":"PARIS"`, `"1999-12-31"`, `"2025-04-28T18:19:26.335+02:00"`, `https://mos.esante.gouv.fr/NOS/TRE_R75-InseeNAFrev2Niveau5/FHIR/TRE-R75-InseeNAFrev2Niveau5`,
		`00000000-0000-4000-8000-0123456789ab`, `00000000-0000-4000-8000-01abed6789ab`, `_page?id=${page:abcdefgh}`, `"0199001234"`, `"819000000018"`, `"SN-12345678"`, `"dolvezx.rimazx@medecin.mssante.fr.example"`,
		`https://dolvezx.fr.example/rimazx`, `http://localhost:8080/fhir`, `"2025-04-28T18:05:07.123456+02:00"`, `?mailbox-mss=01+99+00+12+34`, `"lastUpdated": "2025-04-28T08:19:26.3351Z"`,
		`"001-01-50629803"`, `"00-10-50066291"`, `urn:oid:1.2.250.1.71.4.2.1`,
	} {
		if err := r.scan(map[string][]byte{"x.ndjson": []byte(text)}, nil); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestSealRefusesNothingAndKeepsNothing(t *testing.T) {
	t.Parallel()
	if _, err := NewDraft(newRedactor(t, testSecret)).Seal(fixtures.Manifest{}); err == nil {
		t.Error("an empty recording is sealed")
	}
	for _, o := range []Options{{Secret: []byte("short")}, {Secret: []byte(testSecret), Keys: []string{"k"}}} {
		if _, err := New(o); err == nil {
			t.Errorf("a secret of %d bytes and keys %d are accepted", len(o.Secret), len(o.Keys))
		}
	}
	for range (&Set{}).Files() {
		t.Error("a set that was not sealed has files")
	}
	if text := answered(practitioner); strings.Contains(strings.Join([]string{text.String(), fmt.Sprintf("%v %+v %#v %s", text, text, text, text)}, ""), "QUIN") {
		t.Error("an exchange that is not redacted prints its content")
	}
}
