package main

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/server"
	"github.com/saga-orchestrator/orchestrator/store"
)

func TestTheAuditLogIsListedAndVerified(t *testing.T) {
	t.Setenv("DATABASE_URL", "") // with a database the commands of keys do not call the API
	c := open(t)
	c.done("keys", "create", "--role", "operator", "--name", "<ci> & co", "--definitions", "order,refund", "--expires", "90d")
	id := decoded[resource.List[resource.Key]](c, "keys", "list").Items[0].ID
	c.done("keys", "rotate", id, "--grace", "1h")
	listed := c.done("audit", "list", "--target", id)
	assert.Contains(t, listed, "key.rotate")
	assert.Contains(t, listed, "key.create")
	assert.Contains(t, c.done("audit", "verify"), "valid")
	verdict := decoded[auditVerdict](c, "audit", "verify")
	assert.True(t, verdict.Valid)
	assert.EqualValues(t, 2, verdict.Entries)
	last := fmt.Sprintf("%d:%s", verdict.Seq, verdict.Hash)
	c.done("keys", "revoke", id)
	c.done("audit", "verify", "--expect", last)
	other := c.run("audit", "verify", "--expect", "1:"+verdict.Hash)
	assert.Equal(t, exitFailed, other.code)
	assert.Contains(t, other.out, "entry 1 is not the one that was expected")
	assert.Contains(t, c.run("audit", "verify", "--expect", "9:"+verdict.Hash).out, "entry 9 is missing")
	assert.Equal(t, exitUsage, c.run("audit", "verify", "--expect", "x").code)
	assert.Contains(t, c.run("keys", "rotate", id, "--grace", "31d").err, "--grace")
}

// tampered runs an orchestrator on Postgres whose audit log has ten entries, of which the first two have expired.
func tampered(t *testing.T) (*client.Client, *pgx.Conn) {
	t.Helper()
	url := env.Database(t)
	require.NoError(t, store.Migrate(t.Context(), url))
	kept, err := store.Open(t.Context(), store.Config{DatabaseURL: url})
	require.NoError(t, err)
	ctx := record.WithCaller(t.Context(), record.Caller{Actor: "ci"})
	set := func(from, to int) {
		for i := from; i <= to; i++ {
			_, err = kept.CreateBulk(ctx, record.BulkAction{
				ID: string(rune('a' + i)), Kind: record.BulkSagas, Action: "pause", Filter: []byte(`{}`), Parameters: []byte(`{}`),
			}, record.BulkTargets{IDs: []string{"none"}})
			require.NoError(t, err)
		}
	}
	set(1, 2)
	_, err = kept.SealAudit(t.Context())
	require.NoError(t, err)
	_, err = kept.ExpireAudit(t.Context(), 1, 10)
	require.NoError(t, err)
	set(3, 10)
	require.NoError(t, kept.Close())
	orchestrator, err := server.Open(t.Context(), server.Config{
		DatabaseURL: url, AMQPURL: "amqp://127.0.0.1:1", AMQPPrefix: "audit", Listen: "127.0.0.1:0", Auth: "none",
	})
	require.NoError(t, err)
	running, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- orchestrator.Run(running) }()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() {
		stop()
		assert.NoError(t, <-ended)
		assert.NoError(t, conn.Close(context.Background()))
	})
	return client.New(client.Config{Server: orchestrator.URL()}), conn
}

func TestVerifyFindsWhatWasDoneToTheAuditLog(t *testing.T) {
	t.Parallel()
	api, conn := tampered(t)
	sealed, err := api.Audit(t.Context(), client.AuditFilter{}, client.Page{Limit: 1}) // seals every entry
	require.NoError(t, err)
	require.EqualValues(t, 10, sealed.Items[0].Seq)
	for what, c := range map[string]struct{ do, undo, fault string }{
		"nothing":   {`select`, `select`, ``},
		"changed":   {`update audit set reason = 'x' where seq = 5`, `update audit set reason = '' where seq = 5`, `entry 5 was changed`},
		"the time":  {`update audit set at = at + interval '1 second' where seq = 7`, `update audit set at = at - interval '1 second' where seq = 7`, `entry 7 was changed`},
		"deleted":   {`create table away as select * from audit where seq = 6; delete from audit where seq = 6`, `insert into audit overriding system value select * from away where seq = 6; drop table away`, `entries 6 to 6 are missing`},
		"the first": {`create table away as select * from audit where seq = 3; delete from audit where seq = 3`, `insert into audit overriding system value select * from away; drop table away`, `entries 3 to 3 are missing`},
		"the end":   {`create table away as select * from audit where seq > 8; delete from audit where seq > 8`, `insert into audit overriding system value select * from away; drop table away`, `entries 9 to 10 are missing`},
		"all":       {`create table away as select * from audit; delete from audit`, `insert into audit overriding system value select * from away; drop table away`, `entries 3 to 10 are missing`},
		"the record of the chain": {
			`create table away as select * from audit_chain; delete from audit_chain`,
			`insert into audit_chain select * from away; drop table away`, `the table audit_chain, is missing`,
		},
		"inserted": {
			`insert into audit (at, actor, key_id, action, target, definition, reason, request_id, seq, hash) select at, actor, key_id, action, target, definition, reason, request_id, 11, hash from audit where seq = 10`,
			`delete from audit where seq = 11`, `entry 11 was changed`,
		},
		"two exchanged": {
			`update audit set seq = case seq when 4 then -4 else -5 end where seq in (4, 5); update audit set seq = case seq when -4 then 5 else 4 end where seq < 0`,
			`update audit set seq = case seq when 4 then -4 else -5 end where seq in (4, 5); update audit set seq = case seq when -4 then 5 else 4 end where seq < 0`, `entry 4 was changed`,
		},
	} {
		_, err := conn.Exec(t.Context(), c.do)
		require.NoError(t, err, what)
		verdict, err := verifyAudit(t.Context(), api, expectedEntry{})
		require.NoError(t, err, what)
		assert.Equal(t, c.fault == "", verdict.Valid, what)
		assert.Contains(t, verdict.Break, c.fault, what)
		_, err = conn.Exec(t.Context(), c.undo)
		require.NoError(t, err, what)
	}
}
