package server_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/server"
)

// damagedFamily is a family with its database.
type damagedFamily struct {
	family
	database *pgxpool.Pool
}

func newDamagedFamily(t *testing.T) damagedFamily {
	t.Helper()
	url, prefix := env.Broker(t, "work")
	config := server.Config{DatabaseURL: env.Database(t), AMQPURL: url, AMQPPrefix: prefix, Migrate: true}
	f := newFamily(t, config)
	database, err := pgxpool.New(t.Context(), config.DatabaseURL)
	require.NoError(t, err)
	t.Cleanup(database.Close)
	return damagedFamily{f, database}
}

// in runs a part of a test.
func (f damagedFamily) in(t *testing.T) damagedFamily {
	t.Helper()
	t.Parallel()
	f.family = family{t, f.Client}
	return f
}

func (f damagedFamily) exec(statement string, arguments ...any) {
	f.t.Helper()
	done, err := f.database.Exec(f.t.Context(), statement, arguments...)
	require.NoError(f.t, err)
	require.EqualValues(f.t, 1, done.RowsAffected(), statement)
}

// progress returns the stored progress of a saga.
func (f damagedFamily) progress(id string) (text string) {
	f.t.Helper()
	require.NoError(f.t, f.database.QueryRow(f.t.Context(), `select progress::text from sagas where id = $1`, id).Scan(&text))
	return text
}

func (f damagedFamily) abandon(id string) {
	f.t.Helper()
	_, err := f.Abandon(f.t.Context(), id, client.ActionOptions{Reason: "cannot be read"})
	require.NoError(f.t, err)
}

func (f damagedFamily) compensate(id string) {
	f.t.Helper()
	_, err := f.Compensate(f.t.Context(), id, client.ActionOptions{Reason: "a change of mind"})
	require.NoError(f.t, err)
}

// stuckWith waits until the parent cannot compensate its child.
func (f damagedFamily) stuckWith(parent, code string) {
	f.t.Helper()
	stuck := f.until(parent, func(s resource.Saga) bool { return s.Attention != nil })
	require.Equal(f.t, saga.CompensationExhausted, stuck.Attention.Reason)
	require.Equal(f.t, code, stuck.Steps[0].Error.Code)
}

// waitsForLost waits until the parent says that its child will not report: the outbox may still hold what it asked of it.
func (f damagedFamily) waitsForLost(parent, child, part string) (why resource.Why) {
	f.t.Helper()
	require.Eventually(f.t, func() bool {
		var err error
		why, err = f.Why(f.t.Context(), parent)
		require.NoError(f.t, err)
		require.Equal(f.t, resource.CauseWaitingForChild, why.Cause)
		return strings.Contains(why.Message, part)
	}, time.Minute, 10*time.Millisecond, "%s", &lazy{&why})
	require.Contains(f.t, why.Message, child)
	require.NotNil(f.t, why.NextAutomatic.At, "the parent looks by itself")
	require.Greater(f.t, time.Until(why.NextAutomatic.At.Time), time.Hour)
	return why
}

func (f damagedFamily) retry(id string) {
	f.t.Helper()
	_, err := f.Retry(f.t.Context(), id, client.ActionOptions{Reason: "the row is as it was"})
	require.NoError(f.t, err)
}

func TestRule23TheParentOfAnUnreadableChildHearsThatItWasAbandoned(t *testing.T) {
	t.Parallel()
	all := newDamagedFamily(t)
	for _, damage := range []string{
		`progress = '{}'`, `labels = '{"a":1}'`, `version = 99`, `created_at = '4000-01-01 BC'`, `revision = 9223372036854775807`,
	} {
		t.Run(damage, func(t *testing.T) {
			f := all.in(t)
			parent, child := f.begin()
			f.exec(`update sagas set `+damage+` where id = $1`, child.ID)
			broken, err := f.Saga(t.Context(), child.ID)
			require.NoError(t, err)
			require.NotEmpty(t, broken.Unreadable)
			require.Equal(t, child.Parent, broken.Parent)
			f.abandon(child.ID)
			f.stuckWith(parent.ID, "unreadable_saga")
			_, err = f.Skip(t.Context(), parent.ID, client.ActionOptions{Step: "ship", Reason: "by hand"})
			require.NoError(t, err)
			f.until(parent.ID, compensated)
		})
	}
	t.Run("it is repaired before the parent is", func(t *testing.T) {
		f := all.in(t)
		parent, child := f.begin()
		f.exec(`update sagas set version = 99 where id = $1`, child.ID)
		f.compensate(parent.ID)
		f.abandon(child.ID)
		f.stuckWith(parent.ID, "unreadable_saga")
		f.exec(`update sagas set version = 1 where id = $1`, child.ID)
		f.retry(parent.ID)
		f.until(parent.ID, compensated)
		f.until(child.ID, compensated)
	})
	t.Run("its progress is restored as it was before", func(t *testing.T) {
		f := all.in(t)
		parent, child := f.begin()
		before := f.progress(child.ID)
		f.exec(`update sagas set progress = '{}' where id = $1`, child.ID)
		f.abandon(child.ID)
		f.stuckWith(parent.ID, "unreadable_saga")
		f.exec(`update sagas set progress = $2::text::json where id = $1`, child.ID, before)
		f.retry(parent.ID)
		f.until(parent.ID, compensated)
		f.until(child.ID, compensated)
	})
}

func TestRule23TheEndOfAChildIsKeptForAParentThatCannotBeRead(t *testing.T) {
	t.Parallel()
	all := newDamagedFamily(t)
	ended := func(f damagedFamily) (parent resource.Saga, child resource.Saga, before string) {
		parent, child = f.begin()
		before = f.progress(parent.ID)
		f.exec(`update sagas set progress = '{}' where id = $1`, parent.ID)
		f.give(child.ID, "loaded", `{"truck":7}`)
		f.give(child.ID, "arrived", `{}`)
		require.Eventually(f.t, func() bool {
			var reason string
			err := f.database.QueryRow(f.t.Context(), `select reason from outbox where saga_id = $1 and refused_at is not null`, child.ID).Scan(&reason)
			return err == nil && reason != ""
		}, time.Minute, 10*time.Millisecond, "the message says why it waits")
		return parent, child, before
	}
	restored := func(f damagedFamily, parent, before string) {
		f.exec(`update sagas set progress = $2::text::json where id = $1`, parent, before)
		f.exec(`update outbox set claimed_until = now() where queue = '$sagas' and saga_id in (select saga_id from children where parent = $1)`, parent)
	}
	completes := func(f damagedFamily, parent string) {
		done := f.until(parent, func(s resource.Saga) bool { return s.Steps[0].Status == saga.StepSucceeded })
		require.JSONEq(f.t, `{"id":"42","shipment":{"order":"42","truck":7}}`, string(done.Data))
	}
	t.Run("until its row is restored", func(t *testing.T) {
		f := all.in(t)
		parent, _, before := ended(f)
		restored(f, parent.ID, before)
		completes(f, parent.ID)
	})
	t.Run("even if the message is damaged", func(t *testing.T) {
		f := all.in(t)
		parent, child, before := ended(f)
		f.exec(`update outbox set body = 'garbage' where saga_id = $1`, child.ID)
		restored(f, parent.ID, before)
		completes(f, parent.ID)
	})
	t.Run("even if it was abandoned", func(t *testing.T) {
		f := all.in(t)
		parent, _, before := ended(f)
		f.abandon(parent.ID)
		restored(f, parent.ID, before)
		late := f.until(parent.ID, func(s resource.Saga) bool { return s.Attention != nil })
		require.Equal(t, saga.LateEffect, late.Attention.Reason)
	})
}

func TestRule23AParentWhoseChildWasDeletedByHandIsStuck(t *testing.T) {
	t.Parallel()
	all := newDamagedFamily(t)
	t.Run("while it runs", func(t *testing.T) {
		f := all.in(t)
		parent, child := f.begin()
		f.exec(`delete from sagas where id = $1`, child.ID)
		why := f.waitsForLost(parent.ID, child.ID, "the row of that saga is gone")
		require.Contains(t, why.Message, "compensate or rewind the saga")
		f.compensate(parent.ID)
		f.stuckWith(parent.ID, "child_gone")
		why, err := f.Why(t.Context(), parent.ID)
		require.NoError(t, err)
		require.Contains(t, why.Message, "child saga "+child.ID+" no longer exists")
	})
	t.Run("after its end", func(t *testing.T) {
		f := all.in(t)
		parent, child := f.begin()
		f.give(child.ID, "loaded", `{}`)
		f.give(child.ID, "arrived", `{}`)
		f.until(parent.ID, func(s resource.Saga) bool { return s.Steps[0].Status == saga.StepSucceeded })
		f.exec(`delete from sagas where id = $1`, child.ID)
		f.compensate(parent.ID)
		f.stuckWith(parent.ID, "child_gone")
	})
}

func TestWhyNamesTheRowsOfAFamilyThatWereChangedByHand(t *testing.T) {
	t.Parallel()
	all := newDamagedFamily(t)
	t.Run("a child that ended by its row only", func(t *testing.T) {
		f := all.in(t)
		parent, child := f.begin()
		f.exec(`update sagas set status = 'completed', finished_at = now(), wake_at = null where id = $1`, child.ID)
		f.waitsForLost(parent.ID, child.ID, "is completed, but no report of that is on its way")
		f.exec(`update sagas set progress = '{}' where id = $1`, child.ID)
		f.waitsForLost(parent.ID, child.ID, "is completed by its row, but that cannot be read")
	})
	t.Run("a child whose report was deleted", func(t *testing.T) {
		f := all.in(t)
		parent, child := f.begin()
		before := f.progress(parent.ID)
		f.exec(`update sagas set progress = '{}' where id = $1`, parent.ID) // so that the report waits
		f.give(child.ID, "loaded", `{}`)
		f.give(child.ID, "arrived", `{}`)
		require.Eventually(t, func() bool {
			done, err := f.database.Exec(t.Context(), `delete from outbox where saga_id = $1 and refused_at is not null`, child.ID)
			return err == nil && done.RowsAffected() == 1
		}, time.Minute, 10*time.Millisecond)
		f.exec(`update sagas set progress = $2::text::json where id = $1`, parent.ID, before)
		f.waitsForLost(parent.ID, child.ID, "is completed, but no report of that is on its way")
	})
	t.Run("a parent that was deleted", func(t *testing.T) {
		f := all.in(t)
		parent, child := f.begin()
		why, err := f.Why(t.Context(), child.ID)
		require.NoError(t, err)
		require.NotContains(t, why.Message, parent.ID)
		f.exec(`delete from sagas where id = $1`, parent.ID)
		why, err = f.Why(t.Context(), child.ID)
		require.NoError(t, err)
		require.Contains(t, why.Message, "parent, saga "+parent.ID+", is gone")
		require.NotContains(t, why.AllowedActions, saga.ActionCompensate)
	})
}
