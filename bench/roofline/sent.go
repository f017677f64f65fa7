package roofline

import (
	"context"
	"fmt"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/saga-orchestrator/orchestrator/bench/system"
)

// sent is a batch of published messages. The deliveries that they answer are acknowledged after the confirms.
type sent struct {
	confirms []*amqp.DeferredConfirmation
	last     *amqp.Delivery // the last delivery of the batch; nil if there is none
}

// settle waits for the confirms of a batch and acknowledges all deliveries up to the last one.
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

// settleAll settles batches in order.
func settleAll(ctx context.Context, batches <-chan sent) error {
	for batch := range batches {
		if err := batch.settle(ctx); err != nil {
			return system.Fault(ctx, err)
		}
	}
	return nil
}

// sagaOf returns the saga id in a command id.
func sagaOf(id string) string {
	saga, _, _ := strings.Cut(id, "/")
	return saga
}
