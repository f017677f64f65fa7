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
		"a claim leaves excepted queues alone":               with(claimExcept),
		"a claim may be from one queue only":                 with(claimOnly),
		"a claim ends at its bytes, with one at least":       with(claimBytes),
		"a claim takes from all queues in turn":              with(claimInTurn),
		"a command that was refused is suspect":              with(refusedIsSuspect),
		"the problem of a queue is kept until it is over":    with(queueProblem),
		"a problem keeps its beginning while it is the same": with(queueProblemSince),
		"a problem that is not refreshed goes":               with(queueProblemStale),
		"an installation has one id":                         with(installation),
	}
}

// waiting starts so many sagas whose first command goes to the queue, and gives the leases up.
func (w *World) waiting(queue string, n int, data string) (sagas []string) {
	w.t.Helper()
	d, _, err := w.PutDefinition(w.t.Context(), Definition(w.t, "to-"+queue,
		fmt.Sprintf(`{"steps": [{"name": "reserve", "command": "x.do", "queue": %q}]}`, queue)))
	require.NoError(w.t, err)
	elsewhere := *w
	elsewhere.Plan = d.Definition
	var ids []saga.CommandID
	for range n {
		in := elsewhere.Start(saga.Start{Data: []byte(data)})
		sagas, ids = append(sagas, in.ID), append(ids, Execute(in.ID, "reserve"))
	}
	require.NoError(w.t, w.ReleaseOutbox(w.t.Context(), ids))
	return sagas
}

func (w *World) claimed(claim record.OutboxClaim) []wire.Command {
	w.t.Helper()
	commands, err := w.ClaimOutbox(w.t.Context(), claim)
	require.NoError(w.t, err)
	return commands
}

func queuesOf(commands []wire.Command) map[string]int {
	queues := make(map[string]int)
	for _, c := range commands {
		queues[c.Queue]++
	}
	return queues
}

func claimExcept(w *World) {
	w.waiting("a", 20, `{}`)
	w.waiting("b", 2, `{}`)
	w.waiting("c", 20, `{}`)
	except := []string{"a", "c", "none", "\x00"}
	assert.Equal(w.t, map[string]int{"b": 2}, queuesOf(w.claimed(record.OutboxClaim{Limit: 10, Except: except})))
	assert.Empty(w.t, w.claimed(record.OutboxClaim{Limit: 10, Except: except}))
	assert.Len(w.t, w.claimed(record.OutboxClaim{Limit: 100}), 40)
}

func claimOnly(w *World) {
	w.waiting("a", 3, `{}`)
	w.waiting("b", 3, `{}`)
	assert.Equal(w.t, map[string]int{"b": 1}, queuesOf(w.claimed(record.OutboxClaim{Limit: 1, Only: "b"})))
	assert.Equal(w.t, map[string]int{"b": 2}, queuesOf(w.claimed(record.OutboxClaim{Limit: 9, Only: "b"})))
	assert.Empty(w.t, w.claimed(record.OutboxClaim{Limit: 9, Only: "a", Except: []string{"a"}}))
	assert.Empty(w.t, w.claimed(record.OutboxClaim{Limit: 9, Only: "none"}))
}

func claimBytes(w *World) {
	w.waiting("a", 5, `{"filler":"`+string(make1000())+`"}`)
	sizes := []int{}
	for range 3 {
		sizes = append(sizes, len(w.claimed(record.OutboxClaim{Limit: 10, Bytes: 2500})))
	}
	assert.Equal(w.t, []int{2, 2, 1}, sizes)
	w.waiting("b", 2, `{"filler":"`+string(make1000())+`"}`)
	assert.Len(w.t, w.claimed(record.OutboxClaim{Limit: 10, Bytes: 10}), 1, "one at least, however large")
}

func make1000() []byte { return slices.Repeat([]byte("x"), 1000) }

func claimInTurn(w *World) {
	w.waiting("a", 50, `{}`)
	w.waiting("b", 3, `{}`)
	w.waiting("c", 50, `{}`)
	first := w.claimed(record.OutboxClaim{Limit: 12})
	assert.Equal(w.t, map[string]int{"a": 5, "b": 3, "c": 4}, queuesOf(first))
	assert.True(w.t, slices.IsSortedFunc(first, func(a, b wire.Command) int { return a.CreatedAt.Compare(b.CreatedAt) }))
	assert.Len(w.t, w.claimed(record.OutboxClaim{Limit: 1000}), 91)
}

func refusedIsSuspect(w *World) {
	t := w.t
	id := w.waiting("a", 1, `{}`)[0]
	commands := w.claimed(record.OutboxClaim{Limit: 1})
	assert.False(t, commands[0].Suspect)
	require.NoError(t, w.MarkRefused(t.Context(), []record.RefusedCommand{{Command: commands[0].ID, Reason: "too large"}}))
	commands = w.claimed(record.OutboxClaim{Limit: 1})
	require.Len(t, commands, 1)
	assert.True(t, commands[0].Suspect)
	rows, err := w.OutboxRows(t.Context(), id)
	require.NoError(t, err)
	assert.False(t, rows[0].RefusedAt.IsZero())
	assert.Zero(t, rows[0].RetryAt, "it is being published")
	assert.Equal(t, "too large", rows[0].Reason)
}

func (w *World) note(problems ...record.QueueProblem) {
	w.t.Helper()
	require.NoError(w.t, w.NoteQueueProblems(w.t.Context(), problems))
}

func (w *World) problems() []record.QueueProblem {
	w.t.Helper()
	problems, err := w.QueueProblems(w.t.Context())
	require.NoError(w.t, err)
	return problems
}

func queueProblem(w *World) {
	t := w.t
	assert.Empty(t, w.problems())
	w.note()
	retry := time.Now().Add(time.Minute)
	w.note(record.QueueProblem{Queue: "b", Kind: record.QueueRefuses, Reason: "full\x00", RetryAt: retry},
		record.QueueProblem{Queue: "a", Kind: record.QueueMissing, Reason: "no route", RetryAt: retry})
	problems := w.problems()
	require.Len(t, problems, 2)
	assert.Equal(t, "a", problems[0].Queue)
	assert.Equal(t, record.QueueMissing, problems[0].Kind)
	assert.Equal(t, "no route", problems[0].Reason)
	assert.WithinDuration(t, retry, problems[0].RetryAt, 5*time.Second)
	assert.WithinDuration(t, time.Now(), problems[0].Since, 5*time.Second)
	assert.Equal(t, time.UTC, problems[0].Since.Location())
	assert.Contains(t, problems[1].Reason, "full")
	w.note(record.QueueProblem{Queue: "a"}, record.QueueProblem{Queue: "never"})
	assert.Len(t, w.problems(), 1)
}

func queueProblemSince(w *World) {
	t := w.t
	hourAgo := time.Now().Add(-time.Hour)
	problem := record.QueueProblem{Queue: "a", Kind: record.QueueMissing, Since: hourAgo, RetryAt: time.Now()}
	w.note(problem)
	first := w.problems()[0]
	assert.WithinDuration(t, hourAgo, first.Since, 5*time.Second)
	problem.Since, problem.RetryAt = time.Time{}, time.Now().Add(time.Minute)
	w.note(problem)
	again := w.problems()[0]
	assert.Equal(t, first.Since, again.Since, "another replica finds the same")
	assert.Greater(t, again.RetryAt, first.RetryAt)
	problem.Kind = record.QueueRefuses
	w.note(problem)
	assert.WithinDuration(t, time.Now(), w.problems()[0].Since, 5*time.Second)
}

func queueProblemStale(w *World) {
	stale := record.QueueProblem{Queue: "a", Kind: record.QueueMissing, RetryAt: time.Now().Add(-3 * time.Minute)}
	w.note(stale, record.QueueProblem{Queue: "b", Kind: record.QueueMissing, RetryAt: time.Now().Add(-time.Minute)})
	problems := w.problems()
	require.Len(w.t, problems, 1)
	assert.Equal(w.t, "b", problems[0].Queue)
}

func installation(w *World) {
	first, err := w.Installation(w.t.Context())
	require.NoError(w.t, err)
	again, err := w.Installation(w.t.Context())
	require.NoError(w.t, err)
	assert.NotEmpty(w.t, first)
	assert.Equal(w.t, first, again)
}

func sizeRules() map[string]rule {
	return map[string]rule{
		"due sagas come in pages":                              with(duePages),
		"a page of sagas ends at its bytes":                    with(sagaPagesBySize),
		"changes that do not fit come the next time":           with(changedBySize),
		"large sagas of a batch are loaded as far as they fit": largeBatch,
		"a dead letter of any form and size is stored whole":   with(anyDeadLetter),
	}
}

func duePages(w *World) {
	t := w.t
	var want []string
	for range 5 { // each five of which wake at the same time
		var batch record.Batch
		for range 5 {
			batch.Starts = append(batch.Starts, w.Claim(NewID(), "", ""))
			want = append(want, batch.Starts[len(batch.Starts)-1].SagaID)
		}
		err := w.Transact(t.Context(), batch, func(l record.Loaded) (all record.Changes, err error) {
			for _, claim := range batch.Starts {
				changes, err := w.Begin(l, saga.Start{ID: claim.SagaID})
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
		due, err := w.Due(t.Context(), -time.Hour, after, 4)
		require.NoError(t, err)
		if len(due) == 0 {
			break
		}
		got = append(got, dueIDs(due)...)
		after = due[len(due)-1]
		require.LessOrEqual(t, len(got), len(want), "pages do not repeat themselves")
	}
	assert.Equal(t, want, got)
}

func largeData() []byte {
	return []byte(`{"filler":"` + string(slices.Repeat([]byte("x"), 900_000)) + `"}`)
}

func (w *World) startLarge(n int) (ids []string) {
	for range n {
		ids = append(ids, w.Start(saga.Start{Data: largeData()}).ID)
	}
	slices.Reverse(ids)
	return ids
}

func sagaPagesBySize(w *World) {
	t := w.t
	want := w.startLarge(11)
	var got []string
	var page record.Page
	for first := true; first || page.After != ""; first = false {
		found, next, err := w.Sagas(t.Context(), record.Filter{}, page)
		require.NoError(t, err)
		assert.Len(t, found, min(4, len(want)-len(got)))
		for _, one := range found {
			got = append(got, one.ID)
		}
		page.After = next
	}
	assert.Equal(t, want, got)
}

func changedBySize(w *World) {
	t := w.t
	revisions := make(map[string]int64)
	for _, id := range w.startLarge(11) {
		revisions[id] = 0
	}
	for range 11 {
		changed, err := w.Changed(t.Context(), revisions)
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
	w := NewWorld(t, open(t, LongLease))
	ids := w.startLarge(40)
	done := make(map[string]bool)
	for tries := 0; len(done) < len(ids); tries++ {
		require.Less(t, tries, len(ids))
		err := w.Transact(t.Context(), record.Batch{SagaIDs: ids, WithOutbox: ids}, func(l record.Loaded) (record.Changes, error) {
			assert.Len(t, ids, len(l.Instances)+len(l.Busy))
			var all record.Changes
			for id := range l.Instances {
				changes, err := w.Decide(l, id, Do(saga.ActionPause))
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

func anyDeadLetter(w *World) {
	t := w.t
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
		w.putAside(letter)
		found, err := w.DeadLetter(t.Context(), name)
		require.NoError(t, err, name)
		assert.Equal(t, len(letter.Body), found.Size, name)
		assert.True(t, slices.Equal(letter.Body, found.Body), name)
		assert.NotEqual(t, len(letter.Headers) > 0, len(found.Headers) == 0, name)
	}
	listed, _, err := w.DeadLetters(t.Context(), record.Page{})
	require.NoError(t, err)
	assert.Len(t, listed, 7)
	for _, letter := range listed {
		assert.Empty(t, letter.Body)
	}
}
