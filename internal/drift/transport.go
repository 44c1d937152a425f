package drift

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Transport answers requests with a handler, without a socket: time spent in
// it is that of a testing/synctest bubble, so that mutations of eight seconds
// cost none. It adds what net/http adds to an answer.
func Transport(h http.Handler) http.RoundTripper { return transport{h} }

type transport struct{ handler http.Handler }

func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(req.Context())
	r := req.Clone(ctx)
	r.RequestURI = req.URL.RequestURI()
	r.RemoteAddr = "127.0.0.1:40000"
	if r.Host == "" {
		r.Host = req.URL.Host
	}
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.1", 1, 1
	if r.Body == nil {
		r.Body = http.NoBody
	}
	body, sent := io.Pipe()
	w := &writer{header: http.Header{}, body: sent, sent: make(chan struct{}), request: req}
	go func() {
		defer cancel()
		defer func() {
			if err := recover(); err != nil { // http.ErrAbortHandler, or a defect of the handler
				w.abort(fmt.Errorf("the connection was cut: %v", err))
			}
		}()
		t.handler.ServeHTTP(w, r)
		w.finish()
	}()
	select {
	case <-w.sent:
	case <-ctx.Done():
		if err := req.Context().Err(); err != nil {
			_ = body.CloseWithError(err)
			return nil, err
		}
		<-w.sent
	}
	if w.err != nil {
		return nil, w.err
	}
	stop := context.AfterFunc(req.Context(), func() { _ = body.CloseWithError(req.Context().Err()) })
	w.response.Body = &closer{Reader: io.MultiReader(bytes.NewReader(w.head), body), close: func() {
		stop()
		cancel()
		_ = body.Close()
	}}
	return w.response, nil
}

// closer is the body of an answer that may still be written.
type closer struct {
	io.Reader
	close func()
	once  sync.Once
}

func (c *closer) Close() error {
	c.once.Do(c.close)
	return nil
}

// writer is a ResponseWriter that lets the answer go at the first flush, or
// when the handler returns: then its length is known.
type writer struct {
	request  *http.Request
	header   http.Header
	status   int
	head     []byte
	body     *io.PipeWriter
	sent     chan struct{} // closed when response or err is set
	flushed  bool
	response *http.Response
	err      error
}

func (w *writer) Header() http.Header { return w.header }

func (w *writer) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
}

func (w *writer) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.flushed {
		return w.body.Write(p)
	}
	w.head = append(w.head, p...)
	return len(p), nil
}

// Flush implements http.Flusher.
func (w *writer) Flush() { w.send(false) }

func (w *writer) send(whole bool) {
	if w.flushed {
		return
	}
	w.flushed = true
	w.WriteHeader(http.StatusOK)
	header := w.header.Clone()
	for name, values := range w.header {
		if values == nil { // suppressed, as in net/http
			header.Del(name)
		}
	}
	if _, set := w.header["Date"]; !set {
		header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	if _, set := w.header["Content-Type"]; !set && len(w.head) > 0 {
		header.Set("Content-Type", http.DetectContentType(w.head))
	}
	if w.request.Method == http.MethodHead {
		w.head = nil
	}
	length := int64(-1)
	if whole {
		length = int64(len(w.head))
		if w.status != http.StatusNoContent && w.status != http.StatusNotModified && header.Get("Content-Length") == "" {
			header.Set("Content-Length", strconv.FormatInt(length, 10))
		}
	}
	w.response = &http.Response{
		Status: strconv.Itoa(w.status) + " " + http.StatusText(w.status), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, ContentLength: length, Request: w.request,
	}
	if !whole {
		w.response.TransferEncoding = []string{"chunked"}
	}
	close(w.sent)
}

func (w *writer) finish() {
	w.send(true)
	_ = w.body.Close()
}

func (w *writer) abort(err error) {
	if !w.flushed {
		w.flushed, w.err = true, err
		close(w.sent)
	}
	_ = w.body.CloseWithError(err)
}
