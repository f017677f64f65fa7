package ui

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

// bulkFormView is the form of a bulk action: what to do, to which, how fast, and what would come of it.
type bulkFormView struct {
	On      string // sagas or dead_letters
	Filter  string // JSON
	Chips   []chip
	IDs     int // number of targets that are named one by one; 0: a filter selects them
	Back    string
	Actions []actionInfo
	Info    actionInfo
	Given   bulkInput
	Report  *resource.DryRun
	Problem *resource.Problem
	Same    sameBy
}

type bulkInput struct {
	Action, Reason, Step, Output, Patch, To, Rate, Canary, StopAfter string
}

// letterActions returns the actions on dead letters.
func letterActions() []actionInfo {
	return []actionInfo{
		{Name: "redrive", Title: "Redrive", Reason: true, Main: true, About: "Sends each message to where it was going, with the same id and body."},
		{Name: "discard", Title: "Discard", Reason: true, Danger: true, About: "Deletes each message. It cannot be brought back."},
	}
}

// bulkForm begins with the filter of a list, or with the ticked rows.
func (p *page) bulkForm(w http.ResponseWriter, r *http.Request, who *viewer) error {
	query := r.URL.Query()
	view := bulkFormView{On: "sagas", Given: bulkInput{Action: query.Get("action")}}
	names, lists := sagaFilters()
	path := "/ui/sagas"
	if query.Get("on") == "dead_letters" {
		view.On, names, lists, path = "dead_letters", letterFilters(), nil, "/ui/dead-letters"
	}
	filters := chosen(query, names)
	view.Back, view.Chips = path+"?"+filters.Encode(), chipsOf(filters, path)
	ids := query["id"]
	if query.Get("some") != "" && len(ids) == 0 { // the ticked rows were meant, never all that match
		return refused(http.StatusUnprocessableEntity, "filter_required", "Tick a row first, or act on all that match.")
	}
	if len(ids) > 0 && query.Get("all") == "" {
		content, _ := json.Marshal(map[string][]string{"ids": ids}) // a list of texts
		view.Filter, view.IDs = string(content), len(ids)
	} else {
		view.Filter = string(filterJSON(filters, lists))
	}
	return p.showBulkForm(w, r, who, http.StatusOK, view)
}

func (p *page) showBulkForm(w http.ResponseWriter, r *http.Request, who *viewer, status int, view bulkFormView) error {
	view.Actions = actionInfos()
	if view.On == "dead_letters" {
		view.Actions = letterActions()
	}
	view.Info = view.Actions[0]
	for _, info := range view.Actions {
		if info.Name == view.Given.Action {
			view.Info = info
		}
	}
	view.Given.Action = view.Info.Name
	if asked, err := view.request(); err == nil {
		asked.DryRun = false
		view.Same = sameBy{CLI: p.bulkCLI(r, view), Curl: p.curl(r, http.MethodPost, "/"+strings.Join(view.path(), "/"), asked)}
	}
	p.render(w, r, who, status, "bulk_form", screen{Title: "Act on many", Tab: "bulk", Body: view})
	return nil
}

// readBulkForm reads what the form sent.
func readBulkForm(r *http.Request) bulkFormView {
	view := bulkFormView{
		On: "sagas", Filter: r.PostFormValue("filter"), Back: localPath(r.PostFormValue("back")),
		Given: bulkInput{
			Action: r.PostFormValue("action"), Reason: strings.TrimSpace(r.PostFormValue("reason")), Step: strings.TrimSpace(r.PostFormValue("step")),
			Output: r.PostFormValue("output"), Patch: r.PostFormValue("patch"), To: strings.TrimSpace(r.PostFormValue("to")),
			Rate: r.PostFormValue("rate"), Canary: r.PostFormValue("canary"), StopAfter: r.PostFormValue("stop_after"),
		},
	}
	if r.PostFormValue("on") == "dead_letters" {
		view.On = "dead_letters"
	}
	if address, err := url.Parse(view.Back); err == nil {
		names, _ := sagaFilters()
		if view.On == "dead_letters" {
			names = letterFilters()
		}
		view.Chips = chipsOf(chosen(address.Query(), names), address.Path)
	}
	var named struct {
		IDs []string `json:"ids"`
	}
	if json.Unmarshal([]byte(view.Filter), &named) == nil {
		view.IDs = len(named.IDs)
	}
	return view
}

// bulkRequest is the body of both calls that act on many. Fields that an action does not have are left out.
type bulkRequest struct {
	Action    string          `json:"action"`
	Filter    json.RawMessage `json:"filter"`
	Reason    string          `json:"reason"`
	Step      string          `json:"step,omitempty"`
	Output    json.RawMessage `json:"output,omitempty"`
	Patch     json.RawMessage `json:"patch,omitempty"`
	To        string          `json:"to,omitempty"`
	DryRun    bool            `json:"dry_run,omitempty"`
	Rate      any             `json:"rate,omitempty"`
	Canary    any             `json:"canary,omitempty"`
	StopAfter any             `json:"stop_after,omitempty"`
}

func (v bulkFormView) path() []string {
	if v.On == "dead_letters" {
		return []string{"v1", "dead-letters", "actions"}
	}
	return []string{"v1", "sagas", "actions"}
}

func (v bulkFormView) request() (bulkRequest, error) {
	info, _ := actionNamed(v.Given.Action)
	if !json.Valid([]byte(v.Filter)) {
		return bulkRequest{}, refused(http.StatusUnprocessableEntity, "invalid_field", "The filter is not valid JSON.")
	}
	asked := bulkRequest{Action: v.Given.Action, Filter: json.RawMessage(v.Filter), Reason: v.Given.Reason}
	var err error
	if info.Step != "" {
		asked.Step = v.Given.Step
	}
	if info.To {
		asked.To = v.Given.To
	}
	if info.Output {
		asked.Output, err = optionalJSON(v.Given.Output, "The output")
	}
	if (info.Patch || info.To) && err == nil {
		asked.Patch, err = optionalJSON(v.Given.Patch, "The patch")
	}
	for _, field := range []struct {
		into        *any
		value, what string
	}{{&asked.Rate, v.Given.Rate, "The rate"}, {&asked.Canary, v.Given.Canary, "The canary"}, {&asked.StopAfter, v.Given.StopAfter, "Stop after"}} {
		if err == nil {
			*field.into, err = numberOrNull(field.value, field.what)
		}
	}
	return asked, err
}

// bulkPreview shows what the bulk action would do, and to which. A change of the action only shows its fields.
func (p *page) bulkPreview(w http.ResponseWriter, r *http.Request, who *viewer) error {
	view := readBulkForm(r)
	if r.PostFormValue("choose") != "" {
		return p.showBulkForm(w, r, who, http.StatusOK, view)
	}
	asked, err := view.request()
	if err == nil {
		asked.DryRun = true
		if asked.Reason == "" {
			asked.Reason = "to see what would be done"
		}
		var report resource.DryRun
		report, err = post[resource.DryRun](p, r, asked, view.path()...)
		view.Report = &report
	}
	return p.bulkAnswer(w, r, who, view, err)
}

// bulkAnswer shows the form again, with what was wrong.
func (p *page) bulkAnswer(w http.ResponseWriter, r *http.Request, who *viewer, view bulkFormView, err error) error {
	if err == nil {
		return p.showBulkForm(w, r, who, http.StatusOK, view)
	}
	problem, is := asProblem(err)
	if !is || problem.Status == http.StatusUnauthorized {
		return err
	}
	view.Problem, view.Report = problem, nil
	return p.showBulkForm(w, r, who, problem.Status, view)
}

// bulkStart starts the bulk action and shows its progress.
func (p *page) bulkStart(w http.ResponseWriter, r *http.Request, who *viewer) error {
	view := readBulkForm(r)
	asked, err := view.request()
	if err == nil {
		var begun resource.BulkAction
		begun, err = post[resource.BulkAction](p, r, asked, view.path()...)
		if err == nil {
			p.redirect(w, r, "/ui/bulk/"+begun.ID)
			return nil
		}
	}
	return p.bulkAnswer(w, r, who, view, err)
}

// bulkCLI returns the command line of a bulk action; empty for targets that are named one by one.
func (p *page) bulkCLI(r *http.Request, v bulkFormView) string {
	if v.IDs > 0 {
		return ""
	}
	var filter []string
	for _, chip := range v.Chips {
		filter = append(filter, chip.Name+"="+strings.NewReplacer(`\`, `\\`, ",", `\,`).Replace(chip.Value))
	}
	group := "sagas"
	if v.On == "dead_letters" {
		group = "dead-letters"
	}
	words := []string{group, strings.ReplaceAll(v.Info.Name, "_", "-")}
	flags := []string{
		"filter", strings.Join(filter, ","), "step", v.Given.Step, "to", v.Given.To, "output", v.Given.Output,
		"reason", v.Given.Reason, "canary", v.Given.Canary, "rate", v.Given.Rate, "stop-after", v.Given.StopAfter,
	}
	if v.Info.Patch {
		words = append(words, v.Given.Patch)
	} else {
		flags = append(flags, "patch", v.Given.Patch)
	}
	return p.cli(r, words, flags...)
}
