package engine_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"

	"github.com/oklog/ulid/v2"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/operate"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// letter stores a dead letter and returns it.
func (r *fixture) letter(t *testing.T, letter record.DeadLetter) record.DeadLetter {
	t.Helper()
	letter.ID = ulid.Make().String()
	err := r.store.Transact(t.Context(), record.Batch{DeadLetters: []record.DeadLetter{letter}},
		func(record.Loaded) (record.Changes, error) { return record.Changes{}, nil })
	require.NoError(t, err)
	return letter
}

func (r *fixture) redrive(t *testing.T, letter record.DeadLetter) error {
	t.Helper()
	_, err := r.Redrive(t.Context(), letter, operator())
	return err
}

func (r *fixture) letters(t *testing.T) int {
	t.Helper()
	found, _, err := r.store.DeadLetters(t.Context(), record.DeadLetterFilter{}, record.Page{Limit: 100})
	require.NoError(t, err)
	return len(found)
}

// bulk creates a bulk action with one target.
func (r *fixture) bulk(t *testing.T, kind record.BulkKind, target string) record.BulkRef {
	t.Helper()
	made, err := r.store.CreateBulk(t.Context(), record.BulkAction{
		ID: ulid.Make().String(), Kind: kind, Filter: json.RawMessage(`{}`), Parameters: json.RawMessage(`{}`),
	}, record.BulkTargets{IDs: []string{target}})
	require.NoError(t, err)
	return record.BulkRef{Bulk: made.ID, Target: target}
}

func operator() saga.Action {
	return saga.Action{ID: ulid.Make().String(), Actor: "key:ops", Reason: "repaired"}
}

func TestARedrivenCommandHasItsOwnBytes(t *testing.T) {
	t.Parallel()
	r := newFixture(t)
	r.register(t, payment())
	in, _, err := r.Start(t.Context(), record.StartRequest{Definition: "payment", Data: json.RawMessage(`{"as":"it is"}`)})
	require.NoError(t, err)
	letter := r.letter(t, record.DeadLetter{
		Source: record.SourceCommand, Queue: "shop", SagaID: in.ID, CommandID: in.ID + "/reserve/execute/1",
		Body: []byte(`{"data":{"as":"it was"}}`),
	})
	require.NoError(t, r.redrive(t, letter))
	require.Zero(t, r.letters(t))
	require.ErrorIs(t, r.redrive(t, letter), record.ErrDeadLetterNotFound, "it was sent already")
	taken := make(chan string, 10)
	ctx, cancel := context.WithCancel(t.Context())
	var receiving sync.WaitGroup
	receiving.Go(func() { // not a worker: that may take the second one for a repetition of the first
		_ = r.broker.Receive(ctx, "shop", 1, func(m wire.Message) wire.Answer {
			taken <- string(m.Body)
			return wire.Answer{Settlement: wire.Dropped}
		})
	})
	require.ElementsMatch(t, []string{`{"data":{"as":"it is"}}`, `{"data":{"as":"it was"}}`}, []string{<-taken, <-taken})
	cancel()
	receiving.Wait()
}

// A letter whose queue is not known is sent to the queue of its step all the same, and the answer says so.
func TestARedriveNamesTheQueueOfTheCommand(t *testing.T) {
	t.Parallel()
	r := newFixture(t)
	r.register(t, payment())
	in, _, err := r.Start(t.Context(), record.StartRequest{Definition: "payment"})
	require.NoError(t, err)
	sentTo, err := r.Redrive(t.Context(), r.letter(t, record.DeadLetter{
		Source: record.SourceCommand, Queue: "saga.dead", SagaID: in.ID, CommandID: in.ID + "/reserve/execute/1", Body: []byte(`{"data":{}}`),
	}), operator())
	require.NoError(t, err)
	require.Equal(t, "shop", sentTo)
	sentTo, err = r.Redrive(t.Context(), r.letter(t, record.DeadLetter{
		Source: record.SourceReply, Queue: "saga.replies", SagaID: in.ID, CommandID: in.ID + "/reserve/execute/1", Body: []byte(`{"status":"succeeded"}`),
	}), operator())
	require.NoError(t, err)
	require.Equal(t, "saga.replies", sentTo)
}

func TestARedrivenReplyIsTakenIn(t *testing.T) {
	t.Parallel()
	r := newFixture(t)
	r.register(t, payment())
	in, _, err := r.Start(t.Context(), record.StartRequest{Definition: "payment"})
	require.NoError(t, err)
	reply := record.DeadLetter{
		Source: record.SourceReply, SagaID: in.ID, CommandID: in.ID + "/reserve/execute/1", Body: []byte(`{"status":"succeeded"}`),
	}
	require.NoError(t, r.redrive(t, r.letter(t, reply)))
	stored, err := r.store.Saga(t.Context(), in.ID)
	require.NoError(t, err)
	require.Equal(t, saga.StepSucceeded, stored.Steps[0].Status)
	require.Zero(t, r.letters(t))

	reply.CommandID = in.ID + "/reserve/execute/7"
	var refused *saga.Refusal
	require.ErrorAs(t, r.redrive(t, r.letter(t, reply)), &refused)
	require.Equal(t, saga.RefusedNotApplicable, refused.Code)
	reply.Body = []byte(`{"status":"done"}`)
	require.ErrorAs(t, r.redrive(t, r.letter(t, reply)), &refused)
	reply.CommandID, reply.Body = in.ID+"/reserve/execute/1", []byte(`{"status":"succeeded","output":{"x":"\u0000"}}`)
	require.ErrorAs(t, r.redrive(t, r.letter(t, reply)), &refused, "it is the only copy of the output")
	reply.CommandID = ""
	require.ErrorAs(t, r.redrive(t, r.letter(t, reply)), &refused)
	require.Equal(t, 4, r.letters(t), "what cannot be redriven stays")
}

func TestATargetOfABulkActionIsDecidedOnce(t *testing.T) {
	t.Parallel()
	r := newFixture(t)
	r.register(t, payment())
	in, _, err := r.Start(t.Context(), record.StartRequest{Definition: "payment"})
	require.NoError(t, err)
	letter := r.letter(t, record.DeadLetter{Source: record.SourceStart})
	pause := operator()
	pause.Name = saga.ActionPause
	ref := r.bulk(t, record.BulkSagas, in.ID)
	ref.Holder = "me"
	require.NoError(t, r.ActInBulk(t.Context(), pause, ref))
	require.ErrorIs(t, r.ActInBulk(t.Context(), pause, ref), record.ErrBulkOver)
	pause.ID = ulid.Make().String()
	require.NoError(t, r.ActInBulk(t.Context(), pause, r.bulk(t, record.BulkSagas, in.ID)))
	require.NoError(t, r.DiscardInBulk(t.Context(), r.bulk(t, record.BulkDeadLetters, letter.ID)))
	require.Zero(t, r.letters(t))

	found, _, err := r.store.Bulks(t.Context(), record.Page{Limit: 10})
	require.NoError(t, err)
	require.Equal(t, record.BulkTally{Matched: 1, Done: 1}, found[0].Tally)
	require.Equal(t, record.BulkTally{Matched: 1, Refused: 1}, found[1].Tally, "pause does not apply to a paused saga")
	require.Equal(t, record.BulkTally{Matched: 1, Done: 1}, found[2].Tally)
	items, _, err := r.store.BulkItems(t.Context(), found[1].ID, record.BulkRefused, record.Page{Limit: 10})
	require.NoError(t, err)
	require.Contains(t, items[0].Message, "paused")
}

// Of several bulk redrives of a dead letter one redrives it. To the others it does not apply any more, which is not a failure.
func TestABulkRedriveOfALetterThatIsGoneIsRefused(t *testing.T) {
	t.Parallel()
	r := newFixture(t)
	r.register(t, payment())
	in, _, err := r.Start(t.Context(), record.StartRequest{Definition: "payment"})
	require.NoError(t, err)
	letter := r.letter(t, record.DeadLetter{
		Source: record.SourceReply, SagaID: in.ID, CommandID: in.ID + "/reserve/execute/1", Body: []byte(`{"status":"succeeded"}`),
	})
	tally := map[string]record.BulkTally{"done": {Matched: 1, Done: 1}, "refused": {Matched: 1, Refused: 1}}
	var refs []record.BulkRef
	for range 4 {
		refs = append(refs, r.bulk(t, record.BulkDeadLetters, letter.ID))
	}
	for i, outcome := range []string{"done", "refused", "refused"} {
		ref := refs[i]
		require.NoError(t, r.RedriveInBulk(t.Context(), letter, operator(), ref))
		action, err := r.store.Bulk(t.Context(), ref.Bulk)
		require.NoError(t, err)
		require.Equal(t, tally[outcome], action.Tally)
	}
	ref := refs[3]
	require.NoError(t, operate.OnDeadLetters(r.Engine, r.store).Do(t.Context(), &record.BulkAction{Action: record.BulkRedrive}, ref))
	items, _, err := r.store.BulkItems(t.Context(), ref.Bulk, record.BulkRefused, record.Page{Limit: 10})
	require.NoError(t, err)
	require.Len(t, items, 1)
	require.Equal(t, "the dead letter is gone", items[0].Message)
}

func TestAStartOfADisabledDefinitionIsRefused(t *testing.T) {
	t.Parallel()
	r := newFixture(t)
	r.register(t, payment())
	_, err := r.store.SetDisabled(t.Context(), "payment", true, "key:ops")
	require.NoError(t, err)
	_, _, err = r.Start(t.Context(), record.StartRequest{Definition: "payment"})
	require.ErrorIs(t, err, record.ErrDefinitionDisabled)
}
