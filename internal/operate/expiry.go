package operate

import (
	"context"
	"time"
)

// MaxDeadLetters is the number of dead letters that are kept. Older ones are deleted.
const MaxDeadLetters = 100_000

// expiryChunk is the number of dead letters, or of idempotency keys, that one statement deletes.
const expiryChunk = 500

// OldLetters deletes old dead letters.
type OldLetters interface {
	// ExpireDeadLetters deletes dead letters that are older than age, or beyond the keep newest, up to limit for each. An
	// age of 0 expires none.
	ExpireDeadLetters(ctx context.Context, age time.Duration, keep, limit int) (deleted int, err error)
}

// letters deletes dead letters by age and number.
func (r *Retention) letters(ctx context.Context) error {
	return r.inChunks(ctx, KindDeadLetters, func() (int, error) {
		return r.config.Letters.ExpireDeadLetters(ctx, r.config.LetterAge, r.config.KeepLetters, expiryChunk)
	})
}

// keys deletes the idempotency keys of sagas that are deleted.
func (r *Retention) keys(ctx context.Context) error {
	if r.config.KeyAge <= 0 {
		return nil
	}
	return r.inChunks(ctx, KindKeys, func() (int, error) { return r.config.Sagas.ExpireKeys(ctx, r.config.KeyAge, expiryChunk) })
}

// bulk deletes bulk actions that were finished long ago.
func (r *Retention) bulk(ctx context.Context) error {
	if r.config.Undone <= 0 {
		return nil
	}
	return r.inChunks(ctx, KindBulk, func() (int, error) { return r.config.Sagas.ExpireBulk(ctx, r.config.Undone, expiryChunk) })
}

// inChunks deletes until a chunk is not full, this replica loses the lease, or ctx ends.
func (r *Retention) inChunks(ctx context.Context, kind string, chunk func() (int, error)) error {
	for r.leads(ctx) {
		begun := time.Now()
		deleted, err := chunk()
		if err != nil {
			return err
		}
		r.deleted(kind, deleted)
		if deleted < expiryChunk || !r.rest(ctx, time.Since(begun)) {
			return nil
		}
	}
	return nil
}
