package ui

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

type bulksView struct {
	Rows []bulkRow
	Next string
}

// bulkRow is a bulk action with its progress, in percent of the targets.
type bulkRow struct {
	resource.BulkAction
	Done100, Refused100, Failed100 float64
	RefusedAt, FailedAt            float64
	Finished                       int
	Open, CanContinue              bool
}

type bulkView struct {
	bulkRow
	Outcome string
	Items   []resource.BulkItem
	Next    string
	Same    sameBy
}

func rowOfBulk(a resource.BulkAction) bulkRow {
	row := bulkRow{BulkAction: a, Finished: a.Done + a.Refused + a.Failed}
	share := func(n int) float64 { return 100 * float64(n) / float64(max(1, a.Matched)) }
	row.Done100, row.Refused100, row.Failed100 = share(a.Done), share(a.Refused), share(a.Failed)
	row.RefusedAt = row.Done100
	row.FailedAt = row.Done100 + row.Refused100
	row.CanContinue = a.Status == "waiting" || a.Status == "stopped"
	row.Open = row.CanContinue || a.Status == "running"
	return row
}

func (p *page) bulks(w http.ResponseWriter, r *http.Request, who *viewer) error {
	query := url.Values{"limit": {listPage}}
	if cursor := r.FormValue("cursor"); cursor != "" {
		query.Set("cursor", cursor)
	}
	found, err := get[resource.List[resource.BulkAction]](p, r, query, "v1", "actions")
	if err != nil {
		return err
	}
	view := bulksView{}
	for _, action := range found.Items {
		view.Rows = append(view.Rows, rowOfBulk(action))
	}
	if found.NextCursor != "" {
		view.Next = withQuery("/ui/bulk", "cursor", string(found.NextCursor))
	}
	return p.show(w, r, who, "bulks", screen{Title: "Bulk actions", Tab: "bulk", Body: view})
}

func (p *page) bulk(w http.ResponseWriter, r *http.Request, who *viewer) error {
	id := r.PathValue("id")
	action, err := get[resource.BulkAction](p, r, nil, "v1", "actions", id)
	if err != nil {
		return err
	}
	view := bulkView{bulkRow: rowOfBulk(action), Outcome: r.FormValue("outcome")}
	query := url.Values{"limit": {listPage}}
	if slices.Contains([]string{"done", "refused", "failed"}, view.Outcome) {
		query.Set("outcome", view.Outcome)
	}
	if cursor := r.FormValue("cursor"); cursor != "" {
		query.Set("cursor", cursor)
	}
	items, err := get[resource.List[resource.BulkItem]](p, r, query, "v1", "actions", id, "items")
	if err != nil {
		return err
	}
	view.Items = items.Items
	if items.NextCursor != "" {
		view.Next = withQuery("/ui/bulk/"+id, "outcome", view.Outcome, "cursor", string(items.NextCursor))
	}
	view.Same = sameBy{CLI: p.cli(r, []string{"actions", "show", id}), Curl: p.curl(r, http.MethodGet, "/v1/actions/"+id, nil)}
	return p.show(w, r, who, "bulk", screen{Title: sentence(action.Action) + " " + text(action.Matched), Tab: "bulk", Body: view})
}

// bulkControl continues or cancels a bulk action.
func (p *page) bulkControl(w http.ResponseWriter, r *http.Request, _ *viewer) error {
	control, id := r.PathValue("control"), r.PathValue("id")
	if control != "continue" && control != "cancel" {
		return refused(http.StatusNotFound, "not_found", "This address does not exist.")
	}
	if _, err := call[resource.BulkAction](p, r, request{method: http.MethodPost, path: []string{"v1", "actions", id, control}}); err != nil {
		return err
	}
	said := noticeContinued
	if control == "cancel" {
		said = noticeCancelled
	}
	p.redirect(w, r, withNotice("/ui/bulk/"+id, said))
	return nil
}
