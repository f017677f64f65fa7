package ui

import (
	"net/http"
	"strings"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

type keysView struct {
	Keys    []keyView
	Created *resource.Key // shown once
	Problem *resource.Problem
	Given   resource.NewKey
}

// keyView is a key in the list.
type keyView struct {
	resource.Key
	Expired bool
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
		expired := key.RevokedAt == nil && key.ExpiresAt != nil && !p.Now().Before(key.ExpiresAt.Time)
		view.Keys = append(view.Keys, keyView{key, expired})
	}
	p.render(w, r, who, status, "keys", screen{Title: "Keys", Tab: "keys", Body: view})
	return nil
}

// createKey shows the new key in its answer, because it cannot be read again.
func (p *page) createKey(w http.ResponseWriter, r *http.Request, who *viewer) error {
	asked := resource.NewKey{Name: strings.TrimSpace(r.PostFormValue("name")), Role: r.PostFormValue("role"), ExpiresIn: strings.TrimSpace(r.PostFormValue("expires_in"))}
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

func (p *page) revokeKey(w http.ResponseWriter, r *http.Request, _ *viewer) error {
	if _, err := call[struct{}](p, r, request{method: http.MethodDelete, path: []string{"v1", "keys", r.PathValue("id")}}); err != nil {
		return err
	}
	p.redirect(w, r, withNotice("/ui/keys", noticeRevoked))
	return nil
}

// setDemo turns a fault of the demo on or off.
func (p *page) setDemo(w http.ResponseWriter, r *http.Request, who *viewer) error {
	if p.Demo == nil {
		return refused(http.StatusNotFound, "not_found", "This is not a demo.")
	}
	if !who.Operator() {
		return refused(http.StatusForbidden, "forbidden", "Only operators may break the demo's workers.")
	}
	if err := p.Demo.SetFault(r.PostFormValue("fault"), r.PostFormValue("on") == "true"); err != nil {
		return refused(http.StatusUnprocessableEntity, "invalid_field", "The demo does not have this fault.")
	}
	p.redirect(w, r, localPath(r.PostFormValue("back")))
	return nil
}

func (p *page) help(w http.ResponseWriter, r *http.Request, who *viewer) error {
	return p.show(w, r, who, "help", screen{Title: "Help", Tab: "help", Body: tabs()})
}

func (p *page) unknown(http.ResponseWriter, *http.Request, *viewer) error {
	return refused(http.StatusNotFound, "not_found", "This address does not exist. It may have been mistyped, or it is one of a newer version.")
}
