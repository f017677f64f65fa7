package client

import (
	"context"
	"net/http"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

// QueueSettings changes the settings of a worker queue. nil changes nothing; zero takes the setting away.
type QueueSettings struct {
	Paused *bool    // no command leaves the outbox, compensations included
	MaxOut *int     // execute commands that may be out at a time, over all replicas
	Rate   *float64 // execute commands that may leave in a second, over all replicas
}

// Queues returns every worker queue.
func (c *Client) Queues(ctx context.Context) (resource.List[resource.Queue], error) {
	return get[resource.List[resource.Queue]](ctx, c, nil, "v1", "queues")
}

// Queue returns a worker queue with samples of the last hour.
func (c *Client) Queue(ctx context.Context, name string) (resource.QueueDetails, error) {
	return get[resource.QueueDetails](ctx, c, nil, "v1", "queues", name)
}

// SetQueue pauses, caps or throttles a worker queue, or takes that away. It returns when every replica goes by it.
func (c *Client) SetQueue(ctx context.Context, name string, settings QueueSettings) (resource.Queue, error) {
	members := make(map[string]any)
	if settings.Paused != nil {
		members["paused"] = *settings.Paused
	}
	if settings.MaxOut != nil {
		members["max_out"] = orNull(*settings.MaxOut)
	}
	if settings.Rate != nil {
		members["rate"] = orNull(*settings.Rate)
	}
	body, err := encode(members)
	if err != nil {
		return resource.Queue{}, err
	}
	return do[resource.Queue](ctx, c, call{method: http.MethodPatch, path: join("v1", "queues", name), body: body, repeatable: true})
}

func orNull[T comparable](value T) any {
	var zero T
	if value == zero {
		return nil
	}
	return value
}
