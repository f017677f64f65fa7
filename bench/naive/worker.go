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

// work answers the commands of all three queues until ctx ends.
func work(ctx context.Context, place system.Place, queueType string, ready func()) error {
	out, in, err := system.DialPair(place.AMQPURL, queueType, queues(place)...)
	if err != nil {
		return err
	}
	defer out.Close()
	defer in.Close()
	group, alive := errgroup.WithContext(ctx)
	for _, step := range system.Steps() {
		commands, err := in.Consume(alive, place.Commands(step.Queue), prefetch)
		if err != nil {
			return err
		}
		for range handlers {
			group.Go(func() error { return answerAll(alive, out, place, commands) })
		}
	}
	ready()
	return group.Wait()
}

func answerAll(ctx context.Context, out *system.Link, place system.Place, commands <-chan amqp.Delivery) error {
	for delivery := range commands {
		if err := answer(ctx, out, place, delivery); err != nil {
			return system.Fault(ctx, fmt.Errorf("answer a command: %w", err))
		}
	}
	return nil
}

// answer executes a command and publishes the reply. It acknowledges the command after the reply's confirm.
func answer(ctx context.Context, out *system.Link, place system.Place, delivery amqp.Delivery) error {
	var order system.Order
	if err := json.Unmarshal(delivery.Body, &order); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	r := reply{Succeeded: true}
	switch err := system.Handle(delivery.Type, order); {
	case errors.Is(err, system.ErrDeclined):
		r = reply{Error: err.Error()}
	case err != nil:
		return err
	}
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode a reply: %w", err)
	}
	confirm, err := out.Send(ctx, place.Replies(), delivery.CorrelationId, delivery.Type, body)
	if err != nil {
		return err
	}
	if err := system.Confirmed(ctx, confirm); err != nil {
		return err
	}
	return acknowledge(delivery)
}
