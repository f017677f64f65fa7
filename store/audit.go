package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

const (
	auditColumns = `a.ctid::text, a.at, coalesce(a.actor, ''), coalesce(a.key_id, ''), coalesce(a.action, ''), coalesce(a.target, ''),
		coalesce(a.definition, ''), coalesce(a.reason, ''), coalesce(a.request_id, ''), a.before, a.after, coalesce(a.seq, 0), a.hash`

	// auditBound is the number of entries that a page may scan without finding enough.
	auditBound = 20_000
)

// audit stores the entry of a change in its transaction, if the context has a caller.
func (s *Store) audit(ctx context.Context, tx pgx.Tx, action, target, definition string, before, after any) error {
	caller, known := record.CallerOf(ctx)
	if !known {
		return nil
	}
	entry, err := record.Audited(caller, action, target, before, after)
	if err != nil {
		return err
	}
	entry.Definition = definition
	b := &pgx.Batch{}
	if err := s.queueAudit(b, []record.AuditEntry{entry}); err != nil {
		return err
	}
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("store an audit entry: %w", err)
	}
	return nil
}

// auditRow is a row of auditColumns.
type auditRow struct {
	place string
	record.AuditEntry
}

func scanAudit(row pgx.CollectableRow) (r auditRow, err error) {
	err = row.Scan(&r.place, timeInto{&r.At}, &r.Actor, &r.KeyID, &r.Action, &r.Target, &r.Definition, &r.Reason, &r.RequestID,
		(*[]byte)(&r.Before), (*[]byte)(&r.After), &r.Seq, &r.Hash)
	return r, err
}

// auditRows returns the entries of rows of auditColumns, and where the rows are.
func (s *Store) auditRows(ctx context.Context, tx pgx.Tx, rows pgx.Rows) (entries []record.AuditEntry, places []string, err error) {
	found, err := pgx.CollectRows(rows, scanAudit)
	if err != nil {
		return nil, nil, err
	}
	entries, places = make([]record.AuditEntry, len(found)), make([]string, len(found))
	for i := range found {
		entries[i], places[i] = found[i].AuditEntry, found[i].place
	}
	return entries, places, s.openAudit(ctx, tx, entries)
}

// auditList is the query of a page. The scan follows an index, newest first, up to auditBound rows; the filter selects from
// the scan.
type auditList struct {
	arguments []any
	scanned   int // how many of the arguments belong to the scan
	scan      string
	filter    string
	bounds    []*int64 // of the scan, which are read from the times of the filter
	times     []time.Time
}

const (
	// auditSkew bounds how much later an entry may be sealed than one whose time is later: how long a transaction may take.
	auditSkew = 2 * time.Minute

	// seqOfTime searches the place of a time by halves, because the time of entries grows with seq. Times that SQL has put
	// out of range say nothing.
	seqOfTime = `with recursive halves (low, high) as (
			select 0::bigint, coalesce((select max(seq) from audit where seq < 9000000000000000000), 0) + 1
			union all
			select case when e.at < $1 then e.seq else h.low end, case when e.at < $1 then h.high else (h.low + h.high) / 2 end
			from halves h left join lateral (
				select a.seq, a.at from audit a where a.seq >= (h.low + h.high) / 2 and a.seq < h.high and a.at` + usable + ` order by a.seq limit 1
			) e on true
			where h.high - h.low > 1)
		select high from halves order by high - low limit 1`
)

// between bounds the scan by the entries at a time, which place reads.
func (l *auditList) between(comparison string, at time.Time) {
	bound := new(int64)
	l.bounds, l.times = append(l.bounds, bound), append(l.times, at)
	l.scan += " and a.seq " + comparison + " " + l.argument(bound)
}

// place reads the bounds of the scan.
func (l *auditList) place(ctx context.Context, tx pgx.Tx) error {
	for i, at := range l.times {
		if err := tx.QueryRow(ctx, seqOfTime, at).Scan(l.bounds[i]); err != nil {
			return err
		}
	}
	return nil
}

func (l *auditList) argument(value any) string {
	l.arguments = append(l.arguments, value)
	return "$" + strconv.Itoa(len(l.arguments))
}

// newAuditList returns nil for a filter that no row can fit.
func newAuditList(filter record.AuditFilter, page record.Page) (*auditList, error) {
	l := &auditList{scan: "a.seq is not null"}
	if page.After != "" {
		after, err := strconv.ParseInt(page.After, 10, 64)
		if err != nil {
			return nil, record.ErrPageNotFound
		}
		l.scan += " and a.seq < " + l.argument(after)
	}
	for _, text := range []*string{filter.Target, filter.Actor} {
		if text != nil && !storable(*text) {
			return nil, nil //nolint:nilnil // see above
		}
	}
	if filter.Target != nil {
		l.scan += " and a.target = any(" + l.argument(record.AuditTargets(*filter.Target)) + ")"
	}
	if filter.Actor != nil {
		l.scan += " and a.actor = " + l.argument(*filter.Actor)
	}
	if filter.Since != nil {
		l.between(">=", filter.Since.Add(-auditSkew))
	}
	if filter.Until != nil {
		l.between("<", filter.Until.Add(auditSkew))
	}
	l.scanned, l.filter = len(l.arguments), "true"
	if filter.Since != nil {
		l.filter += " and a.at >= " + l.argument(*filter.Since)
	}
	if filter.Until != nil {
		l.filter += " and a.at <= " + l.argument(*filter.Until)
	}
	if filter.Scope != nil {
		l.filter += " and a.definition = any(" + l.argument([]string(filter.Scope)) + ")"
	}
	return l, nil
}

// Audit returns sealed audit entries, newest first. It seals what is stored first, so that it returns every change that was
// committed before the call, unless the row of audit_chain was deleted by hand. next is page.After of the next page, empty at the end.
func (s *Store) Audit(ctx context.Context, filter record.AuditFilter, page record.Page) (found []record.AuditEntry, next string, err error) {
	list, err := newAuditList(filter, page)
	if err == nil && list != nil && page.After == "" {
		if _, err = s.SealAudit(ctx); errors.Is(err, errNoChain) {
			err = nil // what was sealed is there
		}
	}
	if err == nil && list != nil {
		err = s.survey(ctx, func(tx pgx.Tx) (err error) {
			if err = list.place(ctx, tx); err == nil {
				found, next, err = list.read(ctx, s, tx, page.Limit)
			}
			return err
		})
	}
	if err != nil {
		return nil, "", fmt.Errorf("list the audit log: %w", err)
	}
	return found, next, nil
}

func (l *auditList) read(ctx context.Context, s *Store, tx pgx.Tx, limit int) (found []record.AuditEntry, next string, err error) {
	const newestFirst = " order by a.seq desc limit "
	rows, err := tx.Query(ctx, `select `+auditColumns+` from (select a.ctid, a.* from audit a where `+l.scan+newestFirst+strconv.Itoa(auditBound)+`) a
		where `+l.filter+newestFirst+strconv.Itoa(limit+1), l.arguments...)
	if err != nil {
		return nil, "", err
	}
	found, _, err = s.auditRows(ctx, tx, rows)
	if err != nil {
		return nil, "", err
	}
	if len(found) > limit {
		return found[:limit], strconv.FormatInt(found[limit-1].Seq, 10), nil
	}
	rows, err = tx.Query(ctx, `select a.seq from audit a where `+l.scan+` order by a.seq desc offset `+strconv.Itoa(auditBound-1)+` limit 1`,
		l.arguments[:l.scanned]...)
	if err != nil {
		return nil, "", err
	}
	ends, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if len(ends) > 0 { // the scan ended at its bound
		next = strconv.FormatInt(ends[0], 10)
	}
	return found, next, err
}
