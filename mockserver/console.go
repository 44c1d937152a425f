package mockserver

import (
	"net/http"
	"sync"
	"time"

	"github.com/mockfhir/mockfhir/internal/console"
)

// console serves the demonstrator at "/", and hands what is not its own to
// next. A call with a key is one of a client that has lost its way, and meets
// the gateway there as it would in real life. The files need no token, which a
// browser could not send with them; they ask for it.
func (c *control) console(next http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" && (r.URL.RawQuery != "" || sentKey(r) != "") {
			next.ServeHTTP(w, r)
			return
		}
		if err := c.ownPage(r); err != nil {
			refuseControl(w, http.StatusForbidden, err)
			return
		}
		if !console.ServeHTTP(w, r) {
			next.ServeHTTP(w, r)
		}
	}
}

// form is what the demonstrator's form is made of, once it is asked for.
func (c *control) form() answer {
	english := sync.OnceValue(func() []console.Type { return console.Form(c.set, false) })
	inFrench := sync.OnceValue(func() []console.Type { return console.Form(c.set, true) })
	return func(r *http.Request, _ map[string]string) (int, any, error) {
		if french(r) {
			return http.StatusOK, inFrench(), nil
		}
		return http.StatusOK, english(), nil
	}
}

// quotaView is what a key has used of its quota, as JSON.
type quotaView struct {
	Subscription string    `json:"subscription"`
	Name         string    `json:"name,omitempty"` // of the application
	Used         int       `json:"used"`
	Limit        int       `json:"limit"`
	Reset        time.Time `json:"reset"`
	Open         bool      `json:"open"` // the window has not ended
}

func (c *control) listQuotas(_ *http.Request, vars map[string]string) (int, any, error) {
	s, err := c.session(vars)
	if err != nil {
		return 0, nil, err
	}
	keys, views := c.gateway.Keys(), []quotaView{}
	for _, u := range c.gateway.QuotaUsage(s.Name) {
		v := quotaView{Subscription: u.Subscription, Used: min(u.Used, u.Limit), Limit: u.Limit, Reset: u.Reset, Open: u.Reset.After(c.now())}
		if sub, _, err := keys.Subscription(u.Subscription); err == nil {
			if app, err := keys.Application(sub.Application); err == nil {
				v.Name = app.Name
			}
		}
		views = append(views, v)
	}
	return http.StatusOK, views, nil
}
