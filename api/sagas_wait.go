package api

import (
	"context"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// waiting is a wait for a saga.
type waiting struct {
	id     string
	first  func() (saga.Instance, error) // returns the saga as it is now
	wanted func(*saga.Instance) bool     // reports whether the wait is over
	// news selects the changes that can end the wait. The engine calls it, so it must not block. nil: every change.
	news func(*saga.Instance) bool
	// made means that first has made the saga: the caller gets it even if the key ends meanwhile.
	made bool
}

// await returns the saga when w.wanted holds or the time is up.
func (s *service) await(ctx context.Context, w waiting, wait time.Duration) (saga.Instance, error) {
	if wait <= 0 {
		return w.first()
	}
	changes, cancel := s.Engine.Changed(w.id, w.news) // subscribe first, so that no change is missed
	defer cancel()
	end := time.NewTimer(wait)
	defer end.Stop()
	check := time.NewTicker(keyCheck)
	defer check.Stop()
	in, err := w.first()
	for err == nil && !w.wanted(&in) {
		select {
		case changed := <-changes:
			if changed.Revision > in.Revision {
				in = changed
			}
		case <-check.C:
			if err = s.refused(ctx); err != nil && w.made {
				return in, nil
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

// settled reports whether a saga has ended or needs an operator.
func settled(in *saga.Instance) bool { return in.Status.Terminal() || in.Attention != nil }
