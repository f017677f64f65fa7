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

// ActionOptions are the parameters of an action besides the saga. The orchestrator refuses a field that does not apply
// to the action.
type ActionOptions struct {
	// Step limits the action to one step. Skip requires it; Retry and Compensate accept it.
	Step string
	// Reason is recorded in the saga's history. Retry, Pause and Resume do not require it; every other action does.
	Reason string
	// To is the step to rewind to. Only Rewind accepts it, and requires it.
	To string
	// Patch is a JSON merge patch (RFC 7396) of the saga's data, an object, for when the saga goes forward again. Only Rewind
	// accepts it.
	Patch json.RawMessage
	// Output is the JSON object that a skipped step contributes to the saga's data. Only Skip accepts it.
	Output json.RawMessage
	// Revision makes the action fail with the code revision_moved unless the saga is at this revision. 0: any revision.
	Revision int64
}

// Retry gives exhausted steps new attempts: the step in the options, or all of them if it is empty.
func (c *Client) Retry(ctx context.Context, id string, options ActionOptions) (resource.Saga, error) {
	return c.act(ctx, id, saga.ActionRetry, options)
}

// Skip marks an exhausted step or compensation as done.
func (c *Client) Skip(ctx context.Context, id string, options ActionOptions) (resource.Saga, error) {
	return c.act(ctx, id, saga.ActionSkip, options)
}

// Compensate cancels a saga that has not passed its pivot. After a late effect it compensates the step that took effect;
// the options must name the step if there are several.
func (c *Client) Compensate(ctx context.Context, id string, options ActionOptions) (resource.Saga, error) {
	return c.act(ctx, id, saga.ActionCompensate, options)
}

// Abandon ends a saga in its present state. Nothing is compensated.
func (c *Client) Abandon(ctx context.Context, id string, options ActionOptions) (resource.Saga, error) {
	return c.act(ctx, id, saga.ActionAbandon, options)
}

// Acknowledge records that a late effect has been handled outside the orchestrator.
func (c *Client) Acknowledge(ctx context.Context, id string, options ActionOptions) (resource.Saga, error) {
	return c.act(ctx, id, saga.ActionAcknowledge, options)
}

// Pause stops the dispatch of commands. Replies to commands already sent are still processed.
func (c *Client) Pause(ctx context.Context, id string, options ActionOptions) (resource.Saga, error) {
	return c.act(ctx, id, saga.ActionPause, options)
}

// Resume continues a paused saga.
func (c *Client) Resume(ctx context.Context, id string, options ActionOptions) (resource.Saga, error) {
	return c.act(ctx, id, saga.ActionResume, options)
}

// PatchData changes the data of a stuck or paused saga by a JSON merge patch (RFC 7396), which must be an object.
func (c *Client) PatchData(ctx context.Context, id string, patch json.RawMessage, options ActionOptions) (resource.Saga, error) {
	return do[resource.Saga](ctx, c, call{
		method: http.MethodPatch, path: join("v1", "sagas", id, "data"), body: patch,
		mediaType: "application/merge-patch+json", query: url.Values{"reason": {options.Reason}}, header: options.header(),
	})
}

// Rewind compensates the step To and every step after it, and then goes forward again from To.
func (c *Client) Rewind(ctx context.Context, id string, options ActionOptions) (resource.Saga, error) {
	return c.act(ctx, id, saga.ActionRewind, options)
}

// Signal gives a signal that a step of the saga waits for, or will. The first one counts. Errors have the codes
// unknown_signal, signal_taken and not_applicable, among others.
func (c *Client) Signal(ctx context.Context, id, signal string, options SignalOptions) (resource.Saga, error) {
	body, err := encode(resource.Signal{Output: options.Output, Error: options.Error})
	if err != nil {
		return resource.Saga{}, err
	}
	sent := call{method: http.MethodPost, path: join("v1", "sagas", id, "signals", signal), body: body, header: http.Header{}}
	if options.IdempotencyKey != "" {
		sent.header.Set("Idempotency-Key", options.IdempotencyKey)
		sent.repeatable = true
	}
	return do[resource.Saga](ctx, c, sent)
}

// SignalOptions is what a signal brings. All fields are optional.
type SignalOptions struct {
	Output         json.RawMessage       // of the step: a JSON object
	Error          *resource.SignalError // fails the step instead
	IdempotencyKey string                // makes the call safe to repeat
}

func (c *Client) act(ctx context.Context, id string, action saga.ActionName, options ActionOptions) (resource.Saga, error) {
	body, err := encode(struct {
		Step   string          `json:"step,omitempty"`
		To     string          `json:"to,omitempty"`
		Patch  json.RawMessage `json:"patch,omitempty"`
		Output json.RawMessage `json:"output,omitempty"`
		Reason string          `json:"reason,omitempty"`
	}{options.Step, options.To, options.Patch, options.Output, options.Reason})
	if err != nil {
		return resource.Saga{}, err
	}
	return do[resource.Saga](ctx, c, call{
		method: http.MethodPost, path: join("v1", "sagas", id, string(action)), body: body, header: options.header(),
	})
}

func (o ActionOptions) header() http.Header {
	if o.Revision == 0 {
		return nil
	}
	return http.Header{"If-Match": {`"` + strconv.FormatInt(o.Revision, 10) + `"`}}
}
