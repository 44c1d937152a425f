// Package search reads a search as the real server reads it and answers it
// from a snapshot of the directory: names, modifiers, prefixes and their
// errors, includes, the narrowing of elements, and the tokens that lead from
// one page to the next. mockserver dresses its answers as a Bundle.
//
// It follows the public source to the letter (ans-server.md §2, §6), including
// what the server ignores; [Rules] are the points where production is known to
// differ.
package search
