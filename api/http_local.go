package api

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

// localOnly protects an orchestrator without authentication from pages in the operator's browser: it refuses changes by a
// page of another site, and host names that a foreign DNS server points to this machine (DNS rebinding).
func (s *service) localOnly(next http.Handler) http.Handler {
	if s.Auth != AuthNone {
		return next // a page of another site does not have a key
	}
	protection := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case s.LocalAddress != "" && !LocalHost(r.Host, s.LocalAddress):
			writeProblem(w, problem(resource.CodeForbiddenHost, "Without authentication the Host must be localhost, a "+
				"loopback address, or the address that the server listens on. See --auth keys and --insecure."))
		case protection.Check(r) != nil:
			writeProblem(w, problem(resource.CodeForbiddenOrigin, "Without authentication a page of another site must not "+
				"change anything."))
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// LocalHost reports whether a Host header names this machine: localhost, a loopback address, or the host that the server
// listens on. The port may differ, because it may be forwarded.
func LocalHost(given, listening string) bool {
	host := hostOf(given)
	if strings.EqualFold(host, "localhost") || strings.EqualFold(host, hostOf(listening)) && host != "" {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}

// hostOf returns the host of host:port or [v6]:port; the port is optional.
func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	return strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), ".")
}
