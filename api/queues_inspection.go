package api

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const (
	inspectionLife    = time.Second     // how long an answer about a queue is used
	inspectionTimeout = 2 * time.Second // of one question to the broker
	maxInspected      = 10_000          // queues that are remembered; beyond it all are forgotten
)

// inspection remembers what the broker said of its queues. However many callers ask, the broker is asked about a queue
// at most once a second, and a caller that goes away ends nothing for the others.
type inspection struct {
	broker Broker
	logger *slog.Logger
	asking singleflight.Group

	mutex sync.Mutex
	known map[string]inspected
}

// inspected is what was learned of one queue.
type inspected struct {
	state wire.QueueState
	ok    bool // the broker answered
	at    time.Time
}

func newInspection(broker Broker, logger *slog.Logger) *inspection {
	return &inspection{broker: broker, logger: logger, known: make(map[string]inspected)}
}

// states returns what is known of the queues; those of which nothing is known are left out. It asks the broker about
// what it knows nothing recent of.
func (i *inspection) states(ctx context.Context, queues []string) map[string]wire.QueueState {
	found, unknown := i.recall(queues)
	if len(unknown) == 0 || i.broker.Ready() != nil {
		return found
	}
	asked := i.asking.DoChan(strings.Join(unknown, "\x00"), func() (any, error) {
		i.ask(context.WithoutCancel(ctx), unknown)
		return nil, nil
	})
	select {
	case <-asked:
		found, _ = i.recall(queues)
	case <-ctx.Done():
	}
	return found
}

// recall splits queues into those of which something recent is known and the others. A question that failed is
// something recent, too: its queues are in neither.
func (i *inspection) recall(queues []string) (found map[string]wire.QueueState, unknown []string) {
	found = make(map[string]wire.QueueState, len(queues))
	i.mutex.Lock()
	defer i.mutex.Unlock()
	for _, queue := range queues {
		switch known, ok := i.known[queue]; {
		case !ok || time.Since(known.at) >= inspectionLife:
			unknown = append(unknown, queue)
		case known.ok:
			found[queue] = known.state
		}
	}
	slices.Sort(unknown)
	return found, slices.Compact(unknown)
}

func (i *inspection) ask(ctx context.Context, queues []string) {
	limited, cancel := context.WithTimeout(ctx, inspectionTimeout)
	defer cancel()
	states, err := i.broker.Inspect(limited, queues)
	if err != nil {
		i.logger.WarnContext(ctx, "the broker could not be asked about its queues", "error", err)
	}
	i.mutex.Lock()
	defer i.mutex.Unlock()
	if len(i.known) > maxInspected {
		clear(i.known)
	}
	now := time.Now()
	for _, queue := range queues {
		state, ok := states[queue]
		i.known[queue] = inspected{state: state, ok: ok, at: now}
	}
}
