package saga_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

func TestADefinitionIsEqualInGoAndInJSON(t *testing.T) {
	t.Parallel()
	built, err := saga.New("order").
		Describe("reserve, charge, confirm").
		Deadline(24*time.Hour).
		Step("reserve-inventory", "inventory.reserve", saga.CompensatedBy("inventory.release")).
		Step("charge-payment", "payments.charge", saga.CompensatedBy("payments.refund"), saga.Timeout(30*time.Second),
			saga.Retry(saga.Attempts(5), saga.Backoff(time.Second, 2, time.Minute), saga.Jitter(0.2), saga.NonRetryable("card_declined"))).
		Pivot("confirm-order", "orders.confirm").
		Retriable("send-receipt", "email.receipt").
		Build()
	require.NoError(t, err)
	parsed, err := saga.ParseDefinition("order", 0, []byte(orderJSON))
	require.NoError(t, err)
	require.Equal(t, parsed, built)
	require.Equal(t, hash(t, parsed), hash(t, built))
}

func TestEveryOptionHasItsMember(t *testing.T) {
	t.Parallel()
	step := func(options ...saga.StepOption) *saga.Builder {
		return saga.New("order").Step("a", "q.a", saga.CompensatedBy("q.u")).Step("b", "q.b", append(options, saga.CompensatedBy("q.v"))...)
	}
	for name, same := range map[string]struct {
		built  *saga.Builder
		member string
	}{
		"Timeout":             {step(saga.Timeout(time.Second)), `"timeout":"1s"`},
		"CompensationTimeout": {step(saga.CompensationTimeout(time.Second)), `"compensation_timeout":"1s"`},
		"OnQueue":             {step(saga.OnQueue("other")), `"queue":"other"`},
		"AtOnce":              {step(saga.AtOnce()), `"after":[]`},
		"After":               {step(saga.After("a")), `"after":["a"]`},
		"Attempts":            {step(saga.Retry(saga.Attempts(7))), `"retry":{"max_attempts":7}`},
		"Backoff": {
			step(saga.Retry(saga.Backoff(time.Second, 3, time.Hour))),
			`"retry":{"initial_interval":"1s","multiplier":3,"max_interval":"1h"}`,
		},
		"Jitter":            {step(saga.Retry(saga.Jitter(0))), `"retry":{"jitter":0}`},
		"NonRetryable":      {step(saga.Retry(saga.NonRetryable("y"), saga.NonRetryable("x"))), `"retry":{"non_retryable":["x","y"]}`},
		"CompensationRetry": {step(saga.CompensationRetry(saga.Attempts(7))), `"compensation_retry":{"max_attempts":7}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := `{"steps":[{"name":"a","command":"q.a","compensation":"q.u"},{"name":"b","command":"q.b","compensation":"q.v",` + same.member + `}]}`
			parsed, err := saga.ParseDefinition("order", 0, []byte(text))
			require.NoError(t, err)
			built, err := same.built.Build()
			require.NoError(t, err)
			require.Equal(t, parsed, built)
		})
	}
}

func TestTheBuilderFindsTheSameFaults(t *testing.T) {
	t.Parallel()
	_, err := saga.New("order").
		Step("a", "q.a", saga.After("missing")).
		Pivot("p", "q.p", saga.CompensatedBy("q.u"), saga.Timeout(-1)).
		Retriable("r", "", saga.Retry(saga.Attempts(0))).
		Deadline(0).
		Build()
	require.ElementsMatch(t, []string{
		"/deadline", "/steps/0/after/0", "/steps/1/compensation", "/steps/1/timeout",
		"/steps/2/command", "/steps/2/retry/max_attempts",
	}, pointers(t, err))
}

func TestNilOptionsAreIgnored(t *testing.T) {
	t.Parallel()
	plain := saga.New("order").Step("a", "q.a").WaitForSignal("b", "go").MustBuild()
	odd := saga.New("order").Step("a", "q.a", nil, saga.Retry(nil), saga.CompensationRetry(nil)).WaitForSignal("b", "go", nil).MustBuild()
	require.Equal(t, plain, odd)
}

func TestANilBuilderIsAFault(t *testing.T) {
	t.Parallel()
	_, err := (*saga.Builder)(nil).Build()
	require.Equal(t, saga.Faults{{Message: "the builder is nil"}}, err)
}

func TestMustBuildPanicsWhereBuildFails(t *testing.T) {
	t.Parallel()
	require.Panics(t, func() { saga.New("order").MustBuild() })
	require.NotPanics(t, func() { saga.New("order").Step("a", "q.a").MustBuild() })
}

func TestABuilderDoesNotShareItsArguments(t *testing.T) {
	t.Parallel()
	names := []string{"b", "a"}
	built := saga.New("order").Step("a", "q.a").Step("b", "q.b", saga.AtOnce()).Step("c", "q.c", saga.After(names...))
	definition := built.MustBuild()
	require.Equal(t, []string{"b", "a"}, names)
	names[0] = "changed"
	require.Equal(t, []string{"a", "b"}, definition.Steps[2].After)
	require.Equal(t, definition, built.MustBuild())
}
