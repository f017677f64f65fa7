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

// Fixture drives a store as the engine does: it decides with the core and stores the decision.
type Fixture struct {
	Store
	t testing.TB
	// Order is the definition "order", registered as version 1: reserve, charge, confirm (the pivot).
	Order *saga.Definition
	// Held marks the commands as held back, as the relay does if an operator has set something for their queue.
	Held bool

	sinks []record.Sink // of an event for each history entry
}

const orderBody = `{"steps": [
	{"name": "reserve", "command": "inventory.reserve", "compensation": "inventory.release"},
	{"name": "charge", "command": "payments.charge", "compensation": "payments.refund", "retry": {"max_attempts": 1}},
	{"name": "confirm", "command": "orders.confirm", "kind": "pivot"}]}`

// NewFixture registers the definition.
func NewFixture(t testing.TB, store Store) *Fixture {
	t.Helper()
	registered, _, err := store.PutDefinition(t.Context(), Definition(t, "order", orderBody))
	require.NoError(t, err)
	return &Fixture{Store: store, t: t, Order: registered.Definition}
}

// Definition parses a definition that is not registered yet.
func Definition(t testing.TB, name, body string) *saga.Definition {
	t.Helper()
	d, err := saga.ParseDefinition(name, 0, []byte(body))
	require.NoError(t, err)
	return d
}

// NewID returns an id that is later than every one before it.
func NewID() string { return ulid.Make().String() }

// Claim returns the claim of a start with these keys.
func (f *Fixture) Claim(id, idempotencyKey, key string) record.StartClaim {
	return record.StartClaim{
		SagaID: id, Definition: f.Order.Name, Version: f.Order.Version, Key: key, IdempotencyKey: idempotencyKey, BodyHash: []byte("asked"),
	}
}

// Start starts a saga and returns it.
func (f *Fixture) Start(start saga.Start) saga.Instance {
	f.t.Helper()
	if start.ID == "" {
		start.ID = NewID()
	}
	outcome, err := f.TryStart(f.Claim(start.ID, "", start.Key), start)
	require.NoError(f.t, err)
	require.Equal(f.t, record.StartFree, outcome.Kind)
	return f.Get(start.ID)
}

// TryStart starts a saga unless the claim's keys conflict.
func (f *Fixture) TryStart(claim record.StartClaim, start saga.Start) (record.StartOutcome, error) {
	var outcome record.StartOutcome
	start.ID, start.Key = claim.SagaID, claim.Key
	err := f.Transact(f.t.Context(), record.Batch{Starts: []record.StartClaim{claim}},
		func(loaded record.Loaded) (record.Changes, error) {
			outcome = loaded.Starts[claim.SagaID]
			if outcome.Kind != record.StartFree {
				return record.Changes{}, nil
			}
			return f.Begin(loaded, start)
		})
	return outcome, err
}

// Begin decides a start.
func (f *Fixture) Begin(loaded record.Loaded, start saga.Start) (record.Changes, error) {
	start.At = loaded.Now
	decision, err := f.Order.Start(start)
	if err != nil {
		return record.Changes{}, err
	}
	changes, err := f.changes(decision)
	changes.Created = []saga.Instance{decision.Next}
	return changes, err
}

// Apply applies causes to a saga, in turn and in one transaction. It returns the saga.
func (f *Fixture) Apply(id string, causes ...saga.Cause) saga.Instance {
	f.t.Helper()
	err := f.Transact(f.t.Context(), record.Batch{SagaIDs: []string{id}},
		func(loaded record.Loaded) (record.Changes, error) { return f.Decide(loaded, id, causes...) })
	require.NoError(f.t, err)
	return f.Get(id)
}

// Decide decides the causes in turn.
func (f *Fixture) Decide(loaded record.Loaded, id string, causes ...saga.Cause) (record.Changes, error) {
	return f.decideWith(loaded, id, nil, causes...)
}

func (f *Fixture) decideWith(loaded record.Loaded, id string, held map[string]bool, causes ...saga.Cause) (record.Changes, error) {
	var all record.Changes
	in := loaded.Instances[id]
	for _, cause := range causes {
		decision, err := f.Order.Transition(in, saga.Event{At: loaded.Now, HeldBack: held, Cause: cause})
		if err != nil {
			return record.Changes{}, err
		}
		require.True(f.t, decision.Changed, "%s %v", decision.Ignored, decision.Refused)
		changes, err := f.changes(decision)
		if err != nil {
			return record.Changes{}, err
		}
		in = decision.Next
		all.Entries = append(all.Entries, changes.Entries...)
		all.Commands = append(all.Commands, changes.Commands...)
		all.Events = append(all.Events, changes.Events...)
		all.Withdrawn = append(all.Withdrawn, decision.Withdrawn...)
	}
	all.Updated = []saga.Instance{in}
	return all, nil
}

func (f *Fixture) changes(decision saga.Decision) (record.Changes, error) {
	var changes record.Changes
	for _, entry := range decision.Entries {
		changes.Entries = append(changes.Entries, record.Entry{SagaID: decision.Next.ID, Entry: entry})
	}
	events, err := f.eventsOf(&decision.Next, decision.Entries)
	if err != nil {
		return record.Changes{}, err
	}
	changes.Events = events
	for _, command := range decision.Commands {
		encoded := wire.EncodeCommand(&decision.Next, command)
		encoded.Held = f.Held
		changes.Commands = append(changes.Commands, encoded)
	}
	return changes, nil
}

// Get reads a saga and checks it.
func (f *Fixture) Get(id string) saga.Instance {
	f.t.Helper()
	in, err := f.Saga(f.t.Context(), id)
	require.NoError(f.t, err)
	require.NoError(f.t, in.Unreadable)
	require.NoError(f.t, f.Order.Check(&in.Instance))
	return in.Instance
}

// Succeed is the successful reply to a step's first attempt.
func Succeed(id, step, output string) saga.Reply {
	return saga.Reply{Command: Execute(id, step), Succeeded: true, Output: json.RawMessage(output)}
}

// Fail is the final failure of a step's first attempt.
func Fail(id, step string) saga.Reply {
	return saga.Reply{Command: Execute(id, step), Error: &saga.ReplyError{Code: "declined", Message: "no <money> & more"}}
}

// Compensated is the successful reply to a compensation's first attempt.
func Compensated(id, step string) saga.Reply {
	command := Execute(id, step)
	command.Direction = saga.Compensate
	return saga.Reply{Command: command, Succeeded: true}
}

// Execute is the id of a step's first command.
func Execute(id, step string) saga.CommandID {
	return saga.CommandID{Saga: id, Step: step, Direction: saga.Execute, Round: 1, Attempt: 1}
}

// Do is an operator's action.
func Do(name saga.ActionName) saga.Action {
	return saga.Action{ID: NewID(), Name: name, Actor: "ada", Reason: "because"}
}

// Complete runs a new saga to completion.
func (f *Fixture) Complete(id string) saga.Instance {
	f.t.Helper()
	return f.Apply(id, Succeed(id, "reserve", `{}`), Succeed(id, "charge", `{}`), Succeed(id, "confirm", `{}`))
}

// claim claims up to limit commands of the outbox.
func (f *Fixture) claim(limit int) ([]wire.Command, error) {
	return f.ClaimOutbox(f.t.Context(), record.OutboxClaim{Limit: limit})
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
