// Package v1 is version 1 of the API, as HAPI's RestfulServer answered it until
// 2026: JSON and XML, _pretty, _summary, _elements, pages behind _getpages,
// errors in HAPI's words. Package mockserver puts it below /fhir/v1, so that a
// team can rehearse the move to version 2 on one server.
//
// Its directory is not stored: it is version 2's, seen through version 1's
// model by the one mapping of model.go, so that both versions always speak of
// the same fictitious people.
package v1
