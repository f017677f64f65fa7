package store

// Statements about the rows of a batch take one array per column and come in two forms. Many rows are unnested side by
// side in the select list: in the from list Postgres would first copy each array into a table, at four times the cost.
// A single row is taken from its arrays by index, without a set per column and without a join.
const (
	insertSagaInto = `insert into sagas (id, definition, version, key, priority, labels, trace_parent, step_names, created_at, start_at,
			deadline_at, status, revision, data, updated_at, finished_at, wake_at,
			attention_reason, attention_since, attention_step, attention_message, progress, write_token, idempotency_key)
		select `
	insertSagas = insertSagaInto + `unnest($1::text[]), unnest($2::text[]), unnest($3::integer[]), unnest($4::text[]), unnest($5::smallint[]),
			unnest($6::text[])::jsonb, unnest($7::text[]), unnest($8::text[])::text[], unnest($9::timestamptz[]),
			unnest($10::timestamptz[]), unnest($11::timestamptz[]), unnest($12::text[])::saga_status, unnest($13::bigint[]),
			unnest($14::text[])::json, unnest($15::timestamptz[]), unnest($16::timestamptz[]), unnest($17::timestamptz[]),
			unnest($18::text[])::attention_reason, unnest($19::timestamptz[]), unnest($20::text[]), unnest($21::text[]),
			unnest($22::text[])::json, $23, unnest($24::text[])`
	insertOneSaga = insertSagaInto + `($1::text[])[1], ($2::text[])[1], ($3::integer[])[1], ($4::text[])[1], ($5::smallint[])[1],
			($6::text[])[1]::jsonb, ($7::text[])[1], ($8::text[])[1]::text[], ($9::timestamptz[])[1],
			($10::timestamptz[])[1], ($11::timestamptz[])[1], ($12::text[])[1]::saga_status, ($13::bigint[])[1],
			($14::text[])[1]::json, ($15::timestamptz[])[1], ($16::timestamptz[])[1], ($17::timestamptz[])[1],
			($18::text[])[1]::attention_reason, ($19::timestamptz[])[1], ($20::text[])[1], ($21::text[])[1],
			($22::text[])[1]::json, $23, ($24::text[])[1]`

	updateSagaFrom = `with updated as (
			update sagas s set deadline_at = n.deadline_at, status = n.status::saga_status, revision = n.revision,
				data = coalesce(n.data::json, s.data), updated_at = n.updated_at, finished_at = n.finished_at,
				wake_at = n.wake_at, attention_reason = n.attention_reason::attention_reason, attention_since = n.attention_since,
				attention_step = n.attention_step, attention_message = n.attention_message, progress = n.progress::json,
				write_token = $17
			from (select `
	updateSagaWhere = `) n
			where s.id = n.id and s.revision = n.loaded and s.write_token = n.token and s.xmin = n.transaction
			returning 1)
		select require_rows($18, count(*), 'update sagas as they were found'), pg_current_xact_id()::xid from updated`
	updateSagas = updateSagaFrom + `unnest($1::text[]) as id, unnest($2::bigint[]) as loaded,
				unnest($3::timestamptz[]) as deadline_at, unnest($4::text[]) as status, unnest($5::bigint[]) as revision,
				unnest($6::text[]) as data, unnest($7::timestamptz[]) as updated_at,
				unnest($8::timestamptz[]) as finished_at, unnest($9::timestamptz[]) as wake_at,
				unnest($10::text[]) as attention_reason, unnest($11::timestamptz[]) as attention_since,
				unnest($12::text[]) as attention_step, unnest($13::text[]) as attention_message,
				unnest($14::text[]) as progress, unnest($15::bigint[]) as token,
				unnest($16::xid[]) as transaction` + updateSagaWhere
	updateOneSaga = updateSagaFrom + `($1::text[])[1] as id, ($2::bigint[])[1] as loaded,
				($3::timestamptz[])[1] as deadline_at, ($4::text[])[1] as status, ($5::bigint[])[1] as revision,
				($6::text[])[1] as data, ($7::timestamptz[])[1] as updated_at,
				($8::timestamptz[])[1] as finished_at, ($9::timestamptz[])[1] as wake_at,
				($10::text[])[1] as attention_reason, ($11::timestamptz[])[1] as attention_since,
				($12::text[])[1] as attention_step, ($13::text[])[1] as attention_message,
				($14::text[])[1] as progress, ($15::bigint[])[1] as token,
				($16::xid[])[1] as transaction` + updateSagaWhere

	insertDecisions = `insert into saga_decisions (saga_id, seq, at, actor, entries)
		select unnest($1::text[]), unnest($2::bigint[]), unnest($3::timestamptz[]), unnest($4::text[]), unnest($5::text[])::json`
	insertOneDecision = `insert into saga_decisions (saga_id, seq, at, actor, entries)
		select ($1::text[])[1], ($2::bigint[])[1], ($3::timestamptz[])[1], ($4::text[])[1], ($5::text[])[1]::json`

	insertCommands = `insert into outbox (saga_id, command, queue, created_at, body, claimed_until, leased, attempts, reason)
		select unnest($1::text[]), unnest($2::text[]), unnest($3::text[]), unnest($4::timestamptz[]), unnest($5::bytea[]),
			clock_timestamp() + $6::interval, true, 0, ''`
	insertOneCommand = `insert into outbox (saga_id, command, queue, created_at, body, claimed_until, leased, attempts, reason)
		select ($1::text[])[1], ($2::text[])[1], ($3::text[])[1], ($4::timestamptz[])[1], ($5::bytea[])[1],
			clock_timestamp() + $6::interval, true, 0, ''`

	// The outbox is often empty, and a join planned then would compare every row with every command, as "= any" would. "is true"
	// keeps the subquery out of the joins, so that Postgres hashes it.
	deleteCommands = `delete from outbox o where o.saga_id = any($1::text[])
		and (o.saga_id || '/' || o.command in (select unnest($2::text[]))) is true`
	deleteOneCommand = `delete from outbox o where o.saga_id = ($1::text[])[1]
		and (o.saga_id || '/' || o.command in (select ($2::text[])[1])) is true`
)

// forRows returns the form of a statement for n rows.
func forRows(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
