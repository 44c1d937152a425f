package gateway

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// The patience of Server. Gravitee waits for ever (http.idleTimeout 0); a mock
// in somebody's pipeline must not keep the connections of slow clients.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = 30 * time.Second // Gravitee's whole-request timeout (§3.3)
	writeTimeout  = 2 * time.Minute
	idleTimeout   = 2 * time.Minute
	lingerTimeout = 500 * time.Millisecond // as long as net/http waits after a 431

	// maxHead is where reading a request line and its headers ends. The limits
	// of Gravitee are lower; a search token, which is exempt from them, is not.
	maxHead = 256 << 10
)

// Server returns a server for a handler, with limits on slow and large
// requests. Serve it on a [Listener].
func Server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHead,
		// OPTIONS * is a request like another.
		DisableGeneralOptionsHandler: true,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if plain, ok := c.(*conn); ok {
				ctx = context.WithValue(ctx, connKey{}, plain)
			}
			return ctx
		},
	}
}

// connKey leads, in the context of a request, to its connection.
type connKey struct{}

// Listener makes what net/http answers by itself, before any handler runs, the
// bytes of Vert.x: no body, no type, and netty's reason phrases
// (gravitee.md §3.4). It takes TCP connections, and those of tls.NewListener.
func Listener(l net.Listener) net.Listener { return listener{l} }

type listener struct{ net.Listener }

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if t, ok := c.(*tls.Conn); ok {
		return &tlsConn{conn{Conn: t}, t}, nil
	}
	return &conn{Conn: c}, nil
}

// conn changes the replies that net/http writes on the bare connection, and
// sends the beginning of a large one in one piece with what follows.
type conn struct {
	net.Conn
	lineRead atomic.Bool // a line has been read since the last reply
	refused  atomic.Bool // net/http's own reply has been written: the end

	gathering bool   // within together
	held      []byte // the beginning of a reply, while gathering
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if !c.lineRead.Load() && bytes.IndexByte(p[:n], '\n') >= 0 {
		c.lineRead.Store(true)
	}
	return n, err
}

func (c *conn) Write(p []byte) (int, error) {
	hadLine := c.lineRead.Swap(false)
	reply, changed := vertx(p, hadLine)
	if !changed {
		return c.send(p)
	}
	c.refused.Store(true)
	if n, err := c.Conn.Write(reply); err != nil {
		return min(n, len(p)), err
	}
	return len(p), nil
}

// heldSize is as much as net/http gathers of a response before it writes: the
// headers and the beginning of the body.
const heldSize = 4 << 10

// together runs a write of a response's body. Net/http makes two of a large
// one, of which the first is of heldSize; here they become one system call, and
// wake the client once. Nothing is held any more when it returns.
func (c *conn) together(write func() (int, error)) (n int, err error) {
	c.gathering = true
	defer func() {
		c.gathering = false
		if _, late := c.send(nil); err == nil {
			err = late
		}
	}()
	return write()
}

// send writes p behind what is held, or holds it when more is to follow.
func (c *conn) send(p []byte) (int, error) {
	held := len(c.held)
	switch {
	case held > 0:
		both := net.Buffers{c.held, p}
		c.held = c.held[:0]
		n, err := both.WriteTo(c.Conn) // writev
		return max(0, int(n)-held), err
	case c.gathering && len(p) == heldSize:
		c.held = append(c.held, p...) // the caller goes on with its buffer
		return len(p), nil
	case len(p) == 0:
		return 0, nil
	}
	return c.Conn.Write(p)
}

// Close lets a refused client, who may still be sending, read why: closing
// over unread bytes resets the connection and takes the reply along.
func (c *conn) Close() error {
	if c.refused.Load() && c.CloseWrite() == nil {
		_ = c.SetReadDeadline(time.Now().Add(lingerTimeout))
		_, _ = io.CopyN(io.Discard, c.Conn, maxHead)
	}
	return c.Conn.Close()
}

// NetConn is the connection underneath, for who must treat it roughly.
func (c *conn) NetConn() net.Conn { return c.Conn }

// CloseWrite lets net/http end a refused connection without a reset.
func (c *conn) CloseWrite() error {
	if t, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return t.CloseWrite()
	}
	return nil
}

// tlsConn tells net/http, which knows only *tls.Conn by sight, that it is one.
type tlsConn struct {
	conn
	tls *tls.Conn
}

// ConnectionState is asked for once, before the first read: time to shake
// hands. An error comes back on that read.
func (c *tlsConn) ConnectionState() tls.ConnectionState {
	_ = c.tls.SetDeadline(time.Now().Add(headerTimeout))
	_ = c.tls.Handshake()
	_ = c.tls.SetDeadline(time.Time{})
	return c.tls.ConnectionState()
}

var (
	// errorHeaders end the status line of the replies that net/http writes
	// before there is a request (net/http server.go, conn.serve); no handler's
	// response begins so.
	errorHeaders = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")
	// expectation begins the reply to an Expect that net/http does not know. A
	// backend's own 417 bears the gateway's ids.
	expectation  = []byte("HTTP/1.1 417 ")
	gatewayID    = []byte("\r\nX-Gravitee-")
	tooLarge     = []byte("HTTP/1.1 431 ")
	goURITooLong = []byte("HTTP/1.1 414 Request URI Too Long\r\n")
)

// vertx is what Vert.x would write in the place of net/http's own reply p.
func vertx(p []byte, hadLine bool) (reply []byte, changed bool) {
	if rest, ok := bytes.CutPrefix(p, goURITooLong); ok { // a handler's 414
		return append([]byte("HTTP/1.1 414 Request-URI Too Long\r\n"), rest...), true
	}
	rest, ok := bytes.CutPrefix(p, []byte("HTTP/1.1 "))
	if !ok || len(rest) == 0 || rest[0] < '4' {
		return nil, false
	}
	line, _, own := bytes.Cut(p, errorHeaders)
	own = own && bytes.IndexByte(line, '\r') < 0 ||
		bytes.HasPrefix(p, expectation) && !bytes.Contains(p, gatewayID)
	if !own {
		return nil, false
	}
	phrase := "400 Bad Request"
	switch {
	case bytes.HasPrefix(p, tooLarge) && hadLine:
		phrase = "431 Request Header Fields Too Large"
	case bytes.HasPrefix(p, tooLarge): // the limit fell within the request line
		phrase = "414 Request-URI Too Long"
	}
	return []byte("HTTP/1.1 " + phrase + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), true
}
