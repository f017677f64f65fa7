package traces

import (
	"crypto/sha256"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/trace"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// sagaContext is the context of a saga's spans.
type sagaContext struct {
	trace  trace.TraceID
	caller trace.SpanContext // of the start; invalid: the caller sent none
	flags  trace.TraceFlags
}

// contextOf returns the context of a saga: the caller's trace, or one of its own, which is sampled.
func contextOf(sagaID, traceParent string) sagaContext {
	if caller := parse(traceParent); caller.IsValid() {
		return sagaContext{trace: caller.TraceID(), caller: caller, flags: caller.TraceFlags()}
	}
	sum := sha256.Sum256([]byte("trace\x00" + sagaID))
	return sagaContext{trace: trace.TraceID(sum[:16]), flags: trace.FlagsSampled}
}

// parse reads a traceparent. The result is invalid for one that is not of W3C trace context.
func parse(traceParent string) trace.SpanContext {
	parts := strings.Split(traceParent, "-")
	const fields = 4
	if len(parts) < fields {
		return trace.SpanContext{}
	}
	traceID, err := trace.TraceIDFromHex(parts[1])
	if err != nil {
		return trace.SpanContext{}
	}
	spanID, err := trace.SpanIDFromHex(parts[2])
	if err != nil {
		return trace.SpanContext{}
	}
	var flags trace.TraceFlags
	if given, err := strconv.ParseUint(parts[3], 16, 8); err == nil { // later versions of the standard may set other bits
		flags = trace.TraceFlags(given) & trace.FlagsSampled
	}
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID, SpanID: spanID, TraceFlags: flags, Remote: true})
}

// span returns the context of the span that a text identifies.
func (c sagaContext) span(id string) trace.SpanContext {
	sum := sha256.Sum256([]byte("span\x00" + id))
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: c.trace, SpanID: trace.SpanID(sum[:8]), TraceFlags: c.flags, Remote: true})
}

// TraceParent returns the traceparent of a command: the span of its attempt, in the trace of its saga.
func TraceParent(id saga.CommandID, ofSaga string) string {
	span := contextOf(id.Saga, ofSaga).span(id.String())
	return "00-" + span.TraceID().String() + "-" + span.SpanID().String() + "-" + span.TraceFlags().String()
}
