package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Client asks a mock things. It is safe for concurrent use.
type Client struct {
	base  string
	token string
	http  *http.Client
}

// Option changes how a client asks.
type Option func(*Client)

// WithToken sends the token that a mock wants which others can reach.
func WithToken(token string) Option { return func(c *Client) { c.token = token } }

// WithHTTPClient makes the calls with a client of one's own.
func WithHTTPClient(client *http.Client) Option { return func(c *Client) { c.http = client } }

// New returns a client of the mock at an address: "http://127.0.0.1:8080".
func New(address string, opts ...Option) *Client {
	c := &Client{base: strings.TrimRight(address, "/"), http: http.DefaultClient}
	for _, opt := range opts {
		opt(c)
	}
	return c
}

// In returns a client of a mock in the same program. Its calls go to the
// handler without a socket; so do those of the http.Client it gives.
func In(handler http.Handler, opts ...Option) *Client {
	return New("http://mockfhir.localhost", append([]Option{WithHTTPClient(&http.Client{Transport: direct{handler}})}, opts...)...)
}

// BaseURL is what a client of the directory is to be configured with.
func (c *Client) BaseURL() string { return c.base + "/fhir/v2" }

// HTTP is the http.Client that reaches the mock. To one in the same program no
// other does.
func (c *Client) HTTP() *http.Client { return c.http }

// Error is a refusal of the mock.
type Error struct {
	Status  int
	Message string // what is wrong, and what to do
}

func (e *Error) Error() string { return fmt.Sprintf("mockfhir: %s (%d)", e.Message, e.Status) }

// maxAnswer bounds what is read of an answer: a journal at its bound, with room.
const maxAnswer = 64 << 20

// call makes one control call. in is sent as JSON, unless it is a string, which
// is sent as it is; out is filled in, unless it is nil.
func (c *Client) call(ctx context.Context, method string, path []string, query url.Values, in, out any) error {
	target := c.base + "/__mockfhir"
	for _, segment := range path {
		target += "/" + url.PathEscape(segment)
	}
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	body, err := encode(in)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return err
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return refusal(response.StatusCode, text)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("%s %s answered no JSON that is known here; is it a mock of this version? %w", method, request.URL.Path, err)
	}
	return nil
}

func encode(in any) (io.Reader, error) {
	switch in := in.(type) {
	case nil:
		return http.NoBody, nil
	case string:
		return strings.NewReader(in), nil
	}
	text, err := json.Marshal(in)
	return bytes.NewReader(text), err
}

func refusal(status int, text []byte) error {
	var told struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(text, &told) != nil || told.Error == "" {
		told.Error = "no mock answers here: " + http.StatusText(status)
	}
	return &Error{status, told.Error}
}

// IsNotFound says whether an error is the mock's that it has no such session,
// incident, resource or key.
func IsNotFound(err error) bool {
	var refused *Error
	return errors.As(err, &refused) && refused.Status == http.StatusNotFound
}

// Version is what a mock says of itself.
type Version struct {
	Version string `json:"version"`
	Profile string `json:"profile"`
	Set     string `json:"set"`    // name of the fixture set
	Digest  string `json:"digest"` // of the fixture set
}

// Version asks the mock what it is.
func (c *Client) Version(ctx context.Context) (v Version, err error) {
	return v, c.call(ctx, http.MethodGet, []string{"version"}, nil, nil, &v)
}

// Incident is something that can go wrong on purpose.
type Incident struct {
	Name     string `json:"name"`
	Event    string `json:"event,omitempty"` // number in the list of what happened, "" for a generic fault
	Happened string `json:"happened"`
	Mistake  string `json:"mistake"` // of a client, which it reveals
	Source   string `json:"source"`
	Scope    string `json:"scope"` // the calls it touches unless told otherwise
	Key      string `json:"key"`   // whose calls it touches, without a control call
}

// Incidents lists all there are, by name.
func (c *Client) Incidents(ctx context.Context) (list []Incident, err error) {
	return list, c.call(ctx, http.MethodGet, []string{"incidents"}, nil, nil, &list)
}
