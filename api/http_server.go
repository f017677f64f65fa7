package api

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// The times for reading a request, and for reading it and writing its answer.
const (
	readTimeout  = 15 * time.Second
	writeTimeout = readTimeout + writeAllowance // leaves time to report that the body arrived too slowly
)

// NewServer returns an HTTP server for the handler of the API, with limits on what a client can delay or enlarge.
func NewServer(address string, handler http.Handler, logger *slog.Logger) *http.Server {
	server := &http.Server{
		Addr: address, Handler: handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ConnState:         followConnection,
		ConnContext:       withConnection,
	}
	if logger != nil {
		server.ErrorLog = slog.NewLogLogger(logger.Handler(), slog.LevelDebug)
	}
	return server
}

// loopback reports whether only this machine can reach a listen address.
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
