// Package store holds a directory the way searches need it: the text of each
// resource as the real server prints it, in load order, and for each search
// parameter a sorted dictionary of terms with the resources that carry them.
// It knows terms and sequence numbers; what a query means is internal/search's.
//
// A type is indexed when it is first asked for, so that a server of the
// embedded directory answers its first request at once. What is built never
// changes: an update makes a new [Snapshot] beside the old ones, which is how
// the page of a search still shows what was there when it began
// (ans-server.md §6.3).
package store
