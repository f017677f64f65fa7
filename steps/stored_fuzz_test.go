package steps

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// FuzzStoredReply: a reply that the barrier kept is sent again, and the orchestrator decodes it as it did the first
// time.
func FuzzStoredReply(f *testing.F) {
	for _, text := range []string{
		`{"status":"succeeded","output":{"a":1}}`, `{"status":"succeeded","output":null}`, `{"status":"succeeded"}`,
		`{"status":"failed"}`, `{"status":"failed","error":null}`, `{"status":"failed","error":{"message":"m","retryable":false}}`,
		`{"status":"succeeded","output":{"a":"\u0000"}}`, `{"status":"succeeded","output":[ 1 ]}`, `{"status":"maybe"}`, `{"status":"failed","error":{"code":"\ud83d\ude00","message":"\u202e"}}`, `[]`, `null`, ``,
	} {
		f.Add([]byte(text))
	}
	id := saga.CommandID{Saga: "s", Step: "charge", Direction: saga.Execute, Round: 1, Attempt: 2}
	silent := func() *slog.Logger { return slog.New(slog.DiscardHandler) }
	f.Fuzz(func(t *testing.T, kept []byte) {
		want, malformed := wire.DecodeReply(id.String(), kept)
		output, err := stored(id, kept)
		answer := settle(context.Background(), context.Background(), output, err, silent)
		if malformed != nil {
			require.ErrorIs(t, err, ErrUnknown, "the first delivery's outcome is unknown")
			require.Equal(t, wire.Rejected, answer.Settlement)
			return
		}
		if want.OutputFault != "" && answer.Settlement == wire.Rejected {
			return // encoding/json cannot copy this output
		}
		require.Equal(t, wire.Replied, answer.Settlement)
		got, err := wire.DecodeReply(id.String(), answer.Reply)
		require.NoError(t, err)
		require.Equal(t, want.OutputFault != "", got.OutputFault != "")
		want.OutputFault, got.OutputFault = "", "" // it names a byte offset, which white space shifts
		want.Output = compacted(t, want.Output)
		require.Equal(t, want, got)
	})
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
