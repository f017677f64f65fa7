package roofline

import (
	"context"
	"fmt"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/saga-orchestrator/orchestrator/bench/system"
)

// sent is a batch whose messages are on their way: when they are confirmed, what it answered is acknowledged.
type sent struct {
	confirms []*amqp.DeferredConfirmation
	last     *amqp.Delivery // the last delivery of the batch; nil: none
}

// settle waits for the confirms of a batch and acknowledges what it answered, up to the last delivery.
func (s sent) settle(ctx context.Context) error {
	for _, confirm := range s.confirms {
		if err := system.Confirmed(ctx, confirm); err != nil {
			return err
		}
	}
	if s.last == nil {
		return nil
	}
	if err := s.last.Ack(true); err != nil {
		return fmt.Errorf("acknowledge a batch: %w", err)
	}
	return nil
}

// settleAll settles batches in their order.
func settleAll(ctx context.Context, batches <-chan sent) error {
	for batch := range batches {
		if err := batch.settle(ctx); err != nil {
			return system.Fault(ctx, err)
		}
	}
	return nil
}

// sagaOf is the saga of a command's id.
func sagaOf(id string) string {
	saga, _, _ := strings.Cut(id, "/")
	return saga
}
