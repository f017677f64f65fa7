package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/oklog/ulid/v2"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// maxSignalCode is the longest code of a signal's error, in printable characters.
const maxSignalCode = 128

// maxErrorMessage is the longest message of a signal's error, in bytes: that of a worker's.
const maxErrorMessage = 4096

// SignalInput names a saga and a signal.
type SignalInput struct {
	SagaInput
	Name           string `path:"name" doc:"The signal, as a step of the definition names it"`
	IfMatch        string `header:"If-Match" doc:"ETags of the saga, weak or strong: 412 if the saga is at none of them"`
	IdempotencyKey string `header:"Idempotency-Key" doc:"Makes the signal safe to repeat: the same key with the same body returns the saga"`
}

func (s *service) signalRoute() {
	register(s, route{
		id: "signal-saga", method: http.MethodPost, path: "/v1/sagas/{id}/signals/{name}", tag: "Actions", role: record.Operator,
		summary: "Give a saga a signal that one of its steps waits for",
		about: "The step succeeds with the `output`, or fails with the code of the `error`. A signal that comes before its step waits " +
			"is kept for it. The first one counts: later ones are 409 `signal_taken`. Returns the saga.",
		body:   &bodyRule{shape: bodyOf[resource.Signal]().shape, optional: true},
		errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed},
	}, s.signal)
}

func (s *service) signal(ctx context.Context, input *SignalInput) (*sagaOutput, error) {
	id, err := sagaID(input.ID)
	if err != nil {
		return nil, err
	}
	if err := checkIdempotencyKey(input.IdempotencyKey); err != nil {
		return nil, err
	}
	signal, err := readSignal(body(ctx))
	if err != nil {
		return nil, err
	}
	if err := s.checkSaga(ctx, id); err != nil {
		return nil, err
	}
	if signal.IfRevision, err = s.ifMatch(ctx, id, input.IfMatch); err != nil {
		return nil, err
	}
	signal.ID, signal.Name, signal.Key, signal.Actor = ulid.Make().String(), input.Name, input.IdempotencyKey, actor(ctx)
	in, err := s.Engine.Signal(ctx, id, signal)
	if err != nil {
		return nil, s.withAllowed(ctx, in, err)
	}
	return s.answer(ctx, in)
}

func readSignal(content []byte) (signal saga.Signal, err error) {
	_, err = decode(content, func(given resource.Signal) (faults []resource.FieldError) {
		signal.Output = optionalObject("output", given.Output, &faults)
		if given.Error == nil {
			return faults
		}
		if signal.Output != nil {
			faults = append(faults, field("error", "a signal has an output or an error"))
		}
		signal.Error = &saga.StepError{Code: given.Error.Code, Message: given.Error.Message}
		if given.Error.Code == "" || !printable(given.Error.Code, maxSignalCode) {
			faults = append(faults, resource.FieldError{Pointer: "/error/code", Message: fmt.Sprintf("must be 1 to %d printable characters", maxSignalCode)})
		}
		if len(given.Error.Message) > maxErrorMessage {
			faults = append(faults, resource.FieldError{Pointer: "/error/message", Message: fmt.Sprintf("must be at most %d bytes", maxErrorMessage)})
		}
		return faults
	})
	if err != nil {
		return saga.Signal{}, err
	}
	signal.Hash, err = signalHash(signal)
	return signal, err
}

// signalHash hashes a signal with the members of its output sorted, as startHash does a start.
func signalHash(signal saga.Signal) ([]byte, error) {
	output := json.RawMessage("{}")
	if signal.Output != nil {
		canonical, err := canonicalJSON(signal.Output)
		if err != nil {
			return nil, err
		}
		output = canonical
	}
	refusal, err := json.Marshal(signal.Error)
	if err != nil {
		return nil, fmt.Errorf("hash a signal: %w", err)
	}
	sum := sha256.Sum256(bytes.Join([][]byte{output, refusal}, []byte{'\n'}))
	return sum[:], nil
}
