package ui

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

// actView is the form of one action on one saga.
type actView struct {
	Saga     resource.Saga
	Info     actionInfo
	Allowed  bool
	Steps    []string
	Given    actInput
	Large    bool // the data does not fit into the form, which asks for a merge patch instead
	Would    string
	Refused  string
	Same     sameBy
	Revision string
	Problem  *resource.Problem
}

// actInput is what the form sends.
type actInput struct {
	Step, To, Reason, Output, Data, Patch, Revision string
}

func readAct(r *http.Request) actInput {
	return actInput{
		Step: r.PostFormValue("step"), To: r.PostFormValue("to"), Reason: strings.TrimSpace(r.PostFormValue("reason")),
		Output: r.PostFormValue("output"), Data: r.PostFormValue("data"), Patch: r.PostFormValue("patch"), Revision: r.PostFormValue("revision"),
	}
}

// actForm shows what an action would do, and asks for what it needs.
func (p *page) actForm(w http.ResponseWriter, r *http.Request, who *viewer) error {
	view, err := p.readAct(r)
	if err != nil {
		return err
	}
	view.Given = actInput{Revision: view.Revision, Step: view.defaultStep(), To: r.FormValue("to")}
	if view.Info.Patch && !view.Large {
		view.Given.Data = indented(view.Saga.Data)
	}
	if view.Info.To && view.Given.To == "" && len(view.Steps) > 0 {
		view.Given.To = view.Steps[len(view.Steps)-1]
	}
	if who.Operator() && !view.Info.Patch {
		p.foresee(r, &view)
	}
	return p.showAct(w, r, who, view)
}

// defaultStep returns the step that an action requires, if the form has to choose one.
func (v actView) defaultStep() string {
	if (v.Info.Step == "required" || v.Info.Step == "late") && len(v.Steps) > 0 {
		return v.Steps[0]
	}
	return ""
}

func (p *page) showAct(w http.ResponseWriter, r *http.Request, who *viewer, view actView) error {
	view.Same = p.sameAct(r, view)
	return p.show(w, r, who, "act", screen{Title: view.Info.Title + " " + short(view.Saga.ID), Tab: "sagas", Body: view})
}

func (p *page) readAct(r *http.Request) (actView, error) {
	info, known := actionNamed(r.PathValue("action"))
	if !known {
		return actView{}, refused(http.StatusNotFound, "not_found", "This action does not exist.")
	}
	s, err := get[resource.Saga](p, r, nil, "v1", "sagas", r.PathValue("id"))
	if err != nil {
		return actView{}, err
	}
	view := actView{Saga: s, Info: info.forSaga(&s), Steps: stepsFor(info, s), Revision: strconv.FormatInt(s.Revision, 10)}
	view.Large = info.Patch && large(s.Data)
	for _, name := range s.AllowedActions {
		view.Allowed = view.Allowed || string(name) == info.Name
	}
	return view, nil
}

// foresee asks the API what the action would do, by a dry run on this saga.
func (p *page) foresee(r *http.Request, view *actView) {
	asked, err := view.bulk()
	if err == nil {
		asked.DryRun = true
		asked.Filter, _ = json.Marshal(map[string][]string{"ids": {view.Saga.ID}})
		var report resource.DryRun
		report, err = post[resource.DryRun](p, r, asked, "v1", "sagas", "actions")
		if err == nil && len(report.Items) == 1 {
			view.Would, view.Refused = string(report.Items[0].Would), string(report.Items[0].Refused)
		}
	}
	if err != nil {
		view.Refused = err.Error()
	}
}

// foreseeNow looks ahead from the state that the saga has now, which the form then shows. Edited data is a change of the data
// that the form had shown, so it applies to that revision only.
func (p *page) foreseeNow(r *http.Request, view *actView) {
	if view.Given.Revision != "" && view.Given.Revision != view.Revision && view.Info.Patch && view.Given.Data != "" {
		view.Refused = "the saga has changed since this form showed its data (revision " + view.Given.Revision + ", now " + view.Revision +
			"). Open the form again."
		return
	}
	view.Given.Revision = view.Revision
	p.foresee(r, view)
}

// bulk returns the action as one on many sagas, for a dry run.
func (v actView) bulk() (resource.BulkRequest, error) {
	asked := resource.BulkRequest{Action: v.Info.Name, Reason: v.Given.Reason, Step: v.Given.Step}
	if asked.Reason == "" {
		asked.Reason = "to see what would be done"
	}
	var err error
	if v.Info.Output {
		asked.Output, err = optionalJSON(v.Given.Output, "The output")
	}
	if v.Info.Patch && err == nil {
		asked.Patch, err = v.patch()
	}
	if v.Info.To && err == nil {
		asked.To = v.Given.To
		asked.Patch, err = optionalJSON(v.Given.Patch, "The changes of the data")
	}
	return asked, err
}

// patch returns the merge patch from the data that the form showed to the edited one.
func (v actView) patch() (json.RawMessage, error) {
	if v.Given.Data == "" && v.Given.Patch != "" { // the form asked for a patch
		return optionalJSON(v.Given.Patch, "The changes of the data")
	}
	edited, err := optionalJSON(v.Given.Data, "The data")
	if err != nil {
		return nil, err
	}
	to, is := asObject(edited)
	if !is {
		return nil, refused(http.StatusUnprocessableEntity, "invalid_field", "The data must be a JSON object.")
	}
	patch, ok := mergePatch(objectOf(v.Saga.Data), to)
	if !ok {
		return nil, refused(http.StatusUnprocessableEntity, "invalid_field", "A JSON merge patch cannot set a member to null. Remove the member, or give it another value.")
	}
	return json.Marshal(patch)
}

// act carries an action out, or shows what it would do if the form asks for that.
func (p *page) act(w http.ResponseWriter, r *http.Request, who *viewer) error {
	view, err := p.readAct(r)
	if err != nil {
		return err
	}
	view.Given = readAct(r)
	if r.PostFormValue("preview") != "" {
		p.foreseeNow(r, &view)
		return p.showAct(w, r, who, view)
	}
	asked, err := p.actRequest(view)
	if err == nil {
		_, err = call[resource.Saga](p, r, asked)
	}
	if err == nil {
		p.redirect(w, r, withNotice("/ui/sagas/"+view.Saga.ID, notice(noticeActed+view.Info.Name)))
		return nil
	}
	problem, is := asProblem(err)
	if !is || problem.Status == http.StatusUnauthorized {
		return err
	}
	if problem.Status == http.StatusPreconditionFailed && !view.Info.Patch { // the form shows the saga as it is now
		view.Given.Revision = view.Revision
		p.foresee(r, &view)
	}
	view.Problem, view.Same = problem, p.sameAct(r, view)
	p.render(w, r, who, problem.Status, "act", screen{Title: view.Info.Title, Tab: "sagas", Body: view})
	return nil
}

// actRequest returns the call of the API.
func (p *page) actRequest(view actView) (request, error) {
	given := view.Given
	asked := request{method: http.MethodPost, path: []string{"v1", "sagas", view.Saga.ID, view.Info.Name}}
	if given.Revision != "" { // what the form has shown is that of this revision
		asked.header = http.Header{"If-Match": {`"` + given.Revision + `"`}}
	}
	switch {
	case view.Info.Patch:
		patch, err := view.patch()
		if err != nil {
			return asked, err
		}
		asked.method, asked.path[3], asked.body = http.MethodPatch, "data", patch
		asked.query = url.Values{"reason": {given.Reason}}
		if given.Reason == "" {
			return asked, refused(http.StatusUnprocessableEntity, "invalid_parameter", "A reason is required: the history keeps it.")
		}
	case view.Info.To:
		body := map[string]any{"to": given.To, "reason": given.Reason}
		patch, err := optionalJSON(given.Patch, "The changes of the data")
		if err != nil {
			return asked, err
		}
		if patch != nil {
			body["patch"] = patch
		}
		asked.body = body
	default:
		body := map[string]any{"reason": given.Reason}
		if view.Info.Step != "" && given.Step != "" {
			body["step"] = given.Step
		}
		if view.Info.Output {
			output, err := optionalJSON(given.Output, "The output")
			if err != nil {
				return asked, err
			}
			if output != nil {
				body["output"] = output
			}
		}
		asked.body = body
	}
	return asked, nil
}

// sameAct shows the action for the command line, and for curl.
func (p *page) sameAct(r *http.Request, view actView) sameBy {
	reason := view.Given.Reason
	if reason == "" {
		reason = "…"
	}
	filled := view
	filled.Given.Reason = reason
	asked, err := p.actRequest(filled)
	if err != nil {
		return sameBy{}
	}
	path := "/" + strings.Join(asked.path, "/")
	if len(asked.query) > 0 {
		path += "?" + asked.query.Encode()
	}
	words := []string{"sagas", strings.ReplaceAll(view.Info.Name, "_", "-"), view.Saga.ID}
	if body, is := asked.body.(json.RawMessage); is {
		words = append(words, string(body))
	}
	flags := []string{
		"step", view.Given.Step, "to", view.Given.To, "output", view.Given.Output, "patch", view.Given.Patch,
		"reason", reason, "if-revision", view.Given.Revision,
	}
	curl := p.curl(r, asked.method, path, asked.body)
	if match := asked.header.Get("If-Match"); match != "" {
		curl += " -H " + quoted("If-Match: "+match)
	}
	return sameBy{CLI: p.cli(r, words, flags...), Curl: curl}
}
