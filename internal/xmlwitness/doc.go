// Package xmlwitness is a second opinion on FHIR XML. It reads XML by the rules
// of the R4 page "XML", and HL7's own structure definitions for the order and
// the number of elements. It shares no code and no table with package fhirxml,
// whose tests, and those of version 1, hold the writer against it.
package xmlwitness
