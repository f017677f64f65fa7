package rabbit

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// closePatience is how long a connection has to close in good order.
	closePatience = 2 * time.Second
	// settled is how long something has to last for its loss to be news, and not the next failure in a row.
	settled = time.Second
)

// link keeps one connection up until it is told to end.
type link struct {
	name   string
	config Config
	log    *slog.Logger

	mu      sync.Mutex
	current *connection   // nil while there is none
	problem error         // why there is none
	changed chan struct{} // closed, and made anew, with every change
}

func newLink(config Config, purpose string) *link {
	name := config.Name + " " + purpose
	return &link{
		name: name, config: config, log: config.Logger.With("connection", name),
		problem: ErrNotConnected, changed: make(chan struct{}),
	}
}

// run connects, and connects again whenever the connection is lost, until ctx ends.
func (l *link) run(ctx context.Context) {
	var wait backoff
	for ctx.Err() == nil {
		conn, err := dial(ctx, l.config, l.name)
		if err != nil {
			l.set(nil, fmt.Errorf("%w: %w", ErrNotConnected, err))
			l.log.Warn("no connection to RabbitMQ, will try again", "error", err)
			wait.wait(ctx)
			continue
		}
		begun := time.Now()
		l.keep(ctx, conn)
		if ctx.Err() != nil {
			break
		}
		l.set(nil, fmt.Errorf("%w: %w", ErrNotConnected, conn.loss()))
		l.log.Warn("connection to RabbitMQ lost, will connect again", "error", conn.loss())
		if time.Since(begun) > settled {
			wait.reset()
		}
		wait.wait(ctx)
	}
	l.set(nil, ErrClosed)
}

// keep offers a connection until it is lost or ctx ends.
func (l *link) keep(ctx context.Context, conn *connection) {
	var watch sync.WaitGroup
	watch.Go(func() { conn.watch(l.log) })
	l.log.Info("connected to RabbitMQ")
	l.set(conn, nil)
	select {
	case <-conn.gone:
	case <-ctx.Done():
		conn.close(closePatience)
	}
	watch.Wait()
}

func (l *link) set(conn *connection, problem error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current, l.problem = conn, problem
	close(l.changed)
	l.changed = make(chan struct{})
}

// now returns the connection, or why there is none.
func (l *link) now() (*connection, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current, l.problem
}

// await waits for a connection that is not lost. Its error is ErrClosed, or that of ctx.
func (l *link) await(ctx context.Context) (*connection, error) {
	for {
		l.mu.Lock()
		current, problem, changed := l.current, l.problem, l.changed
		l.mu.Unlock()
		if current != nil && !current.isGone() {
			return current, nil
		}
		if problem == ErrClosed { //nolint:errorlint // set as it is, by run alone
			return nil, ErrClosed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// ready returns nil when the connection is up and the broker reads from it.
func (l *link) ready() error {
	conn, problem := l.now()
	if problem != nil {
		return fmt.Errorf("%s: %w", l.name, problem)
	}
	if reason := conn.whyBlocked(); reason != "" {
		return fmt.Errorf("%s: %s", l.name, reason)
	}
	return nil
}
