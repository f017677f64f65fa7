package server_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// A row whose columns can be read, but do not belong together, is one on which nothing is decided. What is shown of it must
// say so: it would otherwise look healthy, and never move.
func TestASagaOnWhichNothingIsDecidedIsShownAsUnreadable(t *testing.T) {
	t.Parallel()
	f := newDamagedFamily(t)
	for name, edit := range map[string]string{
		"another deadline": `deadline_at = now() + interval '1 hour'`,
		"another status":   `status = 'compensating'`,
		"another wake":     `wake_at = now() + interval '300 days'`,
		"two megabytes":    `data = ('{"x":"' || repeat('x', 2000000) || '"}')::json`,
	} {
		started, err := f.Start(t.Context(), client.StartRequest{Definition: "shipping"})
		require.NoError(t, err, name)
		id := started.ID
		_, err = f.database.Exec(t.Context(), `drop table if exists kept`)
		require.NoError(t, err)
		f.exec(`create table kept as select * from sagas where id = '` + id + `'`)
		f.exec(`update sagas set `+edit+` where id = $1`, id)

		shown, err := f.Saga(t.Context(), id)
		require.NoError(t, err, name)
		assert.NotEmpty(t, shown.Unreadable, name)
		assert.Equal(t, []saga.ActionName{saga.ActionAbandon}, shown.AllowedActions, name)
		why, err := f.Why(t.Context(), id)
		require.NoError(t, err, name)
		assert.Equal(t, resource.CauseUnreadable, why.Cause, name)
		_, err = f.Pause(t.Context(), id, client.ActionOptions{Reason: "a look"})
		require.ErrorContains(t, err, "cannot read", name)

		f.exec(`update sagas s set deadline_at = k.deadline_at, status = k.status, wake_at = k.wake_at, data = k.data from kept k where s.id = k.id`)
		shown, err = f.Saga(t.Context(), id)
		require.NoError(t, err, name)
		assert.Empty(t, shown.Unreadable, name)
	}
}
