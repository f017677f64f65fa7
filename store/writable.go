package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

const (
	// missingRights returns which rights the role lacks without which no saga moves on.
	missingRights = `select coalesce(array_agg(n.privilege || ' on ' || n.name order by n.name, n.privilege), '{}') from (
			select t.name, p.privilege from (values
				('sagas', '{insert,update,select}'), ('saga_decisions', '{insert}'), ('outbox', '{insert,update,delete,select}'),
				('idempotency_keys', '{insert,delete}'), ('business_keys', '{insert,delete}'), ('dead_letters', '{insert}'), ('events', '{insert}'),
				('audit_waiting', '{insert}'), ('definitions', '{select}'),
				('disabled_definitions', '{select}')) t (name, privileges)
			cross join unnest(t.privileges::text[]) p (privilege)) n
		where not has_table_privilege(to_regclass(n.name), n.privilege)`

	// lockForWriting waits for other sessions' locks as a write would, for a second for each table.
	lockForWriting = `lock table sagas, saga_decisions, outbox, idempotency_keys, business_keys, dead_letters, events, audit_waiting
		in row exclusive mode`
)

// startStatements are what a start writes and what is read of it again. Planning them finds columns and rights that are missing. The
// parameters may be null.
func startStatements() []struct {
	text       string
	parameters int
} {
	return []struct {
		text       string
		parameters int
	}{
		{insertOneSaga, 24},
		{insertOneDecision, 5},
		{insertOneCommand, 6},
		{updateOneSaga, 18},
		{deleteOneCommand, 2},
		{insertOneEvent, 7},
		{insertWaiting, 1},
		{"select " + sagaColumns + " from sagas s where false", 0},
	}
}

// checkWritable returns an error unless this role and the locks of other sessions let the program write what every saga writes.
func (s *Store) checkWritable(ctx context.Context) error {
	var missing []string
	if err := s.pool.QueryRow(ctx, missingRights).Scan(&missing); err != nil {
		return fmt.Errorf("look for the rights of the role: %w", err)
	}
	if len(missing) > 0 {
		const shown = 3
		return fmt.Errorf("the role lacks %d rights, such as %s", len(missing), strings.Join(missing[:min(shown, len(missing))], ", "))
	}
	b := &pgx.Batch{}
	b.Queue(`begin`)
	b.Queue(`set local lock_timeout = '1s'`)
	b.Queue(lockForWriting)
	for _, statement := range startStatements() {
		b.Queue("explain "+statement.text, make([]any, statement.parameters)...)
	}
	b.Queue(`rollback`)
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release() // it closes the connection if the transaction is still open
	if err := conn.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("wait for the tables' locks: %w", err)
	}
	return nil
}
