package roofline

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
	amqp "github.com/rabbitmq/amqp091-go"
	"golang.org/x/sync/errgroup"

	"github.com/saga-orchestrator/orchestrator/bench/system"
)

const (
	prefetch = 2000
	onTheWay = 8 // maximum of batches with outstanding confirms
)

// Entry returns the system's entry.
func Entry() system.Entry {
	return system.Entry{Name: "roofline", Broker: true, Open: open, Work: work}
}

// roof is the system's main process.
type roof struct {
	place   system.Place
	pool    *pgxpool.Pool
	out, in *system.Link
	waiters *system.Waiters
	events  chan event
	stages  *errgroup.Group
	alive   context.Context
	stop    context.CancelFunc
}

func open(ctx context.Context, place system.Place) (system.System, error) {
	tune()
	pool, err := system.Pool(ctx, place.DatabaseURL, 2, plans())
	if err != nil {
		return nil, err
	}
	if _, err := pool.Exec(ctx, schema); err != nil {
		return nil, fmt.Errorf("create the tables: %w", err)
	}
	out, in, err := system.DialPair(place.AMQPURL, amqp.QueueTypeQuorum, queues(place)...)
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	stages, alive := errgroup.WithContext(running)
	r := &roof{
		place: place, pool: pool, out: out, in: in, waiters: system.NewWaiters(), events: make(chan event, prefetch),
		stages: stages, alive: alive, stop: stop,
	}
	replies, err := in.Consume(alive, place.Replies(), prefetch)
	if err != nil {
		return nil, err
	}
	batches := make(chan sent, onTheWay)
	stages.Go(func() error { r.forward(replies); return nil })
	stages.Go(func() error {
		defer close(batches)
		c := committer{place: place, pool: pool, out: out, waiters: r.waiters, live: make(map[string]*saga)}
		return c.run(alive, r.events, batches)
	})
	stages.Go(func() error { return settleAll(alive, batches) })
	return r, nil
}

func queues(place system.Place) []string { return []string{place.Replies(), place.Commands("all")} }

// Run starts a saga and waits for its end.
func (r *roof) Run(ctx context.Context, order system.Order) (system.End, error) {
	end := r.waiters.Expect(order.ID)
	pass(r.alive, r.events, event{order: order})
	return system.Await(ctx, r.alive, end)
}

// forward sends replies as events until the consumer ends.
func (r *roof) forward(replies <-chan amqp.Delivery) {
	for reply := range replies {
		pass(r.alive, r.events, event{reply: &reply})
	}
}

// Ended counts the sagas by status.
func (r *roof) Ended(ctx context.Context) (system.Tally, error) {
	return system.Count(ctx, r.pool, `SELECT status, count(*) FROM roof GROUP BY status`)
}

// Close stops the system and deletes its queues.
func (r *roof) Close(context.Context) error {
	r.stop()
	err := r.stages.Wait()
	r.pool.Close()
	return errors.Join(err, r.in.Delete(queues(r.place)...), r.in.Close(), r.out.Close())
}
