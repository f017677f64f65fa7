package main

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
)

// fewConnections is the number of free connections below which a replica may not get all that it opens.
const fewConnections = 20

// rights checks that this user may read and change every table, which `serve` needs.
func (d *diagnosis) rights(ctx context.Context, conn *pgx.Conn) {
	rows, err := conn.Query(ctx, `select c.relname::text from pg_class c
		where c.relkind = 'r' and c.relnamespace = (select relnamespace from pg_class where oid = 'sagas'::regclass)
			and c.relname <> 'goose_db_version'
			and not (has_table_privilege(c.oid, 'select') and has_table_privilege(c.oid, 'insert')
				and has_table_privilege(c.oid, 'update') and has_table_privilege(c.oid, 'delete'))
		order by 1`)
	var missing []string
	if err == nil {
		missing, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	if err != nil {
		d.add("rights", "fail", "see the log of Postgres", "%s", withoutURL(err))
		return
	}
	found := "may read and change every table"
	if len(missing) > 0 {
		found = "may not read or change " + strings.Join(missing, ", ")
	}
	d.add("rights", statusIf(len(missing) > 0, "fail"), "grant select, insert, update, delete on all tables of the schema to this user", "%s", found)
}

// capacity checks limits of Postgres that stop an orchestrator, or slow it down in time.
func (d *diagnosis) capacity(ctx context.Context, conn *pgx.Conn) {
	var most, used int
	var vacuum string
	err := conn.QueryRow(ctx, `select least(current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer,
			nullif((select rolconnlimit from pg_roles where rolname = current_user), -1),
			nullif((select datconnlimit from pg_database where datname = current_database()), -1)),
		(select count(*) from pg_stat_activity where datname is not null)::integer, current_setting('autovacuum')`).
		Scan(&most, &used, &vacuum)
	if err != nil {
		d.add("connections", "fail", "see the log of Postgres", "%s", withoutURL(err))
		return
	}
	d.add("connections", statusIf(most-used < fewConnections, "warn"),
		"raise max_connections, or the limits of the user and the database: a replica opens about 2 per core and 3 more",
		"%d of %d are in use", used, most)
	d.add("autovacuum", statusIf(vacuum == "off", "fail"), "turn autovacuum on: the tables grow and slow down without it", "%s", vacuum)
}
