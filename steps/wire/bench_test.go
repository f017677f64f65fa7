package wire_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// payloads are the data of a usual saga and of a large one.
func payloads() map[string]json.RawMessage {
	return map[string]json.RawMessage{
		"usual": json.RawMessage(`{"orderId":"42","amount":120,"customer":"ada","items":[{"sku":"a-1","count":2}]}`),
		"10kB":  json.RawMessage(`{"payload":"` + strings.Repeat("x", 10_000) + `"}`),
	}
}

func BenchmarkEncodeCommand(b *testing.B) {
	for name, data := range payloads() {
		b.Run(name, func(b *testing.B) {
			id := saga.CommandID{Saga: "01KBFMFV5X7M2Z0Q9H3C8D4E6F", Step: "charge", Direction: saga.Execute, Round: 1, Attempt: 1}
			in := &saga.Instance{Definition: "order", Version: 1}
			command := saga.Command{ID: id, Name: "payments.charge", Queue: "payments", Timeout: time.Minute, Data: data}
			b.ReportAllocs()
			for b.Loop() {
				wire.EncodeCommand(in, command)
			}
		})
	}
}

func BenchmarkDecodeReply(b *testing.B) {
	for name, output := range payloads() {
		b.Run(name, func(b *testing.B) {
			body, err := wire.Succeeded(output).Encode()
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := wire.DecodeReply("01KBFMFV5X7M2Z0Q9H3C8D4E6F/charge/execute/1", body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
