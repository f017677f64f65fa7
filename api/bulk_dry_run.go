package api

import (
	"context"
	"errors"
	"slices"

	"github.com/saga-orchestrator/orchestrator/api/diagnose"
	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
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

func (s *service) would(ctx context.Context, stored record.StoredSaga, action saga.Action) (would, refused string, err error) {
	if stored.Unreadable != nil {
		if action.Name == saga.ActionAbandon && !stored.Status.Terminal() {
			return "close the saga in its present state, although it cannot be read", "", nil
		}
		return "", "the saga cannot be read, so it can only be abandoned", nil
	}
	def, err := s.definitions.Get(ctx, stored.Definition, stored.Version)
	if errors.Is(err, record.ErrUnreadable) || errors.Is(err, record.ErrDefinitionNotFound) {
		return "", "the saga's definition cannot be read, so it can only be abandoned", nil
	}
	if err != nil {
		return "", "", err
	}
	would, refused = diagnose.Would(def, stored.Instance, action, s.Now())
	return would, refused, nil
}

// dryRunLetters reports where each matching dead letter would go. It does not ask the engine, so the redrive of a letter
// may still be refused because of the state of its saga.
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
		switch {
		case action != record.BulkRedrive:
		case letter.Source != record.SourceStart && letter.CommandID == "":
			item.Would, item.Refused = "", "the dead letter names no command: discard it"
		default:
			item.Would = resource.Text("send it to " + letter.Queue + " again")
		}
		return report.add(item)
	})
	return report.DryRun, err
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
