package api

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// maxShownQueues bounds the queues that /readyz?verbose names.
const maxShownQueues = 50

// ready answers from the results of the monitor. It is public, so it shows counts and names of queues, but neither
// addresses nor error texts.
func (s *service) ready(w http.ResponseWriter, r *http.Request) {
	health := s.Monitor.health(r.Context())
	values, verbose := r.URL.Query()["verbose"]
	if verbose && (len(values) != 1 || values[0] != "" && values[0] != "true" && values[0] != "1") {
		writeProblem(w, problemOf(parameter("verbose", "does not take a value")))
		return
	}
	if verbose {
		writeHealth(w, health.Status, s.Monitor.details(health))
		return
	}
	writeHealth(w, health.Status, health)
}

// details returns the answer of /readyz?verbose.
func (m *Monitor) details(ready resource.Health) resource.HealthDetails {
	m.mutex.Lock()
	found, lookAt, health := m.found, m.lookAt, m.queues
	m.mutex.Unlock()
	shown := resource.HealthDetails{
		Health: ready, CheckedAt: resource.OptionalTime(lookAt.UTC()), SurveyedAt: resource.OptionalTime(found.at.UTC()), Connections: m.connections(), DeadLettering: m.deadLettering(), Mismatched: m.mismatched(),
		QueueProblems: []resource.QueueProblem{}, UnhealthyQueues: []resource.UnhealthyQueue{}, UnreadableSagas: found.sagas, UnreadableDefinitions: found.definitions,
		DeadLetters: make(map[string]int64), EventsOldest: make(map[string]resource.Time),
	}
	if status := m.payloads(); status.Current != "" || len(status.Missing) > 0 {
		shown.PayloadKeys = &resource.PayloadKeys{
			Current: resource.Text(status.Current), Others: status.Others, Missing: status.Missing, Remaining: status.Remaining, Unreadable: status.Failed,
		}
	}
	for _, source := range deadLetterSources() {
		shown.DeadLetters[source] = 0
	}
	if found.backlog != nil {
		maps.Copy(shown.DeadLetters, found.backlog.DeadLetters)
		shown.OutboxPending, shown.OutboxOldest = found.backlog.OutboxPending, resource.OptionalTime(found.backlog.OutboxOldest)
		shown.HeldBack = found.backlog.HeldBack
		for sink, oldest := range found.backlog.EventsOldest {
			shown.EventsOldest[string(sink)] = resource.Time{Time: oldest}
		}
		shown.UnreadableAudit, shown.AuditOldest = found.backlog.AuditUnreadable, resource.OptionalTime(found.backlog.AuditOldest)
	}
	for _, problem := range firstOf(found.problems, maxShownQueues) {
		shown.QueueProblems = append(shown.QueueProblems, resource.QueueProblem{
			Queue: problem.Queue, Kind: string(problem.Kind), Since: resource.Time{Time: problem.Since}, RetryAt: resource.Time{Time: problem.RetryAt},
		})
	}
	shown.MoreQueueProblems = len(found.problems) - len(shown.QueueProblems)
	for i := range health {
		switch queue := &health[i]; {
		case !queue.Unhealthy:
		case len(shown.UnhealthyQueues) == maxShownQueues:
			shown.MoreUnhealthyQueues++
		default:
			shown.UnhealthyQueues = append(shown.UnhealthyQueues, resource.UnhealthyQueue{
				Queue: queue.Queue, Reasons: queue.Reasons, Since: resource.Time{Time: queue.Since},
			})
		}
	}
	return shown
}

// connections returns the state of each connection to the broker, or nil if the broker has only one.
func (m *Monitor) connections() map[string]string {
	broker, is := m.config.Broker.(interface{ Connections() map[string]error })
	if !is {
		return nil
	}
	shown := make(map[string]string)
	for name, err := range broker.Connections() {
		shown[name] = reachable(err)
	}
	return shown
}

// deadLettering returns whether the broker dead-letters messages, or "" if it does not check that.
func (m *Monitor) deadLettering() string {
	broker, is := m.config.Broker.(interface{ DeadLettering() (works, known bool) })
	if !is {
		return ""
	}
	switch works, known := broker.DeadLettering(); {
	case !known:
		return checkUnknown
	case !works:
		return checkStopped
	default:
		return checkOK
	}
}

// mismatched returns the names of what exists on the broker with other properties than those declared.
func (m *Monitor) mismatched() []string {
	broker, is := m.config.Broker.(interface{ Mismatched() []string })
	if !is {
		return nil
	}
	names := broker.Mismatched()
	return names[:min(len(names), maxShownQueues)]
}

// queuesInUse returns the worker queues of the latest definitions, and those to which sagas of older versions have sent commands,
// sorted and without duplicates.
func queuesInUse(ctx context.Context, reads Reads) ([]string, error) {
	names, err := queueNames(ctx, reads)
	if err != nil {
		return nil, err
	}
	loads, err := reads.QueueLoads(ctx)
	for _, load := range loads {
		names = append(names, load.Queue)
	}
	slices.Sort(names)
	return slices.Compact(names), err
}

// queueNames returns the worker queues of the latest definitions, sorted and without duplicates.
func queueNames(ctx context.Context, reads Definitions) ([]string, error) {
	var names []string
	err := eachDefinition(ctx, reads, func(d record.RegisteredDefinition) {
		if d.Unreadable == nil {
			names = append(names, d.Queues()...)
		}
	})
	slices.Sort(names)
	return slices.Compact(names), err
}
