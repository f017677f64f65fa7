package api

import (
	"encoding/base64"
	"strings"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// PageInput holds the parameters of every list. It is exported because the router ignores embedded types that are not.
type PageInput struct {
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"500" doc:"Maximum number of items"`
	Cursor string `query:"cursor" maxLength:"440" doc:"next_cursor of the previous page"`
}

// collection is the name of a list. Its cursors begin with it, because the positions of several lists have the same form.
type collection string

const (
	sagasList       collection = "sagas"
	historyList     collection = "history"
	definitionsList collection = "definitions"
	versionsList    collection = "versions"
	lettersList     collection = "dead-letters"
	actionsList     collection = "actions"
	itemsList       collection = "items"
	auditList       collection = "audit"
)

// prefix begins the cursors of a list. The number is the version of their format.
func (c collection) prefix() string { return "2:" + string(c) + ":" }

func (c collection) cursor(after string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(c.prefix() + after))
}

// page returns the page of a list to read. valid reports whether the position in the cursor has the form of this list.
func (p PageInput) page(list collection, valid func(after string) bool) (record.Page, error) {
	if p.Cursor == "" {
		return record.Page{Limit: p.Limit}, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	after, found := strings.CutPrefix(string(raw), list.prefix())
	if err != nil || !found || !valid(after) {
		return record.Page{}, parameter("cursor", "must be the next_cursor of a page of this list")
	}
	return record.Page{After: after, Limit: p.Limit}, nil
}

// listOf converts a page. next is the After of the next page; empty on the last one.
func listOf[T, V any](from collection, found []T, next string, view func(T) (V, error)) (resource.List[V], error) {
	var list resource.List[V]
	if next != "" {
		list.NextCursor = resource.Text(from.cursor(next))
	}
	list.Items = make([]V, len(found))
	for i, item := range found {
		shown, err := view(item)
		if err != nil {
			return list, err
		}
		list.Items[i] = shown
	}
	return list, nil
}

// listOutput is the answer with a list.
type listOutput[T any] struct {
	Body resource.List[T]
}
