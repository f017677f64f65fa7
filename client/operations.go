package client

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

// PutDefinition registers a definition, given in its JSON form. The version that it answers with is new unless the
// latest one is the same plan.
func (c *Client) PutDefinition(ctx context.Context, name string, body json.RawMessage) (resource.Definition, error) {
	return do[resource.Definition](ctx, c, call{
		method: http.MethodPut, path: join("v1", "definitions", name), body: body,
	})
}

// Definition reads one version of a definition; version 0 is the latest.
func (c *Client) Definition(ctx context.Context, name string, version int) (resource.Definition, error) {
	if version == 0 {
		return get[resource.Definition](ctx, c, nil, "v1", "definitions", name)
	}
	return get[resource.Definition](ctx, c, nil, "v1", "definitions", name, "versions", strconv.Itoa(version))
}

// Definitions lists the latest version of every definition, by name.
func (c *Client) Definitions(ctx context.Context, page Page) (resource.List[resource.Definition], error) {
	return get[resource.List[resource.Definition]](ctx, c, page.query(), "v1", "definitions")
}

// DefinitionVersions lists every version of a definition.
func (c *Client) DefinitionVersions(ctx context.Context, name string) (resource.List[resource.Definition], error) {
	return get[resource.List[resource.Definition]](ctx, c, nil, "v1", "definitions", name, "versions")
}

// DeadLetters lists what could not be processed, newest first, without the content.
func (c *Client) DeadLetters(ctx context.Context, page Page) (resource.List[resource.DeadLetter], error) {
	return get[resource.List[resource.DeadLetter]](ctx, c, page.query(), "v1", "dead-letters")
}

// DeadLetter reads one dead letter with its content.
func (c *Client) DeadLetter(ctx context.Context, id string) (resource.DeadLetter, error) {
	return get[resource.DeadLetter](ctx, c, nil, "v1", "dead-letters", id)
}

// Queues lists every worker queue.
func (c *Client) Queues(ctx context.Context) (resource.List[resource.Queue], error) {
	return get[resource.List[resource.Queue]](ctx, c, nil, "v1", "queues")
}

// Stats reads the state of all sagas at a glance.
func (c *Client) Stats(ctx context.Context) (resource.Stats, error) {
	return get[resource.Stats](ctx, c, nil, "v1", "stats")
}

// CreateKey creates an API key. Its secret is in the answer, and nowhere else.
func (c *Client) CreateKey(ctx context.Context, name, role string) (resource.Key, error) {
	body, err := encode(resource.NewKey{Name: name, Role: role})
	if err != nil {
		return resource.Key{}, err
	}
	return do[resource.Key](ctx, c, call{method: http.MethodPost, path: "/v1/keys", body: body})
}

// Keys lists API keys.
func (c *Client) Keys(ctx context.Context) (resource.List[resource.Key], error) {
	return get[resource.List[resource.Key]](ctx, c, nil, "v1", "keys")
}

// RevokeKey makes an API key invalid.
func (c *Client) RevokeKey(ctx context.Context, id string) error {
	_, err := do[struct{}](ctx, c, call{method: http.MethodDelete, path: join("v1", "keys", id)})
	return err
}

// Health reads whether the orchestrator is alive, and which version it is.
func (c *Client) Health(ctx context.Context) (resource.Health, error) {
	return get[resource.Health](ctx, c, nil, "healthz")
}

// Ready reads whether the orchestrator can do its work. That it cannot is an answer, with a Status that is not "ok", and
// no error.
func (c *Client) Ready(ctx context.Context) (resource.Health, error) {
	return do[resource.Health](ctx, c, call{
		method: http.MethodGet, path: "/readyz", repeatable: true, answer: http.StatusServiceUnavailable,
	})
}
