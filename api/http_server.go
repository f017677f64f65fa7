package api

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// NewServer is an HTTP server for the API's handler, with bounds on everything that a client could draw out.
func NewServer(address string, handler http.Handler, logger *slog.Logger) *http.Server {
	server := &http.Server{
		Addr: address, Handler: handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      15*time.Second + writeAllowance, // who sends too slowly is told so
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
