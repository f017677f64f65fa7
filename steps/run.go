package steps

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// longestWait is how long one request waits for a saga. Shorter than the limit of 60 s, so that proxies with that limit pass it.
const longestWait = 50 * time.Second

// Failed is the error of Saga.Run: the saga did not complete.
type Failed struct {
	Saga    string      // its id
	Status  saga.Status // compensated, abandoned, or that of a saga which needs an operator
	Step    string      // the step that failed; empty: it is not the failure of one step
	Code    string      // why, for programs
	Message string      // why, for operators
}

// Error names the saga, its status and the failed step.
func (f *Failed) Error() string {
	text := "saga " + f.Saga + " is " + string(f.Status)
	if f.Step != "" {
		text += ": step " + f.Step
	}
	return text + ": " + f.Code + ": " + f.Message
}

// RunOption changes the request that starts a saga, such as its business key or its labels.
type RunOption func(*client.StartRequest)

// Start starts a saga with the data and returns it. A start without an idempotency key gets a random one, so that a lost
// answer does not start two sagas.
func (s *Saga[T]) Start(ctx context.Context, c *client.Client, data T, options ...RunOption) (resource.Saga, error) {
	content, err := saga.EncodeJSON(data)
	if err != nil {
		return resource.Saga{}, fmt.Errorf("encode the data of saga %s: %w", s.name, err)
	}
	request := client.StartRequest{Definition: s.name, Data: content}
	for _, option := range options {
		option(&request)
	}
	if request.IdempotencyKey == "" {
		request.IdempotencyKey = rand.Text()
	}
	return c.Start(ctx, request)
}

// Run starts a saga and waits until it has ended or needs an operator. It returns the data of the completed saga, or an
// error of type *Failed with the data at that time. The saga goes on if ctx ends: it is the orchestrator's.
func (s *Saga[T]) Run(ctx context.Context, c *client.Client, data T, options ...RunOption) (T, error) {
	waiting := func(request *client.StartRequest) { request.Wait = longestWait }
	state, err := s.Start(ctx, c, data, append(slices.Clip(options), waiting)...)
	for err == nil && !state.Status.Terminal() && state.Attention == nil {
		state, err = c.Wait(ctx, state.ID, state.Revision, longestWait)
	}
	var done T
	if err != nil {
		return done, err
	}
	if state.Status != saga.Completed {
		err = failed(state)
	}
	if unfit := json.Unmarshal(state.Data, &done); unfit != nil && err == nil {
		err = fmt.Errorf("decode the data of saga %s: %w", state.ID, unfit)
	}
	return done, err
}

func failed(state resource.Saga) *Failed {
	failure := &Failed{Saga: state.ID, Status: state.Status, Code: string(state.Status), Message: "the saga ended without a failure of a step"}
	switch {
	case state.Attention != nil:
		failure.Step, failure.Code, failure.Message = string(state.Attention.Step), string(state.Attention.Reason), state.Attention.Message
	case state.Failure != nil:
		failure.Step, failure.Code, failure.Message = string(state.Failure.Step), state.Failure.Code, state.Failure.Message
	}
	return failure
}
