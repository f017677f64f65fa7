package sagatest

import (
	"context"
	"sync"

	"github.com/saga-orchestrator/orchestrator/steps"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// workers are the running workers of a test.
type workers struct {
	list    []worker
	running sync.WaitGroup
}

// worker is a running worker, with the function that handles a command in the goroutine of its caller.
type worker struct {
	*steps.Worker
	handle func(wire.Message) wire.Answer
}

// start runs a worker until ctx ends, and returns once it takes commands.
func (w *workers) start(ctx context.Context, started *steps.Worker) error {
	taken := make(taking, 1)
	failed := make(chan error, 1)
	w.running.Go(func() { failed <- started.Run(ctx, taken) })
	select {
	case handle := <-taken:
		w.list = append(w.list, worker{started, handle})
		return nil
	case err := <-failed:
		return err
	}
}

// taking is the transport of one worker. It hands out the function that handles a command.
type taking chan func(wire.Message) wire.Answer

// Receive implements steps.Transport.
func (t taking) Receive(ctx context.Context, _ string, _ int, handle func(wire.Message) wire.Answer) error {
	t <- handle
	<-ctx.Done()
	return nil
}

// call gives a command to the worker that handles it. Without one the command succeeds.
func (t *Test) call(command *wire.Command) wire.Answer {
	t.t.Helper()
	for _, w := range t.workers.list {
		if !w.Handles(command.Queue, command.Name) {
			continue
		}
		message := command.Message(repliesQueue, t.now)
		delete(message.Headers, wire.HeaderDeadline) // it would be compared with the clock of the machine
		return w.handle(message)
	}
	return t.reply(wire.Succeeded(nil))
}
