package search

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/store"
)

func rules(t testing.TB) Rules { return Rules{Zone: paris(t), Now: now, URISearch: true} }

// criteria prints what a query looks for: for each criterion its parameter and
// its conditions, each as [!] test space text. The tests are = ^ and *.
func criteria(q *Query) string {
	var b strings.Builder
	for i, c := range q.Criteria {
		if i > 0 {
			b.WriteString(" & ")
		}
		b.WriteString(c.Param + ":")
		for j, cond := range c.Any {
			if j > 0 {
				b.WriteString(",")
			}
			if cond.Not {
				b.WriteString("!")
			}
			if cond.Match == store.On {
				fmt.Fprintf(&b, "%d/%d %s", cond.Date.Relation, cond.Date.Precision, cond.Date.Time.Format(time.DateOnly))
				continue
			}
			if cond.Match == store.Never {
				b.WriteString("never")
				continue
			}
			b.WriteString([]string{"=", "^", "*"}[cond.Match] + string(cond.Space) + cond.Text)
		}
	}
	return b.String()
}

func TestCriteria(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"Practitioner":                    "",
		"Practitioner?":                   "",
		"Practitioner?&&":                 "",
		"Practitioner?_pretty=x&_format=": "",

		// string (§2.4)
		"Practitioner?name=Él":               "name:^nel",
		"Practitioner?name=%20DUP+":          "name:^n dup ",
		"Practitioner?name:contains=%C3%89L": "name:*nel",
		"Practitioner?name%3Acontains=x":     "name:*nx",
		"Practitioner?name:exact=%C3%89l+x":  "name:=rÉl x",
		"Practitioner?name:exact=a,b":        "name:=ra,=rb",
		"Practitioner?name:missing=true":     "name:^ntrue",
		"Practitioner?name:text=x":           "name:^nx",
		"Practitioner?name:not=x":            "name:^nx",
		"Practitioner?name:family=MASI":      "name:^nmasi",
		"Practitioner?name:Contains=x":       "name:^nx", // modifiers mind the case
		"Practitioner?name:=x":               "name:^nx",
		"Practitioner?name=a,b&name=c":       "name:^na,^nb & name:^nc",
		"Practitioner?name=%2Ca%2C%2Cb":      "name:^na,^nb",
		`Practitioner?name=a%5C,b`:           `name:^na\,^nb`,
		"Practitioner?name=.*%5BA":           "name:^n.*[a",
		"Practitioner?name=":                 "name:",
		"Practitioner?name":                  "name:",
		"Practitioner?name=,":                "name:",
		"Practitioner?name=x?name=y":         "name:^nx?name=y",

		// token (§2.5)
		"Practitioner?identifier=C":                      "identifier:=vC",
		"Practitioner?identifier=|C":                     "identifier:=vC",
		"Practitioner?identifier=S|C":                    "identifier:=pS|C",
		"Practitioner?identifier=S%7CC":                  "identifier:=pS|C",
		"Practitioner?identifier=S|":                     "identifier:=sS",
		"Practitioner?identifier=|":                      "identifier:=m",
		"Practitioner?identifier=+|+":                    "identifier:=m",
		"Practitioner?identifier=+":                      "identifier:=m",
		"Practitioner?identifier=a|b|c":                  "identifier:=pa|b|c",
		"Practitioner?identifier=+S+|+C+":                "identifier:=pS|C",
		"Practitioner?identifier=é":                      "identifier:=vé",
		"Practitioner?identifier:not=S|C":                "identifier:!=vC",
		"Practitioner?identifier:not=A,B":                "identifier:!=vA,!=vB",
		"Practitioner?identifier:not=A&identifier:not=B": "identifier:!=vA & identifier:!=vB",
		"Practitioner?identifier:not=S|":                 "identifier:!=m",
		"Practitioner?identifier:not=|":                  "identifier:!=m",
		"Practitioner?identifier:missing=true":           "identifier:=vtrue",
		"Practitioner?identifier:text=S|C":               "identifier:=pS|C",
		"Practitioner?identifier:Not=C":                  "identifier:=vC",
		"Practitioner?_id=b,a":                           "_id:=vb,=va",
		"Practitioner?_id=Practitioner/003-1":            "_id:=vPractitioner/003-1",
		"Practitioner?active=TRUE":                       "active:=vTRUE",

		// reference (§2.7)
		"PractitionerRole?organization=Organization/001-1":  "organization:=tOrganization/001-1",
		"PractitionerRole?organization=001-1":               "organization:=i001-1",
		"PractitionerRole?organization=/001-1":              "organization:=i001-1",
		"PractitionerRole?organization=Foo/1":               "organization:=tFoo/1",
		"PractitionerRole?organization=Organization/org+2":  "organization:=tOrganization/org 2",
		"PractitionerRole?organization:Organization=001-1":  "organization:=i001-1",
		"PractitionerRole?organization:Organization.name=x": "organization:=ix",
		"PractitionerRole?organization:missing=true":        "organization:=itrue",

		// date (§2.6)
		"Device?_lastUpdated=ge2022":                      "_lastUpdated:3/0 2022-01-01",
		"Device?_lastUpdated:missing=2022-11-02":          "_lastUpdated:0/2 2022-11-02",
		"Device?_lastUpdated=lt2022,gt2023":               "_lastUpdated:4/0 2022-01-01,2/0 2023-01-01",
		"Device?_lastUpdated=ge2022&_lastUpdated=lt2023":  "_lastUpdated:3/0 2022-01-01 & _lastUpdated:4/0 2023-01-01",
		"Device?_lastUpdated=2022-11-01T10:00:00%2B02:00": "_lastUpdated:0/4 2022-11-01",
		"Device?_lastUpdated=%25today":                    "_lastUpdated:0/2 2025-06-10",
		"Device?_lastUpdated=":                            "_lastUpdated:",

		// uri (§13), an alias (§12), the back door (§2.2)
		"HealthcareService?_profile=http://x|1":             "_profile:=uhttp://x|1",
		"HealthcareService?as-sp-data-information-system=F": "data-information-system:=vF",
		"Practitioner?links.Organization.name=x":            "_id:never",
		"Practitioner?links.Organization.name=":             "",
	} {
		q, err := Parse(fixtures.DefaultTable(), target, rules(t))
		if err != nil {
			t.Errorf("%s: %v", target, err)
		} else if got := criteria(q); got != want {
			t.Errorf("%s\n got %q\nwant %q", target, got, want)
		}
	}
}

// TestResults are the parameters that say how to answer (§2.9–§2.12).
func TestResults(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"Device":                                      "count 50, counted",
		"Device?_count=":                              "count 50, counted",
		"Device?_count=5":                             "count 5, counted",
		"Device?_count:x=5":                           "count 5, counted",
		"Device?_count=007":                           "count 7, counted",
		"Device?_count=%2B5":                          "count 5, counted",
		"Device?_count=5,10":                          "count 5, counted",
		"Device?_count=,6":                            "count 6, counted",
		"Device?_count=5&_count=6":                    "count 6, counted",
		"Device?_count=5&_count=":                     "count 5, counted",
		"Device?_count=0":                             "count 0, counted",
		"Device?_count=-3":                            "count -3, counted",
		"Device?_count=50000000":                      "count 50000000, counted",
		"Device?_total=accurate":                      "count 50, counted",
		"Device?_total=estimate":                      "count 50, counted",
		"Device?_total=none":                          "count 50, not counted",
		"Device?_total=none&_total=accurate":          "count 50, counted",
		"Device?_total=none&_total=":                  "count 50, not counted",
		"Device?_total=none,x":                        "count 50, not counted",
		"Device?_elements=type,model":                 "count 50, counted, elements [type model]",
		"Device?_elements=type&_elements=model":       "count 50, counted, elements [model]",
		"Device?_elements=":                           "count 50, counted",
		"Device?_include=Device:organization":         "count 50, counted, include [{Device organization}]",
		"Device?_include=*":                           "count 50, counted, include [{Device organization}]",
		"Device?_include=":                            "count 50, counted",
		"Device?_include:iterate=Device:organization": "count 50, counted, include [{Device organization}]",
		"Device?_include=Device:model":                "count 50, counted, include [{Device model}]", // no reference: includes nothing
		"Device?_include=Device%3Aorganization:":      "count 50, counted, include [{Device organization}]",
		"PractitionerRole?_include=*":                 "count 50, counted, include [{PractitionerRole organization} {PractitionerRole practitioner}]",
		"PractitionerRole?_include=PractitionerRole:practitioner,*":                    "count 50, counted, include [{PractitionerRole practitioner} {PractitionerRole organization}]",
		"Organization?_revinclude=Device:organization&_revinclude=Organization:partof": "count 50, counted, revinclude [{Device organization} {Organization partof}]",
		"Organization?_revinclude=Device:organization,Device:organization":             "count 50, counted, revinclude [{Device organization} {Device organization}]",
		"Organization?_include=Organization:partof&_revinclude=":                       "count 50, counted, include [{Organization partof}]",
		"HealthcareService?_include=HealthcareService:as-sp-data-information-system":   "count 50, counted, include [{HealthcareService data-information-system}]",
	} {
		q, err := Parse(fixtures.DefaultTable(), target, rules(t))
		if err != nil {
			t.Errorf("%s: %v", target, err)
			continue
		}
		got := fmt.Sprintf("count %d, %s", q.Count, map[Total]string{Counted: "counted", NotCounted: "not counted"}[q.Total])
		if q.Elements != nil {
			got += fmt.Sprintf(", elements %v", q.Elements)
		}
		if q.Include != nil {
			got += fmt.Sprintf(", include %v", q.Include)
		}
		if q.RevInclude != nil {
			got += fmt.Sprintf(", revinclude %v", q.RevInclude)
		}
		if got != want || len(q.Criteria) != 0 {
			t.Errorf("%s\n got %s\nwant %s", target, got, want)
		}
	}
}

// The texts of ans-server.md §1.2 and §2, spelled out.
const (
	literalL1    = "Can't process the request. Resource type not supported. Server knows how to handle: [Device, HealthcareService, Organization, Practitioner, PractitionerRole]"
	literalCount = `The _count parameter must be in the FHIR format with an integer value : "_count=30"`
	literalTotal = "Bad value for the _total parameter. Allowed values are : accurate, none, estimate"
)

func notFound(name, typ string) string {
	return "Parameter " + name + " not found for resource " + typ
}

func TestErrors(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 1024)
	for target, want := range map[string]string{
		// types (§1.2): told last
		"Foo":                         literalL1,
		"":                            literalL1,
		"practitioner":                literalL1,
		"Practitioner/":               literalL1,
		"Pr%61ctitioner":              literalL1,
		"Foo?_count=5":                literalL1,
		"Foo?_count=x":                literalCount,
		"Foo?name=x":                  notFound("name", "Foo"),
		"Practitioner/_search?name=a": notFound("name", "Practitioner/_search"),

		// names (§2.2)
		"Practitioner?_sort=name":                      notFound("_sort", "Practitioner"),
		"Practitioner?_summary=count":                  notFound("_summary", "Practitioner"),
		"Practitioner?_has:X:y:z=1":                    notFound("_has", "Practitioner"),
		"Practitioner?_since=2020":                     notFound("_since", "Practitioner"),
		"Practitioner?Name=x":                          notFound("Name", "Practitioner"),
		"Practitioner?nope:exact=x":                    notFound("nope", "Practitioner"),
		"Practitioner?n%C3%A9%20=x":                    notFound("né ", "Practitioner"),
		"Practitioner?=x":                              notFound("=x", "Practitioner"),
		"Practitioner?:name=x":                         notFound(":name", "Practitioner"),
		"Practitioner?nope":                            notFound("nope", "Practitioner"),
		"Practitioner?name+=x":                         notFound("name ", "Practitioner"),
		"PractitionerRole?organization.name=x":         notFound("organization.name", "PractitionerRole"),
		"PractitionerRole?organization.identifier=x":   notFound("organization.identifier", "PractitionerRole"),
		"Practitioner?as-sp-data-information-system=F": notFound("as-sp-data-information-system", "Practitioner"),
		"Foo?links.Organization.name=x":                notFound("links.Organization.name", "Foo"),
		"Practitioner?links.Foo.name=x":                "Unknown error",
		"Practitioner?links.Organization.nope=x":       notFound("links.Organization.nope", "Practitioner"),
		"Practitioner?links.Organization=x":            notFound("links.Organization", "Practitioner"),

		// values (§2.3)
		"Practitioner?name=" + long:             "Bad parameter value.",
		"Practitioner?identifier=" + long:       "Bad parameter value.",
		"PractitionerRole?organization=" + long: "Bad parameter value.",
		"Practitioner?name=a%09b":               "Bad parameter value.",
		"Practitioner?name=%F0%9F%98%80":        "Bad parameter value.",
		"Practitioner?identifier=a%0A":          "Bad parameter value.",
		"Practitioner?name=a,b%00":              "Bad parameter value.",
		"Practitioner?name=%":                   "Unknown error",
		"Practitioner?%zz=a":                    "Unknown error",

		// references (§2.7)
		"PractitionerRole?organization=Organization/1/_history/1":    "Unknown error",
		"PractitionerRole?organization=http://h/fhir/Organization/1": "Unknown error",
		"PractitionerRole?organization=Organization/":                "Unknown error",
		"PractitionerRole?organization=/":                            "Unknown error",
		"PractitionerRole?organization=%20":                          "Unknown error",

		// dates (§2.6)
		"Device?_lastUpdated=abc":                       `HAPI-1940: Invalid date/time/quantity format: "abc"`,
		"Device?_lastUpdated=ge+2022":                   `HAPI-1941: Invalid prefix: "ge "`,
		"Device?_lastUpdated=ge2022-1":                  `HAPI-1882: Invalid date/time format: "2022-1"`,
		"Device?_lastUpdated=%20":                       "Unknown error",
		"Device?_lastUpdated=2022-11-01T10:00:00+02:00": `HAPI-1883: Invalid date/time format: "2022-11-01T10:00:00 02:00": Expected character '.' at index 19 but found  `,
		"Device?_lastUpdated=2022,x":                    `HAPI-1940: Invalid date/time/quantity format: "x"`,

		// _count (§2.9) and _total (§2.10)
		"Device?_count=abc":          literalCount,
		"Device?_count=+5":           literalCount,
		"Device?_count=%205":         literalCount,
		"Device?_count=5.0":          literalCount,
		"Device?_count=50000001":     literalCount,
		"Device?_count=2147483648":   literalCount,
		"Device?_count=abc&_count=5": literalCount,
		"Device?_total=exact":        literalTotal,
		"Device?_total=None":         literalTotal,
		"Device?_total=+none":        literalTotal,

		// _elements (§2.11): paths that collide, or that are none
		"Practitioner?_elements=name,name.family": "Unknown error",
		"Practitioner?_elements=name.family,name": "Unknown error",
		"Practitioner?_elements=identifier.value": "Unknown error", // identifier is kept anyway
		"Practitioner?_elements=meta.tag":         "Unknown error",
		"Practitioner?_elements=id.x":             "Unknown error",
		"Practitioner?_elements=name.":            "Unknown error",
		"Practitioner?_elements=.name":            "Unknown error",
		"Practitioner?_elements=name..family":     "Unknown error",
		"Practitioner?_elements=$name":            "Unknown error",

		// includes (§2.12), the rows of FhirRequestParserTest first
		"Organization?_include=:partof":                                        notFound(":partof", "Organization"),
		"Organization?_include=Organization:":                                  notFound("Organization:", "Organization"),
		"Organization?_include=Organization":                                   notFound("Organization", "Organization"),
		"Organization?_include=Organ":                                          notFound("Organ", "Organization"),
		"Organization?_include=Organ:partof":                                   notFound("Organ:partof", "Organization"),
		"Organization?_include=Organization:partofs":                           notFound("Organization:partofs", "Organization"),
		"Organization?_include=Practitioner:partof":                            notFound("Practitioner:partof", "Organization"),
		"Organization?_include=PractitionerRole:organization":                  notFound("PractitionerRole:organization", "Organization"),
		"Organization?_include=Device:organization":                            notFound("Device:organization", "Organization"),
		"Organization?_include=Organization:*":                                 notFound("Organization:*", "Organization"),
		"Organization?_include=:":                                              "Unknown error",
		"Organization?_include=::":                                             "Unknown error",
		"Organization?_include=Organization:_id":                               "Bad include parameter.",
		"PractitionerRole?_include=PractitionerRole:organization:Organization": notFound("PractitionerRole:organization:Organization", "PractitionerRole"),
		"Organization?_include=Organization:partof,x":                          notFound("x", "Organization"),
		"Organization?_revinclude=*":                                           notFound("*", "Organization"),
		"Organization?_revinclude=Device":                                      notFound("Device", "Organization"),
		"Organization?_revinclude=Foo:organization":                            notFound("Foo:organization", "Organization"),
		"Organization?_revinclude=Device:owner":                                notFound("Device:owner", "Organization"),
		"Organization?_revinclude=Device:_id":                                  "Bad include parameter.",
		"Organization?_revinclude=:":                                           "Unknown error",

		// the first mistake from the left is told (§2.1)
		"Device?_count=x&nope=1":         literalCount,
		"Device?nope=1&_count=x":         notFound("nope", "Device"),
		"Device?_total=x&_lastUpdated=y": literalTotal,
		"Foo?_total=none&b=1&a=1":        notFound("b", "Foo"),
	} {
		_, err := Parse(fixtures.DefaultTable(), target, rules(t))
		var refusal *Error
		if !errors.As(err, &refusal) || refusal.Text != want || refusal.Status != 500 {
			t.Errorf("%.80s\n got %v\nwant %s", target, err, want)
		}
	}
}

// TestRevIncludeIsBounded: each _revinclude answers anew, so their number is
// the one way to an answer larger than the directory.
func TestRevIncludeIsBounded(t *testing.T) {
	t.Parallel()
	many := func(n int) string {
		return "Organization?_revinclude=" + strings.Repeat("Device:organization,", n)
	}
	if q, err := Parse(fixtures.DefaultTable(), many(100), rules(t)); err != nil || len(q.RevInclude) != 100 {
		t.Errorf("100: %v", err)
	}
	if _, err := Parse(fixtures.DefaultTable(), many(101), rules(t)); err == nil || err.Error() != "Bad include parameter." {
		t.Errorf("101: %v", err)
	}
}

// TestURISearch: production compares, the source refuses whatever stands there
// (§2.2, §13).
func TestURISearch(t *testing.T) {
	t.Parallel()
	r := rules(t)
	r.URISearch = false
	for _, query := range []string{"_profile=http://x", "_profile=", "_profile"} {
		if _, err := Parse(fixtures.DefaultTable(), "HealthcareService?"+query, r); err == nil || err.Error() != "Search type not supported" {
			t.Errorf("%s: %v", query, err)
		}
	}
}

// TestFragile are the searches whose second page the source loses (§6.5), and
// some it does not.
func TestFragile(t *testing.T) {
	t.Parallel()
	bare := &fixtures.Table{Types: []fixtures.Type{{Type: "Device", Params: []fixtures.Param{
		{Name: "organization", Kind: fixtures.Reference, Paths: []string{"owner"}}, // its targets are not configured
	}}}}
	for _, c := range []struct {
		table      *fixtures.Table
		target     string
		unprefixed bool
		breaks     bool
	}{
		{nil, "Practitioner?name=a", false, false},
		{nil, "Practitioner?_lastUpdated=2022", true, false},
		{nil, "Practitioner?_lastUpdated=eq2022", false, false},
		{nil, "Practitioner?_lastUpdated=ge2022,2023", true, false},
		{nil, "Practitioner?name=", false, true},
		{nil, "Practitioner?name=&active=true", false, false}, // only at the end
		{nil, "Practitioner?active=true&name=", false, true},
		{nil, "Practitioner?name=100%25", false, true},
		{nil, "Practitioner?identifier=a$b", false, true},
		{nil, "Practitioner?_elements=birth_date", false, true},
		{nil, "Practitioner?_elements=name", false, false},
		{nil, "PractitionerRole?organization=Organization/1", false, false},
		{bare, "Device?organization=Organization/1", false, true},
	} {
		table := c.table
		if table == nil {
			table = fixtures.DefaultTable()
		}
		q, err := Parse(table, c.target, rules(t))
		if err != nil {
			t.Errorf("%s: %v", c.target, err)
		} else if q.UnprefixedDate != c.unprefixed || q.BreaksPage2 != c.breaks {
			t.Errorf("%s: unprefixed %v, breaks %v", c.target, q.UnprefixedDate, q.BreaksPage2)
		}
	}
}

// TestDecay is what the source reads back on the second page (§6.5).
func TestDecay(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"Practitioner?name=a%2Bb":                 "name:^na b",
		"Practitioner?identifier=|":               "identifier:=v",
		"Practitioner?identifier:not=|":           "identifier:!=v",
		"PractitionerRole?organization=001-1":     "organization:=tOrganization/001-1",
		"PractitionerRole?organization=Foo/1":     "organization:=tFoo/1",
		"Practitioner?identifier=S|C&active=true": "identifier:=pS|C & active:=vtrue",
	} {
		q, err := Parse(fixtures.DefaultTable(), target, rules(t))
		if err != nil {
			t.Fatal(err)
		}
		if q.decay(); criteria(q) != want {
			t.Errorf("%s became %q, want %q", target, criteria(q), want)
		}
	}
}
