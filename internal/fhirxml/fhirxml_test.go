package fhirxml_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/internal/fhirxml"
	"github.com/mockfhir/mockfhir/internal/shared"
	"github.com/mockfhir/mockfhir/internal/xmlwitness"
)

func parse(t testing.TB, resource string) *fhir.Node {
	t.Helper()
	n, err := fhir.ParseString(resource)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// The rules of the R4 page "XML", one by one.
func TestAppend(t *testing.T) {
	t.Parallel()
	const open = `<Practitioner xmlns="http://hl7.org/fhir">`
	for _, tt := range []struct{ name, json, want string }{
		{"values are attributes", `{"resourceType":"Practitioner","id":"1","active":true}`,
			open + `<id value="1"/><active value="true"/></Practitioner>`},
		{"elements come in the order of the definition", `{"active":true,"name":[{"given":["A","B"],"family":"C"}],"id":"1","resourceType":"Practitioner"}`,
			open + `<id value="1"/><active value="true"/><name><family value="C"/><given value="A"/><given value="B"/></name></Practitioner>`},
		{"the id of an element and the url of an extension are attributes", `{"resourceType":"Practitioner","extension":[{"valueString":"v","id":"x","url":"urn:u"}],"name":[{"id":"n1","family":"F"}]}`,
			open + `<extension id="x" url="urn:u"><valueString value="v"/></extension><name id="n1"><family value="F"/></name></Practitioner>`},
		{"a primitive carries its extensions", `{"resourceType":"Practitioner","active":true,"_active":{"id":"a","extension":[{"url":"urn:u","valueCode":"c"}]}}`,
			open + `<active id="a" value="true"><extension url="urn:u"><valueCode value="c"/></extension></active></Practitioner>`},
		{"and may have nothing else", `{"resourceType":"Practitioner","address":[{"line":[null,"b"],"_line":[{"extension":[{"url":"urn:u","valueString":"a"}]}]}]}`,
			open + `<address><line><extension url="urn:u"><valueString value="a"/></extension></line><line value="b"/></address></Practitioner>`},
		{"even without a list of values", `{"resourceType":"Practitioner","address":[{"_line":[{"extension":[{"url":"urn:u","valueString":"a"}]}]}]}`,
			open + `<address><line><extension url="urn:u"><valueString value="a"/></extension></line></address></Practitioner>`},
		{"a narrative stands as it is", `{"resourceType":"Practitioner","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>é &amp; <b>f</b></p></div>"}}`,
			open + `<text><status value="generated"/><div xmlns="http://www.w3.org/1999/xhtml"><p>é &amp; <b>f</b></p></div></text></Practitioner>`},
		{"an entity of XHTML is its character", `{"resourceType":"Practitioner","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">Caf&eacute;&nbsp;&lt;X&#233;</div>"}}`,
			open + `<text><status value="generated"/><div xmlns="http://www.w3.org/1999/xhtml">Café` + "\u00a0" + `&lt;X&#233;</div></text></Practitioner>`},
		{"a div is of XHTML", `{"resourceType":"Practitioner","text":{"status":"empty","div":" <div class=\"a\">x</div>\n"}}`,
			open + `<text><status value="empty"/><div xmlns="http://www.w3.org/1999/xhtml" class="a">x</div></text></Practitioner>`},
		{"what is contained and no resource is left out", `{"resourceType":"Practitioner","contained":[{"resourceType":"Foo","id":"o"}],"active":true}`,
			open + `<active value="true"/></Practitioner>`},
		{"a resource stands in its container", `{"resourceType":"Practitioner","contained":[{"resourceType":"Organization","id":"o"}]}`,
			open + `<contained><Organization xmlns="http://hl7.org/fhir"><id value="o"/></Organization></contained></Practitioner>`},
		{"what XML cannot hold is escaped", `{"resourceType":"Practitioner","id":"a\"b<c>&d","language":"tab\tline\nreturn\rnul\u0001end\ufffe\u00e9"}`,
			open + `<id value="a&quot;b&lt;c>&amp;d"/><language value="tab&#x9;line&#xa;return&#xd;nul` + "\uFFFD" + `end` + "\uFFFD" + `é"/></Practitioner>`},
		{"escapes of JSON are none of XML's", `{"resourceType":"Practitioner","id":"\u00e9\/\\","language":"😀"}`,
			open + `<id value="é/\"/><language value="😀"/></Practitioner>`},
		{"numbers are written as they were", `{"resourceType":"Practitioner","extension":[{"url":"u","valueDecimal":1.500},{"url":"v","valueInteger":-3}]}`,
			open + `<extension url="u"><valueDecimal value="1.500"/></extension><extension url="v"><valueInteger value="-3"/></extension></Practitioner>`},
		{"what R4 does not know is dropped", `{"resourceType":"Practitioner","colour":"red","id":"1"}`,
			open + `<id value="1"/></Practitioner>`},
		{"an empty resource", `{"resourceType":"Practitioner"}`, `<Practitioner xmlns="http://hl7.org/fhir"/>`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := fhirxml.Append([]byte("before"), parse(t, tt.json))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff("before"+tt.want, string(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestAppendPretty(t *testing.T) {
	t.Parallel()
	got, err := fhirxml.AppendPretty(nil, parse(t, `{"resourceType":"Bundle","type":"searchset","entry":[{"resource":{"resourceType":"Practitioner","id":"1","name":[{"given":["A"]}]}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := `<Bundle xmlns="http://hl7.org/fhir">
   <type value="searchset"/>
   <entry>
      <resource>
         <Practitioner xmlns="http://hl7.org/fhir">
            <id value="1"/>
            <name>
               <given value="A"/>
            </name>
         </Practitioner>
      </resource>
   </entry>
</Bundle>`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A text that would spoil the document is left out, and the rest is there.
func TestNoDiv(t *testing.T) {
	t.Parallel()
	for _, div := range []string{
		"", "no markup", "<p/>", "<div/><div/>", "<!DOCTYPE div><div/>", "<div>\x01</div>", "<div>&nowhere;</div>", "x<div>a</div>", "<div>a</div>y",
		`<div xmlns="http://www.w3.org/1999/xhtml"><p></div>`, `<div xmlns="urn:other">x</div>`, "<div>", "</div>",
	} {
		quoted, err := json.Marshal(div)
		if err != nil {
			t.Fatal(err)
		}
		got, err := fhirxml.Append(nil, parse(t, `{"resourceType":"Practitioner","text":{"status":"generated","div":`+string(quoted)+`},"active":true}`))
		if want := `<Practitioner xmlns="http://hl7.org/fhir"><active value="true"/></Practitioner>`; err != nil || string(got) != want {
			t.Errorf("%q: %v\n got %s\nwant %s", div, err, got, want)
		}
	}
}

func TestWhatIsNoResourceIsAnError(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{}`, `[]`, `"Practitioner"`, `{"resourceType":"Patientt"}`, `{"resourceType":"DomainResource"}`, `{"resourceType":"HumanName"}`,
		`{"resourceType":"Bundle","entry":[{"resource":{"id":"1"}}]}`,
	} {
		if got, err := fhirxml.Append(nil, parse(t, text)); err == nil {
			t.Errorf("%s: no error, %s", text, got)
		}
	}
}

// samples are resources with everything a resource may have.
var samples = []string{
	`{"resourceType":"CapabilityStatement","status":"active","date":"2023-01-01T00:00:00+01:00","kind":"instance","software":{"name":"n","version":"v"},` +
		`"implementation":{"description":"d"},"fhirVersion":"4.0.1","format":["xml","json"],"rest":[{"mode":"server","resource":[{"type":"Device","profile":"urn:p",` +
		`"interaction":[{"code":"read"}],"searchInclude":["*"],"searchParam":[{"name":"_id","type":"token","documentation":"d"}],"operation":[{"name":"o","definition":"urn:o"}]}],` +
		`"interaction":[{"code":"transaction"}]}]}`,
	`{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"processing","diagnostics":"HAPI-0302: \"<&>\" 'x'"}]}`,
	`{"resourceType":"Bundle","id":"b","meta":{"lastUpdated":"2023-09-27T08:31:39.178+00:00"},"type":"searchset","total":0,"link":[{"relation":"self","url":"http://x/?a=b&c=%7C"}],` +
		`"entry":[{"fullUrl":"http://x/Practitioner/1","resource":{"resourceType":"Practitioner","id":"1","_id":{"extension":[{"url":"urn:e","valuePeriod":{"start":"2020"}}]},` +
		`"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">a<br/>b</div>"},"contained":[{"resourceType":"Organization","id":"o","name":"N"}],` +
		`"extension":[{"url":"urn:e","extension":[{"url":"a","valueBoolean":false},{"url":"b","valueDecimal":0.10}]}],"identifier":[{"use":"official","system":"urn:s","value":"v"}]},"search":{"mode":"match"}}]}`,
	`{"resourceType":"Organization","id":"1","name":"Café \"à l'<angle>\" & fils\n","address":[{"line":[null,"x",null],"_line":[{"id":"l0","extension":[{"url":"u","valueString":"1"}]},null,{"extension":[{"url":"u","valueString":"3"}]}]}]}`,
}

// Every value that goes in comes out of a reader that was written from the
// rules alone, and what comes out is what R4 allows.
func TestTheWitnessReadsEveryValueBack(t *testing.T) {
	t.Parallel()
	structure, err := xmlwitness.ReadStructure(shared.Path(t, "data", "fhir-r4", "hl7.fhir.r4.core-4.0.1-subset.tgz"))
	if err != nil {
		t.Fatal(err)
	}
	texts := slices.Clone(samples)
	for _, r := range fixtures.Default().Resources {
		texts = append(texts, r.JSON)
	}
	for _, text := range texts {
		for name, write := range map[string]func([]byte, *fhir.Node) ([]byte, error){"compact": fhirxml.Append, "pretty": fhirxml.AppendPretty} {
			doc, err := write(nil, parse(t, text))
			if err != nil {
				t.Fatal(err)
			}
			root, err := xmlwitness.Parse(doc)
			if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, doc)
			}
			want, err := xmlwitness.FromJSON([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if got := root.Values(); !maps.Equal(got, want) {
				t.Fatalf("%s (-want +got)\n%s", name, cmp.Diff(want, got))
			}
			for _, problem := range structure.Check(root) {
				t.Errorf("%s: %v\n%.200s", name, problem, doc)
			}
		}
	}
}

// A witness that accepts anything proves nothing.
func TestTheWitnessNotices(t *testing.T) {
	t.Parallel()
	structure, err := xmlwitness.ReadStructure(shared.Path(t, "data", "fhir-r4", "hl7.fhir.r4.core-4.0.1-subset.tgz"))
	if err != nil {
		t.Fatal(err)
	}
	const open = `<Practitioner xmlns="http://hl7.org/fhir">`
	for _, doc := range []string{
		`<Practitioner><id value="1"/></Practitioner>`,
		open + `<active value="true"/><id value="1"/></Practitioner>`,
		open + `<id value="1"/><id value="2"/></Practitioner>`,
		open + `<colour value="1"/></Practitioner>`,
		open + `<id>1</id></Practitioner>`,
		open + `<id value=""/></Practitioner>`,
		open + `<id code="1"/></Practitioner>`,
		open + `<name/></Practitioner>`,
		open + `<name value="x"/></Practitioner>`,
		open + `<active value="true"><coding/></active></Practitioner>`,
		open + `<extension><valueString value="x"/></extension></Practitioner>`,
		open + `<extension url="u"><valueColour value="x"/></extension></Practitioner>`,
		open + `<qualification><identifier><value value="1"/></identifier></qualification></Practitioner>`,
		`<OperationOutcome xmlns="http://hl7.org/fhir"><issue><severity value="error"/></issue></OperationOutcome>`,
	} {
		root, err := xmlwitness.Parse([]byte(doc))
		if err == nil && len(structure.Check(root)) == 0 {
			t.Errorf("accepted: %s", doc)
		}
	}
}

// BenchmarkAppend writes the embedded directory in turns as JSON and as XML,
// which is to have a third of the speed at least (issue #7).
func BenchmarkAppend(b *testing.B) {
	var nodes []*fhir.Node
	for _, r := range fixtures.Default().Resources {
		nodes = append(nodes, parse(b, r.JSON))
	}
	buf := make([]byte, 0, 8<<20)
	round := func(write func([]byte, *fhir.Node) []byte) time.Duration {
		began := time.Now()
		buf = buf[:0]
		for _, n := range nodes {
			buf = write(buf, n)
		}
		return time.Since(began)
	}
	var json, xml time.Duration
	b.ReportAllocs()
	for b.Loop() {
		json += round(fhir.AppendRead)
		xml += round(func(dst []byte, n *fhir.Node) []byte { dst, _ = fhirxml.Append(dst, n); return dst })
	}
	b.ReportMetric(100*float64(json)/float64(xml), "%-of-JSON")
}

func FuzzAppend(f *testing.F) {
	for _, s := range samples {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := fhir.ParseString(text)
		if err != nil || strings.Contains(text, `"div"`) {
			return
		}
		doc, err := fhirxml.Append(nil, n)
		if err != nil {
			return
		}
		if _, err := xmlwitness.Parse(doc); err != nil && !strings.Contains(err.Error(), "empty") {
			t.Fatalf("%v\n%s", err, doc)
		}
	})
}
