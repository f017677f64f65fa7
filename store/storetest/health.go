package storetest

import (
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

func healthRules() map[string]rule {
	return map[string]rule{
		"a queue that turns has an event in the same transaction": with(healthTurns),
		"its health stays while the broker does not answer":       with(healthUnknown),
		"of many checks at the same time one notes a change":      with(healthOnce),
		"recent dead letters are counted by queue":                with(recentDeadLetters),
	}
}

func verdict(queue string, reasons ...string) record.QueueVerdict {
	evidence := record.QueueEvidence{Inspected: true, Depth: 7, DeadLetters: 2}
	evidence.Queue, evidence.CommandsOut = queue, 5
	return record.QueueVerdict{Evidence: evidence, Reasons: reasons}
}

func toAMQP(string) []record.Sink { return []record.Sink{record.SinkAMQP} }

func (f *Fixture) check(verdicts ...record.QueueVerdict) (turned []record.QueueHealth) {
	f.t.Helper()
	turned, err := f.SettleQueueHealth(f.t.Context(), verdicts, toAMQP)
	require.NoError(f.t, err)
	return turned
}

func (f *Fixture) health() []record.QueueHealth {
	f.t.Helper()
	found, err := f.QueueHealth(f.t.Context())
	require.NoError(f.t, err)
	return found
}

func healthTurns(f *Fixture) {
	t := f.t
	assert.Empty(t, f.health())
	assert.Empty(t, f.check(verdict("mail"), verdict("bank")), "the first check of a healthy queue is not a change")
	first := f.health()
	require.Len(t, first, 2)
	assert.Equal(t, "bank", first[0].Queue)
	assert.False(t, first[1].Since.IsZero())

	turned := f.check(verdict("mail", "too deep"), verdict("bank"))
	require.Len(t, turned, 1)
	assert.True(t, turned[0].Equal(f.health()[1]), "what is returned is what is stored")
	assert.Equal(t, []string{"too deep"}, f.health()[1].Reasons)
	assert.True(t, f.health()[0].Equal(first[0]), "the other queue has not changed")

	assert.Empty(t, f.check(verdict("mail", "too deep", "too old")), "another reason is not a change")
	assert.Equal(t, []string{"too deep", "too old"}, f.health()[1].Reasons)
	assert.Equal(t, turned[0].Since, f.health()[1].Since)
	assert.Len(t, f.check(verdict("mail")), 1)
	assert.Empty(t, f.health()[1].Reasons)
	assert.Len(t, f.check(verdict("new", "too old")), 1, "a new queue may be unhealthy at once")

	events := f.events(record.SinkAMQP, 100)
	var shown []string
	for i := range events {
		shown = append(shown, events[i].ID()+" "+events[i].RoutingKey())
	}
	assert.Equal(t, []string{"mail/1 queue.mail.unhealthy", "mail/2 queue.mail.healthy", "new/1 queue.new.unhealthy"}, shown)
	var data map[string]any
	require.NoError(t, json.Unmarshal(events[0].Data, &data))
	delete(data, "previous_since")
	assert.Equal(t, map[string]any{
		"queue": "mail", "status": "unhealthy", "reasons": []any{"too deep"}, "depth": 7.0, "consumers": 0.0,
		"commands_out": 5.0, "held_back": 0.0, "oldest": nil, "dead_letters": 2.0,
	}, data)
	assert.Equal(t, turned[0].Since, events[0].At.UTC())
}

func healthUnknown(f *Fixture) {
	t := f.t
	f.check(verdict("mail", "too deep"), verdict("bank"))
	before := f.health()
	unknown, late := verdict("mail"), verdict("bank", "too old")
	unknown.Evidence.Inspected, late.Evidence.Inspected = false, false
	turned := f.check(unknown, late)
	require.Len(t, turned, 1)
	assert.Equal(t, "bank", turned[0].Queue, "what is known may make a queue unhealthy")
	assert.True(t, before[1].Equal(f.health()[1]), "what is not known does not make it healthy")
	var data map[string]any
	events := f.events(record.SinkAMQP, 100)
	require.Len(t, events, 2)
	require.NoError(t, json.Unmarshal(events[1].Data, &data))
	assert.Nil(t, data["depth"])
	assert.Nil(t, data["consumers"])
}

func healthOnce(f *Fixture) {
	t := f.t
	f.check(verdict("mail"))
	var changes atomic.Int64
	var checks sync.WaitGroup
	for range 8 {
		checks.Go(func() {
			turned, err := f.SettleQueueHealth(t.Context(), []record.QueueVerdict{verdict("mail", "too deep")}, toAMQP)
			if assert.NoError(t, err) {
				changes.Add(int64(len(turned)))
			}
		})
	}
	checks.Wait()
	assert.EqualValues(t, 1, changes.Load())
	assert.Len(t, f.events(record.SinkAMQP, 100), 1)
}

func recentDeadLetters(f *Fixture) {
	t := f.t
	for i := range 3 {
		f.putAside(record.DeadLetter{ID: fmt.Sprintf("mail-%d", i), Source: record.SourceCommand, Queue: "mail"})
	}
	f.putAside(
		record.DeadLetter{ID: "bank", Source: record.SourceCommand, Queue: "bank"},
		record.DeadLetter{ID: "reply", Source: record.SourceReply, Queue: "mail"},
	)
	found, now, err := f.RecentDeadLetters(t.Context(), time.Hour)
	require.NoError(t, err)
	assert.Equal(t, map[string]int64{"mail": 3, "bank": 1}, found, "those of commands only")
	letter, err := f.DeadLetter(t.Context(), "bank")
	require.NoError(t, err)
	assert.False(t, now.Before(letter.ReceivedAt))
	found, _, err = f.RecentDeadLetters(t.Context(), -time.Hour)
	require.NoError(t, err)
	assert.Empty(t, found, "older ones are not counted")
}
