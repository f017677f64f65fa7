package events_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/saga-orchestrator/orchestrator/internal/events"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// broker starts Kafka's protocol in this process, and returns its address.
func broker(t *testing.T, options ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(append(options, kfake.NumBrokers(1), kfake.AllowAutoTopicCreation(), kfake.DefaultNumPartitions(3))...)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	return cluster
}

func kafka(t *testing.T, config events.KafkaConfig) *events.Kafka {
	t.Helper()
	config.Topic, config.Source = "saga.events", "/saga"
	k, err := events.NewKafka(config)
	require.NoError(t, err)
	t.Cleanup(k.Close)
	return k
}

func TestKafkaGetsTheEventsOfASagaInOrder(t *testing.T) {
	t.Parallel()
	const subjects, each = 20, 5
	cluster := broker(t)
	store := open(t)
	put(t, store, subjects, each)
	f := forwarder(store, kafka(t, events.KafkaConfig{Brokers: cluster.ListenAddrs()}), "one")
	require.Eventually(t, func() bool { f.Forward(t.Context()); return len(left(t, store)) == 0 }, 30*time.Second, 10*time.Millisecond)

	reader, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics("saga.events"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	defer reader.Close()
	next := make(map[string]int)
	for read := 0; read < subjects*each; {
		fetched := reader.PollFetches(t.Context())
		require.Empty(t, fetched.Errors())
		fetched.EachRecord(func(r *kgo.Record) {
			read++
			var event struct{ ID, Type, Subject, Source, Specversion string }
			assert.NoError(t, json.Unmarshal(r.Value, &event))
			next[string(r.Key)]++
			assert.Equal(t, fmt.Sprintf("%s/%d", r.Key, next[string(r.Key)]), event.ID)
			assert.Equal(t, []string{"saga.started", string(r.Key), "/saga", "1.0"}, []string{event.Type, event.Subject, event.Source, event.Specversion})
			assert.Equal(t, []kgo.RecordHeader{{Key: "content-type", Value: []byte(wire.EventContentType)}}, r.Headers)
		})
	}
	assert.Len(t, next, subjects)
}

func TestKafkaAuthenticates(t *testing.T) {
	t.Parallel()
	cluster := broker(t, kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "saga", "secret"))
	event := []wire.Event{{Subject: "s", Seq: 1, Type: "saga.started", At: time.Unix(1, 0), Definition: "d", Data: []byte("{}")}}
	right := kafka(t, events.KafkaConfig{Brokers: cluster.ListenAddrs(), SASL: events.SASLScramSHA512, User: "saga", Password: "secret"})
	require.NoError(t, right.PublishEvents(t.Context(), event)[0])
	wrong := kafka(t, events.KafkaConfig{Brokers: cluster.ListenAddrs(), SASL: events.SASLScramSHA512, User: "saga", Password: "wrong"})
	require.Error(t, wrong.PublishEvents(t.Context(), event)[0])
	_, err := events.NewKafka(events.KafkaConfig{Brokers: cluster.ListenAddrs(), SASL: "digest"})
	require.ErrorContains(t, err, "digest")
}

// The error comes within the time of one event, so the forwarder keeps its lease and tries again.
func TestKafkaThatIsAwayKeepsItsEvents(t *testing.T) {
	t.Parallel()
	cluster := broker(t)
	addresses := cluster.ListenAddrs()
	cluster.Close()
	event := []wire.Event{{Subject: "s", Seq: 1, Type: "saga.started", At: time.Unix(1, 0), Definition: "d", Data: []byte("{}")}}
	k := kafka(t, events.KafkaConfig{Brokers: addresses})
	require.Error(t, k.PublishEvents(t.Context(), event)[0])
}
