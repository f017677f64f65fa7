// Package traces shows sagas as OpenTelemetry traces: one trace for each saga, with a span for the saga and one for each
// attempt of a step.
//
// The ids of spans are derived from the ids of sagas and commands. So any replica can send a span when an attempt or a saga
// ends, nothing is stored, and a command carries the id of its span before the span exists. The trace is that of the caller's
// traceparent, or one of the saga's own.
package traces
