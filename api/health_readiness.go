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

// ready answers from what the monitor knows. Everyone may ask, so it shows names of queues and counts, but neither
// addresses nor the words of servers.
func (s *service) ready(w http.ResponseWriter, r *http.Request) {
	health := s.Monitor.health(r.Context())
	values, verbose := r.URL.Query()["verbose"]
	if verbose && (len(values) != 1 || values[0] != "" && values[0] != "true" && values[0] != "1") {
		writeProblem(w, problemOf(parameter("verbose", "takes no value")))
		return
	}
	if verbose {
		writeHealth(w, health.Status, s.Monitor.details(health))
		return
	}
	writeHealth(w, health.Status, health)
}

// details is what is known beyond the checks.
func (m *Monitor) details(health resource.Health) resource.HealthDetails {
	m.mutex.Lock()
	found, lookAt := m.found, m.lookAt
	m.mutex.Unlock()
	shown := resource.HealthDetails{
		Health: health, CheckedAt: resource.OptionalTime(lookAt.UTC()), SurveyedAt: resource.OptionalTime(found.at.UTC()), Connections: m.connections(),
		QueueProblems: []resource.QueueProblem{}, UnreadableSagas: found.sagas, UnreadableDefinitions: found.definitions,
		DeadLetters: make(map[string]int64),
	}
	for _, source := range deadLetterSources() {
		shown.DeadLetters[source] = 0
	}
	if found.backlog != nil {
		maps.Copy(shown.DeadLetters, found.backlog.DeadLetters)
		shown.OutboxPending, shown.OutboxOldest = found.backlog.OutboxPending, resource.OptionalTime(found.backlog.OutboxOldest)
	}
	for _, problem := range firstOf(found.problems, maxShownQueues) {
		shown.QueueProblems = append(shown.QueueProblems, resource.QueueProblem{
			Queue: problem.Queue, Kind: string(problem.Kind), Since: resource.Time{Time: problem.Since}, RetryAt: resource.Time{Time: problem.RetryAt},
		})
	}
	shown.MoreQueueProblems = len(found.problems) - len(shown.QueueProblems)
	return shown
}

// connections is the state of each connection to the broker, where the broker has more than one.
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

// queueNames are the worker queues of the latest definitions, once each.
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
