package api

import (
	"context"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// await takes the saga from first, and waits until it is as wanted or the time is up. It returns it as it was then.
func (s *service) await(
	ctx context.Context, id string, wait time.Duration, first func() (saga.Instance, error), wanted func(*saga.Instance) bool,
) (saga.Instance, error) {
	if wait <= 0 {
		return first()
	}
	changes, cancel := s.Engine.Changed(id) // before the first look, so that no change falls between
	defer cancel()
	end := time.NewTimer(wait)
	defer end.Stop()
	in, err := first()
	for err == nil && !wanted(&in) {
		select {
		case changed := <-changes:
			if changed.Revision > in.Revision {
				in = changed
			}
		case <-end.C:
			return s.Reads.Saga(ctx, id)
		case <-s.Stopping:
			return in, nil
		case <-ctx.Done():
			return in, ctx.Err()
		}
	}
	return in, err
}
