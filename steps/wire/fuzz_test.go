package wire_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// FuzzDecodeReply: every accepted reply can be stored, and decodes the same after it is encoded again.
func FuzzDecodeReply(f *testing.F) {
	for _, seed := range []string{
		`{"status":"succeeded","output":{"a":1}}`, `{"status":"failed","error":{"code":"c","message":"m","retryable":false}}`,
		`{"status":"succeeded","output":null}`, `{"status":"succeeded"}{}`, `{"status":"succeeded","output":{"a":"\u0000"}}`,
		`[]`, ``, "\xef\xbb\xbf{}", `{"status":"failed","error":{"code":"` + strings.Repeat("x", 200) + `"}}`,
		`{"status":"succeeded","output":{"a":` + strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001) + `}}`,
		`{"status":"failed","Status":"succeeded"}`, `{"status":"failed","error":null,"output":{}}`,
	} {
		f.Add("saga-1/charge/execute/1", []byte(seed))
	}
	for _, seed := range clearVerdicts() {
		f.Add("saga-1/charge/execute/1", []byte(seed.body))
	}
	f.Add("saga-1/charge/compensate-2/7", []byte(`{"status":"succeeded"}`))
	f.Fuzz(func(t *testing.T, id string, content []byte) {
		reply, err := wire.DecodeReply(id, content)
		if err != nil {
			requireDiscreet(t, err)
			return
		}
		require.Equal(t, id, reply.Command.String())
		require.Equal(t, reply.Succeeded, reply.Error == nil, "a reply either succeeded or has an error")
		if status, err := statusOf(content); err == nil {
			require.Equal(t, reply.Succeeded, status == "succeeded", "as any other reader sees it")
		} else {
			require.True(t, mendable(content), "accepted, but not JSON: %v", err)
		}
		written := wire.Succeeded(reply.Output)
		if reply.Error != nil {
			require.NotEmpty(t, reply.Error.Code)
			require.LessOrEqual(t, len(reply.Error.Code), wire.MaxErrorCode)
			require.LessOrEqual(t, len(reply.Error.Message), wire.MaxErrorMessage)
			require.Nil(t, reply.Output, "a failure has no effect and so no output")
			written = wire.Failed(reply.Error.Code, reply.Error.Message, reply.Error.Retryable)
		}
		if reply.OutputFault != "" {
			require.NotNil(t, reply.Output)
			return
		}
		if reply.Output != nil {
			require.NoError(t, saga.CheckJSON(reply.Output, saga.DefaultJSONLimits()))
			require.Equal(t, byte('{'), reply.Output[0])
		}
		encoded, err := written.Encode()
		require.NoError(t, err)
		again, err := wire.DecodeReply(id, encoded)
		require.NoError(t, err)
		reply.Output = compacted(t, reply.Output)
		require.Equal(t, reply, again)
	})
}

// FuzzDecodeCommand: a worker accepts only what the orchestrator would have sent.
func FuzzDecodeCommand(f *testing.F) {
	f.Add("saga-1/charge/compensate-2/1", "payments.refund", "saga.replies", "2026-01-01T00:00:00Z", 3.0, byte(0), []byte(`{"data":{},"output":{}}`))
	f.Add("saga-1/charge/execute/1", "payments.charge", "saga.replies", "", 1.5, byte(1), []byte(`{"data":{"a":[1,"<&>\u2028"]}}`))
	f.Add("saga-1/charge/execute/1", "payments.charge", "r", "9999-12-31T23:59:59.999999999+14:00", -1.0, byte(2), []byte(` {"data": 1 } `))
	f.Add("///", "", "", "", math.NaN(), byte(3), []byte(`{"data":null,"output":null}`))
	f.Fuzz(func(t *testing.T, id, name, replyTo, deadline string, version float64, shape byte, body []byte) {
		got, err := wire.DecodeCommand(wire.Message{
			CorrelationID: id, Type: name, ReplyTo: replyTo, Body: body, Headers: headers(deadline, version, shape),
		})
		if err != nil {
			requireDiscreet(t, err)
			return
		}
		require.Equal(t, id, got.ID.String())
		require.Equal(t, name, got.Name)
		require.NotEqual(t, "null", string(got.Data))
		require.NotEqual(t, "null", string(got.Output))
		require.GreaterOrEqual(t, got.Version, 0)
		require.LessOrEqual(t, got.Version, math.MaxInt32)

		sent := wire.EncodeCommand(
			&saga.Instance{Definition: got.Definition, Version: got.Version, TraceParent: got.TraceParent},
			saga.Command{ID: got.ID, Name: got.Name, Data: got.Data, Output: got.Output},
		)
		again, err := wire.DecodeCommand(sent.Message(replyTo, got.Deadline))
		require.NoError(t, err)
		require.True(t, got.Deadline.Equal(again.Deadline), "%s and %s", got.Deadline, again.Deadline)
		got.Deadline, again.Deadline = time.Time{}, time.Time{}
		got.Data, got.Output = compacted(t, got.Data), compacted(t, got.Output)
		require.Equal(t, got, again)
	})
}

// headers returns a command's headers in one of the shapes that AMQP clients give them.
func headers(deadline string, version float64, shape byte) map[string]any {
	switch shape % 4 {
	case 0:
		return map[string]any{wire.HeaderDeadline: deadline, wire.HeaderVersion: int64(version), wire.HeaderDefinition: deadline}
	case 1:
		return map[string]any{wire.HeaderDeadline: version, wire.HeaderVersion: version, wire.HeaderTraceParent: []any{deadline, nil}}
	case 2:
		return map[string]any{
			wire.HeaderDeadline: deadline, wire.HeaderVersion: map[string]any{"": version}, wire.HeaderDefinition: []byte(deadline),
			wire.HeaderTraceParent: deadline,
		}
	default:
		return nil
	}
}

// requireDiscreet checks that an error is short and does not repeat the message's content.
func requireDiscreet(t *testing.T, err error) {
	t.Helper()
	require.Less(t, len(err.Error()), 120)
	for _, c := range err.Error() {
		require.True(t, c >= ' ' && c <= '~', "%q", err.Error())
	}
}

// mendable reports whether a document has a fault that the decoder mends.
func mendable(content []byte) bool {
	lower := bytes.ToLower(content)
	return bytes.Contains(lower, []byte(`\`)) || bytes.Contains(lower, []byte("nan")) || bytes.Contains(lower, []byte("inf")) || bytes.ContainsFunc(content, func(r rune) bool { return r < ' ' })
}

// statusOf reads a reply's status as a program in another language would. It reads token by token, since json.Unmarshal
// refuses what is nested deeper than 10,000, and a reply with such an output still reports its status.
func statusOf(content []byte) (status string, fault error) {
	reader := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(content, []byte("\ufeff"))))
	reader.UseNumber()
	next := func() json.Token {
		token, err := reader.Token()
		if err != nil {
			fault = cmp.Or(fault, err)
			return json.Delim('}') // ends every nesting
		}
		return token
	}
	next()
	for fault == nil && reader.More() {
		name, value := next(), next()
		if name == "status" {
			status, _ = value.(string)
		}
		if _, opens := value.(json.Delim); opens {
			skipNested(next)
		}
	}
	next()
	if _, err := reader.Token(); fault == nil && !errors.Is(err, io.EOF) {
		fault = errors.New("data after the document")
	}
	return status, fault
}

// skipNested reads to the end of an array or object whose first token has been read.
func skipNested(next func() json.Token) {
	for depth := 1; depth > 0; {
		switch next() {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
	}
}

func compacted(t *testing.T, document json.RawMessage) json.RawMessage {
	t.Helper()
	if document == nil {
		return nil
	}
	var text bytes.Buffer
	require.NoError(t, json.Compact(&text, document))
	return text.Bytes()
}
