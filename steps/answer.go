package steps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// answer does one command. ctx ends when the worker has to stop at once.
func (w *Worker) answer(ctx context.Context, message wire.Message) wire.Answer {
	delivery, err := wire.DecodeCommand(message)
	if err != nil {
		w.log.Error("a message that is no command is put aside as a dead letter", "message_id", message.MessageID, "error", err)
		return wire.Answer{Settlement: wire.Rejected}
	}
	return w.once(ctx, delivery.ID.String(), func() wire.Answer { return w.execute(ctx, delivery, message.CorrelationID) })
}

// execute handles one command in a slot of its own.
func (w *Worker) execute(ctx context.Context, delivery wire.Delivery, id string) wire.Answer {
	select {
	case w.slots <- struct{}{}:
	case <-ctx.Done():
		return wire.Answer{Settlement: wire.Requeued}
	}
	defer func() { <-w.slots }()
	log := func() *slog.Logger { // made only where there is something to say: most commands succeed in silence
		return w.log.With("command", delivery.Name, "command_id", id)
	}
	if late := w.late(delivery); late > 0 {
		log().Warn("a command came after its deadline and is dropped", "late", late)
		return wire.Answer{Settlement: wire.Dropped}
	}
	work, cancel := withDeadline(ctx, delivery.Deadline)
	defer cancel()
	output, err := w.handle(work, delivery, log)
	return settle(ctx, work, output, err, log)
}

// late returns by how much an execute command has missed its deadline.
func (w *Worker) late(delivery wire.Delivery) time.Duration {
	if w.config.IgnoreDeadline || delivery.Deadline.IsZero() || delivery.ID.Direction != saga.Execute {
		return 0
	}
	return time.Since(delivery.Deadline)
}

// withDeadline sets the command's deadline. What is done in spite of a deadline that has passed has none.
func withDeadline(ctx context.Context, deadline time.Time) (context.Context, context.CancelFunc) {
	if time.Until(deadline) <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline)
}

// handle calls the command's handler.
func (w *Worker) handle(ctx context.Context, delivery wire.Delivery, log func() *slog.Logger) (json.RawMessage, error) {
	w.mu.Lock()
	h := w.handlers[delivery.Name]
	w.mu.Unlock()
	if h == nil {
		return nil, Retry(CodeUnknownCommand, "this worker has no handler for "+delivery.Name)
	}
	return protect(log, func() (json.RawMessage, error) { return h(ctx, delivery) })
}

// protect turns a panic into an error.
func protect(log func() *slog.Logger, call func() (json.RawMessage, error)) (output json.RawMessage, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			log().Error("a handler panicked", "panic", cause, "stack", string(debug.Stack()))
			output, err = nil, Retry(CodePanic, fmt.Sprint(cause))
		}
	}()
	return call()
}

// settle makes the answer of a handler's result. worker is the context that ends when the worker has to stop, command
// is the one that the handler had.
func settle(worker, command context.Context, output json.RawMessage, err error, log func() *slog.Logger) wire.Answer {
	var said *Error
	switch {
	case err == nil:
		return replied(wire.Succeeded(output), log)
	case errors.Is(err, ErrUnknown):
		log().Error("whether a command took effect is unknown, it is put aside as a dead letter", "error", err)
		return wire.Answer{Settlement: wire.Rejected}
	case errors.As(err, &said):
		log().Info("a command failed", "code", said.Code, "retryable", said.Retryable, "error", err)
	case worker.Err() != nil:
		return wire.Answer{Settlement: wire.Requeued}
	case command.Err() != nil:
		// What the handler was doing when its time ran out may have had its effect. The orchestrator's own timer says
		// unknown; a reply would say that there was none.
		log().Warn("a command ran out of time and is not answered", "error", err)
		return wire.Answer{Settlement: wire.Dropped}
	default:
		log().Warn("a command failed", "code", CodeError, "error", err)
	}
	return replied(failure(err).reply(), log)
}

func replied(reply wire.Reply, log func() *slog.Logger) wire.Answer {
	content, err := reply.Encode()
	if err != nil {
		log().Error("a reply cannot be encoded, its command is put aside as a dead letter", "error", err)
		return wire.Answer{Settlement: wire.Rejected}
	}
	return wire.Answer{Settlement: wire.Replied, Reply: content}
}
