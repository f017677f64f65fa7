package ui

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

type lettersView struct {
	Rows   []resource.DeadLetter
	Values url.Values
	Query  string
	Chips  []chip
	Next   string
	First  string
}

type letterView struct {
	Letter  resource.DeadLetter
	Reason  string
	Problem *resource.Problem
	Same    sameBy
	Body    string // indented, if it is JSON; as much of it as fits
	Headers string
	Binary  bool
}

func (p *page) letters(w http.ResponseWriter, r *http.Request, who *viewer) error {
	query := chosen(r.URL.Query(), letterFilters())
	asked := url.Values{"limit": {listPage}}
	maps.Copy(asked, query)
	cursor := r.URL.Query().Get("cursor")
	if cursor != "" {
		asked.Set("cursor", cursor)
	}
	found, err := get[resource.List[resource.DeadLetter]](p, r, asked, "v1", "dead-letters")
	if err != nil {
		return err
	}
	view := lettersView{Rows: found.Items, Values: query, Query: query.Encode(), Chips: chipsOf(query, "/ui/dead-letters")}
	if found.NextCursor != "" {
		view.Next = "/ui/dead-letters?" + with(query, "cursor", string(found.NextCursor))
	}
	if cursor != "" {
		view.First = "/ui/dead-letters?" + query.Encode()
	}
	return p.show(w, r, who, "letters", screen{Title: "Dead letters", Tab: "letters", Body: view})
}

func (p *page) readLetter(r *http.Request) (letterView, error) {
	id := r.PathValue("id")
	found, err := get[resource.DeadLetter](p, r, nil, "v1", "dead-letters", id)
	view := letterView{Letter: found, Body: found.Text, Binary: found.Text == "" && found.Size > 0}
	if json.Valid([]byte(found.Text)) {
		view.Body = indented(json.RawMessage(found.Text))
	}
	view.Body = (&room{left: 4 * 3 * maxShownSteps}).text(view.Body, 3*maxShownSteps)
	view.Headers = (&room{left: 4 * maxShownSteps}).json(found.Headers)
	view.Same = sameBy{
		CLI:  p.cli(r, []string{"dead-letters", "redrive", id}),
		Curl: p.curl(r, http.MethodPost, "/v1/dead-letters/"+url.PathEscape(id)+"/redrive", map[string]string{"reason": "…"}),
	}
	return view, err
}

func (p *page) letter(w http.ResponseWriter, r *http.Request, who *viewer) error {
	view, err := p.readLetter(r)
	if err != nil {
		return err
	}
	return p.show(w, r, who, "letter", screen{Title: "Dead letter " + short(view.Letter.ID), Tab: "letters", Body: view})
}

// redrive sends a dead letter to where it was going. A refusal says what helps instead.
func (p *page) redrive(w http.ResponseWriter, r *http.Request, who *viewer) error {
	reason := strings.TrimSpace(r.PostFormValue("reason"))
	_, err := post[resource.Redriven](p, r, resource.RedriveAction{Reason: reason}, "v1", "dead-letters", r.PathValue("id"), "redrive")
	if err == nil {
		p.redirect(w, r, withNotice("/ui/dead-letters", noticeRedriven))
		return nil
	}
	problem, is := asProblem(err)
	if !is || problem.Status != http.StatusConflict && problem.Status != http.StatusUnprocessableEntity {
		return err
	}
	view, err := p.readLetter(r)
	if err != nil {
		return err
	}
	view.Problem, view.Reason = problem, reason
	p.render(w, r, who, problem.Status, "letter", screen{Title: "Dead letter", Tab: "letters", Body: view})
	return nil
}

func (p *page) discard(w http.ResponseWriter, r *http.Request, _ *viewer) error {
	path := []string{"v1", "dead-letters", r.PathValue("id")}
	if _, err := call[struct{}](p, r, request{method: http.MethodDelete, path: path}); err != nil {
		return err
	}
	p.redirect(w, r, withNotice("/ui/dead-letters", noticeDiscarded))
	return nil
}
