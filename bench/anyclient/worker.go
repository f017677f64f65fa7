package anyclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"golang.org/x/sync/errgroup"
)

const prefetch = 64

// services returns the queues of the load of `orchestrator bench`.
func services() []string { return []string{"bench-inventory", "bench-payments", "bench-orders"} }

// Work answers the commands of the load until ctx ends, with a number of goroutines for each queue. It prints a line when it is
// ready.
func Work(ctx context.Context, url, prefix string, handlers int, out io.Writer) error {
	publishing, replies, err := dial(url)
	if err != nil {
		return err
	}
	defer publishing.Close()
	if err := replies.Confirm(false); err != nil {
		return fmt.Errorf("select confirms: %w", err)
	}
	fmt.Fprintln(out, "working")
	group, alive := errgroup.WithContext(ctx)
	for _, service := range services() {
		group.Go(func() error { return serve(alive, url, prefix+".commands."+service, handlers, replies) })
	}
	if err := group.Wait(); ctx.Err() == nil {
		return err
	}
	return nil
}

func dial(url string) (*amqp.Connection, *amqp.Channel, error) {
	conn, err := amqp.Dial(url)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to RabbitMQ: %w", err)
	}
	channel, err := conn.Channel()
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open a channel: %w", err), conn.Close())
	}
	return conn, channel, nil
}

// serve answers the commands of one queue, on a connection of its own.
func serve(ctx context.Context, url, queue string, handlers int, replies *amqp.Channel) error {
	conn, channel, err := await(ctx, url, queue)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := channel.Qos(prefetch, 0, false); err != nil {
		return fmt.Errorf("set the prefetch: %w", err)
	}
	deliveries, err := channel.ConsumeWithContext(ctx, queue, "", false, false, false, false, nil)
	if err != nil {
		return fmt.Errorf("consume %s: %w", queue, err)
	}
	group, alive := errgroup.WithContext(ctx)
	for range handlers {
		group.Go(func() error {
			for command := range deliveries {
				if err := answer(alive, replies, &command); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// await returns a channel once the queue exists: the orchestrator declares it with the definition.
func await(ctx context.Context, url, queue string) (*amqp.Connection, *amqp.Channel, error) {
	const pause = 100 * time.Millisecond
	for {
		conn, channel, err := dial(url)
		if err != nil {
			return nil, nil, err
		}
		if _, err = channel.QueueDeclarePassive(queue, true, false, false, false, nil); err == nil {
			return conn, channel, nil
		}
		_ = conn.Close()
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

// command is the part of a command's body that the handlers read.
type command struct {
	Data struct {
		Simulate map[string]string `json:"simulate"` // the error code of each step that must fail
	} `json:"data"`
}

type reply struct {
	Status string   `json:"status"`
	Error  *failure `json:"error,omitempty"`
}

type failure struct {
	Code      string `json:"code"`
	Message   string `json:"message"`
	Retryable bool   `json:"retryable"`
}

// answer does a command, which has no effect here, and acknowledges it once its reply is confirmed.
func answer(ctx context.Context, replies *amqp.Channel, delivery *amqp.Delivery) error {
	var c command
	if err := json.Unmarshal(delivery.Body, &c); err != nil {
		return fmt.Errorf("decode a command: %w", err)
	}
	r := reply{Status: "succeeded"}
	step, _ := delivery.Headers["saga-step"].(string)
	if code := c.Data.Simulate[step]; code != "" && delivery.Headers["saga-action"] == "execute" {
		r = reply{Status: "failed", Error: &failure{Code: code, Message: "as requested by the load"}}
	}
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode a reply: %w", err)
	}
	confirm, err := replies.PublishWithDeferredConfirmWithContext(ctx, "", delivery.ReplyTo, false, false, amqp.Publishing{
		ContentType: "application/json", DeliveryMode: amqp.Persistent, CorrelationId: delivery.CorrelationId, Body: body,
	})
	if err != nil {
		return fmt.Errorf("publish a reply: %w", err)
	}
	if confirmed, err := confirm.WaitContext(ctx); err != nil || !confirmed {
		return fmt.Errorf("a reply is not confirmed: %w", err)
	}
	if err := delivery.Ack(false); err != nil {
		return fmt.Errorf("acknowledge a command: %w", err)
	}
	return nil
}
