package steps

import (
	"context"
	"encoding/json"
	"slices"
)

// Middleware runs around a function of a Saga, for logs, metrics or limits that all steps share. next runs the function and
// returns the output of its step. What the middleware returns counts instead: an error as that of a function.
//
// Behind a barrier it runs inside the transaction, and only if the function is to run. A command that the barrier answers does not
// reach it.
type Middleware func(
	ctx context.Context, command Command[json.RawMessage], next func(context.Context) (json.RawMessage, error),
) (output json.RawMessage, err error)

// WithMiddleware runs a middleware around each function. Of several the first is the outermost. Serve and Attach refuse nil.
func WithMiddleware(middleware Middleware) ServeOption {
	return func(s *serving) { s.middlewares = append(s.middlewares, middleware) }
}

// around runs a function inside the middlewares.
func (s *serving) around(
	ctx context.Context, command Command[json.RawMessage], call func(context.Context) (json.RawMessage, error),
) (json.RawMessage, error) {
	for _, middleware := range slices.Backward(s.middlewares) {
		next := call
		call = func(ctx context.Context) (json.RawMessage, error) { return middleware(ctx, command, next) }
	}
	return call(ctx)
}
