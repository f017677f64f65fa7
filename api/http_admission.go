package api

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

// beginAllowance is the time for which a request waits for Begin.
const beginAllowance = 2 * time.Second

// Admission lets requests of an HTTP server of the program through to a handler, between Begin and End. It does what NewServer
// does for a server of ours, as far as a handler can: it limits the time of each request.
type Admission struct {
	next      http.Handler
	localOnly bool
	begun     chan struct{}
	begin     func()
	running   context.Context // ends when End gives up
	giveUp    context.CancelFunc

	mu       sync.Mutex
	ended    bool
	requests sync.WaitGroup
}

// NewAdmission returns an admission that waits for Begin. With localOnly it refuses requests that arrive at an address that
// other machines can reach.
func NewAdmission(next http.Handler, localOnly bool) *Admission {
	a := &Admission{next: next, localOnly: localOnly, begun: make(chan struct{})}
	a.begin = sync.OnceFunc(func() { close(a.begun) })
	a.running, a.giveUp = context.WithCancel(context.Background()) //nolint:gosec // End calls giveUp
	return a
}

// Begin lets requests through.
func (a *Admission) Begin() { a.begin() }

// End refuses further requests and waits for the running ones. It cancels them when ctx ends.
func (a *Admission) End(ctx context.Context) {
	a.mu.Lock()
	a.ended = true
	a.mu.Unlock()
	a.begin() // requests that wait are refused at once
	defer context.AfterFunc(ctx, a.giveUp)()
	a.requests.Wait()
}

// ServeHTTP passes the request on, or answers it with a problem.
func (a *Admission) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if a.localOnly && !arrivedLocally(r.Context()) {
		writeProblem(w, problem(resource.CodeForbiddenHost, "Without authentication requests must arrive at a loopback address. "+
			"Let the HTTP server listen on one, use keys, or allow it with Insecure."))
		return
	}
	if !a.enter(r.Context()) {
		w.Header().Set("Retry-After", "1")
		writeProblem(w, problem(resource.CodeUnavailable, "The orchestrator is not running. The request was not begun: retry later."))
		return
	}
	defer a.requests.Done()
	limitRequest(w)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(a.running, cancel)()
	ctx = context.WithValue(ctx, chi.RouteCtxKey, (*chi.Context)(nil)) // of a router of the program: ours would continue its path
	a.next.ServeHTTP(w, r.WithContext(ctx))
}

// enter waits a while for Begin, and reports whether the request may run.
func (a *Admission) enter(ctx context.Context) bool {
	waiting, cancel := context.WithTimeout(ctx, beginAllowance)
	defer cancel()
	select {
	case <-a.begun:
	case <-waiting.Done():
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		return false
	}
	a.requests.Add(1)
	return true
}

// limitRequest sets the deadlines that a request has under NewServer. The HTTP server sets its own again for the next request.
func limitRequest(w http.ResponseWriter) {
	controller := http.NewResponseController(w)
	now := time.Now()
	_ = controller.SetReadDeadline(now.Add(readTimeout)) // a writer without deadlines, such as in a test, has no limits
	_ = controller.SetWriteDeadline(now.Add(writeTimeout))
}

// arrivedLocally reports whether only this machine can reach the address at which the request arrived. It reports false if the
// address is not known.
func arrivedLocally(ctx context.Context) bool {
	switch at := ctx.Value(http.LocalAddrContextKey).(type) {
	case *net.UnixAddr:
		return true
	case *net.TCPAddr:
		return at.IP.IsLoopback()
	case net.Addr:
		address, err := netip.ParseAddrPort(at.String())
		return err == nil && address.Addr().IsLoopback()
	default:
		return false
	}
}
