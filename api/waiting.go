package api

import (
	"context"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// await reads the saga until it is as wanted, or the time is up, and returns it as it was then. It looks again at each
// hint of this process, and now and then for what other replicas do.
func (s *service) await(ctx context.Context, id string, wait time.Duration, wanted func(*saga.Instance) bool) (saga.Instance, error) {
	if wait <= 0 {
		return s.Reads.Saga(ctx, id)
	}
	hint, cancel := s.Engine.Changed(id) // before the first look, so that no change falls between
	defer cancel()
	poll := time.NewTicker(s.PollInterval)
	defer poll.Stop()
	end := time.NewTimer(wait)
	defer end.Stop()
	for {
		in, err := s.Reads.Saga(ctx, id)
		if err != nil || wanted(&in) {
			return in, err
		}
		select {
		case _, open := <-hint:
			if !open {
				hint = nil // the engine has stopped: polling goes on
			}
		case <-poll.C:
		case <-end.C:
			return s.Reads.Saga(ctx, id)
		case <-s.Stopping:
			return in, nil
		case <-ctx.Done():
			return in, ctx.Err()
		}
	}
}
