package operate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/wait"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// What retention deletes.
const (
	KindSagas       = "sagas"
	KindKeys        = "keys"
	KindDeadLetters = "dead_letters"
	KindBulk        = "bulk_actions" // their targets are counted
)

const (
	// retentionLease is how long a replica that died keeps the others from deleting.
	retentionLease = 15 * time.Second
	// leastRest is the shortest pause between two chunks. A chunk that took longer is followed by a pause as long.
	leastRest = 20 * time.Millisecond
	// firstChunk is the number of sagas in the first chunk of a round. Each further one has twice as many, up to record.MaxDeleted:
	// a busy machine makes each chunk wait, so many small ones would fall behind.
	firstChunk    = 50
	retentionName = "retention"
)

// OldSagas deletes sagas that have ended.
type OldSagas interface {
	// HoldLease takes or renews a lease. It returns false while another holder has it.
	HoldLease(ctx context.Context, name, holder string, lease time.Duration) (held bool, err error)
	// Definitions returns the latest version of each definition.
	Definitions(ctx context.Context, page record.Page) (found []record.RegisteredDefinition, next string, err error)
	Expiry(ctx context.Context, rule record.RetentionRule) (record.Expiry, error)
	Expired(ctx context.Context, expiry record.Expiry, status saga.Status, after string, limit int) (ids []string, next string, err error)
	// WithHistory leaves out sagas that cannot be deleted yet. It may leave out others for their size, but not all.
	WithHistory(ctx context.Context, ids []string) ([]record.SagaWithHistory, error)
	DeleteSagas(ctx context.Context, deletion record.Deletion) (sagas, keys int, err error)
	ExpireKeys(ctx context.Context, age time.Duration, limit int) (deleted int, err error)
	// ExpireBulk deletes targets of bulk actions that were finished before age, up to limit, and those actions that have none
	// left. It returns the number of targets.
	ExpireBulk(ctx context.Context, age time.Duration, limit int) (deleted int, err error)
}

// Archive keeps sagas that are about to be deleted.
type Archive interface {
	// Write returns after the sagas are on disk. A saga may be written again.
	Write(ctx context.Context, sagas []record.SagaWithHistory) error
}

// RetentionConfig configures retention. Sagas, Letters and Holder are required.
type RetentionConfig struct {
	Sagas   OldSagas
	Letters OldLetters
	Archive Archive // nil: none
	Holder  string  // identifies this process among the replicas

	Completed   time.Duration // age of completed sagas; 0: no limit
	Undone      time.Duration // age of compensated and abandoned sagas, and of bulk actions; 0: no limit
	KeyAge      time.Duration // age of idempotency keys since the end of their saga; 0: no limit
	LetterAge   time.Duration // age of dead letters; 0: no limit
	KeepLetters int           // 0: MaxDeadLetters

	Every   time.Duration                // between two rounds; 0: 1 min
	Deleted func(kind string, count int) // called after each chunk; nil: none
	Rounded func(err error)              // called after each round of this replica; nil: none
	Logger  *slog.Logger                 // nil: no log
}

// Retention deletes old sagas, idempotency keys, dead letters and bulk actions, in small chunks with pauses, in one replica at a time.
type Retention struct {
	config    RetentionConfig
	renewedAt time.Time // when this replica last got the lease; zero: it has none
}

// NewRetention returns a Retention; Run lets it work.
func NewRetention(config RetentionConfig) *Retention {
	if config.KeepLetters == 0 {
		config.KeepLetters = MaxDeadLetters
	}
	if config.Every == 0 {
		config.Every = time.Minute
	}
	if config.Deleted == nil {
		config.Deleted = func(string, int) {}
	}
	if config.Rounded == nil {
		config.Rounded = func(error) {}
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	return &Retention{config: config}
}

// Run deletes until ctx ends.
func (r *Retention) Run(ctx context.Context) {
	for wait.For(ctx, r.config.Every) {
		if !r.leads(ctx) {
			continue
		}
		err := errors.Join(r.sagas(ctx), r.keys(ctx), r.letters(ctx), r.bulk(ctx))
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			r.warn(ctx, err)
		}
		r.config.Rounded(err)
	}
}

// leads reports whether this replica has the lease. It renews it when a third of it is over.
func (r *Retention) leads(ctx context.Context) bool {
	begun := time.Now()
	if begun.Sub(r.renewedAt) < retentionLease/3 {
		return ctx.Err() == nil
	}
	held, err := r.config.Sagas.HoldLease(ctx, retentionName, r.config.Holder, retentionLease)
	if err != nil {
		r.warn(ctx, err)
	}
	if r.renewedAt = (time.Time{}); held {
		r.renewedAt = begun
	}
	return held && ctx.Err() == nil
}

func (r *Retention) warn(ctx context.Context, err error) {
	if ctx.Err() == nil {
		r.config.Logger.Warn("retention is interrupted, will try again", "error", err)
	}
}

func (r *Retention) deleted(kind string, count int) {
	if count > 0 {
		r.config.Deleted(kind, count)
		r.config.Logger.Debug("deleted what is old", "kind", kind, "count", count)
	}
}

// rest pauses between two chunks, so that callers do not notice them. It returns false if ctx ended.
func (r *Retention) rest(ctx context.Context, took time.Duration) bool {
	return wait.For(ctx, max(leastRest, took))
}

// sagas deletes the old sagas of every definition. A definition that cannot be read keeps its sagas.
func (r *Retention) sagas(ctx context.Context) error {
	var faults []error
	for page := (record.Page{Limit: 100}); ; {
		found, next, err := r.config.Sagas.Definitions(ctx, page)
		if err != nil {
			return errors.Join(append(faults, fmt.Errorf("list definitions: %w", err))...)
		}
		for _, definition := range found {
			if definition.Unreadable != nil {
				continue
			}
			for _, rule := range r.rules(definition.Definition) {
				if err := r.outcome(ctx, rule); err != nil {
					faults = append(faults, err)
				}
			}
		}
		if page.After = next; next == "" {
			return errors.Join(faults...)
		}
	}
}

// rules returns the retention of a definition's outcomes.
func (r *Retention) rules(d *saga.Definition) []record.RetentionRule {
	rule := func(own saga.RetentionRule, otherwise time.Duration, statuses ...saga.Status) record.RetentionRule {
		age := time.Duration(own.Age)
		switch own.Age {
		case 0:
			age = otherwise
		case saga.Forever:
			age = 0
		}
		return record.RetentionRule{Definition: d.Name, Statuses: statuses, Age: age, Count: own.Count}
	}
	return []record.RetentionRule{
		rule(d.Retention.Completed, r.config.Completed, saga.Completed),
		rule(d.Retention.Undone, r.config.Undone, saga.Compensated, saga.Abandoned),
	}
}

// outcome deletes the old sagas of one outcome.
func (r *Retention) outcome(ctx context.Context, rule record.RetentionRule) error {
	if rule.Age <= 0 && rule.Count <= 0 {
		return nil
	}
	expiry, err := r.config.Sagas.Expiry(ctx, rule)
	if err != nil {
		return err
	}
	for _, status := range rule.Statuses {
		for after, size := "", firstChunk; r.leads(ctx); size = min(2*size, record.MaxDeleted) {
			begun := time.Now()
			ids, next, err := r.config.Sagas.Expired(ctx, expiry, status, after, size)
			if err == nil && len(ids) > 0 {
				err = r.chunk(ctx, expiry, ids)
			}
			if err != nil {
				return err
			}
			if after = next; next == "" || !r.rest(ctx, time.Since(begun)) {
				break
			}
		}
	}
	return ctx.Err()
}

// chunk archives sagas, if there is an archive, and deletes them. What the archive takes at a time is bounded by its size.
func (r *Retention) chunk(ctx context.Context, expiry record.Expiry, ids []string) error {
	deletion := record.Deletion{Expiry: expiry, IDs: ids, KeepKeys: r.config.KeyAge}
	if r.config.Archive == nil {
		return r.delete(ctx, deletion)
	}
	for len(ids) > 0 {
		read, err := r.config.Sagas.WithHistory(ctx, ids)
		if err != nil || len(read) == 0 {
			return err
		}
		var doomed []record.SagaWithHistory
		deletion.IDs, deletion.Versions = nil, []string{}
		for i := range read {
			if in := &read[i].Instance; in.Attention == nil && in.Status.Terminal() {
				doomed = append(doomed, read[i])
				deletion.IDs, deletion.Versions = append(deletion.IDs, in.ID), append(deletion.Versions, read[i].Version)
			}
		}
		if len(doomed) > 0 {
			if err := r.config.Archive.Write(ctx, doomed); err != nil {
				return fmt.Errorf("archive %d sagas: %w", len(doomed), err)
			}
			if err := r.delete(ctx, deletion); err != nil {
				return err
			}
		}
		last := read[len(read)-1].ID
		for len(ids) > 0 && ids[0] <= last {
			ids = ids[1:]
		}
	}
	return nil
}

func (r *Retention) delete(ctx context.Context, deletion record.Deletion) error {
	sagas, keys, err := r.config.Sagas.DeleteSagas(ctx, deletion)
	if err != nil {
		return err
	}
	r.deleted(KindSagas, sagas)
	r.deleted(KindKeys, keys)
	return nil
}
