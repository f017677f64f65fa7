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
	// dryRunItems is the number of targets that a dry run lists.
	dryRunItems = 100
	// dryRunPage is the number of sagas that it reads at a time.
	dryRunPage = 500
)

// dryRun decides the action for every saga that matches now, without storing the decision.
func (s *service) dryRun(ctx context.Context, targets record.BulkTargets, action saga.Action) (resource.DryRun, error) {
	report := resource.DryRun{Items: []resource.DryRunItem{}}
	err := s.eachTarget(ctx, targets, func(stored record.StoredSaga) error {
		item := resource.DryRunItem{ID: stored.ID, Status: resource.Text(stored.Status)}
		would, refused, err := s.would(ctx, stored, action)
		if err != nil {
			return err
		}
		item.Would, item.Refused = resource.Text(would), resource.Text(refused)
		report.Matched++
		if refused == "" {
			report.Applicable++
		} else {
			report.Refused++
		}
		if len(report.Items) < dryRunItems {
			report.Items = append(report.Items, item)
		}
		if report.Matched > record.MaxBulkTargets {
			return record.ErrBulkTooLarge
		}
		return nil
	})
	return report, err
}

func (s *service) would(ctx context.Context, stored record.StoredSaga, action saga.Action) (would, refused string, err error) {
	if stored.Unreadable != nil {
		if action.Name == saga.ActionAbandon && !stored.Status.Terminal() {
			return "close the saga as it stands, although it cannot be read", "", nil
		}
		return "", "the saga cannot be read: it can only be abandoned", nil
	}
	def, err := s.definitions.Get(ctx, stored.Definition, stored.Version)
	if errors.Is(err, record.ErrUnreadable) || errors.Is(err, record.ErrDefinitionNotFound) {
		return "", "the saga's definition cannot be read: it can only be abandoned", nil
	}
	if err != nil {
		return "", "", err
	}
	would, refused = diagnose.Would(def, stored.Instance, action, s.Now())
	return would, refused, nil
}

// eachTarget calls visit with the sagas that match.
func (s *service) eachTarget(ctx context.Context, targets record.BulkTargets, visit func(record.StoredSaga) error) error {
	if targets.Sagas == nil {
		for _, id := range slices.Compact(slices.Sorted(slices.Values(targets.IDs))) {
			stored, err := s.Reads.Saga(ctx, id)
			if errors.Is(err, record.ErrSagaNotFound) {
				continue
			}
			if err == nil {
				err = visit(stored)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	for page := (record.Page{Limit: dryRunPage}); ; {
		found, next, err := s.Reads.Sagas(ctx, *targets.Sagas, page)
		if err != nil {
			return err
		}
		for _, stored := range found {
			if err := visit(stored); err != nil {
				return err
			}
		}
		if page.After = next; next == "" {
			return nil
		}
	}
}

// dryRunLetters reports what would be done with dead letters. It does not check the state of their sagas, on which a redrive
// depends: it reports only the destination.
func (s *service) dryRunLetters(ctx context.Context, targets record.BulkTargets, action string) (resource.DryRun, error) {
	report := resource.DryRun{Items: []resource.DryRunItem{}}
	err := s.eachLetter(ctx, targets, func(letter record.DeadLetter) error {
		item := resource.DryRunItem{ID: letter.ID, Would: "discard it"}
		if action == "redrive" {
			item.Would = resource.Text("send it to " + letter.Queue + " again")
		}
		if action == "redrive" && letter.Source != record.SourceStart && letter.CommandID == "" {
			item.Would, item.Refused = "", "the dead letter names no command: discard it"
		}
		report.Matched++
		if item.Refused == "" {
			report.Applicable++
		} else {
			report.Refused++
		}
		if len(report.Items) < dryRunItems {
			report.Items = append(report.Items, item)
		}
		if report.Matched > record.MaxBulkTargets {
			return record.ErrBulkTooLarge
		}
		return nil
	})
	return report, err
}

func (s *service) eachLetter(ctx context.Context, targets record.BulkTargets, visit func(record.DeadLetter) error) error {
	if targets.DeadLetters == nil {
		for _, id := range slices.Compact(slices.Sorted(slices.Values(targets.IDs))) {
			letter, err := s.Reads.DeadLetter(ctx, id)
			if errors.Is(err, record.ErrDeadLetterNotFound) {
				continue
			}
			if err == nil {
				err = visit(letter)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	for page := (record.Page{Limit: dryRunPage}); ; {
		found, next, err := s.Reads.DeadLetters(ctx, *targets.DeadLetters, page)
		if err != nil {
			return err
		}
		for _, letter := range found {
			if err := visit(letter); err != nil {
				return err
			}
		}
		if page.After = next; next == "" {
			return nil
		}
	}
}
