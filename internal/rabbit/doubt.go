package rabbit

import (
	"context"
	"errors"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/wait"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// doubtEvery limits how often a refused message is sent again on a new channel.
const doubtEvery = 200 * time.Millisecond

var errStale = errors.New("the broker refuses on this channel what it takes on a new one")

// doubt is a message that the broker refused on the session's channel.
type doubt struct {
	session *session
	message outgoing
	settle  func(wire.Receipt)
}

// doubting passes receipts on, but sends some refused messages again on a new channel first. If the leader of a quorum queue dies
// while a channel meets the queue for the first time, RabbitMQ refuses everything for the queue on this channel, even after
// another node has become the leader.
func (p *publisher) doubting(s *session, messages []outgoing, settle func(int, wire.Receipt)) func(int, wire.Receipt) {
	return func(i int, receipt wire.Receipt) {
		if receipt.Outcome == wire.Nacked {
			select {
			case p.doubts <- doubt{s, messages[i], func(r wire.Receipt) { settle(i, r) }}:
				return
			default: // one at a time
			}
		}
		settle(i, receipt)
	}
}

// settleDoubts sends refused messages again, each on a channel of its own, until ctx ends. If one is taken, the session ends.
func (p *publisher) settleDoubts(ctx context.Context) {
	for {
		select {
		case d := <-p.doubts:
			receipt := p.publishAlone(ctx, d.message)
			if receipt.Outcome == wire.Confirmed {
				d.session.stale.Notify()
			}
			d.settle(receipt)
		case <-ctx.Done():
			return
		}
		wait.For(ctx, doubtEvery)
	}
}
