package api

import (
	"context"
	"time"
)

// The states of dead-lettering that /readyz?verbose names. A broker that has stopped to dead-letter does not fail readiness:
// commands are sent and answered, and one that dies times out.
const (
	deadLetteringUnknown = "unknown"
	deadLetteringWorks   = "ok"
	deadLetteringStopped = "stopped"
)

const (
	checkDeadLetteringEvery   = 5 * time.Minute
	checkDeadLetteringTimeout = 10 * time.Second
)

// deadLettering is implemented by a broker that can stop to dead-letter messages. An error says nothing about that.
type deadLettering interface {
	DeadLettering(ctx context.Context) (works bool, err error)
}

// checkDeadLettering finds out whether the broker still dead-letters messages. What it does not find out stays as it was.
func (m *Monitor) checkDeadLettering(ctx context.Context) {
	broker, is := m.config.Broker.(deadLettering)
	if !is {
		return
	}
	limited, cancel := context.WithTimeout(ctx, checkDeadLetteringTimeout)
	defer cancel()
	works, err := broker.DeadLettering(limited)
	if err != nil {
		m.config.Logger.Debug("cannot check whether the broker dead-letters messages", "error", err)
		return
	}
	now := deadLetteringWorks
	if !works {
		now = deadLetteringStopped
	}
	m.gauges.deadLetteringStopped(!works)
	m.mutex.Lock()
	before := m.deadLettering
	m.deadLettering = now
	m.mutex.Unlock()
	switch {
	case before == now:
	case !works:
		m.config.Logger.Error("the broker has stopped to dead-letter messages of quorum queues, see docs/operations.md#deadletteringstopped")
	case before == deadLetteringStopped:
		m.config.Logger.Info("the broker dead-letters messages again")
	}
}
