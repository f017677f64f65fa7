package steps

import (
	"context"
	"crypto/rand"
	"fmt"
	"reflect"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// RunOption changes the request that starts a saga, such as its business key or its labels. A nil option is ignored.
type RunOption func(*client.StartRequest)

// Start starts a saga with the data and returns it. A start without an idempotency key gets a random one, so that a lost
// answer does not start two sagas.
func (s *Saga[T]) Start(ctx context.Context, c *client.Client, data T, options ...RunOption) (resource.Saga, error) {
	request, err := s.request(c, data, options)
	if err != nil {
		return resource.Saga{}, err
	}
	if request.IdempotencyKey == "" {
		request.IdempotencyKey = rand.Text()
	}
	return c.Start(ctx, request)
}

// Run starts a saga and waits for its end, as client.Run does. It returns the data of the completed saga. A *client.Failed
// names the step because of which the saga was compensated, and a *client.Unresolved says why it needs an operator or was
// abandoned; the data is then that of the saga at the time.
func (s *Saga[T]) Run(ctx context.Context, c *client.Client, data T, options ...RunOption) (done T, err error) {
	request, err := s.request(c, data, options)
	if err != nil {
		return done, err
	}
	end, err := c.Run(ctx, request)
	if len(end.Data) == 0 {
		return done, err
	}
	if unfit := decoderOf(reflect.TypeFor[T]()).decode(end.Data, &done); unfit != nil && err == nil {
		err = fmt.Errorf("decode the data of saga %s: %w", end.ID, unfit)
	}
	return done, err
}

func (s *Saga[T]) request(c *client.Client, data T, options []RunOption) (client.StartRequest, error) {
	if c == nil {
		return client.StartRequest{}, errNoClient
	}
	content, err := saga.EncodeJSON(&data) // as a step encodes it, so that methods of the pointer count
	if err != nil {
		return client.StartRequest{}, fmt.Errorf("encode the data of saga %s: %w", s.name, err)
	}
	request := client.StartRequest{Definition: s.name, Data: content}
	for _, option := range options {
		if option != nil {
			option(&request)
		}
	}
	return request, nil
}
