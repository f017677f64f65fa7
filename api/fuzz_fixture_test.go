package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api"
	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/engine"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/local"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
	"github.com/saga-orchestrator/orchestrator/store/memory"
)

// surface is the API over the real engine and the store in memory, without sockets and workers. A fuzzer can send thousands
// of requests per second.
type surface struct {
	handler http.Handler
	engine  *engine.Engine
	store   *memory.Store
	sagas   map[saga.Status]string // one saga of each status, replaced when its status changes
}

func newSurface(f *testing.F) *surface {
	f.Helper()
	kept, err := memory.Open(memory.Config{})
	require.NoError(f, err)
	s := &surface{store: kept, sagas: make(map[saga.Status]string)}
	s.engine = engine.New(engine.Config{Store: kept, Outbox: nowhere{}, Lanes: 1, PollEvery: time.Hour})
	answerAtOnce := make(chan struct{})
	close(answerAtOnce)
	s.handler = api.New(api.Config{
		Engine: s.engine, Reads: kept, Bulks: kept, Broker: local.New(), Keys: kept, Auth: api.AuthNone, Stopping: answerAtOnce,
		RequestTimeout: time.Minute,
	})
	ctx, stop := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() { s.engine.Run(ctx, time.Second) })
	f.Cleanup(func() { stop(); working.Wait(); _ = kept.Close() })
	for name, text := range map[string]string{
		"order": `{"steps":[` + reserve + `,` + charge + `]}`, "letter": `{"steps":[` + receipt + `]}`,
	} {
		def, err := saga.ParseDefinition(name, 0, []byte(text))
		require.NoError(f, err)
		_, _, err = s.engine.RegisterDefinition(f.Context(), def)
		require.NoError(f, err)
	}
	return s
}

// nowhere accepts commands and drops them.
type nowhere struct{}

func (nowhere) Hold([]wire.Command)                     {}
func (nowhere) Dispatch([]wire.Command)                 {}
func (nowhere) Await(context.Context)                   {}
func (nowhere) TakeConfirmed(int, int) []saga.CommandID { return nil }
func (nowhere) ReturnConfirmed([]saga.CommandID)        {}

// kinds returns the statuses of the sagas.
func kinds() []saga.Status {
	return []saga.Status{saga.Scheduled, saga.Running, saga.Paused, saga.Stuck, saga.Compensating, saga.Abandoned}
}

// saga returns the id of a saga with the status, and creates one if necessary.
func (s *surface) saga(t *testing.T, status saga.Status) string {
	t.Helper()
	if id := s.sagas[status]; id != "" {
		if in, err := s.store.Saga(t.Context(), id); err == nil && in.Status == status {
			return id
		}
	}
	request := record.StartRequest{Definition: "order", Data: json.RawMessage(`{"orderId":"42"}`)}
	switch status {
	case saga.Scheduled:
		request.StartAt = time.Now().Add(time.Hour)
	case saga.Stuck:
		request.Definition = "letter"
	}
	in, _, err := s.engine.Start(t.Context(), request)
	require.NoError(t, err)
	act := func(name saga.ActionName) {
		_, err := s.engine.Act(t.Context(), in.ID, saga.Action{ID: string(name), Name: name, Reason: "as the test needs it"})
		require.NoError(t, err)
	}
	switch status {
	case saga.Paused:
		act(saga.ActionPause)
	case saga.Stuck:
		s.reply(t, in.ID+"/receipt/execute/1", wire.Failed("no", "no", false))
	case saga.Compensating:
		act(saga.ActionCompensate)
	case saga.Abandoned: // with a late effect, so that actions apply
		act(saga.ActionAbandon)
		s.reply(t, in.ID+"/reserve/execute/1", wire.Succeeded(nil))
	}
	s.sagas[status] = in.ID
	return in.ID
}

func (s *surface) reply(t *testing.T, command string, reply wire.Reply) {
	t.Helper()
	body, err := reply.Encode()
	require.NoError(t, err)
	settled := make(chan bool, 1)
	s.engine.ReceiveReply(t.Context(), wire.Message{CorrelationID: command, Body: body}, func(ok bool) { settled <- ok })
	require.True(t, <-settled)
}

// send sends any request, including those that client libraries refuse to send.
func (s *surface) send(t *testing.T, method, path, query string, headers map[string]string, body []byte) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), method, "/", strings.NewReader(string(body)))
	request.URL = &url.URL{Path: path, RawQuery: query}
	request.Header.Set("Content-Type", "application/json")
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	recorder := httptest.NewRecorder()
	s.handler.ServeHTTP(recorder, request)
	return recorder
}

// checkAnswer asserts that an answer is a success or a problem with a code. It returns the problem.
func checkAnswer(t *testing.T, answer *httptest.ResponseRecorder) *resource.Problem {
	t.Helper()
	require.Less(t, answer.Code, http.StatusInternalServerError, "%s", answer.Body)
	if answer.Code == http.StatusNoContent {
		return nil
	}
	require.True(t, json.Valid(answer.Body.Bytes()), "%q", answer.Body)
	if answer.Code < http.StatusBadRequest {
		require.Regexp(t, `^application/(openapi\+)?json$`, answer.Header().Get("Content-Type"))
		return nil
	}
	require.Equal(t, "application/problem+json", answer.Header().Get("Content-Type"))
	var problem resource.Problem
	require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &problem))
	require.Equal(t, answer.Code, problem.Status)
	require.Regexp(t, `^[a-z]+(_[a-z]+)*$`, problem.Code)
	require.Less(t, answer.Body.Len(), 64<<10, "a problem is short")
	return &problem
}

// checkDiscretion asserts that a problem never repeats a value. Short values and plain words may occur by chance.
func checkDiscretion(t *testing.T, problem *resource.Problem, values []string) {
	t.Helper()
	if problem == nil {
		return
	}
	said := problem.Title + "\n" + problem.Detail
	for _, fault := range problem.Errors {
		said += "\n" + fault.Message
	}
	for _, value := range values {
		if len(value) >= 6 && strings.ContainsAny(value, "0123456789<>\\\"") {
			require.NotContains(t, said, value)
		}
	}
}

// valuesIn returns the strings in a document, up to the first syntax error.
func valuesIn(document []byte) []string {
	var value any
	if json.Unmarshal(document, &value) != nil {
		return []string{string(document)}
	}
	return textsIn(value)
}

func textsIn(value any) []string {
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, element := range v {
			all = append(all, textsIn(element)...)
		}
		return all
	case map[string]any:
		var all []string
		for _, member := range v {
			all = append(all, textsIn(member)...)
		}
		return all
	default:
		return nil
	}
}
