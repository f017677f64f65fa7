package server_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/server"
)

// A consumer that acknowledges before it works takes the command with it when it ends.
func TestWhyACommandWasTakenByAWorkerThatIsGone(t *testing.T) {
	t.Parallel()
	url, prefix := env.Broker(t, "work")
	f := newFamily(t, server.Config{DatabaseURL: env.Database(t), AMQPURL: url, AMQPPrefix: prefix, Migrate: true})
	f.define("taken", `{"steps":[{"name":"a","command":"work.a","timeout":"1m"}]}`)
	started, err := f.Start(t.Context(), client.StartRequest{Definition: "taken", Data: json.RawMessage(`{}`)})
	require.NoError(t, err)
	var why resource.Why
	says := func(text string) {
		require.Eventually(t, func() bool {
			why, err = f.Why(t.Context(), started.ID)
			require.NoError(t, err)
			return strings.Contains(why.Message, text)
		}, time.Minute, 10*time.Millisecond, "%s", &lazy{&why})
	}
	says("(depth 1), to which the command of step a goes")
	_, had, err := channel(t, url).Get(prefix+".commands.work", true)
	require.NoError(t, err)
	require.True(t, had)
	says("queue work is empty and has no worker")
	require.Equal(t, resource.CauseNoConsumer, why.Cause)
	require.Equal(t, "the attempt of step a times out", why.NextAutomatic.What)
	require.NotNil(t, why.NextAutomatic.At)
}

// An exclusive queue of another connection exists, and must not be called missing. It hides no other queue.
func TestWhyACommandDoesNotReachALockedQueue(t *testing.T) {
	t.Parallel()
	url, prefix := env.Broker(t, "a-free", "locked", "z-free")
	owner := channel(t, url)
	_, err := owner.QueueDeclare(prefix+".commands.locked", false, false, true, false, nil)
	require.NoError(t, err)
	f := newFamily(t, server.Config{DatabaseURL: env.Database(t), AMQPURL: url, AMQPPrefix: prefix, Migrate: true})
	f.define("taken", `{"steps":[{"name":"a","command":"locked.a"},{"name":"b","command":"a-free.b"},{"name":"c","command":"z-free.c"}]}`)
	started, err := f.Start(t.Context(), client.StartRequest{Definition: "taken", Data: json.RawMessage(`{}`)})
	require.NoError(t, err)
	var why resource.Why
	require.Eventually(t, func() bool {
		why, err = f.Why(t.Context(), started.ID)
		require.NoError(t, err)
		return strings.Contains(why.Message, "another connection has locked queue locked")
	}, time.Minute, 10*time.Millisecond, "%s", &lazy{&why})
	require.Equal(t, resource.CauseUnroutable, why.Cause)
	var queues resource.List[resource.Queue]
	require.Eventually(t, func() bool {
		queues, err = f.Queues(t.Context())
		require.NoError(t, err)
		return len(queues.Items) == 3 && queues.Items[0].Depth != nil && queues.Items[2].Depth != nil
	}, time.Minute, 10*time.Millisecond, "%s", &lazy{&queues})
	require.True(t, *queues.Items[1].Exists)
	require.Nil(t, queues.Items[1].Depth)

	_, err = owner.QueueDelete(prefix+".commands.locked", false, false, false)
	require.NoError(t, err)
	require.Eventually(t, func() bool { // the orchestrator declares its own, by itself
		why, err = f.Why(t.Context(), started.ID)
		require.NoError(t, err)
		return why.Cause == resource.CauseNoConsumer
	}, time.Minute, 10*time.Millisecond, "%s", &lazy{&why})
}
