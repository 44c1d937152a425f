// Package gateway imitates the Gravitee APIM gateway that stands in front of
// the health directory API: the personal key, the plan, the quota, the routing
// and the errors in Gravitee's own words. It wraps any http.Handler, imports
// nothing of ours and knows nothing of FHIR.
//
// # The order of evaluation
//
// A request meets, in this order (gravitee.md §7):
//
//  1. the size limits: a request line above 4096 bytes is a 414, headers above
//     8192 bytes a 431;
//  2. the context path: whatever is not /fhir or below it is a 404 in plain text;
//  3. the CORS preflight, when CORS is on;
//  4. the selection of a plan: a key chooses the plan of its subscription, no
//     key at all chooses the keyless plan when there is one, else 401;
//  5. the keyless plan's filter, which lets GET /fhir/health through;
//  6. the rate limit of the subscription;
//  7. the filter of methods and paths that ANS publishes;
//  8. the backend, which sees neither the key header nor the key parameter;
//  9. what the gateway says when the backend does not answer.
//
// # Faults
//
// Whatever stands behind the gateway makes it fail like a broken backend by
// panicking with a [Fault]: panic(gateway.NoEndpoint) before the first byte of
// the response. A panic with [http.ErrAbortHandler] is a backend that closed its
// connection, and answers as [EndpointFailure] does. Faults that come before
// any key is read (a lost route) are returned by [Config.Fault].
//
// # On the wire
//
// net/http answers malformed requests itself and has its own reason phrases.
// [Server] returns an http.Server and [Listener] a listener that make those
// bytes the ones of Vert.x, the HTTP stack under Gravitee.
//
// # Choices
//
// The specification leaves some points open. This package settles them so:
//
//   - a window is over at the millisecond it names (as Gravitee's local map and
//     Redis do), not one millisecond later (as MongoDB does);
//   - the published path patterns are matched as prefixes, since the literal
//     GET pattern would otherwise refuse /_page and every read: GET and HEAD
//     pass anywhere below the context path, POST only below
//     [version/][type]/_search. POST /_page is refused, ANS lists no such form;
//   - the length of a header is counted as "Name: value", one space, whatever
//     was typed;
//   - an absolute request target reaches the backend in origin form, as a proxy
//     sends it;
//   - a change of the portal shows exactly one synchronisation delay later, the
//     longest that Gravitee's polling takes, so that tests can count on it;
//   - Gravitee sends no automatic "100 Continue", net/http does; kept;
//   - net/http refuses what Vert.x lets through: a request without Host, a bad
//     escape in the path, an Expect it does not know. They get the bytes of a
//     malformed request.
package gateway
