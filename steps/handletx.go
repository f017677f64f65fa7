package steps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/wait"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const longestBarrierWait = 5 * time.Second

// HandleTx registers a function like Handle, behind a barrier: what it does in tx takes effect once, together with the
// knowledge of it. Use it for both commands of a step, or for neither: a compensation behind a barrier undoes what
// went through the barrier, and nothing else.
//
//   - The same command again gets the reply that the first got; two at the same time wait for each other.
//   - A compensation of a step that took no effect is not called, and succeeds. Its command is refused if it comes later.
//   - A function that returns an error, or panics, has its work rolled back; that attempt will never take effect.
//   - Command.Output is what the step returned, even if the orchestrator never heard of it.
//
// The function must not end tx, and does what it does elsewhere at its own risk. While the database is away the command
// is tried again until its deadline, and then not answered: nobody knows whether an earlier delivery took effect.
func HandleTx[In, Out any](w *Worker, b *Barrier, name string, handle func(context.Context, pgx.Tx, Command[In]) (Out, error)) {
	w.register(name, reflect.TypeFor[Out](), func(ctx context.Context, delivery wire.Delivery) (json.RawMessage, error) {
		work := func(ctx context.Context, tx pgx.Tx, output json.RawMessage) (json.RawMessage, error) {
			if output != nil {
				delivery.Output = output
			}
			command, err := typed[In](delivery)
			if err != nil {
				return nil, err
			}
			result, err := handle(ctx, tx, command)
			if err != nil {
				return nil, err
			}
			encoded, err := encodeOutput(result)
			if err != nil {
				return nil, Fail(CodeInvalidOutput, err.Error())
			}
			return encoded, nil
		}
		pause := 50 * time.Millisecond
		for {
			output, err := w.throughBarrier(ctx, b, delivery, work)
			if !errors.Is(err, errBarrier) {
				return output, err
			}
			w.log.Warn("the barrier failed, the command is done again", "command_id", delivery.ID.String(), "error", err)
			if !wait.For(ctx, pause) {
				return nil, fmt.Errorf("%w: %w", err, ctx.Err())
			}
			pause = min(2*pause, longestBarrierWait)
		}
	})
}

// workTx does a command's work in a transaction. output is what the barrier knows of the step.
type workTx func(ctx context.Context, tx pgx.Tx, output json.RawMessage) (json.RawMessage, error)

// throughBarrier handles one command in a barrier transaction.
func (w *Worker) throughBarrier(ctx context.Context, b *Barrier, delivery wire.Delivery, work workTx) (json.RawMessage, error) {
	t, reply, known, err := b.begin(ctx, delivery.ID.IdempotencyKey(), delivery.ID.Attempt)
	if err != nil {
		return nil, err
	}
	defer t.abort()
	if reply != nil {
		if err := t.commit(ctx); err != nil { // a tombstone may have been left
			return nil, err
		}
		return stored(delivery.ID, reply)
	}
	output, err := protect(func() *slog.Logger { return w.log }, func() (json.RawMessage, error) { return work(ctx, handlersTx{t.tx}, known) })
	if unanswerable(ctx, err) {
		return nil, err
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), closingTime)
	defer cancel()
	if err == nil {
		err = t.keepWork(ending)
	}
	if errors.Is(err, errBarrier) {
		return nil, err
	}
	answer := wire.Succeeded(output)
	if err != nil {
		if err := t.rollbackWork(ending); err != nil {
			return nil, err
		}
		output, answer = nil, failure(err).reply()
	}
	encoded, encodeErr := answer.Encode()
	if encodeErr != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnknown, encodeErr)
	}
	if err := t.finish(ending, encoded); err != nil {
		return nil, err
	}
	return output, err
}

// unanswerable reports whether an error leaves nothing to say: the handler does not know, or ran out of time.
func unanswerable(ctx context.Context, err error) bool {
	var said *Error
	return errors.Is(err, ErrUnknown) || (err != nil && ctx.Err() != nil && !errors.As(err, &said))
}

// stored turns a reply that the barrier kept back into what a handler returns. A worker in another language may have
// written it, so it is read as the orchestrator reads it: the answer must not depend on who gives it.
func stored(id saga.CommandID, reply json.RawMessage) (json.RawMessage, error) {
	kept, err := wire.DecodeReply(id.String(), reply)
	if err != nil {
		return nil, fmt.Errorf("%w: read the stored reply: %w", ErrUnknown, err)
	}
	if kept.Succeeded {
		return kept.Output, nil
	}
	return nil, &Error{Code: kept.Error.Code, Message: kept.Error.Message, Retryable: kept.Error.Retryable}
}
