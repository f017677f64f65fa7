package system

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Link is a connection with one channel in confirm mode.
type Link struct {
	conn    *amqp.Connection
	socket  *gathering
	Channel *amqp.Channel
}

// Dial connects to the broker.
func Dial(url string) (*Link, error) {
	var socket *gathering
	conn, err := amqp.DialConfig(url, amqp.Config{Dial: func(network, address string) (_ net.Conn, err error) {
		socket, err = dialGathering(network, address)
		return socket, err
	}})
	if err != nil {
		return nil, fmt.Errorf("connect to RabbitMQ: %w", err)
	}
	channel, err := conn.Channel()
	if err == nil {
		err = channel.Confirm(false)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open a channel: %w", err), conn.Close())
	}
	return &Link{conn: conn, socket: socket, Channel: channel}, nil
}

// DialPair opens two connections, one to publish and one to consume, and declares the queues.
func DialPair(url, queueType string, queues ...string) (out, in *Link, err error) {
	if out, err = Dial(url); err != nil {
		return nil, nil, err
	}
	if in, err = Dial(url); err == nil {
		err = in.Declare(queueType, queues...)
	}
	if err == nil {
		return out, in, nil
	}
	if in != nil {
		err = errors.Join(err, in.Close())
	}
	return nil, nil, errors.Join(err, out.Close())
}

// Declare declares durable queues of a type, classic or quorum.
func (l *Link) Declare(queueType string, names ...string) error {
	for _, name := range names {
		arguments := amqp.Table{amqp.QueueTypeArg: queueType}
		if _, err := l.Channel.QueueDeclare(name, true, false, false, false, arguments); err != nil {
			return fmt.Errorf("declare queue %s: %w", name, err)
		}
	}
	return nil
}

// Consume starts a consumer of a queue, with at most prefetch unacknowledged messages.
func (l *Link) Consume(ctx context.Context, queue string, prefetch int) (<-chan amqp.Delivery, error) {
	if err := l.Channel.Qos(prefetch, 0, false); err != nil {
		return nil, fmt.Errorf("set the prefetch of queue %s: %w", queue, err)
	}
	deliveries, err := l.Channel.ConsumeWithContext(ctx, queue, "", false, false, false, false, nil)
	if err != nil {
		return nil, fmt.Errorf("consume queue %s: %w", queue, err)
	}
	return deliveries, nil
}

// Send publishes a persistent message to a queue and returns its pending confirm.
func (l *Link) Send(ctx context.Context, queue, id, command string, body []byte) (*amqp.DeferredConfirmation, error) {
	message := amqp.Publishing{
		DeliveryMode: amqp.Persistent, ContentType: "application/json",
		MessageId: id, CorrelationId: id, Type: command, Timestamp: time.Now(), Body: body,
	}
	confirm, err := l.Channel.PublishWithDeferredConfirmWithContext(ctx, "", queue, false, false, message)
	if err != nil {
		return nil, fmt.Errorf("publish to queue %s: %w", queue, err)
	}
	return confirm, nil
}

// Together sends all messages of the function send in one write, or a few large ones.
func (l *Link) Together(send func() error) error {
	l.socket.hold()
	err := send()
	if released := l.socket.release(); err == nil && released != nil {
		err = fmt.Errorf("publish: %w", released)
	}
	return err
}

// Confirmed waits for a confirm. It returns an error if the broker refused the message.
func Confirmed(ctx context.Context, confirm *amqp.DeferredConfirmation) error {
	acked, err := confirm.WaitContext(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("await a confirm: %w", err)
	case !acked:
		return errors.New("RabbitMQ refused a message")
	}
	return nil
}

// Delete deletes queues, even if they are not empty.
func (l *Link) Delete(names ...string) error {
	for _, name := range names {
		if _, err := l.Channel.QueueDelete(name, false, false, false); err != nil {
			return fmt.Errorf("delete queue %s: %w", name, err)
		}
	}
	return nil
}

// Close closes the connection.
func (l *Link) Close() error {
	if err := l.conn.Close(); err != nil && !errors.Is(err, amqp.ErrClosed) {
		return fmt.Errorf("close the connection to RabbitMQ: %w", err)
	}
	return nil
}
