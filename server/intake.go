package server

import (
	"context"
	"errors"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const declareAgain = time.Second

// receive hands messages to the engine with a context that outlasts the consumer's: what has been taken is decided.
func (s *Server) receive(
	deciding context.Context, take func(context.Context, wire.Message, func(bool)),
) func(wire.Message, func(bool)) {
	return func(message wire.Message, settle func(bool)) { take(deciding, message, settle) }
}

// declare makes the queues of all registered definitions known to the broker, which keeps them declared from then on.
func (s *Server) declare(ctx context.Context) {
	for {
		queues, err := s.store.Queues(ctx)
		if err == nil && len(queues) > 0 {
			err = s.broker.DeclareQueues(ctx, queues)
		}
		if err == nil || ctx.Err() != nil {
			return
		}
		if errors.Is(err, rabbit.ErrMismatch) {
			s.config.Logger.Warn("a worker queue exists with other properties, it is used as it is", "error", err)
			return // asking again changes nothing
		}
		s.config.Logger.Warn("worker queues are not declared yet, trying again", "error", err)
		wait := time.NewTimer(declareAgain)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return
		}
	}
}
