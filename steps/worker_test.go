package steps_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

func TestAHandlerGetsTheCommandAndItsOutputIsTheReply(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.worker(steps.Config{})
	got := make(chan steps.Command[chargeInput], 1)
	steps.Handle(w, "payments.charge", func(ctx context.Context, cmd steps.Command[chargeInput]) (chargeOutput, error) {
		deadline, ok := ctx.Deadline()
		assert.True(t, ok)
		assert.Equal(t, cmd.Deadline, deadline)
		got <- cmd
		return chargeOutput{ChargeID: "<c-1>"}, nil
	})
	b.run(w)
	b.send(command(saga.Execute, 2))
	reply := b.reply(1)
	assert.True(t, reply.Succeeded)
	assert.Contains(t, string(reply.Output), `"<c-1>"`, "as the handler wrote it")
	assert.Equal(t, "saga-1/charge/execute/2", reply.Command.String())

	cmd := <-got
	assert.WithinDuration(t, time.Now().Add(time.Minute), cmd.Deadline, 10*time.Second)
	cmd.Deadline = time.Time{}
	assert.Equal(t, steps.Command[chargeInput]{
		ID: "saga-1/charge/execute/2", IdempotencyKey: "saga-1/charge/execute", Name: "payments.charge",
		SagaID: "saga-1", Definition: "order", Version: 3, Step: "charge", Action: saga.Execute, Attempt: 2,
		TraceParent: "00-trace", Data: chargeInput{OrderID: "42", Amount: 120},
		RawData: json.RawMessage(`{"orderId":"42","amount":120}`),
	}, cmd)
}

func TestACompensationGetsTheOutputOfItsStep(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.worker(steps.Config{})
	steps.Handle(w, "payments.refund", func(_ context.Context, cmd steps.Command[chargeInput]) (steps.None, error) {
		var output chargeOutput
		known, err := cmd.DecodeOutput(&output)
		assert.NoError(t, err)
		assert.True(t, known)
		assert.Equal(t, "c-1", output.ChargeID)
		assert.Equal(t, saga.Compensate, cmd.Action)
		return steps.None{}, nil
	})
	b.run(w)
	b.send(command(saga.Compensate, 1))
	reply := b.reply(1)
	assert.True(t, reply.Succeeded)
	assert.Nil(t, reply.Output)
}

func TestTheReplyReportsWhatTheHandlerReturns(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err  error
		want saga.ReplyError
	}{
		"a final failure":         {steps.Fail("card_declined", "insufficient funds"), saga.ReplyError{Code: "card_declined", Message: "insufficient funds"}},
		"a wrapped failure":       {fmt.Errorf("charge: %w", steps.Fail("card_declined", "no")), saga.ReplyError{Code: "card_declined", Message: "no"}},
		"a retryable failure":     {steps.Retry("busy", "later"), saga.ReplyError{Code: "busy", Message: "later", Retryable: true}},
		"any other error":         {errors.New("connection refused"), saga.ReplyError{Code: "error", Message: "connection refused", Retryable: true}},
		"text Postgres rejects":   {errors.New("a\x00b\xff"), saga.ReplyError{Code: "error", Message: "a\uFFFDb\uFFFD", Retryable: true}},
		"a very long message":     {errors.New(strings.Repeat("é", 9999)), saga.ReplyError{Code: "error", Message: strings.Repeat("é", 2048), Retryable: true}},
		"an error without a code": {steps.Fail("", "no"), saga.ReplyError{Code: "error", Message: "no"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			w := b.worker(steps.Config{})
			steps.Handle(w, "payments.charge", func(context.Context, steps.Command[chargeInput]) (chargeOutput, error) {
				return chargeOutput{}, test.err
			})
			b.run(w)
			b.send(command(saga.Execute, 1))
			reply := b.reply(1)
			assert.False(t, reply.Succeeded)
			assert.Equal(t, &test.want, reply.Error)
		})
	}
}

func TestAPanicIsAFailureAndTheWorkerContinues(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.worker(steps.Config{})
	steps.Handle(w, "payments.charge", func(_ context.Context, cmd steps.Command[chargeInput]) (chargeOutput, error) {
		if cmd.Attempt == 1 {
			panic("out of coffee")
		}
		return chargeOutput{}, nil
	})
	b.run(w)
	b.send(command(saga.Execute, 1))
	assert.Equal(t, &saga.ReplyError{Code: "panic", Message: "out of coffee", Retryable: true}, b.reply(1).Error)
	b.send(command(saga.Execute, 2))
	assert.True(t, b.reply(2).Succeeded)
}

func TestACommandWithoutAHandlerMayBeRetried(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.run(b.worker(steps.Config{}))
	b.send(command(saga.Execute, 1))
	failure := b.reply(1).Error
	assert.Equal(t, steps.CodeUnknownCommand, failure.Code)
	assert.True(t, failure.Retryable, "a newer worker may have the handler")
}

func TestDataThatDoesNotFitIsAFinalFailure(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.worker(steps.Config{})
	steps.Handle(w, "payments.charge", func(context.Context, steps.Command[chargeInput]) (chargeOutput, error) {
		t.Error("the handler was called")
		return chargeOutput{}, nil
	})
	b.run(w)
	sent := command(saga.Execute, 1)
	sent.Body = []byte(`{"data":{"amount":"a lot"}}`)
	b.send(sent)
	failure := b.reply(1).Error
	assert.Equal(t, steps.CodeInvalidData, failure.Code)
	assert.False(t, failure.Retryable)
}

func TestAnUnknownOutcomeGetsNoReply(t *testing.T) {
	t.Parallel()
	for name, handle := range map[string]func() (any, error){
		"the handler says so":         func() (any, error) { return nil, fmt.Errorf("call the bank: %w", steps.ErrUnknown) },
		"it says so beside a failure": func() (any, error) { return nil, errors.Join(steps.Fail("no", "no"), steps.ErrUnknown) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			w := b.worker(steps.Config{})
			steps.Handle(w, "payments.charge", func(context.Context, steps.Command[chargeInput]) (any, error) { return handle() })
			b.run(w)
			b.send(command(saga.Execute, 1))
			assert.Equal(t, "saga-1/charge/execute/1", b.deadLetter().MessageID)
			replies, _ := b.counts()
			assert.Zero(t, replies, "any reply would claim a known outcome")
		})
	}
}

func TestAnInvalidCommandBecomesADeadLetter(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.run(b.worker(steps.Config{}))
	sent := command(saga.Execute, 1)
	sent.Body = []byte(`{"data":`)
	b.send(sent)
	letter := b.deadLetter()
	assert.Equal(t, "saga.dead", letter.Queue)
	deaths, ok := letter.Headers["x-death"].([]any)
	require.True(t, ok)
	assert.Contains(t, deaths[0], "reason")
}

func TestAPassedDeadlineStopsExecutionButNotCompensation(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		direction saga.Direction
		config    steps.Config
		done      bool
	}{
		"execute":                    {saga.Execute, steps.Config{}, false},
		"compensate":                 {saga.Compensate, steps.Config{}, true},
		"execute, deadlines ignored": {saga.Execute, steps.Config{IgnoreDeadline: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			w := b.worker(test.config)
			var calls atomic.Int64
			handle := func(ctx context.Context, _ steps.Command[chargeInput]) (steps.None, error) {
				calls.Add(1)
				return steps.None{}, ctx.Err() // a command handled in spite of its deadline has time
			}
			steps.Handle(w, "payments.charge", handle)
			steps.Handle(w, "payments.refund", handle)
			late := command(test.direction, 1)
			late.Timeout = -time.Second
			b.send(late)
			stop := b.run(w)
			if test.done {
				assert.True(t, b.reply(1).Succeeded)
			}
			b.settled(stop)
			assert.Equal(t, test.done, calls.Load() == 1)
			replies, dead := b.counts()
			assert.Equal(t, test.done, replies == 1)
			assert.Zero(t, dead)
		})
	}
}

func TestACommandThatExceedsItsDeadlineGetsNoReply(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.worker(steps.Config{})
	ran := make(chan struct{})
	steps.Handle(w, "payments.charge", func(ctx context.Context, _ steps.Command[chargeInput]) (chargeOutput, error) {
		<-ctx.Done()
		close(ran)
		return chargeOutput{}, fmt.Errorf("call the bank: %w", ctx.Err())
	})
	stop := b.run(w)
	short := command(saga.Execute, 1)
	short.Timeout = 200 * time.Millisecond
	b.send(short)
	<-ran
	b.settled(stop)
	replies, dead := b.counts()
	assert.Zero(t, replies+dead)
}

func TestConcurrencyLimitsTheRunningHandlers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.worker(steps.Config{Concurrency: 3})
	var running, most atomic.Int64
	steps.Handle(w, "payments.charge", func(context.Context, steps.Command[chargeInput]) (steps.None, error) {
		now := running.Add(1)
		defer running.Add(-1)
		for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
		}
		<-time.After(time.Millisecond)
		return steps.None{}, nil
	})
	for i := range 60 {
		b.send(command(saga.Execute, i+1))
	}
	b.run(w)
	b.reply(60)
	assert.Equal(t, int64(3), most.Load())
}

func TestAStoppingWorkerFinishesRunningCommands(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.worker(steps.Config{Concurrency: 1})
	begun, finish := make(chan struct{}, 2), make(chan struct{})
	steps.Handle(w, "payments.charge", func(ctx context.Context, _ steps.Command[chargeInput]) (steps.None, error) {
		begun <- struct{}{}
		<-finish
		return steps.None{}, ctx.Err()
	})
	stop := b.run(w)
	b.send(command(saga.Execute, 1), command(saga.Execute, 2))
	<-begun
	go close(finish)
	stop()
	assert.True(t, b.reply(1).Succeeded)
	assert.Equal(t, 1, b.depth()+len(begun), "the second still waits for another worker, or was done too")
}

func TestCommandsUnfinishedAfterTheGracePeriodAreDeliveredAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.worker(steps.Config{Grace: 50 * time.Millisecond})
	begun := make(chan struct{})
	steps.Handle(w, "payments.charge", func(ctx context.Context, _ steps.Command[chargeInput]) (steps.None, error) {
		close(begun)
		<-ctx.Done()
		return steps.None{}, ctx.Err()
	})
	stop := b.run(w)
	b.send(command(saga.Execute, 1))
	<-begun
	stop()
	assert.Equal(t, 1, b.depth())
	redelivered := make(chan bool, 1)
	background(t, func(ctx context.Context) {
		_ = b.broker.Receive(ctx, "payments", 1, func(m wire.Message) wire.Answer {
			redelivered <- m.Redelivered
			return wire.Answer{Settlement: wire.Dropped}
		})
	})
	assert.True(t, <-redelivered)
}

func TestProgrammingErrorsPanicWhenHandlersAreRegistered(t *testing.T) {
	t.Parallel()
	w := steps.NewWorker("payments", steps.Config{})
	none := func(context.Context, steps.Command[chargeInput]) (steps.None, error) { return steps.None{}, nil }
	steps.Handle(w, "payments.charge", none)
	assert.Panics(t, func() { steps.Handle(w, "payments.charge", none) }, "two handlers")
	assert.Panics(t, func() { steps.Handle(w, "", none) }, "no name")
	assert.Panics(t, func() {
		steps.Handle(w, "payments.other", func(context.Context, steps.Command[chargeInput]) (string, error) { return "", nil })
	}, "an output that never encodes to an object")
	assert.PanicsWithValue(t, "steps: handler of payments.other: the output must encode to JSON, but its member /C has the type chan int", func() {
		steps.Handle(w, "payments.other", func(context.Context, steps.Command[chargeInput]) (struct{ C chan int }, error) {
			return struct{ C chan int }{}, nil
		})
	})
}
