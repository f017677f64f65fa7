package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// StartRequest asks for a new saga.
type StartRequest struct {
	resource.StartSaga
	// IdempotencyKey makes the start safe to send again: the same key and body give the same saga.
	IdempotencyKey string
	// Wait lets the orchestrator answer only when the saga is terminal or needs attention, or the time is up (at most
	// 60 s). 0: answer at once.
	Wait time.Duration
}

// Filter selects sagas. Fields that are nil select all sagas; all others must hold. What is set is sent: an empty key or
// an empty list of statuses is refused by the orchestrator, it never selects everything. Set a field with new:
// Filter{Key: new("order-42")}.
type Filter struct {
	Definition       *string
	Version          *int
	Statuses         []saga.Status
	Key              *string
	Labels           map[string]string
	CreatedAfter     *time.Time
	CreatedBefore    *time.Time
	NeedsAttention   bool
	AttentionReasons []saga.AttentionReason
}

// Page is a stretch of a list.
type Page struct {
	Limit  int    // 1 to 500; 0: 50
	Cursor string // NextCursor of the page before; empty: the start
}

// Start starts a saga, or finds the one that the idempotency key stands for.
func (c *Client) Start(ctx context.Context, request StartRequest) (resource.Saga, error) {
	body, err := encode(request.StartSaga)
	if err != nil {
		return resource.Saga{}, err
	}
	sent := call{method: http.MethodPost, path: "/v1/sagas", body: body, query: url.Values{}, header: http.Header{}}
	if request.IdempotencyKey != "" {
		sent.header.Set("Idempotency-Key", request.IdempotencyKey)
		sent.repeatable = true
	}
	if request.Wait > 0 {
		sent.query.Set("wait", request.Wait.String())
	}
	return do[resource.Saga](ctx, c, sent)
}

// Saga reads one saga.
func (c *Client) Saga(ctx context.Context, id string) (resource.Saga, error) {
	return get[resource.Saga](ctx, c, nil, "v1", "sagas", id)
}

// Wait reads one saga once it has another revision than since, or is terminal, or the time is up (at most 60 s). With
// since 0 it waits for the next change.
func (c *Client) Wait(ctx context.Context, id string, since int64, wait time.Duration) (resource.Saga, error) {
	query := url.Values{"wait": {wait.String()}}
	if since > 0 {
		query.Set("since", strconv.FormatInt(since, 10))
	}
	return get[resource.Saga](ctx, c, query, "v1", "sagas", id)
}

// Sagas lists sagas, newest first.
func (c *Client) Sagas(ctx context.Context, filter Filter, page Page) (resource.List[resource.Saga], error) {
	return get[resource.List[resource.Saga]](ctx, c, filter.query(page), "v1", "sagas")
}

// Why says why a saga is not further.
func (c *Client) Why(ctx context.Context, id string) (resource.Why, error) {
	return get[resource.Why](ctx, c, nil, "v1", "sagas", id, "why")
}

// History reads everything that happened to a saga, oldest first.
func (c *Client) History(ctx context.Context, id string) ([]resource.HistoryEntry, error) {
	return all(func(page Page) (resource.List[resource.HistoryEntry], error) {
		return c.HistoryPage(ctx, id, page)
	})
}

// HistoryPage reads a stretch of what happened to a saga, oldest first.
func (c *Client) HistoryPage(ctx context.Context, id string, page Page) (resource.List[resource.HistoryEntry], error) {
	return get[resource.List[resource.HistoryEntry]](ctx, c, page.query(), "v1", "sagas", id, "history")
}

func (f Filter) query(page Page) url.Values {
	query := page.query()
	if f.Definition != nil {
		query.Set("definition", *f.Definition)
	}
	if f.Version != nil {
		query.Set("version", strconv.Itoa(*f.Version))
	}
	if f.Key != nil {
		query.Set("key", *f.Key)
	}
	for name, at := range map[string]*time.Time{"created_after": f.CreatedAfter, "created_before": f.CreatedBefore} {
		if at != nil {
			query.Set(name, at.UTC().Format(time.RFC3339Nano))
		}
	}
	if f.NeedsAttention {
		query.Set("attention", "true")
	}
	addAll(query, "status", f.Statuses)
	addAll(query, "attention_reason", f.AttentionReasons)
	if f.Labels != nil && len(f.Labels) == 0 {
		query.Set("label", "")
	}
	for name, value := range f.Labels {
		query.Add("label", name+"="+value)
	}
	return query
}

// addAll adds every value. A list that is empty, but not nil, is sent as an empty value: it selects nothing, and the
// orchestrator says so.
func addAll[T ~string](query url.Values, name string, values []T) {
	if values != nil && len(values) == 0 {
		query.Set(name, "")
	}
	for _, value := range values {
		query.Add(name, string(value))
	}
}

func (p Page) query() url.Values {
	query := url.Values{}
	if p.Limit != 0 {
		query.Set("limit", strconv.Itoa(p.Limit))
	}
	if p.Cursor != "" {
		query.Set("cursor", p.Cursor)
	}
	return query
}

// get reads something, which may be done twice.
func get[T any](ctx context.Context, c *Client, query url.Values, segments ...string) (T, error) {
	return do[T](ctx, c, call{method: http.MethodGet, path: join(segments...), query: query, repeatable: true})
}

// all reads page after page.
func all[T any](read func(Page) (resource.List[T], error)) ([]T, error) {
	const most = 500
	items := []T{}
	for page := (Page{Limit: most}); ; {
		list, err := read(page)
		if err != nil {
			return nil, err
		}
		items = append(items, list.Items...)
		if list.NextCursor == "" {
			return items, nil
		}
		page.Cursor = string(list.NextCursor)
	}
}
