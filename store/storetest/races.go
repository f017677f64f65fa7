package storetest

import (
	"slices"
	"sync"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

func raceRules() map[string]rule {
	return map[string]rule{
		"a hundred starts under one idempotency key make one saga": with(racingIdempotencyKey),
		"a hundred starts under one business key make one saga":    with(racingBusinessKey),
		"starts that cross keys all come to an end":                with(crossingKeys),
		"batches that cross sagas lose no change":                  with(crossingBatches),
		"definitions put at once get one version per plan":         with(racingDefinitions),
		"commands are claimed by one of many":                      with(racingClaims),
	}
}

// atOnce runs n of them at the same time and returns their errors that are not nil.
func atOnce(n int, do func(i int) error) []error {
	var group sync.WaitGroup
	errs := make([]error, n)
	begin := make(chan struct{})
	for i := range n {
		group.Go(func() {
			<-begin
			errs[i] = do(i)
		})
	}
	close(begin)
	group.Wait()
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

func racingIdempotencyKey(w *World) {
	t := w.t
	const n = 100
	outcomes := make([]record.StartOutcome, n)
	ids := make([]string, n)
	require.Empty(t, atOnce(n, func(i int) (err error) {
		ids[i] = NewID()
		outcomes[i], err = w.TryStart(w.Claim(ids[i], "k1", "order-1"), saga.Start{})
		return err
	}))
	all, _, err := w.Sagas(t.Context(), record.Filter{}, record.Page{})
	require.NoError(t, err)
	require.Len(t, all, 1)
	for i, outcome := range outcomes {
		if outcome.Kind == record.StartFree {
			assert.Equal(t, all[0].ID, ids[i])
			continue
		}
		assert.Equal(t, record.StartOutcome{Kind: record.StartExists, Existing: all[0].ID, Instance: all[0].Instance}, outcome)
	}
}

func racingBusinessKey(w *World) {
	t := w.t
	require.Empty(t, atOnce(100, func(int) error {
		_, err := w.TryStart(w.Claim(NewID(), NewID(), "order-1"), saga.Start{})
		return err
	}))
	all, _, err := w.Sagas(t.Context(), record.Filter{}, record.Page{})
	require.NoError(t, err)
	require.Len(t, all, 1)
}

func crossingKeys(w *World) {
	t := w.t
	keys := []string{"a", "b", "c", "d", "e"}
	require.Empty(t, atOnce(20, func(i int) error {
		mine := slices.Clone(keys)
		if i%2 == 0 {
			slices.Reverse(mine)
		}
		var batch record.Batch
		for _, key := range mine {
			batch.Starts = append(batch.Starts, w.Claim(NewID(), "i-"+key, "b-"+key))
		}
		return w.Transact(t.Context(), batch, func(l record.Loaded) (record.Changes, error) {
			var all record.Changes
			for _, claim := range batch.Starts {
				if l.Starts[claim.SagaID].Kind != record.StartFree {
					continue
				}
				changes, err := w.Begin(l, saga.Start{ID: claim.SagaID, Key: claim.Key})
				if err != nil {
					return changes, err
				}
				all = join(all, changes)
			}
			return all, nil
		})
	}))
	all, _, err := w.Sagas(t.Context(), record.Filter{}, record.Page{})
	require.NoError(t, err)
	assert.Len(t, all, len(keys))
}

// crossingBatches changes the same sagas from many sides, each of which names them in another order.
func crossingBatches(w *World) {
	t := w.t
	const batches = 20
	ids := make([]string, 8)
	for i := range ids {
		ids[i] = w.Start(saga.Start{}).ID
	}
	require.Empty(t, atOnce(batches, func(i int) error {
		mine := slices.Concat(ids[i%len(ids):], ids[:i%len(ids)])
		if i%2 == 0 {
			slices.Reverse(mine)
		}
		for len(mine) > 0 {
			var busy []string
			err := w.Transact(t.Context(), record.Batch{SagaIDs: mine}, func(l record.Loaded) (changes record.Changes, err error) {
				changes, busy, err = w.toggle(l, mine)
				return changes, err
			})
			if err != nil {
				return err
			}
			mine = busy
		}
		return nil
	}))
	for _, id := range ids {
		assert.Equal(t, int64(1+batches), w.Get(id).Revision)
		entries, _, err := w.History(t.Context(), id, record.Page{})
		require.NoError(t, err)
		for i, entry := range entries {
			assert.Equal(t, int64(i+1), entry.Seq)
		}
	}
}

// toggle pauses sagas, or resumes those that are paused, but for those that somebody else is changing.
func (w *World) toggle(l record.Loaded, ids []string) (all record.Changes, busy []string, err error) {
	for _, id := range ids {
		if l.Busy[id] {
			busy = append(busy, id)
			continue
		}
		action := Do(saga.ActionPause)
		if l.Instances[id].Status == saga.Paused {
			action = Do(saga.ActionResume)
		}
		changes, err := w.Decide(l, id, action)
		if err != nil {
			return all, nil, err
		}
		all = join(all, changes)
	}
	return all, busy, nil
}

func racingDefinitions(w *World) {
	t := w.t
	plans := []*saga.Definition{
		Definition(t, "racing", `{"steps": [{"name": "a", "command": "a.do"}]}`),
		Definition(t, "racing", `{"steps": [{"name": "b", "command": "b.do"}]}`),
	}
	require.Empty(t, atOnce(30, func(i int) error {
		_, _, err := w.PutDefinition(t.Context(), plans[i*len(plans)/30])
		return err
	}))
	versions, _, err := w.DefinitionVersions(t.Context(), "racing", record.Page{})
	require.NoError(t, err)
	for i, d := range versions {
		assert.Equal(t, len(versions)-i, d.Version, "versions have no gaps")
		if i > 0 {
			assert.NotEqual(t, versions[i-1].Steps[0].Name, d.Steps[0].Name, "two neighbours are different plans")
		}
	}
}

func racingClaims(w *World) {
	t := w.t
	const n = 40
	ids := make([]saga.CommandID, n)
	for i := range ids {
		ids[i] = Execute(w.Start(saga.Start{}).ID, "reserve")
	}
	require.NoError(t, w.ReleaseOutbox(t.Context(), ids))
	var mu sync.Mutex
	var claimed []string
	require.Empty(t, atOnce(8, func(int) error {
		for {
			commands, err := w.claim(3)
			if err != nil || len(commands) == 0 {
				return err
			}
			mu.Lock()
			claimed = append(claimed, commandIDs(commands)...)
			more := len(claimed) <= n // a store that gives the same to many would never end
			mu.Unlock()
			if !more {
				return nil
			}
		}
	}))
	slices.Sort(claimed)
	assert.Len(t, slices.Compact(claimed), len(claimed), "none was claimed twice")
	more, err := w.claim(n)
	require.NoError(t, err)
	assert.Len(t, claimed, n-len(more))
}
