package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/oklog/ulid/v2"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

type (
	// ActionInput names a saga, and its state if that matters to the caller.
	ActionInput struct {
		SagaInput
		IfMatch string `header:"If-Match" doc:"The ETag that the saga was seen with, weak or strong, or a list of such: refused with 412 when it has moved"`
	}
	patchInput struct {
		ActionInput
		Reason string `query:"reason" doc:"Why; it goes into the saga's history"`
	}
)

func (s *service) actionRoutes() {
	action(s, saga.ActionRetry, "Try again what is used up, with fresh attempts", true, readRetry)
	action(s, saga.ActionSkip, "Count a used-up step or compensation as done", false, readSkip)
	action(s, saga.ActionCompensate, "Cancel a saga that has not passed its pivot, or undo a late effect", false, readCompensate)
	action(s, saga.ActionAbandon, "Close a saga as it stands", false, readReasoned)
	action(s, saga.ActionAcknowledge, "Say that a late effect has been dealt with", false, readReasoned)
	action(s, saga.ActionPause, "Stop dispatching", true, readOptionalReason)
	action(s, saga.ActionResume, "Go on after a pause", true, readOptionalReason)
	register(s, route{
		id: "patch-saga-data", method: http.MethodPatch, path: "/v1/sagas/{id}/data", tag: "Actions", role: record.Operator,
		summary: "Patch the data of a stuck or paused saga",
		about:   "The body is a JSON merge patch (RFC 7396). Answers with the saga.",
		body:    &bodyRule{patch: true},
		errors:  []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed},
	}, s.patchData)
}

// action registers the route of one action, whose body becomes what is asked for.
func action[T any](s *service, name saga.ActionName, summary string, optional bool, read func(T) (saga.Action, []resource.FieldError)) {
	register(s, route{
		id: string(name) + "-saga", method: http.MethodPost, path: "/v1/sagas/{id}/" + string(name), tag: "Actions",
		role: record.Operator, summary: summary,
		about: "Answers with the saga. 409 `not_applicable` says why the action does not apply, with `allowed_actions`.",
		body:  &bodyRule{shape: bodyOf[T]().shape, optional: optional},
		errors: []int{
			http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed,
		},
	}, func(ctx context.Context, input *ActionInput) (*sagaOutput, error) {
		var asked saga.Action
		_, err := decode(body(ctx), func(given T) (faults []resource.FieldError) {
			asked, faults = read(given)
			return faults
		})
		if err != nil {
			return nil, err
		}
		asked.Name = name
		return s.act(ctx, *input, asked)
	})
}

func readRetry(given resource.RetryAction) (saga.Action, []resource.FieldError) {
	return saga.Action{Step: given.Step, Reason: given.Reason}, reasonFaults(given.Reason, false)
}

func readSkip(given resource.SkipAction) (saga.Action, []resource.FieldError) {
	faults := reasonFaults(given.Reason, true)
	if given.Step == "" {
		faults = append(faults, field("step", "must name the step to skip"))
	}
	output := optionalObject("output", given.Output, &faults)
	return saga.Action{Step: given.Step, Output: output, Reason: given.Reason}, faults
}

func readCompensate(given resource.CompensateAction) (saga.Action, []resource.FieldError) {
	return saga.Action{Step: given.Step, Reason: given.Reason}, reasonFaults(given.Reason, true)
}

func readReasoned(given resource.ReasonedAction) (saga.Action, []resource.FieldError) {
	return saga.Action{Reason: given.Reason}, reasonFaults(given.Reason, true)
}

func readOptionalReason(given resource.OptionalReason) (saga.Action, []resource.FieldError) {
	return saga.Action{Reason: given.Reason}, reasonFaults(given.Reason, false)
}

func reasonFaults(reason string, required bool) []resource.FieldError {
	if fault := checkReason(reason, required); fault != "" {
		return []resource.FieldError{field("reason", fault)}
	}
	return nil
}

func (s *service) patchData(ctx context.Context, input *patchInput) (*sagaOutput, error) {
	patch := body(ctx)
	if !isObject(patch) {
		return nil, problem(resource.CodeInvalidField, "The merge patch must be a JSON object: the data stays one.")
	}
	if fault := checkReason(input.Reason, true); fault != "" {
		return nil, parameter("reason", fault)
	}
	asked := saga.Action{Name: saga.ActionPatchData, Patch: patch, Reason: input.Reason}
	return s.act(ctx, input.ActionInput, asked)
}

// act gives the action to the engine. Its id is drawn here, so that it takes effect once however often it is applied.
func (s *service) act(ctx context.Context, input ActionInput, asked saga.Action) (*sagaOutput, error) {
	id, err := sagaID(input.ID)
	if err != nil {
		return nil, err
	}
	if asked.IfRevision, err = s.ifMatch(ctx, id, input.IfMatch); err != nil {
		return nil, err
	}
	asked.ID, asked.Actor = ulid.Make().String(), actor(ctx)
	in, err := s.Engine.Act(ctx, id, asked)
	if err != nil {
		return nil, s.withAllowed(ctx, in, err)
	}
	return s.answer(ctx, in)
}

// withAllowed adds to the refusal of an action what may be done instead: with a refusal comes the saga as it stands.
func (s *service) withAllowed(ctx context.Context, in saga.Instance, err error) error {
	if errors.Is(err, record.ErrUnreadable) {
		answer := problem(resource.CodeNotApplicable, "The saga cannot be read by this version of the orchestrator, so it can only be abandoned.")
		answer.AllowedActions = []saga.ActionName{saga.ActionAbandon}
		return answer
	}
	var refusal *saga.Refusal
	if !errors.As(err, &refusal) || refusal.Code != saga.RefusedNotApplicable {
		return err
	}
	answer := problemOf(err)
	if shown, err := s.show(ctx, in); err == nil { // the refusal matters more than what it tells besides
		answer.AllowedActions = shown.AllowedActions
	}
	return answer
}
