package api

import (
	"context"
	"strconv"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
)

type historyInput struct {
	SagaInput
	PageInput
}

func (s *service) history(ctx context.Context, input *historyInput) (*listOutput[resource.HistoryEntry], error) {
	id, err := sagaID(input.ID)
	if err != nil {
		return nil, err
	}
	page, err := input.page(historyList, isSeq)
	if err != nil {
		return nil, err
	}
	found, next, err := s.Reads.History(ctx, id, page)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		// A saga has a history from its start: either there is none, or the page is past its end.
		if _, err := s.saga(ctx, id); err != nil {
			return nil, err
		}
	}
	if err := s.redactEntries(ctx, id, found); err != nil {
		return nil, err
	}
	list, err := listOf(historyList, found, next, showEntry)
	return &listOutput[resource.HistoryEntry]{Body: list}, err
}

func isSeq(text string) bool {
	seq, err := strconv.ParseInt(text, 10, 64)
	return err == nil && seq > 0
}

func showEntry(e record.Entry) (resource.HistoryEntry, error) {
	return resource.HistoryEntry{
		Seq: e.Seq, At: resource.Time{Time: e.At}, Type: e.Type, Step: e.Step, Attempt: e.Attempt, Actor: e.Actor, Detail: e.Detail,
	}, nil
}
