package api

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"unicode/utf8"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

type (
	deadLetterInput struct {
		ID string `path:"id" doc:"Id of the dead letter"`
	}
	deadLetterOutput struct {
		Body resource.DeadLetter
	}
	statsOutput struct {
		Body resource.Stats
	}
)

func (s *service) operationRoutes() {
	register(s, route{
		id: "list-dead-letters", method: http.MethodGet, path: "/v1/dead-letters", tag: "Dead letters",
		role: record.Viewer, summary: "List dead letters", about: "Newest first, without their content.",
	}, s.listDeadLetters)
	register(s, route{
		id: "get-dead-letter", method: http.MethodGet, path: "/v1/dead-letters/{id}", tag: "Dead letters",
		role: record.Viewer, summary: "Get a dead letter with its content", errors: []int{http.StatusNotFound},
	}, s.getDeadLetter)
	register(s, route{
		id: "list-queues", method: http.MethodGet, path: "/v1/queues", tag: "Operation", role: record.Viewer,
		summary: "Every worker queue",
		about:   "What the broker knows (exists, depth, consumers) is null when it could not be asked.",
	}, s.listQueues)
	register(s, route{
		id: "get-stats", method: http.MethodGet, path: "/v1/stats", tag: "Operation", role: record.Viewer,
		summary: "The state of all sagas at a glance",
	}, s.stats)
}

func (s *service) listDeadLetters(ctx context.Context, input *PageInput) (*listOutput[resource.DeadLetter], error) {
	page, err := input.page(deadLetterPosition)
	if err != nil {
		return nil, err
	}
	found, next, err := s.Reads.DeadLetters(ctx, page)
	if err != nil {
		return nil, err
	}
	list, err := listOf(found, next,
		func(l record.DeadLetter) (resource.DeadLetter, error) { return showDeadLetter(l), nil })
	return &listOutput[resource.DeadLetter]{Body: list}, err
}

func (s *service) getDeadLetter(ctx context.Context, input *deadLetterInput) (*deadLetterOutput, error) {
	if !deadLetterID(input.ID) {
		return nil, record.ErrDeadLetterNotFound
	}
	found, err := s.Reads.DeadLetter(ctx, input.ID)
	if err != nil {
		return nil, err
	}
	shown := showDeadLetter(found)
	shown.Headers, shown.Body = found.Headers, found.Body
	if utf8.Valid(found.Body) {
		shown.Text = string(found.Body)
	}
	return &deadLetterOutput{Body: shown}, nil
}

// deadLetterPosition reports whether text may be a position in the list, which only the store can read.
func deadLetterPosition(text string) bool { return text != "" && printable(text, 300) }

// deadLetterID says whether text may be an id of a dead letter: those may be derived from messages.
func deadLetterID(text string) bool { return text != "" && printable(text, 255) }

func showDeadLetter(l record.DeadLetter) resource.DeadLetter {
	return resource.DeadLetter{
		ID: l.ID, Source: l.Source, Queue: l.Queue, Reason: l.Reason, Message: l.Message, SagaID: l.SagaID,
		CommandID: l.CommandID, ReceivedAt: saga.Time{Time: l.ReceivedAt}, ContentType: l.ContentType, Size: l.Size,
	}
}

func (s *service) stats(ctx context.Context, _ *struct{}) (*statsOutput, error) {
	found, err := s.Reads.Stats(ctx)
	if err != nil {
		return nil, err
	}
	shown := resource.Stats{
		Sagas: make(map[string]map[saga.Status]int64), Attention: make(map[saga.AttentionReason]int64),
		Throughput: resource.Throughput{
			StartedLastMinute: found.StartedLastMinute, StartedLastHour: found.StartedLastHour,
			FinishedLastMinute: found.FinishedLastMinute, FinishedLastHour: found.FinishedLastHour,
		},
		Outbox:      resource.OutboxStats{Pending: found.OutboxPending, Oldest: optional(found.OutboxOldest)},
		DeadLetters: found.DeadLetters,
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
		evidence := queueEvidence(name, states)
		shown := resource.Queue{
			Name: name, Exists: evidence.Exists, Depth: evidence.Depth, Consumers: evidence.Consumers,
			Oldest: optional(load.Oldest),
		}
		if counted {
			// The row of a command that is confirmed, or answered already, is there for a moment longer.
			shown.CommandsOut, shown.Unpublished = &load.CommandsOut, new(min(load.Unpublished, load.CommandsOut))
		}
		output.Body.Items = append(output.Body.Items, shown)
	}
	return output, nil
}

// queueLoads is what the database knows of every worker queue: those of the latest definitions, whether or not anything
// is out for them, and those that sagas of earlier versions still wait for. Where counting takes too long it is given up:
// what the broker says is worth more than no answer.
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
		s.Logger.WarnContext(ctx, "commands out could not be counted in time", "error", err, "request_id", requestID(ctx))
		return loads, false, nil
	}
	for _, load := range busy {
		loads[load.Queue] = load
	}
	return loads, err == nil, err
}

// queueEvidence shows what the broker said of a queue.
func queueEvidence(name string, states map[string]wire.QueueState) resource.QueueEvidence {
	shown := resource.QueueEvidence{Name: name}
	if state, ok := states[name]; ok {
		shown.Exists, shown.Depth, shown.Consumers = &state.Exists, &state.Depth, &state.Consumers
	}
	return shown
}
