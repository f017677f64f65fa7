package api

import (
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/httprate"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

// MaxKeyRate is the highest rate limit of a key, in requests per second.
const MaxKeyRate = 1_000_000

// newKeyLimiter returns the limiter of the requests of each key. nil: no limit.
func newKeyLimiter(perSecond int) *httprate.RateLimiter {
	if perSecond <= 0 {
		return nil
	}
	return httprate.NewRateLimiter(perSecond, time.Second, httprate.WithResponseHeaders(httprate.ResponseHeaders{RetryAfter: "Retry-After"}))
}

// limitRate passes a request if its key has not reached its rate.
func (s *service) limitRate(ctx huma.Context, next func(huma.Context)) {
	keyID := callerID(ctx.Context())
	if s.keyLimiter == nil || keyID == "" {
		next(ctx)
		return
	}
	request, w := humachi.Unwrap(ctx)
	if s.keyLimiter.OnLimit(w, request, keyID) {
		writeProblem(w, problem(resource.CodeRateLimited,
			"The limit of "+decimal(s.KeyRate)+" requests per second with one key is reached. The request was not begun: retry later."))
		return
	}
	next(ctx)
}
