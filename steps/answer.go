package steps

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// answer handles one command and returns its answer. ctx ends when the worker must stop at once; run runs the handler.
func (w *Worker) answer(ctx context.Context, message wire.Message, run func(func())) wire.Answer {
	delivery, err := wire.DecodeCommand(message)
	if err != nil {
		w.log.Error("a message is not a valid command and becomes a dead letter", "message_id", message.MessageID, "error", err)
		return wire.Answer{Settlement: wire.Rejected}
	}
	return w.once(ctx, delivery.ID.String(), func() wire.Answer { return w.execute(ctx, delivery, message.CorrelationID, run) })
}

// execute handles one command, once a slot is free.
func (w *Worker) execute(ctx context.Context, delivery wire.Delivery, id string, run func(func())) wire.Answer {
	select {
	case w.slots <- struct{}{}:
	case <-ctx.Done():
		return wire.Answer{Settlement: wire.Requeued}
	}
	defer func() { <-w.slots }()
	log := func() *slog.Logger { return w.log.With("command", delivery.Name, "command_id", id) } // few commands log anything
	if late := w.late(delivery); late > 0 {
		log().Warn("a command arrived after its deadline and is dropped", "late", late)
		return wire.Answer{Settlement: wire.Dropped}
	}
	work, cancel := withDeadline(ctx, delivery.Deadline)
	defer cancel()
	output, err := w.handle(work, delivery, run, log)
	return settle(ctx, work, output, err, log)
}

// late returns how long ago the deadline of an execute command passed.
func (w *Worker) late(delivery wire.Delivery) time.Duration {
	if w.config.IgnoreDeadline || delivery.Deadline.IsZero() || delivery.ID.Direction != saga.Execute {
		return 0
	}
	return time.Since(delivery.Deadline)
}

// withDeadline sets the command's deadline. A deadline that has already passed sets none: the command runs in spite of
// it.
func withDeadline(ctx context.Context, deadline time.Time) (context.Context, context.CancelFunc) {
	if time.Until(deadline) <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline)
}

// handle calls the command's handler.
func (w *Worker) handle(
	ctx context.Context, delivery wire.Delivery, run func(func()), log func() *slog.Logger,
) (json.RawMessage, error) {
	w.mu.Lock()
	h := w.handlers[delivery.Name]
	w.mu.Unlock()
	if h == nil {
		return nil, Retry(CodeUnknownCommand, "this worker has no handler for "+delivery.Name)
	}
	return protect(run, log, func() (json.RawMessage, error) { return h(ctx, delivery) })
}

// logger returns the logger of the worker.
func (w *Worker) logger() *slog.Logger { return w.log }

// settle turns a handler's result into an answer. worker ends when the worker must stop; command is the handler's own
// context.
func settle(worker, command context.Context, output json.RawMessage, err error, log func() *slog.Logger) wire.Answer {
	var said *Error
	switch {
	case err == nil:
		return replied(wire.Succeeded(output), log)
	case errors.Is(err, errOutput):
		// The command took effect. A failed reply would deny that, and none would repeat the effect.
		log().Error("a command took effect, but its output cannot be sent; the reply has the reason in its place", "error", err)
		return replied(wire.SucceededWithout(err.Error()), log)
	case errors.Is(err, ErrUnknown):
		log().Error("a command's outcome is unknown, it becomes a dead letter", "error", err)
		return wire.Answer{Settlement: wire.Rejected}
	case errors.As(err, &said):
		log().Info("a command failed", "code", said.Code, "retryable", said.Retryable, "error", err)
	case worker.Err() != nil:
		return wire.Answer{Settlement: wire.Requeued}
	case command.Err() != nil:
		// The handler may have taken effect before its time ran out. A failed reply would deny that, so none is sent:
		// the orchestrator's timer counts the outcome as unknown.
		log().Warn("a command exceeded its deadline and gets no reply", "error", err)
		return wire.Answer{Settlement: wire.Dropped}
	default:
		log().Warn("a command failed", "code", CodeError, "error", err)
	}
	return replied(failure(err).reply(), log)
}

func replied(reply wire.Reply, log func() *slog.Logger) wire.Answer {
	content, err := reply.Encode()
	if err != nil {
		log().Error("a reply cannot be encoded, its command becomes a dead letter", "error", err)
		return wire.Answer{Settlement: wire.Rejected}
	}
	return wire.Answer{Settlement: wire.Replied, Reply: content}
}
