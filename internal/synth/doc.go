// Package synth invents a French health directory: practitioners, their roles,
// structures, care activities and heavy equipment, in the shapes the live v2
// service prints. Nobody in it exists: identifiers come from [Ranges], which no
// real register uses, mailboxes end in a reserved domain, and names are drawn
// from lists of ours.
//
// Three users need it: the embedded fixture set ([Embedded], which the
// package's test writes to fixtures/data/v2/resources with -update), "mockfhir
// generate" ([Generate], of any size), and redaction, which maps real
// identifiers into the same [Ranges].
//
// Every resource is a function of the options and its index alone, so that a
// directory can be streamed, resumed anywhere and built on several cores, and
// has the same bytes on every machine.
package synth
