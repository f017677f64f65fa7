package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

const (
	goodCard     = "4242-4242-4242-4242"
	declinedCard = "4000-0000-0000-0002"
	smallOrder   = 40
	largeOrder   = 20_000 // more than the order service confirms
	orders       = 200
)

// effect is a line of a service's ledger.
type effect struct {
	Saga   string    `json:"saga"`
	Step   string    `json:"step"`
	Action string    `json:"action"`
	Line   string    `json:"line"`
	At     time.Time `json:"at"`
}

// order returns the data of an order. Of every five orders, one has a card that is declined, and one is so large that
// its confirmation is refused.
func order(number int) map[string]any {
	card, amount := goodCard, smallOrder
	switch number % 5 {
	case 0:
		card = declinedCard
	case 1:
		amount = largeOrder
	}
	return map[string]any{
		"orderId": fmt.Sprint(number), "item": "a teapot", "amount": amount, "card": card, "email": "ada@example.com",
	}
}

// startOrders starts the orders, and calls midway once half are acknowledged.
func startOrders(a *api, midway func()) []string {
	ids := make([]string, orders)
	for i := range ids {
		ids[i] = a.startOrder(i)
		if i == orders/2 {
			midway()
		}
	}
	return ids
}

// check compares the ends of the sagas with the effects in the services' ledgers.
func check(t *testing.T, ended map[string]resource.Saga, ledger []effect) {
	t.Helper()
	did := make(map[string][]string)
	for _, e := range ledger {
		if e.Line != "" {
			did[e.Saga] = append(did[e.Saga], e.Step+" "+e.Action)
		}
	}
	counts := make(map[string]int)
	for id, end := range ended {
		how := string(end.Status)
		if end.Failure != nil {
			how += " after " + end.Failure.Code
		}
		counts[how]++
		require.Equal(t, effectsOf()[how], did[id], "order %s %s", id, how)
	}
	require.Equal(t, map[string]int{
		"completed": orders * 3 / 5, "compensated after card_declined": orders / 5, "compensated after order_too_large": orders / 5,
	}, counts)
}

// effectsOf returns the effects of an order, in order, by how it ended. The last effect is compensated first.
func effectsOf() map[string][]string {
	return map[string][]string{
		"completed": {
			"reserve-inventory execute", "charge-payment execute", "confirm-order execute", "send-receipt execute",
		},
		"compensated after card_declined": {"reserve-inventory execute", "reserve-inventory compensate"},
		"compensated after order_too_large": {
			"reserve-inventory execute", "charge-payment execute", "charge-payment compensate", "reserve-inventory compensate",
		},
	}
}

func putOrderDefinition(t *testing.T, a *api) {
	t.Helper()
	a.must(http.StatusCreated, http.MethodPut, "/v1/definitions/order", map[string]any{"steps": []map[string]any{
		{"name": "reserve-inventory", "command": "inventory.reserve", "compensation": "inventory.release"},
		{"name": "charge-payment", "command": "payments.charge", "compensation": "payments.refund"},
		{"name": "confirm-order", "command": "orders.confirm", "kind": "pivot"},
		{"name": "send-receipt", "command": "email.receipt", "kind": "retriable", "queue": "orders"},
	}}, nil)
}

func (fx *fixture) ledger() []effect {
	fx.t.Helper()
	ctx := context.Background()
	connection, err := pgx.Connect(ctx, fx.databaseURL)
	require.NoError(fx.t, err)
	defer connection.Close(ctx)
	rows, err := connection.Query(ctx, `select saga_id as saga, step, action, line, at from order_saga_ledger order by id`)
	require.NoError(fx.t, err)
	ledger, err := pgx.CollectRows(rows, pgx.RowToStructByName[effect])
	require.NoError(fx.t, err)
	return ledger
}

func TestAKilledOrchestratorContinuesItsSagas(t *testing.T) {
	t.Parallel()
	fx := newFixture(t)
	address := freeAddress(t)
	serving, a := fx.serve(address)
	fx.workers()
	putOrderDefinition(t, a)
	ids := startOrders(a, func() {
		serving.kill()
		serving, _ = fx.serve(address)
	})
	began := time.Now()
	serving.kill()
	serving, _ = fx.serve(address)
	ended := a.ends(ids)
	t.Logf("%d sagas had ended %s after the second kill", orders, time.Since(began).Round(time.Millisecond))
	check(t, ended, fx.ledger())
	require.Less(t, serving.stop(), 10*time.Second)
}

func TestAKilledReplicaStrandsNoSaga(t *testing.T) {
	t.Parallel()
	fx := newFixture(t)
	first, a := fx.serve(freeAddress(t))
	_, b := fx.serve(freeAddress(t))
	fx.workers()
	putOrderDefinition(t, a)
	ids := make([]string, orders)
	for i := range ids {
		to := a
		if i%2 == 1 || i > orders/2 {
			to = b
		}
		ids[i] = to.startOrder(i)
		if i == orders/2 {
			first.kill()
		}
	}
	began := time.Now()
	ended := b.ends(ids)
	t.Logf("%d sagas had ended %s after the last start", orders, time.Since(began).Round(time.Millisecond))
	check(t, ended, fx.ledger())
}

func TestAKilledEmbeddedOrchestratorContinuesFromItsFile(t *testing.T) {
	t.Parallel()
	folder, state, address := programs(t), t.TempDir(), freeAddress(t)
	serve := func() (*process, *api) {
		p := start(t, []string{"DATABASE_URL=", "AMQP_URL=", "ORCHESTRATOR_URL="}, filepath.Join(folder, "order-saga"), "--serve", "--state", state, "--listen", address)
		a := &api{t: t, base: "http://" + address}
		a.ready()
		return p, a
	}
	serving, a := serve()
	require.Eventually(t, func() bool { // the example registers its definition itself
		status, err := a.call(http.MethodGet, "/v1/definitions/order", "", nil, nil)
		return err == nil && status == http.StatusOK
	}, 10*time.Second, 10*time.Millisecond)
	ids := startOrders(a, func() {
		serving.kill()
		serving, _ = serve()
	})
	serving.kill()
	serving, a = serve()
	ended := a.ends(ids)
	serving.stop()
	var ledger []effect
	for _, service := range []string{"inventory", "payments", "orders"} {
		ledger = append(ledger, readLedger(t, filepath.Join(state, service+".ledger"))...)
	}
	slices.SortStableFunc(ledger, func(a, b effect) int { return a.At.Compare(b.At) })
	check(t, ended, ledger)
}

func readLedger(t *testing.T, path string) []effect {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	var ledger []effect
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var e effect
		if json.Unmarshal(lines.Bytes(), &e) == nil { // a line cut by the kill was never answered
			ledger = append(ledger, e)
		}
	}
	require.NoError(t, lines.Err())
	return ledger
}
