package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

// Groups returns the sagas that need attention, grouped by reason, step and error code, largest group first. An empty
// definition means all definitions.
func (c *Client) Groups(ctx context.Context, definition string) (resource.Groups, error) {
	query := url.Values{}
	if definition != "" {
		query.Set("definition", definition)
	}
	return get[resource.Groups](ctx, c, query, "v1", "stuck")
}

// BulkOption is an option of a call that starts a bulk action.
type BulkOption func(*call)

// WithIdempotencyKey makes a bulk action safe to start again after a crash of the caller: the same key with the same request
// returns the same bulk action. Another request under the key has the problem code idempotency_conflict. By default each call
// has a random key.
func WithIdempotencyKey(key string) BulkOption {
	return func(c *call) { c.header.Set("Idempotency-Key", key) }
}

// ActOnSagas starts an action on every saga that the request's filter selects now. The server carries it out; BulkAction
// returns its progress. The request's DryRun must be false.
func (c *Client) ActOnSagas(ctx context.Context, request resource.BulkRequest, options ...BulkOption) (resource.BulkAction, error) {
	request.DryRun = false
	return c.actOnMany(ctx, request, options, "v1", "sagas", "actions")
}

// actOnMany starts a bulk action. The key keeps an attempt whose answer was lost from becoming a second bulk action.
func (c *Client) actOnMany(ctx context.Context, request any, options []BulkOption, path ...string) (resource.BulkAction, error) {
	body, err := encode(request)
	if err != nil {
		return resource.BulkAction{}, err
	}
	sent := call{
		method: http.MethodPost, path: join(path...), body: body, header: http.Header{"Idempotency-Key": {rand.Text()}}, repeatable: true,
	}
	for _, set := range options {
		set(&sent)
	}
	return do[resource.BulkAction](ctx, c, sent)
}

// DryRunOnSagas reports what the request would do to each saga, or why nothing, and changes nothing.
func (c *Client) DryRunOnSagas(ctx context.Context, request resource.BulkRequest) (resource.DryRun, error) {
	request.DryRun = true
	return post[resource.DryRun](ctx, c, request, "v1", "sagas", "actions")
}

// ActOnDeadLetters redrives or discards every dead letter that the request's filter selects now. The request's DryRun
// must be false.
func (c *Client) ActOnDeadLetters(
	ctx context.Context, request resource.LetterBulkRequest, options ...BulkOption,
) (resource.BulkAction, error) {
	request.DryRun = false
	return c.actOnMany(ctx, request, options, "v1", "dead-letters", "actions")
}

// DryRunOnDeadLetters reports what the request would do to each dead letter, and changes nothing.
func (c *Client) DryRunOnDeadLetters(ctx context.Context, request resource.LetterBulkRequest) (resource.DryRun, error) {
	request.DryRun = true
	return post[resource.DryRun](ctx, c, request, "v1", "dead-letters", "actions")
}

// BulkActions returns a page of bulk actions, newest first.
func (c *Client) BulkActions(ctx context.Context, page Page) (resource.List[resource.BulkAction], error) {
	return get[resource.List[resource.BulkAction]](ctx, c, page.query(), "v1", "actions")
}

// BulkAction returns a bulk action with its progress. With a wait it returns once the action no longer runs, or when the
// time is up (at most 60 s).
func (c *Client) BulkAction(ctx context.Context, id string, wait time.Duration) (resource.BulkAction, error) {
	query := url.Values{}
	if wait > 0 {
		query.Set("wait", wait.String())
	}
	return get[resource.BulkAction](ctx, c, query, "v1", "actions", id)
}

// BulkItems returns a page of the targets of a bulk action. The outcome is done, refused, failed, or empty for all.
func (c *Client) BulkItems(ctx context.Context, id, outcome string, page Page) (resource.List[resource.BulkItem], error) {
	query := page.query()
	if outcome != "" {
		query.Set("outcome", outcome)
	}
	return get[resource.List[resource.BulkItem]](ctx, c, query, "v1", "actions", id, "items")
}

// ContinueBulkAction resumes a bulk action that waits after its canary or has stopped after failures.
func (c *Client) ContinueBulkAction(ctx context.Context, id string) (resource.BulkAction, error) {
	return post[resource.BulkAction](ctx, c, nil, "v1", "actions", id, "continue")
}

// CancelBulkAction ends a bulk action. Targets that are done stay done.
func (c *Client) CancelBulkAction(ctx context.Context, id string) (resource.BulkAction, error) {
	return post[resource.BulkAction](ctx, c, nil, "v1", "actions", id, "cancel")
}

// Redrive sends a dead letter to where it was going, and deletes it. The problem code not_applicable reports that no
// reply to it would count.
func (c *Client) Redrive(ctx context.Context, id, reason string) (resource.Redriven, error) {
	return post[resource.Redriven](ctx, c, resource.RedriveAction{Reason: reason}, "v1", "dead-letters", id, "redrive")
}

// Discard deletes a dead letter.
func (c *Client) Discard(ctx context.Context, id string) error {
	return c.doWithout(ctx, call{method: http.MethodDelete, path: join("v1", "dead-letters", id)})
}

// SetDisabled determines whether the orchestrator refuses to start sagas of a definition.
func (c *Client) SetDisabled(ctx context.Context, definition string, disabled bool) (resource.Definition, error) {
	body, err := encode(resource.DefinitionSettings{Disabled: &disabled})
	if err != nil {
		return resource.Definition{}, err
	}
	return do[resource.Definition](ctx, c, call{
		method: http.MethodPatch, path: join("v1", "definitions", definition), body: body, repeatable: true,
	})
}

// post sends a body, or none if it is nil.
func post[T any](ctx context.Context, c *Client, value any, segments ...string) (T, error) {
	var body json.RawMessage
	if value != nil {
		var err error
		if body, err = encode(value); err != nil {
			var none T
			return none, err
		}
	}
	return do[T](ctx, c, call{method: http.MethodPost, path: join(segments...), body: body})
}
