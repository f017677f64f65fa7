package storetest

import (
	"slices"
	"strconv"
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
		"starts with crossed keys all finish":                      with(crossingKeys),
		"batches with crossed sagas lose no change":                with(crossingBatches),
		"concurrent registrations get one version per definition":  with(racingDefinitions),
		"each command is claimed by one of many":                   with(racingClaims),
		"of many redrives of a dead letter one finds it":           with(racingRedrives),
	}
}

// atOnce runs n calls concurrently and returns their non-nil errors.
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

func racingRedrives(f *Fixture) {
	t := f.t
	const letters, racers = 20, 8
	var mu sync.Mutex
	found := make(map[string]int)
	for i := range letters {
		id := "d-" + strconv.Itoa(i)
		f.putAside(record.DeadLetter{ID: id, Source: record.SourceReply})
		batch := record.Batch{Redrives: []string{"never", id, "not\x00storable"}}
		require.Empty(t, atOnce(racers, func(int) error {
			return f.Transact(t.Context(), batch, func(l record.Loaded) (changes record.Changes, err error) {
				for _, letter := range batch.Redrives {
					if !l.LettersGone[letter] {
						mu.Lock()
						found[letter]++
						mu.Unlock()
						changes.Discarded = append(changes.Discarded, letter)
					}
				}
				return changes, nil
			})
		}))
		assert.Equal(t, 1, found[id])
	}
	assert.Len(t, found, letters)
}

func racingIdempotencyKey(f *Fixture) {
	t := f.t
	const n = 100
	outcomes := make([]record.StartOutcome, n)
	ids := make([]string, n)
	require.Empty(t, atOnce(n, func(i int) (err error) {
		ids[i] = NewID()
		outcomes[i], err = f.TryStart(f.Claim(ids[i], "k1", "order-1"), saga.Start{})
		return err
	}))
	all, _, err := f.Sagas(t.Context(), record.Filter{}, record.Page{})
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

func racingBusinessKey(f *Fixture) {
	t := f.t
	require.Empty(t, atOnce(100, func(int) error {
		_, err := f.TryStart(f.Claim(NewID(), NewID(), "order-1"), saga.Start{})
		return err
	}))
	all, _, err := f.Sagas(t.Context(), record.Filter{}, record.Page{})
	require.NoError(t, err)
	require.Len(t, all, 1)
}

func crossingKeys(f *Fixture) {
	t := f.t
	keys := []string{"a", "b", "c", "d", "e"}
	require.Empty(t, atOnce(20, func(i int) error {
		mine := slices.Clone(keys)
		if i%2 == 0 {
			slices.Reverse(mine)
		}
		var batch record.Batch
		for _, key := range mine {
			batch.Starts = append(batch.Starts, f.Claim(NewID(), "i-"+key, "b-"+key))
		}
		return f.Transact(t.Context(), batch, func(l record.Loaded) (record.Changes, error) {
			var all record.Changes
			for _, claim := range batch.Starts {
				if l.Starts[claim.SagaID].Kind != record.StartFree {
					continue
				}
				changes, err := f.Begin(l, saga.Start{ID: claim.SagaID, Key: claim.Key})
				if err != nil {
					return changes, err
				}
				all = join(all, changes)
			}
			return all, nil
		})
	}))
	all, _, err := f.Sagas(t.Context(), record.Filter{}, record.Page{})
	require.NoError(t, err)
	assert.Len(t, all, len(keys))
}

// crossingBatches changes the same sagas concurrently. Each batch names them in another order.
func crossingBatches(f *Fixture) {
	t := f.t
	const batches = 20
	ids := make([]string, 8)
	for i := range ids {
		ids[i] = f.Start(saga.Start{}).ID
	}
	require.Empty(t, atOnce(batches, func(i int) error {
		mine := slices.Concat(ids[i%len(ids):], ids[:i%len(ids)])
		if i%2 == 0 {
			slices.Reverse(mine)
		}
		for len(mine) > 0 {
			var busy []string
			err := f.Transact(t.Context(), record.Batch{SagaIDs: mine}, func(l record.Loaded) (changes record.Changes, err error) {
				changes, busy, err = f.toggle(l, mine)
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
		assert.Equal(t, int64(1+batches), f.Get(id).Revision)
		entries, _, err := f.History(t.Context(), id, record.Page{})
		require.NoError(t, err)
		for i, entry := range entries {
			assert.Equal(t, int64(i+1), entry.Seq)
		}
	}
}

// toggle pauses sagas, or resumes paused ones, except busy sagas.
func (f *Fixture) toggle(l record.Loaded, ids []string) (all record.Changes, busy []string, err error) {
	for _, id := range ids {
		if l.Busy[id] {
			busy = append(busy, id)
			continue
		}
		action := Do(saga.ActionPause)
		if l.Instances[id].Status == saga.Paused {
			action = Do(saga.ActionResume)
		}
		changes, err := f.Decide(l, id, action)
		if err != nil {
			return all, nil, err
		}
		all = join(all, changes)
	}
	return all, busy, nil
}

func racingDefinitions(f *Fixture) {
	t := f.t
	plans := []*saga.Definition{
		Definition(t, "racing", `{"steps": [{"name": "a", "command": "a.do"}]}`),
		Definition(t, "racing", `{"steps": [{"name": "b", "command": "b.do"}]}`),
	}
	require.Empty(t, atOnce(30, func(i int) error {
		_, _, err := f.PutDefinition(t.Context(), plans[i*len(plans)/30])
		return err
	}))
	versions, _, err := f.DefinitionVersions(t.Context(), "racing", record.Page{})
	require.NoError(t, err)
	for i, d := range versions {
		assert.Equal(t, len(versions)-i, d.Version, "versions have no gaps")
		if i > 0 {
			assert.NotEqual(t, versions[i-1].Steps[0].Name, d.Steps[0].Name, "consecutive versions differ")
		}
	}
}

func racingClaims(f *Fixture) {
	t := f.t
	const n = 40
	ids := make([]saga.CommandID, n)
	for i := range ids {
		ids[i] = Execute(f.Start(saga.Start{}).ID, "reserve")
	}
	require.NoError(t, f.ReleaseOutbox(t.Context(), ids))
	var mu sync.Mutex
	var claimed []string
	require.Empty(t, atOnce(8, func(int) error {
		for {
			commands, err := f.claim(3)
			if err != nil || len(commands) == 0 {
				return err
			}
			mu.Lock()
			claimed = append(claimed, commandIDs(commands)...)
			more := len(claimed) <= n // a store that hands a command out repeatedly would never end
			mu.Unlock()
			if !more {
				return nil
			}
		}
	}))
	slices.Sort(claimed)
	assert.Len(t, slices.Compact(claimed), len(claimed), "none was claimed twice")
	more, err := f.claim(n)
	require.NoError(t, err)
	assert.Len(t, claimed, n-len(more))
}
