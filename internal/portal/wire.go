package portal

import (
	"crypto/md5"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"

	"github.com/mockfhir/mockfhir/internal/gateway"
)

// The shapes of portal-openapi.yaml (APIM 4.8), as far as they are filled.
type (
	apiJSON struct {
		ID          string `json:"id"`
		Name        string `json:"name"`
		Version     string `json:"version"`
		Description string `json:"description"`
	}
	planJSON struct {
		ID          string `json:"id"`
		Name        string `json:"name"`
		Description string `json:"description"`
		Security    string `json:"security"`
		Validation  string `json:"validation"`
	}
	applicationJSON struct {
		ID          string  `json:"id"`
		Name        string  `json:"name"`
		Description string  `json:"description"`
		KeyMode     string  `json:"api_key_mode"`
		Created     instant `json:"created_at,omitzero"`
		Updated     instant `json:"updated_at,omitzero"`
	}
	subscriptionJSON struct {
		ID             string         `json:"id"`
		API            string         `json:"api"`
		Application    string         `json:"application"`
		Plan           string         `json:"plan"`
		Status         gateway.Status `json:"status"`
		ConsumerStatus string         `json:"consumerStatus"`
		Request        string         `json:"request,omitempty"`
		Reason         string         `json:"reason,omitempty"`
		Created        instant        `json:"created_at,omitzero"`
		Updated        instant        `json:"updated_at,omitzero"`
		Processed      instant        `json:"processed_at,omitzero"`
		Start          instant        `json:"start_at,omitzero"`
		End            instant        `json:"end_at,omitzero"`
		Paused         instant        `json:"paused_at,omitzero"`
		Closed         instant        `json:"closed_at,omitzero"`
		By             string         `json:"subscribed_by,omitempty"`
		Origin         string         `json:"origin"`
		Keys           []keyJSON      `json:"keys,omitempty"`
	}
	keyJSON struct {
		ID            string  `json:"id"`
		Key           string  `json:"key"`
		Application   ref     `json:"application"`
		Subscriptions []ref   `json:"subscriptions"`
		Paused        bool    `json:"paused"`
		Revoked       bool    `json:"revoked"`
		Expired       bool    `json:"expired"`
		Created       instant `json:"created_at,omitzero"`
		RevokedAt     instant `json:"revoked_at,omitzero"`
		Expire        instant `json:"expire_at,omitzero"`
		Hash          string  `json:"hash"`
	}
	ref struct {
		ID string `json:"id"`
	}
	listJSON struct {
		Data     any            `json:"data"`
		Metadata map[string]any `json:"metadata"`
		Links    map[string]any `json:"links"`
	}
	errorJSON struct {
		Status     string         `json:"status"`
		Message    string         `json:"message"`
		Code       string         `json:"code"`
		Parameters map[string]any `json:"parameters"`
	}
)

// instant prints as Jackson prints an OffsetDateTime of the portal.
type instant struct{ time.Time }

func (i instant) MarshalJSON() ([]byte, error) {
	return []byte(i.UTC().Format(`"2006-01-02T15:04:05.000Z"`)), nil
}

func apiOf(a gateway.API) apiJSON {
	return apiJSON{a.ID, a.Name, a.Version, a.Description}
}

func planOf(p gateway.Plan) planJSON {
	return planJSON{p.ID, p.Name, p.Description, p.Security, p.Validation}
}

func applicationOf(a gateway.Application) applicationJSON {
	return applicationJSON{a.ID, a.Name, a.Description, "EXCLUSIVE", instant{a.Created}, instant{a.Updated}}
}

func subscriptionOf(s gateway.Subscription, keys []keyJSON) subscriptionJSON {
	return subscriptionJSON{
		ID: s.ID, API: s.API, Application: s.Application, Plan: s.Plan,
		Status: s.Status, ConsumerStatus: "STARTED", Request: s.Request, Reason: s.Reason,
		Created: instant{s.Created}, Updated: instant{s.Updated}, Processed: instant{s.Processed},
		Start: instant{s.Start}, End: instant{s.End}, Paused: instant{s.PausedAt}, Closed: instant{s.ClosedAt},
		By: s.By, Origin: "MANAGEMENT", Keys: keys,
	}
}

func (p *portal) keyOf(k gateway.Key) keyJSON {
	hash := md5.Sum([]byte(k.Value)) // the portal's own way to name a key; it protects nothing
	return keyJSON{
		ID: k.ID, Key: k.Value, Application: ref{k.Application}, Subscriptions: []ref{{k.Subscription}},
		Paused: k.Paused, Revoked: k.Revoked, Expired: !k.Expire.IsZero() && !p.keys.Now().Before(k.Expire),
		Created: instant{k.Created}, RevokedAt: instant{k.RevokedAt}, Expire: instant{k.Expire},
		Hash: hex.EncodeToString(hash[:]),
	}
}

func errorsOf(why *gateway.Refusal) map[string][]errorJSON {
	return map[string][]errorJSON{"errors": {{
		Status: strconv.Itoa(why.Status), Message: why.Message, Code: why.Code, Parameters: map[string]any{},
	}}}
}

// each never returns nil: an empty list prints as one.
func each[T, U any](list []T, f func(T) U) []U {
	out := make([]U, 0, len(list))
	for _, item := range list {
		out = append(out, f(item))
	}
	return out
}

// listOf answers one page of a list: size defaults to 10, and -1 is all of it.
func listOf[T any](r *http.Request, all []T) (int, any, error) {
	page, size := 1, 10
	for name, at := range map[string]*int{"page": &page, "size": &size} {
		if text := r.URL.Query().Get(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < -1 || name == "page" && n < 1 {
				return 0, nil, refuse(http.StatusBadRequest, "validation", "page is a number from 1, size one from -1.")
			}
			*at = n
		}
	}
	if size == -1 {
		page, size = 1, len(all)
	}
	pages := 0
	if size > 0 && len(all) > 0 {
		pages = 1 + (len(all)-1)/size
	}
	shown := []T{}
	if page <= pages {
		shown = all[(page-1)*size : min(page*size, len(all))]
	}
	metadata := map[string]any{"data": map[string]int{"total": len(shown)}}
	if len(shown) > 0 {
		first := (page-1)*size + 1
		metadata["pagination"] = map[string]int{
			"current_page": page, "size": size, "total": len(all), "total_pages": pages,
			"first": first, "last": first + len(shown) - 1,
		}
	}
	return http.StatusOK, listJSON{shown, metadata, map[string]any{"self": r.URL.RequestURI()}}, nil
}
