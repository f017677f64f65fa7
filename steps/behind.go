package steps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/wait"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const longestBarrierWait = 5 * time.Second

// opened is a transaction of type Tx that has entered a command at the barrier.
type opened[Tx any] struct {
	tx     Tx
	reply  json.RawMessage // the answer; nil: the handler must be called
	output json.RawMessage // what the step returned, for a compensation that has an effect to reverse
	end    ending
}

// ending ends the transaction of a command. An error that wraps errBarrier means that the outcome is unknown.
type ending interface {
	// keep commits the handler's work together with its reply. errWork means that none of the work is left.
	keep(ctx context.Context, reply json.RawMessage) error
	// refuse reverses the handler's work and commits a failed reply. instead, if not nil, is the reply that counts: another
	// delivery of the command was faster.
	refuse(ctx context.Context, reply json.RawMessage) (instead json.RawMessage, err error)
	// commit commits what the barrier itself has written.
	commit(ctx context.Context) error
	// abort rolls back what is still open, and releases the connection. It is always called.
	abort()
}

// handleBehind registers a function whose transactions begin opens.
func handleBehind[Tx, In, Out any](
	w *Worker, name string, begin func(context.Context, wire.Delivery) (opened[Tx], error),
	handle func(context.Context, Tx, Command[In]) (Out, error),
) {
	given(name, w != nil, "worker")
	given(name, handle != nil, "function")
	decoder := decoderOf(reflect.TypeFor[In]())
	w.register(name, reflect.TypeFor[Out](), func(ctx context.Context, delivery wire.Delivery) (json.RawMessage, error) {
		work := func(ctx context.Context, tx Tx, output json.RawMessage) (json.RawMessage, error) {
			if output != nil {
				delivery.Output = output
			}
			command, err := typed[In](delivery, decoder)
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
			output, err := throughBarrier(ctx, w, delivery, begin, work)
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

// throughBarrier handles one command in a barrier transaction. work calls the handler.
func throughBarrier[Tx any](
	ctx context.Context, w *Worker, delivery wire.Delivery, begin func(context.Context, wire.Delivery) (opened[Tx], error),
	work func(ctx context.Context, tx Tx, output json.RawMessage) (json.RawMessage, error),
) (json.RawMessage, error) {
	t, err := begin(ctx, delivery)
	if err != nil {
		return nil, err
	}
	defer t.end.abort()
	if t.reply != nil {
		if err := t.end.commit(ctx); err != nil { // which keeps a tombstone, if the barrier left one
			return nil, err
		}
		return stored(delivery.ID, t.reply)
	}
	output, err := protect(alone, w.logger, func() (json.RawMessage, error) { return work(ctx, t.tx, t.output) })
	if unanswerable(ctx, err) {
		return nil, err
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), closingTime)
	defer cancel()
	if err == nil {
		reply, encodeErr := wire.Succeeded(output).Encode()
		if encodeErr != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnknown, encodeErr)
		}
		err = t.end.keep(ending, reply)
		if !errors.Is(err, errWork) {
			return output, err
		}
	}
	reply, encodeErr := failure(err).reply().Encode()
	if encodeErr != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnknown, encodeErr)
	}
	instead, refuseErr := t.end.refuse(ending, reply)
	if refuseErr != nil {
		return nil, refuseErr
	}
	if instead != nil {
		return stored(delivery.ID, instead)
	}
	return nil, err
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
