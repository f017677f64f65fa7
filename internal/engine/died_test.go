package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/engine"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
	"github.com/saga-orchestrator/orchestrator/store/memory"
)

// Replies and starts that died in the orchestrator's own queues are handled as if they had arrived normally.
func TestDeadRepliesAndStartsAreHandledNormally(t *testing.T) {
	t.Parallel()
	b := newFaultyStore(t, memory.Config{})
	decode := func(m wire.Message) (record.StartRequest, error) {
		return record.StartRequest{Definition: "payment", IdempotencyKey: m.MessageID, BodyHash: m.Body}, nil
	}
	e, ids := b.started(t, engine.Config{DecodeStart: decode}, payment(), 4)
	dead := func(m wire.Message) {
		settled := make(chan bool, 1)
		e.ReceiveDead(t.Context(), m, func(ok bool) { settled <- ok })
		requireSettled(t, settled)
	}
	deaths := func(queue string) map[string]any {
		return map[string]any{"x-death": []any{
			map[string]any{"queue": "saga.dead", "reason": "expired"}, map[string]any{"queue": queue, "reason": "delivery_limit"},
		}}
	}
	for i, m := range []wire.Message{
		{DiedIn: wire.DiedInReplies, Headers: map[string]any{"x-first-death-queue": "saga.commands.shop"}},
		{Headers: map[string]any{"x-first-death-queue": "saga.replies", "x-first-death-reason": "delivery_limit"}},
		{Headers: deaths("saga.replies")},
	} {
		// The message id of a reply is arbitrary, and may be that of its command.
		m.MessageID, m.CorrelationID, m.Body = ids[i]+"/reserve/execute/1", ids[i]+"/reserve/execute/1", []byte(`{"status":"succeeded"}`)
		dead(m)
		kept, err := b.Saga(t.Context(), ids[i])
		require.NoError(t, err)
		require.Equal(t, saga.StepSucceeded, kept.Steps[0].Status, i)
	}
	require.Empty(t, letters(t, b.Store), "handled messages are not dead letters")
	dead(wire.Message{DiedIn: wire.DiedInStart, MessageID: "start-1", Body: []byte("x")})
	found, _, err := b.Sagas(t.Context(), record.Filter{}, record.Page{Limit: 10})
	require.NoError(t, err)
	require.Len(t, found, 5)
	dead(wire.Message{DiedIn: wire.DiedInReplies, CorrelationID: "nonsense", Body: []byte("nonsense")})
	require.Equal(t, []string{"reply malformed_reply"}, letters(t, b.Store))
	for _, odd := range []any{nil, 7, "x", []any{}, []any{"x"}, []any{map[string]any{"queue": 7, "time": "x"}}} { // forged or damaged
		dead(wire.Message{MessageID: ids[3] + "/none/execute/1", Headers: map[string]any{"x-death": odd, "x-first-death-queue": odd}})
	}
	dead(wire.Message{MessageID: ids[3] + "/reserve/execute/1", Headers: deaths("saga.commands.replies")})
	kept, err := b.Saga(t.Context(), ids[3])
	require.NoError(t, err)
	require.NotEqual(t, saga.StepSucceeded, kept.Steps[0].Status, "a worker queue may be called replies")
}

// A worker may still handle a command that reaches its delivery limit slowly, so its deadline decides.
func TestACommandThatDiesSlowlyIsNotLostAtOnce(t *testing.T) {
	t.Parallel()
	now := time.Now()
	limit := func(died time.Time) map[string]any {
		return map[string]any{"x-first-death-reason": "delivery_limit", "x-death": []any{
			map[string]any{"queue": "saga.commands.shop", "reason": "delivery_limit", "time": died},
		}}
	}
	withDeadline := func(headers map[string]any, deadline time.Time) map[string]any {
		headers[wire.HeaderDeadline] = deadline.Format(time.RFC3339Nano)
		return headers
	}
	for name, c := range map[string]struct {
		message wire.Message
		lost    bool
	}{
		"within seconds":                  {wire.Message{Timestamp: now, Headers: limit(now.Add(20 * time.Second))}, true},
		"after half an hour":              {wire.Message{Timestamp: now, Headers: limit(now.Add(30 * time.Minute))}, false},
		"just too slowly":                 {wire.Message{Timestamp: now, Headers: limit(now.Add(21 * time.Second))}, false},
		"age from its deadline, slowly":   {wire.Message{Headers: withDeadline(limit(now.Add(time.Minute)), now.Add(30*time.Second))}, false},
		"age from its deadline, quickly":  {wire.Message{Headers: withDeadline(limit(now.Add(time.Second)), now.Add(30*time.Second))}, true},
		"at an unknown age":               {wire.Message{Headers: limit(now)}, true},
		"rejected by its worker, slowly":  {wire.Message{Timestamp: now.Add(-time.Hour), Headers: map[string]any{"x-first-death-reason": "rejected"}}, true},
		"without a time of death, slowly": {wire.Message{Timestamp: now.Add(-time.Hour), Headers: map[string]any{"x-first-death-reason": "delivery_limit"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newFaultyStore(t, memory.Config{})
			e, ids := b.started(t, engine.Config{}, payment(), 1)
			c.message.MessageID = ids[0] + "/reserve/execute/1"
			settled := make(chan bool, 1)
			e.ReceiveDead(t.Context(), c.message, func(ok bool) { settled <- ok })
			requireSettled(t, settled)
			kept, err := b.Saga(t.Context(), ids[0])
			require.NoError(t, err)
			require.Equal(t, c.lost, kept.Steps[0].Status == saga.StepRetrying, kept.Steps[0].Status)
			require.Len(t, letters(t, b.Store), 1, "it is kept either way")
		})
	}
}

// A worker that publishes a dead letter itself, as docs/protocol.md allows, need not name its queue: the definition does.
func TestADeadCommandIsOfItsWorkerQueue(t *testing.T) {
	t.Parallel()
	first := map[string]any{"x-first-death-queue": "saga.commands.elsewhere"}
	deaths := map[string]any{"x-death": []any{map[string]any{"queue": "saga.commands.elsewhere", "reason": "rejected"}}}
	for name, c := range map[string]struct {
		command string
		headers map[string]any
		queue   string
	}{
		"named by the definition":             {"/reserve/execute/1", nil, "shop"},
		"an odd name":                         {"/reserve/execute/1", map[string]any{"x-first-death-queue": "shop"}, "shop"},
		"of a compensation":                   {"/reserve/compensate/1", nil, "shop"},
		"named by the broker":                 {"/reserve/execute/1", first, "elsewhere"},
		"named by the broker in the list":     {"/reserve/execute/1", deaths, "elsewhere"},
		"of a step that does not exist":       {"/none/execute/1", nil, "saga.dead"},
		"of a full queue, named by no header": {"/reserve/execute/2", map[string]any{"x-first-death-reason": "maxlen"}, "shop"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newFaultyStore(t, memory.Config{})
			e, ids := b.started(t, engine.Config{}, payment(), 1)
			settled := make(chan bool, 1)
			e.ReceiveDead(t.Context(), wire.Message{Queue: "saga.dead", MessageID: ids[0] + c.command, Headers: c.headers}, func(ok bool) { settled <- ok })
			requireSettled(t, settled)
			found, _, err := b.DeadLetters(t.Context(), record.DeadLetterFilter{}, record.Page{Limit: 10})
			require.NoError(t, err)
			require.Len(t, found, 1)
			require.Equal(t, c.queue, found[0].Queue)
		})
	}
	t.Run("of a saga that does not exist", func(t *testing.T) {
		t.Parallel()
		b := newFaultyStore(t, memory.Config{})
		e, _ := b.started(t, engine.Config{}, payment(), 1)
		settled := make(chan bool, 1)
		e.ReceiveDead(t.Context(), wire.Message{Queue: "saga.dead", MessageID: "01JD0000000000000000000000/reserve/execute/1"}, func(ok bool) { settled <- ok })
		requireSettled(t, settled)
		found, _, err := b.DeadLetters(t.Context(), record.DeadLetterFilter{}, record.Page{Limit: 10})
		require.NoError(t, err)
		require.Len(t, found, 1)
		require.Equal(t, "saga.dead", found[0].Queue)
	})
}

// A malformed reply that died on its way is a letter of the queue of replies, not of that of dead letters.
func TestADeadReplyIsOfTheQueueOfReplies(t *testing.T) {
	t.Parallel()
	b := newFaultyStore(t, memory.Config{})
	e, _ := b.started(t, engine.Config{}, payment(), 1)
	settled := make(chan bool, 1)
	e.ReceiveDead(t.Context(), wire.Message{
		Queue: "saga.dead", DiedIn: wire.DiedInReplies, Body: []byte("nonsense"), Headers: map[string]any{"x-first-death-queue": "saga.replies"},
	}, func(ok bool) { settled <- ok })
	requireSettled(t, settled)
	found, _, err := b.DeadLetters(t.Context(), record.DeadLetterFilter{}, record.Page{Limit: 10})
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, "saga.replies", found[0].Queue)
}
