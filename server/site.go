package server

import (
	"net/http"
	"strings"

	"github.com/saga-orchestrator/orchestrator/api"
	"github.com/saga-orchestrator/orchestrator/api/ui"
	"github.com/saga-orchestrator/orchestrator/internal/demo"
)

// site returns the handler of the page and the API. With a base path it also accepts paths without it, because a proxy may
// have stripped it. Addresses in answers always begin with the base path.
func (s *Server) site(calls http.Handler) http.Handler {
	page := ui.New(ui.Config{
		API: api.Inside(calls), LocalHost: s.localHost(), BasePath: s.config.BasePath, Auth: s.config.Auth == string(api.AuthKeys), SessionKey: s.config.SessionKey,
		SignIn: s.config.signIn(), SignInRedirect: s.config.signInRedirect(),
		Demo: viewerDemo(s.demo), Version: s.config.Version, Logger: s.config.Logger, Stopping: s.stopping,
	})
	both := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ui.Owns(r.URL.Path) {
			page.ServeHTTP(w, r)
		} else {
			calls.ServeHTTP(w, r)
		}
	})
	base := s.config.BasePath
	if base == "" {
		return both
	}
	stripped := http.StripPrefix(base, both)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w = &prefixed{ResponseWriter: w, base: base}
		switch {
		case r.URL.Path == base:
			http.Redirect(w, r, base+"/", http.StatusPermanentRedirect)
		case strings.HasPrefix(r.URL.Path, base+"/"):
			stripped.ServeHTTP(w, r)
		default:
			both.ServeHTTP(w, r)
		}
	})
}

// localHost returns what the page checks Host headers with, as the API does; nil with authentication or with --insecure.
func (s *Server) localHost() func(string) bool {
	address := s.config.localAddress()
	if address == "" {
		return nil
	}
	return func(host string) bool { return api.LocalHost(host, address) }
}

// prefixed adds the base path to the addresses that the page and the API return.
type prefixed struct {
	http.ResponseWriter
	base string
}

// WriteHeader completes the header Location.
func (p *prefixed) WriteHeader(status int) {
	location := p.Header().Get("Location")
	if strings.HasPrefix(location, "/") && !strings.HasPrefix(location, "//") && !strings.HasPrefix(location, p.base+"/") {
		p.Header().Set("Location", p.base+location)
	}
	p.ResponseWriter.WriteHeader(status)
}

// Unwrap gives streams the connection.
func (p *prefixed) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// demoOf shows the faults of a demo on the page.
type demoOf struct{ *demo.Demo }

// viewerDemo returns nil without a demo.
func viewerDemo(d *demo.Demo) ui.Demo {
	if d == nil {
		return nil
	}
	return demoOf{d}
}

// Faults returns what a viewer can break.
func (d demoOf) Faults() []ui.DemoFault {
	found := d.Demo.Faults()
	faults := make([]ui.DemoFault, len(found))
	for i, fault := range found {
		faults[i] = ui.DemoFault(fault)
	}
	return faults
}
