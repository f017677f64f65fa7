package roofline

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/saga-orchestrator/orchestrator/bench/system"
)

// event is what moves a saga on: its start, or a reply.
type event struct {
	order system.Order   // of a start
	reply *amqp.Delivery // nil: a start
}

// saga is what is remembered of one that has not ended.
type saga struct {
	id      string
	data    []byte
	done    int // commands that were answered
	all     int // commands that it takes
	outcome system.End
}

func (s *saga) ended() bool { return s.done == s.all }

// committer writes the rows of batch after batch, and sends the commands of each when they are safe.
type committer struct {
	place   system.Place
	pool    *pgxpool.Pool
	out     *system.Link
	waiters *system.Waiters
	live    map[string]*saga
}

func (c *committer) run(ctx context.Context, events <-chan event, batches chan<- sent) error {
	var batch []event
	for {
		if batch = gather(ctx, events, batch); len(batch) == 0 {
			return nil
		}
		s, err := c.commit(ctx, batch)
		if err != nil {
			return system.Fault(ctx, err)
		}
		pass(ctx, batches, s)
	}
}

// commit writes the rows of a batch, tells of the sagas that have ended, and sends the commands of the others.
func (c *committer) commit(ctx context.Context, batch []event) (sent, error) {
	var changes rows
	var result sent
	moved := make([]*saga, 0, len(batch))
	for _, e := range batch {
		s, err := c.move(e, &changes)
		if err != nil {
			return sent{}, err
		}
		if e.reply != nil {
			result.last = e.reply
		}
		moved = append(moved, s)
	}
	if err := changes.commit(ctx, c.pool); err != nil {
		return sent{}, err
	}
	err := c.out.Together(func() error {
		for _, s := range moved {
			if s.ended() {
				delete(c.live, s.id)
				c.waiters.Tell(s.id, s.outcome)
				continue
			}
			confirm, err := c.out.Send(ctx, c.place.Commands("all"), fmt.Sprintf("%s/%d", s.id, s.done), "command", s.data)
			if err != nil {
				return err
			}
			result.confirms = append(result.confirms, confirm)
		}
		return nil
	})
	return result, err
}

// move adds the rows of one event.
func (c *committer) move(e event, changes *rows) (*saga, error) {
	if e.reply == nil {
		data, err := json.Marshal(e.order)
		if err != nil {
			return nil, fmt.Errorf("encode an order: %w", err)
		}
		s := &saga{id: e.order.ID, data: data, all: e.order.Commands(), outcome: system.Completed}
		if e.order.Declined {
			s.outcome = system.Compensated
		}
		c.live[s.id] = s
		changes.start(s.id, data)
		return s, nil
	}
	s := c.live[sagaOf(e.reply.CorrelationId)]
	if s == nil {
		return nil, fmt.Errorf("a reply to %q, of no saga that is there", e.reply.CorrelationId)
	}
	s.done++
	status := "running"
	if s.ended() {
		status = string(s.outcome)
	}
	changes.step(s.id, s.done, status)
	return s, nil
}
