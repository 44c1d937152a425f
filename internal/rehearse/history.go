package rehearse

import (
	"net/http"
	"time"

	"github.com/mockfhir/mockfhir/internal/gateway"
)

// history is what happened to the users of the real service, and what a mock
// can show of it (incidents.md §2). Where nobody noted the day, the name begins
// with the event's number.
var history = []Incident{
	{
		Name: "2025-01-24-no-context-path", Event: "D01",
		Happened: `The gateway lost its route: every call is a 404 in plain text, "No context-path matches the request URI."`,
		Mistake:  "Taking any 404 for a person who does not exist.",
		Source:   "issues #286 and #287; the literal is of #353",
		French: Story{
			"La passerelle a perdu sa route : chaque appel reçoit une erreur 404 en texte brut, « No context-path matches the request URI. ».",
			"Prendre toute erreur 404 pour une personne qui n’existe pas.",
			"tickets #286 et #287 ; le texte exact vient du ticket #353",
		},
		Effect: Effect{Fault: gateway.NoContextPath},
	},
	{
		Name: "2025-07-05-unversioned-lost", Event: "D01",
		Happened: `For a weekend /fhir without a version is a 404 in plain text, "No context-path matches the request URI."; /fhir/v2 goes on.`,
		Mistake:  "Calling /fhir and not /fhir/v2.",
		Source:   "issue #353",
		French: Story{
			"Le temps d’un week-end, /fhir sans version répond par une erreur 404 en texte brut, « No context-path matches the request URI. » ; /fhir/v2 fonctionne toujours.",
			"Appeler /fhir au lieu de /fhir/v2.",
			"ticket #353",
		},
		Scope:  Scope{Unversioned: true},
		Effect: Effect{Fault: gateway.NoContextPath},
	},
	{
		Name: "2026-05-05-invalid-url-format", Event: "D02",
		Happened: `A query with a raw colon is a 502, "Request Failed: Invalid URL format"; with %3A it works.`,
		Mistake:  "Sending _revinclude=PractitionerRole:practitioner unencoded, or taking a 502 for an outage.",
		Source:   "issue #396",
		French: Story{
			"Une requête dont l’URL contient un deux-points non encodé reçoit une erreur 502, « Request Failed: Invalid URL format » ; avec %3A, elle aboutit.",
			"Envoyer _revinclude=PractitionerRole:practitioner sans l’encoder, ou prendre une erreur 502 pour une panne.",
			"ticket #396",
		},
		Scope: Scope{Query: ":"},
		Effect: Effect{Reply: &Reply{
			Status: http.StatusBadGateway, Header: http.Header{"Content-Type": {"text/plain"}, "Date": nil},
			Body: "Request Failed: Invalid URL format", Bare: true,
		}},
	},
	{
		Name: "2026-06-28-backend-away", Event: "D03",
		Happened: "Every call, metadata included, is a 502 without a body after 10.1 seconds.",
		Mistake:  "A timeout below ten seconds that hides the 502, or parsing a body that is not there.",
		Source:   "issue #412",
		French: Story{
			"Chaque appel, metadata compris, reçoit une erreur 502 sans corps au bout de 10,1 secondes.",
			"Fixer un délai d’attente inférieur à dix secondes, qui masque l’erreur 502, ou lire un corps qui n’existe pas.",
			"ticket #412",
		},
		Effect: Effect{Delay: 10100 * time.Millisecond, Fault: gateway.FailoverExhausted},
	},
	{
		Name: "2025-05-06-two-contains", Event: "D04",
		Happened: "A search with two name:contains is a 504 after 30 seconds.",
		Mistake:  "Letting people search by several fragments of a name at once.",
		Source:   "issue #331",
		French: Story{
			"Une recherche avec deux name:contains reçoit une erreur 504 au bout de 30 secondes.",
			"Laisser chercher par plusieurs fragments d’un nom à la fois.",
			"ticket #331",
		},
		Scope:  Scope{Repeated: "name:contains"},
		Effect: Effect{Delay: 30 * time.Second, Fault: gateway.RequestTimeout},
	},
	{
		Name: "2025-05-06-slow-contains", Event: "D04",
		Happened: "A search with name:contains takes two seconds.",
		Mistake:  "Searching at each key that somebody presses.",
		Source:   "issue #331",
		French: Story{
			"Une recherche avec name:contains prend deux secondes.",
			"Lancer une recherche à chaque touche pressée.",
			"ticket #331",
		},
		Scope:  Scope{Query: "contains="},
		Effect: Effect{Delay: 2 * time.Second},
	},
	{
		Name: "2026-07-09-empty-504", Event: "D05",
		Happened: "A 504 with Content-Length: 0, no Content-Type and no Server.",
		Mistake:  "Parsing the body of an error as JSON.",
		Source:   "issue #415",
		French: Story{
			"Une erreur 504 avec l’en-tête Content-Length: 0, sans Content-Type ni Server.",
			"Lire le corps d’une erreur comme du JSON.",
			"ticket #415",
		},
		Effect: Effect{Reply: Empty504},
	},
	{
		Name: "2025-10-17-large-page-502", Event: "D06",
		Happened: "With _count=20000 one call in four is a 502 without content.",
		Mistake:  "Asking for pages of more than 200, and not asking again.",
		Source:   "issue #372",
		French: Story{
			"Avec _count=20000, un appel sur quatre reçoit une erreur 502 sans contenu.",
			"Demander des pages de plus de 200 résultats, et ne pas réessayer.",
			"ticket #372",
		},
		Scope:  Scope{CountAbove: 200, Share: 0.25},
		Effect: Effect{Fault: gateway.EndpointFailure},
	},
	{
		Name: "2024-06-12-refused", Event: "D07",
		Happened: "The connection is closed before any answer.",
		Mistake:  "Telling people that their search found nothing.",
		Source:   "issue #201",
		French: Story{
			"La connexion est fermée avant toute réponse.",
			"Annoncer à l’utilisateur que sa recherche n’a rien trouvé.",
			"ticket #201",
		},
		Effect: Effect{Line: Reset},
	},
	{
		Name: "2024-07-17-connect-timeout", Event: "D07",
		Happened: "Nothing answers, until the client gives up.",
		Mistake:  "No timeout of one's own.",
		Source:   "issue #234",
		French: Story{
			"Rien ne répond, jusqu’à ce que le client renonce.",
			"Ne pas fixer de délai d’attente.",
			"ticket #234",
		},
		Effect: Effect{Delay: time.Minute, Line: Silent},
	},
	{
		Name: "2024-01-26-nine-of-ten", Event: "D08",
		Happened: "Nine calls of ten time out.",
		Mistake:  "Retrying without a limit, or not at all.",
		Source:   "issue #161",
		French: Story{
			"Neuf appels sur dix n’obtiennent aucune réponse dans le délai d’attente.",
			"Réessayer sans limite, ou ne pas réessayer du tout.",
			"ticket #161",
		},
		Scope:  Scope{Share: 0.9},
		Effect: Effect{Delay: time.Minute, Line: Silent},
	},
	{
		Name: "2023-12-20-maintenance", Event: "D09",
		Happened: "During maintenance every key seems dead: each call is refused as unauthorized.",
		Mistake:  "Throwing the key away, or telling somebody that it is wrong.",
		Source:   "issues #32 and #138; the literal answer was not published",
		French: Story{
			"Pendant une maintenance, toutes les clés semblent mortes : chaque appel est refusé comme non autorisé.",
			"Jeter la clé, ou annoncer à l’utilisateur qu’elle est fausse.",
			"tickets #32 et #138 ; la réponse exacte n’a pas été publiée",
		},
		Effect: Effect{Fault: gateway.Unauthorized},
	},
	{
		Name: "2026-06-27-quota-per-minute", Event: "D10",
		Happened: "Overnight a limit of 1000 calls a minute and key.",
		Mistake:  "No backoff on 429.",
		Source:   "ANS documentation of 2026-06-27",
		French: Story{
			"Du jour au lendemain, un quota de 1000 appels par minute et par clé.",
			"Ne pas espacer les appels après une erreur 429.",
			"documentation de l’ANS du 27 juin 2026",
		},
		Effect: Effect{Quota: gateway.Rate{Kind: gateway.RateLimit, Limit: 1000, Period: 1, Unit: gateway.Minutes}},
	},
	{
		Name: "2026-06-30-quota-per-second", Event: "D10",
		Happened: "The limit becomes 17 calls a second and key.",
		Mistake:  "Parallel workers that share a key.",
		Source:   "ANS documentation of 2026-06-30",
		French: Story{
			"Le quota devient de 17 appels par seconde et par clé.",
			"Faire travailler en parallèle plusieurs processus avec la même clé.",
			"documentation de l’ANS du 30 juin 2026",
		},
		Effect: Effect{Quota: gateway.Rate{Kind: gateway.RateLimit, Limit: 17, Period: 1, Unit: gateway.Seconds}},
	},
	{
		Name: "2026-03-09-internal-next-link", Event: "D12",
		Happened: "next leads to http://10.0.66.99:8080/fhir/v2/_page?id=…",
		Mistake:  "Following a link to another host with the key in the header.",
		Source:   "issue #393",
		French: Story{
			"Le lien next mène à http://10.0.66.99:8080/fhir/v2/_page?id=…",
			"Suivre un lien vers un autre hôte en y envoyant la clé dans l’en-tête.",
			"ticket #393",
		},
		Effect: Effect{Answer: Answer{NextOrigin: "http://10.0.66.99:8080"}},
	},
	{
		Name: "2023-10-02-next-unusable", Event: "D13",
		Happened: "The first page is right; its next link is answered with an error.",
		Mistake:  "Taking the first page for everything when the second fails.",
		Source:   "issues #59 and #165",
		French: Story{
			"La première page est bonne ; son lien next répond par une erreur.",
			"Prendre la première page pour l’ensemble des résultats quand la deuxième échoue.",
			"tickets #59 et #165",
		},
		Scope:  Scope{Page: 2},
		Effect: Effect{Answer: Answer{BrokenPages: true}},
	},
	{
		Name: "2026-07-09-empty-second-page", Event: "D14",
		Happened: "organization.identifier works and gives 100 rows; page two is a 200 with no entry and the same total.",
		Mistake:  "Not adding the pages up against the total.",
		Source:   "issue #414",
		French: Story{
			"organization.identifier fonctionne et donne 100 lignes ; la page suivante est une réponse 200 sans aucune entrée, avec le même total.",
			"Ne pas comparer la somme des pages au total.",
			"ticket #414",
		},
		Scope:  Scope{Chained: true, Version: "v2"},
		Effect: Effect{Answer: Answer{Chained: true, DefaultCount: 100, EmptyPages: true}},
	},
	{
		Name: "2026-07-09-chained-count", Event: "D15",
		Happened: "organization.identifier gives 100 rows without _count, and with _count a 504 with nothing in it.",
		Mistake:  "Building on a parameter nobody documented.",
		Source:   "issues #414 and #415",
		French: Story{
			"organization.identifier donne 100 lignes sans _count et, avec _count, une erreur 504 vide.",
			"S’appuyer sur un paramètre que personne n’a documenté.",
			"tickets #414 et #415",
		},
		Scope:  Scope{Chained: true, Version: "v2"},
		Effect: Effect{Answer: Answer{Chained: true, DefaultCount: 100, CountTimesOut: true}},
	},
	{
		Name: "d16-page-of-100", Event: "D16",
		Happened: "A page holds 100 matches where the documentation says 50.",
		Mistake:  "Counting pages by an assumed size.",
		Source:   "issue #414 against the documentation",
		French: Story{
			"Une page contient 100 résultats alors que la documentation en annonce 50.",
			"Compter les pages d’après une taille supposée.",
			"ticket #414, contre la documentation",
		},
		Effect: Effect{Answer: Answer{DefaultCount: 100}},
	},
	{
		Name: "2025-08-02-numeric-version", Event: "D21",
		Happened: `meta.versionId is a number: "versionId": 2.`,
		Mistake:  "A strict parser without a test on real answers.",
		Source:   "issue #359",
		French: Story{
			`meta.versionId est un nombre : "versionId": 2.`,
			"Utiliser un analyseur strict sans l’avoir essayé sur de vraies réponses.",
			"ticket #359",
		},
		Scope:  Scope{Version: "v2"},
		Effect: Effect{Answer: Answer{Resource: numericVersion(false)}},
	},
	{
		Name: "d22-mixed-version", Event: "D22",
		Happened: `One page has "versionId": "1" and "versionId": 2.`,
		Mistake:  "Reading one resource and believing in the rest.",
		Source:   "ANS documentation, uc-call-type.md",
		French: Story{
			`Une même page contient "versionId": "1" et "versionId": 2.`,
			"Lire une seule ressource et supposer que les autres lui ressemblent.",
			"documentation de l’ANS, uc-call-type.md",
		},
		Scope:  Scope{Version: "v2"},
		Effect: Effect{Answer: Answer{Resource: numericVersion(true)}},
	},
	{
		Name: "2024-08-06-no-total", Event: "D23",
		Happened: "total is missing, as when counting takes too long; _total=accurate brings it back.",
		Mistake:  "Dividing by a total that is not there.",
		Source:   "issue #237",
		French: Story{
			"total est absent, comme lorsque le décompte prend trop de temps ; _total=accurate le fait revenir.",
			"Diviser par un total qui n’est pas là.",
			"ticket #237",
		},
		Effect: Effect{Answer: Answer{NoTotal: true}},
	},
	{
		Name: "d24-null-line", Event: "D24",
		Happened: `An address has "line": [null] and its content in "_line".`,
		Mistake:  "Joining the lines of an address unseen.",
		Source:   "recorded in 2023",
		French: Story{
			`Une adresse contient "line": [null], et son contenu se trouve dans "_line".`,
			"Assembler les lignes d’une adresse sans les regarder.",
			"enregistré en 2023",
		},
		Effect: Effect{Answer: Answer{Resource: nullLine}},
	},
	{
		Name: "2023-08-24-postcode-in-city", Event: "D25",
		Happened: `"city": "06500 MENTON" beside "postalCode": "06500".`,
		Mistake:  "Grouping by city.",
		Source:   "issue #26; version 1 always prints it so",
		French: Story{
			`"city": "06500 MENTON" à côté de "postalCode": "06500".`,
			"Regrouper par ville.",
			"ticket #26 ; la version 1 l’écrit toujours ainsi",
		},
		Scope:  Scope{Version: "v2"},
		Effect: Effect{Answer: Answer{Resource: postcodeInCity}},
	},
	{
		Name: "d27-repeated-include", Event: "D27",
		Happened: "The same included resource comes twice in one Bundle.",
		Mistake:  "A dictionary that throws on a key it has already.",
		Source:   "incidents.md D27",
		French: Story{
			"La même ressource incluse figure deux fois dans un Bundle.",
			"Utiliser un dictionnaire qui lève une exception pour une clé déjà présente.",
			"incidents.md, événement D27",
		},
		Effect: Effect{Answer: Answer{RepeatIncludes: true}},
	},
	{
		Name: "2024-10-04-dangling-organizations", Event: "D28",
		Happened: "Roles point at structures that cannot be read.",
		Mistake:  "Failing a whole list for one missing structure.",
		Source:   "issues #246 and #285",
		French: Story{
			"Des activités désignent des structures qui ne peuvent pas être lues.",
			"Faire échouer toute une liste pour une seule structure manquante.",
			"tickets #246 et #285",
		},
		Effect: Effect{Answer: Answer{Resource: dangling}},
	},
	{
		Name: "2023-10-04-wrong-parent", Event: "D29",
		Happened: "partOf leads from a geographical entity to another one, not to a legal entity.",
		Mistake:  "Climbing partOf until a legal entity appears, for ever.",
		Source:   "issue #62",
		French: Story{
			"partOf mène d’une entité géographique à une autre, et non à une entité juridique.",
			"Remonter partOf jusqu’à trouver une entité juridique, sans fin.",
			"ticket #62",
		},
		Effect: Effect{Answer: Answer{Resource: selfParent}},
	},
	{
		Name: "d30-other-full-url", Event: "D30",
		Happened: "fullUrl names https://gateway.api.esante.gouv.fr and self another host.",
		Mistake:  "Reading a resource by its fullUrl.",
		Source:   "recorded in 2023",
		French: Story{
			"fullUrl désigne https://gateway.api.esante.gouv.fr, et self un autre hôte.",
			"Lire une ressource par son fullUrl.",
			"enregistré en 2023",
		},
		Effect: Effect{Answer: Answer{FullURLOrigin: "https://gateway.api.esante.gouv.fr"}},
	},
	{
		Name: "2025-04-28-profiles-move", Event: "D31",
		Happened: "meta.profile has the URLs of the generation before.",
		Mistake:  "Choosing how to read a resource by its profile.",
		Source:   "incidents.md, timeline",
		French: Story{
			"meta.profile contient les URL de la génération précédente.",
			"Choisir la façon de lire une ressource d’après son profil.",
			"incidents.md, chronologie",
		},
		Scope:  Scope{Version: "v2"},
		Effect: Effect{Answer: Answer{Resource: oldProfiles}},
	},
	{
		Name: "2023-10-04-wrong-system", Event: "D32",
		Happened: "Codes come under TRE_R17-TypeAutorisation/FHIR/TRE-G15-ProfessionSante.",
		Mistake:  "Looking codes up by system and code, with no word when there is none.",
		Source:   "issues #61, #149 and #290",
		French: Story{
			"Les codes arrivent avec le système TRE_R17-TypeAutorisation/FHIR/TRE-G15-ProfessionSante.",
			"Chercher les codes par système et valeur, sans rien signaler quand il n’y en a pas.",
			"tickets #61, #149 et #290",
		},
		Effect: Effect{Answer: Answer{Resource: wrongSystem}},
	},
	{
		Name: "2025-09-04-no-telecom", Event: "D33",
		Happened: "telecom is missing for people who have a mailbox.",
		Mistake:  "Deleting mailboxes that one answer did not have.",
		Source:   "issues #125, #167, #220, #256 and #365",
		French: Story{
			"telecom est absent pour des personnes qui ont une boîte aux lettres.",
			"Supprimer les boîtes aux lettres qui manquent dans une seule réponse.",
			"tickets #125, #167, #220, #256 et #365",
		},
		Effect: Effect{Answer: Answer{Resource: withoutTelecom}},
	},
	{
		Name: "d34-poorer-metadata", Event: "D34",
		Happened: "The capability statement loses parameters.",
		Mistake:  "A client that refuses to search by what metadata does not list.",
		Source:   "incidents.md §1",
		French: Story{
			"Le CapabilityStatement perd des paramètres.",
			"Refuser de chercher par un paramètre que metadata n’annonce pas.",
			"incidents.md, §1",
		},
		Scope:  Scope{Path: "metadata"},
		Effect: Effect{Answer: Answer{Metadata: withoutParams}},
	},
	{
		Name: "2024-01-10-new-ids", Event: "D35",
		Happened: "After a reload every technical id is another one; the old ones are 404.",
		Mistake:  "Keeping technical ids and not RPPS or FINESS numbers.",
		Source:   "issue #150",
		French: Story{
			"Après un rechargement, tous les identifiants techniques ont changé ; les anciens répondent par une erreur 404.",
			"Conserver les identifiants techniques au lieu des numéros RPPS ou FINESS.",
			"ticket #150",
		},
		Effect: Effect{Answer: Answer{NewIDs: true}},
	},
	{
		Name: "2024-01-10-full-reload", Event: "D36",
		Happened: "Every lastUpdated is of today, and every delta is the whole directory.",
		Mistake:  "A delta job that takes whatever comes.",
		Source:   "issues #150 and #418",
		French: Story{
			"Tous les lastUpdated sont du jour, et chaque delta est l’annuaire entier.",
			"Lancer un traitement de delta qui accepte tout ce qui arrive.",
			"tickets #150 et #418",
		},
		Effect: Effect{Answer: Answer{Reloaded: true}},
	},
	{
		Name: "d37-delta-window", Event: "D37",
		Happened: "A delta from a mark older than 30 days answers nothing.",
		Mistake:  "Taking an empty delta for no change.",
		Source:   "ANS documentation, uc-call-type.md",
		French: Story{
			"Un delta demandé depuis une date de plus de 30 jours ne renvoie rien.",
			"Prendre un delta vide pour une absence de changement.",
			"documentation de l’ANS, uc-call-type.md",
		},
		Effect: Effect{Answer: Answer{DeltaWindow: 30 * 24 * time.Hour}},
	},
	{
		Name: "2026-05-28-stale-active", Event: "D39",
		Happened: "Roles that ended are still active=true, and no end date tells.",
		Mistake:  "Taking active=true for somebody who works there today.",
		Source:   "issues #296 and #400",
		French: Story{
			"Des activités terminées restent à active=true, et aucune date de fin ne le signale.",
			"Prendre active=true pour quelqu’un qui exerce là aujourd’hui.",
			"tickets #296 et #400",
		},
		Effect: Effect{Answer: Answer{Resource: everActive}},
	},
	{
		Name: "2024-09-02-accents", Event: "D41",
		Happened: "Accents count: bénédicte and benedicte find different people.",
		Mistake:  "Comparing what was typed with what came back.",
		Source:   "issue #239: version 1 always minds them",
		French: Story{
			"Les accents comptent : bénédicte et benedicte ne trouvent pas les mêmes personnes.",
			"Comparer le texte saisi au texte reçu.",
			"ticket #239 : la version 1 en tient toujours compte",
		},
		Scope:  Scope{Version: "v2"},
		Effect: Effect{Answer: Answer{Accents: true}},
	},
	{
		Name: "2025-04-07-hapi-0389", Event: "D42",
		Happened: `PractitionerRole?identifier=… is an error that begins "HAPI-0389: Failed to call access method".`,
		Mistake:  "Moving a search to another version of the API without trying it there.",
		Source:   "issue #306, version 1; the status is the one HAPI gives this error",
		French: Story{
			"PractitionerRole?identifier=… reçoit une erreur qui commence par « HAPI-0389: Failed to call access method ».",
			"Porter une recherche vers une autre version de l’API sans l’y essayer.",
			"ticket #306, version 1 ; le statut est celui que HAPI donne à cette erreur",
		},
		Scope:  Scope{Path: "PractitionerRole", Query: "identifier="},
		Effect: Effect{Reply: &Reply{Status: http.StatusInternalServerError, Header: fhirJSON(), Body: hapi0389}},
	},
	{
		Name: "d44-chained-search", Event: "D44",
		Happened: "organization.identifier and the like work.",
		Mistake:  "Believing that they will next year.",
		Source:   "issues #14, #297 and #414",
		French: Story{
			"organization.identifier et les paramètres du même genre fonctionnent.",
			"Croire qu’ils fonctionneront encore l’an prochain.",
			"tickets #14, #297 et #414",
		},
		Scope:  Scope{Version: "v2"},
		Effect: Effect{Answer: Answer{Chained: true}},
	},
	{
		Name: "2025-10-17-many-ids", Event: "D45",
		Happened: "More than 50 values in one parameter are a 502.",
		Mistake:  "Asking for everybody in one call.",
		Source:   "issue #372",
		French: Story{
			"Plus de 50 valeurs dans un même paramètre donnent une erreur 502.",
			"Demander tout le monde en un seul appel.",
			"ticket #372",
		},
		Scope:  Scope{Values: 50},
		Effect: Effect{Fault: gateway.EndpointFailure},
	},
	{
		Name: "d48-two-cards", Event: "D48",
		Happened: "One person has two cards.",
		Mistake:  "Reading the first card, or showing the card of somebody who opposed it.",
		Source:   "issues #247 and #271",
		French: Story{
			"Une même personne a deux cartes.",
			"Lire la première carte, ou afficher celle d’une personne qui s’y est opposée.",
			"tickets #247 et #271",
		},
		Effect: Effect{Answer: Answer{Resource: twoCards}},
	},
	{
		Name: "d49-version-changes", Event: "D49",
		Happened: "One morning /fhir without a version is not the version it was.",
		Mistake:  "Calling /fhir and not /fhir/v2.",
		Source:   "issue #348",
		French: Story{
			"Un matin, /fhir sans version n’est plus la version que c’était.",
			"Appeler /fhir au lieu de /fhir/v2.",
			"ticket #348",
		},
		Effect: Effect{Answer: Answer{OtherVersion: true}},
	},
	{
		Name:     "v1-end-announced",
		Happened: "Version 1 answers as ever, and says in its headers when it will end: Deprecation, Sunset, and a Link to its successor.",
		Mistake:  "Never looking at the headers of an answer that is right.",
		Source:   "ANS changelog announces the end for July 2026; the headers are assumed (RFC 8594, RFC 9745)",
		French: Story{
			"La version 1 répond comme toujours, et annonce sa fin dans ses en-têtes : Deprecation, Sunset, et un Link vers la version qui lui succède.",
			"Ne jamais regarder les en-têtes d’une réponse correcte.",
			"le journal des modifications de l’ANS annonce la fin pour juillet 2026 ; les en-têtes sont supposés (RFC 8594, RFC 9745)",
		},
		Scope: Scope{Version: "v1"},
		Effect: Effect{Header: http.Header{
			"Deprecation": {"@1767225600"}, "Sunset": {"Fri, 31 Jul 2026 22:00:00 GMT"}, "Link": {`</fhir/v2>; rel="successor-version"`},
		}},
	},
	{
		Name:     "v1-gone",
		Happened: "Version 1 answers 410 with an OperationOutcome.",
		Mistake:  "Taking the end of a version for the end of a person.",
		Source:   "assumed: nobody published what the end looks like",
		French: Story{
			"La version 1 répond 410 avec un OperationOutcome.",
			"Prendre la fin d’une version pour la disparition d’une personne.",
			"supposé : personne n’a publié à quoi ressemble cette fin",
		},
		Scope: Scope{Version: "v1"},
		Effect: Effect{Reply: &Reply{Status: http.StatusGone, Header: fhirJSON(),
			Body: `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"not-supported","diagnostics":"This version has ended. Use /fhir/v2."}]}`}},
	},
	{
		Name:     "v1-route-removed",
		Happened: "Version 1 is a 404 in plain text, as if it had never been.",
		Mistake:  "Taking any 404 for a person who does not exist.",
		Source:   "assumed; the text is that of a lost route, issue #353",
		French: Story{
			"La version 1 répond par une erreur 404 en texte brut, comme si elle n’avait jamais existé.",
			"Prendre toute erreur 404 pour une personne qui n’existe pas.",
			"supposé ; le texte est celui d’une route perdue, ticket #353",
		},
		Scope:  Scope{Version: "v1"},
		Effect: Effect{Fault: gateway.NoContextPath},
	},
}

// Empty504 is the answer of issue #415 to a search that took too long.
var Empty504 = &Reply{Status: http.StatusGatewayTimeout, Header: http.Header{"Content-Length": {"0"}}, Bare: true}

// fhirJSON is the type of an OperationOutcome.
func fhirJSON() http.Header {
	return http.Header{"Content-Type": {"application/fhir+json;charset=UTF-8"}}
}

// hapi0389 is the answer of issue #306, in the frame of an OperationOutcome.
const hapi0389 = `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"processing","diagnostics":"` +
	`HAPI-0389: Failed to call access method: fr.ans.afas.fhirserver.search.exception.BadConfigurationException: ` +
	`Search not supported on path: FhirSearchPath{resource='PractitionerRole',path='identifier'}"}]}`
