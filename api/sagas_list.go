package api

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/oklog/ulid/v2"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// FilterInput holds the filters of the list of sagas. It is exported because the router ignores embedded types that are
// not.
type FilterInput struct {
	Definition      Given[string]    `query:"definition" maxLength:"128" doc:"Name of the definition"`
	Version         Given[int]       `query:"version" minimum:"1" maximum:"2147483647" doc:"Version of the definition"`
	Status          []string         `query:"status,explode" enum:"scheduled,running,compensating,stuck,paused,completed,compensated,abandoned" doc:"Repeatable: any of them"`
	Key             Given[string]    `query:"key" doc:"Business key"`
	Label           []string         `query:"label,explode" maxItems:"32" doc:"name=value; repeatable: all of them"`
	CreatedAfter    Given[time.Time] `query:"created_after"`
	CreatedBefore   Given[time.Time] `query:"created_before"`
	Attention       string           `query:"attention" enum:"true" doc:"Only sagas that need an operator"`
	AttentionReason []string         `query:"attention_reason,explode" enum:"compensation_exhausted,pivot_unknown,retries_exhausted,step_failed,late_effect,deadline_exceeded,overdue,invalid_output" doc:"Repeatable: any of them"`
	Step            Given[string]    `query:"step" maxLength:"63" doc:"Step that needs attention; -: sagas without one"`
	ErrorCode       Given[string]    `query:"error_code" maxLength:"129" doc:"Error code of the step that needs attention; -: sagas without one"`
	Parent          Given[string]    `query:"parent" doc:"Id of the saga that started it as a child"`
}

// maxErrorCode is the longest error code in bytes, with a backslash in front.
const maxErrorCode = 129

// filter checks what the tags above cannot express.
func (f FilterInput) filter() (record.Filter, error) {
	filter := record.Filter{
		Definition: f.Definition.pointer(), Version: f.Version.pointer(), Key: f.Key.pointer(),
		CreatedAfter: f.CreatedAfter.pointer(), CreatedBefore: f.CreatedBefore.pointer(), NeedsAttention: f.Attention == "true",
		Step: withoutOr(f.Step.pointer()), ErrorCode: withoutOr(f.ErrorCode.pointer()),
	}
	if f.Definition.Set && !identifier(f.Definition.Value) {
		return filter, parameter("definition", "must be the name of a definition")
	}
	if !printable(f.Key.Value, maxKey) {
		return filter, parameter("key", "must be at most "+decimal(maxKey)+" printable characters")
	}
	if !printable(f.Step.Value, 63) {
		return filter, parameter("step", "must be the name of a step, or -")
	}
	if text := f.ErrorCode.Value; !utf8.ValidString(text) || strings.Contains(text, "\x00") || len(text) > maxErrorCode {
		return filter, parameter("error_code", "must be an error code, or -")
	}
	if f.Parent.Set {
		parent, err := sagaID(f.Parent.Value)
		if err != nil {
			return filter, parameter("parent", "must be the id of a saga")
		}
		filter.Parent = &parent
	}
	for _, status := range f.Status {
		filter.Statuses = append(filter.Statuses, saga.Status(status))
	}
	for _, reason := range f.AttentionReason {
		filter.AttentionReasons = append(filter.AttentionReasons, saga.AttentionReason(reason))
	}
	for _, text := range f.Label {
		name, value, found := strings.Cut(text, "=")
		known, repeated := filter.Labels[name]
		if !found || !label(name, value) || repeated && known != value {
			return filter, parameter("label", "must be name=value, each name once")
		}
		if filter.Labels == nil {
			filter.Labels = make(map[string]string)
		}
		filter.Labels[name] = value
	}
	return filter, nil
}

type listSagasInput struct {
	FilterInput
	PageInput
}

func (s *service) listSagas(ctx context.Context, input *listSagasInput) (*listOutput[resource.Saga], error) {
	filter, err := input.filter()
	if err != nil {
		return nil, err
	}
	page, err := input.page(sagasList, isULID)
	if err != nil {
		return nil, err
	}
	found, next, err := s.Reads.Sagas(ctx, filter, page)
	if err != nil {
		return nil, err
	}
	list, err := listOf(sagasList, found, next, func(stored record.StoredSaga) (resource.Saga, error) { return s.view(ctx, stored) })
	return &listOutput[resource.Saga]{Body: list}, err
}

func isULID(text string) bool {
	_, err := ulid.ParseStrict(text)
	return err == nil
}
