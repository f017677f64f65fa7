package steps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/wait"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const longestBarrierWait = 5 * time.Second

// HandleTx registers a function like Handle, behind a barrier. The function's work in tx and the record that it was
// done commit together, so the effect happens exactly once. Use HandleTx for both commands of a step or for neither: a
// compensation behind a barrier reverses only effects that went through the barrier.
//
//   - A repeated command gets the first one's reply. Concurrent deliveries wait for each other.
//   - A compensation of a step that took no effect succeeds without a call. The step's command is refused if it comes later.
//   - If the function returns an error or panics, its work is rolled back, and that attempt never takes effect.
//   - Command.Output is the step's output, even if the orchestrator never received it.
//
// The function must not end tx. Effects outside tx are not protected. While the database is unavailable, the worker
// retries the command until its deadline and then sends no reply: an earlier delivery may have taken effect.
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
			w.log.Warn("the barrier failed, the command is tried again", "command_id", delivery.ID.String(), "error", err)
			if !wait.For(ctx, pause) {
				return nil, fmt.Errorf("%w: %w", err, ctx.Err())
			}
			pause = min(2*pause, longestBarrierWait)
		}
	})
}

// workTx calls the handler in a transaction. output is the step's output, as the barrier knows it.
type workTx func(ctx context.Context, tx pgx.Tx, output json.RawMessage) (json.RawMessage, error)

// throughBarrier handles one command in a barrier transaction.
func (w *Worker) throughBarrier(ctx context.Context, b *Barrier, delivery wire.Delivery, work workTx) (json.RawMessage, error) {
	t, reply, known, err := b.begin(ctx, delivery)
	if err != nil {
		return nil, err
	}
	defer t.abort()
	if reply != nil {
		if err := t.commit(ctx); err != nil { // which keeps a tombstone, if the barrier left one
			return nil, err
		}
		return stored(delivery.ID, reply)
	}
	output, err := protect(w.log, func() (json.RawMessage, error) { return work(ctx, handlersTx{t.tx}, known) })
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

// unanswerable reports whether no reply may be sent: the outcome is unknown, or the handler exceeded its deadline.
func unanswerable(ctx context.Context, err error) bool {
	var said *Error
	return errors.Is(err, ErrUnknown) || (err != nil && ctx.Err() != nil && !errors.As(err, &said))
}

// stored decodes a reply that the barrier kept. A worker in another language may have written it, so it is decoded as
// the orchestrator decodes it: the answer must not depend on the sender.
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
