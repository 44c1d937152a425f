package build

import (
	"regexp"
	"strings"
	"testing"
)

func TestPrint(t *testing.T) {
	version, commit = "v1.2.3", "0123abcd"
	defer func() { version, commit = "", "" }()
	var out strings.Builder
	if err := Print(&out, "program"); err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`^program v1\.2\.3
commit 0123abcd
fixtures of 20\d\d-\d\d-\d\d, API v2
implementation guide \d+\.\d+\.\d+\S*
go\S+ \w+/\w+
$`)
	if !want.MatchString(out.String()) {
		t.Errorf("printed:\n%s\nwant a match of\n%s", &out, want)
	}
}

func TestWithoutTheLinkersHelp(t *testing.T) {
	if Version() == "" || Commit() == "" {
		t.Errorf("version %q, commit %q: want words", Version(), Commit())
	}
}
