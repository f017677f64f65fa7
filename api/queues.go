package api

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
)

type (
	queueInput struct {
		Queue string `path:"queue" doc:"Name of the worker queue, without the prefix"`
	}
	queueOutput struct {
		Body resource.Queue
	}
	queueDetailsOutput struct {
		Body resource.QueueDetails
	}
)

func (s *service) queueRoutes() {
	const tag = "Operation"
	register(s, route{
		id: "list-queues", method: http.MethodGet, path: "/v1/queues", tag: tag, role: record.Viewer,
		summary: "List worker queues",
		about: "A key that is limited to definitions gets the queues of their latest versions; the counts are of the whole queue. " +
			"The values from the broker (exists, depth, consumers) are null if the broker did not answer, the counts if " +
			"counting took too long.",
	}, s.listQueues)
	register(s, route{
		id: "get-queue", method: http.MethodGet, path: "/v1/queues/{queue}", tag: tag, role: record.Viewer,
		summary: "Get a worker queue, with samples of the last hour", errors: []int{http.StatusNotFound},
	}, s.getQueue)
	register(s, route{
		id: "set-queue", method: http.MethodPatch, path: "/v1/queues/{queue}", tag: tag, role: record.Operator, unlimited: true,
		summary: "Pause, cap or throttle a worker queue", body: bodyOf[resource.QueueSettings](), errors: []int{http.StatusNotFound},
		about: "What exceeds the settings waits in the outbox, in the order of priority, then of age, and the time of the attempts " +
			"does not run. A cap and a rate concern execute commands only; a pause holds back compensations, too. Commands that the " +
			"broker already has are not taken back. An absent member changes nothing, null takes the setting away.",
	}, s.setQueue)
}

func (s *service) listQueues(ctx context.Context, _ *struct{}) (*listOutput[resource.Queue], error) {
	shown, err := s.queues(ctx)
	if err != nil {
		return nil, err
	}
	return &listOutput[resource.Queue]{Body: resource.List[resource.Queue]{Items: shown}}, nil
}

func (s *service) getQueue(ctx context.Context, input *queueInput) (*queueDetailsOutput, error) {
	found, err := s.queue(ctx, input.Queue)
	if err != nil {
		return nil, err
	}
	return &queueDetailsOutput{Body: resource.QueueDetails{Queue: found, Samples: s.Monitor.samples.of(input.Queue)}}, nil
}

func (s *service) setQueue(ctx context.Context, input *queueInput) (*queueOutput, error) {
	given, err := decode(body(ctx), checkQueueSettings)
	if err != nil {
		return nil, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body(ctx), &members); err != nil {
		return nil, err // impossible: it was decoded
	}
	_, err = s.Bulks.SetQueue(ctx, input.Queue, func(settings *record.QueueSettings) error {
		change(members, "paused", given.Paused, &settings.Paused)
		change(members, "max_out", given.MaxOut, &settings.MaxOut)
		change(members, "rate", given.Rate, &settings.Rate)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if s.QueueSet != nil {
		s.QueueSet(ctx)
	}
	found, err := s.queue(ctx, input.Queue)
	if errors.Is(err, record.ErrQueueNotFound) { // it had nothing but settings, and has none now
		found, err = resource.Queue{Name: input.Queue, Health: healthOf(record.QueueHealth{})}, nil
	}
	return &queueOutput{Body: found}, err
}

func checkQueueSettings(given resource.QueueSettings) (faults []resource.FieldError) {
	if given.MaxOut != nil && (*given.MaxOut < 1 || *given.MaxOut > record.MaxQueueOut) {
		faults = append(faults, field("max_out", "must be from 1 to "+decimal(record.MaxQueueOut)+", or null"))
	}
	if given.Rate != nil && (*given.Rate < record.MinQueueRate || *given.Rate > record.MaxQueueRate) {
		faults = append(faults, field("rate", "must be from 0.01 to "+decimal(record.MaxQueueRate)+", or null"))
	}
	return faults
}

// change sets a setting that is given. null takes it away.
func change[T any](members map[string]json.RawMessage, name string, value, setting *T) {
	if _, given := members[name]; !given {
		return
	}
	var none T
	if *setting = none; value != nil {
		*setting = *value
	}
}

// queue returns one worker queue.
func (s *service) queue(ctx context.Context, name string) (resource.Queue, error) {
	all, err := s.queues(ctx)
	if err != nil {
		return resource.Queue{}, err
	}
	for _, queue := range all {
		if queue.Name == name {
			return queue, nil
		}
	}
	return resource.Queue{}, record.ErrQueueNotFound
}

// queues returns every worker queue, by name.
func (s *service) queues(ctx context.Context) ([]resource.Queue, error) {
	loads, counted, err := s.queueLoads(ctx)
	if err != nil {
		return nil, err
	}
	settings, err := s.queueSettings(ctx)
	if err != nil {
		return nil, err
	}
	health, err := s.queueHealth(ctx)
	if err != nil {
		return nil, err
	}
	for name := range settings {
		if _, known := loads[name]; !known && scopeOf(ctx) == nil {
			loads[name] = record.QueueLoad{Queue: name}
		}
	}
	names := slices.Sorted(maps.Keys(loads))
	states := s.Monitor.inspection.states(ctx, names)
	shown := make([]resource.Queue, len(names))
	for i, name := range names {
		load, set := loads[name], settings[name]
		queue := resource.Queue{Name: name, Oldest: resource.OptionalTime(load.Oldest), Paused: set.Paused, Health: healthOf(health[name])}
		if set.MaxOut > 0 {
			queue.MaxOut = &set.MaxOut
		}
		if set.Rate > 0 {
			queue.Rate = &set.Rate
		}
		if state, ok := states[name]; ok {
			queue.Exists = &state.Exists
			if !state.Locked {
				queue.Depth, queue.Consumers = &state.Depth, &state.Consumers
			}
		}
		if counted {
			// The outbox row of a confirmed or answered command exists for a moment longer.
			queue.CommandsOut, queue.Unpublished = &load.CommandsOut, new(min(load.Unpublished, load.CommandsOut))
			queue.HeldBack = &load.HeldBack
		}
		shown[i] = queue
	}
	return shown, nil
}

// queueHealth returns the health of the queues that were checked, by queue.
func (s *service) queueHealth(ctx context.Context) (map[string]record.QueueHealth, error) {
	found, err := s.Reads.QueueHealth(ctx)
	if err != nil {
		return nil, err
	}
	byName := make(map[string]record.QueueHealth, len(found))
	for _, health := range found {
		byName[health.Queue] = health
	}
	return byName, nil
}

// healthOf returns the health as the API shows it. The zero value is that of a queue that was not checked yet.
func healthOf(health record.QueueHealth) resource.QueueHealth {
	return resource.QueueHealth{
		Status: health.Status(), Reasons: append([]string{}, health.Reasons...), Since: resource.OptionalTime(health.Since),
	}
}

// queueSettings returns what operators have set for queues, by queue.
func (s *service) queueSettings(ctx context.Context) (map[string]record.QueueSettings, error) {
	controls, err := s.Reads.QueueControls(ctx)
	if err != nil {
		return nil, err
	}
	settings := make(map[string]record.QueueSettings, len(controls))
	for _, control := range controls {
		settings[control.Queue] = control.QueueSettings
	}
	return settings, nil
}

// queueLoads returns the load of the worker queues of the latest definitions, and of queues that sagas of earlier versions
// still wait for. With a key that is limited to definitions it returns the queues of their latest versions only. If counting takes too long, it returns the names only, and counted is false.
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
		if _, known := loads[load.Queue]; known || scopeOf(ctx) == nil {
			loads[load.Queue] = load
		}
	}
	return loads, err == nil, err
}
