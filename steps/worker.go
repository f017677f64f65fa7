package steps

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Config says how a worker works. The zero value is usable.
type Config struct {
	// Concurrency is how many commands are worked on at the same time. Default: 8.
	Concurrency int
	// Grace is how long commands that have begun may go on when Run is to end; then their contexts are cancelled, and
	// they are delivered again unless their handlers succeed. Default: 8 seconds.
	Grace time.Duration
	// IgnoreDeadline makes the worker do execute commands whose deadline has passed. Default: they are dropped, since
	// the orchestrator has counted the attempt already. It compares this machine's clock with the orchestrator's.
	IgnoreDeadline bool
	// Logger gets warnings and errors of commands. nil: no log.
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

// Worker does the commands of one queue. Make it with NewWorker, give it handlers with Handle, then Run it.
type Worker struct {
	queue  string
	config Config
	log    *slog.Logger
	// slots bounds the handlers that run: after a lost connection a transport may bring new commands while the
	// handlers of old ones still run.
	slots chan struct{}

	mu       sync.Mutex
	handlers map[string]handler
	running  map[string]*execution // by command id
}

// NewWorker makes a worker for the queue of that name, as a definition's steps have it.
func NewWorker(queue string, config Config) *Worker {
	config = config.withDefaults()
	return &Worker{
		queue: queue, config: config, log: config.Logger.With("queue", queue),
		slots: make(chan struct{}, config.Concurrency), handlers: make(map[string]handler), running: make(map[string]*execution),
	}
}

// Run works until ctx ends: it then takes no more commands, lets those that have begun finish within the grace period,
// answers them, and returns nil. It goes on by itself when the broker is away. Run waits for handlers that do not heed
// their context.
func (w *Worker) Run(ctx context.Context, transport Transport) error {
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
			w.log.Warn("the grace period is over, commands that are not done will be delivered again")
		case <-ended:
		}
	})
	err := transport.Receive(ctx, w.queue, w.config.Concurrency, func(message wire.Message) wire.Answer {
		return w.answer(work, message)
	})
	close(ended)
	grace.Wait()
	return err
}
