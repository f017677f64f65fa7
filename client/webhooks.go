package client

import (
	"context"
	"net/http"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

// PutWebhook stores a webhook. The answer has its secret if it is new or the request has one.
func (c *Client) PutWebhook(ctx context.Context, name string, hook resource.NewWebhook) (resource.Webhook, error) {
	body, err := encode(hook)
	if err != nil {
		return resource.Webhook{}, err
	}
	return do[resource.Webhook](ctx, c, call{method: http.MethodPut, path: join("v1", "webhooks", name), body: body})
}

// Webhooks returns all webhooks, by name.
func (c *Client) Webhooks(ctx context.Context) (resource.List[resource.Webhook], error) {
	return get[resource.List[resource.Webhook]](ctx, c, nil, "v1", "webhooks")
}

// Webhook returns a webhook.
func (c *Client) Webhook(ctx context.Context, name string) (resource.Webhook, error) {
	return get[resource.Webhook](ctx, c, nil, "v1", "webhooks", name)
}

// DeleteWebhook deletes a webhook and drops its waiting deliveries.
func (c *Client) DeleteWebhook(ctx context.Context, name string) error {
	return c.doWithout(ctx, call{method: http.MethodDelete, path: join("v1", "webhooks", name)})
}

// TestWebhook sends a test event to a webhook, once.
func (c *Client) TestWebhook(ctx context.Context, name string) (resource.WebhookTest, error) {
	return do[resource.WebhookTest](ctx, c, call{method: http.MethodPost, path: join("v1", "webhooks", name, "test")})
}
