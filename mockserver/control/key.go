package control

import (
	"context"
	"net/http"
)

// DemoKey is a fixed key in a state that its name tells.
type DemoKey struct {
	Key     string `json:"key"`
	Status  int    `json:"status"` // of a call with it
	Meaning string `json:"meaning"`
}

// Subscription is an application's right to call, and what became of its keys.
type Subscription struct {
	ID          string   `json:"subscription"`
	Application string   `json:"application"`
	Name        string   `json:"name,omitempty"`
	Status      string   `json:"status"`
	Keys        []string `json:"keys"`          // the state of each, newest first
	Key         string   `json:"key,omitempty"` // told once, by the call that made it
}

// Act is what can be done with the keys of a subscription.
type Act string

// The acts.
const (
	Accept Act = "accept"
	Reject Act = "reject"
	Pause  Act = "pause"
	Resume Act = "resume"
	Close  Act = "close"
	Renew  Act = "renew"
	Revoke Act = "revoke"
	Expire Act = "expire"
)

// Keys lists the demo keys and the subscriptions. Keys are of the whole mock,
// not of a session.
func (c *Client) Keys(ctx context.Context) (demo []DemoKey, subscriptions []Subscription, err error) {
	var all struct {
		Demo          []DemoKey      `json:"demo"`
		Subscriptions []Subscription `json:"subscriptions"`
	}
	err = c.call(ctx, http.MethodGet, []string{"keys"}, nil, nil, &all)
	return all.Demo, all.Subscriptions, err
}

// NewKey makes an application with an accepted subscription and a key.
func (c *Client) NewKey(ctx context.Context, name string) (s Subscription, err error) {
	return s, c.call(ctx, http.MethodPost, []string{"keys"}, nil, map[string]string{"name": name}, &s)
}

// Act changes a subscription. After Renew the answer has the new key.
func (c *Client) Act(ctx context.Context, subscription string, act Act) (s Subscription, err error) {
	return s, c.call(ctx, http.MethodPost, []string{"keys", subscription, string(act)}, nil, nil, &s)
}

// ForgetKey takes the application of a subscription out of the mock.
func (c *Client) ForgetKey(ctx context.Context, subscription string) error {
	return c.call(ctx, http.MethodDelete, []string{"keys", subscription}, nil, nil, nil)
}
