package mockserver

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/mockfhir/mockfhir/internal/rehearse"
)

// french says whether who asks would rather read French than English, which is
// what everybody reads who asks for neither.
func french(r *http.Request) bool {
	best, chosen := 0.0, ""
	for wish := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Language"), ","), ",") {
		tag, weight, weighted := strings.Cut(wish, ";")
		language, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
		q := 1.0
		if weighted {
			q, _ = strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(weight), "q="), 64) // what is no number is no wish
		}
		if (language == "fr" || language == "en") && q > best {
			best, chosen = q, language
		}
	}
	return chosen == "fr"
}

// scopeWords are those in which who asks reads a scope.
func scopeWords(r *http.Request) func(rehearse.Scope) string {
	if french(r) {
		return rehearse.Scope.French
	}
	return rehearse.Scope.String
}
