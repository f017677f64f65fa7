package operate

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/wait"
)

// PayloadKeyEvery is the interval in which the keys of payloads are checked.
const PayloadKeyEvery = 15 * time.Second

// SealedStore is a store that seals payloads.
type SealedStore interface {
	// UsePayloadKeys reports that this process seals with its current key, and returns record.ErrPayloadKeys if it lacks one.
	UsePayloadKeys(ctx context.Context) error
	// RewritePayloads seals some stored payloads with the current key.
	RewritePayloads(ctx context.Context) (more bool, err error)
	PayloadStatus(ctx context.Context) (record.PayloadStatus, error)
}

// Payloads seals stored payloads with the current key, a part at a time. Every replica may run one: the store lets them take
// turns.
type Payloads struct {
	Store  SealedStore
	Seals  bool                       // false: this process has no keys, and only looks whether it should
	Every  time.Duration              // 0: PayloadKeyEvery
	Found  func(record.PayloadStatus) // called with each status; nil: nothing is
	Logger *slog.Logger

	mu     sync.Mutex
	status record.PayloadStatus
}

// Status returns the last status.
func (p *Payloads) Status() record.PayloadStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

// Run works until ctx ends.
func (p *Payloads) Run(ctx context.Context) {
	every := p.Every
	if every == 0 {
		every = PayloadKeyEvery
	}
	for {
		p.round(ctx)
		if !wait.For(ctx, every) {
			return
		}
	}
}

// round looks at the keys, and seals for at most the interval: the key must be reported as used in between.
func (p *Payloads) round(ctx context.Context) {
	if p.Seals {
		if err := p.Store.UsePayloadKeys(ctx); err != nil {
			p.warn(ctx, "the keys of payloads were not checked", err)
		}
	}
	for begun := time.Now(); p.Seals && time.Since(begun) < PayloadKeyEvery; {
		at := time.Now()
		more, err := p.Store.RewritePayloads(ctx)
		if err != nil {
			p.warn(ctx, "payloads were not sealed with the current key, will go on", err)
		}
		if err != nil || !more || !wait.For(ctx, max(time.Since(at), leastRest)) {
			break
		}
	}
	status, err := p.Store.PayloadStatus(ctx)
	if err != nil {
		p.warn(ctx, "the status of the payload keys was not read", err)
		return
	}
	p.mu.Lock()
	p.status = status
	p.mu.Unlock()
	if len(status.Missing) > 0 {
		p.Logger.ErrorContext(ctx, record.ErrPayloadKeys.Error()+": give it the file of keys, and start it again", "keys", status.Missing)
	}
	if p.Found != nil {
		p.Found(status)
	}
}

func (p *Payloads) warn(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		p.Logger.WarnContext(ctx, what, "error", err)
	}
}
