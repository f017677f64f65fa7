package steps_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// byValue is an error with a value receiver, so its nil pointer panics.
type byValue struct{ text string }

func (e byValue) Error() string { return e.text }

// hostile is an error with a method that panics.
type hostile struct{ method string }

func (h hostile) panics(method string) {
	if h.method == method {
		panic(h) // as the value of a panic it panics once more when it is printed
	}
}

func (h hostile) Error() string    { h.panics("Error"); return "hostile" }
func (h hostile) Unwrap() error    { h.panics("Unwrap"); return nil }
func (h hostile) Is(error) bool    { h.panics("Is"); return false }
func (h hostile) As(any) bool      { h.panics("As"); return false }
func (h hostile) String() string   { panic(h) }
func (h hostile) GoString() string { panic(h) }

// deadly are the ways in which a handler could end its process.
func deadly() map[string]func() error {
	var nothing *steps.Error
	var value *byValue
	return map[string]func() error{
		"a nil *steps.Error":         func() error { return nothing },
		"a wrapped nil *steps.Error": func() error { return fmt.Errorf("charge: %w", nothing) },
		"a nil error by value":       func() error { return value },
		"an Error that panics":       func() error { return hostile{"Error"} },
		"an Unwrap that panics":      func() error { return hostile{"Unwrap"} },
		"an Is that panics":          func() error { return hostile{"Is"} },
		"an As that panics":          func() error { return fmt.Errorf("charge: %w", hostile{"As"}) },
		"a panic with a hostile one": func() error { panic(hostile{"Error"}) },
		"a nil panic":                func() error { panic(nil) },
		"Goexit":                     func() error { runtime.Goexit(); return nil },
	}
}

// survives checks that the worker answers like after a panic, and answers the next attempt.
func survives(t *testing.T, b *bench, direction saga.Direction) {
	t.Helper()
	b.send(command(direction, 1))
	failure := b.reply(1).Error
	require.NotNil(t, failure)
	assert.Equal(t, steps.CodePanic, failure.Code)
	assert.True(t, failure.Retryable)
	assert.NotEmpty(t, failure.Message)
	b.send(command(direction, 2))
	assert.True(t, b.reply(2).Succeeded)
	replies, dead := b.counts()
	assert.Equal(t, []int{2, 0}, []int{replies, dead}, "each attempt ran once")
}

// once returns a function that does it once and succeeds from then on.
func once(what func() error) func() error {
	var calls atomic.Int64
	return func() error {
		if calls.Add(1) > 1 {
			return nil
		}
		return what()
	}
}

func TestNothingThatAHandlerReturnsEndsTheWorker(t *testing.T) {
	t.Parallel()
	for name, what := range deadly() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, direction := range []saga.Direction{saga.Execute, saga.Compensate} {
				call, b := once(what), newBench(t)
				w := b.worker(steps.Config{})
				handle := func(context.Context, steps.Command[chargeInput]) (steps.None, error) { return steps.None{}, call() }
				steps.Handle(w, "payments.charge", handle)
				steps.Handle(w, "payments.refund", handle)
				b.run(w)
				survives(t, b, direction)
			}
		})
	}
}

func TestNothingThatATypedFunctionReturnsEndsTheWorker(t *testing.T) {
	t.Parallel()
	for name, what := range deadly() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, direction := range []saga.Direction{saga.Execute, saga.Compensate} {
				call, b := once(what), newBench(t)
				step := func(context.Context, *purchase) error { return call() }
				serveTyped(b, paying(step, step))
				survives(t, b, direction)
			}
			call, b := once(what), newBench(t)
			fine := func(context.Context, *purchase) error { return nil }
			serveTyped(b, paying(fine, fine), steps.WithMiddleware(
				func(context.Context, steps.Command[json.RawMessage], func(context.Context) (json.RawMessage, error)) (json.RawMessage, error) {
					return nil, call()
				}))
			survives(t, b, saga.Execute)
		})
	}
}

func TestNothingThatAFunctionBehindABarrierReturnsEndsTheWorker(t *testing.T) {
	t.Parallel()
	pool := openPool(t, env.Database(t))
	barrier := steps.NewBarrier(pool)
	require.NoError(t, barrier.Install(t.Context()))
	_, err := pool.Exec(t.Context(), "CREATE TABLE effects (what text)")
	require.NoError(t, err)
	done := 0
	for name, what := range deadly() {
		call, b := once(what), newBench(t)
		w := b.worker(steps.Config{})
		steps.HandleTx(w, barrier, "payments.charge", func(ctx context.Context, tx pgx.Tx, _ steps.Command[chargeInput]) (steps.None, error) {
			if _, err := tx.Exec(ctx, insertEffect, name); err != nil {
				return steps.None{}, err
			}
			return steps.None{}, call()
		})
		b.run(w)
		send := command(saga.Execute, 1)
		send.ID.Saga = fmt.Sprint("saga-", done)
		b.send(send)
		assert.Equal(t, steps.CodePanic, b.reply(1).Error.Code, name)
		assert.Equal(t, done, count(t, pool), "the work of %s was rolled back", name)
		b.send(send)
		assert.Equal(t, steps.CodePanic, b.reply(2).Error.Code, "the barrier remembers the answer of %s", name)
		send.ID.Attempt = 2
		b.send(send)
		assert.True(t, b.reply(3).Succeeded, name)
		done++
	}
}

func TestNothingThatASubscriberReturnsEndsTheProcess(t *testing.T) {
	t.Parallel()
	for name, what := range deadly() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			call, handled := once(what), make(chan struct{})
			s := steps.Subscription{Name: "search"}
			background(t, func(ctx context.Context) {
				assert.NoError(t, steps.Subscribe(ctx, oneEvent{}, s, func(context.Context, steps.Event) error {
					err := call()
					if err == nil {
						close(handled)
					}
					return err
				}))
			})
			<-handled
		})
	}
}

// oneEvent delivers one event.
type oneEvent struct{ steps.Transport }

func (oneEvent) Subscribe(ctx context.Context, _ string, _ []string, handle func(wire.Message) wire.Answer) error {
	handle(wire.Message{Body: []byte(`{"specversion":"1.0","id":"s/1","source":"i","type":"saga.started","subject":"s","time":"2026-11-23T10:00:00Z","data":{}}`)})
	<-ctx.Done()
	return nil
}

// loop is data that contains itself.
type loop struct {
	Next *loop `json:"next"`
}

// panicking panics when it is encoded.
type panicking struct{}

func (panicking) MarshalJSON() ([]byte, error) { panic("no JSON") }

// refusing fails to encode with an error that would deny the effect.
type refusing struct{}

func (refusing) MarshalJSON() ([]byte, error) { return nil, steps.Fail("no_json", "no") }

// A reply that reports a failure would make the orchestrator skip the compensation, and one that never comes would make it
// repeat the effect.
func TestACommandWhoseOutputCannotBeSentTookEffect(t *testing.T) {
	t.Parallel()
	circle := &loop{}
	circle.Next = circle
	for name, test := range map[string]struct {
		output any
		reason string
	}{
		"an array":            {[]int{1}, "not a JSON object"},
		"too large":           {map[string][]string{"a": make([]string, 100_000)}, "more than 10000 members"},
		"a long text":         {map[string]string{"a": strings.Repeat("x", 300_000)}, "the limit is 262144"},
		"a function":          {map[string]any{"a": func() {}}, "unsupported type: func()"},
		"a NUL character":     {map[string]string{"a": "\x00"}, "NUL"},
		"NaN":                 {map[string]float64{"a": math.NaN()}, "unsupported value: NaN"},
		"a broken RawMessage": {map[string]json.RawMessage{"a": json.RawMessage(`{`)}, "unexpected end"},
		"a circle":            {circle, "cycle"},
		"a panic":             {map[string]any{"a": panicking{}}, "panicked: no JSON"},
		"a failure":           {map[string]any{"a": refusing{}}, "no_json: no"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			w := b.worker(steps.Config{})
			steps.Handle(w, "payments.charge", func(context.Context, steps.Command[chargeInput]) (any, error) { return test.output, nil })
			b.run(w)
			b.send(command(saga.Execute, 1))
			unusable(t, b, test.reason)
		})
	}
}

// unusable checks that the reply is a success whose output the orchestrator refuses, with the reason in its place.
func unusable(t *testing.T, b *bench, reason string) {
	t.Helper()
	reply := b.reply(1)
	assert.True(t, reply.Succeeded)
	assert.Contains(t, reply.OutputFault, "the dead letter of the reply has it")
	assert.Contains(t, string(reply.Output), reason)
	_, dead := b.counts()
	assert.Zero(t, dead)
}

func TestAnErrorKeepsItsMeaning(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.worker(steps.Config{})
	steps.Handle(w, "payments.charge", func(context.Context, steps.Command[chargeInput]) (steps.None, error) {
		return steps.None{}, errors.Join(errors.New("first"), fmt.Errorf("second: %w", steps.Fail("declined", "no")))
	})
	b.run(w)
	b.send(command(saga.Execute, 1))
	assert.Equal(t, &saga.ReplyError{Code: "declined", Message: "no"}, b.reply(1).Error)
}
