package operate

import (
	"context"
	"log/slog"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/wait"
)

// AuditLog is what the store does with the audit log.
type AuditLog interface {
	// SealAudit chains the entries that were stored since.
	SealAudit(ctx context.Context) (sealed int, err error)
	// ExpireAudit deletes entries that are older than age, from the first one on; age 0: none.
	ExpireAudit(ctx context.Context, age time.Duration, limit int) (deleted int, err error)
}

const (
	// sealEvery is the interval in which stored audit entries are chained. It doubles with each failure, up to longestSealRest.
	sealEvery       = time.Second
	longestSealRest = time.Minute
	// expireAuditEvery is the interval in which old audit entries are deleted.
	expireAuditEvery = time.Minute
)

// Audit chains the entries of the audit log, and deletes old ones. Every replica may run one: the store lets them take turns.
type Audit struct {
	Log    AuditLog
	Age    time.Duration // of entries that are deleted; 0: none
	Logger *slog.Logger
}

// Run works until ctx ends.
func (a Audit) Run(ctx context.Context) {
	expired, rest := time.Now(), sealEvery
	for wait.For(ctx, rest) {
		rest = a.seal(ctx, rest)
		if a.Age > 0 && time.Since(expired) >= expireAuditEvery {
			expired = time.Now()
			a.expire(ctx)
		}
	}
}

// seal returns after which rest the next entries are chained.
func (a Audit) seal(ctx context.Context, rest time.Duration) time.Duration {
	_, err := a.Log.SealAudit(ctx)
	if err == nil || ctx.Err() != nil {
		return sealEvery
	}
	rest = min(2*rest, longestSealRest)
	a.Logger.WarnContext(ctx, "the audit log was not chained", "error", err, "next_try_in", rest)
	return rest
}

func (a Audit) expire(ctx context.Context) {
	for {
		deleted, err := a.Log.ExpireAudit(ctx, a.Age, expiryChunk)
		if err != nil && ctx.Err() == nil {
			a.Logger.WarnContext(ctx, "old audit entries were not deleted", "error", err)
		}
		if err != nil || deleted < expiryChunk || !wait.For(ctx, leastRest) {
			return
		}
	}
}
