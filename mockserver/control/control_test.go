package control_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/rehearse"
	"github.com/mockfhir/mockfhir/mockserver"
	"github.com/mockfhir/mockfhir/mockserver/control"
)

func Example() {
	ctx := context.Background()
	mock := control.In(mockserver.New(fixtures.Default()))
	session, err := mock.NewSession(ctx, "")
	if err != nil {
		panic(err)
	}
	defer session.Drop(ctx)
	if err := session.Start(ctx, "2026-07-09-empty-504", "after=1"); err != nil {
		panic(err)
	}
	for range 2 {
		request, _ := http.NewRequest("GET", mock.BaseURL()+"/Practitioner?_count=1", nil)
		request.Header.Set("ESANTE-API-KEY", session.Key)
		response, err := session.HTTP().Do(request)
		if err != nil {
			panic(err)
		}
		response.Body.Close()
		fmt.Println(response.Status)
	}
	fmt.Println(session.Expect(ctx, control.Called("GET", "/fhir/v2/Practitioner").With("_count=1").Times(2)))
	fmt.Println(session.Expect(ctx, control.CalledWith(control.Filter{Status: 5}).Never()))
	// Output:
	// 200 OK
	// 504 Gateway Timeout
	// <nil>
	// status=5: called once, expected never
	// 	2 GET /fhir/v2/Practitioner?_count=1: 504
}

// both runs a test over a socket and without one.
func both(t *testing.T, test func(*testing.T, *control.Client)) {
	t.Helper()
	newServer := func() *mockserver.Server {
		return mockserver.New(fixtures.Default(), mockserver.WithKeys("k"), mockserver.WithRate("0"))
	}
	t.Run("socket", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewServer(newServer())
		defer server.Close()
		test(t, control.New(server.URL+"/"))
	})
	t.Run("process", func(t *testing.T) {
		t.Parallel()
		test(t, control.In(newServer()))
	})
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func call(t *testing.T, client *http.Client, method, url, body string) int {
	t.Helper()
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	check(t, err)
	request.Header.Set("ESANTE-API-KEY", "k")
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := client.Do(request)
	check(t, err)
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	check(t, err)
	return response.StatusCode
}

// TestExpectations: called so often, with, in order, never; and what a person
// reads when it was not so.
func TestExpectations(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, mock *control.Client) {
		ctx := t.Context()
		session, err := mock.NewSession(ctx, "exp-1")
		check(t, err)
		call(t, session.HTTP(), "GET", mock.BaseURL()+"/metadata", "")
		call(t, session.HTTP(), "GET", mock.BaseURL()+"/Practitioner?name=a", "")
		call(t, session.HTTP(), "POST", mock.BaseURL()+"/Practitioner/_search", "name=b")
		call(t, mock.HTTP(), "GET", mock.BaseURL()+"/Device", "")
		search := control.Called("GET", "/fhir/v2/Practitioner")
		for _, met := range []control.Expectation{
			search, search.Times(1), search.With("name=a"), search.AtLeast(1).AtMost(1),
			control.Called("DELETE", "").Never(), control.Called("GET", "/fhir/v2/Device").Never(),
			control.Called("GET", "/fhir/v2/metadata").Then(control.Filter{Query: "name=a"}).Then(control.Filter{Method: "POST", Text: "name=b"}),
		} {
			if err := session.Expect(ctx, met); err != nil {
				t.Error(err)
			}
		}
		for want, unmet := range map[string]control.Expectation{
			"GET /fhir/v2/Practitioner: called once, expected 2 times\n\t2 GET /fhir/v2/Practitioner?name=a: 200": search.Times(2),
			"GET /fhir/v2/Practitioner query=name=z: never called":                                                search.With("name=z"),
			"any call: called 3 times, expected at most 2 times":                                                  control.CalledWith(control.Filter{}).AtMost(2),
			"any call: called 3 times, expected at least 4 times":                                                 control.CalledWith(control.Filter{}).AtLeast(4),
			"POST: step 2 did not come after call 3":                                                              control.Called("POST", "").Then(control.Filter{Method: "GET"}),
		} {
			err := session.Expect(ctx, unmet)
			if err == nil || !strings.HasPrefix(err.Error(), want) || !errors.As(err, new(*control.Unmet)) {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		}
		calls, err := session.Journal(ctx, control.Filter{Method: "POST", Status: 200, Since: 1})
		check(t, err)
		if len(calls) != 1 || calls[0].Body != "name=b" || calls[0].Session != "exp-1" || calls[0].Request["Content-Type"] != "application/x-www-form-urlencoded" || calls[0].Response["Content-Type"] == "" {
			t.Errorf("the journal tells %+v", calls)
		}
		check(t, session.ClearJournal(ctx))
		check(t, session.Expect(ctx, control.CalledWith(control.Filter{}).Never()))
	})
}

// TestErrors: a refusal says what the mock said, another server is told as one.
func TestErrors(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, mock *control.Client) {
		ctx := t.Context()
		_, err := mock.Session("nobody").Info(ctx)
		if !control.IsNotFound(err) || !strings.Contains(err.Error(), "there is no session of that name") {
			t.Errorf("an unknown session is %v", err)
		}
		var refused *control.Error
		if err := mock.Default().Start(ctx, "delay", "share=9"); !errors.As(err, &refused) || refused.Status != 400 || control.IsNotFound(err) {
			t.Errorf("a bad scope is %v", err)
		}
		if err := mock.Default().Start(ctx, "../../keys", ""); !control.IsNotFound(err) {
			t.Errorf("a name with slashes is %v", err)
		}
		if v, err := mock.Version(ctx); err != nil || v.Profile != "production" || v.Digest == "" {
			t.Errorf("the version is %+v, %v", v, err)
		}
	})
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/__mockfhir/version" {
			w.Write([]byte("<html>"))
			return
		}
		http.NotFound(w, r)
	}))
	defer other.Close()
	if _, err := control.New(other.URL).Sessions(t.Context()); err == nil || !strings.Contains(err.Error(), "no mock answers here") {
		t.Errorf("another server is %v", err)
	}
	if _, err := control.New(other.URL).Version(t.Context()); err == nil || !strings.Contains(err.Error(), "is it a mock") {
		t.Errorf("another server is %v", err)
	}
	if _, err := control.New("http://127.0.0.1:1").Sessions(t.Context()); err == nil {
		t.Error("nothing answers, and that is no error")
	}
}

// TestTypesAreThoseOfTheMock: every member that the mock writes has a place in
// the client, and the other way round.
func TestTypesAreThoseOfTheMock(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]any{
		{rehearse.Entry{}, control.Call{}}, {rehearse.Verdict{}, control.Verdict{}}, {rehearse.Running{}, control.Running{}},
		{rehearse.Expectation{}, control.Expectation{}},
	} {
		ours, theirs := members(reflect.TypeOf(pair[0])), members(reflect.TypeOf(pair[1]))
		ours = slices.DeleteFunc(ours, func(name string) bool { return name == "limit" && reflect.TypeOf(pair[0]).Name() == "Expectation" })
		if !slices.Equal(ours, theirs) {
			t.Errorf("%T has %v, %T has %v", pair[0], ours, pair[1], theirs)
		}
	}
}

func members(t reflect.Type) (names []string) {
	for f := range t.Fields() {
		if f.Anonymous {
			names = append(names, members(f.Type)...)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
