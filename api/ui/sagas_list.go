package ui

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// sagasView is a page of the list of sagas.
type sagasView struct {
	Rows        []sagaRow
	Query       string     // the filters, without the page
	Values      url.Values // the filters
	Statuses    []facet
	Reasons     []facet
	Chips       []chip
	Definitions []string
	Next        string // address of the next page; empty on the last one
	First       string // address of the first page, unless this is it
	Same        sameBy
	Total       int // of rows
	Actions     []actionInfo
}

// Further reports whether a filter is set that is below "More filters".
func (v sagasView) Further() bool {
	return slices.ContainsFunc([]string{"step", "error_code", "attention_reason", "label", "created_after", "created_before", "version"}, v.Values.Has)
}

type sagaRow struct {
	resource.Saga
	Why  string // the reason for which it is not further
	Step string
	Code string
}

const listPage = "50"

// sagas shows the list. Its filters are those of the API, in the address.
func (p *page) sagas(w http.ResponseWriter, r *http.Request, who *viewer) error {
	all, _ := sagaFilters()
	query := chosen(r.URL.Query(), all)
	asked := url.Values{"limit": {listPage}}
	maps.Copy(asked, query)
	cursor := r.URL.Query().Get("cursor")
	if cursor != "" {
		asked.Set("cursor", cursor)
	}
	found, err := get[resource.List[resource.Saga]](p, r, asked, "v1", "sagas")
	if err != nil {
		return err
	}
	view := sagasView{
		Query: query.Encode(), Values: query, Chips: chipsOf(query, "/ui/sagas"), Total: len(found.Items),
		Statuses: facets(saga.Statuses(), query["status"]), Reasons: facets(saga.AttentionReasons(), query["attention_reason"]),
		Actions: actionInfos(),
	}
	for _, s := range found.Items {
		view.Rows = append(view.Rows, rowOf(s))
	}
	view.Definitions = p.definitionNames(r)
	if found.NextCursor != "" {
		view.Next = "/ui/sagas?" + with(query, "cursor", string(found.NextCursor))
	}
	if cursor != "" {
		view.First = "/ui/sagas?" + query.Encode()
	}
	view.Same = sameBy{
		CLI:  p.cli(r, []string{"sagas", "list"}, flagsOf(query)...),
		Curl: p.curl(r, http.MethodGet, "/v1/sagas?"+query.Encode(), nil),
	}
	return p.show(w, r, who, "sagas", screen{Title: "Sagas", Tab: "sagas", Body: view})
}

// rowOf says in a row why a saga is where it is.
func rowOf(s resource.Saga) sagaRow {
	row := sagaRow{Saga: s}
	switch {
	case s.Unreadable != "":
		row.Why = string(s.Unreadable)
	case s.Attention != nil:
		row.Why, row.Step = s.Attention.Message, string(s.Attention.Step)
		row.Code = string(s.Attention.Reason)
	case s.Status == saga.Scheduled && s.StartAt != nil:
		row.Why = "starts at " + stamp(s.StartAt)
	case s.Failure != nil:
		row.Why, row.Step, row.Code = s.Failure.Message, string(s.Failure.Step), s.Failure.Code
	case !s.Status.Terminal():
		row.Why, row.Step = goingOn(s)
	}
	return row
}

// goingOn names what a saga does at the moment.
func goingOn(s resource.Saga) (why, step string) {
	var names []string
	for _, step := range s.Steps {
		switch step.Status {
		case saga.StepRunning, saga.StepRetrying, saga.StepCompensating:
			what := string(step.Status)
			if step.Status == saga.StepRetrying && step.Error != nil {
				what += ", " + step.Error.Code
			}
			names = append(names, step.Name+" "+what)
		}
	}
	return strings.Join(names, "; "), ""
}

func with(query url.Values, name, value string) string {
	extended := url.Values{name: {value}}
	maps.Copy(extended, query)
	return extended.Encode()
}

// flagsOf returns filters as flags of the command line.
func flagsOf(query url.Values) []string {
	var flags []string
	for _, name := range sortedNames(query) {
		for _, value := range query[name] {
			if name == "key" {
				name = "business-key"
			}
			flags = append(flags, strings.ReplaceAll(name, "_", "-"), value)
		}
	}
	return flags
}

// definitionNames returns the names of the definitions, for a field's suggestions.
func (p *page) definitionNames(r *http.Request) []string {
	found, err := get[resource.List[resource.Definition]](p, r, url.Values{"limit": {"100"}}, "v1", "definitions")
	if err != nil {
		return nil
	}
	var names []string
	for _, definition := range found.Items {
		names = append(names, definition.Name)
	}
	slices.Sort(names)
	return names
}

// goTo leads from the search field to a saga by its id, or to the list of sagas with that business key.
func (p *page) goTo(w http.ResponseWriter, r *http.Request, _ *viewer) error {
	wanted := strings.TrimSpace(r.FormValue("q"))
	if wanted == "" {
		p.redirect(w, r, "/ui/sagas")
		return nil
	}
	if s, err := get[resource.Saga](p, r, nil, "v1", "sagas", wanted); err == nil {
		p.redirect(w, r, "/ui/sagas/"+s.ID)
		return nil
	}
	name := "key"
	if slices.Contains(p.definitionNames(r), wanted) {
		name = "definition"
	}
	p.redirect(w, r, withQuery("/ui/sagas", name, wanted))
	return nil
}
