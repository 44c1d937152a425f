package contract

import (
	"math"
	"strings"
	"testing"
)

// TestFewer holds the test of significance against values worked out by hand.
func TestFewer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		k1, n1, k2, n2 int
		want           float64
	}{
		{5, 5, 0, 5, 1.0 / 252},       // 1 / (10 over 5)
		{10, 10, 0, 10, 1.0 / 184756}, // 1 / (20 over 10)
		{1, 1, 0, 1, 0.5},
		{3, 3, 1, 3, 0.2}, // ((4 over 1)·(2 over 2)) / (6 over 3)
		{0, 5, 0, 5, 1},
		{5, 5, 5, 5, 1},
		{5, 5, 0, 0, 1},
	} {
		if got := fewer(tt.k1, tt.n1, tt.k2, tt.n2); math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("fewer(%d of %d, %d of %d) = %g, want %g", tt.k1, tt.n1, tt.k2, tt.n2, got, tt.want)
		}
	}
}

func TestForm(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2026-03-01T10:00:00.000+01:00": "instant", "2026-03-01T09:00:00Z": "instant", "2026-03-01T10:00:00.000": "instant without zone",
		"2026-03-01": "date", "2026-03": "month", "7": "small number", "75001": "5 digits", "2A0000014": "9 digits with a letter", "E9180990000044": "14 digits with a letter", "A12": "capitals", "01200": "5 digits from 0",
		"810000000001": "12 digits", "https://x.example.org/a": "https address", "http://x.example.org": "http address",
		"urn:oid:1.2": "address of another kind", "Organization/001-02-1": "reference", "/fhir/v2/x": "path",
		"a.b@example.org": "mailbox", "2f1e0c9a-0000-4000-8000-000000000000": "UUID", "Zoé": "text with accents", "ÉLOI": "capitals with accents", "DURAND-LE GOFF": "capitals", "rue de siam": "small letters", "ZoÃ©": "broken characters",
		"Zo&eacute;": "broken characters", "a%20b": "escaped text", "<b>x</b>": "markup", " x": "padded text", "29200 BREST": "number and text", "": "empty",
		"Pharmacie du Port": "text", "A&B": "capitals", "R&D 100 % bio": "text",
	} {
		if got := form(text); got != want {
			t.Errorf("form(%q) = %q, want %q", text, got, want)
		}
	}
}

// element makes an Element that n of 100 objects have.
func of100(n int, with ...func(*Element)) *Element {
	e := &Element{Of: 100, With: n, Kinds: map[string]int{"string": n}}
	for _, f := range with {
		f(e)
	}
	return e
}

func withForms(forms map[string]int) func(*Element) { return func(e *Element) { e.Forms = forms } }

func withValues(values map[string]int) func(*Element) { return func(e *Element) { e.Values = values } }

func withKinds(kinds map[string]int) func(*Element) { return func(e *Element) { e.Kinds = kinds } }

// TestCompareElements: what is said about one place in a resource.
func TestCompareElements(t *testing.T) {
	t.Parallel()
	const path, code = "Organization.name", "Organization.type.coding[TRE-R02-SecteurActivite].code"
	type pair struct{ was, now *Element }
	tests := map[string]struct {
		path string
		pair
		class Class // "": nothing is said
		check string
	}{
		"the same":                {path, pair{of100(60), of100(60)}, "", ""},
		"chance":                  {path, pair{of100(60), of100(45)}, "", ""},
		"gone":                    {path, pair{of100(60), nil}, Breaking, "baseline/presence"},
		"mostly gone":             {path, pair{of100(60), of100(10)}, Breaking, "baseline/presence"},
		"of nearly all, lost":     {path, pair{of100(97), of100(68)}, Breaking, "baseline/presence"},
		"of all, a fifth lost":    {path, pair{of100(100), of100(80)}, Breaking, "baseline/presence"},
		"items of another make":   {"Organization.telecom.use", pair{of100(100), &Element{Of: 200, With: 100}}, "", ""},
		"of nearly all, fewer":    {path, pair{of100(97), of100(85)}, "", ""},
		"another opaque id":       {"Bundle.id", pair{of100(60, withForms(map[string]int{"UUID": 60})), of100(60, withForms(map[string]int{"12 digits": 60}))}, "", ""},
		"a longer version":        {"Device.meta.versionId", pair{of100(60, withForms(map[string]int{"small number": 60})), of100(60, withForms(map[string]int{"4 digits": 60}))}, "", ""},
		"a time without zone":     {"Bundle.timestamp", pair{of100(60, withForms(map[string]int{"instant": 60})), of100(60, withForms(map[string]int{"instant without zone": 60}))}, Breaking, "baseline/forms"},
		"words broken":            {"Device.type.coding[x].display", pair{of100(60, withForms(map[string]int{"text": 60})), of100(60, withForms(map[string]int{"text": 59, "markup": 1}))}, Breaking, "baseline/forms"},
		"words in other letters":  {"Device.type.coding[x].display", pair{of100(60, withForms(map[string]int{"text": 60})), of100(60, withForms(map[string]int{"capitals": 60}))}, "", ""},
		"rare, and not met":       {path, pair{of100(3), nil}, "", ""},
		"new":                     {path, pair{nil, of100(60)}, Additive, "baseline/presence"},
		"new, and met once":       {path, pair{nil, of100(1)}, "", ""},
		"restricted":              {"Practitioner.birthDate", pair{nil, of100(1)}, Breaking, "baseline/presence"},
		"another type":            {path, pair{of100(60), of100(60, withKinds(map[string]int{"string": 59, "number": 1}))}, Breaking, "baseline/types"},
		"new, and null once":      {path, pair{nil, of100(1, withKinds(map[string]int{"null": 1}))}, Breaking, "baseline/types"},
		"null in a list":          {path, pair{of100(60), of100(60, withKinds(map[string]int{"string": 59, "null item": 1}))}, "", ""},
		"another form":            {path, pair{of100(60, withForms(map[string]int{"instant": 60})), of100(60, withForms(map[string]int{"instant without zone": 60}))}, Breaking, "baseline/forms"},
		"another form once":       {path, pair{of100(60, withForms(map[string]int{"text": 60})), of100(60, withForms(map[string]int{"text": 59, "number and text": 1}))}, "", ""},
		"broken once":             {path, pair{of100(60, withForms(map[string]int{"text": 60})), of100(60, withForms(map[string]int{"text": 59, "broken characters": 1}))}, Breaking, "baseline/forms"},
		"a letter in a number":    {path, pair{of100(60, withForms(map[string]int{"9 digits from 0": 60})), of100(60, withForms(map[string]int{"9 digits with a letter": 60}))}, "", ""},
		"a letter before it":      {path, pair{of100(60, withForms(map[string]int{"9 digits from 0": 60})), of100(60, withForms(map[string]int{"10 digits with a letter": 60}))}, Breaking, "baseline/forms"},
		"zeros lost":              {path, pair{of100(60, withForms(map[string]int{"5 digits": 55, "5 digits from 0": 5})), of100(60, withForms(map[string]int{"5 digits": 55, "4 digits": 5}))}, Breaking, "baseline/forms"},
		"zeros not met":           {path, pair{of100(60, withForms(map[string]int{"5 digits": 55, "5 digits from 0": 5})), of100(60, withForms(map[string]int{"5 digits": 60}))}, "", ""},
		"with a version":          {"Organization.meta.profile", pair{of100(60), of100(60, withForms(map[string]int{versioned: 60}))}, Additive, "baseline/forms"},
		"a system gone":           {"Organization.identifier.system", pair{of100(60, withValues(map[string]int{"urn:a": 60})), of100(60, withValues(map[string]int{"urn:b": 60}))}, Breaking, "baseline/values"},
		"another source":          {"Organization.meta.source", pair{of100(60, withValues(map[string]int{"https://a": 60})), of100(60, withValues(map[string]int{"https://b": 60}))}, Additive, "baseline/values"},
		"a code of the list":      {code, pair{of100(60, withValues(map[string]int{"SA33": 60})), of100(60, withValues(map[string]int{"SA33": 59, "SA01": 1}))}, "", ""},
		"a code of no list":       {code, pair{of100(60, withValues(map[string]int{"SA33": 60})), of100(60, withValues(map[string]int{"SA33": 59, "XX99": 1}))}, Additive, "baseline/codes"},
		"codes written otherwise": {code, pair{of100(60, withValues(map[string]int{"SA33": 60})), of100(60, withValues(map[string]int{"MSA33": 60}))}, Breaking, "baseline/codes"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			was, now := baselineOf(tt.path, tt.was), baselineOf(tt.path, tt.now)
			findings := Compare(was, now)
			switch {
			case tt.class == "" && len(findings) > 0:
				t.Errorf("something is said: %+v", findings)
			case tt.class == "":
			case len(findings) == 0:
				t.Errorf("nothing is said")
			case findings[0].Class != tt.class || findings[0].Check != tt.check || !strings.HasPrefix(findings[0].Path, tt.path):
				t.Errorf("said: %+v", findings[0])
			}
		})
	}
}

// baselineOf is a baseline of one element, and one beside it that shows how
// many objects were seen.
func baselineOf(path string, e *Element) *Baseline {
	b := &Baseline{Elements: map[string]*Element{around(path) + ".id": of100(100)}}
	typ, _, _ := strings.Cut(path, ".")
	b.Elements[typ+".resourceType"] = of100(100)
	if e != nil {
		b.Elements[path] = e
	}
	return b
}

// TestAnotherTarget: the embedded baseline, and that of another target, are
// compared with directories of any size; numbers that grow have no other form.
func TestAnotherTarget(t *testing.T) {
	t.Parallel()
	finds := func(target string, n int) *Baseline {
		return &Baseline{Target: target, Questions: map[string]*Question{"GET x": {Total: &n}}}
	}
	for _, target := range []string{DefaultBaseline().Target, "https://elsewhere"} {
		was, now := finds(target, 300), finds("https://somewhere", 9)
		was.Elements = map[string]*Element{"Bundle.link[next]": of100(60), "Device.owner": of100(95), "Device.status": of100(100)}
		now.Elements = map[string]*Element{"Bundle.link[next]": of100(0), "Device.owner": {Of: 30, With: 18}, "Device.status": of100(85)}
		if findings := Compare(was, now); len(findings) > 0 {
			t.Errorf("said of %q: %+v", target, findings)
		}
	}
	if e := DefaultBaseline().Elements["Bundle.total"]; e == nil || len(e.Forms) > 0 {
		t.Errorf("Bundle.total: %+v", e)
	}
}

// TestCompare: what is said beside elements.
func TestCompare(t *testing.T) {
	t.Parallel()
	n := func(n int) *int { return &n }
	question := func(name string, q Question) *Baseline { return &Baseline{Questions: map[string]*Question{name: &q}} }
	header := func(name, form string) *Baseline {
		h := &Headers{Of: 10, With: map[string]int{}, Forms: map[string]map[string]int{}}
		if name != "" {
			h.With[name] = 10
			h.Forms[name] = map[string]int{form: 10}
		}
		return &Baseline{Headers: map[string]*Headers{"200 Bundle": h}}
	}
	always := func(answer string) Question { return Question{Asked: 3, Answers: map[string]int{answer: 3}} }
	tests := map[string]struct {
		was, now *Baseline
		class    Class
		reason   Reason
	}{
		"an error instead": {question("GET x", always("200 Bundle")), question("GET x", always("500 OperationOutcome error/exception")), Breaking, Protocol},
		"sometimes an error": {question("GET x", always("200 Bundle")),
			question("GET x", Question{Asked: 3, Answers: map[string]int{"200 Bundle": 2, "502 text": 1}}), "", ""},
		"answered now":            {question("GET x", always("500 OperationOutcome error/exception")), question("GET x", always("200 Bundle")), Additive, Protocol},
		"answered without a key":  {question("GET x without a key", always("401 text")), question("GET x without a key", always("200 Bundle")), Breaking, Security},
		"another refusal":         {question("GET x", always("401 text")), question("GET x", always("403 text")), Breaking, Protocol},
		"another code of issue":   {question("GET x", always("500 OperationOutcome error/exception")), question("GET x", always("500 OperationOutcome error/processing")), Additive, Meaning},
		"a limit":                 {question("GET x", always("200 Bundle")), question("GET x", Question{Asked: 3, Answers: map[string]int{"200 Bundle": 2, "429 text": 1}}), Additive, Limit},
		"not packed any more":     {question("GET x", Question{Asked: 1, Packed: 1}), question("GET x", Question{Asked: 1}), Breaking, Speed},
		"packed now":              {question("GET x", Question{Asked: 1}), question("GET x", Question{Asked: 1, Packed: 1}), "", ""},
		"a collapse":              {question("GET x", Question{Total: n(300)}), question("GET x", Question{Total: n(120)}), Breaking, Volume},
		"a month of changes":      {question("GET x", Question{Total: n(300)}), question("GET x", Question{Total: n(280)}), "", ""},
		"few, and fewer":          {question("GET x", Question{Total: n(9)}), question("GET x", Question{Total: n(4)}), "", ""},
		"twice as much":           {question("GET x", Question{Total: n(300)}), question("GET x", Question{Total: n(700)}), Additive, Volume},
		"a header more":           {header("", ""), header("Etag", "text"), Additive, Protocol},
		"a limit's header gone":   {header("X-Rate-Limit-Limit", "17"), header("", ""), Breaking, Limit},
		"a lower limit":           {header("X-Rate-Limit-Limit", "17"), header("X-Rate-Limit-Limit", "5"), Breaking, Limit},
		"a higher limit":          {header("X-Rate-Limit-Limit", "17"), header("X-Rate-Limit-Limit", "50"), Additive, Limit},
		"another unit":            {header("X-Rate-Limit-Reset", "epoch in milliseconds"), header("X-Rate-Limit-Reset", "number"), Breaking, Limit},
		"another media type":      {header("Content-Type", "application/fhir+json"), header("Content-Type", "application/json"), Breaking, Protocol},
		"a parameter gone":        {&Baseline{Metadata: map[string]string{"status": "active", "Device.searchParam(type)": "token"}}, &Baseline{Metadata: map[string]string{"status": "active"}}, Breaking, Search},
		"a parameter more":        {&Baseline{Metadata: map[string]string{"status": "active"}}, &Baseline{Metadata: map[string]string{"status": "active", "Device.searchParam(type)": "token"}}, Additive, Search},
		"another kind of one":     {&Baseline{Metadata: map[string]string{"Device.searchParam(type)": "token"}}, &Baseline{Metadata: map[string]string{"Device.searchParam(type)": "string"}}, Breaking, Search},
		"another software":        {&Baseline{Metadata: map[string]string{"software.version": "1"}}, &Baseline{Metadata: map[string]string{"software.version": "2"}}, Additive, Search},
		"smaller pages":           {&Baseline{Pages: map[string]int{"default": 50}}, &Baseline{Pages: map[string]int{"default": 20}}, Breaking, Search},
		"larger pages":            {&Baseline{Pages: map[string]int{"default": 50}}, &Baseline{Pages: map[string]int{"default": 100}}, Additive, Search},
		"another generation":      {&Baseline{Unversioned: "v1"}, &Baseline{Unversioned: "v2"}, Breaking, Shape},
		"slow":                    {&Baseline{Speed: map[string]Timing{"read": {10, 40, 90}}}, &Baseline{Speed: map[string]Timing{"read": {10, 4000, 9000}}}, Breaking, Speed},
		"slower":                  {&Baseline{Speed: map[string]Timing{"read": {10, 40, 90}}}, &Baseline{Speed: map[string]Timing{"read": {10, 900, 1500}}}, "", ""},
		"heavy":                   {&Baseline{Weight: map[string]int{"Device": 900}}, &Baseline{Weight: map[string]int{"Device": 31000}}, Breaking, Speed},
		"a reload":                {&Baseline{Reload: map[string]int{"Device": 3}}, &Baseline{Reload: map[string]int{"Device": 100}}, Breaking, Volume},
		"another id":              {&Baseline{Identities: map[string]map[string]string{"Organization": {"a": "1", "b": "2"}}}, &Baseline{Identities: map[string]map[string]string{"Organization": {"a": "3", "b": "2"}}}, Breaking, Meaning},
		"an id hard to tell":      {&Baseline{Identities: map[string]map[string]string{"Organization": {"a": ambiguous}}}, &Baseline{Identities: map[string]map[string]string{"Organization": {"a": "3"}}}, "", ""},
		"other people altogether": {&Baseline{Identities: map[string]map[string]string{"Organization": {"a": "1"}}}, &Baseline{Identities: map[string]map[string]string{"Organization": {"b": "3"}}}, "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.was.Target, tt.now.Target = "https://somewhere", "https://somewhere"
			findings := Compare(tt.was, tt.now)
			switch {
			case tt.class == "" && len(findings) > 0:
				t.Errorf("something is said: %+v", findings)
			case tt.class == "":
			case len(findings) != 1:
				t.Errorf("%d things are said: %+v", len(findings), findings)
			case findings[0].Class != tt.class || findings[0].Reason != tt.reason:
				t.Errorf("said: %+v", findings[0])
			}
		})
	}
}
