package operate

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/wait"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const (
	healthName    = "queue_health"
	healthTimeout = 20 * time.Second // of one check
	// letterPeriod is how far back dead letters count.
	letterPeriod = time.Hour
	// inspectedAtOnce is the number of queues that the broker is asked about in one call.
	inspectedAtOnce = 100
	leastHealthTerm = 3 * time.Second
)

// CheckedQueues is what the store knows of worker queues.
type CheckedQueues interface {
	// HoldLease takes or renews a lease. It returns false while another holder has it.
	HoldLease(ctx context.Context, name, holder string, lease time.Duration) (held bool, err error)
	Definitions(ctx context.Context, page record.Page) (found []record.RegisteredDefinition, next string, err error)
	QueueLoads(ctx context.Context) ([]record.QueueLoad, error)
	RecentDeadLetters(ctx context.Context, since time.Duration) (byQueue map[string]int64, now time.Time, err error)
	QueueHealth(ctx context.Context) ([]record.QueueHealth, error)
	// SettleQueueHealth stores the results with the events of the queues that turned, and returns these.
	SettleQueueHealth(ctx context.Context, verdicts []record.QueueVerdict, sinks func(eventType string) []record.Sink) ([]record.QueueHealth, error)
}

// HealthConfig configures the checks of worker queues. Queues, Inspect, Sinks and Holder are required.
type HealthConfig struct {
	Queues  CheckedQueues
	Inspect func(ctx context.Context, queues []string) (map[string]wire.QueueState, error)
	Sinks   func(eventType string) []record.Sink
	Holder  string // identifies this process among the replicas

	Limits HealthLimits
	Every  time.Duration                     // between two checks; 0: 30 s
	Turned func(turned []record.QueueHealth) // called after queues turned; nil: none
	Logger *slog.Logger                      // nil: no log
}

// Health checks worker queues, in one replica at a time.
type Health struct{ config HealthConfig }

// NewHealth returns a Health; Run lets it check.
func NewHealth(config HealthConfig) *Health {
	if config.Every == 0 {
		config.Every = 30 * time.Second
	}
	if config.Turned == nil {
		config.Turned = func([]record.QueueHealth) {}
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	return &Health{config}
}

// Run checks until ctx ends.
func (h *Health) Run(ctx context.Context) {
	for wait.For(ctx, h.config.Every) {
		limited, cancel := context.WithTimeout(ctx, healthTimeout)
		err := h.check(limited)
		cancel()
		if err != nil && ctx.Err() == nil {
			h.config.Logger.Warn("the health of queues was not checked, will try again", "error", err)
		}
	}
}

// check checks every worker queue if this replica has the lease.
func (h *Health) check(ctx context.Context) error {
	held, err := h.config.Queues.HoldLease(ctx, healthName, h.config.Holder, max(leastHealthTerm, h.config.Every*3/2))
	if err != nil || !held {
		return err
	}
	found, err := h.evidence(ctx)
	if err != nil {
		return err
	}
	verdicts := make([]record.QueueVerdict, len(found))
	for i := range found {
		verdicts[i] = record.QueueVerdict{Evidence: found[i], Reasons: h.config.Limits.Judge(found[i])}
	}
	turned, err := h.config.Queues.SettleQueueHealth(ctx, verdicts, h.config.Sinks)
	if err != nil {
		return err
	}
	for i := range turned {
		if turned[i].Unhealthy {
			h.config.Logger.Warn("a queue is unhealthy", "queue", turned[i].Queue, "reasons", turned[i].Reasons)
		} else {
			h.config.Logger.Info("a queue is healthy again", "queue", turned[i].Queue)
		}
	}
	if len(turned) > 0 {
		h.config.Turned(turned)
	}
	return nil
}

// evidence returns what is known of each worker queue, by name.
func (h *Health) evidence(ctx context.Context) ([]record.QueueEvidence, error) {
	all := make(map[string]record.QueueEvidence)
	if err := h.names(ctx, all); err != nil {
		return nil, err
	}
	loads, err := h.config.Queues.QueueLoads(ctx)
	if err != nil {
		return nil, err
	}
	letters, now, err := h.config.Queues.RecentDeadLetters(ctx, letterPeriod)
	if err != nil {
		return nil, err
	}
	for _, load := range loads {
		found := record.QueueEvidence{QueueLoad: load}
		if !load.Oldest.IsZero() {
			found.Age = now.Sub(load.Oldest)
		}
		all[load.Queue] = found
	}
	names := slices.Sorted(maps.Keys(all))
	states := h.states(ctx, names)
	sorted := make([]record.QueueEvidence, len(names))
	for i, name := range names {
		found := all[name]
		found.Queue, found.DeadLetters = name, letters[name]
		if state, known := states[name]; known && !state.Locked {
			found.Inspected, found.Depth, found.Consumers = true, state.Depth, state.Consumers
		}
		sorted[i] = found
	}
	return sorted, nil
}

// names adds the worker queues of the latest definitions, and those that are unhealthy: one that is not in use any more
// becomes healthy.
func (h *Health) names(ctx context.Context, all map[string]record.QueueEvidence) error {
	for page := (record.Page{Limit: 100}); ; {
		found, next, err := h.config.Queues.Definitions(ctx, page)
		if err != nil {
			return fmt.Errorf("list definitions: %w", err)
		}
		for _, definition := range found {
			if definition.Unreadable != nil {
				continue
			}
			for _, queue := range definition.Queues() {
				all[queue] = record.QueueEvidence{}
			}
		}
		if page.After = next; next == "" {
			break
		}
	}
	known, err := h.config.Queues.QueueHealth(ctx)
	for _, health := range known {
		if health.Unhealthy {
			all[health.Queue] = record.QueueEvidence{}
		}
	}
	return err
}

// states asks the broker. Queues about which it does not answer are left out.
func (h *Health) states(ctx context.Context, names []string) map[string]wire.QueueState {
	states := make(map[string]wire.QueueState, len(names))
	for some := range slices.Chunk(names, inspectedAtOnce) {
		found, err := h.config.Inspect(ctx, some)
		maps.Copy(states, found)
		if err != nil {
			h.config.Logger.Warn("the broker did not report the state of all queues", "error", err)
		}
		if err != nil && len(found) == 0 {
			break
		}
	}
	return states
}
