package server

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

func TestAMessageBetweenSagasIsSettledByWhatBecameOfIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		want wire.Outcome
	}{
		"delivered":                        {nil, wire.Confirmed},
		"its saga cannot be read":          {fmt.Errorf("deliver: %w", record.ErrUnreadable), wire.Refused},
		"it waits for its turn":            {fmt.Errorf("deliver: %w", record.ErrCostly), wire.Postponed},
		"the store is away":                {record.ErrUnavailable, wire.Unconfirmed},
		"the replica lacks a key, or ends": {errors.New("other"), wire.Unconfirmed},
	} {
		b := newBetween(nil, func(context.Context, *wire.Command) error { return c.err })
		assert.Equal(t, c.want, b.PublishAlone(t.Context(), &wire.Command{Queue: wire.BetweenSagas}).Outcome, name)
	}
}
