package uuid

import (
	"regexp"
	"testing"
)

func TestNew(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[string]bool{}
	for range 1000 {
		id := New()
		if !form.MatchString(id) || seen[id] {
			t.Fatalf("%s is no UUID of version 4, or came before", id)
		}
		seen[id] = true
	}
	if got := Format([16]byte{0xff, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}); got != "ff010203-0405-4607-8809-0a0b0c0d0e0f" {
		t.Error(got)
	}
}
