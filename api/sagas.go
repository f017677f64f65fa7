package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

type (
	startInput struct {
		IdempotencyKey string `header:"Idempotency-Key" doc:"Makes the start safe to repeat: the same key with the same body returns the same saga"`
		TraceParent    string `header:"traceparent" doc:"W3C trace context, passed on in the saga's commands"`
		Wait           string `query:"wait" doc:"Delay the answer until the saga has ended or needs attention, for at most this long (up to 60s)"`
	}
	// SagaInput names a saga. It is exported because the router ignores embedded types that are not.
	SagaInput struct {
		ID string `path:"id" doc:"Id of the saga"`
	}
	getSagaInput struct {
		SagaInput
		Wait        string       `query:"wait" doc:"Delay the answer until the next change, for at most this long (up to 60s)"`
		Since       Given[int64] `query:"since" minimum:"0" doc:"With wait: the last revision that the caller has seen; 0: none"`
		IfNoneMatch string       `header:"If-None-Match" doc:"ETags that the caller has seen: 304 if the saga is still at one of them"`
	}
	sagaOutput struct {
		Status   int
		ETag     string `header:"ETag"`
		Location string `header:"Location"`
		Body     resource.Saga
	}
)

func (s *service) sagaRoutes() {
	const tag = "Sagas"
	register(s, route{
		id: "start-saga", method: http.MethodPost, path: "/v1/sagas", tag: tag, role: record.Operator,
		summary: "Start a saga", status: http.StatusCreated, waits: true, body: bodyOf[resource.StartSaga](),
		about: "Returns 201 with the saga. An Idempotency-Key that was used before returns 200 with that saga as it is now, " +
			"or 422 `idempotency_conflict` if the body differs. 409 `key_in_use` names the saga that holds the key, " +
			"and 410 `saga_gone` the saga of the Idempotency-Key if it has ended and was deleted.",
		answers: answers{http.StatusOK: resource.Saga{}}, errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusGone},
	}, s.startSaga)
	register(s, route{
		id: "list-sagas", method: http.MethodGet, path: "/v1/sagas", tag: tag, role: record.Viewer,
		summary: "List sagas", about: "Newest first. A saga must match every filter.",
	}, s.listSagas)
	register(s, route{
		id: "get-saga", method: http.MethodGet, path: "/v1/sagas/{id}", tag: tag, role: record.Viewer, waits: true,
		summary: "Get a saga", errors: []int{http.StatusNotFound, http.StatusUnprocessableEntity},
		answers: answers{http.StatusNotModified: nil},
		about: "The revision is the ETag. With `wait` the call returns when the revision differs from `since`, the saga has " +
			"ended, or the time is up.",
	}, s.getSaga)
	register(s, route{
		id: "get-saga-history", method: http.MethodGet, path: "/v1/sagas/{id}/history", tag: tag, role: record.Viewer,
		summary: "Get the history of a saga", about: "Oldest entry first.", errors: []int{http.StatusNotFound},
	}, s.history)
	register(s, route{
		id: "why-saga", method: http.MethodGet, path: "/v1/sagas/{id}/why", tag: tag, role: record.Viewer,
		summary: "Explain what a saga is waiting for", errors: []int{http.StatusNotFound},
		about: "Returns one cause, concluded from the saga, its attempts, the outbox, the queue and the timers, with what an " +
			"operator can do and what happens automatically.",
	}, s.why)
}

func (s *service) startSaga(ctx context.Context, input *startInput) (*sagaOutput, error) {
	wait, err := parseWait(input.Wait)
	if err != nil {
		return nil, err
	}
	if err := checkIdempotencyKey(input.IdempotencyKey); err != nil {
		return nil, err
	}
	request, err := decodeStart(body(ctx), s.Now(), input.IdempotencyKey != "")
	if err != nil {
		return nil, err
	}
	if !scopeOf(ctx).Covers(request.Definition) {
		return nil, record.ErrDefinitionNotFound
	}
	request.IdempotencyKey = input.IdempotencyKey
	request.TraceParent = traceParent(input.TraceParent)
	request.Actor = actor(ctx)
	in, existed, err := s.startAndWait(ctx, request, wait)
	if err != nil {
		return nil, err
	}
	output, err := s.answer(ctx, in)
	if err == nil && !existed {
		output.Status = http.StatusCreated
		output.Location = "/v1/sagas/" + in.ID
	}
	return output, err
}

// startAndWait starts a saga, or finds the saga of the idempotency key, and waits until it has ended or needs an operator.
func (s *service) startAndWait(
	ctx context.Context, request record.StartRequest, wait time.Duration,
) (in saga.Instance, existed bool, err error) {
	request.SagaID = ulid.Make().String() // known here, so that the wait can subscribe before the start
	in, err = s.await(ctx, waiting{
		id: request.SagaID, made: true, news: settled, wanted: func(in *saga.Instance) bool { return existed || settled(in) },
		first: func() (saga.Instance, error) {
			in, existed, err = s.Engine.Start(ctx, request)
			return in, err
		},
	}, wait)
	if err != nil || !existed || wait <= 0 {
		return in, existed, err
	}
	found := in.ID
	in, err = s.await(ctx, waiting{
		id: found, news: settled, wanted: settled,
		first: func() (saga.Instance, error) { return s.saga(ctx, found) },
	}, wait)
	return in, existed, err
}

func (s *service) getSaga(ctx context.Context, input *getSagaInput) (*sagaOutput, error) {
	id, err := sagaID(input.ID)
	if err != nil {
		return nil, err
	}
	wait, err := parseWait(input.Wait)
	if err != nil {
		return nil, err
	}
	known, isKnown := input.Since.Value, input.Since.Set
	in, err := s.await(ctx, waiting{
		id: id, first: func() (saga.Instance, error) { return s.saga(ctx, id) },
		wanted: func(in *saga.Instance) bool {
			if !isKnown {
				known, isKnown = in.Revision, true
			}
			return in.Revision != known || in.Status.Terminal()
		},
	}, wait)
	if errors.Is(err, record.ErrUnreadable) {
		return s.answerUnreadable(ctx, id)
	}
	if err != nil {
		return nil, err
	}
	same, err := unchanged(input.IfNoneMatch, in)
	if err != nil {
		return nil, err
	}
	if same {
		return &sagaOutput{Status: http.StatusNotModified, ETag: etag(in.Revision)}, nil
	}
	return s.answer(ctx, in)
}

// answerUnreadable shows the readable part of a saga.
func (s *service) answerUnreadable(ctx context.Context, id string) (*sagaOutput, error) {
	stored, err := s.Reads.Saga(ctx, id)
	if err != nil {
		return nil, err
	}
	shown, err := s.view(ctx, stored)
	return &sagaOutput{Status: http.StatusOK, ETag: etag(stored.Revision), Body: shown}, err
}

// answer shows a saga with its revision as the ETag.
func (s *service) answer(ctx context.Context, in saga.Instance) (*sagaOutput, error) {
	shown, err := s.show(ctx, in)
	if err != nil {
		return nil, err
	}
	return &sagaOutput{Status: http.StatusOK, ETag: etag(in.Revision), Body: shown}, nil
}
