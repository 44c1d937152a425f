package store

import "testing"

// The first row is asserted by the real server's own test (MongoDbUtilsTest,
// ans-server.md §2.4).
func TestNormalize(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"Élève À l'école", "eleve a l'ecole"},
		{"", ""},
		{"DUPONT", "dupont"},
		{"e\u0301", "e"},                               // decomposed already
		{"\u0301\u036f", ""},                           // both ends of the block
		{"a\u0370b", "a\u0371b"},                       // the first letter behind it, in lower case
		{"Œuvre ŒŒ", "œuvre œœ"},                       // no compatibility decomposition
		{"Straße", "straße"},                           // ß stays
		{"ﬁn №", "ﬁn №"},                               // so do ligatures
		{"a-b  c'd’e", "a-b  c'd’e"},                   // hyphens, spaces, both apostrophes
		{" Jean ", " jean "},                           // nothing is trimmed
		{"İstanbul", "istanbul"},                       // the dot is a mark
		{"ÇA ÑU Å", "ca nu a"},                         // cedilla, tilde, ring
		{"a\u20d7", "a\u20d7"},                         // a mark outside U+0300–U+036F
		{"\xff\xfe", "\ufffd\ufffd"},                   // no UTF-8
		{"日本 ДОКТОР", "日本 доктор"},                     // other scripts
		{"한글", "\u1112\u1161\u11ab\u1100\u1173\u11af"}, // NFD, not NFC
	} {
		if got := Normalize(c.in); got != c.want {
			t.Errorf("Normalize(%q) = %q, want %q", c.in, got, c.want)
		}
		if once := Normalize(c.in); Normalize(once) != once {
			t.Errorf("Normalize(%q) is not stable", c.in)
		}
	}
}
