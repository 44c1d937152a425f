package control

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// direct answers requests with a handler, without a socket. A body is whole
// before it is read; what cuts a connection is the error that a client would
// see.
type direct struct{ handler http.Handler }

func (d direct) RoundTrip(r *http.Request) (response *http.Response, err error) {
	answer := &memory{header: http.Header{}}
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	in.RemoteAddr = "127.0.0.1:1"
	in.Proto, in.ProtoMajor, in.ProtoMinor = "HTTP/1.1", 1, 1
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	defer in.Body.Close()
	cut := d.serve(answer, in)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if cut && answer.status == 0 {
		return nil, fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, io.EOF)
	}
	return answer.response(r, cut), nil
}

// serve reports whether the handler cut the connection. Any other panic is the
// handler's, and the program's.
func (d direct) serve(w http.ResponseWriter, r *http.Request) (cut bool) {
	defer func() {
		switch cause := recover(); cause {
		case nil:
		case http.ErrAbortHandler:
			cut = true
		default:
			panic(cause)
		}
	}()
	d.handler.ServeHTTP(w, r)
	return false
}

// memory is a response that is written to memory.
type memory struct {
	header http.Header
	sent   http.Header // as it was when the response began
	status int
	body   bytes.Buffer
}

func (m *memory) Header() http.Header { return m.header }

func (m *memory) WriteHeader(status int) {
	if status >= 200 && m.status == 0 {
		m.status, m.sent = status, m.header.Clone()
	}
}

func (m *memory) Write(p []byte) (int, error) {
	m.WriteHeader(http.StatusOK)
	return m.body.Write(p)
}

func (m *memory) Flush() { m.WriteHeader(http.StatusOK) }

func (m *memory) response(r *http.Request, cut bool) *http.Response {
	m.WriteHeader(http.StatusOK)
	for name, values := range m.sent {
		if len(values) == 0 { // set to keep a server from adding its own
			delete(m.sent, name)
		}
	}
	length := int64(m.body.Len())
	if text := m.sent.Get("Content-Length"); text != "" {
		length, _ = strconv.ParseInt(text, 10, 64)
	}
	var body io.Reader = &m.body
	switch {
	case r.Method == http.MethodHead:
		body = http.NoBody
	case cut || length > int64(m.body.Len()):
		body = io.MultiReader(body, broken{})
	}
	return &http.Response{
		Status: strconv.Itoa(m.status) + " " + http.StatusText(m.status), StatusCode: m.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: m.sent, Body: io.NopCloser(body), ContentLength: length, Request: r,
	}
}

// broken is the end of a body that was cut.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
