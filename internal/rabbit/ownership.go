package rabbit

import (
	"context"
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// claim marks the prefix as this installation's, or finds that it is another's. Two installations with one prefix would
// take each other's replies.
func (t *topology) claim(conn *connection) error {
	if t.config.Installation == "" {
		return nil
	}
	mismatch, fault := declareEach(conn, []declaration{t.marker()})
	if is(fault, amqp.NotFound) {
		return nil // it exists, on a node of the cluster that is down: the prefix is as it was claimed
	}
	if mismatch != nil {
		return fmt.Errorf("%w: prefix %q is not that of installation %s; choose another prefix, or delete the queue %s if "+
			"the other installation is gone: %w", ErrForeign, t.config.Prefix, t.config.Installation, t.names.installation(), mismatch)
	}
	return fault
}

// CheckOwnership returns ErrForeign if the prefix belongs to another installation than Config.Installation. It claims nothing.
func CheckOwnership(ctx context.Context, config Config) error {
	config = config.withDefaults()
	ctx, cancel := context.WithTimeout(ctx, config.Timeout)
	defer cancel()
	conn, err := dial(ctx, config, config.Name+" check", newReadLimits())
	if err != nil {
		return fmt.Errorf("check the owner of the prefix: %w", err)
	}
	defer conn.close()
	channel, err := conn.channel()
	if err != nil {
		return fmt.Errorf("check the owner of the prefix: %w", err)
	}
	t := &topology{names: names{config.Prefix}, config: config}
	err = conn.within(func() error { return t.marker().passive(channel) })
	if is(err, amqp.NotFound) {
		return nil // a claim would create it
	}
	return t.claim(conn)
}

// yield stops or allows consuming: the messages of another installation are not ours.
func (t *topology) yield(foreign bool) {
	switch was := errors.Is(t.problem, ErrForeign); {
	case foreign && !was:
		close(t.yielded)
		t.regained = make(chan struct{})
	case was && !foreign:
		close(t.regained)
		t.yielded = make(chan struct{})
	}
}

// awaitOwn waits until the prefix does not belong to another installation. yielded is closed when it turns out to; ok
// is false if ctx ends. Without a topology it returns at once.
func (t *topology) awaitOwn(ctx context.Context) (yielded <-chan struct{}, ok bool) {
	if t == nil {
		return nil, true
	}
	for {
		t.mu.Lock()
		yielded, regained, foreign := t.yielded, t.regained, errors.Is(t.problem, ErrForeign)
		t.mu.Unlock()
		if !foreign {
			return yielded, true
		}
		select {
		case <-regained:
		case <-ctx.Done():
			return nil, false
		}
	}
}

// foreign returns ErrForeign if the prefix belongs to another installation.
func (t *topology) foreign() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if errors.Is(t.problem, ErrForeign) {
		return t.problem
	}
	return nil
}
