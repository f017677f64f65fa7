package saga_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// BenchmarkTransition runs a saga of three steps to its end. It measures the core alone.
func BenchmarkTransition(b *testing.B) {
	for name, answers := range map[string][]saga.Reply{
		"succeeds": {succeeded(`{"reservation":"r-7"}`), succeeded(`{"charge":"c-9"}`), succeeded()},
		"fails":    {succeeded(`{"reservation":"r-7"}`), succeeded(`{"charge":"c-9"}`), failed("declined", false), succeeded(), succeeded()},
	} {
		b.Run(name, func(b *testing.B) {
			def, err := chain("reserve", "charge", "confirm").Build()
			require.NoError(b, err)
			start := saga.Start{ID: "01KBFMFV5X7M2Z0Q9H3C8D4E6F", At: noon, Data: json.RawMessage(`{"orderId":"42","amount":120}`)}
			b.ReportAllocs()
			for b.Loop() {
				decision, err := def.Start(start)
				for _, answer := range answers {
					if err == nil {
						answer.Command = decision.Commands[0].ID
						decision, err = def.Transition(decision.Next, saga.Event{At: noon, Cause: answer})
					}
				}
				if err != nil || !decision.Next.Status.Terminal() {
					b.Fatalf("the saga is %s: %v", decision.Next.Status, err)
				}
			}
			b.ReportMetric(float64(1+len(answers)), "decisions/op")
		})
	}
}
