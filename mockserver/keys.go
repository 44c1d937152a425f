package mockserver

import (
	"fmt"
	"net/http"
	"time"

	"github.com/mockfhir/mockfhir/internal/gateway"
)

// subscriptionView is a subscription as JSON: never a key, except the one that
// was just made.
type subscriptionView struct {
	Subscription string   `json:"subscription"`
	Application  string   `json:"application"`
	Name         string   `json:"name,omitempty"`
	Status       string   `json:"status"`
	Keys         []string `json:"keys"` // what became of each
	Key          string   `json:"key,omitempty"`
}

// demoView is one of the keys that anybody may know.
type demoView struct {
	Key     string `json:"key"`
	Status  int    `json:"status"` // of a call with it
	Meaning string `json:"meaning"`
}

func (c *control) subscriptionView(id string) (subscriptionView, error) {
	keys := c.gateway.Keys()
	s, list, err := keys.Subscription(id)
	if err != nil {
		return subscriptionView{}, err
	}
	v := subscriptionView{Subscription: s.ID, Application: s.Application, Status: string(s.Status), Keys: []string{}}
	if app, err := keys.Application(s.Application); err == nil {
		v.Name = app.Name
	}
	for _, k := range list {
		v.Keys = append(v.Keys, keyState(k, keys.Now()))
	}
	return v, nil
}

func keyState(k gateway.Key, now time.Time) string {
	switch {
	case k.Revoked:
		return "revoked"
	case !k.Expire.IsZero() && !now.Before(k.Expire):
		return "expired"
	case k.Paused:
		return "paused"
	case !k.Expire.IsZero():
		return "accepted until " + k.Expire.UTC().Format(time.RFC3339)
	}
	return "accepted"
}

func (c *control) listKeys(r *http.Request, _ map[string]string) (int, any, error) {
	views := []subscriptionView{}
	for _, s := range c.gateway.Keys().Subscriptions(func(gateway.Subscription) bool { return true }) {
		v, err := c.subscriptionView(s.ID)
		if err != nil {
			continue // gone meanwhile
		}
		views = append(views, v)
	}
	demo := []demoView{}
	for _, d := range gateway.DemoKeys() {
		meaning := d.Meaning
		if french(r) {
			meaning = d.French
		}
		demo = append(demo, demoView{d.Key, d.Status, meaning})
	}
	return http.StatusOK, map[string]any{"demo": demo, "subscriptions": views}, nil
}

// maxName bounds the name of an application.
const maxName = 1024

func (c *control) createKey(r *http.Request, _ map[string]string) (int, any, error) {
	var body struct {
		Name string `json:"name"`
	}
	if err := readJSON(r, &body); err != nil {
		return 0, nil, err
	}
	if len(body.Name) > maxName {
		return 0, nil, fmt.Errorf("a name has at most %d bytes", maxName)
	}
	if body.Name == "" {
		body.Name = "Made by a control call"
	}
	keys := c.gateway.Keys()
	app, err := keys.CreateApplication(body.Name, "")
	if err != nil {
		return 0, nil, err
	}
	s, err := keys.Subscribe(app.ID, gateway.StandardPlan, "", "control")
	if err != nil {
		return 0, nil, err
	}
	v, err := c.subscriptionView(s.ID)
	if err != nil {
		return 0, nil, err
	}
	if _, list, err := keys.Subscription(s.ID); err == nil && len(list) > 0 {
		v.Key = list[0].Value
	}
	return http.StatusCreated, v, nil
}

func (c *control) actOnKey(_ *http.Request, vars map[string]string) (int, any, error) {
	keys, id := c.gateway.Keys(), vars["subscription"]
	var made string
	var err error
	switch vars["act"] {
	case "accept":
		err = keys.AcceptSubscription(id)
	case "reject":
		err = keys.RejectSubscription(id, "")
	case "pause":
		err = keys.Pause(id)
	case "resume":
		err = keys.Resume(id)
	case "close":
		err = keys.Close(id)
	case "renew":
		var k gateway.Key
		k, err = keys.Renew(id)
		made = k.Value
	case "revoke":
		err = keys.RevokeAll(id)
	case "expire":
		err = keys.Expire(id)
	default:
		err = fmt.Errorf("%q is nothing that can be done with a key; valid are accept, reject, pause, resume, close, renew, revoke and expire", vars["act"])
	}
	if err != nil {
		return 0, nil, err
	}
	v, err := c.subscriptionView(id)
	v.Key = made
	return http.StatusOK, v, err
}

func (c *control) deleteKey(_ *http.Request, vars map[string]string) (int, any, error) {
	return 0, nil, c.gateway.Keys().Forget(vars["subscription"])
}
