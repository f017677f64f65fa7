package api

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// MaxConnections is how many connections a listener should hold at the same time.
const MaxConnections = 1000

// NewServer is an HTTP server for the API's handler, with bounds on everything that a client could draw out.
func NewServer(address string, handler http.Handler, logger *slog.Logger) *http.Server {
	server := &http.Server{
		Addr: address, Handler: handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      15*time.Second + writeAllowance, // who sends too slowly is told so
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	if logger != nil {
		server.ErrorLog = slog.NewLogLogger(logger.Handler(), slog.LevelDebug)
	}
	return server
}

// loopback says whether only this machine can reach an address to listen on.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// LimitConnections makes a listener hold at most so many connections; others wait in the system's backlog.
func LimitConnections(listener net.Listener, limit int) net.Listener {
	return &limitedListener{Listener: listener, places: make(chan struct{}, limit), closed: make(chan struct{})}
}

type limitedListener struct {
	net.Listener
	places chan struct{}
	once   sync.Once
	closed chan struct{}
}

// Accept waits for a free place, then for a connection.
func (l *limitedListener) Accept() (net.Conn, error) {
	select {
	case l.places <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	connection, err := l.Listener.Accept()
	if err != nil {
		<-l.places
		return nil, err
	}
	return &countedConnection{Conn: connection, leave: sync.OnceFunc(func() { <-l.places })}, nil
}

// Close ends Accept too, also one that waits for a place.
func (l *limitedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type countedConnection struct {
	net.Conn
	leave func()
}

// Close gives the place back, once.
func (c *countedConnection) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
