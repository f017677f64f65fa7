package wire_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// A worker reads what the orchestrator sends.
func TestACommandSurvivesEncoding(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		direction := rapid.SampledFrom([]saga.Direction{saga.Execute, saga.Compensate}).Draw(t, "direction")
		id := saga.CommandID{
			Saga: rapid.StringMatching(`[0-9A-Z]{26}`).Draw(t, "saga"), Step: rapid.StringMatching(`[a-z0-9][a-z0-9-]{0,62}`).Draw(t, "step"),
			Direction: direction, Round: 1, Attempt: rapid.IntRange(1, 2000).Draw(t, "attempt"),
		}
		if direction == saga.Compensate {
			id.Round = rapid.IntRange(1, 3).Draw(t, "round")
		}
		in := &saga.Instance{Definition: "order", Version: rapid.IntRange(1, 99).Draw(t, "version"), TraceParent: "00-a-b-01"}
		sent := wire.EncodeCommand(in, saga.Command{
			ID: id, Name: "payments.charge", Queue: "payments", Timeout: time.Minute,
			Data:   object(t, "data"),
			Output: rapid.SampledFrom([]json.RawMessage{nil, object(t, "output")}).Draw(t, "has output"),
		})
		at := time.Now()
		got, err := wire.DecodeCommand(sent.Message("saga.replies", at))
		require.NoError(t, err)
		assert.Equal(t, id, got.ID)
		assert.Equal(t, "payments.charge", got.Name)
		assert.Equal(t, "order", got.Definition)
		assert.Equal(t, in.Version, got.Version)
		assert.Equal(t, "00-a-b-01", got.TraceParent)
		assert.True(t, at.Add(time.Minute).Equal(got.Deadline))
		data, output, err := wire.DecodeBody(sent.Body)
		require.NoError(t, err)
		assert.Equal(t, data, got.Data)
		assert.Equal(t, output, got.Output)
	})
}

// object draws a JSON object with text that encoders tend to change.
func object(t *rapid.T, label string) json.RawMessage {
	content, err := json.Marshal(map[string]string{"a": rapid.String().Draw(t, label)})
	require.NoError(t, err)
	return content
}

func message() wire.Message {
	c := wire.Command{
		ID:         saga.CommandID{Saga: "saga-1", Step: "charge", Direction: saga.Execute, Round: 1, Attempt: 1},
		Definition: "order", Version: 3, Name: "payments.charge", Timeout: time.Minute, Body: []byte(`{"data":{}}`),
	}
	return c.Message("saga.replies", time.Now())
}

func TestAMessageThatCannotBeAnsweredIsRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil func(*wire.Message)
		says  string
	}{
		"no correlation id":     {func(m *wire.Message) { m.CorrelationID = "" }, "correlation_id"},
		"a foreign one":         {func(m *wire.Message) { m.CorrelationID = "secret" }, "correlation_id"},
		"no name":               {func(m *wire.Message) { m.Type = "" }, "type"},
		"no queue to reply to":  {func(m *wire.Message) { m.ReplyTo = "" }, "reply_to"},
		"not JSON":              {func(m *wire.Message) { m.Body = []byte("secret") }, "body"},
		"a deadline of letters": {func(m *wire.Message) { m.Headers[wire.HeaderDeadline] = "secret" }, "saga-deadline"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := message()
			test.spoil(&m)
			_, err := wire.DecodeCommand(m)
			require.ErrorContains(t, err, test.says)
			assert.NotContains(t, err.Error(), "secret", "errors do not repeat the content")
		})
	}
}

// Operators send dead letters again by hand, with clients that use other integer types or none.
func TestHeadersOfOtherClientsAreDecoded(t *testing.T) {
	t.Parallel()
	for _, version := range []any{int8(3), uint8(3), int16(3), int32(3), int64(3), 3, 3.0} {
		m := message()
		m.Headers[wire.HeaderVersion] = version
		got, err := wire.DecodeCommand(m)
		require.NoError(t, err)
		assert.Equal(t, 3, got.Version, "%T", version)
	}
	m := message()
	m.Headers = nil
	got, err := wire.DecodeCommand(m)
	require.NoError(t, err)
	assert.True(t, got.Deadline.IsZero())
	assert.Zero(t, got.Version)
}

func TestAReplySurvivesEncoding(t *testing.T) {
	t.Parallel()
	const id = "saga-1/charge/execute/1"
	success, err := wire.Succeeded(json.RawMessage(`{"a":"<&>"}`)).Encode()
	require.NoError(t, err)
	assert.Contains(t, string(success), `"<&>"`, "as the worker wrote it")
	read, err := wire.DecodeReply(id, success)
	require.NoError(t, err)
	assert.True(t, read.Succeeded)
	failure, err := wire.Failed("card_declined", "no", false).Encode()
	require.NoError(t, err)
	read, err = wire.DecodeReply(id, failure)
	require.NoError(t, err)
	assert.Equal(t, &saga.ReplyError{Code: "card_declined", Message: "no"}, read.Error)
	read, err = wire.DecodeReply(id, []byte(`{"status":"failed"}`))
	require.NoError(t, err)
	assert.Equal(t, &saga.ReplyError{Code: "failed", Retryable: true}, read.Error, "retryable is true if absent")
}

// Two readers of one message must not see different answers.
func TestMemberNamesOfAReplyAreCaseSensitive(t *testing.T) {
	t.Parallel()
	const id = "saga-1/charge/execute/1"
	_, err := wire.DecodeReply(id, []byte(`{"Status":"succeeded"}`))
	require.ErrorContains(t, err, "status")
	read, err := wire.DecodeReply(id, []byte(`{"status":"failed","Status":"succeeded","error":{"code":"a","Code":"b"}}`))
	require.NoError(t, err)
	assert.Equal(t, &saga.ReplyError{Code: "a", Retryable: true}, read.Error)
}
