package traces

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/saga-orchestrator/orchestrator/saga"
)

const (
	serviceName = "saga-orchestrator"
	// shutdownTimeout bounds the sending of the last spans.
	shutdownTimeout = 2 * time.Second
)

// Tracer sends spans by OTLP over HTTP. It drops spans rather than wait.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// New returns a tracer for the endpoint that OTEL_EXPORTER_OTLP_ENDPOINT and the other variables of the OpenTelemetry
// specification name. It does not connect yet.
func New(ctx context.Context, version string, log *slog.Logger) (*Tracer, error) {
	otel.SetErrorHandler(otel.ErrorHandlerFunc((&failures{log: log}).note))
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("configure traces: %w", err)
	}
	service, err := resource.New(ctx, resource.WithAttributes(
		attribute.String("service.name", serviceName), attribute.String("service.version", version),
	), resource.WithFromEnv(), resource.WithHost())
	if err != nil {
		return nil, fmt.Errorf("configure traces: %w", err)
	}
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(service), sdk.WithIDGenerator(given{}),
		sdk.WithSampler(sdk.AlwaysSample())) // spans that are not sampled are not made
	return &Tracer{provider: provider, tracer: provider.Tracer("github.com/saga-orchestrator/orchestrator")}, nil
}

// Close sends the last spans.
func (t *Tracer) Close(ctx context.Context, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(ctx, shutdownTimeout)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		log.Warn("the last spans were not sent", "error", err)
	}
}

// Attempt is one attempt of a step that has ended.
type Attempt struct {
	ID      saga.CommandID
	Began   time.Time
	Ended   time.Time
	Outcome string // succeeded, failed, timed_out or lost
	Code    string // of the error; empty: none
}

// Attempt sends the span of an attempt. An attempt after the first links to the one before, a compensation to the execution.
func (t *Tracer) Attempt(in *saga.Instance, a Attempt) {
	c := contextOf(in.ID, in.TraceParent)
	if !c.flags.IsSampled() {
		return
	}
	attributes := append(ofSaga(in), attribute.String("saga.step", a.ID.Step), attribute.String("saga.action", string(a.ID.Direction)),
		attribute.Int("saga.attempt", a.ID.Attempt), attribute.String("saga.command", a.ID.String()), attribute.String("saga.outcome", a.Outcome))
	options := []trace.SpanStartOption{
		trace.WithTimestamp(a.Began), trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(attributes...),
	}
	if before := a.ID; before.Attempt > 1 {
		before.Attempt--
		options = append(options, linked(c.span(before.String()), "retry of"))
	}
	if a.ID.Direction == saga.Compensate {
		executed := saga.CommandID{Saga: in.ID, Step: a.ID.Step, Direction: saga.Execute, Round: roundOf(in, a.ID.Step), Attempt: attemptsOf(in, a.ID.Step)}
		options = append(options, linked(c.span(executed.String()), "compensates"))
	}
	parent := trace.ContextWithRemoteSpanContext(context.Background(), c.span(in.ID))
	span := t.start(parent, c.span(a.ID.String()), string(a.ID.Direction)+" "+a.ID.Step, options...)
	if a.Outcome != "succeeded" {
		span.SetStatus(codes.Error, a.Code)
	}
	span.End(trace.WithTimestamp(a.Ended))
}

func linked(to trace.SpanContext, why string) trace.SpanStartOption {
	return trace.WithLinks(trace.Link{SpanContext: to, Attributes: []attribute.KeyValue{attribute.String("saga.link", why)}})
}

func roundOf(in *saga.Instance, step string) int {
	for i := range in.Steps {
		if in.Steps[i].Name == step {
			return in.Steps[i].Rewinds + 1
		}
	}
	return 1
}

func attemptsOf(in *saga.Instance, step string) int {
	for i := range in.Steps {
		if in.Steps[i].Name == step {
			return max(1, in.Steps[i].Attempts)
		}
	}
	return 1
}

// Ended sends the span of a saga that has ended.
func (t *Tracer) Ended(in *saga.Instance, began time.Time) {
	c := contextOf(in.ID, in.TraceParent)
	if !c.flags.IsSampled() {
		return
	}
	parent := context.Background()
	if c.caller.IsValid() {
		parent = trace.ContextWithRemoteSpanContext(parent, c.caller)
	}
	span := t.start(parent, c.span(in.ID), "saga "+in.Definition, trace.WithTimestamp(began), trace.WithSpanKind(trace.SpanKindInternal),
		trace.WithAttributes(append(ofSaga(in), attribute.String("saga.status", string(in.Status)))...))
	if in.Status != saga.Completed {
		code := string(in.Status)
		if in.Failure != nil {
			code = in.Failure.Code
		}
		span.SetStatus(codes.Error, code)
	}
	span.End(trace.WithTimestamp(in.FinishedAt))
}

func ofSaga(in *saga.Instance) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("saga.id", in.ID), attribute.String("saga.definition", in.Definition), attribute.Int("saga.version", in.Version),
	}
}

// start starts a span with these ids.
func (t *Tracer) start(parent context.Context, ids trace.SpanContext, name string, options ...trace.SpanStartOption) trace.Span {
	_, span := t.tracer.Start(context.WithValue(parent, idsKey{}, ids), name, options...)
	return span
}

type idsKey struct{}

// given gives spans the ids in their context.
type given struct{}

func (given) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	ids, _ := ctx.Value(idsKey{}).(trace.SpanContext)
	return ids.TraceID(), ids.SpanID()
}

func (given) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	ids, _ := ctx.Value(idsKey{}).(trace.SpanContext)
	return ids.SpanID()
}
