package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// Retry tries again what is used up, with fresh attempts: that step, or every one when step is empty.
func (c *Client) Retry(ctx context.Context, id, step, reason string) (resource.Saga, error) {
	return c.act(ctx, id, saga.ActionRetry, resource.RetryAction{Step: step, Reason: reason})
}

// Skip counts a used-up step or compensation as done. Output, a JSON object or nil, is merged into the saga's data.
func (c *Client) Skip(ctx context.Context, id, step string, output json.RawMessage, reason string) (resource.Saga, error) {
	return c.act(ctx, id, saga.ActionSkip, resource.SkipAction{Step: step, Output: output, Reason: reason})
}

// Compensate turns a saga back that has not passed its pivot. After a late effect it undoes that step, which may be
// left out when there is only one.
func (c *Client) Compensate(ctx context.Context, id, step, reason string) (resource.Saga, error) {
	return c.act(ctx, id, saga.ActionCompensate, resource.CompensateAction{Step: step, Reason: reason})
}

// Abandon closes a saga as it stands.
func (c *Client) Abandon(ctx context.Context, id, reason string) (resource.Saga, error) {
	return c.act(ctx, id, saga.ActionAbandon, resource.ReasonedAction{Reason: reason})
}

// Acknowledge says that a late effect has been dealt with.
func (c *Client) Acknowledge(ctx context.Context, id, reason string) (resource.Saga, error) {
	return c.act(ctx, id, saga.ActionAcknowledge, resource.ReasonedAction{Reason: reason})
}

// Pause stops dispatching.
func (c *Client) Pause(ctx context.Context, id, reason string) (resource.Saga, error) {
	return c.act(ctx, id, saga.ActionPause, resource.OptionalReason{Reason: reason})
}

// Resume goes on after a pause.
func (c *Client) Resume(ctx context.Context, id, reason string) (resource.Saga, error) {
	return c.act(ctx, id, saga.ActionResume, resource.OptionalReason{Reason: reason})
}

// PatchData changes the data of a stuck or paused saga by a JSON merge patch (RFC 7396), which is an object.
func (c *Client) PatchData(ctx context.Context, id string, patch json.RawMessage, reason string) (resource.Saga, error) {
	return do[resource.Saga](ctx, c, call{
		method: http.MethodPatch, path: join("v1", "sagas", id, "data"), body: patch,
		mediaType: "application/merge-patch+json", query: url.Values{"reason": {reason}}, header: matching(ctx),
	})
}

func (c *Client) act(ctx context.Context, id string, action saga.ActionName, given any) (resource.Saga, error) {
	body, err := encode(given)
	if err != nil {
		return resource.Saga{}, err
	}
	return do[resource.Saga](ctx, c, call{
		method: http.MethodPost, path: join("v1", "sagas", id, string(action)), body: body, header: matching(ctx),
	})
}

type revisionKey struct{}

// AtRevision makes an action that is called with the context fail with `revision_moved` unless the saga is still at
// that revision.
func AtRevision(ctx context.Context, revision int64) context.Context {
	return context.WithValue(ctx, revisionKey{}, revision)
}

func matching(ctx context.Context) http.Header {
	revision, ok := ctx.Value(revisionKey{}).(int64)
	if !ok {
		return nil
	}
	return http.Header{"If-Match": {`"` + strconv.FormatInt(revision, 10) + `"`}}
}
