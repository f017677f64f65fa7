package api

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

// localOnly guards an orchestrator without authentication against pages in the operator's browser. A page of another
// site must not change anything here, and a name that somebody else's DNS points to this machine (DNS rebinding) must
// not be taken for this machine.
func (s *service) localOnly(next http.Handler) http.Handler {
	if s.Auth != AuthNone {
		return next // a page of another site has no key
	}
	protection := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case s.LocalAddress != "" && !localHost(r.Host, s.LocalAddress):
			writeProblem(w, problem(resource.CodeForbiddenHost, "Without authentication only this machine may call, by the "+
				"Host localhost, a loopback address, or the address that is listened on. See --auth keys and --insecure."))
		case protection.Check(r) != nil:
			writeProblem(w, problem(resource.CodeForbiddenOrigin, "Without authentication a page of another site may not "+
				"change anything here."))
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// localHost reports whether a Host header names this machine: localhost, a loopback address, or the host of the
// address that is listened on. The port does not matter: it may be forwarded.
func localHost(given, listening string) bool {
	host := hostOf(given)
	if strings.EqualFold(host, "localhost") || strings.EqualFold(host, hostOf(listening)) && host != "" {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}

// hostOf is the host of host:port, [v6]:port, or of either without the port.
func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	return strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), ".")
}
