package server

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/api"
	"github.com/saga-orchestrator/orchestrator/internal/engine"
	"github.com/saga-orchestrator/orchestrator/internal/operate"
	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/wait"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const declareAgain = time.Second

// receive passes messages to the engine until taking ends, even if a lane is full because the store is unavailable. The
// engine processes the messages that it has accepted; the broker delivers the others again.
func (s *Server) receive(
	taking context.Context, queue string, take func(context.Context, wire.Message, func(bool)),
) func(wire.Message, func(bool)) {
	received := s.metrics.received.WithLabelValues(queue)
	return func(message wire.Message, settle func(bool)) {
		received.Inc()
		take(taking, message, settle)
	}
}

// takeMessages consumes the queues of the orchestrator until taking ends. While this replica cannot store changes of sagas it consumes
// none: another one may store them, and replies that wait here would come after the timers there.
func (s *Server) takeMessages(taking context.Context) {
	for taking.Err() == nil {
		storing, stop := context.WithCancel(taking)
		var parts sync.WaitGroup
		parts.Go(func() { s.broker.ConsumeReplies(storing, s.receive(storing, fromReplies, s.engine.ReceiveReply)) })
		parts.Go(func() { s.broker.ConsumeDead(storing, s.receive(storing, fromDead, s.engine.ReceiveDead)) })
		parts.Go(func() { s.consumeStarts(storing) })
		if s.config.embedded() { // there is no other replica
			<-taking.Done()
		}
		s.engine.AwaitOutage(storing)
		stop()
		parts.Wait()
		if taking.Err() == nil {
			s.config.Logger.Warn("cannot store changes of sagas, leaves messages to other replicas")
		}
		s.engine.AwaitStoring(taking)
	}
}

// startQueue is a broker through which other programs can start sagas by message. The in-process broker does not implement
// it.
type startQueue interface {
	ConsumeStarts(ctx context.Context, handle func(message wire.Message, settle func(ok bool)))
}

// consumeStarts starts sagas by message until taking ends. Each start has its own goroutine, so that concurrent starts are
// committed in one batch. A start without a commit at the end is delivered again, and its idempotency key makes it safe.
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

// takeStartRequests starts sagas that transactions have asked for, until taking ends. The embedded store has no SQL.
func (s *Server) takeStartRequests(taking context.Context) {
	requests, is := s.store.(operate.StartRequests)
	if !is {
		return
	}
	received := s.metrics.received.WithLabelValues(fromSQL)
	operate.Starts{
		Requests: requests, Every: s.config.StartPoll, Logger: s.config.Logger,
		Take: func(ctx context.Context, start record.QueuedStart, settle func(bool)) {
			received.Inc()
			s.engine.ReceiveStart(ctx, engine.QueuedStart(start), decodeStart, settle)
		},
		Waits: func(start record.QueuedStart) bool {
			request, err := decodeStart(engine.QueuedStart(start))
			return err == nil && s.engine.IsCostly(request.Definition, request.Version)
		},
	}.Run(taking)
}

// queueStart returns how a start by message waits for its turn; nil if the store has no place for it.
func (s *Server) queueStart() func(context.Context, record.QueuedStart) error {
	rows, is := s.store.(interface {
		QueueStart(ctx context.Context, start record.QueuedStart) error
	})
	if !is {
		return nil
	}
	return rows.QueueStart
}

func decodeStart(message wire.Message) (record.StartRequest, error) {
	return api.DecodeStartMessage(message, time.Now())
}

// declare declares the queues of all registered definitions. The broker then keeps them declared.
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
			for _, existing := range rabbit.Mismatches(err) {
				kind, name, _ := strings.Cut(existing, " ") // an exchange, or a queue
				s.config.Logger.Warn("an existing "+kind+" has different properties and is used unchanged", kind, name, "error", err)
			}
			return // a retry does not help
		}
		s.config.Logger.Warn("declaring worker queues failed, retrying", "error", err)
		if !wait.For(ctx, declareAgain) {
			return
		}
	}
}
