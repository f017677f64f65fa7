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
	demoSagas = 3600 // an hour's worth: a demo that is forgotten must not fill the disk
	demoActor = "demo"
)

// demoSaga is what the demo starts.
func demoSaga() *saga.Definition {
	return saga.New("order").Describe("what dev --simulate starts: reserve, charge, confirm, send a receipt").
		Step("reserve-inventory", "inventory.reserve", saga.CompensatedBy("inventory.release")).
		Step("charge-payment", "payments.charge", saga.CompensatedBy("payments.refund")).
		Pivot("confirm-order", "orders.confirm").
		Retriable("send-receipt", "email.receipt").
		MustBuild()
}

// demo starts an order every second, so that somebody who has a first look sees sagas that move. One in five is
// declined and compensated, one in seven gets stuck. An order saga that somebody else has defined is left alone: then
// nothing is started.
func (s *Server) demo(ctx context.Context) {
	if _, err := s.store.LatestDefinition(ctx, "order"); err == nil && !s.demoIsOurs(ctx) {
		s.config.Logger.Info("a definition order is there already: no sagas are started by themselves")
		return
	}
	if _, _, err := s.engine.RegisterDefinition(ctx, demoSaga()); err != nil {
		s.config.Logger.Warn("the demo's definition could not be registered", "error", err)
		return
	}
	ticker := time.NewTicker(demoEvery)
	defer ticker.Stop()
	for n := 1; n <= demoSagas; n++ {
		if _, _, err := s.engine.Start(ctx, demoStart(n)); err != nil && ctx.Err() == nil {
			s.config.Logger.Warn("an order of the demo could not be started", "error", err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// demoIsOurs reports whether the definition that is there is the demo's, from an earlier run.
func (s *Server) demoIsOurs(ctx context.Context) bool {
	kept, err := s.store.LatestDefinition(ctx, "order")
	if err != nil {
		return false
	}
	there, err := json.Marshal(kept.Definition)
	ours, failure := json.Marshal(demoSaga())
	return err == nil && failure == nil && string(there) == string(ours)
}

// demoStart is the nth order.
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
