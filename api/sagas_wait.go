package api

import (
	"context"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// waiting is a wait for a saga.
type waiting struct {
	id     string
	first  func() (saga.Instance, error) // takes the saga as it is
	wanted func(*saga.Instance) bool     // says that the wait is over
	// news says which changes are worth a look. It is asked while others wait, so it must know by itself. nil: all are.
	news func(*saga.Instance) bool
}

// await waits until the saga is as wanted or the time is up. It returns the saga as it was then.
func (s *service) await(ctx context.Context, w waiting, wait time.Duration) (saga.Instance, error) {
	if wait <= 0 {
		return w.first()
	}
	changes, cancel := s.Engine.Changed(w.id, w.news) // before the first look, so that no change falls between
	defer cancel()
	end := time.NewTimer(wait)
	defer end.Stop()
	in, err := w.first()
	for err == nil && !w.wanted(&in) {
		select {
		case changed := <-changes:
			if changed.Revision > in.Revision {
				in = changed
			}
		case <-end.C:
			return s.saga(ctx, w.id)
		case <-s.Stopping:
			return s.saga(ctx, w.id)
		case <-ctx.Done():
			return in, ctx.Err()
		}
	}
	return in, err
}

// settled says that a saga has ended or needs a person.
func settled(in *saga.Instance) bool { return in.Status.Terminal() || in.Attention != nil }
