package store_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/store"
	"github.com/saga-orchestrator/orchestrator/store/storetest"
)

// lostCommit commits revision 2 from this replica, sets the database back to revision 1, as a failover that lost the
// commit would, and lets another replica write its own revision 2: it pauses the saga.
func lostCommit(t *testing.T) (here *storetest.Fixture, id string) {
	t.Helper()
	url := migrated(t)
	here = storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url}))
	there := storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url}))
	d := damage{t, connect(t, url)}
	id = here.Start(saga.Start{}).ID
	tables := []string{"sagas", "saga_decisions", "outbox"}
	for _, table := range tables {
		d.exec(`create table before_` + table + ` as select * from ` + table)
	}
	here.Apply(id, storetest.Succeed(id, "reserve", `{"lost":1}`))
	for _, table := range tables {
		d.exec(`delete from ` + table + `; insert into ` + table + ` select * from before_` + table)
	}
	there.Apply(id, storetest.Do(saga.ActionPause))
	return here, id
}

func TestARevisionAfterAFailoverIsNotOverwritten(t *testing.T) {
	t.Parallel()
	here, id := lostCommit(t)
	after := here.Apply(id, storetest.Do(saga.ActionAbandon))
	assert.Equal(t, int64(3), after.Revision)
	assert.Equal(t, `{}`, string(after.Data), "the lost commit does not come back")
	entries, _, err := here.History(t.Context(), id, record.Page{})
	assert.NoError(t, err)
	assert.True(t, slices.ContainsFunc(entries, func(e record.Entry) bool { return e.Type == saga.EntryPaused }),
		"the other replica's pause was acknowledged")
	assert.Len(t, entries, int(after.Entries))
}

func TestADecisionToChangeNothingIsNotBasedOnALostRevision(t *testing.T) {
	t.Parallel()
	here, id := lostCommit(t)
	var status saga.Status
	err := here.Transact(t.Context(), record.Batch{SagaIDs: []string{id}}, func(l record.Loaded) (record.Changes, error) {
		status = l.Instances[id].Status
		return record.Changes{}, nil
	})
	assert.NoError(t, err)
	assert.Equal(t, saga.Paused, status)
}

func TestAnEditByHandIsNotOverwritten(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]string{
		"data":                          `data = '{"by":"hand"}'`,
		"data and the same revision":    `data = '{"by":"hand"}', revision = revision`,
		"by the version before":         `data = '{"by":"hand"}', revision = revision + 1`,
		"with the token that was there": `data = '{"by":"hand"}', write_token = write_token`,
		"with a token":                  `data = '{"by":"hand"}', write_token = 7`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := migrated(t)
			w := storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url}))
			id := w.Start(saga.Start{}).ID
			damage{t, connect(t, url)}.exec(`update sagas set `+edit+` where id = $1`, id)
			w.Apply(id, storetest.Succeed(id, "reserve", `{"r":1}`))
			assert.JSONEq(t, `{"by":"hand","r":1}`, string(w.Get(id).Data))
		})
	}
}

func TestRowsOfThePreviousVersionAreFencedToo(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	first := storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url}))
	id := first.Start(saga.Start{}).ID
	d := damage{t, connect(t, url)}
	d.exec(`update sagas set write_token = 0`) // as after the migration
	w := storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url}))
	decided(t, w, id) // which caches it
	d.exec(`update sagas set data = '{"by":"hand"}' where id = $1`, id)
	w.Apply(id, storetest.Succeed(id, "reserve", `{"r":1}`))
	assert.JSONEq(t, `{"by":"hand","r":1}`, string(w.Get(id).Data))
}
