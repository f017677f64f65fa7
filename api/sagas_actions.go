package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/oklog/ulid/v2"

	"github.com/saga-orchestrator/orchestrator/api/diagnose"
	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

type (
	// ActionInput names a saga, and optionally the revision that it must have.
	ActionInput struct {
		SagaInput
		IfMatch string `header:"If-Match" doc:"ETags of the saga, weak or strong: 412 if the saga is at none of them"`
	}
	patchInput struct {
		ActionInput
		Reason string `query:"reason" doc:"Reason, recorded in the saga's history"`
	}
)

func (s *service) actionRoutes() {
	action(s, saga.ActionRetry, "Give exhausted steps new attempts", true, readRetry)
	action(s, saga.ActionSkip, "Mark an exhausted step or compensation as done", false, readSkip)
	action(s, saga.ActionCompensate, "Cancel a saga that has not passed its pivot, or compensate a late effect", false, readCompensate)
	action(s, saga.ActionAbandon, "End a saga in its present state", false, readReasoned)
	action(s, saga.ActionAcknowledge, "Record that a late effect has been handled", false, readReasoned)
	action(s, saga.ActionPause, "Stop the dispatch of commands", true, readOptionalReason)
	action(s, saga.ActionResume, "Continue a paused saga", true, readOptionalReason)
	action(s, saga.ActionRewind, "Compensate back to a step, then go forward again from it", false, readRewind)
	s.signalRoute()
	register(s, route{
		id: "patch-saga-data", method: http.MethodPatch, path: "/v1/sagas/{id}/data", tag: "Actions", role: record.Operator,
		summary: "Patch the data of a stuck or paused saga",
		about:   "The body is a JSON merge patch (RFC 7396). Returns the saga.",
		body:    &bodyRule{patch: true},
		errors:  []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed},
	}, s.patchData)
}

// action registers the route of one action. read converts its body into the action.
func action[T any](s *service, name saga.ActionName, summary string, optional bool, read func(T) (saga.Action, []resource.FieldError)) {
	register(s, route{
		id: string(name) + "-saga", method: http.MethodPost, path: "/v1/sagas/{id}/" + string(name), tag: "Actions",
		role: record.Operator, summary: summary,
		about: "Returns the saga. 409 `not_applicable` explains why the action does not apply and lists `allowed_actions`.",
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
	return saga.Action{Step: given.Step, Reason: given.Reason}, reasonFaults(given.Reason, mayBeEmpty)
}

func readSkip(given resource.SkipAction) (saga.Action, []resource.FieldError) {
	faults := reasonFaults(given.Reason, inHistory)
	if given.Step == "" {
		faults = append(faults, field("step", "must name the step to skip"))
	}
	output := optionalObject("output", given.Output, &faults)
	return saga.Action{Step: given.Step, Output: output, Reason: given.Reason}, faults
}

func readCompensate(given resource.CompensateAction) (saga.Action, []resource.FieldError) {
	return saga.Action{Step: given.Step, Reason: given.Reason}, reasonFaults(given.Reason, inHistory)
}

func readRewind(given resource.RewindAction) (saga.Action, []resource.FieldError) {
	faults := reasonFaults(given.Reason, inHistory)
	if given.To == "" {
		faults = append(faults, field("to", "must name the step to rewind to"))
	}
	patch := optionalObject("patch", given.Patch, &faults)
	return saga.Action{To: given.To, Patch: patch, Reason: given.Reason}, faults
}

func readReasoned(given resource.ReasonedAction) (saga.Action, []resource.FieldError) {
	return saga.Action{Reason: given.Reason}, reasonFaults(given.Reason, inHistory)
}

func readOptionalReason(given resource.OptionalReason) (saga.Action, []resource.FieldError) {
	return saga.Action{Reason: given.Reason}, reasonFaults(given.Reason, mayBeEmpty)
}

func reasonFaults(reason string, kept reasonPlace) []resource.FieldError {
	if fault := checkReason(reason, kept); fault != "" {
		return []resource.FieldError{field("reason", fault)}
	}
	return nil
}

func (s *service) patchData(ctx context.Context, input *patchInput) (*sagaOutput, error) {
	patch := body(ctx)
	if !isObject(patch) {
		return nil, problem(resource.CodeInvalidField, "The merge patch must be a JSON object.")
	}
	if fault := checkReason(input.Reason, inHistory); fault != "" {
		return nil, parameter("reason", fault)
	}
	asked := saga.Action{Name: saga.ActionPatchData, Patch: patch, Reason: input.Reason}
	return s.act(ctx, input.ActionInput, asked)
}

// act passes the action to the engine. The id makes the action take effect once, even if the engine repeats it.
func (s *service) act(ctx context.Context, input ActionInput, asked saga.Action) (*sagaOutput, error) {
	id, err := sagaID(input.ID)
	if err != nil {
		return nil, err
	}
	if err := s.checkSaga(ctx, id); err != nil {
		return nil, err
	}
	if asked.IfRevision, err = s.ifMatch(ctx, id, input.IfMatch); err != nil {
		return nil, err
	}
	asked.ID, asked.Actor = ulid.Make().String(), actor(ctx)
	in, err := s.Engine.Act(ctx, id, asked)
	switch {
	case err != nil:
		return nil, s.withAllowed(ctx, in, err)
	case in.Phase == "": // abandoned, although it cannot be read
		return s.answerUnreadable(ctx, id)
	default:
		return s.answer(ctx, in)
	}
}

// withAllowed adds the actions that do apply to a refusal. The engine returns the saga with its refusal.
func (s *service) withAllowed(ctx context.Context, in saga.Instance, err error) error {
	if errors.Is(err, record.ErrPayloadKeys) {
		return err // another replica may decide on the saga
	}
	if errors.Is(err, record.ErrUnreadable) {
		answer := problem(resource.CodeNotApplicable, "This version of the orchestrator cannot read the saga. The only action that applies is abandon.")
		if answer.AllowedActions = diagnose.AllowedUnread(&in); len(answer.AllowedActions) == 0 {
			answer.Detail = "This version of the orchestrator cannot read the saga, which has ended. No action applies."
		}
		return answer
	}
	var refusal *saga.Refusal
	if !errors.As(err, &refusal) || refusal.Code != saga.RefusedNotApplicable {
		return err
	}
	answer := problemOf(err)
	if shown, err := s.show(ctx, in); err == nil { // the refusal matters more than its addition
		answer.AllowedActions = shown.AllowedActions
	}
	return answer
}
