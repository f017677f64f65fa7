package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/saga/record"
)

const deadLetterColumns = `d.id, d.source, d.queue, d.reason, d.message, d.saga_id, d.command_id, d.headers, d.body,
	d.content_type, d.received_at`

// queueDeadLetters stores dead letters; one that is there already stays as it is. What comes from outside is made
// storable but for the body, which is kept byte by byte.
func queueDeadLetters(b *pgx.Batch, letters []record.DeadLetter) {
	for _, d := range letters {
		var headers *string
		if len(d.Headers) > 0 {
			text := cleaned(string(d.Headers))
			headers = &text
		}
		body := d.Body
		if body == nil {
			body = []byte{}
		}
		b.Queue(`insert into dead_letters (id, source, queue, reason, message, saga_id, command_id, headers, body,
				content_type, received_at)
			values ($1, $2, $3, $4, $5, $6, $7, $8::json, $9, $10, clock_timestamp())
			on conflict do nothing`, cleaned(d.ID), d.Source, cleaned(d.Queue), d.Reason, cleaned(d.Message),
			cleaned(d.SagaID), cleaned(d.CommandID), headers, body, cleaned(d.ContentType))
	}
}

// DeadLetters returns dead letters, newest first. page.After is the id of one that is still there; if it is not, the
// error is record.ErrPageNotFound.
func (s *Store) DeadLetters(ctx context.Context, page record.Page) ([]record.DeadLetter, error) {
	statement, args := `select `+deadLetterColumns+` from dead_letters d
		order by d.received_at desc, d.id desc limit $1`, []any{rowLimit(page.Limit)}
	if page.After != "" {
		last, err := s.DeadLetter(ctx, page.After)
		if errors.Is(err, record.ErrDeadLetterNotFound) {
			return nil, fmt.Errorf("list dead letters: %w", record.ErrPageNotFound)
		}
		if err != nil {
			return nil, fmt.Errorf("list dead letters: %w", err)
		}
		statement = `select ` + deadLetterColumns + ` from dead_letters d where (d.received_at, d.id) < ($2, $3)
			order by d.received_at desc, d.id desc limit $1`
		args = append(args, last.ReceivedAt, last.ID)
	}
	rows, err := s.pool.Query(ctx, statement, args...)
	if err != nil {
		return nil, fmt.Errorf("list dead letters: %w", err)
	}
	letters, err := pgx.CollectRows(rows, scanDeadLetter)
	if err != nil {
		return nil, fmt.Errorf("list dead letters: %w", err)
	}
	return letters, nil
}

// DeadLetter returns one. Errors: record.ErrDeadLetterNotFound.
func (s *Store) DeadLetter(ctx context.Context, id string) (record.DeadLetter, error) {
	if !storable(id) {
		return record.DeadLetter{}, fmt.Errorf("read a dead letter: %w", record.ErrDeadLetterNotFound)
	}
	rows, err := s.pool.Query(ctx, `select `+deadLetterColumns+` from dead_letters d where d.id = $1`, id)
	if err != nil {
		return record.DeadLetter{}, fmt.Errorf("read dead letter %s: %w", id, err)
	}
	letter, err := pgx.CollectExactlyOneRow(rows, scanDeadLetter)
	if errors.Is(err, pgx.ErrNoRows) {
		err = record.ErrDeadLetterNotFound
	}
	if err != nil {
		return record.DeadLetter{}, fmt.Errorf("read dead letter %s: %w", id, err)
	}
	return letter, nil
}

// DeleteDeadLetter removes one that was sent again or is not wanted. Errors: record.ErrDeadLetterNotFound.
func (s *Store) DeleteDeadLetter(ctx context.Context, id string) error {
	if !storable(id) {
		return fmt.Errorf("delete a dead letter: %w", record.ErrDeadLetterNotFound)
	}
	done, err := s.pool.Exec(ctx, `delete from dead_letters where id = $1`, id)
	if err == nil && done.RowsAffected() == 0 {
		err = record.ErrDeadLetterNotFound
	}
	if err != nil {
		return fmt.Errorf("delete dead letter %s: %w", id, err)
	}
	return nil
}

func scanDeadLetter(row pgx.CollectableRow) (record.DeadLetter, error) {
	var d record.DeadLetter
	err := row.Scan(&d.ID, &d.Source, &d.Queue, &d.Reason, &d.Message, &d.SagaID, &d.CommandID, (*[]byte)(&d.Headers),
		&d.Body, &d.ContentType, &d.ReceivedAt)
	d.ReceivedAt = d.ReceivedAt.UTC()
	return d, err
}
