package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/wait"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// bulkLook is the polling interval while a caller waits for a bulk action.
const bulkLook = 100 * time.Millisecond

type (
	// actOnManyInput has the headers of a bulk action. It refuses what belongs to an action on one saga.
	actOnManyInput struct {
		IdempotencyKey string `header:"Idempotency-Key" doc:"Makes the call safe to repeat: the same key with the same body returns the same bulk action. A dry run ignores it"`
		IfMatch        string `header:"If-Match" doc:"Refused: each target is acted upon in the state in which it is then"`
	}
	bulkInput struct {
		ID string `path:"id" doc:"Id of the bulk action"`
	}
	getBulkInput struct {
		ID   string `path:"id" doc:"Id of the bulk action"`
		Wait string `query:"wait" doc:"Delay the answer until the bulk action stops running, for at most this long (up to 60s)"`
	}
	bulkItemsInput struct {
		ID      string `path:"id" doc:"Id of the bulk action"`
		Outcome string `query:"outcome" enum:"done,refused,failed" doc:"Only targets with this outcome"`
		PageInput
	}
	// bulkOutput is a bulk action, or the report of a dry run.
	bulkOutput struct {
		Status   int
		Location string `header:"Location"`
		Body     any
	}
	bulkActionOutput struct {
		Body resource.BulkAction
	}
)

func (s *service) bulkRoutes() {
	const tag = "Bulk actions"
	register(s, route{
		id: "act-on-sagas", method: http.MethodPost, path: "/v1/sagas/actions", tag: tag, role: record.Operator,
		summary: "Act on many sagas", status: http.StatusAccepted, long: true, body: bodyOf[resource.BulkRequest](),
		answers: bulkAnswers(),
		about: "Acts once on each saga that matches the filter now, in the state in which the saga is then. " +
			"With `dry_run` the answer (200) reports for each saga what would be done, or why it would be refused. " +
			"An Idempotency-Key that was used before returns 200 with that bulk action as it is now, or 422 `idempotency_conflict` if " +
			"the body differs. The key is kept as long as the bulk action.",
	}, s.actOnSagas)
	register(s, route{
		id: "list-bulk-actions", method: http.MethodGet, path: "/v1/actions", tag: tag, role: record.Viewer,
		summary: "List bulk actions", about: "Newest first.",
	}, s.listBulks)
	register(s, route{
		id: "get-bulk-action", method: http.MethodGet, path: "/v1/actions/{id}", tag: tag, role: record.Viewer, waits: true,
		summary: "Get a bulk action with its progress", errors: []int{http.StatusNotFound},
	}, s.getBulk)
	register(s, route{
		id: "list-bulk-items", method: http.MethodGet, path: "/v1/actions/{id}/items", tag: tag, role: record.Viewer,
		summary: "List the outcomes of a bulk action", errors: []int{http.StatusNotFound},
	}, s.listBulkItems)
	for name, control := range map[string]func(*record.BulkAction) error{
		"continue": (*record.BulkAction).Continue, "cancel": (*record.BulkAction).Cancel,
	} {
		register(s, route{
			id: name + "-bulk-action", method: http.MethodPost, path: "/v1/actions/{id}/" + name, tag: tag, role: record.Operator,
			summary: map[string]string{
				"continue": "Continue a bulk action that waits or has stopped", "cancel": "End a bulk action; finished targets stay as they are",
			}[name],
			body:   &bodyRule{shape: bodyOf[resource.BulkControl]().shape, optional: true},
			errors: []int{http.StatusNotFound, http.StatusConflict},
		}, func(ctx context.Context, input *bulkInput) (*bulkActionOutput, error) {
			if _, err := decode(body(ctx), func(resource.BulkControl) []resource.FieldError { return nil }); err != nil {
				return nil, err
			}
			changed, err := s.Bulks.ControlBulk(ctx, input.ID, func(action *record.BulkAction) error {
				if action.Kind == record.BulkDeadLetters && !s.holds(ctx, record.Admin) {
					return problem(resource.CodeForbidden, "Actions on dead letters require a key with the role admin.")
				}
				return control(action)
			})
			if err != nil {
				return nil, err
			}
			return &bulkActionOutput{Body: showBulk(changed)}, nil // operators see all of it
		})
	}
}

// check refuses If-Match, because the targets have no common revision, and a malformed idempotency key.
func (i actOnManyInput) check() error {
	if i.IfMatch != "" {
		return parameter("If-Match", "is for an action on one saga: a bulk action acts on each target in the state in which it is then")
	}
	return checkIdempotencyKey(i.IdempotencyKey)
}

func (s *service) actOnSagas(ctx context.Context, input *actOnManyInput) (*bulkOutput, error) {
	if err := input.check(); err != nil {
		return nil, err
	}
	var targets record.BulkTargets
	var parameters record.BulkParameters
	given, err := decode(body(ctx), func(given resource.BulkRequest) (faults []resource.FieldError) {
		faults = bulkFaults(given.Reason, inHistory, given.Rate, given.Canary, given.StopAfter)
		parameters, faults = bulkParameters(given, faults)
		return faults
	})
	if err == nil {
		targets, err = sagaTargets(given.Filter)
	}
	if err != nil {
		return nil, err
	}
	if given.DryRun {
		report, err := s.dryRunSagas(ctx, targets, saga.Action{
			ID: "dry-run", Name: saga.ActionName(given.Action), Step: parameters.Step, Output: parameters.Output,
			Patch: parameters.Patch, To: parameters.To, Reason: given.Reason, Actor: actor(ctx),
		})
		return &bulkOutput{Status: http.StatusOK, Body: report}, err
	}
	given.Output, given.Patch = parameters.Output, parameters.Patch // null is the same as none
	parameters.Canary = given.Canary
	text, err := saga.EncodeJSON(parameters)
	if err != nil {
		return nil, err
	}
	return s.createBulk(ctx, input.IdempotencyKey, given, record.BulkAction{
		Kind: record.BulkSagas, Action: given.Action, Filter: given.Filter, Parameters: text, Reason: given.Reason,
		Rate: given.Rate, Canary: given.Canary, StopAfter: given.StopAfter,
	}, targets)
}

func bulkFaults(reason string, kept reasonPlace, rate float64, canary, stopAfter int) (faults []resource.FieldError) {
	faults = reasonFaults(reason, kept)
	if rate != 0 && !(rate >= record.MinBulkRate && rate <= record.MaxBulkRate) { // NaN is neither
		faults = append(faults, field("rate", "must be from 0.01 to "+decimal(record.MaxBulkRate)))
	}
	for name, number := range map[string]int{"canary": canary, "stop_after": stopAfter} {
		if number < 0 || number > record.MaxBulkTargets {
			faults = append(faults, field(name, "must be a whole number from 1 to "+decimal(record.MaxBulkTargets)))
		}
	}
	return faults
}

// bulkParameters checks that a request has exactly the fields of its action.
func bulkParameters(given resource.BulkRequest, faults []resource.FieldError) (record.BulkParameters, []resource.FieldError) {
	output := optionalObject("output", given.Output, &faults)
	patch := optionalObject("patch", given.Patch, &faults)
	only := func(name string, set bool, actions ...saga.ActionName) {
		fits := false
		for _, action := range actions {
			fits = fits || given.Action == string(action)
		}
		if set && !fits {
			faults = append(faults, field(name, "does not belong to this action"))
		}
	}
	switch saga.ActionName(given.Action) {
	case saga.ActionSkip:
		if given.Step == "" {
			faults = append(faults, field("step", "must name the step to skip"))
		}
	case saga.ActionPatchData:
		if patch == nil {
			faults = append(faults, field("patch", "must be a JSON merge patch"))
		}
	case saga.ActionRewind:
		if given.To == "" {
			faults = append(faults, field("to", "must name the step to rewind to"))
		}
	case saga.ActionRetry, saga.ActionCompensate, saga.ActionAbandon, saga.ActionAcknowledge, saga.ActionPause, saga.ActionResume:
	default:
		faults = append(faults, field("action", "must be one of retry, skip, compensate, abandon, acknowledge, pause, resume, patch_data, rewind"))
	}
	only("step", given.Step != "", saga.ActionRetry, saga.ActionSkip, saga.ActionCompensate)
	only("output", output != nil, saga.ActionSkip)
	only("patch", patch != nil, saga.ActionPatchData, saga.ActionRewind)
	only("to", given.To != "", saga.ActionRewind)
	return record.BulkParameters{Step: given.Step, To: given.To, Output: output, Patch: patch}, faults
}

func (s *service) listBulks(ctx context.Context, input *PageInput) (*listOutput[resource.BulkAction], error) {
	page, err := input.page(actionsList, isULID)
	if err != nil {
		return nil, err
	}
	found, next, err := s.Bulks.Bulks(ctx, page)
	if err != nil {
		return nil, err
	}
	list, err := listOf(actionsList, found, next, func(a record.BulkAction) (resource.BulkAction, error) { return showBulk(a), nil })
	if err == nil {
		err = s.maskBulks(ctx, list.Items)
	}
	return &listOutput[resource.BulkAction]{Body: list}, err
}

func (s *service) getBulk(ctx context.Context, input *getBulkInput) (*bulkActionOutput, error) {
	limit, err := parseWait(input.Wait)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(limit); ; {
		found, err := s.Bulks.Bulk(ctx, input.ID)
		if err == nil {
			err = s.refused(ctx)
		}
		if err != nil {
			return nil, err
		}
		if found.Status != record.BulkRunning || !time.Now().Before(end) || s.isStopping() || !wait.For(ctx, bulkLook) {
			shown := []resource.BulkAction{showBulk(found)}
			err := s.maskBulks(ctx, shown)
			return &bulkActionOutput{Body: shown[0]}, err
		}
	}
}

func (s *service) isStopping() bool {
	select {
	case <-s.Stopping:
		return true
	default:
		return false
	}
}

func (s *service) listBulkItems(ctx context.Context, input *bulkItemsInput) (*listOutput[resource.BulkItem], error) {
	page, err := input.page(itemsList, deadLetterID) // the ids of dead letters are more general than those of sagas
	if err != nil {
		return nil, err
	}
	found, next, err := s.Bulks.BulkItems(ctx, input.ID, record.BulkOutcome(input.Outcome), page)
	if err != nil {
		return nil, err
	}
	list, err := listOf(itemsList, found, next, func(i record.BulkItem) (resource.BulkItem, error) {
		return resource.BulkItem{
			ID: i.Target, Outcome: resource.Text(i.Outcome), Message: resource.Text(i.Message), At: resource.OptionalTime(i.At),
		}, nil
	})
	return &listOutput[resource.BulkItem]{Body: list}, err
}

func showBulk(a record.BulkAction) resource.BulkAction {
	var given record.BulkParameters
	_ = json.Unmarshal(a.Parameters, &given) // written by createBulk; unreadable ones are not shown
	return resource.BulkAction{
		ID: a.ID, On: string(a.Kind), Action: a.Action, Status: string(a.Status), Filter: a.Filter,
		Step: given.Step, To: given.To, Output: given.Output, Patch: given.Patch, Rate: a.Rate, Canary: given.Canary, StopAfter: a.StopAfter,
		Reason: a.Reason, Actor: a.Actor, CreatedAt: resource.Time{Time: a.CreatedAt}, FinishedAt: resource.OptionalTime(a.FinishedAt),
		Matched: a.Tally.Matched, Done: a.Tally.Done, Refused: a.Tally.Refused, Failed: a.Tally.Failed, Remaining: a.Tally.Remaining(),
	}
}
