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

// How many requests of a kind may be under way at a time, of all callers together and with one key. Together they are
// fewer than MaxConnections. Probes, /metrics and the documentation belong to no share.
const (
	maxStreams       = 400
	maxStreamsPerKey = 200
	maxWaits         = 1000
	maxWaitsPerKey   = 500
	maxCalls         = 400
)

// share limits how many requests of one kind are under way.
type share struct {
	most       int
	mostPerKey int
	retryAfter string // seconds
	detail     string // of the refusal

	mutex sync.Mutex
	taken int
	byKey map[string]int
}

// shares are those of every kind of request.
type shares struct{ streams, waits, calls share }

func newShares() *shares {
	return &shares{
		streams: share{
			most: maxStreams, mostPerKey: maxStreamsPerKey, retryAfter: "5", byKey: make(map[string]int),
			detail: "At most " + decimal(maxStreams) + " sagas are watched at a time, " + decimal(maxStreamsPerKey) +
				" of them with one key. Nothing was begun: try again later, or read the saga with ?wait.",
		},
		waits: share{
			most: maxWaits, mostPerKey: maxWaitsPerKey, retryAfter: "1", byKey: make(map[string]int),
			detail: "At most " + decimal(maxWaits) + " requests wait at a time, " + decimal(maxWaitsPerKey) +
				" of them with one key. Nothing was begun: try again later, or without ?wait.",
		},
		calls: share{
			most: maxCalls, mostPerKey: maxCalls, retryAfter: "1", byKey: make(map[string]int),
			detail: "At most " + decimal(maxCalls) + " requests are worked on at a time. Nothing was begun: try again later.",
		},
	}
}

// take reports whether there is room for one more request with that key; where nobody is asked for a key it is empty.
// The caller leaves once.
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

// of returns the share that a request belongs to.
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

// limitShare lets a request pass if its share has room. An answer that is being written has left its share, unless it
// is a stream: how fast a client reads must not keep others out.
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

// callerID is the id of the caller's key; empty where nobody is asked for one.
func callerID(ctx context.Context) string {
	key, _ := ctx.Value(callerKey{}).(record.Key)
	return key.ID
}
