package contract

import (
	"strings"
	"testing"
	"time"
)

func TestIgnoreFile(t *testing.T) {
	t.Parallel()
	list, err := ParseIgnore(strings.NewReader(`
# what we know of
shape/*                     2026-12-31  versionId, issue #359
Organization.address.city	2026-11-25  postal code in the city
errors/date                 2026-11-24  old
`))
	if err != nil {
		t.Fatal(err)
	}
	findings := []Finding{
		{Check: "shape/Practitioner", Path: "Practitioner.meta.versionId", Class: Breaking},
		{Check: "shape/addresses", Path: "Organization.address.city", Class: Breaking},
		{Check: "baseline/values", Path: "Organization.address.city", Class: Breaking},
		{Check: "errors/date", Path: "Practitioner", Class: Breaking},
		{Check: "paging/links", Class: Breaking},
	}
	now := time.Date(2026, 11, 25, 23, 0, 0, 0, time.UTC)
	expired := list.apply(findings, now)
	if len(expired) != 1 || expired[0].Path != "errors/date" || expired[0].Class != Breaking || !strings.Contains(expired[0].Message, "Line 5") {
		t.Errorf("%+v", expired)
	}
	for i, want := range []string{"versionId, issue #359 (until 2026-12-31)", "versionId, issue #359 (until 2026-12-31)", "postal code in the city (until 2026-11-25)", "", ""} {
		if findings[i].Ignored != want {
			t.Errorf("finding %d is ignored for %q, want %q", i, findings[i].Ignored, want)
		}
	}
}

func TestIgnoreFileMistakes(t *testing.T) {
	t.Parallel()
	for line, says := range map[string]string{
		"shape/x":                       "the last day",
		"shape/x tomorrow because":      "the last day",
		"shape/x 2026-02-30 because":    "the last day",
		"shape/x 2026-12-31":            "no reason",
		"shape/[ 2026-12-31 because so": "no pattern",
	} {
		_, err := ParseIgnore(strings.NewReader("\n" + line))
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: %v", line, err)
		}
	}
}
