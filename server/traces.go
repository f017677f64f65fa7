package server

import (
	"context"
	"os"

	"github.com/saga-orchestrator/orchestrator/internal/engine"
	"github.com/saga-orchestrator/orchestrator/internal/relay"
	"github.com/saga-orchestrator/orchestrator/internal/traces"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// tracing reports whether the environment names an endpoint for traces.
func tracing() bool {
	return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT")+os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != "" &&
		os.Getenv("OTEL_SDK_DISABLED") != "true"
}

// trace sends the spans of what a transaction has ended.
func (s *Server) trace(commit engine.Commit) {
	if s.traces == nil {
		return
	}
	for d := range commit.Sagas {
		for i := range d.Entries {
			entry := &d.Entries[i]
			switch entry.Type {
			case saga.EntryCompleted, saga.EntryCompensated, saga.EntryAbandoned:
				s.traces.Ended(d.After, beganAt(d.After))
				continue
			}
			ended, is := attemptOf(d, entry)
			if !is || !ended.known {
				continue
			}
			code, _ := entry.Detail["code"].(string)
			s.traces.Attempt(d.After, traces.Attempt{ID: ended.id, Began: ended.dispatched, Ended: entry.At, Outcome: ended.outcome, Code: code})
		}
	}
}

// publisher returns what the relay publishes to. With traces each command carries the span of its attempt.
func (s *Server) publisher() relay.Publisher {
	if s.traces == nil {
		return s.broker
	}
	return traced{s.broker}
}

type traced struct{ relay.Publisher }

// Publish publishes commands with their spans.
func (t traced) Publish(ctx context.Context, commands []wire.Command, settle func(i int, receipt wire.Receipt)) {
	for i := range commands {
		commands[i].TraceParent = traces.TraceParent(commands[i].ID, commands[i].TraceParent)
	}
	t.Publisher.Publish(ctx, commands, settle)
}

// PublishAlone publishes one command with its span.
func (t traced) PublishAlone(ctx context.Context, command *wire.Command) wire.Receipt {
	command.TraceParent = traces.TraceParent(command.ID, command.TraceParent)
	return t.Publisher.PublishAlone(ctx, command)
}
