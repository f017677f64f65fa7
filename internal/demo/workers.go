package demo

import (
	"context"
	"fmt"
	"hash/fnv"
	"strings"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/wait"
	"github.com/saga-orchestrator/orchestrator/steps"
)

const (
	declinedCard = "4000-0000-0000-0002"
	closedCard   = "4000-0000-0000-0341" // takes charges, and no refunds
	backOrdered  = "desk lamp (back-ordered)"
	vase         = "antique vase" // the scanner of the inventory worker fails on it
	giftCard     = "gift card"    // confirming it times out, so that its outcome is unknown
	largestOrder = 1000

	// maxLost limits what the inventory worker remembers of the commands that it lost.
	maxLost = 10_000
)

type (
	output = map[string]any
	effect func(ctx context.Context, cmd steps.Command[Order]) (output, error)
)

// workers holds the workers of the demo.
type workers struct {
	faults *faults

	mu   sync.Mutex
	lost map[string]bool // by command id
}

// queues returns the commands by worker queue.
func (w *workers) queues() map[string]map[string]effect {
	return map[string]map[string]effect{
		"inventory": {"inventory.reserve": w.reserve, "inventory.release": done},
		"fraud":     {"fraud.check": check},
		"payments":  {"payments.charge": w.charge, "payments.refund": refund},
		"orders":    {"orders.confirm": confirm},
		"email":     {"email.receipt": w.sendReceipt},
		"shipping":  {"shipping.ship": ship},
	}
}

// run runs all workers until ctx ends.
func (w *workers) run(ctx context.Context, transport steps.Transport) {
	var running sync.WaitGroup
	for queue, commands := range w.queues() {
		worker := steps.NewWorker(queue, steps.Config{Concurrency: 16, Grace: time.Second})
		for name, do := range commands {
			steps.Handle(worker, name, func(ctx context.Context, cmd steps.Command[Order]) (output, error) {
				if !wait.For(ctx, duration(cmd.ID)) {
					return nil, ctx.Err()
				}
				return do(ctx, cmd)
			})
		}
		running.Go(func() { _ = worker.Run(ctx, transport) }) // the in-process broker does not fail
	}
	running.Wait()
}

// duration returns how long a command takes: from 40 to 600 ms, the same whenever it is repeated.
func duration(command string) time.Duration {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(command)) // never fails
	return time.Duration(40+hash.Sum32()%560) * time.Millisecond
}

func done(context.Context, steps.Command[Order]) (output, error) { return nil, nil }

// reserve loses the command of a vase, as a worker does that crashes on it. A command that comes again was redriven by
// an operator, and succeeds.
func (w *workers) reserve(_ context.Context, cmd steps.Command[Order]) (output, error) {
	switch cmd.Data.Item {
	case backOrdered:
		return nil, steps.Retry("out_of_stock", "the next delivery is expected in an hour")
	case vase:
		if w.lose(cmd.ID) {
			return nil, fmt.Errorf("%w: the scanner crashed", steps.ErrUnknown)
		}
	}
	return output{"reservationId": "r-" + cmd.Data.OrderID}, nil
}

// lose reports whether the command comes for the first time.
func (w *workers) lose(command string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lost[command] || len(w.lost) >= maxLost {
		return false
	}
	w.lost[command] = true
	return true
}

func check(_ context.Context, cmd steps.Command[Order]) (output, error) {
	return output{"riskScore": 1 + cmd.Data.Amount%9}, nil
}

func (w *workers) charge(ctx context.Context, cmd steps.Command[Order]) (output, error) {
	if err := w.faults.hang(ctx, PaymentsHang); err != nil {
		return nil, err
	}
	if failing, _ := w.faults.isOn(PaymentsFail); failing {
		return nil, steps.Retry("provider_unavailable", "the payment provider answers 503")
	}
	if cmd.Data.Card == declinedCard {
		return nil, steps.Fail("card_declined", "insufficient funds")
	}
	return output{"paymentId": "p-" + cmd.Data.OrderID}, nil
}

func refund(_ context.Context, cmd steps.Command[Order]) (output, error) {
	if cmd.Data.Card == closedCard && cmd.Data.RefundTo == "" {
		return nil, steps.Retry("account_closed", "the account of the card is closed: set refundTo in the data")
	}
	return nil, nil
}

func confirm(_ context.Context, cmd steps.Command[Order]) (output, error) {
	switch {
	case cmd.Data.Item == giftCard:
		return nil, fmt.Errorf("%w: the order service did not answer", steps.ErrUnknown)
	case cmd.Data.Amount > largestOrder:
		return nil, steps.Fail("order_too_large", fmt.Sprintf("more than %d", largestOrder))
	}
	return nil, nil
}

func (w *workers) sendReceipt(_ context.Context, cmd steps.Command[Order]) (output, error) {
	if !strings.Contains(cmd.Data.Email, "@") {
		return nil, steps.Retry("address_refused", fmt.Sprintf("%q is not an email address", cmd.Data.Email))
	}
	if failing, _ := w.faults.isOn(EmailFails); failing {
		return nil, steps.Retry("smtp_unavailable", "the mail server refuses connections")
	}
	return nil, nil
}

func ship(_ context.Context, cmd steps.Command[Order]) (output, error) {
	return output{"parcel": "1Z" + cmd.Data.OrderID}, nil
}
