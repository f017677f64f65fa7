package store

import (
	"context"
	"fmt"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// CommandLetters returns the newest dead letter of each of these commands of a saga, without its contents: the command itself, or
// a reply to it that changed nothing. The indexes dead_letters_answers and dead_letters_refused have them.
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
		rows, err := q.Query(ctx, `select `+s.letterColumns()+`, null::json, null::bytea from unnest($2::text[]) c
			cross join lateral (
				(select * from dead_letters where saga_id = $1 and command_id = c and (reason = 'unreadable_saga' or source in ('command', 'commands'))
					order by received_at desc, id desc limit 1)
				union all
				(select * from dead_letters where saga_id = $1 and command_id = c and reason in ('malformed_reply', 'user_not_allowed', 'rejected_by_store')
					order by received_at desc, id desc limit 1)
				order by received_at desc, id desc limit 1) d
			order by d.command_id`, sagaID, ids)
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
