package ui

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

type auditView struct {
	Rows   []auditRow
	Chain  resource.AuditChain
	Whole  bool // the viewer's key may read the chain
	Values url.Values
	Chips  []chip
	Next   string // address of the next page; empty on the last one
	First  string // address of the first page, unless this is it
	Same   sameBy
}

// auditRow is a change, with what it changed.
type auditRow struct {
	resource.AuditEntry
	Link    string // to the target; empty: it has no view
	Changes []diffLine
	Cut     bool // Changes are shown in part
}

func auditFilters() []string { return []string{"actor", "target", "since", "until"} }

// auditRoom bounds what a page of the log says of changes, in bytes of HTML.
const auditRoom = 64 << 10

// audit shows the changes that came by the API. Its filters are those of the API, in the address.
func (p *page) audit(w http.ResponseWriter, r *http.Request, who *viewer) error {
	query := chosen(r.URL.Query(), auditFilters())
	asked := url.Values{"limit": {listPage}}
	maps.Copy(asked, query)
	cursor := r.URL.Query().Get("cursor")
	if cursor != "" {
		asked.Set("cursor", cursor)
	}
	found, err := get[resource.List[resource.AuditEntry]](p, r, asked, "v1", "audit")
	if err != nil {
		return err
	}
	view := auditView{Values: query, Chips: chipsOf(query, "/ui/audit")}
	left := &room{left: auditRoom}
	for _, entry := range found.Items {
		view.Rows = append(view.Rows, viewAudit(entry, left))
	}
	if !who.Limited { // a key that is limited to definitions may not
		if view.Chain, err = get[resource.AuditChain](p, r, nil, "v1", "audit", "chain"); err != nil {
			return err
		}
		view.Whole = true
	}
	if found.NextCursor != "" {
		view.Next = "/ui/audit?" + with(query, "cursor", string(found.NextCursor))
	}
	if cursor != "" {
		view.First = "/ui/audit?" + query.Encode()
	}
	view.Same = sameBy{
		CLI:  p.cli(r, []string{"audit", "list"}, flagsOf(query)...),
		Curl: p.curl(r, http.MethodGet, withQuery("/v1/audit", pairsOf(query)...), nil),
	}
	return p.show(w, r, who, "audit", screen{Title: "Audit log", Tab: "audit", Body: view})
}

// viewAudit says what a change made of what was before.
func viewAudit(entry resource.AuditEntry, left *room) auditRow {
	row := auditRow{AuditEntry: entry, Link: targetLink(entry.Target)}
	all := compared(lines(entry.Before), lines(entry.After))
	own := room{left: left.left / 4}
	for _, line := range all {
		if own.left < rowSize {
			row.Cut = true
			break
		}
		own.left -= rowSize / 4
		line.Text = own.text(line.Text, maxShown)
		row.Changes = append(row.Changes, line)
	}
	row.Cut = row.Cut || own.cut
	left.left -= left.left/4 - own.left
	return row
}

// lines returns JSON in lines; "" for null.
func lines(value json.RawMessage) string {
	if len(value) == 0 || string(value) == "null" {
		return ""
	}
	return indented(value)
}

// mostCompared bounds the lines of a change that are compared: there are many changes on a page.
const mostCompared = 300

// compared returns the difference of two texts. Empty ones, and long ones, are not compared line by line.
func compared(before, after string) []diffLine {
	if before != "" && after != "" && max(strings.Count(before, "\n"), strings.Count(after, "\n")) < mostCompared {
		all, _ := diff(before, after)
		return all
	}
	var all []diffLine
	for _, side := range []struct{ sign, text string }{{"-", before}, {"+", after}} {
		for line := range strings.SplitSeq(side.text, "\n") {
			if side.text != "" {
				all = append(all, diffLine{side.sign, line})
			}
		}
	}
	return all
}

// targetLink returns the address of the view of a target, as in "sagas/01J…".
func targetLink(target string) string {
	kind, name, _ := strings.Cut(target, "/")
	view := map[string]string{
		"sagas": "/ui/sagas", "definitions": "/ui/definitions", "queues": "/ui/queues", "actions": "/ui/bulk", "webhooks": "/ui/webhooks", "keys": "/ui/keys",
	}[kind]
	if view == "" || name == "" {
		return ""
	}
	return joined([]string{view, name})
}

// pairsOf returns filters as names and values in turn.
func pairsOf(query url.Values) []string {
	var pairs []string
	for _, name := range sortedNames(query) {
		for _, value := range query[name] {
			pairs = append(pairs, name, value)
		}
	}
	return pairs
}
