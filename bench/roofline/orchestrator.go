package roofline

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
	amqp "github.com/rabbitmq/amqp091-go"
	"golang.org/x/sync/errgroup"

	"github.com/saga-orchestrator/orchestrator/bench/contender"
)

const (
	prefetch = 2000
	onTheWay = 8 // batches whose confirms may be outstanding at once
)

// Entry is the contender.
func Entry() contender.Entry {
	return contender.Entry{Name: "roofline", Broker: true, Open: open, Work: work}
}

// roof is the process that would hold the sagas.
type roof struct {
	place   contender.Place
	pool    *pgxpool.Pool
	out, in *contender.Link
	waiters *contender.Waiters
	events  chan event
	stages  *errgroup.Group
	alive   context.Context
	stop    context.CancelFunc
}

func open(ctx context.Context, place contender.Place) (contender.Contender, error) {
	tune()
	pool, err := contender.Pool(ctx, place.DatabaseURL, 2, plans())
	if err != nil {
		return nil, err
	}
	if _, err := pool.Exec(ctx, schema); err != nil {
		return nil, fmt.Errorf("create the tables: %w", err)
	}
	out, in, err := contender.DialPair(place.AMQPURL, amqp.QueueTypeQuorum, queues(place)...)
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	stages, alive := errgroup.WithContext(running)
	r := &roof{
		place: place, pool: pool, out: out, in: in, waiters: contender.NewWaiters(), events: make(chan event, prefetch),
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

func queues(place contender.Place) []string { return []string{place.Replies(), place.Commands("all")} }

// Run starts a saga and waits for its end.
func (r *roof) Run(ctx context.Context, order contender.Order) (contender.End, error) {
	end := r.waiters.Expect(order.ID)
	pass(r.alive, r.events, event{order: order})
	return contender.Await(ctx, r.alive, end)
}

// forward passes replies on as events, until there will be none.
func (r *roof) forward(replies <-chan amqp.Delivery) {
	for reply := range replies {
		pass(r.alive, r.events, event{reply: &reply})
	}
}

// Ended counts the sagas that have ended.
func (r *roof) Ended(ctx context.Context) (contender.Tally, error) {
	return contender.Count(ctx, r.pool, `SELECT status, count(*) FROM roof GROUP BY status`)
}

// Close ends it, and takes its queues away.
func (r *roof) Close(context.Context) error {
	r.stop()
	err := r.stages.Wait()
	r.pool.Close()
	return errors.Join(err, r.in.Delete(queues(r.place)...), r.in.Close(), r.out.Close())
}
