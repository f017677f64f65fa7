package store

import (
	"context"
	"fmt"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// CommandLetters returns the newest dead letter of each of these commands of a saga, without its contents: the command itself, or
// a reply to it on which no decision was possible. The index dead_letters_answers has them.
func (s *Store) CommandLetters(ctx context.Context, sagaID string, commands []saga.CommandID) (found []record.DeadLetter, err error) {
	ids := make([]string, 0, len(commands))
	for _, id := range commands {
		if storable(id.String()) {
			ids = append(ids, id.String())
		}
	}
	if len(ids) == 0 || !storable(sagaID) {
		return nil, nil
	}
	err = s.look(ctx, func(ctx context.Context, q queryer) error {
		found = nil
		rows, err := q.Query(ctx, `select distinct on (d.command_id) `+s.letterColumns()+`, null::json, null::bytea from dead_letters d
			where d.saga_id = $1 and d.command_id = any($2) and (d.reason = 'unreadable_saga' or d.source in ('command', 'commands'))
			order by d.command_id, d.received_at desc, d.id desc`, sagaID, ids)
		if err != nil {
			return err
		}
		return readRows(rows, (*deadLetterRow).columns, func(row *deadLetterRow, _ error) { found = append(found, row.shown()) })
	})
	if err != nil {
		return nil, fmt.Errorf("read the dead letters of commands of saga %s: %w", sagaID, err)
	}
	return found, nil
}
