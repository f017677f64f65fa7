package steps

import (
	"context"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// execution is a command whose handler is running.
type execution struct {
	done   chan struct{}
	answer wire.Answer // set once done is closed
}

// once runs a command unless this process is already running it. A broker delivers a command again if its connection is
// lost, or if the handler takes longer than the broker waits for an acknowledgement. The second delivery waits for the
// first one's answer.
func (w *Worker) once(ctx context.Context, id string, run func() wire.Answer) wire.Answer {
	w.mu.Lock()
	first := w.running[id]
	if first == nil {
		own := &execution{done: make(chan struct{}), answer: wire.Answer{Settlement: wire.Requeued}}
		w.running[id] = own
		w.mu.Unlock()
		defer func() {
			w.mu.Lock()
			delete(w.running, id)
			w.mu.Unlock()
			close(own.done)
		}()
		own.answer = run()
		return own.answer
	}
	w.mu.Unlock()
	select {
	case <-first.done:
		return first.answer
	case <-ctx.Done():
		return wire.Answer{Settlement: wire.Requeued}
	}
}
