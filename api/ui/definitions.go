package ui

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

type definitionRow struct {
	resource.Definition
	Steps []definedStep
	Live  int64 // sagas that have not ended
	Stuck int64
	Ended int64
}

// Unfinished returns the address of the list of the sagas that have not ended.
func (d definitionRow) Unfinished() string { return "/ui/sagas?" + unfinished(d.Name, "").Encode() }

// unfinished returns the filters that select the sagas of a definition that have not ended. An empty version is every version.
func unfinished(name, version string) url.Values {
	query := url.Values{"definition": {name}}
	if version != "" {
		query.Set("version", version)
	}
	for _, status := range saga.Statuses() {
		if !status.Terminal() {
			query.Add("status", string(status))
		}
	}
	return query
}

type definitionsView struct {
	Rows     []definitionRow
	Next     string
	Counting bool // the counts take too long for the first paint
}

type definitionView struct {
	Definition resource.Definition
	Latest     int
	Graph      graph
	Versions   []versionRow
	Compare    int // version on the left of the comparison; 0: none
	Diff       []diffLine
	Same       bool // the versions that are compared do not differ
	Body       string
	Do         sameBy
}

type versionRow struct {
	resource.Definition
	Live    int
	AtLeast bool // Live is where counting stopped
	Counted bool
	Current bool
	Shown   int // the version that the view shows
}

// Comparison returns the address of the view that compares this version with the one that is shown.
func (v versionRow) Comparison() string {
	return withQuery("/ui/definitions/"+url.PathEscape(v.Name), "version", text(v.Shown), "compare", text(v.Version)) + "#diff"
}

func (p *page) definitions(w http.ResponseWriter, r *http.Request, who *viewer) error {
	query := url.Values{"limit": {listPage}}
	if cursor := r.FormValue("cursor"); cursor != "" {
		query.Set("cursor", cursor)
	}
	counts := begin(r, func(r *http.Request) (resource.Stats, error) { return get[resource.Stats](p, r, nil, "v1", "stats") })
	found, err := get[resource.List[resource.Definition]](p, r, query, "v1", "definitions")
	if err != nil {
		return err
	}
	stats, counted, err := counts.result(r)
	if err != nil {
		return err
	}
	view := definitionsView{Counting: !counted}
	for _, d := range found.Items {
		row := definitionRow{Definition: d, Steps: stepsOf(d.Steps)}
		for status, n := range stats.Sagas[d.Name] {
			switch {
			case status.Terminal():
				row.Ended += n
			case status == saga.Stuck:
				row.Stuck += n
				row.Live += n
			default:
				row.Live += n
			}
		}
		view.Rows = append(view.Rows, row)
	}
	if found.NextCursor != "" {
		view.Next = withQuery("/ui/definitions", "cursor", string(found.NextCursor))
	}
	return p.show(w, r, who, "definitions", screen{Title: "Definitions", Tab: "definitions", Body: view})
}

func (p *page) definition(w http.ResponseWriter, r *http.Request, who *viewer) error {
	name := r.PathValue("name")
	latest, err := get[resource.Definition](p, r, nil, "v1", "definitions", name)
	if err != nil {
		return err
	}
	view := definitionView{Definition: latest, Latest: latest.Version}
	if version, err := strconv.Atoi(r.FormValue("version")); err == nil && version != latest.Version {
		if view.Definition, err = p.readVersion(r, name, version); err != nil {
			return err
		}
		view.Definition.Disabled = latest.Disabled
	}
	if err := p.readVersions(r, &view); err != nil {
		return err
	}
	view.Graph = viewGraph(stepsOf(view.Definition.Steps), nil, "")
	view.Body = bodyText(view.Definition)
	if other, err := strconv.Atoi(r.FormValue("compare")); err == nil && other != view.Definition.Version {
		against, err := p.readVersion(r, name, other)
		if err != nil {
			return err
		}
		view.Compare = other
		view.Diff, view.Same = diff(bodyText(against), view.Body)
	}
	view.fit()
	view.Do = sameBy{
		CLI:  p.cli(r, []string{"definitions", "show", name}),
		Curl: p.curl(r, http.MethodGet, "/v1/definitions/"+name, nil),
	}
	return p.show(w, r, who, "definition", screen{Title: name, Tab: "definitions", Body: view})
}

// fit shortens what the view shows of large definitions. The API has all of them.
func (v *definitionView) fit() {
	v.Body = (&room{left: 4 * maxShownSteps}).text(v.Body, maxShown)
	left := room{left: 4 * maxShownSteps}
	for i, line := range v.Diff {
		if left.left < rowSize {
			v.Diff = append(v.Diff[:i:i], diffLine{Sign: "…", Text: strconv.Itoa(len(v.Diff)-i) + " more lines"})
			break
		}
		left.left -= rowSize / 4
		v.Diff[i].Text = left.text(line.Text, maxShown)
	}
}

// The page counts the live sagas of the newest versions, and each of them up to a limit: a count is a page of a list.
const (
	countedVersions = 6
	mostCounted     = 100
)

func (p *page) readVersions(r *http.Request, view *definitionView) error {
	name := view.Definition.Name
	found, err := get[resource.List[resource.Definition]](p, r, url.Values{"limit": {"100"}}, "v1", "definitions", name, "versions")
	if err != nil {
		return err
	}
	slices.SortFunc(found.Items, func(a, b resource.Definition) int { return b.Version - a.Version })
	for i, d := range found.Items {
		row := versionRow{Definition: d, Current: d.Version == view.Definition.Version, Shown: view.Definition.Version}
		if i < countedVersions {
			query := unfinished(name, text(d.Version))
			query.Set("limit", text(mostCounted))
			live, err := get[resource.List[struct{}]](p, r, query, "v1", "sagas")
			if err != nil {
				return err
			}
			row.Live, row.AtLeast, row.Counted = len(live.Items), live.NextCursor != "", true
		}
		view.Versions = append(view.Versions, row)
	}
	return nil
}

func bodyText(d resource.Definition) string {
	body, err := d.Body()
	if err != nil {
		return ""
	}
	return indented(body)
}

// setDefinition disables or enables a definition.
func (p *page) setDefinition(w http.ResponseWriter, r *http.Request, _ *viewer) error {
	name, disabled := r.PathValue("name"), r.PostFormValue("disabled") == "true"
	body := resource.DefinitionSettings{Disabled: &disabled}
	if _, err := call[resource.Definition](p, r, request{method: http.MethodPatch, path: []string{"v1", "definitions", name}, body: body}); err != nil {
		return err
	}
	said := noticeEnabled
	if disabled {
		said = noticeDisabled
	}
	p.redirect(w, r, withNotice("/ui/definitions/"+url.PathEscape(name), said))
	return nil
}

// inputView is a form with a JSON document.
type inputView struct {
	Name, Text, Key, Labels, Priority, Version string
	Latest                                     int
	Problem                                    *resource.Problem
	Same                                       sameBy
}

func (p *page) registerForm(w http.ResponseWriter, r *http.Request, who *viewer) error {
	view := inputView{Name: r.FormValue("name")}
	if view.Name != "" {
		if latest, err := get[resource.Definition](p, r, nil, "v1", "definitions", view.Name); err == nil {
			view.Text = bodyText(latest)
		}
	}
	return p.show(w, r, who, "register", screen{Title: "Register a definition", Tab: "definitions", Body: view})
}

// register registers a definition. Every fault is shown beside the text.
func (p *page) register(w http.ResponseWriter, r *http.Request, who *viewer) error {
	view := inputView{Name: strings.TrimSpace(r.PostFormValue("name")), Text: r.PostFormValue("text")}
	body, err := optionalJSON(view.Text, "The definition")
	if err == nil && (body == nil || view.Name == "") {
		err = refused(http.StatusUnprocessableEntity, "invalid_field", "A name and a definition are required.")
	}
	var kept resource.Definition
	if err == nil {
		kept, err = call[resource.Definition](p, r, request{method: http.MethodPut, path: []string{"v1", "definitions", view.Name}, body: body})
	}
	if err == nil {
		p.redirect(w, r, withNotice("/ui/definitions/"+url.PathEscape(kept.Name), noticeVersion))
		return nil
	}
	problem, is := asProblem(err)
	if !is || problem.Status == http.StatusUnauthorized {
		return err
	}
	view.Problem = problem
	p.render(w, r, who, problem.Status, "register", screen{Title: "Register a definition", Tab: "definitions", Body: view})
	return nil
}

func (p *page) startForm(w http.ResponseWriter, r *http.Request, who *viewer) error {
	latest, err := get[resource.Definition](p, r, nil, "v1", "definitions", r.PathValue("name"))
	if err != nil {
		return err
	}
	view := inputView{Name: latest.Name, Text: "{\n  \n}", Latest: latest.Version, Same: p.sameStart(r, latest.Name)}
	return p.show(w, r, who, "start", screen{Title: "Start " + latest.Name, Tab: "definitions", Body: view})
}

func (p *page) sameStart(r *http.Request, name string) sameBy {
	return sameBy{
		CLI:  p.cli(r, []string{"sagas", "start", name}, "data", "{}"),
		Curl: p.curl(r, http.MethodPost, "/v1/sagas", map[string]any{"definition": name, "data": object{}}),
	}
}

// start starts a saga and shows it.
func (p *page) start(w http.ResponseWriter, r *http.Request, who *viewer) error {
	view := inputView{
		Name: r.PathValue("name"), Text: r.PostFormValue("data"), Key: strings.TrimSpace(r.PostFormValue("key")),
		Labels: r.PostFormValue("labels"), Priority: r.PostFormValue("priority"), Version: r.PostFormValue("version"),
		Same: p.sameStart(r, r.PathValue("name")),
	}
	body, err := startBody(view)
	var started resource.Saga
	if err == nil {
		started, err = post[resource.Saga](p, r, body, "v1", "sagas")
	}
	if err == nil {
		p.redirect(w, r, withNotice("/ui/sagas/"+started.ID, noticeStarted))
		return nil
	}
	problem, is := asProblem(err)
	if !is || problem.Status == http.StatusUnauthorized {
		return err
	}
	view.Problem = problem
	p.render(w, r, who, problem.Status, "start", screen{Title: "Start " + view.Name, Tab: "definitions", Body: view})
	return nil
}

// startBody returns the body of a start. Empty fields are left out.
func startBody(view inputView) (map[string]any, error) {
	body := map[string]any{"definition": view.Name}
	data, err := optionalJSON(view.Text, "The data")
	if err != nil {
		return nil, err
	}
	if data != nil {
		body["data"] = data
	}
	if view.Key != "" {
		body["key"] = view.Key
	}
	for name, value := range map[string]string{"priority": view.Priority, "version": view.Version} {
		given, err := numberOrNull(value, sentence(name))
		if err != nil {
			return nil, err
		}
		if given != nil {
			body[name] = given
		}
	}
	labels := make(map[string]string)
	for line := range strings.FieldsFuncSeq(view.Labels, func(c rune) bool { return c == '\n' || c == ',' || c == '\r' }) {
		name, value, found := strings.Cut(strings.TrimSpace(line), "=")
		if !found {
			return nil, refused(http.StatusUnprocessableEntity, "invalid_field", "Each label must be name=value.")
		}
		labels[name] = value
	}
	if len(labels) > 0 {
		body["labels"] = labels
	}
	return body, nil
}
