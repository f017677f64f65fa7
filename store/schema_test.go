package store_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/store"
	"github.com/saga-orchestrator/orchestrator/store/storetest"
)

func TestTheDatabaseRefusesBrokenSagas(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	w := storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url}))
	running, ended := w.Start(saga.Start{}), w.Start(saga.Start{})
	w.Complete(ended.ID)
	conn := connect(t, url)
	for broken, change := range map[string]string{
		"an end without its time":         `status = 'completed', wake_at = null`,
		"a time of an end before the end": `finished_at = now()`,
		"no revision":                     `revision = 0`,
		"nothing to wake it":              `wake_at = null`,
		"a paused one that wakes":         `status = 'paused'`,
		"stuck without a reason":          `status = 'stuck'`,
		"scheduled without a start":       `status = 'scheduled'`,
		"attention without its time":      `attention_reason = 'overdue', attention_step = '', attention_message = ''`,
		"data that is an array":           `data = '[]'`,
		"progress that is a number":       `progress = '1'`,
		"an impossible version":           `version = 0`,
		"a priority beyond AMQP's":        `priority = 256`,
	} {
		_, err := conn.Exec(t.Context(), `update sagas set `+change+` where id = $1`, running.ID)
		require.ErrorContains(t, err, "check constraint", broken)
	}
	for unknown, change := range map[string]string{
		"saga_status":      `status = 'lost'`,
		"attention_reason": `attention_reason = 'boredom', attention_since = now(), attention_step = '', attention_message = ''`,
	} {
		_, err := conn.Exec(t.Context(), `update sagas set `+change+` where id = $1`, running.ID)
		require.ErrorContains(t, err, "invalid input value for enum "+unknown)
	}
	_, err := conn.Exec(t.Context(), `update sagas set wake_at = now() where id = $1`, ended.ID)
	require.ErrorContains(t, err, "check constraint", "an ended saga that wakes")
	assert.Equal(t, running, w.Get(running.ID))
}

func TestSagaStepsShowsARowPerStep(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	w := storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url}))
	in := w.Start(saga.Start{})
	in = w.Apply(in.ID, storetest.Succeed(in.ID, "reserve", `{"r":"<7>"}`), storetest.Fail(in.ID, "charge"))
	type step struct {
		Definition, SagaStatus, Name, Status string
		Position                             int64
		Attempts                             int
		Compensations                        int
		ErrorCode, Output                    *string
	}
	rows, err := connect(t, url).Query(t.Context(), `select definition, saga_status, name, status, position, attempts,
		compensation_attempts, error_code, output::text from saga_steps where saga_id = $1 order by position`, in.ID)
	require.NoError(t, err)
	got, err := pgx.CollectRows(rows, pgx.RowToStructByPos[step])
	require.NoError(t, err)
	output, code := `{"r":"<7>"}`, "declined"
	assert.Equal(t, []step{
		{"order", "compensating", "reserve", "compensating", 1, 1, 1, nil, &output},
		{"order", "compensating", "charge", "failed", 2, 1, 0, &code, nil},
		{"order", "compensating", "confirm", "pending", 3, 0, 0, nil, nil},
	}, got)
	assert.Len(t, texts(t, url, `select name from saga_steps where started_at = $1`, in.Steps[0].StartedAt), 1)
}

func TestAnUpdateOfNoRowIsNotCommitted(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	w := storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url}))
	in := w.Start(saga.Start{})
	_, err := connect(t, url).Exec(t.Context(), `create function skip() returns trigger language plpgsql as
		$$ begin return null; end $$;
		create trigger skip before update on sagas for each row execute function skip()`)
	require.NoError(t, err)
	tries := 0
	err = w.Transact(t.Context(), record.Batch{SagaIDs: []string{in.ID}}, func(l record.Loaded) (record.Changes, error) {
		tries++
		return w.Decide(l, in.ID, storetest.Succeed(in.ID, "reserve", `{}`))
	})
	require.ErrorContains(t, err, "reached 0 of 1 rows")
	assert.Greater(t, tries, 1, "another replica may have changed the row: the batch is decided again")
	assert.Equal(t, in, w.Get(in.ID))
	rows, err := w.OutboxRows(t.Context(), in.ID)
	require.NoError(t, err)
	assert.Len(t, rows, 1)
}

func TestKeysThatCannotBeStoredAreRejected(t *testing.T) {
	t.Parallel()
	w := storetest.NewFixture(t, open(t, store.Config{DatabaseURL: migrated(t)}))
	for _, claim := range []record.StartClaim{
		w.Claim(storetest.NewID(), "\x00", ""), w.Claim(storetest.NewID(), "\xff", "k"), w.Claim(storetest.NewID(), "", "k\x00"),
	} {
		_, err := w.TryStart(claim, saga.Start{})
		require.ErrorIs(t, err, record.ErrRejected)
	}
}

func TestADatabaseThatCouldLoseCommitsIsRefused(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	_, err := connect(t, url).Exec(t.Context(), `do $$ begin
		execute format('alter database %I set synchronous_commit = off', current_database()); end $$`)
	require.NoError(t, err)
	_, err = store.Open(t.Context(), store.Config{DatabaseURL: url})
	require.ErrorIs(t, err, store.ErrAsynchronousCommit)
}
