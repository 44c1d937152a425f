// Package record makes a fixture set of a running service: by a fixed plan of
// requests, or as a proxy in front of a client's own. Whoever refreshes the
// fixtures needs it, through the command mockfhir record.
//
// What a service answers stays in memory. The only thing this package can
// write is a redact.Set, and it is written beside the previous one, then put
// in its place in one step.
package record
