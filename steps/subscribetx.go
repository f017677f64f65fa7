package steps

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// SubscribeTx is Subscribe behind a barrier. The handler's work in tx and the record that the event was handled commit
// together, so each event takes effect exactly once. The handler must not end tx.
func SubscribeTx(
	ctx context.Context, transport Transport, b *Barrier, s Subscription, handle func(context.Context, pgx.Tx, Event) error,
) error {
	switch {
	case b == nil:
		return fmt.Errorf("subscription %s: %w", s.Name, errNoBarrier)
	case handle == nil:
		return fmt.Errorf("subscription %s: %w", s.Name, errNoSubscriber)
	}
	return Subscribe(ctx, transport, s, func(ctx context.Context, event Event) error {
		key, err := eventKey(s.Name, event)
		if err != nil {
			return err
		}
		t, reply, _, err := b.enter(ctx, entry{key: key, attempt: 1, executed: key})
		if err != nil {
			return err
		}
		defer t.abort()
		if reply != nil {
			return nil
		}
		if err := handle(ctx, handlersTx{t.tx}, event); err != nil {
			return err
		}
		encoded, err := wire.Succeeded(nil).Encode()
		if err != nil {
			return err
		}
		return t.keep(ctx, encoded)
	})
}

var errEventID = errors.New("event id: want <subject>/<number>")

// eventKey is the barrier's key of an event: it has the form of a command's key.
func eventKey(name string, event Event) (string, error) {
	subject, number, found := strings.Cut(event.ID, "/")
	if !found || strings.Contains(number, "/") {
		return "", fmt.Errorf("%w, not %q", errEventID, event.ID)
	}
	return "event:" + subject + "/" + name + "/" + string(saga.Execute) + "-" + number, nil
}
