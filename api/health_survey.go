package api

import (
	"context"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// survey holds what is broken.
type survey struct {
	at          time.Time
	backlog     *record.Backlog // nil: unknown
	problems    []record.QueueProblem
	definitions int // with an unreadable latest version
	sagas       int // unfinished and unreadable
}

// The scan for unreadable sagas reads a bounded number of rows in each survey, and continues in the next.
const (
	scanPage  = 500
	scanPages = 4 // of one survey
)

// scan is the progress of a scan over all unfinished sagas.
type scan struct {
	after string // position; empty: the start
	found int    // in this scan
	last  int    // in the last complete scan
}

// survey counts what is broken. A part that fails keeps its previous result.
func (m *Monitor) survey(ctx context.Context) {
	m.surveying.Lock() // lookNow surveys, too
	defer m.surveying.Unlock()
	limited, cancel := context.WithTimeout(ctx, surveyTimeout)
	defer cancel()
	m.mutex.Lock()
	found := m.found
	m.mutex.Unlock()
	if backlog, err := m.config.Reads.Backlog(limited); err == nil {
		found.backlog = &backlog
	}
	if problems, err := m.config.Reads.QueueProblems(limited); err == nil {
		found.problems = problems
	}
	if broken, err := m.brokenDefinitions(limited); err == nil {
		found.definitions = broken
	}
	if err := m.scanSagas(limited); err == nil {
		found.sagas = max(m.scan.last, m.scan.found)
	}
	if ctx.Err() != nil {
		return
	}
	found.at = time.Now()
	m.gauges.surveyed(found)
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.found = found
}

func (m *Monitor) brokenDefinitions(ctx context.Context) (broken int, err error) {
	err = eachDefinition(ctx, m.config.Reads, func(d record.RegisteredDefinition) {
		if d.Unreadable != nil {
			broken++
		}
	})
	return broken, err
}

// scanSagas continues the scan over unfinished sagas.
func (m *Monitor) scanSagas(ctx context.Context) error {
	unfinished := unfinishedStatuses()
	for range scanPages {
		page, next, err := m.config.Reads.Sagas(ctx, record.Filter{Statuses: unfinished}, record.Page{After: m.scan.after, Limit: scanPage})
		if err != nil {
			return err
		}
		for _, stored := range page {
			if m.unreadable(ctx, stored) {
				m.scan.found++
			}
		}
		m.scan.after = next
		if next == "" {
			m.scan = scan{last: m.scan.found}
			return nil
		}
	}
	return nil
}

// unreadable reports whether a saga or its definition cannot be read.
func (m *Monitor) unreadable(ctx context.Context, stored record.StoredSaga) bool {
	if stored.Unreadable != nil {
		return true
	}
	definition, err := m.cache.Get(ctx, stored.Definition, stored.Version)
	return defect(stored, definition, err) != ""
}

// eachDefinition calls visit with the latest version of every definition.
func eachDefinition(ctx context.Context, reads Definitions, visit func(record.RegisteredDefinition)) error {
	page := record.Page{Limit: 500}
	for {
		found, next, err := reads.Definitions(ctx, page)
		if err != nil {
			return err
		}
		for _, definition := range found {
			visit(definition)
		}
		if next == "" {
			return nil
		}
		page.After = next
	}
}
