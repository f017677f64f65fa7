package rabbit

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/wait"
)

const (
	// closePatience limits the proper close of a connection.
	closePatience = 2 * time.Second
	// settled is how long a connection must last to end a row of failures.
	settled = time.Second
)

// link keeps one connection up until ctx of run ends.
type link struct {
	name   string
	config Config
	log    *slog.Logger
	// body is the number of bytes that are kept of a delivered body.
	body uint64
	// crowded, if set, fires when too many bytes are unsettled.
	crowded wait.Signal

	mu      sync.Mutex
	current *connection      // nil: none
	problem error            // why there is none
	refused map[string]error // by queue, why it cannot be consumed on a connection that is up
	changed chan struct{}    // closed and replaced with every change
}

func newLink(config Config, purpose string) *link {
	name := config.Name + " " + purpose
	return &link{
		name: name, config: config, log: config.Logger.With("connection", name), body: maxBody,
		problem: ErrNotConnected, changed: make(chan struct{}),
	}
}

// run connects, and reconnects after every loss, until ctx ends.
func (l *link) run(ctx context.Context) {
	var retry backoff
	for ctx.Err() == nil {
		conn, err := dial(ctx, l.config, l.name, l.limits())
		if err != nil {
			l.set(nil, fmt.Errorf("%w: %w", ErrNotConnected, err))
			l.report(&retry, "no connection to RabbitMQ, trying again", err)
			retry.wait(ctx)
			continue
		}
		begun := time.Now()
		l.keep(ctx, conn)
		if ctx.Err() != nil {
			break
		}
		l.set(nil, fmt.Errorf("%w: %w", ErrNotConnected, conn.loss()))
		if time.Since(begun) > settled {
			retry.reset()
		}
		l.report(&retry, "connection to RabbitMQ lost, reconnecting", conn.loss())
		retry.wait(ctx)
	}
	l.set(nil, ErrClosed)
}

func (l *link) limits() *readLimits {
	limits := newReadLimits()
	limits.body.Store(l.body)
	limits.crowded = l.crowded
	return limits
}

// report logs the first failure, and again whenever the number of consecutive failures has doubled.
func (l *link) report(retry *backoff, message string, err error) {
	if retry.newsworthy() {
		l.log.Warn(message, "error", err, "failures", retry.failures+1)
	}
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
		conn.close()
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

// await waits for a working connection. Its error is ErrClosed, or that of ctx.
func (l *link) await(ctx context.Context) (*connection, error) {
	for {
		l.mu.Lock()
		current, problem, changed := l.current, l.problem, l.changed
		l.mu.Unlock()
		if current != nil && !current.isGone() {
			return current, nil
		}
		if problem == ErrClosed { //nolint:errorlint // only run sets it, unwrapped
			return nil, ErrClosed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// ready returns nil if the connection is up and the broker reads from it.
func (l *link) ready() error {
	conn, problem := l.now()
	if problem != nil {
		return fmt.Errorf("%s: %w", l.name, problem)
	}
	if reason := conn.whyBlocked(); reason != "" {
		return fmt.Errorf("%s: %w", l.name, blockedError{reason})
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for queue, err := range l.refused {
		return fmt.Errorf("%s: cannot consume %s: %w", l.name, queue, err)
	}
	return nil
}

// consumes notes why a queue cannot be consumed; nil: it can.
func (l *link) consumes(queue string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		delete(l.refused, queue)
		return
	}
	if l.refused == nil {
		l.refused = make(map[string]error)
	}
	l.refused[queue] = err
}
