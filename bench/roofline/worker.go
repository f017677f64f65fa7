package roofline

import (
	"context"

	amqp "github.com/rabbitmq/amqp091-go"
	"golang.org/x/sync/errgroup"

	"github.com/saga-orchestrator/orchestrator/bench/system"
)

// work replies to all commands, in batches, until ctx ends.
func work(ctx context.Context, place system.Place, ready func()) error {
	tune()
	out, in, err := system.DialPair(place.AMQPURL, amqp.QueueTypeQuorum, queues(place)...)
	if err != nil {
		return err
	}
	defer out.Close()
	defer in.Close()
	stages, alive := errgroup.WithContext(ctx)
	commands, err := in.Consume(alive, place.Commands("all"), prefetch)
	if err != nil {
		return err
	}
	batches := make(chan sent, onTheWay)
	stages.Go(func() error {
		defer close(batches)
		return replyAll(alive, out, place.Replies(), commands, batches)
	})
	stages.Go(func() error { return settleAll(alive, batches) })
	ready()
	return stages.Wait()
}

func replyAll(ctx context.Context, out *system.Link, queue string, commands <-chan amqp.Delivery, batches chan<- sent) error {
	reply := []byte(`{"succeeded":true}`)
	var batch []amqp.Delivery
	for {
		if batch = gather(ctx, commands, batch); len(batch) == 0 {
			return nil
		}
		last := batch[len(batch)-1]
		s := sent{last: &last}
		err := out.Together(func() error {
			for _, command := range batch {
				confirm, err := out.Send(ctx, queue, command.CorrelationId, command.Type, reply)
				if err != nil {
					return err
				}
				s.confirms = append(s.confirms, confirm)
			}
			return nil
		})
		if err != nil {
			return system.Fault(ctx, err)
		}
		pass(ctx, batches, s)
	}
}
