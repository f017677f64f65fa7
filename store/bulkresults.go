package store

import (
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

const findOver = `select n.bulk, n.holder, n.target from unnest($1::text[], $2::text[], $3::text[]) as n (bulk, holder, target)
	left join bulk_actions a on a.id = n.bulk and a.holder = n.holder and a.status = 'running'
	where a.id is null or not exists (select from bulk_items i
		where i.bulk_id = n.bulk and i.target = n.target and i.outcome is null offset 0)`

// queueBulk locks the batch's bulk actions against changes of their status, and finds the targets that must not be
// decided.
func (l *load) queueBulk(b *pgx.Batch) {
	if len(l.batch.Bulk) == 0 {
		return
	}
	bulks, holders, targets := bulkColumnsOf(l.batch.Bulk)
	b.Queue(`select from bulk_actions where id = any($1) order by id for share`, bulks)
	b.Queue(findOver, bulks, holders, targets).
		Query(func(rows pgx.Rows) error {
			var ref record.BulkRef
			_, err := pgx.ForEachRow(rows, []any{&ref.Bulk, &ref.Holder, &ref.Target}, func() error {
				l.bulkOver[ref] = true
				return nil
			})
			return err
		})
}

// queueRedrives locks the dead letters that the batch redrives, so that one redrive alone finds each of them.
func (l *load) queueRedrives(b *pgx.Batch) {
	ids := slices.DeleteFunc(slices.Clone(l.batch.Redrives), func(id string) bool { return !storable(id) })
	for _, id := range l.batch.Redrives {
		l.lettersGone[id] = true
	}
	if len(ids) == 0 {
		return
	}
	b.Queue(`select id from dead_letters where id = any($1) order by id for update`, ids).
		Query(func(rows pgx.Rows) error {
			var id string
			_, err := pgx.ForEachRow(rows, []any{&id}, func() error {
				delete(l.lettersGone, id)
				return nil
			})
			return err
		})
}

const storeResults = `update bulk_items i set outcome = n.outcome, message = n.message, at = clock_timestamp()
	from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as n (bulk, target, outcome, message)
	cross join lateral (select o.ctid as place from bulk_items o where o.bulk_id = n.bulk and o.target = n.target offset 0) o
	where i.ctid = o.place`

// queueResults stores the outcomes of targets that load found undecided.
func queueResults(b *pgx.Batch, results []record.BulkResult) {
	if len(results) == 0 {
		return
	}
	var refs []record.BulkRef
	var outcomes, messages []string
	for _, r := range results {
		refs = append(refs, r.BulkRef)
		outcomes, messages = append(outcomes, string(r.Outcome)), append(messages, cleaned(r.Message))
	}
	bulks, _, targets := bulkColumnsOf(refs)
	b.Queue(storeResults, bulks, targets, outcomes, messages)
}

func bulkColumnsOf(refs []record.BulkRef) (bulks, holders, targets []string) {
	for _, ref := range refs {
		bulks, holders, targets = append(bulks, ref.Bulk), append(holders, ref.Holder), append(targets, ref.Target)
	}
	return bulks, holders, targets
}
