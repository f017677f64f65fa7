package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/store"
	"github.com/saga-orchestrator/orchestrator/store/storetest"
)

// auditOf is a store with a changed audit log.
type auditOf struct {
	*storetest.Fixture
	damage
}

func newAuditOf(t *testing.T) auditOf {
	t.Helper()
	url := migrated(t)
	return auditOf{storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url})), damage{t, connect(t, url)}}
}

// change makes an audited change, and returns the log, newest first, whose chain must be whole.
func (a auditOf) change(name string) []record.AuditEntry {
	t := a.t
	t.Helper()
	ctx := record.WithCaller(t.Context(), record.Caller{Actor: "ada"})
	_, _, err := a.PutDefinition(ctx, storetest.Definition(t, name, `{"steps":[{"name":"do","command":"work.do"}]}`))
	require.NoError(t, err)
	log, _, err := a.Audit(t.Context(), record.AuditFilter{}, record.Page{Limit: 500})
	require.NoError(t, err)
	require.NotEmpty(t, log)
	assert.Equal(t, "definitions/"+name, log[0].Target, "the newest change is shown")
	return log
}

func (a auditOf) whole(log []record.AuditEntry) {
	t := a.t
	t.Helper()
	chain, err := a.AuditChain(t.Context())
	require.NoError(t, err)
	assert.Zero(t, chain.Unsealed)
	assert.Equal(t, chain.Hash, log[0].Hash)
	for i := range log {
		previous := chain.FirstHash
		if i+1 < len(log) {
			previous = log[i+1].Hash
		}
		hash, err := log[i].Seal(previous)
		require.NoError(t, err)
		require.Equal(t, hash, log[i].Hash, "entry %d", log[i].Seq)
		_, err = saga.EncodeJSON(log[i])
		require.NoError(t, err, "the API can show it")
	}
}

// An entry that waits, and that SQL has damaged, becomes one that says so. The others of its row are sealed as they are.
func TestADamagedEntryOfTheAuditLogStopsNoOther(t *testing.T) {
	t.Parallel()
	a := newAuditOf(t)
	for waiting, wanted := range map[string]string{
		`'[1]'`:                    "audit.unreadable",
		`'[1,"x",{"action":"a"}]'`: "a audit.unreadable audit.unreadable",
		`'[{"at":"x","actor":5}]'`: "audit.unreadable",
		`'[{"action":"\u0000"}]'`:  "audit.unreadable",
		`'[{"action":"a","at":"9999-12-31T23:59:59-23:00"}]'`:                    "audit.unreadable",
		`'[{"action":"a","at":"-0001-01-01T00:00:00Z"}, {"action":"b"}]'`:        "b audit.unreadable",
		`'[` + strings.Repeat("[", 1500) + strings.Repeat("]", 1500) + `]'`:      "audit.unreadable",
		`'[{"action":"a","before":"sealed:1:x:zzzz"}]'`:                          "a",
		`'[{"action":"a","before":{"x":"\u0000\ud800", "x": 1e999999}}]'`:        "a",
		`'[{"action":"a","at":"2026-11-30T10:00:00.123456789+07:00"},{}]', null`: "audit.unreadable a",
		`'[{"action":"a"}]', 'infinity'`:                                         "audit.unreadable",
		`'[{"action":"a"}]', '-infinity'`:                                        "audit.unreadable",
		`'[{"action":"a"}]', '4000-01-01 BC'`:                                    "audit.unreadable",
		`'[{"action":"a"}]', '14000-01-01'`:                                      "audit.unreadable",
		`'{"action":"a"}'`:                                                       "audit.unreadable",
		`null`:                                                                   "audit.unreadable",
	} {
		a.exec(`alter table audit_waiting drop constraint if exists audit_waiting_entries_check, alter entries drop not null, alter at drop not null`)
		a.exec(`delete from audit`)
		a.exec(`update audit_chain set seq = 0, hash = decode(repeat('00', 32), 'hex')`)
		a.exec(`delete from definitions`)
		into := `insert into audit_waiting (entries) values (`
		if strings.Contains(waiting, "', ") {
			into = `insert into audit_waiting (entries, at) values (`
		}
		a.exec(into + waiting + `)`)
		log := a.change("healthy")
		var actions []string
		for _, e := range log[1:] {
			actions = append(actions, e.Action)
			if e.Action == "audit.unreadable" {
				assert.Contains(t, e.Target, "audit_waiting/")
				assert.WithinDuration(t, log[0].At, e.At, time.Minute)
				assert.Contains(t, string(e.Before), `"stored":`)
			}
		}
		assert.Equal(t, wanted, strings.Join(actions, " "), waiting)
		a.whole(log)
		backlog, err := a.Backlog(t.Context())
		require.NoError(t, err)
		assert.EqualValues(t, strings.Count(wanted, "unreadable"), backlog.AuditUnreadable, waiting)
		assert.Zero(t, backlog.AuditOldest)
	}
}

func TestADamagedRowOfTheVersionBeforeStopsNoEntry(t *testing.T) {
	t.Parallel()
	a := newAuditOf(t)
	const into = `insert into audit (at, actor, key_id, action, target, definition, reason, request_id, before) values (`
	deep := strings.Repeat("[", 9_500) + strings.Repeat("]", 9_500)
	a.exec(`set max_stack_depth = '6MB'`)
	for i, values := range []string{
		`'infinity', '', '', '', '', '', '', '', null`, `now(), '', '', '', '', '', '', '', '"sealed:1:x:yyyy"'`, `'-infinity', '', '', '', '', '', '', '', '7'`,
		`now(), '', '', '', '', '', '', '', '` + deep + `'`,
	} {
		a.exec(into + values + `)`)
		log := a.change("queue-" + string(rune('a'+i)))
		assert.Len(t, log, 2*(i+1))
		a.whole(log)
	}
}

// A damaged entry is kept up to a size, and a value up to a depth. Beyond it, the beginning is shown as text.
func TestADamagedEntryOfTheAuditLogIsKeptUpToALimit(t *testing.T) {
	t.Parallel()
	a := newAuditOf(t)
	a.exec(`set max_stack_depth = '6MB'`)
	nested := func(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }
	for i, c := range []struct{ entry, before string }{
		{`"` + strings.Repeat("x", 64<<10-2) + `"`, `{"bytes":65536,"fault":"json: cannot unmarshal string into Go value of type store.waitingEntry","stored":"\"` + strings.Repeat("x", 64<<10-2) + `\""}`},
		{`"` + strings.Repeat("x", 64<<10-1) + `"`, `{"bytes":65537,"fault":"json: cannot unmarshal string into Go value of type store.waitingEntry","stored":"\"` + strings.Repeat("x", 64<<10-1) + `"}`},
		{`{"action":"a","before":` + nested(9000) + `}`, nested(9000)},
		{`{"action":"a","before":` + nested(9001) + `}`, `"` + nested(9001) + `"`},
	} {
		a.exec(`insert into audit_waiting (entries) values ('[` + c.entry + `]')`)
		log := a.change("limit-" + string(rune('a'+i)))
		assert.Equal(t, c.before, string(log[1].Before))
		a.whole(log)
	}
	for i, length := range []int{2000, 2001} {
		for j, member := range []string{"actor", "target"} {
			a.exec(`insert into audit_waiting (entries) select json_build_array(json_build_object('action', 'a', $1::text,
				(select left(string_agg(md5(g::text), ''), $2) from generate_series(1, 100) g)))`, member, length)
			a.exec(`insert into audit (at, actor, key_id, action, target, definition, reason, request_id)
				select now(), left(t, $1), '', 'b', left(t, $1), '', '', '' from (select string_agg(md5(g::text), '') as t from generate_series(1, 100) g) x`, length+2000*i)
			log := a.change(fmt.Sprintf("long-%d-%d", i, j))
			assert.Equal(t, []string{"a", "audit.unreadable"}[i], log[1].Action)
			assert.Len(t, log[2].Actor, []int{2000, 500}[i])
			a.whole(log)
		}
	}
	for i, entries := range []int{20_000, 20_001, 1_000_000} {
		a.exec(`insert into audit_waiting (entries) values (('[' || repeat('{"action":"a"},', $1 - 1) || '{"action":"a"}]')::json)`, entries)
		log := a.change("many-" + string(rune('a'+i)))
		assert.Equal(t, []string{"a", "audit.unreadable", "audit.unreadable"}[i], log[1].Action)
		a.exec(`delete from audit`)
	}
}

// Rows with one id, and entries that SQL has put where the chain could never end, are sealed and sealed after.
func TestEntriesThatContradictOneAnotherStopNoSealing(t *testing.T) {
	t.Parallel()
	a := newAuditOf(t)
	a.change("one")
	a.exec(`insert into audit (id, at, actor, key_id, action, target, definition, reason, request_id) overriding system value
		select 900, now(), 'x', '', 'a', 't', '', '', '' from generate_series(1, 2)`)
	log := a.change("two")
	assert.Len(t, log, 4)
	a.whole(log)
	for i, seq := range []string{"9223372036854775807", "8999999999999999999", "4499999999999999999", "1000"} {
		a.exec(`insert into audit (at, actor, key_id, action, target, definition, reason, request_id, seq, hash)
			values (now(), 'x', '', 'a', 't', '', '', '', $1, sha256('x'))`, seq)
		for j := range 3 {
			ctx := record.WithCaller(t.Context(), record.Caller{Actor: "ada"})
			_, _, err := a.PutDefinition(ctx, storetest.Definition(t, fmt.Sprintf("beyond-%d-%d", i, j), `{"steps":[{"name":"do","command":"work.do"}]}`))
			require.NoError(t, err)
			found, _, err := a.Audit(t.Context(), record.AuditFilter{Actor: new("ada"), Since: new(time.Now().Add(-time.Hour))}, record.Page{Limit: 500})
			require.NoError(t, err)
			assert.Len(t, found, 2+3*i+j+1, seq)
		}
	}
}

// What SQL has changed of sealed entries is shown, so that it can be found: the hashes say which it is.
func TestChangedEntriesOfTheAuditLogHideNoOthers(t *testing.T) {
	t.Parallel()
	a := newAuditOf(t)
	for i, change := range []string{
		`at = 'infinity'`, `at = '-infinity'`, `at = '14000-01-01'`, `before = '"sealed:1:x:yyyy"'`, `before = '7'`, `actor = repeat('x', 10000)`,
		`action = E'\x01'`, `seq = -seq`, `seq = seq + 1000`,
	} {
		before := len(a.change("first-" + string(rune('a'+i))))
		a.exec(`update audit set ` + change + ` where seq = (select max(seq) from audit where seq < 100)`)
		assert.Len(t, a.change("second-"+string(rune('a'+i))), before+1, change)
		_, _, err := a.Audit(t.Context(), record.AuditFilter{Since: new(time.Now().Add(-time.Hour)), Until: new(time.Now().Add(time.Hour))}, record.Page{Limit: 5})
		require.NoError(t, err)
	}
}

// The end of the chain that SQL has set back does not stop the sealing. Without its row nothing is sealed, and what was is shown.
func TestADamagedEndOfTheAuditChainIsFound(t *testing.T) {
	t.Parallel()
	a := newAuditOf(t)
	a.change("one")
	a.exec(`update audit_chain set seq = 0, hash = decode(repeat('00', 32), 'hex')`)
	a.whole(a.change("two"))
	a.exec(`update audit_chain set seq = 9223372036854775807`)
	a.whole(a.change("beyond"))

	a.exec(`create table kept as select * from audit_chain`)
	a.exec(`delete from audit_chain`)
	_, err := a.SealAudit(t.Context())
	require.NoError(t, err, "there is nothing to seal")
	ctx := record.WithCaller(t.Context(), record.Caller{Actor: "ada"})
	_, _, err = a.PutDefinition(ctx, storetest.Definition(t, "three", `{"steps":[{"name":"do","command":"work.do"}]}`))
	require.NoError(t, err, "changes do not wait for it")
	_, err = a.SealAudit(t.Context())
	require.ErrorContains(t, err, "the row of the table audit_chain is missing")
	log, _, err := a.Audit(t.Context(), record.AuditFilter{}, record.Page{Limit: 5})
	require.NoError(t, err)
	assert.Len(t, log, 3)
	backlog, err := a.Backlog(t.Context())
	require.NoError(t, err)
	assert.NotZero(t, backlog.AuditOldest)
	a.exec(`insert into audit_chain select * from kept`)
	a.whole(a.change("four"))
}

// An entry whose time is out of range keeps no others from expiring.
func TestEntriesWithDamagedTimesDoNotStopTheExpiry(t *testing.T) {
	t.Parallel()
	a := newAuditOf(t)
	for _, name := range []string{"one", "two", "three", "four"} {
		a.change(name)
	}
	a.exec(`update audit set at = '2020-01-01' where seq <> 4`)
	a.exec(`update audit set at = 'infinity' where seq = 2`)
	deleted, err := a.ExpireAudit(t.Context(), time.Hour, 100)
	require.NoError(t, err)
	assert.Equal(t, 3, deleted)
}
