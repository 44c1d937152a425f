package store

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Normalize folds a string as the real server does for its string searches:
// canonical decomposition, combining marks U+0300–U+036F dropped, lower case.
// Nothing else: œ, ß, hyphens and spaces stay (ans-server.md §2.4).
func Normalize(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	decomposed := norm.NFD.String(s)
	return strings.ToLower(strings.Map(func(r rune) rune {
		if 0x300 <= r && r <= 0x36F {
			return -1
		}
		return r
	}, decomposed))
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
