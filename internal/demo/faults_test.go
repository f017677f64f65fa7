package demo

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/steps"
)

func on(d *Demo) (names []string) {
	for _, fault := range d.Faults() {
		if fault.On {
			names = append(names, fault.Name)
		}
	}
	return names
}

func TestAWorkerHasOneFaultAtATime(t *testing.T) {
	t.Parallel()
	d := New(Config{})
	assert.Empty(t, on(d))
	require.NoError(t, d.SetFault(PaymentsFail, true))
	require.NoError(t, d.SetFault(EmailFails, true))
	require.NoError(t, d.SetFault(PaymentsHang, true))
	assert.Equal(t, []string{PaymentsHang, EmailFails}, on(d))
	require.NoError(t, d.SetFault(PaymentsHang, false))
	assert.Equal(t, []string{EmailFails}, on(d))
	require.ErrorContains(t, d.SetFault("payments", true), `"payments"`)
	assert.Equal(t, []string{EmailFails}, on(d), "an unknown name changes nothing")
}

func TestAHangingWorkerContinuesWhenItIsRepaired(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := New(Config{})
		w := &workers{faults: d.faults}
		require.NoError(t, d.SetFault(PaymentsHang, true))
		charged := make(chan error, 1)
		go func() {
			_, err := w.charge(t.Context(), steps.Command[Order]{})
			charged <- err
		}()
		synctest.Wait()
		assert.Empty(t, charged)
		require.NoError(t, d.SetFault(EmailFails, true))
		synctest.Wait()
		assert.Empty(t, charged, "another fault changes nothing")
		require.NoError(t, d.SetFault(PaymentsHang, false))
		require.NoError(t, <-charged)
	})
}
