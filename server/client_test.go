package server_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/server"
)

// A program without an HTTP server of its own: it starts sagas by a client whose calls stay in the process.
func ExampleServer_Client() {
	orchestrator, err := server.Open(context.Background(), server.Config{NoListener: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	transfers := transferSaga()
	stop := run(orchestrator, transfers.Serve)
	defer stop()
	c := orchestrator.Client("the shop")
	if _, err := transfers.Register(context.Background(), c); err != nil {
		fmt.Println(err)
		return
	}
	done, err := transfers.Run(context.Background(), c, Transfer{Amount: 40})
	fmt.Println(done.Booking, err)
	// Output: withdrawal of 40 <nil>
}

// alone runs a server without any HTTP server.
func alone(t *testing.T, config server.Config) (s *server.Server, end func()) {
	t.Helper()
	config.NoListener = true
	s, err := server.Open(t.Context(), config)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { assert.NoError(t, s.Run(ctx)) })
	end = func() { cancel(); running.Wait() }
	t.Cleanup(end)
	return s, end
}

func waiting() *saga.Definition {
	return saga.New("trip").WaitForSignal("approval", "approve").Step("hotel", "hotels.book").MustBuild()
}

func TestTheClientOfTheProgramNeedsNoKey(t *testing.T) {
	t.Parallel()
	for _, auth := range []string{"keys", "none"} {
		s, end := alone(t, server.Config{Auth: auth, BasePath: "/saga", SimulateWorkers: true})
		c := s.Client("the shop")
		_, err := c.Register(t.Context(), waiting())
		require.NoError(t, err)
		started, err := c.Start(t.Context(), client.StartRequest{Definition: "trip"})
		require.NoError(t, err)

		var states []saga.Status
		for state, err := range c.Watch(t.Context(), started.ID) {
			require.NoError(t, err)
			if states = append(states, state.Status); len(states) == 1 {
				_, err := c.Signal(t.Context(), started.ID, "approve", client.SignalOptions{})
				require.NoError(t, err)
			}
		}
		assert.Equal(t, saga.Completed, states[len(states)-1])
		history, err := c.History(t.Context(), started.ID)
		require.NoError(t, err)
		actors := ""
		for _, entry := range history {
			actors += entry.Actor + ";"
		}
		assert.Contains(t, actors, "the shop;", "with auth %s", auth)
		_, err = c.Definition(t.Context(), "none", 0)
		problem, is := errors.AsType[*client.Problem](err)
		require.True(t, is, "%v", err)
		assert.Equal(t, http.StatusNotFound, problem.Status)
		end()
		_, err = c.Saga(t.Context(), started.ID)
		require.ErrorContains(t, err, "not running")
	}
}

func TestTheKeysOfOthersAreStillAsked(t *testing.T) {
	t.Parallel()
	s, _ := alone(t, server.Config{Auth: "keys"})
	answer := httptest.NewRecorder()
	s.Handler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/sagas", nil))
	assert.Equal(t, http.StatusUnauthorized, answer.Code)
}

func TestACallInsideTheProcessEndsWithItsContextAndItsWatch(t *testing.T) {
	t.Parallel()
	s, _ := alone(t, server.Config{})
	c := s.Client("the shop")
	_, err := c.Register(t.Context(), waiting())
	require.NoError(t, err)
	started, err := c.Start(t.Context(), client.StartRequest{Definition: "trip"})
	require.NoError(t, err)
	for state, err := range c.Watch(t.Context(), started.ID) {
		require.NoError(t, err)
		assert.Equal(t, saga.Running, state.Status)
		break // goleak sees that the stream ends
	}
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = c.Wait(soon, started.ID, started.Revision, time.Minute)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// The handler works below every way of mounting it, and calls of the program work from inside a router's handler.
func TestARouterOfTheProgramDoesNotDisturb(t *testing.T) {
	t.Parallel()
	s, err := server.Open(t.Context(), server.Config{NoListener: true, BasePath: "/saga", Auth: "none"})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { assert.NoError(t, s.Run(ctx)) })
	mounted, handled := chi.NewRouter(), chi.NewRouter()
	mounted.Mount("/saga", s.Handler())
	handled.Handle("/saga/*", s.Handler())
	handled.Get("/own/{id}", func(w http.ResponseWriter, r *http.Request) {
		_, err := s.Client("the shop").Register(r.Context(), waiting())
		assert.NoError(t, err)
		w.WriteHeader(http.StatusNoContent)
	})
	for _, router := range []http.Handler{handled, mounted} {
		own := httptest.NewServer(router)
		if router == handled {
			status, _ := request(t, http.MethodGet, own.URL+"/own/1", "")
			require.Equal(t, http.StatusNoContent, status)
		}
		for path, want := range map[string]int{
			"/saga/v1/definitions/trip": http.StatusOK, "/saga/v1/definitions/none": http.StatusNotFound, "/saga/": http.StatusOK,
			"/saga/ui/sagas": http.StatusOK, "/saga/v1/nothing": http.StatusNotFound,
		} {
			status, answer := request(t, http.MethodGet, own.URL+path, "")
			assert.Equal(t, want, status, "%s: %s", path, answer)
		}
		status, answer := request(t, http.MethodDelete, own.URL+"/saga/v1/sagas", "")
		assert.Equal(t, http.StatusMethodNotAllowed, status, answer)
		own.Close()
	}
	cancel()
	running.Wait()
	http.DefaultClient.CloseIdleConnections()
}

// logged is a log that a test reads while others write it.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(content []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(content)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// gone is the answer to a caller that has left.
type gone struct{ header http.Header }

var errGone = errors.New("the caller has left")

func (g gone) Header() http.Header       { return g.header }
func (g gone) Write([]byte) (int, error) { return 0, errGone }
func (gone) WriteHeader(int)             {}

func TestACallerThatLeavesIsNotAFault(t *testing.T) {
	t.Parallel()
	log := &logged{}
	s, end := alone(t, server.Config{Auth: "none", Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	c := s.Client("the shop")
	_, err := c.Register(t.Context(), waiting())
	require.NoError(t, err)
	started, err := c.Start(t.Context(), client.StartRequest{Definition: "trip"})
	require.NoError(t, err)
	for range 5 {
		soon, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		_, err = c.Wait(soon, started.ID, started.Revision, time.Minute)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		cancel()
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/sagas", nil)
	assert.NotPanics(t, func() { s.Handler().ServeHTTP(gone{http.Header{}}, r) })
	end()
	assert.Contains(t, log.String(), "msg=request")
	assert.NotContains(t, log.String(), "panic")
	assert.NotContains(t, log.String(), "level=ERROR")
}
