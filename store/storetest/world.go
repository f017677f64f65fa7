package storetest

import (
	"encoding/json"
	"testing"

	"github.com/oklog/ulid/v2"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// World drives a store as the engine does: it decides by the core and stores what was decided.
type World struct {
	Store
	t testing.TB
	// Plan is the definition "order", registered as version 1: reserve, charge, confirm (the pivot).
	Plan *saga.Definition
}

const orderBody = `{"steps": [
	{"name": "reserve", "command": "inventory.reserve", "compensation": "inventory.release"},
	{"name": "charge", "command": "payments.charge", "compensation": "payments.refund", "retry": {"max_attempts": 1}},
	{"name": "confirm", "command": "orders.confirm", "kind": "pivot"}]}`

// NewWorld registers the plan.
func NewWorld(t testing.TB, store Store) *World {
	t.Helper()
	registered, _, err := store.PutDefinition(t.Context(), Definition(t, "order", orderBody))
	require.NoError(t, err)
	return &World{Store: store, t: t, Plan: registered.Definition}
}

// Definition reads a definition that is not registered yet.
func Definition(t testing.TB, name, body string) *saga.Definition {
	t.Helper()
	d, err := saga.ParseDefinition(name, 0, []byte(body))
	require.NoError(t, err)
	return d
}

// NewID makes an id later than every one before it.
func NewID() string { return ulid.Make().String() }

// Claim is the claim of a start that asks for the keys.
func (w *World) Claim(id, idempotencyKey, key string) record.StartClaim {
	return record.StartClaim{
		SagaID: id, Definition: w.Plan.Name, Version: w.Plan.Version, Key: key, IdempotencyKey: idempotencyKey, BodyHash: []byte("asked"),
	}
}

// Start starts a saga as it is described, and returns it.
func (w *World) Start(start saga.Start) saga.Instance {
	w.t.Helper()
	if start.ID == "" {
		start.ID = NewID()
	}
	outcome, err := w.TryStart(w.Claim(start.ID, "", start.Key), start)
	require.NoError(w.t, err)
	require.Equal(w.t, record.StartFree, outcome.Kind)
	return w.Get(start.ID)
}

// TryStart starts a saga unless the claim's keys stand in the way.
func (w *World) TryStart(claim record.StartClaim, start saga.Start) (record.StartOutcome, error) {
	var outcome record.StartOutcome
	start.ID, start.Key = claim.SagaID, claim.Key
	err := w.Transact(w.t.Context(), record.Batch{Starts: []record.StartClaim{claim}},
		func(loaded record.Loaded) (record.Changes, error) {
			outcome = loaded.Starts[claim.SagaID]
			if outcome.Kind != record.StartFree {
				return record.Changes{}, nil
			}
			return w.Begin(loaded, start)
		})
	return outcome, err
}

// Begin decides a start.
func (w *World) Begin(loaded record.Loaded, start saga.Start) (record.Changes, error) {
	start.At = loaded.Now
	decision, err := w.Plan.Start(start)
	if err != nil {
		return record.Changes{}, err
	}
	changes, err := w.changes(decision)
	changes.Created = []saga.Instance{decision.Next}
	return changes, err
}

// Apply puts causes to a saga, one after the other in one transaction, and returns it.
func (w *World) Apply(id string, causes ...saga.Cause) saga.Instance {
	w.t.Helper()
	err := w.Transact(w.t.Context(), record.Batch{SagaIDs: []string{id}},
		func(loaded record.Loaded) (record.Changes, error) { return w.Decide(loaded, id, causes...) })
	require.NoError(w.t, err)
	return w.Get(id)
}

// Decide decides what follows from the causes.
func (w *World) Decide(loaded record.Loaded, id string, causes ...saga.Cause) (record.Changes, error) {
	var all record.Changes
	in := loaded.Instances[id]
	for _, cause := range causes {
		decision, err := w.Plan.Transition(in, saga.Event{At: loaded.Now, Cause: cause})
		if err != nil {
			return record.Changes{}, err
		}
		require.True(w.t, decision.Changed, "%s %v", decision.Ignored, decision.Refused)
		changes, err := w.changes(decision)
		if err != nil {
			return record.Changes{}, err
		}
		in = decision.Next
		all.Entries = append(all.Entries, changes.Entries...)
		all.Commands = append(all.Commands, changes.Commands...)
	}
	all.Updated = []saga.Instance{in}
	return all, nil
}

func (w *World) changes(decision saga.Decision) (record.Changes, error) {
	var changes record.Changes
	for _, entry := range decision.Entries {
		changes.Entries = append(changes.Entries, record.Entry{SagaID: decision.Next.ID, Entry: entry})
	}
	for _, command := range decision.Commands {
		encoded, err := wire.EncodeCommand(&decision.Next, command)
		if err != nil {
			return record.Changes{}, err
		}
		changes.Commands = append(changes.Commands, encoded)
	}
	return changes, nil
}

// Get reads a saga, which must be sound.
func (w *World) Get(id string) saga.Instance {
	w.t.Helper()
	in, err := w.Saga(w.t.Context(), id)
	require.NoError(w.t, err)
	require.NoError(w.t, in.Unreadable)
	require.NoError(w.t, w.Plan.Check(&in.Instance))
	return in.Instance
}

// Succeed is the reply of a step that took effect at its first attempt.
func Succeed(id, step, output string) saga.Reply {
	return saga.Reply{Command: Execute(id, step), Succeeded: true, Output: json.RawMessage(output)}
}

// Fail is the reply of a step that did not, finally.
func Fail(id, step string) saga.Reply {
	return saga.Reply{Command: Execute(id, step), Error: &saga.ReplyError{Code: "declined", Message: "no <money> & more"}}
}

// Undone is the reply of a compensation that took effect at its first attempt.
func Undone(id, step string) saga.Reply {
	command := Execute(id, step)
	command.Direction = saga.Compensate
	return saga.Reply{Command: command, Succeeded: true}
}

// Execute is the id of a step's first command.
func Execute(id, step string) saga.CommandID {
	return saga.CommandID{Saga: id, Step: step, Direction: saga.Execute, Round: 1, Attempt: 1}
}

// Do is a person's action.
func Do(name saga.ActionName) saga.Action {
	return saga.Action{ID: NewID(), Name: name, Actor: "somebody", Reason: "because"}
}

// Complete takes a new saga to its end.
func (w *World) Complete(id string) saga.Instance {
	w.t.Helper()
	return w.Apply(id, Succeed(id, "reserve", `{}`), Succeed(id, "charge", `{}`), Succeed(id, "confirm", `{}`))
}

// claim claims up to limit commands of the outbox.
func (w *World) claim(limit int) ([]wire.Command, error) {
	return w.ClaimOutbox(w.t.Context(), record.OutboxClaim{Limit: limit})
}

func idsOf(list []saga.Instance) []string {
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	return ids
}

func commandIDs(commands []wire.Command) []string {
	ids := make([]string, len(commands))
	for i := range commands {
		ids[i] = commands[i].ID.String()
	}
	return ids
}
