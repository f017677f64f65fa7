package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/saga/sagatest"
	"github.com/saga-orchestrator/orchestrator/steps"
)

func teapot() Order {
	return Order{OrderID: "1001", Item: "a teapot", Amount: 40, Card: "4242-4242-4242-4242", Email: "ada@example.com"}
}

func TestAnOrderSucceeds(t *testing.T) {
	t.Parallel()
	order := sagatest.New(t, orderSaga()).Start(teapot())
	order.Expect(saga.Completed)
	order.ExpectSteps("reserve-inventory", "charge-payment", "confirm-order", "send-receipt")
	want := teapot()
	want.ReservationID, want.PaymentID = "r-1001", "p-1001"
	order.ExpectData(want)
}

func TestADeclinedCardReleasesTheReservation(t *testing.T) {
	t.Parallel()
	declined := teapot()
	declined.Card = declinedCard
	order := sagatest.New(t, orderSaga()).Start(declined)
	order.Expect(saga.Compensated)
	order.ExpectSteps("reserve-inventory", "compensate reserve-inventory")
}

func TestAnOrderThatIsTooLargeIsRefunded(t *testing.T) {
	t.Parallel()
	large := teapot()
	large.Amount = 2 * largestOrder
	order := sagatest.New(t, orderSaga()).Start(large)
	order.Expect(saga.Compensated)
	order.ExpectSteps("reserve-inventory", "charge-payment", "compensate charge-payment", "compensate reserve-inventory")
}

// The bank may have charged the card without an answer, so the payment is refunded in any case.
func TestABankThatNeverAnswersIsTakenForCharged(t *testing.T) {
	t.Parallel()
	test := sagatest.New(t, orderSaga())
	test.Execute("charge-payment", sagatest.NoReply())
	order := test.Start(teapot())
	order.Settle()
	order.Expect(saga.Compensated)
	order.ExpectSteps("reserve-inventory", "compensate charge-payment", "compensate reserve-inventory")
	assert.Greater(t, test.Now().Sub(order.Saga().CreatedAt), 5*saga.DefaultTimeout, "five attempts, each with its timeout")
}

func TestAnOperatorRepairsAnOrderWhoseReceiptCannotBeSent(t *testing.T) {
	t.Parallel()
	wrong := teapot()
	wrong.Email = "ada-at-example.com"
	order := sagatest.New(t, orderSaga()).Start(wrong)
	order.Advance(time.Minute)
	order.Expect(saga.Stuck)
	require.NoError(t, order.Act(saga.Action{Name: saga.ActionPatchData, Patch: []byte(`{"email":"ada@example.com"}`), Reason: "typing error"}))
	require.NoError(t, order.Act(saga.Action{Name: saga.ActionRetry, Reason: "address corrected"}))
	order.Expect(saga.Completed)
}

// A command whose reply is lost comes again. The ledger makes it take effect once.
func TestTheLedgerKeepsARepeatedCommandFromTakingEffectTwice(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	ledger, err := openFileLedger(folder, "inventory")
	require.NoError(t, err)
	t.Cleanup(func() { _ = ledger.file.Close() })
	test := sagatest.New(t, orderSaga(), steps.WithMiddleware(ledger.once))
	test.Execute("reserve-inventory", sagatest.LoseReply(), sagatest.Call())
	order := test.Start(teapot())
	order.Settle()
	order.Expect(saga.Completed)
	content, err := os.ReadFile(filepath.Join(folder, "inventory.ledger"))
	require.NoError(t, err)
	assert.Equal(t, 1, strings.Count(string(content), "reserved a teapot"))
}

// With and without a barrier it is the same saga.
func TestBothFormsHaveOneDefinition(t *testing.T) {
	t.Parallel()
	plain, err := orderSaga().MustBuild().MarshalJSON()
	require.NoError(t, err)
	inTx, err := orderSagaTx().MustBuild().MarshalJSON()
	require.NoError(t, err)
	assert.JSONEq(t, string(plain), string(inTx))
}
