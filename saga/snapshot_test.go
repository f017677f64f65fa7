package saga_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// What the outside sees of a saga: every member is always there, null where there is nothing to say.

func TestASagaIsShownWithEveryMember(t *testing.T) {
	t.Parallel()
	c := begin(t, saga.New("order").
		Step("reserve", "inventory.reserve", saga.CompensatedBy("inventory.release")).
		Step("check", "fraud.check"))
	c.succeed("reserve")
	c.act(saga.ActionCompensate, func(a *saga.Action) { a.Reason = "a <typing> error" })
	c.refuse("check")
	shown, err := json.Marshal(c.def.Snapshot(&c.is))
	require.NoError(t, err)
	require.JSONEq(t, `{
		"id": "s", "definition": "order", "version": 0, "key": null, "status": "compensating", "revision": 4,
		"data": {}, "priority": 0, "labels": {},
		"created_at": "2026-11-23T12:00:00.000000Z", "start_at": null, "updated_at": "2026-11-23T12:00:00.000000Z", "unreadable": null,
		"finished_at": null, "deadline_at": null,
		"failure": {"step": null, "code": "cancelled", "message": "a <typing> error"},
		"attention": null, "allowed_actions": ["pause", "abandon"],
		"steps": [
			{"name": "reserve", "status": "compensating", "kind": "compensatable", "queue": "inventory",
			 "command": "inventory.reserve", "compensation": "inventory.release", "attempts": 1, "compensation_attempts": 1,
			 "started_at": "2026-11-23T12:00:00.000000Z", "finished_at": null, "next_attempt_at": null,
			 "deadline_at": "2026-11-23T12:00:30.000000Z", "output": null, "error": null},
			{"name": "check", "status": "failed", "kind": "compensatable", "queue": "fraud",
			 "command": "fraud.check", "compensation": null, "attempts": 1, "compensation_attempts": 0,
			 "started_at": "2026-11-23T12:00:00.000000Z", "finished_at": "2026-11-23T12:00:00.000000Z",
			 "next_attempt_at": null, "deadline_at": null, "output": null,
			 "error": {"code": "declined", "message": "the worker says declined"}}
		]}`, string(shown))
}

func TestAttentionIsShownWithoutAStepWhereItIsAboutNone(t *testing.T) {
	t.Parallel()
	attention := saga.Attention{Reason: saga.Overdue, Since: noon.Add(500 * time.Millisecond), Message: "no progress"}
	shown, err := json.Marshal(attention.Snapshot())
	require.NoError(t, err)
	require.JSONEq(t, `{"reason":"overdue","since":"2026-11-23T12:00:00.500000Z","step":null,"message":"no progress"}`, string(shown))
}

func TestWhatIsShownCanBeReadAgain(t *testing.T) {
	t.Parallel()
	c := begin(t, saga.New("order").Step("reserve", "inventory.reserve"), func(s *saga.Start) {
		s.Key, s.StartAt = "a <key>", noon.In(time.FixedZone("", 3600)).Add(time.Hour)
	})
	shown := c.def.Snapshot(&c.is)
	text, err := json.Marshal(shown)
	require.NoError(t, err)
	require.Contains(t, string(text), `"start_at":"2026-11-23T13:00:00.000000Z"`)
	var read saga.Snapshot
	require.NoError(t, json.Unmarshal(text, &read))
	require.Equal(t, shown.Key, read.Key)
	require.Empty(t, read.Steps[0].Compensation)
	require.True(t, shown.StartAt.Equal(read.StartAt.Time))
	require.Nil(t, read.FinishedAt)
}
