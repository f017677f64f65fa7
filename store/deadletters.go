package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

const deadLetterColumns = `d.id, d.source, d.queue, d.reason, d.message, d.saga_id, d.command_id,
	length(d.body), d.content_type, d.received_at, d.received_at::text`

// queueDeadLetters stores dead letters; one that is already stored does not change. Text from outside is made storable;
// the body is stored as it is.
func (s *Store) queueDeadLetters(b *pgx.Batch, letters []record.DeadLetter) {
	for _, d := range letters {
		headers := storableHeaders(d.Headers)
		body := d.Body
		if body == nil {
			body = []byte{}
		}
		body = s.keys.Bytes(letterPlace(cleaned(d.ID), cleaned(d.SagaID), cleaned(d.CommandID), body))
		b.Queue(`insert into dead_letters (id, source, queue, reason, message, saga_id, command_id, headers, body,
				content_type, received_at)
			values ($1, $2, $3, $4, $5, $6, $7, $8::json, $9, $10, clock_timestamp())
			on conflict do nothing`, cleaned(d.ID), cleaned(d.Source), cleaned(d.Queue),
			cleaned(d.Reason), cleaned(d.Message),
			cleaned(d.SagaID), cleaned(d.CommandID), headers, body, cleaned(d.ContentType))
	}
}

// queueDiscarded deletes dead letters.
func queueDiscarded(b *pgx.Batch, ids []string) {
	if len(ids) > 0 {
		b.Queue(`delete from dead_letters where id = any($1)`, ids)
	}
}

// maxHeaderDepth bounds the nesting of headers that are stored as JSON. Postgres fails somewhere beyond it.
const maxHeaderDepth = 500

// storableHeaders returns the headers as their column takes them: null if there are none, and a JSON string if they are
// not JSON or nested too deeply. A dead letter is never lost because of its headers.
func storableHeaders(headers []byte) *string {
	if len(headers) == 0 {
		return nil
	}
	text := cleaned(string(headers))
	if !json.Valid([]byte(text)) || saga.JSONDepth([]byte(text)) > maxHeaderDepth {
		quoted, err := new(texts).encode(text)
		if err != nil {
			return nil // impossible: a string can be encoded
		}
		text = quoted
	}
	return &text
}

// DeadLetters returns the dead letters that the filter selects without their contents, newest first. next is page.After
// of the next page, empty at the end; it stays valid when the dead letter that it stands for is gone.
func (s *Store) DeadLetters(
	ctx context.Context, filter record.DeadLetterFilter, page record.Page,
) (found []record.DeadLetter, next string, err error) {
	cut := newPageCut[deadLetterRow](page)
	conditions, args, fits := deadLetterConditions(filter, []any{cut.limit()})
	if !fits {
		return nil, "", nil
	}
	if page.After != "" {
		after, err := parsePosition(page.After)
		if err != nil {
			return nil, "", fmt.Errorf("list dead letters: %w", err)
		}
		args = append(args, after.receivedAt, after.id)
		conditions += fmt.Sprintf(" and (d.received_at, d.id) < ($%d::timestamptz, $%d)", len(args)-1, len(args))
	}
	statement := `select ` + s.letterColumns() + `, null::json, null::bytea from dead_letters d where ` + conditions + `
		order by d.received_at desc, d.id desc limit $1`
	err = s.survey(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, statement, args...)
		if err != nil {
			return err
		}
		return readRows(rows, (*deadLetterRow).columns, func(row *deadLetterRow, _ error) {
			cut.add(*row, len(row.letter.Message)+len(row.letter.Reason))
		})
	})
	if err != nil {
		return nil, "", fmt.Errorf("list dead letters: %w", err)
	}
	rows, next := cut.page((*deadLetterRow).position)
	for i := range rows {
		found = append(found, rows[i].shown())
	}
	return found, next, nil
}

// deadLetterConditions are the conditions of a filter on table dead_letters d, with its arguments after those given. It
// is false for a filter that no row can fit.
func deadLetterConditions(filter record.DeadLetterFilter, args []any) (conditions string, all []any, fits bool) {
	conditions = "true"
	unfit := false
	add := func(condition string, value any) {
		args = append(args, value)
		conditions += " and " + condition + " $" + strconv.Itoa(len(args))
	}
	for column, wanted := range map[string]*string{"d.queue =": filter.Queue, "d.reason =": filter.Reason, "d.saga_id =": filter.SagaID} {
		if wanted != nil {
			add(column, *wanted)
			unfit = unfit || !storable(*wanted)
		}
	}
	if filter.Source != nil {
		add("case d.source when 'replies' then 'reply' when 'commands' then 'command' else d.source end =", *filter.Source)
		unfit = unfit || !storable(*filter.Source)
	}
	if filter.ReceivedAfter != nil {
		add("d.received_at >", *filter.ReceivedAfter)
	}
	if filter.ReceivedBefore != nil {
		add("d.received_at <", *filter.ReceivedBefore)
	}
	if filter.Scope != nil {
		args = append(args, []string(filter.Scope))
		conditions += " and exists (select from sagas s where s.id = d.saga_id and s.definition = any($" + strconv.Itoa(len(args)) + "))"
	}
	return conditions, args, !unfit
}

// DeadLetter returns a dead letter with its contents. Errors: record.ErrDeadLetterNotFound.
func (s *Store) DeadLetter(ctx context.Context, id string) (record.DeadLetter, error) {
	if !storable(id) {
		return record.DeadLetter{}, fmt.Errorf("read a dead letter: %w", record.ErrDeadLetterNotFound)
	}
	var letter record.DeadLetter
	missing := record.ErrDeadLetterNotFound
	err := s.look(ctx, func(ctx context.Context, q queryer) error {
		rows, err := q.Query(ctx, `select `+s.letterColumns()+`, d.headers, d.body from dead_letters d where d.id = $1`, id)
		if err != nil {
			return err
		}
		return readRows(rows, (*deadLetterRow).columns, func(row *deadLetterRow, _ error) {
			letter, missing = row.shown(), nil
			if letter.Body, missing = s.keys.OpenBytes(letterPlace(letter.ID, letter.SagaID, letter.CommandID, letter.Body)); missing != nil {
				missing = unreadable("its body", missing)
			}
		})
	})
	if err = cmp.Or(err, missing); err != nil {
		return record.DeadLetter{}, fmt.Errorf("read dead letter %s: %w", id, err)
	}
	return letter, nil
}

// DeleteDeadLetter deletes a dead letter. Errors: record.ErrDeadLetterNotFound.
func (s *Store) DeleteDeadLetter(ctx context.Context, id string) error {
	if !storable(id) {
		return fmt.Errorf("delete a dead letter: %w", record.ErrDeadLetterNotFound)
	}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var letter record.DeadLetter
		var definition string
		err := tx.QueryRow(ctx, `delete from dead_letters d where d.id = $1 returning d.source, d.queue, d.reason,
			coalesce((select s.definition from sagas s where s.id = d.saga_id), '')`, id).
			Scan(&letter.Source, &letter.Queue, &letter.Reason, &definition)
		if errors.Is(err, pgx.ErrNoRows) {
			return record.ErrDeadLetterNotFound
		}
		if err != nil {
			return err
		}
		letter.Source = record.SourceOf(letter.Source)
		return s.audit(ctx, tx, "dead_letter.discard", "dead-letters/"+id, definition, letter.Audited(), nil)
	})
	if err != nil {
		return fmt.Errorf("delete dead letter %s: %w", id, err)
	}
	return nil
}

// deadLetterRow is a row of deadLetterColumns with headers and body. A broken row keeps its readable columns.
type deadLetterRow struct {
	letter     record.DeadLetter
	receivedAt string // as text: the order includes infinity
}

func (r *deadLetterRow) columns() []any {
	d := &r.letter
	return []any{
		&d.ID, &d.Source, &d.Queue, &d.Reason, &d.Message, &d.SagaID, &d.CommandID, &d.Size, &d.ContentType, &d.ReceivedAt,
		&r.receivedAt, (*[]byte)(&d.Headers), &d.Body,
	}
}

func (r *deadLetterRow) shown() record.DeadLetter {
	r.letter.Source, r.letter.Headers = record.SourceOf(r.letter.Source), showable(r.letter.Headers)
	if r.letter.ReceivedAt = r.letter.ReceivedAt.UTC(); !shown(r.letter.ReceivedAt) {
		r.letter.ReceivedAt = time.Time{}
	}
	return r.letter
}

// position is the row's place in the list: <microseconds since 1970>_<id>, or infinity instead of the number.
func (r *deadLetterRow) position() string {
	if strings.HasSuffix(r.receivedAt, "infinity") {
		return r.receivedAt + "_" + r.letter.ID
	}
	return record.DeadLetterPosition(r.letter.ReceivedAt, r.letter.ID)
}

type deadLetterPosition struct{ receivedAt, id string }

func parsePosition(after string) (deadLetterPosition, error) {
	at, id, _ := strings.Cut(after, "_")
	if storable(id) && strings.TrimPrefix(at, "-") == "infinity" {
		return deadLetterPosition{at, id}, nil
	}
	receivedAt, id, err := record.ParseDeadLetterPosition(after)
	if err != nil || !storable(id) {
		return deadLetterPosition{}, record.ErrPageNotFound
	}
	return deadLetterPosition{receivedAt.Format(time.RFC3339Nano), id}, nil
}
