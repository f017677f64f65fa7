package server

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

const (
	demoEvery = time.Second
	demoSagas = 3600 // one hour, so that a forgotten demo does not fill the disk
	demoActor = "demo"
)

// demoSaga returns the definition of the demo.
func demoSaga() *saga.Definition {
	return saga.New("order").Describe("the demo of dev --simulate: reserve, charge, confirm, send a receipt").
		Step("reserve-inventory", "inventory.reserve", saga.CompensatedBy("inventory.release")).
		Step("charge-payment", "payments.charge", saga.CompensatedBy("payments.refund")).
		Pivot("confirm-order", "orders.confirm").
		Retriable("send-receipt", "email.receipt").
		MustBuild()
}

// simulatedOrders starts an order every second for the simulated workers. One order in five is declined and compensated, and
// one in seven gets stuck. If the user has registered another definition with this name, it starts nothing.
func (s *Server) simulatedOrders(ctx context.Context) {
	if !s.DemoStarts(ctx) {
		s.config.Logger.Info("the demo does not start sagas: another definition named order is registered")
		return
	}
	if _, _, err := s.engine.RegisterDefinition(ctx, demoSaga()); err != nil {
		s.config.Logger.Warn("registering the definition of the demo failed", "error", err)
		return
	}
	ticker := time.NewTicker(demoEvery)
	defer ticker.Stop()
	for n := 1; n <= demoSagas; n++ {
		if _, _, err := s.engine.Start(ctx, demoStart(n)); err != nil && ctx.Err() == nil {
			s.config.Logger.Warn("starting an order of the demo failed", "error", err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// DemoStarts reports whether the server starts orders by itself: with Config.Demo, unless another definition with their name is
// registered.
func (s *Server) DemoStarts(ctx context.Context) bool {
	if s.demo != nil {
		return s.demo.Starts(ctx)
	}
	_, err := s.store.LatestDefinition(ctx, "order")
	return s.config.Demo && (err != nil || s.demoIsOurs(ctx))
}

// demoIsOurs reports whether the registered definition is the demo's, from an earlier run.
func (s *Server) demoIsOurs(ctx context.Context) bool {
	kept, err := s.store.LatestDefinition(ctx, "order")
	if err != nil {
		return false
	}
	registered, err := json.Marshal(kept.Definition)
	ours, failure := json.Marshal(demoSaga())
	return err == nil && failure == nil && string(registered) == string(ours)
}

// demoStart returns the nth order.
func demoStart(n int) record.StartRequest {
	simulate := "{}"
	switch {
	case n%5 == 0:
		simulate = `{"charge-payment":"card_declined"}`
	case n%7 == 0:
		simulate = `{"send-receipt":"bad_address"}`
	}
	return record.StartRequest{
		Definition: "order", Actor: demoActor,
		Data: fmt.Appendf(nil, `{"orderId":"%d","amount":%d,"simulate":%s}`, n, 10+n%90, simulate),
	}
}
