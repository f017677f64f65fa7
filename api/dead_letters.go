package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/oklog/ulid/v2"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

type (
	deadLetterInput struct {
		ID string `path:"id" doc:"Id of the dead letter"`
	}
	deadLetterOutput struct {
		Body resource.DeadLetter
	}
	// LetterFilterInput holds the filters of the list of dead letters.
	LetterFilterInput struct {
		Queue          Given[string]    `query:"queue" doc:"The original queue"`
		Reason         Given[string]    `query:"reason"`
		Source         string           `query:"source" enum:"reply,command,start"`
		Saga           Given[string]    `query:"saga" doc:"Id of the saga"`
		ReceivedAfter  Given[time.Time] `query:"received_after"`
		ReceivedBefore Given[time.Time] `query:"received_before"`
	}
	listLettersInput struct {
		LetterFilterInput
		PageInput
	}
	redriveOutput struct {
		Body resource.Redriven
	}
)

// filter checks what the tags above cannot express.
func (f LetterFilterInput) filter() (record.DeadLetterFilter, error) {
	filter := record.DeadLetterFilter{
		Queue: f.Queue.pointer(), Reason: f.Reason.pointer(),
		ReceivedAfter: f.ReceivedAfter.pointer(), ReceivedBefore: f.ReceivedBefore.pointer(),
	}
	for name, text := range map[string]string{"queue": f.Queue.Value, "reason": f.Reason.Value} {
		if !printable(text, 255) {
			return filter, parameter(name, "must be at most 255 printable characters")
		}
	}
	if f.Saga.Set {
		of, err := sagaID(f.Saga.Value)
		if err != nil {
			return filter, parameter("saga", "must be the id of a saga")
		}
		filter.SagaID = &of
	}
	switch f.Source {
	case "":
	case record.SourceReply, record.SourceCommand, record.SourceStart:
		filter.Source = &f.Source
	default:
		return filter, parameter("source", "must be reply, command or start")
	}
	return filter, nil
}

func (s *service) deadLetterRoutes() {
	register(s, route{
		id: "list-dead-letters", method: http.MethodGet, path: "/v1/dead-letters", tag: "Dead letters",
		role: record.Viewer, summary: "List dead letters", about: "Newest first, without their content.",
	}, s.listDeadLetters)
	register(s, route{
		id: "get-dead-letter", method: http.MethodGet, path: "/v1/dead-letters/{id}", tag: "Dead letters",
		role: record.Viewer, summary: "Get a dead letter with its content", errors: []int{http.StatusNotFound},
	}, s.getDeadLetter)
	register(s, route{
		id: "redrive-dead-letter", method: http.MethodPost, path: "/v1/dead-letters/{id}/redrive", tag: "Dead letters",
		role: record.Admin, summary: "Send a dead letter to its original queue",
		body: &bodyRule{shape: bodyOf[resource.RedriveAction]().shape, optional: true},
		about: "Keeps the id and the body. A reply or a start is processed again; a command is sent to its queue if its step still " +
			"waits for it. Otherwise 409 `not_applicable` explains what helps instead. The dead letter is then deleted.",
		errors: []int{http.StatusNotFound, http.StatusConflict},
	}, s.redrive)
	register(s, route{
		id: "discard-dead-letter", method: http.MethodDelete, path: "/v1/dead-letters/{id}", tag: "Dead letters",
		role: record.Admin, summary: "Discard a dead letter", status: http.StatusNoContent, errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, input *deadLetterInput) (*struct{}, error) {
		if !deadLetterID(input.ID) {
			return nil, record.ErrDeadLetterNotFound
		}
		if scopeOf(ctx) != nil {
			if _, err := s.Reads.DeadLetter(ctx, input.ID); err != nil {
				return nil, err
			}
		}
		return nil, s.Bulks.DeleteDeadLetter(ctx, input.ID)
	})
	register(s, route{
		id: "act-on-dead-letters", method: http.MethodPost, path: "/v1/dead-letters/actions", tag: "Bulk actions",
		role: record.Admin, summary: "Redrive or discard many dead letters", status: http.StatusAccepted, long: true,
		body: bodyOf[resource.LetterBulkRequest](), answers: bulkAnswers(),
		about: "Works like `POST /v1/sagas/actions`.",
	}, s.actOnLetters)
}

func (s *service) redrive(ctx context.Context, input *deadLetterInput) (*redriveOutput, error) {
	given, err := decode(body(ctx), func(given resource.RedriveAction) []resource.FieldError {
		return reasonFaults(given.Reason, mayBeEmpty)
	})
	if err != nil {
		return nil, err
	}
	if !deadLetterID(input.ID) {
		return nil, record.ErrDeadLetterNotFound
	}
	letter, err := s.Reads.DeadLetter(ctx, input.ID)
	if err != nil {
		return nil, err
	}
	sentTo, err := s.Engine.Redrive(ctx, letter, saga.Action{ID: ulid.Make().String(), Actor: actor(ctx), Reason: given.Reason})
	if err != nil {
		return nil, notRedriven(err)
	}
	return &redriveOutput{Body: resource.Redriven{ID: letter.ID, RedrivenTo: sentTo}}, nil
}

// notRedriven maps every reason against a redrive to 409, except an outage, and a letter that is gone.
func notRedriven(err error) error {
	if errors.Is(err, record.ErrDeadLetterNotFound) {
		return err
	}
	answer := problemOf(err)
	if answer.Status >= http.StatusInternalServerError {
		return err
	}
	return problem(resource.CodeNotApplicable, answer.Detail)
}

func (s *service) actOnLetters(ctx context.Context, input *actOnManyInput) (*bulkOutput, error) {
	if err := input.check(); err != nil {
		return nil, err
	}
	given, err := decode(body(ctx), func(given resource.LetterBulkRequest) (faults []resource.FieldError) {
		if given.Action != record.BulkRedrive && given.Action != record.BulkDiscard {
			faults = append(faults, field("action", "must be redrive or discard"))
		}
		return append(faults, bulkFaults(given.Reason, inAuditLog, given.Rate, given.Canary, given.StopAfter)...)
	})
	var targets record.BulkTargets
	if err == nil {
		targets, err = letterTargets(given.Filter)
	}
	if err != nil {
		return nil, err
	}
	if given.DryRun {
		report, err := s.dryRunLetters(ctx, targets, given.Action)
		return &bulkOutput{Status: http.StatusOK, Body: report}, err
	}
	parameters, err := saga.EncodeJSON(record.BulkParameters{Canary: given.Canary})
	if err != nil {
		return nil, err
	}
	return s.createBulk(ctx, input.IdempotencyKey, given, record.BulkAction{
		Kind: record.BulkDeadLetters, Action: given.Action, Filter: given.Filter, Parameters: parameters, Reason: given.Reason,
		Rate: given.Rate, Canary: given.Canary, StopAfter: given.StopAfter,
	}, targets)
}

func (s *service) listDeadLetters(ctx context.Context, input *listLettersInput) (*listOutput[resource.DeadLetter], error) {
	page, err := input.page(lettersList, deadLetterPosition)
	if err != nil {
		return nil, err
	}
	filter, err := input.filter()
	if err != nil {
		return nil, err
	}
	found, next, err := s.Reads.DeadLetters(ctx, filter, page)
	if err != nil {
		return nil, err
	}
	list, err := listOf(lettersList, found, next,
		func(l record.DeadLetter) (resource.DeadLetter, error) { return showDeadLetter(l), nil })
	return &listOutput[resource.DeadLetter]{Body: list}, err
}

func (s *service) getDeadLetter(ctx context.Context, input *deadLetterInput) (*deadLetterOutput, error) {
	if !deadLetterID(input.ID) {
		return nil, record.ErrDeadLetterNotFound
	}
	found, err := s.Reads.DeadLetter(ctx, input.ID)
	if err != nil {
		return nil, err
	}
	if !s.seesAll(ctx) {
		if err := s.maskLetter(ctx, &found); err != nil {
			return nil, err
		}
	}
	shown := showDeadLetter(found)
	shown.Headers, shown.Body = found.Headers, found.Body
	if utf8.Valid(found.Body) {
		shown.Text = string(found.Body)
	}
	return &deadLetterOutput{Body: shown}, nil
}

// deadLetterPosition reports whether text may be a position in the list. Only the store can parse it.
func deadLetterPosition(text string) bool { return text != "" && printable(text, 300) }

// storedLetterID reports whether the orchestrator gives dead letters such ids: a ULID, or one that is derived from a command
// without its saga, or from a start by SQL. A bulk action would skip any other without a word.
func storedLetterID(id string) bool {
	number, ofStart := strings.CutPrefix(id, record.StartLetter)
	command, ofOrphan := strings.CutPrefix(id, record.OrphanLetter)
	switch {
	case ofStart:
		_, err := strconv.ParseInt(number, 10, 64)
		return err == nil
	case ofOrphan:
		return deadLetterID(command)
	default:
		_, err := ulid.ParseStrict(id)
		return err == nil
	}
}

// deadLetterID reports whether text may be the id of a dead letter, which may be derived from a message.
func deadLetterID(text string) bool { return text != "" && printable(text, 255) }

func showDeadLetter(l record.DeadLetter) resource.DeadLetter {
	return resource.DeadLetter{
		ID: l.ID, Source: l.Source, Queue: l.Queue, Reason: l.Reason, Message: l.Message, SagaID: l.SagaID,
		CommandID: l.CommandID, ReceivedAt: resource.Time{Time: l.ReceivedAt}, ContentType: l.ContentType, Size: l.Size,
	}
}
