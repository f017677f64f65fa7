package api

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
)

func (s *service) queueRoutes() {
	register(s, route{
		id: "list-queues", method: http.MethodGet, path: "/v1/queues", tag: "Operation", role: record.Viewer,
		summary: "List worker queues",
		about:   "The values from the broker (exists, depth, consumers) are null if the broker did not answer.",
	}, s.listQueues)
}

func (s *service) listQueues(ctx context.Context, _ *struct{}) (*listOutput[resource.Queue], error) {
	loads, counted, err := s.queueLoads(ctx)
	if err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(loads))
	states := s.Monitor.inspection.states(ctx, names)
	output := &listOutput[resource.Queue]{Body: resource.List[resource.Queue]{Items: []resource.Queue{}}}
	for _, name := range names {
		load := loads[name]
		shown := resource.Queue{Name: name, Oldest: resource.OptionalTime(load.Oldest)}
		if state, ok := states[name]; ok {
			shown.Exists, shown.Depth, shown.Consumers = &state.Exists, &state.Depth, &state.Consumers
		}
		if counted {
			// The outbox row of a confirmed or answered command exists for a moment longer.
			shown.CommandsOut, shown.Unpublished = &load.CommandsOut, new(min(load.Unpublished, load.CommandsOut))
		}
		output.Body.Items = append(output.Body.Items, shown)
	}
	return output, nil
}

// queueLoads returns the load of the worker queues of the latest definitions, and of queues that sagas of earlier versions
// still wait for. If counting takes too long, it returns the names only, and counted is false.
func (s *service) queueLoads(ctx context.Context) (loads map[string]record.QueueLoad, counted bool, err error) {
	names, err := queueNames(ctx, s.Reads)
	if err != nil {
		return nil, false, err
	}
	loads = make(map[string]record.QueueLoad)
	for _, name := range names {
		loads[name] = record.QueueLoad{Queue: name}
	}
	limited, cancel := context.WithTimeout(ctx, s.RequestTimeout/2)
	defer cancel()
	busy, err := s.Reads.QueueLoads(limited)
	if limited.Err() != nil && ctx.Err() == nil {
		s.Logger.WarnContext(ctx, "counting the commands out timed out", "error", err, "request_id", requestID(ctx))
		return loads, false, nil
	}
	for _, load := range busy {
		loads[load.Queue] = load
	}
	return loads, err == nil, err
}
