package engine

import (
	"slices"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// changes returns what the transaction has to write. It also stores the given dead letters.
func (b *batchState) changes(letters []record.DeadLetter) (record.Changes, error) {
	changes := record.Changes{
		Commands: b.commands, DeadLetters: b.deadLetters, Abandoned: b.abandoned,
		Results: b.results, Redriven: b.redriven, Discarded: b.discarded, Audit: b.audit,
		Withdrawn: b.withdrawn, Answered: b.answered,
	}
	created, updated, entries := b.count()
	changes.Created, changes.Updated = make([]saga.Instance, 0, created), make([]saga.Instance, 0, updated)
	changes.Entries = make([]record.Entry, 0, entries)
	for _, id := range b.order {
		s := b.sagas[id]
		switch {
		case s.created:
			changes.Created = append(changes.Created, s.instance)
		case s.changed || s.moved:
			changes.Updated = append(changes.Updated, s.instance)
		}
		for _, entry := range s.entries {
			changes.Entries = append(changes.Entries, record.Entry{SagaID: id, Entry: entry})
		}
		events, err := b.events(s)
		if err != nil {
			return record.Changes{}, err
		}
		changes.Events = append(changes.Events, events...)
	}
	events, err := b.letterEvents(slices.Concat(letters, b.deadLetters))
	if err != nil {
		return record.Changes{}, err
	}
	changes.Events = append(changes.Events, events...)
	b.published = len(changes.Events)
	for _, abandoned := range b.abandoned {
		b.published += len(abandoned.Sinks)
	}
	return changes, nil
}

// count returns the sizes of the lists to write. Instances are large, so their lists are allocated once.
func (b *batchState) count() (created, updated, entries int) {
	for _, s := range b.sagas {
		entries += len(s.entries)
		switch {
		case s.created:
			created++
		case s.changed || s.moved:
			updated++
		}
	}
	return created, updated, entries
}
