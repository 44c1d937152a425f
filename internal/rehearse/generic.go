package rehearse

import (
	"net/http"
	"time"

	"github.com/mockfhir/mockfhir/internal/gateway"
)

// generic are faults that need no date: they happen to every service.
var generic = []Incident{
	fault("delay", "Each answer waits two seconds.",
		"Chaque réponse se fait attendre deux secondes.",
		Effect{Delay: 2 * time.Second}),
	fault("delay-random", "Each answer waits up to two seconds.",
		"Chaque réponse se fait attendre jusqu’à deux secondes.",
		Effect{Jitter: 2 * time.Second}),
	fault("slow-drip", "The body comes in drops.",
		"Le corps de la réponse arrive au compte-gouttes.",
		Effect{Drip: 20 * time.Millisecond}),
	fault("reset", "The connection is reset in the place of an answer: as near to a refused one as a server that listens can come.",
		"À la place d’une réponse, la connexion est réinitialisée : c’est ce qu’un serveur à l’écoute peut montrer de plus proche d’une connexion refusée.",
		Effect{Line: Reset}),
	fault("empty-reply", "The connection is closed without an answer.",
		"La connexion est fermée sans réponse.",
		Effect{Line: Closed}),
	fault("no-answer", "Nothing ever comes.",
		"Rien n’arrive jamais.",
		Effect{Delay: time.Minute, Line: Silent}),
	fault("truncated-body", "The body stops in its middle, and the connection with it.",
		"Le corps s’arrête au milieu, et la connexion avec lui.",
		Effect{Truncate: true}),
	fault("malformed-body", "The body is no JSON.",
		"Le corps n’est pas du JSON.",
		Effect{Garbage: true}),
	fault("too-many-requests", "A call in two is a 429.",
		"Un appel sur deux reçoit une erreur 429.",
		Effect{Fault: gateway.TooManyRequests}, Scope{Share: 0.5}),
	fault("unauthorized", "Every key is refused.",
		"Toutes les clés sont refusées.",
		Effect{Fault: gateway.Unauthorized}),
	fault("server-error", "Each call is a 500 whose OperationOutcome says Unexpected error.",
		"Chaque appel reçoit une erreur 500 dont l’OperationOutcome dit « Unexpected error ».",
		Effect{Reply: &Reply{
			Status: http.StatusInternalServerError, Header: fhirJSON(),
			Body: `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"exception","diagnostics":"Unexpected error"}]}`}}),
	fault("bad-gateway", "Each call is a 502 without a body.",
		"Chaque appel reçoit une erreur 502 sans corps.",
		Effect{Fault: gateway.EndpointFailure}),
	fault("unavailable", "Each call is a 503 without a body.",
		"Chaque appel reçoit une erreur 503 sans corps.",
		Effect{Fault: gateway.NoEndpoint}),
	fault("gateway-timeout", "Each call is a 504 after 30 seconds.",
		"Chaque appel reçoit une erreur 504 au bout de 30 secondes.",
		Effect{Delay: 30 * time.Second, Fault: gateway.RequestTimeout}),
	fault("html-page", "Each call is a page of HTML with status 200.",
		"Chaque appel reçoit une page HTML avec le statut 200.",
		Effect{Reply: &Reply{
			Status: http.StatusOK, Header: http.Header{"Content-Type": {"text/html"}}, Body: "<html><body>Maintenance</body></html>", Bare: true}}),
	{
		Name:     demanding,
		Happened: "Small pages, another order where none is promised, odd but legal tokens, no total, jitter, and a few 429 and 502.",
		Mistake:  "A client that was fitted to a polite mock.",
		Source:   "flag -demanding",
		French: Story{
			"De petites pages, un autre ordre là où aucun n’est promis, des jetons inhabituels mais permis, pas de total, des délais irréguliers, et quelques erreurs 429 et 502.",
			"Un client ajusté à un mock complaisant.",
			"option -demanding",
		},
		Effect: Effect{Jitter: 50 * time.Millisecond, Answer: Answer{
			DefaultCount: 5, MaxCount: 7, NoTotal: true, OddTokens: true, Reverse: true,
		}},
	},
	fault("demanding-429", "Three calls in a hundred are a 429.",
		"Trois appels sur cent reçoivent une erreur 429.",
		Effect{Fault: gateway.TooManyRequests}, Scope{Share: 0.03}),
	fault("demanding-502", "Two calls in a hundred are a 502.",
		"Deux appels sur cent reçoivent une erreur 502.",
		Effect{Fault: gateway.EndpointFailure}, Scope{Share: 0.02}),
}

// demanding is the incident that makes legal answers less convenient.
const demanding = "demanding"

// Demanding are the incidents of the flag -demanding.
var Demanding = []string{demanding, "demanding-429", "demanding-502"}

func fault(name, happened, french string, e Effect, scope ...Scope) Incident {
	i := Incident{
		Name: name, Happened: happened, Mistake: "A client that was only ever tried in good weather.", Source: "generic fault", Effect: e,
		French: Story{french, "Un client qui n’a jamais été essayé que par beau temps.", "panne générique"},
	}
	if len(scope) > 0 {
		i.Scope = scope[0]
	}
	return i
}
