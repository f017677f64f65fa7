package rabbit

import (
	"context"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// sendAlone opens a channel for one message, sends it and awaits its confirm. If the broker closes the channel, the
// error is the broker's reason.
func sendAlone(ctx context.Context, conn *connection, message outgoing) (wire.Receipt, error) {
	channel, err := conn.channel()
	if err != nil {
		return wire.Receipt{}, err
	}
	closed := channel.NotifyClose(make(chan *amqp.Error, 1))
	returned := channel.NotifyReturn(make(chan amqp.Return, 1))
	defer func() {
		if !channel.IsClosed() {
			_ = conn.within(channel.Close)
		}
	}()
	var confirm *amqp.DeferredConfirmation
	err = conn.within(func() (err error) {
		if err = channel.Confirm(false); err != nil {
			return err
		}
		confirm, err = channel.PublishWithDeferredConfirm(message.exchange, message.key, true, false, message.message)
		return err
	})
	if err != nil {
		return wire.Receipt{}, fmt.Errorf("publish: %w", err)
	}
	select {
	case <-confirm.Done():
	case <-ctx.Done():
		return wire.Receipt{Outcome: wire.NotConfirmed, Reason: errNoConfirm.Error()}, nil
	}
	if channel.IsClosed() {
		if fault := <-closed; fault != nil {
			return wire.Receipt{}, fault
		}
		return wire.Receipt{}, ErrNotConnected
	}
	if !confirm.Acked() {
		return wire.Receipt{Outcome: wire.Nacked, Reason: "RabbitMQ refused the message (nack)"}, nil
	}
	select {
	case r := <-returned:
		return wire.Receipt{Outcome: wire.Returned, Reason: returnReason(r)}, nil
	default:
		return wire.Receipt{Outcome: wire.Confirmed}, nil
	}
}

func returnReason(r amqp.Return) string {
	return fmt.Sprintf("%s (%d): no queue for key %q of exchange %q", r.ReplyText, r.ReplyCode, r.RoutingKey, r.Exchange)
}
