package ui

import (
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

// Config configures the page. API is required.
type Config struct {
	API http.Handler
	// BasePath is the path under which a browser reaches the server, such as /saga. Links begin with it. Empty: the root.
	BasePath string
	// Auth means that the API asks for keys: the page then asks for one, too, and keeps it in a cookie.
	Auth bool
	// SessionKey encrypts the cookie. Replicas with the same key accept each other's sessions. Empty: a random one, so
	// that sessions end with the process.
	SessionKey string
	// SignIn signs in by OpenID Connect, as an alternative to keys. SignInRedirect is where the issuer sends the browser back;
	// empty: /ui/oidc/callback at the host of the request. nil: there are only keys.
	SignIn         SignIn
	SignInRedirect string
	Demo           Demo   // nil: no demo panel
	Version        string // of the program
	Logger         *slog.Logger
	// LocalHost reports whether a Host header names this machine. Others are refused. nil: every host is accepted.
	LocalHost func(host string) bool
	Now       func() time.Time // nil: time.Now
	// Stopping is closed when the process is about to end: live views then end. May be nil.
	Stopping <-chan struct{}
}

// Demo is what a viewer of a demo can break and repair.
type Demo interface {
	Faults() []DemoFault
	SetFault(name string, on bool) error
}

// DemoFault is one of those things.
type DemoFault struct {
	Name  string // for programs
	Title string // what happens while it is on
	On    bool
}

// page serves the page.
type page struct {
	Config
	sessions  *sessions
	templates *template.Template
	assets    *assets
}

// Owns reports whether a path, without the base path, belongs to the page.
func Owns(path string) bool {
	return path == "/" || path == "/ui" || strings.HasPrefix(path, "/ui/")
}

// New returns the handler of the page. It expects paths without the base path.
func New(config Config) http.Handler {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	config.BasePath = strings.TrimRight(config.BasePath, "/")
	p := &page{Config: config, assets: loadAssets()}
	p.sessions = newSessions(config.SessionKey, config.BasePath, config.Now)
	p.templates = p.loadTemplates()
	mux := http.NewServeMux()
	mux.Handle("GET /ui/assets/{hash}/{name}", p.assets)
	mux.HandleFunc("GET /ui/sign-in", p.signInForm)
	mux.HandleFunc("POST /ui/sign-in", p.signIn)
	mux.HandleFunc("GET /ui/oidc/start", p.beginSignIn)
	mux.HandleFunc("GET /ui/oidc/callback", p.endSignIn)
	mux.HandleFunc("POST /ui/sign-out", p.signOut)
	for pattern, view := range p.views() {
		mux.Handle(pattern, p.serve(view))
	}
	return p.guard(mux)
}

// views returns the views, by pattern.
func (p *page) views() map[string]view {
	return map[string]view{
		"GET /{$}":   p.overview,
		"GET /ui":    p.overview,
		"GET /ui/":   p.unknown,
		"POST /ui/":  p.unknown,
		"GET /ui/go": p.goTo,

		"GET /ui/sagas":                      p.sagas,
		"GET /ui/sagas/{id}":                 p.saga,
		"GET /ui/sagas/{id}/live":            p.sagaLive,
		"GET /ui/sagas/{id}/whole/{part}":    p.whole,
		"GET /ui/sagas/{id}/act/{action}":    p.actForm,
		"POST /ui/sagas/{id}/act/{action}":   p.act,
		"GET /ui/sagas/{id}/signals/{name}":  p.signalForm,
		"POST /ui/sagas/{id}/signals/{name}": p.signal,
		"GET /ui/definitions":                p.definitions,
		"GET /ui/definitions/{name}":         p.definition,
		"POST /ui/definitions/{name}":        p.setDefinition,
		"GET /ui/register":                   p.registerForm,
		"POST /ui/register":                  p.register,
		"GET /ui/definitions/{name}/start":   p.startForm,
		"POST /ui/definitions/{name}/start":  p.start,
		"GET /ui/queues":                     p.queues,
		"GET /ui/queues/{queue}":             p.queue,
		"POST /ui/queues/{queue}":            p.setQueue,
		"GET /ui/dead-letters":               p.letters,
		"GET /ui/dead-letters/{id}":          p.letter,
		"POST /ui/dead-letters/{id}/redrive": p.redrive,
		"POST /ui/dead-letters/{id}/discard": p.discard,
		"GET /ui/bulk":                       p.bulks,
		"GET /ui/bulk/new":                   p.bulkForm,
		"POST /ui/bulk/new":                  p.bulkPreview,
		"POST /ui/bulk":                      p.bulkStart,
		"GET /ui/bulk/{id}":                  p.bulk,
		"POST /ui/bulk/{id}/{control}":       p.bulkControl,
		"GET /ui/keys":                       p.keys,
		"POST /ui/keys":                      p.createKey,
		"GET /ui/keys/{id}":                  p.key,
		"POST /ui/keys/{id}/rotate":          p.rotateKey,
		"POST /ui/keys/{id}/revoke":          p.revokeKey,
		"GET /ui/webhooks":                   p.webhooks,
		"POST /ui/webhooks":                  p.addWebhook,
		"GET /ui/webhooks/{name}":            p.webhook,
		"POST /ui/webhooks/{name}":           p.changeWebhook,
		"POST /ui/webhooks/{name}/test":      p.testWebhook,
		"POST /ui/webhooks/{name}/delete":    p.deleteWebhook,
		"GET /ui/audit":                      p.audit,
		"POST /ui/demo":                      p.setDemo,
		"GET /ui/help":                       p.help,
	}
}

// contentSecurityPolicy allows scripts, styles and images of this server only, and nothing inline.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// maxForm bounds the body of a form, in bytes: a definition of 1 MiB, whose characters a form may write as three bytes.
const maxForm = 4 << 20

// guard sets the headers of every answer, and refuses changes that a page of another site sends.
func (p *page) guard(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.fail(w, r, &viewer{}, refused(http.StatusForbidden, "forbidden_origin", "A page of another site sent this form, so it was refused."))
	}))
	guarded := protection.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", contentSecurityPolicy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Referrer-Policy", "same-origin") // a form without an Origin would count as another site's
		// No Cross-Origin-Opener-Policy: a browser then moves the page to a new process, which delays the first paint of a new
		// browser by 30 to 50 ms. The page opens no windows, cannot be framed, and refuses what another site sends.
		header.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if p.LocalHost != nil && !p.LocalHost(r.Host) { // a name that a foreign DNS server points to this machine
			p.fail(w, r, &viewer{}, refused(http.StatusForbidden, resource.CodeForbiddenHost, "Without authentication the page answers only requests for this machine."))
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

// link returns the address of a path of the page or the API, as the browser sees it.
func (p *page) link(path string) string { return p.BasePath + path }

// redirect answers a form: the browser then loads the view at the path.
func (p *page) redirect(w http.ResponseWriter, r *http.Request, path string) {
	address := p.link(path)
	if r.Header.Get("HX-Request") != "" {
		w.Header().Set("HX-Redirect", address)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	http.Redirect(w, r, address, http.StatusSeeOther) //nolint:gosec // a path below the page's own
}
