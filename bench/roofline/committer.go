package roofline

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/saga-orchestrator/orchestrator/bench/system"
)

// event advances a saga: its start, or a reply.
type event struct {
	order system.Order   // of a start
	reply *amqp.Delivery // nil for a start
}

// saga is the state of an unfinished saga.
type saga struct {
	id      string
	data    []byte
	done    int // answered commands
	all     int // all commands
	outcome system.End
}

func (s *saga) ended() bool { return s.done == s.all }

// committer commits the rows of one batch after the other, and sends the commands of a batch after its commit.
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

// commit commits the rows of a batch, notifies the waiters of ended sagas, and sends the commands of the others.
func (c *committer) commit(ctx context.Context, batch []event) (sent, error) {
	var changes rows
	var result sent
	advanced := make([]*saga, 0, len(batch))
	for _, e := range batch {
		s, err := c.advance(e, &changes)
		if err != nil {
			return sent{}, err
		}
		if e.reply != nil {
			result.last = e.reply
		}
		advanced = append(advanced, s)
	}
	if err := changes.commit(ctx, c.pool); err != nil {
		return sent{}, err
	}
	err := c.out.Together(func() error {
		for _, s := range advanced {
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

// advance applies one event and adds its rows.
func (c *committer) advance(e event, changes *rows) (*saga, error) {
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
		return nil, fmt.Errorf("a reply to %q, whose saga does not exist", e.reply.CorrelationId)
	}
	s.done++
	status := "running"
	if s.ended() {
		status = string(s.outcome)
	}
	changes.step(s.id, s.done, status)
	return s, nil
}
