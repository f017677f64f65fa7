package ui

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

type webhooksView struct {
	Rows    []webhookView
	Form    webhookForm
	Problem *resource.Problem
}

// webhookView is a webhook in the list, or in a view of its own.
type webhookView struct {
	resource.Webhook
	Form    webhookForm
	Problem *resource.Problem
	Secret  string                // shown once
	Tested  *resource.WebhookTest // the result of a test event; nil: none was sent
	Same    sameBy
}

// Health returns in a word how deliveries go.
func (w webhookView) Health() string {
	switch {
	case w.LastError != "":
		return "failing"
	case w.LastAt == nil:
		return "idle"
	}
	return "delivering"
}

// webhookForm is what the form of a webhook holds.
type webhookForm struct {
	Name, URL string
	Secret    string // keep, new or given
	Given     string // the secret, with "given"
	Usual     []facet
	Others    []facet
	New       bool
}

// Picked reports whether a type of event is chosen that is listed below the usual ones.
func (f webhookForm) Picked() bool {
	return slices.ContainsFunc(f.Others, func(f facet) bool { return f.On })
}

// usualEvents returns the types of events for which most webhooks are made.
func usualEvents() []string {
	return []string{
		string(saga.EntryStuck), string(saga.EntryAttention), "queue.unhealthy", "queue.healthy", "dead_letter.added",
		string(saga.EntryCompleted), string(saga.EntryCompensated), string(saga.EntryAbandoned),
	}
}

func newWebhookForm(hook resource.Webhook) webhookForm {
	form := webhookForm{Name: hook.Name, URL: hook.URL, Secret: "keep", Usual: facets(usualEvents(), hook.Events)}
	for _, one := range facets(saga.EntryTypes(), hook.Events) {
		if !slices.Contains(usualEvents(), one.Value) {
			form.Others = append(form.Others, one)
		}
	}
	return form
}

// givenWebhook reads the form of a webhook.
func givenWebhook(r *http.Request) (form webhookForm, hook resource.NewWebhook) {
	hook = resource.NewWebhook{URL: strings.TrimSpace(r.PostFormValue("url")), Events: r.PostForm["events"]}
	form = newWebhookForm(resource.Webhook{Name: strings.TrimSpace(r.PostFormValue("name")), URL: hook.URL, Events: hook.Events})
	form.Secret, form.Given = r.PostFormValue("secret"), strings.TrimSpace(r.PostFormValue("given"))
	switch form.Secret {
	case "new":
		random := make([]byte, 32)
		_, _ = rand.Read(random) // it never returns an error
		made := "whsec_" + base64.StdEncoding.EncodeToString(random)
		hook.Secret = &made
	case "given":
		hook.Secret = &form.Given
	}
	return form, hook
}

func (p *page) webhooks(w http.ResponseWriter, r *http.Request, who *viewer) error {
	return p.showWebhooks(w, r, who, http.StatusOK, webhooksView{Form: newWebhookForm(resource.Webhook{})})
}

func (p *page) showWebhooks(w http.ResponseWriter, r *http.Request, who *viewer, status int, view webhooksView) error {
	found, err := get[resource.List[resource.Webhook]](p, r, nil, "v1", "webhooks")
	if err != nil {
		return err
	}
	for _, hook := range found.Items {
		view.Rows = append(view.Rows, webhookView{Webhook: hook})
	}
	view.Form.New = true
	p.render(w, r, who, status, "webhooks", screen{Title: "Webhooks", Tab: "webhooks", Body: view})
	return nil
}

// addWebhook stores a new webhook. It does not replace one, which the API would do.
func (p *page) addWebhook(w http.ResponseWriter, r *http.Request, who *viewer) error {
	form, hook := givenWebhook(r)
	var problem *resource.Problem
	if _, err := get[resource.Webhook](p, r, nil, "v1", "webhooks", form.Name); form.Name != "" && err == nil {
		problem = refused(http.StatusConflict, "name_in_use", "A webhook of this name exists. Open it in the list to change it.")
	} else {
		kept, fault := p.putWebhook(r, form.Name, hook)
		if fault == nil {
			return p.showWebhook(w, r, who, http.StatusCreated, webhookView{Webhook: kept, Secret: kept.Secret})
		}
		var is bool
		if problem, is = asProblem(fault); !is || problem.Status != http.StatusUnprocessableEntity {
			return fault
		}
	}
	return p.showWebhooks(w, r, who, problem.Status, webhooksView{Form: form, Problem: problem})
}

func (p *page) putWebhook(r *http.Request, name string, hook resource.NewWebhook) (resource.Webhook, error) {
	return call[resource.Webhook](p, r, request{method: http.MethodPut, path: []string{"v1", "webhooks", name}, body: hook})
}

func (p *page) webhook(w http.ResponseWriter, r *http.Request, who *viewer) error {
	found, err := get[resource.Webhook](p, r, nil, "v1", "webhooks", r.PathValue("name"))
	if err != nil {
		return err
	}
	return p.showWebhook(w, r, who, http.StatusOK, webhookView{Webhook: found})
}

func (p *page) showWebhook(w http.ResponseWriter, r *http.Request, who *viewer, status int, view webhookView) error {
	if view.Form.URL == "" && view.Problem == nil {
		view.Form = newWebhookForm(view.Webhook)
	}
	view.Same = sameBy{
		CLI:  p.cli(r, []string{"webhooks", "put", view.Name}, "url", view.URL, "events", strings.Join(view.Events, ",")),
		Curl: p.curl(r, http.MethodPut, "/v1/webhooks/"+view.Name, resource.NewWebhook{URL: view.URL, Events: view.Events}),
	}
	p.render(w, r, who, status, "webhook", screen{Title: "Webhook " + view.Name, Tab: "webhooks", Body: view})
	return nil
}

// changeWebhook replaces a webhook. Its secret stays unless the form says otherwise.
func (p *page) changeWebhook(w http.ResponseWriter, r *http.Request, who *viewer) error {
	name := r.PathValue("name")
	found, err := get[resource.Webhook](p, r, nil, "v1", "webhooks", name)
	if err != nil {
		return err
	}
	form, hook := givenWebhook(r)
	kept, err := p.putWebhook(r, name, hook)
	if err == nil && kept.Secret == "" {
		p.redirect(w, r, withNotice(joined([]string{"/ui/webhooks", name}), noticeWebhook))
		return nil
	}
	if err == nil {
		return p.showWebhook(w, r, who, http.StatusOK, webhookView{Webhook: kept, Secret: kept.Secret})
	}
	problem, is := asProblem(err)
	if !is || problem.Status != http.StatusUnprocessableEntity {
		return err
	}
	return p.showWebhook(w, r, who, problem.Status, webhookView{Webhook: found, Form: form, Problem: problem})
}

// testWebhook sends a test event and shows what became of it.
func (p *page) testWebhook(w http.ResponseWriter, r *http.Request, who *viewer) error {
	name := r.PathValue("name")
	tested, err := post[resource.WebhookTest](p, r, nil, "v1", "webhooks", name, "test")
	if err != nil {
		return err
	}
	found, err := get[resource.Webhook](p, r, nil, "v1", "webhooks", name)
	if err != nil {
		return err
	}
	return p.showWebhook(w, r, who, http.StatusOK, webhookView{Webhook: found, Tested: &tested})
}

func (p *page) deleteWebhook(w http.ResponseWriter, r *http.Request, _ *viewer) error {
	path := []string{"v1", "webhooks", r.PathValue("name")}
	if _, err := call[struct{}](p, r, request{method: http.MethodDelete, path: path}); err != nil {
		return err
	}
	p.redirect(w, r, withNotice("/ui/webhooks", noticeUnhooked))
	return nil
}
