package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/saga-orchestrator/orchestrator/api/diagnose"
	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const (
	// dryRunItems is the number of targets that a dry run shows.
	dryRunItems = 100
	// dryRunPage is the number of targets that it reads at a time.
	dryRunPage = 500
)

// dryRun collects what a bulk action would do.
type dryRun struct{ resource.DryRun }

// add counts a target. Error: record.ErrBulkTooLarge.
func (d *dryRun) add(item resource.DryRunItem) error {
	d.Matched++
	if item.Refused == "" {
		d.Applicable++
	} else {
		d.Refused++
	}
	if len(d.Items) < dryRunItems {
		d.Items = append(d.Items, item)
	}
	if d.Matched > record.MaxBulkTargets {
		return record.ErrBulkTooLarge
	}
	return nil
}

// dryRunSagas decides the action on each matching saga without storing anything.
func (s *service) dryRunSagas(ctx context.Context, targets record.BulkTargets, action saga.Action) (resource.DryRun, error) {
	report := dryRun{resource.DryRun{Items: []resource.DryRunItem{}}}
	sagas := reader[record.StoredSaga]{one: s.Reads.Saga, missing: record.ErrSagaNotFound}
	if targets.Sagas != nil {
		sagas.page = func(ctx context.Context, page record.Page) ([]record.StoredSaga, string, error) {
			return s.Reads.Sagas(ctx, *targets.Sagas, page)
		}
	}
	err := sagas.each(ctx, targets.IDs, func(stored record.StoredSaga) error {
		would, refused, err := s.would(ctx, stored, action)
		if err != nil {
			return err
		}
		return report.add(resource.DryRunItem{
			ID: stored.ID, Status: resource.Text(stored.Status), Would: resource.Text(would), Refused: resource.Text(refused),
		})
	})
	return report.DryRun, err
}

func (s *service) would(ctx context.Context, stored record.StoredSaga, cause saga.Cause) (would, refused string, err error) {
	if stored.Unreadable != nil {
		would, refused = diagnose.WouldUnread(&stored.Instance, cause, "the saga cannot be read")
		return would, refused, nil //nolint:nilerr // what applies to it is the answer
	}
	def, err := s.definitions.Get(ctx, stored.Definition, stored.Version)
	if errors.Is(err, record.ErrUnreadable) || errors.Is(err, record.ErrDefinitionNotFound) {
		would, refused = diagnose.WouldUnread(&stored.Instance, cause, "the saga's definition cannot be read")
		return would, refused, nil
	}
	if err != nil {
		return "", "", err
	}
	if defect(stored, def, nil) != "" {
		would, refused = diagnose.WouldUnread(&stored.Instance, cause, "the saga cannot be read")
		return would, refused, nil
	}
	would, refused = diagnose.Would(def, stored.Instance, cause, s.Now())
	return would, refused, nil
}

// dryRunLetters reports what would happen to each matching dead letter.
func (s *service) dryRunLetters(ctx context.Context, targets record.BulkTargets, action string) (resource.DryRun, error) {
	report := dryRun{resource.DryRun{Items: []resource.DryRunItem{}}}
	letters := reader[record.DeadLetter]{one: s.Reads.DeadLetter, missing: record.ErrDeadLetterNotFound}
	if targets.DeadLetters != nil {
		letters.page = func(ctx context.Context, page record.Page) ([]record.DeadLetter, string, error) {
			return s.Reads.DeadLetters(ctx, *targets.DeadLetters, page)
		}
	}
	err := letters.each(ctx, targets.IDs, func(letter record.DeadLetter) error {
		item := resource.DryRunItem{ID: letter.ID, Would: "discard it"}
		if action == record.BulkRedrive {
			would, refused, err := s.wouldRedrive(ctx, letter.ID)
			if err != nil {
				return err
			}
			item.Would, item.Refused = resource.Text(would), resource.Text(refused)
		}
		return report.add(item)
	})
	return report.DryRun, err
}

// wouldRedrive reports what the redrive of a dead letter would do, or why it would be refused.
func (s *service) wouldRedrive(ctx context.Context, letterID string) (would, refused string, err error) {
	letter, err := s.Reads.DeadLetter(ctx, letterID)
	if errors.Is(err, record.ErrDeadLetterNotFound) {
		return "", "the dead letter is gone", nil
	}
	if err != nil || letter.Source == record.SourceStart {
		if err != nil {
			return "", "", err
		}
		return s.wouldStart(ctx, letter)
	}
	id, err := saga.ParseCommandID(letter.CommandID)
	if err != nil {
		return "", "the dead letter names no command: discard it", nil //nolint:nilerr // a refusal is the answer
	}
	var cause saga.Cause = saga.Action{ID: "dry-run", Name: saga.ActionRedrive, Command: id}
	if letter.Source == record.SourceReply {
		reply, err := wire.DecodeReply(letter.CommandID, letter.Body)
		if err != nil {
			return "", err.Error() + ": discard it", nil //nolint:nilerr // a refusal is the answer
		}
		if reply.OutputFault != "" {
			return "", reply.OutputFault + ": the step took effect, so skip it with a corrected output", nil
		}
		cause = reply
	}
	stored, err := s.Reads.Saga(ctx, id.Saga)
	if errors.Is(err, record.ErrSagaNotFound) {
		return "", "the saga does not exist: discard it", nil
	}
	if err != nil {
		return "", "", err
	}
	return s.would(ctx, stored, cause)
}

// wouldStart reports what the redrive of a start would do.
func (s *service) wouldStart(ctx context.Context, letter record.DeadLetter) (would, refused string, err error) {
	headers := make(map[string]any)
	_ = json.Unmarshal(letter.Headers, &headers) // without its id, the message is refused below
	key, _ := headers[wire.HeaderIdempotencyKey].(string)
	start, err := DecodeStartMessage(wire.Message{Queue: letter.Queue, MessageID: key, Headers: headers, Body: letter.Body}, s.Now())
	if err != nil {
		return "", err.Error() + ": discard it", nil //nolint:nilerr // a refusal is the answer
	}
	made, hash, err := s.Reads.StartedUnder(ctx, start.IdempotencyKey)
	if err != nil {
		return "", "", err
	}
	if made == "" && start.SagaID != "" { // a start by SQL
		if _, err := s.Reads.Saga(ctx, start.SagaID); err == nil {
			return s.wouldStartAgain(ctx, start.SagaID, true)
		}
	}
	if made != "" {
		return s.wouldStartAgain(ctx, made, bytes.Equal(hash, start.BodyHash))
	}
	names, err := s.Bulks.Disabled(ctx)
	if err == nil && slices.Contains(names, start.Definition) {
		return "", "the definition is disabled: enable it first", nil
	}
	if start.Version == 0 {
		_, err = s.Reads.LatestDefinition(ctx, start.Definition)
	} else {
		_, err = s.Reads.DefinitionVersion(ctx, start.Definition, start.Version)
	}
	if err != nil {
		return "", "the definition does not exist or cannot be read", nil //nolint:nilerr // a refusal is the answer
	}
	if start.Key != "" {
		holder, _, err := s.Reads.Sagas(ctx, record.Filter{Definition: &start.Definition, Key: &start.Key, Statuses: unfinishedStatuses()}, record.Page{Limit: 1})
		if err == nil && len(holder) > 0 {
			return "", "saga " + holder[0].ID + " holds the business key: redrive the dead letter once that saga has ended", nil
		}
	}
	return "start a saga of " + start.Definition, "", nil
}

// wouldStartAgain reports what the redrive of a start would do whose idempotency key was used.
func (s *service) wouldStartAgain(ctx context.Context, made string, same bool) (would, refused string, err error) {
	if !same {
		return "", "its idempotency key was used with a different request, for saga " + made + ": discard it", nil
	}
	_, err = s.Reads.Saga(ctx, made)
	if errors.Is(err, record.ErrSagaNotFound) {
		return "", "the same request has started saga " + made + ", which is deleted: discard it", nil
	}
	return "delete the dead letter: the same request has started saga " + made, "", err
}

// unfinishedStatuses returns the statuses of sagas that have not ended.
func unfinishedStatuses() []saga.Status {
	return slices.DeleteFunc(saga.Statuses(), saga.Status.Terminal)
}

// reader reads the targets of a bulk action: by their ids, or page by page.
type reader[T any] struct {
	one     func(ctx context.Context, id string) (T, error)
	missing error                                                                           // of one
	page    func(ctx context.Context, page record.Page) (found []T, next string, err error) // nil: by ids
}

// each visits the targets until an error. Ids that do not exist are not targets.
func (r reader[T]) each(ctx context.Context, ids []string, visit func(T) error) error {
	if r.page == nil {
		for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
			found, err := r.one(ctx, id)
			if errors.Is(err, r.missing) {
				continue
			}
			if err == nil {
				err = visit(found)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	for page := (record.Page{Limit: dryRunPage}); ; {
		found, next, err := r.page(ctx, page)
		if err != nil {
			return err
		}
		for _, one := range found {
			if err := visit(one); err != nil {
				return err
			}
		}
		if page.After = next; next == "" {
			return nil
		}
	}
}
