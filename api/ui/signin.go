package ui

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// signInCookie has a sign-in that has begun, until its end.
	signInCookie = "orchestrator_signin"
	// maxPending limits the time at the issuer.
	maxPending = 10 * time.Minute
	// maxSignedIn limits a session that an issuer has vouched for: roles are read at the sign-in only.
	maxSignedIn = time.Hour
	// signedIn begins the content of such a session, where another one has an API key.
	signedIn = "oidc:"
)

// ErrNotAllowed means that the issuer knows who signs in, but that they have no role here.
var ErrNotAllowed = errors.New("you have no role here")

// SignIn signs in by OpenID Connect.
type SignIn interface {
	// Begin returns the issuer's address, and what Finish needs.
	Begin(ctx context.Context, redirect string) (location, pending string, err error)
	// Finish returns the content of a session. ErrNotAllowed: there is no role.
	Finish(ctx context.Context, pending string, query url.Values) (session string, err error)
	// As returns a context for calls of the API as the operator of a session.
	As(ctx context.Context, session string) (as context.Context, ok bool)
}

// beginSignIn sends the browser to the issuer.
func (p *page) beginSignIn(w http.ResponseWriter, r *http.Request) {
	if p.SignIn == nil {
		p.redirect(w, r, "/ui/sign-in")
		return
	}
	location, pending, err := p.SignIn.Begin(r.Context(), p.callback(r))
	if err != nil {
		p.signInFailed(w, r, err)
		return
	}
	to := localPath(r.FormValue("to"))
	http.SetCookie(w, p.sessions.made(r, signInCookie, to+"\x00"+pending, maxPending))
	http.Redirect(w, r, location, http.StatusSeeOther) //nolint:gosec // the issuer of the settings
}

// endSignIn takes the browser back.
func (p *page) endSignIn(w http.ResponseWriter, r *http.Request) {
	if p.SignIn == nil {
		p.redirect(w, r, "/ui/sign-in")
		return
	}
	to, pending, _ := strings.Cut(p.sessions.content(r, signInCookie), "\x00")
	http.SetCookie(w, p.sessions.made(r, signInCookie, "", 0)) // one attempt
	session, err := p.SignIn.Finish(r.Context(), pending, r.URL.Query())
	if err != nil {
		p.signInFailed(w, r, err)
		return
	}
	http.SetCookie(w, p.sessions.made(r, sessionCookie, signedIn+session, maxSignedIn))
	p.redirect(w, r, localPath(to))
}

func (p *page) signInFailed(w http.ResponseWriter, r *http.Request, err error) {
	p.Logger.WarnContext(r.Context(), "a sign-in failed", "error", err)
	status, message := http.StatusUnauthorized, "The sign-in failed. Try again; the server log has the reason."
	if errors.Is(err, ErrNotAllowed) {
		status, message = http.StatusForbidden, "You are signed in at the issuer, but none of your groups has a role here."
	}
	p.render(w, r, nil, status, "sign_in", screen{Title: "Sign in", Body: signInView{To: "/", Problem: message, OIDC: true}})
}

// callback returns the address to which the issuer sends the browser back.
func (p *page) callback(r *http.Request) string {
	if p.SignInRedirect != "" {
		return p.SignInRedirect
	}
	scheme := "http://"
	if secure(r) {
		scheme = "https://"
	}
	return scheme + r.Host + p.link("/ui/oidc/callback")
}
