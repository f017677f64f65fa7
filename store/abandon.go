package store

import (
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// queueAbandoned closes sagas on which the core cannot decide. It changes only columns and, if the progress is
// readable, the parts that the core would change; all else stays byte by byte. Unpublished commands are dropped:
// without the definition they cannot be published. A saga that has ended does not change.
func (w *write) queueAbandoned(b *pgx.Batch) {
	n := len(w.changes.Abandoned)
	if n == 0 {
		return
	}
	ids, actors, reasons := make([]string, 0, n), make([]string, 0, n), make([]string, 0, n)
	progress := make([]*string, 0, n)
	abandoned := slices.Clone(w.changes.Abandoned)
	slices.SortStableFunc(abandoned, func(a, b record.Abandonment) int { return strings.Compare(a.SagaID, b.SagaID) })
	abandoned = slices.CompactFunc(abandoned, func(a, b record.Abandonment) bool { return a.SagaID == b.SagaID })
	for _, a := range abandoned {
		if !storable(a.SagaID) {
			continue
		}
		ids, actors, reasons = append(ids, a.SagaID), append(actors, cleaned(a.Actor)), append(reasons, cleaned(a.Reason))
		progress = append(progress, w.endedProgress(a))
	}
	b.Queue(`with asked as (
			select * from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as n (id, actor, reason, progress)
		), last as (
			select n.id, n.actor, n.reason, n.progress, coalesce((
				select d.seq + case when json_typeof(d.entries) = 'array' then json_array_length(d.entries) else 1 end
				from saga_decisions d where d.saga_id = n.id order by d.seq desc limit 1), 1) as seq
			from asked n
		), ended as (
			update sagas s set status = 'abandoned', finished_at = $5, wake_at = null, attention_reason = null,
				attention_since = null, attention_step = null, attention_message = null, updated_at = $5,
				revision = least(s.revision, 9223372036854775806) + 1, progress = coalesce(n.progress::json, s.progress),
				write_token = $6
			from last n where s.id = n.id and s.finished_at is null
			returning s.id, s.definition, s.version, s.key, n.seq, n.actor, n.reason
		), freed as (
			delete from business_keys k using ended e
			where k.definition = e.definition and k.key = e.key and k.saga_id = e.id
		), unsent as (
			delete from outbox o using ended e where o.saga_id = e.id
		), noted as (
			insert into saga_decisions (saga_id, seq, at, actor, entries)
			select e.id, e.seq, $5, e.actor, case when e.reason = '' then json_build_array(json_build_array($7::text))
				else json_build_array(json_build_array($7::text, '', 0, json_build_object('reason', e.reason))) end
			from ended e
		)
		insert into events (sink, at, subject, seq, type, definition, data)
		select unnest($8::text[]), $5, e.id, e.seq, $7, e.definition, json_strip_nulls(json_build_object(
			'definition', e.definition, 'version', e.version, 'key', nullif(e.key, ''), 'actor', nullif(e.actor, ''),
			'detail', case when e.reason <> '' then json_build_object('reason', e.reason) end))
		from ended e`, ids, actors, reasons, progress, w.now, w.fence.token, string(saga.EntryAbandoned), abandoned[0].Sinks)
}

// endedProgress returns the progress of a readable saga after it was abandoned, as the core would leave it. nil:
// unchanged.
func (w *write) endedProgress(a record.Abandonment) *string {
	in, readable := w.before.instances[a.SagaID]
	if !readable {
		return nil
	}
	in = record.Abandoned(in, a.Action, w.now)
	text, err := new(texts).encode(progressOf(&in).seal(place{w.store.keys, a.SagaID}))
	if err != nil {
		return nil // impossible: it was read
	}
	return &text
}
