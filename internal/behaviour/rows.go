package behaviour

// The behaviours that are switches.
const (
	NumericVersionID   ID = "numeric-version-id"
	BareGateway        ID = "bare-gateway"
	SearchSuffix       ID = "post-search-suffix"
	EncodedSelf        ID = "encoded-self-link"
	FrontHeaders       ID = "front-headers"
	URISearch          ID = "uri-search"
	FragilePages       ID = "fragile-pages"
	HiddenOperations   ID = "hidden-operations"
	AnyUnversionedPath ID = "any-unversioned-path"
)

// Rows is the table, in the order of docs/fidelity.md.
var Rows = []Row{
	{
		ID: "key-rejection", Topic: "Gateway",
		Production: "A missing, empty, unknown, revoked, expired or paused key is a 401, in JSON or text by Accept; the first of several keys counts. A fixture set that was recorded says how it is refused.",
		Source:     "The same.",
		Evidence:   Source, Cite: "gravitee.md §1",
	},
	{
		ID: "gateway-engine", Topic: "Gateway",
		Production: "Gravitee 4.x with the V3 engine: its own errors close the connection and carry no X-Gravitee-* header. Switches: v4, apim=3.20.",
		Source:     "The same.",
		Evidence:   Assumed, Cite: "gravitee.md §0.1",
	},
	{
		ID: "quota", Topic: "Gateway",
		Production: "17 calls a second and key, in a fixed window that the first call opens; the 18th is a 429. No header tells of it unless rate-headers is on.",
		Source:     "The same.",
		Evidence:   Documented, Cite: "ANS documentation of 2026-06-30; the kind of window is assumed, gravitee.md §2.4",
	},
	{
		ID: BareGateway, Topic: "Gateway",
		Production:   "Only GET, HEAD and POST …/_search reach the FHIR server, the rest is a 405 unless -gateway method-filter=off lets it through; a connection it closes is a 502 without a body.",
		Source:       "The gateway looks at key and quota alone: all methods pass, and a closed connection is a closed connection.",
		InProduction: false, InSource: true,
		Evidence: Assumed, Cite: "gravitee.md §3.2, §3.3; ANS documents that PUT and DELETE are forbidden",
		Checks: []string{"errors/writes"},
	},
	{
		ID: HiddenOperations, Topic: "Gateway",
		Production:   "$index and $index-status are refused with 403.",
		Source:       "$index-status answers; $index answers 200 with an empty body when it has no usable fromDate.",
		InProduction: true, InSource: false,
		Evidence: Assumed, Cite: "ans-server.md §10",
	},
	{
		ID: "incident-answers", Topic: "Gateway",
		Production: "An incident answers with the literal that was published. Where none was, it is ours: the 401 of a maintenance, the status of HAPI-0389, the technical ids after a reload, the place where a 504 comes from.",
		Source:     "The same.",
		Evidence:   Assumed, Cite: "incidents.md §2; docs/incidents.md names the source of each",
	},
	{
		ID: "quota-scope", Topic: "Gateway",
		Production: "A quota is counted per subscription, and apart for each session of the mock, which the real service does not have.",
		Source:     "The same.",
		Evidence:   Source, Cite: "gravitee.md §2.3",
	},
	{
		ID: "portal", Topic: "Gateway",
		Production: "The portal has one account, and any user with any password is let in; keys are exclusive to a subscription. Flag -gateway sync-delay is how late the gateway learns of a change.",
		Source:     "The same.",
		Evidence:   Source, Cite: "gravitee.md §6; the one account is a simplification",
	},
	{
		ID: "request-limits", Topic: "Gateway",
		Production: "A request line above 4096 bytes is a 414, headers above 8192 bytes a 431, a body above 1 MiB a 413. Page tokens are exempt from the first.",
		Source:     "The same.",
		Evidence:   Source, Cite: "gravitee.md §3.4; the bound on bodies is assumed",
	},
	{
		ID: "unversioned-path", Topic: "Routing",
		Production: "/fhir without a version is v2, and its links say /fhir/v2. Flag -default-version: v1, as until December 2025, or none.",
		Source:     "The same.",
		Evidence:   Documented, Cite: "ANS changelog, December 2025",
	},
	{
		ID: AnyUnversionedPath, Topic: "Routing",
		Production:   "Whatever stands after /fhir/ is looked for in v2: /fhir/Foo is the FHIR server's error.",
		Source:       "What is neither a served type nor a page of v2 is a 404 without a body.",
		InProduction: true, InSource: false,
		Evidence: Assumed, Cite: "ans-server.md §1.1",
	},
	{
		ID: "negotiation", Topic: "Routing",
		Production: "Accept, _format, _pretty, Prefer and conditional headers change nothing; the answer is compact JSON.",
		Source:     "The same.",
		Evidence:   Source, Cite: "ans-server.md §0",
	},
	{
		ID: SearchSuffix, Topic: "Routing",
		Production:   "POST Type/_search with a form searches as GET does; the query of the URL is not searched by, and is all that self tells of the search. What is no form is no JSON (422) or a write (403).",
		Source:       "POST Type with a form searches; POST Type/_search is an error.",
		InProduction: true, InSource: false,
		Evidence: Documented, Cite: "ans-server.md §1.3, §13",
		Checks: []string{"search/post", "paging/by-post"},
	},
	{
		ID: "raw-characters", Topic: "Routing",
		Production: "A raw | in the query is accepted and encoded in self; raw quotes, angle brackets, braces, backslashes, spaces and bytes that are not ASCII are a 400 of Tomcat's.",
		Source:     "The same.",
		Evidence:   Assumed, Cite: "ans-server.md §1.5; curl lines of ANS's guide have a raw |",
	},
	{
		ID: "error-status", Topic: "Errors",
		Production: "Almost every mistake in a search is a 500 with an OperationOutcome exception, in the words of the source. ANS documents 400, which -bad-search 400 answers.",
		Source:     "The same.",
		Evidence:   Assumed, Cite: "ans-server.md §3.2, §13",
	},
	{
		ID: "page-without-id", Topic: "Errors",
		Production: "A page asked for without id is a 400 that says so, as if the deployment had its message file.",
		Source:     "The same.",
		Evidence:   Assumed, Cite: "ans-server.md §3.3",
	},
	{
		ID: "default-count", Topic: "Search",
		Production: "A page holds 50 matches unless _count says otherwise, up to 50 000 000.",
		Source:     "The same.",
		Evidence:   Documented, Cite: "ans-server.md §2.9",
	},
	{
		ID: "total", Topic: "Search",
		Production: "The total is exact, on every page. Unless _total asks for it, it is left out where the real service gives up after a second: here, where :contains has more than 1,000,000 resources to look through (-count-budget).",
		Source:     "The same.",
		Evidence:   Source, Cite: "ans-server.md §2.10; the second in resources is ours",
	},
	{
		ID: URISearch, Topic: "Search",
		Production:   "_profile of HealthcareService is compared as it is.",
		Source:       "It is refused: Search type not supported.",
		InProduction: true, InSource: false,
		Evidence: Documented, Cite: "ans-server.md §2.2, §13",
		Checks: []string{"search/HealthcareService/_profile"},
	},
	{
		ID: "token-not", Topic: "Search",
		Production: "type:not=a,b excludes only what has both, which the log and the journal say; the system is ignored.",
		Source:     "The same.",
		Evidence:   Source, Cite: "ans-server.md §2.5; ANS documents an exclusion list",
	},
	{
		ID: "chained-search", Topic: "Search",
		Production: "Chained parameters are refused as unknown, although one was seen to work in July 2026.",
		Source:     "The same.",
		Evidence:   Assumed, Cite: "ans-server.md §13, issue #414",
	},
	{
		ID: "time-zone", Topic: "Search",
		Production: "Dates are read, cut and compared in Europe/Paris; ANS documents GMT. Flag -tz.",
		Source:     "The same.",
		Evidence:   Observed, Cite: "ans-server.md §2.6: the offsets that are printed are those of Paris",
	},
	{
		ID: "include-order", Topic: "Search",
		Production: "Includes come by type, then by id; what refers to the matches comes in load order. No client should count on it.",
		Source:     "The same.",
		Evidence:   Source, Cite: "ans-server.md §4.3; the order within a type is assumed",
	},
	{
		ID: "revinclude-bound", Topic: "Search",
		Production: "More than 100 _revinclude in one search are refused: Bad include parameter. The real server answers each of them.",
		Source:     "The same.",
		Evidence:   Assumed, Cite: "our own bound, against answers of gigabytes",
	},
	{
		ID: "address-index", Topic: "Search",
		Production: "Organization address looks at city, country, postal code and state, not at the lines.",
		Source:     "The same.",
		Evidence:   Assumed, Cite: "ans-server.md §12, issue #14",
	},
	{
		ID: "name-index", Topic: "Search",
		Production: "Practitioner name looks at family, given, prefix, suffix and text, each from its beginning.",
		Source:     "The same.",
		Evidence:   Assumed, Cite: "ans-server.md §2.4, §12",
	},
	{
		ID: NumericVersionID, Topic: "Bundle",
		Production:   "meta.versionId is a string everywhere.",
		Source:       "In searches it is a number from version 2 on.",
		InProduction: false, InSource: true,
		Evidence: Observed, Cite: "issue #359, release 1.27",
		Checks: []string{"shape/version-id"},
	},
	{
		ID: EncodedSelf, Topic: "Bundle",
		Production:   "The self link repeats the query with : / and | percent-encoded.",
		Source:       "The self link repeats the query as it was received.",
		InProduction: true, InSource: false,
		Evidence: Observed, Cite: "ans-server.md §4.4",
	},
	{
		ID: FrontHeaders, Topic: "Bundle",
		Production:   "Answers carry Server: Apache, and a JSESSIONID cookie when the request has none.",
		Source:       "They do not.",
		InProduction: true, InSource: false,
		Evidence: Observed, Cite: "issue #414",
	},
	{
		ID: "page-token", Topic: "Paging",
		Production: "A token is u and base64url as the real one, but of our own format: any replica of the same fixture set answers it. It expires when 1000 later writes have been made, which only tests do. Long searches get the same kind, never a d token; the next link of a form above some 180 KB is too long to be followed.",
		Source:     "The same.",
		Evidence:   Assumed, Cite: "ans-server.md §6.2",
	},
	{
		ID: FragilePages, Topic: "Paging",
		Production:   "Every search can be followed to its end.",
		Source:       "A search by a date without prefix is cut off when it has a second page; values with % or $, an empty last value, references without a target type and _elements with _ lose the second page.",
		InProduction: false, InSource: true,
		Evidence: Assumed, Cite: "ans-server.md §6.5",
	},
	{
		ID: "unknown-elements", Topic: "Bundle",
		Production: "Members that R4 does not know, and empty lists, are read and searched as the fixture set has them. HAPI, which prints reads, may drop them.",
		Source:     "The same.",
		Evidence:   Assumed, Cite: "ans-server.md §5",
	},
	{
		ID: "transport", Topic: "Bundle",
		Production: "Bodies up to 8192 bytes have a Content-Length, longer ones are chunked. HTTP reason phrases and the order of headers are those of Go.",
		Source:     "The same.",
		Evidence:   Source, Cite: "ans-server.md §4.5",
	},
	{
		ID: "v1-directory", Topic: "Version 1",
		Production: "The directory of version 2 seen through version 1's model: name, profession, know-how and cards on PractitionerRole, mailboxes as MailboxMSS, the systems of 2022, Practitioner ids without their last part, stubs for what is out of use.",
		Source:     "The same.",
		Evidence:   Observed, Cite: "ans-api.md §4.7, incidents.md, the bodies of 2023; facts without a known place in version 1 (data trace, capacities, kind of establishment) are left out",
	},
	{
		ID: "v1-role-ids", Topic: "Version 1",
		Production: "PractitionerRoles have the same id in both versions, although ANS says they differ: how is not published. Who has no role in use gets 005-NNN, with name and profession and without a structure.",
		Source:     "The same.",
		Evidence:   Assumed, Cite: "ans-api.md §4.3",
	},
	{
		ID: "v1-formats", Topic: "Version 1",
		Production: "JSON unless _format or Accept asks for XML; of equal quality JSON wins, so HAPI's own client gets JSON. _pretty, _summary and _elements are honoured; _elements keeps identifier and active. A narrative that is not one well-formed div is left out of XML.",
		Source:     "The same.",
		Evidence:   Source, Cite: "HAPI RestfulServerUtils; ans-server.md §14; what _elements keeps was observed, ans-api.md §10",
	},
	{
		ID: "v1-search-mode", Topic: "Version 1",
		Production: "Entries have a search.mode when the search asks for includes. On a page of matches alone they have none, as in everything that was recorded.",
		Source:     "The same.",
		Evidence:   Observed, Cite: "bodies of 2023-09-27 and 2023-11-02; ans-server.md §14 says present",
	},
	{
		ID: "v1-strings", Topic: "Version 1",
		Production: "String searches ignore case and mind accents; dates are read and compared in UTC.",
		Source:     "The same.",
		Evidence:   Observed, Cite: "issue #239; the offsets that were printed are +00:00",
	},
	{
		ID: "v1-pages", Topic: "Version 1",
		Production: "next is _getpages, _pageId, _bundletype; its token is self-contained. _getpagesoffset works for the last 1024 searches of this process, else 410. A page has 50 matches, at most 2000.",
		Source:     "The same.",
		Evidence:   Source, Cite: "ans-server.md §14; that offsets work is assumed, ANS's code answers 410 to all of them",
	},
	{
		ID: "v1-errors", Topic: "Version 1",
		Production: "HAPI's OperationOutcomes: processing, with its numbers. A mistake of the client is a 400, an unknown type a 404, PractitionerRole?identifier a 500.",
		Source:     "The same.",
		Evidence:   Source, Cite: "ans-server.md §14, issue #306; the texts without a number are assumed",
	},
	{
		ID: "v1-metadata", Topic: "Version 1",
		Production: "The CapabilityStatement announces writes and a Subscription as that of 2023-09-06 did; neither is served. It does not announce the search parameters that came later (as-sp-data-…, identifier-type), which are answered as version 2 answers them.",
		Source:     "The same.",
		Evidence:   Observed, Cite: "recorded on 2023-09-06; ans-api.md §2.2; incidents.md, 2023-12",
	},
	{
		ID: "v1-health", Topic: "Version 1",
		Production: "GET /fhir/v1/health, and /fhir/health when /fhir is version 1 or -gateway health-plan opens it, answer 200 {\"status\":\"UP\"} without a key.",
		Source:     "The same.",
		Evidence:   Documented, Cite: "version-1 guide, api-basics; the body is assumed",
	},
}
