package storetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

func eventRules() map[string]rule {
	return map[string]rule{
		"events are stored with the state that caused them": with(eventsWithState),
		"each sink has its own":                             with(eventsPerSink),
		"the events of a saga are read in their order":      with(eventsInOrder),
		"events of excepted subjects are left out":          with(eventsExcept),
		"a saga that the store abandons has its event":      with(eventOfAbandoned),
	}
}

// publishing makes the fixture store an event of every history entry for these sinks.
func (f *Fixture) publishing(sinks ...record.Sink) { f.sinks = sinks }

func (f *Fixture) events(sink record.Sink, limit int) []record.Event {
	f.t.Helper()
	found, err := f.NextEvents(f.t.Context(), sink, limit)
	require.NoError(f.t, err)
	return found
}

func typesOf(events []record.Event) []string {
	types := make([]string, len(events))
	for i := range events {
		types[i] = events[i].Type
	}
	return types
}

func eventsWithState(f *Fixture) {
	f.publishing(record.SinkAMQP)
	in := f.Start(saga.Start{Key: "order-1", Labels: map[string]string{"region": "eu"}})
	f.Apply(in.ID, Fail(in.ID, "reserve"))
	found := f.events(record.SinkAMQP, 100)
	require.NotEmpty(f.t, found)
	entries, _, err := f.History(f.t.Context(), in.ID, record.Page{Limit: 100})
	require.NoError(f.t, err)
	require.Len(f.t, found, len(entries))
	for i, entry := range entries {
		wanted, err := record.EventOf(&in, &entry.Entry)
		require.NoError(f.t, err)
		assert.JSONEq(f.t, string(wanted.Data), string(found[i].Data))
		assert.Equal(f.t, in.ID+"/"+fmt.Sprint(entry.Seq), found[i].ID())
		assert.True(f.t, wanted.At.Equal(found[i].At))
		assert.Equal(f.t, []string{"order", string(entry.Type)}, []string{found[i].Definition, found[i].Type})
	}
	_, err = f.TryStart(f.Claim(NewID(), "", "order-2"), saga.Start{})
	require.NoError(f.t, err)
	require.NoError(f.t, f.ForgetEvents(f.t.Context(), record.SinkAMQP, found))
	assert.Equal(f.t, []string{"saga.started", "step.dispatched"}, typesOf(f.events(record.SinkAMQP, 100)), "the others stay")
	require.NoError(f.t, f.ForgetEvents(f.t.Context(), record.SinkAMQP, found), "twice is not an error")
}

func eventsPerSink(f *Fixture) {
	f.publishing(record.SinkAMQP, record.SinkKafka)
	f.Start(saga.Start{})
	found := f.events(record.SinkAMQP, 100)
	assert.Equal(f.t, typesOf(found), typesOf(f.events(record.SinkKafka, 100)))
	require.NoError(f.t, f.ForgetEvents(f.t.Context(), record.SinkAMQP, found))
	assert.Empty(f.t, f.events(record.SinkAMQP, 100))
	assert.Len(f.t, f.events(record.SinkKafka, 100), len(found))
	assert.Empty(f.t, f.events(record.SinkWebhooks, 100))
	backlog, err := f.Backlog(f.t.Context())
	require.NoError(f.t, err)
	assert.Equal(f.t, map[record.Sink]time.Time{record.SinkKafka: found[0].At.UTC()}, backlog.EventsOldest)
}

// Whatever the limit, no page has an event of a saga without the earlier ones.
func eventsInOrder(f *Fixture) {
	f.publishing(record.SinkAMQP)
	for range 5 {
		f.Complete(f.Start(saga.Start{}).ID)
	}
	all := f.events(record.SinkAMQP, 1000)
	for limit := range all {
		last := make(map[string]int64)
		page := f.events(record.SinkAMQP, limit)
		require.Len(f.t, page, limit)
		for _, e := range page {
			require.Equal(f.t, last[e.Subject]+1, e.Seq)
			last[e.Subject] = e.Seq
		}
	}
}

func eventsExcept(f *Fixture) {
	f.publishing(record.SinkAMQP)
	one, other := f.Start(saga.Start{}).ID, f.Start(saga.Start{}).ID
	found, err := f.NextEvents(f.t.Context(), record.SinkAMQP, 100, NewID(), one)
	require.NoError(f.t, err)
	require.NotEmpty(f.t, found)
	for _, e := range found {
		assert.Equal(f.t, other, e.Subject)
	}
}

func eventOfAbandoned(f *Fixture) {
	in := f.Start(saga.Start{Key: "k"})
	err := f.Transact(f.t.Context(), record.Batch{SagaIDs: []string{in.ID}}, func(record.Loaded) (record.Changes, error) {
		return record.Changes{Abandoned: []record.Abandonment{{
			SagaID: in.ID, Actor: "ada", Reason: "its definition is lost", Sinks: []record.Sink{record.SinkAMQP, record.SinkKafka},
		}}}, nil
	})
	require.NoError(f.t, err)
	for _, sink := range []record.Sink{record.SinkAMQP, record.SinkKafka} {
		found := f.events(sink, 10)
		require.Len(f.t, found, 1)
		entries, _, err := f.History(f.t.Context(), in.ID, record.Page{Limit: 100})
		require.NoError(f.t, err)
		last := entries[len(entries)-1]
		assert.Equal(f.t, saga.EntryAbandoned, last.Type)
		assert.Equal(f.t, in.ID+"/"+fmt.Sprint(last.Seq), found[0].ID())
		assert.Equal(f.t, []string{"order", "saga.abandoned"}, []string{found[0].Definition, found[0].Type})
		assert.JSONEq(f.t, `{"definition":"order","version":1,"key":"k","actor":"ada","detail":{"reason":"its definition is lost"}}`, string(found[0].Data))
	}
}

// eventsOf returns the events of entries for the sinks.
func (f *Fixture) eventsOf(in *saga.Instance, entries []saga.Entry) (all []record.Event, err error) {
	for i := range entries {
		event, err := record.EventOf(in, &entries[i])
		if err != nil {
			return nil, err
		}
		for _, sink := range slices.Clone(f.sinks) {
			all = append(all, record.Event{Sink: sink, Event: event})
		}
	}
	return all, nil
}
