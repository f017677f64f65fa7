package resource_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// Every member of a saga is present in JSON; null stands for "none".

func noon() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

// started returns a definition and its instance after the causes, all of them at noon.
func started(t *testing.T, b *saga.Builder, start saga.Start, causes ...func(in *saga.Instance) saga.Cause) (*saga.Definition, *saga.Instance) {
	t.Helper()
	def, err := b.Build()
	require.NoError(t, err)
	start.ID, start.At = "s", noon()
	decision, err := def.Start(start)
	require.NoError(t, err)
	for _, cause := range causes {
		decision, err = def.Transition(decision.Next, saga.Event{At: noon(), Cause: cause(&decision.Next)})
		require.NoError(t, err)
		require.True(t, decision.Changed)
	}
	return def, &decision.Next
}

// reply returns the reply to the command of the step at that position.
func reply(step int, err *saga.ReplyError) func(in *saga.Instance) saga.Cause {
	return func(in *saga.Instance) saga.Cause {
		id, _ := in.CommandOut(step)
		return saga.Reply{Command: id, Succeeded: err == nil, Error: err}
	}
}

func TestASagaIsShownWithEveryMember(t *testing.T) {
	t.Parallel()
	def, in := started(t, saga.New("order").
		Step("reserve", "inventory.reserve", saga.CompensatedBy("inventory.release")).
		Step("check", "fraud.check"), saga.Start{},
		reply(0, nil),
		func(*saga.Instance) saga.Cause {
			return saga.Action{ID: "1", Name: saga.ActionCompensate, Reason: "a <typing> error"}
		},
		reply(1, &saga.ReplyError{Code: "declined", Message: "insufficient funds"}))
	shown, err := json.Marshal(resource.SagaOf(def, in))
	require.NoError(t, err)
	require.JSONEq(t, `{
		"id": "s", "definition": "order", "version": 0, "key": null, "status": "compensating", "revision": 4,
		"data": {}, "priority": 0, "labels": {},
		"created_at": "2026-11-23T12:00:00.000000Z", "start_at": null, "updated_at": "2026-11-23T12:00:00.000000Z", "unreadable": null, "rewinding_to": null, "parent": null, "children": [],
		"finished_at": null, "deadline_at": null,
		"failure": {"step": null, "code": "cancelled", "message": "a <typing> error"},
		"attention": null, "allowed_actions": ["pause", "abandon"],
		"steps": [
			{"name": "reserve", "status": "compensating", "kind": "compensatable", "queue": "inventory",
			 "command": "inventory.reserve", "compensation": "inventory.release", "attempts": 1, "compensation_attempts": 1,
			 "started_at": "2026-11-23T12:00:00.000000Z", "finished_at": null, "next_attempt_at": null,
			 "deadline_at": "2026-11-23T12:00:30.000000Z", "waits_for": null, "output_as": null, "output": null, "error": null},
			{"name": "check", "status": "failed", "kind": "compensatable", "queue": "fraud",
			 "command": "fraud.check", "compensation": null, "attempts": 1, "compensation_attempts": 0,
			 "started_at": "2026-11-23T12:00:00.000000Z", "finished_at": "2026-11-23T12:00:00.000000Z",
			 "next_attempt_at": null, "deadline_at": null, "waits_for": null, "output_as": null, "output": null,
			 "error": {"code": "declined", "message": "insufficient funds"}}
		]}`, string(shown))
}

func TestAttentionWithoutAStepHasNull(t *testing.T) {
	t.Parallel()
	attention := saga.Attention{Reason: saga.Overdue, Since: noon().Add(500 * time.Millisecond), Message: "no progress"}
	shown, err := json.Marshal(resource.AttentionOf(&attention))
	require.NoError(t, err)
	require.JSONEq(t, `{"reason":"overdue","since":"2026-11-23T12:00:00.500000Z","step":null,"message":"no progress"}`, string(shown))
}

func TestASagaCanBeReadAgain(t *testing.T) {
	t.Parallel()
	start := saga.Start{Key: "a <key>", StartAt: noon().In(time.FixedZone("", 3600)).Add(time.Hour)}
	def, in := started(t, saga.New("order").Step("reserve", "inventory.reserve"), start)
	shown := resource.SagaOf(def, in)
	text, err := json.Marshal(shown)
	require.NoError(t, err)
	require.Contains(t, string(text), `"start_at":"2026-11-23T13:00:00.000000Z"`)
	var read resource.Saga
	require.NoError(t, json.Unmarshal(text, &read))
	require.Equal(t, shown.Key, read.Key)
	require.Empty(t, read.Steps[0].Compensation)
	require.True(t, shown.StartAt.Equal(read.StartAt.Time))
	require.Nil(t, read.FinishedAt)
}
