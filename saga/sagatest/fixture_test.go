package sagatest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Order is the data of the saga under test.
type Order struct {
	ID          string `json:"orderId"`
	Amount      int    `json:"amount"`
	Reservation string `json:"reservation,omitempty"`
	Charge      string `json:"charge,omitempty"`
}

// shop has the functions of the steps, and counts their effects.
type shop struct{ effects []string }

func (s *shop) effect(text string) { s.effects = append(s.effects, text) }

func (s *shop) count(text string) (count int) {
	for _, effect := range s.effects {
		if effect == text {
			count++
		}
	}
	return count
}

func (s *shop) reserve(_ context.Context, o *Order) error {
	s.effect("reserve")
	o.Reservation = "r-" + o.ID
	return nil
}

func (s *shop) release(_ context.Context, o *Order) error {
	s.effect("release " + o.Reservation)
	return nil
}

func (s *shop) charge(_ context.Context, o *Order) error {
	switch {
	case o.Amount > 1000:
		return steps.Fail("card_declined", "insufficient funds")
	case o.Amount == 13:
		return fmt.Errorf("the bank hangs: %w", steps.ErrUnknown)
	case o.Amount == 0:
		return errors.New("no amount")
	}
	s.effect("charge")
	o.Charge = "c-" + o.ID
	return nil
}

func (s *shop) refund(context.Context, *Order) error { s.effect("refund"); return nil }

func (s *shop) confirm(context.Context, *Order) error { s.effect("confirm"); return nil }

func (s *shop) receipt(context.Context, *Order) error { s.effect("receipt"); return nil }

func (s *shop) order() *steps.Saga[Order] {
	return steps.Define[Order]("order").Deadline(24*time.Hour).
		Step("reserve", s.reserve, s.release).
		Step("charge", s.charge, s.refund, saga.Timeout(10*time.Second), saga.Retry(saga.Attempts(3), saga.Backoff(time.Second, 2, time.Minute))).
		Pivot("confirm", s.confirm).
		Retriable("receipt", s.receipt)
}

// printed stands for the *testing.T of a test: it prints failures.
type printed struct{ cleanups []func() }

func (*printed) Helper()            {}
func (p *printed) Cleanup(f func()) { p.cleanups = append(p.cleanups, f) }

func (*printed) Errorf(format string, arguments ...any) {
	fmt.Println("FAIL: " + fmt.Sprintf(format, arguments...))
}

// fatal is what Fatalf panics with.
type fatal string

func (*printed) Fatalf(format string, arguments ...any) {
	panic(fatal(fmt.Sprintf(format, arguments...)))
}

func (p *printed) end() {
	for _, cleanup := range slices.Backward(p.cleanups) {
		cleanup()
	}
}

// recorded is a TB that keeps failures.
type recorded struct {
	printed

	failures []string
}

func (r *recorded) Errorf(format string, arguments ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, arguments...))
}

// failing runs a test that must fail, and returns its failures.
func failing(test func(t *recorded)) (text string) {
	t := &recorded{}
	defer t.end()
	defer func() {
		if said, is := recover().(fatal); is {
			t.failures = append(t.failures, string(said))
		}
		text = strings.Join(t.failures, "\n")
	}()
	test(t)
	return ""
}
