package api

import (
	"context"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/definitions"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// ArchivedSaga is a line of an archive: a deleted saga as the API showed it to operators last.
type ArchivedSaga struct {
	Saga    resource.Saga           `json:"saga"`
	History []resource.HistoryEntry `json:"history"`
}

// Archiver makes the lines of an archive.
type Archiver struct{ shown *service }

// NewArchiver returns an Archiver that reads definitions.
func NewArchiver(read definitions.Read) *Archiver {
	return &Archiver{&service{definitions: definitions.NewCache(read, maxDefinitions)}}
}

// Line returns a saga and its history as one line of JSON. It shows the values of sensitive members: after the deletion, the
// archive is the only record of them.
func (a *Archiver) Line(ctx context.Context, kept record.SagaWithHistory) ([]byte, error) {
	shown, err := a.shown.viewAll(ctx, kept.StoredSaga)
	if err != nil {
		return nil, err
	}
	line := ArchivedSaga{Saga: shown, History: make([]resource.HistoryEntry, len(kept.History))}
	for i := range kept.History {
		if line.History[i], err = showEntry(kept.History[i]); err != nil {
			return nil, err
		}
	}
	return saga.EncodeJSON(line)
}
