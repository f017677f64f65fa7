package api

import (
	"context"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// following sees a saga change: at once where this process changes it, and by looking now and then, less and less often,
// where other replicas do.
type following struct {
	service  *service
	id       string
	changed  <-chan saga.Instance
	stop     func()
	poll     *time.Timer
	interval time.Duration
}

// firstPoll is when a waiting request looks for the first time; each wait after it is twice as long, up to PollInterval.
const firstPoll = 50 * time.Millisecond

// follow begins before the caller looks at the saga for the first time, so that no change falls between.
func (s *service) follow(id string) *following {
	f := &following{service: s, id: id, interval: min(firstPoll, s.PollInterval)}
	f.changed, f.stop = s.Engine.Changed(id)
	f.poll = time.NewTimer(f.interval)
	return f
}

func (f *following) end() {
	f.stop()
	f.poll.Stop()
}

// looked is to be called for each value of poll: it reads the saga, and says when to look next.
func (f *following) looked(ctx context.Context) (saga.Instance, error) {
	f.interval = min(2*f.interval, f.service.PollInterval)
	f.poll.Reset(f.interval)
	limited, cancel := context.WithTimeout(ctx, f.service.RequestTimeout)
	defer cancel()
	return f.service.Reads.Saga(limited, f.id)
}

// await takes the saga from first, and waits until it is as wanted or the time is up. It returns it as it was then.
func (s *service) await(
	ctx context.Context, id string, wait time.Duration, first func() (saga.Instance, error), wanted func(*saga.Instance) bool,
) (saga.Instance, error) {
	if wait <= 0 {
		return first()
	}
	f := s.follow(id)
	defer f.end()
	end := time.NewTimer(wait)
	defer end.Stop()
	in, err := first()
	for err == nil && !wanted(&in) {
		select {
		case changed := <-f.changed:
			if changed.Revision >= in.Revision {
				in = changed
			}
		case <-f.poll.C:
			in, err = f.looked(ctx)
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
