package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

func claimRules() map[string]rule {
	return map[string]rule{
		"a claim leaves excepted queues alone":                      with(claimExcept),
		"a claim may be from one queue only":                        with(claimOnly),
		"a claim ends at its byte limit, with at least one command": with(claimBytes),
		"a claim takes from all queues in turn":                     with(claimInTurn),
		"a refused command is suspect":                              with(refusedIsSuspect),
		"a queue problem is kept until it ends":                     with(queueProblem),
		"a queue problem keeps its start while it is the same":      with(queueProblemSince),
		"a stale queue problem is dropped":                          with(queueProblemStale),
		"an installation has one id":                                with(installation),
	}
}

// waiting starts n sagas whose first command goes to the queue, and releases the leases.
func (f *Fixture) waiting(queue string, n int, data string) (sagas []string) {
	f.t.Helper()
	d, _, err := f.PutDefinition(f.t.Context(), Definition(f.t, "to-"+queue,
		fmt.Sprintf(`{"steps": [{"name": "reserve", "command": "x.do", "queue": %q}]}`, queue)))
	require.NoError(f.t, err)
	elsewhere := *f
	elsewhere.Order = d.Definition
	var ids []saga.CommandID
	for range n {
		in := elsewhere.Start(saga.Start{Data: []byte(data)})
		sagas, ids = append(sagas, in.ID), append(ids, Execute(in.ID, "reserve"))
	}
	require.NoError(f.t, f.ReleaseOutbox(f.t.Context(), ids))
	return sagas
}

func (f *Fixture) claimed(claim record.OutboxClaim) []wire.Command {
	f.t.Helper()
	commands, err := f.ClaimOutbox(f.t.Context(), claim)
	require.NoError(f.t, err)
	return commands
}

func queuesOf(commands []wire.Command) map[string]int {
	queues := make(map[string]int)
	for _, c := range commands {
		queues[c.Queue]++
	}
	return queues
}

func claimExcept(f *Fixture) {
	f.waiting("a", 20, `{}`)
	f.waiting("b", 2, `{}`)
	f.waiting("c", 20, `{}`)
	except := []string{"a", "c", "none", "\x00"}
	assert.Equal(f.t, map[string]int{"b": 2}, queuesOf(f.claimed(record.OutboxClaim{Limit: 10, Except: except})))
	assert.Empty(f.t, f.claimed(record.OutboxClaim{Limit: 10, Except: except}))
	assert.Len(f.t, f.claimed(record.OutboxClaim{Limit: 100}), 40)
}

func claimOnly(f *Fixture) {
	f.waiting("a", 3, `{}`)
	f.waiting("b", 3, `{}`)
	assert.Equal(f.t, map[string]int{"b": 1}, queuesOf(f.claimed(record.OutboxClaim{Limit: 1, Only: "b"})))
	assert.Equal(f.t, map[string]int{"b": 2}, queuesOf(f.claimed(record.OutboxClaim{Limit: 9, Only: "b"})))
	assert.Empty(f.t, f.claimed(record.OutboxClaim{Limit: 9, Only: "a", Except: []string{"a"}}))
	assert.Empty(f.t, f.claimed(record.OutboxClaim{Limit: 9, Only: "none"}))
}

func claimBytes(f *Fixture) {
	f.waiting("a", 5, `{"filler":"`+string(make1000())+`"}`)
	sizes := []int{}
	for range 3 {
		sizes = append(sizes, len(f.claimed(record.OutboxClaim{Limit: 10, Bytes: 2500})))
	}
	assert.Equal(f.t, []int{2, 2, 1}, sizes)
	f.waiting("b", 2, `{"filler":"`+string(make1000())+`"}`)
	assert.Len(f.t, f.claimed(record.OutboxClaim{Limit: 10, Bytes: 10}), 1, "at least one, however large")
}

func make1000() []byte { return slices.Repeat([]byte("x"), 1000) }

func claimInTurn(f *Fixture) {
	f.waiting("a", 50, `{}`)
	f.waiting("b", 3, `{}`)
	f.waiting("c", 50, `{}`)
	first := f.claimed(record.OutboxClaim{Limit: 12})
	assert.Equal(f.t, map[string]int{"a": 5, "b": 3, "c": 4}, queuesOf(first))
	assert.True(f.t, slices.IsSortedFunc(first, func(a, b wire.Command) int { return a.CreatedAt.Compare(b.CreatedAt) }))
	assert.Len(f.t, f.claimed(record.OutboxClaim{Limit: 1000}), 91)
}

func refusedIsSuspect(f *Fixture) {
	t := f.t
	id := f.waiting("a", 1, `{}`)[0]
	commands := f.claimed(record.OutboxClaim{Limit: 1})
	assert.False(t, commands[0].Suspect)
	require.NoError(t, f.MarkRefused(t.Context(), []record.RefusedCommand{{Command: commands[0].ID, Reason: "too large"}}))
	commands = f.claimed(record.OutboxClaim{Limit: 1})
	require.Len(t, commands, 1)
	assert.True(t, commands[0].Suspect)
	rows, err := f.OutboxRows(t.Context(), id)
	require.NoError(t, err)
	assert.False(t, rows[0].RefusedAt.IsZero())
	assert.Zero(t, rows[0].RetryAt, "it is being published")
	assert.Equal(t, "too large", rows[0].Reason)
}

func (f *Fixture) note(problems ...record.QueueProblem) {
	f.t.Helper()
	require.NoError(f.t, f.NoteQueueProblems(f.t.Context(), problems))
}

func (f *Fixture) problems() []record.QueueProblem {
	f.t.Helper()
	problems, err := f.QueueProblems(f.t.Context())
	require.NoError(f.t, err)
	return problems
}

func queueProblem(f *Fixture) {
	t := f.t
	assert.Empty(t, f.problems())
	f.note()
	retry := time.Now().Add(time.Minute)
	f.note(record.QueueProblem{Queue: "b", Kind: record.QueueRefuses, Reason: "full\x00", RetryAt: retry},
		record.QueueProblem{Queue: "a", Kind: record.QueueMissing, Reason: "no route", RetryAt: retry})
	problems := f.problems()
	require.Len(t, problems, 2)
	assert.Equal(t, "a", problems[0].Queue)
	assert.Equal(t, record.QueueMissing, problems[0].Kind)
	assert.Equal(t, "no route", problems[0].Reason)
	assert.WithinDuration(t, retry, problems[0].RetryAt, 5*time.Second)
	assert.WithinDuration(t, time.Now(), problems[0].Since, 5*time.Second)
	assert.Equal(t, time.UTC, problems[0].Since.Location())
	assert.Contains(t, problems[1].Reason, "full")
	f.note(record.QueueProblem{Queue: "a"}, record.QueueProblem{Queue: "never"})
	assert.Len(t, f.problems(), 1)
}

func queueProblemSince(f *Fixture) {
	t := f.t
	hourAgo := time.Now().Add(-time.Hour)
	problem := record.QueueProblem{Queue: "a", Kind: record.QueueMissing, Since: hourAgo, RetryAt: time.Now()}
	f.note(problem)
	first := f.problems()[0]
	assert.WithinDuration(t, hourAgo, first.Since, 5*time.Second)
	problem.Since, problem.RetryAt = time.Time{}, time.Now().Add(time.Minute)
	f.note(problem)
	again := f.problems()[0]
	assert.Equal(t, first.Since, again.Since, "another replica reports the same")
	assert.Greater(t, again.RetryAt, first.RetryAt)
	problem.Kind = record.QueueRefuses
	f.note(problem)
	assert.WithinDuration(t, time.Now(), f.problems()[0].Since, 5*time.Second)
}

func queueProblemStale(f *Fixture) {
	stale := record.QueueProblem{Queue: "a", Kind: record.QueueMissing, RetryAt: time.Now().Add(-3 * time.Minute)}
	f.note(stale, record.QueueProblem{Queue: "b", Kind: record.QueueMissing, RetryAt: time.Now().Add(-time.Minute)})
	problems := f.problems()
	require.Len(f.t, problems, 1)
	assert.Equal(f.t, "b", problems[0].Queue)
}

func installation(f *Fixture) {
	first, err := f.Installation(f.t.Context())
	require.NoError(f.t, err)
	again, err := f.Installation(f.t.Context())
	require.NoError(f.t, err)
	assert.NotEmpty(f.t, first)
	assert.Equal(f.t, first, again)
}

func sizeRules() map[string]rule {
	return map[string]rule{
		"due sagas come in pages":                            with(duePages),
		"a page of sagas ends at its byte limit":             with(sagaPagesBySize),
		"changes that do not fit come with the next call":    with(changedBySize),
		"large sagas of a batch are loaded while they fit":   largeBatch,
		"a dead letter of any form and size is stored whole": with(anyDeadLetter),
	}
}

func duePages(f *Fixture) {
	t := f.t
	var want []string
	for range 5 { // five sagas wake at each of these times
		var batch record.Batch
		for range 5 {
			batch.Starts = append(batch.Starts, f.Claim(NewID(), "", ""))
			want = append(want, batch.Starts[len(batch.Starts)-1].SagaID)
		}
		err := f.Transact(t.Context(), batch, func(l record.Loaded) (all record.Changes, err error) {
			for _, claim := range batch.Starts {
				changes, err := f.Begin(l, saga.Start{ID: claim.SagaID})
				if err != nil {
					return all, err
				}
				all = join(all, changes)
			}
			return all, nil
		})
		require.NoError(t, err)
	}
	var got []string
	var after record.DueSaga
	for {
		due, err := f.Due(t.Context(), -time.Hour, after, 4)
		require.NoError(t, err)
		if len(due) == 0 {
			break
		}
		got = append(got, dueIDs(due)...)
		after = due[len(due)-1]
		require.LessOrEqual(t, len(got), len(want), "pages do not overlap")
	}
	assert.Equal(t, want, got)
}

func largeData() []byte {
	return []byte(`{"filler":"` + string(slices.Repeat([]byte("x"), 900_000)) + `"}`)
}

func (f *Fixture) startLarge(n int) (ids []string) {
	for range n {
		ids = append(ids, f.Start(saga.Start{Data: largeData()}).ID)
	}
	slices.Reverse(ids)
	return ids
}

func sagaPagesBySize(f *Fixture) {
	t := f.t
	want := f.startLarge(11)
	var got []string
	var page record.Page
	for first := true; first || page.After != ""; first = false {
		found, next, err := f.Sagas(t.Context(), record.Filter{}, page)
		require.NoError(t, err)
		assert.Len(t, found, min(4, len(want)-len(got)))
		for _, one := range found {
			got = append(got, one.ID)
		}
		page.After = next
	}
	assert.Equal(t, want, got)
}

func changedBySize(f *Fixture) {
	t := f.t
	revisions := make(map[string]int64)
	for _, id := range f.startLarge(11) {
		revisions[id] = 0
	}
	for range 11 {
		changed, err := f.Changed(t.Context(), revisions)
		require.NoError(t, err)
		for _, in := range changed {
			revisions[in.ID] = in.Revision
		}
	}
	for id, revision := range revisions {
		assert.Equal(t, int64(1), revision, id)
	}
}

func largeBatch(t *testing.T, open Open) {
	t.Helper()
	f := NewFixture(t, open(t, LongLease))
	ids := f.startLarge(40)
	done := make(map[string]bool)
	for tries := 0; len(done) < len(ids); tries++ {
		require.Less(t, tries, len(ids))
		err := f.Transact(t.Context(), record.Batch{SagaIDs: ids, WithOutbox: ids}, func(l record.Loaded) (record.Changes, error) {
			assert.Len(t, ids, len(l.Instances)+len(l.Busy))
			var all record.Changes
			for id := range l.Instances {
				changes, err := f.Decide(l, id, Do(saga.ActionPause))
				if err != nil {
					return all, err
				}
				all = join(all, changes)
				done[id] = true
			}
			return all, nil
		})
		require.NoError(t, err)
		ids = slices.DeleteFunc(ids, func(id string) bool { return done[id] })
		if len(ids) == 0 {
			break
		}
	}
}

func anyDeadLetter(f *Fixture) {
	t := f.t
	deep := slices.Concat(slices.Repeat([]byte("["), 9_000), slices.Repeat([]byte("]"), 9_000))
	body := slices.Repeat([]byte{0, 255, 'x', '\n'}, 2<<20)
	for name, letter := range map[string]record.DeadLetter{
		"nul":       {Source: "a\x00", Queue: "b\x00", Reason: "c\x00", Message: "d\x00", SagaID: "e\x00", CommandID: "f\x00", ContentType: "g\x00"},
		"invalid":   {Source: "a\xff", Queue: "b\xff", Reason: "c\xff", Message: "d\xff", SagaID: "e\xff", CommandID: "f\xff", ContentType: "g\xff"},
		"escaped":   {Headers: []byte(`{"a":"\u0000","b":"\ud800"}`)},
		"raw":       {Headers: []byte("{\"a\":\"\x00\xff\"}")},
		"not JSON":  {Headers: []byte(`{"a":`)},
		"very deep": {Headers: deep},
		"large":     {Body: body},
	} {
		letter.ID = name
		f.putAside(letter)
		found, err := f.DeadLetter(t.Context(), name)
		require.NoError(t, err, name)
		assert.Equal(t, len(letter.Body), found.Size, name)
		assert.True(t, slices.Equal(letter.Body, found.Body), name)
		assert.NotEqual(t, len(letter.Headers) > 0, len(found.Headers) == 0, name)
	}
	listed, _, err := f.DeadLetters(t.Context(), record.DeadLetterFilter{}, record.Page{})
	require.NoError(t, err)
	assert.Len(t, listed, 7)
	for _, letter := range listed {
		assert.Empty(t, letter.Body)
	}
}
