package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

type watchInput struct {
	SagaInput
	LastEventID string `header:"Last-Event-ID" doc:"The last revision that the caller has seen"`
}

func (s *service) watchRoute() {
	register(s, route{
		id: "watch-saga", method: http.MethodGet, path: "/v1/sagas/{id}/watch", tag: "Sagas", role: record.Viewer,
		summary: "Watch a saga", answers: answers{http.StatusNoContent: nil}, errors: []int{http.StatusNotFound}, streams: true,
		about: "Sends server-sent events (text/event-stream) until the saga has ended: its state now and after each change, as " +
			"`event: saga` with the revision as `id` and the saga as `data`. Returns 204 if Last-Event-ID is the last " +
			"revision of a saga that has ended, so that browsers do not connect again. A quiet stream gets a comment " +
			"every 15 s. Beyond " + decimal(maxStreams) + " streams, or " +
			decimal(maxStreamsPerKey) + " with one key: 503 `busy` with Retry-After.",
	}, s.watch)
}

func (s *service) watch(ctx context.Context, input *watchInput) (*huma.StreamResponse, error) {
	id, err := sagaID(input.ID)
	if err != nil {
		return nil, err
	}
	known, err := strconv.ParseInt(input.LastEventID, 10, 64)
	if input.LastEventID != "" && (err != nil || known < 0) {
		return nil, parameter("Last-Event-ID", "must be the id of an event of this stream")
	}
	in, err := s.read(ctx, id)
	if err != nil {
		return nil, err
	}
	finished := in.Status.Terminal() && in.Revision == known
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		request, w := humachi.Unwrap(hc)
		if finished {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Accel-Buffering", "no") // keeps nginx from buffering events
		w.WriteHeader(http.StatusOK)
		if request.Method == http.MethodHead {
			return
		}
		stream := &stream{
			w: w, controller: http.NewResponseController(w), connection: connectionOf(request.Context()), allowance: s.StreamAllowance,
		}
		if err := s.sendChanges(ctx, stream, id, known); err != nil && ctx.Err() == nil {
			s.Logger.WarnContext(ctx, "watch ended", "saga_id", id, "error", err, "request_id", requestID(ctx))
		}
	}}, nil
}

// sendChanges sends the saga after each change until the saga has ended, the client has left, its key is not valid any more or the
// process stops.
func (s *service) sendChanges(ctx context.Context, stream *stream, id string, known int64) error {
	changes, cancel := s.Engine.Changed(id, nil)
	defer cancel()
	quiet := time.NewTicker(s.KeepAlive)
	defer quiet.Stop()
	check := time.NewTicker(keyCheck)
	defer check.Stop()
	if err := stream.comment("watching"); err != nil {
		return err
	}
	stored, err := s.read(ctx, id)
	for err == nil {
		if stored.Revision != known {
			if err := s.sendChange(ctx, stream, stored); err != nil {
				return err
			}
			known = stored.Revision
		}
		if stored.Status.Terminal() {
			return nil
		}
		select {
		case changed := <-changes:
			if changed.Revision > stored.Revision {
				stored = record.StoredSaga{Instance: changed}
			}
		case <-quiet.C:
			err = stream.comment("still here")
		case <-check.C:
			if s.refused(ctx) != nil {
				return nil
			}
		case <-s.Stopping:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}

func (s *service) read(ctx context.Context, id string) (record.StoredSaga, error) {
	limited, cancel := context.WithTimeout(ctx, s.RequestTimeout)
	defer cancel()
	return s.Reads.Saga(limited, id)
}

func (s *service) sendChange(ctx context.Context, stream *stream, stored record.StoredSaga) error {
	limited, cancel := context.WithTimeout(ctx, s.RequestTimeout)
	defer cancel()
	shown, err := s.view(limited, stored)
	if err != nil {
		return err
	}
	return stream.event("saga", stored.Revision, shown)
}

// stream writes server-sent events. Each has its own write deadline, which replaces the deadline of the server.
type stream struct {
	w          http.ResponseWriter
	controller *http.ResponseController
	connection *connection
	allowance  time.Duration // for one event
}

func (t *stream) comment(text string) error { return t.write([]byte(": " + text + "\n\n")) }

func (t *stream) event(name string, id int64, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	return t.write(fmt.Appendf(nil, "event: %s\nid: %d\ndata: %s\n\n", name, id, text))
}

func (t *stream) write(content []byte) error {
	_ = t.controller.SetReadDeadline(time.Time{}) // a writer in a test has no deadlines
	_ = t.controller.SetWriteDeadline(time.Now().Add(t.allowance))
	t.connection.enter(phaseSending)
	defer t.connection.enter(phaseWorking)
	if _, err := t.w.Write(content); err != nil {
		return err
	}
	return t.controller.Flush()
}
