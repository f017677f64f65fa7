package server

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/local"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const simulatedAtOnce = 16

// simulation is the in-process broker with a worker on every declared queue. Each command succeeds, unless the saga's data
// names an error code for the step: {"simulate": {"charge-payment": "card_declined"}}.
type simulation struct {
	*local.Broker
	ctx    context.Context // context of the workers
	cancel context.CancelFunc

	mu      sync.Mutex
	served  map[string]bool
	workers sync.WaitGroup
}

func newSimulation(broker *local.Broker) *simulation {
	ctx, cancel := context.WithCancel(context.Background())
	return &simulation{Broker: broker, ctx: ctx, cancel: cancel, served: make(map[string]bool)}
}

// DeclareQueues declares the queues and starts a worker for each new one.
func (s *simulation) DeclareQueues(ctx context.Context, queues []string) error {
	if err := s.Broker.DeclareQueues(ctx, queues); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, queue := range queues {
		if s.served[queue] || s.ctx.Err() != nil {
			continue
		}
		s.served[queue] = true
		s.workers.Go(func() {
			_ = s.Receive(s.ctx, queue, simulatedAtOnce, simulated) // the in-process broker does not fail
		})
	}
	return nil
}

// Close stops the workers.
func (s *simulation) Close(context.Context) error {
	s.cancel()
	s.workers.Wait()
	return nil
}

// simulated answers a command.
func simulated(message wire.Message) wire.Answer {
	delivery, err := wire.DecodeCommand(message)
	if err != nil {
		return wire.Answer{Settlement: wire.Rejected}
	}
	reply := wire.Succeeded(nil)
	if code := simulatedError(delivery); code != "" {
		reply = wire.Failed(code, "simulated", false)
	}
	body, err := reply.Encode()
	if err != nil {
		return wire.Answer{Settlement: wire.Rejected}
	}
	return wire.Answer{Settlement: wire.Replied, Reply: body}
}

// simulatedError returns the error code that the saga's data sets for the step. Compensations always succeed.
func simulatedError(delivery wire.Delivery) string {
	var data struct {
		Simulate map[string]string `json:"simulate"`
	}
	if delivery.ID.Direction == saga.Compensate || json.Unmarshal(delivery.Data, &data) != nil {
		return ""
	}
	return data.Simulate[delivery.ID.Step]
}
