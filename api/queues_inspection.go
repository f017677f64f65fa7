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
	inspectionLife    = time.Second     // time for which the state of a queue is cached
	inspectionTimeout = 2 * time.Second // of one request to the broker
	maxInspected      = 10_000          // queues in the cache; a full cache is cleared
)

// inspection caches the states of queues. It asks the broker about a queue at most once a second. Concurrent callers share
// a request, which continues when one of them leaves.
type inspection struct {
	broker Broker
	logger *slog.Logger
	asking singleflight.Group

	mutex sync.Mutex
	known map[string]inspected
}

// inspected is the cached state of one queue.
type inspected struct {
	state wire.QueueState
	ok    bool // the broker answered
	at    time.Time
}

func newInspection(broker Broker, logger *slog.Logger) *inspection {
	return &inspection{broker: broker, logger: logger, known: make(map[string]inspected)}
}

// states returns the states of the queues, without those that are unknown. It asks the broker about queues that the cache
// does not have.
func (i *inspection) states(ctx context.Context, queues []string) map[string]wire.QueueState {
	found, unknown := i.cached(queues)
	if len(unknown) == 0 || i.broker.Ready() != nil {
		return found
	}
	asked := i.asking.DoChan(strings.Join(unknown, "\x00"), func() (any, error) {
		i.ask(context.WithoutCancel(ctx), unknown)
		return nil, nil
	})
	select {
	case <-asked:
		found, _ = i.cached(queues)
	case <-ctx.Done():
	}
	return found
}

// cached splits queues into those with a cached state and those that the broker must be asked about. Queues of a request
// that failed recently are in neither.
func (i *inspection) cached(queues []string) (found map[string]wire.QueueState, unknown []string) {
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
		i.logger.WarnContext(ctx, "the broker did not report the state of all queues", "error", err)
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
