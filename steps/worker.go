package steps

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/goroutines"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Config configures a worker. The zero value is usable.
type Config struct {
	// Concurrency is the number of commands that the worker handles at the same time. Default: 8.
	Concurrency int
	// Grace is how long running handlers may continue after Run's context ends. Their contexts are then cancelled, and
	// their commands are delivered again unless they still succeed. Default: 8 seconds.
	Grace time.Duration
	// IgnoreDeadline makes the worker handle execute commands whose deadline has passed. By default it drops them: the
	// orchestrator has already counted the attempt. The check compares this machine's clock with the orchestrator's.
	IgnoreDeadline bool
	// Logger logs failed, late and invalid commands. nil: no log.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Concurrency < 1 {
		c.Concurrency = 8
	}
	if c.Grace <= 0 {
		c.Grace = 8 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Worker handles the commands of one queue. Create it with NewWorker, register handlers with Handle or HandleTx, then
// call Run.
type Worker struct {
	queue  string
	config Config
	log    *slog.Logger
	// slots limits the running handlers: after a lost connection, new commands may arrive while the handlers of earlier
	// ones still run.
	slots chan struct{}

	mu       sync.Mutex
	handlers map[string]handler
	running  map[string]*execution // by command id
}

// NewWorker returns a worker for a queue. queue is the name that the definition's steps use.
func NewWorker(queue string, config Config) *Worker {
	config = config.withDefaults()
	return &Worker{
		queue: queue, config: config, log: config.Logger.With("queue", queue),
		slots: make(chan struct{}, config.Concurrency), handlers: make(map[string]handler), running: make(map[string]*execution),
	}
}

// Handles reports whether the worker is for the queue and has a handler for the command.
func (w *Worker) Handles(queue, command string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.queue == queue && w.handlers[command] != nil
}

// Run takes and answers commands until ctx ends. It then takes no more, lets running handlers finish within the grace
// period, sends their replies and returns nil. It survives every loss of the broker; an error means that the transport
// is nil or can never work. Run also waits for handlers that ignore their context.
func (w *Worker) Run(ctx context.Context, transport Transport) error {
	if transport == nil {
		return fmt.Errorf("run the worker of queue %s: %w", w.queue, errNoTransport)
	}
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	var grace sync.WaitGroup
	grace.Go(func() {
		defer cancel()
		select {
		case <-ctx.Done():
		case <-ended:
			return
		}
		timer := time.NewTimer(w.config.Grace)
		defer timer.Stop()
		select {
		case <-timer.C:
			w.log.Warn("the grace period is over, unfinished commands will be delivered again")
		case <-ended:
		}
	})
	calls := goroutines.NewPool()
	err := transport.Receive(ctx, w.queue, w.config.Concurrency, func(message wire.Message) wire.Answer {
		return w.answer(work, message, calls.Run)
	})
	calls.Close()
	close(ended)
	grace.Wait()
	return err
}
