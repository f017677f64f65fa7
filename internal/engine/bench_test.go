package engine_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/engine"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
	"github.com/saga-orchestrator/orchestrator/store/memory"
)

// BenchmarkBatch takes in the replies of as many sagas as the batch is large, and decides them: what the engine costs
// around the core, with a store that costs little.
func BenchmarkBatch(b *testing.B) {
	for _, size := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("events=%d", size), func(b *testing.B) {
			r := newBatches(b, size)
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				r.start(b)
				b.StartTimer()
				for range payment().Steps {
					r.reply(b)
				}
			}
			b.ReportMetric(float64(size*len(payment().Steps)), "events/op")
		})
	}
}

// batches is an engine of one lane that decides when it is told to.
type batches struct {
	*engine.Engine
	out  *handed
	size int
}

// handed keeps the commands that a broker would be given.
type handed struct {
	noOutbox
	commands []wire.Command
}

func (h *handed) Dispatch(commands []wire.Command) { h.commands = append(h.commands, commands...) }

func (h *handed) take() []wire.Command {
	commands := h.commands
	h.commands = nil
	return commands
}

func newBatches(b *testing.B, size int) *batches {
	b.Helper()
	store, err := memory.Open(memory.Config{})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, store.Close()) })
	r := &batches{out: &handed{}, size: size}
	r.Engine = engine.New(engine.Config{Store: store, Outbox: r.out, Lanes: 1, BatchSize: size})
	_, _, err = r.RegisterDefinition(b.Context(), payment())
	require.NoError(b, err)
	return r
}

// start starts as many sagas as the batch is large.
func (r *batches) start(b *testing.B) {
	b.Helper()
	var calls sync.WaitGroup
	for range r.size {
		calls.Go(func() {
			_, _, err := r.Start(b.Context(), record.StartRequest{Definition: "payment", Data: []byte(`{"orderId":"42"}`)})
			if err != nil {
				b.Error(err)
			}
		})
	}
	started := make(chan struct{})
	go func() { calls.Wait(); close(started) }() // ends with the calls
	for {
		select {
		case <-started:
			return
		default:
			r.DecideBatch(b.Context(), 0)
		}
	}
}

// reply answers every command that is out, and has the batch decided.
func (r *batches) reply(b *testing.B) {
	b.Helper()
	settled := 0
	for _, command := range r.out.take() {
		message := wire.Message{CorrelationID: command.ID.String(), Body: []byte(`{"status":"succeeded","output":{"id":"r-7"}}`)}
		r.ReceiveReply(b.Context(), message, func(ok bool) {
			if ok {
				settled++
			}
		})
	}
	for r.DecideBatch(b.Context(), 0) {
	}
	if settled != r.size {
		b.Fatalf("%d of %d replies were settled", settled, r.size)
	}
}
