package api

import (
	"context"
	"net/http"
	"unicode/utf8"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
)

type (
	deadLetterInput struct {
		ID string `path:"id" doc:"Id of the dead letter"`
	}
	deadLetterOutput struct {
		Body resource.DeadLetter
	}
)

func (s *service) deadLetterRoutes() {
	register(s, route{
		id: "list-dead-letters", method: http.MethodGet, path: "/v1/dead-letters", tag: "Dead letters",
		role: record.Viewer, summary: "List dead letters", about: "Newest first, without their content.",
	}, s.listDeadLetters)
	register(s, route{
		id: "get-dead-letter", method: http.MethodGet, path: "/v1/dead-letters/{id}", tag: "Dead letters",
		role: record.Viewer, summary: "Get a dead letter with its content", errors: []int{http.StatusNotFound},
	}, s.getDeadLetter)
}

func (s *service) listDeadLetters(ctx context.Context, input *PageInput) (*listOutput[resource.DeadLetter], error) {
	page, err := input.page(deadLetterPosition)
	if err != nil {
		return nil, err
	}
	found, next, err := s.Reads.DeadLetters(ctx, page)
	if err != nil {
		return nil, err
	}
	list, err := listOf(found, next,
		func(l record.DeadLetter) (resource.DeadLetter, error) { return showDeadLetter(l), nil })
	return &listOutput[resource.DeadLetter]{Body: list}, err
}

func (s *service) getDeadLetter(ctx context.Context, input *deadLetterInput) (*deadLetterOutput, error) {
	if !deadLetterID(input.ID) {
		return nil, record.ErrDeadLetterNotFound
	}
	found, err := s.Reads.DeadLetter(ctx, input.ID)
	if err != nil {
		return nil, err
	}
	shown := showDeadLetter(found)
	shown.Headers, shown.Body = found.Headers, found.Body
	if utf8.Valid(found.Body) {
		shown.Text = string(found.Body)
	}
	return &deadLetterOutput{Body: shown}, nil
}

// deadLetterPosition reports whether text may be a position in the list. Only the store can parse it.
func deadLetterPosition(text string) bool { return text != "" && printable(text, 300) }

// deadLetterID reports whether text may be the id of a dead letter, which may be derived from a message.
func deadLetterID(text string) bool { return text != "" && printable(text, 255) }

func showDeadLetter(l record.DeadLetter) resource.DeadLetter {
	return resource.DeadLetter{
		ID: l.ID, Source: l.Source, Queue: l.Queue, Reason: l.Reason, Message: l.Message, SagaID: l.SagaID,
		CommandID: l.CommandID, ReceivedAt: resource.Time{Time: l.ReceivedAt}, ContentType: l.ContentType, Size: l.Size,
	}
}
