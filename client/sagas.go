package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// StartRequest describes a new saga. Only Definition is required.
type StartRequest struct {
	Definition string
	Version    int               // of the definition; 0: the latest
	Key        string            // business key, held by at most one unfinished saga of the definition
	Data       json.RawMessage   // a JSON object, which commands carry to workers; nil: {}
	Priority   uint8             // of the saga's commands in their queues, 0 to 9
	Labels     map[string]string // at most 32; Filter finds sagas by them
	StartAt    time.Time         // zero or past: now
	Deadline   time.Duration     // for the part before the pivot; 0: the definition's deadline
	// IdempotencyKey makes the start safe to repeat: the same key with the same request returns the same saga.
	IdempotencyKey string
	// Wait delays the answer until the saga has ended or needs attention, for at most this long (up to 60 s). 0: no wait.
	Wait time.Duration
}

// Filter selects sagas. A saga must match every field that is set; nil fields match every saga. The orchestrator refuses
// empty values, so that an empty key or list never selects everything. Set a field with new: Filter{Key: new("order-42")}.
type Filter struct {
	Definition       *string
	Version          *int
	Statuses         []saga.Status // any of them
	Key              *string
	Labels           map[string]string // all of them
	CreatedAfter     *time.Time
	CreatedBefore    *time.Time
	NeedsAttention   bool
	AttentionReasons []saga.AttentionReason // any of them
	Step             *string                // that needs attention; -: no step does
	ErrorCode        *string                // of the step that needs attention; -: it has none
	Parent           *string                // id of the saga that started it as a child
}

// Page selects a part of a list.
type Page struct {
	Limit  int    // 1 to 500; 0: 50
	Cursor string // NextCursor of the previous page; empty: the first page
}

// Start starts a saga and returns it. If the idempotency key was used before, Start returns that saga as it is now.
// The problem code key_in_use reports that another unfinished saga holds the business key.
func (c *Client) Start(ctx context.Context, request StartRequest) (resource.Saga, error) {
	body, err := encode(resource.StartSaga{
		Definition: request.Definition, Version: request.Version, Key: request.Key, Data: request.Data, Priority: request.Priority,
		Labels: request.Labels, StartAt: request.StartAt, Deadline: saga.Duration(request.Deadline),
	})
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

// Saga returns one saga.
func (c *Client) Saga(ctx context.Context, id string) (resource.Saga, error) {
	return get[resource.Saga](ctx, c, nil, "v1", "sagas", id)
}

// Wait returns the saga when its revision differs from since, when it has ended, or when the time is up (at most 60 s).
// With since 0 it waits for the next change.
func (c *Client) Wait(ctx context.Context, id string, since int64, wait time.Duration) (resource.Saga, error) {
	query := url.Values{"wait": {wait.String()}}
	if since > 0 {
		query.Set("since", strconv.FormatInt(since, 10))
	}
	return get[resource.Saga](ctx, c, query, "v1", "sagas", id)
}

// Sagas returns a page of sagas, newest first.
func (c *Client) Sagas(ctx context.Context, filter Filter, page Page) (resource.List[resource.Saga], error) {
	return get[resource.List[resource.Saga]](ctx, c, filter.query(page), "v1", "sagas")
}

// Why explains what a saga is waiting for.
func (c *Client) Why(ctx context.Context, id string) (resource.Why, error) {
	return get[resource.Why](ctx, c, nil, "v1", "sagas", id, "why")
}

// History returns the whole history of a saga, oldest entry first.
func (c *Client) History(ctx context.Context, id string) ([]resource.HistoryEntry, error) {
	return all(func(page Page) (resource.List[resource.HistoryEntry], error) {
		return c.HistoryPage(ctx, id, page)
	})
}

// HistoryPage returns a page of the history of a saga, oldest entry first.
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
	if f.Step != nil {
		query.Set("step", *f.Step)
	}
	if f.ErrorCode != nil {
		query.Set("error_code", *f.ErrorCode)
	}
	if f.Parent != nil {
		query.Set("parent", *f.Parent)
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

// addAll adds every value. It sends an empty list that is not nil as an empty value, which the orchestrator refuses.
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

// get sends a read, which may be repeated.
func get[T any](ctx context.Context, c *Client, query url.Values, segments ...string) (T, error) {
	return do[T](ctx, c, call{method: http.MethodGet, path: join(segments...), query: query, repeatable: true})
}

// all returns the items of every page.
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
