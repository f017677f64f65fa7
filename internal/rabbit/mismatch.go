package rabbit

import (
	"context"
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Mismatches returns the names in an error of DeclareQueues that is an ErrMismatch, such as "queue saga.commands.mail".
func Mismatches(err error) (names []string) {
	for _, one := range errorsIn(err) {
		if errors.Is(one, ErrMismatch) {
			names = append(names, one.name)
		}
	}
	return names
}

// CheckProperties returns the names of the exchanges and queues, among them these worker queues, that exist with other properties
// than an orchestrator of this configuration declares, as Broker.Mismatched does. It declares only what exists.
func CheckProperties(ctx context.Context, config Config, queues []string) ([]string, error) {
	config = config.withDefaults()
	ctx, cancel := context.WithTimeout(ctx, config.Timeout)
	defer cancel()
	conn, err := dial(ctx, config, config.Name+" check", newReadLimits())
	if err != nil {
		return nil, fmt.Errorf("check properties: %w", err)
	}
	defer conn.close()
	t := &topology{names: names{config.Prefix}, config: config}
	d := declarer{conn: conn}
	defer d.close()
	var existing []declaration
	for _, one := range append(t.ownDeclarations(), t.workerDeclarations(queues, conn.version())...) {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("check properties: %w", ctx.Err())
		}
		if one.name == "" { // a binding has no properties
			continue
		}
		switch err := d.do(one.passive); {
		case err == nil:
			existing = append(existing, one)
		case conn.isGone() || !is(err, amqp.NotFound) && !is(err, amqp.ResourceLocked):
			return nil, fmt.Errorf("check properties: %s: %w", one.what, err)
		}
	}
	mismatch, fault := declareEach(conn, existing)
	if fault != nil {
		return Mismatches(mismatch), fmt.Errorf("check properties: %w", fault)
	}
	return Mismatches(mismatch), nil
}
