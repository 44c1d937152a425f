// Package redact turns what a service really answered into what may be kept:
// no key, no person. It is the only way to the disk for a recording, because
// the writer of fixture sets (package record) takes nothing but a [Set], and a
// Set is only made here, after a last scan.
//
// Everything is refused unless a rule lets it through. Headers pass by an
// allow-list. In a body each member passes by a rule about its place: codes,
// dates and canonical URLs as they are, identifiers, names, mailboxes, phones
// and addresses as pseudonyms, free text not at all, and what no rule knows is
// left out and counted.
//
// Pseudonyms are keyed permutations: the same value becomes the same
// fictitious one wherever it stands and in every run with the same secret, two
// values never become one (phones excepted), and nobody without the secret
// goes back. Numbers land in the ranges of package synth, check digits
// included. What a pseudonym keeps of its original is in docs/recording.md.
package redact
