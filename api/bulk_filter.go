package api

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/saga/rawjson"
)

// maxBulkIDs bounds the targets that a filter lists by id.
const maxBulkIDs = 1000

// texts is a JSON list. A single element may stand without brackets.
type texts []string

// UnmarshalJSON accepts "a" for ["a"].
func (t *texts) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*t = texts{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(t))
}

// sagaFilterBody has the names of the filters of the list of sagas.
type sagaFilterBody struct {
	IDs             texts      `json:"ids"`
	Definition      *string    `json:"definition"`
	Version         *int       `json:"version"`
	Status          texts      `json:"status"`
	Key             *string    `json:"key"`
	Label           texts      `json:"label"`
	CreatedAfter    *time.Time `json:"created_after"`
	CreatedBefore   *time.Time `json:"created_before"`
	Attention       *bool      `json:"attention"`
	AttentionReason texts      `json:"attention_reason"`
	Step            *string    `json:"step"`
	ErrorCode       *string    `json:"error_code"`
	Parent          *string    `json:"parent"`
}

// letterFilterBody has the names of the filters of the list of dead letters.
type letterFilterBody struct {
	IDs            texts      `json:"ids"`
	Queue          *string    `json:"queue"`
	Reason         *string    `json:"reason"`
	Source         *string    `json:"source"`
	Saga           *string    `json:"saga"`
	ReceivedAfter  *time.Time `json:"received_after"`
	ReceivedBefore *time.Time `json:"received_before"`
}

// filterBody decodes the filter of a bulk action. It refuses a filter that selects everything, which is usually a mistake.
func filterBody[T any](raw json.RawMessage) (T, error) {
	var none T
	var members map[string]json.RawMessage
	if len(raw) > 0 && !isNull(raw) && json.Unmarshal(raw, &members) != nil {
		return none, problem(resource.CodeInvalidField, invalidFilter, field("filter", "must be a JSON object"))
	}
	if len(members) == 0 {
		return none, problem(resource.CodeFilterRequired, "The filter must not select everything.",
			field("filter", "must name at least one filter"))
	}
	read, err := decode(raw, func(T) []resource.FieldError { return nil })
	if err != nil {
		return none, under("filter", err)
	}
	for name, value := range members {
		if isNull(value) || slices.Contains([]string{`""`, `[]`}, string(rawjson.AppendCompact(nil, value))) {
			return none, problem(resource.CodeInvalidField, invalidFilter,
				resource.FieldError{Pointer: "/filter/" + name, Message: "must not be empty: omit it, or set a value"})
		}
	}
	return read, nil
}

const invalidFilter = "The filter has invalid members."

// under prefixes the pointers of a problem with a member of the body.
func under(member string, err error) error {
	answer := problemOf(err)
	for i := range answer.Errors {
		answer.Errors[i].Pointer = "/" + member + answer.Errors[i].Pointer + strings.TrimPrefix("/"+answer.Errors[i].Parameter, "/")
		if answer.Errors[i].Parameter != "" {
			answer.Errors[i].Pointer = "/" + member + "/" + answer.Errors[i].Parameter
		}
		answer.Errors[i].Parameter = ""
	}
	if answer.Code == resource.CodeInvalidParameter {
		answer.Code, answer.Detail = resource.CodeInvalidField, invalidFilter
	}
	return answer
}

func sagaTargets(raw json.RawMessage) (record.BulkTargets, error) {
	given, err := filterBody[sagaFilterBody](raw)
	if err != nil {
		return record.BulkTargets{}, err
	}
	if given.IDs != nil {
		ids := given.IDs
		given.IDs = nil
		return idTargets(ids, !reflect.ValueOf(given).IsZero(), func(id string) (string, bool) {
			found, err := sagaID(id)
			return found, err == nil
		})
	}
	input := FilterInput{
		Definition: givenOf(given.Definition), Version: givenOf(given.Version), Status: given.Status, Key: givenOf(given.Key),
		Label: given.Label, CreatedAfter: givenOf(given.CreatedAfter), CreatedBefore: givenOf(given.CreatedBefore),
		AttentionReason: given.AttentionReason, Step: givenOf(given.Step), ErrorCode: givenOf(given.ErrorCode),
		Parent: givenOf(given.Parent),
	}
	if faults := filterFaults(given); len(faults) > 0 {
		return record.BulkTargets{}, problem(resource.CodeInvalidField, invalidFilter, faults...)
	}
	if given.Attention != nil {
		input.Attention = "true"
	}
	filter, err := input.filter()
	if err != nil {
		return record.BulkTargets{}, under("filter", err)
	}
	return record.BulkTargets{Sagas: &filter}, nil
}

// filterFaults performs the checks that the router performs for the query of a list.
func filterFaults(given sagaFilterBody) (faults []resource.FieldError) {
	fault := func(name, message string) {
		faults = append(faults, resource.FieldError{Pointer: "/filter/" + name, Message: message})
	}
	for _, status := range given.Status {
		if !slices.Contains(saga.Statuses(), saga.Status(status)) {
			fault("status", "must be statuses of sagas")
		}
	}
	for _, reason := range given.AttentionReason {
		if !slices.Contains(saga.AttentionReasons(), saga.AttentionReason(reason)) {
			fault("attention_reason", "must be reasons for attention")
		}
	}
	if given.Attention != nil && !*given.Attention {
		fault("attention", "must be true: omit it to select all")
	}
	if given.Version != nil && *given.Version < 1 {
		fault("version", "must be 1 or more")
	}
	if len(given.Label) > maxLabels {
		fault("label", "must be at most "+decimal(maxLabels)+" labels")
	}
	return faults
}

func letterTargets(raw json.RawMessage) (record.BulkTargets, error) {
	given, err := filterBody[letterFilterBody](raw)
	if err != nil {
		return record.BulkTargets{}, err
	}
	if given.IDs != nil {
		ids := given.IDs
		given.IDs = nil
		return idTargets(ids, !reflect.ValueOf(given).IsZero(), func(id string) (string, bool) { return id, storedLetterID(id) })
	}
	filter, err := LetterFilterInput{
		Queue: givenOf(given.Queue), Reason: givenOf(given.Reason), Source: pointed(given.Source), Saga: givenOf(given.Saga),
		ReceivedAfter: givenOf(given.ReceivedAfter), ReceivedBefore: givenOf(given.ReceivedBefore),
	}.filter()
	if err != nil {
		return record.BulkTargets{}, under("filter", err)
	}
	return record.BulkTargets{DeadLetters: &filter}, nil
}

func idTargets(ids []string, others bool, valid func(string) (string, bool)) (record.BulkTargets, error) {
	fault := ""
	for i, id := range ids {
		var ok bool
		if ids[i], ok = valid(id); !ok {
			fault = "must be ids"
		}
	}
	switch {
	case others:
		fault = "cannot be combined with other filters"
	case len(ids) > maxBulkIDs:
		fault = "must be at most " + decimal(maxBulkIDs) + " ids"
	}
	if fault != "" {
		return record.BulkTargets{}, problem(resource.CodeInvalidField, invalidFilter,
			resource.FieldError{Pointer: "/filter/ids", Message: fault})
	}
	return record.BulkTargets{IDs: ids}, nil
}

func givenOf[T any](value *T) Given[T] {
	if value == nil {
		return Given[T]{}
	}
	return Given[T]{Value: *value, Set: true}
}

func pointed(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
