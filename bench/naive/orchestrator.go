package naive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
	"golang.org/x/sync/errgroup"

	"github.com/saga-orchestrator/orchestrator/bench/system"
)

const (
	handlers    = 32 // goroutines for replies, and in the worker for each queue
	prefetch    = 64
	connections = 16
)

// Entries returns the system with classic queues, which teams usually take, and with quorum queues, which survive a lost node.
func Entries() []system.Entry {
	entry := func(name, queueType string) system.Entry {
		return system.Entry{
			Name: name, Broker: true,
			Open: func(ctx context.Context, place system.Place) (system.System, error) {
				return open(ctx, place, queueType)
			},
			Work: func(ctx context.Context, place system.Place, ready func()) error {
				return work(ctx, place, queueType, ready)
			},
		}
	}
	return []system.Entry{entry("naive", amqp.QueueTypeClassic), entry("naive-quorum", amqp.QueueTypeQuorum)}
}

// orchestrator is the system's main process.
type orchestrator struct {
	table    table
	place    system.Place
	out, in  *system.Link // one connection to publish, one to consume
	waiters  *system.Waiters
	handlers *errgroup.Group
	alive    context.Context // ends when a handler fails, or on Close
	stop     context.CancelFunc
}

func open(ctx context.Context, place system.Place, queueType string) (system.System, error) {
	pool, err := system.Pool(ctx, place.DatabaseURL, connections, nil)
	if err != nil {
		return nil, err
	}
	if _, err := pool.Exec(ctx, schema); err != nil {
		return nil, fmt.Errorf("create the tables: %w", err)
	}
	out, in, err := system.DialPair(place.AMQPURL, queueType, queues(place)...)
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	group, alive := errgroup.WithContext(running)
	o := &orchestrator{
		table: table{pool}, place: place, out: out, in: in, waiters: system.NewWaiters(),
		handlers: group, alive: alive, stop: stop,
	}
	replies, err := in.Consume(alive, place.Replies(), prefetch)
	if err != nil {
		return nil, err
	}
	for range handlers {
		group.Go(func() error { return o.handleAll(replies) })
	}
	return o, nil
}

func queues(place system.Place) []string {
	names := []string{place.Replies()}
	for _, step := range system.Steps() {
		names = append(names, place.Commands(step.Queue))
	}
	return names
}

// Run starts a saga and waits for its end.
func (o *orchestrator) Run(ctx context.Context, order system.Order) (system.End, error) {
	end := o.waiters.Expect(order.ID)
	if err := o.table.insert(ctx, order); err != nil {
		return "", err
	}
	if err := o.send(ctx, execute(order.ID, 0), order); err != nil {
		return "", err
	}
	return system.Await(ctx, o.alive, end)
}

// handleAll handles replies until the consumer ends.
func (o *orchestrator) handleAll(replies <-chan amqp.Delivery) error {
	for delivery := range replies {
		if err := o.onReply(o.alive, delivery); err != nil {
			return system.Fault(o.alive, fmt.Errorf("handle a reply: %w", err))
		}
	}
	return nil
}

func (o *orchestrator) onReply(ctx context.Context, delivery amqp.Delivery) error {
	var r reply
	if err := json.Unmarshal(delivery.Body, &r); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	m, err := onReply(delivery.CorrelationId, r)
	if err != nil {
		return err
	}
	order, err := o.table.move(ctx, m)
	switch {
	case errors.Is(err, errRepeated):
		return acknowledge(delivery)
	case err != nil:
		return err
	case m.next == nil:
		o.waiters.Tell(m.saga, system.End(m.status))
	default:
		if err := o.send(ctx, m.next, order); err != nil {
			return err
		}
	}
	return acknowledge(delivery)
}

// send publishes a command and waits for its confirm.
func (o *orchestrator) send(ctx context.Context, c *command, order system.Order) error {
	body, err := json.Marshal(order)
	if err != nil {
		return fmt.Errorf("encode a command: %w", err)
	}
	confirm, err := o.out.Send(ctx, o.place.Commands(c.queue), c.id, c.name, body)
	if err != nil {
		return err
	}
	return system.Confirmed(ctx, confirm)
}

func acknowledge(delivery amqp.Delivery) error {
	if err := delivery.Ack(false); err != nil {
		return fmt.Errorf("acknowledge a message: %w", err)
	}
	return nil
}

// Ended counts the sagas by status.
func (o *orchestrator) Ended(ctx context.Context) (system.Tally, error) {
	return system.Count(ctx, o.table.pool, `SELECT status, count(*) FROM sagas GROUP BY status`)
}

// Close stops the system and deletes its queues.
func (o *orchestrator) Close(context.Context) error {
	o.stop()
	err := o.handlers.Wait()
	o.table.pool.Close()
	return errors.Join(err, o.in.Delete(queues(o.place)...), o.in.Close(), o.out.Close())
}
