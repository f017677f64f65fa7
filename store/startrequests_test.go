package store_test

import (
	"cmp"
	"context"
	"io/fs"
	"slices"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/oklog/ulid/v2"
	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/migrations"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/store"
	"github.com/saga-orchestrator/orchestrator/store/storetest"
)

const wholeLease = time.Hour

func TestSagaStartReturnsULIDs(t *testing.T) {
	t.Parallel()
	before := time.Now().Add(-time.Minute)
	ids := texts(t, migrated(t), `select saga_start('order', '{}') from generate_series(1, 1000)`)
	seen := make(map[string]bool)
	for i, id := range ids {
		parsed, err := ulid.ParseStrict(id)
		require.NoError(t, err)
		require.Equal(t, id, parsed.String())
		require.WithinRange(t, ulid.Time(parsed.Time()), before, time.Now().Add(time.Minute))
		require.False(t, seen[id])
		seen[id] = true
		if i > 0 {
			require.LessOrEqual(t, ids[i-1][:10], id[:10], "the time comes first")
		}
	}
}

func TestSagaStartRefusesWrongArguments(t *testing.T) {
	t.Parallel()
	conn := connect(t, migrated(t))
	for arguments, fault := range map[string]string{
		`null, '{}'`:                                           "definition: must name a definition",
		`'a b', '{}'`:                                          "definition: must name a definition",
		`'order', null`:                                        "data: must be a JSON object",
		`'order', '[]'`:                                        "data: must be a JSON object",
		`'order', 'null'`:                                      "data: must be a JSON object",
		`'order', '{}', ''`:                                    "idempotency_key: must have 1 to 255 characters",
		`'order', '{}', repeat('k', 256)`:                      "idempotency_key: must have 1 to 255 characters",
		`'order', '{}', key => ''`:                             "key: must have 1 to 128 characters",
		`'order', '{}', key => repeat('k', 129)`:               "key: must have 1 to 128 characters",
		`'order', '{}', priority => 10`:                        "priority: must be 0 to 9",
		`'order', '{}', priority => -1`:                        "priority: must be 0 to 9",
		`'order', '{}', labels => '[]'`:                        "labels: must be a JSON object",
		`'order', '{}', labels => '{"a": 1}'`:                  "labels: values must be strings",
		`'order', '{}', start_at => 'infinity'`:                "start_at: must not be more than ten years ahead",
		`'order', '{}', start_at => '-infinity'`:               "start_at: must not be before the year 1",
		`'order', '{}', deadline => '0'`:                       "deadline: must be 1 millisecond to 8760 hours",
		`'order', '{}', deadline => '366 days'`:                "deadline: must be 1 millisecond to 8760 hours",
		`'order', json_build_object('a', repeat('x', 262144))`: "data: must have at most 256 KiB, together with the other arguments",
	} {
		_, err := conn.Exec(t.Context(), `select saga_start(`+arguments+`)`)
		var refused *pgconn.PgError
		require.ErrorAs(t, err, &refused, arguments)
		assert.Equal(t, "saga_start: "+fault, refused.Message, arguments)
	}
	_, err := conn.Exec(t.Context(), `select saga_start('order', '{}', null, null, null, null, null, null)`)
	require.NoError(t, err)
}

// A role needs EXECUTE on the function and nothing else, and has it only if it was granted.
func TestSagaStartNeedsOnlyExecute(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	conn := connect(t, url)
	run := func(statement string) error { _, err := conn.Exec(t.Context(), statement); return err }
	role := pgx.Identifier{"caller_" + ulid.Make().String()}.Sanitize()
	require.NoError(t, run(`create role `+role))
	t.Cleanup(func() {
		_, err := conn.Exec(context.Background(), `reset role; drop owned by `+role+`; drop role `+role)
		assert.NoError(t, err)
	})
	denied := func(statement string) {
		t.Helper()
		var refused *pgconn.PgError
		require.ErrorAs(t, run(statement), &refused)
		require.Equal(t, "42501", refused.Code, statement)
	}
	require.NoError(t, run(`set role `+role))
	denied(`select saga_start('order', '{}')`)
	require.NoError(t, run(`reset role; grant execute on function saga_start to `+role+`; set role `+role))
	require.NoError(t, run(`select saga_start('order', '{"a":1}', 'k1')`))
	denied(`select * from start_requests`)
	denied(`insert into start_requests (saga_id, body, actor) values ('a', 'b', 'c')`)

	// Tables and functions of the caller do not stand in for those that the function uses.
	require.NoError(t, run(`create temp table start_requests (saga_id text, idempotency_key text, body text, actor text);
		create temp table idempotency_keys (key text, saga_id text); insert into idempotency_keys values ('k2', 'stolen')`))
	require.NoError(t, run(`select saga_start('order', '{"a":2}', 'k2')`))
	require.NoError(t, run(`reset role`))
	assert.Equal(t, []string{`{"definition":"order","data":{"a":1}}`, `{"definition":"order","data":{"a":2}}`},
		texts(t, url, `select body from public.start_requests order by number`))
}

func TestClaimedStartsBelongToOneReplicaUntilTheirLeaseEnds(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	const rows = 300
	ids := texts(t, url, `select saga_start('order', '{}') from generate_series(1, 300)`)
	var mutex sync.Mutex
	claimed := make(map[string]int)
	var numbers []int64
	var replicas sync.WaitGroup
	for range 4 {
		s := open(t, store.Config{DatabaseURL: url})
		replicas.Go(func() {
			for {
				found, err := s.ClaimStarts(t.Context(), 20, 1<<20, wholeLease)
				if !assert.NoError(t, err) {
					return
				}
				mutex.Lock()
				for _, start := range found {
					claimed[start.SagaID]++
					numbers = append(numbers, start.Number)
				}
				done := len(numbers) == rows
				mutex.Unlock()
				if done || len(found) == 0 && t.Context().Err() != nil {
					return
				}
			}
		})
	}
	replicas.Wait()
	for _, id := range ids {
		assert.Equal(t, 1, claimed[id])
	}
	s := open(t, store.Config{DatabaseURL: url})
	require.NoError(t, s.DropStarts(t.Context(), numbers[1:]))
	_, err := connect(t, url).Exec(t.Context(), `update start_requests set claimed_until = now()`) // the lease ends
	require.NoError(t, err)
	again, err := s.ClaimStarts(t.Context(), 20, 1<<20, wholeLease)
	require.NoError(t, err)
	require.Len(t, again, 1)
	assert.Equal(t, numbers[0], again[0].Number)
	assert.Equal(t, []string{"true 2"}, texts(t, url, `select (claimed_until < now() + interval '1 hour') || ' ' || attempts
		from start_requests`), "a lease has a limit")
}

func TestAStartThatIsGivenBackWasNotClaimed(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s := open(t, store.Config{DatabaseURL: url})
	texts(t, url, `select saga_start('order', '{}'::json) from generate_series(1, 2)`)
	for range 10 {
		found, err := s.ClaimStarts(t.Context(), 10, 1<<20, wholeLease)
		require.NoError(t, err)
		require.Len(t, found, 2)
		require.NoError(t, s.ReturnStarts(t.Context(), []int64{found[0].Number, found[1].Number}, 0))
	}
	assert.Equal(t, []string{"0", "0"}, texts(t, url, `select attempts::text from start_requests`))
}

func TestAStartByMessageWaitsAmongThoseBySQL(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{DatabaseURL: migrated(t)})
	start := record.QueuedStart{
		SagaID: storetest.NewID(), IdempotencyKey: "one", Body: []byte(`{"definition":"order"}`), Actor: "shop", ByMessage: true, TraceParent: "00-a",
	}
	require.NoError(t, s.QueueStart(t.Context(), start))
	require.NoError(t, s.QueueStart(t.Context(), record.QueuedStart{SagaID: storetest.NewID(), Body: []byte(`{}`)}))
	found, err := s.ClaimStarts(t.Context(), 10, 1<<20, wholeLease)
	require.NoError(t, err)
	require.Len(t, found, 2)
	slices.SortFunc(found, func(a, b record.QueuedStart) int { return cmp.Compare(a.Number, b.Number) })
	start.Number = found[0].Number
	assert.Equal(t, start, found[0])
	require.NoError(t, s.ReturnStarts(t.Context(), []int64{found[0].Number}, time.Hour))
	require.NoError(t, s.ReturnStarts(t.Context(), []int64{found[1].Number}, 0))
	again, err := s.ClaimStarts(t.Context(), 10, 1<<20, wholeLease)
	require.NoError(t, err)
	require.Len(t, again, 1)
	assert.Equal(t, found[1].Number, again[0].Number)
}

func TestStartsUnderOneIdempotencyKeyAreClaimedInTurn(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s := open(t, store.Config{DatabaseURL: url})
	ids := texts(t, url, `select saga_start('order', json_build_object('n', n), case when n < 4 then 'k' end, 'key') from generate_series(1, 4) n`)
	assert.Equal(t, []string{ids[0], ids[0]}, ids[1:3], "the key has a request")
	claim := func() (found []record.QueuedStart) {
		found, err := s.ClaimStarts(t.Context(), 10, 1<<20, wholeLease)
		require.NoError(t, err)
		return found
	}
	first := claim()
	require.Len(t, first, 2)
	role := texts(t, url, `select session_user::text`)[0]
	assert.Equal(t, record.QueuedStart{
		Number: 1, SagaID: ids[0], IdempotencyKey: "k", Actor: role, Body: []byte(`{"definition":"order","key":"key","data":{"n" : 1}}`),
	}, first[0])
	assert.Equal(t, ids[3], first[1].SagaID)
	assert.Empty(t, first[1].IdempotencyKey)
	require.Empty(t, claim())
	require.NoError(t, s.DropStarts(t.Context(), []int64{first[0].Number}))
	second := claim()
	require.Len(t, second, 1)
	assert.Equal(t, int64(2), second[0].Number)
}

func TestAClaimOfStartsIsBoundedByTheirBytes(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s := open(t, store.Config{DatabaseURL: url})
	texts(t, url, `select saga_start('order', json_build_object('a', repeat('x', 100000))) from generate_series(1, 3)`)
	for _, wanted := range []int{2, 1, 0} {
		found, err := s.ClaimStarts(t.Context(), 10, 250_000, wholeLease)
		require.NoError(t, err)
		require.Len(t, found, wanted)
	}
	texts(t, url, `select saga_start('order', json_build_object('a', repeat('x', 100000)))`)
	found, err := s.ClaimStarts(t.Context(), 10, 10, wholeLease)
	require.NoError(t, err)
	require.Len(t, found, 1, "one that is larger than the bound is taken by itself")
}

// A database of the version before is upgraded while it holds sagas.
func TestADatabaseWithoutStartRequestsIsUpgraded(t *testing.T) {
	t.Parallel()
	url := env.Database(t)
	before := make(fstest.MapFS)
	names, err := fs.Glob(migrations.FS, "*.sql")
	require.NoError(t, err)
	for _, name := range names {
		if name < "00014" {
			content, err := fs.ReadFile(migrations.FS, name)
			require.NoError(t, err)
			before[name] = &fstest.MapFile{Data: content}
		}
	}
	settings, err := pgx.ParseConfig(url)
	require.NoError(t, err)
	db := stdlib.OpenDB(*settings)
	defer func() { require.NoError(t, db.Close()) }()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, before, goose.WithTableName("saga_schema_version"), goose.WithDisableGlobalRegistry(true))
	require.NoError(t, err)
	_, err = provider.Up(t.Context())
	require.NoError(t, err)
	old := open(t, store.Config{DatabaseURL: url})
	require.ErrorIs(t, old.CheckSchema(t.Context()), store.ErrSchemaBehind)
	running := storetest.NewFixture(t, old).Start(saga.Start{})

	require.NoError(t, store.Migrate(t.Context(), url))
	require.NoError(t, old.CheckSchema(t.Context()))
	kept, err := old.Saga(t.Context(), running.ID)
	require.NoError(t, err)
	require.Equal(t, running, kept.Instance)
	id := texts(t, url, `select saga_start('order', '{}')`)[0]
	claimed, err := old.ClaimStarts(t.Context(), 1, 1, wholeLease)
	require.NoError(t, err)
	require.Equal(t, id, claimed[0].SagaID)
}
