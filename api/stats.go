package api

import (
	"context"
	"maps"
	"net/http"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

type statsOutput struct {
	Body resource.Stats
}

func (s *service) statsRoutes() {
	register(s, route{
		id: "get-stats", method: http.MethodGet, path: "/v1/stats", tag: "Operation", role: record.Viewer,
		summary: "Get counts of sagas, the throughput and the outbox",
	}, s.stats)
}

func (s *service) stats(ctx context.Context, _ *struct{}) (*statsOutput, error) {
	found, err := s.Reads.Stats(ctx, scopeOf(ctx))
	if err != nil {
		return nil, err
	}
	shown := resource.Stats{
		Sagas: make(map[string]map[saga.Status]int64), Attention: make(map[saga.AttentionReason]int64),
		Throughput: resource.Throughput{
			StartedLastMinute: found.StartedLastMinute, StartedLastHour: found.StartedLastHour,
			FinishedLastMinute: found.FinishedLastMinute, FinishedLastHour: found.FinishedLastHour,
			Minutes: make([]resource.Minute, 0, len(found.Minutes)),
		},
		Outbox:      resource.OutboxStats{Pending: found.OutboxPending, Oldest: resource.OptionalTime(found.OutboxOldest), HeldBack: found.OutboxHeldBack},
		DeadLetters: found.DeadLetters, CountedAt: resource.Time{Time: found.CountedAt},
	}
	for _, m := range found.Minutes {
		shown.Throughput.Minutes = append(shown.Throughput.Minutes, resource.Minute{
			At: resource.Time{Time: m.At}, Started: m.Started, Completed: m.Completed, Compensated: m.Compensated, Abandoned: m.Abandoned,
		})
	}
	maps.Copy(shown.Attention, found.Attention)
	for _, count := range found.Counts {
		if shown.Sagas[count.Definition] == nil {
			shown.Sagas[count.Definition] = make(map[saga.Status]int64)
		}
		shown.Sagas[count.Definition][count.Status] += count.Sagas
	}
	return &statsOutput{Body: shown}, nil
}
