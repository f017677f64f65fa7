package server

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/saga-orchestrator/orchestrator/api"
	"github.com/saga-orchestrator/orchestrator/internal/archive"
	"github.com/saga-orchestrator/orchestrator/internal/operate"
	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// newRetention returns what deletes old sagas, keys and dead letters. Negative durations of the configuration mean no limit.
func (s *Server) newRetention() (*operate.Retention, error) {
	config := operate.RetentionConfig{
		Sagas: s.store, Letters: s.store, Holder: rand.Text(), Every: s.config.RetentionInterval,
		Completed: max(s.config.RetainCompleted, 0), Undone: max(s.config.RetainUndone, 0),
		KeyAge: max(s.config.RetainKeys, 0), LetterAge: max(s.config.RetainDeadLetters, 0),
		Deleted: s.metrics.retentionDeleted, Rounded: s.metrics.retentionRounded, Logger: s.config.Logger,
	}
	if s.config.ArchiveDir != "" {
		directory, err := archive.Open(s.config.ArchiveDir, nil)
		if err != nil {
			return nil, err
		}
		config.Archive = sagaArchive{directory, api.NewArchiver(s.store.Definition)}
	}
	return operate.NewRetention(config), nil
}

// sagaArchive writes sagas as the API shows them.
type sagaArchive struct {
	directory *archive.Directory
	lines     *api.Archiver
}

// Write returns after the sagas are on disk.
func (a sagaArchive) Write(ctx context.Context, sagas []record.SagaWithHistory) error {
	lines := make([][]byte, len(sagas))
	for i := range sagas {
		var err error
		if lines[i], err = a.lines.Line(ctx, sagas[i]); err != nil {
			return fmt.Errorf("show saga %s: %w", sagas[i].ID, err)
		}
	}
	return a.directory.Append(lines)
}
