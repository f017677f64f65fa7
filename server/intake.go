package server

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/api"
	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/wait"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const declareAgain = time.Second

// receive hands messages to the engine until taking ends: a consumer whose lane is full while the store is away must not
// wait longer. What the engine has taken by then is decided, the rest is delivered again.
func (s *Server) receive(
	taking context.Context, queue string, take func(context.Context, wire.Message, func(bool)),
) func(wire.Message, func(bool)) {
	received := s.metrics.received.WithLabelValues(queue)
	return func(message wire.Message, settle func(bool)) {
		received.Inc()
		take(taking, message, settle)
	}
}

// startQueue is a broker that other programs can reach, and ask for sagas by message. The embedded one is none: who is in
// this process has the API.
type startQueue interface {
	ConsumeStarts(ctx context.Context, handle func(message wire.Message, settle func(ok bool)))
}

// consumeStarts starts sagas by message until taking ends, each in a goroutine of its own: a start waits for its commit,
// and those that wait at the same time are committed together. One that is not stored by the end is left to the next
// replica, which finds by the idempotency key what became of it.
func (s *Server) consumeStarts(taking context.Context) {
	queue, is := s.broker.(startQueue)
	if !is {
		return
	}
	received := s.metrics.received.WithLabelValues(fromStart)
	var starts sync.WaitGroup
	queue.ConsumeStarts(taking, func(message wire.Message, settle func(bool)) {
		received.Inc()
		starts.Go(func() { s.engine.ReceiveStart(taking, message, decodeStart, settle) })
	})
	starts.Wait()
}

func decodeStart(message wire.Message) (record.StartRequest, error) {
	return api.DecodeStartMessage(message, time.Now())
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
		if !wait.For(ctx, declareAgain) {
			return
		}
	}
}
