package api

import (
	"context"
	"net/http"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// The maximum number of concurrent requests of a kind, in total and per key. Their sum is less than MaxConnections. Probes,
// /metrics and the documentation have no such limit.
const (
	maxStreams       = 400
	maxStreamsPerKey = 200
	maxWaits         = 1000
	maxWaitsPerKey   = 500
	maxCalls         = 400
)

// share limits the concurrent requests of one kind.
type share struct {
	most       int
	mostPerKey int
	retryAfter string // seconds
	detail     string // of the refusal

	mutex sync.Mutex
	taken int
	byKey map[string]int
}

// shares holds the share of each kind of request.
type shares struct{ streams, waits, calls share }

func newShares() *shares {
	return &shares{
		streams: share{
			most: maxStreams, mostPerKey: maxStreamsPerKey, retryAfter: "5", byKey: make(map[string]int),
			detail: "The limit of " + decimal(maxStreams) + " concurrent streams, " + decimal(maxStreamsPerKey) +
				" per key, is reached. The request was not begun: retry later, or read the saga with ?wait.",
		},
		waits: share{
			most: maxWaits, mostPerKey: maxWaitsPerKey, retryAfter: "1", byKey: make(map[string]int),
			detail: "The limit of " + decimal(maxWaits) + " waiting requests, " + decimal(maxWaitsPerKey) +
				" per key, is reached. The request was not begun: retry later, or without ?wait.",
		},
		calls: share{
			most: maxCalls, mostPerKey: maxCalls, retryAfter: "1", byKey: make(map[string]int),
			detail: "The limit of " + decimal(maxCalls) + " concurrent requests is reached. The request was not begun: retry later.",
		},
	}
}

// take reports whether there is room for one more request with that key, which is empty without authentication. The caller
// must then call leave once.
func (s *share) take(keyID string) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.taken >= s.most || keyID != "" && s.byKey[keyID] >= s.mostPerKey {
		return false
	}
	s.taken++
	s.byKey[keyID]++
	return true
}

func (s *share) leave(keyID string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.taken--
	if s.byKey[keyID]--; s.byKey[keyID] == 0 {
		delete(s.byKey, keyID)
	}
}

// of returns the share of a request.
func (s *shares) of(r route, ctx huma.Context) *share {
	switch {
	case r.streams && ctx.Method() != http.MethodHead:
		return &s.streams
	case r.waits && ctx.Query("wait") != "":
		return &s.waits
	default:
		return &s.calls
	}
}

// limitShare passes a request if its share has room. Except for a stream, a request leaves its share when its answer
// begins, so that a slow reader does not block others.
func (s *service) limitShare(r route) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		taken, keyID := s.shares.of(r, ctx), callerID(ctx.Context())
		_, w := humachi.Unwrap(ctx)
		if !taken.take(keyID) {
			w.Header().Set("Retry-After", taken.retryAfter)
			writeProblem(w, problem(resource.CodeBusy, taken.detail))
			return
		}
		leave := sync.OnceFunc(func() { taken.leave(keyID) })
		defer leave()
		if recorded, ok := w.(*statusRecorder); ok && taken != &s.shares.streams {
			recorded.onBegin = leave
		}
		next(ctx)
	}
}

// callerID returns the id of the caller's key; empty without authentication.
func callerID(ctx context.Context) string {
	key, _ := ctx.Value(callerKey{}).(record.Key)
	return key.ID
}
