package contracttest

import (
	"context"
	"net"
	"sync"
)

// pipeListener accepts connections that live in memory.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// dial has the shape of http.Transport.DialContext.
func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- localConn{server}:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return localAddr }

// localConn says that its peer is on this machine, which handlers that look at
// http.Request.RemoteAddr understand better than "pipe".
type localConn struct{ net.Conn }

var localAddr net.Addr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}

func (localConn) LocalAddr() net.Addr  { return localAddr }
func (localConn) RemoteAddr() net.Addr { return localAddr }
