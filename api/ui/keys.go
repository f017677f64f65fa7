package ui

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

type keysView struct {
	Keys    []keyView
	Created *resource.Key // shown once
	Problem *resource.Problem
	Given   resource.NewKey
	Same    sameBy
}

// keyView is a key in the list, or in a view of its own.
type keyView struct {
	resource.Key
	State    string
	OldValid bool          // the secret before the last rotation is still valid
	Own      bool          // the viewer is signed in with it
	Rotated  *resource.Key // with the new secret, shown once
	Grace    string        // as given
	Problem  *resource.Problem
	Same     sameBy
}

// Valid reports whether the key can still be used, and rotated.
func (v keyView) Valid() bool { return v.State == "valid" }

func (p *page) viewKey(key resource.Key) keyView {
	view := keyView{Key: key, State: "valid", OldValid: key.OldUntil != nil && p.Now().Before(key.OldUntil.Time)}
	switch {
	case key.RevokedAt != nil:
		view.State = "revoked"
	case key.ExpiresAt != nil && !p.Now().Before(key.ExpiresAt.Time):
		view.State = "expired"
	}
	return view
}

func (p *page) keys(w http.ResponseWriter, r *http.Request, who *viewer) error {
	return p.showKeys(w, r, who, http.StatusOK, keysView{})
}

func (p *page) showKeys(w http.ResponseWriter, r *http.Request, who *viewer, status int, view keysView) error {
	found, err := get[resource.List[resource.Key]](p, r, nil, "v1", "keys")
	if err != nil {
		return err
	}
	for _, key := range found.Items {
		view.Keys = append(view.Keys, p.viewKey(key))
	}
	view.Same = sameBy{
		CLI:  p.cli(r, []string{"keys", "create"}, "role", "operator", "name", "ci", "expires", "90d"),
		Curl: p.curl(r, http.MethodPost, "/v1/keys", resource.NewKey{Name: "ci", Role: "operator", ExpiresIn: "90d"}),
	}
	p.render(w, r, who, status, "keys", screen{Title: "Keys", Tab: "keys", Body: view})
	return nil
}

// createKey shows the new key in its answer, because it cannot be read again.
func (p *page) createKey(w http.ResponseWriter, r *http.Request, who *viewer) error {
	asked := resource.NewKey{
		Name: strings.TrimSpace(r.PostFormValue("name")), Role: r.PostFormValue("role"), ExpiresIn: strings.TrimSpace(r.PostFormValue("expires_in")),
	}
	for name := range strings.SplitSeq(r.PostFormValue("definitions"), ",") {
		if name = strings.TrimSpace(name); name != "" {
			asked.Definitions = append(asked.Definitions, name)
		}
	}
	made, err := post[resource.Key](p, r, asked, "v1", "keys")
	if err == nil {
		return p.showKeys(w, r, who, http.StatusCreated, keysView{Created: &made})
	}
	problem, is := asProblem(err)
	if !is || problem.Status != http.StatusUnprocessableEntity {
		return err
	}
	return p.showKeys(w, r, who, problem.Status, keysView{Problem: problem, Given: asked})
}

// key shows one key. The API has only a list of them.
func (p *page) key(w http.ResponseWriter, r *http.Request, who *viewer) error {
	return p.showKey(w, r, who, http.StatusOK, keyView{Grace: "1h"})
}

// showKey shows the key of the address, with what the view has besides.
func (p *page) showKey(w http.ResponseWriter, r *http.Request, who *viewer, status int, view keyView) error {
	id := r.PathValue("id")
	found, err := get[resource.List[resource.Key]](p, r, nil, "v1", "keys")
	if err != nil {
		return err
	}
	i := slices.IndexFunc(found.Items, func(k resource.Key) bool { return k.ID == id })
	if i < 0 {
		return refused(http.StatusNotFound, resource.CodeKeyNotFound, "A key with this id does not exist.")
	}
	own, err := p.isOwnKey(r, id)
	if err != nil {
		return err
	}
	shown := p.viewKey(found.Items[i])
	shown.Own, shown.Rotated, shown.Grace, shown.Problem = own, view.Rotated, view.Grace, view.Problem
	shown.Same = sameBy{
		CLI:  p.cli(r, []string{"keys", "rotate", id}, "grace", "1h"),
		Curl: p.curl(r, http.MethodPost, "/v1/keys/"+url.PathEscape(id)+"/rotate", resource.RotateKey{Grace: "1h"}),
	}
	p.render(w, r, who, status, "key", screen{Title: "Key of " + cut(shown.Name, 64), Tab: "keys", Body: shown})
	return nil
}

// isOwnKey reports whether the viewer is signed in with the key.
func (p *page) isOwnKey(r *http.Request, id string) (bool, error) {
	if !p.Auth {
		return false, nil
	}
	own, err := get[resource.Key](p, r, nil, "v1", "keys", "me")
	return own.ID == id, err
}

// rotateKey shows the new secret in its answer, because it cannot be read again. A viewer who rotates the key of the session
// stays signed in, with the new secret.
func (p *page) rotateKey(w http.ResponseWriter, r *http.Request, who *viewer) error {
	id, grace := r.PathValue("id"), strings.TrimSpace(r.PostFormValue("grace"))
	own, err := p.isOwnKey(r, id)
	if err != nil {
		return err
	}
	rotated, err := post[resource.Key](p, r, resource.RotateKey{Grace: grace}, "v1", "keys", id, "rotate")
	if err == nil {
		if own {
			http.SetCookie(w, p.sessions.cookie(r, rotated.Secret))
			r = withKey(r, rotated.Secret)
		}
		return p.showKey(w, r, who, http.StatusOK, keyView{Rotated: &rotated, Grace: grace})
	}
	problem, is := asProblem(err)
	if !is || problem.Status != http.StatusUnprocessableEntity && problem.Status != http.StatusConflict {
		return err
	}
	return p.showKey(w, r, who, problem.Status, keyView{Grace: grace, Problem: problem})
}

func (p *page) revokeKey(w http.ResponseWriter, r *http.Request, _ *viewer) error {
	if _, err := call[struct{}](p, r, request{method: http.MethodDelete, path: []string{"v1", "keys", r.PathValue("id")}}); err != nil {
		return err
	}
	p.redirect(w, r, withNotice("/ui/keys", noticeRevoked))
	return nil
}
