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

// BenchmarkBatch receives the replies of a full batch of sagas and decides them. It measures the cost of the engine
// around the core, with a cheap store.
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

// batches is an engine with one lane that decides on demand.
type batches struct {
	*engine.Engine
	out  *outbox
	size int
}

// outbox keeps the commands.
type outbox struct {
	nullOutbox
	commands []wire.Command
}

// Hold implements engine.Outbox.
func (*outbox) Hold([]wire.Command) {}

func (h *outbox) Dispatch(commands []wire.Command) { h.commands = append(h.commands, commands...) }

func (h *outbox) take() []wire.Command {
	commands := h.commands
	h.commands = nil
	return commands
}

func newBatches(b *testing.B, size int) *batches {
	b.Helper()
	store, err := memory.Open(memory.Config{})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, store.Close()) })
	r := &batches{out: &outbox{}, size: size}
	r.Engine = engine.New(engine.Config{Store: store, Outbox: r.out, Lanes: 1, BatchSize: size})
	_, _, err = r.RegisterDefinition(b.Context(), payment())
	require.NoError(b, err)
	return r
}

// start starts one batch of sagas.
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

// reply answers every command that is out and decides the batch.
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
