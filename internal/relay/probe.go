package relay

import (
	"context"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// probeQueues probes closed queues when they are due, until ctx ends.
func (r *Relay) probeQueues(ctx context.Context) {
	tick := time.NewTicker(probeLook)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			r.ProbeQueues(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// ProbeQueues publishes one command to each closed queue whose pause is over, and more while they arrive.
func (r *Relay) ProbeQueues(ctx context.Context) {
	for _, queue := range r.gates.list(true) {
		for again := true; again && ctx.Err() == nil && r.config.Publisher.CanPublish() == nil; {
			again = r.probe(ctx, queue)
		}
	}
}

// probe reports whether a larger probe may follow at once.
func (r *Relay) probe(ctx context.Context, queue string) (again bool) {
	allowed := r.gates.beginProbe(queue)
	if allowed == 0 {
		return false
	}
	var commands []wire.Command
	if r.controls.of(queue).Free() {
		var err error
		commands, err = r.config.Rows.ClaimOutbox(ctx, record.OutboxClaim{Limit: allowed, Bytes: batchBytes, Only: queue})
		if err != nil {
			return false // PublishClaimed reports the same
		}
	} else {
		commands = r.release(ctx, queue, allowed)
	}
	if len(commands) > 0 {
		r.publish(ctx, commands, time.Time{})
	}
	again, opened := r.gates.endProbe(queue, len(commands))
	if opened {
		r.config.Logger.Info("a queue accepts commands again", "queue", queue)
		r.note(ctx, []record.QueueProblem{{Queue: queue}})
	}
	return again
}
