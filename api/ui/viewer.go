package ui

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

// viewer is an operator or another user of the page.
type viewer struct {
	Name    string
	Role    string
	Limited bool // the viewer's key covers some definitions only
}

// Operator reports whether the viewer may start and repair sagas.
func (v *viewer) Operator() bool { return v.Role == "operator" || v.Role == "admin" }

// Admin reports whether the viewer may change definitions, keys and dead letters.
func (v *viewer) Admin() bool { return v.Role == "admin" }

type ownKey struct{}

// keyOf returns the key of the request's session, or "".
func (p *page) keyOf(r *http.Request) string {
	key, _ := r.Context().Value(ownKey{}).(string)
	return key
}

// withKey puts a key into the context, from which every call of the API takes it.
func withKey(r *http.Request, key string) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), ownKey{}, key))
}

// view answers a request of a viewer. An error becomes a page that explains it.
type view func(w http.ResponseWriter, r *http.Request, who *viewer) error

// serve identifies the viewer by the session's key, and shows the sign-in form if the API refuses the key.
func (p *page) serve(show view) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := &viewer{Role: "admin"}
		if err := r.ParseForm(); err != nil { // a form that cannot be read must not count as an empty one
			p.fail(w, r, who, refused(http.StatusBadRequest, "invalid_body", "The form cannot be read, or is larger than "+byteSize(maxForm)+"."))
			return
		}
		if p.Auth {
			r = withKey(r, p.sessions.key(r))
			key, err := get[resource.Key](p, r, nil, "v1", "keys", "me")
			if err != nil {
				p.fail(w, r, who, err)
				return
			}
			who = &viewer{Name: key.Name, Role: key.Role, Limited: len(key.Definitions) > 0}
		}
		if err := show(w, r, who); err != nil {
			p.fail(w, r, who, err)
		}
	})
}

// fail shows an error. Without a valid key it asks for one.
func (p *page) fail(w http.ResponseWriter, r *http.Request, who *viewer, err error) {
	var problem *resource.Problem
	if !errors.As(err, &problem) {
		p.Logger.ErrorContext(r.Context(), "the page could not be shown", "error", err, "path", r.URL.Path)
		problem = refused(http.StatusInternalServerError, "internal", "The page could not be shown. See the server log.")
	}
	if problem.Status == http.StatusUnauthorized {
		if r.Method == http.MethodGet {
			p.redirect(w, r, "/ui/sign-in?to="+escape(pathAndQuery(r)))
			return
		}
		p.redirect(w, r, "/ui/sign-in")
		return
	}
	p.render(w, r, who, problem.Status, "problem", screen{Title: problem.Title, Body: problem})
}

// signInView is the form for a key.
type signInView struct {
	To      string
	Problem string
	OIDC    bool // there is an issuer
}

func (p *page) signInForm(w http.ResponseWriter, r *http.Request) {
	if !p.Auth {
		p.redirect(w, r, "/")
		return
	}
	p.render(w, r, nil, http.StatusOK, "sign_in", screen{Title: "Sign in", Body: signInView{To: localPath(r.FormValue("to")), OIDC: p.SignIn != nil}})
}

func (p *page) signIn(w http.ResponseWriter, r *http.Request) {
	key, to := strings.TrimSpace(r.PostFormValue("key")), localPath(r.PostFormValue("to"))
	if strings.HasPrefix(key, signedIn) {
		key = "" // what only a session may hold
	}
	if _, err := get[resource.Key](p, withKey(r, key), nil, "v1", "keys", "me"); err != nil {
		message := "This key is not valid. It may be revoked or mistyped."
		var problem *resource.Problem
		if errors.As(err, &problem) && problem.Status != http.StatusUnauthorized {
			message = problem.Detail
		}
		p.render(w, r, nil, http.StatusUnauthorized, "sign_in", screen{Title: "Sign in", Body: signInView{To: to, Problem: message, OIDC: p.SignIn != nil}})
		return
	}
	http.SetCookie(w, p.sessions.cookie(r, key))
	p.redirect(w, r, to)
}

func (p *page) signOut(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, p.sessions.cookie(r, ""))
	p.redirect(w, r, "/ui/sign-in")
}

// localPath returns the path if it is one of the page, else its root: a form must not lead to another site.
func localPath(path string) string {
	if Owns(strings.SplitN(path, "?", 2)[0]) && !strings.HasPrefix(path, "//") && !strings.Contains(path, "\\") {
		return path
	}
	return "/"
}

func pathAndQuery(r *http.Request) string {
	if r.URL.RawQuery == "" {
		return r.URL.Path
	}
	return r.URL.Path + "?" + r.URL.RawQuery
}

func asProblem(err error) (*resource.Problem, bool) {
	var problem *resource.Problem
	return problem, errors.As(err, &problem)
}
